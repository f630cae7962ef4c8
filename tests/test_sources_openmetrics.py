"""The source `openmetrics`, on what prometheus_client writes and on what is broken."""

import math
from pathlib import Path

import pytest

from gatekeeper import DataError, Readings, Series, stats
from gatekeeper_sources import openmetrics


def read(tmp_path: Path, content: str) -> Readings:
    file = tmp_path / "m.prom"
    file.write_text(content)
    return openmetrics.read(file)


def one(readings: Readings, selector: str) -> Series:
    (series,) = readings.select(selector)
    return series


@pytest.mark.parametrize("form", ["exposition", "openmetrics.exposition"])
def test_what_the_python_client_writes(tmp_path: Path, form: str) -> None:
    client = pytest.importorskip("prometheus_client")
    module = pytest.importorskip(f"prometheus_client.{form}")
    registry = client.CollectorRegistry()
    requests = client.Counter("http_requests", "all", ["code"], registry=registry)
    for code, count in (("200", 96), ("404", 1), ("503", 3)):
        requests.labels(code).inc(count)
    latency = client.Histogram("latency_seconds", "it", ["path"], registry=registry, buckets=(0.1, 0.2, 0.4))
    for index in range(40):
        latency.labels('/a"\\\n').observe(index / 100)
    client.Gauge("resident_memory_bytes", "it", registry=registry).set(4e8)
    client.Info("build", "it", registry=registry).info({"version": "1"})
    readings = read(tmp_path, module.generate_latest(registry).decode())
    events = readings.counted("http_requests_total")
    assert events is not None
    assert (events.total, events.errors) == (100, {"4xx": 1, "5xx": 3})
    series = one(readings, "latency_seconds")
    assert (series.unit, series.n, series.labels) == ("s", 40, {"path": '/a"\\\n'})
    assert stats.histogram_percentile(series.buckets, 50) == pytest.approx(0.195, abs=0.01)
    assert series.stats["mean"] == pytest.approx(0.195)
    memory = one(readings, "resident_memory_bytes")
    assert (memory.unit, memory.values) == ("B", (4e8,))
    assert not readings.select("http_requests_created") or form == "exposition"


def test_quantiles_of_a_summary_and_units_of_their_own(tmp_path: Path) -> None:
    readings = read(
        tmp_path,
        "# TYPE rpc_milliseconds summary\n"
        'rpc_milliseconds{quantile="0.5"} 20\nrpc_milliseconds{quantile="0.999"} 400\n'
        'rpc_milliseconds{quantile="0.9"} NaN\nrpc_milliseconds_sum 2000\nrpc_milliseconds_count 100\n'
        "# TYPE queue gauge\n# UNIT queue seconds\nqueue 3 1700000000\n# EOF\n",
    )
    rpc = one(readings, "rpc_milliseconds")
    assert (rpc.unit, rpc.n) == ("s", 100)
    assert rpc.stats == pytest.approx({"p50": 0.02, "p99.9": 0.4, "sum": 2.0, "mean": 0.02})
    assert one(readings, "queue").unit == "s"


def test_exemplars_timestamps_blanks_and_quoted_names(tmp_path: Path) -> None:
    readings = read(
        tmp_path,
        '# TYPE h histogram\nh_bucket{le="1"} 1 # {trace="a # b"} 0.5 1.1\n'
        'h_bucket{le="+Inf"} 2 1520879607.789\n'
        'h_sum 3\nh_count 2\n  spaced { a = "x,}" , b="y", }  4\n{"my.metric", "a.b"="c"} 5\n',
    )
    assert one(readings, "h").buckets == ((1.0, 1.0), (math.inf, 2.0))
    assert one(readings, "spaced").labels == {"a": "x,}", "b": "y"}
    assert one(readings, 'my.metric{a.b="c"}').values == (5,)


def test_values_that_are_no_numbers_are_left_out_and_noted(tmp_path: Path) -> None:
    readings = read(tmp_path, "a NaN\nb +Inf\nc 1\n")
    assert [series.name for series in readings.series] == ["c"]
    assert readings.notes == ("m.prom: a in line 1 is nan: left out", "m.prom: b in line 2 is inf: left out")


@pytest.mark.parametrize("name", ["h_bucket", "h_sum", "h_count"])
def test_a_part_of_a_histogram_nobody_declared_is_a_plain_series(tmp_path: Path, name: str) -> None:
    assert one(read(tmp_path, f"{name} 3\n"), name).values == (3,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\n", r"m.prom:1: expected a value"),
        ("ok 1\na 1 2 3\n", r"m.prom:2: expected a value"),
        ("a fast\n", r"m.prom:1: expected a number, got 'fast'"),
        ('a{x="1} 3\n', r"m.prom:1: expected labels"),
        ('a{x="1",x="2"} 3\n', r"m.prom:1: the label x is there twice"),
        ("<html>\n", r"m.prom:1: expected a metric"),
        ("{} 3\n", r"m.prom:1: expected a metric's name"),
        ("# EOF\na 1\n", r"m.prom:2: there is something after # EOF"),
        (
            '# TYPE h histogram\nh_bucket{le="1"} 1\nh_count 1\n',
            r'm.prom:2: histogram h has no bucket le="\+Inf"',
        ),
        ('# TYPE h histogram\nh_bucket{le="1"} 3\nh_bucket{le="+Inf"} 1\n', r"not cumulative"),
        ("# TYPE h histogram\nh_bucket 1\n", r"m.prom:2: h_bucket has no label le"),
        ("# TYPE s summary\ns 1\n", r"m.prom:2: s has no label quantile"),
    ],
)
def test_broken_text_is_refused_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.prom").write_bytes(b"a 1\n\xff\xfe 2\n")
    with pytest.raises(DataError, match=r"m.prom:2: is not UTF-8"):
        openmetrics.read(tmp_path / "m.prom")


def test_an_empty_page_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Readings()
    assert read(tmp_path, "# EOF\n") == Readings()
