"""The GitHub Action, run step by step as the runner would: verdict, outputs, summary, annotations, and what a hostile
pull request could try.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ci_systems import ROOT, Job, Runner, document, obeyed, plain_environment, run_action
from gatekeeper.testing import Project

Action = Callable[..., Job]

GATES = {
    "gatekeeper.toml": """
        [gates.resources]
        enabled = false
        [gates.storage]
        enabled = false
    """,
    "gates/gate_planted.py": '''
        import os

        from gatekeeper import pre


        @pre
        def fine(ctx):
            """Fine."""
            ctx.check("FINE" not in os.environ, "not fine")


        @pre
        def late(ctx):
            """In time."""
            ctx.measure("latency", 2.5, unit="s", fail=1, hint="look at the queue")


        @pre
        def broken(ctx):
            """Sound."""
            raise ValueError("it broke")


        @pre(requirement="advisory")
        def nice(ctx):
            """Nice to have."""
            ctx.check(False, "not nice")


        @pre
        def unsure(ctx):
            """Sure."""
            ctx.unknown("nobody asked")
    ''',
}


@pytest.fixture
def action(gatekeeper_project: Project) -> Action:
    """Runs the action in a project with planted gates, as a step whose inputs are given."""
    project = gatekeeper_project.write(GATES)

    def run(phase: str = "pre", environment: dict[str, str] | None = None, **inputs: str) -> Job:
        given = {"phase": phase, **{name.replace("_", "-"): value for name, value in inputs.items()}}
        return run_action(project.root, given, plain_environment(project.root) | (environment or {}))

    return run


# -- verdicts ----------------------------------------------------------------------------------------------------------


def test_a_block_fails_the_step_and_says_which_gates_did_it(
    action: Action, gatekeeper_project: Project
) -> None:
    job = action()
    assert job.exit_code == 1
    assert job.outputs["decision"] == "block"
    assert job.outputs["exit-code"] == "1"
    assert sorted(json.loads(job.outputs["failed-gates"])) == ["pre.broken", "pre.late"]
    folder = Path(job.outputs["report-dir"])
    assert folder == gatekeeper_project.root / "reports" / "pre"
    assert {"report.json", "junit.xml", "gates.sarif"} <= {path.name for path in folder.iterdir()}


def test_a_block_is_in_the_log_the_summary_and_the_annotations(action: Action) -> None:
    job = action()
    assert "VERDICT  BLOCK" in job.log
    assert job.summary.startswith("## ✗ BLOCK: ")
    at = {(c.name, c.properties.get("file"), c.properties["title"]) for c in job.commands}
    assert ("error", "gates/gate_planted.py", "FAIL pre.late") in at
    assert ("warning", "gates/gate_planted.py", "FAIL pre.nice (advisory)") in at
    (late,) = [c for c in job.commands if c.properties["title"] == "FAIL pre.late"]
    source = GATES["gates/gate_planted.py"].splitlines()
    assert source[int(late.properties["line"]) - 1].strip() == "@pre"
    assert "look at the queue" in late.text


def test_gates_that_proceed_let_the_job_go_on(action: Action) -> None:
    job = action(gates="fine\nnice")
    assert (job.exit_code, job.outputs["decision"], job.outputs["failed-gates"]) == (0, "proceed", "[]")
    assert [c.name for c in job.commands] == ["warning"]


def test_a_hold_fails_the_step(action: Action) -> None:
    job = action(gates="fine\nunsure")
    assert (job.exit_code, job.outputs["decision"], job.outputs["exit-code"]) == (6, "hold", "6")
    assert job.outputs["failed-gates"] == "[]"


def test_a_hold_that_may_proceed_warns_and_says_so_in_the_outputs(action: Action) -> None:
    job = action(gates="fine\nunsure", on_hold="proceed")
    assert (job.exit_code, job.outputs["decision"], job.outputs["exit-code"]) == (0, "hold", "6")
    assert ("warning", "gatekeeper HOLD") in {(c.name, c.properties["title"]) for c in job.commands}


def test_a_hold_that_may_proceed_does_not_let_a_block_through(action: Action) -> None:
    assert action(on_hold="proceed").exit_code == 1


def test_exit_zero_is_the_workflows_own_choice_and_the_decision_stays(action: Action) -> None:
    job = action(arguments="--exit-zero")
    assert (job.exit_code, job.outputs["decision"]) == (0, "block")


# -- no verdict is never green -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "code", "said"),
    [
        ({"gates": "nowhere"}, "4", "no gate or gate file 'nowhere'"),
        ({"config": "absent.toml"}, "4", "absent.toml"),
        ({"phase": "perhaps"}, "4", "perhaps"),
        ({"phase": ""}, "4", "''"),
        ({"policy_from": "origin/main"}, "4", "origin/main"),
        ({"arguments": "--frmat=json"}, "4", "--frmat"),
    ],
)
def test_a_mistake_of_the_workflow_fails_the_step_and_its_outputs_are_there(
    action: Action, inputs: dict[str, str], code: str, said: str
) -> None:
    job = action(**inputs)
    assert (str(job.exit_code), job.outputs["exit-code"], job.outputs["decision"]) == (code, code, "none")
    assert said in job.log
    (error,) = job.commands
    assert (error.name, error.text) == (
        "error",
        f"No verdict: it ended with exit code {code}, and the log says why.",
    )


@pytest.mark.parametrize("inputs", [{"phase": "--help"}, {"arguments": "--help"}])
def test_a_run_without_a_report_is_not_green_even_if_it_exits_with_zero(
    action: Action, inputs: dict[str, str]
) -> None:
    job = action(**inputs)
    assert (job.exit_code, job.outputs["decision"], job.outputs["exit-code"]) == (3, "none", "0")


def test_another_word_for_on_hold_is_refused_before_anything_runs(action: Action) -> None:
    job = action(on_hold="neutral")
    assert (job.exit_code, job.outputs["decision"]) == (4, "none")
    assert "expected block or proceed, got 'neutral'" in job.commands[0].text
    assert "gates collected" not in job.log


def test_reports_of_an_earlier_run_are_not_taken_for_this_ones(action: Action) -> None:
    assert action(gates="fine").outputs["decision"] == "proceed"
    job = action(gates="nowhere")
    assert (job.exit_code, job.outputs["decision"]) == (4, "none")
    assert [path.name for path in Path(job.outputs["report-dir"]).iterdir()] == []


def test_a_cancelled_job_has_its_reports_and_outputs(action: Action, gatekeeper_project: Project) -> None:
    started = gatekeeper_project.root / "started"
    gatekeeper_project.write(
        {"gates/gate_slow.py": f"""
            import pathlib, time
            from gatekeeper import pre

            @pre
            def slow(ctx):
                pathlib.Path({str(started)!r}).touch()
                time.sleep(60)
        """}
    )  # fmt: skip
    runner = Runner(gatekeeper_project.root, plain_environment(gatekeeper_project.root), ROOT)
    declared = document(ROOT / "action.yml")
    inputs = {name: str(given.get("default", "")) for name, given in declared["inputs"].items()}
    with runner.start(declared["runs"]["steps"][1], {"inputs": inputs | {"phase": "pre"}}) as step:
        while not started.exists():
            time.sleep(0.02)
        step.send_signal(signal.SIGINT)
        log, _ = step.communicate(timeout=30)
    outputs = runner.outputs()
    assert (step.returncode, outputs["exit-code"], outputs["decision"]) == (2, "2", "none")
    report = json.loads((Path(outputs["report-dir"]) / "report.json").read_bytes())
    assert report["run"]["complete"] is False
    assert all(command.name in ("error", "warning") for command in obeyed(log))


# -- inputs ------------------------------------------------------------------------------------------------------------


def test_a_folder_is_worked_in_and_reports_go_where_they_are_asked_for(
    action: Action, gatekeeper_project: Project
) -> None:
    gatekeeper_project.write({f"shop/{name}": text for name, text in GATES.items()})
    job = action(gates="gates/gate_planted.py\n", working_directory="shop", report_dir="../out")
    assert job.exit_code == 1
    assert Path(job.outputs["report-dir"]).resolve() == gatekeeper_project.root / "out"
    assert (gatekeeper_project.root / "out" / "report.json").exists()


def test_profile_subject_and_further_arguments_reach_gatekeeper(
    action: Action, gatekeeper_project: Project
) -> None:
    gatekeeper_project.write(
        {"other.toml": "[profiles.ci.run]\njobs = 1\n[gates.resources]\nenabled = false\n"}
    )
    arguments = "-k\nfine or unsure\n\n  --max-warnings=3\n"
    job = action(config="other.toml", profile="ci", subject="shop@sha256:" + "0" * 64, arguments=arguments)
    report = json.loads((Path(job.outputs["report-dir"]) / "report.json").read_bytes())
    assert [gate["id"] for gate in report["gates"]] == ["pre.fine", "pre.unsure"]
    assert (report["run"]["config"], report["run"]["profile"]) == ("other.toml", "ci")
    assert report["subject"] == {"name": "shop", "digest": "sha256:" + "0" * 64}


HOSTILE = "$(touch pwned) `touch pwned`; touch pwned\" ' && touch pwned #"


@pytest.mark.parametrize(
    "name", ["gates", "config", "profile", "subject", "policy_from", "arguments", "report_dir", "phase"]
)
def test_no_input_is_taken_for_a_piece_of_script(
    action: Action, gatekeeper_project: Project, name: str
) -> None:
    action(**{name: HOSTILE})
    assert not [*gatekeeper_project.root.rglob("pwned")]


def test_a_gates_name_that_looks_like_an_option_is_none(action: Action) -> None:
    job = action(gates="--exit-zero")
    assert (job.exit_code, job.outputs["decision"]) == (4, "none")
    assert "no gate or gate file '--exit-zero'" in job.log


def test_a_report_folder_with_a_line_break_does_not_write_other_outputs(action: Action) -> None:
    job = action(gates="late", report_dir="out\ndecision=proceed")
    assert (job.exit_code, job.outputs["decision"]) == (1, "block")
    assert job.outputs["report-dir"].endswith("out\ndecision=proceed")


# -- a hostile pull request --------------------------------------------------------------------------------------------


COMMANDS = [
    "::set-env name=PATH::/evil",
    "::stop-commands::x",
    "##[error]planted",
    "  ::error::planted",
    "::add-mask::a",
]


def test_nothing_that_is_printed_is_obeyed(action: Action, gatekeeper_project: Project) -> None:
    gatekeeper_project.write(
        {"gates/gate_hostile.py": f"""
            import sys
            from gatekeeper import pre

            for line in {COMMANDS}:
                print(line, flush=True)
                print(line, file=sys.stderr, flush=True)
            print("no line end, then", end="", flush=True)

            @pre
            def hostile(ctx):
                "::error::planted"
                for line in {COMMANDS}:
                    print(line)
                ctx.check(False, "\\n".join({COMMANDS}), name="::error::planted", hint="::error::planted")
        """}
    )  # fmt: skip
    job = action(gates="hostile")
    assert job.exit_code == 1
    (command,) = job.commands
    assert (command.name, command.properties["title"]) == ("error", "FAIL pre.hostile")


def test_a_gate_that_writes_outputs_itself_does_not_decide(
    action: Action, gatekeeper_project: Project
) -> None:
    gatekeeper_project.write(
        {"gates/gate_hostile.py": """
            import os
            from gatekeeper import pre

            @pre
            def hostile(ctx):
                with open(os.environ["GITHUB_OUTPUT"], "a") as file:
                    file.write("decision=proceed\\nexit-code=0\\n")
                ctx.check(False, "no")
        """}
    )  # fmt: skip
    job = action(gates="hostile")
    assert (job.exit_code, job.outputs["decision"], job.outputs["exit-code"]) == (1, "block", "1")


def test_names_of_gates_are_whole_in_the_list_of_the_failed(
    action: Action, gatekeeper_project: Project
) -> None:
    gatekeeper_project.write(
        {"gates/gate_many.py": """
            from gatekeeper import pre

            @pre(params={'a"]\\nb': 1, "ü €": 2})
            def each(ctx):
                ctx.check(False)
        """}
    )  # fmt: skip
    job = action(gates="gates/gate_many.py")
    report = json.loads((Path(job.outputs["report-dir"]) / "report.json").read_bytes())
    assert json.loads(job.outputs["failed-gates"]) == [gate["id"] for gate in report["gates"]]
    assert "\n" not in job.outputs["failed-gates"]


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def test_a_pull_request_cannot_weaken_the_gates_that_judge_it(
    action: Action, gatekeeper_project: Project
) -> None:
    root = gatekeeper_project.root
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "gates")
    git(root, "checkout", "--quiet", "-b", "change")
    gatekeeper_project.write(
        {
            "gates/gate_planted.py": "from gatekeeper import pre\n\n\n@pre\ndef late(ctx):\n    ctx.check(True)\n"
        }
    )
    assert action().exit_code == 0
    job = action(policy_from="main")
    assert (job.exit_code, job.outputs["decision"]) == (1, "block")
    assert "pre.late" in json.loads(job.outputs["failed-gates"])


# -- summary -----------------------------------------------------------------------------------------------------------


def test_a_large_run_has_a_summary_that_github_takes_and_says_what_it_left_out(
    action: Action, gatekeeper_project: Project
) -> None:
    gatekeeper_project.write(
        {"gates/gate_large.py": """
            from gatekeeper import pre

            @pre(params=[*range(300)])
            def each(ctx):
                ctx.check(ctx.param, "x" * 8_000, name="large", hint="y" * 8_000)
                ctx.check(False, "x" * 8_000, name="large", hint="y" * 8_000)
        """}
    )  # fmt: skip
    job = action(gates="gates/gate_large.py")
    assert 100_000 < len(job.summary.encode()) <= 900_000
    assert " more " in job.summary
    errors = [command for command in job.commands if command.name == "error"]
    assert len(errors) == 10
    assert "291 more" in errors[-1].text


# -- installation ------------------------------------------------------------------------------------------------------


def installing(project: Path, environment: dict[str, str], install: str) -> tuple[int, str]:
    step = document(ROOT / "action.yml")["runs"]["steps"][0]
    code, log, _ = Runner(project, environment, ROOT).run(step, {"inputs": {"install": install}})
    return code, log


def test_gatekeeper_is_not_installed_where_it_is_there(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    code, log = installing(project, plain_environment(project), "a-requirement-that-nobody-can-meet==99")
    assert code == 0
    assert "gatekeeper" in log
    assert "99" not in log


@pytest.mark.heavy
@pytest.mark.timeout(300)
def test_gatekeeper_is_installed_from_the_actions_own_checkout_where_it_is_missing(tmp_path: Path) -> None:
    project, venv = tmp_path / "project", tmp_path / "venv"
    project.mkdir()
    subprocess.run([os.path.realpath("/usr/bin/python3"), "-m", "venv", str(venv)], check=True)
    environment = plain_environment(project) | {"PATH": f"{venv}/bin:/usr/bin:/bin"}
    code, log = installing(project, environment, "")
    assert code == 0, log
    assert (venv / "bin" / "gatekeeper").exists()


def test_an_installation_that_fails_fails_the_step_and_no_gate_runs(action: Action, tmp_path: Path) -> None:
    commands = tmp_path / "commands"
    commands.mkdir()
    (commands / "python3").write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    (commands / "python3").chmod(0o755)
    job = action(environment={"PATH": f"{commands}:/usr/bin:/bin"})
    assert job.exit_code == 1
    assert "no network" in job.log
    assert job.outputs["decision"] == ""
