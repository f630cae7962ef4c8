"""Which run is meant: an id, the beginning of one or of one of its parts, `latest`, `latest~2`."""

import re
from collections.abc import Callable
from typing import Any

from gatekeeper.errors import UsageError, nearest

Rows = Callable[[str, tuple[Any, ...]], list[Any]]

_LATEST = re.compile(r"latest(?:~(\d{1,9}))?")


def find(rows: Rows, reference: str) -> str:
    """The id of the run that is meant. `rows(sql, arguments)` asks the store.

    Raises:
        UsageError: there is none, or several; names the nearest.
    """
    if match := _LATEST.fullmatch(reference):
        return _latest(rows, int(match[1] or 0))
    if not reference:
        raise UsageError("which run? Give an id, the beginning of one, or latest")
    if rows("SELECT 1 FROM runs WHERE id = ?", (reference,)):
        return reference
    found = _beginning(rows, reference) or _part(rows, reference)
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
        raise UsageError(f"run {reference!r} could be several: {listed}")
    raise UsageError(_unknown(rows, reference))


def _beginning(rows: Rows, reference: str) -> list[str]:
    between = (reference, f"{reference}\U0010ffff")
    found = rows("SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY number DESC LIMIT 6", between)
    return [identity for (identity,) in found]


def _part(rows: Rows, reference: str) -> list[str]:
    """Runs with a part, after a hyphen, that begins so: `3f2a9c` of `20261121-064512-3f2a9c1b`."""
    if not reference.isalnum():
        return []
    like = f"%-{reference.lower()}%"
    found = rows("SELECT id FROM runs WHERE lower(id) LIKE ? ORDER BY number DESC LIMIT 6", (like,))
    return [identity for (identity,) in found]


def _latest(rows: Rows, back: int) -> str:
    found = rows("SELECT id FROM runs ORDER BY number DESC LIMIT 1 OFFSET ?", (back,))
    if found:
        return str(found[0][0])
    count = rows("SELECT count(*) FROM runs", ())[0][0]
    if not count:
        raise UsageError("no runs are recorded yet")
    raise UsageError(f"there is no run latest~{back}: {count} are recorded, the oldest is latest~{count - 1}")


def _unknown(rows: Rows, reference: str) -> str:
    recent = [row[0] for row in rows("SELECT id FROM runs ORDER BY number DESC LIMIT 200", ())]
    if not recent:
        return f"no run {reference!r}: no runs are recorded yet"
    hint = nearest(reference, [*recent, "latest"]) or f" The latest is {recent[0]}."
    return f"no run {reference!r} is recorded.{hint}"
