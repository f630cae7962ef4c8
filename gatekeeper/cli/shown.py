"""A run as it is seen at the command line: the stream of results, the progress line, the reports."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from gatekeeper.app import Finished, Prepared, notify
from gatekeeper.cli import complain
from gatekeeper.cli.terminal import Printer
from gatekeeper.execute.run import Observer
from gatekeeper.model import Result
from gatekeeper.outputs import Target, write_reports
from gatekeeper.project import Project
from gatekeeper.remembering import past
from gatekeeper.reporting import PlanSummary, Stream, View, rendered
from gatekeeper.store import module_of


class Shown(Observer):
    """The stream on stdout, or whatever `printer` writes to; the progress line; and the plugins that observe."""

    def __init__(
        self,
        project: Project,
        prepared: Prepared,
        asked: Sequence[Target],
        view: View,
        printer: Printer | None = None,
    ) -> None:
        self._project, self._asked, self._view = project, asked, view
        view.root = project.settings.root
        self._printer = printer or Printer()
        self._remembers = prepared.request.remember
        self._stdout = next((target.report for target in asked if target.path is None), None)
        self._stream: Stream | None = None
        self._progress = _progress(prepared) if self._printer.stream.isatty() else None
        if self._stdout is not None and self._stdout.stream is not None:
            self._stream = self._stdout.stream(view)
            self._printer.write(self._stream.begin(_summary(project, prepared)))

    def started(self, gate: str) -> None:
        if self._progress is not None:
            self._progress.started(gate)

    def result(self, result: Result) -> None:
        if self._progress is not None:
            self._progress.ended(result.id)
        if self._stream is not None:
            text = self._stream.result(result)
            if text:
                self.say(text)
        notify(self._project.plugins, result, complain)

    def idle(self) -> None:
        """Load what the end of the run needs, while gates run."""
        modules = {name for target in self._asked for name in target.report.imports}
        if self._remembers:
            modules.add(module_of(self._project.store_url))
        for name in sorted(modules):
            with suppress(ImportError):  # said when the report is rendered
                import_module(name)

    def say(self, text: str) -> None:
        """Write it between the results."""
        self._clear()
        self._printer.write(text)

    def tick(self) -> None:
        if self._progress is not None:
            self._on_terminal(self._progress.draw)

    def _clear(self) -> None:
        if self._progress is not None:
            self._on_terminal(self._progress.clear)

    def _on_terminal(self, draw: Callable[[], None]) -> None:
        """A terminal may be closed while gates run."""
        try:
            draw()
        except OSError:
            self._progress = None

    def finish(self, finished: Finished, *, exit_zero: bool) -> bool:
        """Write the reports; True when one that was asked for could not be written."""
        self._clear()
        if self._remembers and any(target.report.name != "term" for target in self._asked):
            self._view.past = past(self._project, finished.run)
        files = View(
            root=self._project.settings.root,
            past=self._view.past,
            again=self._view.again,
            exit=self._view.exit,
        )
        failures = write_reports(self._asked, finished.run, files)
        complain(*failures)
        written = [str(target.path) for target in self._asked if target.path is not None]
        if written and not failures:
            self._view.closing.append(
                ("reports", "  ".join(_short(path, self._project.cwd) for path in written))
            )
        if exit_zero and finished.run.verdict.exit_code and finished.run.header.complete:
            self._view.closing.append(("exit", "0 is the exit code of this process (--exit-zero)"))
        return self._print(finished) or bool(failures)

    def _print(self, finished: Finished) -> bool:
        try:
            if self._stream is not None:
                self._printer.write(self._stream.end(finished.run))
            elif self._stdout is not None:
                self._printer.write(rendered(self._stdout, finished.run, self._view))
        except Exception as error:
            complain(
                f"report {self._stdout.name if self._stdout else ''} broke: {type(error).__name__}: {error}"
            )
            return True
        if self._printer.failure is not None:
            name = self._printer.stream.name.strip("<>")
            complain(f"the report could not be written to {name}: {self._printer.failure.strerror}")
            return True
        if self._stream is None or (self._stdout and self._stdout.name != "term"):
            complain(*(f"note: {note}" for note in finished.run.notes))
        return False


def _progress(prepared: Prepared) -> Any:
    if not sys.stderr.isatty():
        return None
    from gatekeeper.cli.progress import Progress

    timeouts = {planned.id: planned.timeout for planned in prepared.plan.gates}
    return Progress(len(prepared.plan.gates), timeouts)


def _summary(project: Project, prepared: Prepared) -> PlanSummary:
    header = prepared.header
    return PlanSummary(
        run=header.id,
        phase=header.phase,
        gates=prepared.plan.ids,
        sources=_places(project, prepared),
        profile=header.profile,
        config=header.config,
    )


def _places(project: Project, prepared: Prepared) -> list[str]:
    """Where the planned gates come from: folders of the project, and how many plugins."""
    files = {planned.gate.file for planned in prepared.plan.gates}
    root = project.settings.root
    inside = sorted(
        {str(Path(file).parent.relative_to(root)) for file in files if Path(file).is_relative_to(root)}
    )
    outside = len({file for file in files if not Path(file).is_relative_to(root)})
    return [f"{folder}/" for folder in inside] + (
        [f"{outside} plugin{'s' if outside > 1 else ''}"] if outside else []
    )


def _short(path: str, cwd: Path) -> str:
    return str(Path(path).relative_to(cwd)) if Path(path).is_relative_to(cwd) else path
