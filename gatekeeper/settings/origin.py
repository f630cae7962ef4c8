"""Where each value comes from, and one digest of them all."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gatekeeper.model import Gate
from gatekeeper.plugins import source_of
from gatekeeper.settings.convert import encode
from gatekeeper.settings.layers import ABSENT, Part, Path, lookup
from gatekeeper.settings.problems import dotted
from gatekeeper.settings.resolve import GateOptions, Resolved, parts_by_gate, preset_of, resolve
from gatekeeper.settings.tables import Settings, Tables


class Row(Struct, frozen=True):
    """One effective value: its path, the value as JSON, as TOML (empty: not set), and where it was set.

    Secrets stand as their reference.
    """

    path: str
    value: Any
    shown: str
    origin: str


def origins(settings: Settings, gates: Sequence[Gate]) -> list[Row]:
    """Every effective value: those of the program first, then each gate's."""
    parts = [Part(layer, (), layer.data) for layer in settings.layers]
    rows = [
        _row(path, value, _from(parts, {}, path, value) or "default")
        for name in Tables.__struct_fields__
        if name != "gates"
        for path, value in leaves(getattr(settings, name), (name,))
    ]
    resolved = resolve(settings, gates, secrets_of=())
    return rows + [row for gate in gates for row in gate_origins(settings, gate, gates, resolved[gate.id])]


def gate_origins(
    settings: Settings,
    gate: Gate,
    gates: Sequence[Gate],
    resolved: Resolved | None = None,
    *,
    full: bool = True,
) -> list[Row]:
    """The effective values of one gate; `gates` are all there are. `full` paths start with `gates.<name>`."""
    resolved = resolved or resolve(settings, gates, secrets_of=())[gate.id]
    parts = parts_by_gate(settings, gates, [])[gate.id]
    table = gate.name if [other.name for other in gates].count(gate.name) == 1 else gate.id
    start: Path = ("gates", table) if full else ()
    rows = []
    for path, value in leaves(resolved.values, ()) if gate.settings is not None else ():
        origin = _from(parts, preset_of(settings, gate), path, value, settings.preset) or "default"
        rows.append(_row((*start, *path), value, origin))
    for option in GateOptions.__struct_fields__:
        value, origin = _option(settings, gate, resolved.options, option, parts)
        rows.append(_row((*start, option), value, origin))
    return rows


def _option(
    settings: Settings, gate: Gate, options: GateOptions, name: str, parts: Sequence[Part]
) -> tuple[Any, str]:
    """An option's effective value: the table's, else the decorator's, else the run's."""
    value = getattr(options, name)
    origin = _from(parts, preset_of(settings, gate), (name,), value, settings.preset)
    if origin is not None:
        return value, origin
    declared = getattr(gate, name, None)
    if declared is not None:
        return declared, str(source_of(gate, settings.root))
    if name in settings.run.__struct_fields__:
        whole = [Part(layer, (), layer.data) for layer in settings.layers]
        value = getattr(settings.run, name)
        return value, _from(whole, {}, ("run", name), value) or "default"
    return ("required" if name == "requirement" else value), "default"


def _from(
    parts: Sequence[Part], preset: Mapping[str, Any], path: Path, value: Any, preset_name: str | None = None
) -> str | None:
    """The highest origin of a path, or of what stands in its place; None where nothing sets it."""
    for part in reversed(parts):
        known = _known(part.data, path, value)
        if known is not None:
            return part.origin(known)
    return f"preset {preset_name}" if preset and _known(preset, path, value) is not None else None


def _known(data: Any, path: Path, value: Any) -> Path | None:
    """How much of the path a tree has, if that sets its value: all of it, or a value in a table's place."""
    if lookup(data, path) is not ABSENT:
        return path
    for length in range(len(path) - 1, 0, -1):
        found = lookup(data, path[:length])
        if found is ABSENT:
            continue
        replaced = not isinstance(found, Mapping | list)  # memory = "90%" for memory.fail
        dropped = (
            value is None and isinstance(found, Mapping) and "fail" in found
        )  # see convert: a lone fail limit
        return path[:length] if replaced or dropped else None
    return None


def leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """The values in settings objects, each with its path in a configuration; a list is one value."""
    if isinstance(value, Struct):
        for field in msgspec.structs.fields(value):
            yield from leaves(getattr(value, field.name), (*path, field.encode_name))
    elif isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    else:
        yield path, value


def _row(path: Path, value: Any, origin: str) -> Row:
    from gatekeeper.settings.writing import toml_value

    shown = "" if value is None else toml_value(value)
    return Row(dotted(path), msgspec.to_builtins(value, enc_hook=encode), shown, origin)


def digest(settings: Settings, resolved: Mapping[str, Resolved]) -> str:
    """`sha256:…` over the effective configuration: what decides is in it, where history is kept is not.

    Secrets count by their reference, so that it is the same on every machine, and tells nothing.
    """
    import hashlib

    general = {
        name: getattr(settings, name) for name in Tables.__struct_fields__ if name not in ("gates", "store")
    }
    document = {**general, "gates": dict(resolved)}
    encoded = msgspec.json.encode(document, enc_hook=encode, order="deterministic")
    return f"sha256:{hashlib.sha256(encoded).hexdigest()}"
