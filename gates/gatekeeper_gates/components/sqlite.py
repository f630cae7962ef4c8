"""SQLite databases."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from gatekeeper import Budget, Context
from gatekeeper_gates.components.conditions import MISSING
from gatekeeper_gates.components.sql import Answer, Database

if TYPE_CHECKING:
    import sqlite3

STEPS = 1_000
"""How many steps of SQLite's machine lie between two looks at the clock."""


class Seen(Struct, frozen=True):
    """A database as it was found; `integrity` is what `quick_check` said, empty where it was not asked."""

    answer: Answer
    size: int
    integrity: tuple[str, ...] = ()


class Sqlite(Database, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An SQLite database. It is opened read-only; a file that isn't there is not created."""

    kind: ClassVar[str] = "sqlite"

    path: str
    """The database's file."""
    size: Budget = Budget()
    """Limits of its size, the write-ahead log included."""
    integrity: bool = False
    """Whether to run `PRAGMA quick_check`, which reads the whole file."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.size.expect("size", "B")

    @property
    def target(self) -> str:
        return self.path

    @property
    def hint(self) -> str:
        query = self.query or ("PRAGMA quick_check" if self.integrity else ".tables")
        return f"sqlite3 -readonly {shlex.quote(self.path)} {shlex.quote(query)}"

    def observe(self, ctx: Context, within: float) -> Seen:
        return look(ctx.root / self.path, self, within)

    def judge(self, ctx: Context, seen: Seen) -> None:
        self.judge_answer(ctx, seen.answer, {"path": self.path})
        if self.size.fail is not None or self.size.warn is not None:
            ctx.measure(
                f"{self.title} size",
                seen.size,
                unit="B",
                warn=self.size.warn,
                fail=self.size.fail,
                worse=self.size.worse,
                hint=f"ls -l {shlex.quote(self.path)}*",
            )
        if self.integrity:
            ctx.check(
                seen.integrity == ("ok",),
                f"{self.label} is damaged: {seen.integrity[0] if seen.integrity else 'no answer'}",
                name=f"{self.title} integrity",
                observed=seen.integrity[0] if seen.integrity else None,
                operator="is",
                limit="ok",
                hint=f"sqlite3 {shlex.quote(self.path)} .recover | sqlite3 recovered.db",
                evidence={"quick_check": list(seen.integrity)},
            )


def look(path: Path, check: Sqlite, within: float) -> Seen:
    """Open, query, and perhaps check a database.

    Raises:
        ProbeError: it isn't there, can't be read, is busy, refuses the query, or takes too long.
    """
    import sqlite3
    from contextlib import closing
    from stat import S_ISREG
    from urllib.parse import quote

    from gatekeeper.net import Deadline, ProbeError

    try:
        before = path.stat()
    except OSError as error:
        raise ProbeError("unreachable", f"{check.path}: {(error.strerror or str(error)).lower()}") from None
    if not S_ISREG(before.st_mode):
        raise ProbeError("unreachable", f"{check.path} is no file")
    deadline = Deadline(within, f"in the query of {check.path}")
    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=within, isolation_level=None)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # ATTACH and VACUUM INTO make files
            connection.set_progress_handler(lambda: deadline.passed, STEPS)
            answer = _ask(connection, check.query or "SELECT count(*) FROM sqlite_master")
            rows = connection.execute("PRAGMA quick_check(20)").fetchall() if check.integrity else []
    except sqlite3.Error as error:
        if deadline.passed:
            raise deadline.error() from None
        raise ProbeError("protocol", f"{check.path}: {_reason(error)}") from None
    log = path.with_name(f"{path.name}-wal")
    size = before.st_size + (log.stat().st_size if log.exists() else 0)
    return Seen(answer, size, tuple(str(row[0]) for row in rows))


def _ask(connection: "sqlite3.Connection", query: str) -> Answer:
    import time

    started = time.perf_counter()
    row = connection.execute(query).fetchone()
    return Answer(MISSING if row is None else row[0], time.perf_counter() - started)


def _reason(error: Exception) -> str:
    words = {
        "file is not a database": "is no SQLite database",
        "database is locked": "is locked by another process",
        "too many attached databases - max 0": "the query would open another database; checks only read this one",
        "attempt to write a readonly database": "the query would write; checks only read",
    }
    return words.get(str(error), str(error))
