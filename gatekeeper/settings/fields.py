"""What the source of a settings class says about its fields."""

import functools
import itertools
from collections.abc import Mapping
from typing import Any

from msgspec import NODEFAULT, Struct


@functools.cache
def field_docs(cls: type) -> Mapping[str, str]:
    """The text under each field of a class, its bases' too; nothing where the source isn't at hand."""
    import ast
    import inspect
    from textwrap import dedent

    docs: dict[str, str] = {}
    for base in cls.__bases__:
        docs |= field_docs(base) if base not in (object, Struct) else {}
    try:
        definition = ast.parse(dedent(inspect.getsource(cls))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return docs
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for item, after in itertools.pairwise(body):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            text = after.value if isinstance(after, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                docs[item.target.id] = inspect.cleandoc(text.value).replace("\n", " ")
    return docs


def default_of(field: Any) -> Any:
    """A field's default, made where it is made anew each time; NODEFAULT for a required one."""
    return field.default_factory() if field.default_factory is not NODEFAULT else field.default


def summary_of(cls: type) -> str:
    """The first paragraph of a class's docstring, on one line."""
    return (cls.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")
