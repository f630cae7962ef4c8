"""What channels for people say in the same words.

Texts of alerts are what gates wrote. What comes from here is safe to print: control characters, terminal escapes and
line breaks in them are shown as escapes, and nothing is longer than a person would read.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from gatekeeper.channels.events import Alert, AlertEvent, Notification
from gatekeeper.model import SEVERITIES, Finding
from gatekeeper.plain import printable
from gatekeeper.quantities import show
from gatekeeper.wording import aligned, moment, one_line, summary

MOST_OF_NAME = 100
MOST_OF_LINE = 300
MOST_OF_TEXT = 4_000


def headline(notification: Notification) -> str:
    """A notification in one line, the worst of what is not over first, such as
    `FIRING critical: pre.components backend of checkout, and 3 more`.

    Begins with `FIRING`, `STILL FIRING` (a repeat), `ESCALATED` or `RESOLVED`; with `TEST ` before it, where it is one.
    """
    events = worst_first(notification.events)
    open_ = [event for event in events if event.kind != "resolved"]
    over = len(events) - len(open_)
    told = open_ or events
    subject = _cut(one_line(notification.subject), MOST_OF_NAME)
    named = f"{name(told[0].alert)} of {subject}" if told else subject
    if more := len(told[1:]) + notification.more:
        named += f", and {more} more" if told else f", {more} alerts"
    if open_ and over:
        named += f"; {over} resolved"
    elif told and not open_ and notification.firing:
        named += f"; {notification.firing} still firing"
    word = _word(notification, open_)
    severity = "" if word == "RESOLVED" else f" {notification.severity}"
    return f"{'TEST ' if notification.test else ''}{word}{severity}: {named}"


def _word(notification: Notification, open_: list[AlertEvent]) -> str:
    if not open_ and (notification.events or not notification.firing):
        return "RESOLVED"
    if notification.repeat:
        return "STILL FIRING"
    return "ESCALATED" if open_ and open_[0].kind == "escalated" else "FIRING"


def name(alert: Alert) -> str:
    """What it is about: `pre.components backend`."""
    finding = f" {_cut(one_line(alert.finding), MOST_OF_NAME)}" if alert.finding else ""
    return f"{_cut(one_line(alert.gate), MOST_OF_NAME)}{finding}"


def title(event: AlertEvent) -> str:
    """What happened to an alert in one short line: `FIRING high pre.components backend: answer time 2.31 s > 2 s`."""
    alert = event.alert
    said = one_line(alert.summary) or observed(alert)
    about = name(alert)
    if alert.finding and said.startswith(f"{one_line(alert.finding)} "):  # it names its finding itself
        about = name(replace(alert, finding=""))
    was = f" (was {event.before})" if event.before else ""
    return _cut(
        f"{event.kind.upper()} {alert.severity}{was} {about}" + (f": {said}" if said else ""), MOST_OF_LINE
    )


def line(event: AlertEvent) -> str:
    """What happened to an alert in one line, with since when and in how many runs."""
    since = "" if event.kind == "resolved" else "since "
    return f"{title(event)} ({since}{lasting(event)})"


def observed(alert: Alert) -> str:
    """What was observed, and its relation to the limit: `2.31 s > 2 s`; empty where nothing was recorded."""
    if alert.value is None:
        return ""
    values = {"observed": alert.value, "operator": alert.operator, "limit": alert.limit, "unit": alert.unit}
    return one_line(summary(Finding("", alert.status, **values)).strip())


def lasting(event: AlertEvent) -> str:
    """Since when, for how long and in how many runs; of one that is over, from when to when."""
    alert = event.alert
    if event.kind == "resolved":
        return f"{_moment(alert.since)} to {_moment(alert.ended or event.time)}{_taken(event)}"
    runs = f", {alert.runs} runs in a row" if alert.runs > 1 else ""
    return f"{_moment(alert.since)}{_taken(event)}{runs}"


def _moment(time: str) -> str:
    return _cut(one_line(moment(time)), 40)


def _taken(event: AlertEvent) -> str:
    """How long it has lasted when the event was made: the same in every attempt."""
    from datetime import datetime

    try:
        until = datetime.fromisoformat(event.alert.ended or event.time)
        seconds = (until - datetime.fromisoformat(event.alert.since)).total_seconds()
    except (ValueError, TypeError):
        return ""
    return f", {show(round(seconds), 's')}" if seconds >= 1 else ""


def details(event: AlertEvent) -> list[tuple[str, str]]:
    """What else there is to say about an alert, as rows of label and text; only `about` has several lines."""
    alert = event.alert
    expected = f"{alert.operator} {show(alert.limit, alert.unit)}" if alert.operator is not None else ""
    labels = ", ".join(f"{key}={value}" for key, value in sorted(alert.labels.items()))
    rows = [
        ("observed", "" if alert.value is None else show(alert.value, alert.unit)),
        ("expected", expected),
        ("lasted" if event.kind == "resolved" else "since", lasting(event)),
        ("run", event.run or alert.run),
        ("try", alert.hint if event.kind != "resolved" else ""),
        ("link", alert.link),
        ("labels", labels),
        *((_label(key), text) for key, text in sorted(alert.annotations.items())),
    ]
    about = _cut(printable(alert.description, newlines=True).strip(), MOST_OF_TEXT)
    safe = [(label, _cut(one_line(text), MOST_OF_TEXT)) for label, text in rows]
    return [(label, text) for label, text in [*safe[:3], ("about", about), *safe[3:]] if text]


def _label(name: str) -> str:
    """A label of somebody's own, which may stand at the beginning of a line."""
    return _cut(printable(one_line(name), newlines=True), 20)


def plain(notification: Notification) -> str:
    """All of a notification as plain text of several lines, ends with one."""
    lines = [headline(notification)]
    for event in worst_first(notification.events):
        lines += ["", title(event), *(f"  {row}" for row in aligned(details(event)))]
    if rest := remainder(notification):
        lines += ["", *rest]
    return "\n".join(lines) + "\n"


def remainder(notification: Notification) -> list[str]:
    """Lines about the notification itself: what it does not list, what its alerts share, that it is a test."""
    group = ", ".join(f"{key}={value}" for key, value in sorted(notification.group.items()))
    said = [
        f"and {notification.more} more" if notification.more else "",
        f"firing now: {notification.firing}" if notification.firing > len(notification.events) else "",
        f"group: {_cut(one_line(group), MOST_OF_LINE)}" if group else "",
        "A test: nothing is wrong." if notification.test else "",
    ]
    return [text for text in said if text]


def worst_first(events: Iterable[AlertEvent]) -> list[AlertEvent]:
    """Events by how much they matter: what is not over before the rest, then by severity."""
    return sorted(events, key=lambda e: (e.kind == "resolved", -SEVERITIES.index(e.alert.severity)))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
