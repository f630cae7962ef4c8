"""Receivers on loopback that behave as badly as real ones, notifications to send them, and what they saw."""

import io
import json
import socket
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from typing import Any

from gatekeeper.channels import Alert, AlertEvent, ChannelContext, Kind, Notification
from gatekeeper.model import Severity
from loopback import Handler, Server, answering, hanging, resetting, response, trickling

HEAD = b"HTTP/1.1 200 OK\r\n"
WITHIN = 0.5

SILENT: dict[str, Handler] = {
    "hangs before the headers": hanging(),
    "hangs in the status line": hanging(b"HT"),
    "hangs in the headers": hanging(HEAD + b"X-One: 1\r\n"),
    "hangs after the headers": hanging(HEAD + b"Content-Length: 5\r\n\r\n"),
    "hangs in the body": hanging(HEAD + b"Content-Length: 5\r\n\r\nab"),
    "trickles headers": trickling(HEAD, b"X-Trickle: 1\r\n"),
    "trickles a body": trickling(HEAD + b"Content-Length: 1000000\r\n\r\n"),
    "trickles chunks": trickling(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}
"""Receivers that never come to an end."""


def _at_once(sock: socket.socket, stop: threading.Event) -> None:
    """Resets the connection as soon as it was accepted."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


BREAKING: dict[str, Handler] = {
    "resets at once": _at_once,
    "closes without an answer": answering(b""),
    "resets after accepting": resetting(),
    "resets in the headers": resetting(HEAD),
    "resets in the body": resetting(HEAD + b"Content-Length: 5\r\n\r\nab"),
    "speaks no HTTP": resetting(b"220 mail.example ESMTP\r\n"),
}
"""Receivers that break off."""

ENDLESS: dict[str, bytes] = {
    "by length": b"Content-Length: 1000000000\r\n\r\n",
    "in chunks": b"Transfer-Encoding: chunked\r\n\r\n",
    "until it closes": b"\r\n",
}
"""Heads of bodies that have no end."""


def endless(status: str, how: str) -> Handler:
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n" if how == "in chunks" else b"x" * 65_536
    return trickling(f"HTTP/1.1 {status}\r\n".encode() + ENDLESS[how], piece, every=0)


def date(seconds: float) -> str:
    """An HTTP date so many seconds from now."""
    return formatdate(time.time() + seconds, usegmt=True)


def retry_afters() -> dict[str, tuple[str, float | None]]:
    """Every form of `Retry-After`: the header's value, and the seconds that it means (give or take two)."""
    return {
        "seconds": ("120", 120.0),
        "no time": ("0", 0.0),
        "a fraction": ("0.5", 0.5),
        "spaces around": ("  7  ", 7.0),
        "a date": (date(90), 90.0),
        "a date that has passed": (date(-3_600), 0.0),
        "the oldest form of a date": ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        "a date in another zone": (date(90).replace("GMT", "+0000"), 90.0),
        "a huge number": ("99999999999", 86_400.0),
        "a number of 4,000 digits": ("9" * 4_000, 86_400.0),
        "a date far away": ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        "negative": ("-5", None),
        "a word": ("soon", None),
        "empty": ("", None),
        "an ISO date": ("2026-11-21T06:00:10Z", None),
        "no date of the calendar": ("Wed, 31 Feb 2026 25:61:00 GMT", None),
        "digits of another script": ("١٢", None),
        "infinity": ("inf", None),
        "hexadecimal": ("0x10", None),
        "an exponent": ("1e3", None),
    }


def unavailable(status: str = "503 Service Unavailable", **headers: str) -> bytes:
    return response(b"try later", status, **headers)


def context(root: Path | str = ".", *, within: float = WITHIN, allow_private: bool = True) -> ChannelContext:
    """What a channel is opened with; the receivers of tests have private addresses."""
    return ChannelContext(
        name="ops", within=within, allow_private=allow_private, root=Path(root), console=io.StringIO()
    )


def event(kind: Kind = "firing", before: Severity | None = None, **alert: Any) -> AlertEvent:
    """An event of an alert that is like this one but for `alert`."""
    values: dict[str, Any] = {
        "gate": "pre.components",
        "finding": "warehouse",
        "subject": "checkout",
        "severity": "high",
        "state": "resolved" if kind == "resolved" else "firing",
        "since": ago(3_600),
        "ended": ago(60) if kind == "resolved" else None,
        "run": "run-2",
        "runs": 2,
        "value": 2.31,
        "operator": "<=",
        "limit": 2,
        "unit": "s",
        "summary": "answer time 2.31 s > 2 s",
        "hint": "systemctl status warehouse",
        "link": "https://ci.example/run/2",
    } | alert
    named = "|".join(str(values[name]) for name in ("gate", "finding", "subject"))
    values.setdefault("fingerprint", sha256(named.encode()).hexdigest()[:32])
    told = sha256(f"{named}|{kind}|{values['severity']}".encode()).hexdigest()[:32]
    return AlertEvent(id=told, kind=kind, time=ago(60), run="run-2", before=before, alert=Alert(**values))


def notification(*events: AlertEvent, **values: Any) -> Notification:
    """What a channel is given; one firing alert unless it says otherwise."""
    told = events or (event(),)
    given: dict[str, Any] = {
        "id": "5e" * 16,
        "channel": "ops",
        "subject": "checkout",
        "created": ago(0),
        "group": {"subject": "checkout"},
        "firing": sum(each.kind != "resolved" for each in told),
    } | values
    return Notification(events=told, **given)


def ago(seconds: float) -> str:
    """The time so many seconds ago, as records have it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Seen:
    """A request that a server read."""

    def __init__(self, request: bytes) -> None:
        head, _, self.body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = first.split(" ")
        self.pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        self.headers = {name.lower(): value for name, value in self.pairs}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def requests(seen: Sequence[bytes]) -> list[Seen]:
    return [
        Seen(each) for each in seen if each.strip()
    ]  # a client may open a connection that it then has no use for


def url(server: Server, path: str = "/hook") -> str:
    return f"http://127.0.0.1:{server.port}{path}"
