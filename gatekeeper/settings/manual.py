"""Settings as Markdown tables, for the documentation pages: types, defaults and the text under each field."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct

from gatekeeper.model import Gate
from gatekeeper.quantities import Budget, Duration, Percent, Quantity, Secret, Size
from gatekeeper.settings.convert import struct_class, unwrapped
from gatekeeper.settings.fields import default_of, field_docs
from gatekeeper.settings.writing import toml_value


def settings_table(gate: Gate) -> str:
    """A gate's settings as a Markdown table, and another one of what presets set."""
    if gate.settings is None:
        return "This gate has no settings of its own."
    table = struct_table(gate.settings)
    presets = _presets_table(gate.presets)
    return f"{table}\n\n{presets}" if presets else table


def struct_table(cls: type[Struct]) -> str:
    """A settings class as a Markdown table, nested tables included."""
    rows = ["| setting | takes | default | what it is |", "|---|---|---|---|"]
    for path, kind, default, doc in _rows(cls, ""):
        shown = "required" if default is NODEFAULT else _shown_default(default)
        rows.append(f"| `{path}` | {_cell(takes(kind))} | {_cell(shown)} | {_cell(doc)} |")
    return "\n".join(rows)


def _rows(cls: type[Struct], start: str) -> Iterator[tuple[str, Any, Any, str]]:
    docs = field_docs(cls)
    for field in msgspec.structs.fields(cls):
        path = f"{start}{field.encode_name}"
        yield path, field.type, default_of(field), docs.get(field.name, "")
        inner, suffix = _inner_struct(field.type)
        if inner is not None:
            yield from _rows(inner, f"{path}{suffix}.")


def _inner_struct(kind: Any) -> tuple[type[Struct] | None, str]:
    kind = unwrapped(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    inner, suffix = kind, ""
    if origin in (list, tuple):
        inner, suffix = arguments[0], "[]"
    elif origin is dict:
        inner, suffix = arguments[1], ".<name>"
    cls = struct_class(unwrapped(inner))
    return (None, "") if cls is None or issubclass(cls, Budget) else (cls, suffix)


_TAKES: dict[Any, str] = {
    str: "text",
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    Path: "path",
    Any: "anything",
    datetime: "date and time with offset",
    Duration: 'duration, `"5s"`',
    Size: 'size, `"400MB"`',
    Percent: 'percentage, `"80%"`',
    Quantity: 'number, or with unit: `"5s"`, `"80%"`',
    Secret: "text, `env:NAME` or `file:PATH`",
}


def takes(kind: Any) -> str:
    """In words, what may be written for a field of this type."""
    kind = unwrapped(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    cls = struct_class(kind)
    if cls is not None:
        return "limits: `{ warn = …, fail = … }`, or one that fails" if issubclass(cls, Budget) else "table"
    if kind in _TAKES:
        return _TAKES[kind]
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is Annotated:
        return takes(arguments[0]) + _bounds_in_words(arguments[1:])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(takes(option) for option in arguments if option is not type(None)))
    if origin is dict:
        return f"table by name, each {takes(arguments[1])}"
    if origin in (list, tuple, set, frozenset):
        return "list of tables" if struct_class(unwrapped(arguments[0])) else f"list of {takes(arguments[0])}"
    return getattr(kind, "__name__", str(kind))


def _bounds_in_words(metas: Sequence[Any]) -> str:
    words = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [f"{sign} {value}" for meta in metas if isinstance(meta, Meta)
             for name, sign in words.items() if (value := getattr(meta, name)) is not None]  # fmt: skip
    return f", {', '.join(found)}" if found else ""


def _shown_default(value: Any) -> str:
    if value is None or value in ("", (), [], {}):
        return "–"
    if isinstance(value, Struct):
        shown = toml_value(value)
        return "–" if shown == "{}" else f"`{shown}`"
    return f"`{toml_value(value)}`"


def _presets_table(presets: Mapping[str, Mapping[str, Any]]) -> str:
    flat = {name: dict(_flat(table, "")) for name, table in presets.items()}
    keys = list(dict.fromkeys(key for table in flat.values() for key in table))
    if not keys:
        return ""
    rows = [f"| preset | {' | '.join(f'`{name}`' for name in flat)} |", "|---" * (len(flat) + 1) + "|"]
    for key in keys:
        cells = [f"`{toml_value(table[key])}`" if key in table else "–" for table in flat.values()]
        rows.append(f"| `{key}` | {' | '.join(map(_cell, cells))} |")
    return "\n".join(rows)


def _flat(table: Mapping[str, Any], start: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{start}{key}.")
        else:
            yield f"{start}{key}", value


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
