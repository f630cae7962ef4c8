"""`gatekeeper run`: what runs know of each other, and what a pre run keeps for its post run."""

import json
import subprocess
import sys

import pytest

from switchgates import GATES


@pytest.fixture
def project(gatekeeper_project):
    return gatekeeper_project.write({"gates/gate_run.py": GATES})


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


def test_what_can_t_be_saved_for_the_post_phase_is_no_success(project):
    outcome = project.command("run", "pre", "good", "--save", "/proc/nowhere/saved.json")
    assert outcome.exit_code == 3
    assert "--save /proc/nowhere/saved.json: could not be written" in outcome.stderr
