"""The sources `jsonl`, `csv` and `log`: files that programs write line by line."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper import DataError, Readings, SampleSource, Series
from gatekeeper_sources import csv, jsonl, log


def one(readings: Readings, selector: str) -> Series:
    (series,) = readings.select(selector)
    return series


def read(source: object, tmp_path: Path, content: str | bytes) -> Readings:
    file = tmp_path / "m.dat"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    readings: Readings = source.read(file)  # type: ignore[attr-defined]
    return readings


# -- jsonl -----------------------------------------------------------------------------------------------


def test_measurements_in_any_unit(tmp_path: Path) -> None:
    lines = [
        {"name": "duration", "value": 1200, "unit": "ms"},
        {"name": "duration", "value": 1.5, "unit": "s"},
        {"name": "rss", "value": 3, "unit": "MiB"},
        {"name": "wait_ms", "value": 5},
        {"name": "latency", "value": 0.1, "unit": "s", "labels": {"endpoint": "/x"}},
        {"name": "throughput", "value": 80, "unit": "requests/s"},
    ]
    readings = read(jsonl, tmp_path, "\n".join(map(json.dumps, lines)))
    assert one(readings, "duration").values == pytest.approx((1.2, 1.5))
    assert (one(readings, "rss").values, one(readings, "rss").unit) == ((3 * 2**20,), "B")
    assert one(readings, "wait").values == pytest.approx((0.005,))
    assert one(readings, 'latency{endpoint="/x"}').n == 1
    assert one(readings, "throughput").unit == "requests/s"


def test_wide_records_are_series_labels_and_events(tmp_path: Path) -> None:
    lines = [
        {"duration_s": 1.2, "endpoint": "/x", "status": 200, "ts": 1700000000, "cached": True},
        {"duration_s": 1.4, "endpoint": "/y", "status": 503},
        {"duration_s": 9, "endpoint": "/x", "status": 200, "error_type": "ReadTimeout"},
    ]
    readings = read(jsonl, tmp_path, "\n".join(map(json.dumps, lines)))
    assert one(readings, 'duration{endpoint="/x"}').values == (1.2, 9)
    assert {series.name for series in readings.series} == {"duration"}
    events = readings.counted("records")
    assert events is not None
    assert (events.total, events.errors) == (3, {"5xx": 1, "timeout": 1})


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_every_value_arrives(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    content = "".join(json.dumps({"name": "x", "value": value}) + "\n" for value in values)
    readings = read(jsonl, tmp_path_factory.getbasetemp(), content)
    assert [value for series in readings.series for value in series.values] == values


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"name": "x", "value": 1}\n{"name": "x", "val', r"m.dat:2: "),
        ('{"name": "x", "value": NaN}', r"m.dat:1: "),
        ('{"name": "x", "value": 1e999}', r"m.dat:1: "),
        ('{"name": "x", "value": "fast"}', r'm.dat:1: "value" of x is a number, got \'fast\''),
        ('{"name": "x", "value": true}', r'm.dat:1: "value" of x is a number, got True'),
        ('{"name": 3, "value": 1}', r'm.dat:1: "name" is a text'),
        ('{"name": "x", "value": 1, "unit": 3}', r'm.dat:1: "unit" of x'),
        ('{"name": "x", "value": 1, "labels": 3}', r'm.dat:1: "labels" of x'),
        ("[1]", r"m.dat:1: expected an object, got list"),
        ('{"a_s": 1}\n\n{"a_MB": 1}', r"m.dat:3: a is in B here, but in s in line 1"),
        ('{"a": 1, "a": 2}', r"m.dat:1: "),
        ('{"a": ' * 2000, r"m.dat:1: "),
    ],
)
def test_broken_json_lines_are_refused_with_their_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(jsonl, tmp_path, content)


# -- csv -------------------------------------------------------------------------------------------------


def test_rows_of_name_value_unit(tmp_path: Path) -> None:
    readings = read(
        csv, tmp_path, "name,value,unit,host\nduration,1200,ms,a\nduration,2,s,b\npeak_memory_MB,7,,a\n"
    )
    assert one(readings, 'duration{host="a"}').values == pytest.approx((1.2,))
    assert one(readings, "peak_memory").values == (7e6,)


def test_columns_are_series_with_gaps_counted(tmp_path: Path) -> None:
    content = "\ufeffdelay_minutes,distance,carrier,status\n2,1400,UA,200\n,1416,UA,500\nNA,,AA,200\n"
    readings = read(csv, tmp_path, content)
    assert one(readings, "delay").values == (120.0,)
    assert one(readings, 'distance{carrier="UA"}').values == (1400, 1416)
    events = readings.counted("records")
    assert events is not None
    assert (events.total, events.errors) == (3, {"5xx": 1})
    assert readings.notes == ("m.dat: cells without a number: delay_minutes 2, distance 1",)


def test_a_column_that_turns_out_to_be_text_is_no_series(tmp_path: Path) -> None:
    readings = read(csv, tmp_path, "t_s,flight\n1,12\n2,12A\n3,13\n")
    assert [series.name for series in readings.series if series.name != "t"] == []
    assert sorted(value for series in readings.select("t") for value in series.values) == [1, 2, 3]
    assert readings.notes == ("m.dat: flight is no series: '12A' in line 3 is not a number",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a_s,b\n1,2\n1\n", r"m.dat:3: "),
        ("a_s\n1\nfast\n", r"m.dat:3: a_s is a number, got 'fast'"),
        ("name,value\n,1\n", r"m.dat:2: expected a name and a number"),
        ("name,value\nx,fast\n", r"m.dat:2: expected a name and a number"),
        ("1,2\n3,4\n", r"the first row is a header with names"),
        ("a,a\n1,2\n", r"m.dat:1: "),
        ('a_s,b\n1,"x\n', r"m.dat:"),
    ],
)
def test_broken_csv_is_refused_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(csv, tmp_path, content)


# -- log -------------------------------------------------------------------------------------------------


def test_a_log_counts_records_by_level_status_and_type(tmp_path: Path) -> None:
    lines = [
        {"level": "info", "msg": "start"},
        {"level": "ERROR", "msg": "broken", "exc_type": "KeyError"},
        {"level": "info", "status": 503},
        {"severity": "WARNING", "error": {"type": "Retry"}},
        {"msg": "neither"},
        {"level": "error", "error": {"type": "ConnectTimeout"}},
    ]
    content = (
        "\n".join(map(json.dumps, lines))
        + '\nTraceback (most recent call last):\n  [1]\n"text"\n{"level": "inf'
    )
    readings = read(log, tmp_path, content)
    events = readings.counted("log")
    assert events is not None
    assert (events.total, events.errors, events.unread) == (5, {"KeyError": 1, "5xx": 1, "timeout": 1}, 4)
    assert readings.notes[0].startswith("m.dat: 4 lines are not JSON objects, the first: ")
    assert "m.dat:7" in readings.notes[0]
    assert readings.notes[1] == "m.dat: 1 JSON lines have neither a level nor a status and are not counted"


def test_a_log_that_is_no_json_at_all_counts_nothing_and_says_so(tmp_path: Path) -> None:
    readings = read(log, tmp_path, "one\ntwo\n")
    (events,) = readings.events
    assert (events.total, events.unread) == (0, 2)


# -- all of them -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [jsonl, csv, log])
def test_an_empty_file_says_nothing(tmp_path: Path, source: object) -> None:
    readings = read(source, tmp_path, "")
    assert (readings.series, readings.events) == ((), ())


@pytest.mark.parametrize("source", [jsonl, csv, log])
def test_a_missing_file_or_a_folder_is_one_clear_error(tmp_path: Path, source: object) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError):
            source.read(path)  # type: ignore[attr-defined]


@pytest.mark.parametrize("source", [jsonl, csv, log])
@settings(deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, source: object, content: bytes
) -> None:
    with contextlib.suppress(DataError):
        read(source, tmp_path_factory.getbasetemp(), content)


def test_each_source_says_what_it_is() -> None:
    from importlib import import_module

    names = []
    for module in ("k6", "pytest_benchmark", "junit", "openmetrics", "jsonl", "csv", "log"):
        (source,) = import_module(f"gatekeeper_sources.{module}").gatekeeper_sources()
        assert isinstance(source, SampleSource)
        assert source.summary
        names.append(source.name)
    assert names == ["k6", "pytest-benchmark", "junit", "openmetrics", "jsonl", "csv", "log"]
