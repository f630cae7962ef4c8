"""What commands share: the options that say which project, and loading it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.model import TrustedRef
from gatekeeper.project import POLICY_FROM, Project, ProjectRequest

F = TypeVar("F", bound=Callable[..., Any])


def project_options(command: F) -> F:
    """`--config`, `--profile`, and `--policy-from`, which is `project_request`'s to see to."""
    for option in (
        click.option(
            "--policy-from",
            metavar="REF",
            expose_value=False,
            callback=_remember_ref,
            help="Take configuration, gates and rules from this commit, such as origin/main.",
        ),
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
    """The request for a project; flags whose value is None were not given.

    With `--policy-from`, or else `GATEKEEPER_POLICY_FROM`, what is needed of that commit lies in a temporary folder as
    long as the command runs.

    Raises:
        UsageError: there is no such commit.
    """
    given = tuple(flag for flag in flags.values() if flag[2] is not None)
    return ProjectRequest(
        cwd=str(Path.cwd()), config=config, profile=profile, flags=given, trusted=_trusted_ref()
    )


_ASKED, _TAKEN = "gatekeeper.policy_from", "gatekeeper.trusted"
"""Under which names a command's context (`click.Context.meta`) keeps the ref that was asked for, and what it is."""


def _remember_ref(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    ctx.meta[_ASKED] = value


def _trusted_ref() -> TrustedRef | None:
    """The commit that the running command takes its policy from: once, however many projects it loads."""
    ctx = click.get_current_context(silent=True)
    if ctx is None:
        return None
    asked = ctx.meta.get(_ASKED)
    ref = os.environ.get(POLICY_FROM) or None if asked is None else asked
    if ref is None:
        return None
    if _TAKEN not in ctx.meta:
        from gatekeeper.policy import taken

        ctx.meta[_TAKEN] = ctx.find_root().with_resource(taken(ref, Path.cwd()))
    trusted: TrustedRef = ctx.meta[_TAKEN]
    return trusted


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
