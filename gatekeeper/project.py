"""A loaded project: its settings, its plugins, its gates."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from msgspec import Struct

from gatekeeper import plugins as plugin_loading
from gatekeeper.errors import UsageError
from gatekeeper.model import Gate
from gatekeeper.plugins import Plugins
from gatekeeper.settings import Flag, ProjectSettings, Resolved, Settings, load, resolve
from gatekeeper.store import FILE_NAME, path_of

STATE = ".gatekeeper"


class ProjectRequest(Struct, frozen=True, kw_only=True):
    """Which project, with which settings. Plain data: a spawned worker loads the same from it."""

    cwd: str
    config: str | None = None
    profile: str | None = None
    flags: tuple[tuple[tuple[str, ...], str, Any], ...] = ()
    """Settings from the command line: path, flag, value."""


class Project:
    """A loaded project: its settings, its plugins and its gates."""

    def __init__(self, request: ProjectRequest) -> None:
        overrides = {path: Flag(flag, value) for path, flag, value in request.flags}
        config = Path(request.config) if request.config else None
        self.cwd = Path(request.cwd)
        wrong: list[str] = []
        self.settings: Settings = load(
            self.cwd, config=config, profile=request.profile, overrides=overrides, problems=wrong
        )
        wrong += self._missing_folders()
        self.plugins: Plugins = plugin_loading.load(
            self.settings.root, self.settings.gates_paths, self.settings.plugins.disable
        )
        if wrong:
            self._refuse(wrong)

    def _missing_folders(self) -> list[str]:
        """Folders of gates that the configuration names and that aren't there: their gates would silently not run."""
        named = zip(self.settings.project.gates, self.settings.gates_paths, strict=True)
        default = ProjectSettings().gates
        return [
            f"[project] gates: no folder {text!r}"
            for text, path in named
            if text not in default and not path.is_dir()
        ]

    def _refuse(self, wrong: Sequence[str]) -> NoReturn:
        """All mistakes of the configuration at once: what is wrong in general, then the gates' own."""
        try:
            self.resolved(())
        except UsageError as error:
            wrong = [*wrong, *error.problems]
        raise UsageError(*wrong)

    @cached_property
    def gates(self) -> list[Gate]:
        """All gates of all phases.

        Raises:
            UsageError: two have one id, or a plugin failed to make its.
        """
        return self.plugins.gates(self.settings)

    def resolved(self, phases: Sequence[str] | None = None) -> dict[str, Resolved]:
        """Every gate's settings. Secrets are read for the gates of `phases` only, or of all.

        Raises:
            UsageError: all that is wrong with them.
        """
        ids = None if phases is None else {gate.id for gate in self.gates if gate.phase in phases}
        return resolve(self.settings, self.gates, secrets_of=ids)

    @property
    def state(self) -> Path:
        """The folder with what runs leave for later ones."""
        return self.settings.root / STATE

    @property
    def store_url(self) -> str:
        """Where history is kept: the configured store (relative ones lie in the project), else in the state folder."""
        url = self.settings.store.url
        if url is None:
            return str(self.state / FILE_NAME)
        if url.startswith("sqlite://") or "://" not in url:
            return str(self.settings.root / path_of(url))
        return url
