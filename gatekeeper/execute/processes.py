"""Processes that a gate leaves: found although they escaped its process group, named, and killed.

On Linux the runner is a *child subreaper* (prctl(2), PR_SET_CHILD_SUBREAPER): whoever loses its parent below it becomes
its child, however often it forked or called setsid.
"""

import os
import signal
from contextlib import suppress
from time import monotonic, sleep

MARK = "GATEKEEPER_ATTEMPT"
"""Environment variable of a gate's process, so that a program it starts can be told to be its."""


def become_subreaper() -> None:
    """Adopt orphaned descendants; without effect where the system can't."""
    with suppress(Exception):
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER, linux/prctl.h


def prefer_for_oom() -> None:
    """When memory runs out, the kernel takes this process and its children before others."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def children() -> list[int]:
    """Pids of this process's children; empty where the system doesn't tell."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except (OSError, ValueError):
        return []


def mark_of(pid: int) -> str | None:
    """The attempt that a process belongs to by its environment, or None where it can't be told."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            content = file.read()
    except OSError:
        return None
    for entry in content.split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name == MARK.encode():
            return value.decode("utf-8", "replace")
    return None


def holds_pipe(pid: int, inodes: set[int]) -> bool:
    """Whether a process has one of these pipes open: a fork of a gate that closed nothing."""
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    pipes = {f"pipe:[{inode}]" for inode in inodes}
    for descriptor in descriptors:
        with suppress(OSError):
            if os.readlink(f"/proc/{pid}/fd/{descriptor}") in pipes:
                return True
    return False


def command_of(pid: int) -> str:
    """`pid 123: sleep 100`, for a person."""
    command = ""
    with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        command = file.read(400).replace(b"\0", b" ").decode("utf-8", "backslashreplace").strip()
    return f"pid {pid}: {command}" if command else f"pid {pid}"


def is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except (OSError, IndexError):
        return True


def members(group: int) -> list[int]:
    """Live processes of a group besides its leader. Reads all of /proc: for when there is known to be one."""
    found = []
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdecimal() and int(name) != group:
                with suppress(OSError, ProcessLookupError):
                    if os.getpgid(int(name)) == group and not is_zombie(int(name)):
                        found.append(int(name))
    return found


def kill_group(group: int, number: int = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def kill(pid: int) -> bool:
    """Send SIGKILL; False where that is not permitted."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def end(pid: int, patience: float = 0.5) -> bool:
    """Kill a child of this process and reap it; False where it lives on: another user's, or stuck in the kernel."""
    until = monotonic() + patience
    while kill(pid):
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return True
        except ChildProcessError:
            return True
        if monotonic() > until:
            return False
        sleep(0.0005)
    return False
