"""What a session tells of itself, record by record, so that nothing that is known is lost with its process.

Under a supervisor the records go to a file that is opened for each of them and whose name nothing else in the session
knows: a test may close all descriptors, write to all of them, fork, or end the process, and spoils no record. A session
counts as finished only where the supervisor has every record, up to the one with pytest's own exit code.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

VARIABLE = "GATEKEEPER_PYTEST_FEED"
"""The environment variable with the supervisor's pid and the file, `PID:PATH`; gone once the plugin has read it."""

Record = dict[str, Any]


class Feed(Protocol):
    """Where records go."""

    def tell(self, record: Record) -> None: ...


class Kept:
    """Records that are kept in memory: for a session that nobody supervises."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def tell(self, record: Record) -> None:
        self.records.append(record)


class FileFeed:
    """Records as lines of a file, numbered. What can't be written now, without a free descriptor, goes with the next.

    Only the process that made this writes: a copy that a test forked has nothing to tell.
    """

    def __init__(self, path: str) -> None:
        self._path, self._owner = path, os.getpid()
        self._told, self._pending = 0, b""
        # kept here: tests replace what modules name, with file systems of their own (pyfakefs) for example
        self._open, self._write, self._close, self._pid = os.open, os.write, os.close, os.getpid
        self._line = json.JSONEncoder().encode

    def tell(self, record: Record) -> None:
        if self._pid() != self._owner:
            return
        self._pending += self._line([self._told, record]).encode() + b"\n"
        self._told += 1
        try:
            descriptor = self._open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except OSError:
            return
        try:
            while self._pending:
                self._pending = self._pending[self._write(descriptor, self._pending) :]
        except OSError:
            pass
        finally:
            self._close(descriptor)


def taken() -> FileFeed | None:
    """The feed to this process's supervisor, taken out of the environment; None where there is no supervisor."""
    supervisor, _, path = os.environ.pop(VARIABLE, "").partition(":")
    return FileFeed(path) if supervisor == str(os.getppid()) else None


def read(path: Path) -> list[Record]:
    """The records that a session told, up to the first that is missing."""
    return [*_unbroken(path)]


def _unbroken(path: Path) -> Iterator[Record]:
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError:
        return
    for expected, line in enumerate(lines):
        if not line.endswith(b"\n"):
            return
        try:
            number, record = json.loads(line)
        except (ValueError, TypeError):
            return
        if number != expected:
            return
        yield record
