"""Channels that group, repeat and silence by themselves (Alertmanager): with every evaluation, all that fires and
what has ended since, in one notification without intervals, cap or limit.
"""

from gatekeeper.alerts.stages.listen import Listener
from gatekeeper.alerts.stages.repeat import Due
from gatekeeper.alerts.stages.situation import ALL


def resent(listener: Listener, queued: bool) -> list[Due]:
    """What such a channel is sent; nothing where nothing fires or has ended, nor while one that says the same is
    still in the outbox.
    """
    topic = listener.topics.get(ALL)
    if topic is None:
        return []
    news = bool(topic.news or topic.over)
    if not (news or (topic.still and not queued)):
        return []
    return [Due(topic, (*topic.news, *topic.still), tuple(topic.over), repeat=not news)]
