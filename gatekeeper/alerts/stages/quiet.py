"""Silences and maintenance windows: while one is open, nothing is told of the alerts that it matches."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import islice

from msgspec import Struct

from gatekeeper.alerts.matching import covers
from gatekeeper.channels.events import Alert
from gatekeeper.recurrence import Recurrence, zone
from gatekeeper.settings.alerting import AlertSettings, QuietSettings
from gatekeeper.store.standing import Quiet, Standing

Window = tuple[float, float]


class Hush(Struct, frozen=True):
    """Why nothing is told of an alert, and until when."""

    why: str
    until: float


def hushed(standings: Sequence[Standing], quiets: Sequence[Quiet], now: float) -> dict[str, Hush]:
    """By fingerprint, the alerts that an open silence or maintenance window matches; of several, the last to end."""
    open_ = [(window[1], quiet) for quiet in quiets if (window := _window(quiet, now)) is not None]
    longest = sorted(open_, key=lambda pair: (-pair[0], pair[1].id))
    hushes = [(quiet, Hush(_words(quiet), ends)) for ends, quiet in longest]
    return {
        standing.alert.fingerprint: hush
        for standing in (standings if hushes else ())
        if (hush := next((hush for quiet, hush in hushes if matches(quiet, standing.alert)), None))
        is not None
    }


def matches(quiet: Quiet, alert: Alert) -> bool:
    """Whether an alert is one of those that a silence or window is about, open or not."""
    return (
        (not quiet.gate or covers(quiet.gate, alert.gate))
        and (not quiet.subject or fnmatchcase(alert.subject, quiet.subject))
        and all(alert.label(name) == value for name, value in quiet.labels.items())
    )


def active(quiet: Quiet, now: float) -> bool:
    """Whether it is open at a moment. One whose rule can't be understood never is: rather told than silent."""
    return _window(quiet, now) is not None


def next_times(quiet: Quiet, now: float, n: int) -> list[Window]:
    """The next `n` times that it is open, the present one included: when each begins and ends."""
    if not quiet.repeat:
        return [(quiet.starts, quiet.ends)][:n] if now < quiet.ends else []
    recurrence = _recurrence(quiet)
    return list(islice(_present_and_following(recurrence, now), n)) if recurrence is not None else []


def _present_and_following(recurrence: Recurrence, now: float) -> Iterator[Window]:
    if (present := recurrence.window(now)) is not None:
        yield present
    yield from recurrence.following(now)


def quiets_of(settings: AlertSettings) -> list[Quiet]:
    """The configured maintenance windows.

    Raises:
        ValueError: a time zone or a recurrence rule can't be understood.
    """
    return [_configured(each) for each in settings.maintenance]


def _configured(window: QuietSettings) -> Quiet:
    starts = window.starts
    if starts.tzinfo is None:
        starts = starts.replace(tzinfo=zone(window.timezone))
    return Quiet(
        id=window.name,
        kind="maintenance",
        gate=window.gate,
        subject=window.subject,
        labels=window.labels,
        starts=starts.timestamp(),
        ends=starts.timestamp() + window.lasts,
        repeat=window.repeat,
        timezone=window.timezone,
        reason=window.reason,
    )


def _window(quiet: Quiet, now: float) -> Window | None:
    if not quiet.repeat:
        return (quiet.starts, quiet.ends) if quiet.starts <= now < quiet.ends else None
    recurrence = _recurrence(quiet)
    return recurrence.window(now) if recurrence is not None else None


def _recurrence(quiet: Quiet) -> Recurrence | None:
    return _recurring(quiet.repeat, quiet.starts, quiet.ends - quiet.starts, quiet.timezone, quiet.until)


@lru_cache
def _recurring(
    repeat: str, starts: float, lasts: float, timezone: str, until: float | None
) -> Recurrence | None:
    try:
        return Recurrence(repeat, starts, lasts, timezone, until)
    except ValueError:
        return None


def _words(quiet: Quiet) -> str:
    what = "silenced" if quiet.kind == "silence" else f"maintenance {quiet.id}"
    return f"{what}: {quiet.reason}" if quiet.reason else what
