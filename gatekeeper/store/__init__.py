"""The record of runs: what was decided, what was measured, what a pre run saved, what is to be told.

SQLite in `.gatekeeper/` by default, PostgreSQL by URL. `open_store` gives the store; `spill` keeps a run's record in
the state folder where the store could not take it, and the next one that opens the store takes it in.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import UsageError, nearest
from gatekeeper.paths import expanded
from gatekeeper.store.errors import NoStore, StoreError
from gatekeeper.store.pending import spill
from gatekeeper.store.rows import Pruned, ResultRow, RunRow, Written

if TYPE_CHECKING:
    from gatekeeper.store.sql import Store

__all__ = [
    "FILE_NAME",
    "NoStore",
    "Pruned",
    "ResultRow",
    "RunRow",
    "StoreError",
    "Written",
    "module_of",
    "open_store",
    "path_of",
    "spill",
    "state_folder",
]

FILE_NAME = "history.db"
"""The store's file in the state folder, where no other place is configured."""

INSTALL = "pip install 'gatekeeper-gates[postgres]'"

KINDS = "use a path, sqlite:///PATH or postgresql://user:password@host/database"


def path_of(url: str | Path) -> Path | None:
    """The file of a store's URL (a path, `sqlite:///relative/or//absolute.db`); None of a database on a server.

    Raises:
        UsageError: the URL is wrong, no kind of store that there is, or a library is missing for it.
    """
    text = str(url)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return expanded(text)
    if scheme in ("postgresql", "postgres"):
        _check_server(text)
        return None
    if scheme != "sqlite":
        hint = nearest(scheme, ["sqlite", "postgresql"])  # the rest of the URL may hold a password
        raise UsageError(f"store {scheme}://…: unknown kind {scheme!r}, {KINDS}.{hint}")
    if not rest.startswith("/") or rest == "/":
        raise UsageError(
            f"store {text!r}: expected sqlite:///PATH, with three slashes (four for an absolute path)"
        )
    return expanded(rest[1:])


def _check_server(url: str) -> None:
    from importlib.util import find_spec

    from gatekeeper.store.address import address_of

    name = address_of(url).name
    if find_spec("psycopg") is None:
        raise UsageError(f"store {name}: psycopg is not installed: {INSTALL}")


def module_of(url: str) -> str:
    """The module that a store of this URL needs: to be loaded before it is opened, where there is time."""
    return (
        "gatekeeper.store.postgres"
        if url.startswith("postgres") and "://" in url
        else "gatekeeper.store.sqlite"
    )


def open_store(
    url: str | Path,
    *,
    create: bool,
    folder: Path | None = None,
    timeout: float = 10.0,
    read_only: bool = False,
) -> "Store":
    """Open the store, for reading and writing; a context manager. Don't carry an open store across a fork.

    Args:
        url: a path, `sqlite:///PATH`, or `postgresql://user:password@host:port/database`.
        create: make it, and the folder or schema it lies in, where there is none.
        folder: the state folder whose `pending/` is taken in; the folder of the file by default, and none of a server.
        timeout: seconds to wait for a store that another program has locked, or for a server.
        read_only: change nothing: neither take in what is pending, nor bring an older store up to date.

    Raises:
        NoStore: there is none, and `create` is false: nothing was recorded yet.
        StoreError: it is locked, full, corrupt, of a newer version, a directory, not permitted, not reached: one
            sentence.
        UsageError: the URL is wrong, or a library is missing.
    """
    path = path_of(url)
    # both cost milliseconds: only where a store is opened
    if path is not None:
        from gatekeeper.store.sqlite import SqliteStore

        return SqliteStore(path, create=create, folder=folder, timeout=timeout, read_only=read_only)
    try:
        from gatekeeper.store.postgres import PostgresStore
    except ImportError as error:  # of psycopg without a libpq that it can load
        why = str(error).partition("\n")[0].strip()
        raise UsageError(f"store postgresql://…: psycopg can't be loaded ({why}): {INSTALL}") from None
    return PostgresStore(str(url), create=create, folder=folder, timeout=timeout, read_only=read_only)


def state_folder(path: Path) -> Path:
    """Make a state folder that ignores itself in git, where there is none yet; many processes at once may.

    Raises:
        OSError: it can't be made.
    """
    path.mkdir(parents=True, exist_ok=True)
    ignore = path / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return path
