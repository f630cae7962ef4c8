"""What a store does in SQL that both SQLite and PostgreSQL speak: record, judge, remove."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from gatekeeper.model import Run
from gatekeeper.rundata import Saved
from gatekeeper.store import pending
from gatekeeper.store.alerting import AlertQueries, Judge, NotJudged
from gatekeeper.store.errors import StoreError
from gatekeeper.store.queries import LISTED, Queries, places
from gatekeeper.store.rows import Pruned, Record, Written, encoded, samples

DAY = 86_400.0

BATCH = 1_000
"""Runs that are removed in one transaction: other processes write in between."""


class Store(Queries, AlertQueries):
    """A store of runs and alerts; a subclass gives the connection. Every method may raise `StoreError`."""

    place: str
    """Which store it is, for messages."""
    folder: Path | None
    """The state folder, whose pending records are taken in."""

    # -- what a database gives --------------------------------------------------------------------------------

    def _rows(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
        raise NotImplementedError

    def _change(self, sql: str, arguments: tuple[Any, ...] = ()) -> int:
        raise NotImplementedError

    def _change_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        raise NotImplementedError

    def _begin(self) -> None:
        """Begin a transaction in which nobody else changes anything; waits for the end of another's."""
        raise NotImplementedError

    def _commit(self) -> None:
        raise NotImplementedError

    def _undo(self) -> None:
        """End the transaction without its changes; raises nothing."""
        raise NotImplementedError

    def _still_there(self) -> None:
        """Make sure that what was committed is where others find it."""

    def _shrink(self) -> None:
        """Give back the space of removed rows, where the database doesn't by itself."""

    @property
    def size(self) -> int:
        """Bytes on disk."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the store. What was written is durable already."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        self._begin()
        try:
            yield
            self._commit()
        except BaseException:
            self._undo()
            raise

    # -- writing ------------------------------------------------------------------------------------------

    def write(self, run: Run, saved: Saved | None = None, judge: Judge | None = None) -> Written:
        """Record a run and what it saved, durable on return; pending ones first. A run id is recorded once.

        `judge` is called with all recorded runs that nobody has judged yet, this one too, oldest first, within the
        transaction: what it changes is durable together with the run, and what it raises undoes both. Without it
        they wait for the next.

        Raises:
            StoreError: nothing was recorded, pending ones are still pending: `spill` the run.
        """
        waiting, damaged = self._waiting()
        written = self._record(waiting, Record(run, saved), judge)
        aside = [f"{pending.put_aside(path)}: {problem}" for path, problem in damaged.items()]
        return Written(written.recorded, written.taken_in, tuple(aside))

    def _take_in(self) -> None:
        """Record what is pending, where that is possible now; whoever writes is told about the rest."""
        waiting, _ = self._waiting()
        if waiting:
            with suppress(StoreError):
                self._record(waiting, None, None)

    def _record(self, waiting: Mapping[Path, Record], record: Record | None, judge: Judge | None) -> Written:
        with self.changing():
            taken = tuple(found.run.id for found in waiting.values() if self._insert(found))
            recorded = record is not None and self._insert(record)
            if judge is not None:
                self._judge(judge)
        self._still_there()
        for path in waiting:
            with suppress(OSError):  # recorded it is; the next one finds that out again
                path.unlink()
        return Written(recorded, taken)

    def _judge(self, judge: Judge) -> None:
        with suppress(NotJudged):
            while unjudged := self.unjudged():
                judge(self, [run for _, run in unjudged])
                self.judged(number for number, _ in unjudged)

    def _waiting(self) -> tuple[dict[Path, Record], dict[Path, str]]:
        """Pending records that can be read, and what is wrong with those that can't."""
        found: dict[Path, Record] = {}
        damaged: dict[Path, str] = {}
        for path in pending.waiting(self.folder) if self.folder else ():
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
            run.verdict.decision, run.verdict.exit_code, int(header.complete), int(header.partial), header.profile,
            msgspec.json.encode(run.counts).decode(), document, saved,
        )  # fmt: skip
        added = self._change(
            f"INSERT INTO runs ({LISTED}, document, saved) VALUES ({places(14)}) ON CONFLICT (id) DO NOTHING",
            row,
        )
        if added != 1:
            return False
        number = self._number(run.id)
        self._insert_results(run, number)
        self._change("INSERT INTO unjudged (run) VALUES (?)", (number,))
        return True

    def _insert_results(self, run: Run, number: int) -> None:
        self._change_many(
            "INSERT INTO results (subject, gate, run, status, requirement, duration_s) "
            f"VALUES ({places(6)}) ON CONFLICT DO NOTHING",
            [(run.subject.name, r.id, number, r.status, r.requirement, r.duration_s) for r in run.results],
        )
        self._change_many(
            "INSERT INTO samples (run, gate, finding, position, value, unit, n) "
            f"VALUES ({places(7)}) ON CONFLICT DO NOTHING",
            [(number, s.gate, s.finding, s.position, s.value, s.unit, s.n) for s in samples(run)],
        )

    # -- housekeeping -------------------------------------------------------------------------------------

    def prune(
        self, older_than: float, keep_last: int = 1, now: float | None = None, dry_run: bool = False
    ) -> Pruned:
        """Remove runs that started over `older_than` seconds ago, but not the last of a subject and phase; and what
        is over and done with for as long: alerts, events, notifications, silences.

        Args:
            older_than: seconds.
            keep_last: how many runs of each subject and phase to keep, however old.
            now: seconds since the epoch; the present by default.
            dry_run: only count.
        """
        moment = time.time() if now is None else now
        limit = max(0.0, moment - older_than)
        self._doom(keep_last, datetime.fromtimestamp(limit, UTC).isoformat())
        if dry_run:
            counts = {table: self._count(table, key) for table, key in _PRUNED}
            return _pruned(counts, self.old_alerts(limit))
        size, counts = self.size, dict.fromkeys((table for table, _ in _PRUNED), 0)
        while (last := self._rows(_BATCH, (BATCH,))[0][0]) is not None:
            with self.changing():
                for table, key in _PRUNED:
                    counts[table] += self._delete(table, key, last)
                self._delete("doomed", "number", last)
        with self.changing():
            alerts = self.prune_alerts(limit)
            self._note("pruned", str(moment))
        if counts["runs"] or alerts:
            self._shrink()
        return _pruned(counts, alerts, max(0, size - self.size))

    def _doom(self, keep_last: int, limit: str) -> None:
        """Note the runs that started before `limit`, but for the last ones, in a table of this connection's own."""
        self._change("CREATE TEMPORARY TABLE IF NOT EXISTS doomed (number BIGINT PRIMARY KEY)")
        self._change("DELETE FROM doomed")
        self._change(_DOOM, (keep_last, limit))

    def _count(self, table: str, key: str) -> int:
        sql = f"SELECT count(*) FROM {table} WHERE {key} IN (SELECT number FROM doomed)"
        return int(self._rows(sql, ())[0][0])

    def _delete(self, table: str, key: str, last: int) -> int:
        sql = f"DELETE FROM {table} WHERE {key} IN (SELECT number FROM doomed WHERE number <= ?)"
        return self._change(sql, (last,))

    def retain(self, older_than: float, now: float | None = None) -> Pruned | None:
        """`prune`, at most once a day; None where it was not due. Cheap to ask."""
        moment = time.time() if now is None else now
        rows = self._rows("SELECT value FROM meta WHERE name = 'pruned'", ())
        if rows and 0 <= moment - float(rows[0][0]) < DAY:
            return None
        return self.prune(older_than, now=moment)

    def _note(self, name: str, value: str) -> None:
        self._change(
            "INSERT INTO meta (name, value) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )


_DOOM = """INSERT INTO doomed SELECT number FROM (
    SELECT number, started, row_number() OVER (PARTITION BY subject, phase ORDER BY number DESC) AS place
    FROM runs
) AS ranked WHERE place > ? AND started < ?"""

_BATCH = "SELECT max(number) FROM (SELECT number FROM doomed ORDER BY number LIMIT ?) AS batch"

_PRUNED = (("unjudged", "run"), ("samples", "run"), ("results", "run"), ("runs", "number"))


def _pruned(counts: Mapping[str, int], alerts: int, freed: int = 0) -> Pruned:
    return Pruned(counts["runs"], counts["results"], counts["samples"], freed, alerts)
