"""`examples/channel/`: a third party's channel, installed and used as its users would."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gatekeeper.testing import Project
from loopback import Server, answering, response

SOURCE = Path(__file__).parents[1] / "examples" / "channel"

CONFIGURATION = """
[[alerts.channels]]
type = "ntfy"
server = "http://127.0.0.1:{port}"
topic = "ops"
token = "env:NTFY_TOKEN"
allow_private = true
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the plugin is installed in, without a network."""
    folder = tmp_path_factory.mktemp("channel")
    shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "dist"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    into = ["--target", str(folder / "site"), str(folder / "source")]
    command = [sys.executable, "-m", "pip", "install", *options, *into]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "site"


def project_in(folder: Path, installed: Path, port: int = 1) -> Project:
    gate = 'from gatekeeper import pre\n\n@pre\ndef disk(ctx):\n    ctx.check(False, "full")\n'
    project = Project(folder).write(
        {"gatekeeper.toml": CONFIGURATION.format(port=port), "gates/gate_disk.py": gate}
    )
    project.environment = {"PYTHONPATH": str(installed), "NTFY_TOKEN": "tk_0123456789"}
    return project


def test_a_run_tells_it_what_failed(tmp_path: Path, installed: Path) -> None:
    seen: list[bytes] = []
    with Server(answering(response(b"{}"), seen=seen)) as server:
        outcome = project_in(tmp_path, installed, server.port).run("pre", "disk")
    assert outcome.exit_code == 1
    (request,) = seen
    head, _, body = request.partition(b"\r\n\r\n")
    assert b"Bearer tk_0123456789" in head
    assert json.loads(body)["title"].startswith("FIRING high: pre.disk")
    assert "tk_0123456789" not in outcome.stderr + outcome.stdout


def test_a_typing_error_in_its_settings_is_named(tmp_path: Path, installed: Path) -> None:
    project = project_in(tmp_path, installed)
    project.write({"gatekeeper.toml": CONFIGURATION.format(port=1).replace("topic", "topics")})
    outcome = project.command("config", "check")
    assert outcome.exit_code == 4
    assert "Did you mean 'topic'?" in outcome.stderr


def test_its_own_tests_pass(installed: Path, tmp_path: Path) -> None:
    tests = shutil.copytree(SOURCE / "tests", tmp_path / "tests")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    environment = {"PYTHONPATH": str(installed), "PATH": ""}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
