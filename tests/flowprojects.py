"""A project whose gates can be switched by files, and which say what they saw of the flow."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

from gatekeeper.model import Run
from gatekeeper.store import FILE_NAME, NoStore, open_store

QUIET = """
    subject = { name = "configured" }
    [gates.resources]
    enabled = false
    [gates.storage]
    enabled = false
    [gates.cleanup]
    enabled = false
"""

GATES = '''
    from pathlib import Path
    from time import sleep
    from gatekeeper import post, pre


    def wait_for(ctx, stem):
        """As long as `<stem>.wait` is there, until `<stem>.go` is."""
        if Path(f"{stem}.wait").exists():
            Path(f"{stem}.waits").touch()
            while not Path(f"{stem}.go").exists():
                sleep(0.02)


    @pre
    def start(ctx):
        """Nothing stands against the start."""
        wait_for(ctx, "pre")
        if Path("doubt").exists():
            ctx.unknown("nobody knows")
        ctx.check(not Path("off").exists(), "it is switched off", hint="rm off")


    @post(flow=True)
    def seen(ctx):
        """What gates see of the flow."""
        wait_for(ctx, "post")
        if Path("late-doubt").exists():
            ctx.unknown("nobody knows how it went")
        flow = ctx.flow
        evidence = {
            "flow": {name: getattr(flow, name) for name in flow.__struct_fields__},
            "inputs": dict(ctx.inputs),
            "outputs": dict(ctx.outputs),
            "series": {str(s): [s.n, s.unit, s.statistic("sum")] for s in ctx.samples.series},
            "events": {e.name: [e.total, e.errors] for e in ctx.samples.events},
            "notes": list(ctx.samples.notes),
        }
        ctx.check(not Path("bad").exists(), "the result is bad", hint="rm bad", evidence=evidence)
'''


class Place:
    """A project in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write({"gatekeeper.toml": QUIET, "gates/gate_flow.py": GATES})

    def write(self, files: Mapping[str, str]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(content), encoding="utf-8")

    def switch(self, *names: str) -> None:
        for name in names:
            (self.root / name).touch()

    def records(self, least: int = 0, patience: float = 40) -> list[Run]:
        """The recorded runs, oldest first, as soon as there are `least`."""
        until = time.monotonic() + patience
        while len(found := self._recorded()) < least:
            assert time.monotonic() < until, f"{len(found)} runs were recorded, expected {least}"
            time.sleep(0.1)
        return found

    def _recorded(self) -> list[Run]:
        try:
            with open_store(self.root / ".gatekeeper" / FILE_NAME, create=False) as store:
                return [store.run(row.id) for row in reversed(store.runs())]
        except NoStore:
            return []

    def until(self, name: str, patience: float = 40) -> None:
        """Wait for a file."""
        until = time.monotonic() + patience
        while not (self.root / name).exists():
            assert time.monotonic() < until, f"{name} did not appear"
            time.sleep(0.02)

    def script(self, code: str, *flags: str, **environment: str) -> "subprocess.Popen[str]":
        """A program of its own in the project."""
        (self.root / "program.py").write_text(dedent(code), encoding="utf-8")
        return subprocess.Popen(
            [sys.executable, *flags, "program.py"],
            cwd=self.root,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def saw(run: Run) -> dict[str, Any]:
    """What the gate `post.seen` saw of the flow."""
    result = run.result("post.seen")
    assert result is not None
    assert result.findings, result.reason
    evidence: dict[str, Any] = result.findings[0].evidence
    return evidence
