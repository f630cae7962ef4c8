"""`gatekeeper run`: the gates of a phase, their verdict, and its exit code."""

import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import click
import msgspec

from gatekeeper.app import Finished, RunRequest, carry_out, prepare
from gatekeeper.cli import complain
from gatekeeper.cli.project import complete_formats, complete_gates, project_options, project_request
from gatekeeper.cli.shown import Shown
from gatekeeper.cli.terminal import view_of
from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.model import INTERNAL_ERROR
from gatekeeper.outputs import Target, targets, write_atomic
from gatekeeper.project import Project
from gatekeeper.remembering import remember
from gatekeeper.rundata import Saved
from gatekeeper.select import Selection


@click.command("run")
@click.argument("phase", type=click.Choice(["pre", "post", "all"]))
@click.argument("gates", nargs=-1, metavar="[GATE|FILE]...", shell_complete=complete_gates)
@click.option(
    "-k", "keyword", metavar="EXPR", default="", help="Only gates that match: words, and, or, not, ()."
)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only gates with this tag; repeatable.")
@click.option("--last-failed", "--lf", is_flag=True, help="Only gates whose last result was not good.")
@click.option("-x", "--exit-first", is_flag=True, help="Stop after the first failure that blocks.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="How many gates run side by side.")
@click.option("--deadline", metavar="TIME", help='Longest time for the whole run, such as "2m".')
@click.option(
    "--timeout", metavar="TIME", help="Longest time for one attempt of a gate that says nothing else."
)
@click.option("--max-warnings", type=click.IntRange(min=0), help="More warnings than this hold the verdict.")
@click.option(
    "--isolation", type=click.Choice(["fork", "spawn", "none"]), help="none: in this process, for debuggers."
)
@click.option(
    "--input", "inputs", multiple=True, metavar="NAME=FILE|JSON", help="An input of the flow; repeatable."
)
@click.option(
    "--output", "outputs", multiple=True, metavar="NAME=FILE|JSON", help="An output of the flow; repeatable."
)
@click.option(
    "--samples",
    multiple=True,
    metavar="SOURCE:FILE",
    help="Measurements, such as k6:summary.json; repeatable.",
)
@click.option(
    "--subject", metavar="NAME[@FILE|@sha256:…]", help="What the verdict is about, and its artifact."
)
@click.option(
    "--pre", metavar="RUN|FILE", help="For post: the pre run to compare with; else the subject's newest."
)
@click.option("--save", metavar="FILE", help="For pre: write what a post run on another machine needs.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="FORMAT[=PATH]",
    shell_complete=complete_formats,
    help="Report format; repeatable.",
)
@click.option("--report-dir", type=click.Path(file_okay=False), help="Write junit.xml and report.json there.")
@click.option("--no-history", is_flag=True, help="Neither read nor record history.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever the verdict is; 2 if interrupted.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="NO_COLOR is honoured."
)
@click.option("-v", "--verbose", count=True, help="More; -vv shows all findings and output.")
@click.option("-q", "--quiet", is_flag=True, help="Only what is not a pass, and the verdict.")
@project_options
def run_command(**options: Any) -> int:
    """Run the gates of a PHASE and decide: proceed (exit 0), block (1) or hold (6).

    \b
    gatekeeper run pre                              before the flow, or the deployment
    gatekeeper run post --samples k6:summary.json   after it
    gatekeeper run pre pre.storage gates/gate_orders.py
    gatekeeper run all -k "not network" -x
    gatekeeper run pre --format json                one JSON document on stdout
    gatekeeper run pre --report-dir reports         files for CI
    """
    request = _request(options)
    project = Project(request.project)
    report_dir = Path(options["report_dir"]) if options["report_dir"] else None
    asked = targets(options["formats"], report_dir, project.plugins.reports(), project.cwd)
    prepared = prepare(project, request)
    verbosity = -1 if options["quiet"] else options["verbose"]
    view = view_of(sys.stdout, options["color"], verbosity)
    view.again = _again(request)
    shown = Shown(project, prepared, asked, view)
    with (
        plugins_may_not_exit(),
        redirect_stdout(sys.stderr),
    ):  # stdout is the report's, whatever a plugin prints
        finished = carry_out(project, prepared, shown, options["isolation"])
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is decided is recorded and reported, whole
        signal.signal(signal.SIGINT, _impatient)
        problems = remember(project, finished.run, finished.saved) if request.remember else []
        finished = _with_notes(finished, problems)
        failed = _save_failed(project, finished, request)
        failed = shown.finish(finished, exit_zero=options["exit_zero"]) or failed
    return _exit_code(finished, asked, failed=failed, exit_zero=options["exit_zero"])


def _impatient(number: int, frame: Any) -> None:
    """The first Ctrl-C while reports are written waits for them; a second one does not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    complain("writing the reports of a finished run; once more ends it at once")


@contextmanager
def plugins_may_not_exit() -> Iterator[None]:
    """A plugin that ends the program would end it with its own exit code, which says nothing about any gate."""
    try:
        yield
    except SystemExit as error:
        raise GatekeeperError(f"a plugin ended the run: sys.exit({error.code!r})") from error


def _request(options: dict[str, Any]) -> RunRequest:
    if options["save"] and options["phase"] == "post":
        raise UsageError("--save goes with the pre phase: it keeps what a post run needs")
    if options["pre"] and options["phase"] == "pre":
        raise UsageError("--pre goes with the post phase: it names the pre run to compare with")
    selection = Selection(options["gates"], options["keyword"], options["tags"], options["last_failed"])
    return RunRequest(
        project=project_request(
            options["config"],
            options["profile"],
            deadline=(("run", "deadline"), "--deadline", options["deadline"]),
            timeout=(("run", "timeout"), "--timeout", options["timeout"]),
            jobs=(("run", "jobs"), "--jobs", options["jobs"]),
            warnings=(("run", "max_warnings"), "--max-warnings", options["max_warnings"]),
        ),
        phase=options["phase"],
        selection=selection,
        inputs=_named("--input", options["inputs"]),
        outputs=_named("--output", options["outputs"]),
        samples=tuple(_sample(sample) for sample in options["samples"]),
        subject=options["subject"],
        pre=options["pre"],
        save=options["save"],
        stop_first=options["exit_first"],
        remember=not options["no_history"],
    )


def _named(flag: str, given: Sequence[str]) -> dict[str, str]:
    result: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not name or not equals or not value:
            raise UsageError(f"{flag} {item!r}: expected NAME=FILE or NAME=JSON")
        if name in result:
            raise UsageError(f"{flag} {item!r}: {name!r} is given twice")
        result[name] = value
    return result


def _sample(given: str) -> tuple[str, str]:
    source, colon, path = given.partition(":")
    if not source or not colon or not path:
        raise UsageError(f"--samples {given!r}: expected SOURCE:FILE, such as k6:summary.json")
    return source, path


def _again(request: RunRequest) -> str:
    """The command that runs what failed once more, on the same data."""
    project = request.project
    words = ["gatekeeper", "run", request.phase, "--last-failed"]
    for flag, value in (("--config", project.config), ("--profile", project.profile), ("--pre", request.pre)):
        words += [flag, value] if value is not None else []
    for flag, given in (("--input", request.inputs), ("--output", request.outputs)):
        words += [word for name, value in given.items() for word in (flag, f"{name}={value}")]
    words += [word for source, path in request.samples for word in ("--samples", f"{source}:{path}")]
    words += ["--subject", request.subject] if request.subject is not None else []
    return shlex.join(words)


def _save_failed(project: Project, finished: Finished, request: RunRequest) -> bool:
    """Write what `--save` asks for; True when it could not be written."""
    if request.save is None:
        return False
    run = finished.run
    saved = finished.saved or Saved(run.id, run.header.started, run.subject)
    try:
        write_atomic(project.cwd / request.save, msgspec.json.encode(saved))
    except OSError as error:
        complain(f"--save {request.save}: could not be written: {error.strerror or error}")
        return True
    return False


def _with_notes(finished: Finished, notes: Sequence[str]) -> Finished:
    if not notes:
        return finished
    run = msgspec.structs.replace(finished.run, notes=(*finished.run.notes, *notes))
    return Finished(run, finished.saved)


def _exit_code(finished: Finished, asked: Sequence[Target], *, failed: bool, exit_zero: bool) -> int:
    """The verdict's code, but for `--exit-zero`, Nagios on stdout, and a report that could not be written."""
    run = finished.run
    code = run.verdict.exit_code
    stdout = next((target.report for target in asked if target.path is None), None)
    if stdout is not None and stdout.exit_code is not None:
        code = stdout.exit_code(run)
    if exit_zero and run.header.complete:  # an interrupted run is no report
        code = 0
    return INTERNAL_ERROR if failed and code == 0 else code
