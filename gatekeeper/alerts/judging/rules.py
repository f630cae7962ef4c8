"""Rules of `[alerts]` in the form in which they judge: thresholds read, labels and texts told from templates."""

import operator
import re
from collections.abc import Callable, Mapping

from msgspec import Struct

from gatekeeper.alerts.judging.templates import is_template
from gatekeeper.alerts.matching import covers
from gatekeeper.model import Severity, Status
from gatekeeper.quantities import SIZE_UNITS, TIME_UNITS, Quantity, show
from gatekeeper.settings.alerting import AlertRule, AlertSettings

_COMPARED: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_HOLDS = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!=", "!=": "=="}
_UNITS: dict[str, Mapping[str, float]] = {"s": TIME_UNITS, "B": SIZE_UNITS}
_WRITTEN = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(.+?)\s*", re.DOTALL)
EXPECTED = 'an operator and a limit such as "> 5%", ">= 500ms" or "== 0"'


class Threshold(Struct, frozen=True):
    """What fires: a value that `operator` holds of against `limit`, in base units (`s`, `B`, `ratio`, or none)."""

    operator: str
    limit: float
    unit: str = ""

    @classmethod
    def parse(cls, text: str) -> "Threshold":
        """Raises ValueError: it is none, with what was expected."""
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise ValueError(f"expected {EXPECTED}, got {text!r}")
        limit = Quantity.parse(found[2])
        return cls(found[1], float(limit), limit.unit)

    def __str__(self) -> str:
        return f"{self.operator} {show(self.limit, self.unit)}"

    def fires(self, value: float) -> bool:
        return _COMPARED[self.operator](value, self.limit)

    @property
    def holds(self) -> str:
        """The operator that holds while all is well, as findings have it."""
        return _HOLDS[self.operator]

    def worst(self, values: list[float]) -> float:
        """The value that is furthest beyond; the newest of those that are equally bad."""
        if self.operator in (">", ">="):
            return max(values)
        if self.operator in ("<", "<="):
            return min(values)
        return next((value for value in reversed(values) if self.fires(value)), values[-1])


def in_unit(value: float, unit: str, wanted: str) -> float | None:
    """A recorded value in the unit of a limit; None where the two can't be compared.

    A limit without a unit is compared with the number as it was recorded. Units that a configuration can have (`ms`,
    `MB`, `%`) are converted, just as there, so that 500 recorded in `ms` is no more than `"500ms"`.
    """
    if wanted in ("", unit):
        return value
    if (wanted, unit) == ("ratio", "%"):
        return value / 100
    factor = _UNITS.get(wanted, {}).get(unit)
    return None if factor is None else value * factor


class Rule(Struct, frozen=True, kw_only=True):
    """A condition that is told. `threshold` is None for one on statuses. `problem` says why it can't judge."""

    name: str = ""
    gate: str = "*"
    status: tuple[Status, ...] = ()
    finding: str = ""
    threshold: Threshold | None = None
    window: float | None = None
    aggregate: str = "last"
    times: int = 1
    hold: float = 0.0
    severity: Severity = "high"
    labels: Mapping[str, str]
    moving: bool
    """Whether a label is a template."""
    annotations: Mapping[str, str] = {}
    problem: str = ""

    def covers(self, gate: str) -> bool:
        return covers(self.gate, gate)


class Rules(Struct, frozen=True):
    """The rules of a configuration, and the one that stands for what no rule says."""

    default: Rule
    statuses: tuple[Rule, ...]
    quantities: tuple[Rule, ...]

    def of(self, gate: str, status: Status) -> list[Rule]:
        """The rules by status that tell of this gate's findings of that status."""
        return [rule for rule in self.statuses if status in rule.status and rule.covers(gate)]


def compiled(settings: AlertSettings) -> Rules:
    rules = [_compiled(settings, rule) for rule in settings.rules]
    default = Rule(labels=settings.labels, moving=_moving(settings.labels))
    return Rules(
        default,
        tuple(rule for rule in rules if not rule.finding),
        tuple(rule for rule in rules if rule.finding),
    )


def _compiled(settings: AlertSettings, rule: AlertRule) -> Rule:
    labels = {**settings.labels, **rule.labels}
    threshold, problem = None, ""
    if rule.finding:
        try:
            threshold = Threshold.parse(rule.threshold)
        except ValueError as error:
            problem = str(error)
    return Rule(
        name=rule.name,
        gate=rule.gate,
        status=rule.status,
        finding=rule.finding,
        threshold=threshold,
        window=None if rule.window is None else float(rule.window),
        aggregate=rule.aggregate,
        times=rule.times,
        hold=float(rule.hold),
        severity=rule.severity,
        labels=labels,
        moving=_moving(labels),
        annotations=rule.annotations,
        problem=problem,
    )


def _moving(labels: Mapping[str, str]) -> bool:
    return any(map(is_template, labels.values()))
