"""`gatekeeper alerts ack`: somebody takes an alert over, and its escalation stops."""

import time
from collections.abc import Sequence

import click
from msgspec.structs import replace

from gatekeeper.cli.alerts.choose import chosen, complete_alerts
from gatekeeper.cli.alertwords import SHORT
from gatekeeper.cli.project import load_project, project_options
from gatekeeper.cli.quieting import user_name
from gatekeeper.cli.recorded import NO_RUNS
from gatekeeper.cli.terminal import print_out
from gatekeeper.errors import UsageError
from gatekeeper.project import Project
from gatekeeper.store import NoStore, open_store
from gatekeeper.store.standing import Standing
from gatekeeper.wording import one_line


@click.command("ack")
@click.argument("alerts", nargs=-1, required=True, metavar="ALERT...", shell_complete=complete_alerts)
@click.option("--by", metavar="NAME", help="Who takes it over; default: your user name.")
@click.option("--reason", metavar="TEXT", default="", help="What is done about it.")
@click.option("--subject", metavar="NAME", help="Only alerts of this subject.")
@click.option("--undo", is_flag=True, help="Nobody takes it over any more: it escalates again.")
@project_options
def ack_alerts(
    *,
    alerts: tuple[str, ...],
    by: str | None,
    reason: str,
    subject: str | None,
    undo: bool,
    config: str | None,
    profile: str | None,
) -> None:
    """Acknowledge what fires: it does not escalate any more.

    An ALERT is the beginning of a fingerprint (as `alerts list` shows it), a gate's id or name, or a pattern. Once it
    is over and fires anew, it is acknowledged by nobody.

    \b
    gatekeeper alerts ack pre.components
    gatekeeper alerts ack 1f3a9c02 --by kim --reason "the database moves, ticket 17"
    gatekeeper alerts ack "post.*" --undo
    """
    project = load_project(config, profile)
    changed = _changed(project, alerts, subject, None if undo else (by or user_name()), reason)
    print_out("".join(f"{one_line(line)}\n" for line in changed))


def _changed(
    project: Project, references: Sequence[str], subject: str | None, by: str | None, reason: str
) -> list[str]:
    """Acknowledge them, all or none; a line for each."""
    now = time.time()
    try:
        with (
            open_store(project.store_url, create=False, folder=project.state) as store,
            store.changing(),
        ):
            live = [s for s in store.standings(subject) if s.alert.state != "resolved"]
            found = _firing(chosen(live, references, project))
            store.put_standings(_taken_over(standing, by, reason, now) for standing in found)
    except NoStore:
        raise UsageError(f"there are no alerts. {NO_RUNS}") from None
    return [_said(standing, by) for standing in found]


def _firing(found: Sequence[Standing]) -> list[Standing]:
    """Those that fire. What has not fired yet can't be acknowledged: that would end when it does."""
    firing = [standing for standing in found if standing.alert.state == "firing"]
    if not firing:
        names = ", ".join(dict.fromkeys(standing.alert.gate for standing in found))
        raise UsageError(one_line(f"{names}: pending, there is nothing to acknowledge yet"))
    return firing


def _taken_over(standing: Standing, by: str | None, reason: str, now: float) -> Standing:
    if by is None:
        return replace(standing, acked=None, acked_by="", acked_why="")
    return replace(standing, acked=now, acked_by=by, acked_why=reason)


def _said(standing: Standing, by: str | None) -> str:
    alert = standing.alert
    name = " ".join(part for part in (alert.fingerprint[:SHORT], alert.gate, alert.finding) if part)
    return f"{name}: " + ("acknowledged by nobody" if by is None else f"acknowledged by {by}")
