"""What an alert channel is, and what it is given: the public half of alerts.

A channel is a plugin (hook `gatekeeper_channels`) with one method, `send(notification)`, that answers `Delivered`,
`TryAgain` or `Refused`. Everything else is shared and done for it: which alerts it gets, grouping, silences, retries
with backoff, the total deadline of an attempt, redaction of its settings, the record of deliveries.
"""

from gatekeeper.channels.contract import (
    Channel,
    ChannelContext,
    ChannelType,
    Delivered,
    Outcome,
    Refused,
    TryAgain,
)
from gatekeeper.channels.events import Alert, AlertEvent, Kind, Notification

__all__ = [
    "Alert",
    "AlertEvent",
    "Channel",
    "ChannelContext",
    "ChannelType",
    "Delivered",
    "Kind",
    "Notification",
    "Outcome",
    "Refused",
    "TryAgain",
]
