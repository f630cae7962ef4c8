"""One channel's part of a run of deliveries: which notification when, and when to stop."""

import math
import time
from queue import SimpleQueue

import msgspec
from msgspec import Struct

from gatekeeper.alerts.configured import Configured
from gatekeeper.alerts.delivery.outbox import Claimed, Outbox
from gatekeeper.alerts.delivery.sender import Answer, Sender, Terminal, timed_out
from gatekeeper.channels import Delivered, Notification, Outcome, Refused, TryAgain
from gatekeeper.store.standing import Delivery

LEAST = 1.0
"""Seconds that have to be left for another attempt after one that failed: one that is cut off may be accepted, and is
repeated all the same.
"""


class Effort(Struct, frozen=True):
    """How far a run of deliveries goes: until `ends` (of the monotonic clock, seconds); `force`: without waiting, each
    notification once.
    """

    ends: float
    force: bool


class Lane:
    """Sends a channel's notifications, one at a time. Called by one thread, which it never keeps waiting.

    It is over when nothing is left to send, when `attempts` attempts in a row have failed, when the next wait would
    last too long, or when time is up.
    """

    def __init__(
        self,
        configured: Configured,
        outbox: Outbox,
        effort: Effort,
        terminal: Terminal,
        answers: "SimpleQueue[Answer]",
        *,
        disabled: bool = False,
    ) -> None:
        self.configured, self.over = configured, False
        self.why = ""
        self.started = time.monotonic()
        self.ended = self.started
        self._outbox, self._effort, self._terminal, self._answers = outbox, effort, terminal, answers
        self._disabled = disabled
        self._sender: Sender | None = None
        self._attempt = 0
        self._sent: dict[int, Delivery] = {}
        """What was given to a sender and never answered, by attempt."""
        self._failures = 0
        self._failed: list[str] = []
        self._limit = 0.0
        self._moment = self.started
        """When to look again: an attempt's end, or the end of a wait."""
        self._waiting = False

    @property
    def next(self) -> float:
        """When to `step` again, of the monotonic clock."""
        return math.inf if self.over else self._moment

    def step(self, moment: float) -> None:
        """Begin the next attempt or give one up, if it is time."""
        if self.over or moment < self._moment:
            return
        if self._waiting:
            self._drop_sender()
            self._settle(self._sent[self._attempt], timed_out(self._limit))
        elif moment >= self._effort.ends:
            self._end()
        else:
            self._begin(moment)

    def _begin(self, moment: float) -> None:
        limit = min(float(self.configured.settings.timeout), self._effort.ends - moment)
        force = self._effort.force
        claimed = self._outbox.claim(
            self.configured.name, limit, due=not force, but=self._failed if force else ()
        )
        if claimed is None:
            self._end()
            return
        try:
            notification = _notification(claimed)
        except ValueError as error:
            self._settle(claimed.delivery, Refused(f"the record can't be read: {error}"))
            return
        self._limit = limit
        self._send(claimed.delivery, notification)

    def _send(self, delivery: Delivery, notification: Notification) -> None:
        if self._sender is None:
            try:
                self._sender = Sender(self.configured, self._terminal, self._limit, self._answers)
            except RuntimeError as error:  # the system has no thread to give
                self._settle(delivery, TryAgain(str(error)))
                return
        self._attempt += 1
        self._sent[self._attempt] = delivery
        self._waiting = True
        self._moment = min(time.monotonic() + self._limit, self._effort.ends)
        self._sender.send(self._attempt, notification)

    def answered(self, answer: Answer) -> None:
        """What a sender says, also one that was given up: what it delivered nevertheless is delivered."""
        delivery = self._sent.pop(answer.attempt)
        if answer.attempt == self._attempt and self._waiting:
            self._settle(delivery, answer.outcome)
        elif isinstance(answer.outcome, Delivered):
            self._record(delivery, answer.outcome)

    def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        """Record the outcome of the attempt that was waited for, and decide how to go on."""
        self._waiting = False
        self._moment = time.monotonic()
        wait = self._record(delivery, outcome)
        if isinstance(outcome, TryAgain):
            self._failures += 1
            self._failed.append(delivery.id)
            self._moment += 0.0 if self._effort.force else wait
            least = min(float(self.configured.settings.timeout), LEAST)
            enough = self._failures >= self.configured.settings.attempts
            if enough or self._moment + least > self._effort.ends:
                self._end()
        elif isinstance(outcome, Refused) and outcome.disable:
            self._end()
        elif isinstance(outcome, Delivered):
            self._failures = 0

    def _record(self, delivery: Delivery, outcome: Outcome) -> float:
        """Record an outcome; how many seconds to wait after it."""
        settled = self._outbox.settled(delivery, outcome)
        self._outbox.keep(settled)
        if not isinstance(outcome, Delivered):
            self.why = outcome.why
        elif self._disabled:
            self._disabled = False
            self._outbox.enable(self.configured.name)
        return settled.wait

    def _end(self) -> None:
        self.over, self.ended = True, time.monotonic()
        self._drop_sender()

    def _drop_sender(self) -> None:
        if self._sender is not None:
            self._sender.stop()
            self._sender = None


def _notification(claimed: Claimed) -> Notification:
    """The notification as it was recorded; `thread` is what was not known then.

    Raises:
        ValueError: another version wrote it so that this one can't read it.
    """
    found = msgspec.json.decode(claimed.delivery.document, type=Notification)
    return msgspec.structs.replace(found, thread=found.thread or claimed.thread)
