"""`gatekeeper.gate` around the real thing: flows of CrewAI, LangGraph and Prefect, each in an environment of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowprojects import Place

HERE = Path(__file__).parent
FLOWS = HERE / "flows_real"
REQUIREMENTS: dict[str, list[str]] = json.loads((FLOWS / "requirements.json").read_text())

QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "LANGSMITH_TRACING": "false",
    "OTEL_SDK_DISABLED": "true",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}
GATE = '''
    from gatekeeper import post, pre

    @pre
    def start(ctx):
        """There is something to say what to write about."""
        assert "topic" in ctx.inputs or not list(ctx.inputs)

    @post(flow=True)
    def seen(ctx):
        """The text is not about what is bad."""
        text = ctx.outputs["text"] if "text" in ctx.outputs else ""
        samples = {str(series): series.n for series in ctx.samples.series}
        events = {e.name: [e.total, e.errors] for e in ctx.samples.events}
        ctx.check("bad" not in text, "the text is about what is bad", evidence={"text": text, "samples": samples, "events": events})
'''

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(900)]


@pytest.fixture
def python_with(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """The Python of a new environment with a framework and gatekeeper in it."""
    folder = tmp_path / "environment"

    def make(framework: str) -> Path:
        _must(sys.executable, "-m", "venv", "--without-pip", str(folder))
        python = folder / "bin" / "python"
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install")
        done = _run(*pip, "--quiet", *REQUIREMENTS[framework], "hatchling")
        if done.returncode:
            pytest.skip(f"{framework} can't be installed here: {done.stderr.strip()[-300:]}")
        _must(*pip, "--quiet", "--no-build-isolation", "--editable", str(HERE.parent))
        return python

    yield make
    shutil.rmtree(folder, ignore_errors=True)


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _must(*command: str) -> None:
    done = _run(*command)
    assert done.returncode == 0, done.stderr[-3000:]


def played(python: Path, framework: str, folder: Path) -> dict[str, dict[str, Any]]:
    """What each scenario came to."""
    place = Place(folder)
    place.write({"gates/gate_flow.py": GATE})
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEKEEPER_")}
    environment |= {**QUIET, "HOME": str(folder), "PREFECT_HOME": str(folder / "prefect")}
    done = subprocess.run(
        [str(python), str(FLOWS / f"{framework}_flow.py")],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"scenario"')]
    records = place.records()
    assert [run.verdict.decision for run in records if run.subject.name == "writing"] == (
        ["proceed", "block", "block"] + ["proceed"] * (len(told) - 3)
    )
    raised = records[2].result("post.flow")
    assert raised is not None
    assert raised.findings[0].observed == "NoTopicError"
    return {one["scenario"]: one for one in told}


@pytest.mark.parametrize("framework", [*REQUIREMENTS])
def test_a_real_flow_is_gated(framework: str, python_with: Callable[[str], Path], tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    told = played(python_with(framework), framework, project)
    text = "two gates: a gate is a check that decides"
    for scenario in {"good", "awaited"} & told.keys():
        seen = told[scenario]["seen"]
        assert (told[scenario]["decision"], seen["text"]) == ("proceed", text)
        assert (seen["samples"]["words"], seen["samples"]["step.write"]) == (1, 1)
        assert seen["events"] == {"steps": [1, {}]}
    assert ("awaited" in told) == (framework != "prefect")
    assert (told["blocked"]["decision"], "bad topic" in told["blocked"]["outputs"]["text"]) == ("block", True)
    assert told["raised"]["error"] == "nothing to write about"
