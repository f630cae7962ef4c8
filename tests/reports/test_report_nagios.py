"""`nagios`: by the Monitoring Plugins Development Guidelines."""

import re
from typing import Any

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
    shipped,
    text_of,
)

from gatekeeper import Finding, Result, Run
from gatekeeper.decide import Policy, decide

NUMBER = r"-?\d+(?:\.\d+)?"
RANGE = rf"@?(?:(?:~|{NUMBER}):)?(?:{NUMBER})?"
PERFDATA = re.compile(
    rf"(?P<label>'[^'=|]*'|[^'=|\s]+)=(?P<value>{NUMBER})(?P<unit>s|B|%|c)?"
    rf"(?:;(?P<warn>{RANGE})(?:;(?P<crit>{RANGE})(?:;(?P<min>(?:{NUMBER})?)(?:;(?P<max>{NUMBER})?)?)?)?)?"
)


def exit_code(run: Run) -> int:
    function = shipped("nagios").exit_code
    assert function is not None
    return function(run)


def perfdata(text: str) -> list[dict[str, str]]:
    _, _, data = text.partition("\n")[0].partition("|")
    items = re.findall(r"(?:'[^']*'|[^'\s])+", data)
    matches = [PERFDATA.fullmatch(item) for item in items]
    assert all(matches), items
    return [match.groupdict() for match in matches if match]


def measured(*args: Any, **evidence: Any) -> str:
    """One finding's performance data."""
    found = replace(Finding(*args), evidence=evidence)
    result = Result(id="pre.a", phase="pre", status="pass", findings=(found,))
    return text_of("nagios", run_of((result,))).partition("\n")[0].partition("'pre.a.")[2].partition("'=")[2]


@ANY_RUN
@given(runs())
def test_any_run_is_one_status_line_with_well_formed_perfdata(run: Run) -> None:
    text = text_of("nagios", run)
    first = text.split("\n", 1)[0]
    state = ("OK", "WARNING", "CRITICAL", "UNKNOWN")[exit_code(run)]
    assert first.startswith(f"GATEKEEPER {state} - ")
    assert text.count("|") == 1
    assert len(text.encode()) <= 8192
    assert text.splitlines() == text.split("\n")[:-1], "no other kind of line break"
    labels = [item["label"] for item in perfdata(text)]
    assert len(set(labels)) == len(labels)


def test_the_exit_code_is_the_state() -> None:
    assert exit_code(passing_run()) == 0
    assert exit_code(rich_run()) == 2
    assert exit_code(empty_run()) == 3
    assert exit_code(interrupted_run()) == 3


@pytest.mark.parametrize(
    ("status", "requirement", "code"),
    [
        ("warn", "required", 1),
        ("warn", "observe", 0),
        ("fail", "advisory", 1),
        ("fail", "observe", 0),
        ("fail", "required", 2),
        ("error", "required", 2),
        ("unknown", "required", 3),
    ],
)
def test_a_status_and_requirement_make_a_state(status: str, requirement: str, code: int) -> None:
    fields: Any = {"status": status, "requirement": requirement}
    beside = Result(id="pre.b", phase="pre", status="pass")  # an observed gate alone decides nothing
    assert exit_code(run_of((Result(id="pre.a", phase="pre", **fields), beside))) == code


def test_a_hold_without_missing_evidence_is_a_warning() -> None:
    run = passing_run()
    verdict = decide(run.results, ["pre.a"], Policy(freezes=("release week",)))
    assert exit_code(Run(header=run.header, subject=run.subject, verdict=verdict, results=run.results)) == 1


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (("a", "pass", 0.5, "<=", 2.0, "s"), "0.5s;;2;0"),
        (("a", "warn", 0.83, "<=", 0.8, "ratio"), "83%;80;;0;100"),
        (("a", "pass", 1.5, "<=", 2.0, "ratio"), "150%;;200;0"),
        (("a", "fail", 5, ">=", 30, "B"), "5B;;30:;0"),
        (("a", "pass", 7, "<=", 9, "rows"), "7;;9"),
        (("a", "pass", -7, "<=", 9), "-7;;~:9"),
        (("a", "pass", 3, "<", 9), "3;;@9:"),
        (("a", "pass", 10, ">", 9), "10;;@~:9"),
        (("a", "pass", 200, "==", 200), "200;;200:200"),
        (("a", "pass", 3, "!=", 9), "3;;@9:9"),
        (("a", "pass", 42, None, None, "c"), "42c"),
        (("a", "pass", 1e-7, "<=", 1e-6, "s"), "0.0000001s;;0.000001;0"),
        (("a", "pass", 1.5e15, None, None, "B"), "1500000000000000B;;;0"),
    ],
)
def test_a_value_has_its_unit_and_its_ranges(finding: tuple[Any, ...], expected: str) -> None:
    assert measured(*finding) == expected


def test_both_limits_are_told() -> None:
    assert measured("a", "pass", 1, "<=", 5, "", limits={"warn": 3, "fail": 5}) == "1;3;5"
    assert measured("a", "pass", 9, ">=", 3, "", limits={"warn": 5, "fail": 3}) == "9;5:;3:"


@pytest.mark.parametrize("value", ["NaN", "Infinity", True, "7", None, [1], 1e300])
def test_what_is_no_number_of_the_guidelines_is_left_out(value: Any) -> None:
    assert measured("a", "pass", value) == ""


def test_a_label_is_made_of_what_a_label_may_have() -> None:
    result = Result(
        id="pre.a",
        phase="pre",
        status="pass",
        findings=(Finding("it's=a|b", "pass", 1), Finding("its:a/b", "pass", 2), Finding(HOSTILE, "pass", 3)),
    )
    labels = [item["label"] for item in perfdata(text_of("nagios", run_of((result,))))]
    assert labels[:3] == ["time", "'pre.a.its:a/b'", "'pre.a.its:a/b#2'"]


def test_much_of_everything_is_bounded_without_half_an_item() -> None:
    findings = tuple(Finding(f"finding number {n} 名", "pass", n) for n in range(1_000))
    results = tuple(
        Result(id=f"pre.g{n}", phase="pre", status="fail", reason="名" * 300, findings=findings)
        for n in range(50)
    )
    text = text_of("nagios", run_of(results))
    assert len(text.encode()) <= 8192
    assert len(perfdata(text)) > 50
    assert text.endswith(" more gates\n")
