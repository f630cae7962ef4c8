"""What of a run somebody should know: one condition for each finding that is not well, or for the gate as a whole."""

from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct

from gatekeeper.alerts.judging.fingerprint import fingerprint
from gatekeeper.alerts.judging.measured import Measured, Recorded, measure, sentence
from gatekeeper.alerts.judging.rules import Rule, Rules
from gatekeeper.alerts.judging.templates import fill
from gatekeeper.model import JSON, SEVERITIES, WORST_FIRST, Finding, Result, Run, Severity, Status
from gatekeeper.plain import plain
from gatekeeper.wording import again, expected, observed, summary

RAN = ("pass", "warn", "fail")
"""Statuses of a gate that ran to its end: what it no longer finds is over."""


class Condition(Struct, frozen=True, kw_only=True):
    """Something that is so in a run, and is told. The texts are what is said where no rule says anything else."""

    fingerprint: str
    rule: Rule
    gate: str
    finding: str
    labels: Mapping[str, str]
    severity: Severity
    status: Status
    value: JSON = None
    operator: str | None = None
    limit: JSON = None
    unit: str | None = None
    summary: str = ""
    description: str = ""
    hint: str = ""


class Found(Struct):
    """The conditions of a run by fingerprint. `ran` are the gates that ran to their end; `open` the fingerprints of
    which this run can't tell whether they are over; `notes` say why a rule could not judge.
    """

    conditions: dict[str, Condition]
    ran: set[str]
    open: set[str]
    notes: list[str]


class Gathering(Struct, frozen=True, kw_only=True):
    """What conditions are found with: the run, the rules, recorded values, when it started and ended. `standing` are
    the fingerprints of the alerts that are not over.
    """

    run: Run
    rules: Rules
    defaults: bool
    severities: Mapping[str, Severity]
    evidence: Recorded
    standing: Collection[str]
    at: float
    now: float


def find(given: Gathering) -> Found:
    """The conditions of a run."""
    found = Found({}, set(), set(), [])
    results = [
        result for result in given.run.results if result.status != "skip" and not _cut_off(given.run, result)
    ]
    for result in results:
        if result.status in RAN:
            found.ran.add(result.id)
        for condition in _of_status(given, result):
            found.conditions[condition.fingerprint] = condition
    for rule in given.rules.quantities:
        _of_quantity(given, rule, results, found)
    return found


def _cut_off(run: Run, result: Result) -> bool:
    """Whether a result is none of its gate but of the interruption: it was not run, not ended, or its process lost."""
    if run.header.complete or result.status != "error":
        return False
    last = result.attempts[-1].reason if result.attempts else "interrupted"
    return "interrupted" in (last, result.reason) or result.reason.endswith("; then interrupted)")


# -- by status -----------------------------------------------------------------------------------------------------


def _of_status(given: Gathering, result: Result) -> Iterator[Condition]:
    if result.status == "pass" or result.requirement == "observe":
        return
    subject = given.run.subject.name
    for finding in _told(result):
        rules = given.rules.of(result.id, finding.status)
        if not rules and given.defaults:
            severity = _default_severity(result, finding.status, given.severities.get(result.id, "high"))
            yield _condition(given.rules.default, severity, result, finding, subject)
        for rule in rules:
            yield _condition(rule, rule.severity, result, finding, subject)


def _told(result: Result) -> Iterator[Finding]:
    """The findings that are not well, of those of one name the worst; without a name, the gate's own status where no
    finding stands for it.
    """
    worst: dict[str, Finding] = {}
    for finding in result.findings:
        if finding.status in ("pass", "skip"):
            continue
        known = worst.get(finding.name)
        if known is None or WORST_FIRST.index(finding.status) < WORST_FIRST.index(known.status):
            worst[finding.name] = finding
    yield from worst.values()
    if result.decisive is None:
        yield Finding("", result.status, message=result.reason or f"{result.id} is {result.status}")


def _default_severity(result: Result, status: Status, said: Severity) -> Severity:
    """A required gate's fail and error are as bad as is said of it; a warning and the unknown medium, or milder."""
    if result.requirement == "required" and status in ("fail", "error"):
        return said
    return min("medium", said, key=SEVERITIES.index)


def _condition(rule: Rule, severity: Severity, result: Result, finding: Finding, subject: str) -> Condition:
    labels = _labels(rule, result.id, finding.name, subject)
    said, wanted = summary(finding), expected(finding)
    return Condition(
        fingerprint=fingerprint(result.id, finding.name, subject, rule.name, labels),
        rule=rule,
        gate=result.id,
        finding=finding.name,
        labels=labels,
        severity=severity,
        status=finding.status,
        value=finding.observed,
        operator=finding.operator,
        limit=finding.limit,
        unit=finding.unit,
        summary=said,
        description=f"observed {observed(finding)}, expected {wanted}" if wanted and finding.message else "",
        hint=finding.hint or again(result),
    )


def _labels(rule: Rule, gate: str, finding: str, subject: str) -> Mapping[str, str]:
    if not rule.moving:
        return rule.labels
    values = {"gate": gate, "finding": finding, "subject": subject, "rule": rule.name}
    return {name: fill(text, values).text for name, text in rule.labels.items()}


# -- on recorded quantities ----------------------------------------------------------------------------------------


def _of_quantity(given: Gathering, rule: Rule, results: list[Result], found: Found) -> None:
    subject = given.run.subject.name
    for result in results:
        if not rule.covers(result.id):
            continue
        labels = _labels(rule, result.id, rule.finding, subject)
        name = fingerprint(result.id, rule.finding, subject, rule.name, labels)
        measured, problem = _measured(given, rule, result, name in given.standing)
        if problem:
            found.notes.append(f"alert rule {rule.name!r}: {result.id} {rule.finding}: {problem}")
        if measured is None:
            if problem:
                found.open.add(name)
            elif result.id in found.ran and rule.gate == result.id:
                found.notes.append(_nothing(rule, result))
        elif measured.fires:
            found.conditions[name] = _beyond(rule, result, measured, name, labels)


def _measured(given: Gathering, rule: Rule, result: Result, stands: bool) -> tuple[Measured | None, str]:
    if rule.threshold is None:
        return None, rule.problem
    there = [finding for finding in result.findings if finding.name == rule.finding]
    misses = rule.aggregate == "count" and rule.threshold.fires(0)
    if not (there or stands or misses):  # nothing begins without a new value, and most gates have none
        return None, ""
    measured, problem = measure(rule, result, given.evidence, given.at, given.now)
    if measured is None and there and not problem:
        return None, f"it recorded {observed(there[-1]) or 'no value'}, which is no number"
    return measured, problem


def _nothing(rule: Rule, result: Result) -> str:
    names = list(dict.fromkeys(f.name for f in result.findings if f.observed is not None))
    recorded = f"; it recorded {', '.join(names[:8])}{', …' if len(names) > 8 else ''}" if names else ""
    return (
        f"alert rule {rule.name!r} had nothing to judge: {result.id} recorded no {rule.finding!r}{recorded}"
    )


def _beyond(
    rule: Rule, result: Result, measured: Measured, name: str, labels: Mapping[str, str]
) -> Condition:
    assert rule.threshold is not None
    hints = [finding.hint for finding in result.findings if finding.name == rule.finding and finding.hint]
    return Condition(
        fingerprint=name,
        rule=rule,
        gate=result.id,
        finding=rule.finding,
        labels=labels,
        severity=rule.severity,
        status="fail" if SEVERITIES.index(rule.severity) > 1 else "warn",
        value=plain(measured.value),
        operator=rule.threshold.holds,
        limit=rule.threshold.limit,
        unit=measured.unit or None,
        summary=sentence(rule, measured),
        hint=hints[0] if hints else again(result),
    )
