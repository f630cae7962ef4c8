"""Layers of a configuration: what was set where, and which one counts.

Each layer (file, profile, environment, flags) is a tree of tables as it was written. The effective tree is
their merge: tables key by key, anything else replaced. So a value's origin needs no bookkeeping: it is the
highest layer that has the path.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct, field

Path = tuple[str | int, ...]
ABSENT: Any = object()


class Layer(Struct, frozen=True, kw_only=True):
    """One place where settings were given.

    `label` names the file; `text` is its content, for line numbers, and `prefix` the path in it at which
    `data` stands. `names` tells, for the environment and for flags, which variable or flag set a path.
    """

    kind: Literal["file", "profile", "environment", "flag"]
    data: Mapping[str, Any]
    label: str = ""
    profile: str = ""
    text: str = ""
    json: bool = False
    prefix: Path = ()
    names: dict[Path, str] = field(default_factory=dict)

    def place(self, path: Path) -> str:
        """Where `path` was set, as a message starts: `gatekeeper.toml:12`, `--deadline` …"""
        if self.kind in ("file", "profile"):
            return self._line(path)
        name = self._name(path)
        return f"environment variable {name}" if self.kind == "environment" else name

    def origin(self, path: Path) -> str:
        """The same as an answer to "from where?"."""
        if self.kind == "file":
            return self._line(path)
        if self.kind == "profile":
            return f"profile {self.profile} ({self._line(path)})"
        return f"{'env' if self.kind == 'environment' else 'flag'} {self._name(path)}"

    def _line(self, path: Path) -> str:
        from gatekeeper.settings.locate import line_of

        line = line_of(self.text, (*self.prefix, *path), json=self.json)
        return f"{self.label}:{line}" if line else self.label

    def _name(self, path: Path) -> str:
        related = (name for at, name in self.names.items() if at[: len(path)] == path[: len(at)])
        return next(related, "")


class EnvironmentVariable(Struct, frozen=True):
    """A variable that sets something: its name, the keys that it names (as written), its value."""

    name: str
    keys: tuple[str, ...]
    value: Any


class Part(Struct, frozen=True):
    """A subtree of a layer: `data` stands at `at` in it."""

    layer: Layer
    at: Path
    data: Any

    def place(self, path: Path) -> str:
        return self.layer.place((*self.at, *path))

    def origin(self, path: Path) -> str:
        return self.layer.origin((*self.at, *path))


def lookup(data: Any, path: Path) -> Any:
    """The value at `path`, or ABSENT."""
    for key in path:
        inside = isinstance(data, Mapping) and key in data
        if not inside and not (isinstance(data, list) and isinstance(key, int) and key < len(data)):
            return ABSENT
        data = data[key]
    return data


def merge(trees: Iterable[Any]) -> dict[str, Any]:
    """One tree of several, the last one strongest."""
    result: dict[str, Any] = {}
    for tree in trees:
        _merge_into(result, tree)
    return result


def _merge_into(target: dict[str, Any], tree: Mapping[str, Any]) -> None:
    for key, value in tree.items():
        if not isinstance(value, Mapping):
            target[key] = value
            continue
        if not isinstance(target.get(key), dict):
            target[key] = {}
        _merge_into(target[key], value)


def set_at(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set the value at `path`, making the tables on the way."""
    for key in path[:-1]:
        inner = tree.get(key)
        if not isinstance(inner, dict):
            inner = tree[key] = {}
        tree = inner
    tree[path[-1]] = value


def decisive(parts: Iterable[Part], path: Path) -> tuple[Part, Path] | None:
    """The part that a value comes from, and how much of its path it has: of a missing key, the table."""
    highest_first = list(parts)[::-1]
    for length in range(len(path), -1, -1):
        for part in highest_first:
            if lookup(part.data, path[:length]) is not ABSENT:
                return part, path[:length]
    return None
