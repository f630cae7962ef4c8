"""The forker: a single-threaded process that has the gates loaded, forks a child for each attempt, and ends it.

It does nothing else. The program that shows the run decides what starts (see `gatekeeper.execute.fork`), owns the other
ends of the children's pipes, and reads their results. A forker that stays small and touches little keeps forks cheap:
each page that it writes between two forks is copied again.

A child is the leader of its own session. Whatever it does (exit, crash, hang, fork, close its descriptors), it ends by
its deadline, its process group is killed, and what escaped from that is found and killed.
"""

import faulthandler
import gc
import io
import os
import select
import signal
import sys
from contextlib import suppress
from time import monotonic
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from gatekeeper.asserts import asserting
from gatekeeper.context import Context
from gatekeeper.execute import processes
from gatekeeper.execute.attempt import World, encoded, perform
from gatekeeper.execute.lightforks import spare_threading_its_reset, use_huge_pages
from gatekeeper.execute.schedule import Task
from gatekeeper.model import JSON, Gate
from gatekeeper.plan import PlannedGate

TRACE_GRACE = 0.1
"""Seconds between asking a late child where it hangs and ending it."""
TERM_GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL."""

RESULT_FD = 3
"""Where a child writes its result; its stdout and stderr are 1 and 2."""

MOST_PATIENCE = 3600.0
"""Seconds of one poll(2), which counts milliseconds in an int."""

BROKEN = 70
"""Exit code of a child that could not send its result."""

NOT_SENT = "its result could not be sent: the gate closed descriptors not its own, or ran out of memory"

MANY = 200
"""From this many tasks on, preparing memory for cheaper forks pays for itself."""

WARM_UP = 20
"""How often a trivial task is tried in the forker before the first fork."""


class Fork(Struct, frozen=True, tag="fork"):
    """Start an attempt of the task of this number, in a slot; `deadline` is of `time.monotonic()`."""

    slot: int
    task: int
    number: int
    deadline: float


class Facts(Struct, frozen=True, tag="facts"):
    """Facts gathered so far, for the children to come."""

    values: dict[str, JSON]


class Stop(Struct, frozen=True, tag="stop"):
    """End all children now."""


class Ended(Struct, frozen=True):
    """A slot's child has ended, and everything that it started.

    `code` and `status` are waitid's (CLD_EXITED …); `late`: it was ended at its deadline; `left`: processes it left
    behind; `clean`: nothing of it lives any more.
    """

    slot: int
    code: int = 0
    status: int = 0
    late: bool = False
    left: tuple[str, ...] = ()
    clean: bool = True
    failed: str = ""


STOP = msgspec.json.encode(Stop()) + b"\n"


class Child:
    """An attempt that runs."""

    __slots__ = ("asked", "deadline", "left", "mark", "name", "pid", "slot", "terminated")

    def __init__(self, slot: int, pid: int, name: str, mark: str, deadline: float) -> None:
        self.slot, self.pid, self.name, self.mark, self.deadline = slot, pid, name, mark, deadline
        self.asked = self.terminated = 0.0
        self.left: dict[int, str] = {}

    def next_step(self) -> float:
        """When something must be done about it."""
        if self.terminated:
            return self.terminated + TERM_GRACE
        return self.asked + TRACE_GRACE if self.asked else self.deadline


class Forker:
    """Obeys commands from descriptor `control`, reports on `events`. `slots` are the pipes' ends for children."""

    def __init__(
        self, tasks: list[Task], world: World, slots: list[tuple[int, int, int]], control: int, events: int
    ) -> None:
        self._tasks, self._world, self._slots = tasks, world, slots
        self._control, self._events = control, events
        self._inodes = [{os.fstat(writer).st_ino for writer in slot} for slot in slots]
        self._children: dict[int, Child] = {}
        self._strays: dict[int, dict[int, str]] = {}
        """Pid of a process that escaped, unknown whose → pids and names of the attempts that ran when it was seen."""
        self._immortal: set[int] = set()
        self._decoder = msgspec.json.Decoder(Fork | Facts | Stop)
        self._rest = b""
        self._open = True

    def run(self) -> None:
        """Obey until nobody commands any more; nothing of any child lives then."""
        wake = self._prepare()
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        poll.register(self._control, select.POLLIN)
        while self._open or self._children:
            for fd, _ in poll.poll(self._patience()):
                if fd == wake:
                    with suppress(BlockingIOError):
                        os.read(wake, 4096)
                elif not self._obey():
                    poll.unregister(self._control)
                    self._open = False
                    self._stop()
            self._reap()
            self._enforce(monotonic())
        while strays := self._found():
            self._end_strays(strays)

    # -- set-up ------------------------------------------------------------------------------------------------------

    def _prepare(self) -> int:
        processes.become_subreaper()  # before the first child, whose orphans would be lost otherwise
        processes.prefer_for_oom()
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # Ctrl-C is for the program, which says on `control` what it wants; children let these in again
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        # children inherit all of this
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = io.TextIOWrapper(
            io.FileIO(1, "w", closefd=False), "utf-8", "backslashreplace", write_through=True
        )
        sys.stderr = io.TextIOWrapper(
            io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True
        )
        faulthandler.register(signal.SIGUSR2, file=RESULT_FD, all_threads=False, chain=False)
        spare_threading_its_reset()
        if len(self._tasks) >= MANY:
            self._warm_up()
            use_huge_pages()
        gc.freeze()
        gc.enable()  # what gates make is theirs to collect
        return reader

    def _warm_up(self) -> None:
        """Go the way of a gate, so that children find specialised code, and write to fewer pages of it."""
        gate = Gate(function=_trivial, name="trivial", phase="pre")
        task = Task("gate", "trivial", 1.0, PlannedGate(id="trivial", gate=gate))
        for _ in range(WARM_UP):
            encoded(perform(task, self._world, 1, None))

    # -- commands ----------------------------------------------------------------------------------------------------

    def _obey(self) -> bool:
        """Carry out what was commanded; False when the program is gone or done."""
        data = os.read(self._control, 65536)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            command = self._decoder.decode(line)
            if isinstance(command, Fork):
                self._fork(command)
            elif isinstance(command, Facts):
                self._world.gathered.facts.update(command.values)
            else:
                self._stop()
        return bool(data)

    def _fork(self, command: Fork) -> None:
        task = self._tasks[command.task]
        mark = f"{os.getpid()}:{task.key}:{command.number}"
        try:
            pid = os.fork()
        except OSError as error:
            self._say(Ended(command.slot, failed=f"no process for it: {error.strerror}"))
            return
        if pid == 0:
            _live(task, self._world, command, mark, self._slots[command.slot])
        self._children[pid] = Child(command.slot, pid, task.name, mark, command.deadline)

    def _stop(self) -> None:
        now = monotonic()
        for child in self._children.values():
            processes.kill_group(child.pid, signal.SIGTERM)
            processes.kill_group(child.pid, signal.SIGCONT)
            child.asked = child.terminated = now

    def _say(self, event: Ended) -> None:
        view = memoryview(msgspec.json.encode(event) + b"\n")
        while view:
            view = view[os.write(self._events, view) :]

    # -- deadlines ---------------------------------------------------------------------------------------------------

    def _patience(self) -> float | None:
        """Milliseconds until something is due; None: until something happens."""
        if not self._children:
            return None
        due = min(child.next_step() for child in self._children.values())
        return min(MOST_PATIENCE, max(0.0, due - monotonic())) * 1000 + 1

    def _enforce(self, now: float) -> None:
        for child in list(self._children.values()):
            if now < child.next_step():
                continue
            if child.terminated:
                processes.kill_group(child.pid)
                processes.kill(child.pid)
                child.terminated = now
            elif child.asked:
                child.terminated = now
                processes.kill_group(child.pid, signal.SIGTERM)
                processes.kill_group(child.pid, signal.SIGCONT)
            else:
                child.asked = now
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGUSR2)  # it writes where it hangs, even inside C

    # -- ends --------------------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            child = self._children.get(ended.si_pid)
            if child is not None:
                self._end(child, ended)
            else:
                self._strays.pop(ended.si_pid, None)
                with suppress(ChildProcessError):
                    os.waitpid(ended.si_pid, 0)

    def _end(self, child: Child, ended: Any) -> None:
        """Its leader has exited, and is still a zombie: its process group id can't be another's yet."""
        strays = bool(self._found())  # what it left lost its parent, and is ours now
        if strays:
            child.left.update((pid, processes.command_of(pid)) for pid in processes.members(child.pid))
        processes.kill_group(child.pid)
        with suppress(ChildProcessError):
            os.waitpid(child.pid, 0)
        del self._children[child.pid]
        clean = self._claim_strays(child) if strays else True
        left = tuple(child.left.values())
        late = bool(child.asked)
        self._say(Ended(child.slot, ended.si_code, ended.si_status, late, left, clean))

    def _found(self) -> list[int]:
        """Children of this process that are no attempts: what lost its parent below us."""
        known = (self._children, self._immortal)
        return [
            pid
            for pid in processes.children()
            if pid not in known[0] and pid not in known[1] and not processes.is_zombie(pid)
        ]

    def _claim_strays(self, ended: Child) -> bool:
        """Kill what the attempt left outside its group. What may be another's waits until no possible owner runs."""
        quiet, clean = 0, True
        while (
            quiet < 2
        ):  # the kernel's list may miss a process while another one exits: look until it is quiet
            claimed = [pid for pid in self._found() if self._claims(ended, pid)]
            clean = self._end_strays(claimed) and clean  # what is killed leaves its own children to us
            quiet = 0 if claimed else quiet + 1
        return clean

    def _claims(self, ended: Child, pid: int) -> bool:
        """Whether an escaped process is to be ended with this attempt; noted as left by it."""
        command = processes.command_of(pid)
        if processes.mark_of(pid) == ended.mark or processes.holds_pipe(pid, self._inodes[ended.slot]):
            ended.left[pid] = command
            return True
        running = {child.pid: child.name for child in (*self._children.values(), ended)}
        owners = self._strays.setdefault(pid, running)
        if any(owner in self._children for owner in owners):
            return False
        others = [name for owner, name in owners.items() if owner != ended.pid]
        ended.left[pid] = f"{command}, or it is of {', '.join(others[:3])}" if others else command
        return True

    def _end_strays(self, pids: list[int]) -> bool:
        """Kill them; False where one can't be (it is another user's, or stuck in the kernel)."""
        ended = [processes.end(pid) for pid in pids]
        for pid, gone in zip(pids, ended, strict=True):
            self._strays.pop(pid, None)
            if not gone:
                self._immortal.add(pid)
        return all(ended)


def _trivial(ctx: Context) -> None:
    ctx.check(True)
    ctx.measure("", 0.0, warn=1.0)
    asserting.compare("", 0, "==", 0)
    asserting.truth("", True)


def _live(task: Task, world: World, command: Fork, mark: str, writers: tuple[int, int, int]) -> NoReturn:
    """A child's life. A copy that the gate forked, and that came back here, says nothing in its name."""
    me = os.getpid()
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for target, writer in zip((1, 2, RESULT_FD), writers, strict=True):
            os.dup2(writer, target, inheritable=target != RESULT_FD)
        os.closerange(RESULT_FD + 1, 1024)
        os.environ[processes.MARK] = mark
        frame = encoded(perform(task, world, command.number, command.deadline))
        if os.getpid() != me:
            os._exit(0)
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
