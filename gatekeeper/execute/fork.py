"""The runner on Linux: a single-threaded process that forks a child for each attempt, and does nothing else.

Gates are loaded already when it starts, so an attempt costs a fork. Each child is the leader of its own session. It
sends its result as JSON on a pipe of its own; its stdout and stderr are pipes too. Whatever it does (exit, crash, hang,
fork, close its descriptors), it ends by its deadline, its process group is killed, and its result says what happened.
"""

import faulthandler
import gc
import io
import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import takewhile
from time import monotonic
from typing import Any

from gatekeeper.execute import processes
from gatekeeper.execute.attempt import MAX_FRAME, World, decoded, encoded, perform
from gatekeeper.execute.capture import Capture
from gatekeeper.execute.evaluate import Evaluation
from gatekeeper.execute.schedule import Outcome, Schedule, Task
from gatekeeper.model import Finding, Output, Result

TRACE_GRACE = 0.1
"""Seconds between asking a late child where it hangs and ending it."""
TERM_GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL."""

RESULT_FD = 3

BROKEN = 70
"""Exit code of a child that could not send its result."""


class Running:
    """An attempt that runs."""

    __slots__ = (
        "asked", "captures", "deadline", "fds", "left", "number", "pid", "pipes", "result", "started", "task",
        "terminated",
    )  # fmt: skip

    def __init__(self, task: Task, number: int, pid: int, started: float, deadline: float) -> None:
        self.task, self.number, self.pid = task, number, pid
        self.started, self.deadline = started, deadline
        self.asked = self.terminated = 0.0
        self.fds: dict[int, Callable[[bytes], Any]] = {}
        self.pipes: tuple[int, ...] = ()
        self.captures = (Capture(), Capture())
        self.result = bytearray()
        self.left: dict[int, str] = {}

    def take(self, data: bytes) -> None:
        if len(self.result) <= MAX_FRAME:
            self.result += data

    def next_step(self) -> float:
        """When something must be done about it."""
        if self.terminated:
            return self.terminated + TERM_GRACE
        return self.asked + TRACE_GRACE if self.asked else self.deadline


class Runner:
    """Runs a schedule with forked children. `emit` is called with each final result, `started` with each start."""

    def __init__(
        self,
        schedule: Schedule,
        world: World,
        emit: Callable[[Result], None],
        started: Callable[[str], None],
        control: int,
    ) -> None:
        self._schedule, self._world = schedule, world
        self._emit, self._started = emit, started
        self._control = control
        self._running: dict[int, Running] = {}
        self._orphans: dict[int, dict[int, str]] = {}
        """Pid of a process that escaped, unknown whose → the attempts that ran when it was seen first."""
        self._poll = select.epoll()
        self._handlers: dict[int, tuple[Running, Callable[[bytes], Any]]] = {}
        self._interrupted = False

    def run(self) -> None:
        wake = self._prepare()
        schedule = self._schedule
        while not schedule.done or self._running:
            self._start_ready()
            self._report()
            if schedule.done and not self._running:
                break
            for fd, _ in self._poll.poll(self._patience()):
                if fd == wake:
                    with suppress(BlockingIOError):
                        os.read(wake, 4096)
                elif fd == self._control:
                    self._controlled()
                elif fd in self._handlers:
                    self._read(fd)
            self._reap()
            self._enforce(monotonic())
        while strays := self._strays():
            self._kill_orphans(set(strays))
        self._report()

    # -- set-up ------------------------------------------------------------------------------------------------------

    def _prepare(self) -> int:
        processes.become_subreaper()  # before the first child, whose orphans would be lost otherwise
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(
                ignored, signal.SIG_IGN
            )  # the process that shows the run decides, and says so on `control`
        self._poll.register(reader, select.EPOLLIN)
        self._poll.register(self._control, select.EPOLLIN)
        # children inherit these: unbuffered enough to lose nothing, and any text can be printed
        sys.stdout = io.TextIOWrapper(
            io.FileIO(1, "w", closefd=False), "utf-8", "backslashreplace", write_through=True
        )
        sys.stderr = io.TextIOWrapper(
            io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True
        )
        faulthandler.register(signal.SIGUSR2, file=RESULT_FD, all_threads=False, chain=False)
        gc.collect()
        gc.freeze()
        return reader

    # -- starting ----------------------------------------------------------------------------------------------------

    def _start_ready(self) -> None:
        now = monotonic()
        while (task := self._schedule.next(now)) is not None:
            self._fork(task, now)
            if task.kind == "gate":
                self._started(task.name)

    def _fork(self, task: Task, now: float) -> None:
        number = self._schedule.attempt(task)
        deadline = self._schedule.deadline(task, now)
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        try:
            pid = os.fork()
        except OSError as error:
            for fd in [fd for pipe in pipes for fd in pipe]:
                os.close(fd)
            self._schedule.ended(
                task, Outcome(Evaluation("error", f"no process for it: {error.strerror}")), now
            )
            return
        if pid == 0:
            _child(task, self._world, number, deadline, [writer for _, writer in pipes])
        running = Running(task, number, pid, now, deadline)
        takers = (running.captures[0].add, running.captures[1].add, running.take)
        running.pipes = tuple(os.fstat(reader).st_ino for reader, _ in pipes)
        for (reader, writer), taker in zip(pipes, takers, strict=True):
            os.close(writer)
            os.set_blocking(reader, False)
            self._handlers[reader] = (running, taker)
            running.fds[reader] = taker
            self._poll.register(reader, select.EPOLLIN)
        self._running[pid] = running

    # -- listening ---------------------------------------------------------------------------------------------------

    def _patience(self) -> float:
        now = monotonic()
        times = [running.next_step() for running in self._running.values()]
        if (due := self._schedule.wake_at()) is not None:
            times.append(due)
        return max(0.0, min(times) - now) + 0.001 if times else -1

    def _read(self, fd: int) -> None:
        running, taker = self._handlers[fd]
        for _ in range(16):  # a child that never stops printing must not keep the others waiting
            try:
                data = os.read(fd, 65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._forget(running, fd)
                return
            taker(data)

    def _forget(self, running: Running, fd: int) -> None:
        running.fds.pop(fd, None)
        if self._handlers.pop(fd, None) is not None:
            self._poll.unregister(fd)
            os.close(fd)

    def _controlled(self) -> None:
        """The program asked to stop, or is gone."""
        with suppress(OSError):
            os.read(self._control, 64)
        self._poll.unregister(self._control)
        self._interrupted = True
        self._schedule.stop("interrupted")
        for running in self._running.values():
            processes.kill_group(running.pid, signal.SIGTERM)
            running.asked = running.terminated = monotonic()

    # -- ending ------------------------------------------------------------------------------------------------------

    def _enforce(self, now: float) -> None:
        for running in list(self._running.values()):
            if now < running.next_step():
                continue
            if running.terminated:
                processes.kill_group(running.pid)
                processes.kill(running.pid)
                running.terminated = now
            elif running.asked:
                running.terminated = now
                processes.kill_group(running.pid, signal.SIGTERM)
                processes.kill_group(running.pid, signal.SIGCONT)
            else:
                running.asked = now
                with suppress(ProcessLookupError):
                    os.kill(running.pid, signal.SIGUSR2)  # it writes where it hangs, even inside C

    def _reap(self) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            running = self._running.get(ended.si_pid)
            if running is not None:
                self._end(running, ended)
            else:
                self._orphans.pop(ended.si_pid, None)
                with suppress(ChildProcessError):
                    os.waitpid(ended.si_pid, 0)

    def _end(self, running: Running, ended: Any) -> None:
        """Its leader has exited, and is still a zombie: its process group id can't be another's yet."""
        now = monotonic()
        running.left.update(self._left_in_group(running.pid))
        processes.kill_group(running.pid)
        with suppress(ChildProcessError):
            os.waitpid(running.pid, 0)
        for fd in list(running.fds):
            self._drain(running, fd)
        del self._running[running.pid]
        self._claim_orphans(running)
        self._schedule.ended(running.task, self._outcome(running, ended, now), now)

    def _left_in_group(self, group: int) -> dict[int, str]:
        # the exited child's children are ours by now: without any, there is no need to read all of /proc
        if not self._strays():
            return {}
        return {pid: processes.command_of(pid) for pid in processes.members(group)}

    def _strays(self) -> list[int]:
        """Children of this process that are no attempts: what lost its parent below us."""
        return [
            pid for pid in processes.children() if pid not in self._running and not processes.is_zombie(pid)
        ]

    def _drain(self, running: Running, fd: int) -> None:
        """What is in the pipe; bounded, for a process that escaped may still write."""
        taker = running.fds[fd]
        for _ in range(64):
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            taker(data)
        self._forget(running, fd)

    def _claim_orphans(self, ended: Running) -> None:
        """Kill what the attempt left outside its group. What may be another's waits until no possible owner runs."""
        quiet = 0
        while (
            quiet < 2
        ):  # the kernel's list may miss a process while another one exits: look until it is quiet
            claimed = {pid for pid in self._strays() if self._claims(ended, pid)}
            self._kill_orphans(claimed)  # what is killed leaves its own children to us
            quiet = 0 if claimed else quiet + 1

    def _claims(self, ended: Running, pid: int) -> bool:
        """Whether an escaped process is to be ended with this attempt; noted as left by it."""
        command = processes.command_of(pid)
        if processes.mark_of(pid) == _mark(ended.task, ended.number) or processes.holds_pipe(
            pid, set(ended.pipes)
        ):
            ended.left[pid] = command
            return True
        running = {other.pid: other.task.name for other in (*self._running.values(), ended)}
        owners = self._orphans.setdefault(pid, running)
        if any(owner in self._running for owner in owners):
            return False
        others = [name for owner, name in owners.items() if owner != ended.pid]
        ended.left[pid] = f"{command}, or it is of {', '.join(others[:3])}" if others else command
        return True

    def _kill_orphans(self, pids: set[int]) -> None:
        for pid in pids:
            processes.kill(pid)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
            self._orphans.pop(pid, None)

    def _outcome(self, running: Running, ended: Any, now: float) -> Outcome:
        out, err = running.captures
        frame = decoded(bytes(running.result)) if len(running.result) <= MAX_FRAME else None
        value = None
        if frame is not None and not running.asked:
            evaluation, value = frame.evaluation, frame.value
        else:
            evaluation = self._without_result(running, ended, now)
        if running.left:
            evaluation = _with_left(evaluation, [*running.left.values()])
        return Outcome(evaluation, Output(out.text(), err.text(), out.dropped + err.dropped), value)

    def _without_result(self, running: Running, ended: Any, now: float) -> Evaluation:
        trace = ""
        if self._interrupted:
            reason = "interrupted"
        elif running.asked:
            limit = running.deadline - running.started
            whose = "the run's deadline" if limit < running.task.timeout - 1e-6 else "its timeout"
            reason = f"timed out after {limit:.3g} s ({whose})"
            trace = _dumped(bytes(running.result))
        elif len(running.result) > MAX_FRAME:
            reason = f"its result has more than {MAX_FRAME:,} bytes"
        else:
            reason = _how_it_ended(ended)
        return Evaluation("error", reason, duration_s=now - running.started, trace=trace)

    def _report(self) -> None:
        for result in self._schedule.take():
            self._emit(result)


def _mark(task: Task, number: int) -> str:
    return f"{os.getpid()}:{task.key}:{number}"


def _child(task: Task, world: World, number: int, deadline: float, writers: list[int]) -> None:
    """The rest of a child's life. Never returns."""
    try:
        os.environ[processes.MARK] = f"{os.getppid()}:{task.key}:{number}"
        _settle_in(writers)
        frame = encoded(perform(task, world, number, deadline))
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        view = memoryview(frame)
        while view:
            view = view[os.write(RESULT_FD, view) :]
    except BaseException as error:
        with suppress(BaseException):
            os.write(2, f"gatekeeper: the gate's process broke: {error!r}\n".encode())
        os._exit(BROKEN)
    os._exit(0)


def _settle_in(writers: list[int]) -> None:
    """Descriptors, signals and session of a gate's process."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    # the pipes' ends may be among 1 to 3 themselves: move them out of the way first
    moved = [os.dup(writer) if writer <= RESULT_FD else writer for writer in writers]
    for target, writer in zip((1, 2, RESULT_FD), moved, strict=True):
        os.dup2(writer, target, inheritable=target != RESULT_FD)
    os.closerange(RESULT_FD + 1, 1024)
    with suppress(OSError):
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(fd, b"1000")  # when memory runs out, the kernel takes the gate and nobody else
        os.close(fd)


def _with_left(evaluation: Evaluation, left: list[str]) -> Evaluation:
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
        evidence={"processes": left[:50]},
    )
    status = "warn" if evaluation.status == "pass" else evaluation.status
    reason = finding.message if evaluation.status == "pass" else evaluation.reason
    return Evaluation(
        status,
        reason,
        (*evaluation.findings, finding),
        evaluation.saved,
        evaluation.duration_s,
        evaluation.trace,
    )


def _how_it_ended(ended: Any) -> str:
    if ended.si_code == os.CLD_EXITED:
        code = ended.si_status
        if code == BROKEN:
            return "its result could not be sent: the gate closed descriptors not its own, or ran out of memory"
        return f"its process exited with code {code} before the gate had finished"
    try:
        name = signal.Signals(ended.si_status).name
    except ValueError:
        name = f"signal {ended.si_status}"
    return f"its process was killed by {name}"


def _dumped(data: bytes, frames: int = 3) -> str:
    """The last frames of faulthandler's dump that are not gatekeeper's own, innermost last."""
    own = os.path.dirname(os.path.dirname(__file__))
    lines = [line.strip() for line in data.decode("utf-8", "backslashreplace").splitlines()]
    files = [line for line in lines if line.startswith("File ")]
    found = list(takewhile(lambda line: own not in line, files))  # innermost first, up to who called the gate
    return "hung at\n" + "".join(f"  {line}\n" for line in reversed(found[:frames])) if found else ""
