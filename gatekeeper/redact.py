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

STARS = b"***"


def secrets_in(values: Iterable[Any]) -> tuple[bytes, ...]:
    """The secrets in settings objects, as they stand inside JSON text; longest first, so that none hides in another."""
    found = {str(secret) for value in values for secret in _walk(value)}
    encoded = {msgspec.json.encode(text)[1:-1] for text in found if len(text) >= SHORTEST}
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
    """A JSON document without the secrets."""
    for secret in secrets:
        document = document.replace(secret, STARS)
    return document
