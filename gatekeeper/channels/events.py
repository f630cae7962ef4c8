"""Alert events as records: the condition, what happened to it, and what is told of it at once.

Wall-clock times are UTC, ISO 8601.
"""

from typing import Literal, TypeAlias

from msgspec import Struct, field

from gatekeeper.model import JSON, SEVERITIES, Severity, Status

Kind: TypeAlias = Literal["firing", "escalated", "resolved"]
"""What happened to a condition: it began (or became worse or better: its severity changed), was not acknowledged in
time, ended."""

State: TypeAlias = Literal["pending", "firing", "resolved"]

PSEUDO_LABELS = ("gate", "finding", "subject", "rule", "severity")
"""Fields of an alert that can be named wherever a label can; no label of its own has one of these names."""


class Alert(Struct, frozen=True, kw_only=True):
    """One condition that somebody should know of, as it stands.

    `fingerprint` names it for good: 32 hexadecimal digits of gate, finding, subject, rule and labels. `since` is the
    start of the first run that showed it, `run` the newest one that did, `runs` how many did in a row. `value`,
    `operator`, `limit` and `unit` are the finding's. `state` is `pending` until a rule's `for` has passed.
    """

    fingerprint: str
    gate: str
    finding: str = ""
    subject: str
    rule: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    severity: Severity
    state: State = "firing"
    status: Status = "fail"
    since: str
    ended: str | None = None
    run: str
    runs: int = 1
    value: JSON = None
    operator: str | None = None
    limit: JSON = None
    unit: str | None = None
    summary: str = ""
    description: str = ""
    hint: str = ""
    link: str = ""

    def label(self, name: str) -> str:
        """The value of a label; `gate`, `finding`, `subject`, `rule` and `severity` are labels of every alert.

        Empty where it has no such label: to group, to route and to match, none and an empty one are the same.
        """
        return str(getattr(self, name)) if name in PSEUDO_LABELS else self.labels.get(name, "")


class AlertEvent(Struct, frozen=True, kw_only=True):
    """What happened to an alert. `id` is the same however often the event is made or told; `run` is the run that
    showed it, empty for an escalation between runs. `before` is the severity that it had until now, where this is what
    changed.
    """

    id: str
    kind: Kind
    time: str
    run: str = ""
    before: Severity | None = None
    alert: Alert


class Notification(Struct, frozen=True, kw_only=True):
    """What a channel sends at once: the events of one group. Its content never changes between attempts.

    `group` are the labels that its alerts share, `more` how many further alerts it stands for without listing them,
    `firing` how many alerts of the group are firing now, listed or not. `repeat` says that all of it was told before;
    `thread` is what the channel gave as `Delivered.ref` for the group's first notification. `test` marks one that
    `gatekeeper alerts test` made.
    """

    id: str
    channel: str
    subject: str
    created: str
    group: dict[str, str] = field(default_factory=dict)
    events: tuple[AlertEvent, ...]
    more: int = 0
    firing: int = 0
    repeat: bool = False
    test: bool = False
    thread: str | None = None

    @property
    def resolved(self) -> bool:
        """Whether everything that it tells of is over."""
        return not self.firing and all(event.kind == "resolved" for event in self.events)

    @property
    def severity(self) -> Severity:
        """The worst one of what is not over; of all, where everything is."""
        open_ = [e.alert.severity for e in self.events if e.kind != "resolved"]
        found = open_ or [e.alert.severity for e in self.events]
        return max(found, key=SEVERITIES.index, default="low")
