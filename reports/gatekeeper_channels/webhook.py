"""`webhook`: notifications as CloudEvents to any URL, signed as Standard Webhooks say.

Each attempt has the same `webhook-id` and the same body, and a timestamp and signature of its own:
github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, "Webhook headers". The body is a CloudEvent
in structured or binary mode (cloudevents/spec, bindings/http-protocol-binding.md).
"""

import base64
import binascii
import time
from typing import Literal

from msgspec import Struct, field

from gatekeeper import Secret
from gatekeeper.channels import ChannelContext, ChannelType, Notification, Outcome, TryAgain
from gatekeeper.channels.http import check_headers, check_url, outcome, post

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
"""How long a key may be: 192 to 512 bits ("Signature scheme")."""

OWN_HEADERS = ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature")


class WebhookSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Notifications as CloudEvents to any URL, signed as Standard Webhooks say."""

    url: Secret
    """Where they are posted to."""
    secret: Secret | None = None
    """What they are signed with: `whsec_` and 24 to 64 random bytes in base64. Unset: they are not signed."""
    secrets: tuple[Secret, ...] = ()
    """The same while keys are changed: signed with each of them, the new one first."""
    headers: dict[str, Secret] = field(default_factory=dict)
    """Further headers, such as `Authorization`."""
    mode: Literal["structured", "binary"] = "structured"
    """How the CloudEvent is carried: all of it in the body, or its attributes as `ce-` headers."""
    ca_file: str = ""
    """A PEM file with the authorities to trust instead of the system's; relative to the project's folder."""

    def __post_init__(self) -> None:
        check_url(self.url)
        check_headers(self.headers, own=OWN_HEADERS)
        if any(name.lower().startswith("ce-") for name in self.headers):
            raise ValueError("headers: those that start with ce- are set by the channel itself")
        if self.secret is not None and self.secrets:
            raise ValueError('secrets: takes the place of "secret"; give one of the two')
        for number, secret in enumerate(self.keys):
            if secret or not secret.reference:
                _key(secret, "secret" if self.secret is not None else f"secrets: number {number + 1}")

    @property
    def keys(self) -> tuple[Secret, ...]:
        return self.secrets if self.secret is None else (self.secret,)


class Webhook:
    """Posts to one URL."""

    def __init__(self, settings: WebhookSettings, context: ChannelContext) -> None:
        self._settings = settings
        self._context = context
        self._keys = [_key(secret, "secret") for secret in settings.keys]

    def send(self, notification: Notification) -> Outcome:
        from gatekeeper.channels.envelope import cloudevent, http_binary, http_structured

        encode = http_binary if self._settings.mode == "binary" else http_structured
        attributes, body = encode(cloudevent(notification))
        headers = {**attributes, **self._signed(notification.id, body), **self._settings.headers}
        ca_file = self._settings.ca_file
        response = post(self._settings.url, body, headers=headers, context=self._context, ca_file=ca_file)
        if isinstance(response, TryAgain):
            return response
        return outcome(response, hidden=self._settings.headers.values())

    def _signed(self, id: str, body: bytes) -> dict[str, str]:
        now = str(int(time.time()))
        headers = {"webhook-id": id, "webhook-timestamp": now}
        if self._keys:
            content = f"{id}.{now}.".encode() + body
            headers["webhook-signature"] = " ".join(_signature(key, content) for key in self._keys)
        return headers


def _signature(key: bytes, content: bytes) -> str:
    import hashlib
    import hmac

    digest = hmac.digest(key, content, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(secret: str, name: str) -> bytes:
    """The bytes of a secret, which is never shown.

    Raises:
        ValueError: it is none.
    """
    encoded = secret.removeprefix(PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in KEY_BYTES:
        raise ValueError(
            f"{name}: expected {PREFIX} and 24 to 64 bytes in base64, as Standard Webhooks say; "
            f"make one with: echo {PREFIX}$(openssl rand -base64 32)"
        )
    return key


CHANNEL = ChannelType(
    name="webhook",
    summary="CloudEvents to any URL, signed as Standard Webhooks say",
    settings=WebhookSettings,
    open=Webhook,
    min_severity="high",
)
