"""Recurrence rules: RFC 5545 in wall-clock time, at no cost worth naming."""

from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatekeeper.recurrence import Recurrence, check, parts, zone

HOUR, DAY = 3_600.0, 86_400.0


def at(text, name="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(name)).timestamp()


def local(moment, name="UTC"):
    return datetime.fromtimestamp(moment, ZoneInfo(name)).isoformat()


def begins(recurrence, now, n, name="UTC"):
    return [local(start, name) for start, _ in islice(recurrence.following(now), n)]


# -- wall-clock time -----------------------------------------------------------------------------------------


def test_a_window_keeps_its_wall_clock_time_across_summer_time():
    window = Recurrence(
        "FREQ=WEEKLY;BYDAY=SU", at("2026-01-04T02:00", "Europe/Warsaw"), HOUR, "Europe/Warsaw"
    )
    found = begins(window, at("2026-03-20T00:00"), 2, "Europe/Warsaw")
    assert found == ["2026-03-22T02:00:00+01:00", "2026-03-29T03:00:00+02:00"]
    assert begins(window, at("2026-03-30T00:00"), 1, "Europe/Warsaw") == ["2026-04-05T02:00:00+02:00"]


def test_a_window_in_the_hour_that_is_left_out_takes_place_by_the_offset_before():
    window = Recurrence("FREQ=DAILY", at("2026-01-01T02:30", "Europe/Warsaw"), HOUR, "Europe/Warsaw")
    opens = at("2026-03-29T01:30")  # 02:30 at UTC+1
    assert window.window(opens - 1) is None
    assert window.window(opens) == window.window(opens + HOUR - 1) == (opens, opens + HOUR)
    assert window.window(opens + HOUR) is None
    assert local(opens, "Europe/Warsaw") == "2026-03-29T03:30:00+02:00"


def test_a_window_in_the_hour_that_there_is_twice_takes_place_once():
    window = Recurrence("FREQ=DAILY", at("2026-01-01T02:30", "Europe/Warsaw"), HOUR, "Europe/Warsaw")
    opens = at("2026-10-25T00:30")  # 02:30 at UTC+2
    assert window.window(opens) == (opens, opens + HOUR)
    assert window.window(opens + HOUR - 1) == (opens, opens + HOUR)
    assert window.window(opens + HOUR) is None
    assert begins(window, opens, 1, "Europe/Warsaw") == ["2026-10-26T02:30:00+01:00"]


def test_a_long_window_that_began_before_the_clocks_were_changed_is_still_open():
    window = Recurrence(
        "FREQ=WEEKLY", at("2026-03-23T00:30", "Europe/Warsaw"), 7 * DAY - HOUR, "Europe/Warsaw"
    )
    opened = at("2026-03-23T00:30", "Europe/Warsaw")
    assert window.window(at("2026-03-29T23:00", "Europe/Warsaw")) == (opened, opened + 7 * DAY - HOUR)


@pytest.mark.parametrize(
    "name", ["Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca", "Pacific/Apia"]
)
def test_every_window_is_found_open_in_zones_with_odd_clocks(name):
    window = Recurrence("FREQ=DAILY", at("2026-01-01T02:15", name), 0.5 * HOUR, name)
    for start, end in islice(window.following(at("2026-01-01T00:00", name)), 370):
        assert window.window(start) == window.window(end - 1) == (start, end)


# -- what the rules mean ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "starts", "now", "expected"),
    [
        ("FREQ=MONTHLY", "1990-01-31T02:00", "2026-01-15T00:00", ["2026-01-31T02:00", "2026-03-31T02:00"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", "1990-01-05T02:00", "2026-11-21T00:00", ["2026-11-27T02:00", "2026-12-25T02:00"]),
        ("FREQ=MONTHLY;INTERVAL=5", "2025-12-10T02:00", "2026-06-01T00:00", ["2026-10-10T02:00", "2027-03-10T02:00"]),
        ("FREQ=YEARLY", "1992-02-29T02:00", "2026-01-01T00:00", ["2028-02-29T02:00", "2032-02-29T02:00"]),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "1990-01-01T02:00", "2026-01-01T00:00", ["2026-11-26T02:00", "2027-11-25T02:00"]),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=7", "1990-01-09T02:00", "2026-01-01T00:00", ["2026-07-09T02:00", "2030-07-09T02:00"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", "2026-01-05T02:00", "2026-01-10T00:00", ["2026-01-19T02:00", "2026-01-23T02:00"]),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU", "2026-01-05T02:00", "2026-01-05T00:00", ["2026-01-18T02:00", "2026-02-01T02:00"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "1990-01-05T02:00", "2026-11-21T00:00", ["2026-11-30T02:00", "2026-12-31T02:00"]),
        ("FREQ=HOURLY;INTERVAL=7", "1990-01-01T00:00", "2026-01-01T00:00", ["2026-01-01T05:00", "2026-01-01T12:00"]),
        ("FREQ=DAILY;COUNT=3", "2026-01-01T02:00", "2026-01-02T03:00", ["2026-01-03T02:00"]),
        ("FREQ=DAILY;UNTIL=20260102T020000Z", "2026-01-01T02:00", "2026-01-01T03:00", ["2026-01-02T02:00"]),
        ("FREQ=DAILY;UNTIL=20260102", "2026-01-01T02:00", "2026-01-01T03:00", ["2026-01-02T02:00"]),
        ("rrule:freq=daily;byhour=4,5;", "2026-01-01T02:00", "2026-01-01T03:00", ["2026-01-01T04:00", "2026-01-01T05:00"]),
    ],
)  # fmt: skip
def test_windows_begin_when_the_rule_says(rule, starts, now, expected):
    found = begins(Recurrence(rule, at(starts), HOUR), at(now), len(expected) if len(expected) > 1 else 3)
    assert found == [f"{each}:00+00:00" for each in expected]


def test_until_in_utc_is_a_moment_and_not_a_wall_clock_time():
    window = Recurrence(
        "FREQ=DAILY;UNTIL=20260102T005900Z", at("2026-01-01T02:00", "Europe/Warsaw"), HOUR, "Europe/Warsaw"
    )
    assert begins(window, at("2025-12-31T00:00"), 5, "Europe/Warsaw") == ["2026-01-01T02:00:00+01:00"]


def test_nothing_begins_before_the_start_or_after_the_end():
    end = at("2026-01-03T02:20")
    window = Recurrence("FREQ=DAILY", at("2026-01-01T02:00"), HOUR, until=end)
    assert window.window(at("2025-12-31T02:30")) is None
    assert len(begins(window, 0.0, 10)) == 3
    assert window.window(end - 1) == (at("2026-01-03T02:00"), end)
    assert window.window(end) is None
    assert window.window(at("2026-01-04T02:30")) is None


rules = st.builds(
    lambda frequency, interval, extra: f"FREQ={frequency};INTERVAL={interval}{extra}",
    st.sampled_from(["HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 5),
    st.sampled_from(["", ";BYDAY=MO,WE", ";BYMONTHDAY=1,-1", ";BYMONTH=3,10", ";BYHOUR=2", ";WKST=SU"]),
)


@given(rules, st.integers(0, 5_000), st.integers(0, 2_000), st.sampled_from(["UTC", "Europe/Warsaw"]))
def test_what_is_found_near_a_moment_is_what_is_found_from_the_start(rule, days, later, name):
    starts = at("2010-01-01T02:30", name) + days * DAY
    now = starts + later * DAY + 3 * HOUR
    window = Recurrence(rule, starts, 12 * HOUR, name)
    expected = _from_the_start(rule, starts, name, now + 400 * DAY)
    assume(expected)
    open_ = [start for start in expected if start <= now < start + 12 * HOUR]
    assert window.window(now) == ((max(open_), max(open_) + 12 * HOUR) if open_ else None)
    after = [start for start in expected if start > now]
    assert [start for start, _ in islice(window.following(now), min(3, len(after)))] == after[:3]


def _from_the_start(rule, starts, name, end):
    """The same by python-dateutil alone."""
    from dateutil.rrule import rrulestr

    first = datetime.fromtimestamp(starts, ZoneInfo(name)).replace(tzinfo=None)
    rule = rule if "WKST" in rule else f"{rule};WKST=MO"
    last = datetime.fromtimestamp(end, ZoneInfo(name)).replace(tzinfo=None)
    until = last.strftime("%Y%m%dT%H%M%S")
    try:
        walls = rrulestr(f"{rule};UNTIL={until}", dtstart=first)
    except ValueError:  # it knows that there is none
        return []
    return [wall.replace(tzinfo=ZoneInfo(name)).timestamp() for wall in walls]


def test_a_rule_that_nothing_fits_is_never_open_and_nothing_follows():
    window = Recurrence("FREQ=HOURLY;INTERVAL=2;BYHOUR=2", at("2026-01-01T03:30"), HOUR)
    assert window.window(at("2026-01-02T02:30")) is None
    assert list(islice(window.following(at("2026-01-01T03:30")), 3)) == []


# -- what it costs ---------------------------------------------------------------------------------------------


def test_a_rule_for_every_second_since_1990_expands_but_a_few_of_them(monkeypatch):
    from dateutil import rrule

    window = Recurrence("FREQ=SECONDLY", at("1990-01-01T00:00"), HOUR)
    expanded = 0
    original = rrule.rrule._iter

    def counting(self):
        nonlocal expanded
        for each in original(self):
            expanded += 1
            yield each

    monkeypatch.setattr(rrule.rrule, "_iter", counting)
    now = at("2026-11-21T12:00")
    assert window.window(now) == (now, now + HOUR)
    assert len(begins(window, now, 3)) == 3
    assert expanded < 200


@pytest.mark.parametrize(
    "rule", ["FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"]
)
def test_a_rule_that_nothing_fits_is_given_up(rule):
    window = Recurrence(rule, at("1990-01-01T00:00"), HOUR)
    assert window.window(at("2026-11-21T12:00")) is None
    assert begins(window, at("2026-11-21T12:00"), 3) == []


# -- what can't be understood ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("", "no part of a recurrence rule"),
        ("weekly", "no part of a recurrence rule"),
        ("BYDAY=SU", 'expected a recurrence rule such as "FREQ=WEEKLY;BYDAY=SU"'),
        ("FREQ=FORTNIGHTLY", "FREQ: expected one of"),
        ("FREQ=WEEKLY;BYDAYS=SU", "Did you mean 'BYDAY'"),
        ("FREQ=WEEKLY;BYDAY=SUN", "BYDAY: expected days such as MO,TU or 1SU, got 'SUN'"),
        ("FREQ=MONTHLY;BYDAY=0SU", "BYDAY"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL: expected a number from 1 to"),
        ("FREQ=DAILY;INTERVAL=1,2", "INTERVAL"),
        ("FREQ=DAILY;COUNT=1000000000", "COUNT: expected a number from 1 to 1000"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR: expected numbers from 0 to 23, got '24'"),
        ("FREQ=DAILY;BYMONTHDAY=0", "BYMONTHDAY"),
        ("FREQ=DAILY;BYHOUR=²", "BYHOUR"),
        ("FREQ=DAILY;UNTIL=20261332", "UNTIL: expected a date"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL: expected a date"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "exclude each other"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ is there twice"),
        ("FREQ=DAILY\nDTSTART:20260101T000000", "FREQ: expected one of"),
    ],
)
def test_a_rule_that_is_none_is_refused_with_what_was_expected(rule, why):
    with pytest.raises(ValueError) as caught:
        check(rule)
    assert why in str(caught.value)


@pytest.mark.parametrize("name", ["Europe/Warszawa", "../etc/passwd", "", "/etc/localtime", "CET\0"])
def test_a_zone_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match="timezone: expected an IANA name"):
        zone(name)


def test_a_zone_is_found_for_a_misspelt_name():
    with pytest.raises(ValueError, match="Europe/Warsaw"):
        zone("Europe/Warzaw")


@pytest.mark.parametrize("lasts", [0.0, -1.0, 367 * DAY, float("inf"), float("nan")])
def test_a_window_that_recurs_lasts_some_time_and_a_year_at_most(lasts):
    with pytest.raises(ValueError, match="lasts"):
        Recurrence("FREQ=DAILY", at("2026-01-01T00:00"), lasts)


@pytest.mark.parametrize("starts", [1e18, -1e18, float("inf"), float("nan")])
def test_a_start_beyond_all_calendars_is_refused(starts):
    with pytest.raises(ValueError):
        Recurrence("FREQ=DAILY", starts, HOUR)


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["FREQ=DAILY", "BYDAY=MO", "COUNT=3", "WKST=", "=", "INTERVAL=-1"])).map(
        ";".join
    )
)
def test_any_text_is_a_rule_or_refused(text):
    try:
        parts(text)
    except ValueError:
        return
    window = Recurrence(text, at("2026-01-01T00:00"), HOUR)
    window.window(at("2026-03-01T00:00"))
