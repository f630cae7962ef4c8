"""gatekeeper.samples and gatekeeper.collect: selecting, pooling, units, and what a record says about
success.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import DataError, Events, Readings, Series
from gatekeeper.collect import Collector, base_unit, error_type, split_unit
from gatekeeper.samples import Selector, pooled

INF = float("inf")
labels = st.dictionaries(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,8}", fullmatch=True), st.text(max_size=8), max_size=3
)


@given(st.from_regex(r"[a-z][a-z_.:\[\]0-9]{0,10}", fullmatch=True), labels)
def test_a_selector_reads_what_it_writes(name: str, chosen: dict[str, str]) -> None:
    selector = Selector(name, chosen)
    assert Selector.parse(str(selector)) == selector


@pytest.mark.parametrize(
    "text", ["", " ", '{x="1"}', "a{", "a{x}", "a{x=1}", 'a{x="1"', 'a{x="1"}z', 'a{x="1",x="2"}']
)
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|twice"):
        Selector.parse(text)


def test_a_bare_name_prefers_the_series_without_labels() -> None:
    total = Series(name="t", stats={"p95": 1.0}, n=9)
    part = Series(name="t", stats={"p95": 2.0}, n=3, labels={"a": "1"})
    readings = Readings((total, part))
    assert readings.select("t") == (total,)
    assert readings.select('t{a="1"}') == (part,)
    assert readings.select('t{a="2"}') == ()


def test_values_without_a_label_never_hide_those_with_one() -> None:
    readings = Readings((Series(name="t", values=(1.0,)), Series(name="t", values=(9.0,), labels={"a": "1"})))
    assert len(readings.select("t")) == 2


def test_values_are_pooled_and_percentiles_never() -> None:
    one = Series(name="t", unit="s", values=(1.0, 2.0), labels={"a": "1", "b": "x"})
    two = Series(name="t", unit="s", values=(3.0,), labels={"a": "2", "b": "x"})
    whole = pooled((one, two))
    assert whole is not None
    assert (whole.values, whole.n, whole.labels) == ((1.0, 2.0, 3.0), 3, {"b": "x"})
    assert pooled((one, Series(name="t", unit="s", stats={"p95": 1.0}, n=5))) is None
    assert pooled((one, Series(name="t", unit="B", values=(1.0,)))) is None


def test_histograms_are_pooled_where_their_bounds_are_the_same() -> None:
    one = Series(name="t", buckets=((1.0, 2.0), (INF, 4.0)), stats={"sum": 4.0})
    two = Series(name="t", buckets=((1.0, 1.0), (INF, 1.0)), stats={"sum": 1.0})
    whole = pooled((one, two))
    assert whole is not None
    assert (whole.buckets, whole.n, whole.stats["mean"]) == (((1.0, 3.0), (INF, 5.0)), 5, 1.0)
    assert pooled((one, Series(name="t", buckets=((2.0, 1.0), (INF, 1.0))))) is None


def test_events_of_the_same_name_are_added() -> None:
    readings = Readings(
        (),
        (
            Events(name="e", total=3, errors={"5xx": 1}),
            Events(name="e", total=2, errors={"5xx": 1, "4xx": 1}),
        ),
    )
    counted = readings.counted("e")
    assert counted is not None
    assert (counted.total, counted.failed, counted.errors) == (5, 3, {"5xx": 2, "4xx": 1})
    assert readings.counted("other") is None


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("ms", ("s", 1e-3)), ("seconds", ("s", 1)), ("kB", ("B", 1000)), ("MiB", ("B", 2**20)),
     ("%", ("ratio", 0.01)),
     ("requests", ("requests", 1)), ("", ("", 1))],
)  # fmt: skip
def test_units_become_base_units(unit: str, expected: tuple[str, float]) -> None:
    assert base_unit(unit) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("duration_s", ("duration", "s")), ("latency_ms", ("latency", "ms")), ("rss_bytes", ("rss", "bytes")),
     ("requests_per_s", ("requests_per_s", "1/s")), ("_s", ("_s", "")), ("status", ("status", "")),
     ("latency_min", ("latency_min", "")), ("hit_ratio", ("hit", "ratio"))],
)  # fmt: skip
def test_a_unit_is_read_from_the_end_of_a_name(name: str, expected: tuple[str, str]) -> None:
    assert split_unit(name) == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({}, None),
        ({"message": "hi"}, None),
        ({"status": 200}, ""),
        ({"status": 301}, ""),
        ({"status": 404}, "4xx"),
        ({"status": "503 Service Unavailable"}, "5xx"),
        ({"status": 500, "level": "info"}, "5xx"),
        ({"status": 200, "level": "error"}, "error"),
        ({"status": "failed"}, "failed"),
        ({"status": "ok"}, ""),
        ({"level": "INFO"}, ""),
        ({"level": "CRIT"}, "critical"),
        ({"levelname": "ERROR", "exc_type": "KeyError"}, "KeyError"),
        ({"level": 50}, "error"),
        ({"level": 30}, ""),
        ({"log": {"level": "error"}, "error": {"type": "ReadTimeout"}}, "timeout"),
        ({"log.level": "warn", "error.type": "ReadTimeout"}, ""),
        ({"http": {"response": {"status_code": 502}}}, "5xx"),
        ({"error": "boom"}, "boom"),
        ({"error": None, "ok": True}, ""),
        ({"ok": False}, "untyped"),
        ({"success": False, "error_type": "timed out"}, "timeout"),
        ({"error": False, "status": True}, None),
    ],
)
def test_a_record_says_whether_it_failed(record: dict[str, object], expected: str | None) -> None:
    assert error_type(record) == expected


def test_a_label_that_identifies_is_left_out_and_said_so() -> None:
    collector = Collector(Path("x.jsonl"), 2)
    for index in range(5):
        collector.add("t", float(index), "s", {"id": str(index), "kind": "a"})
    readings = collector.readings()
    (series,) = readings.series
    assert (sorted(series.values), series.labels) == ([0, 1, 2, 3, 4], {"kind": "a"})
    assert "'id' has more than 2 different values" in readings.notes[0]


def test_a_series_has_one_unit() -> None:
    collector = Collector(Path("x.jsonl"))
    collector.line = 1
    collector.add("t", 1.0, "ms")
    collector.line = 2
    with pytest.raises(DataError, match=r"x.jsonl:2: t is in B here, but in s in line 1"):
        collector.add("t", 1.0, "MB")


def test_endless_error_types_are_bounded() -> None:
    collector = Collector(Path("x.jsonl"))
    for index in range(500):
        collector.event("log", f"E{index}")
    (events,) = collector.readings().events
    assert events.total == events.failed == 500
    assert len(events.errors) <= 102
