"""`pre.inputs`: what a flow is about to read is there, and is what it should be."""

import glob
from typing import Literal

from msgspec import Struct

from gatekeeper import Budget, Context, Duration, PolicyPath, pre

Format = Literal["", "json", "jsonl", "csv", "tsv", "toml", "yaml", "parquet", "text", "binary"]


class Rows(Struct, frozen=True, forbid_unknown_fields=True):
    """How many records there may be."""

    min: int | None = None
    """The least number of records."""
    max: int | None = None
    """The greatest number of records."""

    def __post_init__(self) -> None:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min is above max ({self.min} > {self.max})")


class InputFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One input: a file, files by a pattern, or what `--input NAME=…` gives."""

    path: str = ""
    """The file, or a pattern such as `data/*.csv`; relative to the project."""
    name: str = ""
    """Instead of `path`: the name of an input that is given on the command line, `--input NAME=FILE`."""
    format: Format = ""
    """What it is read as, where its name doesn't say it; `binary` is read for its digest only."""
    required: bool = True
    """Whether it must exist."""
    empty: bool = False
    """Whether it may hold nothing: no bytes, or no records."""
    content: bool = True
    """Whether it is read at all, rather than only looked at (existence, size, age)."""
    size: Budget = Budget()
    """Size of each file; `{ fail = "1kB", worse = "lower" }` for a least size."""
    max_age: Duration | None = None
    """How long ago each file may have been written, `"24h"`."""
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
    null_texts: tuple[str, ...] = ("",)
    """What stands for "no value" in a CSV cell, such as `["", "NA"]`."""
    rows: Rows = Rows()
    """How many records there may be, in all files together."""

    def __post_init__(self) -> None:
        from gatekeeper.data import check_settings

        check_settings(self)
        if self.rows != Rows() and not self.content:
            raise ValueError("content = false reads nothing, so rows can't be counted")
        if self.sha256 and glob.has_magic(self.path):
            raise ValueError("sha256 is of one file, path is a pattern")


class Inputs(Struct, frozen=True, forbid_unknown_fields=True):
    """What a flow needs before it may start."""

    files: tuple[InputFile, ...] = ()
    """The inputs."""
    environment: tuple[str, ...] = ()
    """Environment variables that must be set and not empty. Their values are never recorded."""


@pre(settings=Inputs, timeout="5m", tags=["data"])
def inputs(ctx: Context, settings: Inputs) -> None:
    """Input files and environment variables are there, and are what they should be."""
    if not settings.files and not settings.environment:
        ctx.skip(
            "no inputs are configured: list them under [[gates.inputs.files]], or in gates.inputs.environment"
        )
    for name in settings.environment:
        _check_variable(ctx, name)
    for spec in settings.files:
        _check_file(ctx, spec)


def _check_variable(ctx: Context, name: str) -> None:
    value = ctx.env.get(name)
    state = "not set" if value is None else "empty" if not value.strip() else "set"
    ctx.check(
        state == "set",
        f"environment variable {name} is {state}",
        name=f"${name}",
        observed=state,
        operator="==",
        limit="set",
        hint=f"export {name}=…",
    )


def _check_file(ctx: Context, spec: InputFile) -> None:
    from gatekeeper.data import report_content, report_files, report_rows, target_of

    target = target_of(ctx, spec, ctx.inputs, "input")
    if target is None:
        return
    report_files(ctx, target, spec)
    if spec.content:
        target.read()
        report_content(ctx, target, spec)
        report_rows(ctx, target, spec.rows.min, spec.rows.max)
