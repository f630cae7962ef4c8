"""What goes into a store and comes out of it, whichever database that is."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from gatekeeper.context import Saved
from gatekeeper.model import Counts, Decision, Requirement, Run, RunPhase, Status
from gatekeeper.plain import text
from gatekeeper.store.errors import StoreError

COMPRESS_FROM = 32_768
"""Bytes from which compressing a document saves more in writing than it costs in computing."""


class RunRow(Struct, frozen=True, kw_only=True):
    """A recorded run in a list. `started` is UTC, ISO 8601."""

    id: str
    subject: str
    digest: str | None = None
    phase: RunPhase
    started: str
    duration_s: float
    decision: Decision
    exit_code: int
    complete: bool
    partial: bool
    profile: str | None = None
    counts: Counts = Counts()


class ResultRow(Struct, frozen=True, kw_only=True):
    """One gate's recorded result in a list."""

    run: str
    started: str
    status: Status
    requirement: Requirement
    duration_s: float


class Sample(Struct, frozen=True):
    """A measured finding as later comparisons need it. `position` tells findings of one name apart."""

    gate: str
    finding: str
    position: int
    value: float
    unit: str | None
    n: int | None


class Written(Struct, frozen=True):
    """What `write` did: whether the run was new, which pending ones it took in, which can't be read."""

    recorded: bool = True
    taken_in: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


class Pruned(Struct, frozen=True):
    """How much was (or would be) removed; `freed` bytes of the file."""

    runs: int = 0
    results: int = 0
    samples: int = 0
    freed: int = 0


class Record(Struct, frozen=True):
    """A run with what it saved: the unit that is written, and the content of a pending file."""

    run: Run
    saved: Saved | None = None


def encoded(record: Record) -> tuple[Record, bytes, bytes | None]:
    """The record as it can be stored, with its two documents; lone surrogates as the text of their escape."""
    try:
        return record, *_documents(record)
    except UnicodeEncodeError:
        scrubbed = msgspec.convert(_scrub(msgspec.to_builtins(record)), Record)
        return scrubbed, *_documents(scrubbed)


def _documents(record: Record) -> tuple[bytes, bytes | None]:
    saved = None if record.saved is None else pack(msgspec.json.encode(record.saved))
    return pack(msgspec.json.encode(record.run)), saved


def _scrub(value: Any) -> Any:
    if isinstance(value, str):
        return text(value, len(value))
    if isinstance(value, dict):
        return {_scrub(key): _scrub(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_scrub(item) for item in value]
    return value


def pack(document: bytes) -> bytes:
    """A JSON document as it is kept: compressed where that pays."""
    if len(document) < COMPRESS_FROM:
        return document
    import zlib

    return min(zlib.compress(document, 1), document, key=len)


def unpack(kept: bytes) -> bytes:
    """The JSON document again; it starts with a brace, zlib's stream never does."""
    if kept[:1] == b"{":
        return kept
    import zlib

    return zlib.decompress(kept)


def decoded(kept: bytes, kind: type[Any], run: str) -> Any:
    """The record of a kept document.

    Raises:
        StoreError: it is damaged.
    """
    try:
        return msgspec.json.decode(unpack(kept), type=kind)
    except Exception as error:  # zlib.error can't be named without importing it
        raise StoreError(f"the record of run {run} is damaged: {error}") from None


def samples(run: Run) -> Iterator[Sample]:
    """Every measured finding: a finite number that was observed."""
    for result in run.results:
        for position, finding in enumerate(result.findings):
            value = finding.observed
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                yield Sample(result.id, finding.name, position, float(value), finding.unit, finding.n)
