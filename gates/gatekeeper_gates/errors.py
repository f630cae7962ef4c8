"""Error rates: how many of the counted events failed, in all and by type."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from gatekeeper import Budget, Context, Events, Finding, Readings, post, show, stats
from gatekeeper.samples import UNTYPED

EXAMPLE = (
    "no limit applies; configure one, e.g. [gates.errors] "
    'rate = { warn = "1%", fail = "5%" }, '
    "and give counted events with --samples SOURCE:FILE (k6, junit, log, …)"
)
WELL_KNOWN = ("5xx", "4xx", "timeout", "failure", "error", "critical", "fatal", UNTYPED)


class ErrorBudget(Budget, frozen=True, forbid_unknown_fields=True):
    """Limits of a share of failed events."""

    min_events: int | None = None
    """How many events this limit needs, in place of `min_events` and of what the limit itself needs (1 /
    limit)."""


class Errors(Struct, frozen=True, forbid_unknown_fields=True):
    """How many of the counted events (requests, tests, log records) may fail, in all and by type of error."""

    rate: ErrorBudget | None = None
    """Share of all events that failed, whatever the type. Without `warn`, a rate within `fail` whose 95 %
    interval reaches over it warns."""
    by_type: dict[str, ErrorBudget] = {}
    """Share of all events that failed with this type: `5xx`, `4xx`, `timeout`, `failure`, `error`, or what
    the source names."""
    optional_rate: ErrorBudget | None = None
    """Like `rate`, used where `rate` is not set and only where events were counted. The presets use it."""
    events: tuple[str, ...] = ()
    """Which events to judge, by name (`http_req_failed`, `checks`, `tests`, `records`, `log`); all when
    empty. One that is named and not counted is unknown."""
    ignore: tuple[str, ...] = ()
    """Types that are no errors here, e.g. `["4xx"]`; they stay in the number of events."""
    min_events: int = 1
    """The fewest events to judge by. A limit needs 1 / limit events anyway: 20 for 5 %, 1,000 for 0.1 %."""

    def __post_init__(self) -> None:
        named = {"rate": self.rate, "optional_rate": self.optional_rate}
        named |= {f'by_type "{kind}"': budget for kind, budget in self.by_type.items()}
        for name, budget in named.items():
            if budget is not None:
                _check(name, budget)
        if self.min_events < 1:
            raise ValueError("min_events is at least 1: no events tell nothing")
        if both := sorted(set(self.ignore) & set(self.by_type)):
            raise ValueError(f"{both[0]} can't be ignored and have a limit in by_type")


def _check(name: str, budget: ErrorBudget) -> None:
    limits = [limit for limit in (budget.warn, budget.fail) if limit is not None]
    if not limits:
        raise ValueError(f"{name} has no limit: give warn, fail or both")
    budget.expect(name, "ratio", "")
    if any(not 0 <= limit <= 1 for limit in limits):
        raise ValueError(f'{name} takes a share from 0 to 100 %: write "5%" or 0.05')
    if budget.worse == "lower":
        raise ValueError(f'{name}: more errors are worse, worse = "lower" makes no sense')
    if budget.min_events is not None and budget.min_events < 1:
        raise ValueError(f"{name}: min_events is at least 1")


PRESETS: dict[str, dict[str, Any]] = {
    "service": {"optional_rate": {"warn": "1%", "fail": "5%"}},
    "batch": {"optional_rate": {"warn": "0.1%", "fail": "1%"}},
    "ai-flow": {"optional_rate": {"warn": "5%", "fail": "10%"}},
}


@post(settings=Errors, presets=PRESETS, tags=["errors"])
def errors(ctx: Context, settings: Errors) -> None:
    """Few enough of the counted events failed."""
    readings = ctx.samples
    names = list(dict.fromkeys(events.name for events in readings.events))
    asked = settings.rate is not None or bool(settings.by_type)
    if not asked and (settings.optional_rate is None or not names):
        ctx.skip(EXAMPLE + (f". Counted: {', '.join(names)}" if names else ""))
    if not names:
        notes = "; ".join(readings.notes)
        ctx.unknown(
            f"no events were counted: give them with --samples SOURCE:FILE{f' ({notes})' if notes else ''}"
        )
    for name in settings.events or names:
        counted = readings.counted(name)
        for finding in [_missing(name, names)] if counted is None else _judge(settings, counted, readings):
            ctx.add(finding)


def _missing(name: str, names: list[str]) -> Finding:
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=1, cutoff=0.5)
    message = f"no events {name!r} were counted" + (f". Did you mean {near[0]!r}?" if near else "")
    return Finding(name, "unknown", message=message, hint=f"counted: {', '.join(names)}")


def _judge(settings: Errors, events: Events, readings: Readings) -> Iterator[Finding]:
    counted = {kind: count for kind, count in events.errors.items() if kind not in settings.ignore}
    rate = settings.rate or settings.optional_rate
    if rate is not None:
        count = Count(events, events.name, sum(counted.values()), counted, readings.notes)
        yield count.against(rate, settings.min_events)
    for kind, budget in settings.by_type.items():
        count = Count(events, f"{events.name}.{kind}", events.errors.get(kind, 0), {}, readings.notes)
        finding = count.against(budget, settings.min_events)
        doubt = _doubt(events, kind, budget) if finding.status in ("pass", "warn") else ""
        yield Finding(count.name, "unknown", n=events.total, message=doubt, hint=_TYPES) if doubt else finding


_TYPES = "count them with a source that tells types, such as log, or give a limit for the rate of all"


def _doubt(events: Events, kind: str, budget: ErrorBudget) -> str:
    """Why a count within its limit can't be believed: errors without a type, or a type that looks
    misspelt.
    """
    untyped = events.errors.get(UNTYPED, 0) if kind != UNTYPED else 0
    if (events.errors.get(kind, 0) + untyped) / events.total > _limits(budget)[-1]:
        failed = f"{untyped:,} of {events.total:,} failed"
        return f"{events.name}: {failed}, and their source doesn't say with which type"
    if kind in events.errors or kind in WELL_KNOWN:
        return ""
    from difflib import get_close_matches

    near = get_close_matches(kind, [*events.errors, *WELL_KNOWN], n=1, cutoff=0.75)
    return f"no error has the type {kind!r}. Did you mean {near[0]!r}?" if near else ""


class Count(Struct, frozen=True):
    """How many of some events failed."""

    events: Events
    name: str
    failed: int
    types: dict[str, int]
    notes: tuple[str, ...]

    def against(self, budget: ErrorBudget, least: int) -> Finding:
        """The finding: unknown below the number of events that the limit needs, else the rate against its
        limits.
        """
        total, whole = self.events.total, self.events.whole
        resolve = 1 if whole else max(map(stats.enough_to_resolve, _limits(budget)))
        needed = budget.min_events or max(least, resolve)
        if total < needed:
            return self._too_few(needed)
        rate, high = self.failed / total, stats.wilson(self.failed, total)[1]
        warn, fail = budget.warn, budget.fail
        if fail is not None and rate > fail:
            return self._finding("fail", fail, budget)
        if warn is not None and rate > warn:
            return self._finding("warn", warn, budget)
        if warn is None and fail and self.failed and high > fail and not whole:
            return self._finding(
                "warn", fail, budget, f", but the 95 % interval reaches {show(high, 'ratio')}"
            )
        if self._hidden(budget):
            lines = f", but {self.events.unread:,} unread lines would be over it if they were errors"
            return self._finding("warn", fail if fail is not None else warn, budget, lines)
        return self._finding("pass", fail if fail is not None else warn, budget)

    def _hidden(self, budget: ErrorBudget) -> bool:
        unread, limit = self.events.unread, _limits(budget)[-1]
        return unread > 0 and (self.failed + unread) / (self.events.total + unread) > limit

    def _finding(self, status: Any, limit: Any, budget: ErrorBudget, more: str = "") -> Finding:
        total, rate = self.events.total, self.failed / self.events.total
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in self._common())
        said = f"{self.name}: {self.failed:,} of {total:,} failed, {show(rate, 'ratio')}"
        relation = "over" if rate > limit else "within"
        message = f"{said}, {relation} the limit of {show(float(limit), 'ratio')}{more}" + (
            f" ({kinds})" if kinds else ""
        )
        return Finding(
            self.name,
            status,
            observed=rate,
            operator="<=",
            limit=float(limit),
            unit="ratio",
            n=total,
            message=message,
            hint=self._hint() if status != "pass" else "",
            evidence=self._evidence(budget),
        )

    def _evidence(self, budget: ErrorBudget | None = None) -> dict[str, Any]:
        found: dict[str, Any] = {"failed": self.failed}
        if self.events.total and not self.events.whole:
            low, high = stats.wilson(self.failed, self.events.total)
            found["interval"] = {
                "low": round(low, 6),
                "high": round(high, 6),
                "level": 0.95,
                "method": "Wilson",
            }
        limits = {"warn": budget.warn, "fail": budget.fail} if budget else {}
        more = {
            "limits": {word: float(limit) for word, limit in limits.items() if limit is not None},
            "types": dict(self._common(20)),
            "unread": self.events.unread,
            "source": self.events.source,
            "notes": list(self.notes),
        }
        return found | {key: value for key, value in more.items() if value}

    def _common(self, most: int = 4) -> list[tuple[str, int]]:
        return sorted(self.types.items(), key=lambda item: (-item[1], item[0]))[:most]

    def _hint(self) -> str:
        if self.events.unread:
            return "read the lines that are no JSON, or write the log as one JSON object per line"
        return f"look for them in {self.events.source}" if self.events.source else "look at what failed"

    def _too_few(self, needed: int) -> Finding:
        total = self.events.total
        message = f"{self.name}: {total:,} events, {needed:,} are needed: {needed - total:,} missing"
        if self.events.unread:
            message += f"; {self.events.unread:,} lines could not be read"
        hint = "count more events, set min_events for this limit, or allow no error at all with fail = 0"
        return Finding(
            self.name, "unknown", observed=total, operator=">=", limit=needed, unit="events", n=total,
            message=message, hint=hint, evidence=self._evidence(),
        )  # fmt: skip


def _limits(budget: ErrorBudget) -> list[float]:
    return [float(limit) for limit in (budget.warn, budget.fail) if limit is not None]
