"""JSON Schema of a configuration, for editors: types, defaults and the text under each field."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct

from gatekeeper.model import PHASES, Gate
from gatekeeper.quantities import PARSED, Budget, Quantity, Secret
from gatekeeper.settings.convert import encode, struct_class, unwrapped
from gatekeeper.settings.fields import default_of, field_docs, summary_of
from gatekeeper.settings.resolve import GateOptions
from gatekeeper.settings.tables import Tables
from gatekeeper.settings.writing import written

DRAFT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def json_schema(gates: Sequence[Gate]) -> Schema:
    """JSON Schema (draft 2020-12) of a configuration that may have tables for these gates."""
    tables: Schema = struct_schema(Tables)["properties"]
    tables["gates"] = {"$ref": "#/$defs/gates"}
    overlay = {"type": "object", "properties": tables, "additionalProperties": False}
    profiles = {
        "description": "Tables that are laid over the others, chosen by --profile or GATEKEEPER_PROFILE.",
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/profile"},
    }
    return {
        "$schema": DRAFT,
        "title": "gatekeeper",
        "description": summary_of(Tables),
        "type": "object",
        "properties": {"$schema": {"type": "string"}, **tables, "profiles": profiles},
        "additionalProperties": False,
        "$defs": {"profile": overlay, "gates": _gates_schema(gates), **{g.id: gate_schema(g) for g in gates}},
    }


def _gates_schema(gates: Sequence[Gate]) -> Schema:
    properties: Schema = {}
    names = [gate.name for gate in gates]
    for gate in gates:
        reference = {"$ref": f"#/$defs/{gate.id}"}
        properties[gate.id] = reference
        if names.count(gate.name) == 1:
            properties[gate.name] = reference
    for phase in PHASES:
        if phase not in names:
            inside = {gate.name: {"$ref": f"#/$defs/{gate.id}"} for gate in gates if gate.phase == phase}
            properties[phase] = {"type": "object", "properties": inside, "additionalProperties": False}
    return {
        "description": "One table for each gate, by its name or id.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def gate_schema(gate: Gate) -> Schema:
    """The schema of one gate's table, with what every gate's may have."""
    own: Schema = struct_schema(gate.settings) if gate.settings else {"type": "object", "properties": {}}
    options = struct_schema(GateOptions)["properties"]
    return {
        **own,
        "description": gate.title or own.get("description", ""),
        "properties": {**own["properties"], **options},
        "additionalProperties": False,
    }


def struct_schema(cls: type[Struct]) -> Schema:
    """The schema of a settings class as a table."""
    docs = field_docs(cls)
    properties, required = {}, []
    for field in msgspec.structs.fields(cls):
        schema = type_schema(field.type)
        if field.name in docs:
            schema = {
                **schema,
                "description": " ".join(filter(None, (docs[field.name], _expected(field.type)))),
            }
        default = default_of(field)
        if default is NODEFAULT:
            required.append(field.encode_name)
        elif default is not None and default not in ((), [], {}, "") and not isinstance(default, Struct):
            schema = {**schema, "default": msgspec.to_builtins(written(default), enc_hook=encode)}
        properties[field.encode_name] = schema
    result = {
        "description": summary_of(cls),
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return {**result, "required": required} if required else result


def _expected(kind: Any) -> str:
    kind = unwrapped(kind)
    return f"Write {kind.expected}." if kind in PARSED else ""


_PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    Path: {"type": "string"},
    Secret: {"type": "string", "description": Secret.expected},
    dict: {"type": "object"},
    list: {"type": "array"},
    Any: {},
}
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum",
           "multiple_of": "multipleOf", "pattern": "pattern"}  # fmt: skip


def type_schema(kind: Any) -> Schema:
    """The schema of what may be written for a field of this type."""
    kind = unwrapped(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if (cls := struct_class(kind)) is not None:
        table = struct_schema(cls)
        return {"anyOf": [type_schema(Quantity), table]} if issubclass(cls, Budget) else table
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if kind in PARSED:
        return {"type": ["number", "string"], "description": kind.expected}
    if origin is Literal:
        return {"enum": [*arguments]}
    if origin is Annotated:
        return _bounded(type_schema(arguments[0]), arguments[1:])
    if origin in (Union, UnionType):
        return {"anyOf": [type_schema(option) for option in arguments if option is not type(None)]}
    if origin is dict:
        return {"type": "object", "additionalProperties": type_schema(arguments[1])}
    if origin in (list, tuple, set, frozenset):
        return {"type": "array", "items": type_schema(arguments[0])}
    return {}


def _bounded(schema: Schema, metas: Sequence[Any]) -> Schema:
    sizes = "Items" if schema.get("type") == "array" else "Length"
    for meta in metas:
        if isinstance(meta, Meta):
            found = {word: getattr(meta, name) for name, word in _BOUNDS.items()}
            found |= {f"min{sizes}": meta.min_length, f"max{sizes}": meta.max_length}
            schema = {**schema, **{word: value for word, value in found.items() if value is not None}}
    return schema
