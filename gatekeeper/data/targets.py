"""A target: the files that one entry of a configuration is about, read once for all that is asked of them."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gatekeeper.data.columns import Columns
from gatekeeper.data.documents import DOCUMENTS, load
from gatekeeper.data.opening import MAX_LINE, DataFile, format_of
from gatekeeper.data.schema import Refusals, Schema
from gatekeeper.data.searches import Lines
from gatekeeper.data.streams import MISSING, Batch, batches, items
from gatekeeper.errors import DataError, nearest
from gatekeeper.paths import expanded

STREAMS = ("jsonl", "csv", "tsv", "parquet")
KINDS = (*DOCUMENTS, *STREAMS, "text", "binary")


def matching(root: Path, pattern: str) -> list[Path]:
    """The files of a path, or of a pattern with `*`, `?`, `[…]`, `**`, sorted; relative ones start at
    `root`.
    """
    path = root / expanded(pattern)
    if path.exists() or not glob.has_magic(pattern):
        return [path] if path.exists() or path.is_symlink() else []
    return sorted(Path(found) for found in glob.glob(str(path), recursive=True) if not os.path.isdir(found))


def similar(root: Path, pattern: str) -> str:
    """` Did you mean 'orders.json'?` for a path that does not exist."""
    path = root / expanded(pattern)
    try:
        names = [entry.name for entry, _ in zip(os.scandir(path.parent), range(10_000), strict=False)]
    except OSError:
        return f" There is no folder {str(Path(pattern).parent)!r}." if path.parent != root else ""
    return nearest(path.name, names)


class Target:
    """What was found in some files, all together.

    Args:
        label: what findings call it: the path as it is configured.
        files: the files, or `value`: a JSON value that was given instead of one.
        format: of all files; "" goes by their names, "binary" is read for its digest only.
        at: where a document holds its list of records; None: the schema is for the document as a whole.
        schema: for each record of a stream, or for the document.

    After `read()`: `refusals` (what the schema refused, malformed lines, how many records), `errors` (files
    that could not be read), `documents` (how many were read), `digests` (SHA-256 by file), `notes`.
    """

    def __init__(
        self,
        label: str,
        files: Sequence[Path],
        *,
        root: Path,
        format: str = "",
        at: str | None = None,
        encoding: str = "utf-8",
        schema: Schema | None = None,
        value: Any = MISSING,
        digest: bool = False,
    ) -> None:
        self.label, self.files, self.root = label, files, root
        self.format, self.at, self.encoding, self.schema, self.value = format, at, encoding, schema, value
        self.given = value is not MISSING
        self.digest = digest
        self.columns: list[Columns] = []
        self.lines: Lines | None = None
        self.refusals = Refusals()
        self.errors: list[DataError] = []
        self.notes: list[str] = []
        self.digests: dict[str, str] = {}
        self.documents = 0
        self.rows = 0
        self.holds_records = False
        self.was_read = False

    @property
    def faults(self) -> list[DataError]:
        """What could not be read: files, and the first malformed lines."""
        return [*self.errors, *self.refusals.faults]

    def shown(self, path: Path) -> str:
        """A path as findings show it: relative to the project where it lies inside."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    def kind(self, path: Path) -> str:
        return self.format or format_of(path) or "binary"

    def read(self) -> None:
        """Go through every file once."""
        if self.was_read:
            return
        self.was_read = True
        if self.given:
            self._guarded(DataFile("", self.label), self._document, self.value, DataFile("", self.label))
        for path in self.files:
            self._read_file(DataFile(path, self.shown(path)), self.kind(path))

    def _guarded(self, file: DataFile, read: Any, *arguments: Any) -> None:
        try:
            read(*arguments)
        except DataError as error:
            self.errors.append(error)
        self.notes += [f"{file.label} {note}" for note in file.notes]

    def _read_file(self, file: DataFile, kind: str) -> None:
        import hashlib

        hashed = hashlib.sha256()
        if self.digest:
            file.watch_bytes(hashed.update)
        if self.lines is not None:
            file.watch_text(self.lines.begin(file.label))
        self._guarded(file, self._content, file, kind)
        if self.lines is not None:
            self.lines.end()
        if self.digest:
            self.digests[file.label] = hashed.hexdigest()

    def _content(self, file: DataFile, kind: str) -> None:
        with file:
            try:
                if kind in DOCUMENTS:
                    self._document(load(file, format=kind), file)
                elif kind in STREAMS:
                    self.holds_records = True
                    for batch in batches(
                        file, format=kind, encoding=self.encoding, refuse=self.refusals.fault
                    ):
                        self._see(batch, self.schema)
                elif kind == "text":
                    _check_text(file, self.encoding)
            finally:
                if self.digest or self.lines is not None:
                    file.drain()

    def _document(self, value: Any, file: DataFile) -> None:
        self.documents += 1
        whole = self.at is None
        if whole and self.schema is not None:
            self.refusals.records += 1
            if not self.schema.accepts(value):
                self.refusals.refused += 1
                self.refusals.examples += self.schema.explain(value, file.label)
        if not whole or isinstance(value, list):
            self.holds_records = True
            for batch in items(value, self.at or "", file):
                self._see(batch, None if whole else self.schema)

    def _see(self, batch: Batch, schema: Schema | None) -> None:
        self.rows += len(batch.records)
        if schema is not None:
            schema.check(batch, self.refusals)
        for column in self.columns:
            column.see(batch)


def _check_text(file: DataFile, encoding: str) -> None:
    from gatekeeper.data.tables import extends_ascii

    extends_ascii(file, encoding)
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        file.begin_text()
    number = 1
    while line := file.readline(MAX_LINE, number):
        try:
            line.decode(encoding)
        except UnicodeDecodeError as error:
            raise file.error(f"byte 0x{line[error.start]:02x} is not {encoding.upper()}", number) from None
        number += 1
