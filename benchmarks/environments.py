"""Virtual environments to measure in: each candidate's own needs and no more; or many distributions.

Built by the ordinary pip from whatever it is configured to use, gatekeeper from this folder's wheel.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "pytest_gatekeeper"
"""The distribution that registers gatekeeper's plugin with pytest."""
PYTEST_PLUGINS = 5
"""How many of the generated distributions are plugins of pytest (trivial ones)."""


def pythons(environment: str, folder: Path) -> tuple[Path, Path]:
    """The Python of gatekeeper and that of the others, in a kind of environment: `this`, `few`, `90` or `dev`."""
    if environment == "this":
        return Path(sys.executable), Path(sys.executable)
    wheel = build_wheel(folder / "wheel")
    if environment == "dev":
        both = new_environment(folder / "dev", [f"{wheel}[dev]"], 90)
        return both, both
    to = 90 if environment == "90" else 0
    ours = new_environment(folder / f"gatekeeper-{environment}", [wheel], to)
    return ours, new_environment(folder / f"pytest-{environment}", ["pytest"], to)


def build_wheel(folder: Path, source: Path = ROOT) -> Path:
    """The project's wheel, alone in a folder. Needs hatchling, which the extra `dev` installs."""
    folder.mkdir(parents=True, exist_ok=True)
    _pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    return next(folder.glob("*.whl"))


def new_environment(folder: Path, requirements: Sequence[str | Path], padded_to: int = 0) -> Path:
    """A virtual environment without pip; its Python. `padded_to`: filled up to that many distributions."""
    _python("-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    # bytecode is compiled while installing
    _pip("--python", str(python), "install", "--quiet", "--compile", *map(str, requirements))
    packages = next(folder.glob("lib/python*/site-packages"))
    pad(packages, padded_to - count(packages))
    return python


def _pip(*arguments: str) -> None:
    _python("-m", "pip", "--disable-pip-version-check", *arguments)


def _python(*arguments: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def count(packages: Path) -> int:
    """How many distributions a site-packages folder holds."""
    return sum(1 for _ in packages.glob("*.dist-info"))


def pad(packages: Path, number: int) -> None:
    """Add distributions of one trivial module each: metadata of a usual size, commands, some pytest plugins."""
    for index in range(number):
        name = f"padding_{index:03}"
        (packages / f"{name}.py").write_text('"""Nothing."""\n', encoding="utf-8")
        information = packages / f"{name}-1.0.dist-info"
        information.mkdir()
        for file, lines in _metadata(name, plugin=index < PYTEST_PLUGINS).items():
            (information / file).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _metadata(name: str, *, plugin: bool) -> dict[str, Iterable[str]]:
    shown = name.replace("_", "-")
    group = "pytest11" if plugin else "console_scripts"
    target = name if plugin else f"{name}:main"
    return {
        "METADATA": [
            "Metadata-Version: 2.1",
            f"Name: {shown}",
            "Version: 1.0",
            *(f"Classifier: Topic :: Nothing :: {i}" for i in range(15)),
            "",
            *(f"Line {i} of a description as long as a README that is not short." for i in range(80)),
        ],
        "RECORD": [
            f"{name}/{i}.py,sha256=0000000000000000000000000000000000000000000,100" for i in range(30)
        ],
        "entry_points.txt": [f"[{group}]", f"{shown} = {target}"],
        "INSTALLER": ["pip"],
        "WHEEL": ["Wheel-Version: 1.0", "Root-Is-Purelib: true", "Tag: py3-none-any"],
    }
