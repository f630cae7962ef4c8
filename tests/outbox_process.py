"""A process that queues notifications and delivers them over HTTP, and is killed (SIGKILL) at a step of that.

    outbox_process.py URL FOLDER PORT [--die STEP] [--queue ID ...] [--ahead SECONDS] [--wait]

`--ahead` is how far its clock is ahead, so that leases of a dead process are over; with `--wait` it says "ready" and
goes on once a line comes in.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import time
from typing import Any

from gatekeeper.alerts.delivery import backoff
from gatekeeper.alerts.delivery.deliver import deliver, sentence
from gatekeeper.channels import Delivered, Notification, Outcome, TryAgain
from gatekeeper.net import dialed
from gatekeeper.plain import strict_json
from gatekeeper.store.sql import Store
from gatekeeper.store.standing import Delivery
from outboxes import at as store_at
from outboxes import channel, delivery

STEPS = (
    "opened", "in the queue's transaction", "queued", "in the claim's transaction", "claimed", "connected",
    "half sent", "sent", "accepted", "in the settling transaction", "settled",
)  # fmt: skip
"""Everything that happens to a notification, in order."""


class Steps:
    """Dies at one of them."""

    def __init__(self, last: str) -> None:
        self._last = last

    def __call__(self, step: str) -> None:
        if step and step == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


def instrument(opened: Store, at: Steps) -> None:
    """Have the store call `at` at its steps: within each transaction once its statements are done, and after it."""
    inside = [""]
    changing: Callable[[], AbstractContextManager[None]] = opened.changing
    queue, claim, settle = opened.queue, opened.claim, opened.settle

    @contextmanager
    def watched() -> Any:
        with changing():
            yield
            at(inside[0])

    def queued(deliveries: Iterable[Delivery]) -> None:
        queue(deliveries)
        inside[0] = "in the queue's transaction"

    def claimed(*arguments: Any, **named: Any) -> list[Delivery]:
        inside[0] = "in the claim's transaction"
        found = claim(*arguments, **named)
        if found:
            at("claimed")
        return found

    def settled(*arguments: Any) -> bool:
        inside[0] = "in the settling transaction"
        kept = settle(*arguments)
        at("settled")
        return kept

    for name, function in (("changing", watched), ("queue", queued), ("claim", claimed), ("settle", settled)):
        setattr(opened, name, function)


def posting(port: int, at: Steps) -> Callable[[Notification], Outcome]:
    """Send by hand, to be stopped in the middle of it."""

    def send(notification: Notification) -> Outcome:
        body = strict_json(notification)
        head = f"POST / HTTP/1.1\r\nHost: loopback\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with dialed("127.0.0.1", port, within=10) as (sock, _):
            at("connected")
            sock.sendall(head + body[:10])
            at("half sent")
            sock.sendall(body[10:])
            at("sent")
            answer = b""
            while piece := sock.recv(4096):
                answer += piece
        at("accepted")
        return Delivered() if b" 200 " in answer else TryAgain("no answer")

    return send


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--die", default="")
    parser.add_argument("--queue", nargs="*", default=[])
    parser.add_argument("--ahead", type=float, default=0.0)
    parser.add_argument("--wait", action="store_true")
    given = parser.parse_args()
    backoff.BASE = 0.01
    at = Steps(given.die)
    with store_at(given.url, given.folder) as opened:
        instrument(opened, at)
        at("opened")
        if given.queue:
            with opened.changing():
                opened.queue(delivery(identity, group=identity) for identity in given.queue)
            at("queued")
        if given.wait:
            print("ready", flush=True)
            sys.stdin.readline()
        ops = channel("ops", posting(given.port, at))
        for sent in deliver(opened, [ops], grace=30, now=lambda: time() + given.ahead):
            print(sentence(sent))


if __name__ == "__main__":
    main()
