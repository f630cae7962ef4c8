"""The tables, as steps from one version to the next; `PRAGMA user_version` says which have been done.

Runs are ordered by number, as they were recorded: a clock that jumps changes no order. Results lie clustered
by subject and gate, so that a gate's last ones are read from one place; samples lie by run, so that writing
and pruning touch one place, and are found from the gate's results.
"""

import sqlite3
from collections.abc import Callable

from gatekeeper.store.errors import StoreError


def _first(connection: sqlite3.Connection) -> None:
    for statement in _TABLES:
        connection.execute(statement)


_TABLES = (
    """CREATE TABLE runs (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL, digest TEXT,
        phase TEXT NOT NULL, started TEXT NOT NULL, duration_s REAL NOT NULL, decision TEXT NOT NULL,
        exit_code INTEGER NOT NULL, complete INTEGER NOT NULL, partial INTEGER NOT NULL, profile TEXT,
        counts TEXT NOT NULL, document BLOB NOT NULL, saved BLOB)""",
    "CREATE INDEX runs_by_subject ON runs (subject, number, phase, started)",
    """CREATE TABLE results (
        subject TEXT NOT NULL, gate TEXT NOT NULL, run INTEGER NOT NULL, status TEXT NOT NULL,
        requirement TEXT NOT NULL, duration_s REAL NOT NULL,
        PRIMARY KEY (subject, gate, run)) WITHOUT ROWID""",
    """CREATE TABLE samples (
        run INTEGER NOT NULL, gate TEXT NOT NULL, finding TEXT NOT NULL, position INTEGER NOT NULL,
        value REAL NOT NULL, unit TEXT, n INTEGER,
        PRIMARY KEY (run, gate, finding, position)) WITHOUT ROWID""",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)

STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_first,)
"""Step i leads from version i to i + 1. Never change one that was released: add one."""


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(found: int, path: object) -> None:
    """Refuse a store of a newer version.

    Raises:
        StoreError: it is one.
    """
    if found > len(STEPS):
        raise StoreError(
            f"the store {path} was written by a newer gatekeeper "
            f"(version {found}, this one knows {len(STEPS)}): upgrade gatekeeper, or configure another store"
        )


def migrate(connection: sqlite3.Connection, path: object) -> None:
    """Bring a store to this version, in one transaction; whoever is first among many processes does it.

    Raises:
        StoreError: the store is of a newer version.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = version(connection)
        check(found, path)
        for step in STEPS[found:]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
