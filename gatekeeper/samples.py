"""Measurements that a flow or a load test left, as gates see them.

A *source* (k6, JUnit, OpenMetrics, …) is a plugin that reads one format into `Readings`; see the hook
`gatekeeper_sources`, and `gatekeeper.collect` for what sources share. Times are seconds and sizes bytes,
whatever the file has: sources convert.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec import Struct, field

UNTYPED = "untyped"
"""The type of errors in `Events.errors` whose type the source doesn't know."""


class Series(Struct, frozen=True, kw_only=True):
    """Measured values of one quantity, told in the most exact of three ways that the source has.

    `values` has each one. `buckets` are the cumulative counts of a histogram, `(upper bound, count)` with
    `+Inf` as the last bound. `stats` has what the source computed: `value` (the one value of a counter or
    gauge), `mean`, `min`, `max`, `sum`, `count`, `rate` (per second), `stdev`, `p50` … `p99.9`. `n` is how
    many observations they stand for; None where the source doesn't say. `source` is the file, for evidence.
    Where `n` is more than there are `values`, those are a random choice, and `stats` beside them are of all.
    """

    name: str
    unit: str = ""
    values: tuple[float, ...] = ()
    buckets: tuple[tuple[float, float], ...] = ()
    stats: dict[str, float] = field(default_factory=dict)
    n: int | None = None
    labels: dict[str, str] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        if self.n is None and (self.values or self.buckets):
            n = len(self.values) if self.values else int(self.buckets[-1][1])
            msgspec.structs.force_setattr(self, "n", n)

    def __str__(self) -> str:
        return str(Selector(self.name, self.labels))

    @property
    def is_whole(self) -> bool:
        """Whether `values` are all that was observed."""
        return self.n == len(self.values)

    def statistic(self, name: str) -> float | None:
        """`p50` … `p99.9`, `mean`, `min`, `max`, `sum`, `count`, `rate`, `stdev` or `value`; None where it
        can't be told.

        Computed from the values or the buckets where there are all, else as the source has it.
        """
        from gatekeeper import stats

        if name == "count" and "count" not in self.stats:
            return self.n
        if self.values and (self.is_whole or name not in self.stats):
            return self._of_values(name)
        if self.buckets and self.n and name.startswith("p"):
            return stats.histogram_percentile(self.buckets, float(name[1:]))
        return self.stats.get(name)

    def _of_values(self, name: str) -> float | None:
        from gatekeeper import stats

        if name.startswith("p"):
            return stats.percentile(self.values, float(name[1:]))
        if name == "value":
            return self.values[0] if len(self.values) == 1 else None
        if name == "stdev" and len(self.values) < 2:
            return None
        compute: dict[str, Callable[[tuple[float, ...]], float]] = {
            "mean": stats.mean, "stdev": stats.stdev, "max": max, "min": min, "sum": sum,
        }  # fmt: skip
        return compute[name](self.values) if name in compute else self.stats.get(name)


class Events(Struct, frozen=True, kw_only=True):
    """Counted events (requests, tests, log records): how many in all, and how many errors of each type.

    Every event has at most one type of error, so `failed` never exceeds `total`. `unread` counts what may
    have been events but could not be read, such as lines of a log that are no JSON. `whole` are those of a
    flow that counted its own: not a sample that a rate is inferred from, so few are enough to tell.
    """

    name: str
    total: int
    errors: dict[str, int] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    unread: int = 0
    whole: bool = False
    source: str = ""

    @property
    def failed(self) -> int:
        return sum(self.errors.values())


class Readings(Struct, frozen=True):
    """All that one file says, or several. `notes` say what in them was left out, and why."""

    series: tuple[Series, ...] = ()
    events: tuple[Events, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: "Readings") -> "Readings":
        return Readings(self.series + other.series, self.events + other.events, self.notes + other.notes)

    def over(self, other: "Readings") -> "Readings":
        """These, and of `other` what these don't tell: a name that both have means these, and a note says so."""
        names = {series.name for series in self.series} | {events.name for events in self.events}
        hidden = names & ({series.name for series in other.series} | {events.name for events in other.events})
        notes = tuple(
            f"{name}: the flow's own measurement is used, not gatekeeper's" for name in sorted(hidden)
        )
        rest = Readings(
            tuple(item for item in other.series if item.name not in hidden),
            tuple(item for item in other.events if item.name not in hidden),
            other.notes + notes,
        )
        return self + rest

    def select(self, selector: "str | Selector") -> tuple[Series, ...]:
        """The series that `name` or `name{label="value"}` means.

        All that have these labels among others, whose values are then one whole. Where a source has no
        values but computed statistics, the one with exactly these labels, if there is one: k6 has
        `http_req_duration`, which is the total, beside its part
        `http_req_duration{expected_response="true"}`.

        Raises:
            ValueError: a text that is no selector.
        """
        wanted = Selector.parse(selector) if isinstance(selector, str) else selector
        found = [series for series in self.series if wanted.matches(series)]
        if all(series.values for series in found):
            return tuple(found)
        return tuple([series for series in found if series.labels == wanted.labels] or found)

    def counted(self, name: str) -> Events | None:
        """All events of this name as one, their counts added; None where there are none."""
        found = [events for events in self.events if events.name == name]
        if len(found) <= 1:
            return found[0] if found else None
        errors: dict[str, int] = {}
        for events in found:
            for kind, count in events.errors.items():
                errors[kind] = errors.get(kind, 0) + count
        return Events(
            name=name,
            total=sum(events.total for events in found),
            errors=errors,
            unread=sum(events.unread for events in found),
            whole=all(events.whole for events in found),
            source=", ".join(dict.fromkeys(events.source for events in found if events.source)),
        )


class Selector(Struct, frozen=True):
    """Which series: a name and, if any, labels that it has. Written `duration{endpoint="/x",
    method="GET"}`.
    """

    name: str
    labels: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Selector":
        name, brace, _ = text.strip().partition("{")
        if not name:
            raise ValueError(f"expected the name of a series, got {text!r}")
        if not brace:
            return cls(name)
        labels, _, end = read_labels(text.strip(), len(name) + 1)
        if end != len(text.strip()):
            raise ValueError(f"expected the end after the labels, got {text.strip()[end:]!r} in {text!r}")
        return cls(name, labels)

    def matches(self, series: Series) -> bool:
        return series.name == self.name and self.labels.items() <= series.labels.items()

    def __str__(self) -> str:
        if not self.labels:
            return self.name
        return f"{self.name}{{{', '.join(f'{key}={_quoted(value)}' for key, value in self.labels.items())}}}"


_END = re.compile(r"\s*\}")
_LABEL = re.compile(
    r"""\s*(?:([A-Za-z_][\w.:-]*)|"((?:[^"\\]|\\.)*)")   # a name, or one in quotes
        (?:\s*=\s*"((?:[^"\\]|\\.)*)")?                  # its value
        \s*(?:,|(?=\}))""",
    re.VERBOSE,
)


def read_labels(text: str, start: int) -> tuple[dict[str, str], str | None, int]:
    """The labels in `text` from `start`, just after `{`: `(labels, quoted metric name, where they end)`.

    As in Prometheus' text format: `a="x", "b.c"="y"}`. A name without a value is the metric's own, in its
    UTF-8 syntax.

    Raises:
        ValueError: what stands there are no labels.
    """
    labels: dict[str, str] = {}
    name = None
    while (end := _END.match(text, start)) is None:
        found = _LABEL.match(text, start)
        if found is None or (found[3] is None and (found[2] is None or labels or name)):
            raise ValueError(
                f'expected labels such as {{endpoint="/x", method="GET"}}, got {text[start:][:60]!r}'
            )
        key = found[1] or _unquoted(found[2])
        if found[3] is None:
            name = key
        elif key in labels:
            raise ValueError(f"the label {key} is there twice")
        else:
            labels[key] = _unquoted(found[3])
        start = found.end()
    return labels, name, end.end()


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _unquoted(value: str) -> str:
    return (
        re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], value)
        if "\\" in value
        else value
    )


def pooled(series: Iterable[Series]) -> Series | None:
    """Several series as one: their values together, or their buckets added where the bounds are the same.

    None where that can't be done without inventing numbers: percentiles of parts don't make one of the whole.
    """
    parts = tuple(series)
    if len(parts) <= 1:
        return parts[0] if parts else None
    if len({part.unit for part in parts}) > 1:
        return None
    labels = dict(set.intersection(*(set(part.labels.items()) for part in parts)))
    sources = ", ".join(dict.fromkeys(part.source for part in parts if part.source))
    name, unit = parts[0].name, parts[0].unit
    if all(part.values for part in parts):
        if not all(part.is_whole for part in parts):
            return None
        values = tuple(value for part in parts for value in part.values)
        return Series(name=name, unit=unit, values=values, labels=labels, source=sources)
    bounds = [bound for bound, _ in parts[0].buckets]
    if bounds and all([bound for bound, _ in part.buckets] == bounds for part in parts):
        counts = (sum(part.buckets[index][1] for part in parts) for index in range(len(bounds)))
        sums = [part.stats["sum"] for part in parts if "sum" in part.stats]
        buckets = tuple(zip(bounds, counts, strict=True))
        complete = len(sums) == len(parts) and buckets[-1][1] > 0
        stats = {"sum": sum(sums), "mean": sum(sums) / buckets[-1][1]} if complete else {}
        return Series(name=name, unit=unit, buckets=buckets, stats=stats, labels=labels, source=sources)
    return None


class SampleSource(Struct, frozen=True):
    """One readable format: `--samples NAME:FILE`.

    `read(path)` raises `gatekeeper.DataError`, with file and line, for a file that isn't of the format. An
    empty file is no error: it says nothing, so gates that want its samples are unknown.
    """

    name: str
    summary: str
    read: Callable[[Path], Readings]
