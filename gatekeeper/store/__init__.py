"""The record of runs: what was decided, what was measured, what a pre run saved.

SQLite in `.gatekeeper/` by default. `open_store` gives the store; `spill` keeps a run's record beside it
where the store could not take it, and the next one that opens the store takes it in.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import UsageError, nearest
from gatekeeper.paths import expanded
from gatekeeper.store.errors import NoStore, StoreError
from gatekeeper.store.pending import spill
from gatekeeper.store.rows import Pruned, ResultRow, RunRow, Written

if TYPE_CHECKING:
    from gatekeeper.store.sqlite import SqliteStore

__all__ = [
    "FILE_NAME",
    "NoStore",
    "Pruned",
    "ResultRow",
    "RunRow",
    "StoreError",
    "Written",
    "open_store",
    "path_of",
    "spill",
    "state_folder",
]

FILE_NAME = "history.db"
"""The store's file in the state folder, where no other place is configured."""


def path_of(url: str | Path) -> Path:
    """The file of a store's URL: a path, `sqlite:///relative/or//absolute.db`.

    Raises:
        UsageError: no kind of store that this version has.
    """
    text = str(url)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return expanded(text)
    if scheme in ("postgresql", "postgres"):
        raise UsageError(
            f"store {scheme}://…: PostgreSQL is not in this version; use a path or sqlite:///PATH"
        )
    if scheme != "sqlite":
        hint = nearest(scheme, ["sqlite"])  # the rest of the URL may hold a password
        raise UsageError(f"store {scheme}://…: unknown kind {scheme!r}, use a path or sqlite:///PATH.{hint}")
    if not rest.startswith("/") or rest == "/":
        raise UsageError(
            f"store {text!r}: expected sqlite:///PATH, with three slashes (four for an absolute path)"
        )
    return expanded(rest[1:])


def open_store(
    url: str | Path, *, create: bool, folder: Path | None = None, timeout: float = 10.0
) -> "SqliteStore":
    """Open the store, for reading and writing; a context manager. Don't carry an open store across a fork.

    Args:
        url: a path, or `sqlite:///PATH`.
        create: make it, and the folder it lies in, where there is none.
        timeout: seconds to wait for a store that another program has locked.
        folder: the state folder whose `pending/` is taken in; the folder of the file by default.

    Raises:
        NoStore: there is none, and `create` is false: nothing was recorded yet.
        StoreError: it is locked, full, corrupt, of a newer version, a directory, not permitted: one sentence.
        UsageError: the URL is wrong.
    """
    path = path_of(url)
    from gatekeeper.store.sqlite import SqliteStore  # costs milliseconds: only where a store is opened

    return SqliteStore(path, create=create, folder=folder, timeout=timeout)


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
