"""What the stages are given and what they answer. Times are seconds since the epoch."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from gatekeeper.channels.events import AlertEvent, Notification
from gatekeeper.model import Severity
from gatekeeper.settings.alerting import AlertSettings
from gatekeeper.store.standing import Quiet, Standing, Told

ALL = ""
"""The key of a group that no labels make: what a rate cap has made one, and all that fires for a channel that groups by
itself."""


class Recipient(Struct, frozen=True, kw_only=True):
    """A configured channel, as the stages see it: what it wants. `match` holds patterns as of the shell by label."""

    name: str
    min_severity: Severity = "low"
    match: Mapping[str, str] = field(default_factory=dict)
    resolved: bool = True
    max_per_hour: int = 60
    resends: bool = False


class Situation(Struct, frozen=True, kw_only=True):
    """All that decides what is told to whom now.

    `subject` is the run's, empty for an evaluation between runs, as is `run`, its id. `parents` are the ids of the
    gates that a gate needs; `sent_lately` when each channel's notifications of the last hour were queued;
    `undelivered` how many are still in the outbox, by channel and group. `waits` says that somebody comes back for
    what waits, as a service does; else a new group is told at once.
    """

    subject: str = ""
    standings: Sequence[Standing] = ()
    quiets: Sequence[Quiet] = ()
    told: Sequence[Told] = ()
    recipients: Sequence[Recipient] = ()
    settings: AlertSettings = AlertSettings()
    parents: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sent_lately: Mapping[str, Sequence[float]] = field(default_factory=dict)
    undelivered: Mapping[tuple[str, str], int] = field(default_factory=dict)
    now: float
    run: str = ""
    waits: bool = False


class Held(Struct, frozen=True):
    """An alert that fires and is not told now: to which channel (empty: to none), why, until when if that is known."""

    fingerprint: str
    channel: str
    why: str
    until: float | None = None


class Planned(Struct, frozen=True, kw_only=True):
    """What is to be done: notifications with the key of their group, standings and tellings that changed, events of
    escalations, pairs of channel and group to forget, and what is held back.
    """

    notifications: tuple[tuple[Notification, str], ...] = ()
    standings: tuple[Standing, ...] = ()
    events: tuple[AlertEvent, ...] = ()
    told: tuple[Told, ...] = ()
    forgotten: tuple[tuple[str, str], ...] = ()
    held: tuple[Held, ...] = ()
