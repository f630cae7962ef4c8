"""Where gates and findings are in the repository that a project is part of, as CI systems name its files."""

import os
import re
from pathlib import Path, PurePath

from msgspec import Struct

from gatekeeper.model import Finding, Result


class Place(Struct, frozen=True):
    """A line of a file; `file` is relative to the repository, with `/` between its parts, and `line` is 1-based."""

    file: str
    line: int = 1


NOWHERE = Place("gatekeeper.toml")
"""For formats that want a place for everything: where a gate that has none would be configured."""


def repository(root: Path) -> Path:
    """The repository that a project's folder is part of: the checkout, or else what the CI system says."""
    for folder in (root, *root.parents):
        if os.path.exists(folder / ".git"):
            return folder
    for variable in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        workspace = os.environ.get(variable)
        if workspace and root.is_relative_to(real := Path(os.path.realpath(workspace))):
            return real
    return root


class Places:
    """Where gates and findings are in the repository. Without a root, files are taken as the record names them."""

    def __init__(self, root: Path | None, config: str | None) -> None:
        self._root = Path(os.path.realpath(root)) if root is not None else None
        self._repository = repository(self._root) if self._root is not None else None
        self._known: dict[str, str | None] = {}
        self._config = self._config_file(config) if config else None
        self._lines: dict[str, int] | None = None

    def gate(self, result: Result) -> Place | None:
        """Where a gate is defined, or else where it is configured."""
        file = self._file(result.source.file)
        if file is not None:
            return Place(file, max(1, result.source.line))
        return self.configuration(result.id.partition(".")[2].partition("[")[0])

    def finding(self, finding: Finding) -> Place | None:
        """Where a finding says that it is, if that is a file of the repository."""
        file, line = finding.evidence.get("file"), finding.evidence.get("line")
        shown = self._file(file) if isinstance(file, str) else None
        if shown is None:
            return None
        return Place(shown, line if type(line) is int and line > 0 else 1)

    def configuration(self, gate: str = "") -> Place | None:
        """The configuration's file, at the first table of a gate where it has one."""
        if self._config is None:
            return None
        if self._lines is None:
            self._lines = self._tables()
        return Place(self._config, self._lines.get(gate, 1))

    def _tables(self) -> dict[str, int]:
        """The line of each gate's first table, `[gates.NAME…]` or `[[gates.NAME…]]`."""
        if self._repository is None or self._config is None:
            return {}
        try:
            text = (self._repository / self._config).read_text("utf-8", "replace")
        except OSError:
            return {}
        found: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if match := _TABLE.match(line):
                found.setdefault(match[1], number)
        return found

    def _config_file(self, label: str) -> str | None:
        """The label is relative to where gatekeeper was started, which may be below or above the project."""
        parts = PurePath(label).parts
        candidates = (os.path.join(*parts[start:]) for start in range(len(parts)))
        return next((file for name in candidates if (file := self._file(name)) is not None), None)

    def _file(self, name: str) -> str | None:
        """A file as the repository names it; None where it has no such file."""
        if name not in self._known:
            self._known[name] = self._looked_up(name)
        return self._known[name]

    def _looked_up(self, name: str) -> str | None:
        if not name.strip():
            return None
        if self._root is None or self._repository is None:
            path = os.path.normpath(name)
            return None if os.path.isabs(path) or path in (".", "..") or path.startswith("../") else path
        path = os.path.normpath(os.path.join(self._root, name))
        if not os.path.isfile(path):
            return None
        real = PurePath(os.path.realpath(path))  # GitHub shows nothing at a link
        return (
            real.relative_to(self._repository).as_posix() if real.is_relative_to(self._repository) else None
        )


_TABLE = re.compile(r"\s*\[\[?\s*(?:tool\.gatekeeper\.)?gates\.([\w-]+)")
