"""Text of gates on its way into the page: printable, and cut to a length. The template escapes it."""

from typing import Any

import msgspec

from gatekeeper import printable, show, strict_json

MOST = 2_000
"""Characters of one text."""


def cut(text: str, most: int = MOST) -> str:
    """The beginning of a text that is longer than `most` characters, and how much is missing."""
    shown = printable(text[:most], newlines=True)
    missing = max(len(text), len(shown)) - most  # escapes are longer than what they stand for
    return shown if missing <= 0 else f"{shown[:most]}… ({missing:,} more characters)"


def tail(text: str, most: int) -> str:
    """The end of a text, for logs: what came last says most."""
    text = text.rstrip()
    shown = printable(text[-most:], newlines=True)
    missing = max(len(text), len(shown)) - most
    return shown if missing <= 0 else f"({missing:,} characters before this)\n{shown[-most:]}"


def evidence(value: Any) -> str:
    """A piece of evidence in full: text as it is, numbers as people read them, collections as JSON.

    A list is as short as can be read: plain values one after the other, records a line each.
    """
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, dict) and not any(isinstance(each, dict | list) for each in value.values()):
        return cut("\n".join(f"{key}: {show(each)}" for key, each in value.items()))
    if isinstance(value, list) and all(_is_flat(each) for each in value):
        lines = [strict_json(each).decode() for each in value]
        return cut(("\n" if any(isinstance(each, dict | list) for each in value) else ", ").join(lines))
    if isinstance(value, dict | list):
        return cut(msgspec.json.format(strict_json(value), indent=2).decode())
    return show(value)


def _is_flat(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not any(isinstance(each, dict | list) for each in inner)
