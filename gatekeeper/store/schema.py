"""The tables, as steps from one version to the next, in SQL of SQLite; `postgresql` says it in PostgreSQL's.

Runs are ordered by number, as they were recorded: a clock that jumps changes no order. Results lie clustered
by subject and gate, so that a gate's last ones are read from one place; samples lie by run, so that writing
and pruning touch one place, and are found from the gate's results.
"""

import re

from gatekeeper.store.errors import StoreError

_RUNS = (
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

_ALERTS = (
    "CREATE TABLE unjudged (run INTEGER PRIMARY KEY)",
    """CREATE TABLE alerts (
        fingerprint TEXT PRIMARY KEY, subject TEXT NOT NULL, gate TEXT NOT NULL, state TEXT NOT NULL,
        owed INTEGER NOT NULL, changed REAL NOT NULL, document BLOB NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX alerts_owed ON alerts (subject) WHERE owed = 1",
    """CREATE TABLE events (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL, subject TEXT NOT NULL,
        gate TEXT NOT NULL, kind TEXT NOT NULL, at REAL NOT NULL, document BLOB NOT NULL)""",
    "CREATE INDEX events_by_fingerprint ON events (fingerprint, number)",
    "CREATE INDEX events_by_time ON events (at)",
    """CREATE TABLE told (
        channel TEXT NOT NULL, grp TEXT NOT NULL, document BLOB NOT NULL,
        PRIMARY KEY (channel, grp)) WITHOUT ROWID""",
    """CREATE TABLE deliveries (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, channel TEXT NOT NULL, grp TEXT NOT NULL,
        created REAL NOT NULL, document BLOB NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
        due REAL NOT NULL, done REAL, why TEXT NOT NULL, ref TEXT, lease REAL NOT NULL DEFAULT 0, owner TEXT)""",
    "CREATE INDEX deliveries_queued ON deliveries (channel, attempts, number) WHERE state = 'queued'",
    "CREATE INDEX deliveries_in_order ON deliveries (channel, grp, number) WHERE state = 'queued'",
    "CREATE INDEX deliveries_by_time ON deliveries (created)",
    """CREATE TABLE quiets (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, starts REAL NOT NULL, until REAL NOT NULL,
        document BLOB NOT NULL) WITHOUT ROWID""",
    "CREATE TABLE channels (name TEXT PRIMARY KEY, disabled REAL, why TEXT NOT NULL) WITHOUT ROWID",
)

STEPS: tuple[tuple[str, ...], ...] = (_RUNS, _ALERTS)
"""Step i leads from version i to i + 1. Never change one that was released: add one."""

_NUMBERED = "number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"

# COLLATE "C": texts in the order of their code points, as SQLite compares them
_POSTGRESQL = {
    r"\bnumber INTEGER PRIMARY KEY\b": _NUMBERED,
    r"\bINTEGER\b": "BIGINT",
    r"\bREAL\b": "DOUBLE PRECISION",
    r"\bBLOB\b": "BYTEA",
    r"\bTEXT\b": 'TEXT COLLATE "C"',
    r"\) WITHOUT ROWID$": ")",
}


def postgresql(statement: str) -> str:
    """A statement of a step as PostgreSQL has it."""
    for pattern, text in _POSTGRESQL.items():
        statement = re.sub(pattern, text, statement)
    return statement


def check(found: int, place: object) -> None:
    """Refuse a store of a newer version.

    Raises:
        StoreError: it is one.
    """
    if found > len(STEPS):
        raise StoreError(
            f"the store {place} was written by a newer gatekeeper "
            f"(version {found}, this one knows {len(STEPS)}): upgrade gatekeeper, or configure another store"
        )


def older(place: object) -> str:
    """What a reader says of a store of an older version, which it doesn't change."""
    return f"the store {place} is of an older version, or empty: the next run brings it up to date"
