"""What a rule on a recorded quantity sees: the values of its window, and what they come to."""

from collections.abc import Callable, Sequence
from math import isnan, nan

from msgspec import Struct

from gatekeeper.alerts.judging.rules import Rule, in_unit
from gatekeeper.model import Result
from gatekeeper.quantities import show
from gatekeeper.store.standing import Evidence
from gatekeeper.wording import number

Recorded = Callable[[str, str, float], Sequence[Evidence]]
"""Recorded values of a gate's finding at or after a time in seconds since the epoch, oldest first."""


class Measured(Struct, frozen=True):
    """What a window came to: `value` in `unit`, of `n` values, `beyond` of which were beyond the threshold."""

    fires: bool
    value: float
    unit: str
    n: int
    beyond: int


class Values(Struct, frozen=True):
    """Values in one unit, oldest first; those of the newest moment also apart."""

    all: list[float]
    newest: list[float]
    unit: str


def measure(
    rule: Rule, result: Result, evidence: Recorded, at: float, now: float
) -> tuple[Measured | None, str]:
    """What a rule sees of a gate; None where it has nothing to go by. And what was wrong with the values.

    Args:
        rule: one with a threshold.
        result: the gate's, in the run that is judged.
        evidence: recorded values, this run's included.
        at: when the run started, which is when its values count from; seconds since the epoch.
        now: when it ended. Values that claim to be younger are of a clock that was wrong, and don't count.
    """
    assert rule.threshold is not None
    taken = _taken(rule, result, evidence, at, now)
    if rule.aggregate == "count":
        values, problem = Values([], [], ""), ""
        found = Measured(False, len(taken), "", len(taken), 0)
    else:
        values, problem = _values(rule, taken)
        if not values.all:
            return None, problem
        found = _aggregated(rule, values)
    if isnan(found.value):
        return None, f"the {rule.aggregate} of what was recorded is not a number"
    fires = found.beyond >= rule.times if rule.times > 1 else rule.threshold.fires(found.value)
    return Measured(fires, found.value, found.unit, found.n, found.beyond), problem


def _taken(rule: Rule, result: Result, evidence: Recorded, at: float, now: float) -> list[Evidence]:
    """The values that count: this run's alone, or those of the time that ends with the newest."""
    if rule.window is None:
        return own(result, rule.finding, at)
    recorded = evidence(result.id, rule.finding, max(0.0, at - rule.window))
    known = sorted((each for each in recorded if each.at <= max(at, now)), key=lambda each: each.at)
    return [each for each in known if each.at >= known[-1].at - rule.window]


def own(result: Result, finding: str, at: float) -> list[Evidence]:
    """The numbers that a gate recorded in this run; infinities are ones, NaN is none."""
    numbers = [(number(f.observed), f.unit) for f in result.findings if f.name == finding]
    return [Evidence(at, value, unit) for value, unit in numbers if value is not None and not isnan(value)]


def _values(rule: Rule, taken: Sequence[Evidence]) -> tuple[Values, str]:
    """In the threshold's unit, where that has none in the newest value's; and what could not be compared."""
    assert rule.threshold is not None
    if not taken:
        return Values([], [], ""), ""
    newest, unit = taken[-1].at, rule.threshold.unit or taken[-1].unit or ""
    found = [(each, in_unit(each.value, each.unit or "", unit)) for each in taken]
    strange = [each.unit or "" for each, value in found if value is None]
    values = Values(
        [value for _, value in found if value is not None],
        [value for each, value in found if value is not None and each.at == newest],
        unit,
    )
    return values, _incomparable(rule, strange) if strange else ""


def _incomparable(rule: Rule, units: list[str]) -> str:
    many = f"{len(units)} values were" if len(units) > 1 else "a value was"
    recorded = f"in {units[-1]!r}" if units[-1] else "without a unit"
    return f"{many} recorded {recorded}, which can't be held against {rule.threshold}"


def _aggregated(rule: Rule, values: Values) -> Measured:
    assert rule.threshold is not None
    beyond = [value for value in values.all if rule.threshold.fires(value)]
    if rule.times > 1:
        value = beyond[-1] if beyond else values.all[-1]
    elif rule.aggregate == "last":
        value = rule.threshold.worst(values.newest or values.all[-1:])
    else:
        value = _statistic(rule.aggregate, values.all)
    return Measured(False, value, values.unit, len(values.all), len(beyond))


def _statistic(aggregate: str, values: list[float]) -> float:
    from gatekeeper import stats

    simple: dict[str, Callable[[list[float]], float]] = {
        "mean": stats.mean,
        "min": min,
        "max": max,
        "sum": sum,
    }
    try:
        if aggregate in simple:
            return simple[aggregate](values)
        return stats.percentile(values, float(aggregate.removeprefix("p")))
    except ValueError:  # of infinities of both signs
        return nan


def sentence(rule: Rule, found: Measured) -> str:
    """What fired, with its numbers: `errors.rate 7 % > 5 % (p95 of 12 values in 60 s)`."""
    assert rule.threshold is not None
    limit = f"{rule.threshold.operator} {show(rule.threshold.limit, found.unit)}"
    span = "" if rule.window is None else f" in {show(rule.window, 's')}"
    if rule.times > 1:
        return f"{rule.finding} {limit} {found.beyond} times{span}, last {show(found.value, found.unit)}"
    if rule.aggregate == "count":
        return f"{rule.finding} was recorded {show(found.n)} times{span}: {limit}"
    of = (
        f" ({rule.aggregate} of {found.n} value{'s' * (found.n != 1)}{span})"
        if rule.aggregate != "last"
        else ""
    )
    return f"{rule.finding} {show(found.value, found.unit)} {limit}{of}"
