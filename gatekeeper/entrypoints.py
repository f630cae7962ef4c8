"""Which plugins installed distributions name: their entry points in the group `gatekeeper`."""

import os
from collections.abc import Iterator, Sequence

GROUP = "gatekeeper"


class EntryPoint:
    """One line of an installed distribution's `entry_points.txt`."""

    def __init__(self, name: str, value: str, distribution: str) -> None:
        self.name, self.value, self.distribution = name, value, distribution


def entry_points(paths: Sequence[str]) -> list[EntryPoint]:
    """Entry points of the group `gatekeeper` of the distributions on `paths`.

    Reads the `entry_points.txt` files themselves (format: Python Packaging User Guide, "Entry points specification"):
    a tenth of what importlib.metadata takes, which matters in an environment with many distributions. As there, the
    first distribution of a name on the path counts.
    """
    found: list[EntryPoint] = []
    seen: set[str] = set()
    for folder in dict.fromkeys(paths):
        try:
            names = sorted(
                name for name in os.listdir(folder or ".") if name.endswith((".dist-info", ".egg-info"))
            )
        except OSError:
            continue
        for name in names:
            distribution = name.rpartition(".")[0].partition("-")[0].lower().replace("_", "-")
            if distribution in seen:
                continue
            seen.add(distribution)
            try:
                with open(os.path.join(folder, name, "entry_points.txt"), encoding="utf-8") as file:
                    content = file.read()
            except (OSError, UnicodeDecodeError):
                continue
            if f"[{GROUP}]" in content:
                found += _section(content, distribution)
    return found


def _section(content: str, distribution: str) -> Iterator[EntryPoint]:
    inside = False
    for line in map(str.strip, content.splitlines()):
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield EntryPoint(name.strip(), value.partition("[")[0].strip(), distribution)
