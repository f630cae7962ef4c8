"""YAML as JSON: only what JSON can say, each key once, no more than was written.

YAML 1.1 as PyYAML reads it (`no` is false), with these differences: keys are the text that was written
(`200:` and `on:` are "200" and "on"), dates stay text, NaN and infinities, repeated keys and tags beyond
JSON's types are errors. Aliases are counted before anything is built, so that "a billion laughs" costs
nothing.
"""

import math
from typing import Any

import yaml
from yaml.constructor import ConstructorError

MAX_GROWTH = 10_000
"""How many values aliases may stand for, beyond ten times those written."""

_Parser: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KNOWN = ("null", "bool", "int", "float", "str", "seq", "map")


class _Loader(_Parser):  # type: ignore[misc]
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise ConstructorError(None, None, "expected a mapping", node.start_mark)
        _refuse_repeated(node)
        self.flatten_mapping(node)
        return {_key(key): self.construct_object(value, deep=deep) for key, value in node.value}

    def construct_yaml_float(self, node: Any) -> float:
        value = super().construct_yaml_float(node)
        if not math.isfinite(value):
            raise ConstructorError(None, None, f"{node.value} is not a number in JSON", node.start_mark)
        return float(value)


def _prepare() -> None:
    known = {f"tag:yaml.org,2002:{name}" for name in _KNOWN}
    kept = {tag: make for tag, make in _Loader.yaml_constructors.items() if tag in known or tag is None}
    _Loader.yaml_constructors = {**kept, "tag:yaml.org,2002:float": _Loader.construct_yaml_float}
    _Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in _Loader.yaml_implicit_resolvers.items()
    }


_prepare()


def _key(node: Any) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ConstructorError(None, None, "a list or a mapping can't be a key", node.start_mark)
    return str(node.value)


def _refuse_repeated(node: Any) -> None:
    known: set[str] = set()
    for key_node, _ in node.value:
        key = _key(key_node)
        if key in known:
            raise ConstructorError(None, None, f"duplicate key {key!r}", key_node.start_mark)
        known.add(key)


def load(text: str, depth: int) -> Any:
    """The one document of `text`.

    Raises:
        yaml.YAMLError: it is no YAML, or none that JSON could say; with a `problem_mark`.
    """
    _measure(text, depth)
    return yaml.load(text, Loader=_Loader)  # a safe loader, made stricter


def _measure(text: str, depth: int) -> None:
    """Go through the events once, without building anything: how deep, and how many values with aliases
    expanded.
    """
    sizes: dict[Any, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    written = expanded = 0
    events: Any = yaml.parse(text, Loader=_Parser)
    for event in events:
        mark = event.start_mark
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, expanded))
            written, expanded = written + 1, expanded + 1
            if len(open_nodes) > depth:
                raise ConstructorError(None, None, f"nested more than {depth} levels deep", mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = expanded - before
        elif isinstance(event, yaml.ScalarEvent):
            written, expanded = written + 1, expanded + 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in open_nodes):
                raise ConstructorError(None, None, f"*{event.anchor} stands inside itself", mark)
            expanded += sizes.get(event.anchor, 1)
        if expanded > 10 * written + MAX_GROWTH:
            raise ConstructorError(None, None, "aliases stand for too many values", mark)
