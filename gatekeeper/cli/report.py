"""`gatekeeper report`: a recorded run in any format."""

import click

from gatekeeper.cli.project import load_project, project_options
from gatekeeper.cli.recorded import recorded, render
from gatekeeper.cli.terminal import When
from gatekeeper.paths import expanded


@click.command("report")
@click.argument("form", metavar="FORMAT")
@click.argument("run", default="latest")
@click.option(
    "-o", "--output", metavar="PATH", help="Write there, whole or not at all, instead of to stdout."
)
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="NO_COLOR is honoured."
)
@click.option("-v", "--verbose", count=True, help="More; -vv shows all findings and output.")
@project_options
def report_command(
    *,
    form: str,
    run: str,
    output: str | None,
    color: When,
    verbose: int,
    config: str | None,
    profile: str | None,
) -> None:
    """Render a recorded RUN in a FORMAT: junit, json, markdown, … (gatekeeper list names them).

    RUN is an id, the beginning of one, latest (the default), latest~1 for the one before it, or a file with a
    JSON report. The exit code says whether it could be rendered, not what the verdict was.

    \b
    gatekeeper report junit latest -o reports/junit.xml
    gatekeeper report markdown latest~1
    gatekeeper report term reports/report.json -vv
    """
    project = load_project(config, profile)
    path = None if output in (None, "-") else project.cwd / expanded(str(output))
    (found,) = recorded(project, [run])
    known = not (project.cwd / run).is_file()
    render(project, found, form, path, color=color, verbosity=verbose, known=known)
