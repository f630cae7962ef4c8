"""The plugin objects of a gated session: they tell of each test, and of the end."""

from collections.abc import Generator
from time import monotonic
from typing import Any

import pytest

from gatekeeper.pytest_plugin.session.feed import Feed, Record

PLUGIN = "gatekeeper-session"
WORKER_INPUT = "gatekeeper_session"
"""What the controller of pytest-xdist tells its workers: that their session is gated."""
LONGEST_NAME = 100


def configure_worker(config: pytest.Config) -> None:
    """A worker of pytest-xdist: where its session is gated, its controller tells of the tests."""
    if WORKER_INPUT in config.workerinput:  # type: ignore[attr-defined]  # it is xdist's
        config.pluginmanager.register(ErrorNames(), PLUGIN)


class ErrorNames:
    """Notes at each failed test which exception it was. Where tests run, which may be a worker of pytest-xdist."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report: pytest.TestReport = yield
        if report.failed:
            report.gatekeeper_error = _error(report, call)  # type: ignore[attr-defined]  # xdist passes on what is set
        return report


def _error(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str:
    """The exception's type; `timeout` for pytest-timeout's, `xpass` where a strict xfail passed."""
    if call.excinfo is None:
        return "xpass" if str(report.longrepr).startswith("[XPASS") else "failure"
    if call.excinfo.errisinstance(pytest.fail.Exception) and str(call.excinfo.value).startswith("Timeout"):
        return "timeout"
    return call.excinfo.type.__name__[:LONGEST_NAME]


class Told(ErrorNames):
    """Tells a feed of the session."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._now = monotonic  # as it is before any test can replace it

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self) -> Generator[None, Any, Any]:
        """The end is what comes after everything else, and without an exception."""
        code = yield
        self._feed.tell({"code": int(code or 0)})
        return code

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        self._feed.tell({"started": self._now()})

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, Any]:
        answer = yield
        self._feed.tell({"finished": self._now()})
        return answer

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._feed.tell(_record(report))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._feed.tell({"uncollected": report.nodeid})

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[WORKER_INPUT] = True


def _record(report: pytest.TestReport) -> Record:
    told: Record = {
        "test": report.nodeid, "when": report.when, "outcome": report.outcome, "duration": report.duration
    }  # fmt: skip
    if report.failed:
        told["error"] = getattr(report, "gatekeeper_error", "")
    if hasattr(report, "wasxfail"):
        told["xfail"] = True
    if hasattr(report, "context"):  # of pytest's subtests: a part of a test that reports for itself, too
        told["part"] = True
    return told
