"""One session with an SMTP server, from the connection to the answer to the mail, within a deadline.

Formats: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 8314 section 3.3 (implicit TLS), RFC 4954 and RFC 4616 (`AUTH`
with `PLAIN`), RFC 6531 (addresses that are not ASCII).
"""

import base64
import re
import smtplib
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Self

from gatekeeper.channels import ChannelContext
from gatekeeper.net import Deadline, ProbeError, dialed
from gatekeeper.wording import one_line

if TYPE_CHECKING:
    from gatekeeper_channels.email import EmailSettings

MOST_ANSWERED = 65_536
"""Bytes of a server's answers in one session that are read."""
MOST_SAID = 200
"""Characters of an answer that are told."""

Refusals = dict[str, tuple[int, str]]
"""Recipients that were refused: address → code and what was said."""


class Failure(Exception):
    """The mail was not accepted. `for_good`: because of what it is, so it never will be."""

    def __init__(self, why: str, for_good: bool = False) -> None:
        super().__init__(why)
        self.why, self.for_good = why, for_good


def deliver(
    mail: EmailMessage,
    sender: str,
    recipients: list[str],
    settings: "EmailSettings",
    port: int,
    context: ChannelContext,
) -> Refusals:
    """Send one mail; returns who of the recipients was refused, while others were accepted.

    Raises:
        Failure: nobody has it.
    """
    place = f"{settings.host}:{port}"
    hidden = _hidden(settings)
    try:
        trust = _trust(settings, context)
        public_only = not context.allow_private
        with (
            dialed(settings.host, port, within=context.within, public_only=public_only) as (sock, deadline),
            _explained(deadline, hidden),
            _Session(sock, place, deadline) as session,
        ):
            session.begin(settings, port, trust)
            session.doing("sending the mail to")
            refused = session.send_message(mail, sender, recipients)
            return {each: (code, _said(code, answer, hidden)) for each, (code, answer) in refused.items()}
    except ProbeError as error:
        raise Failure(error.message) from None


class _Session(smtplib.SMTP):
    """A session over a socket that is there already, whose answers are bounded."""

    def __init__(self, sock: socket.socket, place: str, deadline: Deadline) -> None:
        super().__init__(local_hostname="localhost")
        self._given, self._place, self._deadline = sock, place, deadline

    def doing(self, step: str) -> None:
        self._deadline.doing = f"{step} {self._place}"

    def begin(self, settings: "EmailSettings", port: int, trust: ssl.SSLContext | None) -> None:
        """Greeting, TLS, login."""
        self._host = settings.host  # whom `starttls` verifies
        self.local_hostname = settings.helo or _own_name(self._given)
        if settings.tls == "implicit" and trust is not None:
            self.doing("in the TLS handshake with")
            self._given = trust.wrap_socket(self._given, server_hostname=settings.host)
        self.doing("waiting for the greeting of")
        code, said = self.connect(settings.host, port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        self.doing("greeting (EHLO)")
        self.ehlo_or_helo_if_needed()
        if settings.tls == "starttls":
            self.doing("in STARTTLS with")
            if not self.has_extn("starttls"):
                raise Failure(
                    f'{self._place} offers no STARTTLS; `tls = "none"` would do without, unencrypted'
                )
            self.starttls(context=trust)
            self.ehlo()
        if settings.user is not None and settings.password is not None:
            self.doing("logging in at")
            self._log_in(settings.user, settings.password)

    def _log_in(self, user: str, password: str) -> None:
        """`PLAIN`, else `LOGIN`, in UTF-8; smtplib's own `login` takes ASCII only."""
        offered = str(self.esmtp_features.get("auth", "")).upper().split()
        if "PLAIN" in offered:
            words = f"\0{user}\0{password}"
            answer = self.docmd("AUTH", f"PLAIN {_base64(words)}")
        elif "LOGIN" in offered:
            answer = self.docmd("AUTH", "LOGIN")
            for word in (user, password):
                answer = self.docmd(_base64(word)) if answer[0] == 334 else answer
        else:
            raise Failure(f"{self._place} offers no login with PLAIN or LOGIN")
        if answer[0] != 235:
            raise smtplib.SMTPAuthenticationError(*answer)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._given

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Bounded(self.sock.makefile("rb"))
        return super().getreply()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, smtplib.SMTPException):
            self.putcmd("QUIT")  # whatever it answers, the mail is accepted or not
        self.close()
        self._given.close()


class _Bounded:
    """A server's answers, to so many bytes."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = MOST_ANSWERED

    def readline(self, most: int) -> bytes:
        line: bytes = self._file.readline(min(most, self._left))
        self._left -= len(line)
        if not self._left:
            raise OSError(f"it said more than {MOST_ANSWERED} bytes")
        return line

    def close(self) -> None:
        self._file.close()


@contextmanager
def _explained(deadline: Deadline, hidden: Iterable[str]) -> Iterator[None]:
    """What goes wrong in a session, as `Failure`.

    What was said of the mail's content, after it was sent, is for good (5xx). Everything before that can be mended: an
    address, a password, a sender that may not send.
    """
    try:
        yield
    except smtplib.SMTPDataError as error:
        said = _said(error.smtp_code, error.smtp_error, hidden)
        raise Failure(f"the mail was refused: {said}", for_good=500 <= error.smtp_code < 600) from None
    except smtplib.SMTPSenderRefused as error:
        said = _said(error.smtp_code, error.smtp_error, hidden)
        too_long = error.smtp_code == 552  # RFC 1870 section 6.1: it knows the mail's size by now
        raise Failure(f"the sender was refused: {said}", for_good=too_long) from None
    except smtplib.SMTPRecipientsRefused as error:
        each = (f"{one_line(to)}: {_said(*answer, hidden)}" for to, answer in error.recipients.items())
        raise Failure(f"no recipient was accepted: {'; '.join(each)}") from None
    except smtplib.SMTPAuthenticationError as error:
        said = _said(error.smtp_code, error.smtp_error, hidden)
        raise Failure(f"it refused the login: {said}") from None
    except smtplib.SMTPResponseException as error:
        said = _said(error.smtp_code, error.smtp_error, hidden)
        raise Failure(f"{deadline.doing}: it answered {said}") from None
    except smtplib.SMTPNotSupportedError:
        raise Failure("an address is not ASCII, and the server takes no such address (SMTPUTF8)") from None
    except smtplib.SMTPServerDisconnected as error:
        reason = str(error).partition("Connection unexpectedly closed: ")[2]
        raise Failure(
            f"{deadline.doing}: the connection was closed{f' ({reason})' if reason else ''}"
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise Failure(f"{deadline.doing}: its certificate was refused: {error.verify_message}") from None
    except ssl.SSLError as error:
        reason = (error.reason or "no TLS").replace("_", " ").lower()
        raise Failure(f"{deadline.doing}: {reason}") from None
    except OSError as error:
        raise Failure(f"{deadline.doing}: {error.strerror or error}") from None


def _trust(settings: "EmailSettings", context: ChannelContext) -> ssl.SSLContext | None:
    if settings.tls == "none":
        return None
    file = context.root / settings.ca_file if settings.ca_file else None
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:  # an SSLError is one
        reason = "no certificate in PEM format" if isinstance(error, ssl.SSLError) else error.strerror
        raise Failure(f"ca_file {settings.ca_file} can't be read: {reason}") from None


def _own_name(sock: socket.socket) -> str:
    """What this host calls itself: its full name, else the address that it is talking from (RFC 5321 section 4.1.3)."""
    name = socket.gethostname()
    if "." in name and re.fullmatch(r"[A-Za-z0-9.-]+", name):
        return name
    address = str(sock.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")


def _hidden(settings: "EmailSettings") -> list[str]:
    """What a server could repeat of a login."""
    user, password = settings.user or "", settings.password or ""
    words = [password, _base64(password), _base64(f"\0{user}\0{password}")] if password else []
    return sorted(words, key=len, reverse=True)


def _said(code: int, answer: bytes | str, hidden: Iterable[str]) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    for word in hidden:
        text = text.replace(word, "***")
    shown = one_line(" ".join(text.split()))
    return f"{code} {shown if len(shown) <= MOST_SAID else f'{shown[: MOST_SAID - 1]}…'}".strip()
