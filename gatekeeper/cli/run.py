"""`gatekeeper run`: the gates of a phase, their verdict, and its exit code."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from gatekeeper.alerts.alerting import Alerting
from gatekeeper.app import Finished, RunRequest, carry_out, prepare
from gatekeeper.cli import complain
from gatekeeper.cli.conduct import plugins_in_bounds, recorded, tell
from gatekeeper.cli.project import complete_gates, project_options
from gatekeeper.cli.runoptions import (
    again,
    flow_options,
    gate_options,
    report_options,
    request_of,
    verbosity,
)
from gatekeeper.cli.shown import Shown
from gatekeeper.cli.terminal import view_of
from gatekeeper.errors import UsageError
from gatekeeper.model import INTERNAL_ERROR
from gatekeeper.outputs import Target, targets, write_atomic
from gatekeeper.project import Project
from gatekeeper.rundata import Saved


@click.command("run")
@click.argument("phase", type=click.Choice(["pre", "post", "all"]))
@click.argument("gates", nargs=-1, metavar="[GATE|FILE]...", shell_complete=complete_gates)
@gate_options
@flow_options
@click.option(
    "--pre", metavar="RUN|FILE", help="For post: the pre run to compare with; else the subject's newest."
)
@click.option("--save", metavar="FILE", help="For pre: write what a post run on another machine needs.")
@report_options("FORMAT[=PATH]")
@click.option("--exit-zero", is_flag=True, help="Exit 0 whatever the verdict is; 2 if interrupted.")
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
    view = view_of(sys.stdout, options["color"], verbosity(options))
    view.again = again(["run", request.phase, "--last-failed"], request)
    alerting = Alerting(project)
    shown = Shown(project, prepared, asked, view)
    with plugins_in_bounds():
        finished = carry_out(project, prepared, shown, options["isolation"])
        finished = recorded(project, finished, request, alerting)
        failed = _save_failed(project, finished, request)
        failed = shown.finish(finished, exit_zero=options["exit_zero"]) or failed
        tell(alerting, options["color"])
    return _exit_code(finished, asked, failed=failed, exit_zero=options["exit_zero"])


def _request(options: dict[str, Any]) -> RunRequest:
    if options["save"] and options["phase"] == "post":
        raise UsageError("--save goes with the pre phase: it keeps what a post run needs")
    if options["pre"] and options["phase"] == "pre":
        raise UsageError("--pre goes with the post phase: it names the pre run to compare with")
    return request_of(options, options["phase"], options["gates"], pre=options["pre"], save=options["save"])


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
