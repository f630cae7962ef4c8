"""Contracts of the whole: imports run one way, every hook is documented and tested, start-up stays light."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gatekeeper import hookspecs

ROOT = Path(__file__).parents[1]
HOOKS = {name: spec for name, spec in vars(hookspecs).items() if name.startswith("gatekeeper_")}


def test_imports_run_one_way():
    # in a process of its own: it switches off every logger that there is (logging.config.dictConfig)
    code = f"""
import sys
from importlinter.cli import lint_imports
sys.exit(lint_imports(config_filename={str(ROOT / "pyproject.toml")!r}, cache_dir=None, no_cache=True))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_exact_signature(hook):
    arguments = ", ".join(inspect.signature(HOOKS[hook]).parameters)
    assert f"`{hook}({arguments})`" in (ROOT / "docs" / "hooks.md").read_text("utf-8")


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_test(hook):
    tests = (ROOT / "tests" / "test_hooks.py").read_text("utf-8")
    assert re.search(rf"def {hook}\(", tests), f"no test implements {hook}"


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_contract(hook):
    assert len(inspect.getdoc(HOOKS[hook]) or "") > 60


HEAVY = ["asyncio", "rich", "jsonschema", "jsonschema_rs", "urllib3", "pytest", "jinja2", "yaml", "psycopg", "duckdb",
         "importlib.metadata", "http.client", "ssl", "xml.etree.ElementTree", "subprocess", "concurrent.futures",
         "multiprocessing", "logging", "psutil"]  # fmt: skip


def loaded_after(arguments: list[str], cwd: Path, names: list[str]) -> list[str]:
    code = (
        "import sys\nfrom gatekeeper.cli import command_line\n"
        f"command_line({arguments!r})\nprint('LOADED', [n for n in {names!r} if n in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=60, check=True
    )
    return eval(re.search(r"LOADED (.*)", done.stderr)[1])  # type: ignore[index]


def test_a_run_imports_nothing_heavy_that_it_does_not_need(tmp_path):
    gates = tmp_path / "gates"
    gates.mkdir()
    (gates / "gate_one.py").write_text(
        "from gatekeeper import pre\n@pre\ndef one(ctx):\n    ctx.check(True)\n"
    )
    subprocess.run([sys.executable, "-m", "gatekeeper", "run", "pre", "one"], cwd=tmp_path, check=True,
                   capture_output=True, timeout=60)  # fmt: skip
    assert loaded_after(["run", "pre", "one"], tmp_path, HEAVY) == []


def test_exec_imports_nothing_heavy_either(tmp_path):
    (tmp_path / "gatekeeper.toml").write_text("[run]\nmax_warnings = 99\n")
    assert loaded_after(["exec", "-k", "flow", "--", "true"], tmp_path, HEAVY) == []


def test_a_junit_report_is_what_imports_xml(tmp_path):
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "gate_one.py").write_text(
        "from gatekeeper import pre\n@pre\ndef one(ctx):\n    ctx.check(True)\n"
    )
    arguments = ["run", "pre", "one", "--format", "junit=j.xml"]
    assert "xml.etree.ElementTree" in loaded_after(arguments, tmp_path, HEAVY)


MODULES = sorted(
    ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
    for base, package in [(ROOT, "gatekeeper"), (ROOT / "gates", "gatekeeper_gates"), (ROOT / "gates", "gatekeeper_sources"),
                          (ROOT / "reports", "gatekeeper_reports"), (ROOT / "reports", "gatekeeper_channels")]
    for path in (base / package).rglob("*.py")
    if path.name != "__main__.py"
)  # fmt: skip


def test_each_module_imports_alone_without_warnings():
    """In one process with a fresh `sys.modules` for each: a cycle shows whichever module comes first."""
    code = f"""
import sys, importlib
base = set(sys.modules)
for name in {MODULES!r}:
    for loaded in set(sys.modules) - base:
        if loaded.startswith("gatekeeper"):
            del sys.modules[loaded]
    importlib.import_module(name)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
