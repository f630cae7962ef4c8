"""What gates about data files record: the findings that `pre.inputs` and `post.outputs` have in common."""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from gatekeeper.data.filesettings import FileSettings
from gatekeeper.data.schema import Schema
from gatekeeper.data.streams import MISSING
from gatekeeper.data.targets import Target, matching, similar
from gatekeeper.errors import nearest
from gatekeeper.model import Finding
from gatekeeper.quantities import Budget
from gatekeeper.rundata import Unknown

if TYPE_CHECKING:
    from gatekeeper.context import Context
    from gatekeeper.rundata import Given


def target_of(ctx: "Context", spec: FileSettings, given: "Given", flag: str) -> Target | None:
    """The files of one entry, with the finding whether they exist; None where there is nothing to look at.

    Raises:
        DataError: the schema is missing or invalid.
    """
    label = spec.path or spec.name
    files, value = found(ctx, label if spec.path else "", spec.name, given)
    if value is MISSING and not files:
        _report_missing(ctx, spec, label, given, flag)
        return None
    schema = None
    if spec.schema:
        folder = ctx.policy_path(spec.schema_folder) if spec.schema_folder else None
        schema = Schema.read(
            ctx.policy_path(spec.schema),
            label=spec.schema,
            formats=spec.formats,
            folder=folder,
            null_texts=spec.null_texts,
        )
    if value is MISSING:
        ctx.check(True, name=f"{label} exists", observed=len(files), operator=">=", limit=1, unit="files")
    return Target(
        label,
        files,
        root=ctx.root,
        format=spec.format,
        at=spec.records,
        encoding=spec.encoding,
        schema=schema,
        value=value,
        digest=bool(spec.sha256),
    )


def found(ctx: "Context", path: str, name: str, given: "Given") -> tuple[list[Path], Any]:
    """The files of a path or of a given name; or the value that was given for the name."""
    if path:
        return matching(ctx.root, path), MISSING
    if name not in given:
        return [], MISSING
    try:
        file = given.path(name)
    except Unknown:  # a value, not a file
        return [], given[name]
    return ([file] if file.exists() else []), MISSING


def _report_missing(ctx: "Context", spec: FileSettings, label: str, given: "Given", flag: str) -> None:
    if spec.path:
        message, hint = (
            f"{label} does not exist.{similar(ctx.root, spec.path)}",
            f"ls -l {Path(spec.path).parent}",
        )
    elif spec.name in given:
        message, hint = (
            f"{label} does not exist: {given.path(spec.name)}",
            f"ls -l {given.path(spec.name).parent}",
        )
    else:
        message = f"no {flag} {label!r} was given.{nearest(label, [*given])}"
        hint = f"--{flag} {label}=FILE"
    if spec.required:
        ctx.check(
            False,
            message,
            name=f"{label} exists",
            observed=0,
            operator=">=",
            limit=1,
            unit="files",
            hint=hint,
        )
    else:
        ctx.add(Finding(f"{label} exists", "skip", 0, unit="files", message=f"{message} It is optional."))


def report_files(ctx: "Context", target: Target, spec: FileSettings) -> None:
    """Findings on each file as such: regular, not empty, size, age."""
    for path in target.files:
        shown = target.shown(path)
        try:
            info = path.stat()
        except OSError as error:
            ctx.check(False, f"{shown} can't be looked at: {error.strerror}", name=f"{shown} size")
            continue
        size = spec.size
        if info.st_size == 0 and not spec.empty and path.is_file():
            message = f"{shown} is empty"
            ctx.check(
                False,
                message,
                name=f"{shown} size",
                observed=0,
                operator=">",
                limit=0,
                unit="B",
                hint=f"who writes {shown}, and did it finish? empty = true allows it",
            )
        elif size.warn is not None or size.fail is not None:
            ctx.measure(
                f"{shown} size",
                info.st_size,
                unit="B",
                warn=size.warn,
                fail=size.fail,
                worse=size.worse,
                hint=f"ls -l {quote(shown)}",
            )
        if spec.max_age is not None:
            age = max(0.0, time.time() - info.st_mtime)
            ctx.measure(
                f"{shown} age",
                age,
                unit="s",
                fail=spec.max_age,
                hint=f"ls -l --time-style=full-iso {quote(shown)}",
            )
    if target.value is not MISSING and (spec.max_age is not None or spec.sha256 or spec.size != Budget()):
        message = f"{target.label} was given as a value, which has no size, age or digest"
        ctx.add(Finding(f"{target.label} size", "unknown", message=message, hint=f"give {target.label}=FILE"))


def report_content(ctx: "Context", target: Target, spec: FileSettings) -> None:
    """Findings on what was read: is it what its format says, are there records, digest, schema."""
    _report_reading(ctx, target, spec)
    if spec.sha256:
        _report_digest(ctx, target, spec)
    if target.schema is not None:
        _report_schema(ctx, target)


def _report_reading(ctx: "Context", target: Target, spec: FileSettings) -> None:
    label, refusals = target.label, target.refusals
    faults = target.faults
    wrong = len(target.errors) + refusals.malformed
    count = target.rows if target.holds_records else target.documents or len(target.files)
    unit = "records" if target.holds_records else "documents" if target.documents else "files"
    evidence: dict[str, Any] = {unit: count}
    if target.notes:
        evidence["notes"] = target.notes[:10]
    if wrong:
        more = f" (and {wrong - 1} more)" if wrong > 1 else ""
        evidence["errors"] = [str(fault) for fault in faults[:10]]
        ctx.check(
            False,
            f"{faults[0]}{more}",
            name=f"{label} content",
            observed=wrong,
            operator="==",
            limit=0,
            unit="errors",
            n=count,
            evidence=evidence,
            hint=see(target, faults[0].place),
        )
    elif target.holds_records and target.rows == 0 and not spec.empty:
        ctx.check(
            False,
            f"{label} holds no records",
            name=f"{label} content",
            observed=0,
            operator=">",
            limit=0,
            unit="records",
            evidence=evidence,
            hint=f"head {label}; empty = true allows it",
        )
    else:
        ctx.check(
            True,
            name=f"{label} content",
            observed=0,
            operator="==",
            limit=0,
            unit="errors",
            n=count,
            evidence=evidence,
        )


def see(target: Target, place: str) -> str:
    """A command that shows a place such as `orders.jsonl:17` or `orders.json data.items[16]`."""
    if target.given:
        return ""
    if item := re.fullmatch(r"(.+?)(?: (\S+))?\[(\d+)\]", place):
        steps = "".join(f'."{step}"' for step in (item[2] or "").split(".") if step)
        step = f"{steps or '.'}[{item[3]}]"
        return f"jq {quote(step)} {quote(item[1])}"
    file, _, line = place.rpartition(":")
    return f"sed -n {line}p {quote(file)}" if file and line.isdigit() else f"head -c 300 {quote(place)}"


def _report_digest(ctx: "Context", target: Target, spec: FileSettings) -> None:
    wanted = spec.sha256.removeprefix("sha256:").lower()
    for label, digest in target.digests.items():
        ctx.check(
            digest == wanted,
            f"{label} is not the file that was meant: SHA-256 {digest[:12]}…, expected {wanted[:12]}…",
            name=f"{label} sha256",
            observed=digest,
            operator="==",
            limit=wanted,
            hint=f"sha256sum {quote(label)}",
        )


def _report_schema(ctx: "Context", target: Target) -> None:
    schema, found = target.schema, target.refusals
    name = f"{target.label} schema"
    if not found.refused and (target.errors or found.records == 0):
        why = "was not read to its end" if target.errors else "holds no records"
        unmeasured(ctx, name, f"{target.label} {why}, so nothing is known about its schema", n=found.records)
        return
    first = found.examples[0] if found.examples else None
    many = (target.holds_records and target.at is not None) or target.documents == 0
    what = f"{found.refused} of {found.records} records don't match" if many else "does not match"
    at = f" {first.path}" if first and first.path else ""
    message = f"{what} {schema.label if schema else ''}: {first.place}{at}: {first.message}" if first else ""
    ctx.check(
        found.refused == 0,
        message,
        name=name,
        observed=found.refused,
        operator="==",
        limit=0,
        unit="records" if many else "documents",
        n=found.records,
        hint=see(target, first.place) if first else "",
        evidence={"examples": [_example(violation) for violation in found.examples[:10]]} if first else {},
    )


def _example(violation: Any) -> Mapping[str, Any]:
    fields = ("place", "path", "keyword", "expected", "message")
    return {name: getattr(violation, name) for name in fields if getattr(violation, name) not in ("", None)}


def unmeasured(ctx: "Context", name: str, message: str, n: int | None = None, hint: str = "") -> None:
    """A finding that says that there was nothing to tell from."""
    ctx.add(Finding(name, "unknown", n=n or None, message=message, hint=hint))


def between(
    ctx: "Context",
    name: str,
    value: float,
    low: float | None,
    high: float | None,
    *,
    unit: str,
    hint: str = "",
) -> None:
    """The finding of a value that has a least and a greatest allowed."""
    if high is None or (low is not None and value < low):
        ctx.measure(name, value, unit=unit, fail=low, worse="lower", hint=hint)
    else:
        ctx.measure(name, value, unit=unit, fail=high, hint=hint)


def report_rows(ctx: "Context", target: Target, low: float | None, high: float | None, of: str = "") -> None:
    """The finding on the number of records, where a limit is set."""
    if low is None and high is None:
        return
    name = f"{target.label} rows"
    if target.errors:
        unmeasured(ctx, name, f"{target.label} was not read to its end, so its records aren't counted")
    elif not target.holds_records:
        unmeasured(
            ctx, name, f"{target.label} holds no list of records", hint='records = "KEY" says where it is'
        )
    else:
        hint = f"wc -l {target.label}" + (f"; there are {of}" if of else "")
        between(ctx, name, target.rows, low, high, unit="records", hint=hint)
