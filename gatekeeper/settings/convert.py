"""A table of a configuration as a settings object: strict, and with every problem at once.

msgspec stops at the first mistake of a table, so structs, lists and tables are walked here and only their
leaves are given to it.
"""

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct

from gatekeeper.errors import nearest
from gatekeeper.paths import expanded
from gatekeeper.quantities import PARSED, Budget, Quantity, Secret, show
from gatekeeper.settings.fields import default_of

S = TypeVar("S", bound=Struct)
Path = tuple[str | int, ...]


class Problem(Struct, frozen=True):
    """One mistake: the path of the key, from the root of the configuration, and what is wrong with it.

    `secret` tells that the configuration is right but a secret that it refers to isn't there; it is empty then.
    """

    path: Path
    message: str
    secret: bool = False


class EnvironmentText(str):
    """A value from an environment variable: a TOML value where that fits, else the text itself."""


def convert(
    cls: type[S],
    data: Any,
    problems: list[Problem],
    path: Path = (),
    *,
    base: S | None = None,
    root: FilePath | None = None,
    also: Sequence[str] = (),
) -> S | None:
    """`data` as a `cls`, and what is wrong with it in `problems`; None unless that is only secrets that aren't there.

    What `data` leaves out is taken from `base`, else from the class's defaults, in nested tables too. `root`
    is the folder that secrets' relative files start at; `also` names further keys that are allowed beside
    these, for suggestions.
    """
    return _Converter(problems, root).struct(cls, data, path, base, also)


class _Converter:
    """One conversion: what every step of it shares."""

    def __init__(self, problems: list[Problem], root: FilePath | None) -> None:
        self.problems, self.root = problems, root
        self.failures = 0
        self.missing = ""

    def wrong(self, problem: Problem) -> None:
        self.problems.append(problem)
        self.failures += 1

    def struct(
        self, cls: type[S], data: Any, path: Path, base: S | None = None, also: Sequence[str] = ()
    ) -> S | None:
        data = _read_if_text(data)
        if not isinstance(data, Mapping):
            self.wrong(Problem(path, f"expected a table, got {_kind(data)} {_shown(data)}"))
            return None
        before, listed = self.failures, len(self.problems)
        fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
        values: dict[str, Any] = {}
        for key, value in data.items():
            if key not in fields:
                self.wrong(Problem((*path, key), _unknown(key, [*fields, *also])))
                continue
            field = fields[key]
            below = default_of(field) if base is None else getattr(base, field.name)
            values[field.name] = self.value(field.type, value, (*path, key), below)
        self._missing(fields, data, path, base)
        if self.failures > before:
            return None
        try:
            return _build(cls, values, base)
        except (ValueError, TypeError) as error:
            if len(self.problems) > listed:
                self.failures += 1  # it may be the missing secret that it complains about
            else:
                self.wrong(_about_field(str(error), path, data))
            return None

    def _missing(
        self, fields: Mapping[str, Any], data: Mapping[str, Any], path: Path, base: Struct | None
    ) -> None:
        for key, field in fields.items():
            required = field.default is NODEFAULT and field.default_factory is NODEFAULT and base is None
            if required and key not in data:
                self.wrong(Problem((*path, key), f'missing key "{key}"'))

    def value(self, kind: Any, value: Any, path: Path, below: Any = None) -> Any:
        kind = unwrapped(kind) if value is not None else kind
        cls, origin = struct_class(kind), get_origin(kind)
        if cls is not None or origin in (list, tuple, dict):
            value = _read_if_text(value)
        if cls is not None and issubclass(cls, Budget) and not isinstance(value, Mapping):
            return self._bare_limit(cls, value, path)
        if cls is not None:
            return self.struct(cls, value, path, below if isinstance(below, cls) else None)
        if origin is dict and isinstance(value, Mapping):
            inner = get_args(kind)[1]
            base = below if isinstance(below, dict) else {}
            return base | {
                key: self.value(inner, item, (*path, key), base.get(key)) for key, item in value.items()
            }
        if isinstance(value, list) and (
            origin is list or (origin is tuple and get_args(kind)[-1] is Ellipsis)
        ):
            items = [self.value(get_args(kind)[0], item, (*path, index)) for index, item in enumerate(value)]
            return tuple(items) if origin is tuple else items
        return self.leaf(kind, value, path)

    def _bare_limit(self, cls: type[Budget], value: Any, path: Path) -> Budget | None:
        """`memory = "90%"` is the limit that fails, alone."""
        before = self.failures
        limit = self.leaf(Quantity | None, value, path)
        return cls(fail=limit) if self.failures == before else None

    def leaf(self, kind: Any, value: Any, path: Path) -> Any:
        failed, self.missing = [], ""
        for candidate in _readings(value):
            try:
                _finite(candidate)
                converted = msgspec.convert(candidate, kind, dec_hook=self.parse)
            except (ValueError, RecursionError) as error:  # msgspec's ValidationError is a ValueError
                failed.append(Problem(path, _friendly(error, value, kind)))
            else:
                if self.missing:
                    self.problems.append(Problem(path, self.missing, secret=True))
                return converted
        self.wrong(failed[0])
        return None

    def parse(self, kind: type, value: Any) -> Any:
        if kind is not Secret or not isinstance(value, str) or isinstance(value, Secret):
            return parse(kind, value)
        try:
            return _secret(value, self.root)
        except ValueError as error:
            self.missing = str(error)
            empty = Secret()
            empty.reference = str(value)
            return empty


def _secret(value: str, root: FilePath | None) -> Secret:
    """Read a secret; a relative file starts at `root`."""
    absolute = value
    if value.startswith("file:"):
        absolute = f"file:{(root or FilePath()) / expanded(value.removeprefix('file:'))}"
    secret = Secret.parse(absolute)
    if secret.reference:
        secret.reference = str(value)
    return secret


def _build(cls: type[S], values: dict[str, Any], base: S | None) -> S:
    if base is None:
        return cls(**values)
    inherited = {name: getattr(base, name) for name in cls.__struct_fields__ if name not in values}
    if isinstance(base, Budget) and "fail" in values:
        # a new fail limit stands alone where the inherited warn limit doesn't go with it; the reverse is an
        # error, since a fail limit must never vanish silently
        try:
            return cls(**inherited, **values)
        except ValueError:
            if "warn" in values:
                raise
            inherited.pop("warn")
    try:
        return cls(**inherited, **values)
    except ValueError as error:
        if isinstance(base, Budget):
            kept = ", ".join(
                f"{key} = {show(limit, limit.unit)}"
                for key in ("warn", "fail")
                if (limit := inherited.get(key))
            )
            raise ValueError(f"{error} (not set here: {kept})") from None
        raise


def _about_field(message: str, path: Path, data: Mapping[str, Any]) -> Problem:
    """A struct's own complaint; one that starts with a key's name is that key's."""
    match = re.match(r"(\w+)(: )?", message)
    if match is None or match[1] not in data:
        return Problem(path, message)
    return Problem((*path, match[1]), message[match.end() :] if match[2] else message)


def _unknown(key: str, known: list[str]) -> str:
    listed = f" Known keys: {', '.join(sorted(known))}." if known else " It takes no keys."
    return f'unknown key "{key}".{nearest(key, known) or listed}'


def unwrapped(kind: Any) -> Any:
    """`X` of an `X | None`; anything else as it is."""
    if get_origin(kind) in (Union, UnionType):
        options = [option for option in get_args(kind) if option is not type(None)]
        if len(options) == 1:
            return options[0]
    return kind


def struct_class(kind: Any) -> type[Struct] | None:
    """The struct class that a type is, if it is one."""
    return kind if isinstance(kind, type) and issubclass(kind, Struct) else None


def _read_if_text(value: Any) -> Any:
    return _readings(value)[0]


def _readings(value: Any) -> list[Any]:
    if not isinstance(value, EnvironmentText):
        return [value]
    try:
        return [tomllib.loads(f"value = {value}")["value"], str(value)]
    except (tomllib.TOMLDecodeError, RecursionError):
        return [str(value)]


def _finite(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"expected a finite number, got {value}")
    if isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            _finite(item)


def parse(kind: type, value: Any) -> Any:
    """The `dec_hook` of msgspec for the types of `gatekeeper.quantities`, and paths."""
    if isinstance(value, kind):
        return value
    if kind in PARSED:
        return kind.parse(value)  # type: ignore[attr-defined]
    if issubclass(kind, FilePath) and isinstance(value, str):
        return kind(value)
    raise NotImplementedError(f"settings can't hold a {kind.__name__}")


def encode(value: Any) -> Any:
    """The `enc_hook` of msgspec for the same; secrets as their reference."""
    if isinstance(value, Secret):
        return value.reference or "***"
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, FilePath):
        return str(value)
    raise NotImplementedError(f"settings can't hold a {type(value).__name__}")


_TYPES = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false",
          "array": "a list", "object": "a table", "null": "nothing"}  # fmt: skip


def _choices(kind: Any) -> list[str]:
    """The texts that an annotation allows, where it is a choice of them."""
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    return [choice for option in get_args(kind) for choice in _choices(option)]


def _friendly(error: BaseException, value: Any, kind: Any = None) -> str:
    """A mistake in the words of a configuration file, with the value that was found."""
    if (choices := _choices(kind)) and isinstance(value, str):
        allowed = ", ".join(f'"{choice}"' for choice in choices)
        return f"expected one of {allowed}: {_shown(value)}.{nearest(value, choices)}"
    if not isinstance(error, msgspec.ValidationError):
        return str(error)
    head, _, place = str(error).partition(" - at `$")
    if error.__cause__ is not None:
        return str(error.__cause__)  # our own words, from `parse`
    for name, words in _TYPES.items():
        head = (
            head.replace(f"`{name}`", words)
            .replace(f"`{name} | ", f"`{words} | ")
            .replace(f"| {name}`", f"| {words}`")
        )
    head = head.replace("Expected", "expected").replace("`", "")
    inside = place.rstrip("`").lstrip(".")
    where = f" (at {inside})" if inside else ""
    shown = _shown(value)
    return f"{head}{where}" if shown in head else f"{head}{where}: {shown}"


def _kind(value: Any) -> str:
    kinds = {str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list"}
    return next((words for kind, words in kinds.items() if isinstance(value, kind)), type(value).__name__)


def _shown(value: Any) -> str:
    import json

    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 80 else f"{shown[:79]}…"
