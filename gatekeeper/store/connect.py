"""Opening a SQLite file as a store."""

import sqlite3
import time
from pathlib import Path

from gatekeeper.store import schema
from gatekeeper.store.errors import NoStore, StoreError

APPLICATION = 0x67617465
"""`PRAGMA application_id`: whose file it is, "gate"."""

LONG_LOG = 1 << 20
"""Bytes of write-ahead log up to which it is left for later: whoever opens the store next has to read it."""


def connect(path: Path, *, create: bool, read_only: bool, timeout: float) -> sqlite3.Connection:
    """An open store of this version, made or migrated where needed and asked for.

    Raises:
        NoStore: there is none, and `create` is false.
        StoreError: it is of a newer version, or another program's.
        sqlite3.Error, OSError: it can't be opened.
    """
    if path.is_dir():
        raise StoreError(f"the store {path} is a directory; a file is needed")
    if create:
        _make_folder(path.parent)
    elif not path.exists():
        raise NoStore(f"there is no store {path}: nothing was recorded yet")
    if read_only:
        return _reader(path, timeout)
    connection = _open(path, "mode=rwc" if create else "mode=rw", timeout)
    try:
        _prepare(connection, path, timeout)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_folder(folder: Path) -> None:
    from gatekeeper.store import state_folder

    if folder.name == ".gatekeeper":  # any other may be a folder of the user's own, which git should see
        state_folder(folder)
    else:
        folder.mkdir(parents=True, exist_ok=True)


def _open(path: Path, how: str, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, timeout=timeout, isolation_level=None
    )


def _prepare(connection: sqlite3.Connection, path: Path, timeout: float) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    if _known(connection, path):
        return
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _use_wal(connection, timeout)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    _migrate(connection, path)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a store to this version, in one transaction; whoever is first among many processes does it.

    Raises:
        StoreError: the store is of a newer version.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = _version(connection)
        schema.check(found, path)
        for step in schema.STEPS[found:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(schema.STEPS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _version(connection: sqlite3.Connection) -> int:
    """How many steps of the schema were done."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _known(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is a store of this version; false for an empty file and an older version.

    Raises:
        StoreError: it is a newer version's, or another program's.
    """
    version = _version(connection)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application not in (0, APPLICATION) or (application == 0 and _has_tables(connection)):
        raise StoreError(f"the store {path} is another program's database: configure a file of its own")
    schema.check(version, path)
    return version == len(schema.STEPS)


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _use_wal(connection: sqlite3.Connection, timeout: float) -> None:
    """Switch to WAL; SQLite does not wait for others here, however long its busy timeout is."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def close(connection: sqlite3.Connection, path: Path) -> None:
    """Close a connection that writes, and leave a short write-ahead log where it is.

    The last connection to close would copy the log into the file and delete it: four more fsyncs for every
    run, where the run itself took one. It can't while another is open, and one that only reads never does.
    """
    keeper = _keeper(path)
    connection.close()
    if keeper is not None:
        keeper.close()


def _keeper(path: Path) -> sqlite3.Connection | None:
    try:
        if path.with_name(f"{path.name}-wal").stat().st_size > LONG_LOG:
            return None
        keeper = _open(path, "mode=ro", 0)
        keeper.execute("PRAGMA user_version").fetchone()
    except (OSError, sqlite3.Error):  # no log, or no store any more: nothing to leave
        return None
    return keeper


def _reader(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection that only reads, also where the folder can't be written."""
    for mode in (
        "mode=ro",
        "immutable=1",
    ):  # a WAL store needs its shared-memory file, which a read-only folder refuses
        connection = _open(path, mode, timeout)
        try:
            if _known(connection, path):
                return connection
            connection.close()
            raise NoStore(schema.older(path))
        except sqlite3.OperationalError as error:
            connection.close()
            if mode == "immutable=1" or error.sqlite_errorcode & 0xFF not in (
                sqlite3.SQLITE_CANTOPEN,
                sqlite3.SQLITE_READONLY,
            ):
                raise
        except BaseException:
            connection.close()
            raise
    raise AssertionError("unreachable")
