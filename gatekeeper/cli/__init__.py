"""The command line: one file for each command, loaded when it is called.

Flags become a request; the request goes to `gatekeeper.app`. Exit codes: 0 proceed, 1 block, 2 interrupted, 3 internal
error, 4 usage or configuration error, 5 no gates ran, 6 hold.
"""

import errno
import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn, TextIO

import click

from gatekeeper import __version__
from gatekeeper.errors import GatekeeperError, UsageError, nearest
from gatekeeper.model import INTERNAL_ERROR, INTERRUPTED, USAGE_ERROR

COMMANDS = {
    "run": "Run the gates of a phase and decide.",
    "exec": "Run a command between its pre and post gates.",
    "list": "List gates, plugins and report formats.",
    "explain": "Say all about one gate.",
    "init": "Write a working configuration.",
    "config": "Check and show the configuration.",
    "report": "Render a recorded run.",
    "history": "List, show and prune recorded runs.",
    "diff": "Compare two recorded runs.",
    "alerts": "List, acknowledge and send alerts.",
    "silence": "Tell nobody of a gate for a while.",
    "maintenance": "Plan times in which nobody is told.",
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
    gatekeeper exec -- COMMAND          both, around a command
    gatekeeper explain pre.resources    what a gate checks, and with which settings
    """


def main() -> NoReturn:
    """Entry point of the command `gatekeeper`."""
    gc.disable()  # a run is short, and most of what it makes lives until its end
    _open_standard_streams()
    leave(command_line())


def leave(code: int) -> NoReturn:
    """End the process with this code, without taking the interpreter apart, which takes as long as a gate.

    A negative one is a signal to end by, as in `subprocess`. What plugins registered with `atexit` is not called: it
    could end the process with another code.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    if code < 0:
        import signal

        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(abs(code))


def _open_standard_streams() -> None:
    """Where one of the three is closed, the null device: else the next file that is opened would be taken for it."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good


def command_line(arguments: list[str] | None = None) -> int:
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
    except OSError as error:
        if error.filename is not None or error.errno != errno.ENOSPC:
            return _broke(error)
        complain(f"stdout can't be written: {error.strerror}")
        quiet_stdout()
        return INTERNAL_ERROR
    except Exception as error:
        return _broke(error)


def _broke(error: Exception) -> int:
    if os.environ.get("GATEKEEPER_DEBUG"):
        raise error
    complain(
        f"internal error: {type(error).__name__}: {error}", "GATEKEEPER_DEBUG=1 shows where; please report it"
    )
    return INTERNAL_ERROR


def complain(*problems: str) -> None:
    """One line on stderr for each problem."""
    from gatekeeper.plain import printable

    for problem in problems:
        text = printable(f"gatekeeper: {problem}", newlines=True)
        with suppress(OSError):  # who doesn't listen is told nothing, and changes no exit code
            click.echo(text.encode(sys.stderr.encoding or "utf-8", "backslashreplace"), err=True)


def quiet_stdout(stdout: TextIO | None = None) -> None:
    """Nothing more can be written to stdout: nothing is, and Python does not complain at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, (stdout or sys.stdout).fileno())
