"""What a flow says of itself while it runs: samples, steps, and what went well or wrong. Cheap enough to leave on."""

from array import array
from collections.abc import Callable
from contextvars import ContextVar
from math import fsum, inf, isfinite
from threading import Lock
from time import perf_counter
from typing import TypeAlias

from gatekeeper.plain import text
from gatekeeper.samples import Events, Readings, Series

KEPT = 100_000
"""Values of a series that are kept. Of more, a random choice of as many, beside the exact totals of all."""
WAITING = 10_000
"""Values beyond those that wait to be taken in together, so that the way of a single one stays short."""
MOST = 200
"""Series of a flow, kinds of events, types of errors of a kind."""
MOST_NOTES = 20
LONGEST = 200
STEPS, STEP = "steps", "step."
"""The events that steps are, and what the series of their durations begin with."""

Labels: TypeAlias = tuple[tuple[str, str], ...]

OVERFLOW = "overflow"
"""The label of what has no series of its own any more, as in OpenTelemetry (metrics SDK, cardinality limits)."""


class Sampled:
    """One series: every value, or of many a random choice (Vitter 1985, algorithm R) beside their exact totals.

    Threads may add at once: `array.append`, and taking a slice or deleting it, are each one step under the GIL.
    """

    def __init__(self, name: str, unit: str, labels: dict[str, str]) -> None:
        self.name, self.unit, self.labels = name, unit, labels
        self._values = array("d")
        self._lock = Lock()
        self._seen = 0
        """How many values the choice was made from; 0 while all are kept."""
        self._sum, self._least, self._most = 0.0, inf, -inf
        self._random: Callable[[], float] | None = None

    def add(self, value: float) -> None:
        values = self._values
        values.append(value)
        if len(values) >= KEPT + WAITING:
            self._thin()

    def _thin(self) -> None:
        """Take in what waits."""
        with self._lock:
            values = self._values
            if len(values) <= KEPT:  # another thread was first
                return
            if self._random is None:
                from random import Random

                self._random = Random(0).random  # the same flow, the same choice
                self._total(values[:KEPT])
                self._seen = KEPT
            waiting = values[KEPT:]
            del values[KEPT : KEPT + len(waiting)]  # not what came meanwhile
            self._total(waiting)
            for value in waiting:
                self._seen += 1
                place = int(self._random() * self._seen)
                if place < KEPT:
                    values[place] = value

    def _total(self, values: "array[float]") -> None:
        try:
            self._sum = fsum((self._sum, *values))
        except OverflowError:
            self._sum += sum(values)
        self._least, self._most = min(self._least, *values), max(self._most, *values)

    def series(self, source: str) -> Series:
        """What was recorded so far, in base units."""
        from gatekeeper.collect import base_unit

        unit, factor = base_unit(self.unit)
        if len(self._values) > KEPT:
            self._thin()
        values = tuple(value * factor for value in self._values[:KEPT])
        stats = self._stats(factor) if self._seen else {}
        n = self._seen or len(values)
        return Series(
            name=self.name, unit=unit, values=values, stats=stats, n=n, labels=self.labels, source=source
        )

    def _stats(self, factor: float) -> dict[str, float]:
        total = self._sum * factor
        told = {"min": self._least * factor, "max": self._most * factor}
        return told | ({"sum": total, "mean": total / self._seen} if isfinite(total) else {})

    @property
    def thinned(self) -> str:
        """What a reader must know of a series that is not whole; empty for one that is."""
        if not self._seen:
            return ""
        return f"{self.name}: percentiles are of {KEPT:,} values, chosen at random from {self._seen:,}"


class Counted:
    """Events of one kind: how many there were, and how many failed with each type of error."""

    def __init__(self) -> None:
        self.total = 0
        self.errors: dict[str, int] = {}

    def fail(self, kind: str, n: int) -> None:
        kind = kind if kind in self.errors or len(self.errors) < MOST else "other"
        self.total += n
        self.errors[kind] = self.errors.get(kind, 0) + n


class Step:
    """A part of a flow, timed and counted: `with run.step("draft"):`."""

    __slots__ = ("_began", "_name", "_recorder")

    def __init__(self, recorder: "Recorder", name: str) -> None:
        self._recorder, self._name = recorder, name

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._recorder._step_ended(self._name, perf_counter() - self._began, error)


class Recorder:
    """Takes in samples, steps and counted events, from any thread of the flow's process."""

    def __init__(self) -> None:
        self._known: dict[object, Sampled] = {}
        """Series by how they were asked for, so that they are found fast: by name, or by name and labels as given."""
        self._series: dict[tuple[str, Labels], Sampled] = {}
        self._units: dict[str, str] = {}
        self._events: dict[str, Counted] = {}
        self._notes: list[str] = []
        self._lock = Lock()

    def record(self, name: str, value: float, /, unit: str = "", **labels: str) -> None:
        """One sample: `run.record("tokens", 812)`, `run.record("latency", 12, unit="ms", model="small")`.

        A budget of `post.performance` selects it by name and labels: `"tokens.p95"`, `'latency{model="small"}.max'`.
        Times are kept in seconds, sizes in bytes, shares as ratios, whichever unit they come in.

        Raises:
            TypeError: the value is no number.
            ValueError: it is not finite, the unit is another than before, or the name can't be one.
        """
        try:
            finite = isfinite(value)
        except TypeError:
            raise TypeError(
                f"record({name!r}, …): a sample is a number, not {type(value).__name__}"
            ) from None
        if not finite:
            raise ValueError(f"record({name!r}, {value!r}): a sample is a finite number")
        series = self._known.get((name, *labels.items()) if labels else name)
        if series is None or (unit and unit != series.unit):
            series = self._of(_own(name), unit, labels)
        series.add(value)

    def step(self, name: str, /) -> Step:
        """Time a part of the flow and count it: a `with` block. Steps may lie in each other.

        Its durations are the series `step.<name>`; every step is one of the events `steps`, failed with the type of the
        exception that left it.
        """
        return Step(self, f"{STEP}{_name(name, 'a step')}")

    def ok(self, of: str = "operations", /, n: int = 1) -> None:
        """Count what went well: a call, a record, a page. With `error` it makes the rate that `post.errors` judges."""
        with self._lock:
            self._counted(of, n).total += n

    def error(
        self, kind: str | BaseException, message: str = "", *, of: str = "operations", n: int = 1
    ) -> None:
        """Count what went wrong, by type: `run.error("timeout", of="calls")`, or an exception that was caught.

        Each `error` is one more of the events that `of` names, as each `ok` is. The first messages become evidence.
        """
        if isinstance(kind, BaseException):
            kind, message = type(kind).__name__, message or text(kind)
        with self._lock:
            self._counted(of, n).fail(_name(kind, "a type of error"), n)
        self._note(f"{of}: {kind}: {message}" if message else "")

    def readings(self, source: str = "") -> Readings:
        """All that was recorded so far. `source` is what evidence names as their origin."""
        with self._lock:
            sampled, events = [*self._series.values()], {**self._events}
            notes = [*self._notes]
        series = tuple(one.series(source) for one in sampled)
        notes += [one.thinned for one in sampled]
        notes += [
            f"{of}: every one of {counted.total:,} failed: is what went well counted too, with ok({of!r})?"
            for of, counted in events.items()
            if of != STEPS and 0 < counted.total == sum(counted.errors.values())
        ]
        return Readings(
            series,
            tuple(
                Events(name=of, total=counted.total, errors={**counted.errors}, source=source, whole=True)
                for of, counted in events.items()
            ),
            tuple(note for note in notes if note),
        )

    # -- beneath ------------------------------------------------------------------------------------------------------

    def _of(self, name: str, unit: str, labels: dict[str, str]) -> Sampled:
        """The series of this name and these labels."""
        with self._lock:
            known = self._units.get(name)
            if known is not None and unit and unit != known:
                before = f"in {known}" if known else "without a unit"
                raise ValueError(f"record({name!r}, …, unit={unit!r}): it was recorded {before} before")
            if len(self._series) >= MOST:
                return self._overflowed(name, unit, labels)
            self._units.setdefault(name, unit)
            kept = tuple(sorted((key, text(value, 200)) for key, value in labels.items()))
            found = self._series.setdefault((name, kept), Sampled(name, self._units[name], dict(kept)))
            self._known[(name, *labels.items()) if labels else name] = found
            return found

    def _overflowed(self, name: str, unit: str, labels: dict[str, str]) -> Sampled:
        """Where samples go once there are enough series: their name's sum stays right, if it has any."""
        kept = tuple(sorted((key, text(value, 200)) for key, value in labels.items()))
        if (name, kept) in self._series:
            return self._series[name, kept]
        if name not in self._units:
            self._note(f"{name}: there are {MOST} series already; it was not kept")
            return Sampled(name, unit, {})
        self._note(f'{name}: there are {MOST} series already; further labels count as {OVERFLOW}="true"')
        rest = ((OVERFLOW, "true"),)
        return self._series.setdefault((name, rest), Sampled(name, self._units[name], dict(rest)))

    def _step_ended(self, name: str, took: float, error: BaseException | None) -> None:
        (self._known.get(name) or self._of(name, "s", {})).add(took)
        with self._lock:
            steps = self._events.get(STEPS) or self._events.setdefault(STEPS, Counted())
            if error is None:
                steps.total += 1
            else:
                steps.fail(type(error).__name__, 1)
        if error is not None:
            self._note(f"{name}: {type(error).__name__}: {text(error, 200)}")

    def _counted(self, of: str, n: int) -> Counted:
        if type(n) is not int or n < 0:
            raise ValueError(f"{n!r} {of}: expected a number of events, 0 or more")
        if of == STEPS:
            raise ValueError("steps are counted by step(…); give other events another name")
        return self._events.get(of) or self._new_kind(_name(of, "a kind of events"))

    def _new_kind(self, of: str) -> Counted:
        if len(self._events) >= MOST:
            self._note(f"{of}: there are {MOST} kinds of events already; it was not counted")
            return Counted()
        return self._events.setdefault(of, Counted())

    def _note(self, note: str) -> None:
        if note and len(self._notes) < MOST_NOTES and (kept := text(note, 300)) not in self._notes:
            self._notes.append(kept)


def _name(name: object, what: str) -> str:
    """A name that a budget can select.

    Raises:
        TypeError: it is no text.
        ValueError: it is empty, or has what a selector would read as labels.
    """
    if not isinstance(name, str):
        raise TypeError(f"{name!r}: {what} is named by a text, not {type(name).__name__}")
    if not name.strip() or name != name.strip() or "{" in name or len(name) > LONGEST:
        raise ValueError(
            f"{name[:50]!r}: {what} has a name of 1 to {LONGEST} characters, without {{ and blanks around"
        )
    return name


def _own(name: object) -> str:
    """A name that is the flow's to give.

    Raises:
        TypeError, ValueError: as `_name` does; or it is a step's.
    """
    checked = _name(name, "a series")
    if checked.startswith(STEP):
        raise ValueError(f"{checked!r}: series that begin with {STEP!r} are the durations of steps")
    return checked


CURRENT: ContextVar[Recorder] = ContextVar("gatekeeper.current")


def current() -> Recorder:
    """The flow that this code runs in: for code that is not handed its run, such as a decorated function.

    Outside of a flow it is a recorder that nobody reads, so that code need not care. A thread that the flow starts is
    outside, unless it is given the flow's context (`asyncio.to_thread`, `contextvars.copy_context().run`).
    """
    return CURRENT.get(None) or Recorder()
