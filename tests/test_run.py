"""`gatekeeper run` as a user meets it: exit codes, streams, files, history between runs."""

import json
import os
import stat
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from gatekeeper.model import Run

GATES = """
    import os
    from gatekeeper import post, pre

    @pre(tags=["quick"])
    def good(ctx):
        ctx.check(True)

    @pre
    def switch(ctx):
        \"\"\"Passes when the file `on` exists.\"\"\"
        ctx.check(os.path.exists("on"), "the switch is off", hint="touch on")

    @pre(requirement="advisory", tags=["soft"])
    def soft(ctx):
        ctx.check(False, "not so good")

    @pre(tags=["open"])
    def open_question(ctx):
        ctx.unknown("cannot tell")
"""


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


def test_json_on_stdout_is_one_document_whose_exit_code_is_the_process_s(project):
    outcome = project.command("run", "pre", "good", "switch", "--format", "json")
    document = json.loads(outcome.stdout)
    assert document["verdict"]["exit_code"] == outcome.exit_code == 1
    assert document["schema"] == "gatekeeper.report/1"


def test_an_empty_folder_gets_one_json_document_valid_against_the_schema_with_its_exit_code(
    gatekeeper_project,
):
    outcome = gatekeeper_project.command("run", "pre", "--format", "json")
    document = json.loads(outcome.stdout)
    schema = files("gatekeeper").joinpath("schemas/report-1.json").read_text("utf-8")
    jsonschema_rs.validator_for(json.loads(schema)).validate(document)
    assert document["verdict"]["exit_code"] == outcome.exit_code
    assert outcome.stderr == ""


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


@pytest.mark.parametrize("artifact", ["/abs/*.whl", "", "**x"])
def test_an_artifact_that_is_no_pattern_is_a_usage_error(project, artifact):
    project.write({"gatekeeper.toml": f'[subject]\nartifact = "{artifact}"\n'})
    outcome = project.command("run", "pre", "good")
    assert (outcome.exit_code, "[subject] artifact = " in outcome.stderr) == (4, True)


@pytest.mark.parametrize("given", ["7" * 5000, "~nosuchuser-here/file.json"])
def test_an_input_that_cannot_be_a_file_name_here_breaks_nothing(project, given):
    outcome = project.run("pre", "good", "--input", f"x={given}")
    assert (outcome.exit_code, outcome.stderr) == (0, "")


def test_the_home_of_nobody_is_a_path_that_is_not_there(project):
    outcome = project.command("run", "pre", "good", "--subject", "a@~nosuchuser-here")
    assert (outcome.exit_code, "~nosuchuser-here: No such file" in outcome.stderr) == (4, True)


def test_reports_are_written_beside_the_terminal_view(project):
    outcome = project.run("pre", "good", "--report-dir", "reports")
    assert {path.name for path in (project.root / "reports").iterdir()} == {"junit.xml", "report.json"}
    assert "reports/junit.xml" in outcome.stdout


def test_a_report_that_cannot_be_written_turns_proceed_into_3_and_keeps_a_block(project):
    blocked = project.root / "file"
    blocked.write_text("not a folder")
    good = project.command("run", "pre", "good", "--format", "term", "--format", "json=file/x.json")
    assert (good.exit_code, "could not be written" in good.stderr) == (3, True)
    bad = project.command("run", "pre", "switch", "--format", "term", "--format", "json=file/x.json")
    assert bad.exit_code == 1


def test_a_report_is_whole_or_not_there(project):
    target = project.root / "r.json"
    target.write_text("before")
    target.parent.chmod(stat.S_IRWXU)
    outcome = project.command("run", "pre", "good", "--format", f"json={target}")
    assert outcome.exit_code == 0
    msgspec.json.decode(target.read_bytes(), type=Run)
    assert [p.name for p in project.root.iterdir() if p.name.endswith(".tmp")] == []


def test_a_device_is_written_to_and_a_link_stays_a_link(project):
    (project.root / "real").mkdir()
    (project.root / "real" / "r.json").write_text("")
    (project.root / "r.json").symlink_to("real/r.json")
    fifo = project.root / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR)
    formats = ["--format", "term", "--format", "json=r.json", "--format", "lines=fifo"]
    assert project.command("run", "pre", "good", *formats).exit_code == 0
    assert (project.root / "r.json").is_symlink()
    assert json.loads((project.root / "real" / "r.json").read_text())["verdict"]["decision"] == "proceed"
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert b"pre.good" in os.read(reader, 65536)
    os.close(reader)


def test_a_closed_stdout_does_not_change_the_exit_code(project):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "gatekeeper", "run", "pre", "switch"],
        cwd=project.root, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_colour_is_for_terminals_unless_asked_for(project):
    plain = project.command("run", "pre", "good")
    assert "\x1b[" not in plain.stdout
    assert "\x1b[" in project.command("run", "pre", "good", "--color", "always").stdout
    project.environment |= {"NO_COLOR": "", "FORCE_COLOR": "1"}
    assert "\x1b[" in project.command("run", "pre", "good").stdout
    project.environment["NO_COLOR"] = "1"
    assert "\x1b[" not in project.command("run", "pre", "good").stdout


def test_an_ascii_terminal_gets_ascii(project):
    project.environment["PYTHONIOENCODING"] = "ascii"
    outcome = project.command("run", "pre", "good", "switch")
    assert outcome.exit_code == 1
    assert outcome.stdout.isascii()


def test_quiet_says_only_the_verdict_when_all_is_well(project):
    assert len(project.command("run", "pre", "good", "-q").stdout.strip().splitlines()) <= 3


# -- history between runs ----------------------------------------------------------------------------------------------


def test_a_failure_says_since_when_and_a_pass_ends_it(project):
    on = project.root / "on"
    on.touch()
    project.run("pre", "switch")
    on.unlink()
    project.run("pre", "switch")
    third = project.run("pre", "switch")
    since = third["pre.switch"].since
    assert (since.runs, since.last_passed is not None) == (2, True)
    assert "since     2 runs; last passed" in third.stdout
    on.touch()
    assert project.run("pre", "switch")["pre.switch"].since is None


def test_last_failed_runs_what_failed_and_all_when_nothing_did(project):
    project.run("pre", "good", "switch")
    again = project.run("pre", "--last-failed", "good", "switch")
    assert [r.id for r in again.run.results] == ["pre.switch"]
    assert again.run.header.partial
    (project.root / "on").touch()
    project.run("pre", "switch")
    assert len(project.run("pre", "good", "switch", "--last-failed").run.results) == 2


def test_no_history_records_nothing(project):
    project.run("pre", "good", "--no-history")
    assert not (project.root / ".gatekeeper").exists()


def test_a_store_that_is_broken_changes_no_verdict_and_loses_no_run(project):
    state = project.root / ".gatekeeper"
    state.mkdir()
    (state / "history.db").write_bytes(b"this is no database" * 100)
    outcome = project.run("pre", "good")
    assert outcome.exit_code == 0
    assert list((state / "pending").glob("*.json"))
    assert any("not in the history yet" in note for note in outcome.run.notes)
    (state / "history.db").unlink()
    project.run("pre", "good")
    assert not list((state / "pending").glob("*.json"))
    rows = json.loads(project.command("history", "list", "--format", "json").stdout)
    assert len(rows if isinstance(rows, list) else rows["runs"]) == 2


def test_a_state_folder_that_cannot_be_made_changes_no_verdict_and_is_said(project):
    (project.root / ".gatekeeper").write_text("a file in the way")
    outcome = project.command("run", "pre", "good")
    assert outcome.exit_code == 0
    assert "NOT recorded" in outcome.stdout


SAVING = """
    from gatekeeper import post, pre

    @pre
    def counts(ctx):
        ctx.save("orders", 3)
        ctx.check(True)

    def before(ctx):
        return {"seen": 7}

    @post(before=before)
    def compares(ctx):
        assert ctx.before["orders"] == 3
        assert ctx.before["post.compares"]["seen"] == 7

    @post
    def asks_for_more(ctx):
        ctx.check(ctx.before["nothing"])
"""


@pytest.fixture
def saving(gatekeeper_project):
    return gatekeeper_project.write(
        {"gates/gate_saving.py": SAVING, "gatekeeper.toml": "[gates.resources]\nenabled = false\n"}
    )


def test_a_post_run_finds_what_its_pre_run_saved(saving):
    pre = saving.run("pre")
    post = saving.run("post", "compares")
    assert post.exit_code == 0, post.stdout
    assert post.run.header.pre_run == pre.run.id


def test_what_no_pre_run_saved_is_unknown_never_a_pass(saving):
    without = saving.run("post", "compares")
    assert (without.exit_code, without["post.compares"].status) == (6, "unknown")
    assert "gatekeeper run pre" in without["post.compares"].reason
    saving.run("pre")
    missing = saving.run("post", "asks_for_more")
    assert "saved nothing as 'nothing'" in missing["post.asks_for_more"].reason


def test_a_partial_pre_run_does_not_stand_for_one(saving):
    saving.run("pre", "counts")
    assert saving.run("post", "compares")["post.compares"].status == "unknown"


def test_pre_and_post_on_two_machines(saving, tmp_path_factory):
    saved = tmp_path_factory.mktemp("moved") / "pre.json"
    saving.run("pre", "--save", str(saved), "--no-history")
    outcome = saving.run("post", "compares", "--pre", str(saved))
    assert outcome.exit_code == 0, outcome.stdout
    saved.write_text("{}x")
    wrong = saving.command("run", "post", "compares", "--pre", str(saved))
    assert (wrong.exit_code, "not a file that" in wrong.stderr) == (4, True)


def test_a_chosen_pre_run_is_the_one_compared_with(saving):
    first = saving.run("pre").run.id
    saving.run("pre")
    assert saving.run("post", "compares", "--pre", first).run.header.pre_run == first
    unknown = saving.command("run", "post", "compares", "--pre", "nosuchrun")
    assert unknown.exit_code == 4


def test_another_subjects_state_is_no_state_to_compare_with(saving, tmp_path):
    pre = saving.run("pre", "--subject", "one", "--save", "one.json").run.id
    for given in (pre, "one.json"):
        outcome = saving.command("run", "post", "--subject", "two", "--pre", given)
        assert (outcome.exit_code, "is of subject 'one', this post run of 'two'" in outcome.stderr) == (
            4,
            True,
        )


@pytest.mark.parametrize("content", ["{}", '{"run": "x", "extra": 1}', "[1]", "null"])
def test_any_other_json_is_no_saved_state(saving, content):
    saving.write({"other.json": content})
    outcome = saving.command("run", "post", "compares", "--pre", "other.json")
    assert (outcome.exit_code, "not a file that" in outcome.stderr) == (4, True)


def test_a_snapshot_that_failed_is_said_at_once_and_is_unknown_later(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_snap.py": """
                from gatekeeper import post, pre

                def before(ctx):
                    raise OSError("disk on fire")

                @post(before=before)
                def compares(ctx):
                    ctx.check(ctx.before["post.compares"])
            """
        }
    )
    pre = gatekeeper_project.run("pre")
    assert any("disk on fire" in note for note in pre.run.notes)
    post = gatekeeper_project.run("post", "compares")
    assert "could not record" in post["post.compares"].reason


# -- data, secrets, retries --------------------------------------------------------------------------------------------


def test_inputs_and_outputs_are_values_or_files(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_data.py": """
                from gatekeeper import post

                @post
                def complete(ctx):
                    assert len(ctx.outputs["orders"]) == ctx.inputs["expected"]
            """,
            "data/orders.jsonl": '{"id": 1}\n{"id": 2}\n',
        }
    )
    given = ["--output", "orders=data/orders.jsonl"]
    assert gatekeeper_project.run("post", "complete", *given, "--input", "expected=2").exit_code == 0
    assert gatekeeper_project.run("post", "complete", *given, "--input", "expected=3").exit_code == 1
    missing = gatekeeper_project.run("post", "complete", *given)
    assert "--input expected=FILE" in missing["post.complete"].reason
    broken = gatekeeper_project.run(
        "post", "complete", "--output", "orders=data/none.jsonl", "--input", "expected=2"
    )
    assert (broken.exit_code, broken["post.complete"].status) == (1, "error")
    assert "none.jsonl" in broken["post.complete"].reason


@pytest.mark.parametrize("isolation", ["fork", "spawn", "none"])
def test_a_secret_is_redacted_wherever_a_gate_puts_it(gatekeeper_project, isolation):
    gatekeeper_project.environment["TOKEN"] = 'hunter2"secret'
    gatekeeper_project.write(
        {
            "gates/gate_secret.py": """
                import sys
                from msgspec import Struct
                from gatekeeper import Secret, pre

                class Settings(Struct, frozen=True, forbid_unknown_fields=True):
                    token: Secret = Secret("")

                @pre(settings=Settings)
                def leaks(ctx, settings):
                    print("out", settings.token)
                    print("err", settings.token, file=sys.stderr)
                    ctx.save("kept", settings.token + "!")
                    ctx.check(False, f"message {settings.token}", evidence={"deep": [str(settings.token)]})
            """,
            "gatekeeper.toml": '[gates.leaks]\ntoken = "env:TOKEN"\n',
        }
    )
    outcome = gatekeeper_project.run("pre", "leaks", "-vv", "--isolation", isolation, "--save", "saved.json")
    everything = (
        outcome.stdout + outcome.report.read_text() + (gatekeeper_project.root / "saved.json").read_text()
    )
    if isolation != "none":  # there a gate prints straight to stderr
        everything += outcome.stderr
    assert "message ***" in everything
    assert "hunter2" not in everything


@pytest.mark.parametrize("isolation", ["fork", "spawn", "none"])
def test_the_report_is_on_stdout_and_what_a_gate_prints_is_not(gatekeeper_project, isolation):
    gatekeeper_project.write(
        {
            "gates/gate_talks.py": """
                from gatekeeper import pre

                @pre
                def talks(ctx):
                    print("small talk")
                    ctx.check(True)
            """
        }
    )
    outcome = gatekeeper_project.command("run", "pre", "talks", "--format", "lines", "--isolation", isolation)
    assert outcome.stdout.startswith("PASS\tpre.talks\t")
    assert "small talk" not in outcome.stdout


def test_a_gate_settles_within_retry_for_and_every_attempt_is_kept(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_settle.py": """
                import os
                from gatekeeper import pre

                @pre(retry_for="10s")
                def settles(ctx):
                    open(f"try{ctx.attempt}", "w").close()
                    ctx.check(ctx.attempt >= 3, f"attempt {ctx.attempt}")

                @pre(retries=2)
                def never(ctx):
                    ctx.check(False, "no")
            """,
            "gatekeeper.toml": '[run]\nretry_delay = "20ms"\n',
        }
    )
    outcome = gatekeeper_project.run("pre", "settles", "never")
    settles, never = outcome["pre.settles"], outcome["pre.never"]
    assert (settles.status, settles.flaky, [a.status for a in settles.attempts]) == (
        "pass",
        True,
        ["fail", "fail", "pass"],
    )
    assert (never.status, len(never.attempts)) == ("fail", 3)
    assert "flaky" in outcome.stdout


def test_exit_first_leaves_the_rest_as_skips_with_the_reason(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_x.py": """
                from gatekeeper import pre

                @pre(params=[1, 2, 3])
                def fails(ctx):
                    ctx.check(False, "no")
            """
        }
    )
    outcome = gatekeeper_project.run("pre", "fails", "-x", "-j", "1")
    assert [r.status for r in outcome.run.results] == ["fail", "skip", "skip"]
    assert outcome["pre.fails[3]"].reason == "not run: stopped after pre.fails[1] (-x)"
    assert outcome.exit_code == 1


def test_a_blocked_gate_names_its_parent(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_chain.py": """
                from gatekeeper import pre

                @pre(requirement="advisory")
                def parent(ctx):
                    ctx.check(False, "down")

                @pre(needs=["parent"])
                def child(ctx):
                    ctx.check(True)

                @pre(needs=["child"])
                def grandchild(ctx):
                    ctx.check(True)
            """
        }
    )
    outcome = gatekeeper_project.run("pre", "parent", "child", "grandchild")
    assert outcome["pre.child"].reason == "blocked by pre.parent, which failed"
    assert outcome["pre.grandchild"].blocked_by == "pre.child"
    assert outcome.exit_code == 6


def test_a_run_in_which_only_observed_gates_ran_decides_nothing(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_o.py": "from gatekeeper import pre\n@pre(requirement='observe')\ndef o(ctx):\n    ctx.check(False)\n"
        }
    )
    outcome = gatekeeper_project.run("pre", "o")
    assert (outcome.exit_code, outcome.verdict.decision) == (5, "none")
    assert "only observed" in outcome.stdout


def test_a_gate_that_runs_without_a_disabled_one_that_it_needs_says_so(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_n.py": """
                from gatekeeper import pre

                @pre
                def parent(ctx):
                    ctx.check(False)

                @pre(needs=["parent"])
                def child(ctx):
                    ctx.check(True)
            """,
            "gatekeeper.toml": "[gates.parent]\nenabled = false\n",
        }
    )
    outcome = gatekeeper_project.run("pre", "child")
    assert outcome.exit_code == 0
    assert "pre.child needs pre.parent, which is disabled" in outcome.stdout


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


def test_the_subjects_artifact_is_named_by_its_digest(project):
    project.write(
        {"dist/app.whl": "content", "gatekeeper.toml": '[subject]\nname = "app"\nartifact = "dist/*.whl"\n'}
    )
    subject = project.run("pre", "good").run.subject
    assert subject.name == "app"
    assert subject.digest == "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    project.write({"dist/two.whl": ""})
    assert "means 2 files" in project.command("run", "pre", "good").stderr


def test_gates_run_in_the_project_wherever_they_are_called_from(project):
    (project.root / "on").touch()
    (project.root / "deep" / "down").mkdir(parents=True)
    project.write({"gatekeeper.toml": ""})
    done = subprocess.run(
        [sys.executable, "-m", "gatekeeper", "run", "pre", "switch"],
        cwd=project.root / "deep" / "down", capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


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


def test_many_runs_at_once_all_reach_the_history(project):
    command = [sys.executable, "-m", "gatekeeper", "run", "pre", "good", "-q"]
    started = [
        subprocess.Popen(command, cwd=project.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(20)
    ]
    assert [process.communicate()[1] for process in started] == [b""] * 20
    assert [process.returncode for process in started] == [0] * 20
    rows = json.loads(project.command("history", "list", "--limit", "100", "--format", "json").stdout)
    assert len(rows if isinstance(rows, list) else rows["runs"]) == 20


def test_a_gate_with_empty_params_does_not_vanish(gatekeeper_project):
    gates = "from gatekeeper import pre\n@pre(params=[])\ndef each(ctx):\n    ctx.check(False)\n"
    gatekeeper_project.write({"gates/gate_each.py": gates})
    outcome = gatekeeper_project.run("pre", "each")
    assert (outcome.exit_code, outcome["pre.each"].status) == (6, "unknown")
    assert "params are empty" in outcome["pre.each"].reason


def test_ids_that_collide_with_their_parameters_are_refused_with_both_places(gatekeeper_project):
    gates = """
    from gatekeeper import pre
    @pre(params={"x": 1})
    def each(ctx): ctx.check(True)
    @pre(name="each[x]")
    def other(ctx): ctx.check(True)
    """
    gatekeeper_project.write({"gates/gate_each.py": gates})
    outcome = gatekeeper_project.command("run", "pre", "each")
    assert outcome.exit_code == 4
    assert "pre.each[x] is there twice: gates/gate_each.py:3 and gates/gate_each.py:5" in outcome.stderr


def test_parameters_of_any_text_make_ids_that_can_be_shown_and_recorded(gatekeeper_project):
    gates = 'from gatekeeper import pre\n@pre(params=["\\ud800", "\\n", "x" * 5000])\ndef each(ctx): ctx.check(True)\n'
    gatekeeper_project.write({"gates/gate_each.py": gates})
    assert gatekeeper_project.run("pre", "each").exit_code == 0
    assert gatekeeper_project.command("list").exit_code == 0
    assert gatekeeper_project.command("list", "--format", "json").exit_code == 0


@pytest.mark.parametrize("secret", ["pass", "error", "pre.tells", "1234", "null", "0.00", '":"x'])
def test_a_secret_that_looks_like_a_part_of_the_record_breaks_nothing(gatekeeper_project, secret):
    gatekeeper_project.write(
        {
            "gates/gate_tells.py": """
            import msgspec
            from gatekeeper import Secret, pre

            class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
                key: Secret = Secret("")

            @pre(settings=Key)
            def tells(ctx, settings):
                print("key", settings.key)
                ctx.check(True, name=f"<{settings.key}>", observed=1234, evidence={str(settings.key): [str(settings.key)]})
            """,
            "gatekeeper.toml": '[gates.tells]\nkey = "env:SOME_KEY"\n',
        }
    )
    gatekeeper_project.environment["SOME_KEY"] = secret
    outcome = gatekeeper_project.run("pre", "tells")
    assert outcome.exit_code == 0
    result = outcome["pre.tells"]
    assert (result.status, result.findings[0].name, result.findings[0].evidence) == (
        "pass",
        "<***>",
        {"***": ["***"]},
    )
    assert result.findings[0].observed == ("***" if secret == "1234" else 1234)
    assert secret not in result.output.stdout


@pytest.mark.parametrize(("gate", "code"), [("good", 3), ("switch", 1)])
@pytest.mark.parametrize("form", ["term", "lines", "json"])
def test_a_full_disk_behind_stdout_turns_only_a_pass_into_an_error(project, gate, code, form):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "gatekeeper", "run", "pre", gate, "--format", form],
            cwd=project.root, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == code
    assert "could not be written to stdout: No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("gate", "code"), [("good", 0), ("switch", 1)])
def test_closed_standard_streams_change_nothing(project, gate, code, closed):
    command = f'"{sys.executable}" -m gatekeeper run pre {gate} {closed}'
    done = subprocess.run(
        ["sh", "-c", command], cwd=project.root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (code, "")


def test_what_can_t_be_saved_for_the_post_phase_is_no_success(project):
    outcome = project.command("run", "pre", "good", "--save", "/proc/nowhere/saved.json")
    assert outcome.exit_code == 3
    assert "--save /proc/nowhere/saved.json: could not be written" in outcome.stderr
