"""The wheels that this repository ships."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "pytest_gatekeeper"


def build(source: Path, folder: Path) -> Path:
    """The wheel of a project, built into an empty folder; without a network."""
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    command = [sys.executable, "-m", "pip", "wheel", *options, str(source)]
    subprocess.run(command, check=True, timeout=110, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel
