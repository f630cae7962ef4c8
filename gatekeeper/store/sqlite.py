"""The store in a SQLite file: WAL, one transaction a run, durable when `write` returns."""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from gatekeeper.model import Run
from gatekeeper.rundata import Saved
from gatekeeper.store import pending
from gatekeeper.store.connect import close, connect
from gatekeeper.store.errors import StoreError, explain
from gatekeeper.store.queries import LISTED, Queries, places
from gatekeeper.store.rows import Pruned, Record, Written, encoded, samples

BUSY_TIMEOUT = 10.0
"""Seconds to wait for another process' write."""

DAY = 86_400.0

BATCH = 1_000
"""Runs that are removed in one transaction: other processes write in between."""

FREED = 5_000
"""Pages that are given back in one transaction, for the same reason."""


class SqliteStore(Queries):
    """A store of runs in one file. Every method raises `StoreError` where the file can't be used."""

    def __init__(
        self,
        path: Path,
        *,
        create: bool = False,
        read_only: bool = False,
        folder: Path | None = None,
        timeout: float = BUSY_TIMEOUT,
    ) -> None:
        self.path = path
        self._read_only = read_only
        self.folder = folder or path.parent
        """The state folder, whose pending records are taken in."""
        with self._explained():
            self._connection = connect(path, create=create, read_only=read_only, timeout=timeout)
            self._inode = path.stat().st_ino
        if not read_only:
            self._take_in()

    def _take_in(self) -> None:
        """Record what is pending, where that is possible now; whoever writes is told about the rest."""
        waiting, _ = self._waiting()
        if waiting:
            with suppress(StoreError):
                self._record(waiting, None)

    def close(self) -> None:
        """Let go of the file. What was written is durable already."""
        if self._read_only:
            self._connection.close()
        else:
            close(self._connection, self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- writing ------------------------------------------------------------------------------------------

    def write(self, run: Run, saved: Saved | None = None) -> Written:
        """Record a run and what it saved, durable on return; pending ones first. A run id is recorded once.

        Raises:
            StoreError: nothing was recorded, pending ones are still pending: `spill` the run.
        """
        waiting, damaged = self._waiting()
        written = self._record(waiting, Record(run, saved))
        aside = [f"{pending.put_aside(path)}: {problem}" for path, problem in damaged.items()]
        return Written(written.recorded, written.taken_in, tuple(aside))

    def _record(self, waiting: Mapping[Path, Record], record: Record | None) -> Written:
        with self._transaction():
            taken = tuple(found.run.id for found in waiting.values() if self._insert(found))
            recorded = record is not None and self._insert(record)
        self._still_there()
        for path in waiting:
            with suppress(OSError):  # recorded it is; the next one finds that out again
                path.unlink()
        return Written(recorded, taken)

    def _waiting(self) -> tuple[dict[Path, Record], dict[Path, str]]:
        """Pending records that can be read, and what is wrong with those that can't."""
        found: dict[Path, Record] = {}
        damaged: dict[Path, str] = {}
        for path in pending.waiting(self.folder):
            try:
                record = pending.read(path)
            except ValueError as error:
                damaged[path] = str(error)
            else:
                if record is not None:
                    found[path] = record
        return found, damaged

    def _insert(self, record: Record) -> bool:
        """Whether it was new."""
        record, document, saved = encoded(record)
        run, header = record.run, record.run.header
        row = (
            run.id, run.subject.name, run.subject.digest, header.phase, header.started, header.duration_s,
            run.verdict.decision, run.verdict.exit_code, header.complete, header.partial, header.profile,
            msgspec.json.encode(run.counts).decode(), document, saved,
        )  # fmt: skip
        cursor = self._connection.execute(
            f"INSERT INTO runs ({LISTED}, document, saved) VALUES ({places(14)}) ON CONFLICT (id) DO NOTHING",
            row,
        )
        if cursor.rowcount != 1:
            return False
        self._insert_results(run, cursor.lastrowid)
        return True

    def _insert_results(self, run: Run, number: int | None) -> None:
        self._connection.executemany(
            "INSERT INTO results (subject, gate, run, status, requirement, duration_s) "
            f"VALUES ({places(6)}) ON CONFLICT DO NOTHING",
            [(run.subject.name, r.id, number, r.status, r.requirement, r.duration_s) for r in run.results],
        )
        self._connection.executemany(
            "INSERT INTO samples (run, gate, finding, position, value, unit, n) "
            f"VALUES ({places(7)}) ON CONFLICT DO NOTHING",
            [(number, s.gate, s.finding, s.position, s.value, s.unit, s.n) for s in samples(run)],
        )

    def _still_there(self) -> None:
        """A file that was deleted while it was open takes writes without complaint, and they are lost."""
        try:
            same = self.path.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            raise StoreError(
                f"the store {self.path} was removed or replaced while it was open: nothing was recorded"
            )

    # -- housekeeping -------------------------------------------------------------------------------------

    def prune(
        self, older_than: float, keep_last: int = 1, now: float | None = None, dry_run: bool = False
    ) -> Pruned:
        """Remove runs that started over `older_than` seconds ago, but not the last of a subject and phase.

        Args:
            older_than: seconds.
            keep_last: how many runs of each subject and phase to keep, however old.
            now: seconds since the epoch; the present by default.
            dry_run: only count.
        """
        moment = time.time() if now is None else now
        self._doom(keep_last, datetime.fromtimestamp(max(0.0, moment - older_than), UTC).isoformat())
        if dry_run:
            return Pruned(**{table: self._count(table, key) for table, key in _PRUNED})
        size, counts = self.size, dict.fromkeys((table for table, _ in _PRUNED), 0)
        while (last := self._rows(_BATCH, (BATCH,))[0][0]) is not None:
            with self._transaction():
                for table, key in _PRUNED:
                    counts[table] += self._delete(table, key, last)
                self._delete("doomed", "number", last)
        with self._transaction():
            self._note("pruned", str(moment))
        if counts["runs"]:
            self._shrink()
        return Pruned(**counts, freed=max(0, size - self.size))

    def _doom(self, keep_last: int, limit: str) -> None:
        """Note the runs that started before `limit`, but for the last ones, in a table of this connection's own."""
        with self._explained():
            self._connection.execute("PRAGMA temp_store = MEMORY")
            self._connection.execute("CREATE TEMP TABLE IF NOT EXISTS doomed (number INTEGER PRIMARY KEY)")
            self._connection.execute("DELETE FROM doomed")
            self._connection.execute(_DOOM, (keep_last, limit))

    def _count(self, table: str, key: str) -> int:
        sql = f"SELECT count(*) FROM {table} WHERE {key} IN (SELECT number FROM doomed)"
        return int(self._rows(sql, ())[0][0])

    def _delete(self, table: str, key: str, last: int) -> int:
        sql = f"DELETE FROM {table} WHERE {key} IN (SELECT number FROM doomed WHERE number <= ?)"
        return self._connection.execute(sql, (last,)).rowcount

    def _shrink(self) -> None:
        pages = self._rows("PRAGMA freelist_count", ())[0][0]
        with self._explained():
            for _ in range(0, pages, FREED):
                # executescript: execute() would free a single page
                self._connection.executescript(f"PRAGMA incremental_vacuum({FREED})")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def retain(self, older_than: float, now: float | None = None) -> Pruned | None:
        """`prune`, at most once a day; None where it was not due. Cheap to ask."""
        moment = time.time() if now is None else now
        rows = self._rows("SELECT value FROM meta WHERE name = 'pruned'", ())
        if rows and 0 <= moment - float(rows[0][0]) < DAY:
            return None
        return self.prune(older_than, now=moment)

    def _note(self, name: str, value: str) -> None:
        self._connection.execute(
            "INSERT INTO meta (name, value) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    @property
    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        files = [self.path, self.path.with_name(f"{self.path.name}-wal")]
        return sum(file.stat().st_size for file in files if file.exists())

    # -- SQL ----------------------------------------------------------------------------------------------

    def _rows(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
        with self._explained():
            return self._connection.execute(sql, arguments).fetchall()

    @contextmanager
    def _transaction(self, commit: bool = True) -> Iterator[None]:
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT" if commit else "ROLLBACK")
            except BaseException:
                self._connection.rollback()
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise explain(error, self.path) from error


_DOOM = """INSERT INTO doomed SELECT number FROM (
    SELECT number, started, row_number() OVER (PARTITION BY subject, phase ORDER BY number DESC) AS place
    FROM runs
) AS ranked WHERE place > ? AND started < ?"""

_BATCH = "SELECT max(number) FROM (SELECT number FROM doomed ORDER BY number LIMIT ?) AS batch"

_PRUNED = (("samples", "run"), ("results", "run"), ("runs", "number"))
