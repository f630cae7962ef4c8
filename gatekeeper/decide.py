"""The verdict over a run, and the exit code that follows from it alone."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct, structs

from gatekeeper.model import EXIT_CODES, INTERRUPTED, NO_GATES, Counts, Decision, Reason, Result, Verdict


class Policy(Struct, frozen=True):
    """What the configuration adds to the rule. `freezes` are reasons of the freeze windows that are active now."""

    max_warnings: int | None = None
    freezes: tuple[str, ...] = ()


def count(results: Iterable[Result]) -> Counts:
    """How many results have each status."""
    totals = dict.fromkeys(("pass", "warn", "fail", "error", "unknown", "skip"), 0)
    for result in results:
        totals[result.status] += 1
    return Counts(*totals.values())


def decide(
    results: Sequence[Result], planned: Sequence[str], policy: Policy, *, interrupted: bool = False
) -> Verdict:
    """Gatekeeper's own rule.

    A required gate's fail, error or missing result blocks. A required gate that is unknown, or was not run because of
    another, warnings beyond the maximum, and an active freeze window hold. Anything else proceeds, unless nothing ran.
    """
    if interrupted:
        return Verdict(
            "none", (Reason(status="incomplete", text="interrupted before it was finished"),), INTERRUPTED
        )
    decisive = [result for result in results if result.status != "skip" and result.requirement != "observe"]
    if not decisive and len(results) == len(planned):
        found = _nothing(results, planned)
        return structs.replace(found, reasons=(*found.reasons, *_freezes(policy)))
    blocking = [
        reason_of(r) for r in results if r.requirement == "required" and r.status in ("fail", "error")
    ]
    there = {result.id for result in results}
    blocking += [
        Reason(gate=name, status="error", text="was planned and has no result")
        for name in planned
        if name not in there
    ]
    holding = [reason_of(r) for r in results if r.requirement == "required" and _is_open(r)]
    holding += _beyond_warnings(results, policy.max_warnings)
    holding += _freezes(policy)
    if blocking:
        return verdict("block", [*blocking, *holding])
    if holding:
        return verdict("hold", holding)
    return verdict("proceed", [reason_of(r) for r in results if is_warning(r)])


def _freezes(policy: Policy) -> list[Reason]:
    return [Reason(status="freeze", text=f"a freeze window is active: {freeze}") for freeze in policy.freezes]


def verdict(decision: Decision, reasons: Iterable[Reason] = (), *, decided_by: str = "gatekeeper") -> Verdict:
    """A verdict with the exit code of its decision."""
    return Verdict(decision, tuple(reasons), EXIT_CODES.get(decision, NO_GATES), decided_by)


def _is_open(result: Result) -> bool:
    return result.status == "unknown" or (result.status == "skip" and result.blocked_by is not None)


def is_warning(result: Result) -> bool:
    """A warning of a gate that counts, or anything worse of an advisory one."""
    if result.requirement == "required":
        return result.status == "warn"
    return result.requirement == "advisory" and result.status in ("warn", "fail", "error", "unknown")


def _beyond_warnings(results: Sequence[Result], maximum: int | None) -> list[Reason]:
    warnings = [result.id for result in results if is_warning(result)]
    if maximum is None or len(warnings) <= maximum:
        return []
    counted = f"{len(warnings)} warning{'s' if len(warnings) > 1 else ''}"
    text = f"{counted}, more than max_warnings = {maximum}: {', '.join(warnings[:10])}"
    return [Reason(status="warnings", text=text, observed=len(warnings), operator="<=", limit=maximum)]


def _nothing(results: Sequence[Result], planned: Sequence[str]) -> Verdict:
    blocked = [reason_of(r) for r in results if r.requirement == "required" and r.blocked_by is not None]
    if blocked:
        return verdict("hold", blocked)
    text = f"no gate ran: all {len(planned)} were skipped" if planned else "no gate ran: nothing was planned"
    if any(result.status != "skip" for result in results):
        text = "no gate that decides ran: those that did are only observed"
    return Verdict("none", (Reason(status="empty", text=text),), NO_GATES)


def reason_of(result: Result) -> Reason:
    """Why this result matters, in words and as data."""
    finding = result.decisive
    if finding is None:
        return Reason(
            gate=result.id, status=result.status, text=result.reason or result.status, since=result.since
        )
    return Reason(
        gate=result.id,
        status=result.status,
        text=result.reason or finding.message or finding.name,
        finding=finding.name,
        observed=finding.observed,
        operator=finding.operator,
        limit=finding.limit,
        unit=finding.unit,
        since=result.since,
        hint=finding.hint,
    )


def _is_sound(found: Verdict) -> bool:
    """Whether a plugin's verdict can be recorded: nothing checked its types before."""
    try:
        msgspec.convert(msgspec.to_builtins(found), Verdict)
    except (msgspec.ValidationError, TypeError, ValueError, RecursionError):
        return False
    return True


_ORDER: tuple[Decision, ...] = ("proceed", "hold", "block")


def overruled(own: Verdict, found: object) -> Verdict:
    """The verdict of a plugin's `gatekeeper_decide`, gatekeeper's own beside it.

    What is no verdict, and an exception, never lets through: gatekeeper's own stands, or block where that was proceed.
    """
    if isinstance(found, Verdict) and found.decision in _ORDER and _is_sound(found):
        who = found.decided_by if found.decided_by != "gatekeeper" else "plugin"
        # a run in which nothing ran stays undecided, whatever a plugin makes of it
        if own.decision == "none" and found.decision == "proceed":
            return own
        return Verdict(found.decision, found.reasons, EXIT_CODES[found.decision], who, own)
    what = (
        f"raised {type(found).__name__}: {found}" if isinstance(found, Exception) else f"returned {found!r}"
    )
    reason = Reason(status="plugin", text=f"gatekeeper_decide {what}")
    if own.decision in ("block", "none"):
        return Verdict(own.decision, (*own.reasons, reason), own.exit_code)
    return Verdict("block", (reason, *own.reasons), EXIT_CODES["block"], "gatekeeper", own)
