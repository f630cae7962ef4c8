"""Numbers that say where they were read, and the kernel's files that they are read from."""

import errno
from pathlib import Path

from msgspec import Struct

UNLIMITED = 2**63 - 1
"""Stands for "no limit" where a limit must be a number, as in the kernel's own files."""


class Fact(Struct, frozen=True):
    """One number, and where it was read: `/proc/loadavg`, `cgroup v2 /sys/fs/cgroup/app/cpu.max`."""

    value: int | float
    source: str


class Room(Struct, frozen=True):
    """How much of a limited thing is in use, in one place that limits it.

    `used` leaves out what the kernel gives back when it is needed (page cache, reclaimable slab): `cache`.
    """

    limit: int
    used: int
    source: str
    cache: int = 0

    @property
    def available(self) -> int:
        """What is left; 0 where more is in use than the limit allows."""
        return max(0, self.limit - self.used)

    @property
    def share(self) -> float:
        """The used share of the limit, 0..1 (and beyond, where a limit was lowered under what is in use)."""
        return self.used / self.limit if self.limit else 1.0


class Pressure(Struct, frozen=True):
    """Share of the time (0..1) in which at least one task waited for a resource, over 10, 60 and 300 s.

    The line `some` of the kernel's pressure stall information (Documentation/accounting/psi.rst).
    """

    avg10: float
    avg60: float
    avg300: float
    source: str


def tightest(rooms: "tuple[Room, ...]") -> Room | None:
    """The room in which least is left; None of none."""
    return min(rooms, key=lambda room: room.available, default=None)


def lowest(facts: "list[Fact | None] | tuple[Fact | None, ...]") -> Fact | None:
    """The smallest of the facts that are known; None of none. Of equal ones, the first."""
    return min((fact for fact in facts if fact is not None), key=lambda fact: fact.value, default=None)


def whole(word: str) -> int | None:
    """A plain decimal number that a kernel could mean; None for anything else."""
    return min(int(word), UNLIMITED) if word.isdecimal() and word.isascii() and len(word) < 25 else None


# absent, not a folder, or a feature that the kernel was built or started without
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EOPNOTSUPP, errno.ENODEV)


class Tree:
    """The kernel's files under a root folder. Nothing here raises: what can't be read or understood is None.

    `problems` says which file was there and could not be used, and why: a limit that can't be read is not
    the same as no limit.
    """

    def __init__(self, root: Path | str = "/") -> None:
        self.root = Path(root)
        self.problems: dict[str, str] = {}

    def at(self, path: str) -> Path:
        """Where `path` (absolute, as the kernel says it) lies under the root."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """The content without surrounding space."""
        try:
            return self.at(path).read_text("utf-8", errors="replace").strip()
        except OSError as error:
            if error.errno not in _ABSENT:
                self.problems[path] = error.strerror or type(error).__name__
        except ValueError:  # a null byte in a path
            self.problems[path] = "no usable path"
        return None

    def number(self, path: str) -> int | None:
        """A whole number, `UNLIMITED` for the word `max`."""
        content = self.text(path)
        return None if content is None else self.amount(content, path)

    def amount(self, word: str, path: str) -> int | None:
        """`word`, found in the file `path`, as a whole number; None, with a problem noted, if it isn't."""
        if word == "max":
            return UNLIMITED
        if (number := whole(word.removeprefix("-"))) is not None:
            return -number if word.startswith("-") else number
        self.problems[path] = f"expected a number or max, found {word[:40]!r}"
        return None

    def table(self, path: str) -> dict[str, int]:
        """Lines of `name value …`, such as `memory.stat` or (with its colons) `/proc/meminfo`."""
        found = {}
        for line in (self.text(path) or "").splitlines():
            words = line.split()
            if len(words) >= 2 and (value := whole(words[1])) is not None:
                found[words[0].rstrip(":")] = value
        return found

    def pressure(self, path: str, label: str = "") -> Pressure | None:
        """The averages of a pressure file's line `some`, as ratios; the source is `label` and the path."""
        for line in (self.text(path) or "").splitlines():
            words = line.split()
            if words[:1] != ["some"]:
                continue
            values = dict(word.partition("=")[::2] for word in words[1:])
            try:
                short, middle, long = (float(values[key]) / 100 for key in ("avg10", "avg60", "avg300"))
            except (KeyError, ValueError):
                self.problems[path] = f"expected avg10=… avg60=… avg300=…, found {line[:60]!r}"
                return None
            return Pressure(short, middle, long, f"{label}{path}")
        return None
