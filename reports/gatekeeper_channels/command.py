"""`command`: a program of your own, with the notification as a CloudEvent on its standard input.

It is started without a shell, in a session of its own. Exit code 0 says that it was told; after any other it is tried
again, of which 75 (EX_TEMPFAIL of sysexits.h) says that this was to be expected. At its deadline, and when it has
ended, whatever is left in its process group is killed.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from msgspec import Struct, field

from gatekeeper import Secret, show, strict_json
from gatekeeper.channels import ChannelContext, ChannelType, Delivered, Notification, Outcome, TryAgain
from gatekeeper.channels.wording import headline
from gatekeeper.wording import one_line

if TYPE_CHECKING:
    import subprocess

TEMPORARY = 75
"""EX_TEMPFAIL of sysexits.h: not now, perhaps later."""
MOST_SAID = 200
"""Characters of the last line on standard error that are told."""
TAIL = 4_096
"""Bytes of standard error that are kept."""
PIPE = 65_536
"""Bytes that a pipe may hold when its writer has ended."""
LOST = -1_000
"""In place of an exit code that somebody else in this program took."""
SHARE = 0.95
"""Of an attempt's time that it gets, so that there is time to tell what it said."""
SOON = 0.02
"""Seconds between two looks at whether it has ended."""


class CommandSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A program of your own, with the notification as a CloudEvent on its standard input."""

    argv: tuple[str, ...]
    """The program and its arguments, as a list; no shell reads them. It runs in the project's folder."""
    env: dict[str, Secret] = field(default_factory=dict)
    """Further environment variables, for tokens: everybody on the machine can see a program's arguments."""

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0]:
            raise ValueError('argv: expected a program and its arguments, such as ["./tell.sh", "ops"]')
        if any("\0" in word for word in self.argv):
            raise ValueError("argv: a word holds a null character")
        for name, value in self.env.items():
            if not name or "=" in name or "\0" in name:
                raise ValueError(f"env: {name!r} can't be the name of an environment variable")
            if "\0" in value:
                raise ValueError(f"env: the value of {name} holds a null character")


class Command:
    """Starts the program once for each notification."""

    def __init__(self, settings: CommandSettings, context: ChannelContext) -> None:
        self._settings = settings
        self._context = context

    def send(self, notification: Notification) -> Outcome:
        from gatekeeper.channels.envelope import cloudevent

        ends = time.monotonic() + self._context.within * SHARE
        try:
            process = self._started(notification, strict_json(cloudevent(notification)))
        except OSError as error:
            return TryAgain(f"{one_line(self._settings.argv[0])} can't be started: {self._why(error)}")
        said = Said()
        with _ended_with_us(process):
            try:
                _follow(process, said, ends)
            except TimeoutError:
                limit = show(round(self._context.within * SHARE, 2), "s")
                return TryAgain(f"killed after {limit}, which is its timeout{said}")
        return _outcome(process.returncode, said)

    def _started(self, notification: Notification, body: bytes) -> "subprocess.Popen[bytes]":
        import subprocess
        import tempfile

        with tempfile.TemporaryFile() as given:  # a pipe would have to be written while its end is waited for
            given.write(body)
            given.seek(0)
            return subprocess.Popen(
                self._settings.argv,
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd=self._context.root,
                env={**os.environ, **variables(notification), **self._settings.env},
                start_new_session=True,
            )

    def _why(self, error: OSError) -> str:
        name, root = self._settings.argv[0], self._context.root
        if not root.is_dir():
            return "the project's folder is gone"
        if isinstance(error, FileNotFoundError):
            there = "/" in name and (root / name).exists()
            return "what its first line (#!) names is not there" if there else "there is no such program"
        if isinstance(error, PermissionError):
            return "it is not executable"
        return (error.strerror or str(error)).lower()


class Said:
    """The end of what a program wrote on standard error."""

    def __init__(self) -> None:
        self._tail = b""

    def add(self, piece: bytes) -> None:
        self._tail = (self._tail + piece)[-TAIL:]

    def __str__(self) -> str:
        """Its last line after a colon; empty where there is none."""
        lines = self._tail.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        shown = one_line(last)
        return f": {shown if len(shown) <= MOST_SAID else f'{shown[: MOST_SAID - 1]}…'}" if shown else ""


def variables(notification: Notification) -> dict[str, str]:
    """What a program finds in its environment: enough for a script that reads no JSON."""
    values = {
        "ID": notification.id,
        "STATE": "resolved" if notification.resolved else "firing",
        "SEVERITY": notification.severity,
        "SUBJECT": notification.subject,
        "HEADLINE": headline(notification),
        "CHANNEL": notification.channel,
        "TEST": "1" if notification.test else "",
    }
    return {f"GATEKEEPER_ALERT_{name}": one_line(value) for name, value in values.items()}


def _follow(process: "subprocess.Popen[bytes]", said: Said, ends: float) -> None:
    """Take what it says until it ends.

    What it leaves running may hold its standard error open: that is not waited for.

    Raises:
        TimeoutError: `ends` (of the monotonic clock) came first.
    """
    import selectors

    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stderr, selectors.EVENT_READ)
        while not _has_ended(process.pid):
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if not selector.get_map():
                time.sleep(min(left, SOON))
            elif selector.select(min(left, SOON)):
                piece = process.stderr.read(TAIL)
                said.add(piece or b"")
                if piece == b"":
                    selector.unregister(process.stderr)
    said.add(process.stderr.read(PIPE) or b"")


def _has_ended(pid: int) -> bool:
    """Whether it has; its exit code stays to be taken, and so its id its own. One that is gone has ended too."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


@contextmanager
def _ended_with_us(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """When the block ends, or this program in the middle of it, nothing of the process group is left.

    `returncode` is known then. `Popen.wait` is not used: it says 0 where somebody else in this program took the exit
    code.
    """
    try:
        with _guarded(process.pid):
            yield
    finally:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.returncode = _exit_code(process.pid)
        if process.stderr is not None:
            process.stderr.close()


@contextmanager
def _guarded(group: int) -> Iterator[None]:
    """A process that does nothing but wait for the end of this one, to kill the group then.

    This may be a thread that nobody waits for, in a program that is killed itself: no handler of its own would run.
    """
    import subprocess

    theirs, ours = os.pipe()
    try:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", f"read line; kill -s KILL -- -{group}"],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    try:
        yield
    finally:
        guard.kill()  # before it sees the other end close
        guard.wait()
        os.close(ours)


def _exit_code(pid: int) -> int:
    """The exit code, or the negative number of the signal that ended it."""
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED)
    except ChildProcessError:
        return LOST
    assert found is not None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _outcome(code: int, said: Said) -> Outcome:
    if code == 0:
        return Delivered()
    if code == LOST:
        return TryAgain(f"what its exit code was is not known{said}")
    if code < 0:
        return TryAgain(f"it was ended by {_signal(-code)}{said}")
    if code == TEMPORARY:
        return TryAgain(f"it says to try again later (exit code {code}){said}")
    return TryAgain(f"exit code {code}{said}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


CHANNEL = ChannelType(
    name="command",
    summary="a program of your own, with the event as JSON on its standard input",
    settings=CommandSettings,
    open=Command,
)
