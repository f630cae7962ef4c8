"""The pytest plugin with the oldest and the newest pytest, and plugins of their times, in environments of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wheels import PLUGIN, ROOT, build

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

ENVIRONMENTS = {
    "oldest": [
        "pytest==8.0.0", "pytest-asyncio==0.23.5", "pytest-cov==5.0.0", "pytest-randomly==3.15.0",
        "pytest-rerunfailures==13.0", "pytest-timeout==2.3.1", "pytest-xdist==3.6.1",
    ],
    "newest": [
        "pytest", "pytest-asyncio", "pytest-cov", "pytest-randomly", "pytest-rerunfailures", "pytest-timeout",
        "pytest-xdist",
    ],
}  # fmt: skip
SMOKE = (
    "session_main or session_plugins or are_collected or every_outcome or no_end_of_the_process or every_way or ctrl_c "
    "or each_status or xdist or beside_other_plugins or asynchronous or rerun or failed_assertion"
)
"""Of the plugin's own tests, those of what depends on pytest: its hooks, its collection, its reports, its workers."""


def run(*words: str | Path, cwd: Path = ROOT) -> str:
    hidden = ("PYTEST_", "GATEKEEPER_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    done = subprocess.run(
        [*map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=560, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [build(source, tmp_path_factory.mktemp("wheel")) for source in (ROOT, PLUGIN)]


@pytest.mark.parametrize("packages", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_the_plugins_own_tests_pass(wheels: list[Path], tmp_path: Path, packages: list[str]) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", *wheels, "hypothesis", *packages, cwd=tmp_path)
    tests = [
        path for path in sorted((ROOT / "tests").glob("test_pytest_*.py")) if path.name != Path(__file__).name
    ]
    said = run(python, "-P", "-m", "pytest", "-q", "-n2", "-p", "no:cacheprovider", "-k", SMOKE, *tests)
    assert " passed" in said
    assert "skipped" not in said
