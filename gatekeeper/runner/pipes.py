"""The pipes between a host and its runner, one line for each message.

The host's flow may do with descriptors what it likes: close them all, and open others under the same numbers. So an end
of a pipe knows which pipe it is, and leaves alone what is another. What the flow forks may hold a pipe open after its
process is gone: so whoever waits asks, now and then, whether there still is somebody to wait for.
"""

import os
import select
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from gatekeeper.plain import strict_json

LOWEST = 16
"""Descriptors of these pipes lie above those that programs expect in a certain place."""
PATIENCE = 0.5
"""Seconds between two questions whether the other side is still there."""


class _End:
    """One end of a pipe."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pipe = _identity(fd)

    @property
    def is_intact(self) -> bool:
        """Whether the descriptor is still this pipe's."""
        return self._fd >= 0 and _identity(self._fd) == self._pipe

    def close(self) -> None:
        if self.is_intact:
            os.close(self._fd)
        self._fd = -1


class Outlet(_End):
    """The end that is written to."""

    @classmethod
    def pipe(cls) -> tuple[int, Self]:
        """A new pipe: the descriptor to read from, and this."""
        reader, writer = _pipe()
        return reader, cls(writer)

    def send(self, message: Any) -> None:
        """Write a message. Where nobody reads any more nothing happens: that shows when there is no answer."""
        line = memoryview(strict_json(message) + b"\n")
        with suppress(BrokenPipeError):
            while line and self.is_intact:
                line = line[os.write(self._fd, line) :]


class Inlet(_End):
    """The end that is read from."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self._read = bytearray()

    @classmethod
    def pipe(cls) -> tuple[Self, int]:
        """A new pipe: this, and the descriptor to write to."""
        reader, writer = _pipe()
        return cls(reader), writer

    def line(
        self,
        is_alive: Callable[[], bool],
        meanwhile: Callable[[], float] = lambda: PATIENCE,
    ) -> bytes:
        """The next message; empty where the other side is gone, or the pipe.

        `meanwhile` is called now and then, and says in how many seconds again.
        """
        searched = 0
        while (end := self._read.find(b"\n", searched)) < 0:
            searched = len(self._read)
            if not self._more(is_alive, meanwhile):
                return b""
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        return line

    def _more(self, is_alive: Callable[[], bool], meanwhile: Callable[[], float]) -> bool:
        patience = 0.0
        while self.is_intact:
            alive = is_alive()  # before looking: what was said before the end is heard
            if _is_readable(self._fd, patience):
                data = os.read(self._fd, 1 << 16)
                self._read += data
                return bool(data)
            if not alive:
                return False
            patience = meanwhile()
        return False


def _is_readable(fd: int, patience: float) -> bool:
    poll = select.poll()  # select() refuses descriptors from 1,024 on
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(patience * 1000))


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _pipe() -> tuple[int, int]:
    """A pipe that programs which the host starts don't inherit."""
    import fcntl

    low = os.pipe()
    try:
        reader, writer = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, LOWEST) for fd in low)
    finally:
        for fd in low:
            os.close(fd)
    return reader, writer
