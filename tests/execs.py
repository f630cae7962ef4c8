"""`gatekeeper exec` as tests run it: a real process around real commands."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from gatekeeper.model import Finding, Result, Run

CALM = """
    [gates.resources]
    enabled = false
    [gates.storage]
    enabled = false
    [gates.cleanup.processes]
    settle = "0s"
"""
"""No gate that looks at this machine; what is left is told at once."""


class Done(Struct, frozen=True):
    """What `gatekeeper exec` came to."""

    code: int
    out: bytes
    err: str
    report: Path

    @property
    def run(self) -> Run:
        assert self.report.exists(), f"no report; exit code {self.code}\n{self.err}"
        return msgspec.json.decode(self.report.read_bytes(), type=Run)

    def __getitem__(self, gate: str) -> Result:
        result = self.run.result(gate)
        assert result is not None, [result.id for result in self.run.results]
        return result

    def finding(self, gate: str, name: str) -> Finding:
        [found] = [finding for finding in self[gate].findings if finding.name == name]
        return found

    def measured(self, name: str) -> float:
        return float(self.finding("post.flow", name).observed)


class Execs:
    """`gatekeeper exec` in a project of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self.report = root, root / ".out" / "report.json"
        self.report.parent.mkdir()
        self.write({"gatekeeper.toml": CALM})

    def write(self, files: dict[str, str]) -> None:
        for name, content in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(dedent(content), "utf-8")

    def line(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "gatekeeper", "exec", "--format", f"json={self.report}", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        hidden = ("GATEKEEPER_", "GITHUB_", "CI", "FORCE_COLOR", "PYTEST_")
        return {k: v for k, v in os.environ.items() if not k.startswith(hidden)} | {"NO_COLOR": "1"}

    def start(self, *arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            self.line(*arguments), cwd=self.root, **{"env": self.environment, **pipes, **options}
        )

    def end(self, process: "subprocess.Popen[bytes]", stdin: bytes | None = None) -> Done:
        try:
            out, err = process.communicate(stdin, timeout=60)
        finally:
            process.kill()
        return Done(process.returncode, out or b"", (err or b"").decode("utf-8", "replace"), self.report)

    def __call__(self, *arguments: str, stdin: bytes | None = None, **options: Any) -> Done:
        if stdin is not None:
            options["stdin"] = subprocess.PIPE
        return self.end(self.start(*arguments, **options), stdin)

    def python(self, code: str, *options: str, **more: Any) -> Done:
        return self(*options, "--", sys.executable, "-c", dedent(code), **more)


@pytest.fixture
def execs(tmp_path: Path) -> Execs:
    return Execs(tmp_path)


@pytest.fixture
def ends_what_is_left(execs: Execs) -> Iterator[None]:
    """Ends what a command left, by what the gate has of it."""
    yield
    if execs.report.exists():
        run = msgspec.json.decode(execs.report.read_bytes(), type=Run)
        for result in run.results:
            for finding in result.findings:
                for left in finding.evidence.get("left", []) if finding.name == "processes" else []:
                    with suppress(ProcessLookupError):
                        os.kill(left["pid"], signal.SIGKILL)


def await_line(process: "subprocess.Popen[bytes]", line: bytes = b"ready\n") -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == line
