"""`pre.storage`: can the flow keep its files where it will want to? Paths, room, and sizes of databases."""

import os
from pathlib import Path
from typing import Literal

from msgspec import Struct

from gatekeeper import Budget, Context, Finding, Floor, Quantity, Size, facts, pre, show
from gatekeeper.facts import Disk
from gatekeeper_gates import _write_probe

MEGABYTE = 10**6
NO_INODE_TABLE = ("btrfs", "vfat", "exfat", "msdos", "bcachefs")
"""File systems that make inodes as they need them, or have none."""


class StoragePath(Struct, frozen=True, forbid_unknown_fields=True):
    """A folder, and what must hold for it."""

    path: str
    """The folder; relative ones start at the project."""
    mode: Literal["r", "rw"] = "rw"
    """What this user must be allowed to do in it: read, or read and write."""
    write: bool = True
    """Whether (with mode `rw`) a file is written, flushed to the device, read back and compared. It has no
    name while that goes on, so it is gone whatever happens, and no file of yours is touched."""
    write_size: Size = Size(MEGABYTE)
    """How much is written."""
    write_time: Budget = Budget()
    """How long write, flush and read back may take together."""
    free: Floor | None = None
    """Room left for this user, as a size or as a share of the file system. Without it: warns under 1 GB or 10
    %, whichever is less, fails under 100 MB or 2 %, whichever is less; not for a folder that is only read."""
    inodes: Floor | None = None
    """Files that can still be made, as a count or as a share. Without it: warns under 5 %, fails under 1 %;
    not for a folder that is only read."""

    def __post_init__(self) -> None:
        _need_text("path", self.path)
        self.write_time.expect("write_time", "s")
        (self.free or Floor()).expect("free", "B", "ratio")
        (self.inodes or Floor()).expect("inodes", "", "ratio")
        if self.mode == "r" and (self.write_time.warn is not None or self.write_time.fail is not None):
            raise ValueError('write_time needs mode = "rw": nothing is written to a folder that is only read')


class Database(Struct, frozen=True, forbid_unknown_fields=True):
    """The files of a database, and how large they may be."""

    path: str
    """A file, a folder, or a glob such as `data/*.db`; relative ones start at the project. The journals that
    SQLite keeps beside a file (`-wal`, `-shm`, `-journal`) count too."""
    size: Budget = Budget()
    """Size of all these files together."""
    required: bool = True
    """Whether it is wrong that there is no such file."""

    def __post_init__(self) -> None:
        _need_text("path", self.path)
        self.size.expect("size", "B")


class Storage(Struct, frozen=True, forbid_unknown_fields=True):
    """Where files are kept. Without `paths`: the project's folder and the folder for temporary files."""

    paths: tuple[StoragePath, ...] = ()
    """Folders that the flow reads or writes."""
    databases: tuple[Database, ...] = ()
    """Databases whose files lie on this host."""


@pre(settings=Storage)
def storage(ctx: Context, settings: Storage) -> None:
    """Folders exist, can be written, and have room; databases are within their size."""
    for wanted in settings.paths or _usual(ctx):
        _path(ctx, wanted)
    for database in settings.databases:
        _database(ctx, database)


def _need_text(name: str, value: str) -> None:
    if not value.strip() or "\0" in value:
        raise ValueError(f"{name} is empty" if not value.strip() else f"{name} has a null character")


def _usual(ctx: Context) -> list[StoragePath]:
    """The project (read-only where it is mounted so, as in many containers) and the temporary folder."""
    import tempfile

    state = ctx.root / ".gatekeeper"
    project = state if state.is_dir() else ctx.root
    writable = os.access(project, os.W_OK | os.X_OK)
    paths = [StoragePath(str(project), mode="rw" if writable else "r")]
    try:
        paths.append(StoragePath(tempfile.gettempdir()))
    except FileNotFoundError as error:
        hint = "df -h /tmp; or point TMPDIR to a folder that can be written"
        ctx.check(
            False, f"no folder for temporary files: {error.strerror}", name="temporary folder", hint=hint
        )
    return paths


# -- a folder --------------------------------------------------------------------------------------------


def _path(ctx: Context, wanted: StoragePath) -> None:
    path = ctx.path(wanted.path)
    try:
        held = facts.disk(path)
    except OSError as error:
        _refused(ctx, f"folder {wanted.path}", wanted.path, error, path)
        return
    if not _folder(ctx, wanted, path, held):
        return
    if wanted.mode == "rw" and wanted.write:
        _write(ctx, wanted, path, held)
    _free(ctx, wanted, held)
    _inodes(ctx, wanted, held)


def _folder(ctx: Context, wanted: StoragePath, path: Path, held: Disk) -> bool:
    """Whether the folder can be used as it is wanted; says what is in the way."""
    problem, hint = "", ""
    if not path.is_dir():
        problem, hint = "is not a folder", f"ls -ld {_quoted(path)}"
    elif wanted.mode == "rw" and held.read_only:
        problem = f"lies on a file system that is mounted read-only ({held.filesystem} at {held.mount})"
        hint = f"findmnt -T {_quoted(path)}; dmesg | tail (Linux mounts a failing device so)"
    elif missing := _missing_permissions(path, wanted.mode):
        problem = f"may not be {' and '.join(missing)} by this user ({_user()})"
        hint = f"ls -ld {_quoted(path)}; id"
    return ctx.check(
        not problem,
        f"{wanted.path} {problem}",
        name=f"folder {wanted.path}",
        observed=_permissions(path),
        operator="allows",
        limit=wanted.mode,
        hint=hint,
        evidence={"path": str(path), "mount": held.mount, "filesystem": held.filesystem},
    )


def _permissions(path: Path) -> str:
    return "".join(letter for letter, word in _MODES if _allowed(path, word)) or "nothing"


_MODES = (("r", "read"), ("w", "written"))


def _missing_permissions(path: Path, mode: str) -> list[str]:
    return [word for letter, word in _MODES if letter in mode and not _allowed(path, word)]


def _allowed(path: Path, word: str) -> bool:
    """As the kernel would decide for the user that this process acts as; a folder needs x for either."""
    needed = (os.R_OK if word == "read" else os.W_OK) | os.X_OK
    return os.access(path, needed, effective_ids=os.access in os.supports_effective_ids)


def _user() -> str:
    return f"uid {os.geteuid()}, gid {os.getegid()}"


# -- write, flush, read back -----------------------------------------------------------------------------


def _write(ctx: Context, wanted: StoragePath, path: Path, held: Disk) -> None:
    name, size = f"write {wanted.path}", show(int(wanted.write_size), "B")
    if held.total and wanted.write_size > held.free:  # not filled to the brim for the sake of a check
        message = f"{wanted.path}: {size} don't fit on {held.mount}, which has {show(held.free, 'B')} left"
        ctx.check(False, message, name=name, hint=_largest_files(held.mount), evidence=_room_of(held))
        return
    try:
        took, same = _write_probe.written_and_read(path, int(wanted.write_size))
    except OSError as error:
        _refused(ctx, name, wanted.path, error, path, held=held)
        return
    if not same:
        message = f"{wanted.path}: what was read back is not what was written ({size})"
        ctx.check(
            False, message, name=name, hint="dmesg | tail; check the device before you trust it with data"
        )
        return
    budget, total = wanted.write_time, sum(took.values())
    ctx.measure(
        name,
        total,
        unit="s",
        warn=budget.warn,
        fail=budget.fail,
        hint=f"iostat -x 1 5; is something else writing to {held.mount}?"
        if budget.exceeded(total) is not None
        else "",
        evidence={
            "bytes": int(wanted.write_size),
            "mount": held.mount,
            "filesystem": held.filesystem,
            **took,
        },
    )


def _refused(
    ctx: Context, name: str, shown: str, error: OSError, path: Path, *, held: Disk | None = None
) -> None:
    """What the system refused, in words, and what to do about it."""
    problem, hint = _in_words(error, path, held)
    evidence = {"path": str(path), "errno": error.errno, "error": error.strerror}
    evidence |= _room_of(held) if held else {}
    ctx.check(False, f"{shown}: {problem}", name=name, hint=hint, evidence=evidence)


def _in_words(error: OSError, path: Path, held: Disk | None) -> tuple[str, str]:
    from errno import EDQUOT, ENOENT, ENOSPC, ENOTDIR, EROFS

    place, largest = _quoted(path), _largest_files(held.mount if held else str(path))
    words = {
        ENOENT: ("does not exist", f"mkdir -p {place}"),
        ENOTDIR: ("lies under something that is not a folder", f"namei -l {place}"),
        ENOSPC: (_full(held), f"{largest}; df -h {place}; df -i {place}"),
        EDQUOT: (f"quota of this user ({_user()}) is used up", f"quota -s; {largest}"),
        EROFS: ("lies on a file system that is mounted read-only", f"findmnt -T {place}; dmesg | tail"),
    }
    if held is not None and error.errno == ENOENT:
        return f"no file can be made in it ({held.filesystem})", f"findmnt -T {place}"
    return words.get(error.errno or 0, (error.strerror or str(error), f"namei -l {place}; id"))


def _quoted(path: object) -> str:
    import shlex

    return shlex.quote(str(path))


def _largest_files(folder: str) -> str:
    return f"du -xh --max-depth=2 {_quoted(folder)} | sort -h | tail"


def _room_of(held: Disk) -> dict[str, str | int]:
    return {
        "mount": held.mount,
        "filesystem": held.filesystem,
        "free": held.free,
        "total": held.total,
        "inodes": held.inodes,
        "inodes_free": held.inodes_free,
        "source": held.source,
    }


def _full(held: Disk | None) -> str:
    if held is not None and held.inodes and not held.inodes_free:
        return f"no file can be made: all {held.inodes} inodes of {held.mount} are in use"
    return "no space left on the device" if held is None else f"no space left on {held.mount}"


# -- room ------------------------------------------------------------------------------------------------


def _free(ctx: Context, wanted: StoragePath, held: Disk) -> None:
    if wanted.free is None and (wanted.mode == "r" or held.total == 0):
        return
    if held.total == 0:
        message = f"{wanted.path}: its file system ({held.filesystem or 'unknown'}) doesn't tell its size"
        ctx.add(
            Finding(f"free {wanted.path}", "unknown", message=message, hint=f"df -h {_quoted(held.path)}")
        )
        return
    budget = wanted.free or _usual_room(held.total)
    value, unit = (held.free_share, "ratio") if budget.unit == "ratio" else (held.free, "B")
    _room(ctx, f"free {wanted.path}", budget, held, value=value, unit=unit)


def _usual_room(total: int) -> Floor:
    """Little enough that what stays free on a small or a huge file system alarms nobody."""
    warn, fail = min(1000 * MEGABYTE, total // 10), min(100 * MEGABYTE, total // 50)
    return Floor(warn=Quantity.parse(f"{warn}B"), fail=Quantity.parse(f"{fail}B"))


def _inodes(ctx: Context, wanted: StoragePath, held: Disk) -> None:
    if wanted.inodes is None and (wanted.mode == "r" or held.inodes == 0):
        return
    name = f"inodes {wanted.path}"
    if held.inodes == 0:
        _no_inodes(ctx, name, held)
        return
    budget = wanted.inodes or Floor(warn=Quantity.parse("5%"), fail=Quantity.parse("1%"))
    value, unit = (
        (held.inodes_free_share, "ratio") if budget.unit == "ratio" else (held.inodes_free, "inodes")
    )
    _room(ctx, name, budget, held, value=value, unit=unit)


def _no_inodes(ctx: Context, name: str, held: Disk) -> None:
    if held.filesystem in NO_INODE_TABLE:
        message = f"{held.filesystem} at {held.mount} has no fixed number of inodes: it can't run out of them"
        ctx.add(Finding(name, "pass", message=message))
        return
    message = f"{held.filesystem or 'the file system'} at {held.mount} doesn't tell its inodes"
    ctx.add(Finding(name, "unknown", message=message, hint="remove inodes from this path's settings"))


def _room(ctx: Context, name: str, budget: Floor, held: Disk, *, value: float, unit: str) -> None:
    short, of_files = budget.exceeded(value), name.startswith("inodes")
    amount = f"{show(held.free, 'B')} of {show(held.total, 'B')} free on {held.mount}"
    hint = _largest_files(held.mount)
    if of_files:
        amount = f"{held.inodes_free} of {held.inodes} inodes free on {held.mount}"
        hint = f"du -x --inodes --max-depth=2 {_quoted(held.mount)} | sort -n | tail"
    ctx.measure(
        name,
        value,
        unit=unit,
        warn=budget.warn,
        fail=budget.fail,
        worse="lower",
        message="" if short is None else f"{name} {show(value, unit)} < {show(short, unit)}: {amount}",
        hint="" if short is None else hint,
        evidence=_room_of(held),
    )


# -- databases -------------------------------------------------------------------------------------------


def _database(ctx: Context, database: Database) -> None:
    name = f"database {database.path}"
    pattern = str(ctx.path(database.path))
    try:
        sizes = _sizes(pattern)
    except OSError as error:
        _refused(ctx, name, database.path, error, Path(error.filename or pattern))
        return
    if not sizes:
        _no_database(ctx, name, database, pattern)
        return
    total, largest = sum(sizes.values()), sorted(sizes.items(), key=lambda item: -item[1])[:10]
    ctx.measure(
        name,
        total,
        unit="B",
        warn=database.size.warn,
        fail=database.size.fail,
        n=len(sizes),
        hint=_smaller(largest[0][0]) if database.size.exceeded(total) is not None else "",
        evidence={"files": dict(largest)},
    )


def _smaller(path: str) -> str:
    return f"ls -lhS {_quoted(path)}; delete what is old, then (SQLite) sqlite3 {_quoted(path)} VACUUM"


def _no_database(ctx: Context, name: str, database: Database, pattern: str) -> None:
    if database.required:
        hint = f"ls -l {_quoted(os.path.dirname(pattern))}; required = false where the flow makes it"
        ctx.check(False, f"no file {database.path}", name=name, hint=hint, evidence={"path": pattern})
    else:
        ctx.add(Finding(name, "skip", message=f"no file {database.path} yet"))


def _sizes(pattern: str) -> dict[str, int]:
    """Bytes of each file that the pattern names, SQLite's journals with them."""
    import glob

    try:
        os.lstat(pattern)  # raises where a folder on the way may not be searched; glob would find nothing
        found = {pattern}
    except (FileNotFoundError, NotADirectoryError):
        found = set(glob.glob(pattern, recursive=True))
    for path in [*found]:
        found |= {path + end for end in ("-wal", "-shm", "-journal") if os.path.isfile(path + end)}
    return {path: facts.size_of(Path(path)) for path in sorted(found) if os.path.exists(path)}
