"""The environment that templates of alerts run in. It loads jinja2: import it where there is a template."""

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache, wraps
from typing import Any

from jinja2 import StrictUndefined, Template, nodes
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gatekeeper.errors import nearest
from gatekeeper.plain import printable

LONGEST = 10_000
"""Characters of a template."""
WIDEST = 2_000
"""Characters of what a filter gives."""

FILTERS = (
    "abs", "capitalize", "d", "default", "float", "int", "length", "lower", "replace", "round", "string", "title",
    "trim", "truncate", "upper", "urlencode",
)  # fmt: skip

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr,
    nodes.Concat, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.Neg, nodes.Pos, nodes.Tuple, nodes.List,
    nodes.Keyword,
)  # fmt: skip


class Sandbox(ImmutableSandboxedEnvironment):
    """Values, conditions, a few filters, arithmetic with numbers."""

    intercepted_binops = frozenset("+-*/")

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, cache_size=0)
        self.globals = {}
        self.filters = {name: _bounded(self.filters[name]) for name in FILTERS}

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Numbers only: `"x" * 10**9` would be a text that fills the memory."""
        for value in (left, right):
            if not isinstance(value, int | float):
                raise TypeError(f"{operator} takes numbers, not {type(value).__name__}; ~ joins texts")
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item, never an attribute: a label may be called `items`."""
        if isinstance(obj, Mapping) and argument in obj:
            return obj[argument]
        return self.undefined(f"there is no label {argument!r}")


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        return found[:WIDEST] if isinstance(found, str) else found

    return bounded


@lru_cache(maxsize=1)
def _sandbox() -> Sandbox:
    return Sandbox()


@lru_cache(maxsize=256)
def _compiled(text: str) -> Template | str:
    """The template, or why it is none that may be used."""
    try:
        return _sandbox().from_string(_parsed(text))
    except Exception as error:  # also what the compiler stumbles over: no text may break more than itself
        return _words(error)


def _parsed(text: str) -> nodes.Template:
    """Raises ValueError or TemplateError where it can't be read, or has what it may not have."""
    if len(text) > LONGEST:
        raise ValueError(f"a template has at most {LONGEST:,} characters, this one {len(text):,}")
    tree = _sandbox().parse(text)
    for node in _all(tree):
        if not isinstance(node, _ALLOWED):
            raise ValueError(_refusal(node))
        if isinstance(node, nodes.Getattr | nodes.Getitem) and _label(node) is None:
            raise ValueError("only labels have parts: labels.NAME")
    return tree


def _all(tree: nodes.Node) -> list[nodes.Node]:
    found = [tree]
    for node in found:  # grows meanwhile
        found += node.iter_child_nodes()
    return found


def _refusal(node: nodes.Node) -> str:
    word = type(node).__name__
    words = {
        "For": "loops",
        "Call": "calls",
        "Pow": "powers",
        "Mod": "the operator %",
        "Assign": "assignments",
    }
    return f"{words.get(word, word)} can't be used in a template of an alert; it has values, if, filters and + - * /"


def _label(node: nodes.Getattr | nodes.Getitem) -> str | None:
    """The label that it names, as `labels.NAME` or `labels["NAME"]`."""
    if not (isinstance(node.node, nodes.Name) and node.node.name == "labels"):
        return None
    if isinstance(node, nodes.Getattr):
        return node.attr
    return str(node.arg.value) if isinstance(node.arg, nodes.Const) else None


def unusable(text: str, names: Collection[str], labels: Collection[str]) -> str:
    """Why a template can't be used, seen without values: it can't be read, or names something unknown."""
    template = _compiled(text)
    if isinstance(template, str):
        return f"can't be read as a template: {template}"
    found = _all(_parsed(text))
    replaced = [
        node.node for node in found if isinstance(node, nodes.Filter) and node.name in ("d", "default")
    ]
    for node in found:
        if isinstance(node, nodes.Name) and node.name not in names:
            hint = nearest(node.name, [*names]) or f" Known: {', '.join(names)}."
            return f"unknown name {node.name!r}.{hint}"
        if isinstance(node, nodes.Getattr | nodes.Getitem) and not any(node is other for other in replaced):
            label = _label(node) or ""
            if label not in labels:
                known = f" Known labels: {', '.join(labels)}." if labels else " It has none."
                return f"unknown label {label!r}.{nearest(label, [*labels]) or known}"
    return ""


def render(text: str, values: Mapping[str, Any], most: int) -> tuple[str, str]:
    """The text, at most so long, and what went wrong."""
    template = _compiled(text)
    made = ""
    if isinstance(template, str):
        return _noted(made, template, most)
    try:
        for part in template.generate(values):
            made += part
            if len(made) > most:
                break
    except Exception as error:  # an alert with half a text is worth more than none
        return _noted(made, _words(error), most)
    return made[:most], ""


def _noted(made: str, why: str, most: int) -> tuple[str, str]:
    note = f"[this template failed: {why}]"
    return f"{made[: most - len(note)]}{note}", why


def _words(error: Exception) -> str:
    known = isinstance(error, TemplateError | ValueError | TypeError) and not isinstance(error, UnicodeError)
    said = str(error) if known else f"{type(error).__name__}: {error}"
    return printable(" ".join(said.split()))[:200]
