"""What every report says in the same words, for those who write reports.

Reports differ in form, not in what they say about a gate: one line of evidence, the rows of its details,
which results stand against the verdict. Text comes back as gates wrote it, unless it says otherwise: make it
safe for your format, with `gatekeeper.printable` to begin with.
"""

import shlex
from collections.abc import Iterable, Iterator

from msgspec import Struct

from gatekeeper.model import (
    STATUSES,
    WORST_FIRST,
    Attempt,
    Counts,
    Finding,
    PolicyRecord,
    Reason,
    Result,
    Run,
    Since,
    TrustedRef,
)
from gatekeeper.plain import printable
from gatekeeper.quantities import show

GLYPHS = {"pass": "✓", "warn": "▲", "fail": "✗", "error": "■", "unknown": "?", "skip": "–"}
ASCII_GLYPHS = {"pass": "+", "warn": "!", "fail": "x", "error": "#", "unknown": "?", "skip": "-"}
DECISION_GLYPHS = {"proceed": "✓", "hold": "▲", "block": "✗", "none": "?"}

MOST_FINDINGS = 10
"""How many findings details show where no other number is asked for."""

_NEGATED = {
    "<=": ">", ">=": "<", "<": ">=", ">": "<=", "==": "!=", "!=": "==",
    "in": "not in", "not in": "in", "is": "is not", "is not": "is",
}  # fmt: skip
_COUNTED = {
    "fail": ("failed", "failed"), "error": ("error", "errors"), "unknown": ("unknown", "unknown"),
    "warn": ("warning", "warnings"), "skip": ("skipped", "skipped"), "pass": ("passed", "passed"),
}  # fmt: skip


def one_line(text: str) -> str:
    """The text on one line, safe to print: line breaks become spaces, the rest is `printable`."""
    return printable(" ".join(text.split()) if "\n" in text else text)


def summary(finding: Finding) -> str:
    """A finding in one line: its message, or what was observed against the limit."""
    if finding.message:
        return finding.message
    if finding.operator is not None:
        against = finding.status in ("fail", "warn")
        relation = _NEGATED.get(finding.operator, f"not {finding.operator}") if against else finding.operator
        value, limit = show(finding.observed, finding.unit), show(finding.limit, finding.unit)
        return f"{finding.name} {value} {relation} {limit}"
    if finding.observed is not None:
        return f"{finding.name} {show(finding.observed, finding.unit)}"
    return finding.name


def headline(result: Result) -> str:
    """A result in one safe line: for a pass its most telling findings, for anything else the reason."""
    if result.status == "pass":
        text = ", ".join(_telling(result)) or result.title
        if result.flaky:
            number = len(result.attempts)
            text = f"passed on attempt {number} of {number} (flaky); {text}"
    else:
        text = result.reason or next((summary(f) for f in result.findings if f.status == result.status), "")
    return one_line(text)


def _telling(result: Result, most: int = 3) -> list[str]:
    """Findings that say something: values, those nearest to their limits first, or else names of checks."""
    checked = [finding for finding in result.findings if finding.status == "pass"]
    found = sorted((f for f in checked if f.observed is not None or f.message), key=_closeness, reverse=True)
    if found:
        return [summary(finding) for finding in found[:most]]
    names = list(dict.fromkeys(f.name for f in checked if f.name != "check"))
    if names:
        return [*names[:most], *([f"{len(names) - most} more"] if len(names) > most else [])]
    return [f"{len(checked)} check{'s' * (len(checked) != 1)}"] if checked else []


def _closeness(finding: Finding) -> float:
    """How much of its limit a value has used, 0..1; 0 where there is no such thing."""
    value, limit = number(finding.observed), number(finding.limit)
    if value is None or limit is None or value < 0 or limit < 0:
        return 0.0
    part, whole = (limit, value) if finding.operator in (">=", ">") else (value, limit)
    used = part / whole if whole else 0.0
    return min(used, 1.0) if used == used else 0.0  # noqa: PLR0124 - NaN differs from itself


def number(value: object) -> float | None:
    """The value as a number, also `"NaN"` and `"Infinity"` as records write them; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else None


class Limits(Struct, frozen=True):
    """The limits that a finding was held against, in its unit, and the operator of a pass."""

    warn: float | None = None
    fail: float | None = None
    operator: str | None = None


def limits(finding: Finding) -> Limits:
    """The warn and the fail limit of a finding; one whose kind was not recorded counts as the fail limit."""
    both = finding.evidence.get("limits")
    if isinstance(both, dict):
        return Limits(number(both.get("warn")), number(both.get("fail")), finding.operator)
    limit = number(finding.limit)
    if finding.status == "warn":
        return Limits(limit, None, finding.operator)
    return Limits(None, limit, finding.operator)


def expected(finding: Finding) -> str:
    """The condition that holds on a pass: `<= 80 % (fail beyond 90 %)`; empty where nothing was asked."""
    if finding.operator is None:
        return ""
    text = f"{finding.operator} {show(finding.limit, finding.unit)}"
    held = limits(finding)
    if held.warn is None or held.fail is None or held.warn == held.fail:
        return text
    if finding.status == "warn":
        return f"{text} (fails beyond {show(held.fail, finding.unit)})"
    return f"{text} (warns beyond {show(held.warn, finding.unit)})"


def observed(finding: Finding) -> str:
    """What was observed, with unit and number of samples; empty where nothing was recorded."""
    text = "" if finding.observed is None else show(finding.observed, finding.unit)
    return f"{text} (n = {finding.n})".lstrip() if finding.n is not None else text


def moment(time: str) -> str:
    """`2026-11-19T21:04:31Z` as `2026-11-19 21:04 UTC`."""
    return f"{time[:10]} {time[11:16]} UTC" if time[10:11] == "T" else time


def policy_line(policy: PolicyRecord | TrustedRef) -> str:
    """The trusted ref that a policy is taken from: `origin/main at 254d32a1b579`, in one safe line."""
    return one_line(f"{policy.ref} at {policy.commit[:12]}")


def lasting(since: Since) -> str:
    """For how long a gate has not passed: `3 runs; last passed 2026-11-19 21:04 UTC (run 3f2a9c)`."""
    text = f"{since.runs} run{'s' * (since.runs != 1)}"
    if since.last_passed is None:
        return f"{text}; has not passed before"
    run = f" (run {since.last_passed_run})" if since.last_passed_run else ""
    return f"{text}; last passed {moment(since.last_passed)}{run}"


def counted(counts: Counts) -> str:
    """`1 failed, 2 warnings, 3 passed`."""
    found = tally(counts)
    words = ((found[status], one if found[status] == 1 else many) for status, (one, many) in _COUNTED.items())
    return ", ".join(f"{count} {word}" for count, word in words if count) or "0 gates"


def tally(counts: Counts) -> dict[str, int]:
    """Counts by status, zeros too."""
    return {status: counts.of(status) for status in STATUSES}


def details(result: Result, most: int = MOST_FINDINGS, *, passing: bool = False) -> list[tuple[str, str]]:
    """What there is to say about a result but its output, as rows of label and text, worst findings first."""
    told = [f for f in result.findings if passing or f.status not in ("pass", "skip")]
    told.sort(key=lambda finding: WORST_FIRST.index(finding.status))
    rows = [] if result.reason in {summary(f) for f in told[:most]} else [("why", result.reason)]
    for finding in told[:most]:
        rows += _finding_rows(finding)
    if len(told) > most:
        rows.append(("more", f"{len(told) - most} more findings"))
    if result.blocked_by:
        rows.append(("blocked", f"by {result.blocked_by}"))
    if result.since is not None and (result.since.runs > 1 or result.since.last_passed is not None):
        rows.append(("since", lasting(result.since)))
    if len(result.attempts) > 1:
        rows += [("attempt", _attempt(attempt)) for attempt in result.attempts]
    return [(label, text) for label, text in rows if text]


def aligned(rows: Iterable[tuple[str, str]], margin: int = 9) -> Iterator[str]:
    """Rows as safe lines: labels in a column of their own, once for rows of the same label."""
    previous = ""
    for label, text in rows:
        for number, line in enumerate(printable(text, newlines=True).rstrip("\n").split("\n")):
            shown = label if number == 0 and label != previous else ""
            yield f"{shown:<{margin}} {line}".rstrip()
        previous = label


def _finding_rows(finding: Finding) -> Iterator[tuple[str, str]]:
    yield "finding", f"{finding.status.upper()} {finding.name}"
    yield "why", finding.message
    yield "expected", expected(finding)
    yield "observed", observed(finding)
    for key, value in finding.evidence.items():
        if key != "limits":
            yield "evidence", f"{key}: {value if isinstance(value, str) else show(value)}"
    if finding.status != "pass":
        yield "try", finding.hint


def _attempt(attempt: Attempt) -> str:
    text = f"{attempt.number} {attempt.status.upper()} after {show(attempt.duration_s, 's')}"
    return f"{text}: {attempt.reason}" if attempt.reason else text


def again(result: Result) -> str:
    """The command that runs this gate alone and shows everything; what to do where no command can."""
    if result.flow:
        return "run the flow again between its gates"
    return f"gatekeeper run {result.phase} {shlex.quote(one_line(result.id))} -vv"


def held_against(result: Result) -> bool:
    """Whether this result alone keeps a verdict from proceeding: required, and failed, broken or unknown."""
    return result.requirement == "required" and result.status in ("fail", "error", "unknown")


def unexplained(run: Run) -> list[Reason]:
    """The reasons of a verdict other than proceed that no result stands for: a freeze, nothing ran, a plugin.

    A format whose readers only count failures (JUnit, TAP) must show these as one: never green for a block.
    """
    verdict = run.verdict
    if verdict.decision == "proceed":
        return []
    explained: set[str] = set()
    for result in run.results:
        if held_against(result) or result.blocked_by in explained:
            explained.add(result.id)
    reasons = [reason for reason in verdict.reasons if reason.gate not in explained]
    if not reasons and not explained:
        return [Reason(status="incomplete", text=f"the verdict is {verdict.decision}")]
    return reasons


def reason_line(reason: Reason) -> str:
    """A verdict's reason in one safe line, with its gate."""
    return one_line(
        f"{reason.gate} {_LEADS.get(reason.status, reason.status)}: {reason.text}"
        if reason.gate
        else reason.text
    )


_LEADS = {
    "fail": "failed", "error": "is in error", "unknown": "is unknown", "warn": "warns", "skip": "was skipped",
    "pass": "passed",
}  # fmt: skip


def worst_first(results: Iterable[Result]) -> list[Result]:
    """Results by how much they matter: what decides the verdict before the rest, then by status."""
    return sorted(results, key=lambda result: (not held_against(result), WORST_FIRST.index(result.status)))


def unique(names: Iterable[str]) -> list[str]:
    """The names, repeated ones numbered (`p95`, `p95#2`), for formats that refuse duplicates."""
    taken: set[str] = set()
    result = []
    for name in names:
        count, candidate = 1, name
        while candidate in taken:
            count += 1
            candidate = f"{name}#{count}"
        taken.add(candidate)
        result.append(candidate)
    return result
