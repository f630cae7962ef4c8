"""What differs between two runs, as data: `gatekeeper.diff/1`."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from gatekeeper.model import JSON, Decision, Finding, Result, Run, RunPhase, Status


class Side(Struct, frozen=True):
    """One of the two runs."""

    id: str
    started: str
    subject: str
    phase: RunPhase
    decision: Decision


class GateChange(Struct, frozen=True):
    """A gate whose status differs; None where a run has no such gate. `reason` is the later one's."""

    gate: str
    before: Status | None
    after: Status | None
    reason: str = ""


class ValueChange(Struct, frozen=True):
    """A finding whose value differs. For numbers, `change` is after − before, `relative` that over before."""

    gate: str
    finding: str
    before: JSON
    after: JSON
    unit: str | None = None
    change: float | None = None
    relative: float | None = None


class Difference(Struct, frozen=True, kw_only=True):
    """All that differs. `same_settings` is None where a run's record does not say."""

    schema: Literal["gatekeeper.diff/1"] = "gatekeeper.diff/1"
    before: Side
    after: Side
    same_settings: bool | None = None
    gates: tuple[GateChange, ...] = ()
    values: tuple[ValueChange, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.gates and not self.values and self.before.decision == self.after.decision


def compare(before: Run, after: Run) -> Difference:
    """What differs between runs: statuses, gates that came or went, values of findings of the same name."""
    earlier = {result.id: result for result in before.results}
    later = {result.id: result for result in after.results}
    digests = (before.header.settings_digest, after.header.settings_digest)
    return Difference(
        before=_side(before),
        after=_side(after),
        same_settings=digests[0] == digests[1] if all(digests) else None,
        gates=tuple(_gates(earlier, later)),
        values=tuple(
            change
            for gate, result in later.items()
            if gate in earlier
            for change in _values(earlier[gate], result)
        ),
    )


def _side(run: Run) -> Side:
    return Side(run.id, run.header.started, run.subject.name, run.header.phase, run.verdict.decision)


def _gates(earlier: dict[str, Result], later: dict[str, Result]) -> Iterator[GateChange]:
    for gate in [*later, *(gate for gate in earlier if gate not in later)]:
        old, new = earlier.get(gate), later.get(gate)
        if old is None or new is None or old.status != new.status:
            reason = new.reason if new else ""
            yield GateChange(gate, old.status if old else None, new.status if new else None, reason)


def _values(old: Result, new: Result) -> Iterator[ValueChange]:
    earlier = dict(_named(old))
    for key, finding in _named(new):
        previous = earlier.get(key)
        if previous is not None and (previous.observed, previous.unit) != (finding.observed, finding.unit):
            yield _value(new.id, previous, finding)


def _named(result: Result) -> Iterator[tuple[tuple[str, int], Finding]]:
    """Findings by name; of several of one name, the first is held against the first."""
    seen: dict[str, int] = {}
    for finding in result.findings:
        seen[finding.name] = seen.get(finding.name, 0) + 1
        yield (finding.name, seen[finding.name]), finding


def _value(gate: str, old: Finding, new: Finding) -> ValueChange:
    before, after = old.observed, new.observed
    if not (_numeric(before) and _numeric(after) and old.unit == new.unit):
        return ValueChange(gate, new.name, before, after, new.unit)
    change = float(after) - float(before)
    return ValueChange(
        gate, new.name, before, after, new.unit, change, change / abs(before) if before else None
    )


def _numeric(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
