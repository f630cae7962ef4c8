"""CSV with a header: either rows of `name,value,unit`, or a column for each quantity.

With the columns `name` and `value` each row is a measurement; `unit` is optional and the other columns are
labels. Otherwise columns of numbers are series, named by the header without the unit that it ends in
(`duration_ms` is `duration`, in seconds), columns of text are labels, and `status`, `level`, `error_type`
and the like make each row an event `records`.
"""

from collections.abc import Iterable
from math import isfinite
from pathlib import Path

from gatekeeper import DataError, Readings, SampleSource
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

EVENT_COLUMNS = {*STATUS_KEYS, *LEVEL_KEYS, *TYPE_KEYS}
MISSING = {"", "na", "n/a", "nan", "null", "none", "-"}


def gatekeeper_sources() -> Iterable[SampleSource]:
    return [
        SampleSource("csv", "CSV with a header: name,value,unit rows, or a column for each quantity", read)
    ]


def read(path: Path) -> Readings:
    """Read the file row by row."""
    collector = Collector(path, MAX_LABEL_VALUES)
    columns: _Columns | None = None
    for row in records(path, "csv", collector):
        if columns is None:
            columns = _Columns([*row], collector)
        if columns.narrow:
            _measurement(row, collector)
        else:
            columns.row([*row.values()])
    if columns is not None:
        columns.note_gaps()
    return collector.readings()


def _measurement(row: dict[str, str], collector: Collector) -> None:
    name, text, unit = row.pop("name"), row.pop("value"), row.pop("unit", "")
    value = _number(text)
    if not name or value is None:
        collector.wrong(f"expected a name and a number, got {name!r} and {text!r}")
    if not unit:
        name, unit = split_unit(name)
    collector.add(name, value, unit, {key: cell for key, cell in row.items() if cell})


class _Columns:
    """The columns of a wide file: what each holds shows in its first cell that holds anything."""

    def __init__(self, header: list[str], collector: Collector) -> None:
        if all(_number(name) is not None for name in header):
            raise DataError(collector.path, f"the first row is a header with names, got {', '.join(header)}")
        self.header, self.collector = header, collector
        self.narrow = {"name", "value"} <= set(header)
        self.says = [index for index, name in enumerate(header) if name in EVENT_COLUMNS]
        self.kinds = ["event" if name in EVENT_COLUMNS else "" for name in header]
        self.named = [split_unit(name) for name in header]
        self.missing = dict.fromkeys(header, 0)

    def note_gaps(self) -> None:
        gaps = [f"{name} {count}" for name, count in self.missing.items() if count]
        if gaps:
            self.collector.note(f"cells without a number: {', '.join(gaps)}")

    def row(self, row: list[str]) -> None:
        numbers: list[tuple[str, float, str]] = []
        labels: dict[str, str] = {}
        for index, cell in enumerate(row):
            kind = self.kinds[index] or self._kind(index, cell)
            if kind == "number":
                if (value := self._value(index, cell)) is not None:
                    name, unit = self.named[index]
                    numbers.append((name, value, unit))
            elif kind == "text" and cell and len(cell) <= 200:
                labels[self.header[index]] = cell
        if self.says:
            record = {self.header[index]: row[index] for index in self.says if row[index]}
            if (error := error_type(record)) is not None:
                self.collector.event("records", error)
        self.collector.add_row(numbers, labels)

    def _kind(self, index: int, cell: str) -> str:
        if cell.strip().lower() in MISSING and not self.named[index][1]:
            return ""
        self.kinds[index] = "number" if self.named[index][1] or _number(cell) is not None else "text"
        return self.kinds[index]

    def _value(self, index: int, cell: str) -> float | None:
        value = _number(cell)
        if value is None and cell.strip().lower() in MISSING:
            self.missing[self.header[index]] += 1
        elif value is None:
            self._not_a_number(index, cell)
        return value

    def _not_a_number(self, index: int, cell: str) -> None:
        """A column whose name promises a unit holds numbers; any other that turns out not to is text."""
        name, unit = self.named[index]
        if unit:
            self.collector.wrong(f"{self.header[index]} is a number, got {cell!r}")
        self.kinds[index] = "text"
        self.collector.drop(name)
        self.collector.note(f"{name} is no series: {cell!r} in line {self.collector.line} is not a number")


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if isfinite(value) and "_" not in cell else None
