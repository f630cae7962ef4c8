"""JSON Schema: does a value match, and if not, where and why.

jsonschema-rs decides and explains, in drafts 4, 6, 7, 2019-09 and 2020-12 by `$schema` (2020-12 without).
The pure-Python jsonschema is not asked for explanations: its `pattern` backtracks without bound, and the
two would have to agree. Patterns run in a linear-time engine; those that it can't express (look-around,
back-references) in one whose backtracking is bounded, and count as not matched beyond. Nothing is fetched:
a `$ref` stays in its schema, or in the one folder that is named.
"""

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct, field

from gatekeeper.data import strictjson
from gatekeeper.data.documents import load
from gatekeeper.data.opening import MAX_DEPTH, DataFile
from gatekeeper.data.streams import Batch, batches
from gatekeeper.errors import DataError
from gatekeeper.plain import plain, text

EXAMPLES = 10
BACKTRACKS = 100_000
DRAFTS = "draft-04, draft-06, draft-07, 2019-09 and 2020-12"


class Violation(Struct, frozen=True):
    """One thing that a schema refused: which record, where in it (`lines[3].price`, empty for the whole),
    which keyword, what that keyword asks for.
    """

    place: str
    path: str
    keyword: str
    expected: Any
    message: str


class Refusals(Struct):
    """What a stream of records came to: `records` were read, `refused` of them don't match, the first as
    examples; `malformed` lines or rows could not be read at all.
    """

    records: int = 0
    refused: int = 0
    examples: list[Violation] = field(default_factory=list)
    malformed: int = 0
    faults: list[DataError] = field(default_factory=list)
    limit: int = EXAMPLES

    def fault(self, error: DataError) -> None:
        """Count a malformed line; give it to `batches(…, refuse=refusals.fault)`."""
        self.malformed += 1
        if len(self.faults) < self.limit:
            self.faults.append(error)


class Schema:
    """A compiled JSON Schema.

    Args:
        schema: the schema as a JSON value.
        label: what messages call it.
        formats: whether `format` is checked (unknown formats never are).
        folder: the one folder whose files a relative `$ref` may name.
        null_texts: what stands for "no value" in a cell of CSV.

    Raises:
        DataError: it is no valid schema, with the place in it; or a `$ref` leads out of it.
    """

    def __init__(
        self,
        schema: Any,
        *,
        label: str = "schema",
        formats: bool = True,
        folder: str | os.PathLike[str] | None = None,
        null_texts: Iterable[str] = ("",),
    ) -> None:
        self.label = label
        self._null_texts = frozenset(null_texts)
        self._validator = _compiled(
            schema, label, formats, None if folder is None else Path(folder).resolve()
        )
        self._is_valid: Callable[[Any], bool] = self._validator.is_valid
        self._casts = _casts(schema)

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        *,
        label: str | None = None,
        formats: bool = True,
        folder: str | os.PathLike[str] | None = None,
        null_texts: Iterable[str] = ("",),
    ) -> "Schema":
        """The schema of a JSON, YAML or TOML file."""
        with DataFile(path, label) as file:
            value = load(file)
        return cls(value, label=file.label, formats=formats, folder=folder, null_texts=null_texts)

    def accepts(self, value: Any) -> bool:
        """Whether a JSON value matches."""
        try:
            return self._is_valid(value)
        except (ValueError, RecursionError):  # what no JSON text could say: a lone surrogate, a date
            return False

    def explain(self, value: Any, place: str = "", limit: int = EXAMPLES) -> list[Violation]:
        """Why a value doesn't match; empty where it does."""
        try:
            return [_violation(error, place) for error in islice(self._validator.iter_errors(value), limit)]
        except (ValueError, RecursionError) as error:
            return [Violation(place, "", "", "a JSON value", text(error, 300))]

    def check(self, batch: Batch, into: Refusals) -> None:
        """Check each record of a batch, and count what was found."""
        records: Sequence[Any] = [*map(self.typed, batch.records)] if batch.textual else batch.records
        into.records += len(records)
        try:
            if all(map(self._is_valid, records)):
                return
        except (ValueError, RecursionError):
            pass
        for index, record in enumerate(records):
            if not self.accepts(record):
                into.refused += 1
                if len(into.examples) < into.limit:
                    into.examples += self.explain(record, batch.place(index), 1)

    def typed(self, record: Mapping[str, str]) -> dict[str, Any]:
        """A CSV record with its cells as the types that the schema's `properties` name; one of `null_texts`
        is missing.

        A cell that doesn't read as that type stays text, and is refused.
        """
        result: dict[str, Any] = {name: cell for name, cell in record.items() if cell not in self._null_texts}
        for name, cast in self._casts:
            if name in result:
                result[name] = cast(result[name])
        return result


def validate(
    file: str | os.PathLike[str] | DataFile,
    schema: Schema,
    *,
    format: str | None = None,
    at: str | None = None,
) -> Refusals:
    """Check each record of a file against a schema, in constant memory. See `batches` for the arguments.

    Raises:
        DataError: the file can't be read at all; malformed lines are counted.
    """
    found = Refusals()
    for batch in batches(file, format=format, at=at, refuse=found.fault):
        schema.check(batch, found)
    return found


# -- compiling -------------------------------------------------------------------------------------------


def _compiled(schema: Any, label: str, formats: bool, folder: Path | None) -> Any:
    import jsonschema_rs as rs

    if strictjson.too_deep(schema, MAX_DEPTH):
        raise DataError(label, f"the schema is nested more than {MAX_DEPTH} levels deep")
    if circle := _ref_circle(schema, schema):
        raise DataError(label, f"{circle} leads back to itself without end: it would accept everything")
    options: dict[str, Any] = {"validate_formats": formats}
    if folder is None:
        options["offline"] = True
    else:
        options |= {"retriever": _retriever(folder), "base_uri": (folder / "schema").as_uri()}
    try:
        return rs.validator_for(schema, pattern_options=rs.RegexOptions(), **options)
    except rs.ValidationError as error:
        if error.kind.name not in ("pattern", "format", "patternProperties"):
            raise _schema_error(error, schema, label) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(label, f"is no JSON Schema: {text(error, 300)}") from None
    try:
        return rs.validator_for(
            schema, pattern_options=rs.FancyRegexOptions(backtrack_limit=BACKTRACKS), **options
        )
    except rs.ValidationError as error:
        raise _schema_error(error, schema, label) from None


def _ref_circle(schema: Any, root: Any) -> str:
    """The first `$ref` within the document that leads back to itself through `$ref`s alone; or the empty string."""
    if isinstance(schema, Mapping):
        seen: list[str] = []
        target: Any = schema
        while isinstance(target, Mapping) and isinstance(reference := target.get("$ref"), str):
            if reference in seen:
                return f"$ref {reference!r}"
            seen.append(reference)
            target = _within(root, reference)
    parts = schema.values() if isinstance(schema, Mapping) else schema if isinstance(schema, list) else ()
    return next((circle for part in parts if (circle := _ref_circle(part, root))), "")


def _within(root: Any, reference: str) -> Any:
    """What a `$ref` of the form `#/a/b` (RFC 6901) names in this document; None for any other."""
    if not reference.startswith("#"):
        return None
    target = root
    for part in unquote(reference[1:]).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(target, Mapping):
            target = target.get(key)
        elif isinstance(target, list) and key.isdecimal() and int(key) < len(target):
            target = target[int(key)]
        else:
            return None
    return target


def _retriever(folder: Path) -> Callable[[str], Any]:
    def retrieve(uri: str) -> Any:
        parts = urlsplit(uri)
        path = Path(unquote(parts.path)).resolve()
        if parts.scheme != "file" or parts.netloc or not path.is_relative_to(folder):
            raise ValueError(f"only files in {folder.name}/ are read")
        value = load(path)
        if strictjson.too_deep(value, MAX_DEPTH):
            raise ValueError("nested too deeply")
        return value

    return retrieve


_UNRESOLVED = re.compile(
    r"Resource '(.*?)' is not present in a registry and retrieving it failed: (.*)", re.DOTALL
)


def _schema_error(error: Any, schema: Any, label: str) -> DataError:
    message = str(error.message)
    if (unresolved := _UNRESOLVED.match(message)) is not None:
        return DataError(label, _not_followed(unresolved[1], unresolved[2], schema))
    if (pointer := re.match(r"Pointer '(.*)' does not exist", message)) is not None:
        at = _ref_place(schema, lambda ref: ref.endswith(f"#{pointer[1]}"))
        return DataError(label, f"$ref{at}: there is no {pointer[1]!r} in it")
    if message.startswith("Unknown meta-schema"):
        return DataError(
            label, f"$schema {text(schema.get('$schema'), 200)!r} is not known; known are {DRAFTS}"
        )
    at = path_text(error.instance_path)
    where = f" at {at}" if at else ""
    if error.kind.name in ("pattern", "format"):
        return DataError(
            label, f"is no valid JSON Schema{where}: {text(error.instance, 200)!r} is no regular expression"
        )
    return DataError(label, f"is no valid JSON Schema{where}: {_reason(error)}")


def _not_followed(uri: str, reason: str, schema: Any) -> str:
    name = uri.rpartition("/")[2]
    at = _ref_place(schema, lambda ref: not ref.startswith("#") and name in ref)
    start = f"$ref {text(uri, 200)!r}{at} is not followed"
    if "Retrieval is disabled" in reason and "://" in uri and not uri.startswith("file:"):
        return f"{start}: nothing is fetched from the network; copy the definition under $defs"
    if "Retrieval is disabled" in reason or "No base URI" in reason:
        return f"{start}: other files are read only from a folder that is named (schema_folder)"
    return f"{start}: {text(reason.removeprefix('ValueError: ').removeprefix('DataError: '), 300)}"


def _ref_place(schema: Any, wanted: Callable[[str], bool], path: tuple[Any, ...] = ()) -> str:
    """` at properties.customer` for the first `$ref` that is meant; the schema's depth is bounded."""
    if isinstance(schema, dict) and isinstance(ref := schema.get("$ref"), str) and wanted(ref):
        return f" at {path_text(path)}" if path else ""
    members: Iterable[Any] = ()
    if isinstance(schema, dict):
        members = schema.items()
    elif isinstance(schema, list):
        members = enumerate(schema)
    return next((at for key, item in members if (at := _ref_place(item, wanted, (*path, key)))), "")


# -- explaining ------------------------------------------------------------------------------------------


def path_text(path: Iterable[str | int]) -> str:
    """A place in a JSON value as people write it: `lines[3].price`."""
    result = ""
    for step in path:
        if isinstance(step, int):
            result += f"[{step}]"
        else:
            result += f".{text(step, 100)}" if result else text(step, 100)
    return result


def _violation(error: Any, place: str) -> Violation:
    error = _closest(error)
    expected = plain(getattr(error.kind, "value", None))
    keyword = str(error.schema_path[-1]) if error.schema_path else error.kind.name
    if keyword in ("anyOf", "oneOf"):
        expected = None
    return Violation(
        place, path_text(error.instance_path), error.kind.name or keyword, expected, _reason(error)
    )


def _closest(error: Any, depth: int = 5) -> Any:
    """Of alternatives that were all refused, the one that came furthest into the value says most."""
    branches = getattr(error.kind, "context", None) or []
    if not branches or depth == 0 or error.kind.name not in ("anyOf", "oneOf"):
        return error
    best = max(
        (branch[0] for branch in branches if branch), key=lambda e: len(e.instance_path), default=error
    )
    return _closest(best, depth - 1) if len(best.instance_path) > len(error.instance_path) else error


def _reason(error: Any) -> str:
    if error.kind.name == "type":
        types = " or ".join(error.kind.value) if isinstance(error.kind.value, list) else str(error.kind.value)
        return f"expected {types}, got {text(_shown(error.instance), 120)}"
    return text(error.message, 300)


def _shown(value: Any) -> str:
    import json

    return json.dumps(plain(value, 3), ensure_ascii=False)


# -- CSV -------------------------------------------------------------------------------------------------

_INTEGER = re.compile(r"[+-]?\d{1,300}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


def _integer(cell: str) -> Any:
    return int(cell) if _INTEGER.fullmatch(cell) else cell


def number(cell: str) -> Any:
    """The number that a cell holds, or the cell where it holds none (`"NaN"` is none)."""
    if _INTEGER.fullmatch(cell):
        return int(cell)
    if _NUMBER.fullmatch(cell) and math.isfinite(value := float(cell)):
        return value
    return cell


def _boolean(cell: str) -> Any:
    return {"true": True, "false": False}.get(cell.lower(), cell)


_CASTS: dict[str, Callable[[str], Any]] = {"integer": _integer, "number": number, "boolean": _boolean}


def _casts(schema: Any) -> list[tuple[str, Callable[[str], Any]]]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    found = []
    for name, column in properties.items() if isinstance(properties, dict) else ():
        types = column.get("type") if isinstance(column, dict) else None
        for kind in [types] if isinstance(types, str) else types or []:
            if kind in _CASTS:
                found.append((name, _CASTS[kind]))
                break
    return found
