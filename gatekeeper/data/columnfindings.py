"""Findings on what streamed by: columns, text, and what of one file came out in another."""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any, Protocol

from gatekeeper.data.columns import EXAMPLES, Keys, Nulls, Range, Unique
from gatekeeper.data.findings import between, see, unmeasured
from gatekeeper.data.searches import Lines, Search
from gatekeeper.data.targets import Target
from gatekeeper.plain import text
from gatekeeper.quantities import Budget

if TYPE_CHECKING:
    from gatekeeper.context import Context


class Limits(Protocol):
    """A least and a greatest number."""

    @property
    def min(self) -> float | None: ...
    @property
    def max(self) -> float | None: ...


class ColumnChecks:
    """Uniqueness, share of nulls and ranges of a target's records; make it before `target.read()`, report
    after.
    """

    def __init__(
        self,
        target: Target,
        *,
        unique: Sequence[str] = (),
        max_keys: int,
        nulls: Mapping[str, Budget],
        ranges: Mapping[str, Limits],
        null_texts: Sequence[str] = ("",),
    ) -> None:
        self.target = target
        self.unique = Unique(unique, max_keys) if unique else None
        self.nulls = [(Nulls(column, null_texts), budget) for column, budget in nulls.items()]
        self.ranges = [Range(column, limits.min, limits.max, null_texts) for column, limits in ranges.items()]
        target.columns += [
            *([self.unique] if self.unique else []),
            *(seen for seen, _ in self.nulls),
            *self.ranges,
        ]

    def report(self, ctx: "Context") -> None:
        if self.unique is not None:
            self._report_unique(ctx, self.unique)
        for nulls, budget in self.nulls:
            self._report_nulls(ctx, nulls, budget)
        for column in self.ranges:
            self._report_range(ctx, column)

    def _untold(self, ctx: "Context", name: str, count: int, what: str = "records") -> bool:
        """Record that there was nothing, or not all, to tell from."""
        target = self.target
        if target.errors:
            unmeasured(ctx, name, f"{target.label} was not read to its end", count)
        elif not target.holds_records:
            unmeasured(
                ctx, name, f"{target.label} holds no list of records", hint='records = "KEY" says where it is'
            )
        elif count == 0:
            unmeasured(ctx, name, f"{target.label} holds no {what}", hint=f"head {target.label}")
        else:
            return False
        return True

    def _report_unique(self, ctx: "Context", found: Unique) -> None:
        columns = " + ".join(found.columns)
        name = f"{self.target.label} unique {columns}"
        counted = found.total - found.without
        if not found.repeated and self._untold(ctx, name, counted, f"records with {columns}"):
            return
        if found.overflow and not found.repeated:
            unmeasured(
                ctx, name, f"more than {found.limit} distinct values of {columns}", counted, "raise max_keys"
            )
            return
        first = found.examples[0] if found.examples else {"value": "", "place": ""}
        ctx.check(
            found.repeated == 0,
            f"{columns} {first['value']!r} is there again at {first['place']}; "
            f"{found.repeated} of {counted} records repeat one",
            name=name,
            observed=found.repeated,
            operator="==",
            limit=0,
            unit="records",
            n=counted,
            hint=see(self.target, first["place"]),
            evidence={"examples": found.examples, "without": found.without},
        )

    def _report_nulls(self, ctx: "Context", found: Nulls, budget: Budget) -> None:
        name = f"{self.target.label} nulls {found.column}"
        if self._untold(ctx, name, found.total):
            return
        absent = f"no record of {self.target.label} has {found.column!r}" if not found.seen else ""
        share = found.nulls / found.total
        ctx.measure(
            name,
            share,
            unit="ratio",
            warn=budget.warn,
            fail=budget.fail,
            worse=budget.worse,
            n=found.total,
            message=absent,
            hint=see(self.target, found.examples[0]) if found.examples else "",
            evidence={"nulls": found.nulls, "examples": found.examples},
        )

    def _report_range(self, ctx: "Context", found: Range) -> None:
        name = f"{self.target.label} range {found.column}"
        if not found.outside and self._untold(ctx, name, found.total, f"values of {found.column!r}"):
            return
        low, high = ("…" if limit is None else f"{limit:g}" for limit in (found.low, found.high))
        first = found.examples[0] if found.examples else {"value": "", "place": "", "type": ""}
        what = f"{first['value']!r}" + (
            f" ({first['type']})" if first["type"] not in ("integer", "number") else ""
        )
        ctx.check(
            found.outside == 0,
            f"{found.column} {what} at {first['place']} is not in {low} to {high}; "
            f"{found.outside} of {found.total} are not",
            name=name,
            observed=found.outside,
            operator="==",
            limit=0,
            unit="values",
            n=found.total,
            hint=see(self.target, str(first["place"])),
            evidence={"smallest": found.smallest, "largest": found.largest, "examples": found.examples},
        )


class TextChecks:
    """Required and forbidden text, and the number of words; make it before `target.read()`, report after."""

    def __init__(
        self,
        target: Target,
        *,
        required: Sequence[str] = (),
        required_patterns: Sequence[str] = (),
        forbidden: Sequence[str] = (),
        forbidden_patterns: Sequence[str] = (),
        words: Limits,
    ) -> None:
        self.target, self.limits = target, words
        self.required = [*map(Search, required), *(Search(pattern, True) for pattern in required_patterns)]
        self.forbidden = [*map(Search, forbidden), *(Search(pattern, True) for pattern in forbidden_patterns)]
        self.counts_words = words.min is not None or words.max is not None
        if self.required or self.forbidden or self.counts_words:
            target.lines = Lines([*self.required, *self.forbidden])

    def report(self, ctx: "Context") -> None:
        lines, label = self.target.lines, self.target.label
        if lines is None:
            return
        if lines.count == 0:
            unmeasured(
                ctx, f"{label} text", f"{label} holds no line of text to look at", hint=f"head {label}"
            )
            return
        for search in self.required:
            self._report_required(ctx, search, lines)
        for search in self.forbidden:
            self._report_forbidden(ctx, search, lines)
        if self.counts_words:
            low, high = self.limits.min, self.limits.max
            between(ctx, f"{label} words", lines.words, low, high, unit="words", hint=f"wc -w {label}")

    def _report_required(self, ctx: "Context", search: Search, lines: Lines) -> None:
        label, what = self.target.label, "nothing like" if search.pattern else "no"
        ctx.check(
            search.count > 0,
            f"{label} has {what} {search.wanted!r}",
            name=f"{label} has {search.wanted!r}",
            observed=search.count,
            operator=">=",
            limit=1,
            unit="lines",
            n=lines.count,
            hint=f"grep -n{'E' if search.pattern else 'F'} {quote(search.wanted)} {label}",
            evidence={"found": search.places[:1]} if search.places else {},
        )

    def _report_forbidden(self, ctx: "Context", search: Search, lines: Lines) -> None:
        label = self.target.label
        first = search.places[0] if search.places else {"place": "", "text": ""}
        ctx.check(
            search.count == 0,
            f"{search.wanted!r} is in {search.count} lines, first at {first['place']}: {first['text']}",
            name=f"{label} without {search.wanted!r}",
            observed=search.count,
            operator="==",
            limit=0,
            unit="lines",
            n=lines.count,
            hint=f"grep -n{'E' if search.pattern else 'F'} {quote(search.wanted)} {label}",
            evidence={"found": search.places} if search.places else {},
        )


def report_relation(
    ctx: "Context", source: Target, result: Target, *, given: Keys, came: Keys, kind: str
) -> None:
    """Whether every key of `source` is in `result` (kind `all`), nothing else is (`none_new`), or both
    (`same`).
    """
    base = f"{source.label} → {result.label} {given.column}"
    for target, keys in ((source, given), (result, came)):
        if (problem := _unusable(target, keys)) is not None:
            place = target.faults[0].place if target.faults else target.label
            unmeasured(ctx, base, problem, hint=see(target, place))
            return
    if kind in ("all", "same"):
        lost = sorted(given.known - came.known, key=_in_order)
        what = f"{len(lost)} of {len(given.known)} {given.column} did not come out in {result.label}"
        _report_keys(ctx, f"{base} all", lost, what, "missing", n=len(given.known), label=source.label)
    if kind in ("none_new", "same"):
        new = sorted(came.known - given.known, key=_in_order)
        what = f"{len(new)} of {len(came.known)} {came.column} in {result.label} were not in {source.label}"
        _report_keys(ctx, f"{base} none new", new, what, "new", n=len(came.known), label=result.label)


def _unusable(target: Target, keys: Keys) -> str | None:
    if target.faults:
        return str(target.faults[0])
    if not target.holds_records:
        return f"{target.label} holds no list of records: from_records or to_records says where it is"
    if keys.overflow:
        return f"{target.label} has more than {keys.limit} distinct {keys.column}: raise max_keys"
    if not keys.known and keys.total:
        return f"no record of {target.label} has {keys.column!r}"
    return None


def _report_keys(
    ctx: "Context", name: str, wrong: list[str], what: str, word: str, *, n: int, label: str
) -> None:
    shown = [text(key, 100) for key in wrong[:EXAMPLES]]
    if n == 0:
        unmeasured(ctx, name, "there were no records, so nothing is known of what came out")
        return
    ctx.check(
        not wrong,
        f"{what}: {_named(wrong)}",
        name=name,
        observed=len(wrong),
        operator="==",
        limit=0,
        unit="keys",
        n=n,
        hint=f"grep -nF {quote(shown[0])} {label}" if shown else "",
        evidence={word: shown} if shown else {},
    )


def _named(keys: list[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(text(key, 60) for key in keys[:3]) + more


def _in_order(key: str) -> Any:
    return (0, int(key), "") if key.isascii() and key.isdecimal() and len(key) < 20 else (1, 0, key)
