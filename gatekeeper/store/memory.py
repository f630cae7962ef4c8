"""A store in memory, for what a run has to tell while the store itself can't be used."""

import sqlite3
from pathlib import Path

from gatekeeper.store import schema
from gatekeeper.store.sqlite import SqliteStore


class MemoryStore(SqliteStore):
    """Gone when it is closed."""

    def __init__(self) -> None:
        self.path, self.place, self.folder = Path(":memory:"), "in memory", None
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        for step in schema.STEPS:
            for statement in step:
                self._connection.execute(statement)

    def close(self) -> None:
        self._connection.close()

    def _still_there(self) -> None:
        pass

    @property
    def size(self) -> int:
        return 0
