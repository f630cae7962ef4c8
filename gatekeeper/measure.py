"""What a process tree uses, measured from outside: processor time, memory, and what of it is left.

Read from Linux's /proc (proc(5)); elsewhere nothing is measured, and the readings say so.
"""

import os
from collections.abc import Collection
from contextlib import suppress
from time import monotonic, sleep, thread_time
from typing import TYPE_CHECKING

from msgspec import Struct

from gatekeeper.samples import Readings, Series

if TYPE_CHECKING:
    from resource import struct_rusage

SHORTEST, LONGEST = 0.002, 0.05
"""Seconds between two looks: short at first, so that what ends soon is seen at all."""
SHARE = 0.01
"""The share of one processor that looking may take: what costs more is done less often."""
QUIET, PATIENCE = 0.01, 1.0
"""Seconds between two looks at what is left, and after which it need not be the same in both."""


class Seen(Struct, frozen=True):
    """A process at one moment: `start` in ticks since boot, `cpu` in seconds with that of the children it waited for,
    `memory` in bytes, in which shared pages count whole (RSS).
    """

    pid: int
    start: int
    cpu: float
    memory: int
    zombie: bool


class Meter:
    """Measures a process and all below it, from its creation to `readings`. Call `sample` every `interval` seconds.

    The processes of `besides` don't count, nor does what is below them; but where the measured process is one of them,
    what is below it counts. What loses its parent is followed to its end, once it was seen.
    """

    def __init__(self, pid: int, besides: Collection[int] = ()) -> None:
        self._root, self._besides = pid, frozenset(besides)
        self._measures_itself = pid in self._besides
        self._began = monotonic()
        self._known: dict[int, int] = {}
        self._waited, self._largest = 0.0, 0
        self._most_cpu, self._peak, self._looks = 0.0, 0, 0
        self.interval = SHORTEST
        self._measures = _look(pid) is not None
        there = self._tree()
        self._before = {(seen.pid, seen.start) for seen in there}
        self._cpu_before = self._used(there)
        self.sample()

    # -- meanwhile -----------------------------------------------------------------------------------------------------

    def sample(self) -> None:
        """Look once."""
        began = thread_time()
        tree = self._tree()
        self._most_cpu = max(self._most_cpu, self._used(tree))
        self._peak = max(self._peak, self._memory(tree))
        self._looks += 1
        pace = SHORTEST + (monotonic() - self._began) / 5
        self.interval = max(min(pace, LONGEST), (thread_time() - began) / SHARE)

    def waited(self, usage: "struct_rusage") -> None:
        """A child of the measured process, which is this one, was waited for: what it and those it waited for used."""
        self._waited += usage.ru_utime + usage.ru_stime
        self._largest = max(self._largest, usage.ru_maxrss * 1024)

    def running(self) -> list[int]:
        """The measured processes that run."""
        return [seen.pid for seen in self._tree() if not seen.zombie]

    # -- afterwards ----------------------------------------------------------------------------------------------------

    def left(self) -> tuple[tuple[int, float], ...] | None:
        """Running processes that were not there when measuring began, `(pid, start)`; None where that can't be told."""
        if not self._measures:
            return None
        until = monotonic() + PATIENCE
        found = self._new()
        while (now := self._new()) != found and monotonic() < until:  # one forks itself away, as daemons do
            found = now
            sleep(QUIET)
        return tuple(sorted(now))

    def readings(self) -> Readings:
        """`cpu` (s) and `peak_memory` (B)."""
        if not self._measures:
            return Readings(notes=("cpu and peak_memory of processes are measured on Linux only",))
        used = max(self._most_cpu, self._used(self._tree())) - self._cpu_before
        cpu = _measured("cpu", "s", max(0.0, used), "user and system time of all processes")
        return Readings((cpu, self._peak_memory()))

    # -- the tree ------------------------------------------------------------------------------------------------------

    def _tree(self) -> list[Seen]:
        """Parents before their children: a child that ends meanwhile may be missed, and never counts twice."""
        tree: dict[int, Seen] = {}
        waiting = [(self._root, None), *self._known.items()]
        for pid, start in waiting:
            seen = None if pid in tree or self._is_apart(pid) else _look(pid)
            if seen is not None and start in (None, seen.start):  # else its pid was given to another
                tree[pid] = seen
                waiting += [(child, None) for child in _children(pid)]
        if self._measures_itself:
            tree.pop(self._root, None)
        self._known = {seen.pid: seen.start for seen in tree.values()}
        return list(tree.values())

    def _is_apart(self, pid: int) -> bool:
        """A Python host may have several flows at a time: the runners of their gates are none of its work."""
        if pid == self._root:
            return False
        return pid in self._besides or (not self._measures_itself and _is_runner(pid))

    def _new(self) -> set[tuple[int, int]]:
        found = {(seen.pid, seen.start) for seen in self._tree() if not seen.zombie}
        return found - self._before

    def _used(self, tree: list[Seen]) -> float:
        return self._waited + sum(seen.cpu for seen in tree)

    def _memory(self, tree: list[Seen]) -> int:
        """Bytes in use now. Shared pages count once where this may be a new peak: that costs a walk over all pages."""
        using = [seen for seen in tree if seen.memory]
        whole = sum(seen.memory for seen in using)
        if len(using) <= 1 or whole <= self._peak:
            return whole
        return max(sum(map(_proportional, using)), *(seen.memory for seen in using))

    def _peak_memory(self) -> Series:
        """The most that was seen, and no less than the largest process alone had.

        Of that, the system knows the exact peak; but it has a child's begin at its parent's, whose memory the child has
        until it executes a program (exec_mmap in Linux' fs/exec.c). So what is not beyond this process's own peak says
        something only of processes that were too short to be seen.
        """
        from resource import RUSAGE_SELF, getrusage

        own = getrusage(RUSAGE_SELF).ru_maxrss * 1024
        if self._largest > max(own, self._peak):
            return _measured("peak_memory", "B", self._largest, "the peak of the largest process (ru_maxrss)")
        if not self._peak:
            return _measured(
                "peak_memory", "B", self._largest, "at most this (ru_maxrss); it ended too soon to look"
            )
        how = f"processes together, shared pages once (PSS), at the highest of {self._looks} looks"
        return _measured("peak_memory", "B", self._peak, how)


def _measured(name: str, unit: str, value: float, how: str) -> Series:
    return Series(name=name, unit=unit, values=(value,), source=f"gatekeeper: {how}")


# -- /proc -------------------------------------------------------------------------------------------------------------

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def _look(pid: int) -> Seen | None:
    """A process by its /proc/PID/stat, whose fields proc(5) counts from 1; None for one that is gone."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        cpu = sum(map(int, fields[11:15])) / _TICKS  # 14 to 17
        return Seen(pid, int(fields[19]), cpu, int(fields[21]) * _PAGE, fields[0] in (b"Z", b"X"))
    except (OSError, IndexError):
        return None


def _children(pid: int) -> list[int]:
    """Of all its threads: each has those that it forked."""
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                found += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def _is_runner(pid: int) -> bool:
    try:
        return b"\0-m\0gatekeeper.runner\0" in _read(f"/proc/{pid}/cmdline")
    except OSError:
        return False


def _proportional(seen: Seen) -> int:
    """Bytes of memory in which a page that n processes share counts as 1/n; whole pages where that can't be read."""
    with suppress(OSError):
        for line in _read(f"/proc/{seen.pid}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    now = _look(seen.pid)
    return now.memory if now is not None else 0  # one that has just ended has left its share to the others


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = data = os.read(descriptor, 65536)
        while len(data) > 2048:  # a file of /proc comes in pages
            content += (data := os.read(descriptor, 65536))
        return content
    finally:
        os.close(descriptor)
