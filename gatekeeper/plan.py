"""The plan: which gates run, each with its final options. It is fixed before anything runs."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from gatekeeper.errors import UsageError, nearest
from gatekeeper.model import PHASES, REQUIREMENTS, Gate, Phase, Requirement, Result, RunPhase, Source
from gatekeeper.plain import text
from gatekeeper.plugins import Plugins, source_of
from gatekeeper.select import Candidate, Selection, select

if TYPE_CHECKING:
    from gatekeeper.context import Context
    from gatekeeper.settings import Resolved, Settings


class PlannedGate(Struct, frozen=True, kw_only=True):
    """A gate as this run will run it. `needs` are ids of gates of this plan."""

    id: str
    gate: Gate
    param: Any = None
    settings: Any = None
    requirement: Requirement = "required"
    timeout: float = 30.0
    retries: int = 0
    retry_for: float = 0.0
    retry_delay: float = 1.0
    needs: tuple[str, ...] = ()
    source: Source = Source("", 0)

    @property
    def phase(self) -> Phase:
        return self.gate.phase


class DraftPlan(Struct, kw_only=True):
    """What `gatekeeper_modify_plan` may change before the plan is fixed."""

    phase: RunPhase
    gates: list[PlannedGate]


class Plan(Struct, frozen=True, kw_only=True):
    """What a run will do. `snapshots` are post gates whose `before` runs with its pre phase; `partial` means that it
    isn't all of its phase; `earlier` are results of gates that ran before this part of the run did.
    """

    phase: RunPhase
    gates: tuple[PlannedGate, ...]
    snapshots: tuple[PlannedGate, ...] = ()
    partial: bool = False
    notes: tuple[str, ...] = ()
    earlier: tuple[Result, ...] = ()

    def part(self, phase: Phase, earlier: tuple[Result, ...] = ()) -> "Plan":
        """What of a run around a flow takes place before it, or after it."""
        gates = tuple(planned for planned in self.gates if planned.phase == phase)
        snapshots = self.snapshots if phase == "pre" else ()
        return structs.replace(self, gates=gates, snapshots=snapshots, earlier=earlier)

    @property
    def ids(self) -> list[str]:
        return [planned.id for planned in self.gates]


def phases_of(phase: RunPhase) -> tuple[Phase, ...]:
    """The phases whose gates such a run takes."""
    if phase == "pre" or phase == "post":  # noqa: PLR1714 - a type checker narrows this, not `in`
        return (phase,)
    return PHASES


def make_plan(
    phase: RunPhase,
    gates: Sequence[Gate],
    resolved: "Mapping[str, Resolved]",
    settings: "Settings",
    plugins: Plugins,
    *,
    phases: Sequence[Phase] = PHASES,
    selection: Selection = Selection(),
    failed: Sequence[str] = (),
    cwd: Path | None = None,
) -> Plan:
    """The plan of a run of `phase`, of those of its phases that are among `phases`.

    `failed` are the gates that `--last-failed` means.

    Raises:
        UsageError: unknown or circular needs, a selection that names nothing, a plugin that broke the plan.
    """
    enabled = [gate for gate in gates if resolved[gate.id].options.enabled is not False]
    everything = [planned for gate in enabled for planned in _planned(gate, resolved[gate.id], settings)]
    _refuse_twice(everything)
    everything = _with_needs(everything, {gate.id for gate in gates})
    taken = [name for name in phases_of(phase) if name in phases]
    wanted = [p for name in taken for p in everything if p.phase == name and _applies(p.gate, phase)]
    absent = _absent(gates, enabled, taken, phase)
    chosen = select([_candidate(planned) for planned in wanted], selection, failed, cwd or Path.cwd(), absent)
    draft = DraftPlan(phase=phase, gates=[planned for planned in wanted if planned.id in chosen])
    _modify(draft, plugins, {planned.id for planned in wanted})
    ids = {planned.id for planned in draft.gates}
    fixed = [structs.replace(p, needs=tuple(n for n in p.needs if n in ids)) for p in draft.gates]
    _refuse_cycles(fixed)
    snapshots = [p for p in everything if p.gate.before is not None] if phase == "pre" else []
    if phase == "exec":
        snapshots = [p for p in fixed if p.gate.before is not None]
    return Plan(
        phase=phase,
        gates=tuple(fixed),
        snapshots=() if selection.is_partial and phase == "pre" else tuple(snapshots),
        partial=selection.is_partial or len(ids) < len(wanted),
        notes=tuple(_without_disabled(fixed, {gate.id for gate in gates} - {gate.id for gate in enabled})),
    )


def _without_disabled(planned: Sequence[PlannedGate], disabled: set[str]) -> Iterator[str]:
    """What runs although it needs a gate that the configuration has switched off."""
    for item in planned:
        for need in item.gate.needs:
            full = need if "." in need else f"{item.phase}.{need}"
            if full in disabled:
                yield f"{item.id} needs {full}, which is disabled; it runs without it"


def _planned(gate: Gate, resolved: "Resolved", settings: "Settings") -> list[PlannedGate]:
    """One planned gate, or one for each parameter."""
    options, run = resolved.options, settings.run

    def option(name: str) -> Any:
        chosen = getattr(options, name)
        declared = getattr(gate, name, None) if chosen is None else chosen
        return getattr(run, name) if declared is None else declared

    planned = PlannedGate(
        id=gate.id,
        gate=gate,
        settings=resolved.values,
        requirement=options.requirement or gate.requirement or "required",
        timeout=float(option("timeout")),
        retries=int(option("retries")),
        retry_for=float(option("retry_for")),
        retry_delay=float(option("retry_delay")),
        source=source_of(gate, settings.root),
    )
    if gate.params is None:
        return [planned]
    if not gate.params:  # it stays in the plan: what was to be checked must not vanish unseen
        return [structs.replace(planned, gate=structs.replace(gate, function=_without_params, before=None))]
    return [
        structs.replace(planned, id=item_id(gate, key), param=value) for key, value in gate.params.items()
    ]


def item_id(gate: Gate, key: str) -> str:
    """The id of one item of a parametrized gate."""
    return f"{gate.id}[{text(key, 200)}]"


def _without_params(ctx: "Context", settings: Any = None) -> None:
    ctx.unknown("checked nothing: its params are empty")


def _refuse_twice(planned: Sequence[PlannedGate]) -> None:
    """Ids that are different until parameters are added."""
    seen: dict[str, PlannedGate] = {}
    problems = [
        f"gate {item.id} is there twice: {first.source} and {item.source}; rename one, or give params other keys"
        for item in planned
        if (first := seen.setdefault(item.id, item)) is not item
    ]
    if problems:
        raise UsageError(*problems)


def _applies(gate: Gate, phase: RunPhase) -> bool:
    return phase == "exec" or not gate.flow


def _absent(
    gates: Sequence[Gate], enabled: Sequence[Gate], taken: Sequence[Phase], phase: RunPhase
) -> dict[str, str]:
    """Gates that this run can't take, and why."""
    on = {gate.id for gate in enabled}
    off = "is switched off by the configuration (enabled = false)"
    flow = "takes part only where gatekeeper runs the flow (gatekeeper exec, gatekeeper.flow, pytest --gatekeeper)"
    return (
        {gate.id: f"is a gate of the {gate.phase} phase" for gate in gates if gate.phase not in taken}
        | {gate.id: flow for gate in gates if not _applies(gate, phase)}
        | {gate.id: off for gate in gates if gate.id not in on}
    )


def _with_needs(planned: list[PlannedGate], known: set[str]) -> list[PlannedGate]:
    """Needs as ids: a bare name means the same phase; a parametrized gate means all of its items."""
    by_base: dict[str, list[str]] = {}
    for item in planned:
        by_base.setdefault(item.gate.id, []).append(item.id)
        by_base.setdefault(item.id, [item.id])
    problems: list[str] = []
    result = []
    for item in planned:
        needs: list[str] = []
        for need in item.gate.needs:
            full = need if "." in need else f"{item.phase}.{need}"
            if full in by_base:
                needs += by_base[full]
            elif full not in known:
                names = sorted({*by_base, *known})
                problems.append(
                    f"{item.source}: {item.id} needs {need!r}, which is no gate.{nearest(full, names)}"
                )
        result.append(structs.replace(item, needs=tuple(dict.fromkeys(needs))) if needs else item)
    if problems:
        raise UsageError(*dict.fromkeys(problems))
    return result


def _candidate(planned: PlannedGate) -> Candidate:
    return Candidate(planned.id, planned.gate.id, planned.gate.file, planned.gate.tags)


def _modify(draft: DraftPlan, plugins: Plugins, wanted: set[str]) -> None:
    for implementation in plugins.hook.gatekeeper_modify_plan.get_hookimpls():
        try:
            given = {"plan": draft} if "plan" in implementation.argnames else {}
            with redirect_stdout(sys.stderr):  # stdout is the report's
                implementation.function(**given)
        except (Exception, SystemExit) as error:
            raise UsageError(
                f"plugin {implementation.plugin_name}: gatekeeper_modify_plan raised {type(error).__name__}: {error}"
            ) from error
        _refuse_broken(draft, implementation.plugin_name)
    problems: list[str] = []
    ids = Counter(planned.id for planned in draft.gates)
    problems += [f"gatekeeper_modify_plan put {name} into the plan twice" for name, n in ids.items() if n > 1]
    problems += [
        f"gatekeeper_modify_plan added {name}, which was not selected" for name in ids if name not in wanted
    ]
    if problems:
        raise UsageError(*problems)


def _refuse_broken(draft: DraftPlan, plugin: str) -> None:
    """A plan that can't be carried out is the fault of the plugin that left it so."""
    if not isinstance(draft.gates, list | tuple):
        found = type(draft.gates).__name__
        raise UsageError(
            f"plugin {plugin}: gatekeeper_modify_plan left {found} as the plan's gates, not a list"
        )
    problems = [
        f"plugin {plugin}: gatekeeper_modify_plan left {text(getattr(item, 'id', item), 200)} in the plan, {problem}"
        for item in draft.gates
        if (problem := _wrong_with(item))
    ]
    if problems:
        raise UsageError(*problems)


def _wrong_with(item: object) -> str:
    if not isinstance(item, PlannedGate):
        return "which is no PlannedGate"
    numbers = (item.timeout, item.retries, item.retry_for, item.retry_delay)
    if not all(isinstance(number, int | float) and number >= 0 for number in numbers) or item.timeout == 0:
        return "whose timeout and retries are no positive numbers"
    if item.requirement not in REQUIREMENTS:
        return f"whose requirement is {item.requirement!r}.{nearest(str(item.requirement), REQUIREMENTS)}"
    return "" if all(isinstance(need, str) for need in item.needs) else "whose needs are no ids"


def _refuse_cycles(planned: Sequence[PlannedGate]) -> None:
    """Kahn's algorithm (1962): what is left when nothing more is free is circular."""
    waiting = {item.id: set(item.needs) for item in planned if item.needs}
    done = {item.id for item in planned if not item.needs}
    while free := [name for name, needs in waiting.items() if needs <= done]:
        done.update(free)
        for name in free:
            del waiting[name]
    if waiting:
        raise UsageError(f"gates need each other in a circle: {' -> '.join(sorted(waiting))}")
