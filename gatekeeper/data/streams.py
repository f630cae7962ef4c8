"""Streams of records: JSON Lines, CSV, a list in a JSON document, Parquet. Memory doesn't grow with the
file.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gatekeeper.data import strictjson
from gatekeeper.data.opening import MAX_DEPTH, MAX_DOCUMENT, MAX_LINE, DataFile, format_of
from gatekeeper.errors import DataError

CHUNK = 1 << 14
"""Bytes of JSON Lines decoded at once: records of a chunk stay in the processor's cache."""

Refuse = Callable[[DataError], object]


class Batch(Struct, frozen=True):
    """Some consecutive records, and where they stand. `textual` are records of text only (CSV)."""

    records: Sequence[Any]
    label: str
    first: int = 1
    lines: Sequence[int] | None = None
    form: str = "{label}:{line}"
    textual: bool = False

    def place(self, index: int) -> str:
        """Where the record of this index in the batch stands: `orders.jsonl:17`, `orders.json[16]`."""
        line = self.first + index if self.lines is None else self.lines[index]
        return self.form.format(label=self.label, line=line)


def records(
    file: str | os.PathLike[str] | DataFile,
    *,
    format: str | None = None,
    at: str | None = None,
    encoding: str = "utf-8",
    max_line: int = MAX_LINE,
    depth: int = MAX_DEPTH,
) -> Iterator[Any]:
    """The records of a file, one after the other. See `batches` for arguments and errors."""
    for batch in batches(file, format=format, at=at, encoding=encoding, max_line=max_line, depth=depth):
        yield from batch.records


def batches(
    file: str | os.PathLike[str] | DataFile,
    *,
    format: str | None = None,
    at: str | None = None,
    encoding: str = "utf-8",
    max_line: int = MAX_LINE,
    depth: int = MAX_DEPTH,
    refuse: Refuse | None = None,
) -> Iterator[Batch]:
    """The records of a file in batches that know their lines.

    JSON Lines: one JSON value a line, blank lines are passed over. CSV (RFC 4180; `.tsv` with tabs): the
    first row names the columns, each record is a dict of texts. JSON, TOML, YAML: the items of the list
    that the document is, or holds at the dotted path `at`; held in memory as a whole. Parquet: with the
    extra `data`.

    Args:
        file: a path, or a `DataFile` that is open.
        format: "jsonl", "csv", "tsv", "json", "toml", "yaml" or "parquet" where the name doesn't say it.
        at: where the list of records is in a document, such as "data.items"; "" is the document itself.
        encoding: of CSV, if it isn't UTF-8; one that extends ASCII.
        max_line: bytes beyond which a line (a row) is refused.
        depth: how deeply arrays and objects of a record may lie in each other.
        refuse: is given the error of each malformed line or row, which is then passed over; without it the
            first is raised.

    Raises:
        DataError: with file and line.
    """
    if not isinstance(file, DataFile):
        with DataFile(file) as opened:
            yield from batches(
                opened, format=format, at=at, encoding=encoding, max_line=max_line, depth=depth, refuse=refuse
            )
        return
    kind = format or format_of(file.path)
    refuse = refuse or _raise
    if kind == "jsonl":
        yield from _json_lines(file, max_line, depth, refuse)
    elif kind in ("csv", "tsv"):
        from gatekeeper.data.tables import rows

        yield from rows(file, "," if kind == "csv" else "\t", encoding, max_line, refuse)
    elif kind == "parquet":
        from gatekeeper.data.tables import parquet

        yield from parquet(file)
    elif kind in ("json", "toml", "yaml"):
        yield from _items(file, kind, at or "", depth)
    else:
        raise file.error(
            "holds no records: expected JSON Lines, CSV, a JSON list or Parquet; give its format"
        )


def _raise(error: DataError) -> None:
    raise error


def _json_lines(file: DataFile, max_line: int, depth: int, refuse: Refuse) -> Iterator[Batch]:
    file.begin_text()
    decode = msgspec.json.Decoder().decode
    first = 1
    while chunk := file.read(min(CHUNK, max_line)):
        if not chunk.endswith(b"\n"):
            chunk += file.readline(max_line, first + chunk.count(b"\n"))
        lines = chunk.split(b"\n")
        if not lines[-1]:
            lines.pop()
        found = _decoded(decode, chunk, lines, depth)
        yield (
            Batch(found, file.label, first)
            if found is not None
            else _one_by_one(lines, first, file, depth, refuse)
        )
        first += len(lines)


def _decoded(
    decode: Callable[[bytes], Any], chunk: bytes, lines: list[bytes], depth: int
) -> list[Any] | None:
    """The records of some lines, or None where one of them needs a closer look."""
    try:
        found = [*map(decode, lines)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if strictjson.unsuspicious(chunk, lines, found, depth) else None


def _one_by_one(texts: list[bytes], first: int, file: DataFile, depth: int, refuse: Refuse) -> Batch:
    found, lines = [], []
    for line, text in enumerate(texts, start=first):
        if not text.strip(b" \t\r"):
            continue
        value = strictjson.decode(text, depth)
        if isinstance(value, strictjson.Fault):
            refuse(file.error(value.message, line))
        else:
            found.append(value)
            lines.append(line)
    return Batch(found, file.label, first, lines)


def _items(file: DataFile, kind: str, at: str, depth: int) -> Iterator[Batch]:
    from gatekeeper.data.documents import load

    value = load(file, format=kind, limit=MAX_DOCUMENT, depth=depth)
    yield from items(value, at, file)


def items(document: Any, at: str, file: DataFile, size: int = 500) -> Iterator[Batch]:
    """The list at `at` of a document that is loaded already, in batches."""
    found = value_at(document, at)
    if not isinstance(found, list):
        where = f"at {at!r}" if at else "at the top"
        raise file.error(f"expected a list of records {where}, found {json_type(found)}{_lists_in(document)}")
    form = "{label}[{line}]" if not at else f"{{label}} {at.replace('{', '{{').replace('}', '}}')}[{{line}}]"
    for start in range(0, len(found), size):
        yield Batch(found[start : start + size], file.label, start, form=form)


def _lists_in(document: Any) -> str:
    if not isinstance(document, dict):
        return ""
    names = [key for key, value in document.items() if isinstance(value, list)][:3]
    return f"; lists are at {', '.join(map(repr, names))}" if names else ""


MISSING: Any = object()
"""What `value_at` finds where there is nothing."""


def value_at(value: Any, path: str) -> Any:
    """What a dotted path names in objects (`"customer.id"`); a key that holds dots itself comes first."""
    if not path:
        return value
    if isinstance(value, dict):
        if path in value:
            return value[path]
        head, _, rest = path.partition(".")
        if rest and head in value:
            return value_at(value[head], rest)
    return MISSING


def json_type(value: Any) -> str:
    """The JSON word for a value's type."""
    if value is None or value is MISSING:
        return "null" if value is None else "nothing"
    words = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return next((word for kind, word in words.items() if isinstance(value, kind)), type(value).__name__)
