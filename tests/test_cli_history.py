"""`gatekeeper history`, `report` and `diff`, as a user calls them."""

import json

import pytest

from runs import result, run, store_in

pytest_plugins = ["gatekeeper.testing"]


@pytest.fixture
def project(gatekeeper_project):
    """An empty project: its subject is the name of its folder."""
    return gatekeeper_project.write({"gatekeeper.toml": "subject = { name = 'checkout' }\n"})


@pytest.fixture
def history(project):
    """Three runs: two of the pre phase, the later of which blocks, and a post run of another subject."""
    with store_in(project.root) as store:
        store.write(run(1, result("pre.disk", free=8.5), result("pre.old")))
        store.write(run(2, result("pre.disk", "fail", free=12), result("pre.gpu", "skip"), partial=True))
        store.write(run(3, result("post.speed", p95=0.2), subject="cart", phase="post", complete=False))
    return project


def _shown(project, *arguments):
    done = project.command(*arguments)
    assert (done.exit_code, done.stderr) == (0, ""), done
    return done.stdout


def _refused(project, *arguments):
    done = project.command(*arguments)
    assert done.exit_code == 4
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


# -- history list


def test_list_shows_runs_newest_first_with_verdict_counts_and_marks(history):
    assert _shown(history, "history", "list") == (
        "RUN                       STARTED               PHASE  SUBJECT   VERDICT  GATES\n"
        "20261121-000003-00000003  2026-11-01 00:03 UTC  post   cart      PROCEED  "
        "1 passed in 1.5 s (interrupted)\n"
        "20261121-000002-00000002  2026-11-01 00:02 UTC  pre    checkout  BLOCK    "
        "1 failed, 1 skipped in 1.5 s (partial)\n"
        "20261121-000001-00000001  2026-11-01 00:01 UTC  pre    checkout  PROCEED  2 passed in 1.5 s\n"
    )


def test_list_can_be_narrowed_and_says_how_to_go_on(history):
    text = _shown(history, "history", "list", "--subject", "checkout", "--phase", "pre", "--limit", "1")
    assert "20261121-000002" in text
    assert "20261121-000001" not in text
    assert text.endswith("older: gatekeeper history list --before 20261121-000002-00000002\n")
    assert "20261121-000001" in _shown(history, "history", "list", "--before", "20261121-000002")


def test_list_as_json_is_one_document(history):
    document = json.loads(_shown(history, "history", "list", "--limit", "2", "--format", "json"))
    assert document["schema"] == "gatekeeper.history/1"
    assert document["more"] is True
    assert [(r["id"][-1], r["decision"], r["partial"], r["complete"]) for r in document["runs"]] == [
        ("3", "proceed", False, False),
        ("2", "block", True, True),
    ]
    assert document["runs"][1]["counts"]["fail"] == 1


@pytest.mark.parametrize("command", [["list"], ["prune"]])
def test_without_runs_it_says_how_to_get_the_first(project, command):
    assert _shown(project, "history", *command) == "No runs yet. gatekeeper run pre records the first.\n"
    assert not (project.root / ".gatekeeper").exists()


def test_without_runs_the_json_list_is_empty(project):
    document = json.loads(_shown(project, "history", "list", "--format", "json"))
    assert document == {"schema": "gatekeeper.history/1", "runs": [], "more": False}


def test_an_unknown_subject_names_the_nearest(history):
    assert _shown(history, "history", "list", "--subject", "chekout") == (
        "No runs of subject 'chekout'. Did you mean 'checkout'?\n"
    )
    assert _shown(history, "history", "list", "--subject", "cart", "--phase", "pre") == (
        "No runs of subject 'cart', phase pre.\n"
    )


def test_text_in_a_record_cannot_steer_the_terminal(project):
    with store_in(project.root) as store:
        store.write(run(1, subject="a\x1b[2Jb\nc"))
    text = _shown(project, "history", "list")
    assert "\x1b" not in text
    assert len(text.splitlines()) == 2


# -- history show, report


def test_show_prints_a_recorded_run_as_it_was_reported(history):
    assert "FAIL    pre.disk" in _shown(history, "history", "show", "latest~1")
    assert "BLOCK" in _shown(history, "history", "show", "20261121-000002")


def test_show_and_report_print_the_very_record(history):
    for arguments in (["history", "show", "latest~1", "--format", "json"], ["report", "json", "latest~1"]):
        document = json.loads(_shown(history, *arguments))
        assert document["run"]["id"] == run(2).id
        assert document["run"]["partial"] is True


def test_a_report_of_a_blocked_run_exits_zero_because_it_was_rendered(history):
    assert history.command("report", "junit", "latest~1").exit_code == 0


def test_a_report_is_written_to_a_file_and_nothing_to_stdout(history):
    assert _shown(history, "report", "junit", "latest", "-o", "out/junit.xml") == ""
    assert "<testcase" in (history.root / "out" / "junit.xml").read_text()


def test_a_json_report_file_stands_for_its_run(history):
    _shown(history, "report", "json", "latest~1", "-o", "blocked.json")
    assert "BLOCK" in _shown(history, "report", "term", "blocked.json")


def test_a_file_that_is_no_report_is_refused(history):
    history.write({"notes.json": '{"schema": 1}'})
    assert "notes.json: not a JSON report of gatekeeper" in _refused(history, "report", "term", "notes.json")


def test_an_unknown_format_or_run_names_the_nearest(history):
    assert "unknown format 'jnit'. Did you mean 'junit'?" in _refused(history, "report", "jnit")
    assert "no run 'latets' is recorded. Did you mean 'latest'?" in _refused(
        history, "report", "junit", "latets"
    )
    assert "could be several: 20261121-000003-00000003" in _refused(history, "history", "show", "20261121")
    assert "the oldest is latest~2" in _refused(history, "history", "show", "latest~9")


@pytest.mark.parametrize("command", [["report", "junit"], ["history", "show"], ["diff"]])
def test_a_run_that_is_asked_for_where_there_are_none_is_a_usage_error(project, command):
    assert "No runs yet. gatekeeper run pre records the first." in _refused(project, *command)


def test_a_report_that_cannot_be_written_is_said(history):
    history.write({"file": ""})
    done = history.command("report", "junit", "latest", "-o", "file/junit.xml")
    assert done.exit_code == 3
    assert "could not be written" in done.stderr


@pytest.mark.parametrize(
    "command", [["history", "list"], ["report", "junit"], ["diff"], ["history", "prune"]]
)
def test_a_damaged_store_is_one_clear_sentence(project, command):
    (project.root / ".gatekeeper").mkdir()
    (project.root / ".gatekeeper" / "history.db").write_bytes(b"what is this? " * 1000)
    done = project.command(*command)
    assert done.exit_code == 3
    assert "is damaged or no SQLite database" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# -- history prune


def test_prune_removes_what_is_older_and_says_how_much(history):
    assert _shown(history, "history", "prune", "--older-than", "0s", "--dry-run") == (
        "Would remove 1 run, 2 results, 1 sample.\n"
    )
    assert _shown(history, "history", "prune", "--older-than", "0s").startswith(
        "Removed 1 run, 2 results, 1 sample; "
    )
    assert len(_shown(history, "history", "list").splitlines()) == 3
    assert _shown(history, "history", "prune", "--older-than", "0s").startswith("Nothing to remove")


def test_prune_can_remove_all(history):
    _shown(history, "history", "prune", "--older-than", "0s", "--keep", "0")
    assert _shown(history, "history", "list") == "No runs yet. gatekeeper run pre records the first.\n"


def test_prune_keeps_what_the_configuration_retains(project):
    with store_in(project.root) as store:
        store.write(run(1, started="2020-01-01T00:00:00Z"))
        store.write(run(2, started="2020-01-01T00:00:00Z"))
    assert "Would remove 1 run" in _shown(project, "history", "prune", "--dry-run")
    project.write({"gatekeeper.toml": "[store]\nretention = '36500d'\n"})
    assert "Nothing to remove" in _shown(project, "history", "prune", "--dry-run")


def test_a_wrong_age_is_refused_with_what_was_expected(history):
    assert "--older-than: expected a duration" in _refused(
        history, "history", "prune", "--older-than", "soon"
    )


# -- diff


def test_diff_shows_changed_added_and_removed_gates_and_values(history):
    assert _shown(history, "diff", "latest~2", "latest~1") == (
        "before  20261121-000001-00000001  2026-11-01 00:01 UTC  pre  checkout  PROCEED\n"
        "after   20261121-000002-00000002  2026-11-01 00:02 UTC  pre  checkout  BLOCK\n"
        "\n"
        "verdict  PROCEED → BLOCK\n"
        "gates\n"
        "  pre.disk  PASS → FAIL        pre.disk did not pass\n"
        "  pre.gpu   added, SKIP        pre.gpu did not pass\n"
        "  pre.old   removed, was PASS\n"
        "values\n"
        "  pre.disk  free  8.5 s → 12 s  +3.5 s (+41.2 %)\n"
    )


def test_diff_as_json_has_the_same_as_data(history):
    document = json.loads(_shown(history, "diff", "latest~2", "latest~1", "--format", "json"))
    assert document["schema"] == "gatekeeper.diff/1"
    assert [(g["gate"], g["before"], g["after"]) for g in document["gates"]] == [
        ("pre.disk", "pass", "fail"),
        ("pre.gpu", None, "skip"),
        ("pre.old", "pass", None),
    ]
    (value,) = document["values"]
    assert (value["finding"], value["before"], value["after"], value["change"]) == ("free", 8.5, 12.0, 3.5)
    assert value["relative"] == pytest.approx(3.5 / 8.5)


def test_diff_without_runs_compares_the_latest_with_the_one_before_of_its_kind(history):
    with store_in(history.root) as store:
        store.write(run(4, result("pre.disk", free=9)))
    text = _shown(history, "diff")
    assert text.startswith("before  20261121-000002")
    assert "\nafter   20261121-000004" in text
    assert _shown(history, "diff", "latest~3").startswith("before  20261121-000001")


def test_diff_without_an_earlier_run_of_its_kind_says_what_to_do(history):
    assert "no post run of 'cart' is recorded before 20261121-000003-00000003" in _refused(history, "diff")


def test_diff_of_the_same_run_has_no_differences(history):
    text = _shown(history, "diff", "latest", "latest")
    assert "this is one and the same run" in text
    assert text.endswith("\nNo differences.\n")


def test_diff_of_different_kinds_of_runs_says_so(history):
    text = _shown(history, "diff", "latest~1", "latest")
    assert "the runs are of different subjects" in text
    assert "the runs are of different phases" in text


@pytest.mark.parametrize(
    "command",
    [["history"], ["history", "list"], ["history", "show"], ["history", "prune"], ["report"], ["diff"]],
)
def test_help_has_examples(project, command):
    assert f"gatekeeper {' '.join(command)}" in _shown(project, *command, "--help").split("\n", 2)[2]


def test_a_real_run_is_recorded_listed_shown_and_compared(project):
    project.write(
        {
            "gates/gate_it.py": """
                from gatekeeper import pre

                @pre
                def size(ctx):
                    ctx.measure("rows", len((ctx.root / "rows.txt").read_text()), fail=10)
            """,
            "rows.txt": "12345",
        }
    )
    assert project.run("pre", "gates/gate_it.py").exit_code == 0
    project.write({"rows.txt": "0123456789ab"})
    assert project.run("pre", "gates/gate_it.py").exit_code == 1
    assert len(_shown(project, "history", "list").splitlines()) == 3
    text = _shown(project, "diff")
    assert "pre.size  PASS → FAIL" in text
    assert "pre.size  rows  5 → 12  +7 (+140 %)" in text
    assert "BLOCK" in _shown(project, "report", "markdown", "latest")
