"""The channel's own tests: against an HTTP server on loopback that answers as it is told."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from gatekeeper_ntfy import Ntfy, NtfySettings

from gatekeeper import Secret
from gatekeeper.channels import Alert, AlertEvent, ChannelContext, Delivered, Kind, Notification, TryAgain


class Receiver(HTTPServer):
    status = 200
    seen: list[tuple[dict[str, Any], dict[str, str]]]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((json.loads(body), dict(self.headers)))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(("127.0.0.1", 0), Handler) as server:
        server.seen = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def opened(receiver: Receiver) -> Ntfy:
    settings = NtfySettings(
        topic="ops", server=f"http://127.0.0.1:{receiver.server_port}", token=Secret("tk_0123456789")
    )
    context = ChannelContext(name="ntfy", root=Path(), console=io.StringIO(), allow_private=True)
    return Ntfy(settings, context)


def notification(kind: Kind = "firing") -> Notification:
    since = "2026-11-21T06:00:00Z"
    alert = Alert(
        fingerprint="0f" * 16, gate="pre.disk", subject="checkout", severity="critical", since=since, run="r1"
    )
    event = AlertEvent(id="1c" * 16, kind=kind, time=since, run="r1", alert=alert)
    firing = int(kind != "resolved")
    return Notification(
        id="5e" * 16, channel="ntfy", subject="checkout", created=since, events=(event,), firing=firing
    )


def test_an_alert_is_a_message_with_a_priority(receiver: Receiver) -> None:
    assert opened(receiver).send(notification()) == Delivered()
    ((message, headers),) = receiver.seen
    assert message["topic"] == "ops"
    assert message["title"] == "FIRING critical: pre.disk of checkout"
    assert message["priority"] == 5
    assert headers["Authorization"] == "Bearer tk_0123456789"


def test_its_end_is_a_quiet_one(receiver: Receiver) -> None:
    assert opened(receiver).send(notification("resolved")) == Delivered()
    assert receiver.seen[0][0]["priority"] == 2


def test_a_server_that_is_busy_is_asked_again(receiver: Receiver) -> None:
    receiver.status = 503
    assert isinstance(opened(receiver).send(notification()), TryAgain)
