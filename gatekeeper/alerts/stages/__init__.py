"""The stages between events and channels: what is told to whom now.

One file each, pure functions of a `Situation`, in this order: `quiet` (silences and maintenance windows), `inhibit`
(one alert for a root cause), `escalate` (what nobody acknowledges), `listen` (what a channel wants and already knows),
`group`, `repeat` (deduplication and intervals), `cap` (so many an hour), `compose` (the notification). No stage drops
an alert: what one holds back is compared again at the next evaluation, and told if it is still so.
"""

from collections.abc import Collection
from datetime import UTC, datetime

from msgspec.structs import replace

from gatekeeper.alerts.stages.escalate import Escalation, Moment
from gatekeeper.alerts.stages.inhibit import Inhibitions
from gatekeeper.alerts.stages.listen import orphans
from gatekeeper.alerts.stages.quiet import active, hushed, matches, next_times, quiets_of
from gatekeeper.alerts.stages.situation import ALL, Held, Planned, Recipient, Situation
from gatekeeper.alerts.stages.tell import Scene, told_now
from gatekeeper.record import stamp
from gatekeeper.store.standing import Standing

__all__ = [
    "ALL",
    "Held",
    "Planned",
    "Recipient",
    "Situation",
    "active",
    "matches",
    "next_times",
    "plan",
    "quiets_of",
]


def plan(situation: Situation) -> Planned:
    """What is told to whom now. The same situation makes the same plan, whatever order its standings have."""
    settings = situation.settings
    now = datetime.fromtimestamp(situation.now, UTC)
    moment = Moment(situation.now, stamp(now), situation.run)
    inhibitions = Inhibitions(settings.inhibit, situation.parents)
    escalation = Escalation(settings.escalation)

    before = sorted(situation.standings, key=lambda standing: standing.alert.fingerprint)
    quiet = hushed(before, situation.quiets, situation.now)
    firing = [standing for standing in before if standing.alert.state == "firing"]
    inhibited = inhibitions.inhibited(firing) if settings.escalation else {}
    after = escalation.escalated(before, quiet.keys() | inhibited.keys(), moment)
    raised = [new for old, new in zip(before, after, strict=True) if new is not old]
    quiet |= hushed(raised, situation.quiets, situation.now)

    scene = Scene(situation, moment, after, quiet, inhibitions, escalation)
    by_channel = [told_now(scene, recipient) for recipient in situation.recipients]
    known = {fingerprint for each in by_channel for fingerprint in each.known}
    settled = [_settled(standing, known) for standing in after]
    return Planned(
        notifications=tuple(sent for each in by_channel for sent in each.notifications),
        standings=tuple(new for old, new in zip(before, settled, strict=True) if new is not old),
        events=tuple(
            new.last
            for old, new in zip(before, after, strict=True)
            if new.last is not None and new.last is not old.last
        ),
        told=tuple(told for each in by_channel for told in each.told),
        forgotten=(
            *(pair for each in by_channel for pair in each.forgotten),
            *orphans(situation.told, {each.name for each in situation.recipients}, scene.standings),
        ),
        held=(*scene.held(), *(held for each in by_channel for held in each.held)),
    )


def _settled(standing: Standing, known: Collection[str]) -> Standing:
    """An alert that is over and that no channel takes to be firing is owed to nobody."""
    over = standing.alert.state == "resolved" and standing.owed
    return replace(standing, owed=False) if over and standing.alert.fingerprint not in known else standing
