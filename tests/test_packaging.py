"""What is shipped: a wheel that holds everything, and works where only it is installed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, timeout=110, cwd=folder)
    return next(folder.glob("gatekeeper_gates-*.whl"))


def test_the_wheel_holds_every_module_and_what_they_read(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"gatekeeper/py.typed", "gatekeeper/schemas/report-1.json"} <= names
    for base, package in [(ROOT, "gatekeeper"), (ROOT / "gates", "gatekeeper_gates"), (ROOT / "gates", "gatekeeper_sources"),
                          (ROOT / "reports", "gatekeeper_reports")]:  # fmt: skip
        modules = {str(path.relative_to(base)) for path in (base / package).rglob("*.py")}
        assert modules <= names
    assert not [
        name for name in names if name.startswith(("tests/", "docs/", "benchmarks/", "gates/", "reports/"))
    ]


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
