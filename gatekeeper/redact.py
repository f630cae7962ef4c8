"""Secrets of the configuration, kept out of everything that a run says.

A gate may print or report a secret that it was given. Every text of a run passes through here, as JSON, before it is
shown or kept.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from gatekeeper.quantities import Secret

SHORTEST = 4
"""Shorter secrets are left alone: replacing each `a` would hide nothing and garble everything."""

STARS = "***"


def secrets_in(values: Iterable[Any]) -> tuple[bytes, ...]:
    """The secrets in settings objects, UTF-8; longest first, so that none hides in another."""
    found = {str(secret) for value in values for secret in _walk(value)}
    encoded = {text.encode("utf-8", "surrogatepass") for text in found if len(text) >= SHORTEST}
    return tuple(sorted(encoded, key=len, reverse=True))


def _walk(value: Any) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _walk(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _walk(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _walk(item)


def redact(document: bytes, secrets: Iterable[bytes]) -> bytes:
    """A JSON document without the secrets, in whichever text or number of it they stand.

    What makes the record what it is stays: its own keys, ids, statuses. Else a secret such as `pass` would break it.
    """
    wanted = [(secret, msgspec.json.encode(secret.decode("utf-8", "replace"))[1:-1]) for secret in secrets]
    if not any(encoded in document for _, encoded in wanted):
        return document
    texts = [secret.decode("utf-8", "replace") for secret, _ in wanted]
    return msgspec.json.encode(_redacted(msgspec.json.decode(document), texts))


KEPT = frozenset({"id", "phase", "status", "requirement", "duration_s", "number", "n", "line", "blocked_by", "dropped"})
"""Keys of a result, and of what it holds, whose values are the record's own."""

FREE = frozenset({"evidence", "observed", "limit", "facts", "saved"})
"""Keys below which everything is a gate's, keys too."""


def _redacted(value: Any, secrets: list[str], free: bool = False) -> Any:
    if isinstance(value, str):
        return _without(value, secrets)
    if isinstance(value, list):
        return [_redacted(item, secrets, free) for item in value]
    if isinstance(value, dict):
        return {
            (_without(key, secrets) if free else key): item
            if key in KEPT and not free
            else _redacted(item, secrets, free or key in FREE)
            for key, item in value.items()
        }
    if free and isinstance(value, int | float) and not isinstance(value, bool) and str(value) in secrets:
        return STARS
    return value


def _without(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, STARS)
    return text
