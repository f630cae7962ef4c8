"""What files, SQLite databases and single values look like at a moment: JSON that a later run can compare."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from gatekeeper import Context, DataError, data

if TYPE_CHECKING:
    import sqlite3

MISSING = {"missing": True}
"""Stands for a key that a file does not have."""

MAX_VALUE = 1_000
"""Characters of JSON up to which a value is kept as it is; longer ones by their digest."""

MAX_VALUES_FILE = 100_000_000
"""Bytes up to which a file is read whole for its values."""

_SEGMENT = re.compile(r'"([^"]*)"|([^."]+)')


# -- files ---------------------------------------------------------------------------------------------------


def files(ctx: Context, pattern: str, most: int) -> dict[str, list[Any]]:
    """Size and SHA-256 of each file that a path or glob names, by path (relative where inside the project).

    Raises:
        DataError: more than `most` files.
        OSError: one can't be read.
    """
    found = {}
    for path in matching(ctx, pattern, most):
        try:
            found[str(path.relative_to(ctx.root) if path.is_relative_to(ctx.root) else path)] = digest(path)
        except FileNotFoundError:
            continue  # vanished since it was listed
    return found


def matching(ctx: Context, pattern: str, most: int) -> list[Path]:
    """The regular files of a path or glob, sorted.

    Raises:
        DataError: more than `most` of them, or a folder where files are meant.
    """
    import glob

    absolute = str(ctx.path(pattern))
    if Path(absolute).is_dir():
        raise DataError(pattern, f'is a folder; write "{pattern.rstrip("/")}/**" for the files in it')
    found = []
    for name in (
        [absolute] if Path(absolute).exists() else glob.iglob(absolute, recursive=True, include_hidden=True)
    ):
        if Path(name).is_file():
            found.append(Path(name))
        if len(found) > most:
            raise DataError(pattern, f"matches more than {most} files; narrow the pattern or raise max_files")
    return sorted(found)


def digest(path: Path, size: int | None = None) -> list[Any]:
    """`[bytes, sha256]` of a file, or of its first `size` bytes; read in pieces."""
    hashed, read = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20 if size is None else min(1 << 20, size - read)):
            hashed.update(piece)
            read += len(piece)
    return [read, hashed.hexdigest()]


class Changes(Struct, frozen=True):
    """Which files are new, gone or different."""

    created: list[str]
    removed: list[str]
    changed: list[str]

    @classmethod
    def between(cls, before: dict[str, list[Any]], after: dict[str, list[Any]]) -> "Changes":
        both = sorted(before.keys() & after.keys())
        return cls(
            sorted(after.keys() - before.keys()),
            sorted(before.keys() - after.keys()),
            [path for path in both if list(before[path]) != list(after[path])],
        )

    def __len__(self) -> int:
        return len(self.created) + len(self.removed) + len(self.changed)

    def evidence(self, before: dict[str, list[Any]], after: dict[str, list[Any]]) -> dict[str, Any]:
        """Each change with size and the start of its hash on both sides."""
        changed = {
            path: {
                "before": {"size": before[path][0], "sha256": before[path][1][:12]},
                "after": {"size": after[path][0], "sha256": after[path][1][:12]},
            }
            for path in self.changed
        }
        parts = {"created": self.created, "removed": self.removed, "changed": changed}
        return {name: part for name, part in parts.items() if part}


# -- SQLite --------------------------------------------------------------------------------------------------


def rows(path: Path, names: list[str]) -> dict[str, int | None]:
    """The number of rows of each table or view; None for one that does not exist.

    Raises:
        DataError: no such file, or not a readable database.
    """
    with _read_only(path) as database:
        known = _tables(database)
        return {name: _count(database, name) if name in known else None for name in names}


def tables(path: Path) -> list[str]:
    """The names of a database's tables and views."""
    with _read_only(path) as database:
        return _tables(database)


def _tables(database: "sqlite3.Connection") -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
    names = [str(row[0]) for row in database.execute(query)]
    return sorted(name for name in names if not name.startswith("sqlite_"))


def _count(database: "sqlite3.Connection", name: str) -> int:
    quoted = name.replace('"', '""')
    return int(database.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()[0])


def integrity(path: Path, most: int = 20) -> list[str]:
    """What `PRAGMA integrity_check` and `PRAGMA foreign_key_check` find wrong; empty for a sound database."""
    with _read_only(path) as database:
        checked = [row[0] for row in database.execute(f"PRAGMA integrity_check({most})")]
        broken = database.execute("PRAGMA foreign_key_check").fetchmany(most)
    problems = [] if checked == ["ok"] else [str(line) for line in checked]
    return problems + [
        f"{table} row {row} refers to a row of {parent} that is not there" for table, row, parent, _ in broken
    ]


@contextmanager
def _read_only(path: Path) -> Iterator["sqlite3.Connection"]:
    """A connection that writes nothing, not even a `-wal` or `-shm` file beside the database."""
    import sqlite3
    from contextlib import closing
    from tempfile import TemporaryDirectory

    if not path.is_file():
        raise DataError(path, "there is no such database")
    with TemporaryDirectory(prefix="gatekeeper-") as folder:
        try:
            with closing(sqlite3.connect(_uri(path, Path(folder)), uri=True, timeout=5)) as database:
                yield database
        except sqlite3.Error as error:
            raise DataError(path, f"can't be read as a SQLite database: {error}") from None


def _uri(path: Path, folder: Path) -> str:
    """How to open it so that nothing is created: in WAL mode SQLite makes a `-shm` file even to read."""
    import shutil

    with path.open("rb") as stream:
        wal_mode = stream.read(20)[18:20] == b"\2\2"
    if not wal_mode:
        return f"{path.resolve().as_uri()}?mode=ro"
    log = Path(f"{path}-wal")
    if not log.exists() or log.stat().st_size == 0:
        return f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    if Path(f"{path}-shm").exists():
        return f"{path.resolve().as_uri()}?mode=ro"
    for file in (path, log):
        shutil.copy(file, folder / file.name)
    return f"{(folder / path.name).as_uri()}?mode=rw"


# -- values --------------------------------------------------------------------------------------------------


def values(path: Path, keys: list[str]) -> dict[str, Any]:
    """The values of dotted keys in a JSON or TOML file; long ones as their digest, absent ones as `MISSING`.

    Raises:
        DataError: the file is not what its name says.
        OSError: it can't be read.
    """
    content = data.load(path, limit=MAX_VALUES_FILE)
    return {key: _kept(_at(content, split(key))) for key in keys}


def split(key: str) -> list[str]:
    """`a."b.c".0` as `["a", "b.c", "0"]`.

    Raises:
        ValueError: it is no dotted key.
    """
    segments = [quoted or bare for quoted, bare in _SEGMENT.findall(key)]
    if not segments or ".".join(match[0] for match in _SEGMENT.finditer(key)) != key:
        raise ValueError(f'expected a dotted key such as orders.total or a."b.c".0, got {key!r}')
    return segments


def _at(content: Any, segments: list[str]) -> Any:
    for segment in segments:
        if isinstance(content, dict) and segment in content:
            content = content[segment]
        elif isinstance(content, list) and segment.isdecimal() and int(segment) < len(content):
            content = content[int(segment)]
        else:
            return MISSING
    return content


def _kept(value: Any) -> Any:
    canonical = json.dumps(value, sort_keys=True, default=str)
    if len(canonical) > MAX_VALUE:
        return {
            "sha256": hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest(),
            "length": len(canonical),
        }
    return json.loads(canonical)


def shown(value: Any) -> str:
    """A value in a message."""
    if value == MISSING:
        return "not there"
    written = json.dumps(value, ensure_ascii=False, default=str)
    return written if len(written) <= 80 else f"{written[:79]}…"
