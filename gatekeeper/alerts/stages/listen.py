"""What a channel wants to know, what it knows, and what of that is new to it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct, field
from msgspec.structs import replace

from gatekeeper.alerts.matching import covers
from gatekeeper.alerts.stages.escalate import Escalation
from gatekeeper.alerts.stages.situation import Recipient
from gatekeeper.channels.events import Alert
from gatekeeper.model import SEVERITIES, Severity
from gatekeeper.store.standing import Standing, Told


class Topic(Struct):
    """One group, as one channel has been told of it.

    `told` is what was kept, `known` what the channel takes to be firing (fingerprint → belief) and will after this
    evaluation. `news` fire and are new to it or have changed, `over` are over and it does not know yet, `still` fire
    as it knows.
    """

    told: Told
    known: dict[str, str]
    news: list[Standing] = field(default_factory=list)
    over: list[Standing] = field(default_factory=list)
    still: list[Standing] = field(default_factory=list)


class Listener:
    """A channel and its groups, by key.

    A group of which it knows nothing any more, told longer ago than `group_interval`, counts as new.
    """

    def __init__(
        self,
        recipient: Recipient,
        told: Iterable[Told],
        now: float,
        group_interval: float,
        queued: Collection[str],
    ) -> None:
        self.recipient = recipient
        self._now = now
        self._interval = group_interval
        self._queued = queued
        self._kept = {each.group: each for each in told}
        self.topics = {group: self._topic(each) for group, each in self._kept.items()}
        self._group = {fp: group for group, each in sorted(self._kept.items()) for fp in each.alerts}

    def _topic(self, told: Told) -> Topic:
        if self._forgettable(told):
            return Topic(Told(channel=told.channel, group=told.group, first=self._now), {})
        at = None if told.at is None else min(told.at, self._now)  # in the future: the clock was put back
        return Topic(replace(told, first=min(told.first, self._now), at=at), dict(told.alerts))

    def _forgettable(self, told: Told) -> bool:
        past = told.at is not None and self._now - told.at >= self._interval
        return past and not told.alerts and told.group not in self._queued

    def topic(self, group: str) -> Topic:
        """A group, which may be new."""
        if group not in self.topics:
            self.topics[group] = Topic(Told(channel=self.recipient.name, group=group, first=self._now), {})
        return self.topics[group]

    def wants(self, standing: Standing, escalation: Escalation) -> bool:
        """Whether an alert is for this channel."""
        alert, recipient = standing.alert, self.recipient
        return (
            SEVERITIES.index(alert.severity) >= SEVERITIES.index(recipient.min_severity)
            and _routed(recipient.match, alert)
            and escalation.reaches(recipient.name, standing)
        )

    def hear(self, standings: Iterable[Standing], group_of: Callable[[Alert], str]) -> None:
        """Take in alerts that fire, that it wants, and that nothing keeps quiet.

        What it knows of stays in the group that it was told in, whatever its labels have become since.
        """
        for standing in standings:
            fingerprint = standing.alert.fingerprint
            group = self._group.get(fingerprint)
            topic = self.topic(group_of(standing.alert) if group is None else group)
            fresh = topic.known.get(fingerprint) != belief(standing)
            (topic.news if fresh else topic.still).append(standing)

    def hear_of_ends(self, standings: Mapping[str, Standing], quiet: Collection[str]) -> None:
        """Take in what is over, of all that it takes to be firing; what nobody knows of any more, it forgets."""
        for fingerprint, group in self._group.items():
            standing = standings.get(fingerprint)
            topic = self.topics[group]
            if standing is None or (is_over(standing) and not self.recipient.resolved):
                topic.known.pop(fingerprint, None)
            elif is_over(standing) and fingerprint not in quiet:
                topic.over.append(standing)

    def known(self) -> set[str]:
        """The alerts that it takes to be firing."""
        return {fingerprint for topic in self.topics.values() for fingerprint in topic.known}

    def changed(self) -> list[Told]:
        """What it has been told, of groups for which that has changed."""
        now = [
            replace(topic.told, alerts=dict(sorted(topic.known.items())))
            for _, topic in sorted(self.topics.items())
            if topic.known or topic.news or topic.told.at is not None
        ]
        return [told for told in now if told != self._kept.get(told.group)]

    def forgotten(self) -> list[tuple[str, str]]:
        """Groups of which nothing is left to remember, with the channel's name."""
        empty = (
            group
            for group, topic in sorted(self.topics.items())
            if not (topic.known or topic.news) and topic.told.at is None
        )
        return [(self.recipient.name, group) for group in empty if group in self._kept]


def belief(standing: Standing) -> str:
    """What a channel knows of an alert once it was told that it fires."""
    return f"firing:{standing.alert.severity}:{standing.level}"


def severity_in(belief: str) -> Severity | None:
    """The severity that a channel was told; None where another version kept it so that this one can't read it."""
    return next((severity for severity in SEVERITIES if belief.split(":")[1:2] == [severity]), None)


def is_over(standing: Standing) -> bool:
    """Whether a firing has ended; it may be about to fire anew, if it is pending."""
    if standing.alert.state == "pending":
        return standing.last is not None and standing.last.kind == "resolved"
    return standing.alert.state == "resolved"


def _routed(match: Mapping[str, str], alert: Alert) -> bool:
    return all(
        covers(pattern, alert.gate) if name == "gate" else fnmatchcase(alert.label(name), pattern)
        for name, pattern in match.items()
    )


def orphans(
    told: Sequence[Told], configured: Collection[str], standings: Mapping[str, Standing]
) -> list[tuple[str, str]]:
    """What channels were told that are not configured (now, or here: others may share the store), and is all over."""
    return [
        (each.channel, each.group)
        for each in sorted(told, key=lambda told: (told.channel, told.group))
        if each.channel not in configured
        and all(fp not in standings or is_over(standings[fp]) for fp in each.alerts)
    ]
