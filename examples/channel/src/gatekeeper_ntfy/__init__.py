"""`ntfy`: alerts as push messages, by an ntfy server (docs.ntfy.sh/publish, "Publish as JSON")."""

from collections.abc import Iterable

from msgspec import Struct

from gatekeeper import Secret, strict_json
from gatekeeper.channels import ChannelContext, ChannelType, Notification, Outcome, TryAgain
from gatekeeper.channels.http import check_headers, check_url, outcome, post
from gatekeeper.channels.wording import headline, plain

PRIORITIES = {"low": 2, "medium": 3, "high": 4, "critical": 5}


class NtfySettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Push messages by an ntfy server."""

    topic: str
    """What phones have subscribed to."""
    server: str = "https://ntfy.sh"
    """The server."""
    token: Secret | None = None
    """Access token, where the topic needs one."""

    def __post_init__(self) -> None:
        check_url(self.server, "server")
        check_headers({"Authorization": f"Bearer {self.token or ''}"}, "token")


class Ntfy:
    """Publishes to one topic."""

    def __init__(self, settings: NtfySettings, context: ChannelContext) -> None:
        self._settings = settings
        self._context = context

    def send(self, notification: Notification) -> Outcome:
        message = {
            "topic": self._settings.topic,
            "title": headline(notification),
            "message": plain(notification)[:4000],
            "priority": 2 if notification.resolved else PRIORITIES[notification.severity],
            "tags": ["white_check_mark" if notification.resolved else "rotating_light"],
        }
        token = self._settings.token or ""
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        response = post(self._settings.server, strict_json(message), headers=headers, context=self._context)
        return response if isinstance(response, TryAgain) else outcome(response, hidden=[token])


def gatekeeper_channels() -> Iterable[ChannelType]:
    return [
        ChannelType(
            name="ntfy",
            summary="push messages by an ntfy server",
            settings=NtfySettings,
            open=Ntfy,
            min_severity="high",
        )
    ]
