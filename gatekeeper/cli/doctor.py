"""`gatekeeper doctor`: does gatekeeper itself work here?"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import click
from msgspec import Struct

from gatekeeper import __version__
from gatekeeper.cli.project import load_project, project_options
from gatekeeper.errors import GatekeeperError, UsageError
from gatekeeper.project import Project
from gatekeeper.wording import one_line, policy_line

EXTRAS = {"postgres": "psycopg", "data": "duckdb", "pytest": "gatekeeper-gates-pytest"}
"""What each extra installs, by the name of its distribution."""


class Finding(Struct, frozen=True):
    """One line of the doctor: `ok`, `note` (works with less) or `problem`."""

    kind: str
    what: str
    text: str


@click.command("doctor")
@project_options
def doctor_command(config: str | None, profile: str | None) -> int:
    """Check what gatekeeper needs here: Python, isolation, configuration, plugins, history, terminal.

    Exit code 0 when nothing is wrong, 4 when the configuration or a plugin is, 3 otherwise.

    \b
    gatekeeper doctor
    gatekeeper doctor --profile ci
    """
    found = list(_examine(config, profile))
    for finding in found:
        click.echo(f"{finding.kind:<8} {finding.what:<14} {finding.text}")
    wrong = [finding for finding in found if finding.kind == "problem"]
    click.echo()
    click.echo(f"{len(wrong)} problem{'s' if len(wrong) != 1 else ''}" if wrong else "Nothing is wrong.")
    if not wrong:
        return 0
    return (
        4 if any(finding.what in ("configuration", "plugins", "gates", "alerts") for finding in wrong) else 3
    )


def _examine(config: str | None, profile: str | None) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("ok", "gatekeeper", f"{__version__} on Python {version}, {Path(__file__).parents[1]}")
    yield _isolation()
    yield from _extras()
    yield _terminal()
    try:
        project = load_project(config, profile)
    except UsageError as error:
        yield from (Finding("problem", "configuration", problem) for problem in error.problems)
        return
    name = project.settings.config_name
    yield Finding("ok", "configuration", name or "none found; defaults (gatekeeper init writes one)")
    if project.trusted is not None:
        yield Finding("ok", "policy", policy_line(project.trusted))
    for step in (_gates, _reports, _state, _store, _alerts):
        yield from _guarded(step, project)


def _guarded(step: Callable[[Project], Finding], project: Project) -> Iterator[Finding]:
    try:
        yield step(project)
    except UsageError as error:
        yield from (Finding("problem", step.__name__.strip("_"), problem) for problem in error.problems)
    except (GatekeeperError, OSError) as error:
        yield Finding("problem", step.__name__.strip("_"), str(error))


def _isolation() -> Finding:
    from gatekeeper.execute.run import choose_isolation

    how = choose_isolation(None)
    if how != "fork":
        return Finding("note", "isolation", f"{how}: works, at more cost for each gate")
    began = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return Finding("ok", "isolation", f"fork, {(time.perf_counter() - began) * 1000:.2f} ms a process")


def _extras() -> Iterator[Finding]:
    for extra, distribution in EXTRAS.items():
        try:
            metadata.distribution(distribution)
        except metadata.PackageNotFoundError:
            missing = f"not installed: pip install 'gatekeeper-gates[{extra}]' where it is needed"
            yield Finding("note", f"extra {extra}", missing)
        else:
            yield Finding("ok", f"extra {extra}", "installed")


def _terminal() -> Finding:
    from gatekeeper.cli.terminal import view_of

    view = view_of(sys.stdout)
    width = f"{view.width} columns" if view.width else "no terminal: nothing is cut"
    color = "colour" if view.color else "no colour"
    return Finding("ok", "terminal", f"{width}, {color}, {'Unicode' if view.unicode else 'ASCII'}")


def _gates(project: Project) -> Finding:
    folders = ", ".join(str(path) for path in project.settings.gates_paths)
    project.resolved()
    return Finding(
        "ok", "gates", f"{len(project.gates)} from {len(project.plugins.origins)} plugins; own in {folders}"
    )


def _reports(project: Project) -> Finding:
    return Finding("ok", "reports", ", ".join(project.plugins.reports()))


def _state(project: Project) -> Finding:
    folder = project.state if project.state.exists() else project.settings.root
    if not os.access(folder, os.W_OK):
        return Finding(
            "problem", "state", f"{folder} can't be written: no history, and run post won't find its pre run"
        )
    return Finding("ok", "state", str(project.state))


def _store(project: Project) -> Finding:
    from gatekeeper.store import NoStore, open_store

    try:
        with open_store(project.store_url, create=False) as store:
            rows = store.runs(limit=1)
            last = f"last run {rows[0].id}" if rows else "no runs"
            return Finding("ok", "history", f"{store.place}, {store.size / 1e6:.1f} MB, {last}")
    except NoStore:
        return Finding("ok", "history", "none yet: the first run creates it")


def _alerts(project: Project) -> Finding:
    from gatekeeper.alerts.configured import channels
    from gatekeeper.alerts.problems import problems

    if wrong := problems(project):
        raise UsageError(*wrong)
    if not project.settings.alerts.enabled:
        return Finding("note", "alerts", "[alerts] enabled = false: nobody is told")
    found = channels(project.settings, project.plugins, project.settings.root)
    if not found:
        return Finding("ok", "alerts", "no channel is configured: nobody is told")
    troubles = [f"{each.name}: {each.missing}" for each in found if each.missing]
    troubles += _undelivered(project)
    names = ", ".join(each.name for each in found)
    return Finding("note" if troubles else "ok", "alerts", one_line("; ".join([f"to {names}", *troubles])))


def _undelivered(project: Project) -> list[str]:
    """Which channels are switched off, and what is queued for whom."""
    from gatekeeper.store import NoStore, open_store

    try:
        with open_store(project.store_url, create=False, read_only=True) as store:
            off = [f"{name} is switched off ({why})" for name, why in store.disabled().items()]
            queued = [f"{each.count} queued for {name}" for name, each in store.backlog(time.time()).items()]
    except NoStore:
        return []
    return off + queued
