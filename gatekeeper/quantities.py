"""Quantities as people write them in a configuration, and what they mean.

`"5s"`, `"400MB"`, `"80%"` are read into plain numbers in base units (seconds, bytes, ratio), so that gates
compute with floats and reports print them back as people wrote them. Each type here can stand as the annotation
of a settings field; a wrong text is a `ValueError` that says what was expected.
"""

import math
import re
from typing import Any, ClassVar, Literal

from msgspec import Struct

_NUMBER = re.compile(r"\s*([+-]?(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-zµ%]*)\s*")

TIME_UNITS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0,
    "h": 3600.0, "d": 86400.0, "w": 604800.0,
}  # fmt: skip
SIZE_UNITS = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip


def _number(value: Any, expected: str) -> tuple[float, str]:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"expected {expected}, got {type(value).__name__} {value!r}")
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value)
        if match is None:
            raise ValueError(f"expected {expected}, got {value!r}")
        number, unit = float(match[1].replace("_", "")), match[2]
    else:
        number, unit = float(value), ""
    if not math.isfinite(number):
        raise ValueError(f"expected {expected}, got {value!r}")
    return number, unit


class Duration(float):
    """A time span in seconds, written `"5s"`, `"250ms"`, `"1.5h"`, `"2m30s"` or a number of seconds; never negative."""

    expected: ClassVar[str] = 'a duration such as "5s", "250ms" or "2m"'
    unit: ClassVar[str] = "s"

    @classmethod
    def parse(cls, value: Any) -> "Duration":
        if isinstance(value, str):
            parts = re.findall(r"[\d._]+\s*(?:ns|us|µs|ms|min|s|m|h|d|w)", value)
            if len(parts) > 1 and "".join(parts).replace(" ", "") == value.replace(" ", ""):
                return cls(sum(cls.parse(part) for part in parts))
        number, unit = _number(value, cls.expected)
        if unit and unit not in TIME_UNITS:
            raise ValueError(f"expected {cls.expected}, got {value!r}: unknown unit {unit!r}")
        if number < 0:
            raise ValueError(f"expected {cls.expected}, got a negative one: {value!r}")
        return cls(number * TIME_UNITS.get(unit, 1.0))


class Size(int):
    """A number of bytes, written `"400MB"` (10**6), `"2GiB"` (2**30) or a whole number; never negative."""

    expected: ClassVar[str] = 'a size such as "400MB" or "2GiB"'
    unit: ClassVar[str] = "B"

    @classmethod
    def parse(cls, value: Any) -> "Size":
        number, unit = _number(value, cls.expected)
        if unit and unit not in SIZE_UNITS:
            raise ValueError(f"expected {cls.expected}, got {value!r}: unknown unit {unit!r}")
        if number < 0:
            raise ValueError(f"expected {cls.expected}, got a negative one: {value!r}")
        return cls(number * SIZE_UNITS.get(unit, 1))


class Percent(float):
    """A ratio (1.0 is 100 %), written `"80%"` or `0.8`."""

    expected: ClassVar[str] = 'a percentage such as "80%" (or the ratio 0.8)'
    unit: ClassVar[str] = "ratio"

    @classmethod
    def parse(cls, value: Any) -> "Percent":
        number, unit = _number(value, cls.expected)
        if unit not in ("", "%"):
            raise ValueError(f"expected {cls.expected}, got {value!r}")
        if unit == "" and number > 1:
            raise ValueError(f'expected {cls.expected}, got {value!r}: write "{value}%" for {value} percent')
        return cls(number / 100 if unit == "%" else number)


class Quantity(float):
    """A number in base units that remembers which: `unit` is `"s"`, `"B"`, `"ratio"` or `""` for a bare number."""

    expected: ClassVar[str] = 'a number, or one with a unit such as "5s", "400MB" or "80%"'
    unit: str = ""

    @classmethod
    def parse(cls, value: Any) -> "Quantity":
        number, unit = _number(value, cls.expected)
        if unit == "%":
            number, kind = number / 100, "ratio"
        elif unit in TIME_UNITS:
            number, kind = number * TIME_UNITS[unit], "s"
        elif unit in SIZE_UNITS:
            number, kind = number * SIZE_UNITS[unit], "B"
        elif unit == "":
            kind = ""
        else:
            raise ValueError(f"expected {cls.expected}, got {value!r}: unknown unit {unit!r}")
        result = cls(number)
        result.unit = kind
        return result


class Secret(str):
    """A text that must not be shown. Written `"env:NAME"` or `"file:PATH"`; `reference` keeps what was written.

    A literal value is accepted too (and redacted the same): some are not secret at all.
    """

    reference: str = ""
    expected: ClassVar[str] = 'a text, or a reference "env:NAME" or "file:PATH"'

    @classmethod
    def parse(cls, value: Any) -> "Secret":
        import os
        from pathlib import Path

        if not isinstance(value, str):
            raise ValueError(f"expected {cls.expected}, got {type(value).__name__}")
        content = value
        if value.startswith("env:"):
            name = value.removeprefix("env:")
            if name not in os.environ:
                raise ValueError(f"environment variable {name} is not set")
            content = os.environ[name]
        elif value.startswith("file:"):
            path = Path(value.removeprefix("file:"))
            try:
                content = path.read_text("utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"secret file {path} can't be read: {error}") from None
        result = cls(content)
        result.reference = value if content is not value else ""
        return result

    def __repr__(self) -> str:
        return f"Secret({self.reference or '***'!r})"


PARSED: tuple[type, ...] = (Duration, Size, Percent, Quantity, Secret)


class Budget(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of one measured quantity: where it warns, where it fails, and which direction is worse.

    A value equal to a limit is still within it.
    """

    warn: Quantity | None = None
    fail: Quantity | None = None
    worse: Literal["higher", "lower"] = "higher"

    def __post_init__(self) -> None:
        warn, fail = self.warn, self.fail
        if warn is None or fail is None:
            return
        if warn.unit != fail.unit:
            raise ValueError(
                f"warn and fail have different units ({warn.unit or 'none'} and {fail.unit or 'none'})"
            )
        if (warn > fail) if self.worse == "higher" else (warn < fail):
            beyond = "above" if self.worse == "higher" else "below"
            raise ValueError(f"impossible pair of limits: warn is {beyond} fail, so it would never warn")

    @property
    def unit(self) -> str:
        limit = self.fail if self.fail is not None else self.warn
        return "" if limit is None else limit.unit

    def exceeded(self, value: float) -> Quantity | None:
        """The worst limit that `value` is beyond; None where it is within all there are."""
        for limit in (self.fail, self.warn):
            if limit is not None and (value > limit if self.worse == "higher" else value < limit):
                return limit
        return None

    def expect(self, name: str, *units: str) -> None:
        """For `__post_init__` of a settings class: refuse limits in another unit than `units`.

        Raises:
            ValueError: names the setting, the unit and the units that fit.
        """
        if (self.warn is not None or self.fail is not None) and self.unit not in units:
            words = {"": "a bare number", "s": "a duration", "B": "a size", "ratio": "a percentage"}
            fits = " or ".join(words[unit] for unit in units)
            raise ValueError(f"{name} takes {fits}, got {words[self.unit]}")


class Floor(Budget, frozen=True, forbid_unknown_fields=True):
    """Limits of a quantity of which too little is bad (free space, CPUs): its `worse` is always `"lower"`."""

    worse: Literal["lower"] = "lower"


def show(value: Any, unit: str | None = None) -> str:
    """A value with its unit as people read it: `230 ms`, `4.2 GB`, `83 %`; other values as short text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _short(value)
    if unit == "ratio":
        return f"{_digits(value * 100)} %"
    if unit == "s":
        return _duration(value)
    if unit == "B":
        for name, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
            if abs(value) >= size:
                return f"{_digits(value / size)} {name}"
        return f"{_digits(value)} B"
    number = f"{value:d}" if isinstance(value, int) else _digits(value)
    return f"{number} {unit}" if unit else number


def _digits(value: float) -> str:
    if not math.isfinite(value):
        return f"{value:g}"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _duration(value: float) -> str:
    size = abs(value)
    if size >= 172_800:
        return f"{_digits(value / 86400)} d"
    if size >= 7200:
        return f"{_digits(value / 3600)} h"
    if size >= 120:
        return f"{_digits(value / 60)} min"
    if size >= 1 or size == 0:
        return f"{_digits(value)} s"
    if size >= 1e-3:
        return f"{_digits(value * 1e3)} ms"
    return f"{_digits(value * 1e6)} µs"


def _short(value: Any, limit: int = 160) -> str:
    import json

    if isinstance(value, str):
        return value if len(value) <= limit else f"{value[: limit - 1]}…"
    try:
        rendered = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        rendered = repr(value)
    return rendered if len(rendered) <= limit else f"{rendered[: limit - 1]}…"
