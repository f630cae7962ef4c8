"""The process: serve one run around the host's flow.

While the flow runs, the host's process tree is measured from here. A host that vanishes without a word has its post
gates run all the same, and the run recorded.
"""

import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec
from msgspec import structs

from gatekeeper.app import Finished, notify
from gatekeeper.around import Around
from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.execute.run import Observer
from gatekeeper.measure import Meter
from gatekeeper.model import INTERNAL_ERROR, USAGE_ERROR, Result
from gatekeeper.outputs import Target, targets, write_reports
from gatekeeper.project import Project
from gatekeeper.remembering import remember
from gatekeeper.reporting import View
from gatekeeper.rundata import FlowData
from gatekeeper.runner.messages import Answer, Before, Begin, End, Ended, Order, Refused, Started, Stop, Whole


class Talk(Observer):
    """The two pipes. Nobody listens any more: nothing is said, and the work goes on."""

    def __init__(self, orders: IO[bytes], answers: IO[bytes]) -> None:
        self._orders, self._answers = orders, answers
        self.project: Project | None = None

    def next(self, meter: Meter | None = None) -> Order | None:
        """The next order, measuring meanwhile; None where the host is gone."""
        while meter is not None and not select.select([self._orders], [], [], meter.interval)[0]:
            meter.sample()
        line = self._orders.readline()
        return msgspec.json.decode(line, type=Order) if line.endswith(b"\n") else None

    def say(self, answer: Answer) -> None:
        try:
            self._answers.write(msgspec.json.encode(answer) + b"\n")
            self._answers.flush()
        except (OSError, ValueError):
            self._answers = open(os.devnull, "wb")  # noqa: SIM115 - for good

    def started(self, gate: str) -> None:
        self.say(Started(gate))

    def result(self, result: Result) -> None:
        self.say(Ended(result))
        if self.project is not None:
            notify(self.project.plugins, result, complain)


def complain(problem: str) -> None:
    print(f"gatekeeper: {problem}", file=sys.stderr, flush=True)


def main() -> None:
    """Serve one run: `Begin`, then `End` or `Stop`."""
    talk = Talk(os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb"))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)  # what plugins print must not look like answers
    os.close(null)
    try:
        begin = talk.next()
        if isinstance(begin, Begin):
            serve(begin, talk)
    except UsageError as error:
        talk.say(Refused(tuple(error.problems), USAGE_ERROR))
    except GatekeeperError as error:
        talk.say(Refused((str(error),), INTERNAL_ERROR))
    except BaseException as error:
        if os.environ.get("GATEKEEPER_DEBUG"):
            raise
        talk.say(Refused((f"internal error: {type(error).__name__}: {error}",), INTERNAL_ERROR))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def serve(begin: Begin, talk: Talk) -> None:
    """One run around the host's flow.

    Raises:
        UsageError: whatever is wrong with what was asked or configured.
    """
    project = talk.project = Project(begin.request.project)
    folder = Path(begin.report_dir) if begin.report_dir else None
    asked = targets(begin.formats, folder, project.plugins.reports(), project.cwd)
    around = Around(project, begin.request)
    run = around.before(talk)
    meter = Meter(begin.host, besides={os.getpid()}) if begin.host is not None else None
    talk.say(Before(run, tuple(around.prepared.plan.ids)))
    finished = _rest(around, meter, talk)
    talk.say(_concluded(project, asked, finished, recorded=begin.request.remember))


def _rest(around: Around, meter: Meter | None, talk: Talk) -> Finished:
    order = talk.next(meter)
    if isinstance(order, Stop):
        return around.stop(order.reason, talk)
    end = order if isinstance(order, End) else End(flow=FlowData(kind="python", complete=False))
    if meter is None:
        return around.after(end.flow, end.measured, end.outputs, talk)
    flow = structs.replace(end.flow, left=meter.left()) if end.flow.left is None else end.flow
    return around.after(flow, end.measured.over(meter.readings()), end.outputs, talk)


def _concluded(project: Project, asked: Sequence[Target], finished: Finished, *, recorded: bool) -> Whole:
    problems = remember(project, finished.run, finished.saved) if recorded else []
    run = structs.replace(finished.run, notes=(*finished.run.notes, *problems))
    failed = write_reports(asked, run, View(root=project.settings.root))
    written = tuple(str(target.path) for target in asked if target.path is not None)
    return Whole(run, written, tuple(failed))


if __name__ == "__main__":
    main()
