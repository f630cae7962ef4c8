"""What is true of this host, and of the container that the process runs in.

Every number says where it was read. None means not known here, never zero. Where a machine and its containers
both limit something, the place where least is left speaks for it; `Host.limits` lists the containers' own.

Linux is read from /proc and /sys/fs/cgroup under a root folder (proc(5); see `gatekeeper.cgroups` for the
rest), so that any system can be laid out as files in a test; elsewhere psutil says what it knows.
"""

import os
import time
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from gatekeeper import cgroups
from gatekeeper.cgroups import Cgroups, Limit
from gatekeeper.disks import Disk, disk, local_disks, size_of
from gatekeeper.sourced import UNLIMITED, Fact, Pressure, Room, Tree, lowest, tightest, whole

__all__ = [
    "Cpu",
    "Disk",
    "Fact",
    "Host",
    "Limit",
    "Memory",
    "Pressure",
    "Room",
    "disk",
    "gather",
    "size_of",
    "utilisation",
]

SAMPLE = 0.1
"""Seconds over which CPU utilisation is taken."""


class Cpu(Struct, frozen=True):
    """`usable` is what this process may use, in CPUs (0.5 is half of one): the least of the machine's CPUs,
    affinity, cpuset and quota.

    The loads are the kernel's averages over 1, 5 and 15 minutes, of the whole machine. `utilisation` (0..1)
    is of the CPUs that this process may use, or of its container's quota where that is busier.
    """

    logical: Fact | None = None
    usable: Fact | None = None
    load_1m: Fact | None = None
    load_5m: Fact | None = None
    load_15m: Fact | None = None
    utilisation: Fact | None = None
    pressure: Pressure | None = None


class Memory(Struct, frozen=True):
    """Bytes. `ram` is the place where least is left, of `places`: the machine and the containers around the
    process.

    `swap` likewise; a machine without swap has a limit of 0 there.
    """

    ram: Room | None = None
    places: tuple[Room, ...] = ()
    swap: Room | None = None
    pressure: Pressure | None = None


class Host(Struct, frozen=True, kw_only=True):
    """Facts of one moment. It is JSON, there (`msgspec.to_builtins`) and back (`msgspec.convert`).

    `open_files` is the whole machine's; `open_files_process` a process' soft limit (`limit`) and how many the
    gathering process had open. `processes` counts processes and threads where the tightest limit on them is.
    `problems` are the kernel's files that were there and could not be used, with the reason.
    """

    system: str = ""
    machine: str = ""
    cpu: Cpu = Cpu()
    memory: Memory = Memory()
    io_pressure: Pressure | None = None
    open_files: Room | None = None
    open_files_process: Room | None = None
    processes: Room | None = None
    disks: tuple[Disk, ...] = ()
    limits: tuple[Limit, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)


def gather(started: float = 0.0, *, root: Path | str = "/", sample: float = SAMPLE) -> Host:
    """The facts as they are now. Takes about `sample` seconds and never raises.

    `started`, the monotonic time at which the run started, is accepted so that every fact can be gathered
    alike.
    """
    tree = Tree(root)
    groups = cgroups.read(tree)
    before = _cpu_clocks(tree, groups)
    until = time.monotonic() + sample
    system = os.uname()
    host = Host(
        system=f"{system.sysname} {system.release}",
        machine=system.machine,
        memory=_memory(tree, groups),
        io_pressure=groups.pressure.get("io"),
        open_files=_open_files(tree),
        open_files_process=_open_files_process(tree),
        processes=tightest((*groups.pids, *_process_limits(tree))),
        disks=local_disks(tree),
        limits=tuple(limit for limit in groups.limits if _limits_something(limit)),
    )
    cpu = _cpu(tree, groups)
    time.sleep(max(0.0, until - time.monotonic()))
    busy = _busiest(before, _cpu_clocks(tree, groups))
    from msgspec.structs import replace

    return replace(host, cpu=replace(cpu, utilisation=busy), problems=tree.problems)


def _limits_something(limit: Limit) -> bool:
    """Every process is in some cpuset; one with all CPUs is no limit."""
    return limit.what != "cpuset" or limit.value < (os.cpu_count() or 1)


def utilisation(seconds: float, *, root: Path | str = "/") -> Fact | None:
    """CPU utilisation (0..1) over the next `seconds`, as in `Cpu.utilisation`; blocks for as long."""
    tree = Tree(root)
    groups = cgroups.read(tree)
    before = _cpu_clocks(tree, groups)
    time.sleep(seconds)
    return _busiest(before, _cpu_clocks(tree, groups))


# -- CPU -----------------------------------------------------------------------------------------------------


def _cpu(tree: Tree, groups: Cgroups) -> Cpu:
    count = os.cpu_count()
    logical = Fact(count, "os.cpu_count") if count else None
    allowed = _affinity()
    affinity = Fact(len(allowed), "sched_getaffinity") if allowed else None
    loads = _loads(tree)
    return Cpu(logical, lowest([logical, affinity, groups.cpuset, groups.quota]), *loads,
               pressure=groups.pressure.get("cpu"))  # fmt: skip


def _affinity() -> frozenset[int]:
    """The CPUs that the kernel may run this process on; empty where systems don't tell (macOS)."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def _loads(tree: Tree) -> tuple[Fact | None, Fact | None, Fact | None]:
    source = "/proc/loadavg"
    try:
        one, five, fifteen = (float(word) for word in (tree.text(source) or "").split()[:3])
    except ValueError:
        source = "getloadavg"
        try:
            one, five, fifteen = os.getloadavg()
        except OSError:
            return None, None, None
    return Fact(one, source), Fact(five, source), Fact(fifteen, source)


class _Clock(Struct, frozen=True):
    """CPU time used, and CPU time there was, since some moment: two clocks make a utilisation."""

    used: float
    total: float


def _cpu_clocks(tree: Tree, groups: Cgroups) -> dict[str, _Clock]:
    """By source: the CPUs that this process may use, and its container's quota where it has one."""
    clocks = {}
    if (machine := _stat_clock(tree)) is not None:
        clocks["/proc/stat"] = machine
    elif (times := _psutil("cpu_times")) is not None:
        clocks["psutil.cpu_times"] = _Clock(sum(times) - times.idle, sum(times))
    if groups.quota and groups.usage and (used := cgroups.cpu_seconds(tree, groups.usage)) is not None:
        allowed = time.monotonic() * groups.quota.value
        clocks[f"{groups.usage} of {groups.quota.source}"] = _Clock(used, allowed)
    return clocks


def _stat_clock(tree: Tree) -> _Clock | None:
    """User nice system idle iowait irq softirq steal (proc(5)). Guest time is in user; steal wasn't ours."""
    allowed = {f"cpu{number}" for number in _affinity()}
    used = total = 0
    for line in (tree.text("/proc/stat") or "").splitlines():
        words = line.split()
        ticks = [whole(word) or 0 for word in words[1:9]]
        if len(ticks) >= 4 and words[0] in allowed:
            total += sum(ticks)
            used += sum(ticks) - sum(ticks[3:5])
    return _Clock(used, total) if total else None


def _busiest(before: dict[str, _Clock], after: dict[str, _Clock]) -> Fact | None:
    found = []
    for source in before.keys() & after.keys():
        total = after[source].total - before[source].total
        if total > 0:
            used = after[source].used - before[source].used
            found.append(Fact(min(1.0, max(0.0, used / total)), source))
    return max(found, key=lambda fact: fact.value, default=None)


# -- memory --------------------------------------------------------------------------------------------------


def _memory(tree: Tree, groups: Cgroups) -> Memory:
    table = tree.table("/proc/meminfo")
    meminfo = {name: min(kibibytes * 1024, UNLIMITED) for name, kibibytes in table.items()}
    ram, swap = _machine_memory(tree, meminfo), _machine_swap(meminfo)
    places = (*groups.memory, ram) if ram else groups.memory
    swaps = (*groups.swap, swap) if swap else groups.swap
    return Memory(tightest(places), places, tightest(swaps), groups.pressure.get("memory"))


def _machine_memory(tree: Tree, meminfo: dict[str, int]) -> Room | None:
    """`MemAvailable`, and what ZFS would give back of its cache, which the kernel counts as in use."""
    if {"MemTotal", "MemAvailable", "MemFree"} <= meminfo.keys():
        zfs = _zfs_cache(tree)
        available = meminfo["MemAvailable"] + zfs
        source = "/proc/meminfo MemAvailable" + (" + ZFS cache" if zfs else "")
        total, cache = meminfo["MemTotal"], available - meminfo["MemFree"]
    else:
        memory = _psutil("virtual_memory")
        if memory is None:
            return None
        total, available, source = memory.total, memory.available, "psutil.virtual_memory"
        cache = available - memory.free
    return Room(total, max(0, total - available), source, max(0, cache))


def _zfs_cache(tree: Tree) -> int:
    """Bytes of the ARC beyond the minimum that it keeps: `size - c_min` of its rows of name, type, value."""
    rows = [line.split() for line in (tree.text("/proc/spl/kstat/zfs/arcstats") or "").splitlines()]
    values = {row[0]: whole(row[2]) or 0 for row in rows if len(row) == 3}
    return max(0, values.get("size", 0) - values.get("c_min", 0))


def _machine_swap(meminfo: dict[str, int]) -> Room | None:
    if {"SwapTotal", "SwapFree"} <= meminfo.keys():
        return Room(
            meminfo["SwapTotal"], meminfo["SwapTotal"] - meminfo["SwapFree"], "/proc/meminfo SwapFree"
        )
    swap = _psutil("swap_memory")
    return None if swap is None else Room(swap.total, swap.used, "psutil.swap_memory")


def _psutil(name: str) -> Any:
    try:
        import psutil

        return getattr(psutil, name)()
    except Exception:  # a system that doesn't tell; psutil raises its own and the platform's errors
        return None


# -- files and processes -------------------------------------------------------------------------------------


def _open_files(tree: Tree) -> Room | None:
    """`file-nr`: file handles allocated, allocated but unused, and the maximum."""
    path = "/proc/sys/fs/file-nr"
    numbers = [number for word in (tree.text(path) or "").split() if (number := whole(word)) is not None]
    if len(numbers) != 3:
        return None
    allocated, unused, maximum = numbers
    return Room(min(maximum, UNLIMITED), allocated - unused, path)


def _open_files_process(tree: Tree) -> Room | None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        used = len(os.listdir(tree.at("/proc/self/fd")))
    except OSError:
        used = 0
    return Room(UNLIMITED if soft == resource.RLIM_INFINITY else soft, used, "RLIMIT_NOFILE")


def _process_limits(tree: Tree) -> tuple[Room, ...]:
    """What the kernel allows the machine, and RLIMIT_NPROC this user; threads count like processes."""
    rooms = []
    everything = _tasks(tree)
    for name in ("pid_max", "threads-max"):
        limit = tree.number(f"/proc/sys/kernel/{name}")
        if limit and everything is not None:
            rooms.append(Room(limit, everything, f"/proc/sys/kernel/{name}"))
    return (*rooms, room) if (room := _user_processes(tree)) else tuple(rooms)


def _tasks(tree: Tree) -> int | None:
    """All processes and threads: `/proc/loadavg`'s fourth field is `running/all`."""
    words = (tree.text("/proc/loadavg") or "").split()
    return whole(words[3].partition("/")[2]) if len(words) > 3 else None


def _user_processes(tree: Tree) -> Room | None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if soft == resource.RLIM_INFINITY or os.getuid() == 0:  # root is exempt from it
        return None
    used = _threads_of(os.getuid(), tree)
    return Room(soft, used, "RLIMIT_NPROC") if used else None


def _threads_of(user: int, tree: Tree) -> int:
    """Threads of a user. A task folder has a link for each, besides its own two: no file has to be opened."""
    count = 0
    try:
        numbers = [name for name in os.listdir(tree.at("/proc")) if name.isdecimal()]
    except OSError:
        return 0
    for number in numbers:
        try:
            status = os.stat(tree.at(f"/proc/{number}/task"))
        except OSError:  # ended meanwhile
            continue
        count += max(1, status.st_nlink - 2) if status.st_uid == user else 0
    return count
