"""`pre.resources`: is there room to start? CPU, memory, swap, files, processes, and a container's limits."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from gatekeeper import Budget, Context, Floor, Quantity, facts, pre, show
from gatekeeper.facts import Host, Room

SECOND_LOOK = 0.4
"""Seconds for which a CPU that looks busy is watched again: a spike of a tenth of a second isn't load."""


def _percent(value: float) -> Quantity:
    return Quantity.parse(f"{value}%")


def _number(value: float) -> Quantity:
    return Quantity.parse(value)


class Resources(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of what this host, and the container around it, have to offer.

    Where a machine and its containers both limit something, the place where least is left counts.
    """

    cpu: Budget = Budget(warn=_percent(95))
    """CPU utilisation, as a share of the CPUs that may be used. Taken over a tenth of a second, and over four
    more where that is beyond a limit."""
    cpu_pressure: Budget = Budget(warn=_percent(80))
    """Share of the last minute in which work waited for a CPU (pressure stall information of Linux; the
    container's own where there is one)."""
    load: Budget = Budget(warn=_number(4))
    """The machine's 5-minute load average for each of its CPUs: 1 means one task each, all the time."""
    cpus: Floor = Floor()
    """How many CPUs may be used: the least of machine, affinity, cpuset and quota; 0.5 is half of one."""
    memory: Budget = Budget(warn=_percent(90), fail=_percent(97))
    """Memory in use, as a share of what there is or as a size. Page cache isn't memory in use."""
    memory_available: Floor = Floor()
    """Memory that is left, as a size or as a share of what there is."""
    memory_total: Floor = Floor()
    """Memory that there is, as a size: the smallest limit of machine and containers."""
    memory_pressure: Budget = Budget(warn=_percent(20))
    """Share of the last minute in which work waited for memory (pressure stall information of Linux)."""
    swap: Budget = Budget()
    """Swap in use, as a share of what there is or as a size. Without limits it is recorded and nothing is
    asked of it: systems fill swap with what nobody uses, and `memory_pressure` tells when that hurts."""
    open_files: Budget = Budget(warn=_percent(80), fail=_percent(95))
    """Open files of the whole machine, as a share of what its kernel allows or as a count."""
    open_file_limit: Floor = Floor(warn=_number(256))
    """How many files one process may open (the soft limit, `ulimit -n`)."""
    processes: Budget = Budget(warn=_percent(80), fail=_percent(95))
    """Processes and threads, as a share of the tightest limit (container, user or kernel) or as a count."""
    top: int = 3
    """How many of the largest processes are named where memory is beyond a limit."""

    def __post_init__(self) -> None:
        for name in ("cpu", "cpu_pressure", "memory_pressure"):
            getattr(self, name).expect(name, "ratio")
        for name in ("memory", "memory_available", "swap"):
            getattr(self, name).expect(name, "ratio", "B")
        for name in ("open_files", "processes"):
            getattr(self, name).expect(name, "ratio", "")
        for name in ("load", "cpus", "open_file_limit"):
            getattr(self, name).expect(name, "")
        self.memory_total.expect("memory_total", "B")
        if not 0 <= self.top <= 20:
            raise ValueError(f"top takes 0 to 20 processes, got {self.top}")


PRESETS: dict[str, dict[str, Any]] = {
    # answers at once or is late: keep room for the next spike
    "service": {
        "cpu": {"warn": "80%"},
        "load": {"warn": 2},
        "memory": {"warn": "80%", "fail": "90%"},
        "open_file_limit": {"warn": 1024},
    },
    # may fill the machine that it was given, but must not be killed for it half-way
    "batch": {"memory": {"warn": "85%", "fail": "95%"}},
    # waits for others most of the time
    "ai-flow": {"cpu": {"warn": "98%"}, "load": {"warn": 8}},
}


RECORDS = [*(name for name in Resources.__struct_fields__ if name != "top"), "container"]


@pre(settings=Resources, facts=["host"], presets=PRESETS, records=RECORDS)
def resources(ctx: Context, settings: Resources) -> None:
    """The host and its container have room: CPU, memory, swap, open files, processes."""
    host, defaults = ctx.host, Resources()
    for name, read in READ.items():
        budget: Budget = getattr(settings, name)
        reading = read(host, budget.unit if budget.warn is not None or budget.fail is not None else None)
        if reading is None:
            if budget != getattr(defaults, name):
                _not_known(ctx, name, host)
            continue
        if name == "cpu" and budget.exceeded(reading.value) is not None:
            reading = _second_look(ctx, reading)
        _measure(ctx, settings, name, budget, reading)
    _limits_read(ctx, host)


def _not_known(ctx: Context, name: str, host: Host) -> None:
    from gatekeeper import Finding

    message = f"{name} has a limit, but can't be known on this host ({host.system or 'unknown system'})"
    hint = f"remove {name} from [gates.resources], or set it in a profile for hosts that know it"
    ctx.add(Finding(name, "unknown", message=message, hint=hint, evidence=dict(host.problems)))


class Reading(Struct, frozen=True):
    """One number that can be held against a budget. `detail` says in words what it is made of."""

    value: int | float
    unit: str
    source: str
    detail: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


def _measure(ctx: Context, settings: Resources, name: str, budget: Budget, reading: Reading) -> None:
    evidence = {"source": reading.source, **reading.evidence}
    message = hint = ""
    if budget.exceeded(reading.value) is not None:
        message, hint = _message(name, budget, reading), HINTS.get(name, "")
        if name in MEMORY and (largest := _largest(settings.top)):
            evidence["largest_processes"] = largest
    ctx.measure(
        name,
        reading.value,
        unit=reading.unit,
        warn=budget.warn,
        fail=budget.fail,
        worse=budget.worse,
        message=message,
        hint=hint,
        evidence=evidence,
    )


def _message(name: str, budget: Budget, reading: Reading) -> str:
    relation = ">" if budget.worse == "higher" else "<"
    shown, limit = show(reading.value, reading.unit), show(budget.exceeded(reading.value), reading.unit)
    detail = f"{reading.detail}, by {reading.source}" if reading.detail else f"by {reading.source}"
    return f"{name} {shown} {relation} {limit}: {detail}"


def _second_look(ctx: Context, first: Reading) -> Reading:
    """A longer look at a CPU that was busy for a moment, which often was this very run starting."""
    longer = facts.utilisation(SECOND_LOOK) if ctx.remaining() > 4 * SECOND_LOOK else None
    if longer is None:
        return first
    evidence = {**first.evidence, "first_look": first.value, "second_look_s": SECOND_LOOK}
    return Reading(longer.value, "ratio", longer.source, first.detail, evidence)


def _limits_read(ctx: Context, host: Host) -> None:
    """A container's limit that is there and can't be read is not the same as none."""
    unread = {path: why for path, why in host.problems.items() if _is_limit(path)}
    if host.limits or unread:
        first = next(iter(unread.items()), ("", ""))
        ctx.check(
            not unread,
            f"limits of the container could not be read: {first[0]}: {first[1]}",
            name="container",
            otherwise="warn",
            observed=len(host.limits),
            unit="limits",
            hint=f"ls -l {first[0]}; id",
            evidence={"limits": [_shown(limit) for limit in host.limits], "not_read": unread},
        )


def _is_limit(path: str) -> bool:
    return "cgroup" in path and not path.endswith(".pressure")


def _shown(limit: facts.Limit) -> dict[str, Any]:
    return {"what": limit.what, "value": limit.value, "source": limit.source}


# -- where each number comes from ----------------------------------------------------------------------------


def _cpu(host: Host, unit: str | None) -> Reading | None:
    busy = host.cpu.utilisation
    if busy is None:
        return None
    usable = host.cpu.usable
    return Reading(busy.value, "ratio", busy.source, f"of {show(usable.value)} CPUs" if usable else "")


def _pressure(pressure: facts.Pressure | None) -> Reading | None:
    if pressure is None:
        return None
    evidence = {"avg10": pressure.avg10, "avg60": pressure.avg60, "avg300": pressure.avg300}
    return Reading(pressure.avg60, "ratio", pressure.source, "some work waited, last 60 s", evidence)


def _load(host: Host, unit: str | None) -> Reading | None:
    cpu = host.cpu
    if cpu.load_5m is None or cpu.logical is None:
        return None
    loads = {"load_1m": cpu.load_1m, "load_5m": cpu.load_5m, "load_15m": cpu.load_15m}
    evidence = {name: load.value for name, load in loads.items() if load}
    detail = f"load {show(cpu.load_5m.value)} on {cpu.logical.value} CPUs"
    return Reading(cpu.load_5m.value / cpu.logical.value, "per CPU", cpu.load_5m.source, detail, evidence)


def _cpus(host: Host, unit: str | None) -> Reading | None:
    usable, logical = host.cpu.usable, host.cpu.logical
    if usable is None:
        return None
    detail = f"the machine has {logical.value}" if logical else ""
    return Reading(usable.value, "CPUs", usable.source, detail)


def _in_use(room: Room | None, unit: str | None, word: str) -> Reading | None:
    """What is in use of a room: as a share of it, or as an amount where that is what the limit is."""
    if room is None:
        return None
    evidence: dict[str, Any] = {"used": room.used, "limit": room.limit}
    if room.cache:
        evidence["cache"] = room.cache
    detail = f"{show(room.used, word)} of {show(room.limit, word)}"
    value, shown = (room.share, "ratio") if unit in (None, "ratio") else (room.used, word)
    return Reading(value, shown, room.source, detail, evidence)


def _memory(host: Host, unit: str | None) -> Reading | None:
    reading = _in_use(host.memory.ram, unit, "B")
    if reading is not None and len(host.memory.places) > 1:
        reading.evidence["places"] = [
            {"used": room.used, "limit": room.limit, "source": room.source} for room in host.memory.places
        ]
    return reading


def _memory_available(host: Host, unit: str | None) -> Reading | None:
    ram = host.memory.ram
    if ram is None:
        return None
    detail = f"{show(ram.available, 'B')} left of {show(ram.limit, 'B')}"
    if unit == "ratio":
        return Reading(ram.available / ram.limit if ram.limit else 0.0, "ratio", ram.source, detail)
    return Reading(ram.available, "B", ram.source, detail)


def _memory_total(host: Host, unit: str | None) -> Reading | None:
    smallest = min(host.memory.places, key=lambda room: room.limit, default=None)
    return None if smallest is None else Reading(smallest.limit, "B", smallest.source)


def _swap(host: Host, unit: str | None) -> Reading | None:
    swap = host.memory.swap
    if swap is not None and swap.limit == 0:  # no swap: none of it is in use
        return Reading(0, unit or "ratio", swap.source, "no swap")
    return _in_use(swap, unit, "B")


def _open_file_limit(host: Host, unit: str | None) -> Reading | None:
    room = host.open_files_process
    return None if room is None else Reading(room.limit, "files", room.source)


READ: dict[str, Callable[[Host, str | None], Reading | None]] = {
    "memory": _memory,
    "memory_available": _memory_available,
    "memory_total": _memory_total,
    "memory_pressure": lambda host, unit: _pressure(host.memory.pressure),
    "swap": _swap,
    "cpu": _cpu,
    "cpu_pressure": lambda host, unit: _pressure(host.cpu.pressure),
    "load": _load,
    "cpus": _cpus,
    "open_files": lambda host, unit: _in_use(host.open_files, unit, "files"),
    "open_file_limit": _open_file_limit,
    "processes": lambda host, unit: _in_use(host.processes, unit, "processes"),
}

MEMORY = ("memory", "memory_available", "memory_pressure", "swap")
_LARGEST = "ps -eo pid,user,rss,args --sort=-rss | head"
_BUSIEST = "ps -eo pid,user,pcpu,args --sort=-pcpu | head"
HINTS = {
    "memory": f"{_LARGEST}; or give the container more (source says where its limit is)",
    "memory_available": f"{_LARGEST}; or give the container more (source says where its limit is)",
    "memory_total": "give the container or machine more memory; the source says which file limits it",
    "memory_pressure": f"{_LARGEST}; cat /proc/pressure/memory",
    "swap": f"{_LARGEST}; swapon --show",
    "cpu": _BUSIEST,
    "cpu_pressure": f"{_BUSIEST}; cat /proc/pressure/cpu",
    "load": f"{_BUSIEST}; uptime",
    "cpus": "give the container more CPUs, or see taskset -p $$; the source says what limits them",
    "open_files": "lsof -n | awk '{print $1}' | sort | uniq -c | sort -n | tail; sysctl fs.file-max",
    "open_file_limit": "ulimit -n 4096, or LimitNOFILE= of the systemd unit",
    "processes": "ps -eo nlwp,user,args --sort=-nlwp | head",
}


def _largest(count: int) -> list[dict[str, Any]]:
    """The processes with the most resident memory, as far as this user may see them."""
    import psutil

    seen = []
    for process in psutil.process_iter(["pid", "name", "memory_info"]):
        memory = process.info["memory_info"]
        if memory is not None:
            seen.append({"pid": process.info["pid"], "name": process.info["name"], "rss": memory.rss})
    return sorted(seen, key=lambda process: process["rss"], reverse=True)[:count]
