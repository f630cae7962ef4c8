"""`gatekeeper exec`: the pre gates, a command, the post gates, and one verdict and report of all."""

import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from gatekeeper.alerts.alerting import Alerting
from gatekeeper.app import Finished, RunRequest
from gatekeeper.around import Around, may_start
from gatekeeper.cli import complain
from gatekeeper.cli.conduct import plugins_in_bounds, recorded, tell
from gatekeeper.cli.project import project_options
from gatekeeper.cli.runoptions import (
    again,
    flow_options,
    gate_options,
    report_options,
    request_of,
    verbosity,
)
from gatekeeper.cli.shown import Shown
from gatekeeper.cli.terminal import BesidePrinter, view_of
from gatekeeper.command import GRACE, Command, Ran, run
from gatekeeper.errors import UsageError
from gatekeeper.model import INTERNAL_ERROR, PHASES, Verdict
from gatekeeper.outputs import Target, targets
from gatekeeper.project import Project
from gatekeeper.quantities import Duration
from gatekeeper.reporting import Report

WHY = {
    "NotFound": "the command was not found",
    "NotExecutable": "the command can't be executed",
    "TimeLimit": "the command's time limit",
}
"""What an exit code says that is not the command's own."""


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(Duration.parse(value))
    except ValueError as error:
        raise UsageError(f"{param.opts[0]}: {error}") from None
    if not seconds and param.name == "time_limit":
        raise UsageError(f"{param.opts[0]}: {value!r} leaves no time at all; leave it out for no limit")
    return seconds


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] COMMAND [ARG]...")
@click.option(
    "--on-hold",
    type=click.Choice(["stop", "run"]),
    default="stop",
    help="What to do when the pre gates hold; stop: the command does not start.",
)
@click.option("--phase", type=click.Choice(PHASES), help="Only the gates of this phase; the command runs.")
@click.option(
    "--time-limit", callback=_seconds, metavar="TIME", help="End the command after this time (exit 124)."
)
@click.option(
    "--kill-after",
    callback=_seconds,
    metavar="TIME",
    default=f"{GRACE:g}s",
    show_default=True,
    help="Time between SIGTERM and SIGKILL then.",
)
@click.option(
    "--private-tmp", is_flag=True, help="Give the command a TMPDIR of its own; what it leaves there is told."
)
@flow_options
@gate_options
@report_options("FORMAT=PATH")
@project_options
def exec_command(words: tuple[str, ...], **options: Any) -> int:
    """Run a COMMAND between its pre and post gates.

    A block or a hold of the pre gates: the command does not start, and the exit code is the verdict's (1, 6). Else it
    is the command's own if that is not 0 (128 + n if signal n ended it, 124 at the time limit, 126 not executable, 127
    not found), and the verdict's if it is. Stdout is the command's alone: gatekeeper writes to stderr.

    \b
    gatekeeper exec -- python flow.py --all         options after the command are its own
    gatekeeper exec --subject orders -- make ship   its history is that of the subject
    gatekeeper exec --report-dir reports -- ./run   reports go to files
    gatekeeper exec --time-limit 10m -- ./run       SIGTERM after 10 minutes, SIGKILL 10 s later
    gatekeeper exec -- sh -c 'extract | load'       pipes are a shell's
    """
    if not hasattr(signal, "sigtimedwait"):
        raise UsageError(
            "gatekeeper exec runs on Linux only; elsewhere: gatekeeper run pre, the command, run post"
        )
    phases = (options["phase"],) if options["phase"] else PHASES
    request = request_of(options, "exec", phases=phases)
    project = Project(request.project)
    around = Around(project, request)
    asked = _targets(options, project)
    with _private_folder(wanted=options["private_tmp"]) as temp, _outliving() as came, plugins_in_bounds():
        command = Command(words, _environment(temp), options["time_limit"], options["kill_after"], temp)
        alerting, session = Alerting(project), Session(around, asked, command, options)
        finished, ran = session.carry_out(came)
        finished = recorded(project, finished, request, alerting)
        code = session.report(finished, ran)
        tell(alerting, options["color"])
    return -signal.SIGINT if ran is not None and ran.by_terminal else code


class Session:
    """One command and its gates, as they are seen on stderr."""

    def __init__(
        self, around: Around, asked: Sequence[Target], command: Command, options: dict[str, Any]
    ) -> None:
        self._around, self._command = around, command
        self._hold, self._isolation = options["on_hold"], options["isolation"]
        self._view = view_of(sys.stderr, options["color"], verbosity(options))
        self._view.again = _again(around.prepared.request, command, options)
        self._shown = Shown(around.project, around.prepared, asked, self._view, BesidePrinter())

    def carry_out(self, came: list[int]) -> tuple[Finished, Ran | None]:
        """The gates, and between them the command, unless they or an interrupt (`came`) stop it."""
        early = self._around.before(self._shown, self._isolation)
        if stop := self._stop(early.verdict):
            return self._around.stop(stop, self._shown), None
        self._say(f"\ncommand  {self._command}\n")
        try:
            ran = run(self._command, came=came)
        except KeyboardInterrupt:
            return self._around.stop("interrupted", self._shown, interrupted=True), None
        if ran.flow.error in ("NotFound", "NotExecutable"):
            complain(f"{self._command.words[0]}: {ran.flow.message}{_shell_line(self._command.words)}")
        self._say("\n")
        return self._around.after(ran.flow, ran.measured, {}, self._shown, self._isolation), ran

    def _stop(self, verdict: Verdict) -> str:
        """Why the command must not start; empty where it may."""
        if may_start(verdict) or (verdict.decision == "hold" and self._hold == "run"):
            return ""
        if verdict.decision == "hold":
            return "the command was not started: the pre gates hold (--on-hold run starts it all the same)"
        return f"the command was not started: the pre gates' verdict is {verdict.decision}"

    def _say(self, text: str) -> None:
        self._shown.say(text if self._view.verbosity >= 0 else "")

    def report(self, finished: Finished, ran: Ran | None) -> int:
        """Tell, and what the process exits with: the command's own code, else the verdict's."""
        verdict = finished.run.verdict.exit_code
        code = (ran.exit_code if ran is not None else 0) or verdict
        if ran is not None and code != verdict:
            why = WHY.get(ran.flow.error or "", "the command's own")
            self._view.exit = f"{code}: {why}; the verdict's is {verdict}"
        failed = self._shown.finish(finished, exit_zero=False)
        return INTERNAL_ERROR if failed and code == 0 else code


def _targets(options: dict[str, Any], project: Project) -> list[Target]:
    """The reports that were asked for, and the terminal view, which goes to stderr.

    Raises:
        UsageError: one that would go to the command's stdout.
    """
    reports: dict[str, Report] = project.plugins.reports()
    report_dir = Path(options["report_dir"]) if options["report_dir"] else None
    asked = targets(options["formats"], report_dir, reports, project.cwd)
    problems = [
        f"--format {target.report.name}: stdout is the command's; give {target.report.name}=PATH"
        for target in asked
        if target.path is None and target.report.name != "term"
    ]
    if problems:
        raise UsageError(*problems)
    return asked


def _again(request: RunRequest, command: Command, options: dict[str, Any]) -> str:
    words = ["exec", *(["--on-hold", "run"] if options["on_hold"] == "run" else [])]
    words += ["--phase", options["phase"]] if options["phase"] else []
    words += ["--private-tmp"] if options["private_tmp"] else []
    words += ["--time-limit", f"{command.limit:g}s"] if command.limit is not None else []
    return f"{again(words, request)} -- {shlex.join(command.words)}"


def _shell_line(words: Sequence[str]) -> str:
    """One word with blanks is a line for a shell."""
    line = len(words) == 1 and " " in words[0]
    return f"; a shell's line is run by gatekeeper exec -- sh -c {shlex.quote(words[0])}" if line else ""


# -- what the command is given -----------------------------------------------------------------------------------------


def _environment(temp: str | None) -> dict[bytes, bytes]:
    """As gatekeeper was given it. Python adds a LC_CTYPE where the locale is C (PEP 538)."""
    environment = dict(os.environb)
    if b"LC_CTYPE" in environment and os.environb[b"LC_CTYPE"] in (b"C.UTF-8", b"C.utf8", b"UTF-8"):
        with open("/proc/self/environ", "rb") as given:
            if b"\0LC_CTYPE=" not in b"\0" + given.read():
                del environment[b"LC_CTYPE"]
    return environment if temp is None else environment | {b"TMPDIR": os.fsencode(temp)}


@contextmanager
def _private_folder(*, wanted: bool) -> Iterator[str | None]:
    """A folder for temporary files, and gone again."""
    if not wanted:
        yield None
        return
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="gatekeeper-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if os.path.exists(folder):
            complain(f"--private-tmp: {folder} can't be removed, or only in part")


# -- signals -----------------------------------------------------------------------------------------------------------


@contextmanager
def _outliving() -> Iterator[list[int]]:
    """Between gates and command no signal ends gatekeeper. Yields those that asked it to end; gates take their own."""
    came: list[int] = []
    handlers: dict[int, Any] = dict.fromkeys(
        (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), lambda number, _: came.append(number)
    )
    handlers |= dict.fromkeys((signal.SIGUSR1, signal.SIGUSR2), lambda number, _: None)
    taken = [number for number in handlers if signal.getsignal(number) != signal.SIG_IGN]
    before = [(number, signal.signal(number, handlers[number])) for number in taken]
    try:
        yield came
    finally:
        for number, handler in before:
            signal.signal(number, handler)
