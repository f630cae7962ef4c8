"""Settings from environment variables: `GATEKEEPER_GATES__RESOURCES__MEMORY__FAIL=90%`.

Two underscores stand between keys. Names with single ones only (`GATEKEEPER_CONFIG`, and the flags' own like
`GATEKEEPER_RUN_DEADLINE`) are no settings, except for the two in `SHORT`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct

from gatekeeper.errors import UsageError
from gatekeeper.settings.convert import EnvironmentText, struct_class, unwrapped
from gatekeeper.settings.layers import EnvironmentVariable, Layer, Path, lookup, set_at

PREFIX = "GATEKEEPER_"
SHORT: dict[str, tuple[str, ...]] = {"GATEKEEPER_PRESET": ("preset",), "GATEKEEPER_STORE": ("store", "url")}


def variables(environ: Mapping[str, str]) -> list[EnvironmentVariable]:
    """The variables that set something, in the order of their names."""
    found = []
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        if name in SHORT:
            found.append(EnvironmentVariable(name, SHORT[name], EnvironmentText(environ[name])))
        elif "__" in name.removeprefix(PREFIX):
            keys = tuple(name.removeprefix(PREFIX).split("__"))
            found.append(EnvironmentVariable(name, keys, EnvironmentText(environ[name])))
    return found


def assigned(given: Iterable[EnvironmentVariable], cls: type[Struct], below: Mapping[str, Any]) -> Layer:
    """A layer of these variables; their keys in the case that `cls`, or the layers `below`, write them in."""
    data: dict[str, Any] = {}
    names: dict[Path, str] = {}
    for variable in given:
        assign(data, names, spelled(variable.keys, cls, below), variable)
    return Layer(kind="environment", data=data, names=names)


def assign(
    data: dict[str, Any], names: dict[Path, str], path: tuple[str, ...], variable: EnvironmentVariable
) -> None:
    """Set what a variable says.

    Raises:
        UsageError: another variable says the same, or something inside of it: neither can win.
    """
    for taken, name in names.items():
        if taken[: len(path)] == path[: len(taken)]:
            raise UsageError(f"environment variables {name} and {variable.name} set the same: keep one")
    set_at(data, path, variable.value)
    names[path] = variable.name


def spelled(keys: tuple[str, ...], kind: Any, below: Any) -> tuple[str, ...]:
    """`keys`, matched without regard to case to the fields of `kind` or the keys that exist `below`."""
    path: list[str] = []
    for key in keys:
        known, kind = _inside(kind, key)
        existing = [*below] if isinstance(below, Mapping) else []
        match = next((name for name in (*known, *existing) if same(name, key)), key.lower())
        below = lookup(below, (match,)) if existing else None
        path.append(match)
    return tuple(path)


def _inside(kind: Any, key: str) -> tuple[list[str], Any]:
    """The keys that a value of this type has, and the type of the one that `key` means."""
    kind = unwrapped(kind)
    if (cls := struct_class(kind)) is not None:
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(cls)}
        inner = next((found for name, found in fields.items() if same(name, key)), None)
        return [*fields], inner
    if get_origin(kind) is dict:
        return [], get_args(kind)[1]
    return [], None


def same(name: str, key: str) -> bool:
    """Whether a variable's part `key` means `name`: no case, and `_` for what no variable's name can hold."""
    return _plain(name) == _plain(key)


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name.casefold())
