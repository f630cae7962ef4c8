"""`post.outputs`: what a flow wrote is there, is what it should be, and lost nothing."""

import glob
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from gatekeeper import Budget, Context, Duration, PolicyPath, Quantity, post

if TYPE_CHECKING:
    from gatekeeper.data import Target

    Known = dict[tuple[str, str | None], Target]

Format = Literal["", "json", "jsonl", "csv", "tsv", "toml", "yaml", "parquet", "text", "binary"]


class Between(Struct, frozen=True, forbid_unknown_fields=True):
    """A least and a greatest number; both still within."""

    min: float | None = None
    """The least."""
    max: float | None = None
    """The greatest."""

    def __post_init__(self) -> None:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min is above max ({self.min:g} > {self.max:g})")


class Rows(Struct, frozen=True, forbid_unknown_fields=True):
    """How many records there may be: numbers, or percentages of another file's."""

    min: Quantity | None = None
    """The least, `100`, or `"95%"` of the records of `of`."""
    max: Quantity | None = None
    """The greatest, likewise."""
    of: str = ""
    """The input (its name, or a file) whose records percentages are of."""
    of_records: str | None = None
    """Where that file, as a JSON document, holds its list of records."""

    def __post_init__(self) -> None:
        units = {limit.unit for limit in (self.min, self.max) if limit is not None}
        if units - {"", "ratio"}:
            raise ValueError('min and max take a number of records, or a percentage with of = "INPUT"')
        if ("ratio" in units) != bool(self.of):
            raise ValueError('a percentage of records needs of = "INPUT", and only a percentage does')
        if len(units) == 1 and self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")


class OutputFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One output: a file, files by a pattern, or what `--output NAME=…` gives."""

    path: str = ""
    """The file, or a pattern such as `out/part-*.jsonl`; relative to the project."""
    name: str = ""
    """Instead of `path`: the name of an output that is given on the command line, `--output NAME=FILE`."""
    format: Format = ""
    """What it is read as, where its name doesn't say it; `binary` is read for its digest only."""
    required: bool = True
    """Whether it must exist."""
    empty: bool = False
    """Whether it may hold nothing: no bytes, or no records."""
    content: bool = True
    """Whether it is read at all, rather than only looked at (existence, count, size, age)."""
    count: Between = Between()
    """How many files a pattern may match."""
    size: Budget = Budget()
    """Size of each file; `{ fail = "1kB", worse = "lower" }` for a least size."""
    max_age: Duration | None = None
    """How long ago each file may have been written: `"1h"` tells this run's output from an older one's."""
    encoding: str = "utf-8"
    """Encoding of CSV and text, if it isn't UTF-8; one that extends ASCII."""
    sha256: str = ""
    """The file's SHA-256 in hexadecimal."""
    schema: PolicyPath = ""
    """A JSON Schema file: for each record of JSON Lines, CSV, Parquet and of `records`, else for the
    document."""
    schema_folder: PolicyPath = ""
    """The folder whose files a relative `$ref` in the schema may name; without it `$ref` stays inside the
    schema."""
    formats: bool = True
    """Whether the schema's `format` (date, email, …) is checked."""
    records: str | None = None
    """Where a JSON, TOML or YAML document holds its list of records, `"data.items"`; `""` is the document
    itself."""
    rows: Rows = Rows()
    """How many records there may be, in all files together."""
    unique: tuple[str, ...] = ()
    """Columns whose values, together, no two records may share. Nested ones with dots, `"customer.id"`."""
    max_keys: int = 5_000_000
    """How many distinct values of `unique` are held in memory, at about 100 bytes each; beyond, it is
    unknown."""
    nulls: dict[str, Budget] = {}
    """Share of records without a value, by column: `{ email = { warn = "1%", fail = "5%" } }`."""
    null_texts: tuple[str, ...] = ("",)
    """What stands for "no value" in a CSV cell, such as `["", "NA"]`."""
    ranges: dict[str, Between] = {}
    """Least and greatest value, by column; records without a value are not looked at."""
    required_text: tuple[str, ...] = ()
    """Texts that must occur, each within one line."""
    required_pattern: tuple[str, ...] = ()
    """Regular expressions (linear-time: no look-around, no back-references) that must be found in some
    line."""
    forbidden_text: tuple[str, ...] = ()
    """Texts that must not occur in any line, such as `["TODO", "Lorem ipsum"]`."""
    forbidden_pattern: tuple[str, ...] = ()
    """Regular expressions that must not be found in any line."""
    words: Between = Between()
    """How many words there may be, in all files together."""

    def __post_init__(self) -> None:
        from gatekeeper.data import check_settings

        check_settings(self)
        if self.sha256 and glob.has_magic(self.path):
            raise ValueError("sha256 is of one file, path is a pattern")
        for column, budget in self.nulls.items():
            budget.expect(f"nulls.{column}", "ratio", "")
        if self.reads and not self.content:
            raise ValueError(f"content = false reads nothing, so {self.reads[0]} can't be checked")
        if (self.looks_at_text or self.words != Between()) and self.format == "parquet":
            raise ValueError("Parquet holds no lines of text")
        if self.required_pattern or self.forbidden_pattern:
            from gatekeeper.data import linear_pattern

            for pattern in (*self.required_pattern, *self.forbidden_pattern):
                linear_pattern(pattern)

    @property
    def looks_at_text(self) -> bool:
        return bool(
            self.required_text or self.required_pattern or self.forbidden_text or self.forbidden_pattern
        )

    @property
    def reads(self) -> list[str]:
        """Which checks need the content."""
        checks = {
            "rows": self.rows != Rows(),
            "unique": self.unique,
            "nulls": self.nulls,
            "ranges": self.ranges,
            "text": self.looks_at_text,
            "words": self.words != Between(),
        }
        return [name for name, asked in checks.items() if asked]


class Relation(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """What must hold between the records of two files, by a key: "every id that went in came out"."""

    from_: str
    """What went in: the name of an input, or a file or pattern."""
    to: str
    """What came out: the name of an output, or a file or pattern."""
    key: str = ""
    """The column that both share."""
    from_key: str = ""
    """The column in `from`, where it differs."""
    to_key: str = ""
    """The column in `to`, where it differs."""
    from_records: str | None = None
    """Where `from`, as a JSON document, holds its list of records."""
    to_records: str | None = None
    """Where `to`, as a JSON document, holds its list of records."""
    kind: Literal["all", "none_new", "same"] = "all"
    """`all`: every key came out; `none_new`: nothing came out that was not in; `same`: both."""
    max_keys: int = 5_000_000
    """How many distinct keys of each side are held in memory, at about 100 bytes each; beyond, it is
    unknown."""

    def __post_init__(self) -> None:
        if not (self.key or (self.from_key and self.to_key)):
            raise ValueError('give key = "COLUMN", or from_key and to_key where they differ')


class Outputs(Struct, frozen=True, forbid_unknown_fields=True):
    """What a flow must have written."""

    files: tuple[OutputFile, ...] = ()
    """The outputs."""
    relations: tuple[Relation, ...] = ()
    """What must hold between inputs and outputs."""


@post(settings=Outputs, timeout="5m", tags=["data"])
def outputs(ctx: Context, settings: Outputs) -> None:
    """Output files are there, are what they should be, and nothing got lost on the way."""
    if not settings.files and not settings.relations:
        ctx.skip("no outputs are configured: list them under [[gates.outputs.files]]")
    checks = [check for spec in settings.files for check in _file(ctx, spec)]
    known = {(name, check.spec.records): check.target for check in checks for name in check.names}
    relations = [_Relation(ctx, relation, known) for relation in settings.relations]
    for target in [target for relation in relations for target in relation.targets]:
        target.read()
    for check in checks:
        check.report(ctx, known)
    for related in relations:
        related.report(ctx)


def _file(ctx: Context, spec: OutputFile) -> "list[_Check]":
    """What is asked of one entry's content; findings on the files as such are recorded right away."""
    from gatekeeper.data import between, report_files, target_of

    target = target_of(ctx, spec, ctx.outputs, "output")
    if target is None:
        return []
    report_files(ctx, target, spec)
    if spec.count != Between():
        between(ctx, f"{target.label} count", len(target.files), spec.count.min, spec.count.max, unit="files")
    return [_Check(target, spec)] if spec.content else []


class _Check:
    """One entry: its target, read once, with all that looks at it."""

    def __init__(self, target: "Target", spec: OutputFile) -> None:
        from gatekeeper.data import ColumnChecks, TextChecks

        self.target, self.spec = target, spec
        self.columns = ColumnChecks(
            target,
            unique=spec.unique,
            max_keys=spec.max_keys,
            nulls=spec.nulls,
            ranges=spec.ranges,
            null_texts=spec.null_texts,
        )
        self.text = TextChecks(
            target,
            required=spec.required_text,
            required_patterns=spec.required_pattern,
            forbidden=spec.forbidden_text,
            forbidden_patterns=spec.forbidden_pattern,
            words=spec.words,
        )

    @property
    def names(self) -> list[str]:
        return [name for name in (self.spec.name, self.spec.path) if name]

    def report(self, ctx: Context, known: "Known") -> None:
        from gatekeeper.data import report_content

        self.target.read()
        report_content(ctx, self.target, self.spec)
        self._report_rows(ctx, known)
        self.columns.report(ctx)
        self.text.report(ctx)

    def _report_rows(self, ctx: Context, known: "Known") -> None:
        from gatekeeper.data import report_rows, see, unmeasured

        rows, share = self.spec.rows, 1.0
        if rows.of:
            source = _target(ctx, rows.of, rows.of_records, known)
            source.read()
            if source.faults or not source.rows:
                reason = source.faults[0] if source.faults else f"{rows.of} holds no records to compare with"
                hint = see(source, source.faults[0].place if source.faults else rows.of)
                unmeasured(ctx, f"{self.target.label} rows", str(reason), hint=hint)
                return
            share = source.rows
        low, high = (None if limit is None else limit * share for limit in (rows.min, rows.max))
        report_rows(ctx, self.target, low, high, f"{share:.0f} in {rows.of}" if rows.of else "")


def _target(ctx: Context, name: str, at: str | None, known: "Known") -> "Target":
    """The target of an input, output or path by name: one that is read anyway, or a new one.

    Raises:
        DataError: there is none.
    """
    from gatekeeper import DataError
    from gatekeeper.data import MISSING, Target, found, similar

    if (name, at) in known:
        return known[name, at]
    given = ctx.inputs if name in ctx.inputs else ctx.outputs
    files, value = found(ctx, "" if name in given else name, name, given)
    if not files and value is MISSING:
        raise DataError(
            name, f"does not exist, and no input or output of that name was given.{similar(ctx.root, name)}"
        )
    known[name, at] = Target(name, files, root=ctx.root, at=at, value=value)
    return known[name, at]


class _Relation:
    """One relation: the keys of both sides, gathered while their files are read."""

    def __init__(self, ctx: Context, relation: Relation, known: "Known") -> None:
        from gatekeeper.data import Keys

        self.relation = relation
        source = _target(ctx, relation.from_, relation.from_records, known)
        result = _target(ctx, relation.to, relation.to_records, known)
        self.targets = (source, result)
        self.keys = (
            Keys(relation.from_key or relation.key, relation.max_keys),
            Keys(relation.to_key or relation.key, relation.max_keys),
        )
        for target, keys in zip(self.targets, self.keys, strict=True):
            target.columns.append(keys)

    def report(self, ctx: Context) -> None:
        from gatekeeper.data import report_relation

        given, came = self.keys
        report_relation(ctx, *self.targets, given=given, came=came, kind=self.relation.kind)
