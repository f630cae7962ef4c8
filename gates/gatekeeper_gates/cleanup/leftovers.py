"""What is there on this machine at one moment: processes, ports, files, memory. Facts only, no judgement."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from gatekeeper import Context, DataError

if TYPE_CHECKING:
    import psutil

    from gatekeeper_gates.cleanup import Files, Processes

MAX_PATHS = 5_000
"""A glob that matches more paths is a mistake."""
MAX_ENTRIES = 500_000
"""Files up to which a folder is measured."""


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
    """The processes that started since `before` and count by the rule, gatekeeper's own apart."""
    import psutil

    own, until, terminals = _lineage(ctx)
    known = {(int(pid), start) for pid, start in before}
    found = []
    for pid in psutil.pids():
        start = began(pid)
        if start is None or pid in own or (pid, start) in known or (until is not None and start >= until):
            continue
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if _counts(process, rule, str(ctx.root), terminals):
                found.append(process)
    return found


def _lineage(ctx: Context) -> tuple[set[int], float | None, set[str]]:
    """This process and its ancestors; when gatekeeper itself began; the terminals that it is used from.

    What began later than `run post` was not left by a flow that ended before it: other gates, a pager.
    (`exec` begins before its flow and knows its processes.)
    """
    import psutil

    me = psutil.Process()
    lineage = [me, *me.parents()]
    ours = []
    for process in lineage:
        if not _is_gatekeeper(process):
            break
        ours.append(process.pid)
    until = began(ours[-1]) if ours and ctx.data.phase == "post" else None
    terminals = {terminal for process in lineage if (terminal := _terminal(process))}
    return {process.pid for process in lineage}, until, terminals


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


def _counts(process: "psutil.Process", rule: "Processes", root: str, terminals: set[str]) -> bool:
    import psutil

    words = _words(process)
    command = " ".join(words)
    if not words or process.status() == psutil.STATUS_ZOMBIE or _is_gatekeeper(process):
        return False
    if not _belongs_to(process, rule.user) or any(re.search(pattern, command) for pattern in rule.ignore):
        return False
    if any(re.search(pattern, command) for pattern in rule.command):
        return True
    terminal = _terminal(process)
    elsewhere = terminal is not None and bool(terminals) and terminal not in terminals
    return rule.scope == "project" and not elsewhere and _lies_in(process, words, root)


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


# -- files and disk ------------------------------------------------------------------------------------------


def place(ctx: Context, path: str) -> str:
    """A configured path or glob, absolute; `{temp}` is the system's folder for temporary files."""
    import tempfile

    return str(ctx.path(path.replace("{temp}", tempfile.gettempdir())))


def paths(ctx: Context, rule: "Files") -> list[str]:
    """What a rule's path or glob matches, sorted.

    Raises:
        DataError: it matches too much.
    """
    import glob

    absolute, found = place(ctx, rule.path), []
    names = (
        [absolute] if os.path.lexists(absolute) else glob.iglob(absolute, recursive=True, include_hidden=True)
    )
    for name in names:
        with suppress(OSError):
            if rule.any_user or not hasattr(os, "getuid") or os.lstat(name).st_uid == os.getuid():
                found.append(name)
        if len(found) > MAX_PATHS:
            raise DataError(rule.path, f"matches more than {MAX_PATHS} files; narrow the pattern")
    return sorted(found)


def used(ctx: Context, path: str) -> int:
    """Bytes on disk of a file or of all files below a folder; 0 for what is not there.

    Raises:
        DataError: too many files.
    """
    total = 0
    for number, size in enumerate(_sizes(place(ctx, path))):
        total += size
        if number > MAX_ENTRIES:
            raise DataError(path, f"holds more than {MAX_ENTRIES} files; name a smaller folder")
    return total


def _sizes(path: str) -> Iterator[int]:
    with suppress(OSError):
        status = os.lstat(path)
        yield getattr(status, "st_blocks", status.st_size // 512) * 512
        if not os.path.isdir(path) or os.path.islink(path):
            return
        for folder, _, names in os.walk(path):
            for name in names:
                with suppress(OSError):
                    status = os.lstat(os.path.join(folder, name))
                    yield getattr(status, "st_blocks", status.st_size // 512) * 512


# -- services and memory -------------------------------------------------------------------------------------


def service(pidfile: Path) -> dict[str, Any]:
    """What a long-running process holds: descriptors, bytes of memory, open files; or why it is unknown."""
    import psutil

    try:
        pid = int(pidfile.read_text("utf-8").split()[0])
        process = psutil.Process(pid)
        held = {"pid": pid, "began": began(pid), "command": " ".join(process.cmdline())[:500]}
        return held | {
            "descriptors": process.num_fds(),
            "memory": process.memory_info().rss,
            "open": _open(pid),
        }
    except OSError as error:
        return {"error": f"its pidfile can't be read: {error.strerror}: {pidfile}"}
    except (ValueError, IndexError):
        return {"error": f"its pidfile holds no process id: {pidfile}"}
    except psutil.NoSuchProcess:
        return {"error": f"it is not running (pid {pid} by {pidfile})"}
    except psutil.AccessDenied:
        return {"error": f"its descriptors can't be read by this user (pid {pid} by {pidfile})"}


def _open(pid: int, most: int = 1_000) -> dict[str, int]:
    """What a process has open and how often: paths, sockets and pipes by kind. Linux; elsewhere empty."""
    counted: dict[str, int] = {}
    with suppress(OSError):
        for descriptor in os.listdir(f"/proc/{pid}/fd")[:most]:
            with suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
                kind = target if target.startswith("/") else target.partition(":")[0]
                counted[kind] = counted.get(kind, 0) + 1
    return counted


def available() -> int:
    """Bytes of memory that are available on this host."""
    import psutil

    return int(psutil.virtual_memory().available)
