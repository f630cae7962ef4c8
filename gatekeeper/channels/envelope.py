"""Alert events as CloudEvents 1.0, for channels that tell programs.

A notification is one CloudEvent with the events of its group in its data; whoever tells them one by one makes a
CloudEvent of each. Their ids are those of the notification and of the event, the same in every attempt. Formats:
github.com/cloudevents/spec, spec.md, formats/json-format.md, bindings/http-protocol-binding.md.

What carries events need not pass on more than 64 KiB (spec.md, "Size Limits"). So long texts, values and tables of
labels are cut, in steps, until the event fits; ids, kinds, severities, states and times are always whole.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gatekeeper.channels.events import AlertEvent, Kind, Notification
from gatekeeper.cloudevents import MEDIA_TYPE, event
from gatekeeper.model import JSON, SEVERITIES
from gatekeeper.plain import plain, strict_json
from gatekeeper.plain import text as plain_text

ROOM = 60_000
"""Bytes for the data of an event, which should not be larger than 64 KiB with its attributes."""

LEAST = 500
"""Bytes that any event of a notification takes at least."""

MOST_OF_SUBJECT = 200
"""Characters of the attribute `subject`, which is a header in binary mode."""

_STEPS = ((8_192, 200), (2_000, 50), (500, 20), (100, 5))
"""Characters of a text (and of a value's JSON) and entries of a table that are kept, step by step."""

_NOT_LEADING = str.maketrans({code: f"%{code:02X}" for code in map(ord, ' "%')})


def cloudevent(notification: Notification) -> dict[str, JSON]:
    """One CloudEvent of all that a notification tells: type `dev.gatekeeper.alert.firing`, `.escalated` or `.resolved`.

    It is `resolved` only if everything it tells of is over, `escalated` if the newest of its events is one. Its data is
    described by `event-alerts-1.json` in `gatekeeper/schemas`. `omitted` counts the events, the least severe ones, for
    which there was no room even with their texts cut.
    """
    return event(
        f"alert.{_kind(notification)}",
        _data_of_all(notification),
        id=notification.id,
        source=notification.subject,
        subject=_about(notification),
        time=notification.created,
        schema="urn:gatekeeper:schema:event-alerts:1",
        severity=notification.severity,
        repeat=notification.repeat,
        test=notification.test,
    )


def event_cloudevent(told: AlertEvent, subject: str) -> dict[str, JSON]:
    """One CloudEvent of a single event, of the run's subject `subject`.

    Its data is described by `event-alert-1.json` in `gatekeeper/schemas`.
    """
    return event(
        f"alert.{told.kind}",
        next(data for step in _STEPS if _size(data := _data(told, *step)) <= ROOM),
        id=told.id,
        source=subject,
        subject=told.alert.gate[:MOST_OF_SUBJECT],
        time=told.time,
        schema="urn:gatekeeper:schema:event-alert:1",
        severity=told.alert.severity,
        fingerprint=told.alert.fingerprint,
    )


def http_structured(event: dict[str, JSON]) -> tuple[dict[str, str], bytes]:
    """Headers and body of a CloudEvent in structured mode (HTTP protocol binding, section 3.2)."""
    return {"Content-Type": MEDIA_TYPE}, strict_json(event)


def http_binary(event: dict[str, JSON]) -> tuple[dict[str, str], bytes]:
    """Headers and body of a CloudEvent in binary mode: attributes as `ce-` headers, the data as body (section 3.1)."""
    headers = {"Content-Type": "application/json"}
    for name, value in event.items():
        if name == "datacontenttype":
            headers["Content-Type"] = str(value)
        elif name != "data":
            text = value if isinstance(value, str) else strict_json(value).decode()
            headers[f"ce-{name}"] = "".join(_header(text))
    return headers, strict_json(event["data"])


def _header(text: str) -> Iterator[str]:
    """A header's value: space, `"`, `%` and all that is no printable ASCII percent-encoded (section 3.1.3.2)."""
    for character in text:
        if character.isascii() and character.isprintable():
            yield character.translate(_NOT_LEADING)
        else:
            yield from (f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))


def _kind(notification: Notification) -> Kind:
    if notification.resolved:
        return "resolved"
    newest = max((told.time for told in notification.events), default="")
    escalated = (told.time == newest and told.kind == "escalated" for told in notification.events)
    return "escalated" if any(escalated) else "firing"


def _about(notification: Notification) -> str:
    """The gate, where all events are of one; what the group has in common else."""
    gates = {told.alert.gate for told in notification.events}
    if len(gates) == 1:
        return gates.pop()[:MOST_OF_SUBJECT]
    return ",".join(f"{name}={value}" for name, value in sorted(notification.group.items()))[:MOST_OF_SUBJECT]


def _data_of_all(notification: Notification) -> dict[str, JSON]:
    bare: dict[str, JSON] = {
        "group": next(cut for step in _STEPS if _size(cut := _cut(notification.group, *step)) <= ROOM // 6),
        "firing": notification.firing,
        "more": notification.more,
        "omitted": 0,
        "repeat": notification.repeat,
        "test": notification.test,
        "alerts": [],
    }
    events = notification.events
    alerts = _fitting(_worst(events, ROOM // LEAST), ROOM - _size(bare) - 10)
    return bare | {"alerts": alerts, "omitted": len(events) - len(alerts)}


def _worst(events: Sequence[AlertEvent], most: int) -> Sequence[AlertEvent]:
    """The most severe ones, in the order they had."""
    if len(events) <= most:
        return events
    severe_first = sorted(range(len(events)), key=lambda at: -SEVERITIES.index(events[at].alert.severity))
    return [events[at] for at in sorted(severe_first[:most])]


def _fitting(events: Sequence[AlertEvent], room: int) -> list[JSON]:
    """Events in so many bytes, their texts cut no more than they have to be; the most severe where not all fit."""
    for step in _STEPS:
        alerts: list[JSON] = [_data(told, *step) for told in events]
        if _size(alerts) <= room:
            return alerts
    return _fitting(_worst(events, len(events) - 1 - len(events) // 8), room)


def _data(told: AlertEvent, most: int, entries: int) -> dict[str, JSON]:
    made: dict[str, Any] = msgspec.to_builtins(told)
    alert = {name: _cut(value, most, entries) for name, value in made["alert"].items()}
    return made | {"alert": alert}


def _cut(value: Any, most: int, entries: int) -> Any:
    """A member of an alert, its texts no longer than so many characters, its tables than so many entries."""
    if isinstance(value, str):
        return _short(value, most)
    safe = plain(value)
    if _size(safe) <= most:
        return safe
    if not isinstance(safe, dict):
        return _short(strict_json(safe).decode(), most)
    kept = {_short(name, most): _short(_as_text(safe[name]), most) for name in list(safe)[:entries]}
    left = len(value) - len(kept)
    return kept | {"…": f"{left} more"} if left > 0 else kept


def _as_text(value: JSON) -> str:
    return value if isinstance(value, str) else strict_json(value).decode()


def _short(text: str, most: int) -> str:
    safe = plain_text(text)
    return safe if len(safe) <= most else f"{safe[: most - 1]}…"


def _size(value: JSON) -> int:
    return len(strict_json(value))
