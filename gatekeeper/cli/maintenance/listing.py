"""`gatekeeper maintenance list`: windows of the command line and of the configuration."""

import math
import time

import click

from gatekeeper.cli.alertwords import at, length, matched
from gatekeeper.cli.columns import FORMAT, columns
from gatekeeper.cli.maintenance.windows import NONE, Window, as_document, configured
from gatekeeper.cli.project import load_project, project_options
from gatekeeper.cli.terminal import print_out
from gatekeeper.project import Project
from gatekeeper.store import NoStore, open_store
from gatekeeper.wording import one_line


@click.command("list")
@click.option("--all", "over", is_flag=True, help="Those that are over too, as long as they are kept.")
@FORMAT
@project_options
def list_windows(*, over: bool, form: str, config: str | None, profile: str | None) -> None:
    """List maintenance windows, of the command line and of the configuration, with their next times.

    \b
    gatekeeper maintenance list
    gatekeeper maintenance list --all --format json
    """
    project, now = load_project(config, profile), time.time()
    windows = [window for window in _all(project) if over or window.times(now)]
    windows.sort(key=lambda window: window.times(now)[:1] or [(math.inf, math.inf)])
    if form == "json":
        print_out(f"{as_document(windows, now)}\n")
        return
    head = ("NAME", "STATE", "ALERTS OF", "NEXT", "REPEATS", "BY", "REASON")
    lines = columns([head, *(_cells(window, now) for window in windows)]) if windows else [NONE]
    print_out("".join(f"{line}\n" for line in lines))


def _all(project: Project) -> list[Window]:
    windows = configured(project)
    try:
        with open_store(project.store_url, create=False, folder=project.state) as store:
            return [*map(Window, store.quiets("maintenance")), *windows]
    except NoStore:
        return windows


def _cells(window: Window, now: float) -> tuple[str, ...]:
    quiet = window.quiet
    zone = f" {quiet.timezone}" if quiet.timezone != "UTC" else ""
    cells = (
        quiet.id,
        _state(window, now),
        matched(quiet),
        next((f"{at(start)} (in {length(now, start)})" for start, _ in window.times(now) if start > now), ""),
        f"{quiet.repeat}{zone}" if quiet.repeat else "once",
        window.place or quiet.author,
        quiet.reason,
    )
    return tuple(map(one_line, cells))


def _state(window: Window, now: float) -> str:
    times = window.times(now)
    if window.is_open(now):
        return f"open until {at(times[0][1])}"
    return "planned" if times else "over"
