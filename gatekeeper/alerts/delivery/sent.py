"""What became of a channel's notifications, and how that is said."""

import math

from msgspec import Struct

from gatekeeper.quantities import show
from gatekeeper.store.alerting import Backlog


class Sent(Struct, frozen=True, kw_only=True):
    """What a run of deliveries came to for one channel.

    How many notifications were delivered, are (still) queued, were refused for good; why not delivered, if any were
    not; how long it took, in seconds.
    """

    channel: str
    delivered: int = 0
    queued: int = 0
    refused: int = 0
    why: str = ""
    took_s: float = 0.0


def sentence(sent: Sent) -> str:
    """`slack: 2 sent`, or `slack NOT sent: timed out after 5 s, queued`."""
    kept = [(sent.queued, "queued"), (sent.refused, "refused")]
    if not any(count for count, _ in kept):
        return f"{sent.channel}: {sent.delivered} sent" + (f" ({sent.why})" if sent.why else "")
    several = sent.delivered + sent.queued + sent.refused > 1
    state = " and ".join(f"{count} {word}" if several else word for count, word in kept if count)
    start = f"{sent.channel}: {sent.delivered} sent," if sent.delivered else sent.channel
    return f"{start} NOT sent: {sent.why}, {state}"


def resting(backlog: Backlog, now: float) -> str:
    """Why notifications are queued that nobody tried now (seconds since the epoch)."""
    if backlog.leased == backlog.count:
        return "another process is sending"
    if (wait := backlog.due - now) > 0:
        reason = backlog.why or "not due yet"
        return f"{reason}, next attempt in {show(math.ceil(wait), 's')}"
    return "no time was left"


def switched_off(why: str) -> str:
    """Why nothing is sent to a channel that the other side has ended."""
    return f"switched off ({why}), mend it and run `gatekeeper alerts flush`"
