"""The command line: one file for each command, loaded when it is called.

Flags become a request; the request goes to `gatekeeper.app`. Exit codes: 0 proceed, 1 block, 2 interrupted, 3 internal
error, 4 usage or configuration error, 5 no gates ran, 6 hold.
"""

import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from gatekeeper import __version__
from gatekeeper.errors import GatekeeperError, UsageError, nearest
from gatekeeper.model import INTERNAL_ERROR, INTERRUPTED, USAGE_ERROR

COMMANDS = {
    "run": "Run the gates of a phase and decide.",
    "list": "List gates, plugins and report formats.",
    "explain": "Say all about one gate.",
    "init": "Write a working configuration.",
    "config": "Check and show the configuration.",
    "report": "Render a recorded run.",
    "history": "List, show and prune recorded runs.",
    "diff": "Compare two recorded runs.",
    "doctor": "Check that gatekeeper itself works here.",
    "completion": "Print shell completion.",
}
"""Name → summary of what ships; `gatekeeper --help` imports none of them."""


class Commands(click.Group):
    """Commands that are imported when they are called, then those of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *(name for name in self._from_plugins() if name not in COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command = getattr(import_module(f"gatekeeper.cli.{cmd_name}"), f"{cmd_name}_command")
            assert isinstance(command, click.Command)
            return command
        return self._from_plugins().get(cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            raise UsageError(f"no command {name!r}.{nearest(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [*COMMANDS.items()]
        rows += [(n, c.get_short_help_str()) for n, c in self._from_plugins().items() if n not in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _from_plugins(self) -> dict[str, click.Command]:
        """What the hook `gatekeeper_commands` adds; a project that can't be loaded adds nothing."""
        from gatekeeper.cli.project import plugin_commands

        return plugin_commands()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "GATEKEEPER"},
    epilog="Start with: gatekeeper init, then gatekeeper run pre.",
)
@click.version_option(__version__, prog_name="gatekeeper")
def cli() -> None:
    """Quality gates for flows and deployments: may this run, may this ship?

    \b
    gatekeeper init                     write a configuration to start from
    gatekeeper run pre                  may it start?
    gatekeeper run post                 was the result good?
    gatekeeper explain pre.resources    what a gate checks, and with which settings
    """


def main() -> NoReturn:
    """Entry point of the command `gatekeeper`."""
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run a command line; its exit code. Whatever goes wrong is one clear message."""
    try:
        code = cli.main(arguments, prog_name="gatekeeper", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except UsageError as error:
        complain(*error.problems)
        return USAGE_ERROR
    except GatekeeperError as error:
        complain(str(error))
        return INTERNAL_ERROR
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE_ERROR
    except click.ClickException as error:
        complain(error.format_message())
        return USAGE_ERROR
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        quiet_stdout()
        return INTERNAL_ERROR
    except Exception as error:
        if os.environ.get("GATEKEEPER_DEBUG"):
            raise
        complain(
            f"internal error: {type(error).__name__}: {error}",
            "GATEKEEPER_DEBUG=1 shows where; please report it",
        )
        return INTERNAL_ERROR


def complain(*problems: str) -> None:
    """One line on stderr for each problem."""
    from gatekeeper.plain import printable

    for problem in problems:
        text = printable(f"gatekeeper: {problem}", newlines=True)
        click.echo(text.encode(sys.stderr.encoding or "utf-8", "backslashreplace"), err=True)


def quiet_stdout() -> None:
    """The reader has gone: nothing more is written, and Python does not complain at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
