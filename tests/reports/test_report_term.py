"""`term` and `lines`: what people, screen readers and grep read."""

import re
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
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

from gatekeeper import Finding, PlanSummary, Reason, Result, Run, Verdict, View
from gatekeeper.model import Output
from gatekeeper.wording import one_line

WORDS = "PASS|WARN|FAIL|ERROR|UNKNOWN|SKIP"
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def columns(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(bool(unicodedata.combining(character)) for character in text)


def result_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.match(f"[✓▲✗■?–] ({WORDS}) ", line)]


def a_gate(**fields: Any) -> Result:
    return Result(**{"id": "pre.a", "phase": "pre", "status": "fail", **fields})


@ANY_RUN
@given(runs(), st.sampled_from([-1, 0, 1, 2]), st.booleans(), st.sampled_from([None, 20, 80]))
def test_nothing_from_a_gate_controls_the_terminal(
    run: Run, verbosity: int, color: bool, width: int | None
) -> None:
    text = text_of("term", run, verbosity=verbosity, color=color, width=width)
    bare = ESCAPES.sub("", text) if color else text
    controls = {
        character for character in bare if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    }
    assert controls <= {"\n", "\t"}
    assert not set(bare) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff")
    assert not re.search(r"(?m)^\s*::", bare), "a workflow command of GitHub"
    assert not re.search(r"##(vso|teamcity)?\[", bare), "a command of Azure or TeamCity"


@ANY_RUN
@given(runs())
def test_every_gate_has_its_line_and_the_verdict_comes_after(run: Run) -> None:
    text = text_of("term", run)
    assert len(result_lines(text)) >= len(run.results)
    assert f"VERDICT  {run.verdict.decision.upper()}" in text
    assert text.endswith(f"\nexit code {run.verdict.exit_code}\n")


@ANY_RUN
@given(runs())
def test_an_ascii_terminal_gets_ascii(run: Run) -> None:
    assert text_of("term", run, unicode=False, verbosity=2, width=60).isascii()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_on_a_terminal_a_gate_takes_one_line(width: int) -> None:
    wide = a_gate(reason="長い理由" * 40)
    text = text_of("term", run_of((*rich_run().results, wide)), width=width)
    assert all(columns(line) <= width for line in result_lines(text))


def test_a_pipe_gets_everything_uncut_and_without_rules() -> None:
    text = text_of("term", run_of((a_gate(reason="x" * 5_000),)))
    assert "x" * 5_000 in text
    assert "──" not in text


def test_colour_is_only_there_when_asked_for_and_never_alone() -> None:
    plain, coloured = text_of("term", rich_run()), text_of("term", rich_run(), color=True)
    assert "\x1b" not in plain
    assert "\x1b[" in coloured
    assert ESCAPES.sub("", coloured) == plain


def test_a_failure_shows_its_numbers_what_to_try_and_since_when() -> None:
    text = text_of("term", rich_run())
    for line in (
        "   expected  == 200",
        "   observed  503",
        "   since     3 runs; last passed 2026-11-19 21:04 UTC (run 3f2a9c)",
        "   try       curl -i http://localhost:8000/health",
        "   try       gatekeeper run pre pre.components -vv",
        "FAIL pre.components  required, gates/gate_components.py:14",
    ):
        assert f"{line}\n" in text


def test_quiet_is_what_does_not_pass_and_the_verdict() -> None:
    lines = text_of("term", rich_run(), verbosity=-1).splitlines()
    assert [line.split()[1] for line in lines[:-1]] == ["WARN", "FAIL", "ERROR", "UNKNOWN", "FAIL", "FAIL"]
    assert lines[-1].startswith("VERDICT  BLOCK   pre.components failed: backend")
    assert text_of("term", passing_run(), verbosity=-1) == "VERDICT  PROCEED 1 passed in 12.65s\n"


def test_more_shows_the_findings_of_passes_and_all_shows_their_output() -> None:
    passed = a_gate(status="pass", findings=(Finding("rows", "pass", 5),), output=Output("printed\n"))
    normal, more, everything = (text_of("term", run_of((passed,)), verbosity=level) for level in (0, 1, 2))
    assert "finding" not in normal
    assert "finding   PASS rows" in more
    assert "printed" not in more
    assert "| printed" in everything


def test_the_end_of_long_output_is_shown_and_how_to_see_the_rest() -> None:
    run = run_of((a_gate(output=Output("".join(f"line {n}\n" for n in range(100)), "", 5)),))
    text = text_of("term", run)
    assert "(90 earlier lines: -vv)" in text
    assert "line 89\n" not in text
    assert "| line 99\n" in text
    assert "(5 bytes were cut from the middle)" in text
    assert "| line 0\n" in text_of("term", run, verbosity=2)


def test_many_failing_findings_are_counted() -> None:
    text = text_of("term", rich_run())
    assert "more      2 more findings" in text
    assert "row 12 has no country" not in text
    assert "row 12 has no country" in text_of("term", rich_run(), verbosity=1)


def test_no_gates_says_so() -> None:
    text = text_of("term", empty_run())
    assert 'No gates ran in phase "all".' in text
    assert "VERDICT  NONE    no gate ran: nothing was planned" in text


def test_a_result_that_did_not_stream_has_its_line() -> None:
    make = shipped("term").stream
    assert make is not None
    stream = make(View())
    text = stream.begin(PlanSummary(run="1", phase="pre", gates=["pre.a"])) + stream.end(passing_run())
    assert len(result_lines(text)) == 1


def test_interrupted_and_partial_runs_say_so() -> None:
    assert "the run did not finish" in text_of("term", interrupted_run())
    partial = run_of(passing_run().results, partial=True)
    assert "no clearance of the subject" in text_of("term", partial)


def test_another_verdict_than_gatekeepers_own_is_shown_beside_it() -> None:
    run = passing_run()
    verdict = Verdict("block", (Reason(status="plugin", text="Friday"),), 1, "office-hours", run.verdict)
    text = text_of("term", msgspec.structs.replace(run, verdict=verdict))
    assert "BLOCK   Friday" in text
    assert "by office-hours; gatekeeper's own verdict was PROCEED" in text


def test_the_header_says_what_runs_and_from_where() -> None:
    make = shipped("term").stream
    assert make is not None
    plan = PlanSummary(
        run="1",
        phase="pre",
        gates=["pre.a", "pre.b"],
        sources=["gates/", "1 plugin"],
        profile="ci",
        config="gatekeeper.toml",
    )
    first, second, _ = make(View()).begin(plan).split("\n", 2)
    assert first.endswith("  phase pre  profile ci  config gatekeeper.toml")
    assert second == "2 gates collected from gates/ and 1 plugin"


def test_the_program_has_its_last_words_before_the_exit_code() -> None:
    lines = text_of("term", rich_run(), closing=[("reports", "reports/junit.xml")]).splitlines()
    assert lines[-3:] == [
        "reports  reports/junit.xml",
        "again    gatekeeper run all --last-failed",
        "exit code 1",
    ]


@ANY_RUN
@given(runs())
def test_lines_are_one_for_each_result_and_one_for_the_verdict(run: Run) -> None:
    lines = text_of("lines", run).splitlines()
    rows = [line.split("\t") for line in lines]
    assert all(len(row) == 4 for row in rows)
    assert [row[1] for row in rows[:-1]] == [one_line(result.id) for result in run.results]
    assert [row[0] for row in rows[:-1]] == [result.status.upper() for result in run.results]
    assert rows[-1][:2] == ["VERDICT", run.verdict.decision.upper()]


def test_lines_say_when_a_gate_does_not_decide() -> None:
    line = text_of("lines", run_of((a_gate(requirement="advisory", reason=HOSTILE),))).splitlines()[0]
    assert line.endswith(" (advisory)")
