"""A JSON configuration, strictly: an object, no comments, no key twice, no NaN."""

import json
from typing import Any

from gatekeeper.errors import UsageError


class _RefusedError(ValueError):
    """What RFC 8259 leaves open and a configuration must not have."""


def read(text: str, label: str) -> dict[str, Any]:
    """The document.

    Raises:
        UsageError: with the line.
    """
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise UsageError(f"{label}:{error.lineno}  {_explained(error)}") from None
    except _RefusedError as error:
        raise UsageError(_located(text, label, error)) from None
    except (RecursionError, ValueError) as error:
        reason = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{label}: {reason}") from None
    if not isinstance(data, dict):
        raise UsageError(f"{label}: expected a JSON object, got {type(data).__name__}")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _RefusedError("key", twice)
    return result


def _constant(name: str) -> float:
    raise _RefusedError("constant", name)


def _explained(error: json.JSONDecodeError) -> str:
    rest = error.doc[error.pos :].lstrip()
    for start in ("//", "/*", "#"):
        if rest.startswith(start):
            return (
                f'is not valid JSON: it has no comments, and here is one ("{start}"). '
                "Remove it, or write the file as TOML, where comments start with #"
            )
    return f"is not valid JSON: {error.msg[:1].lower()}{error.msg[1:]} (column {error.colno})"


def _located(text: str, label: str, error: _RefusedError) -> str:
    from gatekeeper.settings.locate import constant_line, duplicate_line

    kind, name = error.args
    if kind == "key":
        first, second = duplicate_line(text, name)
        return f'{label}:{second}  key "{name}" is there twice; the first is in line {first}'
    return (
        f"{label}:{constant_line(text, name)}  {name} is no JSON number; leave the key out, or give a number"
    )
