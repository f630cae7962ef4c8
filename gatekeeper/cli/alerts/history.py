"""`gatekeeper alerts history`: what happened to alerts, and who was told."""

from collections.abc import Sequence
from typing import Any

import click

from gatekeeper.alerts.matching import covers
from gatekeeper.alerts.overview import MOST, deliveries_by_event, deliveries_since
from gatekeeper.channels import AlertEvent
from gatekeeper.cli.alertwords import SHORT, compared, delivery, named, stamped
from gatekeeper.cli.columns import FORMAT, columns, document
from gatekeeper.cli.project import complete_gates, load_project, project_options
from gatekeeper.cli.recorded import NO_RUNS
from gatekeeper.cli.terminal import print_out
from gatekeeper.errors import nearest
from gatekeeper.project import Project
from gatekeeper.store import NoStore, open_store
from gatekeeper.store.standing import Delivery
from gatekeeper.wording import moment, one_line

Told = dict[str, list[Delivery]]


@click.command("history")
@click.option("--subject", metavar="NAME", help="Only events of this subject.")
@click.option(
    "--gate",
    metavar="GATE",
    shell_complete=complete_gates,
    help="Only of this gate: an id, a name, a pattern.",
)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many events.")
@FORMAT
@project_options
def list_events(
    *,
    subject: str | None,
    gate: str | None,
    limit: int,
    form: str,
    config: str | None,
    profile: str | None,
) -> None:
    """List what happened to alerts, newest first, and which channels were told.

    \b
    gatekeeper alerts history
    gatekeeper alerts history --gate pre.components --limit 50
    gatekeeper alerts history --subject checkout --format json
    """
    project = load_project(config, profile)
    events, told, empty = _found(project, subject, gate, limit + 1)
    shown, more = events[:limit], len(events) > limit
    if form == "json":
        listed = [{"event": event, "deliveries": [*map(as_data, told.get(event.id, ()))]} for event in shown]
        text = document("gatekeeper.alert-history/1", events=listed, more=more)
    elif shown:
        lines = _table(shown, told)
        if more:
            lines.append(f"more: gatekeeper alerts history --limit {limit * 5}")
        text = "\n".join(lines)
    else:
        text = empty
    print_out(f"{text}\n")


def _found(
    project: Project, subject: str | None, gate: str | None, limit: int
) -> tuple[list[AlertEvent], Told, str]:
    """The events, the deliveries of each, and what to say where there is none."""
    try:
        with open_store(project.store_url, create=False, folder=project.state) as store:
            events = store.events(subject=subject, limit=limit if gate is None else MOST)
            if gate is not None:
                events = [event for event in events if covers(gate, event.alert.gate)][:limit]
            told = deliveries_by_event(deliveries_since(store, events))
            known = [] if events else store.events(limit=MOST)
    except NoStore:
        return [], {}, f"No alert has fired. {NO_RUNS}"
    return events, told, one_line(_nothing(known, subject, gate))


def _nothing(known: Sequence[AlertEvent], subject: str | None, gate: str | None) -> str:
    """What to say where no event is of what was asked for."""
    if not known:
        return "No alert has fired."
    for asked, names in ((subject, {e.alert.subject for e in known}), (gate, {e.alert.gate for e in known})):
        if asked is not None and asked not in names and (hint := nearest(asked, names)):
            return f"No events of {asked!r}.{hint}"
    return "No events of this."


def _table(events: Sequence[AlertEvent], told: Told) -> list[str]:
    head = ("TIME", "EVENT", "ALERT", "SEVERITY", "GATE", "VALUE", "TOLD")
    return [*columns([head, *(_cells(event, told.get(event.id, ())) for event in events)])]


def _cells(event: AlertEvent, told: Sequence[Delivery]) -> tuple[str, ...]:
    alert = event.alert
    severity = f"{event.before} to {alert.severity}" if event.before else alert.severity
    cells = (
        moment(event.time),
        event.kind,
        alert.fingerprint[:SHORT],
        severity,
        named(alert),
        compared(alert) or alert.summary,
        ", ".join(map(delivery, told)) or "nobody",
    )
    return tuple(map(one_line, cells))


def as_data(told: Delivery) -> dict[str, Any]:
    """A delivery without what was sent."""
    return {
        "id": told.id,
        "channel": told.channel,
        "state": told.state,
        "attempts": told.attempts,
        "created": stamped(told.created),
        "due": stamped(told.due) if told.state == "queued" else None,
        "done": stamped(told.done),
        "why": told.why or None,
    }
