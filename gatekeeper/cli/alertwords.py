"""What is said of an alert in a line. All of it comes from gates and stores: who prints it makes it `one_line`."""

from datetime import UTC, datetime

from gatekeeper.alerts.overview import Seen
from gatekeeper.channels import Alert
from gatekeeper.model import Finding, Status
from gatekeeper.quantities import show
from gatekeeper.record import stamp
from gatekeeper.store.standing import Delivery, Quiet
from gatekeeper.wording import summary

SHORT = 8
"""Digits of a fingerprint that are shown."""


def named(alert: Alert) -> str:
    """The gate, and the finding where it is of one."""
    return f"{alert.gate} {alert.finding}".rstrip()


def compared(alert: Alert) -> str:
    """`2.31 s > 2 s`, the value alone where there is no limit; empty where there is neither."""
    if alert.operator is not None:
        status: Status = "warn" if alert.status == "warn" else "fail"
        return summary(Finding("", status, alert.value, alert.operator, alert.limit, alert.unit)).strip()
    return "" if alert.value is None else show(alert.value, alert.unit)


def states(seen: Seen) -> list[str]:
    """`firing`, or what there is to know beside: who took it over, what keeps it quiet, who has not heard of it."""
    standing = seen.standing
    words: list[str] = [standing.alert.state]
    if standing.acked is not None:
        words.append(f"acknowledged by {standing.acked_by}")
    if seen.quiet_until is not None:
        kinds = {quiet.kind for quiet in seen.quiets}
        word = "silenced" if "silence" in kinds else "maintenance"
        words.append(f"{word} until {at(seen.quiet_until)}")
    if seen.inhibited:
        words.append(f"kept quiet by {seen.inhibited}")
    if seen.queued:
        words.append(f"queued for {', '.join(seen.queued)}")
    return words


def at(moment: float) -> str:
    """Seconds since the epoch as `2026-11-21 14:00 UTC`; text where no calendar has such a year."""
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{moment:g}"


def stamped(moment: float | None) -> str | None:
    """Seconds since the epoch as UTC, ISO 8601, in milliseconds: `2026-11-21T06:45:12.345Z`."""
    if moment is None:
        return None
    try:
        return stamp(datetime.fromtimestamp(moment, UTC))
    except (ValueError, OverflowError, OSError):
        return None


def ago(moment: float, now: float) -> str:
    """How long ago, in whole units; a clock that was set back makes it no less than nothing."""
    seconds = max(0, int(now - moment))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def length(start: float, end: float) -> str:
    """How long something lasts: `2 h`, `90 min`."""
    return show(float(round(max(0.0, end - start))), "s")


def matched(quiet: Quiet) -> str:
    """What a silence or window is about: `pre.components of checkout, team=db`; `everything`."""
    what = quiet.gate if quiet.gate not in ("", "*") else "everything"
    subject = f" of {quiet.subject}" if quiet.subject else ""
    return ", ".join([f"{what}{subject}", *(f"{name}={value}" for name, value in quiet.labels.items())])


def delivery(told: Delivery) -> str:
    """`delivered to slack`, `queued for slack: timed out after 5 s`."""
    words = {
        "queued": "queued for",
        "delivered": "delivered to",
        "refused": "refused by",
        "dropped": "dropped for",
    }
    tries = f" after {told.attempts} attempts" if told.attempts > 1 else ""
    why = f": {told.why}" if told.why else ""
    return f"{words.get(told.state, told.state)} {told.channel}{tries}{why}"
