"""Budgets on measured performance: durations, percentiles, throughput, CPU time, memory, any named sample."""

import re
from typing import Any

from msgspec import Struct

from gatekeeper import Budget, Context, Finding, Readings, Series, post, show, stats
from gatekeeper.samples import Selector, pooled

EXAMPLE = (
    "no budget applies; configure some, e.g. [gates.performance.budgets] "
    '"http_req_duration.p95" = { warn = "200ms", fail = "500ms" }, '
    "and give measurements with --samples SOURCE:FILE"
)
ALIASES = {"avg": "mean", "med": "p50", "median": "p50"}
WORDS = ("mean", "max", "min", "sum", "count", "rate", "stdev", "value")
STATISTIC = re.compile(rf"(.+?)(?:\.(p\d+(?:\.\d+)?|{'|'.join((*WORDS, *ALIASES))}))?", re.DOTALL)
PREVIOUS_RUNS = 20


class Target(Struct, frozen=True):
    """What a budget is about: a series, and which statistic of it; None where the budget names none."""

    series: Selector
    statistic: str | None = None

    @classmethod
    def parse(cls, key: str) -> "Target":
        found = STATISTIC.fullmatch(key.strip())
        if found is None:
            raise ValueError("a budget needs the name of a series")
        statistic = ALIASES.get(found[2], found[2])
        if statistic and statistic not in WORDS:
            stats.enough_for(float(statistic[1:]))
        return cls(Selector.parse(found[1]), statistic)


class PerformanceBudget(Budget, frozen=True, forbid_unknown_fields=True):
    """Limits of one statistic of one series."""

    min_samples: int | None = None
    """How many samples this budget needs, in place of what its statistic needs (p95: 20, p99: 100). 0
    accepts a statistic whose source doesn't say how many samples it stands for."""


class Performance(Struct, frozen=True, forbid_unknown_fields=True):
    """Budgets on whatever was measured, by the name of the series: `"http_req_duration.p95"`,
    `throughput`.
    """

    budgets: dict[str, PerformanceBudget] = {}
    """Series → budget. The name may select labels, `duration{endpoint="/x"}`, and end in a statistic:
    `.p50` … `.p99.9`, `.mean`, `.max`, `.min`, `.sum`, `.count`, `.rate`, `.stdev`. Without one it is the
    value of a series that has one, else the median. A series that nobody measured is unknown."""
    optional_budgets: dict[str, PerformanceBudget] = {}
    """Budgets that apply only where their series was measured, and where `budgets` has no such key. The
    presets use these."""
    min_samples: int = 1
    """The fewest samples for any budget; percentiles need more anyway."""

    def __post_init__(self) -> None:
        for key, budget in (*self.budgets.items(), *self.optional_budgets.items()):
            try:
                Target.parse(key)
            except ValueError as error:
                raise ValueError(f'budget "{key}": {error}') from None
            if budget.warn is None and budget.fail is None:
                raise ValueError(f'budget "{key}" has no limit: give warn, fail or both')
            if (budget.min_samples or 0) < 0:
                raise ValueError(f'budget "{key}": min_samples is negative')
        if self.min_samples < 1:
            raise ValueError("min_samples is at least 1; a single budget can have min_samples = 0")


HTTP = {"warn": "200ms", "fail": "500ms"}
PRESETS: dict[str, dict[str, Any]] = {
    "service": {
        "optional_budgets": {
            "http_req_duration.p95": HTTP,
            "http_request_duration_seconds.p95": HTTP,
            "http_server_request_duration_seconds.p95": HTTP,
        }
    },
    "batch": {"optional_budgets": {"duration": {"warn": "30min", "fail": "1h"}}},
    "ai-flow": {
        "optional_budgets": {"duration": {"warn": "200s", "fail": "300s"}, "peak_memory": {"warn": "400MB"}}
    },
}


@post(settings=Performance, presets=PRESETS, tags=["performance"])
def performance(ctx: Context, settings: Performance) -> None:
    """Measured performance is within its budgets."""
    readings = ctx.samples
    optional = {
        key: budget
        for key, budget in settings.optional_budgets.items()
        if key not in settings.budgets and readings.select(Target.parse(key).series)
    }
    if not settings.budgets and not optional:
        ctx.skip(EXAMPLE + _measured(readings))
    for key, budget in {**settings.budgets, **optional}.items():
        _judge(ctx, settings, key, budget)


def _measured(readings: Readings) -> str:
    names = list(dict.fromkeys(series.name for series in readings.series))
    return f". Measured: {', '.join(names[:12])}{', …' if len(names) > 12 else ''}" if names else ""


def _judge(ctx: Context, settings: Performance, key: str, budget: PerformanceBudget) -> None:
    target = Target.parse(key)
    found = ctx.samples.select(target.series)
    if not found:
        ctx.add(_missing(ctx.samples, key, target))
        return
    whole = pooled(found)
    for index, series in enumerate((whole,) if whole else found):
        name = key if whole else f"{key} #{index + 1}"
        measurement = Measurement.of(series, target.statistic)
        if problem := measurement.problem(name, budget, settings.min_samples):
            ctx.add(problem)
        else:
            _measure(ctx, name, measurement, budget, found)


def _missing(readings: Readings, key: str, target: Target) -> Finding:
    """A budget that nothing was measured for: what there is instead."""
    names = list(dict.fromkeys(series.name for series in readings.series))
    same_name = [series for series in readings.series if series.name == target.series.name]
    stem, _, suffix = target.series.name.rpartition(".")
    if not names:
        message = "no samples were given"
        hint = "give them with --samples SOURCE:FILE, or [[samples]] in the configuration"
    elif same_name:
        message = f"no series {target.series} was measured"
        hint = f"measured: {', '.join(map(str, same_name[:8]))}"
    elif stem in names:
        message = f"{suffix!r} is no statistic"
        hint = f"use p50 … p99.9, {', '.join(WORDS)}, e.g. {stem}.p95"
    else:
        message = f"no series {target.series.name!r} was measured{_did_you_mean(target.series.name, names)}"
        hint = f"measured: {', '.join(names[:12])}{', …' if len(names) > 12 else ''}"
    evidence = {"notes": list(readings.notes)} if readings.notes else {}
    return Finding(key, "unknown", message=message, hint=hint, evidence=evidence)


def _did_you_mean(name: str, names: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=1, cutoff=0.5) or [known for known in names if name in known]
    return f". Did you mean {near[0]!r}?" if near else ""


class Measurement(Struct, frozen=True):
    """One statistic of one series, and its unit; `value` is None where the series doesn't have it."""

    series: Series
    statistic: str
    named: bool
    value: float | None
    unit: str

    @classmethod
    def of(cls, series: Series, statistic: str | None) -> "Measurement":
        chosen = statistic or ("value" if "value" in series.stats or len(series.values) == 1 else "p50")
        unit = series.unit
        if chosen == "count":
            unit = unit if "count" in series.stats else ""
        elif chosen == "rate" and unit != "ratio":
            unit = f"{unit}/s" if unit not in ("", "s") else "1/s"
        return cls(series, chosen, statistic is not None, series.statistic(chosen), unit)

    @property
    def percent(self) -> float | None:
        """95.0 for a p95; None for what is no percentile."""
        return None if self.statistic in WORDS else float(self.statistic[1:])

    def problem(self, name: str, budget: PerformanceBudget, least: int) -> Finding | None:
        """Why it can't be judged, if so."""
        found = self._wrong_unit(budget) or self._too_few(budget, least) or self._untold(budget)
        if found is None:
            return None
        status, message, hint = found
        return Finding(
            name,
            "error" if status == "error" else "unknown",
            observed=self.value,
            unit=self.unit or None,
            n=self.series.n,
            message=message,
            hint=hint,
            evidence={"statistic": self.statistic, "series": str(self.series), "source": self.series.source},
        )

    def _wrong_unit(self, budget: Budget) -> tuple[str, str, str] | None:
        if budget.unit in ("", self.unit, self.series.unit if self.statistic == "rate" else self.unit):
            return None
        kinds = {"": "without a unit", "s": "a time", "B": "a size", "ratio": "a share"}
        kind = kinds.get(self.unit, f"in {self.unit}")
        limit = budget.fail if budget.fail is not None else budget.warn
        message = f"{self.series} is {kind}, but its limit {show(limit, budget.unit)} is {kinds[budget.unit]}"
        hint = (
            f"write the limit as {kind}"
            if self.unit in ("s", "B", "ratio")
            else "write the limit without a unit"
        )
        if not self.unit:
            hint += ", or name the measurement with its unit (duration_ms)"
        return "error", message, hint

    def _too_few(self, budget: PerformanceBudget, least: int) -> tuple[str, str, str] | None:
        n, needed = self.series.n, budget.min_samples
        if needed is None:
            needed = max(least, 1 if self.percent is None else stats.enough_for(self.percent))
        if needed == 0 or (n is not None and n >= needed):
            return None
        if n is None:
            message = (
                f"{self.series} doesn't say how many samples it stands for; {self.statistic} needs {needed}"
            )
            hint = 'for k6 add "count" to summaryTrendStats, or accept it with min_samples = 0 in this budget'
        else:
            message = f"{self.statistic} needs {needed} samples, {self.series} has {n}: {needed - n} missing"
            hint = "measure longer, use a lower percentile, or set min_samples in this budget"
        return "unknown", message, hint

    def _untold(self, budget: Budget) -> tuple[str, str, str] | None:
        """No value, or only a lower bound that doesn't settle the matter: a percentile in the last bucket."""
        if self.value is None:
            told = ", ".join(self.series.stats) or "nothing"
            return "unknown", f"{self.series} has no {self.statistic}", f"its source tells {told}"
        buckets, limits = (
            self.series.buckets,
            [limit for limit in (budget.warn, budget.fail) if limit is not None],
        )
        if self.percent is None or not buckets or not stats.overflows(buckets, self.percent):
            return None
        if budget.worse == "higher":
            settled = budget.fail is not None and self.value > budget.fail
        else:
            settled = self.value >= max(limits)
        bound = f"more than {show(self.value, self.unit)}"
        message = f"{self.statistic} of {self.series} is beyond its last bucket: {bound}"
        return None if settled else ("unknown", message, "give the histogram buckets beyond the limit")


def _measure(
    ctx: Context, name: str, measured: Measurement, budget: PerformanceBudget, parts: tuple[Series, ...]
) -> None:
    series, value, unit = measured.series, measured.value or 0.0, measured.unit
    message = ""
    if not measured.named and measured.statistic == "p50":
        message = f"the median of {series.n} samples is {show(value, unit)}{_limits(budget, unit)}"
    evidence = {
        "statistic": "median" if message else measured.statistic,
        "series": str(series),
        "source": series.source,
        **_spread(series),
        **_previous(ctx, name),
    }
    ctx.measure(
        name,
        value,
        unit=unit,
        warn=budget.warn,
        fail=budget.fail,
        worse=budget.worse,
        n=series.n,
        message=message,
        hint=_hint(parts, budget),
        evidence=evidence,
    )


def _limits(budget: Budget, unit: str) -> str:
    beyond = "above" if budget.worse == "higher" else "below"
    limits = [("warn", budget.warn), ("fail", budget.fail)]
    shown = [f"{word} {beyond} {show(float(limit), unit)}" for word, limit in limits if limit is not None]
    return f" ({', '.join(shown)})"


def _spread(series: Series) -> dict[str, float]:
    found = {word: series.statistic(word) for word in ("min", "mean", "max")}
    return {word: value for word, value in found.items() if value is not None}


def _hint(parts: tuple[Series, ...], budget: Budget) -> str:
    """Where to look first: the part with the worst value."""
    if len(parts) < 2 or not all(part.values for part in parts):
        return "gatekeeper explain post.performance"
    if budget.worse == "higher":
        worst = max(parts, key=lambda part: max(part.values))
        return f"the highest value is {show(max(worst.values), worst.unit)}, of {worst}"
    worst = min(parts, key=lambda part: min(part.values))
    return f"the lowest value is {show(min(worst.values), worst.unit)}, of {worst}"


def _previous(ctx: Context, name: str) -> dict[str, float]:
    """The median of earlier runs, for the reader; it decides nothing, so its absence is no matter."""
    try:
        earlier = ctx.history.values(ctx.gate, name, PREVIOUS_RUNS)
    except Exception:
        return {}
    return {"previous_median": stats.median(earlier), "previous_runs": len(earlier)} if earlier else {}
