"""The tables of a configuration, as types, and `Settings`: all of them, effective for one run.

The texts under the fields are the documentation: `gatekeeper config schema` and the reference page show them.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from gatekeeper.model import TrustedRef
from gatekeeper.paths import expanded
from gatekeeper.quantities import Duration, Secret, Size
from gatekeeper.settings.alerting import AlertSettings
from gatekeeper.settings.layers import EnvironmentVariable, Layer

Count = Annotated[int, Meta(ge=0)]


class SubjectSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What the verdict is about."""

    name: str = ""
    """Name of what is gated; empty: the name of the folder that the configuration is in."""
    artifact: str | None = None
    """Glob of the one file that is released, such as `dist/*.whl`; its SHA-256 is the subject's digest."""


class ProjectSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the project keeps what gatekeeper reads."""

    gates: tuple[str, ...] = ("gates",)
    """Folders with the project's own `gate_*.py` files and `gateconf.py`, relative to the configuration."""


class RunSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How a run goes, and what every gate gets that says nothing else."""

    deadline: Duration | None = None
    """Longest time for the whole run; gates that are not done by then are errors."""
    max_warnings: Count | None = None
    """More warnings than this hold the verdict; unset: warnings alone proceed."""
    jobs: Annotated[int, Meta(ge=1)] | None = None
    """How many gates run side by side; unset: sized for gates that wait for I/O."""
    timeout: Duration = Duration(30)
    """Longest time for one attempt of a gate."""
    retries: Count = 0
    """How many further attempts a gate gets that fails or errors."""
    retry_for: Duration = Duration(0)
    """Further attempts are made until this much time has passed."""
    retry_delay: Duration = Duration(1)
    """Pause between two attempts."""
    isolation: Literal["fork", "spawn", "none"] | None = None
    """How gates are kept apart; unset: `fork` where there is one, else `spawn`. `none` is for debugging."""
    output_total: Size = Size(4_000_000)
    """How much printed output of all gates together a run keeps."""

    def __post_init__(self) -> None:
        if self.timeout <= 0:
            raise ValueError("timeout: must be more than 0 s")
        if self.deadline is not None and self.deadline <= 0:
            raise ValueError("deadline: must be more than 0 s")


class StoreSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where history is kept."""

    url: Secret | None = None
    """A path, `sqlite:///PATH`, or `postgresql://user:password@host:port/database`, better as a reference such as
    `"env:GATES_DATABASE"`: its password is never shown. Unset: `.gatekeeper/history.db` beside the configuration."""
    retention: Duration = Duration(30 * 86_400)
    """Runs older than this are removed by `gatekeeper history prune`."""

    def __post_init__(self) -> None:
        if self.url is not None and not self.url.reference:
            from gatekeeper.store.address import shown

            self.url.reference = shown(str(self.url))  # no secret but for the password


class PluginSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Installed plugins."""

    disable: tuple[str, ...] = ()
    """Names of entry points that are not loaded."""


class SampleFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One file with measurements, as `--samples SOURCE:FILE` gives it."""

    source: str
    """Its format: `k6`, `junit`, `openmetrics`, …"""
    path: str
    """The file, relative to the configuration."""


class Freeze(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A time in which nothing is released: a verdict that would proceed is held."""

    reason: str = ""
    """Why, for the verdict."""
    start: datetime = field(name="from")
    """First moment, with offset: `2026-12-24T00:00:00Z`."""
    until: datetime
    """First moment after it, with offset."""

    def __post_init__(self) -> None:
        for key, moment in (("from", self.start), ("until", self.until)):
            if moment.tzinfo is None:
                raise ValueError(f'{key}: needs an offset, such as "Z" or "+02:00": {moment.isoformat()}')
        if self.until <= self.start:
            raise ValueError(f"until: {self.until.isoformat()} is not after from ({self.start.isoformat()})")

    def covers(self, moment: datetime) -> bool:
        """Whether `moment` (aware) lies in it."""
        return self.start <= moment < self.until


class Tables(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The configuration of gatekeeper: `gatekeeper.toml`, or `[tool.gatekeeper]` in `pyproject.toml`."""

    preset: str | None = None
    """Named values for gates that suit a kind of subject: `service`, `batch`, `ai-flow`, or a plugin's."""
    subject: SubjectSettings = SubjectSettings()
    """What the verdict is about."""
    project: ProjectSettings = ProjectSettings()
    """Where the project keeps what gatekeeper reads."""
    run: RunSettings = RunSettings()
    """How a run goes, and what every gate gets that says nothing else."""
    store: StoreSettings = StoreSettings()
    """Where history is kept."""
    plugins: PluginSettings = PluginSettings()
    """Installed plugins."""
    samples: tuple[SampleFile, ...] = ()
    """Files with measurements, as `--samples SOURCE:FILE` gives them."""
    freeze: tuple[Freeze, ...] = ()
    """Times in which nothing is released."""
    alerts: AlertSettings = AlertSettings()
    """Who is told of what."""
    inputs: dict[str, str] = {}
    """Named inputs of the flow (file or JSON), as `--input NAME=…` gives them."""
    outputs: dict[str, str] = {}
    """Named outputs of the flow (file or JSON), as `--output NAME=…` gives them."""
    gates: dict[str, dict[str, Any]] = {}
    """One table for each gate, by its name, or by its id where two phases have the name."""


class Settings(Struct, frozen=True, kw_only=True):
    """The configuration that is effective in one run; see `Tables` for what each part means.

    `root` is the folder that relative paths start at: the configuration's, else the working directory. `trusted` is
    the commit that the configuration was read from, None for the working tree; `config` is its file, or the copy.
    `gates` are raw tables: `gatekeeper.settings.resolve` makes settings objects of them once all gates are
    known.
    """

    root: Path
    config: Path | None = None
    trusted: TrustedRef | None = None
    profile: str | None = None
    preset: str | None = None
    subject: SubjectSettings = SubjectSettings()
    project: ProjectSettings = ProjectSettings()
    run: RunSettings = RunSettings()
    store: StoreSettings = StoreSettings()
    plugins: PluginSettings = PluginSettings()
    samples: tuple[SampleFile, ...] = ()
    freeze: tuple[Freeze, ...] = ()
    alerts: AlertSettings = AlertSettings()
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    gates: dict[str, dict[str, Any]] = field(default_factory=dict)
    layers: tuple[Layer, ...] = ()
    variables: tuple[EnvironmentVariable, ...] = ()

    @property
    def subject_name(self) -> str:
        return self.subject.name or self.root.name or "project"

    @property
    def gates_paths(self) -> tuple[Path, ...]:
        """The folders that the project's own gate files are in."""
        return tuple(self.root / expanded(path) for path in self.project.gates)

    @property
    def config_name(self) -> str | None:
        """The configuration's file, relative to where gatekeeper was started."""
        label = next((layer.label for layer in self.layers if layer.kind == "file"), None)
        return label if label is None or self.trusted is None else label.removeprefix(f"{self.trusted.ref}:")

    @property
    def overriding(self) -> list[str]:
        """The flags and environment variables that set something."""
        outer = [layer for layer in self.layers if layer.kind in ("environment", "flag")]
        names = {name for layer in outer for name in layer.names.values()}
        return sorted(names | {variable.name for variable in self.variables})
