"""Values as a configuration has them: TOML, with units as people write them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from gatekeeper.quantities import Secret
from gatekeeper.settings.fields import default_of
from gatekeeper.settings.problems import BARE

UNITS: dict[str, Sequence[tuple[str, float]]] = {
    "s": (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1), ("ms", 1e-3), ("us", 1e-6)),
    "B": (
        ("GiB", 2**30),
        ("MiB", 2**20),
        ("GB", 10**9),
        ("MB", 10**6),
        ("KiB", 2**10),
        ("kB", 10**3),
        ("B", 1),
    ),
}


def written(value: Any) -> Any:
    """A value as a configuration would have it: `Duration(30)` as `"30s"`; others unchanged."""
    if isinstance(value, Secret):
        return value.reference or "***"
    unit = getattr(value, "unit", "") if isinstance(value, float | int) else ""
    if unit == "ratio":
        return f"{round(float(value) * 100, 6):g}%"
    for name, size in UNITS.get(unit, ()) if value else ():
        count = float(value) / size
        if abs(count - round(count)) < 1e-9 and count >= 1:
            return f"{round(count)}{name}"
    return f"0{unit}" if unit in UNITS and not value else value


def toml_value(value: Any) -> str:
    """A value as TOML, on one line."""
    value = written(value)
    if isinstance(value, Struct):
        fields = {f.encode_name: getattr(value, f.name) for f in msgspec.structs.fields(value)}
        value = {
            key: item
            for key, item in fields.items()
            if item is not None and item != _plain_default(value, key)
        }
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, int | float):
        return repr(float(value)) if isinstance(value, float) and value != int(value) else str(int(value))
    if isinstance(value, datetime):
        return value.isoformat()
    return toml_text(str(value))


def toml_text(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL, which TOML wants escaped."""
    import json

    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(key: str) -> str:
    """A key of a TOML table, quoted where it must be."""
    return key if BARE.fullmatch(key) else toml_text(key)


def _plain_default(value: Struct, key: str) -> Any:
    return next(default_of(field) for field in msgspec.structs.fields(value) if field.encode_name == key)
