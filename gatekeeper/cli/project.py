"""What commands share: the options that say which project, and loading it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.project import Project, ProjectRequest

F = TypeVar("F", bound=Callable[..., Any])


def project_options(command: F) -> F:
    """`--config` and `--profile`."""
    for option in (
        click.option(
            "--profile", metavar="NAME", help="Lay the table [profiles.NAME] over the configuration."
        ),
        click.option(
            "--config",
            type=click.Path(dir_okay=False),
            help="Configuration to use instead of the nearest one upwards.",
        ),
    ):
        command = option(command)
    return command


def project_request(
    config: str | None, profile: str | None, **flags: tuple[tuple[str, ...], str, Any]
) -> ProjectRequest:
    """The request for a project; flags whose value is None were not given."""
    given = tuple(flag for flag in flags.values() if flag[2] is not None)
    return ProjectRequest(cwd=str(Path.cwd()), config=config, profile=profile, flags=given)


def load_project(config: str | None = None, profile: str | None = None) -> Project:
    """The project of the working directory.

    Raises:
        UsageError: it can't be loaded; says all that is wrong.
    """
    return Project(project_request(config, profile))


def plugin_commands() -> dict[str, click.Command]:
    """Commands that plugins contribute.

    Raises:
        UsageError: one bears the name of another command.
    """
    from gatekeeper.cli import COMMANDS

    try:
        hook = load_project().plugins.hook.gatekeeper_commands
    except GatekeeperError:
        return {}
    group = click.Group()
    for implementation in hook.get_hookimpls():
        before = dict(group.commands)
        try:
            implementation.function(**({"cli": group} if "cli" in implementation.argnames else {}))
        except (Exception, SystemExit) as error:
            raise UsageError(
                f"plugin {implementation.plugin_name}: gatekeeper_commands raised {type(error).__name__}: {error}"
            ) from error
        for name, command in group.commands.items():
            if name in COMMANDS or (name in before and before[name] is not command):
                raise UsageError(f"plugin {implementation.plugin_name}: a command {name!r} exists already")
    return dict(group.commands)


def complete_gates(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of gates for the shell, of the phase that stands before them; none where the project can't be loaded."""
    phase = ctx.params.get("phase")
    try:
        gates = load_project().gates
    except GatekeeperError:
        return []
    wanted = [gate.id for gate in gates if phase in (None, "all", gate.phase)]
    return [gate for gate in wanted if gate.startswith(incomplete)]


def complete_formats(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of report formats for the shell."""
    try:
        reports = load_project().plugins.reports()
    except GatekeeperError:
        return []
    return [name for name in reports if name.startswith(incomplete)]
