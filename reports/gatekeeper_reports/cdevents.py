"""`cdevents`: the verdict and every gate in the vocabulary of continuous delivery, CDEvents 0.5.1.

A run is a test suite's run, a gate a test case's (github.com/cdevents/spec, testing-events.md): the types that fit what
gates do. Each is carried in a CloudEvent, as cloudevents-binding.md says, and all of them in a batch, as `cloudevents`
does. Outcomes follow from status and requirement as in JUnit; what CDEvents has no member for is in `customData`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from gatekeeper import Report, Result, Run, View
from gatekeeper.wording import headline, held_against, reason_line

SPEC = "0.5.1"
PREFIX = "dev.cdevents."
MAX_TEXT = 2_000
MAX_NAME = 200

_OUTCOMES = {"proceed": "success", "hold": "failure", "block": "failure", "none": "error"}
_INTERRUPTED = 2


def render(run: Run, view: View) -> str:
    from gatekeeper.cloudevents import batch

    return batch([_of_run(run), *(_of_gate(result, run) for result in run.results)])


def _of_run(run: Run) -> dict[str, Any]:
    verdict, header = run.verdict, run.header
    content = {
        "outcome": "cancel" if verdict.exit_code == _INTERRUPTED else _OUTCOMES[verdict.decision],
        "reason": _text("; ".join(map(reason_line, verdict.reasons))),
        "environment": _environment(run),
        "testSuite": {"id": header.phase, "version": _text(header.settings_digest)},
    }
    custom = {
        "decision": verdict.decision,
        "exit_code": verdict.exit_code,
        "counts": run.counts,
        "complete": header.complete,
        "partial": header.partial,
        "digest": run.subject.digest,
        "duration_s": header.duration_s,
    }
    return _event("testsuiterun.finished.0.3.0", run, run.id, content, custom)


def _of_gate(result: Result, run: Run) -> dict[str, Any]:
    skipped = result.status == "skip"
    content = {
        "outcome": "" if skipped else _outcome(result),
        "reason": _reason(result),
        "environment": _environment(run),
        "testCase": {"id": _id(result.id), "name": _text(result.title, MAX_NAME)},
        "testSuiteRun": {"id": _id(run.id)},
    }
    custom = {
        "status": result.status,
        "requirement": result.requirement,
        "duration_s": result.duration_s,
        "attempts": len(result.attempts),
    }
    kind = "testcaserun.skipped.0.2.0" if skipped else "testcaserun.finished.0.3.0"
    return _event(kind, run, f"{run.id}/{result.id}", content, custom)


def _outcome(result: Result) -> str:
    if not held_against(result):
        return "success"
    return "failure" if result.status == "fail" else "error"


def _reason(result: Result) -> str:
    """Why a gate did not simply pass; its status too, where the outcome doesn't tell."""
    if result.status == "pass":
        return ""
    told = held_against(result) or result.status == "skip"
    return _text(headline(result) if told else f"{result.status} ({result.requirement}): {headline(result)}")


def _environment(run: Run) -> dict[str, str]:
    """Where it ran, which is a must: the profile, or else the host."""
    return {"id": _text(str(run.header.profile or run.environment.get("host") or ""), MAX_NAME) or "unknown"}


def _event(
    kind: str, run: Run, subject: str, content: dict[str, Any], custom: dict[str, Any]
) -> dict[str, Any]:
    """A CDEvent in a CloudEvent; ids are not those of the report `cloudevents`, which tells the same otherwise."""
    from gatekeeper.cloudevents import event, source_of

    name, _, version = kind.partition(".")
    predicate = version.partition(".")[0]
    about, time = _id(subject), _finished(run)
    context = {
        "specversion": SPEC,
        "id": f"cdevents/{about}",
        "source": source_of(run.subject.name),
        "type": f"{PREFIX}{kind}",
        "timestamp": time,
    }
    return event(
        kind,
        {"context": context, "subject": {"id": about, "content": _filled(content)}, "customData": custom},
        id=str(context["id"]),
        source=run.subject.name,
        subject=about,
        time=time,
        schema=f"https://cdevents.dev/{SPEC}/schema/{name}-{predicate}-event",
        prefix=PREFIX,
    )


def _filled(content: dict[str, Any]) -> dict[str, Any]:
    """Without what has no value: members may be left out, but not be empty."""
    filled = {key: _filled(value) if isinstance(value, dict) else value for key, value in content.items()}
    return {key: value for key, value in filled.items() if value != ""}


def _text(text: str, most: int = MAX_TEXT) -> str:
    from gatekeeper.cloudevents import string

    return string(text[:most])


def _id(text: str) -> str:
    from gatekeeper.cloudevents import string

    return string(text) or "-"


def _finished(run: Run) -> str:
    """When the run ended, in RFC 3339. There has to be a time: 1970 where the record says nothing that is one."""
    try:
        started = datetime.fromisoformat(run.header.started)
        ended = (started + timedelta(seconds=run.header.duration_s)).astimezone(UTC)
    except (ValueError, OverflowError):
        ended = datetime.fromtimestamp(0, UTC)
    return ended.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def gatekeeper_reports() -> Iterable[Report]:
    summary = "CDEvents of the verdict and of each gate, for tools of continuous delivery"
    imports = ("gatekeeper.cloudevents",)
    return [Report(name="cdevents", summary=summary, extension="json", render=render, imports=imports)]
