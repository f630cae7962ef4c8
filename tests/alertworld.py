"""A world for the stages: alerts begin and end, time passes, and what is planned is kept as a store keeps it."""

from datetime import UTC, datetime

from msgspec.structs import replace

from gatekeeper.alerts.judging.fingerprint import event_id, fingerprint
from gatekeeper.alerts.stages import Situation, plan, quiets_of
from gatekeeper.channels import Alert, AlertEvent
from gatekeeper.model import SEVERITIES
from gatekeeper.quantities import Duration
from gatekeeper.record import stamp
from gatekeeper.settings.alerting import AlertSettings, EscalationStep, Inhibition
from gatekeeper.store.standing import Quiet, Standing

START = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()  # a Monday
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


def seconds(text):
    """A moment, written in ISO 8601 with an offset or in UTC."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def alerting(**options):
    """Settings; times in seconds."""
    times = {"group_wait", "group_interval", "repeat_interval"}
    return AlertSettings(**{n: Duration(v) if n in times else v for n, v in options.items()})


def step(after, severity=None, channels=(), min_severity="low"):
    return EscalationStep(
        after=Duration(after), severity=severity, channels=tuple(channels), min_severity=min_severity
    )


def inhibit(cause, quiet, same=("subject",)):
    return Inhibition(while_=cause, quiet=quiet, same=same)


class World:
    """What a store keeps, and the clock."""

    def __init__(self, *recipients, settings=None, parents=None, waits=False):
        self.now = START
        self.recipients = list(recipients)
        self.settings = settings or AlertSettings()
        self.parents = parents or {}
        self.waits = waits
        self.standings = {}
        self.told = {}
        self.quiets = []
        self.sent = []  # when, the notification, its group
        self.queued = {}  # channel and group of what is not delivered
        self.runs = 0
        self.events = []

    def __repr__(self):
        return f"World({self.recipients}, {self.settings}, parents={self.parents}, waits={self.waits})"

    # -- what happens ---------------------------------------------------------------------------------------

    def fires(self, gate, severity="high", *, subject="shop", finding="", pending=False, **labels):
        """A run shows a condition; its fingerprint."""
        name = fingerprint(gate, finding, subject, "", labels)
        before = self.standings.get(name)
        run = f"run-{self.runs}"
        self.runs += 1
        if before is not None and before.alert.state == "firing":
            if before.level:
                severity = max(severity, before.alert.severity, key=SEVERITIES.index)
            alert = replace(before.alert, severity=severity, run=run, runs=before.alert.runs + 1)
            if severity == before.alert.severity:
                self.standings[name] = replace(before, alert=alert)
            else:
                last = self._event(alert, "firing")
                self.standings[name] = replace(before, alert=alert, last=last, changed=self.now)
            return name
        alert = Alert(
            fingerprint=name, gate=gate, finding=finding, subject=subject, labels=labels, severity=severity,
            state="pending" if pending else "firing", since=self.stamp, run=run,
        )  # fmt: skip
        last = before.last if pending and before else None if pending else self._event(alert, "firing")
        self.standings[name] = Standing(
            alert=alert, began=self.now, fired=None if pending else self.now, changed=self.now, last=last
        )
        return name

    def ends(self, name):
        """A run no longer shows it."""
        before = self.standings[name]
        if before.alert.state == "firing":
            self.runs += 1
            alert = replace(before.alert, state="resolved", ended=self.stamp, run=f"run-{self.runs}")
            last = self._event(alert, "resolved")
            self.standings[name] = replace(before, alert=alert, last=last, changed=self.now, owed=True)

    def acks(self, name):
        self.standings[name] = replace(self.standings[name], acked=self.now, acked_by="anna")

    def silence(self, lasts, **options):
        quiet = Quiet(id=f"s{len(self.quiets)}", starts=self.now, ends=self.now + lasts, **options)
        self.quiets.append(quiet)
        return quiet

    def _event(self, alert, kind):
        identity = event_id(alert, kind, run=alert.run)
        return AlertEvent(id=identity, kind=kind, time=self.stamp, run=alert.run, alert=alert)

    @property
    def stamp(self):
        return stamp(datetime.fromtimestamp(self.now, UTC))

    # -- an evaluation --------------------------------------------------------------------------------------

    def situation(self, order=lambda standings: standings):
        lately = {}
        for at, notification, _ in self.sent:
            if at >= self.now - HOUR:
                lately.setdefault(notification.channel, []).append(at)
        return Situation(
            subject="shop",
            standings=order([s for s in self.standings.values() if s.owed]),
            quiets=[*self.quiets, *quiets_of(self.settings)],
            told=list(self.told.values()),
            recipients=self.recipients,
            settings=self.settings,
            parents=self.parents,
            sent_lately=lately,
            undelivered=self.queued,
            now=self.now,
            run=f"run-{self.runs}",
            waits=self.waits,
        )

    def evaluate(self, after=0.0):
        """Let time pass, plan, keep what was planned."""
        self.now += after
        planned = plan(self.situation())
        for standing in planned.standings:
            self.standings[standing.alert.fingerprint] = standing
        for told in planned.told:
            self.told[told.channel, told.group] = told
        for pair in planned.forgotten:
            del self.told[pair]
        self.events += planned.events
        self.sent += [(self.now, notification, group) for notification, group in planned.notifications]
        return planned

    def told_now(self, after=0.0):
        """What an evaluation tells: channel, kinds and gates of the events, in words."""
        return [said(notification) for notification, _ in self.evaluate(after).notifications]


def said(notification):
    """A notification in words: `ops: firing pre.network, and 3 more (5 firing)`."""
    events = ", ".join(f"{event.kind} {event.alert.gate}" for event in notification.events)
    more = f", and {notification.more} more" if notification.more else ""
    again = " again" if notification.repeat else ""
    return f"{notification.channel}: {events}{more}{again} ({notification.firing} firing)"
