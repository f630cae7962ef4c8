"""How `post.cleanup` judges what it found."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper import Budget, Context, DataError, Finding, show
from gatekeeper_gates.cleanup import places, processes

if TYPE_CHECKING:
    import psutil

    from gatekeeper_gates.cleanup import Disk, Files, Ports, Processes, Service, Temporary

Before = Mapping[str, Any]
LOOK_EVERY = 0.1
"""Seconds between two looks at what may be just ending."""
NOT_CONFIGURED = "nothing to compare with: it was not configured when the pre run was made"


def left_processes(ctx: Context, rule: "Processes", before: Before) -> list[processes.Left]:
    """Processes that are left."""
    import msgspec

    settled = _settled(ctx, rule, before["processes"])
    found = [described for process in settled if (described := processes.described(process)) is not None]
    ctx.check(
        len(found) <= rule.max,
        f"{_many(len(found), 'process', 'processes')} left: {_listed([_process(p) for p in found])}",
        name="processes",
        observed=len(found),
        operator="<=",
        limit=rule.max,
        unit="left",
        hint=f"kill {' '.join(str(p.pid) for p in found[:20])}",
        evidence={"left": [msgspec.to_builtins(p) for p in found]} if found else None,
    )
    return found


def _settled(ctx: Context, rule: "Processes", before: list[list[float]]) -> "list[psutil.Process]":
    """What is still there after a moment: a process that is just ending was not left, but what it starts is."""
    until = time.monotonic() + min(rule.settle, ctx.remaining() / 2)
    found = processes.left(ctx, rule, before)
    while found and time.monotonic() < until:
        time.sleep(LOOK_EVERY)
        found = processes.left(ctx, rule, before)
    return found or processes.left(ctx, rule, before)  # one may be missed while its parent ends


def _process(process: processes.Left) -> str:
    return f"pid {process.pid} `{_cut(process.command)}`, {show(process.age_s, 's')} old"


def _cut(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _listed(items: list[str], most: int = 5) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return "; ".join(items[:most]) + more


# -- ports ---------------------------------------------------------------------------------------------------


def ports(ctx: Context, rule: "Ports", before: Before, left: list[processes.Left]) -> None:
    """Listening ports of left processes, and watched ones that were opened since the pre run."""
    held: dict[str, int | None] = {address: process.pid for process in left for address in process.ports}
    if rule.watch:
        try:
            watched = processes.holders(rule.watched)
        except DataError as error:
            ctx.add(Finding("ports", "unknown", message=str(error)))
            return
        held |= {address: pid for address, pid in watched.items() if address not in before["ports"]}
    commands = {process.pid: process.command for process in left}
    words = [f"{address}{_holder(pid, commands)}" for address, pid in held.items()]
    ctx.check(
        len(held) <= rule.max,
        f"{_many(len(held), 'port', 'ports')} left open: {_listed(words)}",
        name="ports",
        observed=len(held),
        operator="<=",
        limit=rule.max,
        unit="left",
        hint=f"ss -ltnp | grep -E '{'|'.join(':' + a.rpartition(':')[2] for a in [*held][:10])}'",
        evidence={"left": [{"address": a, "pid": p} for a, p in held.items()]} if held else None,
    )


def _holder(pid: int | None, commands: Mapping[int, str]) -> str:
    import psutil

    if pid is None:
        return ""
    command = commands.get(pid, "")
    if not command:
        with suppress(psutil.Error, OSError):
            command = " ".join(psutil.Process(pid).cmdline())
    return f" held by pid {pid} `{_cut(command)}`"


# -- files and disk ------------------------------------------------------------------------------------------


def files(ctx: Context, rule: "Files", before: Before) -> None:
    """Files and folders that match now and did not before."""
    name = f"files {rule.path}"
    if rule.path not in before["files"]:
        ctx.add(Finding(name, "unknown", message=NOT_CONFIGURED, hint="gatekeeper run pre"))
        return
    known = set(before["files"][rule.path])
    new = [path for path in places.paths(ctx, rule) if path not in known]
    left = [path for path in new if ctx.data.flow is None or places.came_with(ctx.data.flow, path)]
    _few(ctx, name, left, rule.max, hint=_remove(left))


def temporary(ctx: Context, rule: "Temporary", folder: Path) -> None:
    """What is left in the flow's own folder for temporary files."""
    left = sorted(str(path) for path in folder.iterdir()) if folder.is_dir() else []
    hint = "have the flow remove what it no longer needs; gatekeeper removes it now"
    _few(ctx, "temporary files", left, rule.max, hint=hint)


def _few(ctx: Context, name: str, left: list[str], most: int, *, hint: str) -> None:
    """A finding about files and folders that are left."""
    described = [found for path in left[:100] if (found := _file(ctx, path)) is not None]
    words = [
        f"{file['path']} ({show(file['size'], 'B')}, {show(file['age_s'], 's')} old)" for file in described
    ]
    ctx.check(
        len(left) <= most,
        f"{_many(len(left), 'file', 'files')} left: {_listed(words)}",
        name=name,
        observed=len(left),
        operator="<=",
        limit=most,
        unit="left",
        hint=hint,
        evidence={"left": described} if described else None,
    )


def _file(ctx: Context, path: str) -> dict[str, Any] | None:
    with suppress(OSError, DataError):
        age = max(0.0, time.time() - os.lstat(path).st_mtime)
        size = places.used(ctx, path) if os.path.isdir(path) else os.lstat(path).st_size
        return {"path": path, "size": size, "age_s": round(age, 1), "folder": os.path.isdir(path)}
    return None


def _remove(paths: list[str]) -> str:
    import shlex

    option = "-r " if any(os.path.isdir(path) for path in paths[:5]) else ""
    return f"rm {option}-- {' '.join(shlex.quote(path) for path in paths[:5])}"


def disk(ctx: Context, rule: "Disk", before: Before) -> None:
    """How much a folder grew."""
    name = f"disk {rule.path}"
    if rule.path not in before["disk"]:
        ctx.add(Finding(name, "unknown", message=NOT_CONFIGURED, hint="gatekeeper run pre"))
        return
    was, now = before["disk"][rule.path], places.used(ctx, rule.path)
    _grown(ctx, name, rule.growth, (was, now), "B", hint=f"du -xh --max-depth=2 {rule.path} | sort -h | tail")


def _grown(
    ctx: Context,
    name: str,
    budget: Budget,
    values: tuple[float, float],
    unit: str,
    *,
    hint: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> None:
    was, now = values
    grown = now - was
    limit = min((limit for limit in (budget.warn, budget.fail) if limit is not None), default=None)
    beyond = limit is not None and grown > limit
    ctx.measure(
        name,
        grown,
        unit=unit,
        warn=budget.warn,
        fail=budget.fail,
        message=f"{name} grew by {show(grown, unit)}: {show(was, unit)} before, {show(now, unit)} after"
        if beyond
        else "",
        hint=hint if beyond else "",
        evidence={"before": was, "after": now, **(evidence or {})},
    )


# -- services and memory -------------------------------------------------------------------------------------


def service(ctx: Context, rule: "Service", before: Before) -> None:
    """What a long-running process gathered."""
    name, was = f"service {rule.title}", before["services"].get(rule.pidfile, {"error": NOT_CONFIGURED})
    now = places.service(ctx.path(rule.pidfile))
    if "error" in now:
        ctx.check(False, f"{rule.title}: {now['error']}", name=name, hint=f"cat {rule.pidfile}")
        return
    if "error" in was or was["began"] != now["began"]:
        why = (
            f"before the flow, {was['error']}"
            if "error" in was
            else f"pid {was['pid']} is now pid {now['pid']}"
        )
        message = f"{rule.title} was (re)started since the pre run, nothing to compare with: {why}"
        ctx.add(Finding(name, "unknown", message=message, hint=f"ps -fp {now['pid']}"))
        return
    opened = {what: n for what, n in now["open"].items() if n > was["open"].get(what, 0)}
    about = {"pid": now["pid"], "command": now["command"]}
    _grown(
        ctx,
        f"{name} descriptors",
        rule.descriptors,
        (was["descriptors"], now["descriptors"]),
        "descriptors",
        hint=f"ls -l /proc/{now['pid']}/fd",
        evidence={**about, "opened": opened},
    )
    hint = f"grep -E 'Rss|Anon' /proc/{now['pid']}/smaps_rollup"
    _grown(ctx, f"{name} memory", rule.memory, (was["memory"], now["memory"]), "B", hint=hint, evidence=about)


def memory(ctx: Context, budget: Budget, before: Before) -> None:
    """How much less memory is available."""
    was, now = before["memory"], places.available()
    if was is None:
        ctx.add(Finding("memory", "unknown", message=NOT_CONFIGURED, hint="gatekeeper run pre"))
        return
    beyond = any(limit is not None and was - now > limit for limit in (budget.warn, budget.fail))
    ctx.measure(
        "memory",
        was - now,
        unit="B",
        warn=budget.warn,
        fail=budget.fail,
        message=f"{show(was - now, 'B')} less memory is available than before the flow" if beyond else "",
        hint="ps -eo pid,rss,etime,args --sort=-rss | head" if beyond else "",
        evidence={"before": was, "after": now},
    )
