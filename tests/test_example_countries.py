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

import pytest

from gatekeeper.model import Finding
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
