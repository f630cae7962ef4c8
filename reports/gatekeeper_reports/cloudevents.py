"""`cloudevents`: the verdict, and each gate that does not pass, as a batch of CloudEvents 1.0.

A batch (`application/cloudevents-batch+json`), since receivers know that, and a JSON document can be checked. Ids are
the run's and the gates': a run that is told twice is told by the same events. Their data is what the JSON report says,
as far as there is room in an event; `event-run-1.json` and `event-gate-1.json` in `gatekeeper/schemas` describe it.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

from gatekeeper import Report, Result, Run, View, strict_json
from gatekeeper.wording import worst_first

ROOM = 60_000
"""Bytes for the data of an event, which should not be larger than 64 KiB with its attributes."""
MAX_TEXT = 2_000

T = TypeVar("T")


def render(run: Run, view: View) -> str:
    from gatekeeper.cloudevents import batch

    told = (result for result in worst_first(run.results) if result.status not in ("pass", "skip"))
    time = _finished(run)
    return batch([_of_run(run, time), *(_of_gate(result, run, time) for result in told)])


def _of_run(run: Run, time: str) -> dict[str, Any]:
    from msgspec.structs import replace

    from gatekeeper.cloudevents import event

    verdict = run.verdict
    bare = replace(verdict, reasons=(), original=verdict.original and replace(verdict.original, reasons=()))
    data = {
        "run": run.header,
        "subject": run.subject,
        "verdict": bare,
        "counts": run.counts,
        "environment": run.environment,
        "notes": [],
        "omitted": 0,
    }
    reasons = _fitting(verdict.reasons, ROOM - _size(data))
    notes = _fitting(run.notes, ROOM - _size(data) - _size(reasons))
    omitted = len(verdict.reasons) + len(run.notes) - len(reasons) - len(notes)
    data |= {"verdict": replace(bare, reasons=tuple(reasons)), "notes": notes, "omitted": omitted}
    return event(
        "run.finished",
        data,
        id=run.id,
        source=run.subject.name,
        subject=run.id,
        time=time,
        schema="urn:gatekeeper:schema:event-run:1",
        decision=verdict.decision,
    )


def _of_gate(result: Result, run: Run, time: str) -> dict[str, Any]:
    """A gate, with its findings but those that pass, worst first, and without its output."""
    from msgspec.structs import replace

    from gatekeeper.cloudevents import event
    from gatekeeper.model import WORST_FIRST, Output

    printed = sum(
        len(text.encode("utf-8", "replace")) for text in (result.output.stdout, result.output.stderr)
    )
    bare = replace(
        result,
        title=result.title[:MAX_TEXT],
        reason=result.reason[:MAX_TEXT],
        attempts=(),
        findings=(),
        output=Output(dropped=result.output.dropped + printed),
    )
    data = {"run": run.header, "subject": run.subject, "gate": bare, "omitted": 0}
    told = sorted(
        (finding for finding in result.findings if finding.status not in ("pass", "skip")),
        key=lambda finding: WORST_FIRST.index(finding.status),
    )
    findings = _fitting(told, ROOM - _size(data))
    attempts = _fitting(result.attempts, ROOM - _size(data) - _size(findings))
    omitted = len(result.findings) + len(result.attempts) - len(findings) - len(attempts)
    data |= {"gate": replace(bare, findings=tuple(findings), attempts=tuple(attempts)), "omitted": omitted}
    return event(
        "gate.finished",
        data,
        id=f"{run.id}/{result.id}",
        source=run.subject.name,
        subject=result.id,
        time=time,
        schema="urn:gatekeeper:schema:event-gate:1",
        status=result.status,
        requirement=result.requirement,
    )


def _fitting(items: Iterable[T], room: int) -> list[T]:
    """The first items that fit into so many bytes together."""
    taken: list[T] = []
    for item in items:
        room -= _size(item) + 1
        if room < 0:
            break
        taken.append(item)
    return taken


def _size(value: Any) -> int:
    return len(strict_json(value))


def _finished(run: Run) -> str:
    """When the run ended, in RFC 3339; empty where its record says nothing that is a time."""
    from datetime import UTC, datetime, timedelta

    try:
        started = datetime.fromisoformat(run.header.started)
        ended = (started + timedelta(seconds=run.header.duration_s)).astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return ended.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def gatekeeper_reports() -> list[Report]:
    summary = "events of the verdict and of each gate that does not pass"
    imports = ("gatekeeper.cloudevents",)
    return [Report(name="cloudevents", summary=summary, extension="json", render=render, imports=imports)]
