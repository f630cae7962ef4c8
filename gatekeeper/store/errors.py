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


# Classes and codes of SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html
_STATES = {
    "25006": "is read-only for this user, or a standby: {said}",
    "42501": "does not let this user do that: {said}",
    "42P01": "lacks a table, was it removed? {said}",
    "53100": "could not grow: the server's disk is full",
    "53300": "has no connection left: {said}",
    "55P03": "is locked by another process: is one stuck, or a backup running?",
    "57014": "did not answer in time: {said}",
}
_LOST = ("08", "57P", "25P")
"""No connection; the server shuts down or starts; it ended a transaction that was idle."""


def explain_server(state: str | None, said: str, place: str) -> StoreError:
    """The StoreError of what PostgreSQL or its client said.

    Args:
        state: the SQLSTATE; None where the client had no answer.
        said: the message.
        place: which store.
    """
    said = " ".join(said.split()) or "no reason given"
    if state in _STATES:
        words = _STATES[state].format(said=said)
    elif state is None or state.startswith(_LOST):
        words = f"can't be reached any more: {said}"
    elif state in ("XX001", "XX002"):
        words = f"is damaged: {said}"
    else:
        words = f"can't be used: {said} (SQLSTATE {state})"
    return StoreError(f"the store {place} {words}")
