"""Running a command to its end or its deadline, with whatever it started, keeping the beginning of its
output.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gatekeeper import show
from gatekeeper.net import ProbeError
from gatekeeper_gates.components.command import KEPT, Ended


def run(argv: Sequence[str], cwd: Path, env: Mapping[str, str], within: float) -> Ended:
    """Run `argv` in a session of its own; nothing of its process group is left when this returns.

    Raises:
        ProbeError: it can't be started (kind `protocol`), or did not end in time (`timeout`).
    """
    started = time.monotonic()
    with _started(argv, cwd, env) as process:
        try:
            output = _read(process, started + within)
            ended = _exited(process)
            while not ended and time.monotonic() < started + within:
                time.sleep(0.005)
                ended = _exited(process)
        finally:
            # before it is reaped: until then nobody else can have its id
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if not ended:
        raise ProbeError("timeout", f"{argv[0]} did not end within {show(within, 's')} and was killed")
    return Ended(process.returncode, time.monotonic() - started, *output)


@contextlib.contextmanager
def _started(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> "Iterator[subprocess.Popen[bytes]]":
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ProbeError("protocol", _not_started(argv[0], cwd, error)) from None
    with process:
        yield process


def _not_started(program: str, cwd: Path, error: Exception) -> str:
    if not cwd.is_dir():
        return f"{program} can't be started: {cwd} is no folder"
    if isinstance(error, FileNotFoundError):
        return f"{program} can't be started: no such program is on the PATH"
    return f"{program} can't be started: {error.strerror if isinstance(error, OSError) else error}"


def _read(process: "subprocess.Popen[bytes]", until: float) -> tuple[bytes, bytes]:
    """Read both pipes until they end, the command has ended, or time is up; the rest of a flood is
    dropped.
    """
    kept = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe in kept:
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map() and (left := until - time.monotonic()) > 0:
            # what it left in the background may hold the pipes open for ever
            ready = selector.select(min(left, 0.05))
            if not ready and _exited(process):
                break
            for key, _ in ready:
                piece = os.read(key.fd, KEPT)
                if not piece:
                    selector.unregister(key.fileobj)
                room = KEPT - len(kept[key.fileobj])  # type: ignore[index]
                kept[key.fileobj] += piece[:room]  # type: ignore[index]
    return bytes(kept[process.stdout]), bytes(kept[process.stderr])


def _exited(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it has ended; it is not reaped yet."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
