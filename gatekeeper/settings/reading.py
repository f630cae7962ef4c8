"""Find the configuration's file and read it: TOML, `[tool.gatekeeper]` of a `pyproject.toml`, or JSON."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from gatekeeper.errors import UsageError
from gatekeeper.paths import expanded
from gatekeeper.settings.layers import Layer

NAMES = ("gatekeeper.toml", ".config/gatekeeper.toml", "pyproject.toml", "gatekeeper.json")
"""What is looked for in a folder, the first one that exists counts; a pyproject.toml only with its table."""

MAX_BYTES = 10_000_000


class Found(Struct, frozen=True):
    """A configuration's file, the folder that it configures, and its content."""

    path: Path
    root: Path
    layer: Layer


def folders(cwd: Path) -> Iterator[Path]:
    """`cwd` and the folders above it, up to the one that is under version control."""
    for folder in (cwd, *cwd.parents):
        yield folder
        if (folder / ".git").exists():
            return


def discover(cwd: Path) -> Found | None:
    """The nearest configuration upwards, read.

    Raises:
        UsageError: it can't be read as what it should be.
    """
    for folder in folders(cwd):
        for name in NAMES:
            path = folder / name
            if path.is_file() and (found := _open(path, folder, cwd)) is not None:
                return found
    return None


def named(path: Path, cwd: Path) -> Found:
    """The configuration that was asked for by name, relative to `cwd`.

    Raises:
        UsageError: there is none, or it can't be read as what it should be.
    """
    path = Path(os.path.abspath(cwd / expanded(path)))
    label = _label(path, cwd)
    if path.is_dir():
        raise UsageError(f"{label}: is a folder; name the configuration's file in it")
    if not path.exists():
        raise UsageError(f"{label}: no such configuration file")
    root = path.parent.parent if path.parent.name == ".config" else path.parent
    found = _open(path, root, cwd)
    if found is None:
        raise UsageError(f"{label}: has no table [tool.gatekeeper]")
    return found


def _open(path: Path, root: Path, cwd: Path) -> Found | None:
    """None for a `pyproject.toml` that is not about gatekeeper."""
    label = _label(path, cwd)
    text = _text(path, label)
    prefix: tuple[str, ...] = ()
    if path.name == "pyproject.toml":
        if "gatekeeper" not in text:
            return None
        tool = toml(text, label).get("tool")
        data = tool.get("gatekeeper") if isinstance(tool, Mapping) else None
        if data is None:
            return None
        prefix = ("tool", "gatekeeper")
    elif json := path.suffix == ".json":
        data = json_object(text, label)
        return Found(path, root, Layer(kind="file", data=data, label=label, text=text, json=json))
    else:
        data = toml(text, label)
    if not isinstance(data, Mapping):
        raise UsageError(f"{label}: [tool.gatekeeper] must be a table, got {data!r}")
    return Found(path, root, Layer(kind="file", data=data, label=label, text=text, prefix=prefix))


def _label(path: Path, cwd: Path) -> str:
    """The path as messages show it: relative to the working directory unless that is longer."""
    relative = os.path.relpath(path, cwd)
    return min(relative, str(path), key=len) if relative.startswith("..") else relative


def _text(path: Path, label: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{label}: can't be read: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{label}: is larger than {MAX_BYTES // 10**6} MB, which no configuration is")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise UsageError(f"{label}:{line}  is not UTF-8: byte 0x{byte:02x}; save the file as UTF-8") from None


def toml(text: str, label: str) -> dict[str, Any]:
    """A TOML document.

    Raises:
        UsageError: with the line, for anything that isn't TOML; a key that is there twice is an error too.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, _, position = str(error).rpartition(" (at ")
        line = _toml_line(position, text)
        raise UsageError(f"{label}:{line}  is not valid TOML: {message or error}") from None
    except RecursionError:
        raise UsageError(f"{label}: is nested too deeply") from None


def _toml_line(position: str, text: str) -> int:
    words = position.rstrip(")").replace(",", "").split()
    if words[:1] == ["line"]:
        return int(words[1])
    return max(1, text.rstrip().count("\n") + 1)  # "(at end of document)"


def json_object(text: str, label: str) -> dict[str, Any]:
    """A JSON document that is an object. Strict: no comments, no key twice, no NaN.

    Raises:
        UsageError: with the line.
    """
    from gatekeeper.settings.jsonfile import read

    return read(text, label)
