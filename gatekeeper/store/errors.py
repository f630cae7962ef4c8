"""What can be wrong with a store, each as one sentence that says what to do."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError

if TYPE_CHECKING:
    import sqlite3


class StoreError(GatekeeperError):
    """The store can't be read or written. Never changes a verdict; a run that was not recorded is spilled."""


class NoStore(StoreError):
    """There is no store: nothing was recorded yet."""


# Primary result codes of SQLite, https://www.sqlite.org/rescode.html
_PERM, _BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 3, 5, 6, 8, 10, 11, 13, 14, 26


def explain(error: "sqlite3.Error | OSError", path: Path) -> StoreError:
    """The StoreError of what SQLite or the operating system said."""
    if isinstance(error, OSError):
        return StoreError(f"the store {path} can't be used: {(error.strerror or str(error)).lower()}")
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    return StoreError(f"the store {path} {_words(code, path, error)}")


def _words(code: int, path: Path, error: Exception) -> str:
    if code in (_BUSY, _LOCKED):
        return "is locked by another process: is one stuck, or a backup running?"
    if code == _FULL:
        return "could not grow: the disk or the quota is full"
    if code in (_READONLY, _PERM):
        return "is read-only for this user: check the permissions of the file and its folder"
    if code in (_CORRUPT, _NOTADB):
        return f"is damaged or no SQLite database ({error}): move it away, a new one is made"
    if code == _IOERR:
        return f"could not be read or written ({error}): is the disk full or failing?"
    if code == _CANTOPEN:
        return _cannot_open(path)
    return f"can't be used: {error}"


def _cannot_open(path: Path) -> str:
    if path.is_dir():
        return "is a directory; a file is needed"
    if not path.parent.exists():
        return f"can't be opened: there is no folder {path.parent}"
    place = path if path.exists() else path.parent
    if not os.access(place, os.R_OK | os.W_OK):
        return f"can't be opened: no permission to read and write {place}"
    return "can't be opened"
