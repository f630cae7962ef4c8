"""Gates that do not pass, each with all that is needed to understand it and to try again."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from gatekeeper import Finding, Result, show, summary
from gatekeeper.model import WORST_FIRST
from gatekeeper.wording import again, expected, lasting, observed
from gatekeeper_reports.html.bars import Bar, Baseline, bar, baseline
from gatekeeper_reports.html.budgets import Earlier
from gatekeeper_reports.html.text import cut, evidence, tail

MOST_FINDINGS, MOST_EVIDENCE, MOST_PASSED = 20, 12, 50
ROOM = 60_000
"""Characters of a card's findings together."""


class Shown(Struct, frozen=True, kw_only=True):
    """A finding that does not pass."""

    status: str
    name: str
    message: str
    expected: str
    observed: str
    bar: Bar | None
    earlier: str
    hint: str
    evidence: list[tuple[str, str]]


class Card(Struct, frozen=True, kw_only=True):
    """A gate that does not pass. `number` is its place among those; `more` counts findings without room."""

    number: int
    result: Result
    id: str
    title: str
    source: str
    tags: list[str]
    reason: str
    findings: list[Shown]
    more: int
    passed: list[str]
    passed_count: int
    facts: list[tuple[str, str]]
    outputs: list[tuple[str, str]]
    again: str


def card(number: int, result: Result, room: int, earlier: Earlier) -> Card:
    """`room`: characters of each of the gate's outputs; `earlier`: what was measured in earlier runs."""
    against = [finding for finding in result.findings if finding.status not in ("pass", "skip")]
    against.sort(key=lambda finding: WORST_FIRST.index(finding.status))
    passed = [finding for finding in result.findings if finding.status == "pass"]
    shown = _fitting(result.id, against, earlier)
    said = {summary(finding) for finding in against[: len(shown)]}
    return Card(
        number=number,
        result=result,
        id=cut(result.id, 300),
        title=cut(result.title, 500),
        source=cut(str(result.source), 300) if result.source.file else "",
        tags=[cut(tag, 50) for tag in result.tags[:MOST_EVIDENCE]],
        reason="" if result.reason in said else cut(result.reason),
        findings=shown,
        more=len(against) - len(shown),
        passed=[cut(summary(finding), 300) for finding in passed[:MOST_PASSED]],
        passed_count=len(passed),
        facts=[(label, cut(text)) for label, text in _facts(result)],
        outputs=[(label, tail(text, room)) for label, text in _outputs(result)],
        again=cut(again(result), 500),
    )


def _fitting(gate: str, findings: Sequence[Finding], earlier: Earlier) -> list[Shown]:
    shown: list[Shown] = []
    room = ROOM
    for finding in findings[:MOST_FINDINGS]:
        each = _shown(finding, baseline(earlier.get((gate, finding.name, finding.unit), ())))
        room -= sum(map(len, (each.name, each.message, each.expected, each.observed, each.hint)))
        room -= sum(len(key) + len(text) for key, text in each.evidence)
        if room < 0 and shown:
            break
        shown.append(each)
    return shown


def _shown(finding: Finding, earlier: Baseline) -> Shown:
    told = [(key, value) for key, value in finding.evidence.items() if key != "limits"]
    pieces = [(cut(key, 200), evidence(value)) for key, value in told[:MOST_EVIDENCE]]
    if len(told) > MOST_EVIDENCE:
        pieces.append(("…", f"{len(told) - MOST_EVIDENCE} more"))
    drawn = bar(finding, earlier)
    return Shown(
        status=finding.status,
        name=cut(finding.name, 300),
        message=cut(finding.message),
        expected=cut(expected(finding)),
        observed=cut(observed(finding)),
        bar=drawn,
        earlier=f"{earlier.text(finding.unit)}, p5 to p95" if drawn and earlier.band else "",
        hint=cut(finding.hint),
        evidence=pieces,
    )


def _facts(result: Result) -> Iterator[tuple[str, str]]:
    if result.blocked_by:
        yield "blocked", f"by {result.blocked_by}"
    if (since := result.since) is not None and (since.runs > 1 or since.last_passed is not None):
        yield "since", lasting(since)
    if len(result.attempts) > 1:
        for attempt in result.attempts[:MOST_EVIDENCE]:
            text = f"{attempt.number} {attempt.status.upper()} after {show(attempt.duration_s, 's')}"
            yield "attempt", f"{text}: {attempt.reason}" if attempt.reason else text


def _outputs(result: Result) -> Iterator[tuple[str, str]]:
    for label, text in (("stdout", result.output.stdout), ("stderr", result.output.stderr)):
        if text.strip():
            yield label, text
    if result.output.dropped:
        yield "output", f"({result.output.dropped} bytes were cut from the middle)"
