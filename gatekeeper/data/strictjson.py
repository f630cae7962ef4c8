"""JSON that says one thing only: no duplicate keys, no NaN, nothing too deep (RFC 8259, and I-JSON, RFC
7493, 2.3).

msgspec decodes fast and refuses most of what is wrong, but keeps the last of duplicate keys. That one was
dropped can be counted: outside strings there is one colon for each member, and text inside strings is the
same in the source and in the value (unless it is written as an escape). More colons in the source than in
the value is a dropped member.
"""

import re
from typing import Any

import msgspec
from msgspec import Struct

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:]|-?\d[\d.eE+-]*', re.DOTALL)
_NO_NUMBER = re.compile(rb"-?(NaN|Infinity|inf)", re.IGNORECASE)
_LONE_SURROGATE = re.compile(rb"(?<!\\)\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")
_OFFSET = re.compile(r"\(byte (\d+)\)")
_NO_OPENING = bytes(set(range(256)) - set(b"[{\n"))
_encode = msgspec.json.Encoder().encode


class Fault(Struct, frozen=True):
    """What is wrong, and at which byte."""

    offset: int
    message: str


def decode(data: bytes, depth: int) -> Any:
    """The value of a JSON text, or the first `Fault` in it. A `Fault` is never a JSON value."""
    try:
        value = msgspec.json.decode(data)
    except RecursionError:
        return scan(data, depth) or Fault(0, "is nested too deeply")
    except UnicodeDecodeError as error:
        return _not_utf8(data, error)
    except msgspec.DecodeError as error:
        return _malformed(data, error, depth)
    if too_deep(value, depth) or not _every_member(data, value):
        return scan(data, depth) or value
    return value


def _every_member(data: bytes, value: Any) -> bool:
    return b"\\u003" not in data and data.count(b":") == _encode(value).count(b":")


def too_deep(value: Any, depth: int) -> bool:
    """Whether more than `depth` arrays and objects lie in each other."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        level = [
            item
            for holder in level
            for item in (holder.values() if type(holder) is dict else holder)
            if type(item) is dict or type(item) is list
        ]
        if not level:
            return False
    return bool(level)


def unsuspicious(text: bytes, lines: list[bytes], records: list[Any], depth: int) -> bool:
    """Whether lines of JSON surely hold no duplicate key and nothing too deep; a cheap test of many at once.

    `text` is all `lines`, `records` what they say.
    """
    if max(map(len, lines)) >= 2 * depth + 2:  # every level opens and closes
        openings = text.translate(None, _NO_OPENING).split(b"\n")
        if max(map(len, openings)) > depth:
            return False
    if b"\\" in text and b"\\u003" in text:
        return False
    colons = text.count(b":")
    return _colons_at_least(records) == colons or _encode(records).count(b":") == colons


def _colons_at_least(records: list[Any]) -> int:
    """A lower bound of the colons that the text of `records` has: exact for flat records and uniform ones without
    colons in strings, for which encoding them again would take longer.
    """
    if set(map(type, records)) != {dict}:
        return -1
    count = sum(map(len, records))
    for key, value in records[0].items():
        if type(value) is dict:
            column = [record.get(key) for record in records]
            if set(map(type, column)) != {dict}:
                break
            count += sum(map(len, column))
    return count


def scan(data: bytes, depth: int) -> Fault | None:
    """The first duplicate key, number out of range, or value nested too deeply, token by token."""
    keys: list[set[bytes] | None] = []
    text: re.Match[bytes] | None = None
    for token in _TOKEN.finditer(data):
        kind = token[0][:1]
        if kind == b'"':
            text = token
        elif kind == b":":
            if text is not None and keys and (known := keys[-1]) is not None:
                key = _key(text[0])
                if key in known:
                    shown = key.decode("utf-8", "replace")
                    return Fault(
                        text.start(), f"duplicate key {shown if len(shown) < 100 else shown[:99] + '…'}"
                    )
                known.add(key)
        elif kind in b"{[":
            keys.append(set() if kind == b"{" else None)
            if len(keys) > depth:
                return Fault(token.start(), f"is nested more than {depth} levels deep")
        elif kind in b"}]":
            if keys:
                keys.pop()
        elif (fault := _number(token)) is not None:
            return fault
    return None


def _key(literal: bytes) -> bytes:
    r"""A key's text in one spelling: `"a"` and `"\u0061"` are the same key."""
    if b"\\" not in literal:
        return literal
    try:
        return _encode(msgspec.json.decode(literal))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return literal


def _number(token: re.Match[bytes]) -> Fault | None:
    shown = token[0][:40].decode("ascii")
    try:
        if len(token[0]) > 4300 or float(token[0]) in (float("inf"), float("-inf")):
            return Fault(token.start(), f"number {shown}{'…' if len(token[0]) > 40 else ''} is out of range")
    except ValueError:
        return Fault(token.start(), f"malformed number {shown}")
    return None


def _not_utf8(data: bytes, error: UnicodeDecodeError) -> Fault:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as exact:
        return Fault(exact.start, f"byte 0x{data[exact.start]:02x} is not UTF-8")
    return Fault(0, f"is not UTF-8: {error.reason}")


def _malformed(data: bytes, error: msgspec.DecodeError, depth: int) -> Fault:
    message = str(error)
    found = _OFFSET.search(message)
    if (lone := _LONE_SURROGATE.search(data)) is not None:
        return Fault(
            lone.start(), f"{lone[0].decode()} is half a character (a lone surrogate), which UTF-8 can't hold"
        )
    if found is None:
        return scan(data, depth) or Fault(
            len(data), _words(message) if data.strip() else "is empty, expected JSON"
        )
    offset = min(int(found[1]), len(data))
    if (word := _NO_NUMBER.match(data, offset)) is not None:
        return Fault(offset, f"{word[0].decode()} is not JSON: write null, or a number")
    if data[offset : offset + 1] == b"\x00":
        return Fault(offset, "a NUL byte: is this a binary file, or UTF-16?")
    return Fault(offset, _words(_OFFSET.sub("", message)))


def _words(message: str) -> str:
    if "truncated" in message:
        return "ends in the middle of a JSON value"
    return f"is no JSON: {message.removeprefix('JSON is malformed: ').strip()}"


def line_of(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1
