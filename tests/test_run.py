"""`gatekeeper run` as a user meets it: what it decides, and the exit codes."""

from pathlib import Path

import pytest

from switchgates import GATES


@pytest.fixture
def project(gatekeeper_project):
    return gatekeeper_project.write({"gates/gate_run.py": GATES})


@pytest.mark.parametrize(
    ("arguments", "code", "decision"),
    [
        (["good"], 0, "proceed"),
        (["good", "soft"], 0, "proceed"),
        (["good", "switch"], 1, "block"),
        (["good", "open_question"], 6, "hold"),
        (["good", "soft", "--max-warnings", "0"], 6, "hold"),
        (["good", "switch", "--exit-zero"], 0, "block"),
    ],
)
def test_the_exit_code_is_the_verdicts(project, arguments, code, decision):
    outcome = project.run("pre", *arguments)
    assert (outcome.exit_code, outcome.verdict.decision) == (code, decision)


@pytest.mark.real
@pytest.mark.parametrize("clock", ["-3d", "+10y", "@2026-11-21 06:00:00 x100000"])
def test_a_clock_that_jumps_or_races_breaks_nothing(project, clock):
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is not installed: Debian package libfaketime")
    project.environment |= {
        "LD_PRELOAD": str(library),
        "FAKETIME": clock,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    project.run("pre", "good")
    project.environment.clear()
    outcome = project.run("pre", "good", "switch")
    assert (outcome.exit_code, outcome["pre.good"].status) == (1, "pass")
    assert 0 <= outcome.run.header.duration_s < 30


def test_nothing_to_run_is_exit_5_and_says_so(gatekeeper_project):
    gatekeeper_project.write(
        {"gates/gate_s.py": "from gatekeeper import pre\n@pre\ndef s(ctx): ctx.skip('not here')\n"}
    )
    outcome = gatekeeper_project.run("pre", "s")
    assert (outcome.exit_code, outcome.verdict.decision) == (5, "none")
    assert "no gate ran" in outcome.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "jsn"], "unknown format 'jsn'. Did you mean 'json'?"),
        (["--format", "json", "--format", "junit"], "only one format can go to stdout, not json and junit"),
        (["--format", "json=a", "--format", "junit=a"], "two reports go to"),
        (["--format", "json="], "a path is missing"),
        (["--input", "orders"], "expected NAME=FILE or NAME=JSON"),
        (["--input", "a=1", "--input", "a=2"], "given twice"),
        (["--samples", "k6"], "expected SOURCE:FILE"),
        (["--deadline", "soon"], "--deadline: expected a duration"),
        (["--deadline", "0s"], "more than 0"),
        (["--pre", "x"], "--pre goes with the post phase"),
        (["--subject", "@x"], "a name is missing"),
        (["--subject", "a@sha256:12"], "64 hexadecimal digits"),
        (["--subject", "a@nowhere.whl"], "nowhere.whl"),
        (["--config", "none.toml"], "none.toml"),
        (["--profile", "ci"], "no profile 'ci'"),
        (["--jobs", "0"], "0 is not in the range"),
        (["--frmat", "json"], "--format"),
    ],
)
def test_a_wrong_command_line_is_exit_4_with_one_clear_message(project, arguments, message):
    outcome = project.command("run", "pre", "good", *arguments)
    assert outcome.exit_code == 4
    assert message in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert outcome.stdout == ""


def test_a_configured_folder_of_gates_that_is_not_there_is_a_usage_error(project):
    project.write({"gatekeeper.toml": '[project]\ngates = ["gates", "gats"]\n'})
    outcome = project.command("run", "pre", "good")
    assert (outcome.exit_code, "[project] gates: no folder 'gats'" in outcome.stderr) == (4, True)


def test_a_run_in_which_only_observed_gates_ran_decides_nothing(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_o.py": "from gatekeeper import pre\n@pre(requirement='observe')\ndef o(ctx):\n    ctx.check(False)\n"
        }
    )
    outcome = gatekeeper_project.run("pre", "o")
    assert (outcome.exit_code, outcome.verdict.decision) == (5, "none")
    assert "only observed" in outcome.stdout


def test_what_an_import_registered_for_the_end_does_not_change_the_exit_code(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_end.py": """
                import atexit, os
                from gatekeeper import pre

                atexit.register(os._exit, 0)

                @pre
                def fails(ctx):
                    ctx.check(False)
            """
        }
    )
    assert gatekeeper_project.run("pre", "fails").exit_code == 1


def test_a_freeze_window_holds(project):
    project.write(
        {
            "gatekeeper.toml": """
                [[freeze]]
                reason = "inventory"
                from = 2020-01-01T00:00:00Z
                until = 2999-01-01T00:00:00Z
            """
        }
    )
    outcome = project.run("pre", "good")
    assert outcome.exit_code == 6
    assert "inventory" in outcome.verdict.reasons[0].text


def test_an_internal_error_is_exit_3_without_a_traceback(project):
    project.write({"gates/gate_report.py": """
        from gatekeeper import Report

        def broken(run, view):
            raise RuntimeError("no ink")

        def gatekeeper_reports():
            return [Report(name="broken", summary="", extension="", render=broken)]
    """})  # fmt: skip
    outcome = project.command("run", "pre", "good", "--format", "broken")
    assert (outcome.exit_code, "RuntimeError: no ink" in outcome.stderr) == (3, True)
    assert "Traceback" not in outcome.stderr
