"""JUnit XML: durations of tests, and how many failed.

Series `duration`, one value per test that was executed, with the labels `classname` and `name`; events
`tests` with the error types `failure` and `error`. Skipped tests are in neither: they did not run.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gatekeeper import DataError, Readings, SampleSource
from gatekeeper.collect import Collector, is_empty

ROOTS = ("testsuites", "testsuite")
OUTCOMES = ("failure", "error", "skipped")


def gatekeeper_sources() -> Iterable[SampleSource]:
    return [SampleSource("junit", "JUnit XML: durations of tests, failures and errors", read)]


def read(path: Path) -> Readings:
    """Read the file as a stream. A document type declaration is refused: with one come entities that
    explode.
    """
    from xml.parsers import expat

    if is_empty(path):
        return Readings(notes=(f"{path.name} is empty",))
    reader = _Reader(Collector(path))
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = reader.doctype
    reader.parser = parser
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except OSError as error:
        raise DataError(path, f"can't be read: {error.strerror or error}") from None
    except expat.ExpatError as error:
        raise DataError(f"{path}:{error.lineno}", f"is not XML: {expat.ErrorString(error.code)}") from None
    return reader.collector.readings()


class _Reader:
    """What expat calls. Cases are what counts; a suite's own totals only where it lists no cases."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.parser: Any = None
        self.depth = 0
        self.suites: list[dict[str, Any]] = []
        self.case: dict[str, str] | None = None
        self.outcome = ""

    def doctype(self, *_: object) -> None:
        self._place()
        self.collector.wrong("has a document type declaration, which no JUnit file needs: refused")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if self.depth == 0 and tag not in ROOTS:
            self._place()
            self.collector.wrong(
                f"is not JUnit XML: the root is <{tag}>, expected <testsuites> or <testsuite>"
            )
        self.depth += 1
        if tag == "testsuite":
            self.suites.append({**attributes, "": False})
        elif tag == "testcase":
            self.case, self.outcome = attributes, "passed"
            for suite in self.suites:
                suite[""] = True
        elif self.case is not None and tag in OUTCOMES and self.outcome in ("passed", "skipped"):
            self.outcome = tag

    def end(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        self.depth -= 1
        if tag == "testcase" and self.case is not None:
            self._place()
            self._finished(self.case)
            self.case = None
        elif tag == "testsuite":
            self._suite(self.suites.pop())

    def _finished(self, case: dict[str, str]) -> None:
        if self.outcome == "skipped":
            return
        self.collector.event("tests", "" if self.outcome == "passed" else self.outcome)
        if (time := case.get("time")) is not None:
            labels = {key: case[key] for key in ("classname", "name") if case.get(key)}
            self.collector.add("duration", self._seconds(time), "s", labels)

    def _seconds(self, time: str) -> float:
        try:
            return float(time.replace(",", ""))  # some writers group thousands: "1,234.5"
        except ValueError:
            return self.collector.wrong(f"time is a number of seconds, got {time!r}")

    def _suite(self, suite: dict[str, Any]) -> None:
        counts = [self._count(suite, key) for key in ("tests", "failures", "errors", "skipped")]
        if suite[""] or not any(counts):
            return
        tests, failures, errors, skipped = counts
        passed = max(0, tests - failures - errors - skipped)
        for kind, count in (("", passed), ("failure", failures), ("error", errors)):
            self.collector.event("tests", kind, count)
        self.collector.note(f"suite {suite.get('name', '')!r} lists no test cases: its own totals are used")

    def _count(self, suite: dict[str, Any], key: str) -> int:
        try:
            return max(0, int(suite.get(key) or 0))
        except ValueError:
            self._place()
            self.collector.wrong(f"{key} is a whole number, got {suite[key]!r}")

    def _place(self) -> None:
        self.collector.line = self.parser.CurrentLineNumber
