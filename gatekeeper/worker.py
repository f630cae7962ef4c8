"""A spawned worker: `python -m gatekeeper.worker`. See `gatekeeper.execute.spawn`."""

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import IO, Any, TextIO

import msgspec

from gatekeeper.app import load_for_worker
from gatekeeper.execute.attempt import World, perform
from gatekeeper.execute.capture import KEEP
from gatekeeper.execute.forker import BROKEN
from gatekeeper.execute.schedule import Outcome, Task
from gatekeeper.execute.spawn import Answer, Order
from gatekeeper.model import Output
from gatekeeper.plan import PlannedGate


def main() -> None:
    """Load the project that the first line of stdin names, then carry out an attempt for each further line."""
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)  # a gate's prints must not look like answers
    plan, data, plugins = load_for_worker(orders.readline())
    gates = {planned.id: planned for planned in (*plan.gates, *plan.snapshots)}
    os.chdir(data.root)
    _say(answers, b"ready")
    me = os.getpid()
    try:
        for line in orders:
            order = msgspec.json.decode(line, type=Order)
            outcome = _carry_out(order, gates.get(order.name), World(data, plugins, order.gathered))
            if os.getpid() != me:  # a copy that the gate forked, and that came back here
                break
            _say(answers, msgspec.json.encode(Answer(outcome)))
    except BaseException:  # the gate closed what answers need: whoever waits says so
        os._exit(BROKEN)
    os._exit(0)


def _carry_out(order: Order, planned: PlannedGate | None, world: World) -> Outcome:
    kind: Any = order.kind
    task = Task(kind, order.name, order.limit, planned)
    with _captured() as output:
        frame = perform(task, world, order.number, monotonic() + order.limit)
    return Outcome(frame.evaluation, output[0], frame.value)


@contextmanager
def _captured() -> Iterator[list[Output]]:
    """What is written to stdout and stderr meanwhile, programs that the gate starts included."""
    result = [Output()]
    streams = (sys.stdout, sys.stderr)
    kept = [os.dup(number) for number in (1, 2)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        for number, file in ((1, out), (2, err)):
            os.dup2(file.fileno(), number)
        sys.stdout, sys.stderr = _text(1), _text(2)
        try:
            yield result
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            sys.stdout, sys.stderr = streams
            for number, fd in zip((1, 2), kept, strict=True):
                os.dup2(fd, number)
                os.close(fd)
            (stdout, cut), (stderr, more) = _ends(out), _ends(err)
            result[0] = Output(stdout, stderr, cut + more)


def _text(fd: int) -> TextIO:
    return io.TextIOWrapper(io.FileIO(fd, "w", closefd=False), "utf-8", "backslashreplace")


def _ends(file: IO[bytes]) -> tuple[str, int]:
    """Head and tail of what was written, and how many bytes are missing between them."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= 2 * KEEP:
        return file.read().decode("utf-8", "backslashreplace"), 0
    head = file.read(KEEP)
    file.seek(size - KEEP)
    dropped = size - 2 * KEEP
    whole = head + f"\n… {dropped} bytes cut …\n".encode() + file.read()
    return whole.decode("utf-8", "backslashreplace"), dropped


def _say(answers: IO[bytes], line: bytes) -> None:
    answers.write(line + b"\n")
    answers.flush()


if __name__ == "__main__":
    main()
