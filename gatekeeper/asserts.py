"""Plain `assert` in gate files: it counts, it shows the values it compared, and `python -O` does not remove it.

A gate file's source is rewritten before it is compiled. `assert left < right, message` becomes a call that evaluates
both sides once, records a finding (observed, operator, limit) and raises AssertionError where it doesn't hold. The
compiled file is cached beside it as Python does, under a tag of its own.
"""

import ast
import importlib.util
import marshal
import operator
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import Any

from gatekeeper.context import Context, always_true
from gatekeeper.model import Finding
from gatekeeper.plain import plain, text

VERSION = 2
"""Part of the cache's name; raise it when the rewriting changes."""

HELPER = "@gatekeeper_assert"

_OPERATORS: dict[str, tuple[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    "==": (ast.Eq, operator.eq),
    "!=": (ast.NotEq, operator.ne),
    "<": (ast.Lt, operator.lt),
    "<=": (ast.LtE, operator.le),
    ">": (ast.Gt, operator.gt),
    ">=": (ast.GtE, operator.ge),
    "in": (ast.In, lambda left, right: left in right),
    "not in": (ast.NotIn, lambda left, right: left not in right),
    "is": (ast.Is, operator.is_),
    "is not": (ast.IsNot, operator.is_not),
}
_SYMBOLS = {node: symbol for symbol, (node, _) in _OPERATORS.items()}


class Asserting:
    """What rewritten asserts call. `current` is the context of the gate that runs in this thread of control."""

    def __init__(self) -> None:
        self.current: Context | None = None
        self._failed: Finding | None = None

    def compare(self, source: str, left: Any, symbol: str, right: Any) -> Any:
        """Evaluate `left <symbol> right`, and record it."""
        holds = _OPERATORS[symbol][1](left, right)
        if holds:
            return self._record(Finding(source, "pass", plain(left), symbol, plain(right)))
        return self._fail(Finding(source, "fail", plain(left), symbol, plain(right)))

    def truth(self, source: str, value: Any) -> Any:
        """Record whether `value` is true.

        Raises:
            TypeError: the value is always true, whatever it stands for: a coroutine that nobody awaited, a generator.
        """
        if (problem := always_true(value)) is not None:
            raise TypeError(f"assert {source}: {problem}")
        if value:
            return self._record(Finding(source, "pass"))
        shown = None if value is False else plain(value)
        return self._fail(Finding(source, "fail", shown, evidence={}))

    def _record(self, finding: Finding) -> bool:
        if self.current is not None:
            self.current.count_assert()
            self.current.add(finding)
        return True

    def _fail(self, finding: Finding) -> bool:
        self._failed = finding
        return False

    def error(self, message: Any = None) -> AssertionError:
        """The error that the failed assert raises; carries its finding."""
        failed = self._failed or Finding("assert", "fail")
        said = text(message) if message is not None else ""
        explained = _explain(failed)
        finding = Finding(
            failed.name, "fail", failed.observed, failed.operator, failed.limit, message=said or explained
        )
        error = AssertionError(f"{said}\n{explained}" if said else explained)
        error.gatekeeper_finding = finding  # type: ignore[attr-defined]
        return error


def _explain(finding: Finding) -> str:
    import json

    def shown(value: Any) -> str:
        rendered = json.dumps(value, ensure_ascii=False)
        return rendered if len(rendered) <= 200 else f"{rendered[:199]}…"

    if finding.operator is not None:
        values = f"{shown(finding.observed)} {finding.operator} {shown(finding.limit)}"
        return f"assert {finding.name}: {values} does not hold"
    if finding.observed is not None:
        return f"assert {finding.name}: it is {shown(finding.observed)}"
    return f"assert {finding.name}"


asserting = Asserting()


class _Rewrite(ast.NodeTransformer):
    def __init__(self, file: str) -> None:
        self._file = file

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        if isinstance(node.test, ast.Tuple) and node.test.elts:
            problem = "this assertion is always true; remove its parentheses: assert condition, message"
            raise SyntaxError(problem, (self._file, node.lineno, node.col_offset + 1, None))
        message = [self.visit(node.msg)] if node.msg is not None else []
        replacement = ast.If(
            test=ast.UnaryOp(ast.Not(), self._test(self.visit(node.test))),
            body=[ast.Raise(exc=_call("error", *message), cause=None)],
            orelse=[],
        )
        for new in ast.walk(replacement):
            if "lineno" in new._attributes and not hasattr(new, "lineno"):
                ast.copy_location(new, node)
        return replacement

    def _test(self, test: ast.expr) -> ast.expr:
        source = ast.Constant(ast.unparse(test)[:500])
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            symbol = ast.Constant(_SYMBOLS[type(test.ops[0])])
            return _call("compare", source, test.left, symbol, test.comparators[0])
        return _call("truth", source, test)


def _call(method: str, *arguments: ast.expr) -> ast.Call:
    helper = ast.Name(HELPER, ast.Load())
    return ast.Call(ast.Attribute(helper, method, ast.Load()), list(arguments), [])


def compile_gate_file(path: Path) -> CodeType:
    """The code of a gate file, its asserts rewritten; from the cache where source and cache are unchanged.

    Raises:
        SyntaxError, UnicodeDecodeError, OSError: the file can't be read or isn't Python.
    """
    status = path.stat()
    stamp = (VERSION, sys.hexversion, status.st_mtime_ns, status.st_size)
    cache = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}-gatekeeper.pyc"
    with suppress(OSError, ValueError, EOFError, TypeError):
        found_stamp, code = marshal.loads(cache.read_bytes())
        if found_stamp == stamp and isinstance(code, CodeType) and code.co_filename == str(path):
            return code
    tree = _Rewrite(str(path)).visit(ast.parse(importlib.util.decode_source(path.read_bytes()), str(path)))
    compiled = compile(tree, str(path), "exec", dont_inherit=True, optimize=0)
    if not sys.dont_write_bytecode:
        with suppress(OSError):
            cache.parent.mkdir(exist_ok=True)
            temporary = cache.with_name(f"{cache.name}.{os.getpid()}")
            temporary.write_bytes(marshal.dumps((stamp, compiled)))
            temporary.replace(cache)
    return compiled
