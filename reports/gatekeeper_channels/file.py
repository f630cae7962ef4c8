"""`file`: a JSON line for each alert event, in a file that is rotated and compressed.

A line is a CloudEvent. Each event has one, also when it is told again: its id is looked for at the file's end first.
Whoever appends or rotates holds a lock beside the file (`flock` on `<path>.lock`), so that processes neither lose nor
mix lines. What is delivered is on the disk.

Rotation may end after each of its steps: the file becomes `<path>.1`; that is compressed into `<path>.1.gz.part` and
removed; the older ones move up by one; the part becomes `<path>.1.gz`. Whoever comes next goes on from there.
"""

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from gatekeeper import Duration, Size, strict_json
from gatekeeper.channels import ChannelContext, ChannelType, Delivered, Notification, Outcome, TryAgain

SMALLEST, LARGEST = 1_000, 100_000_000
"""Bytes of a file; the largest is compressed within a few seconds."""
TAIL = 262_144
"""Bytes at the file's end in which events are looked for."""
POLL = 0.01
"""Seconds between two tries to lock: a wait for that has no end."""


class FileSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A JSON line for each alert event, in a file that is rotated and compressed."""

    path: str
    """The file; relative to the project's folder. Folders on the way are made."""
    max_size: Size = Size(10_000_000)
    """It is rotated before it would become larger; 1 kB to 100 MB."""
    max_age: Duration | None = None
    """It is also rotated when it was begun this long ago, such as `"1d"`, and something is to be written."""
    keep: Annotated[int, Meta(ge=0, le=1000)] = 5
    """How many rotated files are kept, compressed: `<path>.1.gz` is the newest."""

    def __post_init__(self) -> None:
        if Path(self.path).name in ("", "..") or self.path.endswith("/") or "\0" in self.path:
            raise ValueError('path: expected the path of a file, such as "alerts.jsonl"')
        if not SMALLEST <= self.max_size <= LARGEST:
            raise ValueError("max_size: expected 1 kB to 100 MB")
        if self.max_age is not None and self.max_age < 1:
            raise ValueError("max_age: expected 1 s or more")


class File:
    """Appends to one file."""

    def __init__(self, settings: FileSettings, context: ChannelContext) -> None:
        self._settings = settings
        self._within = context.within
        self._path = Path(os.path.realpath(context.root / settings.path))

    def send(self, notification: Notification) -> Outcome:
        lines = _lines(notification)
        ends = time.monotonic() + self._within
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(_beside(self._path, ".lock"), ends) as lock:
                self._write(lines, lock)
        except TimeoutError:
            return TryAgain(f"{self._settings.path}.lock is held by another process")
        except OSError as error:
            return TryAgain(f"{self._settings.path} can't be written: {self._why(error)}")
        return Delivered()

    def _write(self, lines: dict[str, bytes], lock: int) -> None:
        """Append the lines that are not there yet. The lock's time of modification is when the file was begun."""
        rotated = Rotated(self._path, self._settings.keep)
        rotated.go_on()
        with _opened(self._path) as current:
            size = os.fstat(current).st_size
            tail = os.pread(current, TAIL, max(0, size - TAIL))
            new = b"".join(line for id, line in lines.items() if b'"id":' + strict_json(id) not in tail)
            if not new or not size or not self._is_full(size + len(new), lock):
                _append(current, _ended(tail) + new, size, lock)
                return
        rotated.rotate()
        with _opened(self._path) as current:
            _append(current, new, 0, lock)

    def _is_full(self, size: int, lock: int) -> bool:
        age = time.time() - os.fstat(lock).st_mtime
        return size > self._settings.max_size or age > (self._settings.max_age or float("inf"))

    def _why(self, error: OSError) -> str:
        place = Path(str(error.filename)).name if error.filename is not None else ""
        where = f"{place}: " if place not in ("", self._path.name) else ""
        return f"{where}{error.strerror or error}"


class Rotated:
    """The older files beside one, the newest as number 1."""

    def __init__(self, path: Path, keep: int) -> None:
        self._path, self._keep = path, keep
        self._moved = _beside(path, ".1")
        self._part = _beside(path, ".1.gz.part")

    def rotate(self) -> None:
        """Move the file out of the way."""
        os.rename(self._path, self._moved)
        _sync_folder(self._path)
        self.go_on()

    def go_on(self) -> None:
        """Finish a rotation that somebody has begun."""
        if self._moved.exists():
            if self._keep:
                self._compress()
            self._moved.unlink()
        if self._part.exists():
            self._make_room()
            os.rename(self._part, self._numbered(1))
            _sync_folder(self._path)

    def _compress(self) -> None:
        import gzip
        import shutil

        with open(self._moved, "rb") as source, open(self._part, "wb") as part:
            begun = os.fstat(source.fileno()).st_mtime
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=part, mtime=begun) as compressed:
                shutil.copyfileobj(source, compressed, 1_048_576)
            part.flush()
            os.fsync(part.fileno())
        _sync_folder(self._path)

    def _make_room(self) -> None:
        """Free number 1. Files only move where they must, so that nothing happens twice after a crash."""
        free = next((n for n in range(1, self._keep) if not self._numbered(n).exists()), self._keep)
        for number in range(free - 1, 0, -1):
            os.rename(self._numbered(number), self._numbered(number + 1))
        beyond = self._keep + 1
        while self._numbered(beyond).exists():
            self._numbered(beyond).unlink()
            beyond += 1

    def _numbered(self, number: int) -> Path:
        return _beside(self._path, f".{number}.gz")


def _lines(notification: Notification) -> dict[str, bytes]:
    """The line of each event by its id; one of the notification itself where it stands for more than it lists."""
    from gatekeeper.channels.envelope import cloudevent, event_cloudevent

    events = [event_cloudevent(event, notification.subject) for event in notification.events]
    if notification.more:
        events.append(cloudevent(replace(notification, events=())))
    mark = {"test": True} if notification.test else {}
    return {str(event["id"]): strict_json(event | mark) + b"\n" for event in events}


def _ended(tail: bytes) -> bytes:
    """What ends a line that a crash left without an end."""
    return b"" if not tail or tail.endswith(b"\n") else b"\n"


def _append(current: int, content: bytes, size: int, lock: int) -> None:
    """All of it, onto the disk; or nothing, and an OSError."""
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(current, rest) :]
        os.fsync(current)
    except OSError:
        with suppress(OSError):
            os.ftruncate(current, size)
        raise
    if not size:
        os.utime(lock)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    new = not path.exists()
    current = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    try:
        if not stat.S_ISREG(os.fstat(current).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        if new:
            _sync_folder(path)
        yield current
    finally:
        os.close(current)


@contextmanager
def _locked(path: Path, ends: float) -> Iterator[int]:
    """The lock, whose descriptor it yields.

    Raises:
        TimeoutError: `ends` (of the monotonic clock) came first.
    """
    import fcntl

    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= ends:
                    raise TimeoutError from None
                time.sleep(POLL)
        yield lock
    finally:
        os.close(lock)


def _sync_folder(path: Path) -> None:
    """What was renamed, made or removed in the folder of `path` stays so."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


CHANNEL = ChannelType(
    name="file",
    summary="a JSON line for each alert event, in a file that is rotated and compressed",
    settings=FileSettings,
    open=File,
    min_severity="low",
)
