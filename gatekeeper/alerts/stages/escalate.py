"""Escalation: what nobody acknowledges becomes worse, and is told to further channels.

A step is taken once an alert has fired for its `after`, unless the alert is acknowledged, silenced or inhibited then;
several that are overdue are taken at once, with one event. It stands before grouping, so that what was escalated is
told with the rest of its group.
"""

from collections.abc import Collection, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gatekeeper.alerts.judging.fingerprint import event_id
from gatekeeper.channels.events import AlertEvent
from gatekeeper.model import SEVERITIES, Severity
from gatekeeper.settings.alerting import EscalationStep
from gatekeeper.store.standing import Standing


class Moment(Struct, frozen=True):
    """When it is: seconds since the epoch, and as records write it; `run` is empty between runs."""

    now: float
    stamp: str
    run: str = ""


class Escalation:
    """The configured steps, in the order of their time."""

    def __init__(self, steps: Sequence[EscalationStep]) -> None:
        self._steps = sorted(steps, key=lambda step: step.after)
        self._named = {name for step in steps for name in step.channels}

    def escalated(
        self, standings: Sequence[Standing], quiet: Collection[str], moment: Moment
    ) -> list[Standing]:
        """These alerts, those that are due escalated. An event of it is the `last` of a standing that has a higher
        level than before.
        """
        return (
            [
                self._taken(standing, moment)
                if standing.alert.state == "firing"
                and standing.acked is None
                and standing.alert.fingerprint not in quiet
                else standing
                for standing in standings
            ]
            if self._steps
            else [*standings]
        )

    def reaches(self, channel: str, standing: Standing) -> bool:
        """Whether an alert is for a channel: always, unless steps name it; then from the first of these on."""
        return channel not in self._named or any(
            channel in step.channels and _rank(standing.alert.severity) >= _rank(step.min_severity)
            for step in self._steps[: standing.level]
        )

    def _taken(self, standing: Standing, moment: Moment) -> Standing:
        began = standing.began if standing.fired is None else standing.fired
        fired = min(began, moment.now)  # the clock was put back: it fires since now
        level, severity = standing.level, standing.alert.severity
        for number, step in enumerate(self._steps, start=1):
            due = number <= standing.level or moment.now - fired >= step.after
            if due and _rank(severity) >= _rank(step.min_severity):
                level = max(level, number)
                severity = max(severity, step.severity or severity, key=_rank)
        if fired < began:
            standing = replace(standing, fired=fired)
        if (level, severity) == (standing.level, standing.alert.severity):
            return standing
        alert = replace(standing.alert, severity=severity)
        raised = replace(standing, alert=alert, changed=moment.now)
        if level == standing.level:  # it was lowered after it had been raised: that is no news
            return raised
        event = AlertEvent(
            id=event_id(alert, "escalated", run=moment.run, level=level),
            kind="escalated",
            time=moment.stamp,
            run=moment.run,
            before=standing.alert.severity if severity != standing.alert.severity else None,
            alert=alert,
        )
        return replace(raised, level=level, last=event)


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)
