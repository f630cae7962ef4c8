"""`gatekeeper alerts list`: what fires now."""

import time
from collections.abc import Sequence
from typing import Any

import click

from gatekeeper.alerts.matching import covers
from gatekeeper.alerts.overview import Seen, overview
from gatekeeper.cli.alertwords import SHORT, ago, compared, named, stamped, states
from gatekeeper.cli.columns import FORMAT, columns, document
from gatekeeper.cli.project import complete_gates, load_project, project_options
from gatekeeper.cli.recorded import NO_RUNS
from gatekeeper.cli.terminal import print_out
from gatekeeper.errors import nearest
from gatekeeper.model import SEVERITIES, Severity
from gatekeeper.project import Project
from gatekeeper.store import NoStore, open_store
from gatekeeper.wording import one_line


@click.command("list")
@click.option("--subject", metavar="NAME", help="Only alerts of this subject.")
@click.option(
    "--gate",
    metavar="GATE",
    shell_complete=complete_gates,
    help="Only of this gate: an id, a name, a pattern.",
)
@click.option(
    "--severity", type=click.Choice(SEVERITIES), default="low", help="Only of this severity and up."
)
@click.option("--all", "over", is_flag=True, help="What is over too.")
@FORMAT
@project_options
def list_alerts(
    *,
    subject: str | None,
    gate: str | None,
    severity: Severity,
    over: bool,
    form: str,
    config: str | None,
    profile: str | None,
) -> None:
    """List what fires now, worst first.

    The state says more than that it fires: who took it over, until when it is silenced, for which channels it is
    still queued. `pending` is what a rule's `for` has not let through yet. The exit code is 0 whatever fires.

    \b
    gatekeeper alerts list
    gatekeeper alerts list --severity high --gate "post.*"
    gatekeeper alerts list --all --format json
    """
    project, now = load_project(config, profile), time.time()
    found, empty = _found(project, now, over=over)
    wanted = [seen for seen in found if _is_wanted(seen, subject, gate, severity)]
    if form == "json":
        text = document("gatekeeper.alerts/1", alerts=[as_data(seen) for seen in wanted])
    elif wanted:
        text = "\n".join(_table(wanted, now, subjects=len({s.standing.alert.subject for s in found}) > 1))
    else:
        text = empty or one_line(_nothing(found, subject, gate))
    print_out(f"{text}\n")


def _found(project: Project, now: float, *, over: bool) -> tuple[list[Seen], str]:
    """All alerts, and what to say where there can be none."""
    from gatekeeper.alerts.evaluate import parents

    try:
        with open_store(project.store_url, create=False, folder=project.state) as store:
            found = overview(store, project, now, parents(project.gates), over=over)
    except NoStore:
        return [], f"Nothing fires. {NO_RUNS}"
    return found, "" if found else "Nothing fires."


def _is_wanted(seen: Seen, subject: str | None, gate: str | None, severity: Severity) -> bool:
    alert = seen.standing.alert
    return (
        (subject is None or alert.subject == subject)
        and (gate is None or covers(gate, alert.gate))
        and SEVERITIES.index(alert.severity) >= SEVERITIES.index(severity)
    )


def _nothing(found: Sequence[Seen], subject: str | None, gate: str | None) -> str:
    """Nothing of what was asked for, though there is something else."""
    alerts = [seen.standing.alert for seen in found]
    for asked, names in ((subject, {a.subject for a in alerts}), (gate, {a.gate for a in alerts})):
        if asked is not None and asked not in names and (hint := nearest(asked, names)):
            return f"Nothing fires of {asked!r}.{hint}"
    return f"Nothing of this fires; {len(found)} other{'s do' if len(found) != 1 else ' does'}."


def _table(found: Sequence[Seen], now: float, *, subjects: bool) -> list[str]:
    """The subjects are shown where there are several."""
    head = ("ALERT", "SEVERITY", "FOR", *(["SUBJECT"] if subjects else []), "GATE", "VALUE", "STATE")
    return [*columns([head, *(_cells(seen, now, subjects=subjects) for seen in found)])]


def _cells(seen: Seen, now: float, *, subjects: bool) -> tuple[str, ...]:
    standing = seen.standing
    alert = standing.alert
    cells = (
        alert.fingerprint[:SHORT],
        alert.severity,
        ago(standing.began, now),
        *([alert.subject] if subjects else []),
        named(alert),
        compared(alert) or alert.summary,
        ", ".join(states(seen)),
    )
    return tuple(map(one_line, cells))


def as_data(seen: Seen) -> dict[str, Any]:
    """An alert with what is known of it: `alert` as in an event."""
    standing = seen.standing
    acked = standing.acked is not None
    return {
        "alert": standing.alert,
        "fired": stamped(standing.fired),
        "level": standing.level,
        "acknowledged": {
            "at": stamped(standing.acked), "by": standing.acked_by, "reason": standing.acked_why
        } if acked else None,
        "silenced_by": [quiet.id for quiet in seen.quiets],
        "silenced_until": stamped(seen.quiet_until),
        "inhibited_by": seen.inhibited or None,
        "queued_for": seen.queued,
    }  # fmt: skip
