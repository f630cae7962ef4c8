"""A notification as a mail.

Formats: RFC 5322 (message), RFC 2046 section 5.1.4 (alternatives), RFC 3834 section 5 (`Auto-Submitted`).
"""

import re
from collections.abc import Iterable, Iterator
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from html import escape
from typing import TYPE_CHECKING, Self

from gatekeeper.channels import AlertEvent, Notification
from gatekeeper.channels.wording import details, headline, plain, remainder, title, worst_first

if TYPE_CHECKING:
    from gatekeeper_channels.email import Mailbox

MOST_OF_SUBJECT = 200
COLORS = {"low": "#57606a", "medium": "#8a6100", "high": "#b34700", "critical": "#c11f2c"}
"""Each readable on white (WCAG 2, 4.5 : 1)."""
OVER = "#1a7f37"

_MESSAGE_ID = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")


def message(
    notification: Notification, sender: "Mailbox", to: Iterable["Mailbox"], prefix: str
) -> EmailMessage:
    """The same mail in every attempt."""
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = Subject(f"{prefix} {headline(notification)}".strip())
    mail["From"] = _address(sender)
    mail["To"] = [_address(each) for each in to]
    mail["Date"] = _date(notification.created)
    mail["Message-ID"] = message_id(notification, sender)
    if thread := thread_of(notification):
        mail["In-Reply-To"] = thread
        mail["References"] = thread
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Gatekeeper-State"] = "resolved" if notification.resolved else "firing"
    mail["X-Gatekeeper-Severity"] = notification.severity
    mail.set_content(plain(notification), cte="quoted-printable")
    mail.add_alternative(html(notification), subtype="html", cte="quoted-printable")
    mail.set_boundary(f"=_{_safe(notification.id)}")  # "=_" never occurs in quoted-printable text
    return mail


class Subject(str):
    """A subject, cut, as the policy of a mail takes it; its own encoder loses spaces between words beyond ASCII."""

    name = "Subject"

    def __new__(cls, text: str) -> Self:
        return super().__new__(
            cls, text if len(text) <= MOST_OF_SUBJECT else f"{text[: MOST_OF_SUBJECT - 1]}…"
        )

    def fold(self, *, policy: Policy) -> str:
        charset = "us-ascii" if self.isascii() and "=?" not in self else "utf-8"
        encoded = Header(str(self), charset, header_name=self.name).encode(linesep=policy.linesep)
        return f"{self.name}: {encoded}{policy.linesep}"


def message_id(notification: Notification, sender: "Mailbox") -> str:
    """The same in every attempt (RFC 5322 section 3.6.4)."""
    return f"<{_safe(notification.id)}.gatekeeper@{sender.domain}>"


def _safe(id: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "-", id)[:64]


def thread_of(notification: Notification) -> str:
    """The group's first mail, if there was one."""
    thread = notification.thread or ""
    return thread if _MESSAGE_ID.fullmatch(thread) and len(thread) < 500 else ""


def _address(mailbox: "Mailbox") -> Address:
    return Address(mailbox.name, mailbox.local, mailbox.domain)


def _date(created: str) -> str:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        moment = datetime.now(UTC)
    return format_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def html(notification: Notification) -> str:
    """The mail's other form. Styles are inline: mail readers drop others."""
    said = headline(notification)
    color = OVER if notification.resolved else COLORS[notification.severity]
    lines = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(said)}</title></head>',
        '<body style="font:14px/1.5 system-ui,sans-serif;color:#1f2328;background:#fff">',
        f'<h1 style="font-size:18px;color:{color}">{escape(said)}</h1>',
    ]
    for event in worst_first(notification.events):
        lines += _event(event)
    lines += [f"<p>{escape(text)}</p>" for text in remainder(notification)]
    return "\n".join([*lines, "</body></html>"]) + "\n"


def _event(event: AlertEvent) -> Iterator[str]:
    color = OVER if event.kind == "resolved" else COLORS[event.alert.severity]
    yield f'<h2 style="font-size:15px;color:{color};margin:16px 0 4px">{escape(title(event))}</h2>'
    yield '<table style="border-collapse:collapse">'
    for label, text in details(event):
        cell = _link(text) if label == "link" else escape(text).replace("\n", "<br>")
        yield (
            '<tr><th scope="row" style="text-align:left;vertical-align:top;padding:0 16px 0 0;font-weight:normal;'
            f'color:#57606a">{escape(label)}</th><td>{cell}</td></tr>'
        )
    yield "</table>"


def _link(text: str) -> str:
    """An address to follow, where it leads to a web page; others are shown only."""
    shown = escape(text)
    safe = text.startswith(("https://", "http://")) and not re.search(r"\s", text)
    return f'<a href="{shown}" rel="noreferrer">{shown}</a>' if safe else shown
