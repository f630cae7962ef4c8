"""The outbox as one run of deliveries uses it: what is claimed, and what became of it."""

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gatekeeper.alerts.delivery.backoff import wait
from gatekeeper.alerts.delivery.owner import gone, owner
from gatekeeper.channels import Delivered, Outcome, Refused
from gatekeeper.store.alerting import AlertQueries
from gatekeeper.store.errors import StoreError
from gatekeeper.store.standing import Delivery

SLACK = 5.0
"""Seconds that a lease outlasts its attempt: time to record what became of it."""


class Claimed(Struct, frozen=True):
    """A notification to send, and the `thread` that its channel gave for the group."""

    delivery: Delivery
    thread: str | None


class Settled(Struct, frozen=True):
    """What became of an attempt: the delivery as it is to be kept, whether it ends the channel, and how long to wait
    (seconds).
    """

    delivery: Delivery
    disable: bool = False
    wait: float = 0.0


class Outbox:
    """A store's outbox. Used by one thread; once the store fails, nothing more is claimed from it.

    `now` tells the time in seconds since the epoch, which other processes have to agree on.
    """

    def __init__(self, store: AlertQueries, now: Callable[[], float]) -> None:
        self._store, self._now = store, now
        self._owner = owner()
        self._unkept: list[Settled] = []
        self.delivered: Counter[str] = Counter()
        """How many were delivered and recorded, by channel."""
        self.refused: Counter[str] = Counter()
        self.broken: StoreError | None = None

    def release_dead(self) -> None:
        """End the leases of processes of this machine that died: nobody has to wait for these.

        Raises:
            StoreError: the store can't be used.
        """
        for name in self._store.owners(self._now()):
            if gone(name):
                self._store.release(name)

    def claim(self, channel: str, within: float, *, due: bool, but: Sequence[str]) -> Claimed | None:
        """The next notification of a channel, leased for an attempt of `within` seconds; None if there is none."""
        if self.broken is not None:
            return None
        try:
            found = self._store.claim(
                self._owner, self._now(), within + SLACK, channel=channel, due=due, but=but
            )
            if not found:
                return None
            told = self._store.told_of(channel, found[0].group)
        except StoreError as error:
            self.broken = error
            return None
        return Claimed(found[0], told.thread if told is not None else None)

    def settled(self, delivery: Delivery, outcome: Outcome) -> Settled:
        """What an outcome makes of a delivery."""
        now, attempts = self._now(), delivery.attempts + 1
        if isinstance(outcome, Delivered):
            done = replace(delivery, state="delivered", attempts=attempts, done=now, why="", ref=outcome.ref)
            return Settled(done)
        if isinstance(outcome, Refused) and not outcome.disable:
            return Settled(replace(delivery, state="refused", attempts=attempts, done=now, why=outcome.why))
        if isinstance(outcome, Refused):  # it is the channel that is refused: it goes out once that is mended
            return Settled(replace(delivery, attempts=attempts, due=now, why=outcome.why), disable=True)
        pause = wait(attempts, outcome.after)
        return Settled(replace(delivery, attempts=attempts, due=now + pause, why=outcome.why), wait=pause)

    def keep(self, settled: Settled) -> None:
        """Record it. Where the store fails, `close` tries once more."""
        try:
            self._keep(settled)
        except StoreError as error:
            self.broken = error
            self._unkept.append(settled)

    def _keep(self, settled: Settled) -> None:
        delivery = settled.delivery
        kept = self._store.settle(delivery, self._owner)
        self.delivered[delivery.channel] += kept and delivery.state == "delivered"
        self.refused[delivery.channel] += kept and delivery.state == "refused"
        if settled.disable:
            self._store.disable(delivery.channel, delivery.why, self._now())

    def enable(self, channel: str) -> None:
        """Bring a channel back that the other side had ended: it takes notifications again."""
        try:
            self._store.disable(channel, None, self._now())
        except StoreError as error:
            self.broken = error

    def close(self) -> list[Settled]:
        """Record what could not be recorded before; what still can't."""
        while self._unkept:
            try:
                self._keep(self._unkept[0])
            except StoreError as error:
                self.broken = error
                break
            self.broken = None
            self._unkept.pop(0)
        return self._unkept
