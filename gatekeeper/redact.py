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
    """A JSON record without the secrets, in whichever text of it they stand.

    What makes the record what it is stays (its keys, ids, statuses): a secret such as `pass` must not break it.
    """
    texts = [secret.decode("utf-8", "replace") for secret in secrets]
    if not any(msgspec.json.encode(text)[1:-1] in document for text in texts):
        return document
    return msgspec.json.encode(_record(msgspec.json.decode(document), texts))


_KEPT = frozenset({"id", "phase", "status", "requirement", "blocked_by"})
"""Texts that are the record's own."""

_FREE = frozenset({"evidence", "observed", "limit"})
"""What a gate fills as it likes: keys are texts like others, and a number may be a secret."""


def _record(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, dict):
        return {key: _entry(key, item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_record(item, secrets) for item in value]
    return _without(value, secrets) if isinstance(value, str) else value


def _entry(key: str, value: Any, secrets: list[str]) -> Any:
    if key in _KEPT and isinstance(value, str):
        return value
    return _free(value, secrets) if key in _FREE else _record(value, secrets)


def _free(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, dict):
        return {_without(key, secrets): _free(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_free(item, secrets) for item in value]
    if type(value) in (int, float) and str(value) in secrets:
        return STARS
    return _without(value, secrets) if isinstance(value, str) else value


def _without(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, STARS)
    return text
