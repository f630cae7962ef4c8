"""Gates as test items: each gate that the command line names is an item, run as `gatekeeper run` would run it."""

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gatekeeper import printable
from gatekeeper.decide import is_warning
from gatekeeper.errors import GatekeeperError
from gatekeeper.model import Result
from gatekeeper.pytest_plugin import told
from gatekeeper.pytest_plugin.items.gaterunner import ProjectGates
from gatekeeper.pytest_plugin.projects import GateFolders
from gatekeeper.runner.messages import Listed
from gatekeeper.wording import again, headline, held_against

MARKER_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


class GatekeeperWarning(UserWarning):
    """A gate warns: shown in the session's summary, and never an error, however warnings are filtered."""


class GateFailed(Exception):
    """A gate does not let the session be green. Its text is what the gate found."""

    def __init__(self, result: Result) -> None:
        super().__init__(_block(result))
        self.result = result


def _block(result: Result) -> str:
    tried = [] if result.status in ("pass", "skip") else [("try", again(result))]
    return "\n".join(told.block(result, *tried))


class GateItems:
    """The plugin object of a session that has gates for items."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._folders: dict[Path, GateFolders] = {}
        self._projects: dict[str, ProjectGates] = {}

    def file(self, path: Path, parent: pytest.Collector, names: Sequence[Path]) -> "GateFile | None":
        """The collector of a gate file, if it is a project's own and was asked for."""
        if path.parent not in self._folders:
            self._folders[path.parent] = GateFolders.of(path, self._config)
        found = self._folders[path.parent]
        if not found.named_for(path, names):
            return None
        gates = self._projects.setdefault(found.project.cwd, ProjectGates(found.project))
        return GateFile.from_parent(parent, path=path, gates=gates)

    def close(self) -> None:
        for gates in self._projects.values():
            gates.close()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        items = [item for item in session.items if isinstance(item, GateItem)]
        for gates in self._projects.values():
            gates.select(item.gate for item in items if item.gates is gates)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report: pytest.TestReport = yield
        if isinstance(item, GateItem) and call.when == "call":
            item.complete(report)
        return report


class GateFile(pytest.File):
    """A project's gate file. It is never imported here: the runner says what is in it."""

    def __init__(self, *, gates: ProjectGates, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gates = gates

    def collect(self) -> "Iterator[GateItem]":
        try:
            listed = self.gates.listed()
        except GatekeeperError as error:
            raise self.CollectError(self._told(error)) from None
        home = os.path.realpath(self.path)
        for gate in listed:
            if gate.home == home:
                yield GateItem.from_parent(self, name=printable(gate.id), gate=gate)

    def _told(self, error: GatekeeperError) -> str:
        """What is wrong with the project, once: its other files refer to the first."""
        self.gates.asked_first = self.gates.asked_first or self.nodeid
        if self.gates.asked_first != self.nodeid:
            return f"the project can't be loaded: see the error of {self.gates.asked_first}"
        return printable(str(error), newlines=True)


class GateItem(pytest.Item):
    """One gate."""

    parent: GateFile

    def __init__(self, *, gate: Listed, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gate = gate
        self.gates = self.parent.gates
        self.result: Result | None = None
        self.extra_keyword_matches.update(gate.tags)
        for name in (gate.phase, *gate.tags):
            self._mark(name)

    def _mark(self, name: str) -> None:
        """Have `-m` select it. A name that is another tool's marker, with arguments, is not touched."""
        known = {line.partition(":")[0].strip() for line in self.config.getini("markers")}
        if not MARKER_NAME.fullmatch(name) or any(marker.startswith(f"{name}(") for marker in known):
            return
        if name not in known:
            self.config.addinivalue_line("markers", f"{name}: gates of this phase or tag")
        self.add_marker(name)

    def runtest(self) -> None:
        self.result = None  # a rerun's counts, whatever it comes to
        if self.gate.left_out:
            pytest.skip(self.gate.left_out)
        result = self.result = self.gates.result(self.gate.id)
        self._keep(result)
        if held_against(result) or (result.blocked_by is not None and not self._is_explained(result)):
            raise GateFailed(result)
        if result.status == "skip":
            pytest.skip(headline(result))
        if is_warning(result):
            self._warn(result)

    def _is_explained(self, result: Result) -> bool:
        """Nothing need be said twice: what the gate needs has failed, or the gate would decide nothing anyway."""
        return result.requirement != "required" or self.gates.is_explained(result)

    def _keep(self, result: Result) -> None:
        for key, text in (("stdout", result.output.stdout), ("stderr", result.output.stderr)):
            if text:
                self.add_report_section("call", key, printable(text, newlines=True))

    def _warn(self, result: Result) -> None:
        """Said whatever filters say: `-W error` is about the code under test."""
        with warnings.catch_warnings():
            warnings.simplefilter("always", GatekeeperWarning)
            self.warn(GatekeeperWarning(f"{self.name}: {told.line(result)}"))

    def complete(self, report: pytest.TestReport) -> None:
        """What pytest can't know of a gate: how long it took, where it is, what it found though it passed."""
        if self.result is not None:
            report.duration = self.result.duration_s
            if report.passed and (self.result.status != "pass" or self.result.flaky):
                report.sections.append(("Findings", _block(self.result)))
        if report.skipped and isinstance(report.longrepr, tuple):
            report.longrepr = (self.gate.file, self.gate.line, report.longrepr[2])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if not isinstance(excinfo.value, GateFailed):
            return super().repr_failure(excinfo, style)
        shown = excinfo.getrepr(style="value")
        if self.config.getoption("tbstyle") == "line":
            for entry in shown.reprtraceback.reprentries:
                entry.lines = []
        if shown.reprcrash is not None:  # what the summary, `--tb=line` and JUnit say
            shown.reprcrash.path, shown.reprcrash.lineno = self.gate.file, self.gate.line
            shown.reprcrash.message = told.line(excinfo.value.result)
        return shown

    def reportinfo(self) -> tuple[Path, int, str]:
        return Path(self.gate.file), self.gate.line - 1, f"gate {self.name}"
