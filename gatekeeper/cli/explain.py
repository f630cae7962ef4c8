"""`gatekeeper explain GATE`: what it checks, with which settings, how it went lately, and how to change that."""

import sys
from collections.abc import Sequence

import click

from gatekeeper.cli.project import complete_gates, load_project, project_options
from gatekeeper.cli.terminal import can_show
from gatekeeper.errors import GatekeeperError, UsageError, nearest
from gatekeeper.model import Gate
from gatekeeper.plugins import source_of
from gatekeeper.project import Project
from gatekeeper.settings import gate_origins
from gatekeeper.wording import ASCII_GLYPHS, GLYPHS

RUNS = 20


@click.command("explain")
@click.argument("gate", shell_complete=complete_gates)
@project_options
def explain_command(gate: str, config: str | None, profile: str | None) -> None:
    """Say all about one GATE: what it checks, each setting and where it comes from, its last runs.

    \b
    gatekeeper explain pre.storage
    gatekeeper explain storage --profile ci
    """
    project = load_project(config, profile)
    found = find(project.gates, gate)
    click.echo(_head(found, project))
    click.echo()
    click.echo(found.doc or "It has no description: its author gave the function no docstring.")
    click.echo()
    _settings(found, project)
    _history(found, project)
    _how_to(found)


def find(gates: Sequence[Gate], name: str) -> Gate:
    """The gate of this id, or of this name where only one phase has it.

    Raises:
        UsageError: there is none, or two.
    """
    base = name.partition("[")[0]
    found = [gate for gate in gates if base in (gate.id, gate.name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{name!r} is a gate of two phases: {' and '.join(gate.id for gate in found)}")
    raise UsageError(f"no gate {name!r}.{nearest(name, [*(g.id for g in gates), *(g.name for g in gates)])}")


def _head(gate: Gate, project: Project) -> str:
    options = project.resolved(())[gate.id].options
    requirement = options.requirement or gate.requirement or "required"
    state = "" if options.enabled else "  disabled"
    return f"{gate.id}   {source_of(gate, project.settings.root)}   {requirement}{state}"


def _settings(gate: Gate, project: Project) -> None:
    rows = gate_origins(project.settings, gate, project.gates, full=False)
    table = [("setting", "value", "from"), *((row.path, row.shown, row.origin) for row in rows)]
    widths = [min(60, max(len(row[column]) for row in table)) for column in (0, 1)]
    for name, value, origin in table:
        click.echo(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}")
    click.echo()


def _history(gate: Gate, project: Project) -> None:
    from gatekeeper.store import NoStore, open_store

    subject = project.settings.subject_name
    try:
        with open_store(project.store_url, create=False) as store:
            rows = store.results(subject, gate.id, RUNS)
    except NoStore:
        rows = []
    except GatekeeperError as error:
        click.echo(f"last runs  can't be read: {error}")
        return
    if not rows:
        click.echo(f"last runs  none recorded of {subject!r}: gatekeeper run {gate.phase}")
        return
    glyphs = GLYPHS if can_show(sys.stdout, "".join(GLYPHS.values())) else ASCII_GLYPHS
    strip = "".join(glyphs[row.status] for row in rows)
    click.echo(
        f"last {len(rows)} run{'s' if len(rows) > 1 else ''}  {strip}  now {rows[-1].status} ({rows[-1].run})"
    )


def _how_to(gate: Gate) -> None:
    lines = [
        ("configure", f"[gates.{gate.name}] in gatekeeper.toml; gatekeeper config schema for editors"),
        (
            "soften",
            f'[gates.{gate.name}] requirement = "advisory" (a fail warns) or "observe" (only recorded)',
        ),
        ("switch off", f"[gates.{gate.name}] enabled = false"),
        ("run alone", f"gatekeeper run {gate.phase} {gate.id} -vv"),
    ]
    click.echo()
    for label, text in lines:
        click.echo(f"{label:<11} {text}")
