"""`email`: notifications as mails with text and HTML, over SMTP with TLS.

A notification's `Message-ID` is made of its id, the same in every attempt; what follows in its group answers to the
first mail. SMTP knows no id that a server would compare: a mail that was accepted just before a crash, or whose answer
was lost, is sent once more.
"""

import re
from contextlib import suppress
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from gatekeeper import Secret, printable
from gatekeeper.channels import (
    ChannelContext,
    ChannelType,
    Delivered,
    Notification,
    Outcome,
    Refused,
    TryAgain,
)

PORTS = {"starttls": 587, "implicit": 465, "none": 25}

_UNSAFE = r"\s<>@\"(),:;\\\[\]\x00-\x1f\x7f"
_ADDRESS = re.compile(rf"(?:(?P<name>[^<>]*)<)?(?P<local>[^{_UNSAFE}]+)@(?P<domain>[^{_UNSAFE}]+)(?(name)>)")
_HOST = re.compile(r"[^\s:/@\[\]\x00-\x1f\x7f]+|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*(%\w+)?")


class EmailSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Notifications as mails with text and HTML, over SMTP with TLS."""

    host: str
    """The SMTP server."""
    port: Annotated[int, Meta(ge=1, le=65_535)] | None = None
    """Its port; unset: 587, with `tls = "implicit"` 465, with `"none"` 25."""
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    """`starttls`: no mail without it; `implicit`: TLS from the first byte; `none`: nothing is encrypted."""
    ca_file: str = ""
    """A PEM file with the authorities to trust instead of the system's; relative to the project's folder."""
    user: Secret | None = None
    """Name to log in with."""
    password: Secret | None = None
    """Password to log in with; never sent without TLS."""
    from_: str = field(name="from")
    """Sender: `gate@example.org` or `Gatekeeper <gate@example.org>`."""
    to: tuple[str, ...]
    """Recipients, written as the sender; all get the same mail."""
    prefix: str = "[gatekeeper]"
    """What subjects begin with."""
    helo: str = ""
    """What this host calls itself (`EHLO`); unset: its name if it is a full one, else its address."""

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise ValueError('host: expected the name or address of a server, such as "mail.example.org"')
        if self.helo and not re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", self.helo):
            raise ValueError('helo: expected a host name, such as "ci.example.org"')
        if self.prefix != printable(self.prefix):
            raise ValueError("prefix: expected printable text on one line")
        Mailbox.parse(self.from_, "from")
        if not self.to:
            raise ValueError("to: expected one recipient or more")
        for recipient in self.to:
            Mailbox.parse(recipient, "to")
        if (self.user is None) != (self.password is None):
            raise ValueError('to log in takes both, "user" and "password"')
        if self.user is not None and self.tls == "none":
            raise ValueError('tls: a password is not sent without TLS; use "starttls" or "implicit"')


class Mailbox(Struct, frozen=True):
    """A name, which may be empty, and an address, its domain in ASCII (RFC 5890)."""

    name: str
    local: str
    domain: str

    @property
    def address(self) -> str:
        return f"{self.local}@{self.domain}"

    @classmethod
    def parse(cls, text: str, key: str) -> "Mailbox":
        """`gate@example.org` or `Gatekeeper <gate@example.org>`.

        Raises:
            ValueError: it is neither; starts with `key`.
        """
        found = _ADDRESS.fullmatch(text.strip())
        if found is None or text != printable(text):
            raise ValueError(
                f"{key}: {printable(text)!r} is no address; expected one such as "
                '"ops@example.org" or "Operations <ops@example.org>"'
            )
        try:
            domain = found["domain"].encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError(f"{key}: {found['domain']!r} is no domain") from None
        return cls((found["name"] or "").strip().strip('"'), found["local"], domain)


class Email:
    """Sends through one server, in a session for each notification."""

    def __init__(self, settings: EmailSettings, context: ChannelContext) -> None:
        self._settings = settings
        self._context = context
        self._has: dict[str, set[str]] = {}
        """Who has a notification already that not everybody has, by its id."""

    def send(self, notification: Notification) -> Outcome:
        from gatekeeper_channels.email.message import message, message_id, thread_of
        from gatekeeper_channels.email.session import Failure, deliver

        sender = Mailbox.parse(self._settings.from_, "from")
        mailboxes = [Mailbox.parse(each, "to") for each in self._settings.to]
        has = self._has.setdefault(notification.id, set())
        recipients = [each for each in dict.fromkeys(m.address for m in mailboxes) if each not in has]
        mail = message(notification, sender, mailboxes, self._settings.prefix)
        port = self._settings.port or PORTS[self._settings.tls]
        try:
            refused = deliver(mail, sender.address, recipients, self._settings, port, self._context)
        except Failure as failure:
            return Refused(failure.why) if failure.for_good else TryAgain(failure.why)
        has |= set(recipients) - refused.keys()
        later = {address: why for address, (code, why) in refused.items() if code < 500}
        if later:
            return TryAgain(f"not all recipients were accepted: {_listed(later)}")
        if refused:
            self._tell(_listed({address: why for address, (_, why) in refused.items()}))
        return Delivered(thread_of(notification) or message_id(notification, sender))

    def _tell(self, refused: str) -> None:
        """The mail is delivered: it must not go to the others again for the sake of those."""
        with suppress(OSError, ValueError):
            self._context.console.write(f"{self._context.name}: sent, but not to {refused}\n")
            self._context.console.flush()


def _listed(refused: dict[str, str]) -> str:
    return "; ".join(f"{printable(address)}: {why}" for address, why in refused.items())


CHANNEL = ChannelType(
    name="email",
    summary="mails with text and HTML, over SMTP with TLS",
    settings=EmailSettings,
    open=Email,
)
