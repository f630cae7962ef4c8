"""k6's end-of-test summary as JSON, in its three shapes.

`--summary-export FILE`; the data that a script's `handleSummary` writes; and k6's newer machine-readable
summary. Times are milliseconds there and seconds here. `http_req_failed` and `checks` are events too.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from gatekeeper import DataError, Events, Readings, SampleSource, Series
from gatekeeper.collect import read_json
from gatekeeper.samples import UNTYPED

STATS = {"avg": "mean", "med": "p50", "min": "min", "max": "max"}
TIMES = {
    "iteration_duration",
    "group_duration",
    "ws_connecting",
    "ws_session_duration",
    "ws_ping",
    "grpc_req_duration",
}
"""Trends of times that the flat shape doesn't mark as such, besides `http_req_…`."""
COUNTED_BY = {
    "iteration_duration": "iterations",
    "ws_session_duration": "ws_sessions",
    "ws_connecting": "ws_sessions",
}
"""Which counter counts a trend's samples: k6 leaves the number itself out unless `summaryTrendStats` has
"count"."""


class Metric(Struct, frozen=True):
    """One metric of any shape: `kind` is k6's trend, rate, counter or gauge; `contains` default, time or
    data.
    """

    name: str
    labels: dict[str, str]
    kind: str
    contains: str
    values: dict[str, float]


def gatekeeper_sources() -> Iterable[SampleSource]:
    return [SampleSource("k6", "k6's end-of-test summary: --summary-export or handleSummary", read)]


def read(path: Path) -> Readings:
    """Read a summary."""
    document = read_json(path)
    if document is None:
        return Readings(notes=(f"{path.name} is empty",))
    metrics = list(_metrics(document, path))
    failed, checks = _failed(metrics, path), _checks(document, metrics, path)
    series = tuple(found for metric in metrics if (found := _series(metric, metrics, path)))
    return Readings(series, tuple(events for events in (failed, checks) if events))


def _metrics(document: Any, path: Path) -> Iterator[Metric]:
    results = document.get("results", document) if isinstance(document, dict) else {}
    metrics = results.get("metrics") if isinstance(results, dict) else None
    if isinstance(metrics, list):
        listed = [(metric.get("name"), metric) for metric in metrics if isinstance(metric, dict)]
    elif isinstance(metrics, dict):
        listed = list(metrics.items())
    else:
        raise DataError(
            path, 'is not k6\'s end-of-test summary (--summary-export, handleSummary): it has no "metrics"'
        )
    for name, metric in listed:
        if not isinstance(name, str) or not isinstance(metric, dict):
            raise DataError(path, f"metric {name!r} is no object with a name")
        yield _metric(name, metric, path)


def _metric(name: str, metric: dict[str, Any], path: Path) -> Metric:
    given = metric.get("values", metric)
    if not isinstance(given, dict):
        raise DataError(path, f'"values" of metric {name} is no object')
    values = {key: float(value) for key, value in given.items() if _is_number(value)}
    wrong = [
        key
        for key, value in given.items()
        if key in (*STATS, "rate", "count", "value") and not _is_number(value)
    ]
    if wrong:
        raise DataError(path, f"{wrong[0]} of metric {name} is a number, got {given[wrong[0]]!r}")
    kind = metric.get("type") or _kind(values)
    base, labels = _labels(name)
    return Metric(base, labels, kind, metric.get("contains") or _contains(base, kind), values)


def _labels(name: str) -> tuple[str, dict[str, str]]:
    """`http_req_duration{status:200,method:GET}`, as k6 names the part of a metric that has a threshold."""
    base, brace, rest = name.partition("{")
    if not brace or not rest.endswith("}"):
        return name, {}
    pairs = (pair.partition(":") for pair in rest[:-1].split(",") if pair)
    return base, {key.strip(): value.strip() for key, _, value in pairs}


def _kind(values: Mapping[str, float]) -> str:
    if "avg" in values or any(key.startswith("p(") for key in values):
        return "trend"
    if "passes" in values or "matches" in values:
        return "rate"
    return "counter" if "count" in values else "gauge"


def _contains(name: str, kind: str) -> str:
    if kind == "trend" and (name in TIMES or name.startswith("http_req_")):
        return "time"
    return "data" if name in ("data_sent", "data_received") else "default"


def _series(metric: Metric, metrics: list[Metric], path: Path) -> Series | None:
    unit, factor = {"time": ("s", 1e-3), "data": ("B", 1.0)}.get(metric.contains, ("", 1.0))
    n: int | None = 1
    if metric.kind == "trend":
        stats = _trend(metric.values, factor)
        n = _samples(metric, metrics)
    elif metric.kind == "rate":
        unit, (hits, total) = "ratio", _rate(metric)
        stats, n = {"value": hits / total} if total else {}, total
    elif metric.kind == "counter":
        stats = {"value": metric.values.get("count", 0.0), **metric.values}
    else:
        stats = {key: value * factor for key, value in metric.values.items()}
    return Series(name=metric.name, unit=unit, stats=stats, n=n, labels=metric.labels, source=str(path))


def _trend(values: Mapping[str, float], factor: float) -> dict[str, float]:
    stats = {}
    for key, value in values.items():
        if key in STATS:
            stats[STATS[key]] = value * factor
        elif key.startswith("p(") and key.endswith(")"):
            stats[f"p{key[2:-1]}"] = value * factor
    return stats


def _samples(metric: Metric, metrics: list[Metric]) -> int | None:
    """How many samples a trend stands for; None where the summary doesn't tell."""
    if "count" in metric.values:
        return int(metric.values["count"])
    counter = COUNTED_BY.get(metric.name, "http_reqs" if metric.name.startswith("http_req_") else "")
    same = _find(metrics, counter, metric.labels)
    if same:
        return int(same.values.get("count", 0))
    failed = _find(metrics, "http_req_failed", {})
    if counter == "http_reqs" and metric.labels == {"expected_response": "true"} and failed:
        hits, total = _rate(failed)
        return total - hits
    return None


def _find(metrics: list[Metric], name: str, labels: Mapping[str, str]) -> Metric | None:
    return next((metric for metric in metrics if metric.name == name and metric.labels == labels), None)


def _rate(metric: Metric) -> tuple[int, int]:
    """How often a rate's condition was true, and of how many. k6's "passes" are those, whatever the
    condition says.
    """
    values = metric.values
    if "matches" in values:
        return int(values["matches"]), int(values.get("total", 0))
    hits = int(values.get("passes", 0))
    return hits, hits + int(values.get("fails", 0))


def _failed(metrics: list[Metric], path: Path) -> Events | None:
    """Requests, and those that failed: there `passes` counts the failures, since the condition is "it
    failed".
    """
    metric = _find(metrics, "http_req_failed", {})
    if metric is None:
        return None
    failed, total = _rate(metric)
    errors = {UNTYPED: failed} if failed else {}
    return Events(name="http_req_failed", total=total, errors=errors, source=str(path))


def _checks(document: dict[str, Any], metrics: list[Metric], path: Path) -> Events | None:
    """Checks, the failed ones by the check's name."""
    listed = list(_each_check(document))
    metric = _find(metrics, "checks", {})
    if not listed and metric is None:
        return None
    errors: dict[str, int] = {}
    for name, _, fails in listed:
        errors[name] = errors.get(name, 0) + fails
    total = sum(passes + fails for _, passes, fails in listed)
    if metric is not None and not listed:
        hits, total = _rate(metric)
        errors = {UNTYPED: total - hits}
    errors = {name: count for name, count in errors.items() if count}
    return Events(name="checks", total=total, errors=errors, source=str(path))


def _each_check(document: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    results = document.get("results")
    if isinstance(results, dict):
        checks = results.get("checks")
        yield from _counts(checks.get("results") if isinstance(checks, dict) else None)
    groups = [document.get("root_group")]
    while groups:
        group = groups.pop()
        if isinstance(group, dict):
            yield from _counts(group.get("checks"))
            groups.extend(_items(group.get("groups")))


def _counts(checks: Any) -> Iterator[tuple[str, int, int]]:
    for check in _items(checks):
        if isinstance(check, dict) and _is_number(check.get("passes")) and _is_number(check.get("fails")):
            yield str(check.get("name", "")), int(check["passes"]), int(check["fails"])


def _items(found: Any) -> list[Any]:
    """k6 lists groups and checks in one shape, and keys them by name in the other."""
    return list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
