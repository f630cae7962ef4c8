"""`gatekeeper run`: what goes to stdout, to stderr and to files, and what when they can't be written."""

import json
import os
import stat
import subprocess
import sys
from importlib.resources import files

import jsonschema_rs
import msgspec
import pytest

from gatekeeper.model import Run
from switchgates import GATES


@pytest.fixture
def project(gatekeeper_project):
    return gatekeeper_project.write({"gates/gate_run.py": GATES})


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


def test_reports_are_written_beside_the_terminal_view(project):
    outcome = project.run("pre", "good", "--report-dir", "reports")
    assert {path.name for path in (project.root / "reports").iterdir()} == {
        "junit.xml",
        "report.json",
        "report.html",
    }
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


def test_a_pipe_behind_a_device_is_written_to(project):
    outcome = project.command(
        "run", "pre", "good", "--quiet", "--format", "term", "--format", "lines=/dev/stderr"
    )
    assert (outcome.exit_code, "pre.good" in outcome.stderr) == (0, True)


def test_a_steps_summary_on_github_keeps_what_was_in_it(project):
    summary = project.root / "summary.md"
    summary.write_text("of another program\n")
    project.environment["GITHUB_STEP_SUMMARY"] = str(summary)
    for _ in range(2):
        project.command("run", "pre", "good", "--format", f"markdown={summary}")
    text = summary.read_text()
    assert text.startswith("of another program\n")
    assert text.count("PROCEED") == 2


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
