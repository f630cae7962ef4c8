"""Linters of CI files, as tests ask them."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from ci_systems import ROOT


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tool(name: str, package: str = "") -> str:
    """A linter that came with a Python package."""
    found = shutil.which(name, path=sysconfig.get_path("scripts"))
    if found is None:
        pytest.skip(f"needs {name}: pip install {package or name}")
    return found


def refused(command: list[str], cwd: Path = ROOT) -> str:
    """What a linter has against something; empty where it has nothing."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=100, check=False)
    said = (done.stdout + done.stderr).strip()
    return (said or f"it ended with {done.returncode}") if done.returncode else ""


def replaced(path: Path, old: str, new: str, folder: Path) -> Path:
    """A copy of a file with a mistake in it."""
    text = path.read_text("utf-8")
    assert old in text
    copy = folder / path.name
    copy.write_text(text.replace(old, new, 1))
    return copy
