"""The process: serve one run around the host's flow, or its single gates.

While the flow runs, the host's process tree is measured from here. A host that vanishes without a word has its post
gates run all the same, and the run recorded.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import structs

from gatekeeper.alerts.alerting import Alerting
from gatekeeper.app import Finished
from gatekeeper.around import Around
from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.execute.fork import signals
from gatekeeper.measure import Meter
from gatekeeper.model import INTERNAL_ERROR, USAGE_ERROR, Run
from gatekeeper.outputs import Target, targets, write_reports
from gatekeeper.project import Project
from gatekeeper.remembering import past, remember
from gatekeeper.reporting import View
from gatekeeper.rundata import FlowData
from gatekeeper.runner.messages import Before, Begin, End, Open, Order, Refused, Stop, Whole
from gatekeeper.runner.talk import Talk


def main() -> None:
    """Serve one run (`Begin`, then `End` or `Stop`), or single gates (`Open`, then `Single`)."""
    talk = Talk.over_stdio()
    try:
        begin = talk.next()
        if isinstance(begin, Begin):
            serve(begin, talk)
        elif isinstance(begin, Open):
            from gatekeeper.runner import gates

            gates.serve(begin, talk)
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
    around, alerting = Around(project, begin.request, begin.inputs), Alerting(project)
    early = around.before(talk)
    with signals(_deaf):
        meter = Meter(begin.host, besides={os.getpid()}) if begin.host is not None else None
        talk.say(Before(early, tuple(around.prepared.plan.ids)))
        order = talk.next(meter)
    finished = _rest(around, early, order, meter, talk)
    with signals(_deaf):
        whole = _concluded(project, asked, finished, alerting if begin.request.remember else None)
        talk.say(structs.replace(whole, delivers=alerting.queued))
        for line in alerting.deliver():
            print(f"gatekeeper: {line}", file=sys.stderr)


def _deaf(number: int, frame: object) -> None:
    """A flow's end is waited for, and what is decided is recorded, whoever asks this process to stop."""


def _rest(around: Around, early: Run, order: Order | None, meter: Meter | None, talk: Talk) -> Finished:
    """What comes after the flow, or in its place."""
    if isinstance(order, Stop):
        return around.stop(order.reason, talk)
    if not early.header.complete:
        return around.stop("interrupted", talk)
    end = order if isinstance(order, End) else End(flow=FlowData(kind="python", complete=False))
    if meter is None:
        return around.after(end.flow, end.measured, end.outputs, talk)
    flow = structs.replace(end.flow, left=meter.left()) if end.flow.left is None else end.flow
    return around.after(flow, end.measured.over(meter.readings()), end.outputs, talk)


def _concluded(
    project: Project, asked: Sequence[Target], finished: Finished, alerting: Alerting | None
) -> Whole:
    """The whole run, recorded (unless nobody is to be told) and reported."""
    notes = finished.run.notes
    if alerting is not None:
        notes = (*notes, *remember(project, finished.run, finished.saved, alerting), *alerting.notes)
    run = structs.replace(finished.run, notes=notes)
    view = View(root=project.settings.root, past=past(project, run) if alerting is not None else None)
    failed = write_reports(asked, run, view)
    written = tuple(str(target.path) for target in asked if target.path is not None)
    return Whole(run, written, tuple(failed))


if __name__ == "__main__":
    main()
