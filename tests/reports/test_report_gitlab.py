"""`gitlab`: what GitLab's documentation asks of a code quality report, for any text."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
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

from gatekeeper import Finding, Result, Run

# docs.gitlab.com/ci/testing/code_quality, "Code Quality report format"
SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "additionalProperties": False,
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "additionalProperties": False,
                "properties": {
                    "path": {"type": "string", "pattern": "^[^/]"},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "additionalProperties": False,
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")


def entries(run: Run) -> Any:
    found = json.loads(text_of("gitlab", run).encode("utf-8"))
    VALIDATOR.validate(found)
    return found


def a_gate(**fields: Any) -> Result:
    return Result(**{"id": "pre.a", "phase": "pre", "status": "fail", "reason": "why", **fields})


@ANY_RUN
@given(runs())
def test_any_run_is_a_valid_report_with_unique_fingerprints_and_no_empty_one_unless_it_proceeds(
    run: Run,
) -> None:
    found = entries(run)
    assert len({entry["fingerprint"] for entry in found}) == len(found)
    for entry in found:
        assert not CONTROL.search(entry["description"] + entry["check_name"] + entry["location"]["path"])
    if run.verdict.decision != "proceed":
        assert {entry["severity"] for entry in found} & {"blocker", "critical"}


def test_nothing_wrong_is_an_empty_list() -> None:
    assert text_of("gitlab", passing_run()) == "[]\n"


@pytest.mark.parametrize(
    ("status", "requirement", "severity"),
    [
        ("fail", "required", "blocker"), ("error", "required", "blocker"), ("unknown", "required", "critical"), ("warn", "required", "minor"),
        ("fail", "advisory", "minor"), ("error", "advisory", "minor"), ("unknown", "advisory", "minor"), ("warn", "advisory", "minor"),
        ("fail", "observe", "info"), ("error", "observe", "info"), ("unknown", "observe", "info"), ("warn", "observe", "info"),
    ],
)  # fmt: skip
def test_each_status_and_requirement_has_its_severity(status: str, requirement: str, severity: str) -> None:
    (entry,) = entries(
        run_of((*passing_run().results, a_gate(id="pre.b", status=status, requirement=requirement)))
    )
    assert entry["severity"] == severity


@pytest.mark.parametrize("run", [empty_run(), interrupted_run()])
def test_nothing_run_and_an_interruption_are_entries(run: Run) -> None:
    (entry,) = entries(run)
    assert (entry["check_name"], entry["severity"]) == ("verdict", "critical")
    assert entry["location"] == {"path": "gatekeeper.toml", "lines": {"begin": 1}}


def test_a_failure_says_which_gate_why_and_where() -> None:
    entry = next(entry for entry in entries(rich_run()) if entry["check_name"] == "pre.components")
    assert entry["description"] == "pre.components: backend http://localhost:8000/health gave 503, want 200"
    assert entry["location"] == {"path": "gates/gate_components.py", "lines": {"begin": 14}}


def test_the_same_failure_with_other_numbers_is_the_same_entry() -> None:
    def told(value: float) -> Any:
        finding = Finding("p95", "fail", value, "<=", 0.5, "s")
        (entry,) = entries(run_of((a_gate(reason=f"p95 {value} s > 500 ms", findings=(finding,)),)))
        return entry

    before, after = told(0.7), told(0.9)
    assert before["description"] != after["description"]
    assert before["fingerprint"] == after["fingerprint"]


def test_what_is_long_is_cut_and_what_is_hostile_is_shown() -> None:
    (entry,) = entries(run_of((a_gate(reason=HOSTILE * 100),)))
    assert len(entry["description"]) <= 500
    assert "\\x1b[31mred" in entry["description"]
