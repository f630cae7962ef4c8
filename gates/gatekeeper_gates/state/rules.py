"""How `post.state` judges each kind of rule: what was before, what is now, and whether that is right."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from gatekeeper import Context, DataError, Finding
from gatekeeper_gates.state import snapshots

if TYPE_CHECKING:
    from gatekeeper_gates.state import Database, Files, Range, Table, Values

Seen = dict[str, list[Any]]
"""Size and hash by path."""


class Comparison:
    """One rule, and what the pre run saw of it."""

    def __init__(self, ctx: Context, before: Mapping[str, Any], kind: str, path: str) -> None:
        self.ctx, self.name, self.path = ctx, f"{kind} {path}", path
        known = before.get(kind, {}).get(
            path, {"error": "the rule was not configured when the pre run was made"}
        )
        self.before, self.error = known.get("seen"), known.get("error")

    def run(self, judge: Any, rule: Any) -> None:
        """`judge(self, rule)`, if what was before is known."""
        if self.error is not None:
            message = f"nothing to compare with: {self.error}"
            self.ctx.add(Finding(self.name, "unknown", message=message, hint="gatekeeper run pre"))
            return
        try:
            judge(self, rule)
        except (DataError, OSError) as error:
            message = f"can't be read after the flow: {error}"
            self.ctx.check(False, message, name=self.name, hint=f"ls -l {self.path}")


# -- files ---------------------------------------------------------------------------------------------------


def files(rule: Comparison, declared: "Files") -> None:
    """The files of one rule, before and after."""
    before: Seen = rule.before
    after = snapshots.files(rule.ctx, declared.path, declared.max_files)
    if not before and not after:
        _no_files(rule, declared)
        return
    changes = snapshots.Changes.between(before, after)
    if declared.change == "must":
        _some_change(rule, changes, before, after)
    else:
        _no_violation(rule, declared.change, changes, before, after)


def _no_files(rule: Comparison, declared: "Files") -> None:
    rule.ctx.check(
        declared.optional,
        "there is no such file, neither before nor after the flow",
        name=rule.name,
        observed=0,
        operator=None if declared.optional else ">=",
        limit=None if declared.optional else 1,
        unit="files",
        hint=f"check the path (relative ones start at {rule.ctx.root}), or set optional = true",
    )


def _some_change(rule: Comparison, changes: snapshots.Changes, before: Seen, after: Seen) -> None:
    count = len(before.keys() | after.keys())
    rule.ctx.check(
        changes,
        f"none of {count} files changed; the flow should have changed one"
        if count > 1
        else "was not changed by the flow",
        name=rule.name,
        observed=len(changes),
        operator=">=",
        limit=1,
        unit="changed files",
        n=count,
        hint=f"ls -l --time-style=full-iso {rule.path}",
        evidence=changes.evidence(before, after),
    )


_WRONG = {"never": "changed", "may_grow": "changed by more than appending", "no_loss": "lost content"}


def _no_violation(
    rule: Comparison, change: str, changes: snapshots.Changes, before: Seen, after: Seen
) -> None:
    wrong = _violations(rule.ctx, change, changes, before, after)
    count = len(before.keys() | after.keys())
    first = next(iter(wrong), rule.path)
    rule.ctx.check(
        not wrong,
        f"{len(wrong)} of {count} files {_WRONG[change]}: {_named(wrong)}",
        name=rule.name,
        observed=len(wrong),
        operator="<=",
        limit=0,
        unit="wrong",
        n=count,
        hint=f"ls -l {first}; git log --stat -- {first}",
        evidence=changes.evidence(before, after),
    )


def _violations(
    ctx: Context, change: str, changes: snapshots.Changes, before: Seen, after: Seen
) -> dict[str, str]:
    """Path → what is wrong with it, by the rule."""
    removed = dict.fromkeys(changes.removed, "removed")
    if change == "never":
        return removed | dict.fromkeys(changes.created, "created") | dict.fromkeys(changes.changed, "changed")
    sizes = {path: (before[path][0], after[path][0]) for path in changes.changed}
    smaller = {path: f"from {was} B to {now} B" for path, (was, now) in sizes.items() if now < was}
    if change == "no_loss":
        return removed | smaller
    grown = [path for path in changes.changed if path not in smaller]
    rewritten = [p for p in grown if snapshots.digest(ctx.path(p), before[p][0])[1] != before[p][1]]
    return removed | smaller | dict.fromkeys(rewritten, "earlier content rewritten")


def _named(wrong: dict[str, str], most: int = 5) -> str:
    more = f" and {len(wrong) - most} more" if len(wrong) > most else ""
    return ", ".join(f"{path} ({what})" for path, what in [*wrong.items()][:most]) + more


# -- SQLite --------------------------------------------------------------------------------------------------


def database(ctx: Context, rule: "Database") -> None:
    """What can be told without a pre run: integrity, and limits on rows."""
    path, name = ctx.path(rule.path), f"sqlite {rule.path}"
    try:
        problems = snapshots.integrity(path) if rule.integrity else []
        counts = snapshots.rows(path, [*rule.tables])
    except (DataError, OSError) as error:
        ctx.check(False, str(error), name=name, hint=f"ls -l {rule.path}; file {rule.path}")
        return
    if rule.integrity:
        _integrity(ctx, rule.path, problems)
    for table, limits in rule.tables.items():
        _limits(ctx, rule.path, table, limits, counts[table])


def _integrity(ctx: Context, path: str, problems: list[str]) -> None:
    ctx.check(
        not problems,
        "; ".join(problems[:3]),
        name=f"sqlite {path} integrity",
        observed=len(problems),
        operator="<=",
        limit=0,
        unit="problems",
        hint=f"sqlite3 {path} 'PRAGMA integrity_check; PRAGMA foreign_key_check'",
        evidence={"problems": problems} if problems else None,
    )


def _limits(ctx: Context, path: str, table: str, limits: "Table", count: int | None) -> None:
    title = f"sqlite {path} {table}"
    if count is None:
        known = ", ".join(snapshots.tables(ctx.path(path))) or "none"
        message = f"there is no table {table!r}; there are: {known}"
        ctx.check(False, message, name=title, hint=f"sqlite3 {path} .tables")
        return
    if limits.min is None and limits.max is None and not limits.compares:
        ctx.measure(title, count, unit="rows")
    _within(ctx, title, count, limits.min, limits.max, unit="rows", message="", hint=_count_hint(path, table))


def _count_hint(path: str, table: str) -> str:
    return f"sqlite3 {path} 'SELECT count(*) FROM {table}'"


def _within(
    ctx: Context, name: str, value: float, least: float | None, most: float | None, **words: Any
) -> None:
    """A number between two limits: a finding for each limit that there is."""
    message = words.pop("message")
    if least is not None:
        ctx.check(value >= least, message, name=name, observed=value, operator=">=", limit=least, **words)
    if most is not None:
        ctx.check(value <= most, message, name=name, observed=value, operator="<=", limit=most, **words)


def tables(rule: Comparison, declared: "Database") -> None:
    """The row counts of one database, before and after."""
    counts = snapshots.rows(rule.ctx.path(declared.path), [*declared.compared])
    for name, table in declared.compared.items():
        title, was, now = f"{rule.name} {name}", rule.before.get(name), counts[name]
        if now is None:
            continue  # `database` has said so
        if was is None:
            message = "the pre run saw no such table: nothing to compare with"
            rule.ctx.add(Finding(title, "unknown", observed=now, unit="rows", message=message))
            continue
        _change(rule, title, table.change, was, now)
        _delta(rule, title, table.delta, (was, now), "rows")


def _change(rule: Comparison, title: str, change: str, was: int, now: int) -> None:
    if change == "any":
        return
    holds = {"never": now == was, "grows": now >= was, "shrinks": now <= was}[change]
    words = {"never": "must not change", "grows": "may only grow", "shrinks": "may only shrink"}[change]
    rule.ctx.check(
        holds,
        f"{title}: {was} rows before, {now} after ({now - was:+d}); it {words}",
        name=title,
        observed=now,
        operator={"never": "==", "grows": ">=", "shrinks": "<="}[change],
        limit=was,
        unit="rows",
        hint=_count_hint(rule.path, title.removeprefix(f"{rule.name} ")),
        evidence={"before": was, "after": now},
    )


def _delta(rule: Comparison, title: str, limits: "Range", values: tuple[float, float], unit: str) -> None:
    was, now = values
    _within(
        rule.ctx,
        f"{title} delta",
        now - was,
        limits.min,
        limits.max,
        unit=unit or None,
        message=f"{title}: {was:g} before, {now:g} after ({now - was:+g}); {_declared(limits)}",
        evidence={"before": was, "after": now},
    )


def _declared(limits: "Range") -> str:
    words = [("at least", limits.min), ("at most", limits.max)]
    return "it must grow by " + " and ".join(
        f"{word} {limit:g}" for word, limit in words if limit is not None
    )


# -- values --------------------------------------------------------------------------------------------------


def values(rule: Comparison, declared: "Values") -> None:
    """The values of one file, before and after."""
    after = snapshots.values(rule.ctx.path(declared.path), declared.keys)
    for key in declared.never:
        _compared(rule, key, after[key], "==")
    for key in declared.must:
        _compared(rule, key, after[key], "!=")
    for key in declared.grows:
        _counter(rule, key, after[key], None)
    for key, limits in declared.delta.items():
        _counter(rule, key, after[key], limits)


def _compared(rule: Comparison, key: str, now: Any, operator: Literal["==", "!="]) -> None:
    was, title = rule.before.get(key, snapshots.MISSING), f"{rule.name} {key}"
    nowhere = was == now == snapshots.MISSING
    verb = "must not change" if operator == "==" else "must change"
    change = f"{snapshots.shown(was)} before, {snapshots.shown(now)} after"
    rule.ctx.check(
        not nowhere and (was == now) is (operator == "=="),
        f"{key} {verb}: {'not there, neither before nor after' if nowhere else change}",
        name=title,
        observed=now,
        operator=operator,
        limit=was,
        hint=f"less {rule.path}",
    )


def _counter(rule: Comparison, key: str, now: Any, limits: "Range | None") -> None:
    was, title = rule.before.get(key, snapshots.MISSING), f"{rule.name} {key}"
    for when, value in (("before", was), ("after", now)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            message = f"{key} is not a number {when} the flow: {snapshots.shown(value)}"
            rule.ctx.check(False, message, name=title, observed=value, hint=f"less {rule.path}")
            return
    if limits is not None:
        _delta(rule, title, limits, (was, now), "")
        return
    rule.ctx.check(
        now >= was,
        f"{key} fell from {was:g} to {now:g}; it may only grow",
        name=title,
        observed=now,
        operator=">=",
        limit=was,
        hint=f"less {rule.path}",
    )
