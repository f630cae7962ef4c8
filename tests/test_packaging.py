"""What is shipped: a wheel that holds everything, and works where only it is installed; and one that registers it."""

import os
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

import gatekeeper
from wheels import PLUGIN, ROOT, build

heavy = pytest.mark.heavy


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(PLUGIN, tmp_path_factory.mktemp("plugin"))


@heavy
def test_the_wheel_holds_every_module_and_what_they_read(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"gatekeeper/py.typed", "gatekeeper/schemas/report-1.json"} <= names
    for base, package in [(ROOT, "gatekeeper"), (ROOT / "gates", "gatekeeper_gates"), (ROOT / "gates", "gatekeeper_sources"),
                          (ROOT / "reports", "gatekeeper_reports"), (ROOT / "reports", "gatekeeper_channels")]:  # fmt: skip
        modules = {str(path.relative_to(base)) for path in (base / package).rglob("*.py")}
        assert modules <= names
    assert not [
        name for name in names if name.startswith(("tests/", "docs/", "benchmarks/", "gates/", "reports/"))
    ]


@heavy
def test_the_wheel_works_where_only_it_is_installed(wheel, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = f"import sys; sys.path.insert(0, {str(site)!r}); from gatekeeper.cli import command_line; sys.exit(command_line(['run', 'pre', '--no-history']))"
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("GATEKEEPER", "PYTHON"))
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pre.resources" in done.stdout


# -- what registers the plugin with pytest -----------------------------------------------------------------------------


def described(project: Path) -> dict:
    return tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]


def test_both_distributions_are_of_one_version_and_the_plugin_requires_it():
    ours, plugin = described(ROOT), described(PLUGIN)
    assert {ours["version"], plugin["version"]} == {gatekeeper.__version__}
    assert f"gatekeeper-gates=={gatekeeper.__version__}" in plugin["dependencies"]
    assert ours["optional-dependencies"]["pytest"] == [plugin["name"]]


def test_no_index_need_know_the_plugin_to_develop():
    extras = described(ROOT)["optional-dependencies"]
    (own,) = [need for need in extras["dev"] if need.startswith("gatekeeper-gates")]
    assert "pytest" not in own
    assert "pytest>=8" in extras["dev"]


@heavy
def test_the_plugins_wheel_has_nothing_beside_its_metadata(plugin):
    files = read(plugin)
    assert {name.partition(".dist-info/")[2] for name in files} == {
        "METADATA",
        "WHEEL",
        "RECORD",
        "entry_points.txt",
    }


@heavy
def test_pytest_is_told_of_the_plugin_by_its_own_distribution_alone(wheel, plugin):
    assert "pytest11" not in entry_points(wheel)
    assert {name: dict(group) for name, group in entry_points(plugin).items() if group} == {
        "pytest11": {"gatekeeper": "gatekeeper.pytest_plugin"}
    }


def read(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def entry_points(wheel: Path) -> ConfigParser:
    (text,) = [text for name, text in read(wheel).items() if name.endswith(".dist-info/entry_points.txt")]
    found = ConfigParser()
    found.read_string(text)
    return found
