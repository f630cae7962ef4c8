"""For people who write gates and plugins: try one gate in a test, or a whole project as a user would.

`run_gate` evaluates one gate in this process. The pytest fixture `gatekeeper_project` (enable it with
`pytest_plugins = ["gatekeeper.testing"]` in a `conftest.py`) is a temporary folder to write files into and run
`gatekeeper` in, as a real process.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
from msgspec import Struct

from gatekeeper.context import Context
from gatekeeper.errors import UsageError
from gatekeeper.execute.evaluate import call, consume, evaluate
from gatekeeper.model import JSON, Gate, Result, Run, Subject, Verdict
from gatekeeper.rundata import FlowData, RunData, Saved
from gatekeeper.samples import Readings
from gatekeeper.settings.convert import Problem, convert

try:
    import pytest
except ImportError:  # run_gate needs no pytest
    pytest = None  # type: ignore[assignment]


class GateResult(Struct, frozen=True):
    """What `run_gate` found: the gate's result, and what it saved for the post phase."""

    result: Result
    saved: dict[str, JSON]

    @property
    def status(self) -> str:
        return self.result.status

    @property
    def reason(self) -> str:
        return self.result.reason

    def finding(self, name: str) -> Any:
        """The first finding of this name.

        Raises:
            AssertionError: there is none; names those that there are.
        """
        for finding in self.result.findings:
            if finding.name == name:
                return finding
        raise AssertionError(f"no finding {name!r}; there are {[f.name for f in self.result.findings]}")


def run_gate(
    gate: Gate,
    settings: Mapping[str, Any] | None = None,
    *,
    root: Path | str = ".",
    param: Any = None,
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
    samples: "list[tuple[str, Path]] | None" = None,
    subject: str = "test",
    facts: Mapping[str, JSON] | None = None,
    flow: FlowData | None = None,
    measured: Readings | None = None,
    take_before: bool = False,
) -> GateResult:
    """Evaluate one gate in this process, without isolation or retries.

    `settings` is its table as in `gatekeeper.toml`. `inputs` and `outputs` are paths or JSON values. `before` is what
    the pre phase saved; `take_before=True` runs the gate's `before` function instead of the gate: its value is
    `saved[<gate id>]`. `flow` is what `ctx.flow` tells, and `measured` what was measured of that flow.

    Raises:
        UsageError: the settings are wrong.
    """
    problems: list[Problem] = []
    values = convert(gate.settings, dict(settings or {}), problems) if gate.settings else None
    if problems or (settings and not gate.settings):
        raise UsageError(*(f"{'.'.join(map(str, p.path))}: {p.message}" for p in problems))
    from gatekeeper.plugins import Plugins

    data = RunData(
        root=str(Path(root).resolve()),
        subject=Subject(subject),
        inputs={name: _given(value) for name, value in (inputs or {}).items()},
        outputs={name: _given(value) for name, value in (outputs or {}).items()},
        samples=tuple((source, str(path)) for source, path in samples or []),
        before=None if before is None else Saved("test", values=dict(before)),
        flow=flow,
        measured=measured or Readings(),
    )
    plugins = Plugins.shipped() if samples else None
    ctx = Context(data, gate=gate.id, phase=gate.phase, param=param, facts=facts, plugins=plugins)

    def run() -> None:
        if take_before:
            ctx.save(gate.id, call(gate.before, ctx, values))
            ctx.check(True, name="before")
        else:
            consume(call(gate.function, ctx, values), ctx)

    found = evaluate(run, ctx)
    result = Result(
        id=gate.id,
        phase=gate.phase,
        title=gate.title,
        status=found.status,
        reason=found.reason,
        findings=found.findings,
        duration_s=found.duration_s,
    )
    return GateResult(result, found.saved)


def _given(value: Any) -> str:
    return f"@{value.resolve()}" if isinstance(value, Path) else msgspec.json.encode(value).decode()


class Outcome(Struct, frozen=True):
    """What a run of the command line came to."""

    exit_code: int
    stdout: str
    stderr: str
    report: Path

    @property
    def run(self) -> Run:
        """The run's record, read back from its JSON report.

        Raises:
            AssertionError: the command wrote none; shows what it printed.
        """
        if not self.report.exists():
            raise AssertionError(f"no report; exit code {self.exit_code}\n{self.stdout}\n{self.stderr}")
        return msgspec.json.decode(self.report.read_bytes(), type=Run)

    @property
    def verdict(self) -> Verdict:
        return self.run.verdict

    def __getitem__(self, gate: str) -> Result:
        result = self.run.result(gate)
        if result is None:
            raise AssertionError(f"no result of {gate}; there are {[r.id for r in self.run.results]}")
        return result


class Project:
    """A temporary project, and `gatekeeper` run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment: dict[str, str] = {}
        self._runs = 0

    def write(self, files: Mapping[str, str]) -> "Project":
        """Write files (path → content, dedented)."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(content), encoding="utf-8")
        return self

    def command(self, *arguments: str, timeout: float = 60, stdin: str | None = None) -> Outcome:
        """Run `gatekeeper ARGUMENTS` as a process in the project; colours off, CI's variables not seen."""
        report = self.root / ".gatekeeper-test-none"
        return self._run([*arguments], report, timeout, stdin)

    def run(self, phase: str = "pre", *arguments: str, timeout: float = 60) -> Outcome:
        """Run `gatekeeper run PHASE ARGUMENTS`, with a JSON report beside what is asked for."""
        self._runs += 1
        report = self.root / ".gatekeeper-test" / f"report-{self._runs}.json"
        report.parent.mkdir(exist_ok=True)
        return self._run(
            ["run", phase, *arguments, "--format", "term", "--format", f"json={report}"],
            report,
            timeout,
            None,
        )

    def _run(self, arguments: list[str], report: Path, timeout: float, stdin: str | None) -> Outcome:
        hidden = ("GATEKEEPER_", "GITHUB_", "GITLAB_", "CI", "FORCE_COLOR", "PYTEST_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        environment |= {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", **self.environment}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "gatekeeper", *arguments],
            cwd=self.root,
            env=environment,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr, report)


if pytest is not None:

    @pytest.fixture
    def gatekeeper_project(tmp_path: Path) -> Iterator[Project]:
        """A temporary project to write gates and configuration into, and run `gatekeeper` in."""
        yield Project(tmp_path)
