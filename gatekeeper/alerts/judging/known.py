"""Which quantities a gate records, as far as that can be known before it runs."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gatekeeper.model import Gate

_NAMED = {"measure": 0, "check": None}
"""Methods of a context that record a finding, and the position of its name; None where it has to be a keyword."""
_UNSEEN = ("add",)
"""Methods that record something whose name can't be seen."""


def quantities(gate: Gate, recorded: Sequence[str]) -> Sequence[str] | None:
    """The names of what a gate records: those it declares or that its function shows, and those it has recorded.

    None where that isn't known. A function shows its names where each is a constant in a call such as
    `ctx.measure("p95", …)`, and its context goes nowhere else; a gate with helpers that record, or with computed names,
    could record anything, unless it declares what (`records=`).

    Args:
        gate: the gate.
        recorded: names of what it recorded in its last runs.
    """
    named = _named(gate.function) if gate.records is None else gate.records
    return None if named is None else list(dict.fromkeys([*named, *recorded]))


def _named(function: Callable[..., Any]) -> list[str] | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    if len(tree.body) != 1 or not isinstance(
        definition := tree.body[0], ast.FunctionDef | ast.AsyncFunctionDef
    ):
        return None
    arguments = [*definition.args.posonlyargs, *definition.args.args]
    if not arguments:
        return []
    found = list(_names(definition, arguments[0].arg))
    return None if None in found else [name for name in found if name is not None]


def _names(definition: ast.AST, context: str) -> Iterator[str | None]:
    """Names that are recorded; None for each that can't be seen."""
    called = {id(node.func): node for node in ast.walk(definition) if isinstance(node, ast.Call)}
    attributes = {id(n.value): n for n in ast.walk(definition) if isinstance(n, ast.Attribute)}
    for node in ast.walk(definition):
        if isinstance(node, ast.Name) and node.id == context:
            attribute = attributes.get(id(node))
            if attribute is None or attribute.attr in _UNSEEN:
                yield None  # it goes to a helper, which may record anything
            elif attribute.attr in _NAMED:
                yield _name_of(called.get(id(attribute)), _NAMED[attribute.attr])
        elif isinstance(node, ast.Assert):
            yield ast.unparse(node.test)
        elif isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) and not _is_recorded(
            node.value, context
        ):
            yield None  # a finding that was made elsewhere


def _name_of(call: ast.Call | None, position: int | None) -> str | None:
    if call is None:  # the method is passed on
        return None
    given = [keyword.value for keyword in call.keywords if keyword.arg == "name"]
    if position is not None and len(call.args) > position:
        given = [call.args[position]]
    if not given:
        starred = any(keyword.arg is None for keyword in call.keywords)
        return "check" if position is None and not starred else None
    return given[0].value if isinstance(given[0], ast.Constant) and isinstance(given[0].value, str) else None


def _is_recorded(value: ast.expr | None, context: str) -> bool:
    """Whether what a gate returns or yields is nothing, or what its context gave it."""
    if value is None or (isinstance(value, ast.Constant) and value.value is None):
        return True
    function = value.func if isinstance(value, ast.Call) else None
    owner = function.value if isinstance(function, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id == context
