"""`gatekeeper list`: what there is to run, and to report with."""

from collections.abc import Mapping
from typing import Any

import click
from msgspec import Struct, json

from gatekeeper.cli.project import load_project, project_options
from gatekeeper.model import PHASES, Gate
from gatekeeper.plain import printable, text
from gatekeeper.plugins import source_of
from gatekeeper.project import Project
from gatekeeper.settings import Resolved


class GateRow(Struct, frozen=True):
    """One gate in the list."""

    id: str
    phase: str
    title: str
    requirement: str
    enabled: bool
    tags: tuple[str, ...]
    needs: tuple[str, ...]
    source: str
    params: tuple[str, ...] = ()


@click.command("list")
@click.option("--phase", type=click.Choice(["pre", "post"]), help="Only gates of this phase.")
@click.option(
    "--format", "form", type=click.Choice(["term", "json"]), default="term", help="json: one document."
)
@project_options
def list_command(phase: str | None, form: str, config: str | None, profile: str | None) -> None:
    """List the gates of this project, and the reports, sources and plugins there are.

    \b
    gatekeeper list
    gatekeeper list --phase post
    gatekeeper list --format json
    """
    project = load_project(config, profile)
    resolved = project.resolved(())
    gates = sorted(project.gates, key=lambda gate: PHASES.index(gate.phase))
    rows = [_row(gate, resolved, project) for gate in gates if phase in (None, gate.phase)]
    if form == "json":
        click.echo(json.format(json.encode(_document(rows, project)), indent=2))
        return
    _show(rows, project)


def _row(gate: Gate, resolved: Mapping[str, Resolved], project: Project) -> GateRow:
    options = resolved[gate.id].options
    return GateRow(
        gate.id,
        gate.phase,
        gate.title,
        options.requirement or gate.requirement or "required",
        options.enabled,
        gate.tags,
        gate.needs,
        str(source_of(gate, project.settings.root)),
        tuple(text(key, 200) for key in gate.params or ()),
    )


def _document(rows: list[GateRow], project: Project) -> dict[str, Any]:
    plugins = project.plugins
    return {
        "gates": rows,
        "reports": [{"name": r.name, "summary": r.summary} for r in plugins.reports().values()],
        "sources": [{"name": s.name, "summary": s.summary} for s in plugins.sources().values()],
        "plugins": [{"name": name, "origin": origin} for name, origin in plugins.origins.items()],
    }


def _show(rows: list[GateRow], project: Project) -> None:
    if not rows:
        click.echo("No gates here. Create one: gatekeeper init")
    width = max((len(row.id) for row in rows), default=0)
    for row in rows:
        notes = [] if row.requirement == "required" else [row.requirement]
        notes += [] if row.enabled else ["disabled"]
        notes += [f"[{', '.join(row.params)}]"] if row.params else []
        notes += [f"#{tag}" for tag in row.tags]
        noted = f"  ({' '.join(notes)})" if notes else ""
        click.echo(printable(f"{row.id:<{width}}  {row.title}{noted}"))
    click.echo()
    click.echo(f"reports  {', '.join(project.plugins.reports())}")
    click.echo(f"sources  {', '.join(project.plugins.sources()) or 'none'}")
    own = [
        name
        for name, origin in project.plugins.origins.items()
        if origin != "entry point of gatekeeper-gates"
    ]
    click.echo(f"plugins  {', '.join(own) or 'only those that ship'}")
