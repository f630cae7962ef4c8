"""What reports share: safe text, and what they say alike."""

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import HOSTILE, TEXT, empty_run, interrupted_run, passing_run, rich_run, run_of

from gatekeeper import Finding, Result, printable, strict_json, summary
from gatekeeper.model import Attempt, Since
from gatekeeper.wording import (
    again,
    details,
    expected,
    headline,
    held_against,
    lasting,
    limits,
    observed,
    one_line,
    unexplained,
    unique,
)

MODULES = [
    "term", "lines", "jsonreport", "jsonl", "junit", "markdown", "html", "github", "gitlab", "sarif", "cloudevents", "cdevents", "tap", "nagios", "prometheus",
]  # fmt: skip


def test_every_control_format_and_surrogate_character_is_shown_as_its_escape() -> None:
    for code in range(0x110000):
        character = chr(code)
        joiner = code in (0x200C, 0x200D)
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and not joiner:
            assert printable(character).startswith("\\"), hex(code)


@pytest.mark.parametrize("text", ["", "plain", "Grüße 你好 🎉", "a\u00a0b", "👩\u200d🚒", "C:\\temp"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert printable(text) == text


def test_line_breaks_and_tabs_stay_in_text_of_several_lines_only() -> None:
    assert printable("a\n\tb\r\nc\rd", newlines=True) == "a\n\tb\nc\\rd"
    assert printable("a\n\tb") == "a\\n\\tb"


@pytest.mark.parametrize("command", ["##vso[task.setvariable x=y]1", "x ##[error]y", "##teamcity[a]"])
def test_what_a_ci_system_would_obey_is_broken_up(command: str) -> None:
    assert "##" not in printable(command)


def test_a_workflow_command_at_the_start_of_a_line_is_broken_up() -> None:
    assert printable("a\n  ::error::x\nb::c", newlines=True) == "a\n  \\x3a:error::x\nb::c"


@given(TEXT)
def test_safe_text_is_stable(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    assert printable(printable(text, True), True) == printable(text, True)
    assert len(one_line(text).splitlines()) <= 1


@given(st.dictionaries(TEXT, st.lists(TEXT)))
def test_strict_json_is_utf_8_whatever_the_text(value: dict[str, list[str]]) -> None:
    strict_json(value).decode("utf-8")


def test_a_summary_of_a_fail_turns_the_operator_round() -> None:
    assert summary(Finding("p95", "fail", 0.7, "<=", 0.5, "s")) == "p95 700 ms > 500 ms"
    assert summary(Finding("p95", "pass", 0.3, "<=", 0.5, "s")) == "p95 300 ms <= 500 ms"
    assert summary(Finding("p95", "fail", 0.7, "<=", 0.5, "s", message="slow")) == "slow"


def test_a_pass_tells_what_is_nearest_to_its_limit_first() -> None:
    far, near = Finding("far", "pass", 1, "<=", 100), Finding("near", "pass", 99, "<=", 100)
    low = Finding("low", "pass", 10, ">=", 9)
    result = Result(id="pre.a", phase="pre", status="pass", findings=(far, Finding("x", "pass"), near, low))
    assert headline(result) == "near 99 <= 100, low 10 >= 9, far 1 <= 100"


def test_a_pass_of_bare_checks_says_how_many() -> None:
    checks = (Finding("check", "pass"), Finding("check", "pass"))
    assert headline(Result(id="pre.a", phase="pre", status="pass", findings=checks)) == "2 checks"


def test_a_pass_after_a_fail_says_so() -> None:
    attempts = (Attempt(1, "fail"), Attempt(2, "pass"))
    result = Result(id="pre.a", phase="pre", status="pass", attempts=attempts, flaky=True, title="T")
    assert headline(result) == "passed on attempt 2 of 2 (flaky); T"


def test_what_was_expected_names_both_limits() -> None:
    both = {"limits": {"warn": 0.8, "fail": 0.9}}
    warned = Finding("disk", "warn", 0.83, "<=", 0.8, "ratio", evidence=both)
    assert expected(warned) == "<= 80 % (fails beyond 90 %)"
    failed = Finding("disk", "fail", 0.95, "<=", 0.9, "ratio", evidence=both)
    assert expected(failed) == "<= 90 % (warns beyond 80 %)"
    assert expected(Finding("disk", "pass", 0.5, evidence=both)) == ""


def test_one_limit_of_a_warning_is_its_warn_limit() -> None:
    assert limits(Finding("a", "warn", 3, "<=", 2)).warn == 2
    assert limits(Finding("a", "fail", 3, "<=", 2)).fail == 2


def test_the_number_of_samples_stands_by_the_value() -> None:
    assert observed(Finding("a", "fail", 0.231, unit="s", n=20)) == "231 ms (n = 20)"
    assert observed(Finding("a", "unknown", n=3)) == "(n = 3)"


def test_how_long_it_lasts() -> None:
    assert lasting(Since(1)) == "1 run; has not passed before"
    assert (
        lasting(Since(3, "2026-11-19T21:04:31Z", "3f")) == "3 runs; last passed 2026-11-19 21:04 UTC (run 3f)"
    )


def test_details_are_bounded_and_say_how_many_are_missing() -> None:
    findings = tuple(Finding(f"f{n}", "fail", message=f"m{n}") for n in range(30))
    rows = details(Result(id="pre.a", phase="pre", status="fail", reason="m0", findings=findings), 5)
    assert sum(label == "finding" for label, _ in rows) == 5
    assert ("more", "25 more findings") in rows


def test_details_put_a_fail_before_a_warning() -> None:
    findings = (Finding("w", "warn"), Finding("f", "fail"))
    rows = details(Result(id="pre.a", phase="pre", status="fail", findings=findings))
    assert [text for label, text in rows if label == "finding"] == ["FAIL f", "WARN w"]


def test_the_command_to_run_a_gate_again_survives_a_shell() -> None:
    hostile = Result(id="pre.a[$(rm -rf ~);'x']", phase="pre", status="fail")
    echoed = subprocess.run(
        ["sh", "-c", again(hostile).replace("gatekeeper run pre", "printf %s", 1)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert echoed.stdout.startswith(hostile.id)


@pytest.mark.parametrize("status", ["fail", "error", "unknown"])
def test_only_required_gates_stand_against_a_verdict(status: str) -> None:
    for requirement, expected_answer in (("required", True), ("advisory", False), ("observe", False)):
        result = Result(id="pre.a", phase="pre", status=status, requirement=requirement)  # type: ignore[arg-type]
        assert held_against(result) is expected_answer


def test_a_verdict_that_no_gate_explains_is_explained() -> None:
    assert not unexplained(passing_run())
    assert not unexplained(rich_run()), "a gate skipped because of a failed one needs no words of its own"
    assert [reason.status for reason in unexplained(empty_run())] == ["empty"]
    assert [reason.status for reason in unexplained(interrupted_run())] == ["incomplete"]


def test_a_required_gate_blocked_by_an_advisory_one_is_explained() -> None:
    blocked = Result(id="pre.b", phase="pre", status="skip", blocked_by="pre.a", reason="blocked by pre.a")
    run = run_of((Result(id="pre.a", phase="pre", status="fail", requirement="advisory"), blocked))
    assert run.verdict.decision == "hold"
    assert [reason.gate for reason in unexplained(run)] == ["pre.b"]


@given(st.lists(st.sampled_from(["a", "a#2", "b", ""])))
def test_names_become_unique_and_first_ones_stay(names: list[str]) -> None:
    result = unique(names)
    assert len(set(result)) == len(names)
    assert all(made.startswith(name) for name, made in zip(names, result, strict=True))


def test_reports_import_nothing_heavy_until_they_are_asked() -> None:
    heavy = ["junit_xml", "xml.etree.ElementTree", "json", "html", "decimal", "rich", "yaml", "jsonschema"]
    program = (
        f"import gatekeeper.reporting, gatekeeper.wording, sys; before = set(sys.modules)\n"
        f"for name in {MODULES}: __import__('gatekeeper_reports.' + name)\n"
        f"print([name for name in {heavy} if name in set(sys.modules) - before])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_hostile_sample_is_hostile() -> None:
    assert not HOSTILE.isprintable()
