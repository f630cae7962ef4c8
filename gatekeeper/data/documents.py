"""Whole documents: JSON, TOML, YAML, as JSON values, strictly."""

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatekeeper.data import strictjson
from gatekeeper.data.opening import MAX_DEPTH, MAX_DOCUMENT, DataFile, format_of

DOCUMENTS = ("json", "toml", "yaml")


def load(
    file: str | os.PathLike[str] | DataFile,
    *,
    format: str | None = None,
    limit: int = MAX_DOCUMENT,
    depth: int = MAX_DEPTH,
) -> Any:
    """The content of a JSON, TOML or YAML file as a JSON value. Dates of TOML and YAML are their ISO 8601
    text.

    Args:
        file: a path, or a `DataFile` that is open.
        format: "json", "toml" or "yaml" where the file's name doesn't say it.
        limit: bytes beyond which it is refused.
        depth: how deeply arrays and objects may lie in each other.

    Raises:
        DataError: with file and line, for whatever is wrong: not UTF-8, no JSON (TOML, YAML), a duplicate
        key, NaN or an
            infinity, nested too deeply, too large, missing.
    """
    if not isinstance(file, DataFile):
        with DataFile(file) as opened:
            return load(opened, format=format, limit=limit, depth=depth)
    kind = format or format_of(file.path) or "json"
    if kind not in _PARSERS:
        raise file.error(f"is read as {kind}, expected one of {', '.join(DOCUMENTS)}")
    file.begin_text()
    return parse(file.read_all(limit), kind, file, depth)


def parse(data: bytes, format: str, file: DataFile, depth: int = MAX_DEPTH) -> Any:
    """The value of `data`; `file` is for messages."""
    return _PARSERS[format](data, file, depth)


def _json(data: bytes, file: DataFile, depth: int) -> Any:
    value = strictjson.decode(data, depth)
    if isinstance(value, strictjson.Fault):
        raise file.error(value.message, strictjson.line_of(data, value.offset))
    return value


def _toml(data: bytes, file: DataFile, depth: int) -> Any:
    import tomllib

    try:
        return _plain(tomllib.loads(_text(data, file)), file, depth)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at line (\d+), column \d+\)", str(error))
        message = str(error) if place is None else str(error).replace(place[0], "")
        raise file.error(f"is no TOML: {message}", None if place is None else int(place[1])) from None
    except RecursionError:
        raise file.error(f"is nested more than {depth} levels deep") from None


def _yaml(data: bytes, file: DataFile, depth: int) -> Any:
    import yaml

    from gatekeeper.data import strictyaml

    try:
        return strictyaml.load(_text(data, file), depth)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise file.error(f"is no YAML: {error.problem}", None if mark is None else mark.line + 1) from None
    except (yaml.YAMLError, ValueError) as error:
        raise file.error(f"is no YAML: {' '.join(str(error).split())}") from None


_PARSERS: dict[str, Callable[[bytes, DataFile, int], Any]] = {"json": _json, "toml": _toml, "yaml": _yaml}


def _text(data: bytes, file: DataFile) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = strictjson.line_of(data, error.start)
        raise file.error(f"byte 0x{data[error.start]:02x} is not UTF-8", line) from None


def _plain(value: Any, file: DataFile, depth: int, key: str = "") -> Any:
    """TOML's values as JSON's: dates and times as text, no NaN, no infinities."""
    if depth < 0:
        raise RecursionError
    if isinstance(value, dict):
        return {
            name: _plain(item, file, depth - 1, f"{key}.{name}".lstrip(".")) for name, item in value.items()
        }
    if isinstance(value, list):
        return [_plain(item, file, depth - 1, f"{key}[{index}]") for index, item in enumerate(value)]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise file.error(f"{key} is {value}, which is not a number in JSON")
    return value


def load_given(text: str) -> Any:
    """The value of an `--input` or `--output`: JSON, or of `"@/absolute/path"` what the file holds.

    `.json`, `.toml` and `.yaml` are their content; `.jsonl`, `.csv`, `.tsv` and `.parquet` the list of
    their records; any other is its `pathlib.Path`.

    Raises:
        DataError: the content can't be read, or is too large to be held in memory.
    """
    if not text.startswith("@"):
        return _json(text.encode("utf-8", "surrogatepass"), DataFile("", "the value given"), MAX_DEPTH)
    path = Path(text[1:])
    kind = format_of(path)
    if kind in _PARSERS:
        return load(path, format=kind)
    if kind is None or kind == "text":
        return path
    from gatekeeper.data.streams import records

    if path.exists() and path.stat().st_size > MAX_DOCUMENT:
        advice = "go through gatekeeper.data.records(ctx.outputs.path(NAME)) instead"
        raise DataFile(path).error(
            f"is larger than {MAX_DOCUMENT} bytes, too large for a list of its records; {advice}"
        )
    return list(records(path))
