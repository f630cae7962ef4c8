"""Any value as strict, bounded JSON.

Evidence comes from other people's code. Before it is kept or sent anywhere it becomes a JSON value that every
consumer can read: UTF-8 with lone surrogates written as the text of their escape, NaN and the infinities as
strings (RFC 8259 section 6 has no such numbers), bounded in depth, length and text size.
"""

import math
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

MAX_TEXT = 8_192
MAX_ITEMS = 200
MAX_DEPTH = 8

_SURROGATE = re.compile("[\ud800-\udfff]")

# Unicode's control (Cc), format (Cf: bidi overrides, invisible characters) and surrogate (Cs) characters, line
# and paragraph separators, the two that XML and YAML refuse; but not the joiners of ordinary words and emoji.
_UNPRINTABLE_CLASS = (
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
_UNPRINTABLE = re.compile(_UNPRINTABLE_CLASS)
_UNPRINTABLE_IN_LINES = re.compile(_UNPRINTABLE_CLASS.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
# What CI systems obey wherever it stands in a log (Azure: ##vso[, TeamCity, GitHub before ::) or at a line's start.
_COMMAND = re.compile(r"#(?=#(?:vso|teamcity)?\[)")
_LEADING_COMMAND = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, newlines: bool = False) -> str:
    r"""`text` as any terminal, log or file can show it without being told what to do.

    Control characters, ESC and CR too, bidi overrides, invisible characters and lone surrogates are shown as
    their escapes (`\x1b`, `\u202e`); so is a character of what a CI system would take for a command. `newlines`
    keeps line breaks and tabs, for text of several lines.
    """
    if "##" in text:
        text = _COMMAND.sub(r"\\x23", text)
    if not newlines:
        return text if text.isprintable() else _UNPRINTABLE.sub(_escape, text)
    if "::" in text:
        text = _LEADING_COMMAND.sub(r"\1\\x3a", text)
    return text if text.isprintable() else _UNPRINTABLE_IN_LINES.sub(_escape, text.replace("\r\n", "\n"))


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if code < 0x100:
        return _SHORT.get(character) or f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def strict_json(record: Any) -> bytes:
    """A record as JSON that is strict UTF-8, also where a path or variable brought a lone surrogate into it."""
    import msgspec

    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:
        return msgspec.json.encode(_without_surrogates(msgspec.to_builtins(record)))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub(_escape, value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return [_without_surrogates(item) for item in value] if isinstance(value, list | tuple) else value


def text(value: object, limit: int = MAX_TEXT) -> str:
    """`str(value)` that any UTF-8 consumer can hold, cut in the middle beyond `limit` characters.

    A value whose `__str__` raises is described instead.
    """
    if isinstance(value, str):
        result = str.__str__(value)
    else:
        try:
            result = str(value)
        except Exception as error:
            result = f"<{type(value).__name__} whose str() raised {type(error).__name__}>"
    if len(result) > limit:
        half = limit // 2
        result = f"{result[:half]}… {len(result) - 2 * half} characters cut …{result[-half:]}"
    if not result.isascii():
        result = _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", result)
    return result


def plain(value: Any, depth: int = MAX_DEPTH) -> Any:
    """`value` as JSON: None, bool, int, float, str, list or dict with str keys.

    Integers beyond 64 bits become text (most readers would round them); whatever JSON has no word for becomes
    `text(repr(value))`. Longer collections end with a note of how many items were cut.
    """
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str:
        return text(value)
    if kind is int:
        return value if -(2**63) <= value < 2**63 else _digits(value)
    if kind is float:
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, bool | int | float | str):
        base = str if isinstance(value, str) else float if isinstance(value, float) else int
        return plain(base(value), depth)
    if isinstance(value, Mapping | list | tuple | AbstractSet):
        return _collection(value, depth)
    if hasattr(value, "isoformat"):
        return text(value.isoformat())
    if isinstance(value, BaseException):
        return text(f"{kind.__name__}: {text(value)}")
    if hasattr(value, "__fspath__"):
        return text(value)
    try:
        return text(repr(value))
    except Exception as error:
        return f"<{kind.__name__} whose repr() raised {type(error).__name__}>"


def _digits(value: int) -> str:
    # str() of a huge int is quadratic and capped by the interpreter; its size says enough
    return str(value) if value.bit_length() < 10_000 else f"<int of {value.bit_length()} bits>"


def _collection(value: Any, depth: int) -> Any:
    if depth <= 0:
        return f"<{type(value).__name__} nested too deeply>"
    cut = len(value) - MAX_ITEMS
    if isinstance(value, Mapping):
        taken = [item for item, _ in zip(value.items(), range(MAX_ITEMS), strict=False)]
        result = {text(key, 200): plain(item, depth - 1) for key, item in taken}
        if cut > 0:
            result["…"] = f"{cut} more"
        return result
    items = sorted(value, key=repr) if isinstance(value, AbstractSet) else value
    listed = [plain(item, depth - 1) for item, _ in zip(items, range(MAX_ITEMS), strict=False)]
    if cut > 0:
        listed.append(f"… {cut} more")
    return listed
