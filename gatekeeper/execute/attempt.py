"""One attempt of one task, in the process that was made for it."""

from typing import Any

import msgspec

from gatekeeper.asserts import asserting
from gatekeeper.context import Context
from gatekeeper.execute.evaluate import Evaluation, call, consume, evaluate
from gatekeeper.execute.schedule import Gathered, Task
from gatekeeper.hookspecs import hookimpl
from gatekeeper.model import JSON
from gatekeeper.plugins import Plugins
from gatekeeper.rundata import RunData

MAX_FRAME = 16 * 2**20
"""Bytes that one attempt may send: findings, saved values or a fact."""


class Frame(msgspec.Struct, frozen=True):
    """What an attempt sends to its runner."""

    evaluation: Evaluation
    value: JSON = None


class World:
    """What the attempts of a run share: its data, its plugins, and the facts gathered so far."""

    def __init__(self, data: RunData, plugins: Plugins, gathered: Gathered) -> None:
        self.data, self.plugins, self.gathered = data, plugins, gathered
        self.surrounds_gates = bool(plugins.hook.gatekeeper_run_gate.get_hookimpls())

    def context(self, task: Task, number: int, deadline: float | None) -> Context:
        planned = task.planned
        return Context(
            self.data,
            gate=task.name,
            phase=planned.phase if planned else "pre",
            param=planned.param if planned else None,
            attempt=number,
            deadline=deadline,
            facts=self.gathered.facts,
            plugins=self.plugins,
        )


def perform(
    task: Task, world: World, number: int, deadline: float | None, *, interruptible: bool = False
) -> Frame:
    """Run the task and say what it came to. Nothing escapes but, where `interruptible`, KeyboardInterrupt."""
    ctx = world.context(task, number, deadline)
    if task.kind == "gate":
        asserting.current = ctx
        try:
            return Frame(evaluate(lambda: _run_gate(task, ctx, world), ctx, interruptible=interruptible))
        finally:
            asserting.current = None
    value: list[JSON] = [None]

    def gather() -> None:
        value[0] = _value(task, ctx, world)
        ctx.check(True, name=task.kind)

    evaluation = evaluate(gather, ctx, interruptible=interruptible)
    return Frame(evaluation, value[0])


def _run_gate(task: Task, ctx: Context, world: World) -> None:
    planned = task.planned
    assert planned is not None  # a gate's task has its plan

    def default() -> bool:
        consume(call(planned.gate.function, ctx, planned.settings), ctx)
        return True

    if not world.surrounds_gates:
        default()
        return
    hook = world.plugins.hook.gatekeeper_run_gate
    manager = world.plugins.manager
    last = _Default(default)
    manager.register(last, "gatekeeper-default")
    try:
        hook(gate=planned, ctx=ctx)
    finally:
        manager.unregister(last)


class _Default:
    """gatekeeper's own `run_gate`, tried when no plugin's has run the gate."""

    def __init__(self, run: Any) -> None:
        self._run = run

    @hookimpl(trylast=True)
    def gatekeeper_run_gate(self, gate: Any, ctx: Any) -> bool:
        return bool(self._run())


def _value(task: Task, ctx: Context, world: World) -> JSON:
    """A fact's or a snapshot's value, as JSON."""
    if task.kind == "before":
        planned = task.planned
        assert planned is not None
        value = call(planned.gate.before, ctx, planned.settings)
    elif task.name == "host":
        from gatekeeper import facts

        value = facts.gather(world.data.started)
    else:
        gather = world.plugins.facts().get(task.name)
        if gather is None:
            raise LookupError(f"no plugin contributes the fact {task.name!r}")
        value = gather()
    return msgspec.json.decode(msgspec.json.encode(value))


def encoded(frame: Frame) -> bytes:
    """A frame as bytes; one that is too large or can't be encoded becomes an error frame, never a loss."""
    try:
        data = msgspec.json.encode(frame)
    except (TypeError, ValueError, RecursionError) as error:
        return _error(f"its result can't be encoded: {error}")
    if len(data) > MAX_FRAME:
        return _error(f"its result has {len(data):,} bytes, more than {MAX_FRAME:,}")
    return data


def _error(reason: str) -> bytes:
    return msgspec.json.encode(Frame(Evaluation("error", reason)))


def decoded(data: bytes) -> Frame | None:
    """The frame, or None where the bytes are not a whole one."""
    try:
        return msgspec.json.decode(data, type=Frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
