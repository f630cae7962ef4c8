"""`post.state`: what a flow may, must and must not have changed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field

from gatekeeper import Context, DataError, post

UNCONFIGURED = """nothing declared. For example:

[[gates.state.files]]
path = "reference/*.csv"
change = "never"

[[gates.state.sqlite]]
path = "orders.db"
tables = { orders = { change = "grows" } }"""

FileChange = Literal["never", "must", "may_grow", "no_loss"]
RowChange = Literal["never", "grows", "shrinks", "any"]


class Range(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a number, both allowed; none means unlimited."""

    min: float | None = None
    """The smallest number that is right."""
    max: float | None = None
    """The largest number that is right."""

    def __post_init__(self) -> None:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"impossible range: min {self.min:g} is above max {self.max:g}")


class Files(Struct, frozen=True, forbid_unknown_fields=True):
    """Files, and how they may change."""

    path: str
    """A file, or a glob such as `data/**/*.csv`; relative paths start at the project."""
    change: FileChange = "never"
    """`never`: the same files with the same content. `must`: at least one was created, changed or removed.
    `may_grow`: content may only be appended, files be added. `no_loss`: no file vanishes or gets smaller."""
    optional: bool = False
    """Whether it is right that no such file exists, neither before nor after."""
    max_files: int = 2_000
    """More files than these are an error, not a sample: a glob that catches a whole disk is a mistake."""


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """How the number of rows of one table may change."""

    change: RowChange = "any"
    """`never`: as many rows as before. `grows`: not fewer. `shrinks`: not more."""
    min: int | None = None
    """The fewest rows after the flow."""
    max: int | None = None
    """The most rows after the flow."""
    delta: Range = Range()
    """How many rows more than before (negative: fewer), from `min` to `max`."""

    def __post_init__(self) -> None:
        Range(self.min, self.max)

    @property
    def compares(self) -> bool:
        return self.change != "any" or self.delta != Range()


class Database(Struct, frozen=True, forbid_unknown_fields=True):
    """A SQLite database. It is opened read-only, and nothing is created beside it."""

    path: str
    """The database file; relative paths start at the project."""
    integrity: bool = True
    """Whether `PRAGMA integrity_check` and `PRAGMA foreign_key_check` must find nothing."""
    tables: dict[str, Table] = field(default_factory=dict)
    """Tables by name, and how they may change."""

    @property
    def compared(self) -> dict[str, Table]:
        """The tables that are held against what they were before."""
        return {name: table for name, table in self.tables.items() if table.compares}


class Values(Struct, frozen=True, forbid_unknown_fields=True):
    """Values inside a JSON or TOML file, by dotted key: `a.b`, `items.0.id`, `a."key.with.dots"`."""

    path: str
    """The file, ending in `.json` or `.toml`; relative paths start at the project."""
    never: list[str] = field(default_factory=list)
    """Keys whose values must be the same as before."""
    must: list[str] = field(default_factory=list)
    """Keys whose values must differ from before."""
    grows: list[str] = field(default_factory=list)
    """Counters that must not be less than before."""
    delta: dict[str, Range] = field(default_factory=dict)
    """Counters, and by how much they must have grown: `min`, `max` or both."""

    def __post_init__(self) -> None:
        for key, limits in self.delta.items():
            if limits == Range():
                raise ValueError(f"delta of {key!r} has neither min nor max")
        if Path(self.path).suffix.lower() not in (".json", ".toml"):
            raise ValueError(f"values are read from .json or .toml files, got {self.path!r}")
        if not self.keys:
            raise ValueError("no keys are declared: give never, must, grows or delta")
        from gatekeeper_gates.state.snapshots import split

        for key in self.keys:
            split(key)

    @property
    def keys(self) -> list[str]:
        return [*self.never, *self.must, *self.grows, *self.delta]


class State(Struct, frozen=True, forbid_unknown_fields=True):
    """What a flow may, must and must not change, in files, SQLite databases and single values."""

    files: list[Files] = field(default_factory=list)
    """Files and how they may change."""
    sqlite: list[Database] = field(default_factory=list)
    """SQLite databases: integrity, and how many rows their tables have."""
    values: list[Values] = field(default_factory=list)
    """Values in JSON and TOML files: keys that must not change, keys that must, counters."""


def snapshot_state(ctx: Context, settings: State) -> dict[str, Any]:
    """What everything declared looks like before the flow; a rule that can't be read says why instead."""
    from gatekeeper_gates.state import snapshots

    return {
        "files": {
            rule.path: _tried(snapshots.files, ctx, rule.path, rule.max_files) for rule in settings.files
        },
        "sqlite": {
            path: _tried(snapshots.rows, ctx.path(path), tables)
            for path, tables in _merged((rule.path, rule.compared) for rule in settings.sqlite).items()
        },
        "values": {
            path: _tried(snapshots.values, ctx.path(path), keys)
            for path, keys in _merged((rule.path, rule.keys) for rule in settings.values).items()
        },
    }


def _tried(take: Any, *arguments: Any) -> dict[str, Any]:
    try:
        return {"seen": take(*arguments)}
    except (DataError, OSError) as error:
        return {"error": str(error)}


def _merged(wanted: Iterable[tuple[str, Iterable[str]]]) -> dict[str, list[str]]:
    """What is wanted of each file, even where two rules name it."""
    merged: dict[str, list[str]] = {}
    for path, names in wanted:
        merged.setdefault(path, []).extend(names)
    return merged


@post(settings=State, before=snapshot_state, tags=["state"], timeout="2m")
def state(ctx: Context, settings: State) -> None:
    """What must not change did not, what must did, and nothing got lost."""
    if settings == State():
        ctx.skip(UNCONFIGURED)
    from gatekeeper_gates.state import rules

    for database in settings.sqlite:
        rules.database(ctx, database)
    databases = [database for database in settings.sqlite if database.compared]
    if not (settings.files or databases or settings.values):
        return
    before = ctx.before["post.state"]
    for files in settings.files:
        rules.Comparison(ctx, before, "files", files.path).run(rules.files, files)
    for database in databases:
        rules.Comparison(ctx, before, "sqlite", database.path).run(rules.tables, database)
    for values in settings.values:
        rules.Comparison(ctx, before, "values", values.path).run(rules.values, values)
