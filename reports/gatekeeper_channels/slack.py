"""`slack`: notifications as messages, by an incoming webhook or with a bot token.

With a token, later notifications of a group go into the thread of its first message, and what is new or worse also
into the channel. Formats: docs.slack.dev, "Sending messages using incoming webhooks", "Block Kit", `chat.postMessage`.
Slack knows no id of ours: a message that was accepted just before a crash may be sent once more.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from gatekeeper import Secret, printable, strict_json
from gatekeeper.channels import (
    Alert,
    AlertEvent,
    ChannelContext,
    ChannelType,
    Delivered,
    Notification,
    Outcome,
    Refused,
    TryAgain,
)
from gatekeeper.channels.http import MAX_SHOWN, check_headers, check_url, outcome, post
from gatekeeper.channels.wording import headline, lasting, name, observed, remainder, worst_first
from gatekeeper.wording import one_line

if TYPE_CHECKING:
    from gatekeeper.net import Deadline

MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_SECTION = 3_000
MAX_MESSAGE = 12_000
"""Characters of all blocks together; Slack names no number, and refuses what is much longer (`msg_blocks_too_long`)."""

ICONS = {"low": "⚪", "medium": "🟡", "high": "🟠", "critical": "🔴"}
OVER = "✅"
REACTION = "white_check_mark"
MARK_WITHIN = 2.0

NEVER = frozenset(
    {
        "attachment_payload_limit_exceeded", "invalid_arguments", "invalid_array_arg", "invalid_blocks",
        "invalid_blocks_format", "invalid_json", "invalid_metadata_format", "json_not_object", "markdown_text_conflict",
        "msg_blocks_too_long", "msg_too_long", "no_text", "too_many_attachments",
    }
)  # fmt: skip
"""Errors that are about the message itself; all others can be mended by somebody, or by time."""

NO_THREAD = frozenset(
    {"cannot_reply_to_message", "invalid_thread_ts", "message_not_found", "thread_not_found"}
)
"""Errors that say that the group's first message is gone."""


class SlackSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Messages to Slack, by an incoming webhook (`url`) or with a bot token (`token` and `channel`)."""

    url: Secret | None = None
    """Address of an incoming webhook."""
    token: Secret | None = None
    """Bot token, `xoxb-…`, with the scope `chat:write`; updates then go into a thread."""
    channel: str = ""
    """Where to: with a token the id or `#name` of a channel; with a webhook only where that allows it."""
    username: str = ""
    """Name of the sender; a token needs the scope `chat:write.customize`."""
    icon_emoji: str = ""
    """Picture of the sender, such as `:robot_face:`; a token needs the scope `chat:write.customize`."""
    api: str = "https://slack.com/api"
    """Where Slack's API is; for Slack's government cloud `https://slack-gov.com/api`."""

    def __post_init__(self) -> None:
        if (self.url is None) == (self.token is None):
            raise ValueError('give "url" (an incoming webhook) or "token" (of a bot), one of the two')
        if self.url is not None:
            check_url(self.url)
        check_url(self.api, "api")
        if self.token is not None:
            if not self.channel:
                raise ValueError('a token needs a "channel" to write to')
            check_headers({"Authorization": f"Bearer {self.token}"}, "token")


class SlackWebhook:
    """Posts to one incoming webhook: no threads, no answer but `ok`."""

    def __init__(self, settings: SlackSettings, context: ChannelContext) -> None:
        self._settings = settings
        self._context = context

    def send(self, notification: Notification) -> Outcome:
        body = strict_json(message(notification) | _sender(self._settings))
        headers = {"Content-Type": "application/json; charset=utf-8"}
        response = post(self._settings.url or "", body, headers=headers, context=self._context)
        return response if isinstance(response, TryAgain) else outcome(response)


class SlackBot:
    """Writes with a bot token."""

    def __init__(self, settings: SlackSettings, context: ChannelContext) -> None:
        self._settings = settings
        self._context = context

    def send(self, notification: Notification) -> Outcome:
        from gatekeeper.net import Deadline

        deadline = Deadline(self._context.within, "talking to Slack")
        payload = message(notification) | _sender(self._settings)
        place, _, first = (notification.thread or "").partition("/")
        if not first:
            return _first_of_a_thread(self._call("chat.postMessage", payload, deadline))
        new = any(event.kind != "resolved" for event in notification.events) and not notification.repeat
        reply = payload | {"thread_ts": first, "reply_broadcast": new}
        answer = self._call("chat.postMessage", reply, deadline)
        if isinstance(answer, Failed) and answer.error in NO_THREAD:
            return _first_of_a_thread(self._call("chat.postMessage", payload, deadline))
        if isinstance(answer, Failed):
            return answer.outcome
        self._mark(notification.resolved, place, first, deadline)
        return Delivered(notification.thread)

    def _mark(self, over: bool, place: str, first: str, deadline: "Deadline") -> None:
        """Show at the group's first message whether it is over; nothing that a delivery fails for, or waits for."""
        from gatekeeper.net import Deadline, ProbeError

        method = "reactions.add" if over else "reactions.remove"
        with suppress(ProbeError):  # no time is left
            brief = Deadline(min(MARK_WITHIN, deadline.left() / 2), "marking the message")
            self._call(method, {"channel": place, "timestamp": first, "name": REACTION}, brief)

    def _call(self, method: str, payload: dict[str, Any], deadline: "Deadline") -> "dict[str, Any] | Failed":
        """Slack's answer to a call; whatever is none is `Failed`."""
        token = self._settings.token or ""
        response = post(
            f"{self._settings.api.rstrip('/')}/{method}",
            strict_json(payload),
            headers={"Content-Type": "application/json; charset=utf-8", "Authorization": f"Bearer {token}"},
            context=self._context,
            deadline=deadline,
        )
        if isinstance(response, TryAgain):
            return Failed(response)
        found = outcome(response, hidden=[token])
        return _read(response.body) if isinstance(found, Delivered) else Failed(found)


class Failed(Struct, frozen=True):
    """A call that came to nothing: what that means for the notification, and Slack's word for it."""

    outcome: Outcome
    error: str = ""


def _read(body: bytes) -> dict[str, Any] | Failed:
    import msgspec

    try:
        answer = msgspec.json.decode(body, type=dict[str, Any])
    except ValueError:
        return Failed(TryAgain("it answered with no JSON: is this Slack's API?"))
    if answer.get("ok") is True:
        return answer
    error = answer.get("error")
    word = error if isinstance(error, str) and error else "no reason given"
    why = f"Slack refused it: {printable(word)[:MAX_SHOWN]}"
    return Failed(Refused(why) if word in NEVER else TryAgain(why), word)


def _first_of_a_thread(answer: dict[str, Any] | Failed) -> Outcome:
    if isinstance(answer, Failed):
        return answer.outcome
    place, ts = answer.get("channel"), answer.get("ts")
    return Delivered(f"{place}/{ts}" if isinstance(place, str) and isinstance(ts, str) else None)


def _sender(settings: SlackSettings) -> dict[str, str]:
    given = {"channel": settings.channel, "username": settings.username, "icon_emoji": settings.icon_emoji}
    return {name: value for name, value in given.items() if value}


def message(notification: Notification) -> dict[str, Any]:
    """A notification as the text and blocks of a message, worst first, within what Slack takes."""
    events = worst_first(notification.events)
    title = f"{_icon(events[0]) if events else OVER} {headline(notification)}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(title, MAX_HEADER), "emoji": True}}
    ]
    room, listed = MAX_MESSAGE, 0
    for event in events:
        text = _section(event)
        room -= _width(text)
        if room < 0 or len(blocks) > MAX_BLOCKS - 2:
            break
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
        listed += 1
    counted = replace(notification, more=notification.more + len(events) - listed)
    if about := " · ".join(remainder(counted)):
        element = {"type": "mrkdwn", "text": _escaped(about, MAX_SECTION)}
        blocks.append({"type": "context", "elements": [element]})
    said = _said(events[0].alert) if events else ""
    return {"text": _escaped(f"{title}: {said}" if said else title, MAX_SECTION), "blocks": blocks}


def _icon(event: AlertEvent) -> str:
    return OVER if event.kind == "resolved" else ICONS[event.alert.severity]


def _said(alert: Alert) -> str:
    return one_line(alert.summary) or observed(alert)


def _section(event: AlertEvent) -> str:
    alert = event.alert
    over = event.kind == "resolved"
    word = "RESOLVED" if over else f"{event.kind.upper()} {alert.severity}"
    before = f" (was {event.before})" if event.before else ""
    lines = [
        f"{_icon(event)} *{word}*{before} `{_escaped(name(alert).replace('`', chr(39)), 300)}`",
        _escaped(_said(alert), 500),
        _escaped(printable(alert.description, newlines=True).strip(), 500),
        f"_{_escaped(lasting(event), 200)}_",
        f"Try: {_escaped(one_line(alert.hint), 400)}" if alert.hint and not over else "",
        f"<{link}|Details>" if (link := _link(alert.link)) else "",
    ]
    return "\n".join(line for line in lines if line)


def _link(link: str) -> str:
    """An address as it may stand in a message; empty where it is none."""
    from urllib.parse import quote

    safe = quote(link, safe="/%:@!$&'()*+,;=~-._?#[]")
    return _escaped(safe, 1_000) if link.startswith(("http://", "https://")) and len(safe) <= 900 else ""


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def _escaped(text: str, most: int) -> str:
    """Text that commands nothing (`<!channel>`, links), no longer than `most` when it is escaped."""
    return _cut(text, most, _ENTITIES)


def _cut(text: str, most: int, entities: dict[str, str] | None = None) -> str:
    pieces = [(entities or {}).get(character, character) for character in text]
    if sum(map(_width, pieces)) <= most:
        return "".join(pieces)
    kept, room = [], most - 1
    for piece in pieces:
        room -= _width(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + "…"


def _width(text: str) -> int:
    """Length as JavaScript counts it."""
    return len(text) + sum(character > "\uffff" for character in text)


def _opened(settings: SlackSettings, context: ChannelContext) -> SlackWebhook | SlackBot:
    return SlackBot(settings, context) if settings.token is not None else SlackWebhook(settings, context)


CHANNEL = ChannelType(
    name="slack",
    summary="messages to Slack, by an incoming webhook or with a bot token and threads",
    settings=SlackSettings,
    open=_opened,
)
