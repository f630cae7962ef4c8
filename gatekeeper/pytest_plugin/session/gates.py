"""The gates around one session, run by a runner of their own: may it start, and what is to be said of it?"""

import os
from typing import Self

import pytest

from gatekeeper.app import RunRequest
from gatekeeper.around import may_start
from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.model import INTERNAL_ERROR, Run
from gatekeeper.project import ProjectRequest
from gatekeeper.pytest_plugin.session.options import Asked
from gatekeeper.pytest_plugin.session.shown import Shown
from gatekeeper.rundata import FlowData
from gatekeeper.runner.client import Runner
from gatekeeper.runner.messages import Begin, Whole
from gatekeeper.samples import Readings

NOT_STARTED = "the session did not start: the gates before it did not let it"


class SessionGates:
    """Runs the gates of one session, and shows what they find. A context manager.

    Its exit codes are the session's own where it is red by itself, else the verdict's. `measures`: this process is the
    session, and measured.
    """

    def __init__(self, asked: Asked, shown: Shown, *, measures: bool = False) -> None:
        self._asked, self._shown, self._measures = asked, shown, measures
        self._runner: Runner | None = None
        self.let_through = False
        """Whether the session may start."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._runner is not None:
            self._runner.close()

    @property
    def processes(self) -> tuple[int, ...]:
        """Processes of this one's that are none of the session's."""
        return () if self._runner is None else (self._runner.pid,)

    def before(self) -> int | None:
        """Run the pre gates; None where the session may start, else the exit code.

        Raises:
            pytest.UsageError: whatever is wrong with what was asked or configured.
        """
        try:
            self._runner = Runner()
            run = self._runner.before(self._begin()).run
            if not self._may_start(run):
                return self._said(self._runner.stop(NOT_STARTED), 0)
        except UsageError as error:
            raise pytest.UsageError(*(f"gatekeeper: {problem}" for problem in error.problems)) from None
        except GatekeeperError as error:
            return self._broken(error, 0)
        self.let_through = True
        if "pre" in self._asked.phases:
            self._shown.before(run)
        return None

    def after(self, ended: FlowData, measured: Readings, own: int) -> int:
        """Run the post gates on a session that ended with the exit code `own`; the exit code."""
        assert self._runner is not None  # the pre gates ran
        try:
            return self._said(self._runner.after(ended, measured, {}), own)
        except GatekeeperError as error:
            return self._broken(error, own)

    def _begin(self) -> Begin:
        asked = self._asked
        project = ProjectRequest(cwd=asked.cwd, config=asked.config, profile=asked.profile)
        return Begin(
            request=RunRequest(project=project, phase="exec", phases=asked.phases),
            formats=asked.formats,
            report_dir=asked.report_dir,
            host=os.getpid() if self._measures else None,
        )

    def _may_start(self, run: Run) -> bool:
        held = self._asked.runs_on_hold and run.verdict.decision == "hold"
        return held or may_start(run.verdict)

    def _said(self, whole: Whole, own: int) -> int:
        code = own or whole.run.verdict.exit_code or (INTERNAL_ERROR if whole.problems else 0)
        self._shown.after(whole, own, code)
        return code

    def _broken(self, error: GatekeeperError, own: int) -> int:
        """Nobody judged the session: that is never a pass."""
        self._shown.problem(str(error))
        return own or INTERNAL_ERROR
