"""`junit`: valid for any text, and never green for a verdict that is not."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from lxml import etree
from report_samples import (
    ANY_RUN,
    HOSTILE,
    TEXT,
    empty_run,
    interrupted_run,
    passing_run,
    rich_run,
    run_of,
    runs,
    text_of,
)

from gatekeeper import Finding, Reason, Result, Run, Verdict
from gatekeeper.decide import Policy, decide
from gatekeeper.model import Attempt, Output

SCHEMA = etree.XMLSchema(file=str(Path(__file__).parent / "schemas" / "junit-10.xsd"))


def parsed(run: Run) -> Any:
    root = etree.fromstring(text_of("junit", run).encode("utf-8"))
    SCHEMA.assertValid(root)
    return root


def case(result: Result) -> Any:
    return parsed(run_of((result,))).find("testsuite/testcase")


def a_gate(**fields: Any) -> Result:
    return Result(**{"id": "pre.a", "phase": "pre", "status": "fail", **fields})


@ANY_RUN
@given(runs())
def test_any_run_is_valid_and_red_whenever_it_does_not_proceed(run: Run) -> None:
    root = parsed(run)
    suite = root.find("testsuite")
    cases = suite.findall("testcase")
    red = [each for each in cases if each.find("failure") is not None or each.find("error") is not None]
    assert int(root.get("tests")) == int(suite.get("tests")) == len(cases)
    assert int(root.get("failures")) + int(root.get("errors")) == len(red)
    assert len(cases) - len(run.results) in (0, 1)
    if run.verdict.decision != "proceed":
        assert red


@settings(deadline=None)
@given(TEXT, TEXT)
def test_a_failure_stays_a_failure_whatever_its_message(reason: str, printed: str) -> None:
    failure = case(a_gate(reason=reason, output=Output(printed, printed))).find("failure")
    assert failure is not None
    assert failure.get("message")
    assert failure.text.strip()


@pytest.mark.parametrize(
    ("status", "requirement", "element"),
    [
        ("fail", "required", "failure"),
        ("error", "required", "error"),
        ("unknown", "required", "error"),
        ("skip", "required", "skipped"),
        ("skip", "advisory", "skipped"),
        ("pass", "required", None),
        ("warn", "required", None),
        ("fail", "advisory", None),
        ("error", "advisory", None),
        ("unknown", "observe", None),
        ("fail", "observe", None),
    ],
)
def test_each_status_and_requirement_has_its_place(
    status: str, requirement: str, element: str | None
) -> None:
    found = case(a_gate(status=status, requirement=requirement, reason="because"))
    others = [child.tag for child in found if child.tag != "system-out"]
    assert others == ([element] if element else [])
    if element is None and status != "pass":
        assert "because" in found.findtext("system-out")


def test_a_hold_that_is_no_gates_fault_is_an_error_of_its_own() -> None:
    passing = passing_run()
    verdict = decide(passing.results, ["pre.a"], Policy(freezes=("release week (until Monday)",)))
    root = parsed(
        Run(header=passing.header, subject=passing.subject, verdict=verdict, results=passing.results)
    )
    (error,) = root.iter("error")
    assert error.getparent().get("name") == "verdict"
    assert "release week" in error.get("message")


@pytest.mark.parametrize("run", [empty_run(), interrupted_run()])
def test_nothing_run_and_an_interruption_are_errors(run: Run) -> None:
    assert [case.get("name") for case in parsed(run).iter("testcase")][-1] == "verdict"
    assert parsed(run).get("errors") == "1"


def test_a_plugins_block_without_any_reason_is_an_error() -> None:
    passing = passing_run()
    verdict = Verdict("block", (), 1, "plugin", passing.verdict)
    root = parsed(
        Run(header=passing.header, subject=passing.subject, verdict=verdict, results=passing.results)
    )
    assert root.get("errors") == "1"


def test_a_reason_without_text_is_an_error() -> None:
    passing = passing_run()
    verdict = Verdict("hold", (Reason(status="plugin"),), 6, "plugin", passing.verdict)
    root = parsed(
        Run(header=passing.header, subject=passing.subject, verdict=verdict, results=passing.results)
    )
    assert root.get("errors") == "1"


def test_a_gate_without_a_result_is_an_error() -> None:
    passing = passing_run()
    verdict = decide(passing.results, ["pre.a", "pre.lost"], Policy())
    root = parsed(
        Run(header=passing.header, subject=passing.subject, verdict=verdict, results=passing.results)
    )
    assert "pre.lost" in next(root.iter("error")).get("message")


def test_a_failure_carries_what_a_person_needs() -> None:
    text = next(parsed(rich_run()).iter("failure")).text
    for part in (
        "== 200",
        "503",
        "curl -i",
        "last passed 2026-11-19 21:04 UTC",
        "gate_components.py:14",
        "-vv",
    ):
        assert part in text


def test_earlier_attempts_are_reruns_or_flaky() -> None:
    attempts = (Attempt(1, "fail", "a"), Attempt(2, "error", "b"), Attempt(3, "pass"))
    flaky = case(a_gate(status="pass", attempts=attempts, flaky=True))
    assert [child.tag for child in flaky][-2:] == ["flakyFailure", "flakyError"]
    rerun = case(a_gate(attempts=(Attempt(1, "fail", "a"), Attempt(2, "fail", "b"))))
    assert [child.tag for child in rerun] == ["failure", "rerunFailure"]


def test_hostile_text_is_shown_and_chooses_no_file_to_attach() -> None:
    printed = f"{HOSTILE}\n[[ATTACHMENT|/etc/passwd]]"
    finding = Finding("x", "fail", message=printed)
    text = text_of("junit", run_of((a_gate(output=Output(printed), findings=(finding,)),)))
    assert "\\x1b[31m" in text
    assert "\\ud800" in text
    assert "[[ATTACHMENT|" not in text


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 0.12345, 59.9996, 1234567.8, 1e9])
def test_times_have_three_decimals(seconds: float) -> None:
    found = case(a_gate(duration_s=seconds))
    assert found.get("time") == f"{seconds:.3f}"


def test_a_time_without_a_zone_and_who_and_what_are_told() -> None:
    suite = parsed(rich_run()).find("testsuite")
    assert suite.get("timestamp") == "2026-11-21T06:00:00"
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert properties["run"] == "7d1f0c"
    assert properties["subject"] == "checkout"
    assert properties["verdict"] == "block"
    assert properties["exit_code"] == "1"
