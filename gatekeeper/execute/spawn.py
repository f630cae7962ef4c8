"""The runner where forking is not safe or not there: worker processes that are spawned, and reused.

A worker loads the project by itself from data, takes one attempt after the other as a line of JSON on its stdin, and
answers each with a line. A gate that doesn't end is killed with its worker; the next one gets a new worker. Works from
a process with threads, and on systems without fork.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from queue import Empty, Queue
from time import monotonic
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from gatekeeper.execute import processes
from gatekeeper.execute.evaluate import Evaluation
from gatekeeper.execute.forker import BROKEN, MOST_PATIENCE, NOT_SENT
from gatekeeper.execute.schedule import Gathered, Options, Outcome, Schedule, Task, tasks_of
from gatekeeper.plan import Plan

if TYPE_CHECKING:
    from gatekeeper.execute.run import Collector

START_TIMEOUT = 60.0
"""Seconds that a worker may take to load the project."""


class Order(Struct, frozen=True):
    """One attempt, as a worker is told. The facts come along: a worker may have started before they were gathered."""

    kind: str
    name: str
    number: int
    limit: float
    gathered: Gathered


class Answer(Struct, frozen=True):
    """What the attempt came to."""

    outcome: Outcome


class Worker:
    """One spawned process, and a thread that reads what it says."""

    def __init__(self, project: bytes) -> None:
        environment = {**os.environ, processes.MARK: f"worker of {os.getpid()}"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gatekeeper.worker"],  # no module of the working directory's
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self._lines: Queue[bytes] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._send(project)

    def _listen(self) -> None:
        assert self._process.stdout is not None  # it is a pipe
        with suppress(ValueError, OSError):
            for line in self._process.stdout:
                self._lines.put(line)
        self._lines.put(b"")

    def _send(self, line: bytes) -> None:
        assert self._process.stdin is not None  # it is a pipe
        with suppress(BrokenPipeError, OSError):
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()

    def ready(self) -> bool:
        """Wait until it has loaded the project; False when it could not."""
        return self._line(START_TIMEOUT) == b"ready\n"

    def _line(self, patience: float) -> bytes | None:
        try:
            return self._lines.get(timeout=min(MOST_PATIENCE, max(0.0, patience)))
        except Empty:
            return None

    def attempt(self, order: Order) -> Outcome | None:
        """Have it carried out; None when it did not end in time. A worker that died says so as an error."""
        self._send(msgspec.json.encode(order))
        line = self._line(order.limit)
        if line is None:
            return None
        if not line:
            return Outcome(Evaluation("error", self._how_it_ended()))
        try:
            return msgspec.json.decode(line, type=Answer).outcome
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Outcome(Evaluation("error", "its worker answered with something that is no result"))

    def _how_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=2)
            if code < 0:
                return f"its process was killed by {signal.Signals(-code).name}"
            if code == BROKEN:
                return NOT_SENT
            return f"its process exited with code {code} before the gate had finished"
        return "its process closed its pipe before the gate had finished"

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End it, and its process group."""
        if hasattr(os, "killpg"):
            processes.kill_group(self._process.pid)
        with suppress(OSError):
            self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError, ValueError):
                if pipe is not None:
                    pipe.close()


def run_spawned(plan: Plan, project: bytes, options: Options, collected: "Collector") -> bool:
    """Carry out the plan with workers. True when it was interrupted."""
    return _Pool(plan, project, options, collected).run()


class _Pool:
    """Threads that each drive one worker at a time; the schedule is the caller's alone."""

    def __init__(self, plan: Plan, project: bytes, options: Options, collected: "Collector") -> None:
        self._schedule = Schedule(tasks_of(plan), options, monotonic(), plan.earlier)
        self._project, self._collected = project, collected
        self._done: Queue[tuple[Task, Outcome]] = Queue()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._lock = threading.Lock()
        self._interrupted = False

    def run(self) -> bool:
        from gatekeeper.execute.fork import signals

        with signals(lambda *_: self._interrupt()):
            while not self._schedule.done:
                self._start_ready()
                self._pass_on()
                if self._schedule.done:
                    break
                self._wait()
            self._pass_on()
        for worker in self._idle:
            worker.kill()
        self._collected.complete(self._schedule.gathered)
        return self._interrupted

    def _interrupt(self) -> None:
        self._interrupted = True

    def _start_ready(self) -> None:
        now = monotonic()
        while (task := self._schedule.next(now)) is not None:
            limit = self._schedule.deadline(task, now) - now
            order = Order(task.kind, task.name, self._schedule.attempt(task), limit, self._schedule.gathered)
            if task.kind == "gate":
                self._collected.started(task.name)
            threading.Thread(target=self._drive, args=(task, order), daemon=True).start()

    def _wait(self) -> None:
        patience = 0.1
        if (due := self._schedule.wake_at()) is not None:
            patience = min(patience, max(0.0, due - monotonic()))
        try:
            task, outcome = self._done.get(timeout=max(patience, 0.001))
        except Empty:
            self._collected.observer.tick()
        else:
            self._schedule.ended(task, outcome, monotonic())
        if self._interrupted:
            self._schedule.stop("interrupted")
            with self._lock:
                busy = list(self._busy)
            for worker in busy:
                worker.kill()

    def _pass_on(self) -> None:
        for result in self._schedule.take():
            self._collected.result(result)

    def _drive(self, task: Task, order: Order) -> None:
        """One attempt, in a thread of its own."""
        try:
            outcome = self._attempt(order)
        except Exception as error:  # whatever broke here, the gate gets a result
            outcome = Outcome(Evaluation("error", f"no worker for it: {type(error).__name__}: {error}"))
        self._done.put((task, outcome))

    def _attempt(self, order: Order) -> Outcome:
        worker = self._take()
        if worker is None:
            return Outcome(Evaluation("error", "its worker could not load the project; see stderr"))
        began = monotonic()
        outcome = worker.attempt(order)
        with self._lock:
            self._busy.discard(worker)
        if outcome is None:
            worker.kill()
            reason = f"timed out after {order.limit:.3g} s (its timeout)"
            return Outcome(Evaluation("error", reason, duration_s=monotonic() - began))
        if worker.alive:
            with self._lock:
                self._idle.append(worker)
        else:
            worker.kill()
        if self._interrupted and outcome.evaluation.status == "error":
            return Outcome(Evaluation("error", "interrupted"), outcome.output)
        return outcome

    def _take(self) -> Worker | None:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is None:
            worker = Worker(self._project)
            if not worker.ready():
                worker.kill()
                return None
        with self._lock:
            self._busy.add(worker)
        return worker
