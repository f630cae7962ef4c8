"""How alerts stand, for people who look: what fires, who took it over, what keeps it quiet, what waits to be sent."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from gatekeeper.alerts.stages.inhibit import Inhibitions
from gatekeeper.alerts.stages.quiet import active, hushed, matches, quiets_of
from gatekeeper.channels import AlertEvent, Notification
from gatekeeper.errors import UsageError
from gatekeeper.model import SEVERITIES
from gatekeeper.project import Project
from gatekeeper.settings.alerting import EscalationStep
from gatekeeper.store.alerting import AlertQueries
from gatekeeper.store.standing import Delivery, Quiet, Standing

MOST = 10_000
"""How many notifications are looked through for those that tell of an alert, newest first."""

CLOCKS = 3_600.0
"""Seconds by which the clocks of those who share a store may differ."""


class Seen(Struct, frozen=True):
    """An alert, and what keeps it from being told.

    `quiets` are the silences and maintenance windows that cover it now, `quiet_until` (seconds since the epoch) when
    the last of them ends, `inhibited` the gate whose alert keeps it quiet. `queued` are the channels that have not got
    everything of it yet.
    """

    standing: Standing
    quiets: tuple[Quiet, ...] = ()
    quiet_until: float | None = None
    inhibited: str = ""
    queued: tuple[str, ...] = ()


def overview(
    store: AlertQueries,
    project: Project,
    now: float,
    parents: Mapping[str, Sequence[str]],
    *,
    over: bool = False,
) -> list[Seen]:
    """Alerts of all subjects, worst first: what fires, what is about to, with `over` also what is over.

    Args:
        store: where alerts stand.
        project: whose configuration counts.
        now: seconds since the epoch.
        parents: by gate, the ids of the gates that it needs.
        over: whether those that are over are wanted too.

    Raises:
        UsageError: the configured maintenance windows are wrong.
        StoreError: the store can't be read.
    """
    standings = store.standings(owed=not over)
    firing = [standing for standing in standings if standing.alert.state == "firing"]
    quiets = all_quiets(store, project, now)
    hushes = hushed(standings, quiets, now)
    open_ = [quiet for quiet in quiets if active(quiet, now)] if hushes else []
    inhibited = Inhibitions(project.settings.alerts.inhibit, parents).inhibited(firing)
    queued = _queued(store)
    found = []
    for standing in standings:
        alert = standing.alert
        if alert.state == "resolved" and not over:
            continue
        hush = hushes.get(alert.fingerprint) if alert.state != "resolved" else None
        found.append(
            Seen(
                standing,
                tuple(quiet for quiet in open_ if matches(quiet, alert)) if hush else (),
                hush.until if hush else None,
                inhibited.get(alert.fingerprint, ""),
                queued.get(alert.fingerprint, ()),
            )
        )
    return sorted(found, key=_rank)


def all_quiets(store: AlertQueries, project: Project, now: float) -> list[Quiet]:
    """Silences and maintenance windows that are not over for good, of the command line and of the configuration.

    Raises:
        UsageError: the configured ones are wrong.
    """
    try:
        return [*store.quiets(ended_after=now), *quiets_of(project.settings.alerts)]
    except ValueError as error:
        raise UsageError(f"[[alerts.maintenance]] {error}") from None


def next_step(standing: Standing, steps: Sequence[EscalationStep]) -> tuple[EscalationStep, float] | None:
    """The next step of an alert's escalation and when it is due (seconds since the epoch); None where there is none."""
    if standing.alert.state != "firing" or standing.acked is not None or standing.fired is None:
        return None
    rank = SEVERITIES.index
    for step in sorted(steps, key=lambda each: each.after)[standing.level :]:
        if rank(standing.alert.severity) >= rank(step.min_severity):
            return step, standing.fired + step.after
    return None


def deliveries_since(store: AlertQueries, events: Sequence[AlertEvent]) -> list[Delivery]:
    """Notifications that may tell of these events: of the oldest one's time or later, newest first.

    Raises:
        StoreError: the store can't be read.
    """
    if not events:
        return []
    try:
        oldest = min(datetime.fromisoformat(event.time).timestamp() for event in events)
    except (ValueError, OverflowError):
        oldest = 0.0
    return store.deliveries(since=oldest - CLOCKS, limit=MOST)


def deliveries_by_event(deliveries: Iterable[Delivery]) -> dict[str, list[Delivery]]:
    """Event id → the notifications that tell of it; those that can't be read tell of none."""
    found: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        notification = notification_of(delivery)
        for event in notification.events if notification else ():
            found.setdefault(event.id, []).append(delivery)
    return found


def notification_of(delivery: Delivery) -> Notification | None:
    """The notification; None where another version wrote it so that this one can't read it."""
    try:
        return msgspec.json.decode(delivery.document, type=Notification)
    except msgspec.DecodeError:
        return None


def _queued(store: AlertQueries) -> dict[str, tuple[str, ...]]:
    """Fingerprint → the channels for which something of the alert is queued."""
    found: dict[str, dict[str, None]] = {}
    for delivery in store.deliveries(state="queued", limit=MOST):
        notification = notification_of(delivery)
        for event in notification.events if notification else ():
            found.setdefault(event.alert.fingerprint, {})[delivery.channel] = None
    return {fingerprint: tuple(sorted(channels)) for fingerprint, channels in found.items()}


def _rank(seen: Seen) -> tuple[object, ...]:
    alert = seen.standing.alert
    state = ("firing", "pending", "resolved").index(alert.state)
    return (state, -SEVERITIES.index(alert.severity), alert.since, alert.gate, alert.fingerprint)
