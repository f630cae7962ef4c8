"""`gatekeeper config`: check and show the configuration."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from gatekeeper.cli.project import load_project, project_options
from gatekeeper.errors import UsageError
from gatekeeper.model import Gate
from gatekeeper.project import Project
from gatekeeper.settings import Row, gate_origins, origins
from gatekeeper.settings.load import profiles
from gatekeeper.settings.reading import NAMES
from gatekeeper.store import path_of
from gatekeeper.wording import policy_line

if TYPE_CHECKING:
    from gatekeeper.alerts.configured import Configured


@click.group("config")
def config_command() -> None:
    """Check and show the configuration.

    \b
    gatekeeper config check               all that is wrong, with file and line
    gatekeeper config show --origin       each value, and where it comes from
    gatekeeper config schema              JSON Schema, for editors
    """


@config_command.command("check")
@project_options
def check(config: str | None, profile: str | None) -> None:
    """Check the configuration and every profile of it. Exit 4 and all problems, or "ok" and what was found.

    \b
    gatekeeper config check
    gatekeeper config check --profile ci            that profile only
    gatekeeper config check --config other.toml
    """
    project = load_project(config, profile)
    _refuse_wrong(project)
    others = () if profile else _others(project)
    if project.settings.store.url:
        path_of(project.settings.store.url)
    problems = [problem for name in others for problem in _problems(config, name)]
    if problems:
        raise UsageError(*dict.fromkeys(problems))
    for word, text in _found(project, others):
        click.echo(f"{word:<9} {text}")


def _refuse_wrong(project: Project) -> None:
    """Raises UsageError: all that is wrong with gates' settings and with alerts."""
    from gatekeeper.alerts.problems import problems

    found: list[str] = []
    try:
        project.resolved(())
    except UsageError as error:
        found += error.problems
    found += problems(project)
    if found:
        raise UsageError(*found)


def _others(project: Project) -> list[str]:
    return [name for name in profiles(project.settings) if name != project.settings.profile]


def _problems(config: str | None, profile: str) -> tuple[str, ...]:
    try:
        _refuse_wrong(load_project(config, profile))
    except UsageError as error:
        return error.problems
    return ()


def _found(project: Project, others: Sequence[str]) -> Iterator[tuple[str, str]]:
    settings = project.settings
    yield "ok", settings.config_name or "no configuration file: defaults; `gatekeeper init` writes one"
    if settings.profile:
        yield "profile", settings.profile
    if others:
        yield "profiles", f"{', '.join(others)}: ok too"
    if settings.preset:
        yield "preset", settings.preset
    yield "gates", _counted(project.gates)
    if settings.alerts.channels:
        yield "channels", ", ".join(each.name for each in _channels(project)) or "none is enabled"
    if project.trusted is not None:
        yield "policy", policy_line(project.trusted)
    elif settings.config is not None:
        shadowed = [name for name in NAMES if name != "pyproject.toml" and _beside(project, name)]
        if shadowed:
            yield "not read", f"{', '.join(shadowed)}: {settings.config_name} comes first"
    try:
        project.resolved()
        project.store_url  # noqa: B018
    except UsageError as error:  # all else is right: these are secrets
        yield from (("not here", problem) for problem in error.problems)
    yield from (
        ("not here", f"channel {each.name}: {each.missing}") for each in _channels(project) if each.missing
    )


def _channels(project: Project) -> "list[Configured]":
    from gatekeeper.alerts.configured import channels

    return channels(project.settings, project.plugins, project.settings.root)


def _beside(project: Project, name: str) -> bool:
    path = project.settings.root / name
    return path.is_file() and path != project.settings.config


def _counted(gates: Sequence[Gate]) -> str:
    pre = sum(gate.phase == "pre" for gate in gates)
    return f"{len(gates)}: {pre} pre, {len(gates) - pre} post"


@config_command.command("show")
@click.argument("gate", required=False)
@click.option("--origin", is_flag=True, help="Where each value comes from.")
@click.option(
    "--format", "output", type=click.Choice(["toml", "json"]), default="toml", help="Default: toml."
)
@project_options
def show(gate: str | None, output: str, config: str | None, profile: str | None, *, origin: bool) -> None:
    """Show the effective configuration, of all or of one GATE. Secrets stand as their references.

    \b
    gatekeeper config show
    gatekeeper config show resources --origin
    gatekeeper config show --profile ci --format json
    """
    project = load_project(config, profile)
    rows = origins(project.settings, project.gates) if gate is None else _one_gate(project, gate)
    if output == "json":
        click.echo(json.dumps([_as_json(row) for row in rows], indent=2, ensure_ascii=False))
        return
    width = max(len(row.path) for row in rows)
    values = max(len(row.shown) for row in rows) if origin else 0
    for row in rows:
        click.echo(_line(row, width, min(values, 60), origin=origin))


def _one_gate(project: Project, name: str) -> list[Row]:
    gates = project.gates
    chosen = [gate for gate in gates if name in (gate.id, gate.name)]
    if not chosen:
        from gatekeeper.errors import nearest

        raise UsageError(f"no gate {name!r}.{nearest(name, [gate.id for gate in gates])}")
    return [row for gate in chosen for row in gate_origins(project.settings, gate, gates)]


def _as_json(row: Row) -> dict[str, Any]:
    return {"path": row.path, "value": row.value, "origin": row.origin}


def _line(row: Row, width: int, values: int, *, origin: bool) -> str:
    """TOML without origins, so that it can be copied; what isn't set is a comment."""
    if not origin:
        return f"{row.path} = {row.shown}" if row.shown else f"# {row.path} is not set"
    return f"{row.path:<{width}}  {row.shown or 'not set':<{values}}  {row.origin}"


@config_command.command("schema")
@project_options
def schema(config: str | None, profile: str | None) -> None:
    """Print the JSON Schema (draft 2020-12) of the configuration, with the tables of all gates found here.

    \b
    gatekeeper config schema > gatekeeper.schema.json
    and as the first line of gatekeeper.toml, for editors with Taplo:
    #:schema ./gatekeeper.schema.json
    """
    from gatekeeper.settings.schema import json_schema

    project = load_project(config, profile)
    click.echo(json.dumps(json_schema(project.gates), indent=2, ensure_ascii=False))
