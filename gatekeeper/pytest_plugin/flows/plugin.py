"""What a session needs that has tests of flows: marked tests are judged, and what gates found is shown."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pytest

from gatekeeper.plain import printable
from gatekeeper.pytest_plugin import told
from gatekeeper.pytest_plugin.flows.fixture import Decided, FlowTests
from gatekeeper.pytest_plugin.flows.wishes import problems
from gatekeeper.pytest_plugin.marked import NAME

PLUGIN = "gatekeeper-flow-tests"
TESTS = pytest.StashKey[FlowTests]()


def plugin(config: pytest.Config) -> None:
    """Have the session's tests judged and shown, from now on."""
    if not config.pluginmanager.has_plugin(PLUGIN):
        config.pluginmanager.register(FlowTesting(), PLUGIN)


def tests_of(item: pytest.Item) -> FlowTests:
    """What this test runs its flows with."""
    plugin(item.config)
    tests = item.stash[TESTS] = FlowTests(item)
    return tests


def check(report: pytest.CollectReport, items: Sequence[pytest.Item], config: pytest.Config) -> None:
    """Have marked tests judged; markers that are wrong make their collection fail, which says all that is wrong."""
    plugin(config)
    if wrong := [*dict.fromkeys(problem for item in items for problem in _wrong(item))]:
        report.outcome, report.result = "failed", []
        report.longrepr = printable("\n".join(wrong), newlines=True)


def _wrong(item: pytest.Item) -> Iterator[str]:
    for marker in item.iter_markers(NAME):
        found = [f"takes arguments by keyword only, got {given!r}" for given in marker.args]
        for problem in (*found, *problems(marker.kwargs)):
            yield f"{item.nodeid}: @pytest.mark.{NAME}: {problem}"


class FlowTesting:
    """The plugin object."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        if item.get_closest_marker(NAME) is None:
            return (yield)
        if NAME in getattr(item, "fixturenames", ()):
            answer = yield
            item.stash[TESTS].refuse_unused()
            return answer
        with tests_of(item).around():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report: pytest.TestReport = yield
        if not report.failed or TESTS not in item.stash or call.excinfo is None:
            return report
        if item.stash[TESTS].is_refused:
            _locate(report, item)
            return report
        for result in item.stash[TESTS].results:
            report.sections.append((f"gatekeeper: {printable(result.name)}", "\n".join(told.run(result.run))))
        return report

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        decided = next((side for side in (left, right) if isinstance(side, Decided)), None)
        if decided is None:
            return None
        first, *others = told.reasons(decided.result.run, "no gate stands against it")
        return [f"{left!r} {op} {right!r}: {first}", *others]


def _locate(report: pytest.TestReport, item: pytest.Item) -> None:
    """It is the test that was refused: not the place in gatekeeper that says so."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        path, line, _ = item.reportinfo()
        crash.path, crash.lineno = str(path), (line or 0) + 1
