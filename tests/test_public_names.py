"""`import gatekeeper` costs nothing, and has every name that it says it has."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import gatekeeper


def imported_for_type_checkers() -> dict[str, str]:
    tree = ast.parse(Path(gatekeeper.__file__).read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    return {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_type_checkers_and_programs_see_the_same_names():
    names = imported_for_type_checkers()
    assert sorted([*names, "__version__"]) == sorted(gatekeeper.__all__)
    for name, home in names.items():
        assert getattr(gatekeeper, name) is getattr(import_module(home), name)


def test_every_public_name_is_listed_by_dir():
    assert set(gatekeeper.__all__) <= set(dir(gatekeeper))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'pots'"):
        gatekeeper.pots  # noqa: B018


def test_importing_gatekeeper_loads_nothing_else():
    code = "import sys; import gatekeeper; print([m for m in sys.modules if m.startswith(('gatekeeper.', 'msgspec', 'pluggy'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
