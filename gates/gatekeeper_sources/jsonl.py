"""JSON Lines: one object per line, either a measurement or a record of something that happened.

A measurement has `name` and `value`, and may have `unit` and `labels`: `{"name": "duration", "value": 1.2,
"unit": "s"}`. Any other object is a record: its numbers are values of series named by their keys, its short
texts labels, and what it says about success an event `records`: `{"duration_s": 1.2, "endpoint": "/x",
"status": 200}`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gatekeeper import Readings, SampleSource
from gatekeeper.collect import (
    LEVEL_KEYS,
    MAX_LABEL_VALUES,
    STATUS_KEYS,
    TYPE_KEYS,
    Collector,
    error_type,
    records,
    split_unit,
)

NOT_MEASURED = {*STATUS_KEYS, *LEVEL_KEYS, *TYPE_KEYS, "message", "msg", "time", "timestamp", "ts"}


def gatekeeper_sources() -> Iterable[SampleSource]:
    return [SampleSource("jsonl", "JSON Lines: measurements or records, one object per line", read)]


def read(path: Path) -> Readings:
    """Read the file line by line; the whole of it is never in memory, only its values are."""
    collector = Collector(path, MAX_LABEL_VALUES)
    for item in records(path, "jsonl", collector):
        if "name" in item and "value" in item:
            _measurement(item, collector)
        else:
            _record(item, collector)
    return collector.readings()


def _measurement(item: dict[str, Any], collector: Collector) -> None:
    name, value, unit, labels = item["name"], item["value"], item.get("unit", ""), item.get("labels", {})
    if not isinstance(name, str) or not name:
        collector.wrong(f'"name" is a text, got {name!r}')
    if isinstance(value, bool) or not isinstance(value, int | float):
        collector.wrong(f'"value" of {name} is a number, got {value!r}')
    if not isinstance(unit, str):
        collector.wrong(f'"unit" of {name} is a text such as "s" or "MB", got {unit!r}')
    if not isinstance(labels, dict):
        collector.wrong(f'"labels" of {name} is an object, got {labels!r}')
    if not unit:
        name, unit = split_unit(name)
    collector.add(name, value, unit, {key: str(text) for key, text in labels.items()})


def _record(item: dict[str, Any], collector: Collector) -> None:
    if (error := error_type(item)) is not None:
        collector.event("records", error)
    measured = {key: value for key, value in item.items() if key not in NOT_MEASURED}
    labels = {key: value for key, value in measured.items() if isinstance(value, str) and len(value) <= 200}
    numbers = [(key, value) for key, value in measured.items() if type(value) in (int, float)]
    collector.add_row([(split_unit(key)[0], value, split_unit(key)[1]) for key, value in numbers], labels)
