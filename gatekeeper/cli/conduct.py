"""How `run` and `exec` conduct themselves around their gates: plugins kept in bounds, the end whole."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from msgspec import structs

from gatekeeper.alerts.alerting import Alerting
from gatekeeper.app import Finished, RunRequest
from gatekeeper.cli import complain
from gatekeeper.cli.terminal import When, wants_color
from gatekeeper.errors import GatekeeperError
from gatekeeper.project import Project
from gatekeeper.remembering import remember


@contextmanager
def plugins_in_bounds() -> Iterator[None]:
    """What a plugin prints goes to stderr: stdout is the report's, or the command's. None may end the program.

    Its exit code would say nothing about any gate.

    Raises:
        GatekeeperError: one tried to.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except SystemExit as error:
        raise GatekeeperError(f"a plugin ended the run: sys.exit({error.code!r})") from error


def recorded(project: Project, finished: Finished, request: RunRequest, alerting: Alerting) -> Finished:
    """The run with notes about what went wrong in recording it. From here on, SIGTERM waits for the reports."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, _impatient)
    problems = remember(project, finished.run, finished.saved, alerting) if request.remember else []
    run = structs.replace(finished.run, notes=(*finished.run.notes, *problems, *alerting.notes))
    return structs.replace(finished, run=run)


def tell(alerting: Alerting, color: When) -> None:
    """Send what the run has to tell, after its verdict was shown: what becomes of it changes no exit code."""
    for line in alerting.deliver(color=wants_color(sys.stderr, color)):
        complain(line)


def _impatient(number: int, frame: Any) -> None:
    """The first Ctrl-C while reports are written waits for them; a second one does not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    complain("writing the reports of a finished run; once more ends it at once")
