"""What a person sees of the gates around a session: a line before it, a section after it."""

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest._io import TerminalWriter

from gatekeeper.model import Run
from gatekeeper.plain import printable
from gatekeeper.pytest_plugin import told
from gatekeeper.quantities import show
from gatekeeper.runner.messages import Whole
from gatekeeper.wording import counted, headline, one_line

COLORS = {"proceed": "green", "hold": "yellow", "block": "red", "none": "purple"}


class Shown:
    """Writes as pytest does: on its stdout, as verbose, in its colours. Without pytest's terminal, on stderr.

    No line looks like pytest's own last one (`2 passed in 0.12s`), which tools look for from the end.
    """

    def __init__(self, config: pytest.Config, options: Namespace) -> None:
        self._verbosity: int = getattr(options, "verbose", 0)
        self._color: str = getattr(options, "color", "auto")
        self._has_terminal = config.pluginmanager.hasplugin("terminal")
        self._cwd = config.invocation_params.dir

    def before(self, run: Run) -> None:
        """The pre gates let the session start."""
        if self._verbosity >= 0:
            took = show(run.header.duration_s, "s")
            self._lines(f"gatekeeper: gates before the session: {counted(run.counts)} ({took})")

    def after(self, whole: Whole, own: int, code: int) -> None:
        """The verdict. `own` is the exit code of the session itself, `code` the one that follows."""
        run, writer = whole.run, self._writer()
        decision = run.verdict.decision
        body = [*self._body(whole)]
        ending = f"gatekeeper: {decision}{f', exit code {code}' if code != own else ''}"
        ending += "" if body else f" (gates: {counted(run.counts)})"
        color = {COLORS[decision]: True}
        if self._verbosity < 0:
            self._lines(*body, *([ending] if body or self._verbosity > -2 else []))
            return
        if body:
            writer.sep("=", "gatekeeper", bold=True)
            self._lines(*body)
        writer.sep("=", ending, bold=True, **color)
        writer.flush()

    def cut_short(self) -> None:
        """The session left its line of progress unfinished."""
        if self._has_terminal:
            self._lines("")

    def problem(self, text: str) -> None:
        """Gatekeeper itself could not do what it should."""
        writer = TerminalWriter(sys.stderr)
        writer.line(f"ERROR: gatekeeper: {printable(text, newlines=True)}", red=True)
        writer.flush()

    def _body(self, whole: Whole) -> Iterator[str]:
        run = whole.run
        if self._verbosity > 0:
            width = max((len(one_line(result.id)) for result in run.results), default=0)
            for result in run.results:
                yield f"{result.status.upper():<7} {one_line(result.id):<{width}}  {headline(result)}".rstrip()
        if run.verdict.decision != "proceed" or run.verdict.reasons or run.notes:
            yield from told.run(run)
        if whole.written and (self._verbosity >= 0 or run.verdict.decision != "proceed"):
            yield f"reports  {'  '.join(self._short(path) for path in whole.written)}"
        yield from (f"ERROR    {printable(problem)}" for problem in whole.problems)

    def _short(self, path: str) -> str:
        relative = os.path.relpath(path, self._cwd)
        return printable(path if relative.startswith(os.pardir) else str(Path(relative)))

    def _lines(self, *lines: str) -> None:
        writer = self._writer()
        for line in lines:
            writer.line(line)
        writer.flush()

    def _writer(self) -> TerminalWriter:
        writer = TerminalWriter(sys.stdout if self._has_terminal else sys.stderr)
        if self._color != "auto":
            writer.hasmarkup = self._color == "yes"
        return writer
