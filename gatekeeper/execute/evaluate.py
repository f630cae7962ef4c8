"""One attempt of one gate, in whichever process it runs: call it, collect what it found, settle its status."""

import inspect
import traceback
from time import perf_counter
from typing import Any

from msgspec import Struct, field

from gatekeeper.context import Context
from gatekeeper.errors import GatekeeperError
from gatekeeper.model import JSON, Finding, Status, worst
from gatekeeper.plain import text
from gatekeeper.rundata import Skip, Unknown
from gatekeeper.wording import summary

CHECKED_NOTHING = "checked nothing: no finding was recorded and no assert executed"


class Evaluation(Struct, frozen=True):
    """What one attempt came to; what travels from a gate's process to its runner."""

    status: Status
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    saved: dict[str, JSON] = field(default_factory=dict)
    duration_s: float = 0.0
    trace: str = ""


class WrongReturn(GatekeeperError):
    """A gate returned or yielded what no gate may."""


def call(function: Any, ctx: Context, settings: Any) -> Any:
    """Call a gate's function with the arguments of its kind."""
    return function(ctx) if settings is None else function(ctx, settings)


def consume(returned: Any, ctx: Context) -> None:
    """Record what a gate returned: nothing, a Finding, many, or any of these asynchronously.

    Raises:
        WrongReturn: for anything else; `True` says nothing about what was checked.
    """
    if returned is None:
        return
    if isinstance(returned, Finding):
        ctx.add(returned)
    elif inspect.isawaitable(returned) or hasattr(returned, "__aiter__"):
        import asyncio

        asyncio.run(_consume_async(returned, ctx))
    elif isinstance(returned, str | bytes | dict) or not hasattr(returned, "__iter__"):
        raise WrongReturn(f"returned {type(returned).__name__} {text(repr(returned), 200)}; {_EXPECTED}")
    else:
        for item in returned:
            _consume_item(item, ctx)


_EXPECTED = (
    "a gate returns a Finding, yields Findings, or returns None after ctx.check, ctx.measure or an assert"
)


def _consume_item(item: Any, ctx: Context) -> None:
    if not isinstance(item, Finding):
        raise WrongReturn(f"yielded {type(item).__name__} {text(repr(item), 200)}; {_EXPECTED}")
    ctx.add(item)


async def _consume_async(returned: Any, ctx: Context) -> None:
    if hasattr(returned, "__aiter__"):
        async for item in returned:
            _consume_item(item, ctx)
        return
    value = await returned
    if value is not None and (inspect.isawaitable(value) or hasattr(value, "__aiter__")):
        raise WrongReturn(f"returned a coroutine that returned {type(value).__name__}; {_EXPECTED}")
    consume(value, ctx)


def evaluate(run: Any, ctx: Context, *, interruptible: bool = False) -> Evaluation:
    """Run `run()` (which records on `ctx`) and settle. Catches whatever a gate raises, `SystemExit` included.

    `interruptible`: a KeyboardInterrupt is the user's, and goes on; in a process of its own it can only be the gate's.
    """
    started = perf_counter()
    status, reason, trace = None, "", ""
    try:
        run()
    except Skip as skip:
        status, reason = "skip", text(skip) or "skipped without a reason"
    except Unknown as unknown:
        status, reason = "unknown", text(unknown) or "unknown without a reason"
    except AssertionError as failure:
        ctx.add(_assertion(failure, ctx))
    except GatekeeperError as error:  # a clear message of ours: bad data, an unreadable file
        status, reason = "error", text(error)
    except BaseException as error:
        if interruptible and isinstance(error, KeyboardInterrupt):
            raise
        status, reason, trace = "error", describe(error), user_trace(error)
    return settle(ctx, status, reason, perf_counter() - started, trace)


def settle(ctx: Context, status: str | None, reason: str, duration: float, trace: str) -> Evaluation:
    """A gate's status: the worst of how it ended and what it recorded. A skip hides nothing."""
    findings = ctx.findings
    statuses: list[Any] = [finding.status for finding in findings]
    if status is not None:
        final = worst([*statuses, status])  # type: ignore[list-item]
        if status == "skip" and final == "pass":
            final = "skip"
        if final != status:
            reason = ""
    elif statuses:
        final = worst(statuses)
    elif ctx.asserts:
        final = "pass"
    else:
        final, reason = "unknown", CHECKED_NOTHING
    if not reason and final != "pass":
        reason = next((summary(f) for f in findings if f.status == final), "")
    return Evaluation(final, reason, findings, dict(ctx.saved), duration, trace)


def _assertion(failure: AssertionError, ctx: Context) -> Finding:
    found = getattr(failure, "gatekeeper_finding", None)
    if isinstance(found, Finding):
        return found
    frame = traceback.extract_tb(failure.__traceback__)[-1:]
    line = frame[0].line if frame else ""
    return Finding("assert", "fail", message=text(failure) or f"assertion failed: {line}")


def describe(error: BaseException) -> str:
    """`TypeError: message`, as the last line of a traceback has it."""
    message = text(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def user_trace(error: BaseException, frames: int = 3) -> str:
    """The last frames of a traceback that are not gatekeeper's own, innermost last."""
    from pathlib import Path

    own = str(Path(__file__).parents[1])
    found = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(own)
    ]
    return text("".join(traceback.format_list(found[-frames:])))
