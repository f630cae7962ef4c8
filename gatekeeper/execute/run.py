"""Carrying out a plan: choose the isolation, listen to the runner, and lose no result."""

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gatekeeper.context import RunData
from gatekeeper.errors import GatekeeperError
from gatekeeper.execute.messages import Broke, Complete, Finished, Message, Started
from gatekeeper.execute.schedule import Gathered, Options, Schedule, lost
from gatekeeper.model import Result
from gatekeeper.plan import Plan
from gatekeeper.plugins import Plugins

Isolation = Literal["fork", "spawn", "none"]


class Observer:
    """Whoever watches a run: each method is called in the program's own process, in order."""

    def started(self, gate: str) -> None: ...
    def result(self, result: Result) -> None: ...
    def tick(self) -> None: ...


class Executed(Struct):
    """What a plan came to: one result for each planned gate, in the plan's order."""

    results: tuple[Result, ...]
    gathered: Gathered
    interrupted: bool = False


def choose_isolation(asked: Isolation | None) -> Isolation:
    """Fork where that is safe and cheap: on Linux, from a process without other threads; else spawn."""
    if asked is not None and asked != "fork":
        return asked
    threading = sys.modules.get("threading")
    alone = threading is None or threading.active_count() == 1
    return "fork" if sys.platform == "linux" and alone else "spawn"


def execute(
    plan: Plan,
    data: RunData,
    plugins: Plugins,
    options: Options,
    observer: Observer,
    *,
    isolation: Isolation | None = None,
    project: bytes = b"",
    clean: Callable[[bytes], bytes] = bytes,
) -> Executed:
    """Carry out the plan. `project` is what a spawned worker loads the same project from; `clean` takes what must not
    be shown out of a JSON document.

    Raises:
        GatekeeperError: the runner itself broke; never for what a gate did.
    """
    collected = Collector(observer, clean)
    how = choose_isolation(isolation)
    if how == "fork":
        interrupted = _in_forked_runner(plan, data, plugins, options, collected)
    elif how == "spawn":
        from gatekeeper.execute.spawn import run_spawned

        interrupted = run_spawned(plan, project, options, collected)
    else:
        from gatekeeper.execute.inline import run_inline

        interrupted = run_inline(plan, data, plugins, options, collected)
    return _whole(plan, collected, interrupted)


class Collector:
    """Takes in messages, and passes them on."""

    def __init__(self, observer: Observer, clean: Callable[[bytes], bytes] = bytes) -> None:
        self.observer, self.clean = observer, clean
        self.results: dict[str, Result] = {}
        self.gathered = Gathered()
        self.complete = False
        self.running: set[str] = set()

    def take_own(self, message: Message) -> None:
        """Take in a message of this process."""
        self.take(msgspec.json.decode(self.clean(msgspec.json.encode(message)), type=Message))

    def take(self, message: Message) -> None:
        match message:
            case Started(gate):
                self.running.add(gate)
                self.observer.started(gate)
            case Finished(result):
                self.running.discard(result.id)
                self.results[result.id] = result
                self.observer.result(result)
            case Complete(gathered):
                self.gathered, self.complete = gathered, True
            case Broke(error):
                raise GatekeeperError(f"the runner broke: {error}")


def _whole(plan: Plan, collected: Collector, interrupted: bool) -> Executed:
    """Every planned gate with exactly one result; one whose runner was lost is an error."""
    for planned in plan.gates:
        if planned.id not in collected.results:
            was = "while this gate ran" if planned.id in collected.running else "before this gate ran"
            result = lost(planned, f"the runner was lost {was}" if not interrupted else "interrupted")
            collected.results[planned.id] = result
            collected.observer.result(result)
    ordered = tuple(collected.results[planned.id] for planned in plan.gates)
    return Executed(ordered, collected.gathered, interrupted)


# -- the forked runner -------------------------------------------------------------------------------------------------


def _in_forked_runner(
    plan: Plan, data: RunData, plugins: Plugins, options: Options, collected: Collector
) -> bool:
    messages, sender = os.pipe2(os.O_CLOEXEC)
    control, stop = os.pipe2(os.O_CLOEXEC)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(messages)
        os.close(stop)
        _runner(plan, data, plugins, options, sender, control)
    os.close(sender)
    os.close(control)
    with _stopping(stop, pid) as interrupts:
        try:
            _listen(messages, collected, options)
        finally:
            os.close(messages)
            with suppress(OSError):
                os.close(stop)  # the runner ends when nobody listens
            _bury(pid, collected.complete)
    return bool(interrupts)


def _runner(plan: Plan, data: RunData, plugins: Plugins, options: Options, sender: int, control: int) -> None:
    """The runner's whole life. Never returns."""
    from gatekeeper.execute.attempt import World
    from gatekeeper.execute.fork import Runner

    sender, control = _out_of_the_way(sender), _out_of_the_way(control)
    try:
        os.chdir(data.root)
        schedule = Schedule(plan, options, monotonic())

        def send(message: Message) -> None:
            view = memoryview(msgspec.json.encode(message) + b"\n")
            while view:
                view = view[os.write(sender, view) :]

        world = World(data, plugins, schedule.gathered)
        Runner(
            schedule, world, lambda result: send(Finished(result)), lambda gate: send(Started(gate)), control
        ).run()
        send(Complete(schedule.gathered))
    except BrokenPipeError:
        os._exit(1)  # nobody listens any more
    except BaseException as error:
        import traceback

        with suppress(OSError):
            trace = "".join(traceback.format_exception(error)[-3:])
            os.write(sender, msgspec.json.encode(Broke(f"{type(error).__name__}: {error}\n{trace}")) + b"\n")
        os._exit(3)
    os._exit(0)


def _out_of_the_way(fd: int) -> int:
    """The descriptor, moved above those that children put in place."""
    if fd > 10:
        return fd
    import fcntl

    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return moved


@contextmanager
def _stopping(stop: int, pid: int) -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM ask the runner to stop; a second one ends it at once. Yields the signals that came."""
    came: list[int] = []

    def handle(number: int, frame: Any) -> None:
        came.append(number)
        if len(came) > 1:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            return
        with suppress(OSError):
            os.write(stop, b"x")

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


def _listen(messages: int, collected: Collector, options: Options) -> None:
    decoder = msgspec.json.Decoder(Message)
    poll = select.poll()
    poll.register(messages, select.POLLIN)
    rest = b""
    while True:
        if not poll.poll(100):
            collected.observer.tick()
            continue
        data = os.read(messages, 1 << 18)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            collected.take(decoder.decode(collected.clean(line)))
        collected.observer.tick()


def _bury(pid: int, complete: bool) -> None:
    """Wait for the runner. One that was lost may have left gates running: they are found, and killed."""
    if not complete:
        from gatekeeper.execute import processes

        processes.become_subreaper()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
    if not complete:
        _kill_left()


def _kill_left() -> None:
    from gatekeeper.execute import processes

    for _ in range(100):
        left = [pid for pid in processes.children() if processes.mark_of(pid) is not None or _is_session(pid)]
        if not left:
            return
        for pid in left:
            processes.kill_group(pid)
            processes.kill(pid)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _is_session(pid: int) -> bool:
    """Whether a process leads its own session, as each gate's does."""
    with suppress(OSError):
        return os.getsid(pid) == pid
    return False
