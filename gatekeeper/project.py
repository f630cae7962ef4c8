"""A loaded project: its settings, its plugins, its gates."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from msgspec import Struct

from gatekeeper import plugins as plugin_loading
from gatekeeper.errors import UsageError
from gatekeeper.model import Gate, PolicyRecord, TrustedRef
from gatekeeper.plugins import Plugins
from gatekeeper.settings import Flag, ProjectSettings, Resolved, Settings, load, resolve
from gatekeeper.settings.convert import Problem, convert
from gatekeeper.settings.tables import StoreSettings
from gatekeeper.store import FILE_NAME, path_of

STATE = ".gatekeeper"

POLICY_FROM = "GATEKEEPER_POLICY_FROM"
"""The environment variable that stands for `--policy-from`."""


class ProjectRequest(Struct, frozen=True, kw_only=True):
    """Which project, with which settings. Plain data: a spawned worker loads the same from it."""

    cwd: str
    config: str | None = None
    profile: str | None = None
    flags: tuple[tuple[tuple[str, ...], str, Any], ...] = ()
    """Settings from the command line: path, flag, value."""
    trusted: TrustedRef | None = None
    """The commit that configuration, gates and rules are taken from; None: the working tree. It was taken by whoever
    asks, for as long as the project is used: `gatekeeper.policy.taken`.
    """


class Project:
    """A loaded project: its settings, its plugins and its gates."""

    def __init__(self, request: ProjectRequest) -> None:
        self.request = request
        self.cwd = Path(request.cwd)
        self.trusted = _trusted(request)
        overrides = {path: Flag(flag, value) for path, flag, value in request.flags}
        config = Path(request.config) if request.config else None
        wrong: list[str] = []
        self.settings: Settings = load(
            self.cwd,
            config=config,
            profile=request.profile,
            overrides=overrides,
            problems=wrong,
            trusted=self.trusted,
        )
        folders = tuple(self.policy_path(path) for path in self.settings.gates_paths)
        if self.trusted is not None:
            self._refuse_untrusted(self.trusted, folders)
        wrong += self._missing(folders)
        self.plugins: Plugins = plugin_loading.load(
            self.settings.root, folders, self.settings.plugins.disable, self.trusted
        )
        if wrong:
            self._refuse(wrong)

    def policy_path(self, path: Path) -> Path:
        """Where the policy (gates, rules) has what the project calls `path`: there, or a copy of a trusted commit's."""
        if self.trusted is None:
            return path
        from gatekeeper.policy import located

        return located(self.trusted, path)

    def _refuse_untrusted(self, trusted: TrustedRef, folders: Sequence[Path]) -> None:
        from gatekeeper.policy import refuse_brought

        root = self.settings.root
        if os.path.realpath(root) != str(root):
            raise UsageError(
                f"--policy-from {trusted.ref}: {root} is reached through a symbolic link in the working tree: "
                f"it is {os.path.realpath(root)}"
            )
        if self.settings.config is None and not any(folder.is_dir() for folder in folders):
            raise UsageError(
                f"--policy-from {trusted.ref}: there is neither a configuration nor a folder of gates at "
                f"{trusted.commit[:12]} for {root}; merge them first, or leave out --policy-from"
            )
        store = [] if "://" in self.store_url else [Path(self.store_url)]
        refuse_brought(trusted, [self.state, *store])

    def _missing(self, folders: Sequence[Path]) -> list[str]:
        """Folders of gates that the configuration names and that aren't there: their gates would silently not run."""
        default = ProjectSettings().gates
        return [
            f"[project] gates: no folder {text!r}{f' in {self.trusted.ref}' if self.trusted else ''}"
            for text, path in zip(self.settings.project.gates, folders, strict=True)
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

    def policy_used(self, resolved: Mapping[str, Resolved]) -> tuple[PolicyRecord | None, list[str]]:
        """What a run with these settings records of a policy that isn't the working tree's own, and notes on it."""
        if self.trusted is None:
            return None, []
        from gatekeeper.policy import notes, record
        from gatekeeper.settings.rules import altered_configuration, rule_files

        for path in rule_files(self.settings, resolved):
            self.policy_path(path)
        asked = bool(self.request.config or os.environ.get("GATEKEEPER_CONFIG"))
        instead = altered_configuration(self.settings, self.cwd, asked=asked)
        used = record(
            self.trusted,
            folders=self.settings.gates_paths,
            configuration=self.settings.config,
            instead=instead,
            overridden=self.settings.overriding,
        )
        return used, notes(used)

    @property
    def state(self) -> Path:
        """The folder with what runs leave for later ones."""
        return self.settings.root / STATE

    @property
    def store_url(self) -> str:
        """Where history is kept: the configured store (relative ones lie in the project), else in the state folder.

        Raises:
            UsageError: the URL is wrong, or the variable or file that it is to be read from isn't there.
        """
        url = self.settings.store.url
        if url is None:
            return str(self.state / FILE_NAME)
        if not url:
            problems: list[Problem] = []  # once more, to be told what is missing
            convert(StoreSettings, {"url": url.reference}, problems, root=self.settings.root)
            raise UsageError(f"[store] url: {problems[0].message if problems else 'it is empty'}")
        path = path_of(url)
        return str(url) if path is None else str(self.settings.root / path)


def _trusted(request: ProjectRequest) -> TrustedRef | None:
    """The commit to take the policy from, once it is certain that this process can be trusted with it.

    Raises:
        UsageError: one was asked for and isn't given, or the working tree could replace this process' modules.
    """
    trusted = request.trusted
    if trusted is not None:
        from gatekeeper.policy import refuse_shadowing

        refuse_shadowing(trusted)
    elif ref := os.environ.get(POLICY_FROM):
        raise UsageError(
            f"{POLICY_FROM}={ref}: gates can't be taken from a ref here; run them from outside: "
            f"gatekeeper exec --policy-from {ref} -- COMMAND"
        )
    return trusted
