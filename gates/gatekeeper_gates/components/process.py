"""Processes that must run on this host."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from gatekeeper import Budget, Context
from gatekeeper_gates.components.check import Check

if TYPE_CHECKING:
    import psutil

SHOWN = 20


class Count(Struct, frozen=True, forbid_unknown_fields=True):
    """How many processes there must be."""

    min: int = 1
    """At least so many."""
    max: int | None = None
    """At most so many."""

    def __post_init__(self) -> None:
        if self.min < 0 or (self.max is not None and self.max < self.min):
            raise ValueError(f"impossible: at least {self.min} and at most {self.max} processes")


class Found(Struct, frozen=True):
    """The processes found: their ids and resident memory in bytes; `stale` is what a pidfile names in
    vain.
    """

    pids: tuple[int, ...]
    memory: int
    stale: str = ""


class Process(Check, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Processes that must run on this host; zombies and gatekeeper's own don't count."""

    kind: ClassVar[str] = "process"

    process: str = ""
    """The program's name, such as `"nginx"`."""
    cmdline: str = ""
    """A regular expression to find in the command line."""
    pidfile: str = ""
    """A file that holds the process id."""
    count: Count = Count()
    """How many there must be: `{ min = 1, max = 4 }`."""
    memory: Budget = Budget()
    """Limits of their resident memory, all together."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.memory.expect("memory", "B")
        if not (self.process or self.cmdline or self.pidfile):
            raise ValueError("expected process (a name), cmdline (a regular expression) or pidfile")
        try:
            re.compile(self.cmdline)
        except re.error as error:
            raise ValueError(f"cmdline {self.cmdline!r} is no regular expression: {error}") from None

    @property
    def target(self) -> str:
        return self.process or self.cmdline or self.pidfile

    @property
    def hint(self) -> str:
        if self.pidfile:
            return f"ps -p $(cat {shlex.quote(self.pidfile)})"
        return f"pgrep -a {'' if self.process else '-f '}{shlex.quote(self.process or self.cmdline)}"

    def observe(self, ctx: Context, within: float) -> Found:
        import psutil

        stale = ""
        if self.pidfile:
            candidates, stale = _of_pidfile(ctx.root / self.pidfile, self.pidfile)
        else:
            candidates = list(psutil.process_iter())
        own = psutil.Process().cmdline()
        found = [process for process in candidates if self._is_meant(process, own)]
        memory = sum(_memory(process) for process in found)
        return Found(tuple(process.pid for process in found), memory, stale)

    def _is_meant(self, process: "psutil.Process", own: list[str]) -> bool:
        import psutil

        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            named = not self.process or process.name() == self.process
            if not named or not self.cmdline:
                return named
            words = process.cmdline()
            # the gates of a run are forks of one process, and all have its command line
            return words != own and re.search(self.cmdline, " ".join(words)) is not None
        except psutil.Error:
            return False

    def judge(self, ctx: Context, seen: Found) -> None:
        number, most = len(seen.pids), self.count.max
        enough = number >= self.count.min
        about = seen.stale or f"{self.label}: {number} processes run"
        wanted = f"at least {self.count.min}" if not enough else f"at most {most}"
        ctx.check(
            enough and (most is None or number <= most),
            f"{about}, expected {wanted}",
            name=self.title,
            observed=number,
            operator=">=" if not enough or most is None else "<=",
            limit=self.count.min if not enough or most is None else most,
            unit="processes",
            hint=self.hint,
            evidence={"pids": list(seen.pids[:SHOWN])},
        )
        if self.memory.fail is not None or self.memory.warn is not None:
            ctx.measure(
                f"{self.title} memory",
                seen.memory if seen.pids else float("nan"),
                unit="B",
                warn=self.memory.warn,
                fail=self.memory.fail,
                worse=self.memory.worse,
                n=number,
                message="" if seen.pids else f"{self.label}: no process runs, so nothing was measured",
                hint=f"ps -o pid,rss,args -p {','.join(map(str, seen.pids[:SHOWN]))}"
                if seen.pids
                else self.hint,
            )


def _of_pidfile(path: Path, shown: str) -> "tuple[list[psutil.Process], str]":
    import psutil

    try:
        with path.open("rb") as file:
            pid = int(file.read(64).split()[0])
        return [psutil.Process(pid)], ""
    except FileNotFoundError:
        return [], f"pidfile {shown} is not there"
    except (OSError, UnicodeDecodeError) as error:
        return [], f"pidfile {shown} can't be read: {error}"
    except (ValueError, IndexError):
        return [], f"pidfile {shown} holds no process id"
    except psutil.Error:
        return [], f"pidfile {shown} names process {pid}, which does not run"


def _memory(process: "psutil.Process") -> int:
    import psutil

    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
