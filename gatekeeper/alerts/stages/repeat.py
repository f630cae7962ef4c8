"""Deduplication: a group is told again only if something is new, or when it has been quiet for `repeat_interval`.

What a channel knows is compared with how alerts stand, so nothing that is held back is lost: it is told when that
ends, if it still is so. A new group waits for `group_wait`; after that at least `group_interval` passes between two
notifications of it.
"""

from collections.abc import Collection

from msgspec import Struct

from gatekeeper.alerts.stages.listen import Topic
from gatekeeper.settings.alerting import AlertSettings
from gatekeeper.store.standing import Standing


class Due(Struct, frozen=True):
    """What is told of a group now: what fires, what is over. `repeat`: all of it was told before."""

    topic: Topic
    firing: tuple[Standing, ...] = ()
    over: tuple[Standing, ...] = ()
    repeat: bool = False


class Waits(Struct, frozen=True):
    """There is something new in a group, and it is not its time: why, until when."""

    topic: Topic
    why: str
    until: float


def due(
    topic: Topic, settings: AlertSettings, now: float, *, waits: bool, queued: Collection[str]
) -> Due | Waits | None:
    """What is to be done about a group at `now`.

    `waits` says whether a new group waits for `group_wait`. `queued` are groups with a notification in the outbox:
    nothing is repeated before it was told once.
    """
    told = topic.told
    if topic.news or topic.over:
        if told.at is None:
            since, gap, why = told.first, settings.group_wait if waits else 0.0, "its group waits for more"
        else:
            since, gap, why = told.at, settings.group_interval, "its group was told of lately"
        if now - since < gap:
            return Waits(topic, why, since + gap)
        return Due(topic, tuple(topic.news), tuple(topic.over))
    open_ = tuple(standing for standing in topic.still if standing.acked is None)
    if not open_ or told.at is None or told.group in queued:
        return None
    gap = max(settings.repeat_interval, settings.group_interval)
    return Due(topic, open_, repeat=True) if now - told.at >= gap else None
