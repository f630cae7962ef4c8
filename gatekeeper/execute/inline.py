"""`--isolation none`: gates in the program's own process, one after the other. For debuggers, and for trusted gates.

Time limits are not enforced, and a gate that ends the process ends the run. What a gate prints goes to stderr.
"""

import gc
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from gatekeeper.execute.attempt import World, perform
from gatekeeper.execute.schedule import Options, Outcome, Schedule, Task, tasks_of
from gatekeeper.plan import Plan
from gatekeeper.plugins import Plugins
from gatekeeper.rundata import RunData

if TYPE_CHECKING:
    from gatekeeper.execute.run import Collector


def run_inline(plan: Plan, data: RunData, plugins: Plugins, options: Options, collected: "Collector") -> bool:
    """Carry out the plan here. True when it was interrupted."""
    schedule = Schedule(tasks_of(plan), options, monotonic(), plan.earlier)
    world = World(data, plugins, schedule.gathered)
    interrupted = False
    here = Path.cwd()
    gc.enable()  # what gates make is theirs to collect
    os.chdir(data.root)
    try:
        while not schedule.done:
            task = schedule.next(monotonic())
            if task is not None:
                _perform(task, schedule, world, collected)
            elif (due := schedule.wake_at()) is not None:
                sleep(max(0.0, due - monotonic()))
            for result in schedule.take():
                collected.result(result)
    except KeyboardInterrupt:
        interrupted = True
        schedule.stop("interrupted")
    finally:
        os.chdir(here)
    for result in schedule.take():
        collected.result(result)
    collected.complete(schedule.gathered)
    return interrupted


def _perform(task: Task, schedule: Schedule, world: World, collected: "Collector") -> None:
    if task.kind == "gate":
        collected.started(task.name)
    with redirect_stdout(sys.stderr):  # stdout is the report's
        me = os.getpid()
    frame = perform(task, world, schedule.attempt(task), None, interruptible=True)
    if os.getpid() != me:  # a copy that the gate forked, and that came back here
        os._exit(0)
    schedule.ended(task, Outcome(frame.evaluation, value=frame.value), monotonic())
