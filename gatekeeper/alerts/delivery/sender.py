"""A thread for a channel: whatever that does, whoever waits for it need not."""

import sys
import threading
from queue import Empty, SimpleQueue
from typing import TextIO

from msgspec import Struct

from gatekeeper.alerts.configured import Configured
from gatekeeper.alerts.delivery.outcome import answered, raised
from gatekeeper.channels import Channel, ChannelContext, Notification, Outcome, TryAgain
from gatekeeper.quantities import show


class Terminal(Struct, frozen=True):
    """Where channels for people at the terminal write; None: standard error."""

    console: TextIO | None = None
    color: bool = False


TERMINAL = Terminal()


class Answer(Struct, frozen=True):
    """What became of an attempt: of which channel, its number, and the outcome."""

    channel: str
    attempt: int
    outcome: Outcome


class Sender:
    """Opens a channel and sends what it is given, one after the other, in a daemon thread of its own.

    Each attempt's answer goes to `answers`. Who stops waiting for one drops the sender and makes another: the thread
    may never come back. A thread that comes back after `stop` ends.
    """

    def __init__(
        self, configured: Configured, terminal: Terminal, within: float, answers: "SimpleQueue[Answer]"
    ) -> None:
        self._configured, self._answers = configured, answers
        self._context = ChannelContext(
            name=configured.name,
            within=within,
            allow_private=configured.settings.allow_private,
            root=configured.root,
            console=terminal.console or sys.stderr,
            color=terminal.color,
        )
        self._inbox: SimpleQueue[tuple[int, Notification] | None] = SimpleQueue()
        self._channel: Channel | None = None
        threading.Thread(target=self._work, name=f"channel {configured.name}", daemon=True).start()

    def send(self, attempt: int, notification: Notification) -> None:
        self._inbox.put((attempt, notification))

    def stop(self) -> None:
        self._inbox.put(None)

    def _work(self) -> None:
        while (given := self._inbox.get()) is not None:
            attempt, notification = given
            self._answers.put(Answer(self._configured.name, attempt, self._outcome(notification)))

    def _outcome(self, notification: Notification) -> Outcome:
        secrets = self._configured.secrets
        try:
            if self._channel is None:
                self._channel = self._configured.type.open(self._configured.values, self._context)
            return answered(self._channel.send(notification), secrets)
        except BaseException as error:  # sys.exit() in a plugin must end neither its thread nor the run
            self._channel = None
            try:
                return raised(error, secrets)
            except BaseException:
                return TryAgain(f"raised {type(error).__name__}")


def timed_out(seconds: float) -> TryAgain:
    return TryAgain(f"timed out after {show(round(seconds, 1 if seconds >= 1 else 3), 's')}")


def try_once(
    configured: Configured,
    notification: Notification,
    terminal: Terminal = TERMINAL,
    *,
    within: float | None = None,
) -> Outcome:
    """One attempt, on the path that every notification takes, but for the outbox.

    Args:
        configured: the channel.
        notification: what is sent.
        terminal: where the channel writes, if that is what it does.
        within: seconds; the channel's own timeout by default.
    """
    if configured.missing:
        return TryAgain(configured.missing)
    limit = float(configured.settings.timeout) if within is None else within
    answers: SimpleQueue[Answer] = SimpleQueue()
    sender = Sender(configured, terminal, limit, answers)
    sender.send(1, notification)
    sender.stop()
    try:
        return answers.get(timeout=limit).outcome
    except Empty:
        return timed_out(limit)
