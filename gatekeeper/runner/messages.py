"""What a host and its runner say to each other: one line of JSON each, over the runner's stdin and stdout.

Around a flow, the host sends `Begin`, then `End` or `Stop`. The runner answers with `Started` and `Ended` for each
gate, with `Before` when the pre gates are through, and with `Whole` at last.

For single gates, the host sends `Open`, and the runner answers with a `Catalog`; then `Single` for each gate that is to
run, answered with `Ended`, as long as the host likes.

What can't be done as asked is answered with `Refused`.
"""

from typing import TypeAlias

from msgspec import Struct, field

from gatekeeper.app import RunRequest
from gatekeeper.model import Phase, Result, Run, RunPhase
from gatekeeper.project import ProjectRequest
from gatekeeper.rundata import FlowData
from gatekeeper.samples import Readings


class Begin(Struct, frozen=True, kw_only=True, tag=True):
    """Run the pre gates. `inputs` are JSON texts, or `@` and a file's absolute path. `formats` and `report_dir` are as
    for `gatekeeper run`; `host` is the process to measure.
    """

    request: RunRequest
    inputs: dict[str, str] = field(default_factory=dict)
    formats: tuple[str, ...] = ()
    report_dir: str | None = None
    host: int | None = None


class End(Struct, frozen=True, kw_only=True, tag=True):
    """The flow has ended: run the post gates. `outputs` are JSON texts, or `@` and a file's absolute path."""

    flow: FlowData
    measured: Readings = Readings()
    outputs: dict[str, str] = field(default_factory=dict)


class Stop(Struct, frozen=True, tag=True):
    """The flow will not start."""

    reason: str


class Open(Struct, frozen=True, tag=True):
    """Load a project, and say which gates of its own it has."""

    project: ProjectRequest


class Single(Struct, frozen=True, kw_only=True, tag=True):
    """Run one gate as a run of `phase` would, after those of `earlier` that it needs."""

    gate: str
    phase: RunPhase
    earlier: tuple[Result, ...] = ()


class Listed(Struct, frozen=True, kw_only=True):
    """A gate of a project. `home` is the gate file that brings it, a real path; `file` and `line` are where it is
    defined; `left_out` says why no run takes it.
    """

    id: str
    phase: Phase
    home: str
    file: str
    line: int
    title: str = ""
    tags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    left_out: str = ""


class Catalog(Struct, frozen=True, tag=True):
    """The gates of a project's own files, in the order of the plan."""

    gates: tuple[Listed, ...]


class Started(Struct, frozen=True, tag=True):
    gate: str


class Ended(Struct, frozen=True, tag=True):
    result: Result


class Before(Struct, frozen=True, tag=True):
    """The pre gates are through; the run's verdict is theirs alone. `gates` are all that are planned."""

    run: Run
    gates: tuple[str, ...] = ()


class Whole(Struct, frozen=True, tag=True):
    """The whole run, recorded and reported. `problems` are what could not be: reports, above all.

    `delivers`: the runner goes on to deliver alerts, which nobody waits for.
    """

    run: Run
    written: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    delivers: bool = False


class Refused(Struct, frozen=True, tag=True):
    """It can't be done: `exit_code` 4 for what is wrong with what was asked or configured, 3 where gatekeeper broke."""

    problems: tuple[str, ...]
    exit_code: int


Order: TypeAlias = Begin | End | Stop | Open | Single
Answer: TypeAlias = Started | Ended | Before | Whole | Catalog | Refused
