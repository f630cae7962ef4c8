"""Carrying out a plan with a forker: start what is ready, listen to the children, take in what they come to."""

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from gatekeeper.execute import processes
from gatekeeper.execute.attempt import MAX_FRAME, World, decoded
from gatekeeper.execute.capture import Capture
from gatekeeper.execute.evaluate import Evaluation
from gatekeeper.execute.forker import (
    BROKEN,
    NOT_SENT,
    STOP,
    TERM_GRACE,
    TRACE_GRACE,
    Ended,
    Facts,
    Fork,
    Forker,
)
from gatekeeper.execute.schedule import Gathered, Options, Outcome, Schedule, Task, tasks_of
from gatekeeper.model import Finding, Output
from gatekeeper.plan import Plan
from gatekeeper.plugins import Plugins
from gatekeeper.rundata import RunData

if TYPE_CHECKING:
    from gatekeeper.execute.run import Collector

TICK = 0.1
"""Seconds between two looks of whoever shows the progress."""

FORKER_GRACE = TRACE_GRACE + TERM_GRACE + 0.3
"""Seconds after a deadline by which the forker has ended a child."""

LOWEST_FD = 16
"""Descriptors of the runner lie above those that children put in place."""


class Slot:
    """Three pipes of one child at a time: its stdout, its stderr, its result. They are used again by the next."""

    def __init__(self) -> None:
        pipes = [_pipe() for _ in range(3)]
        self.readers = [reader for reader, _ in pipes]
        self.writers = (pipes[0][1], pipes[1][1], pipes[2][1])
        self.captures = (Capture(), Capture())
        self.result = bytearray()
        self.task: Task | None = None
        self.started = self.deadline = 0.0
        for reader in self.readers:
            os.set_blocking(reader, False)

    def begin(self, task: Task, now: float, deadline: float) -> None:
        self.task, self.started, self.deadline = task, now, deadline
        self.captures = (Capture(), Capture())
        self.result = bytearray()

    def read(self, fd: int, most: int = 16) -> None:
        """Take in what is there; bounded, so that a child that never stops printing doesn't keep others waiting."""
        index = self.readers.index(fd)
        for _ in range(most):
            try:
                data = os.read(fd, 65536)
            except BlockingIOError:
                return
            if index < 2:
                self.captures[index].add(data)
            elif len(self.result) <= MAX_FRAME:
                self.result += data
            if len(data) < 65536:
                return

    def drain(self) -> None:
        """What is left when the child has ended; a pipe holds at most 1 MiB."""
        for fd in self.readers:
            self.read(fd, 64)

    def output(self) -> Output:
        out, err = self.captures
        return Output(out.text(), err.text(), out.dropped + err.dropped)


def _pipe() -> tuple[int, int]:
    import fcntl

    low = os.pipe2(os.O_CLOEXEC)
    reader, writer = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, LOWEST_FD) for fd in low)
    for fd in low:
        os.close(fd)
    return reader, writer


def run_forked(plan: Plan, data: RunData, plugins: Plugins, options: Options, collected: "Collector") -> bool:
    """Carry out the plan with forked children. True when it was interrupted."""
    now, tasks = monotonic(), tasks_of(plan)
    slots = [Slot() for _ in range(min(options.jobs, max(1, len(tasks))))]
    control, command = _pipe()
    events, report = _pipe()
    processes.become_subreaper()  # should the forker be lost, its children are ours
    others = frozenset(processes.children())  # what a command left (`gatekeeper exec`) is no gate's
    pid = os.fork()
    if pid == 0:
        for fd in (command, events, *(reader for slot in slots for reader in slot.readers)):
            os.close(fd)
        _be_forker(
            tasks,
            World(data, plugins, Gathered()),
            [slot.writers for slot in slots],
            control,
            report,
        )
    for fd in (control, report, *(writer for slot in slots for writer in slot.writers)):
        os.close(fd)
    # made only now, so that the forker doesn't carry it
    runner = ForkedRun(
        tasks, Schedule(tasks, options, now, plan.earlier), slots, command, events, pid, collected
    )
    with _stopping(command, pid) as interrupts:
        try:
            runner.carry_out(interrupts)
        finally:
            for fd in (command, events, *(reader for slot in slots for reader in slot.readers)):
                os.close(fd)  # the forker ends when nobody commands
            _bury(pid, others, alive=not runner.lost)
    return bool(interrupts)


def _be_forker(
    tasks: list[Task], world: World, slots: list[tuple[int, int, int]], control: int, report: int
) -> None:
    """The forker's whole life. Never returns."""
    try:
        os.chdir(world.data.root)
        Forker(tasks, world, slots, control, report).run()
    except BrokenPipeError:
        os._exit(1)  # nobody listens any more
    except BaseException as error:
        import traceback

        with suppress(OSError):
            os.write(
                2, f"gatekeeper: the forker broke: {''.join(traceback.format_exception(error))}".encode()
            )
        os._exit(3)
    os._exit(0)


class ForkedRun:
    """The program's side: slots, the schedule, and what comes back."""

    def __init__(
        self,
        tasks: list[Task],
        schedule: Schedule,
        slots: list[Slot],
        command: int,
        events: int,
        forker: int,
        collected: "Collector",
    ) -> None:
        self._schedule, self._slots, self._collected = schedule, slots, collected
        self._command, self._events = command, events
        self._free = list(range(len(slots)))
        self._by_fd = {fd: slot for slot in slots for fd in slot.readers}
        self._numbers = {task.key: number for number, task in enumerate(tasks)}
        self._told_facts = 0
        self._decoder = msgspec.json.Decoder(Ended)
        self._rest = b""
        self._idled = False
        self._forker = forker
        self.lost = False

    def carry_out(self, interrupts: list[int]) -> None:
        """Until every task has ended, or the forker is lost."""
        poll = select.epoll()
        try:
            for fd in (self._events, *self._by_fd):
                poll.register(fd, select.EPOLLIN)
            while not self._schedule.done and not self.lost:
                self._start_ready(interrupts)
                self._pass_on()
                if not self._idled:
                    self._idled = True
                    self._collected.observer.idle()
                if self._schedule.done:
                    break
                for fd, _ in poll.poll(self._patience()):
                    if fd == self._events:
                        self._take_events(interrupts)
                    else:
                        self._by_fd[fd].read(fd)
                self._watch(monotonic())
                self._collected.observer.tick()
        finally:
            poll.close()
        self._pass_on()
        self._collected.complete(self._schedule.gathered)

    def _patience(self) -> float:
        due = self._schedule.wake_at()
        return TICK if due is None else min(TICK, max(0.0, due - monotonic()) + 0.001)

    def _watch(self, now: float) -> None:
        """Deadlines are the forker's to enforce; one that doesn't is woken, then ended: a gate may have stopped it."""
        late = max((now - slot.deadline for slot in self._slots if slot.task is not None), default=0.0)
        if late > FORKER_GRACE:
            with suppress(ProcessLookupError):
                os.kill(self._forker, signal.SIGCONT if late < 2 * FORKER_GRACE else signal.SIGKILL)

    def _start_ready(self, interrupts: list[int]) -> None:
        if interrupts:
            self._schedule.stop("interrupted")
        now = monotonic()
        while self._free and (task := self._schedule.next(now)) is not None:
            number = self._free.pop()
            deadline = self._schedule.deadline(task, now)
            self._slots[number].begin(task, now, deadline)
            if len(self._schedule.gathered.facts) > self._told_facts:
                self._told_facts = len(self._schedule.gathered.facts)
                self._tell(msgspec.json.encode(Facts(self._schedule.gathered.facts)) + b"\n")
            command = Fork(number, self._numbers[task.key], self._schedule.attempt(task), deadline)
            self._tell(msgspec.json.encode(command) + b"\n")
            if task.kind == "gate":
                self._collected.started(task.name)

    def _tell(self, line: bytes) -> None:
        view = memoryview(line)
        try:
            while view:
                view = view[os.write(self._command, view) :]
        except BrokenPipeError:
            self.lost = True

    def _take_events(self, interrupts: list[int]) -> None:
        data = os.read(self._events, 65536)
        if not data:
            self.lost = True
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._ended(self._decoder.decode(line), interrupted=bool(interrupts))

    def _ended(self, event: Ended, *, interrupted: bool) -> None:
        slot = self._slots[event.slot]
        slot.drain()
        task = slot.task
        assert task is not None  # only a slot with a task has a child
        outcome = _outcome(slot, task, event, interrupted=interrupted)
        slot.task = None
        if event.clean:
            self._free.append(event.slot)
        elif not any(other.task for other in self._slots) and not self._free:
            self._schedule.stop("not run: processes of earlier gates that can't be killed hold every slot")
        self._schedule.ended(task, outcome, monotonic())

    def _pass_on(self) -> None:
        for result in self._schedule.take():
            self._collected.result(result)


# -- what an attempt came to -------------------------------------------------------------------------------------------


def _outcome(slot: Slot, task: Task, event: Ended, *, interrupted: bool) -> Outcome:
    sent = bytes(slot.result)
    ended_well = (event.code, event.status) == (os.CLD_EXITED, 0) and not event.late
    frame = decoded(sent) if len(sent) <= MAX_FRAME and ended_well else None
    value = None
    if frame is not None:
        evaluation, value = frame.evaluation, frame.value
    else:
        reason, trace = _without_result(slot, task, event, interrupted=interrupted)
        evaluation = Evaluation("error", reason, duration_s=monotonic() - slot.started, trace=trace)
    if event.left:
        evaluation = _with_left(evaluation, event.left)
    return Outcome(evaluation, slot.output(), value)


def _without_result(slot: Slot, task: Task, event: Ended, *, interrupted: bool) -> tuple[str, str]:
    """Why there is no result, and where the gate hung."""
    if event.failed:
        return event.failed, ""
    if interrupted and event.late:
        return "interrupted", ""
    if event.late:
        limit = slot.deadline - slot.started
        whose = "the run's deadline" if limit < task.timeout - 1e-6 else "its timeout"
        return f"timed out after {limit:.3g} s ({whose})", _dumped(bytes(slot.result))
    if len(slot.result) > MAX_FRAME:
        return f"its result has more than {MAX_FRAME:,} bytes", ""
    return _how_it_ended(event), ""


def _how_it_ended(event: Ended) -> str:
    if event.code == os.CLD_EXITED:
        if event.status == BROKEN:
            return NOT_SENT
        return f"its process exited with code {event.status} before the gate had finished"
    try:
        name = signal.Signals(event.status).name
    except ValueError:
        name = f"signal {event.status}"
    return f"its process was killed by {name}"


def _dumped(data: bytes, frames: int = 3) -> str:
    """The last frames of faulthandler's dump that are not gatekeeper's own, innermost last."""
    own = os.path.dirname(os.path.dirname(__file__))
    lines = [line.strip() for line in data.decode("utf-8", "backslashreplace").splitlines()]
    files = [line for line in lines if line.startswith("File ")]
    found = list(takewhile(lambda line: own not in line, files))  # innermost first, up to who called the gate
    return "hung at\n" + "".join(f"  {line}\n" for line in reversed(found[:frames])) if found else ""


def _with_left(evaluation: Evaluation, left: tuple[str, ...]) -> Evaluation:
    """A gate that leaves processes is told so; they are gone."""
    number = f"{len(left)} process{'es' if len(left) > 1 else ''}"
    finding = Finding(
        "processes left",
        "warn",
        len(left),
        "<=",
        0,
        message=f"the gate left {number} behind ({'; '.join(left[:5])}); killed",
        hint="end what the gate starts, e.g. with subprocess.run or process.terminate() and wait()",
        evidence={"processes": list(left[:50])},
    )
    passed = evaluation.status == "pass"
    return msgspec.structs.replace(
        evaluation,
        status="warn" if passed else evaluation.status,
        reason=finding.message if passed else evaluation.reason,
        findings=(*evaluation.findings, finding),
    )


# -- signals, and the end ----------------------------------------------------------------------------------------------


@contextmanager
def _stopping(command: int, pid: int) -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM ask the forker to stop; a second one ends it at once. Yields the signals that came."""
    came: list[int] = []

    def handle(number: int, frame: Any) -> None:
        came.append(number)
        if len(came) > 1:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            return
        with suppress(OSError):
            os.write(command, STOP)

    with signals(handle):
        yield came


@contextmanager
def signals(handle: Callable[[int, Any], None]) -> Iterator[None]:
    """SIGINT and SIGTERM go to `handle` meanwhile; without effect outside the main thread."""
    try:
        before = [(number, signal.signal(number, handle)) for number in (signal.SIGINT, signal.SIGTERM)]
    except ValueError:
        before = []
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _bury(pid: int, others: frozenset[int], *, alive: bool) -> None:
    """Wait for the forker. One that was lost may have left gates running: they are found, and killed."""
    if not alive:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
    for _ in range(0 if alive else 100):
        left = [found for found in processes.children() if found not in others and _is_ours(found)]
        if not left:
            return
        for found in left:
            processes.kill_group(found)
            processes.end(found)


def _is_ours(pid: int) -> bool:
    """Whether a child that was not ours before is of a gate: by its mark, or since it leads a session, as each does."""
    with suppress(OSError):
        return processes.mark_of(pid) is not None or os.getsid(pid) == pid
    return False
