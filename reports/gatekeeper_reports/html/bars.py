"""Bullet bars: where a measured value lies between its limits, and what it was in earlier runs.

After Stephen Few's bullet graph: one measure, its ranges, a mark for the value. All positions are percent of the bar's
width.
"""

from collections.abc import Sequence
from math import isfinite

from msgspec import Struct

from gatekeeper import Finding, show
from gatekeeper.stats import enough_for, percentile
from gatekeeper.wording import limits, number
from gatekeeper_reports.html.text import cut

ENOUGH = enough_for(95)
"""Earlier values that a baseline takes: p5 and p95 of fewer say nothing."""
FARTHEST = 4.0
"""How many times its limits a bar shows at most; a value beyond is an arrow at its end."""


class Part(Struct, frozen=True):
    """A stretch of the bar: `pass`, `warn` or `fail`."""

    kind: str
    at: float
    width: float


class Bar(Struct, frozen=True, kw_only=True):
    """A bar to be drawn. `beyond` is `low` or `high` where the value lies outside of what the bar shows."""

    label: str
    low: str
    high: str
    zones: tuple[Part, ...]
    marks: tuple[tuple[str, float], ...]
    band: tuple[float, float] | None = None
    value: float | None = None
    beyond: str = ""


class Baseline(Struct, frozen=True):
    """p5 and p95 of `n` earlier values; None where they are too few."""

    n: int = 0
    band: tuple[float, float] | None = None

    def text(self, unit: str | None) -> str:
        if self.band is None:
            return f"{self.n} of {ENOUGH} values for a baseline" if self.n else "no earlier value"
        low, high = (_shown(value, unit) for value in self.band)
        return f"{low if low == high else f'{low} to {high}'} (n\u00a0=\u00a0{self.n})"


def baseline(values: Sequence[float]) -> Baseline:
    if len(values) < ENOUGH:
        return Baseline(len(values))
    return Baseline(len(values), (percentile(values, 5), percentile(values, 95)))


def is_budget(finding: Finding) -> bool:
    """Whether it was held against a number, with a worse direction."""
    return bool(_limits(finding))


def room_left(finding: Finding) -> float:
    """How far the value is from the nearer limit, relative to that; 0 where there is no number."""
    value, limit = number(finding.observed), next(iter(_limits(finding).values()))
    if value is None or not isfinite(value):
        return 0.0
    return (limit - value if _is_upper(finding) else value - limit) / (abs(limit) or 1.0)


def bar(finding: Finding, earlier: Baseline = Baseline()) -> Bar | None:  # noqa: B008 - immutable
    """The bar of a finding that has a number for a limit and a worse direction; None for any other."""
    held = _limits(finding)
    if not held:
        return None
    value = number(finding.observed)
    value = value if value is not None and isfinite(value) else None
    low, high = _domain(value, [*held.values(), *(earlier.band or ())], finding.unit)
    span = high - low
    if not isfinite(span) or span <= 0:
        return None

    def at(point: float) -> float:
        return round(min(max((point - low) / span, 0.0), 1.0) * 100, 2)

    places = {kind: at(limit) for kind, limit in held.items()}
    return Bar(
        label=_label(finding, held, earlier),
        low=_shown(low, finding.unit),
        high=_shown(high, finding.unit),
        zones=tuple(_zones(places, rising=_is_upper(finding))),
        marks=tuple(places.items()),
        band=None if earlier.band is None else (at(earlier.band[0]), at(earlier.band[1])),
        value=None if value is None else at(value),
        beyond="" if value is None or low <= value <= high else "low" if value < low else "high",
    )


def _limits(finding: Finding) -> dict[str, float]:
    """Finite limits by kind, the nearer one first; none where a bar would say nothing."""
    if finding.operator not in ("<=", "<", ">=", ">"):
        return {}
    held = limits(finding)
    both = {"warn": held.warn, "fail": held.fail}
    return {kind: limit for kind, limit in both.items() if limit is not None and isfinite(limit)}


def _is_upper(finding: Finding) -> bool:
    return finding.operator in ("<=", "<")


def _domain(value: float | None, fixed: list[float], unit: str | None) -> tuple[float, float]:
    """What the bar shows: from zero, where nothing is below it, to somewhat beyond the farthest."""
    least, most = min(fixed), max(fixed)
    seen = most if value is None else value
    if unit == "ratio" and least >= 0 and 0.5 <= most <= 1 and 0 <= seen <= 1:
        return 0.0, 1.0
    reach = max(abs(least), abs(most)) or abs(seen) or 1.0
    high = max(most + reach / 4, min(seen + reach / 10, most + reach * (FARTHEST - 1)))
    if least >= 0 and seen >= 0:
        return 0.0, high
    return min(least - reach / 4, max(seen - reach / 10, least - reach * (FARTHEST - 1))), max(high, 0.0)


def _zones(places: dict[str, float], *, rising: bool) -> list[Part]:
    """The bar in stretches from good to bad, whichever side is the bad one."""
    ends = sorted(places.items(), key=lambda place: place[1], reverse=not rising)
    start, kind, parts = (0.0 if rising else 100.0), "pass", []
    for beyond, place in [*ends, ("", 100.0 if rising else 0.0)]:
        parts.append(Part(kind, min(start, place), round(abs(place - start), 2)))
        start, kind = place, beyond
    return [part for part in parts if part.width > 0]


def _label(finding: Finding, held: dict[str, float], earlier: Baseline) -> str:
    value = _shown(finding.observed, finding.unit) if finding.observed is not None else "no value"
    parts = [f"{cut(finding.name, 200)} {value}"]
    parts += [f"{kind} {_shown(limit, finding.unit)}" for kind, limit in held.items()]
    return "; ".join([*parts, *([f"p5 to p95 {earlier.text(finding.unit)}"] if earlier.band else [])])


def _shown(value: object, unit: str | None) -> str:
    return cut(show(value, unit), 60)


def spark(values: Sequence[float]) -> list[tuple[float, float]]:
    """Points of a line through the values, oldest first, on 100 by 24 pixels; none for fewer than two values."""
    if len(values) < 2:
        return []
    least, span = min(values), max(values) - min(values)
    if not isfinite(span):
        return []
    step = 94 / (len(values) - 1)
    heights = [(value - least) / span if span else 0.5 for value in values]
    return [(round(3 + index * step, 1), round(21 - 18 * height, 1)) for index, height in enumerate(heights)]
