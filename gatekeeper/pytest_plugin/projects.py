"""Which project a gate file is of, and whether a command line names its gates."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from msgspec import Struct

from gatekeeper.errors import UsageError
from gatekeeper.project import ProjectRequest
from gatekeeper.settings import ProjectSettings, load
from gatekeeper.settings.reading import NAMES, discover


def project_of(file: Path, config: pytest.Config) -> Path:
    """The folder to load the project of a test from: of the nearest configuration above it, else pytest's rootdir.

    A configuration that was asked for by name counts before both; its path starts where pytest did.
    """
    return config.invocation_params.dir if _is_named(config) else _root(file.parent) or config.rootpath


def _is_named(config: pytest.Config) -> bool:
    return bool(config.getoption("gatekeeper_config") or os.environ.get("GATEKEEPER_CONFIG"))


class GateFolders(Struct, frozen=True):
    """A project's folders of gates, as real paths."""

    project: ProjectRequest
    folders: tuple[str, ...]

    @classmethod
    def of(cls, file: Path, config: pytest.Config) -> "GateFolders":
        """Those of the project that `file` would be in: of the nearest configuration upwards, else of the folder in
        which pytest was started. A configuration that was asked for by name counts before both.
        """
        invoked = config.invocation_params.dir
        own = None if _is_named(config) else _root(file.parent)
        cwd = invoked if own is None or own == _root(invoked) else own
        asked, profile = config.getoption("gatekeeper_config"), config.getoption("gatekeeper_profile")
        try:
            folders = load(cwd, config=asked and Path(asked), profile=profile, problems=[]).gates_paths
        except UsageError:  # what is wrong is said when its gates are loaded
            folders = tuple((_root(cwd) or cwd) / name for name in ProjectSettings().gates)
        project = ProjectRequest(cwd=str(cwd), config=asked, profile=profile)
        return cls(project, tuple(os.path.realpath(folder) for folder in folders))

    def named_for(self, file: Path, names: Iterable[Path]) -> bool:
        """Whether one of `names` means this gate file: the file itself, a folder of gates, or one within."""
        real = os.path.realpath(file)
        wanted = (os.path.realpath(name) for name in names)
        return self._has(real) and any(self._has(name) and _lies_in(real, name) for name in wanted)

    def _has(self, path: str) -> bool:
        return any(_lies_in(path, folder) for folder in self.folders)


def _root(folder: Path) -> Path | None:
    """The folder that the nearest configuration configures, also where that can't be read."""
    try:
        found = discover(folder)
    except UsageError:
        return next(f for f in (folder, *folder.parents) if any((f / name).is_file() for name in NAMES))
    return found.root if found else None


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))
