"""`gatekeeper alerts show`: everything of one alert."""

import time
from collections.abc import Iterator

import click
from msgspec import Struct

from gatekeeper.alerts.overview import (
    Seen,
    deliveries_by_event,
    deliveries_since,
    next_step,
    notification_of,
    overview,
)
from gatekeeper.channels import AlertEvent
from gatekeeper.cli.alerts import history, listing
from gatekeeper.cli.alerts.choose import complete_alerts, one
from gatekeeper.cli.alertwords import ago, at, compared, delivery, length, matched, named, stamped, states
from gatekeeper.cli.columns import FORMAT, document
from gatekeeper.cli.project import load_project, project_options
from gatekeeper.cli.recorded import NO_RUNS
from gatekeeper.cli.terminal import print_out
from gatekeeper.errors import UsageError
from gatekeeper.project import Project
from gatekeeper.settings.alerting import EscalationStep
from gatekeeper.store import NoStore, open_store
from gatekeeper.store.standing import Delivery
from gatekeeper.wording import aligned, moment, one_line

EVENTS = 20
"""How many events are shown, the newest ones."""


class Told(Struct, frozen=True):
    """All there is of one alert: how it stands, its events, newest first, what was sent of it, and what comes next."""

    seen: Seen
    events: list[AlertEvent]
    deliveries: list[Delivery]
    step: tuple[EscalationStep, float] | None


@click.command("show")
@click.argument("alert", shell_complete=complete_alerts)
@FORMAT
@project_options
def show_alert(alert: str, form: str, config: str | None, profile: str | None) -> None:
    """Show all of one ALERT: the beginning of its fingerprint, or its gate where it has only one.

    What was observed, since when, who took it over, what keeps it quiet, when it escalates next, what happened to it,
    and what was sent to whom. An alert that is over is shown too, as long as it is kept.

    \b
    gatekeeper alerts show 1f3a9c02
    gatekeeper alerts show pre.components --format json
    """
    project, now = load_project(config, profile), time.time()
    told = _told(project, alert, now)
    text = _json(told) if form == "json" else "\n".join(_lines(told, now))
    print_out(f"{text}\n")


def _told(project: Project, reference: str, now: float) -> Told:
    """Raises UsageError: there is no such alert, or it could be several."""
    from gatekeeper.alerts.evaluate import parents

    try:
        with open_store(project.store_url, create=False, folder=project.state) as store:
            found = overview(store, project, now, parents(project.gates), over=True)
            chosen = one([seen.standing for seen in found], reference, project)
            fingerprint = chosen.alert.fingerprint
            events = store.events(fingerprint=fingerprint, limit=EVENTS)
            sent = [d for d in deliveries_since(store, events) if _tells_of(d, fingerprint)]
    except NoStore:
        raise UsageError(f"there are no alerts. {NO_RUNS}") from None
    seen = next(seen for seen in found if seen.standing is chosen)
    return Told(seen, events, sent, next_step(chosen, project.settings.alerts.escalation))


def _tells_of(delivery: Delivery, fingerprint: str) -> bool:
    if fingerprint.encode() not in delivery.document:
        return False
    notification = notification_of(delivery)
    return notification is not None and any(
        event.alert.fingerprint == fingerprint for event in notification.events
    )


def _json(told: Told) -> str:
    step = told.step and {
        "at": stamped(told.step[1]), "severity": told.step[0].severity, "channels": told.step[0].channels
    }  # fmt: skip
    return document(
        "gatekeeper.alert/1",
        **listing.as_data(told.seen),
        silences=told.seen.quiets,
        next_escalation=step,
        events=told.events,
        deliveries=[*map(history.as_data, told.deliveries)],
    )


def _lines(told: Told, now: float) -> Iterator[str]:
    alert = told.seen.standing.alert
    yield one_line(f"{named(alert)} of {alert.subject}   {alert.severity}   {', '.join(states(told.seen))}")
    yield from aligned(_rows(told, now), margin=14)
    if told.events:
        yield "\nevents, newest first"
        by_event = deliveries_by_event(told.deliveries)
        for event in told.events:
            yield from _event(event, by_event.get(event.id, []))


def _rows(told: Told, now: float) -> Iterator[tuple[str, str]]:
    standing = told.seen.standing
    alert = standing.alert
    pairs = [
        ("why", alert.summary),
        ("", alert.description),
        ("observed", "" if compared(alert) in alert.summary else compared(alert)),
        ("since", f"{at(standing.began)} ({ago(standing.began, now)} ago)"),
        ("over", moment(alert.ended) if alert.ended else ""),
        ("seen", f"in {alert.runs} run{'s' * (alert.runs != 1)}, last in {alert.run}"),
        ("rule", alert.rule),
        ("labels", ", ".join(f"{name}={value}" for name, value in alert.labels.items())),
        ("try", alert.hint),
        ("link", alert.link),
        ("fingerprint", alert.fingerprint),
        ("acknowledged", _acknowledged(told)),
        *[
            ("quiet by", f"{q.kind} {q.id}: {matched(q)}; {q.reason or 'no reason given'}")
            for q in told.seen.quiets
        ],
        ("escalates", _escalates(told, now)),
    ]
    known = {alert.summary, alert.description, alert.hint, alert.link}
    pairs += [(name, text) for name, text in alert.annotations.items() if text not in known]
    for label, text in pairs:
        if text:
            yield one_line(label), one_line(text) if label != "" else text


def _acknowledged(told: Told) -> str:
    standing = told.seen.standing
    if standing.acked is None:
        return ""
    why = f": {standing.acked_why}" if standing.acked_why else ""
    return f"{at(standing.acked)} by {standing.acked_by}{why}"


def _escalates(told: Told, now: float) -> str:
    if told.step is None:
        return ""
    step, due = told.step
    when = (
        f"{at(due)}, in {length(now, due)}"
        if due > now
        else "with the next run, or `gatekeeper alerts flush`"
    )
    what = [f"to {step.severity}"] if step.severity else []
    what += [f"tells {', '.join(step.channels)}"] if step.channels else []
    unless = ", if nothing keeps it quiet then" if told.seen.quiets or told.seen.inhibited else ""
    return f"{when}: {', '.join(what) or 'told again'}{unless}"


def _event(event: AlertEvent, told: list[Delivery]) -> Iterator[str]:
    changed = f" (was {event.before})" if event.before else ""
    run = f"  run {event.run}" if event.run else ""
    yield one_line(f"  {moment(event.time)}  {event.kind}  {event.alert.severity}{changed}{run}")
    for each in told:
        yield one_line(f"      {delivery(each)}")
