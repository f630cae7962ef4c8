"""`post.cleanup`: what a flow left behind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field

from gatekeeper import Budget, Context, Duration, Quantity, post

UNCONFIGURED = """no pre run to compare with, and nothing configured. Run `gatekeeper run pre` before the
flow: processes that it leaves in the project are found without any configuration. Or name what to look at:

[[gates.cleanup.files]]
path = "{temp}/orders-*"

[gates.cleanup.ports]
watch = ["8000-8010"]"""

NOTHING_MATCHES = """nothing to look at: processes.scope is "matching" and there is no pattern. For example:

[gates.cleanup.processes]
command = ["chromium --headless", "orders_worker"]"""


IGNORED = [
    "git fsmonitor--daemon",
    "git (maintenance|gc) ",
    "watchman",
    r"from (multiprocessing|(joblib\.externals\.)?loky\.backend)\.(resource_tracker|forkserver) import main",
]
"""Helpers that other tools start in a project's folder, and that stay; those of Python as long as its program runs."""


class Processes(Struct, frozen=True, forbid_unknown_fields=True):
    """Which processes count as left: of a flow that gatekeeper ran, those that it started; else those that started
    after the pre run and before this one; and that still run.
    """

    max: int = 0
    """How many may be left."""
    scope: Literal["project", "matching"] = "project"
    """`project`: those whose working directory or command line lies in the project, and those that match
    `command`; of a flow that gatekeeper ran, all that it left. `matching`: only those that match `command`."""
    command: list[str] = field(default_factory=list)
    """Regular expressions; a process whose command line matches one counts wherever it runs."""
    ignore: list[str] = field(default_factory=lambda: [*IGNORED])
    """Regular expressions; a process whose command line matches one never counts."""
    user: str | None = None
    """Whose processes: a user's name, `"*"` for everyone's; by default the user who runs gatekeeper, and everyone of
    a flow that gatekeeper ran."""
    settle: Duration = Duration(1.0)
    """How long a process that is just ending may take to be gone."""

    def __post_init__(self) -> None:
        if not self.command and self.ignore == IGNORED:
            return
        import re

        for pattern in (*self.command, *self.ignore):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None

    @property
    def looks(self) -> bool:
        """Whether any process can count."""
        return self.scope == "project" or bool(self.command)


class Ports(Struct, frozen=True, forbid_unknown_fields=True):
    """Listening ports that were opened since the pre run: of left processes, and those to watch."""

    max: int = 0
    """How many may be left open."""
    watch: list[int | str] = field(default_factory=list)
    """Ports that count whoever opened them: numbers, or ranges such as `"8000-8010"`."""

    def __post_init__(self) -> None:
        self.watched  # noqa: B018 - raises for what is no port

    @property
    def watched(self) -> tuple[range, ...]:
        if not self.watch:
            return ()
        from gatekeeper_gates.cleanup.processes import port_range

        return tuple(port_range(item) for item in self.watch)


class Temporary(Struct, frozen=True, forbid_unknown_fields=True):
    """The flow's own folder for temporary files (`gatekeeper exec --private-tmp`)."""

    max: int = 0
    """How many files may be left in it; a folder counts once."""


class Files(Struct, frozen=True, forbid_unknown_fields=True):
    """Files and folders that should be gone again: what matches now and did not in the pre run."""

    path: str
    """A path or glob; `{temp}` is the system's temporary folder, relative paths start at the project."""
    max: int = 0
    """How many may be left; a folder counts once."""
    any_user: bool = False
    """Whether other users' files count too."""


class Disk(Struct, frozen=True, forbid_unknown_fields=True):
    """How much a folder may have grown since the pre run."""

    path: str
    """The folder; `{temp}` as for files."""
    growth: Budget = Budget(warn=Quantity.parse("1GB"))
    """Bytes more than before."""

    def __post_init__(self) -> None:
        self.growth.expect("growth", "B")


class Service(Struct, frozen=True, forbid_unknown_fields=True):
    """A long-running process that the flow uses: what it kept."""

    pidfile: str
    """The file with its process id."""
    name: str = ""
    """How it is called in reports; by default its pidfile."""
    descriptors: Budget = Budget(warn=Quantity(20), fail=Quantity(200))
    """Open files, sockets and pipes more than in the pre run."""
    memory: Budget = Budget(warn=Quantity.parse("100MB"))
    """Resident memory more than in the pre run."""

    def __post_init__(self) -> None:
        self.descriptors.expect("descriptors", "")
        self.memory.expect("memory", "B")

    @property
    def title(self) -> str:
        return self.name or self.pidfile


class Cleanup(Struct, frozen=True, forbid_unknown_fields=True):
    """What a flow may leave behind, held against what the pre run saw."""

    processes: Processes = Processes()
    """Processes that should have ended."""
    ports: Ports = Ports()
    """Ports that should be closed again."""
    files: list[Files] = field(default_factory=list)
    """Temporary files that should be gone. None by default: what else happens in a machine's temporary folder
    is not the flow's doing."""
    temporary: Temporary = Temporary()
    """What may be left in a folder for temporary files that was the flow's own."""
    disk: list[Disk] = field(default_factory=list)
    """Folders that should not grow without bound."""
    services: list[Service] = field(default_factory=list)
    """Long-running processes that should not gather descriptors and memory."""
    memory: Budget | None = None
    """How much less memory may be available than in the pre run; not compared by default."""

    def __post_init__(self) -> None:
        if self.memory is not None:
            self.memory.expect("memory", "B")

    @property
    def looks(self) -> bool:
        """Whether there is anything to look at."""
        named = self.ports.watch or self.files or self.disk or self.services or self.memory
        return bool(self.processes.looks or named)


def snapshot_cleanup(ctx: Context, settings: Cleanup) -> dict[str, Any]:
    """What is there before the flow: all that isn't can be told from what it leaves."""
    from gatekeeper_gates.cleanup import places, processes

    return {
        "processes": processes.running(),
        "ports": processes.listening(settings.ports.watched) if settings.ports.watch else [],
        "files": {rule.path: places.paths(ctx, rule) for rule in settings.files},
        "disk": {rule.path: places.used(ctx, rule.path) for rule in settings.disk},
        "services": {rule.pidfile: places.service(ctx.path(rule.pidfile)) for rule in settings.services},
        "memory": places.available() if settings.memory else None,
    }


@post(
    settings=Cleanup,
    before=snapshot_cleanup,
    presets={"service": {"processes": {"scope": "matching"}}},
    tags=["cleanup"],
    timeout="1m",
)
def cleanup(ctx: Context, settings: Cleanup) -> None:
    """The flow left no process, port, file or growth behind."""
    if ctx.before.run is None and settings == Cleanup():
        ctx.skip(UNCONFIGURED)
    if not settings.looks and (ctx.data.flow is None or ctx.data.flow.temp is None):
        ctx.skip(NOTHING_MATCHES)
    from gatekeeper_gates.cleanup import rules

    before: Mapping[str, Any] = ctx.before["post.cleanup"]
    left = rules.left_processes(ctx, settings.processes, before) if settings.processes.looks else []
    if settings.processes.looks or settings.ports.watch:
        rules.ports(ctx, settings.ports, before, left)
    if ctx.data.flow is not None and ctx.data.flow.temp is not None:
        rules.temporary(ctx, settings.temporary, Path(ctx.data.flow.temp))
    for files in settings.files:
        rules.files(ctx, files, before)
    for disk in settings.disk:
        rules.disk(ctx, disk, before)
    for service in settings.services:
        rules.service(ctx, service, before)
    if settings.memory is not None:
        rules.memory(ctx, settings.memory, before)
