"""The JSON of pytest-benchmark: a series for each benchmark, in seconds.

`--benchmark-json=FILE` writes every round; `--benchmark-save` without `--benchmark-save-data` only the
statistics that pytest-benchmark computed.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gatekeeper import DataError, Readings, SampleSource, Series
from gatekeeper.collect import read_json

STATS = {
    "mean": "mean",
    "min": "min",
    "max": "max",
    "median": "p50",
    "stddev": "stdev",
    "total": "sum",
    "ops": "rate",
}


def gatekeeper_sources() -> Iterable[SampleSource]:
    return [SampleSource("pytest-benchmark", "pytest-benchmark's JSON: a series for each benchmark", read)]


def read(path: Path) -> Readings:
    """Read the file. Series are named like the benchmark (`test_sort[100]`), with the labels `file` and
    `group`.
    """
    document = read_json(path)
    if document is None:
        return Readings(notes=(f"{path.name} is empty",))
    benchmarks = document.get("benchmarks") if isinstance(document, dict) else None
    if not isinstance(benchmarks, list):
        raise DataError(path, 'is not pytest-benchmark\'s JSON: no list "benchmarks"')
    return Readings(
        tuple(_series(item, f"benchmarks[{index}]", path) for index, item in enumerate(benchmarks))
    )


def _series(item: Any, place: str, path: Path) -> Series:
    stats = item.get("stats") if isinstance(item, Mapping) else None
    if not isinstance(stats, Mapping) or not isinstance(item.get("name"), str):
        raise DataError(path, f'{place} has no "name" and "stats"')
    file, _, _ = str(item.get("fullname", "")).partition("::")
    labels = {"file": file, "group": item.get("group")}
    values = stats.get("data") or ()
    if not isinstance(values, list | tuple) or not all(map(_is_number, values)):
        raise DataError(path, f'"data" of {place} ({item["name"]}) is not a list of numbers')
    rounds = stats.get("rounds")
    return Series(
        name=item["name"],
        unit="s",
        values=tuple(map(float, values)),
        stats={ours: float(stats[theirs]) for theirs, ours in STATS.items() if _is_number(stats.get(theirs))},
        n=len(values) if values else rounds if isinstance(rounds, int) else None,
        labels={key: str(value) for key, value in labels.items() if value},
        source=str(path),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
