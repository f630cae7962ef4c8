"""What a flow is given and what it returns, as gates are told it: JSON texts, and files by their paths.

Nothing is pickled. A value that can't be told whole is not told in part, which would be judged as if it were all:
whoever asks for it is told why it isn't there.
"""

import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any

from gatekeeper.plain import plain, strict_json, text
from gatekeeper.rundata import MISSING

LARGEST = 16_000_000
"""Characters of one value's JSON, about."""
DEEPEST = 64
MOST_NAMES = 1_000

_INSTEAD = "write it to a file and give its Path, or give a summary of it"


class Unfit(Exception):
    """A value that gates can't be told, and why."""


def told(values: Any, alone: str) -> dict[str, str]:
    """Inputs or outputs by name: a mapping with text keys has several, None has none, anything else is one, `alone`.

    JSON values are told as they are; dataclasses and models (pydantic, msgspec, attrs) as their fields; a
    `pathlib.Path` as its file; what JSON has no word for as its text, cut at 8,192 characters.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        return {alone: _told(values)}
    try:
        named = {**values}
    except Exception as error:
        return {alone: _refused(error)}
    if not all(isinstance(name, str) for name in named):
        return {alone: _told(named)}
    if len(named) > MOST_NAMES:
        return {alone: f"{MISSING}{len(named):,} names are too many: {_INSTEAD}"}
    return {name: _told(value) for name, value in named.items()}


def _told(value: Any) -> str:
    try:
        if isinstance(value, os.PathLike):
            return f"@{os.path.abspath(os.fsdecode(value))}"
        return strict_json(_Teller().tell(value)).decode()
    except Exception as error:  # the value's own code may do anything, and the flow must not end for it
        return _refused(error)


def _refused(error: Exception) -> str:
    if isinstance(error, Unfit):
        return f"{MISSING}{error}"
    return f"{MISSING}it could not be read: {type(error).__name__}: {text(error, 200)}"


class _Teller:
    """Makes JSON of a value, and stops where there is too much of it."""

    def __init__(self) -> None:
        self._left = LARGEST

    def tell(self, value: Any, depth: int = DEEPEST) -> Any:
        self._take(2)
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, str):
            self._take(len(value))
            return str.__str__(value)
        if value is None or isinstance(value, bool | int | float):
            return plain(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if depth <= 0:
            raise Unfit(f"it is nested more than {DEEPEST} levels deep, or holds itself")
        fields = _fields(value)
        if isinstance(fields, Mapping):
            return self._mapping(fields, depth)
        if isinstance(value, Sequence):
            return [self.tell(item, depth - 1) for item in value]
        if isinstance(value, AbstractSet):
            return sorted((self.tell(item, depth - 1) for item in value), key=repr)
        return self._number(value)

    def _mapping(self, fields: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        result = {}
        for key, item in fields.items():
            name = self.tell(key if isinstance(key, str) else text(key, 200))
            if name in result:
                raise Unfit(f"two of its keys are {name!r} as text")
            result[name] = self.tell(item, depth - 1)
        return result

    def _number(self, value: Any) -> Any:
        """Numbers that are none of Python's own (NumPy's), or else the text."""
        import numbers

        if isinstance(value, numbers.Integral):
            return plain(int(value))
        if isinstance(value, numbers.Real):
            return plain(float(value))
        shown = value.isoformat() if hasattr(value, "isoformat") else text(value)
        self._take(len(shown))
        return shown

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Unfit(f"it has more than {LARGEST:,} characters as JSON: {_INSTEAD}")


def _fields(value: Any) -> Any:
    """What an object of fields holds, as a mapping; another value is itself."""
    kind = type(value)
    if isinstance(value, Mapping):
        return value
    if hasattr(kind, "__struct_fields__"):
        return {name: getattr(value, name) for name in kind.__struct_fields__}
    if hasattr(kind, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in kind.__dataclass_fields__}
    if hasattr(kind, "__attrs_attrs__"):
        return {attribute.name: getattr(value, attribute.name) for attribute in kind.__attrs_attrs__}
    return value.model_dump() if callable(getattr(kind, "model_dump", None)) else value
