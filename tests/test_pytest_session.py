"""`pytest --gatekeeper=pre,post`: what starts, what is said, and the exit code."""

import re

import pytest

from gatedsessions import GREEN, sessions

pytest_plugins = ["pytester"]
__all__ = ["sessions"]

RED = "def test_red(): assert 1 == 2\n"


def statuses(run):
    return {result.id: result.status for result in run.results}


def text(done):
    return "\n".join(done.outlines)


# -- before the session ------------------------------------------------------------------------------------------------


def test_a_healthy_session_between_passing_gates_is_green_and_one_run_is_recorded(sessions):
    done = sessions.test(GREEN)
    done.assert_outcomes(passed=2)
    assert done.ret == 0
    (run,) = sessions.records(1)
    assert (run.header.phase, run.verdict.decision, run.subject.name) == ("exec", "proceed", "configured")
    assert (statuses(run)["pre.start"], statuses(run)["post.flow"]) == ("pass", "pass")
    assert done.outlines[0].startswith("gatekeeper: gates before the session: ")
    assert "gatekeeper: proceed (gates: " in done.outlines[-1]


def test_a_block_stops_the_session_before_anything_is_collected(sessions):
    sessions.switch("off")
    sessions.write({"conftest.py": "open('imported', 'w')"})
    done = sessions.test("open('imported', 'w')\ndef test_it(): pass\n")
    assert (done.ret, (sessions.root / "imported").exists()) == (1, False)
    said = text(done)
    assert "test session starts" not in said
    assert "FAIL pre.start" in said
    assert "it is switched off" in said
    assert "rm off" in said
    assert "gatekeeper: block, exit code 1" in said
    assert statuses(sessions.last)["post.flow"] == "skip"


def test_a_hold_stops_the_session_with_exit_code_6(sessions):
    sessions.switch("doubt")
    done = sessions.test(GREEN)
    assert done.ret == 6
    assert "test session starts" not in text(done)
    assert "UNKNOWN pre.start" in text(done)
    assert sessions.last.verdict.decision == "hold"


def test_a_session_that_runs_on_hold_ends_with_the_hold(sessions):
    sessions.switch("doubt")
    done = sessions.test(GREEN, "--gatekeeper-on-hold=run")
    done.assert_outcomes(passed=2)
    assert done.ret == 6


def test_on_hold_run_does_not_run_on_a_block(sessions):
    sessions.switch("off")
    assert sessions.test(GREEN, "--gatekeeper-on-hold=run").ret == 1


# -- after the session -------------------------------------------------------------------------------------------------


def test_a_verdict_that_blocks_makes_a_green_session_red(sessions):
    sessions.switch("bad")
    done = sessions.test(GREEN)
    done.assert_outcomes(passed=2)
    assert done.ret == 1
    assert "FAIL post.seen" in text(done)
    assert "gatekeeper: block, exit code 1" in text(done)


def test_a_verdict_that_holds_ends_a_green_session_with_6(sessions):
    sessions.switch("late-doubt")
    assert sessions.test(GREEN).ret == 6


RED_SESSIONS = {
    "a failure": (RED, (), 1),
    "an interrupt": ("def test_it(): raise KeyboardInterrupt\n", (), 2),
    "an internal error": (GREEN, ("-p", "breaking"), 3),
    "wrong arguments": (GREEN, ("--no-such-option",), 4),
    "a file that is not there": (GREEN, ("nowhere.py",), 4),
    "no tests": ("", (), 5),
    "its own code": ("import pytest\ndef test_it(): pytest.exit('enough', returncode=42)\n", (), 42),
}


@pytest.mark.parametrize("switch", ["nothing", "late-doubt", "bad"])
@pytest.mark.parametrize(("body", "args", "code"), RED_SESSIONS.values(), ids=RED_SESSIONS)
def test_a_session_that_is_red_by_itself_keeps_its_own_exit_code(sessions, body, args, code, switch):
    sessions.switch(switch)
    sessions.write({"breaking.py": "def pytest_runtestloop(): raise RuntimeError\n"})
    assert sessions.test(body, *args).ret == code
    assert sessions.last.verdict.decision == "hold" if code == 5 and switch != "bad" else "block"


def test_only_the_phases_that_are_asked_for_run(sessions):
    sessions.test(GREEN, gates="post")
    assert {result.phase for result in sessions.last.results} == {"post"}
    sessions.test(GREEN, gates="pre")
    assert {result.phase for result in sessions.last.results} == {"pre"}


def test_a_session_without_gates_that_could_say_anything_is_no_clearance(sessions):
    sessions.write(
        {
            "gatekeeper.toml": "[gates.start]\nenabled = false\n[gates.resources]\nenabled = false\n[gates.storage]\nenabled = false\n"
        }
    )
    done = sessions.test(GREEN, gates="pre")
    done.assert_outcomes(passed=2)
    assert done.ret == 5


def test_an_unconfigured_project_stays_green_after_a_healthy_session(pytester, sessions):
    (sessions.root / "gatekeeper.toml").unlink()
    (sessions.root / "gates/gate_flow.py").unlink()
    assert sessions.test(GREEN, gates="post").ret == 0
    found = statuses(sessions.last)
    assert found["post.flow"] == "pass"
    assert {found[gate] for gate in ("post.outputs", "post.performance", "post.errors")} == {"skip"}


def test_a_mistake_in_gatekeepers_configuration_is_a_usage_error_and_nothing_runs(sessions):
    sessions.write(
        {"gatekeeper.toml": "[gates.flow]\nexit_cods = [1]\n", "conftest.py": "open('imported', 'w')"}
    )
    done = sessions.test(GREEN)
    assert (done.ret, (sessions.root / "imported").exists()) == (4, False)
    assert "exit_cods" in "\n".join(done.errlines)
    assert "Did you mean 'exit_codes'" in "\n".join(done.errlines)


def test_a_gate_that_breaks_blocks(sessions):
    sessions.write({"gates/gate_broken.py": "from gatekeeper import post\n@post\ndef broken(ctx): 1 / 0\n"})
    done = sessions.test(GREEN)
    assert done.ret == 1
    assert "ERROR post.broken" in text(done)


# -- what is said ------------------------------------------------------------------------------------------------------


def test_verbose_shows_every_gate(sessions):
    said = text(sessions.test(GREEN, "-v"))
    assert "PASS    pre.start" in said
    assert "PASS    post.seen" in said


@pytest.mark.parametrize(
    ("quiet", "said"), [("-q", ["gatekeeper: proceed (gates: 3 skipped, 3 passed)"]), ("-qq", [])]
)
def test_quiet_says_one_line_and_very_quiet_none(sessions, quiet, said):
    gates = "[gates.resources]\nenabled = false\n[gates.storage]\nenabled = false\n[gates.cleanup]\nenabled = false\n[gates.state]\nenabled = false\n"
    sessions.write({"gatekeeper.toml": gates})
    done = sessions.test(GREEN, quiet)
    assert [
        re.sub(r"\d+ skipped", "3 skipped", line) for line in done.outlines if "gatekeeper" in line
    ] == said


@pytest.mark.parametrize("quiet", ["-q", "-qq"])
def test_however_quiet_a_block_says_why(sessions, quiet):
    sessions.switch("bad")
    said = text(sessions.test(GREEN, quiet))
    assert "the result is bad" in said
    assert "gatekeeper: block" in said


def test_colours_are_pytests(sessions):
    sessions.switch("bad")
    assert "\x1b[31m" in sessions.test(GREEN, "--color=yes").outlines[-1]
    assert "\x1b[" not in sessions.test(GREEN, "--color=no").outlines[-1]


def test_without_pytests_terminal_it_is_said_on_stderr(sessions):
    sessions.switch("bad")
    done = sessions.test(GREEN, "-p", "no:terminal")
    assert done.ret == 1
    assert done.outlines == []
    assert "the result is bad" in "\n".join(done.errlines)


def test_text_of_gates_can_not_forge_lines_of_the_terminal(sessions):
    gate = "from gatekeeper import post\n@post\ndef forged(ctx): ctx.check(False, '\\x1b[2J\\r\\n=== 9 passed ===\\x07')\n"
    sessions.write({"gates/gate_forged.py": gate})
    said = text(sessions.test(GREEN))
    assert "\x1b" not in said
    assert "\x07" not in said
    assert not [line for line in said.splitlines() if line.startswith("=== 9 passed")]


def test_reports_are_written_and_named(sessions):
    done = sessions.test(GREEN, "--gatekeeper-report-dir=out", "--gatekeeper-format=markdown=out/gates.md")
    assert {path.name for path in (sessions.root / "out").iterdir()} == {
        "junit.xml",
        "report.json",
        "report.html",
        "gates.md",
    }
    assert "out/junit.xml" in text(done)


def test_a_report_that_can_not_be_written_makes_a_green_session_red(sessions):
    (sessions.root / "out").write_text("a file")
    done = sessions.test(GREEN, "--gatekeeper-report-dir=out")
    assert done.ret == 3
    assert "could not be written" in text(done)
