"""Carrying out a plan: choose the isolation, listen to the runner, and lose no result."""

import sys
from collections.abc import Callable
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from gatekeeper.execute.schedule import Gathered, Options, lost
from gatekeeper.model import Result
from gatekeeper.plan import Plan
from gatekeeper.plugins import Plugins
from gatekeeper.rundata import RunData

Isolation = Literal["fork", "spawn", "none"]
R = TypeVar("R", Result, Gathered)


class Observer:
    """Whoever watches a run: each method is called in the program's own process, in order."""

    def started(self, gate: str) -> None: ...
    def result(self, result: Result) -> None: ...
    def tick(self) -> None: ...
    def idle(self) -> None:
        """Called once, when gates run and there is nothing to do but wait."""


class Executed(Struct):
    """What a plan came to: one result for each planned gate, in the plan's order."""

    results: tuple[Result, ...]
    gathered: Gathered
    interrupted: bool = False


def choose_isolation(asked: Isolation | None) -> Isolation:
    """Fork where that is safe and cheap: on Linux, from a process without other threads; else spawn."""
    if asked is not None and asked != "fork":
        return asked
    threading = sys.modules.get("threading")
    alone = threading is None or threading.active_count() == 1
    return "fork" if sys.platform == "linux" and alone else "spawn"


def execute(
    plan: Plan,
    data: RunData,
    plugins: Plugins,
    options: Options,
    observer: Observer,
    *,
    isolation: Isolation | None = None,
    project: bytes = b"",
    clean: Callable[[bytes], bytes] | None = None,
) -> Executed:
    """Carry out the plan. `project` is what a spawned worker loads the same project from; `clean` takes what must not
    be shown out of a JSON document.

    Raises:
        GatekeeperError: the runner itself broke; never for what a gate did.
    """
    collected = Collector(observer, clean)
    how = choose_isolation(isolation)
    if how == "fork":
        from gatekeeper.execute.fork import run_forked

        sys.stdout.flush()
        sys.stderr.flush()
        interrupted = run_forked(plan, data, plugins, options, collected)
    elif how == "spawn":
        from gatekeeper.execute.spawn import run_spawned

        interrupted = run_spawned(plan, project, options, collected)
    else:
        from gatekeeper.execute.inline import run_inline

        interrupted = run_inline(plan, data, plugins, options, collected)
    return _whole(plan, collected, interrupted)


class Collector:
    """Takes in what a runner comes to, cleans it of secrets, and passes it on."""

    def __init__(self, observer: Observer, clean: Callable[[bytes], bytes] | None = None) -> None:
        self.observer = observer
        self.results: dict[str, Result] = {}
        self.gathered = Gathered()
        self.running: set[str] = set()
        self._clean = clean

    def started(self, gate: str) -> None:
        self.running.add(gate)
        self.observer.started(gate)

    def result(self, result: Result) -> None:
        result = self._cleaned(result)
        self.running.discard(result.id)
        self.results[result.id] = result
        self.observer.result(result)

    def complete(self, gathered: Gathered) -> None:
        self.gathered = self._cleaned(gathered)

    def _cleaned(self, record: R) -> R:
        if self._clean is None:
            return record
        return msgspec.json.decode(self._clean(msgspec.json.encode(record)), type=type(record))


def _whole(plan: Plan, collected: Collector, interrupted: bool) -> Executed:
    """Every planned gate with exactly one result; one whose runner was lost is an error."""
    for planned in plan.gates:
        if planned.id not in collected.results:
            was = "while this gate ran" if planned.id in collected.running else "before this gate ran"
            result = lost(planned, f"the runner was lost {was}" if not interrupted else "interrupted")
            collected.result(result)
    ordered = tuple(collected.results[planned.id] for planned in plan.gates)
    return Executed(ordered, collected.gathered, interrupted)
