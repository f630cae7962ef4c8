"""A command between its gates, run as if nobody stood in between.

It has the terminal, the process group, the descriptors and the environment that gatekeeper was given, and gets the
signals that gatekeeper is sent. There are no threads and no signal handlers here: signals are blocked, and taken one by
one by the loop that waits for the command, measures it, and stops when it stops.
"""

import errno
import os
import shlex
import signal
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic, time
from typing import Any, NoReturn

from msgspec import Struct

from gatekeeper.execute.processes import become_subreaper
from gatekeeper.measure import Meter
from gatekeeper.quantities import show
from gatekeeper.rundata import FlowData
from gatekeeper.samples import Readings, Series
from gatekeeper.wording import one_line

STOPS = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
PASSED_ON = STOPS | {
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2,
}  # fmt: skip
"""Signals that the command gets too when gatekeeper alone is sent them."""
TAKEN = PASSED_ON | {signal.SIGCHLD, signal.SIGCONT}

NOT_FOUND, NOT_EXECUTABLE, TIMED_OUT, SIGNALLED = 127, 126, 124, 128
"""Exit codes as shells, env(1) and timeout(1) have them; a signal's number is added to the last."""

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""
MOST = 200
"""Characters of a command line that are told."""


class Command(Struct, frozen=True):
    """What is to be run. `limit` is how many seconds it may take, `grace` how many more it has to end when told to.

    `environment` is all of it. `temp` is a folder for temporary files that is the command's own.
    """

    words: tuple[str, ...]
    environment: Mapping[bytes, bytes]
    limit: float | None = None
    grace: float = GRACE
    temp: str | None = None

    def __str__(self) -> str:
        line = one_line(shlex.join(self.words))
        return line if len(line) <= MOST else f"{line[: MOST - 1]}…"


class Ran(Struct, frozen=True):
    """What became of a command. `exit_code` is what a shell would say of it; `by_terminal`: Ctrl-C ended it."""

    flow: FlowData
    measured: Readings
    exit_code: int
    by_terminal: bool = False


def run(command: Command, besides: Collection[int] = (), came: Collection[int] = ()) -> Ran:
    """Run a command to its end, and see what it left. From a process without other children than `besides`.

    Raises:
        KeyboardInterrupt: before it could start, a signal came: `came` is where the caller's handler puts those.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    become_subreaper()
    with _blocked() as found:
        if came:
            raise KeyboardInterrupt
        meter, began, start = Meter(os.getpid(), {os.getpid(), *besides}), time(), monotonic()
        try:
            pid = _started(command, found)
        except OSError as error:
            return _not_started(command, began, error)
        watch = Watch(pid, command, meter)
        status = watch.wait()
        duration = monotonic() - start
        return _ended(command, watch, status, meter, began, duration)


def _ended(command: Command, watch: "Watch", status: int, meter: Meter, began: float, duration: float) -> Ran:
    code = os.waitstatus_to_exitcode(status)
    flow = FlowData(
        kind="command",
        name=str(command),
        began=began,
        ended=time(),
        duration_s=duration,
        exit_code=code if code >= 0 else None,
        signal=_name(-code) if code < 0 else None,
        error="TimeLimit" if watch.late else None,
        message=f"was ended at its time limit of {show(command.limit, 's')}" if watch.late else "",
        left=meter.left(),
        keeper=os.getpid(),
        temp=command.temp,
    )
    took = Series(
        name="duration", unit="s", values=(duration,), source="gatekeeper: from its start to its end"
    )
    said = TIMED_OUT if watch.late else SIGNALLED - code if code < 0 else code
    by_terminal = watch.interrupted and -code == signal.SIGINT
    return Ran(flow, Readings((took,)) + meter.readings(), said, by_terminal)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _not_started(command: Command, began: float, error: OSError) -> Ran:
    missing = error.errno == errno.ENOENT
    code = NOT_FOUND if missing else NOT_EXECUTABLE
    flow = FlowData(
        kind="command",
        name=str(command),
        began=began,
        exit_code=code,
        error="NotFound" if missing else "NotExecutable",
        message="was not found" if missing else f"can't be executed: {error.strerror}",
        left=(),
        temp=command.temp,
    )
    return Ran(flow, Readings(), code)


# -- its start ---------------------------------------------------------------------------------------------------------


class Found(Struct, frozen=True):
    """What of signals gatekeeper found when it was started, and the command is to find as well."""

    mask: set[Any]
    child: Any


@contextmanager
def _blocked() -> Iterator[Found]:
    """Signals wait until they are taken; those that are left at the end came too late for the command."""
    child = signal.signal(
        signal.SIGCHLD, signal.SIG_DFL
    )  # were it ignored, nobody could tell how a child ended
    found = Found(signal.pthread_sigmask(signal.SIG_BLOCK, TAKEN), child or signal.SIG_DFL)
    try:
        yield found
    finally:
        while signal.sigtimedwait(PASSED_ON, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, found.mask)
        signal.signal(signal.SIGCHLD, found.child)


def _started(command: Command, found: Found) -> int:
    """The pid of the command.

    Raises:
        OSError: it can't be executed.
    """
    import ctypes

    libc, parent = ctypes.CDLL(None), os.getpid()
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG, linux/prctl.h: killing one means both
            if os.getppid() == parent:
                _restore(found)
                _execute(command)
        except OSError as error:
            os.write(writer, str(error.errno).encode())
        finally:
            os._exit(NOT_FOUND)
    os.close(writer)
    with open(reader, "rb") as pipe:
        number = pipe.read()
    if number:
        os.waitpid(pid, 0)
        raise OSError(int(number), os.strerror(int(number)))
    return pid


def _restore(found: Found) -> None:
    """Signals as gatekeeper found them, but for those that Python itself ignores: they are the system's default."""
    for number in PASSED_ON:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, found.child)
    signal.pthread_sigmask(signal.SIG_SETMASK, found.mask)


def _execute(command: Command) -> NoReturn:
    """As execvp(3) does: a file that is no program to the system is a script of the shell."""
    words, environment = command.words, command.environment
    try:
        os.execvpe(words[0], words, environment)
    except OSError as error:
        import shutil

        script = shutil.which(words[0])
        if error.errno != errno.ENOEXEC or script is None:
            raise
        os.execve("/bin/sh", ["sh", script, *words[1:]], environment)


# -- until its end -----------------------------------------------------------------------------------------------------


class Watch:
    """Waits for a command: measures, passes signals on, stops and goes on with it, ends it when its time is up."""

    def __init__(self, pid: int, command: Command, meter: Meter) -> None:
        self._pid, self._meter = pid, meter
        self._status: int | None = None
        self._grace = command.grace
        self._due = None if command.limit is None else monotonic() + command.limit
        self.late = False
        """Whether it was told to end at its time limit."""
        self.interrupted = False
        """Whether the terminal's Ctrl-C was seen."""

    def wait(self) -> int:
        """The command's wait status (wait(2))."""
        look_at = monotonic() + self._meter.interval
        while self._status is None:
            due = look_at if self._due is None else min(look_at, self._due)
            came = signal.sigtimedwait(TAKEN, max(0.0, due - monotonic()))
            if came is not None:
                self._take(came)
            if self._status is None and self._due is not None and monotonic() >= self._due:
                self._end()
            if monotonic() >= look_at:
                self._meter.sample()
                look_at = monotonic() + self._meter.interval
        return self._status

    def _take(self, came: signal.struct_siginfo) -> None:
        """What the kernel sends (si_code > 0, sigaction(2)) is the terminal's, and the whole process group's.

        But for its end, which only the leader of a session is told.
        """
        number = came.si_signo
        leads = number == signal.SIGHUP and os.getsid(0) == os.getpid()
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGCONT:
            if self._is_stopped():
                self._send(number)
        elif came.si_code > 0 and not leads:
            self.interrupted = self.interrupted or number == signal.SIGINT
        elif not self._is_below(came.si_pid):
            self._send(number)

    def _send(self, number: int) -> None:
        with suppress(PermissionError):  # another user's, as after sudo
            os.kill(self._pid, number)

    def _is_below(self, sender: int) -> bool:
        """Whether the command itself sent it, as with `kill 0`: it is not to end itself by way of gatekeeper."""
        return sender in self._meter.running()

    def _reap(self) -> None:
        """Wait for the command, and for what lost its parent below it."""
        while True:
            try:
                pid, status, usage = os.wait3(os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if not os.WIFSTOPPED(status):
                self._meter.waited(usage)
            if pid == self._pid:
                self._changed(status)

    def _changed(self, status: int) -> None:
        if not os.WIFSTOPPED(status):
            self._status = status
        elif self._is_stopped():
            self._stop(os.WSTOPSIG(status))

    def _stop(self, number: int) -> None:
        """Stop as the command did, so that the shell takes over.

        Where no shell is there to wake it again (an orphaned process group, setpgid(2)), the kernel lets it run on. It
        would not for a SIGSTOP.
        """
        number = number if number in STOPS else signal.SIGTSTP
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})  # here it stops
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})

    def _is_stopped(self) -> bool:
        with suppress(OSError, IndexError), open(f"/proc/{self._pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] == b"T"
        return False

    def _end(self) -> None:
        """Its time is up: everything that it started is told to end, and made to when it doesn't."""
        number = signal.SIGKILL if self.late else signal.SIGTERM
        for pid in self._meter.running():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)
        self.late = True
        assert self._due is not None  # else nothing is up
        self._due += max(self._grace, 0.1)
