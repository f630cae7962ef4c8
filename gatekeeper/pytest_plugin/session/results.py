"""What a session's records come to: how it ended, and what was measured of it, for post gates."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct, field

from gatekeeper.pytest_plugin.session.feed import Record
from gatekeeper.samples import Events, Readings, Series

SOURCE = "pytest"
CRASH = "crash"
"""The type of error of a test that was running when its process ended."""
COLLECTION = "collection"
"""The type of error of a file that could not be collected."""
MOST_NAMED = 3


class Running(Struct):
    """A test that is running: the error that it ends with, if any, and what else is special about it."""

    error: str = ""
    kind: str = ""
    """`skipped`, `xfailed` or `xpassed`."""


class Results(Struct):
    """A session, as far as it was told. `code` is pytest's own exit code; None where nobody saw the end."""

    started: float | None = None
    finished: float | None = None
    code: int | None = None
    running: dict[str, Running] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    again: set[str] = field(default_factory=set)
    """Tests of which an attempt failed, and which run again."""
    durations: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """Seconds by phase of a test (`setup`, `call`, `teardown`) and, of the call, by test."""

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Results":
        results = cls()
        for record in records:
            if "test" in record:
                results._report(record)
            elif "uncollected" in record:
                results._count(COLLECTION)
            else:
                results.started = record.get("started", results.started)
                results.finished = record.get("finished", results.finished)
                results.code = record.get("code", results.code)
        for name in [*results.running]:
            results._left_running(name)
        return results

    @property
    def duration_s(self) -> float | None:
        """Seconds from the session's start to its end, as pytest itself counts them."""
        return None if self.started is None or self.finished is None else self.finished - self.started

    @property
    def cut_short(self) -> str:
        """Which tests were running when the end came, in words; empty where none were."""
        names = [*self.running][:MOST_NAMED]
        more = len(self.running) - len(names)
        return f"during {', '.join(names)}{f' and {more} more' if more else ''}" if names else ""

    def readings(self, duration_s: float) -> Readings:
        """What was measured. `duration_s` is of the session as a whole."""
        series = [_series("duration", "s", [duration_s])]
        for test, values in self.durations.get("call", {}).items():
            series.append(_series("test_duration", "s", values, test=test))
        for phase in ("setup", "teardown"):
            series += [_series(f"{phase}_duration", "s", v) for v in self.durations.get(phase, {}).values()]
        for name in ("skipped", "xfailed", "xpassed", "reruns", "flaky"):
            series.append(_series(name, "", [self.counts[name]]))
        tests = Events(
            name="tests", total=self.counts["total"], errors={**self.errors}, whole=True, source=SOURCE
        )
        return Readings(tuple(series), (tests,))

    # -- record by record ----------------------------------------------------------------------------------------------

    def _report(self, record: Record) -> None:
        name, phase, outcome = record["test"], record["when"], record["outcome"]
        if outcome == "rerun":
            self.counts["reruns"] += 1
            self.again.add(name)
            self.running.pop(name, None)
            return
        if phase == "teardown" and name in self.again and name not in self.running and outcome == "passed":
            return  # of the attempt that is run again
        test = self.running.setdefault(name, Running())
        if "part" not in record:
            times = self.durations.setdefault(phase, {}).setdefault(name if phase == "call" else "", [])
            times.append(record["duration"])
        if outcome == "failed":
            test.error = test.error or record.get("error") or CRASH
        elif record.get("xfail"):
            test.kind = "xpassed" if outcome == "passed" else "xfailed"
        elif outcome == "skipped" and "part" not in record:
            test.kind = "skipped"
        if phase == "teardown":
            self._ended(name)

    def _ended(self, name: str) -> None:
        test = self.running.pop(name)
        if test.kind == "skipped" and not test.error:
            self.counts["skipped"] += 1
            return
        self._count(test.error)
        if test.kind and not test.error:
            self.counts[test.kind] += 1
        if name in self.again and not test.error:
            self.counts["flaky"] += 1
        self.again.discard(name)

    def _left_running(self, name: str) -> None:
        """A test without an end: it failed before, or its process ended under it; or else it was interrupted."""
        if self.code is None and not self.running[name].error:
            self._count(CRASH)
        elif self.running[name].error:
            self._ended(name)

    def _count(self, error: str) -> None:
        self.counts["total"] += 1
        if error:
            self.errors[error] += 1


def _series(name: str, unit: str, values: list[float], **labels: str) -> Series:
    return Series(name=name, unit=unit, values=tuple(map(float, values)), labels=labels, source=SOURCE)
