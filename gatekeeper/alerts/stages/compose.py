"""A notification of what is due: the worst and newest alerts first, the rest counted."""

from collections.abc import Iterable
from hashlib import sha256

from msgspec.structs import replace

from gatekeeper.alerts.judging.fingerprint import event_id
from gatekeeper.alerts.stages.escalate import Moment
from gatekeeper.alerts.stages.group import labels_of
from gatekeeper.alerts.stages.listen import belief, severity_in
from gatekeeper.alerts.stages.repeat import Due
from gatekeeper.channels.events import AlertEvent, Notification
from gatekeeper.model import SEVERITIES
from gatekeeper.plain import strict_json
from gatekeeper.store.standing import Standing


def compose(due: Due, subject: str, moment: Moment, listed: int | None) -> Notification:
    """The notification of a group; the channel counts as told by then.

    `subject` stands where alerts have several; it lists at most `listed` events, None: all.
    """
    topic, told = due.topic, due.topic.told
    knew = dict(topic.known)
    for standing in due.firing:
        topic.known[standing.alert.fingerprint] = belief(standing)
    for standing in due.over:
        topic.known.pop(standing.alert.fingerprint, None)
    topic.told = replace(told, at=moment.now)
    events = _sorted(map(_firing, due.firing)) + _sorted(map(_resolved, due.over))
    events = [_compared(event, knew.get(event.alert.fingerprint)) for event in events]
    subjects = {event.alert.subject for event in events}
    return Notification(
        id=_id([told.channel, told.group, told.at, moment.run, [event.id for event in events]]),
        channel=told.channel,
        subject=subject if subject and len(subjects) > 1 else events[0].alert.subject,
        created=moment.stamp,
        group=labels_of(told.group),
        events=tuple(events[:listed]),
        more=max(0, len(events) - listed) if listed is not None else 0,
        firing=len(topic.known),
        repeat=due.repeat,
        thread=told.thread,
    )


def _sorted(events: Iterable[AlertEvent]) -> list[AlertEvent]:
    """Worst first, of those the newest first, of those by gate."""
    found = sorted(events, key=lambda event: (event.alert.gate, event.alert.finding, event.alert.fingerprint))
    found.sort(key=lambda event: event.time, reverse=True)
    found.sort(key=lambda event: SEVERITIES.index(event.alert.severity), reverse=True)
    return found


def _firing(standing: Standing) -> AlertEvent:
    """The newest event of an alert that fires, with what is known of it by now."""
    alert, last = standing.alert, standing.last
    if last is not None and last.kind != "resolved":
        return replace(last, alert=alert)
    return AlertEvent(
        id=event_id(alert, "firing", run=alert.run),
        kind="firing",
        time=alert.since,
        run=alert.run,
        alert=alert,
    )


def _resolved(standing: Standing) -> AlertEvent:
    alert, last = standing.alert, standing.last
    if last is not None and last.kind == "resolved":
        return last if alert.state == "pending" else replace(last, alert=alert)
    ended = alert.ended or alert.since
    return AlertEvent(
        id=event_id(alert, "resolved", run=alert.run), kind="resolved", time=ended, run=alert.run, alert=alert
    )


def _compared(event: AlertEvent, belief: str | None) -> AlertEvent:
    """The event with the severity that this channel knew, where it is another: what it is told of is then over."""
    severity = None if belief is None else severity_in(belief)
    return replace(event, before=None if severity == event.alert.severity else severity)


def _id(parts: list[object]) -> str:
    """The id of a notification: the same for the same events after the same notification before."""
    return sha256(strict_json(parts)).hexdigest()[:32]
