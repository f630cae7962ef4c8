"""Recurring times: recurrence rules of RFC 5545, section 3.3.10, in the wall-clock time of a zone.

python-dateutil expands them. It does so from the rule's start, however long ago, and looks for a next one until the
year 9999, so it is never given more than the neighbourhood of the moment that is asked for (`_near`, `_shifted`).

A wall-clock time that a change to summer time leaves out is taken by the offset before the gap, and one that there is
twice is the first of the two, as section 3.3.5 says of any local time: 02:30 is 03:30 on that morning. (Section 3.3.10
would leave that day out; but the maintenance that a window is for takes place.)
"""

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo

from gatekeeper.errors import nearest

MOST = 1_000
"""Greatest COUNT: what is counted has to be expanded from the start."""

LONGEST = 366 * 86_400.0
"""How long a window that recurs may last, in seconds."""

_UNITS = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3_600, "DAILY": 86_400, "WEEKLY": 604_800}
_FREQUENCIES = (*_UNITS, "MONTHLY", "YEARLY")
_DAYS = ("BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO")

_RANGES = {
    "INTERVAL": (1, 10_000), "COUNT": (1, MOST), "BYSECOND": (0, 59), "BYMINUTE": (0, 59), "BYHOUR": (0, 23),
    "BYMONTH": (1, 12), "BYMONTHDAY": (-31, 31), "BYYEARDAY": (-366, 366), "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
}  # fmt: skip
_SINGLE = ("INTERVAL", "COUNT")
_NAMES = ("FREQ", "UNTIL", "WKST", "BYDAY", *_RANGES)

_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL = re.compile(r"\d{8}(T\d{6}Z?)?")

# The Gregorian calendar repeats itself, days of the week included, every 400 years.
_CYCLE_YEARS, _CYCLE = 400, timedelta(days=146_097)
_DAY_S = 86_400.0
_LOOKBACKS = (60.0, 3_600.0, _DAY_S)  # what begins every second is found within the last minute


class Recurrence:
    """Windows of `lasts` seconds that begin when a rule says so, at `starts` (seconds since the epoch) at the earliest;
    none is open from `until` on.

    Raises:
        ValueError: the rule or the zone can't be understood, or a window lasts longer than 366 days.
    """

    def __init__(
        self, rule: str, starts: float, lasts: float, timezone: str = "UTC", until: float | None = None
    ) -> None:
        self._parts = parts(rule)
        self._zone = zone(timezone)
        self._starts = starts
        self._lasts = lasts
        self._until = math.inf if until is None else until
        if not 0 < lasts <= LONGEST:
            raise ValueError("lasts: expected more than nothing and at most 366 days for what recurs")
        try:
            self._first = self._wall(starts)
        except (OverflowError, OSError):
            raise ValueError(f"starts: no such time: {starts:g}") from None

    def window(self, now: float) -> tuple[float, float] | None:
        """The window that is open, the latest of several: when it began and when it ends."""
        if now < self._starts:
            return None
        margin = self._margin(now)
        shorter = _LOOKBACKS if self._parts["FREQ"] in ("SECONDLY", "MINUTELY") else ()
        for back in [*(back for back in shorter if back < self._lasts), self._lasts]:
            low, high = self._wall(now - back) - margin, self._wall(now) + margin
            begun = [at for at in map(self._moment, self._between(low, high)) if at <= now < self._end(at)]
            if begun:
                return max(begun), self._end(max(begun))
        return None

    def following(self, now: float) -> Iterator[tuple[float, float]]:
        """The windows that begin after a moment, in order."""
        low = self._wall(max(now, self._starts - 1)) - self._margin(now)
        for at in map(self._moment, self._between(low, None)):
            if at > now:
                yield at, self._end(at)

    def _end(self, begun: float) -> float:
        return min(begun + self._lasts, self._until)

    def _wall(self, moment: float) -> datetime:
        return datetime.fromtimestamp(moment, self._zone).replace(tzinfo=None, microsecond=0)

    def _moment(self, wall: datetime) -> float:
        return wall.replace(tzinfo=self._zone).timestamp()

    def _margin(self, now: float) -> timedelta:
        """By how much the zone's clocks were changed around the time in question."""
        moments = (now - self._lasts - _DAY_S, now - self._lasts, now - _DAY_S, now)
        offsets = [datetime.fromtimestamp(at, self._zone).utcoffset() or timedelta() for at in moments]
        return max(offsets) - min(offsets)

    def _between(self, low: datetime, high: datetime | None) -> Iterator[datetime]:
        """Wall-clock times from `low` to `high` at which the rule has a window begin, in order."""
        low = max(low, self._first)
        if high is not None and high < low:
            return
        shift = _shift(low)
        expanded = self._expanded(low, shift)
        for wall in takewhile(lambda at: high is None or at <= high + shift, expanded):
            if wall < low + shift:
                continue
            if self._moment(wall - shift) >= self._until:
                return
            yield wall - shift

    def _expanded(self, low: datetime, shift: timedelta) -> Iterator[datetime]:
        from dateutil.rrule import rrulestr

        given = dict(self._parts)
        start = self._first if "COUNT" in given else self._near(low, given)
        if (until := given.pop("UNTIL", None)) is not None:
            ends = self._until_of(until) + shift
            given["UNTIL"] = ends.strftime("%Y%m%dT%H%M%S")
        given.setdefault("WKST", "MO")
        text = ";".join(f"{name}={value}" for name, value in given.items())
        try:
            return iter(rrulestr(text, dtstart=start + shift))
        except ValueError:  # hour 2 of every other hour from 03:30 on: there is none
            return iter(())

    def _near(self, low: datetime, given: dict[str, str]) -> datetime:
        """A start before `low` from which the rule goes on as from its own; what it takes from that is put in words."""
        frequency, interval, first = given["FREQ"], int(given.get("INTERVAL", 1)), self._first
        if unit := _UNITS.get(frequency):
            periods = int((low - first).total_seconds()) // (unit * interval) - 1
            return first + max(0, periods) * timedelta(seconds=unit * interval)
        if not any(name in given for name in _DAYS):
            given["BYMONTHDAY"] = str(first.day)
            if frequency == "YEARLY":
                given.setdefault("BYMONTH", str(first.month))
        if frequency == "YEARLY":
            years = max(0, (low.year - first.year) // interval - 1) * interval
            return first.replace(year=first.year + years, month=1, day=1)
        months = (low.year - first.year) * 12 + low.month - first.month
        passed = first.month - 1 + max(0, months // interval - 1) * interval
        return first.replace(year=first.year + passed // 12, month=passed % 12 + 1, day=1)

    def _until_of(self, text: str) -> datetime:
        if text.endswith("Z"):
            return self._wall(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())
        if "T" in text:
            return datetime.strptime(text, "%Y%m%dT%H%M%S")
        return datetime.strptime(text, "%Y%m%d") + timedelta(days=1, seconds=-1)


def _shift(moment: datetime) -> timedelta:
    """Into the last centuries that Python knows: a rule that nothing fits is given up after some hundred years."""
    return (9_960 - moment.year) // _CYCLE_YEARS * _CYCLE


def check(rule: str, timezone: str = "UTC") -> None:
    """Whether a rule and a zone can be understood.

    Raises:
        ValueError: which part can't, and what was expected.
    """
    parts(rule)
    zone(timezone)


@lru_cache
def zone(name: str) -> tzinfo:
    """A time zone by its IANA name.

    Raises:
        ValueError: there is none of that name.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        from zoneinfo import available_timezones

        hint = nearest(name, sorted(available_timezones()))
        raise ValueError(
            f'timezone: expected an IANA name such as "Europe/Warsaw", got {name!r}.{hint}'
        ) from None


def parts(rule: str) -> dict[str, str]:
    """The parts of a recurrence rule by name.

    Raises:
        ValueError: which part is wrong, and what was expected.
    """
    found: dict[str, str] = {}
    for part in rule.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in _NAMES:
            raise ValueError(f"repeat: {part!r} is no part of a recurrence rule.{nearest(name, _NAMES)}")
        if name in found:
            raise ValueError(f"repeat: {name} is there twice")
        found[name] = value
        _check_part(name, value)
    if "FREQ" not in found:
        raise ValueError(f'repeat: expected a recurrence rule such as "FREQ=WEEKLY;BYDAY=SU", got {rule!r}')
    if "COUNT" in found and "UNTIL" in found:
        raise ValueError("repeat: COUNT and UNTIL exclude each other (RFC 5545, section 3.3.10)")
    return found


def _check_part(name: str, value: str) -> None:
    if name == "FREQ":
        _check(value in _FREQUENCIES, name, value, f"one of {', '.join(_FREQUENCIES)}")
    elif name == "WKST":
        _check(value in ("MO", "TU", "WE", "TH", "FR", "SA", "SU"), name, value, "a day such as MO")
    elif name == "BYDAY":
        days = [_DAY.fullmatch(day) for day in value.split(",")]
        fit = all(day is not None and 0 < abs(int(day[1] or 1)) <= 53 for day in days)
        _check(fit, name, value, "days such as MO,TU or 1SU")
    elif name == "UNTIL":
        _check(_is_date(value), name, value, "a date such as 20261231 or 20261231T235959Z")
    else:
        low, high = _RANGES[name]
        numbers = [value] if name in _SINGLE else value.split(",")
        fit = all(_within(number, low, high) for number in numbers)
        _check(fit, name, value, f"{'a number' if name in _SINGLE else 'numbers'} from {low} to {high}")


def _check(fits: bool, name: str, value: str, expected: str) -> None:
    if not fits:
        raise ValueError(f"repeat: {name}: expected {expected}, got {value!r}")


def _within(number: str, low: int, high: int) -> bool:
    if re.fullmatch(r"[+-]?[0-9]{1,5}", number) is None:
        return False
    return low <= int(number) <= high and (low >= 0 or int(number) != 0)


def _is_date(value: str) -> bool:
    if _UNTIL.fullmatch(value) is None:
        return False
    try:
        datetime.strptime(value[:8] + (value[8:].rstrip("Z") or "T000000"), "%Y%m%dT%H%M%S")
    except ValueError:
        return False
    return True
