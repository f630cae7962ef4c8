"""`gatekeeper maintenance end`: a window closes before its time."""

import time
from collections.abc import Sequence

import click
from msgspec.structs import replace

from gatekeeper.alerts.stages.quiet import next_times
from gatekeeper.cli.alertwords import at, matched
from gatekeeper.cli.columns import plural
from gatekeeper.cli.maintenance.windows import NONE, Window, configured
from gatekeeper.cli.project import load_project, project_options
from gatekeeper.cli.quieting import changing, complete_quiets, covers_now, ended
from gatekeeper.cli.terminal import print_out
from gatekeeper.errors import UsageError, nearest
from gatekeeper.store import NoStore
from gatekeeper.store.standing import Quiet
from gatekeeper.wording import one_line


@click.command("end")
@click.argument("name", shell_complete=complete_quiets("maintenance"))
@click.option("--once", is_flag=True, help="Only the window that is open now; it recurs as planned.")
@project_options
def end_window(*, name: str, once: bool, config: str | None, profile: str | None) -> None:
    """End the window NAME for good, also while it is open. What still fires is told with the next run.

    \b
    gatekeeper maintenance end move
    gatekeeper maintenance end patches --once
    """
    project, now = load_project(config, profile), time.time()
    windows = configured(project)
    try:
        with changing(project) as store:
            window = _meant(name, [*map(Window, store.quiets()), *windows], now)
            shorter = _skipped(window, now) if once else ended(window.quiet, now)
            store.put_quiet(shorter)
            firing = covers_now(window.quiet, store.standings()) if window.is_open(now) else []
    except NoStore:
        _meant(name, windows, now)
        raise
    words = [f"ended {name}: {matched(window.quiet)}"]
    if once:
        words.append(f"opens again {at(shorter.starts)}")
    if firing:
        words.append(
            f"{plural(len(firing), 'alert')} of it: told with the next run, or gatekeeper alerts flush"
        )
    print_out(one_line("; ".join(words)) + "\n")


def _meant(name: str, windows: Sequence[Window], now: float) -> Window:
    """The window of the command line of this name.

    Raises:
        UsageError: there is none, it is over, it is configured, or it is a silence.
    """
    named = [window for window in windows if window.quiet.id == name]
    silence = next((window for window in named if window.quiet.kind == "silence"), None)
    if silence is not None:
        raise UsageError(f"{name} is a silence: gatekeeper silence end {name}")
    found = next((window for window in named if not window.place and window.times(now)), None)
    if found is not None:
        return found
    if place := next((window.place for window in named if window.place), ""):
        raise UsageError(one_line(f"{name!r} is configured, and ends where it is: {place}"))
    if named:
        raise UsageError(one_line(f"{name!r} is over"))
    names = [each.quiet.id for each in windows if each.quiet.kind == "maintenance" and each.times(now)]
    hint = nearest(name, names) or (" gatekeeper maintenance list" if names else f" {NONE}")
    raise UsageError(one_line(f"no maintenance window {name!r}.{hint}"))


def _skipped(window: Window, now: float) -> Quiet:
    """The window from its next time on.

    Raises:
        UsageError: it is not open, it does not recur, or its rule counts its times.
    """
    quiet = window.quiet
    if not window.is_open(now):
        raise UsageError(f"--once: {quiet.id!r} is not open now")
    if "COUNT" in quiet.repeat.upper():
        raise UsageError(f"--once: {quiet.repeat} counts its times: end it, and add what is left")
    following = [start for start, _ in next_times(quiet, now, 2) if start > now]
    if not following:
        raise UsageError(f"--once: {quiet.id!r} does not open again; leave out --once")
    return replace(quiet, starts=following[0], ends=following[0] + (quiet.ends - quiet.starts))
