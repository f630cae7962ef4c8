"""One deadline for everything that a probe does, and the one exception that a probe raises."""

import contextlib
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from gatekeeper.errors import GatekeeperError
from gatekeeper.quantities import show

if TYPE_CHECKING:
    import socket

Kind: TypeAlias = Literal["dns", "refused", "unreachable", "timeout", "tls", "reset", "protocol", "private"]


class ProbeError(GatekeeperError):
    """The other side could not be asked. `kind` says what went wrong, the message says it in words."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message


class Deadline:
    """The end of a probe, `within` seconds from now, as a context manager.

    A socket's own timeout is per call: a server that sends a byte a second never meets it. So a watchdog
    thread shuts the watched socket down when time is up, which ends whatever waits on it. The thread ends
    with the block. `doing` is what the probe is at, for the message.
    """

    def __init__(self, within: float, doing: str = "") -> None:
        self.within = within
        self.doing = doing
        self._ends = time.monotonic() + within
        self._lock = threading.Lock()
        self._watched: socket.socket | None = None
        self._watchdog: threading.Timer | None = None

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._ends

    def left(self) -> float:
        """Seconds left.

        Raises:
            ProbeError: there are none; kind `timeout`.
        """
        left = self._ends - time.monotonic()
        if left <= 0:
            raise self.error()
        return left

    def error(self) -> ProbeError:
        return ProbeError(
            "timeout", f"no end within {show(self.within, 's')}: timed out {self.doing}".rstrip()
        )

    def watch(self, sock: "socket.socket") -> None:
        """Shut `sock` down when time is up; it takes the place of the one watched before.

        A duplicate is kept: TLS takes a socket's descriptor over, and shutting down works through any copy.
        """
        duplicate = sock.dup()
        with self._lock:
            self._watched, before = duplicate, self._watched
        if before is not None:
            before.close()
        if self._watchdog is None:
            self._watchdog = threading.Timer(max(0.0, self._ends - time.monotonic()), self._cut)
            self._watchdog.daemon = True
            self._watchdog.start()

    def _cut(self) -> None:
        import socket

        with self._lock:
            if self._watched is not None:
                with contextlib.suppress(OSError):
                    self._watched.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog.join()
        if self._watched is not None:
            self._watched.close()
            self._watched = None
