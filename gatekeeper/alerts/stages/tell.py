"""What one channel is told now: what it wants and nothing keeps quiet, by group, when it is due, within its cap."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from msgspec import Struct

from gatekeeper.alerts.stages.cap import capped
from gatekeeper.alerts.stages.compose import compose
from gatekeeper.alerts.stages.escalate import Escalation, Moment
from gatekeeper.alerts.stages.group import group_of
from gatekeeper.alerts.stages.inhibit import Inhibitions
from gatekeeper.alerts.stages.listen import Listener
from gatekeeper.alerts.stages.quiet import Hush
from gatekeeper.alerts.stages.repeat import Due, Waits, due
from gatekeeper.alerts.stages.resend import resent
from gatekeeper.alerts.stages.situation import ALL, Held, Recipient, Situation
from gatekeeper.channels.events import Alert, Notification
from gatekeeper.store.standing import Standing, Told


class Scene:
    """What is the same for all channels."""

    def __init__(
        self,
        situation: Situation,
        moment: Moment,
        standings: Sequence[Standing],
        quiet: Mapping[str, Hush],
        inhibitions: Inhibitions,
        escalation: Escalation,
    ) -> None:
        self.situation = situation
        self.moment = moment
        self.quiet = quiet
        self.inhibitions = inhibitions
        self.escalation = escalation
        self.standings = {standing.alert.fingerprint: standing for standing in standings}
        self.firing = [standing for standing in standings if standing.alert.state == "firing"]
        self.group_of = partial(group_of, situation.settings.group_by, {})
        self.told: dict[str, list[Told]] = {}
        for told in situation.told:
            self.told.setdefault(told.channel, []).append(told)
        self.queued: dict[str, set[str]] = {}
        for (channel, group), number in situation.undelivered.items():
            if number > 0:
                self.queued.setdefault(channel, set()).add(group)

    def held(self) -> Iterator[Held]:
        """What is told to nobody."""
        for standing in self.firing:
            if (hush := self.quiet.get(standing.alert.fingerprint)) is not None:
                yield Held(standing.alert.fingerprint, "", hush.why, hush.until)


class ToldNow(Struct, frozen=True):
    """What came of one channel; `known` are the alerts that it takes to be firing."""

    notifications: list[tuple[Notification, str]]
    told: list[Told]
    forgotten: list[tuple[str, str]]
    known: set[str]
    held: list[Held]


def told_now(scene: Scene, recipient: Recipient) -> ToldNow:
    """What a channel is told now, and what it knows after that."""
    situation, settings, name = scene.situation, scene.situation.settings, recipient.name
    queued = scene.queued.get(name, set())
    told = scene.told.get(name, [])
    kept = [each for each in told if each.group == ALL] if recipient.resends else told
    listener = Listener(recipient, kept, situation.now, settings.group_interval, queued)
    held = _hear(scene, listener)
    due_now, waiting = (
        (resent(listener, ALL in queued), []) if recipient.resends else _in_time(scene, listener, queued)
    )
    listed = None if recipient.resends else settings.listed
    notifications = [
        (compose(each, situation.subject, scene.moment, listed), each.topic.told.group) for each in due_now
    ]
    # A channel that did not resend before has groups that it has no use for now.
    forgotten = [(name, each.group) for each in told if recipient.resends and each.group != ALL]
    forgotten += listener.forgotten()
    return ToldNow(notifications, listener.changed(), forgotten, listener.known(), held + waiting)


def _hear(scene: Scene, listener: Listener) -> list[Held]:
    recipient = listener.recipient
    wanted = [standing for standing in scene.firing if listener.wants(standing, scene.escalation)]
    inhibited = scene.inhibitions.inhibited(wanted)
    keys: Callable[[Alert], str] = (lambda _: ALL) if recipient.resends else scene.group_of
    listener.hear(
        (
            standing
            for standing in wanted
            if standing.alert.fingerprint not in scene.quiet and standing.alert.fingerprint not in inhibited
        ),
        keys,
    )
    listener.hear_of_ends(scene.standings, scene.quiet)
    return [
        Held(fingerprint, recipient.name, f"inhibited by {gate}")
        for fingerprint, gate in inhibited.items()
        if fingerprint not in scene.quiet
    ]


def _in_time(scene: Scene, listener: Listener, queued: set[str]) -> tuple[list[Due], list[Held]]:
    situation, name, most = scene.situation, listener.recipient.name, listener.recipient.max_per_hour
    found = [
        due(topic, situation.settings, situation.now, waits=situation.waits, queued=queued)
        for topic in listener.topics.values()
    ]
    ready = [each for each in found if isinstance(each, Due)]
    sent = situation.sent_lately.get(name, ())
    allowed = capped(ready, listener.topic(ALL), most, sent, situation.now)
    held = [
        Held(standing.alert.fingerprint, name, each.why, each.until)
        for each in found
        if isinstance(each, Waits)
        for standing in each.topic.news
    ]
    full = f"{name} got {most} notification{'s' if most > 1 else ''} in an hour"
    held += [Held(each.alert.fingerprint, name, full, allowed.until) for each in allowed.waiting]
    return allowed.told, held
