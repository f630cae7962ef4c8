"""What a host and its runner say to each other: one line of JSON each, over the runner's stdin and stdout.

The host sends `Begin`, then `End` or `Stop`. The runner answers with `Started` and `Ended` for each gate, with `Before`
when the pre gates are through, with `Whole` at last, and with `Refused` where it can't do what was asked.
"""

from typing import TypeAlias

from msgspec import Struct, field

from gatekeeper.app import RunRequest
from gatekeeper.model import Result, Run
from gatekeeper.rundata import FlowData
from gatekeeper.samples import Readings


class Begin(Struct, frozen=True, kw_only=True, tag=True):
    """Run the pre gates. `formats` and `report_dir` are as for `gatekeeper run`; `host` is the process to measure."""

    request: RunRequest
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


class Started(Struct, frozen=True, tag=True):
    gate: str


class Ended(Struct, frozen=True, tag=True):
    result: Result


class Before(Struct, frozen=True, tag=True):
    """The pre gates are through; the run's verdict is theirs alone. `gates` are all that are planned."""

    run: Run
    gates: tuple[str, ...] = ()


class Whole(Struct, frozen=True, tag=True):
    """The whole run, recorded and reported. `problems` are what could not be: reports, above all."""

    run: Run
    written: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Refused(Struct, frozen=True, tag=True):
    """It can't be done: `exit_code` 4 for what is wrong with what was asked or configured, 3 where gatekeeper broke."""

    problems: tuple[str, ...]
    exit_code: int


Order: TypeAlias = Begin | End | Stop
Answer: TypeAlias = Started | Ended | Before | Whole | Refused
