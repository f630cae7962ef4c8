"""Rate cap: a channel gets at most `max_per_hour` notifications.

When there are more groups to tell of than it has left, the last one it has tells of what is new in all the others: the
worst alerts, and how many more. They are one group from then on, until they are over. Once none is left, the rest
waits, unless a critical alert fires: what is critical is told at once, and what is new of it as one. A cap that hides
it would cost more than a notification too many.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gatekeeper.alerts.stages.listen import Topic
from gatekeeper.alerts.stages.repeat import Due
from gatekeeper.model import SEVERITIES
from gatekeeper.store.standing import Standing

HOUR = 3_600.0


class Capped(Struct, frozen=True):
    """What is told, and the alerts that wait, until when."""

    told: list[Due]
    waiting: list[Standing]
    until: float | None = None


def capped(due: Iterable[Due], everything: Topic, most: int, sent: Sequence[float], now: float) -> Capped:
    """Keep to `most` notifications an hour.

    `everything` is the topic for what is made one, `sent` the times of earlier notifications (seconds since the epoch).
    """
    in_order = sorted(due, key=_order)
    lately = sorted(at for at in sent if now - HOUR < at < now + HOUR)  # later ones: the clock was put back
    room = most - len(lately)
    if len(in_order) <= room:
        return Capped(in_order, [])
    alone, rest = in_order[: max(0, room - 1)], in_order[max(0, room - 1) :]
    until = lately[len(lately) - most] + HOUR if room <= 0 else None
    new = [each for each in rest if any(room > 0 or _is_critical(standing) for standing in _new(each))]
    if len(new) > 1:
        one, rest = _made_one(rest, everything, all_=room > 0)
        alone.append(one)
    elif room > 0:
        alone.append(rest.pop(0))
    urgent = [each for each in rest if not each.repeat and any(map(_is_critical, each.firing))]
    waiting = [each for each in rest if not each.repeat and not any(map(_is_critical, each.firing))]
    return Capped([*alone, *urgent], [standing for each in waiting for standing in each.firing], until)


def _made_one(due: Iterable[Due], everything: Topic, *, all_: bool) -> tuple[Due, list[Due]]:
    """What is new (what is critical, or all) as one, and what is left without it."""
    firing: list[Standing] = []
    over: tuple[Standing, ...] = ()
    left = []
    for each in due:
        if each.topic is everything and not each.repeat:
            firing += each.firing
            over = each.over
            continue
        moved = [standing for standing in _new(each) if all_ or _is_critical(standing)]
        firing += moved
        names = {standing.alert.fingerprint for standing in moved}
        each.topic.news = [s for s in each.topic.news if s.alert.fingerprint not in names]
        stay = tuple(standing for standing in each.firing if standing.alert.fingerprint not in names)
        if stay or each.over:
            left.append(replace(each, firing=stay))
    return Due(everything, tuple(firing), over), left


def _new(due: Due) -> list[Standing]:
    """What the channel knows nothing of: what it does know stays in the group that it was told in."""
    if due.repeat:
        return []
    return [standing for standing in due.firing if standing.alert.fingerprint not in due.topic.known]


def _order(due: Due) -> tuple[bool, int, str]:
    """News first, of those the worst."""
    severities = (SEVERITIES.index(standing.alert.severity) for standing in due.firing)
    return due.repeat, -max(severities, default=-1), due.topic.told.group


def _is_critical(standing: Standing) -> bool:
    return standing.alert.severity == "critical"
