"""From raw tables to each gate's settings object and options."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gatekeeper.errors import UsageError, nearest
from gatekeeper.model import PHASES, Gate, Requirement, Severity
from gatekeeper.quantities import Duration
from gatekeeper.settings.convert import Problem, convert
from gatekeeper.settings.environment import assign, same, spelled
from gatekeeper.settings.layers import Layer, Part, Path, lookup, merge
from gatekeeper.settings.problems import dotted, line
from gatekeeper.settings.tables import Count, Settings


class GateOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """What every gate's table may have beside its own settings; None: not set."""

    enabled: bool = True
    """`false` leaves the gate out of every run."""
    requirement: Requirement | None = None
    """`required`: decides; `advisory`: its fail is a warning; `observe`: recorded, never decides."""
    severity: Severity | None = None
    """How bad an alert is that tells of its fail or error; unset: what the gate says, else `high`."""
    timeout: Duration | None = None
    """Longest time for one attempt."""
    retries: Count | None = None
    """How many further attempts after a fail or an error."""
    retry_for: Duration | None = None
    """Further attempts are made until this much time has passed."""
    retry_delay: Duration | None = None
    """Pause between two attempts."""

    def __post_init__(self) -> None:
        if self.timeout is not None and self.timeout <= 0:
            raise ValueError("timeout: must be more than 0 s")


DEFAULTS = GateOptions()
RESERVED = GateOptions.__struct_fields__


class NoSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a gate that declares none."""


class Resolved(Struct, frozen=True):
    """One gate's settings: `values` is its second argument, None where it takes none."""

    values: Struct | None
    options: GateOptions = GateOptions()


def resolve(
    settings: Settings, gates: Sequence[Gate], *, secrets_of: Container[str] | None = None
) -> dict[str, Resolved]:
    """Each gate's settings and options, by its id.

    Secrets (`env:…`, `file:…`) are read for the gates whose ids are in `secrets_of`, by default for all that
    are enabled. One that can't be read is a problem only there; elsewhere it is empty.

    Raises:
        UsageError: all that is wrong in `[gates]`, each with its place.
    """
    problems: list[str] = []
    if settings.preset is not None:
        problems += unknown_preset(settings, gates)
    parts = parts_by_gate(settings, gates, problems)
    result = {}
    for gate in gates:
        resolved, found = _one(settings, gate, parts.get(gate.id, []))
        needed = resolved.options.enabled and (secrets_of is None or gate.id in secrets_of)
        problems += [line(p.path, p.message, parts[gate.id], 0) for p in found if needed or not p.secret]
        result[gate.id] = resolved
    if problems:
        raise UsageError(*dict.fromkeys(problems))
    return result


def _one(settings: Settings, gate: Gate, parts: Sequence[Part]) -> tuple[Resolved, list[Problem]]:
    problems: list[Problem] = []
    preset = preset_of(settings, gate)
    if not parts and not preset and gate.settings is None:
        return Resolved(None, DEFAULTS), problems  # most of a project's own gates: there may be thousands
    preset_values, preset_options = _typed(settings, gate, preset, problems)
    if problems:
        wrong = "; ".join(f"{'.'.join(map(str, p.path))}: {p.message}" for p in problems)
        raise UsageError(
            f"{gate.file}:{gate.line}  gate {gate.id}: its preset {settings.preset!r} is wrong: {wrong}"
        )
    table = merge(part.data for part in parts)
    values, options = _typed(settings, gate, table, problems, values=preset_values, options=preset_options)
    return Resolved(values if gate.settings else None, options or GateOptions()), problems


def _typed(
    settings: Settings,
    gate: Gate,
    table: Mapping[str, Any],
    problems: list[Problem],
    *,
    values: Struct | None = None,
    options: GateOptions | None = None,
) -> tuple[Struct | None, GateOptions | None]:
    own = {key: value for key, value in table.items() if key not in RESERVED}
    reserved = {key: value for key, value in table.items() if key in RESERVED}
    cls: type[Struct] = gate.settings or NoSettings
    try:
        converted = convert(cls, own, problems, base=values, root=settings.root, also=RESERVED)
    except (NotImplementedError, TypeError) as error:
        raise UsageError(
            f"{gate.file}:{gate.line}  gate {gate.id}: its settings class can't be read: {error}"
        ) from None
    return converted, convert(GateOptions, reserved, problems, base=options)


def preset_of(settings: Settings, gate: Gate) -> Mapping[str, Any]:
    """The gate's values of the preset that is in force."""
    return gate.presets.get(settings.preset, {}) if settings.preset else {}


def unknown_preset(settings: Settings, gates: Sequence[Gate]) -> list[str]:
    known = sorted({preset for gate in gates for preset in gate.presets})
    if settings.preset in known or not known:
        return []
    assert settings.preset is not None
    hint = nearest(settings.preset, known) or f" Known presets: {', '.join(known)}."
    parts = [Part(layer, (), layer.data) for layer in settings.layers]
    return [line(("preset",), f'unknown preset "{settings.preset}".{hint}', parts)]


def parts_by_gate(settings: Settings, gates: Sequence[Gate], problems: list[str]) -> dict[str, list[Part]]:
    """For each gate's id, what the layers say about it, the weakest first; tables of no gate are problems."""
    layers = [layer for layer in settings.layers if layer.kind != "flag"]
    if settings.variables:
        layers.append(_environment(settings, gates))
    layers += [layer for layer in settings.layers if layer.kind == "flag"]
    result: dict[str, list[Part]] = {gate.id: [] for gate in gates}
    for layer in layers:
        taken: dict[str, Path] = {}
        for at, table in _tables(layer, gates):
            whole = Part(layer, (), layer.data)
            gate_id = _gate_of(at[1:], gates)
            if isinstance(gate_id, str) and gate_id in taken:
                other = f"{gate_id} has two tables; the other one is [{dotted(taken[gate_id])}]"
                problems.append(line(at, other, [whole], len(at)))
            elif isinstance(gate_id, str):
                taken[gate_id] = at
                result[gate_id].append(Part(layer, at, table))
            else:
                problems.append(line(at, gate_id[0], [whole], len(at)))
    return result


def _tables(layer: Layer, gates: Sequence[Gate]) -> list[tuple[Path, Any]]:
    """The gate tables of a layer with their paths: `[gates.resources]`, `[gates.pre.resources]`."""
    names = {gate.name for gate in gates}
    found: list[tuple[Path, Any]] = []
    tables = lookup(layer.data, ("gates",))
    for key, table in tables.items() if isinstance(tables, Mapping) else ():
        if key in PHASES and key not in names and isinstance(table, Mapping):
            found += [(("gates", key, name), inner) for name, inner in table.items()]
        else:
            found.append((("gates", key), table))
    return found


def _gate_of(keys: Path, gates: Sequence[Gate]) -> str | tuple[str]:
    """The id of the gate that a table is named after, or what is wrong with the name."""
    name = ".".join(map(str, keys))
    ids = [gate.id for gate in gates if name in (gate.id, gate.name)]
    if len(set(ids)) == 1:
        return ids[0]
    if ids:
        tables = " or ".join(f'[gates."{gate_id}"]' for gate_id in sorted(set(ids)))
        return (f'"{name}" names gates of both phases: write {tables}',)
    known = sorted({gate.name for gate in gates} | {gate.id for gate in gates})
    return (f'no gate "{name}".{nearest(name, known) or " List them with: gatekeeper list"}',)


def _environment(settings: Settings, gates: Sequence[Gate]) -> Layer:
    data: dict[str, Any] = {"gates": {}}
    names: dict[Path, str] = {}
    for variable in settings.variables:
        gate, keys = _addressed(variable.keys[1:], gates)
        if gate is None:
            path: tuple[str, ...] = ("gates", *(key.lower() for key in keys))
        else:
            below = settings.gates.get(gate.id) or settings.gates.get(gate.name) or {}
            inner = spelled(
                keys, GateOptions if keys[:1] and keys[0].lower() in RESERVED else gate.settings, below
            )
            path = ("gates", gate.id, *inner)
        assign(data, names, path, variable)
    return Layer(kind="environment", data=data, names=names)


def _addressed(keys: tuple[str, ...], gates: Sequence[Gate]) -> tuple[Gate | None, tuple[str, ...]]:
    """The gate that a variable's keys start with, and the rest of the keys."""
    if len(keys) > 1 and keys[0].lower() in PHASES:
        for gate in gates:
            if gate.phase == keys[0].lower() and same(gate.name, keys[1]):
                return gate, keys[2:]
    for gate in gates:
        if same(gate.id, keys[0]):
            return gate, keys[1:]
    matching = [gate for gate in gates if same(gate.name, keys[0])]
    return (matching[0], keys[1:]) if len({gate.id for gate in matching}) == 1 else (None, keys)
