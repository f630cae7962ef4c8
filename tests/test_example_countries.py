"""`examples/countries/`: a real batch flow over the ISO databases, gated as its users would gate it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gatekeeper.model import Finding, Run
from gatekeeper.testing import Outcome, Project

pytest.importorskip("pycountry", reason="the example's data: pip install pycountry")

SOURCE = Path(__file__).parents[1] / "examples" / "countries"


class Example(Project):
    """A copy of the example, with a temporary folder of its own."""

    def flow(self, *arguments: str) -> None:
        command = [sys.executable, "flow.py", *arguments]
        environment = os.environ | self.environment
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def around(self, *arguments: str) -> Outcome:
        """The post run's outcome, with the flow between it and its pre run."""
        before = self.run("pre")
        assert before.exit_code == 0, before.stdout + before.stderr
        self.flow(*arguments)
        return self.run("post")


@pytest.fixture
def example(tmp_path: Path) -> Example:
    kept = shutil.ignore_patterns("build", "__pycache__", ".gatekeeper")
    shutil.copytree(SOURCE, tmp_path / "countries", ignore=kept)
    (tmp_path / "temp").mkdir()
    example = Example(tmp_path / "countries")
    example.environment = {"TMPDIR": str(tmp_path / "temp"), "PYTHONDONTWRITEBYTECODE": "1"}
    return example


def failed(outcome: Outcome, gate: str) -> Finding:
    """The finding that made the gate fail and the verdict block, with what a person needs to act on it."""
    assert outcome.exit_code == 1, outcome.stdout + outcome.stderr
    assert outcome.verdict.decision == "block"
    assert gate in [reason.gate for reason in outcome.verdict.reasons]
    finding = outcome[gate].decisive
    assert finding is not None
    assert finding.hint
    assert (finding.message or outcome[gate].reason) in outcome.stdout
    return finding


def test_the_real_data_proceeds_with_evidence_from_every_gate(example: Example) -> None:
    outcome = example.around()
    assert outcome.exit_code == 0, outcome.stdout + outcome.stderr
    assert outcome.verdict.decision == "proceed"
    gates = {result.id: result for result in outcome.run.results}
    mine = {"post.fresh", "post.nothing_lost", "post.countries_joined"}
    shipped = {"post.outputs", "post.performance", "post.state", "post.cleanup"}
    assert mine | shipped <= gates.keys()
    assert all(gates[gate].status == "pass" and gates[gate].findings for gate in mine | shipped)
    assert gates["post.nothing_lost"].findings[0].n == 5046
    assert gates["post.countries_joined"].findings[0].n == 5046


def test_what_it_writes_is_what_iso_has(example: Example) -> None:
    example.flow()
    lines = (example.root / "build" / "subdivisions.jsonl").read_text("utf-8").splitlines()
    subdivisions = {record["code"]: record for record in map(json.loads, lines)}
    assert len(lines) == len(subdivisions) == 5046
    corunna = subdivisions["ES-C"]
    assert (corunna["name"], corunna["also"]) == ("A Coruña", ["La Coruña"])
    assert corunna["country"] == {"alpha_2": "ES", "name": "Spain"}
    assert corunna["parent"] == {"code": "ES-GA", "name": "Galicia"}
    summary = json.loads((example.root / "build" / "summary.json").read_text("utf-8"))
    assert (summary["countries"], summary["subdivisions"], summary["with_parent"]) == (249, 5046, 1456)
    assert sum(summary["types"].values()) == 5046


def test_lost_records_block_and_are_named(example: Example) -> None:
    finding = failed(example.around("--fault", "lose-records"), "post.nothing_lost")
    assert (finding.observed, finding.limit, finding.n) == (101, 0, 5046)
    assert "101 of 5046 subdivisions lost: AD-02" in finding.message
    assert len(finding.evidence["codes"]) == 101


def test_a_lost_country_blocks_and_its_subdivisions_are_named(example: Example) -> None:
    outcome = example.around("--fault", "lose-country")
    finding = failed(outcome, "post.countries_joined")
    assert finding.observed == len(finding.evidence["codes"]) > 50
    assert "ES-A" in finding.message
    assert outcome["post.nothing_lost"].status == "pass"


def test_a_broken_schema_blocks_with_line_and_key(example: Example) -> None:
    outcome = example.around("--fault", "break-schema")
    failed(outcome, "post.outputs")
    lines = (example.root / "build" / "subdivisions.jsonl").read_text("utf-8").splitlines()
    [line] = [number for number, text in enumerate(lines, 1) if '"CH-ZH"' in text and "8001" in text]
    shown = outcome.stdout
    assert f"subdivisions.jsonl:{line}" in shown
    assert "8001" in shown
    assert "name" in shown


def test_a_slow_flow_blocks_with_its_duration_and_the_limit(example: Example) -> None:
    finding = failed(example.around("--fault", "slow"), "post.performance")
    assert finding.observed > 2.5
    assert (finding.operator, finding.limit, finding.unit) == ("<=", 2, "s")


@pytest.fixture
def nothing_survives(example: Example) -> Iterator[None]:
    """Ends what a planted fault left, found by where it works."""
    yield
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (folder / "cwd").readlink() == example.root:
                os.kill(int(folder.name), signal.SIGKILL)


@pytest.mark.usefixtures("nothing_survives")
def test_a_left_process_blocks_with_the_command_that_ends_it(example: Example) -> None:
    finding = failed(example.around("--fault", "leave-process"), "post.cleanup")
    [left] = finding.evidence["left"]
    assert "time.sleep(120)" in left["command"]
    assert left["folder"] == str(example.root)
    assert finding.hint == f"kill {left['pid']}"
    subprocess.run(finding.hint.split(), check=True)
    again = example.run("post")
    assert again.exit_code == 0, again.stdout


def test_a_left_file_blocks_with_the_command_that_removes_it(example: Example, tmp_path: Path) -> None:
    finding = failed(example.around("--fault", "leave-file"), "post.cleanup")
    [left] = finding.evidence["left"]
    assert Path(left["path"]).parent == tmp_path / "temp"
    assert left["size"] > 500_000
    subprocess.run(finding.hint.split(), check=True)
    again = example.run("post")
    assert again.exit_code == 0, again.stdout


def test_a_flow_that_did_not_run_is_no_success_of_an_earlier_one(example: Example) -> None:
    assert example.around().exit_code == 0
    assert example.run("pre").exit_code == 0
    outcome = example.run("post")
    finding = failed(outcome, "post.fresh")
    assert finding.hint == "python flow.py"
    assert outcome["post.nothing_lost"].status == "skip"


def test_without_output_it_does_not_proceed(example: Example) -> None:
    assert example.run("pre").exit_code == 0
    outcome = example.run("post")
    assert outcome.exit_code == 1
    assert "build/summary.json" in outcome.stdout


def test_every_fault_is_documented(example: Example) -> None:
    command = [sys.executable, "flow.py", "--help"]
    shown = subprocess.run(command, cwd=example.root, capture_output=True, text=True, check=True).stdout
    readme = (SOURCE / "README.md").read_text("utf-8")
    for fault in ("lose-records", "lose-country", "break-schema", "slow", "leave-process", "leave-file"):
        assert fault in shown
        assert f"`{fault}`" in readme


# -- from Python: gated.py -----------------------------------------------------------------------------------


def gated(example: Example, *arguments: str) -> tuple[int, str, Run]:
    """Exit code, what was printed, and the record of `python gated.py`."""
    done = subprocess.run(
        [sys.executable, "gated.py", *arguments],
        cwd=example.root,
        env={key: value for key, value in os.environ.items() if not key.startswith("GATEKEEPER_")}
        | example.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    report = example.root / "build" / "reports" / "report.json"
    return done.returncode, done.stdout + done.stderr, msgspec.json.decode(report.read_bytes(), type=Run)


def findings(*runs: Run) -> dict[str, Any]:
    """What the gates found, apart from what differs from one run to the next: times, pids, the machine."""
    varying = ("s", "B", "ratio", "records/s")
    elsewhere = ("post.flow", "pre.resources", "pre.storage")
    return {
        result.id: (
            result.status,
            [
                (f.name, f.status, None if f.unit in varying else f.observed, f.limit)
                for f in result.findings
                if f.name != "written"
            ],
        )
        for run in runs
        for result in run.results
        if result.id not in elsewhere
    }


FAULTS = [None, "lose-records", "lose-country", "break-schema", "slow", "leave-process", "leave-file"]


def before_and_after(example: Example, tmp_path: Path, *arguments: str) -> tuple[Outcome, Outcome]:
    """The flow between `run pre` and `run post`, to compare with; the next one starts with an empty temporary folder."""
    before = example.run("pre")
    example.flow(*arguments)
    after = example.run("post")
    (tmp_path / "temp").rename(tmp_path / "temp before")  # what the first left behind is not the second's
    (tmp_path / "temp").mkdir()
    return before, after


@pytest.mark.usefixtures("nothing_survives")
@pytest.mark.parametrize("fault", FAULTS)
def test_gates_find_the_same_around_the_flow_in_python_as_before_and_after_it(
    example: Example, tmp_path: Path, fault: str | None
) -> None:
    arguments = ["--fault", fault] if fault else []
    before, after = before_and_after(example, tmp_path, *arguments)
    code, shown, run = gated(example, *arguments)
    assert code == after.exit_code == bool(fault), shown
    assert findings(run) == findings(before.run, after.run)
    assert run.result("post.flow").status == "pass"  # type: ignore[union-attr]
    assert run.subject.name == "countries"
    for reason in run.verdict.reasons:
        assert reason.gate in shown


# -- around a pytest session -----------------------------------------------------------------------------------


def in_session(example: Example, fault: str | None) -> tuple[int, str, Run]:
    """Exit code, what was printed, and the record of `pytest --gatekeeper=pre,post` with a test that runs the flow."""
    arguments = ["--fault", fault] if fault else []
    example.write({"test_flow.py": f"import flow\n\ndef test_it_runs():\n    flow.main({arguments})\n"})
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-p",
        "no:benchmark",
    ]
    done = subprocess.run(
        [*command, "--gatekeeper=pre,post", "--gatekeeper-report-dir=build/reports", "test_flow.py"],
        cwd=example.root,
        env={
            key: value for key, value in os.environ.items() if not key.startswith(("GATEKEEPER_", "PYTEST_"))
        }
        | example.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    report = example.root / "build" / "reports" / "report.json"
    return done.returncode, done.stdout + done.stderr, msgspec.json.decode(report.read_bytes(), type=Run)


@pytest.mark.usefixtures("nothing_survives")
@pytest.mark.parametrize("fault", FAULTS)
def test_gates_find_the_same_around_a_session_that_runs_the_flow_as_before_and_after_it(
    example: Example, tmp_path: Path, fault: str | None
) -> None:
    before, after = before_and_after(example, tmp_path, *(["--fault", fault] if fault else []))
    code, shown, run = in_session(example, fault)
    assert code == after.exit_code == bool(fault), shown
    assert "1 passed" in shown
    found = findings(run)
    assert found.pop("post.errors") == ("pass", [("tests", "pass", None, 0.01)])  # what a session has besides
    assert found == {gate: f for gate, f in findings(before.run, after.run).items() if gate != "post.errors"}
    assert run.subject.name == "countries"
    for reason in run.verdict.reasons:
        assert reason.gate in shown


# -- around the command ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nothing_survives")
@pytest.mark.parametrize("fault", FAULTS)
def test_gates_find_the_same_around_the_command_as_before_and_after_it(
    example: Example, tmp_path: Path, fault: str | None
) -> None:
    arguments = ["--fault", fault] if fault else []
    before, after = before_and_after(example, tmp_path, *arguments)
    report = ("--format", "json=build/report.json")
    done = example.command("exec", *report, "--", sys.executable, "flow.py", *arguments)
    run = msgspec.json.decode((example.root / "build" / "report.json").read_bytes(), type=Run)
    assert done.exit_code == after.exit_code == bool(fault), done.stderr
    assert done.stdout.startswith(("5046 subdivisions", "4945 subdivisions"))
    assert findings(run) == findings(before.run, after.run)
    assert run.result("post.flow").status == "pass"  # type: ignore[union-attr]
    assert run.subject.name == "countries"
    for reason in run.verdict.reasons:
        assert reason.gate in done.stderr
