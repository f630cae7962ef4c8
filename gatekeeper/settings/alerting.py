"""The table `[alerts]`: which conditions are told, to whom, when, and when not.

The texts under the fields are the documentation: `gatekeeper config schema` and the reference page show them.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from gatekeeper.model import Severity, Status
from gatekeeper.quantities import Duration

Positive = Annotated[int, Meta(ge=1)]
Aggregate = Literal["last", "mean", "min", "max", "sum", "count", "p50", "p90", "p95", "p99"]


class AlertRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A condition that is told: gates of a status, or a quantity that they record beyond a threshold."""

    name: str
    """Name of the rule, unique; part of the alert's fingerprint."""
    gate: str = "*"
    """Which gates: an id, a name, or a pattern as of the shell."""
    status: tuple[Status, ...] = ()
    """These statuses fire: `["fail", "error"]`. Not together with `finding`."""
    finding: str = ""
    """Name of a measured finding, a recorded quantity, that is held against `threshold`."""
    threshold: str = ""
    """What fires: an operator and a limit, `"> 5%"`, `">= 500ms"`, `"< 3"`."""
    window: Duration | None = None
    """Of which time the recorded values count; unset: this run's value alone."""
    aggregate: Aggregate = "last"
    """What of the window's values is held against the threshold; `count` is how many values there are."""
    times: Positive = 1
    """Fires when at least so many values of the window are beyond the threshold; only with `aggregate = "last"`."""
    hold: Duration = field(default=Duration(0), name="for")
    """How long it must have been so before it fires."""
    severity: Severity = "high"
    """Severity of the alert."""
    labels: dict[str, str] = {}
    """Further labels, to group, route and silence by; values are templates."""
    annotations: dict[str, str] = {}
    """Texts for people: `summary`, `description`, `hint`, `link` and others; templates."""


class EscalationStep(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What happens to an alert that nobody has acknowledged."""

    after: Duration
    """How long after it fired."""
    severity: Severity | None = None
    """Raise it to this severity; unset: leave it."""
    channels: tuple[str, ...] = ()
    """Tell these channels too, by name; they get nothing but what was escalated to them."""
    min_severity: Severity = "low"
    """Only alerts of this severity and up."""


class QuietSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A time in which nothing is told of what it matches. Verdicts stay what they are."""

    name: str
    """Name of the window, unique."""
    starts: datetime
    """First moment. Without an offset, in the wall-clock time of `timezone`."""
    lasts: Duration
    """How long it lasts."""
    repeat: str = ""
    """When it recurs: a recurrence rule of RFC 5545, `"FREQ=WEEKLY;BYDAY=SU"`, `"FREQ=DAILY"`; empty: once."""
    timezone: str = "UTC"
    """Time zone of a recurring window, by its IANA name: `"Europe/Warsaw"`."""
    gate: str = ""
    """Which gates: an id, or a pattern as of the shell; empty: all."""
    subject: str = ""
    """Which subjects: a name, or a pattern; empty: all."""
    labels: dict[str, str] = {}
    """Only alerts with these labels."""
    reason: str = ""
    """Why, for whoever wonders."""


class Inhibition(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """While an alert of one gate fires, nothing is told of others, beside what gates' own `needs` say."""

    while_: str = field(name="while")
    """The gate whose alert keeps others quiet: an id, or a pattern."""
    quiet: str
    """The gates that are kept quiet: an id, or a pattern."""
    same: tuple[str, ...] = ("subject",)
    """Only between alerts that have these labels in common; `subject`, `severity` and `gate` are labels too."""


class AlertSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is told of what."""

    enabled: bool = True
    """`false`: nothing is told and nothing is kept to be told."""
    defaults: bool = True
    """Whether gates without a status rule are told of: a required gate's fail and error high (or what the gate says),
    a warning and an unknown medium."""
    group_by: tuple[str, ...] = ("subject",)
    """Labels whose values make a group; a group is told at once, as one. `gate`, `subject`, `severity`, `rule` and
    `finding` are labels too."""
    group_wait: Duration = Duration(0)
    """How long a service waits for more before it tells of a new group; a run in CI never waits."""
    group_interval: Duration = Duration(0)
    """Shortest time between two notifications of a group to a channel."""
    repeat_interval: Duration = Duration(4 * 3600)
    """After this time, what still fires is told again."""
    grace: Duration = Duration(5)
    """How long a run goes on to deliver after its verdict; the rest stays in the outbox."""
    listed: Positive = 20
    """How many alerts a notification lists; it counts the rest."""
    link: str = ""
    """Where people find more, on every alert that has no link of its own; a template: `"https://ci/{{ run }}"`."""
    labels: dict[str, str] = {}
    """Labels of every alert, such as `environment = "production"`; values are templates."""
    rules: tuple[AlertRule, ...] = ()
    """Conditions that are told."""
    escalation: tuple[EscalationStep, ...] = ()
    """What happens to alerts that nobody acknowledges, step by step."""
    maintenance: tuple[QuietSettings, ...] = ()
    """Times in which nothing is told, once or recurring."""
    inhibit: tuple[Inhibition, ...] = ()
    """Alerts that keep others quiet."""
    channels: tuple[dict[str, Any], ...] = ()
    """Where alerts are sent: `type`, what every channel has, and what its type has."""


class ChannelSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every channel has beside its type's own settings."""

    type: str
    """Kind of channel: `console`, `file`, `webhook`, `slack`, `email`, `alertmanager`, `command`, `notify`, or a
    plugin's."""
    name: str = ""
    """Name of the channel, unique; empty: its type."""
    enabled: bool = True
    """`false` leaves it out; what was queued for it stays."""
    min_severity: Severity | None = None
    """Only alerts of this severity and up; unset: what its type says."""
    match: dict[str, str] = {}
    """Only alerts with these labels, patterns as of the shell: `{ team = "db*", gate = "pre.*" }`."""
    resolved: bool = True
    """Whether it is told of what is over."""
    timeout: Duration = Duration(10)
    """Longest time for one attempt, everything included."""
    attempts: Positive = 3
    """How many attempts one run makes; after that it stays in the outbox."""
    max_per_hour: Positive = 60
    """How many notifications it gets in an hour; what is beyond waits and is then told as one."""
    allow_private: bool = False
    """Whether loopback, private, link-local and metadata addresses may be asked."""

    def __post_init__(self) -> None:
        if self.timeout <= 0:
            raise ValueError("timeout: must be more than 0 s")
