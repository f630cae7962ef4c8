"""What goes into a store and comes out of it, whichever database that is."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from gatekeeper.model import Counts, Decision, Requirement, Run, RunPhase, Status
from gatekeeper.plain import strict_json
from gatekeeper.rundata import Saved
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
    """How much was (or would be) removed, and how many bytes of the file that `freed`.

    `alerts` counts alerts, events, notifications and silences together.
    """

    runs: int = 0
    results: int = 0
    samples: int = 0
    freed: int = 0
    alerts: int = 0


class Record(Struct, frozen=True):
    """A run with what it saved: the unit that is written, and the content of a pending file."""

    run: Run
    saved: Saved | None = None


def encoded(record: Record) -> tuple[Record, bytes, bytes | None]:
    """The record as it can be stored, with its two documents; lone surrogates as the text of their escape."""
    try:
        return record, *_documents(record)
    except UnicodeEncodeError:
        record = msgspec.json.decode(strict_json(record), type=Record)
        return record, *_documents(record)


def _documents(record: Record) -> tuple[bytes, bytes | None]:
    saved = None if record.saved is None else pack(msgspec.json.encode(record.saved))
    return pack(msgspec.json.encode(record.run)), saved


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
            value = _number(finding.observed)
            if value is not None:
                n = finding.n if finding.n is None or abs(finding.n) < 2**63 else None
                yield Sample(result.id, finding.name, position, value, finding.unit, n)


def _number(observed: Any) -> float | None:
    if isinstance(observed, bool) or not isinstance(observed, int | float):
        return None
    try:
        value = float(observed)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None
