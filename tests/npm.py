"""Programs from npm for tests: those in the repository's own `node_modules`, else installed for the test session."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

OWN = Path(__file__).parents[1] / "node_modules"


def installed(folder: Path, *packages: str) -> Path:
    """The `node_modules` that has these packages (`name@version`). Skips, with the reason, where they can't be had."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js: apt-get install nodejs npm")
    if all((OWN / package.rpartition("@")[0]).is_dir() for package in packages):
        return OWN
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm: apt-get install npm")
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", *packages]
    environment = os.environ | {"npm_config_update_notifier": "false"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        pytest.skip(f"npm can't install {' '.join(packages)}: {done.stderr.strip()[-500:]}")
    return folder / "node_modules"
