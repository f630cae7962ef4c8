"""`gatekeeper completion`: for bash, zsh and fish."""

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script of a SHELL.

    \b
    source <(gatekeeper completion bash)
    gatekeeper completion zsh > ~/.zfunc/_gatekeeper
    gatekeeper completion fish > ~/.config/fish/completions/gatekeeper.fish
    """
    from click.shell_completion import get_completion_class

    from gatekeeper.cli import cli

    found = get_completion_class(shell)
    assert found is not None  # click has the three that the argument allows
    click.echo(found(cli, {}, "gatekeeper", "_GATEKEEPER_COMPLETE").source())
