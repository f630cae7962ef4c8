"""Gated pytest sessions in a temporary project, for tests: real ones, as a person would start them."""

import os
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest

from flowprojects import Place
from gatekeeper import Run

QUIET = ("-p", "no:randomly", "-p", "no:cacheprovider")
PYTEST = (sys.executable, "-m", "pytest", *QUIET)
GREEN = "def test_one(): pass\ndef test_two(): pass\n"


class Sessions(Place):
    """A project with gates that files switch, and pytest run in it."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        super().__init__(pytester.path)
        self._pytester = pytester

    def run(self, *args: str, gates: str | None = "pre,post", timeout: float = 100) -> pytest.RunResult:
        """`pytest --gatekeeper=GATES ARGS`."""
        asked = () if gates is None else (f"--gatekeeper={gates}",)
        return self._pytester.runpytest_subprocess(*QUIET, *asked, *args, timeout=timeout)

    def test(self, body: str, *args: str, **options: Any) -> pytest.RunResult:
        """A session of one file with these tests."""
        self.write({"test_it.py": body})
        return self.run(*args, **options)

    def command(
        self, *words: str, timeout: float = 100, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """Any other command line in the project."""
        return subprocess.run(
            [*words],
            cwd=self.root,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def program(self, code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """A Python program in the project."""
        (self.root / "program.py").write_text(dedent(code), encoding="utf-8")
        return self.command(sys.executable, "program.py", **environment)

    @property
    def last(self) -> Run:
        """The newest recorded run."""
        return self.records(1)[-1]


@pytest.fixture
def sessions(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Sessions:
    for name in [name for name in os.environ if name.startswith("GATEKEEPER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "120")
    pytester.makefile(".ini", pytest="[pytest]\n")
    return Sessions(pytester)
