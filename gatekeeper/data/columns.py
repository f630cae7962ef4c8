"""What is true of the columns of many records: counted while they stream by."""

from collections.abc import Sequence
from typing import Any

from gatekeeper.data.schema import number
from gatekeeper.data.streams import MISSING, Batch, json_type, value_at
from gatekeeper.plain import text

EXAMPLES = 10
MAX_KEYS = 5_000_000
"""Distinct keys held in memory (roughly 100 bytes each)."""


def key_text(value: Any) -> str | None:
    """A key as text, the same for `7` in JSON and `7` in CSV; None for null, nothing and an empty text."""
    if value is None or value is MISSING or value == "":
        return None
    if isinstance(value, str):
        return value
    import msgspec

    return msgspec.json.encode(value).decode()


class Columns:
    """Base of what looks at records: `see(batch)` is called with every batch once."""

    def see(self, batch: Batch) -> None:
        raise NotImplementedError


class Unique(Columns):
    """Whether no two records have the same values in `columns`. Records without any of them are `without`."""

    def __init__(self, columns: Sequence[str], limit: int = MAX_KEYS) -> None:
        self.columns, self.limit = tuple(columns), limit
        self.total = self.repeated = self.without = 0
        self.examples: list[dict[str, str]] = []
        self._known: dict[str, None] = {}
        self.overflow = False

    def see(self, batch: Batch) -> None:
        for index, record in enumerate(batch.records):
            self.total += 1
            parts = [key_text(value_at(record, column)) for column in self.columns]
            if all(part is None for part in parts):
                self.without += 1
                continue
            key = parts[0] if len(parts) == 1 else "\0".join("" if part is None else part for part in parts)
            self._count(key or "", parts, batch, index)

    def _count(self, key: str, parts: list[str | None], batch: Batch, index: int) -> None:
        if key in self._known:
            self.repeated += 1
            if len(self.examples) < EXAMPLES:
                shown = ", ".join(text(part if part is not None else "null", 100) for part in parts)
                self.examples.append({"place": batch.place(index), "value": shown})
        elif len(self._known) < self.limit:
            self._known[key] = None
        else:
            self.overflow = True


class Nulls(Columns):
    """How many records have no value in a column: null, missing, or (CSV) one of the texts `empty`."""

    def __init__(self, column: str, empty: Sequence[str] = ("",)) -> None:
        self.column, self.empty = column, frozenset(empty)
        self.total = self.nulls = 0
        self.seen = False
        self.examples: list[str] = []

    def see(self, batch: Batch) -> None:
        for index, record in enumerate(batch.records):
            self.total += 1
            value = value_at(record, self.column)
            self.seen = self.seen or value is not MISSING
            if value is None or value is MISSING or (batch.textual and value in self.empty):
                self.nulls += 1
                if len(self.examples) < EXAMPLES:
                    self.examples.append(batch.place(index))


class Range(Columns):
    """Whether each value of a column lies between two limits. Nulls are not looked at; what is no number is
    outside.
    """

    def __init__(
        self, column: str, low: float | None = None, high: float | None = None, empty: Sequence[str] = ("",)
    ) -> None:
        self.column, self.low, self.high = column, low, high
        self.empty = frozenset(empty)
        self.total = self.outside = 0
        self.smallest: float | None = None
        self.largest: float | None = None
        self.examples: list[dict[str, Any]] = []

    def see(self, batch: Batch) -> None:
        for index, record in enumerate(batch.records):
            value = value_at(record, self.column)
            if value is None or value is MISSING or (batch.textual and value in self.empty):
                continue
            self.total += 1
            value = number(value) if batch.textual else value
            if not self._within(value):
                self.outside += 1
                if len(self.examples) < EXAMPLES:
                    shown = value if isinstance(value, int | float) else text(value, 100)
                    self.examples.append(
                        {"place": batch.place(index), "value": shown, "type": json_type(value)}
                    )

    def _within(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        self.smallest = value if self.smallest is None else min(self.smallest, value)
        self.largest = value if self.largest is None else max(self.largest, value)
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class Keys(Columns):
    """The distinct values of a column."""

    def __init__(self, column: str, limit: int = MAX_KEYS) -> None:
        self.column, self.limit = column, limit
        self.known: set[str] = set()
        self.total = self.without = 0
        self.overflow = False

    def see(self, batch: Batch) -> None:
        for record in batch.records:
            self.total += 1
            key = key_text(value_at(record, self.column))
            if key is None:
                self.without += 1
            elif len(self.known) < self.limit or key in self.known:
                self.known.add(key)
            else:
                self.overflow = True
