"""A command: `gatekeeper worktree` prints what the gate would see."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


def gatekeeper_commands(cli: "click.Group") -> None:
    import click

    from gatekeeper_worktree.git import worktree as look

    @cli.command("worktree")
    def worktree() -> None:
        """Print the state of the Git working tree, as JSON."""
        click.echo(json.dumps(look(), indent=2))
