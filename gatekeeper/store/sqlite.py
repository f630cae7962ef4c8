"""The store in SQLite."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gatekeeper.store.connect import close, connect
from gatekeeper.store.errors import StoreError, explain
from gatekeeper.store.sql import Store

BUSY_TIMEOUT = 10.0
"""Seconds to wait for another process' write."""

FREED = 5_000
"""Pages that are given back in one transaction: other processes write in between."""


class SqliteStore(Store):
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
        self.path, self.place = path, str(path)
        self._read_only = read_only
        self.folder = folder or path.parent
        with self._explained():
            self._connection = connect(path, create=create, read_only=read_only, timeout=timeout)
            self._inode = path.stat().st_ino
        if not read_only:
            self._take_in()

    def close(self) -> None:
        if self._read_only:
            self._connection.close()
        else:
            close(self._connection, self.path)

    def _rows(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
        with self._explained():
            return self._connection.execute(sql, arguments).fetchall()

    def _change(self, sql: str, arguments: tuple[Any, ...] = ()) -> int:
        with self._explained():
            return self._connection.execute(sql, arguments).rowcount

    def _change_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._explained():
            self._connection.executemany(sql, rows)

    def _begin(self) -> None:
        self._change("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        self._change("COMMIT")

    def _undo(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.rollback()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise explain(error, self.path) from error

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

    def _doom(self, keep_last: int, limit: str) -> None:
        self._change("PRAGMA temp_store = MEMORY")
        super()._doom(keep_last, limit)

    def _shrink(self) -> None:
        pages = self._rows("PRAGMA freelist_count", ())[0][0]
        with self._explained():
            for _ in range(0, pages, FREED):
                # executescript: execute() would free a single page
                self._connection.executescript(f"PRAGMA incremental_vacuum({FREED})")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @property
    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        files = [self.path, self.path.with_name(f"{self.path.name}-wal")]
        return sum(file.stat().st_size for file in files if file.exists())
