"""What is kept of alerts between runs. Times are seconds since the epoch."""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from gatekeeper.channels.events import Alert, AlertEvent
from gatekeeper.model import JSON


class Standing(Struct, frozen=True, kw_only=True):
    """An alert with what the engine knows of it.

    `began` is when the condition first held, `fired` when it became an event (None while pending), `changed` when its
    state or severity last changed, `last` the newest event of it. `acked` is when somebody took it over (`acked_by`,
    `acked_why`), `level` how many steps of the escalation were taken; both start anew when it fires again.
    `owed`: somebody may still have to be told of it; False once it is over and nobody has.
    """

    alert: Alert
    began: float
    fired: float | None = None
    changed: float
    last: AlertEvent | None = None
    acked: float | None = None
    acked_by: str = ""
    acked_why: str = ""
    level: int = 0
    owed: bool = True


class Told(Struct, frozen=True, kw_only=True):
    """What a channel was last told of a group.

    `first` is when the group first had something to tell, `at` when a notification was last queued (None: never),
    `alerts` what the channel takes to be firing: fingerprint → `firing:severity:level`. `thread` is the channel's own
    reference to the group's first notification.
    """

    channel: str
    group: str
    first: float
    at: float | None = None
    alerts: dict[str, str] = field(default_factory=dict)
    thread: str | None = None


QuietKind: TypeAlias = Literal["silence", "maintenance"]


class Quiet(Struct, frozen=True, kw_only=True):
    """A time in which nothing is told of what it matches: a silence, or a maintenance window.

    `gate` and `subject` are patterns as of the shell, `labels` exact values; empty matches everything. A recurring
    window has `repeat`, an RFC 5545 recurrence rule such as `FREQ=WEEKLY;BYDAY=SU`: each lasts `ends - starts`, from
    `starts` on, in the wall-clock time of `timezone`; none is open from `until` on (None: they recur for good).
    """

    id: str
    kind: QuietKind = "silence"
    gate: str = ""
    subject: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    starts: float
    ends: float
    repeat: str = ""
    timezone: str = "UTC"
    until: float | None = None
    reason: str = ""
    author: str = ""


DeliveryState: TypeAlias = Literal["queued", "delivered", "refused", "dropped"]


class Delivery(Struct, frozen=True, kw_only=True):
    """One notification in the outbox. `document` is the encoded `Notification`: the same in every attempt.

    `due` is when it is to be tried (next), `why` what went wrong last. `dropped`: its channel is no longer configured.
    """

    id: str
    channel: str
    group: str
    created: float
    document: bytes
    state: DeliveryState = "queued"
    attempts: int = 0
    due: float
    done: float | None = None
    why: str = ""
    ref: str | None = None


class Evidence(Struct, frozen=True):
    """A value that was recorded: when (seconds since the epoch), what, in which unit."""

    at: float
    value: float
    unit: str | None = None
    run: JSON = None
