"""What files, folders, long-running processes and memory there are. Facts only, no judgement."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper import Context, DataError, FlowData
from gatekeeper_gates.cleanup.processes import began

if TYPE_CHECKING:
    from gatekeeper_gates.cleanup import Files

MAX_PATHS = 5_000
"""A glob that matches more paths is a mistake."""
MAX_ENTRIES = 500_000
"""Files up to which a folder is measured."""
TICK, STEP = 0.05, 2.0
"""Seconds by which times of files may be off: by the kernel's clock for them, and where only a last change is told (FAT
has steps of 2 s, and a file server a clock of its own)."""


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


def came_with(flow: FlowData, path: str) -> bool:
    """Whether a file that was not there before may have come with the flow: created or moved there while it ran.

    Creating and moving a file both change it (`st_ctime`, inode(7)), so what did not change since the flow began was
    there; what was born after its end is another's.
    """
    born = _born(path)
    try:
        changed = os.lstat(path).st_ctime
    except OSError:
        return False
    if born is None:
        return changed >= flow.began - STEP
    return changed >= flow.began - TICK and (not flow.ended or born <= flow.ended + TICK)


def _born(path: str) -> float | None:
    """When a file was created, in seconds since the epoch; None where the system or its file system doesn't say.

    By statx(2), which Python has not: `STATX_BTIME`, and the offsets of `stx_mask` and `stx_btime` in linux/stat.h.
    """
    import ctypes
    import struct

    found, wanted = ctypes.create_string_buffer(256), 0x800
    try:
        failed = ctypes.CDLL(None).statx(-100, os.fsencode(path), 0x100, wanted, found)  # AT_SYMLINK_NOFOLLOW
    except (OSError, AttributeError):
        return None
    (has,), (seconds, nanoseconds) = struct.unpack_from("I", found), struct.unpack_from("qI", found, 80)
    return None if failed or not has & wanted else seconds + nanoseconds / 1e9


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
