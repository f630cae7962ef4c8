"""For people who write sources of measurements: read files line by line, gather values in base units, count
errors.

A source is a function from a path to `gatekeeper.samples.Readings`. `Collector` does what all of them need:
it groups values into series, converts units, counts events by type of error, and says where in a file
something was wrong.
"""

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

from gatekeeper.errors import DataError
from gatekeeper.quantities import SIZE_UNITS, TIME_UNITS
from gatekeeper.samples import UNTYPED, Events, Readings, Series

MAX_LABEL_VALUES = 100
MAX_ERROR_TYPES = 100

LONG_UNITS = {
    "nanoseconds": "ns", "microseconds": "us", "milliseconds": "ms",
    "minutes": "min", "hours": "h", "days": "d", "seconds": "s", "second": "s", "secs": "s", "sec": "s",
    "bytes": "B", "byte": "B", "b": "B",
    "kb": "kB", "mb": "MB", "gb": "GB", "tb": "TB", "kib": "KiB", "mib": "MiB", "gib": "GiB", "tib": "TiB",
    "kilobytes": "kB", "megabytes": "MB", "gigabytes": "GB",
    "kibibytes": "KiB", "mebibytes": "MiB", "gibibytes": "GiB", "percent": "%", "pct": "%",
}  # fmt: skip
SUFFIXES = {"ns", "us", "ms", "s", "ratio", "kB", "MB", "GB", "KiB", "MiB", "GiB", *LONG_UNITS} - {"b"}


@lru_cache(256)
def base_unit(unit: str) -> tuple[str, float]:
    """The base unit of a unit, and the factor to it: `("s", 0.001)` for `ms`, `("ratio", 0.01)` for `%`.

    A word that is no unit of time, size or share stays as it is: `("requests", 1.0)`.
    """
    short = LONG_UNITS.get(unit.lower(), unit)
    if short in TIME_UNITS:
        return "s", TIME_UNITS[short]
    if short in SIZE_UNITS:
        return "B", float(SIZE_UNITS[short])
    return ("ratio", 0.01) if short == "%" else (short, 1.0)


@lru_cache(256)
def split_unit(name: str) -> tuple[str, str]:
    """A name and the unit that it ends in: `("duration", "ms")` for `duration_ms`; no unit where it ends in
    none.

    A rate is left whole, in its own unit: `("requests_per_s", "1/s")`.
    """
    head, _, suffix = name.rpartition("_")
    if not head or (suffix not in SUFFIXES and suffix.lower() not in LONG_UNITS):
        return name, ""
    if head.endswith("_per"):
        return name, "1/s" if LONG_UNITS.get(suffix, suffix) == "s" else ""
    return head, suffix


class Collector:
    """Gathers what one file says.

    `line` is the 1-based line being read, for messages. With `max_label_values`, a label with more distinct
    values (a request id, say) is left out, and a note says so: it identifies, it doesn't group.
    """

    def __init__(self, path: Path, max_label_values: int | None = None) -> None:
        self.path = path
        self.line = 0
        self._limit = max_label_values
        self._values: dict[tuple[str, tuple[tuple[str, str], ...]], array[float]] = {}
        self._units: dict[str, tuple[str, int]] = {}
        self._seen: dict[str, set[str]] = {}
        self._forgotten: set[str] = set()
        self._events: dict[str, dict[str, int]] = {}
        self._unread: dict[str, int] = {}
        self._series: list[Series] = []
        self._notes: list[str] = []

    def wrong(self, message: str) -> NoReturn:
        """Raise a `DataError` at the current line."""
        raise DataError(f"{self.path}:{self.line}" if self.line else self.path, message)

    def note(self, text: str) -> None:
        """Keep a sentence about something that was left out."""
        self._notes.append(f"{self.path.name}: {text}")

    def add(self, name: str, value: float, unit: str = "", labels: Mapping[str, str] | None = None) -> None:
        """One value, in any unit; it is kept in the base unit of its kind.

        Raises:
            DataError: the value is not finite, or the series has values in another unit.
        """
        self.add_row([(name, value, unit)], labels)

    def add_row(self, row: Iterable[tuple[str, float, str]], labels: Mapping[str, str] | None = None) -> None:
        """Several values with the same labels: `(name, value, unit)`. Raises DataError as `add` does."""
        kept = self._kept(labels) if labels else ()
        for name, value, unit in row:
            base, factor = base_unit(unit)
            if not isfinite(value):
                self.wrong(f"{name} is {value}: not a finite number")
            known = self._units.get(name)
            if known is None:
                self._units[name] = base, self.line
            elif known[0] != base:
                self.wrong(
                    f"{name} is in {base or 'no unit'} here, but in {known[0] or 'no unit'} in line {known[1]}"
                )
            values = self._values.get((name, kept))
            if values is None:
                values = self._values[name, kept] = array("d")
            values.append(value * factor if factor != 1 else value)

    def add_series(self, series: Series) -> None:
        """A series that is complete already, in base units."""
        self._series.append(series)

    def drop(self, name: str) -> None:
        """Forget all values of a name."""
        for key in [key for key in self._values if key[0] == name]:
            del self._values[key]
        self._units.pop(name, None)

    def event(self, name: str, error: str = "", count: int = 1) -> None:
        """An event, with the type of its error or the empty string."""
        counts = self._events.setdefault(name, {})
        if error not in counts and len(counts) > MAX_ERROR_TYPES:
            error = "other"
        counts[error] = counts.get(error, 0) + count

    def unread(self, name: str) -> None:
        """Something that may have been an event and can't be read."""
        self._unread[name] = self._unread.get(name, 0) + 1

    def unread_of(self, name: str) -> int:
        """How many were reported as unread."""
        return self._unread.get(name, 0)

    def readings(self) -> Readings:
        """What was gathered."""
        source = str(self.path)
        series = [
            Series(
                name=name, unit=self._units[name][0], values=tuple(values), labels=dict(labels), source=source
            )
            for (name, labels), values in self._values.items()
        ]
        events = []
        for name in dict.fromkeys([*self._events, *self._unread]):
            counts = self._events.get(name, {})
            errors = {kind: count for kind, count in counts.items() if kind and count}
            unread = self._unread.get(name, 0)
            events.append(
                Events(name=name, total=sum(counts.values()), errors=errors, unread=unread, source=source)
            )
        return Readings((*self._series, *series), tuple(events), tuple(self._notes))

    def _kept(self, labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        pairs = sorted(labels.items())
        if self._limit is None:
            return tuple(pairs)
        kept = []
        for pair in pairs:
            key, value = pair
            if key in self._forgotten:
                continue
            seen = self._seen.setdefault(key, set())
            seen.add(value)
            if len(seen) <= self._limit:
                kept.append(pair)
            else:
                self._forget_label(key)
        return tuple(kept)

    def _forget_label(self, label: str) -> None:
        self._forgotten.add(label)
        self.note(f"{label!r} has more than {self._limit} different values and is not used as a label")
        merged: dict[tuple[str, tuple[tuple[str, str], ...]], array[float]] = {}
        for (name, labels), values in self._values.items():
            rest = tuple(pair for pair in labels if pair[0] != label)
            merged.setdefault((name, rest), array("d")).extend(values)
        self._values = merged


def is_empty(path: Path) -> bool:
    """Whether a file holds nothing at all, which is no error: it says nothing.

    Raises:
        DataError: there is no such file.
    """
    try:
        return path.stat().st_size == 0
    except OSError as error:
        raise DataError(path, f"can't be read: {error.strerror or error}") from None


def lines(path: Path, collector: Collector) -> Iterator[bytes]:
    """The lines of a file that hold anything, without their ends, `collector.line` counting along.

    Raises:
        DataError: the file can't be read, or a line is too long.
    """
    from gatekeeper.data import MAX_LINE

    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE + 1):
                collector.line += 1
                if len(line) > MAX_LINE:
                    collector.wrong(f"the line is longer than {MAX_LINE} bytes")
                if line := line.strip():
                    yield line
    except OSError as error:
        raise DataError(path, f"can't be read: {error.strerror or error}") from None


def records(
    path: Path, format: str, collector: Collector, refuse: Callable[[DataError], object] | None = None
) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file (`"jsonl"`) or the rows of a CSV file (`"csv"`), `collector.line`
    counting along.

    Read as a stream, as strictly as `gatekeeper.data` does. `refuse` is given the error of each line that
    is none, which is then passed over; without it the first is raised. An empty file has none.

    Raises:
        DataError: with file and line.
    """
    from gatekeeper.data import batches

    if is_empty(path):
        return
    for batch in batches(path, format=format, refuse=refuse):
        for index, record in enumerate(batch.records):
            collector.line = batch.first + index if batch.lines is None else batch.lines[index]
            if isinstance(record, dict):
                yield record
            elif refuse is None:
                collector.wrong(f"expected an object, got {type(record).__name__}")
            else:
                refuse(DataError(f"{path}:{collector.line}", "is no object"))


def read_json(path: Path) -> Any:
    """The JSON document in a file; None for an empty file.

    Raises:
        DataError: with file and line.
    """
    from gatekeeper.data import load

    return None if is_empty(path) else load(path, format="json")


# -- what a record says about success ------------------------------------------------------------------

BAD_LEVELS = {
    "error": "error", "err": "error", "severe": "error", "critical": "critical", "crit": "critical",
    "fatal": "fatal", "alert": "alert", "emergency": "emergency", "emerg": "emergency", "panic": "panic",
}  # fmt: skip
BAD_STATUSES = {"error", "failed", "failure", "fail", "crashed", "aborted", "timeout", "timed_out"}
STATUS_KEYS = (
    "status", "status_code", "statusCode", "http_status",
    "http.status_code", "http.response.status_code", "response.status",
)  # fmt: skip
LEVEL_KEYS = ("level", "severity", "levelname", "log.level", "severityText", "severity_text", "lvl")
TYPE_KEYS = ("error_type", "error.type", "error.kind", "error.code", "exception.type", "exc_type", "error")

_TIMEOUT = re.compile(r"timed?[ _-]?out", re.IGNORECASE)


def error_type(record: Mapping[str, Any]) -> str | None:
    """What one record says: None where nothing tells, the empty string for no error, else the type of the
    error.

    An HTTP status from 500 is `5xx`, from 400 `4xx`. A level of error or worse, a status such as
    `"failed"`, `ok` or `success` false is an error too; its type is what `error_type`, `error.type` and the
    like name, else the status' or level's own word. Any name with "timeout" in it is `timeout`. A level
    below error outweighs a named error: it was handled. Keys may be dotted or nested.
    """
    record = _flat(record)
    status, level = _status(record), _level(record)
    named = _named(record)
    ok = next((flag for key in ("ok", "success") if isinstance(flag := record.get(key), bool)), None)
    if status is None and level is None and named is None and ok is None:
        return None
    if not (status or level or ok is False or (level is None and named)):
        return ""
    words = [word for word in (named, status, level) if word]
    if any(_TIMEOUT.search(word) for word in words):
        return "timeout"
    if status in ("5xx", "4xx"):
        return status
    return (words[0] if words else UNTYPED)[:80]


def status_class(status: Any) -> str | None:
    """`5xx` or `4xx` for such an HTTP status (a number, its text, or `5xx`), empty for 100–399, else None."""
    found = re.fullmatch(r"([1-5])(?:\d\d|xx)(?: .*)?", str(status).lower())
    if found is None or isinstance(status, bool):
        return None
    return f"{found[1]}xx" if found[1] in "45" else ""


def _status(record: Mapping[str, Any]) -> str | None:
    for key in STATUS_KEYS:
        value = record.get(key)
        if value is not None and (known := status_class(value)) is not None:
            return known
        if isinstance(value, str) and value:
            word = value.lower().replace(" ", "_")
            return word if word in BAD_STATUSES else ""
    return None


def _level(record: Mapping[str, Any]) -> str | None:
    for key in LEVEL_KEYS:
        value = record.get(key)
        if isinstance(value, str) and value:
            return BAD_LEVELS.get(value.lower(), "")
        if isinstance(value, int) and not isinstance(value, bool) and key == "level":
            return (
                "fatal" if value >= 60 else "error" if value >= 50 else ""
            )  # as pino and bunyan number them
    return None


def _named(record: Mapping[str, Any]) -> str | None:
    for key in TYPE_KEYS:
        value = record.get(key)
        if isinstance(value, str | bool) and value:
            return value if isinstance(value, str) else UNTYPED
    return None


def _flat(record: Mapping[str, Any], levels: int = 3) -> Mapping[str, Any]:
    """The record with `{"log": {"level": …}}` as `log.level` too."""
    if levels == 0 or not any(isinstance(value, dict) for value in record.values()):
        return record
    inner = {
        f"{key}.{name}": found
        for key, value in record.items()
        if isinstance(value, dict)
        for name, found in _flat(value, levels - 1).items()
    }
    return inner | dict(record)
