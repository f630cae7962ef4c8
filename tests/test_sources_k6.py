"""The source `k6`: three shapes of summary, k6's own words turned into ours."""

import json
from pathlib import Path
from typing import Any

import pytest

from gatekeeper import DataError, Readings, Series
from gatekeeper_sources import k6

ROOT: dict[str, Any] = {
    "name": "",
    "groups": {
        "login": {"name": "login", "groups": {}, "checks": {"ok": {"name": "ok", "passes": 45, "fails": 5}}}
    },
    "checks": {"status is 200": {"name": "status is 200", "passes": 90, "fails": 10}},
}
DURATION = {"avg": 140.0, "min": 119.0, "med": 140.9, "max": 154.6, "p(90)": 146.8, "p(95)": 148.2}
FLAT: dict[str, Any] = {
    "root_group": ROOT,
    "metrics": {
        "checks": {"value": 0.9, "passes": 135, "fails": 15},
        "data_received": {"count": 4000, "rate": 400.0},
        "http_req_duration": DURATION,
        "http_req_duration{expected_response:true}": {**DURATION, "p(95)": 148.0},
        "http_req_failed": {"value": 0.1, "passes": 10, "fails": 90},
        "http_reqs": {"count": 100, "rate": 10.0},
        "iteration_duration": {"avg": 1000.0, "min": 900.0, "med": 1000.0, "max": 1100.0, "p(95)": 1090.0},
        "iterations": {"count": 50, "rate": 5.0},
        "queue": {"avg": 15, "min": 10, "med": 15, "max": 20, "p(90)": 19, "p(95)": 19.5},
        "vus": {"value": 5, "min": 1, "max": 5},
    },
}
KINDS = {
    "checks": ("rate", "default"),
    "data_received": ("counter", "data"),
    "http_req_duration": ("trend", "time"),
    "http_req_failed": ("rate", "default"),
    "http_reqs": ("counter", "default"),
    "iteration_duration": ("trend", "time"),
    "iterations": ("counter", "default"),
    "queue": ("trend", "time"),
    "vus": ("gauge", "default"),
}


def handle_summary() -> dict[str, Any]:
    """The same run as `handleSummary(data)` is given it."""
    metrics = {}
    for name, values in FLAT["metrics"].items():
        kind, contains = KINDS[name.partition("{")[0]]
        own = {("rate" if key == "value" and kind == "rate" else key): value for key, value in values.items()}
        metrics[name] = {
            "type": kind,
            "contains": contains,
            "values": own,
            "thresholds": {"p(95)<500": {"ok": True}},
        }
    group = FLAT["root_group"]
    login = group["groups"]["login"]
    root = {
        "groups": [{**login, "groups": [], "checks": [*login["checks"].values()]}],
        "checks": [*group["checks"].values()],
    }
    return {
        "root_group": root,
        "options": {"summaryTimeUnit": ""},
        "state": {"testRunDurationMs": 1000},
        "metrics": metrics,
    }


def machine_readable() -> dict[str, Any]:
    """The same run in the machine-readable summary, schema 1.0."""
    listed = []
    for name, metric in handle_summary()["metrics"].items():
        values = metric["values"]
        if metric["type"] == "rate":
            total = values["passes"] + values["fails"]
            values = {"rate": values["rate"], "matches": values["passes"], "total": total}
        elif metric["type"] == "counter":
            values = {"count": values["count"]}
        listed.append(
            {"name": name, "type": metric["type"], "contains": metric["contains"], "values": values}
        )
    checks = [{"name": "status is 200", "passes": 90, "fails": 10}, {"name": "ok", "passes": 45, "fails": 5}]
    return {"version": "1.0.0", "results": {"metrics": listed, "checks": {"metrics": [], "results": checks}}}


def read(tmp_path: Path, document: Any) -> Readings:
    file = tmp_path / "summary.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return k6.read(file)


def one(readings: Readings, selector: str) -> Series:
    (series,) = readings.select(selector)
    return series


SHAPES = pytest.mark.parametrize(
    "document", [FLAT, handle_summary(), machine_readable()], ids=["flat", "handle", "machine"]
)


@SHAPES
def test_times_become_seconds_and_trends_are_counted_by_their_counter(tmp_path: Path, document: Any) -> None:
    readings = read(tmp_path, document)
    duration = one(readings, "http_req_duration")
    assert (duration.unit, duration.n) == ("s", 100)
    assert duration.stats["p95"] == pytest.approx(0.1482)
    assert duration.stats["p50"] == pytest.approx(0.1409)
    assert duration.stats["mean"] == pytest.approx(0.14)
    assert one(readings, "iteration_duration").n == 50


@SHAPES
def test_a_threshold_on_tags_is_a_series_with_labels(tmp_path: Path, document: Any) -> None:
    part = one(read(tmp_path, document), 'http_req_duration{expected_response="true"}')
    assert part.n == 90
    assert part.stats["p95"] == pytest.approx(0.148)


@SHAPES
def test_the_passes_of_http_req_failed_are_failures(tmp_path: Path, document: Any) -> None:
    events = read(tmp_path, document).counted("http_req_failed")
    assert events is not None
    assert (events.total, events.failed, events.errors) == (100, 10, {"untyped": 10})


@SHAPES
def test_failed_checks_are_counted_by_name(tmp_path: Path, document: Any) -> None:
    events = read(tmp_path, document).counted("checks")
    assert events is not None
    assert (events.total, events.errors) == (150, {"status is 200": 10, "ok": 5})


@SHAPES
def test_counters_and_gauges_are_one_value(tmp_path: Path, document: Any) -> None:
    readings = read(tmp_path, document)
    received, users = one(readings, "data_received"), one(readings, "vus")
    assert (received.unit, received.stats["value"], received.n) == ("B", 4000, 1)
    assert (users.stats["value"], users.stats["max"]) == (5, 5)


def test_a_trend_of_ones_own_has_no_unit_in_the_flat_shape_and_no_count_in_any(tmp_path: Path) -> None:
    flat, full = read(tmp_path, FLAT), read(tmp_path, handle_summary())
    assert (one(flat, "queue").unit, one(flat, "queue").stats["p95"], one(flat, "queue").n) == (
        "",
        19.5,
        None,
    )
    assert one(full, "queue").unit == "s"
    assert one(full, "queue").stats["p95"] == pytest.approx(0.0195)


def test_a_count_in_the_trend_stats_is_used(tmp_path: Path) -> None:
    document = {"metrics": {"queue": {"avg": 1, "p(99.9)": 2, "count": 7}}}
    series = one(read(tmp_path, document), "queue")
    assert (series.n, series.stats["p99.9"]) == (7, 2)


def test_no_requests_are_no_samples(tmp_path: Path) -> None:
    metrics = {"http_reqs": {"count": 0, "rate": 0}, "http_req_failed": {"value": 0, "passes": 0, "fails": 0},
               "http_req_duration": {"avg": 0, "min": 0, "med": 0, "max": 0, "p(95)": 0}}  # fmt: skip
    readings = read(tmp_path, {"metrics": metrics})
    events = readings.counted("http_req_failed")
    assert one(readings, "http_req_duration").n == 0
    assert events is not None
    assert events.total == 0


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Readings(notes=("summary.json is empty",))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("[]", 'no "metrics"'),
        ('{"metrics": 3}', 'no "metrics"'),
        ('{"metrics": {"a": 3}}', "metric 'a' is no object"),
        ('{"metrics": {"a": {"avg": "fast"}}}', "avg of metric a is a number, got 'fast'"),
        ('{"metrics": {"a": {"type": "trend", "values": 3}}}', '"values" of metric a'),
        ('{"metrics": {"a": {"avg": NaN}}}', "summary.json:1"),
        ('{\n"metrics":\n', "summary.json:"),
        ('{"type":"Metric"}\n{"type":"Point"}\n', "summary.json:2"),
        ("[" * 100_000, "summary.json"),
    ],
)
def test_what_is_no_summary_is_refused_with_its_place(tmp_path: Path, document: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, document)
    assert message in str(error.value)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.json"):
        k6.read(tmp_path / "nothing.json")
