"""Find the configuration's file and read it: TOML, `[tool.gatekeeper]` of a `pyproject.toml`, or JSON."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from gatekeeper.errors import UsageError
from gatekeeper.model import TrustedRef
from gatekeeper.paths import expanded
from gatekeeper.settings.layers import Layer

if TYPE_CHECKING:
    from gatekeeper.policy import Object

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
            if path.is_file() and (found := read(path, folder, _label(path, cwd))) is not None:
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
    found = read(path, _configured(path), label)
    if found is None:
        raise UsageError(f"{label}: has no table [tool.gatekeeper]")
    return found


def _configured(path: Path) -> Path:
    """The folder that a file configures."""
    return path.parent.parent if path.parent.name == ".config" else path.parent


def read(path: Path, root: Path, label: str) -> Found | None:
    """A configuration's file; None for a `pyproject.toml` that is not about gatekeeper.

    Raises:
        UsageError: it can't be read as what it should be.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{label}: can't be read: {error.strerror or error}") from None
    return _parsed(path, root, label, content)


def _parsed(path: Path, root: Path, label: str, content: bytes) -> Found | None:
    """None for a `pyproject.toml` that is not about gatekeeper."""
    text = _text(content, label)
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


# -- of a trusted ref --------------------------------------------------------------------------------------------------


def discover_trusted(trusted: TrustedRef, cwd: Path) -> Found | None:
    """The nearest configuration upwards that a commit has; found as `discover` finds the working tree's.

    Raises:
        UsageError: it can't be read as what it should be.
    """
    from gatekeeper.policy import held

    places = [(folder, folder / name) for folder in folders(cwd) for name in NAMES]
    objects = held(trusted, [path for _, path in places])
    for (folder, path), item in zip(places, objects, strict=True):
        if item is None or item.kind != "file":
            continue
        if (found := _read_trusted(trusted, item, path, folder, _label(path, cwd))) is not None:
            return found
    return None


def named_trusted(trusted: TrustedRef, path: Path, cwd: Path) -> Found:
    """The configuration that was asked for by name, relative to `cwd`, as a commit has it.

    Raises:
        UsageError: it has none, or it can't be read as what it should be.
    """
    from gatekeeper.policy import held

    path = Path(os.path.abspath(cwd / expanded(path)))
    label = f"{trusted.ref}:{_label(path, cwd)}"
    if not path.is_relative_to(trusted.top):
        raise UsageError(
            f"--policy-from {trusted.ref}: the configuration {path} lies outside of the repository"
        )
    (item,) = held(trusted, [path])
    if item is None:
        raise UsageError(f"{label}: no such configuration file")
    if item.kind != "file":
        raise UsageError(f"{label}: is a folder; name the configuration's file in it")
    if not (root := _configured(path)).is_dir():
        raise UsageError(f"{label}: configures a folder that the working tree does not have: {root}")
    found = _read_trusted(trusted, item, path, root, _label(path, cwd))
    if found is None:
        raise UsageError(f"{label}: has no table [tool.gatekeeper]")
    return found


def _read_trusted(trusted: TrustedRef, item: "Object", path: Path, root: Path, label: str) -> Found | None:
    """`path` as the commit has it; `root` is the folder of the working tree that it configures."""
    from gatekeeper.policy import content, located

    label = f"{trusted.ref}:{label}"
    if item.size > MAX_BYTES:
        raise _too_large(label)
    found = _parsed(path, root, label, content(trusted, item))
    return found and msgspec.structs.replace(found, path=located(trusted, path))


def _label(path: Path, cwd: Path) -> str:
    """The path as messages show it: relative to the working directory unless that is longer."""
    relative = os.path.relpath(path, cwd)
    return min(relative, str(path), key=len) if relative.startswith("..") else relative


def _text(content: bytes, label: str) -> str:
    if len(content) > MAX_BYTES:
        raise _too_large(label)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise UsageError(f"{label}:{line}  is not UTF-8: byte 0x{byte:02x}; save the file as UTF-8") from None


def _too_large(label: str) -> UsageError:
    return UsageError(f"{label}: is larger than {MAX_BYTES // 10**6} MB, which no configuration is")


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
