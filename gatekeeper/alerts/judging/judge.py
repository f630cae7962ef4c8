"""From a finished run to alerts: what began, changed, went on or is over, and the events of it.

Pure: no store, no clock, no network. An alert is `pending` until its rule's `for` has passed, then `firing`, then
`resolved`; nothing but a run in which its gate ran to the end, and no longer shows it, ends one.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from gatekeeper.alerts.judging.conditions import Condition, Found, Gathering, find
from gatekeeper.alerts.judging.fingerprint import event_id
from gatekeeper.alerts.judging.measured import Recorded
from gatekeeper.alerts.judging.rules import compiled
from gatekeeper.alerts.judging.texts import Texts
from gatekeeper.channels.events import Alert, AlertEvent, Kind, State
from gatekeeper.model import SEVERITIES, Run, Severity
from gatekeeper.settings.alerting import AlertSettings
from gatekeeper.store.standing import Standing


class JudgePolicy(Struct, frozen=True):
    """By what a run is judged.

    `severities` are those that a gate or the configuration says, by gate id (else `high`). `gates` are the ids of all
    gates that there are: an alert of one that was removed is over; None where that isn't known.
    """

    settings: AlertSettings
    severities: Mapping[str, Severity]
    gates: Collection[str] | None = None


class Judged(Struct, frozen=True):
    """What a run changed: standings that are new or other than before, events, fingerprints of pending alerts that are
    over and never fired, and what could not be judged.
    """

    standings: tuple[Standing, ...] = ()
    events: tuple[AlertEvent, ...] = ()
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def judge(
    run: Run, standings: Mapping[str, Standing], policy: JudgePolicy, evidence: Recorded, now: float
) -> Judged:
    """The alerts of a run.

    Args:
        run: finished and recorded.
        standings: all of its subject's alerts by fingerprint, also those that are over.
        policy: what is told, and how bad it is.
        evidence: recorded values of a gate's finding at or after a time, oldest first, this run's included.
        now: when the run ended, in seconds since the epoch.
    """
    settings = policy.settings
    found = find(
        Gathering(
            run=run,
            rules=compiled(settings),
            defaults=settings.defaults,
            severities=policy.severities,
            evidence=evidence,
            standing={name for name, standing in standings.items() if standing.alert.state != "resolved"},
            at=_started(run, now),
            now=now,
        )
    )
    texts = Texts(settings.link, run.subject.name, run.id)
    judgement = _Judgement(run, now, texts)
    kept = [
        judgement.holds(condition, standings.get(fingerprint))
        for fingerprint, condition in found.conditions.items()
    ]
    over = [standing for standing in standings.values() if _is_over(standing, run, found, policy.gates)]
    never = [s.alert.fingerprint for s in over if s.alert.state == "pending" and s.last is None]
    kept += [judgement.ended(s) for s in over if s.alert.state != "pending" or s.last is not None]
    return Judged(
        tuple(kept),
        tuple(judgement.events),
        tuple(never),
        tuple(dict.fromkeys([*found.notes, *texts.notes])),
    )


def _started(run: Run, now: float) -> float:
    """When a run started, in seconds since the epoch; `now` where it doesn't say."""
    try:
        return datetime.fromisoformat(run.header.started).timestamp()
    except (ValueError, OverflowError, OSError):
        return now


def _is_over(standing: Standing, run: Run, found: Found, gates: Collection[str] | None) -> bool:
    """Whether this run shows that a condition no longer holds."""
    alert = standing.alert
    if alert.state == "resolved" or alert.fingerprint in found.conditions or alert.fingerprint in found.open:
        return False
    return alert.gate in found.ran or _is_gone(alert.gate, run, gates)


def _is_gone(gate: str, run: Run, gates: Collection[str] | None) -> bool:
    """Whether a gate was removed: a whole run of its phase did without it, and the project doesn't know it."""
    header = run.header
    whole = header.complete and not header.partial and header.phase in ("all", "exec", gate.partition(".")[0])
    return whole and gates is not None and gate not in gates and run.result(gate) is None


class _Judgement:
    """One run's; collects its events."""

    def __init__(self, run: Run, now: float, texts: Texts) -> None:
        self._run, self._now, self._texts = run, now, texts
        self._stamp = _stamp(now)
        self.events: list[AlertEvent] = []

    def holds(self, condition: Condition, before: Standing | None) -> Standing:
        """The standing of a condition that this run shows."""
        if before is None or before.alert.state == "resolved":
            return self._begun(condition, before)
        if before.alert.state == "firing":
            return self._goes_on(condition, before)
        began = min(before.began, self._now)  # the clock was put back: the time counts from now
        fires = self._now - began >= condition.rule.hold
        alert = self._alert(condition, before.alert, "firing" if fires else "pending", condition.severity)
        if fires:
            return self._fired(replace(before, alert=alert, began=began))
        return replace(before, alert=alert, began=began)

    def ended(self, before: Standing) -> Standing:
        """The standing of a condition that is over."""
        if before.alert.state == "pending":  # it had fired earlier, and didn't again: that end is what stands
            assert before.last is not None
            return replace(before, alert=before.last.alert, changed=self._now, owed=True)
        alert = replace(before.alert, state="resolved", ended=self._stamp)
        event = self._event("resolved", alert)
        return replace(before, alert=alert, changed=self._now, last=event, owed=True)

    def _begun(self, condition: Condition, before: Standing | None) -> Standing:
        fires = condition.rule.hold <= 0
        alert = self._alert(condition, None, "firing" if fires else "pending", condition.severity)
        last = before.last if before is not None else None
        standing = Standing(alert=alert, began=self._now, changed=self._now, last=last)
        return self._fired(standing) if fires else standing

    def _goes_on(self, condition: Condition, before: Standing) -> Standing:
        severity = condition.severity
        if before.level:  # nobody took it over: it doesn't become milder by itself
            severity = max(severity, before.alert.severity, key=SEVERITIES.index)
        alert = self._alert(condition, before.alert, "firing", severity)
        if severity == before.alert.severity:
            return replace(before, alert=alert)
        event = self._event("firing", alert)
        return replace(before, alert=alert, changed=self._now, last=event)

    def _fired(self, standing: Standing) -> Standing:
        event = self._event("firing", standing.alert)
        return replace(standing, fired=self._now, changed=self._now, last=event)

    def _event(self, kind: Kind, alert: Alert) -> AlertEvent:
        run = self._run.id
        event = AlertEvent(
            id=event_id(alert, kind, run=run), kind=kind, time=self._stamp, run=run, alert=alert
        )
        self.events.append(event)
        return event

    def _alert(self, condition: Condition, before: Alert | None, state: State, severity: Severity) -> Alert:
        since = self._run.header.started if before is None else before.since
        return Alert(
            fingerprint=condition.fingerprint,
            gate=condition.gate,
            finding=condition.finding,
            subject=self._run.subject.name,
            rule=condition.rule.name,
            labels=dict(condition.labels),
            severity=severity,
            state=state,
            status=condition.status,
            since=since,
            run=self._run.id,
            runs=1 if before is None else before.runs + 1,
            value=condition.value,
            operator=condition.operator,
            limit=condition.limit,
            unit=condition.unit,
            **self._texts.of(condition, severity, since),
        )


def _stamp(now: float) -> str:
    """UTC, ISO 8601, in milliseconds."""
    return datetime.fromtimestamp(now, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
