"""Notifications in a real outbox, and channels that behave as they are told."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from gatekeeper.alerts.configured import Configured
from gatekeeper.channels import (
    Alert,
    AlertEvent,
    ChannelContext,
    ChannelType,
    Delivered,
    Notification,
    Outcome,
)
from gatekeeper.plain import strict_json
from gatekeeper.settings.alerting import ChannelSettings
from gatekeeper.store import open_store
from gatekeeper.store.sql import Store
from gatekeeper.store.sqlite import SqliteStore
from gatekeeper.store.standing import Delivery

Send = Callable[[Notification], Any]


class Nothing(Struct, frozen=True):
    """The settings of a channel that has none."""


class Scripted:
    """A channel that answers each attempt with the next of its answers (the last one again and again).

    An answer is an outcome, anything else that `send` may return, an exception to raise, or a function to call.
    """

    def __init__(self, answers: Iterable[Any], seen: list[Notification]) -> None:
        self._answers, self.seen = [*answers], seen

    def send(self, notification: Notification) -> Outcome:
        self.seen.append(notification)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer(notification) if callable(answer) else answer  # type: ignore[no-any-return]


def channel(
    name: str = "ops",
    *answers: Any,
    seen: list[Notification] | None = None,
    secrets: tuple[bytes, ...] = (),
    missing: str = "",
    open_: Callable[[Any, ChannelContext], Any] | None = None,
    **settings: Any,
) -> Configured:
    """A configured channel that delivers, or answers as told; what it was given lands in `seen`."""
    scripted = Scripted(answers or (Delivered(),), [] if seen is None else seen)
    return Configured(
        name=name,
        settings=ChannelSettings(type="scripted", name=name, **settings),
        type=ChannelType(
            name="scripted", summary="", settings=Nothing, open=open_ or (lambda values, context: scripted)
        ),
        values=Nothing(),
        secrets=secrets,
        missing=missing,
    )


def notification(identity: str, channel: str = "ops", **fields: Any) -> Notification:
    alert = Alert(
        fingerprint="0" * 32,
        gate="pre.disk",
        subject="shop",
        severity="high",
        since="2026-01-01T00:00:00Z",
        run="r1",
    )
    event = AlertEvent(
        id=f"event-{identity}", kind="firing", time="2026-01-01T00:00:00Z", run="r1", alert=alert
    )
    return Notification(
        id=identity,
        channel=channel,
        subject="shop",
        created="2026-01-01T00:00:00Z",
        events=(event,),
        **fields,
    )


def delivery(identity: str, channel: str = "ops", group: str = "g", now: float | None = None) -> Delivery:
    moment = time.time() if now is None else now
    return Delivery(
        id=identity, channel=channel, group=group, created=moment, due=moment,
        document=strict_json(notification(identity, channel)),
    )  # fmt: skip


def store(folder: Path) -> SqliteStore:
    """The store of a folder, made where it isn't there."""
    opened = at(str(folder / "history.db"), folder)
    assert isinstance(opened, SqliteStore)
    return opened


def at(url: str, folder: Path) -> Store:
    """The store at a URL."""
    return open_store(url, create=True, folder=folder)


def queue(outbox: Store, *deliveries: Delivery) -> None:
    with outbox.changing():
        outbox.queue(deliveries)
