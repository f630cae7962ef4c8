"""`cdevents`: what a tool of continuous delivery reads of a run, by CDEvents 0.5.1."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from msgspec.structs import replace
from report_samples import (
    ANY_RUN,
    HOSTILE,
    empty_run,
    interrupted_run,
    passing_run,
    rich_run,
    run_of,
    runs,
    text_of,
)

from gatekeeper import Reason, Result, Run, Verdict
from gatekeeper.model import Attempt

ENVELOPE = jsonschema_rs.validator_for(
    json.loads((Path(__file__).parent / "schemas" / "cloudevents-1.0.json").read_bytes()),
    validate_formats=True,
)


def of(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with these members and no other."""
    return {
        "type": "object",
        "required": list(required),
        "properties": required | (optional or {}),
        "additionalProperties": False,
    }


TEXT = {"type": "string"}
NAME = {"type": "string", "minLength": 1}
URI = {"type": "string", "minLength": 1, "format": "uri-reference"}
OUTCOME = {"enum": ["success", "failure", "cancel", "error"]}
SEVERITY = {"enum": ["low", "medium", "high", "critical"]}
ENVIRONMENT = of({"id": NAME}, {"source": URI})
TEST_CASE = of({"id": NAME}, {"version": TEXT, "name": TEXT})
CONTENTS = {
    "dev.cdevents.testsuiterun.finished.0.3.0": of(
        {"outcome": OUTCOME, "environment": ENVIRONMENT},
        {"testSuite": TEST_CASE, "severity": SEVERITY, "reason": TEXT},
    ),
    "dev.cdevents.testcaserun.finished.0.3.0": of(
        {"outcome": OUTCOME, "environment": ENVIRONMENT},
        {"testCase": TEST_CASE, "testSuiteRun": of({"id": NAME}), "severity": SEVERITY, "reason": TEXT},
    ),
    "dev.cdevents.testcaserun.skipped.0.2.0": of(
        {"environment": ENVIRONMENT},
        {"testCase": TEST_CASE, "testSuiteRun": of({"id": NAME}), "severity": SEVERITY, "reason": TEXT},
    ),
}
CDEVENTS = {
    kind: jsonschema_rs.validator_for(
        of(
            {
                "context": of(
                    {
                        "specversion": {"const": "0.5.1"},
                        "id": NAME,
                        "source": URI,
                        "type": {"const": kind},
                        "timestamp": {"type": "string", "format": "date-time"},
                    }
                ),
                "subject": of({"id": NAME, "content": content}),
            },
            {"customData": {"type": "object"}},
        ),
        validate_formats=True,
    )
    for kind, content in CONTENTS.items()
}
"""What spec.md and testing-events.md of CDEvents 0.5.1 say in tables. The project's own schemas, which accept the same
documents, are in no package."""


def events(run: Run) -> list[Any]:
    found = json.loads(text_of("cdevents", run).encode("utf-8"))
    for each in found:
        ENVELOPE.validate(each)
        CDEVENTS[each["type"]].validate(each["data"])
        context = each["data"]["context"]
        # cloudevents-binding.md, "CloudEvents Context"
        assert [context[name] for name in ("id", "source", "type", "timestamp")] == [
            each[name] for name in ("id", "source", "type", "time")
        ]
        assert each["subject"] == each["data"]["subject"]["id"]
        name, predicate, _ = each["type"].removeprefix("dev.cdevents.").split(".", 2)
        assert each["dataschema"] == f"https://cdevents.dev/0.5.1/schema/{name}-{predicate}-event"
    return list(found)


def content(event: Any) -> dict[str, Any]:
    found: dict[str, Any] = event["data"]["subject"]["content"]
    return found


def a_gate(**fields: Any) -> Result:
    return Result(**{"id": "pre.a", "phase": "pre", "status": "fail", "reason": "why", **fields})


@ANY_RUN
@given(runs())
def test_any_run_is_a_valid_event_of_the_suite_and_one_of_each_gate(run: Run) -> None:
    suite, *cases = events(run)
    assert suite["type"] == "dev.cdevents.testsuiterun.finished.0.3.0"
    kinds = ["skipped.0.2.0" if each.status == "skip" else "finished.0.3.0" for each in run.results]
    assert [each["type"] for each in cases] == [f"dev.cdevents.testcaserun.{kind}" for kind in kinds]
    assert (content(suite)["outcome"] == "success") == (run.verdict.decision == "proceed")


@pytest.mark.parametrize(
    ("decision", "exit_code", "outcome"),
    [
        ("proceed", 0, "success"),
        ("block", 1, "failure"),
        ("hold", 6, "failure"),
        ("none", 2, "cancel"),
        ("none", 5, "error"),
    ],
)
def test_the_verdict_is_the_outcome_of_the_suite(decision: Any, exit_code: int, outcome: str) -> None:
    reasons = (Reason(gate="pre.a", status="fail", text="first"), Reason(status="freeze", text="second"))
    run = replace(passing_run(), verdict=Verdict(decision, reasons, exit_code))
    suite = events(run)[0]
    assert content(suite)["outcome"] == outcome
    assert content(suite)["reason"] == "pre.a failed: first; second"
    custom = suite["data"]["customData"]
    assert (custom["decision"], custom["exit_code"]) == (decision, exit_code)


@pytest.mark.parametrize(
    ("status", "requirement", "outcome", "reason"),
    [
        ("pass", "required", "success", None),
        ("warn", "required", "success", "warn (required): why"),
        ("fail", "required", "failure", "why"),
        ("error", "required", "error", "why"),
        ("unknown", "required", "error", "why"),
        ("fail", "advisory", "success", "fail (advisory): why"),
        ("error", "observe", "success", "error (observe): why"),
        ("skip", "required", None, "why"),
    ],
)
def test_a_gate_has_the_outcome_that_it_has_in_junit_and_says_why(
    status: Any, requirement: Any, outcome: str | None, reason: str | None
) -> None:
    (_, case) = events(run_of((a_gate(status=status, requirement=requirement),)))
    assert (content(case).get("outcome"), content(case).get("reason")) == (outcome, reason)
    custom = case["data"]["customData"]
    assert (custom["status"], custom["requirement"]) == (status, requirement)


def test_cases_name_the_suite_they_belong_to() -> None:
    suite, *cases = events(rich_run())
    assert suite["subject"] == "7d1f0c"
    assert {content(each)["testSuiteRun"]["id"] for each in cases} == {"7d1f0c"}
    assert cases[0]["subject"] == "7d1f0c/pre.resources"
    assert content(cases[0])["testCase"] == {
        "id": "pre.resources",
        "name": "This host has what the flow needs.",
    }


def test_the_environment_is_the_profile_or_else_the_host() -> None:
    run = rich_run()
    assert {content(each)["environment"]["id"] for each in events(run)} == {"ci-1"}
    with_profile = replace(run, header=replace(run.header, profile="production"))
    assert content(events(with_profile)[0])["environment"] == {"id": "production"}
    nowhere = replace(run, environment={})
    assert content(events(nowhere)[0])["environment"] == {"id": "unknown"}


def test_no_two_events_have_one_id_also_not_with_those_of_the_other_format() -> None:
    run = rich_run()
    found = [*events(run), *json.loads(text_of("cloudevents", run))]
    ids = {(each["source"], each["id"]) for each in found}
    assert len(ids) == len(found)
    assert text_of("cdevents", run) == text_of("cdevents", run)


def test_a_run_of_nothing_and_one_that_was_interrupted_are_no_success() -> None:
    assert [content(each)["outcome"] for each in events(empty_run())] == ["error"]
    assert content(events(interrupted_run())[0])["outcome"] == "cancel"


@pytest.mark.parametrize("started", ["", "yesterday", "9999-12-31T23:59:59.999Z"])
def test_a_run_without_a_time_has_one_that_cannot_be_taken_for_real(started: str) -> None:
    run = passing_run()
    run = replace(run, header=replace(run.header, started=started))
    assert events(run)[0]["time"] == "1970-01-01T00:00:00.000Z"


def test_hostile_and_long_text_is_shown_as_escapes_and_cut() -> None:
    gate = a_gate(
        id=f"pre.{HOSTILE}", title=HOSTILE, reason=HOSTILE * 500, attempts=(Attempt(1, "fail"),) * 9
    )
    found = text_of("cdevents", replace(run_of((gate,)), environment={"host": HOSTILE}))
    assert "\\ud800" in found
    for each in events(replace(run_of((gate,)), environment={"host": HOSTILE})):
        assert len(json.dumps(each, ensure_ascii=False).encode("utf-8")) <= 65_536
        assert not any(ord(character) < 0x20 for character in each["subject"])


def test_a_run_without_a_name_of_its_own_has_ids_too() -> None:
    run = rich_run()
    found = events(replace(run, header=replace(run.header, id="")))
    assert found[0]["subject"] == "-"
