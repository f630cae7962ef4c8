"""What a report is: a rendering of a run. Reports are plugins (hook `gatekeeper_reports`) and see only records."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from gatekeeper.model import Counts, Decision, Result, Run, Status


class PlanSummary(Struct, frozen=True, kw_only=True):
    """What a streaming report may say before the first result."""

    run: str
    phase: str
    gates: Sequence[str] = ()
    sources: Sequence[str] = ()
    profile: str | None = None
    config: str | None = None


class PastRun(Struct, frozen=True, kw_only=True):
    """An earlier run in a row of them. `started` is UTC, ISO 8601."""

    id: str
    started: str
    decision: Decision
    complete: bool = True
    partial: bool = False
    counts: Counts = Counts()


class Past(Protocol):
    """Runs of the same subject and phase before the one that is reported, read from history when first asked.

    Everything is empty where there are none, and where history can't be read: `problem` then says why.
    """

    problem: str

    @property
    def runs(self) -> Sequence[PastRun]:
        """The last of them, at most 30, oldest first."""

    def statuses(self, gates: Sequence[str]) -> Mapping[str, Mapping[str, Status]]:
        """By gate, and then by the id of the run: how these gates ended in `runs`."""

    def values(self, gates: Sequence[str]) -> Mapping[tuple[str, str, str | None], Sequence[float]]:
        """By gate, finding and unit: what these gates measured in `runs`, oldest first, one value for each run."""


class View(Struct, kw_only=True):
    """How the reader sees it. `width` is None in pipes and files: no wrapping, no cutting.

    `closing` are lines that only the end of a run knows (reports written, what was not sent); the program fills it
    before `Stream.end` is called.
    """

    color: bool = False
    unicode: bool = True
    width: int | None = None
    verbosity: int = 0
    again: str = ""
    """The command that runs what failed once more, with this run's own options; empty where nobody knows."""
    closing: list[tuple[str, str]] = field(default_factory=list)
    exit: str = ""
    """What the process exits with, and why, where that isn't the verdict's exit code."""
    root: Path | None = None
    """The folder of the project, which the sources of gates are relative to; None where nobody knows."""
    past: Past | None = None
    """Earlier runs; None where history is not to be read, or is another machine's."""


class Stream(Protocol):
    """A report that is written while gates finish. Each method returns text to append, possibly empty."""

    def begin(self, plan: PlanSummary) -> str: ...
    def result(self, result: Result) -> str: ...
    def end(self, run: Run) -> str: ...


class Report(Struct, frozen=True, kw_only=True):
    """One format: give `render` for a document of a finished run, or `stream` for one that grows.

    `exit_code`, for formats with exit codes of their own (Nagios), is used when the format is on stdout.
    """

    name: str
    summary: str
    extension: str
    imports: tuple[str, ...] = ()
    """Modules that rendering imports: loaded ahead, while gates run."""
    render: Callable[[Run, View], str] | None = None
    stream: Callable[[View], Stream] | None = None
    exit_code: Callable[[Run], int] | None = None


def rendered(report: Report, run: Run, view: View) -> str:
    """The whole report of a finished run, whichever way it is made."""
    if report.render is not None:
        return report.render(run, view)
    if report.stream is None:
        raise TypeError(f"report {report.name!r} has neither render nor stream")
    stream = report.stream(view)
    header = run.header
    plan = PlanSummary(
        run=run.id,
        phase=header.phase,
        gates=[result.id for result in run.results],
        profile=header.profile,
        config=header.config,
    )
    parts = [stream.begin(plan), *(stream.result(result) for result in run.results), stream.end(run)]
    return "".join(parts)
