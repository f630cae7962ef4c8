"""What control groups allow this process: memory, swap, CPU time, CPUs, processes.

Read from the kernel's files under a root folder and nothing else, so that any system can be laid out as files
and read in a test. Sources of the method:

- the kernel's Documentation: admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1/{memory,cpusets,pids}.rst,
  scheduler/sched-bwc.rst, accounting/psi.rst;
- proc(5) on `/proc/self/cgroup` and `/proc/self/mountinfo`; cgroup_namespaces(7) on both in a container.

A hierarchy limits a process at every level from its own group up to the root: where least is left decides.
A container usually sees its own group as the root of the hierarchy, so limits above it stay invisible, except
for v1's `hierarchical_memory_limit`. Where both versions are mounted (hybrid), each controller is read where
the process has it.

Memory in use leaves out the page cache and reclaimable slab, which the kernel takes back before it refuses
memory: the rule by which it computes `MemAvailable` for the whole machine. (The "working set" of kubelet and
`docker stats` leaves out only the inactive half of the cache, and so shows a group that has read many files
as full.)
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from msgspec import Struct

from gatekeeper.sourced import UNLIMITED, Fact, Pressure, Room, Tree, lowest


class Limit(Struct, frozen=True):
    """One limit that is set: bytes for `memory` and `swap`, CPUs for `cpu` and `cpuset`, else a count."""

    what: str
    value: int | float
    source: str


class Cgroups(Struct, frozen=True):
    """What this process' groups allow, its own group first; empty or None where nothing is set or known.

    `quota` is the CPU time allowed, in CPUs; `cpuset` how many CPUs may be used; `usage` the file that says
    how much CPU time the group with that quota has used.
    """

    memory: tuple[Room, ...] = ()
    swap: tuple[Room, ...] = ()
    pids: tuple[Room, ...] = ()
    quota: Fact | None = None
    cpuset: Fact | None = None
    limits: tuple[Limit, ...] = ()
    pressure: dict[str, Pressure] = {}
    usage: str | None = None


class _Level(Struct, frozen=True):
    """One group on the way up: the hierarchy's version and the folder with its files."""

    version: int
    folder: str

    def file(self, name: str) -> str:
        return f"{self.folder.rstrip('/')}/{name}"

    def source(self, *names: str) -> str:
        return f"cgroup v{self.version} {self.file(' '.join(names))}"


class _Mount(Struct, frozen=True):
    version: int
    controllers: tuple[str, ...]
    root: str
    point: str


def read(tree: Tree) -> Cgroups:
    """What the groups of the process that `/proc/self` is allow it. Never raises; see `tree.problems`."""
    ways = _Ways(tree)
    memory_levels = ways.up("memory")
    memory = tuple(room for level in memory_levels if (room := _memory(tree, level)))
    swap = tuple(room for level in memory_levels if (room := _swap(tree, level)))
    pids = tuple(room for level in ways.up("pids") if (room := _pids(tree, level)))
    cpu_levels = ways.up("cpu")
    quotas = [_quota(tree, level) for level in cpu_levels]
    quota = lowest(quotas)
    cpuset = next((found for level in ways.up("cpuset") if (found := _cpuset(tree, level))), None)
    limits = [Limit("memory", room.limit, room.source) for room in memory]
    limits += [Limit("swap", room.limit, room.source) for room in swap]
    limits += [Limit("pids", room.limit, room.source) for room in pids]
    limits += [Limit("cpu", fact.value, fact.source) for fact in quotas if fact]
    limits += [Limit("cpuset", cpuset.value, cpuset.source)] if cpuset else []
    usage = _usage(cpu_levels, ways.up("cpuacct"), quotas.index(quota)) if quota else None
    pressure = _pressures(tree, ways.up(""))
    return Cgroups(memory, swap, pids, quota, cpuset, tuple(limits), pressure, usage)


def cpu_seconds(tree: Tree, usage: str) -> float | None:
    """CPU time in seconds from a `Cgroups.usage`: a v2 group's `cpu.stat` or a v1 group's `cpuacct.usage`."""
    if usage.endswith("cpu.stat"):
        used = tree.table(usage).get("usage_usec")
        return None if used is None else used / 1e6
    nanoseconds = tree.number(usage)
    return None if nanoseconds is None else nanoseconds / 1e9


# -- where this process' groups lie --------------------------------------------------------------------------


class _Ways:
    """The levels of each controller, from this process' own group to the highest that can be seen."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._paths = _paths(tree)
        self._mounts = tuple(_mounts(tree))

    def up(self, controller: str) -> tuple[_Level, ...]:
        """Levels of a controller; of the v2 hierarchy itself for the empty name."""
        found = self._levels(controller, 1) if controller in self._paths and controller else ()
        return found or self._levels(controller, 2)

    def _levels(self, controller: str, version: int) -> tuple[_Level, ...]:
        path = self._paths.get(controller if version == 1 else "")
        mounts = [
            mount for mount in self._mounts
            if mount.version == version and (version == 2 or controller in mount.controllers)
        ]  # fmt: skip
        if path is None or not mounts:
            return ()
        mount = max(mounts, key=lambda mount: (_inside(path, mount.root) is not None, len(mount.root)))
        top = PurePosixPath(mount.point)
        own = top / (_inside(path, mount.root) or "")
        while own != top and not self._tree.at(str(own)).is_dir():
            own = own.parent
        folders = [own, *own.parents]
        return tuple(_Level(version, str(folder)) for folder in folders[: folders.index(top) + 1])


def _inside(path: str, root: str) -> str | None:
    """`path` relative to `root`; None where it isn't inside, or leads out of what this namespace can see.

    A container without a cgroup namespace sees its path as the host does, and its own group mounted: then the
    two are equal, and the mount point is its group.
    """
    if ".." in path.split("/"):
        return None
    if root == "/":
        return path.lstrip("/")
    return path[len(root) :].lstrip("/") if path == root or path.startswith(f"{root}/") else None


def _paths(tree: Tree) -> dict[str, str]:
    """This process' group for each v1 controller, and for the v2 hierarchy under the empty name."""
    found = {}
    for line in (tree.text("/proc/self/cgroup") or "").splitlines():
        number, first, rest = line.partition(":")
        controllers, second, path = rest.partition(":")
        if not (number.isdecimal() and first and second and path.startswith("/")):
            tree.problems["/proc/self/cgroup"] = f"expected id:controllers:/path, found {line[:60]!r}"
            continue
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _mounts(tree: Tree) -> Iterator[_Mount]:
    for line in (tree.text("/proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, rest = after.partition(" ")
        fields = before.split(" ")
        if kind not in ("cgroup", "cgroup2") or len(fields) < 5:
            continue
        options = tuple(rest.rpartition(" ")[2].split(","))
        yield _Mount(2 if kind == "cgroup2" else 1, options, unescaped(fields[3]), unescaped(fields[4]))


def unescaped(field: str) -> str:
    r"""A field of mountinfo: space, tab, newline and backslash are written as `\040` and the like."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


# -- what each level allows ----------------------------------------------------------------------------------


def _memory(tree: Tree, level: _Level) -> Room | None:
    stat = tree.table(level.file("memory.stat"))
    if level.version == 2:
        limits = {name: tree.number(level.file(name)) for name in ("memory.max", "memory.high")}
        current, cached = "memory.current", ["inactive_file", "active_file", "slab_reclaimable"]
    else:
        limits = {"memory.limit_in_bytes": tree.number(level.file("memory.limit_in_bytes")),
                  "memory.stat hierarchical_memory_limit": stat.get("hierarchical_memory_limit")}  # fmt: skip
        current, cached = "memory.usage_in_bytes", ["total_inactive_file", "total_active_file"]
    set_ones = [(limit, name) for name, limit in limits.items() if limit is not None]
    limit, name = min(set_ones, default=(UNLIMITED, ""))
    if limit < 0 or limit >= UNLIMITED // 2:  # v1 writes "no limit" as the largest number of whole pages
        return None
    usage = tree.number(level.file(current))
    if usage is None:
        tree.problems.setdefault(level.file(current), "missing, though a limit is set")
        return None
    cache = min(usage, sum(stat.get(key, 0) for key in cached))
    return Room(limit, usage - cache, level.source(name), cache)


def _swap(tree: Tree, level: _Level) -> Room | None:
    # v1 limits memory and swap together (memsw): no limit of swap can be told from it
    return _counted(tree, level, "memory.swap.max", "memory.swap.current") if level.version == 2 else None


def _pids(tree: Tree, level: _Level) -> Room | None:
    return _counted(tree, level, "pids.max", "pids.current")


def _counted(tree: Tree, level: _Level, limit_file: str, used_file: str) -> Room | None:
    limit = tree.number(level.file(limit_file))
    if limit is None or not 0 <= limit < UNLIMITED // 2:
        return None
    used = tree.number(level.file(used_file))
    return None if used is None else Room(limit, used, level.source(limit_file))


def _quota(tree: Tree, level: _Level) -> Fact | None:
    """Allowed CPU time in CPUs: 0.5 is half of one."""
    if level.version == 2:
        words = (tree.text(level.file("cpu.max")) or "").split()
        if not words:
            return None
        quota, period = (tree.amount(word, level.file("cpu.max")) for word in (*words, "100000")[:2])
        source = level.source("cpu.max")
    else:
        quota, period = (tree.number(level.file(f"cpu.cfs_{name}_us")) for name in ("quota", "period"))
        source = level.source("cpu.cfs_quota_us")
    if quota is None or period is None or period <= 0 or not 0 < quota < UNLIMITED:
        return None
    return Fact(quota / period, source)


def _usage(cpu: tuple[_Level, ...], accounts: tuple[_Level, ...], index: int) -> str | None:
    """The file with the CPU time of the group `cpu[index]`. v1 counts it in a hierarchy of its own."""
    if cpu[index].version == 2:
        return cpu[index].file("cpu.stat")
    same_path = len(accounts) == len(cpu) and accounts[index].version == 1
    return accounts[index].file("cpuacct.usage") if same_path else None


def _cpuset(tree: Tree, level: _Level) -> Fact | None:
    names = ("cpuset.cpus.effective",) if level.version == 2 else ("cpuset.effective_cpus", "cpuset.cpus")
    for name in names:
        count = cpu_count(content) if (content := tree.text(level.file(name))) else 0
        if count:
            return Fact(count, level.source(name))
        if content:
            tree.problems[level.file(name)] = f"expected CPUs such as 0-3,7, found {content[:40]!r}"
    return None


def cpu_count(cpus: str) -> int:
    """How many CPUs a list such as `0-3,7` names; 0 for what is no such list."""
    count = 0
    for part in cpus.split(","):
        match = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            return 0
        count += int(match[2] or match[1]) - int(match[1]) + 1
    return count


def _pressures(tree: Tree, levels: tuple[_Level, ...]) -> dict[str, Pressure]:
    """The group's own pressure where the kernel keeps it, else the machine's."""
    found = {}
    for resource in ("cpu", "memory", "io"):
        own = tree.pressure(levels[0].file(f"{resource}.pressure"), "cgroup v2 ") if levels else None
        pressure = own or tree.pressure(f"/proc/pressure/{resource}")
        if pressure:
            found[resource] = pressure
    return found
