"""Opening a data file: only regular ones, told apart by their ends, read in pieces that others may watch."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Self

from gatekeeper.errors import DataError

MAX_DOCUMENT = 256 * 10**6
"""Bytes of a document that is held in memory as a whole."""
MAX_LINE = 64 * 10**6
"""Bytes of one line of JSON Lines, one row of CSV, one line of text."""
MAX_DEPTH = 128
"""How deeply arrays and objects may lie in each other; validators crash on thousands."""

FORMATS = {
    ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv",
    ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".parquet": "parquet",
    ".txt": "text", ".md": "text", ".log": "text",
}  # fmt: skip

_BOM = b"\xef\xbb\xbf"
_WIDE = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}

Watch = Callable[[bytes], object]


def format_of(path: str | os.PathLike[str]) -> str | None:
    """The format that a file's name says (`orders.csv.gz` is `csv`); None for names that say nothing."""
    name = Path(path)
    return FORMATS.get(
        Path(name.stem).suffix.lower() if name.suffix.lower() == ".gz" else name.suffix.lower()
    )


class DataFile:
    """One file to read once, from start to end; a context manager. `.gz` is unpacked on the way.

    `label` is what messages call it. `notes` collects what a reader tolerated (a byte order mark).
    `watch_bytes(f)` and `watch_text(f)` are given each piece that is read, of the file as it lies on disk
    and of its (unpacked) content: a digest or a text search costs no second pass.
    """

    def __init__(self, path: str | os.PathLike[str], label: str | None = None) -> None:
        self.path = Path(path)
        self.label = label if label is not None else str(path)
        self.notes: list[str] = []
        self._bytes: list[Watch] = []
        self._text: list[Watch] = []
        self._raw: Any = None
        self._content: Any = None

    def watch_bytes(self, watch: Watch) -> None:
        self._bytes.append(watch)

    def watch_text(self, watch: Watch) -> None:
        self._text.append(watch)

    def error(self, message: str, line: int | None = None) -> DataError:
        return DataError(self.label if line is None else f"{self.label}:{line}", message)

    def __enter__(self) -> Self:
        """Open it.

        Raises:
            DataError: it is missing, unreadable, or not a regular file (a pipe would be waited for, a
            device never ends).
        """
        opened = _open_regular(self.path, self.error)
        self._raw = _Watched(opened, self._bytes) if self._bytes else opened
        if self.path.suffix.lower() == ".gz":
            import gzip

            unpacked: Any = gzip.GzipFile(fileobj=self._raw)
        else:
            unpacked = self._raw
        self._content = _Watched(unpacked, self._text) if self._text else unpacked
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def begin_text(self) -> None:
        """Skip a byte order mark, and note it.

        Raises:
            DataError: the mark is one of another encoding than UTF-8.
        """
        head = self._guard(lambda: self._content.peek(4))
        for mark, encoding in _WIDE.items():
            if head.startswith(mark):
                raise self.error(f"is {encoding}, expected UTF-8: iconv -f {encoding} -t UTF-8 FILE")
        if head.startswith(_BOM):
            self.read(3)
            self.notes.append("starts with a byte order mark, which UTF-8 doesn't need")

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; empty at the end."""
        return self._guard(lambda: self._content.read(size))

    def readline(self, limit: int, line: int) -> bytes:
        """The rest of a line with its line end; at the end of the file without.

        Raises:
            DataError: it is longer than `limit`; `line` is its number.
        """
        result = self._guard(lambda: self._content.readline(limit + 1))
        if len(result) > limit:
            raise self.error(f"the line is longer than {limit} bytes", line)
        return result

    def read_all(self, limit: int) -> bytes:
        """The whole content.

        Raises:
            DataError: it is larger than `limit` bytes.
        """
        result = self._guard(lambda: self._content.read(limit + 1))
        if len(result) > limit:
            raise self.error(
                f"is larger than {limit} bytes; for more, write JSON Lines or CSV, which are read as a stream"
            )
        return result

    def drain(self) -> None:
        """Read what is left, for those who watch."""
        while self.read(1 << 18):
            pass

    def _guard(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except (OSError, EOFError) as error:
            raise self.error(f"can't be read: {_reason(error)}") from None
        except Exception as error:
            if type(error).__module__ != "zlib":
                raise
            raise self.error(f"can't be unpacked: {error}") from None


class _Watched:
    """A file whose pieces are shown to those who watch, as they are read."""

    def __init__(self, file: Any, watches: list[Watch]) -> None:
        self._file, self._watches = file, watches
        self.peek, self.close = file.peek, file.close

    def read(self, size: int = -1) -> bytes:
        return self._shown(self._file.read(size))

    def readline(self, limit: int) -> bytes:
        return self._shown(self._file.readline(limit))

    def _shown(self, piece: bytes) -> bytes:
        for watch in self._watches:
            watch(piece)
        return piece


def _open_regular(path: Path, fault: Callable[[str], DataError]) -> IO[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise fault("does not exist") from None
    except (OSError, ValueError) as error:
        raise fault(f"can't be opened: {_reason(error)}") from None
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        raise fault(f"is {_KINDS.get(kind, 'no regular file')}, expected a regular file")
    return os.fdopen(descriptor, "rb", 1 << 17)


_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}  # fmt: skip


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
