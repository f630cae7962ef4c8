"""Gates around a session that code has started with `pytest.main()`: in that process, which nobody supervises.

A test that ends the process ends everything then; the runner of the gates records that nobody saw the session's end.
"""

import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gatekeeper.model import INTERNAL_ERROR, USAGE_ERROR
from gatekeeper.pytest_plugin.session.feed import Kept
from gatekeeper.pytest_plugin.session.gates import SessionGates
from gatekeeper.pytest_plugin.session.options import WITHIN, Asked
from gatekeeper.pytest_plugin.session.plugin import Told
from gatekeeper.pytest_plugin.session.results import Results
from gatekeeper.pytest_plugin.session.shown import Shown
from gatekeeper.rundata import FlowData

NAME = "gatekeeper-entrance"


class Entrance:
    """Runs the pre gates: where they don't let the session start, it ends before it begins."""

    def __init__(self, gates: SessionGates) -> None:
        self._gates = gates

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int | None:
        if hasattr(config, "workerinput"):  # of pytest-xdist: the controller runs the gates
            return None
        return self._gates.before()


class InProcess(Told):
    """Runs the post gates on what the session told."""

    def __init__(self, config: pytest.Config, asked: Asked, shown: Shown) -> None:
        self._kept = Kept()
        super().__init__(self._kept)
        self._gates = SessionGates(asked, shown, measures=True)
        config.pluginmanager.register(Entrance(self._gates), NAME)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self) -> Generator[None, Any, Any]:
        began, clock = time.time(), self._now()
        with self._gates, _mark():
            try:
                code = yield
            except BaseException as error:
                self._judged(
                    began, clock, USAGE_ERROR if isinstance(error, pytest.UsageError) else INTERNAL_ERROR
                )
                raise
            return self._judged(began, clock, code)

    def _judged(self, began: float, clock: float, code: Any) -> Any:
        if not self._gates.let_through:
            return code
        own = int(code or 0)
        self._feed.tell({"code": own})
        results = Results.of(self._kept.records)
        took = results.duration_s or self._now() - clock
        ended = FlowData(kind="pytest", name="pytest", began=began, duration_s=took, exit_code=own)
        return self._gates.after(ended, results.readings(took), own) or code


@contextmanager
def _mark() -> Iterator[None]:
    """Sessions that this one starts are within it."""
    before = os.environ.get(WITHIN)
    os.environ[WITHIN] = str(os.getpid())
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(WITHIN, None)
        else:
            os.environ[WITHIN] = before
