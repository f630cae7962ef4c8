"""Which processes and listening ports there are. Facts only, no judgement."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from gatekeeper import Context, DataError, FlowData

if TYPE_CHECKING:
    import psutil

    from gatekeeper_gates.cleanup import Processes


# -- processes -----------------------------------------------------------------------------------------------


class Left(Struct, frozen=True):
    """A process, as evidence has it; `age_s` seconds, `memory` bytes."""

    pid: int
    command: str
    user: str
    folder: str
    age_s: float
    memory: int
    ports: list[str] = field(default_factory=list)


def began(pid: int) -> float | None:
    """When a process started, on a clock that nobody sets: with the pid it names a process for good.

    Ticks since boot on Linux (proc(5), field 22 of stat), elsewhere its wall-clock time; None for one that is
    gone.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return int(stat.read().rpartition(b")")[2].split()[19])
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except (OSError, IndexError):
        return None
    import psutil

    with suppress(psutil.Error):
        return psutil.Process(pid).create_time()
    return None


def running() -> list[list[float]]:
    """`[pid, began]` of every process there is."""
    import psutil

    found = ((pid, began(pid)) for pid in psutil.pids())
    return [[pid, start] for pid, start in found if start is not None]


def left(ctx: Context, rule: "Processes", before: list[list[float]]) -> "list[psutil.Process]":
    """The processes that the flow left and that count by the rule, now."""
    flow = ctx.data.flow
    if flow is not None and flow.left is not None:
        return [process for process in _attributed(flow) if _is_of(process, rule)]
    return _suspected(ctx, rule, before)


def runs(process: "psutil.Process") -> bool:
    """Whether it is still that process, and no zombie that somebody has yet to wait for."""
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def _attributed(flow: FlowData) -> "Iterator[psutil.Process]":
    """What the flow is known to have left, and what that started since: nobody else's, wherever it runs."""
    import psutil

    found: dict[int, psutil.Process] = {}
    for pid, start in flow.left or ():
        with suppress(psutil.Error, OSError):
            if began(pid) == start:
                found[pid] = psutil.Process(pid)
    if flow.left and flow.keeper is not None:
        found |= {process.pid: process for process in _kept(flow.keeper)}
    return filter(runs, found.values())


def _kept(keeper: int) -> "Iterator[psutil.Process]":
    """All below the process that adopts what the flow leaves, but for gatekeeper's own, which run this."""
    import psutil

    me = psutil.Process()
    own = {me.pid, *(process.pid for process in me.parents())}
    with suppress(psutil.Error, OSError):
        for child in psutil.Process(keeper).children():
            if child.pid not in own and not _is_gatekeeper(child):
                yield child
                yield from child.children(recursive=True)


def _is_of(process: "psutil.Process", rule: "Processes") -> bool:
    import psutil

    with suppress(psutil.Error, OSError):
        wanted = rule.scope == "project" or _matches(process, rule.command)
        return wanted and _is_meant(process, rule, rule.user or "*")
    return False


def _suspected(ctx: Context, rule: "Processes", before: list[list[float]]) -> "list[psutil.Process]":
    """Those that started since `before`, gatekeeper's own apart, and by their place are the flow's."""
    import psutil

    around = Surroundings.of(ctx)
    known = {(int(pid), start) for pid, start in before}
    found = []
    for pid in psutil.pids():
        start = began(pid)
        if start is None or (pid, start) in known or around.hides(pid, start):
            continue
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if not around.holds(process) and _counts(process, rule, around, str(ctx.root)):
                found.append(process)
    return found


class Surroundings(Struct, frozen=True):
    """What is gatekeeper's own, and the person's who uses it: no flow left that.

    `lineage` are this process and its ancestors. What began after `until`, the start and pid of `run post`, was
    not left by a flow that ended before it: other gates, a pager. Where there is no such moment, what runs under one of
    `parents` is gatekeeper's. `terminals` are those that gatekeeper is used from.
    """

    lineage: set[int]
    until: tuple[float, int] | None
    parents: set[int]
    terminals: set[str]

    @classmethod
    def of(cls, ctx: Context) -> "Surroundings":
        import psutil

        me = psutil.Process()
        lineage = [me, *me.parents()]
        ours = [process.pid for process in takewhile(_is_gatekeeper, lineage)]
        start = began(ours[-1]) if ours and ctx.data.phase == "post" else None
        until = None if start is None else (start, ours[-1])
        parents = set(ours) if ctx.data.phase in ("all", "exec") else set()
        terminals = {terminal for process in lineage if (terminal := _terminal(process))}
        return cls({process.pid for process in lineage}, until, parents, terminals)

    def hides(self, pid: int, start: float) -> bool:
        # the clock ticks every 10 ms only: within a tick, pids tell who came first, as they are given out in order
        return pid in self.lineage or (self.until is not None and (start, pid) > self.until)

    def holds(self, process: "psutil.Process") -> bool:
        if _is_gatekeeper(process):
            return True
        return bool(self.parents) and any(parent.pid in self.parents for parent in process.parents())

    def is_elsewhere(self, process: "psutil.Process") -> bool:
        """Whether it is used from another terminal: an editor, a shell that someone opened."""
        terminal = _terminal(process)
        return terminal is not None and bool(self.terminals) and terminal not in self.terminals


def _is_gatekeeper(process: "psutil.Process") -> bool:
    words = _words(process)[:6]
    names = [Path(word).name for word in words[:3]]
    module = words[words.index("-m") + 1 :][:1] if "-m" in words else []
    return "gatekeeper" in names or any(re.match(r"gatekeeper(\.|$)", name) for name in module)


def _words(process: "psutil.Process") -> list[str]:
    import psutil

    try:
        return process.cmdline()
    except (psutil.Error, OSError):
        return []


def _terminal(process: "psutil.Process") -> str | None:
    import psutil

    try:
        return process.terminal()
    except (psutil.Error, OSError, AttributeError):
        return None


def _counts(process: "psutil.Process", rule: "Processes", around: Surroundings, root: str) -> bool:
    words = _words(process)
    if not words or not runs(process) or not _is_meant(process, rule, rule.user):
        return False
    if _matches(process, rule.command):
        return True
    in_project = rule.scope == "project" and _lies_in(process, words, root)
    return in_project and not around.is_elsewhere(process)


def _is_meant(process: "psutil.Process", rule: "Processes", user: str | None) -> bool:
    return _belongs_to(process, user) and not _matches(process, rule.ignore)


def _matches(process: "psutil.Process", patterns: list[str]) -> bool:
    command = " ".join(_words(process))
    return any(re.search(pattern, command) for pattern in patterns)


def _belongs_to(process: "psutil.Process", user: str | None) -> bool:
    if user == "*":
        return True
    if user is None and hasattr(os, "getuid"):
        return process.uids().real == os.getuid()
    import getpass

    return process.username() == (user or getpass.getuser())


def _lies_in(process: "psutil.Process", words: list[str], root: str) -> bool:
    import psutil

    folder = ""
    with suppress(psutil.Error, OSError):
        folder = process.cwd().removesuffix(" (deleted)")
    places = [folder, *(word.rpartition("=")[2] for word in words)]
    return any(place == root or place.startswith(f"{root}{os.sep}") for place in places)


def described(process: "psutil.Process") -> Left | None:
    """A process for a person; None for one that ended meanwhile."""
    import psutil

    folder, user, memory = "", "", 0
    try:
        with suppress(psutil.AccessDenied):
            folder = process.cwd()
        with suppress(psutil.AccessDenied, KeyError):
            user = process.username()
        with suppress(psutil.AccessDenied):
            memory = process.memory_info().rss
        age = max(0.0, time.time() - process.create_time())
        command = " ".join(process.cmdline())[:500] or process.name()
        return Left(process.pid, command, user, folder, round(age, 1), memory, _ports_of(process))
    except (psutil.Error, OSError):
        return None


# -- ports ---------------------------------------------------------------------------------------------------


def port_range(item: int | str) -> range:
    """`8000` or `"8000-8010"` as the ports that are meant.

    Raises:
        ValueError: it is neither.
    """
    first, dash, last = str(item).partition("-")
    if first.strip().isdecimal() and (last.strip().isdecimal() or not dash):
        ports = range(int(first), int(last if dash else first) + 1)
        if ports and ports[0] >= 1 and ports[-1] <= 65535:
            return ports
    raise ValueError(f'expected a port from 1 to 65535 or a range such as "8000-8010", got {item!r}')


def _ports_of(process: "psutil.Process") -> list[str]:
    import psutil

    with suppress(psutil.Error, OSError):
        return sorted({_address(c) for c in process.net_connections("inet") if _listens(c)})
    return []


def _listens(connection: Any) -> bool:
    import psutil

    return connection.status == psutil.CONN_LISTEN or (
        connection.status == psutil.CONN_NONE and bool(connection.laddr) and not connection.raddr
    )


def _address(connection: Any) -> str:
    host, port = connection.laddr[0], connection.laddr[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listening(watched: tuple[range, ...]) -> list[str]:
    """Addresses of watched ports that anybody listens on, as `127.0.0.1:8000`.

    Raises:
        DataError: the system does not tell.
    """
    return sorted(holders(watched))


def holders(watched: tuple[range, ...]) -> dict[str, int | None]:
    """The same, with the pid that holds each where the system tells it."""
    import psutil

    try:
        connections: list[Any] = psutil.net_connections("inet")
    except psutil.AccessDenied:
        raise DataError("listening ports", "can't be listed by this user on this system") from None
    return {
        _address(c): c.pid
        for c in connections
        if _listens(c) and any(c.laddr[1] in ports for ports in watched)
    }
