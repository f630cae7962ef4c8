"""Silences and maintenance windows: nothing is told while one is open, and nothing is lost by it."""

from datetime import datetime

import pytest

from alertworld import DAY, HOUR, MINUTE, START, World, alerting, seconds
from gatekeeper.alerts.stages import Recipient, active, matches, next_times, quiets_of
from gatekeeper.quantities import Duration
from gatekeeper.settings.alerting import QuietSettings
from gatekeeper.store.standing import Quiet


@pytest.fixture
def world():
    return World(Recipient(name="ops"))


# -- silences --------------------------------------------------------------------------------------------------


def test_what_fires_in_a_silence_is_told_when_it_ends(world):
    world.silence(HOUR, gate="pre.network")
    world.fires("pre.network")
    assert world.told_now() == []
    assert world.told_now(after=HOUR - 1) == []
    assert world.told_now(after=1) == ["ops: firing pre.network (1 firing)"]


def test_what_fires_and_ends_in_a_silence_is_never_told(world):
    world.silence(HOUR)
    name = world.fires("pre.network")
    world.told_now()
    world.ends(name)
    assert world.told_now() == []
    assert not world.standings[name].owed
    assert world.told_now(after=2 * HOUR) == []


def test_what_was_told_and_ends_in_a_silence_is_told_when_that_is_over(world):
    name = world.fires("pre.network")
    world.told_now()
    world.silence(HOUR)
    world.ends(name)
    assert world.told_now() == []
    assert world.standings[name].owed
    assert world.told_now(after=HOUR) == ["ops: resolved pre.network (0 firing)"]
    assert not world.standings[name].owed


def test_what_ends_and_fires_anew_in_a_silence_is_what_the_channel_knew(world):
    name = world.fires("pre.network")
    world.told_now()
    world.silence(HOUR)
    world.ends(name)
    world.told_now(after=MINUTE)
    world.fires("pre.network")
    world.told_now(after=MINUTE)
    assert world.told_now(after=HOUR) == []
    world.ends(name)
    assert world.told_now() == ["ops: resolved pre.network (0 firing)"]


def test_the_rest_of_a_group_is_told_without_the_silenced(world):
    world.silence(HOUR, gate="pre.network")
    world.fires("pre.network")
    world.fires("pre.storage")
    assert world.told_now() == ["ops: firing pre.storage (1 firing)"]
    assert world.told_now(after=HOUR) == ["ops: firing pre.network (2 firing)"]


def test_a_group_is_not_over_while_a_silenced_alert_of_it_fires(world):
    world.fires("pre.network")
    other = world.fires("pre.storage")
    world.told_now()
    world.silence(HOUR, gate="pre.network")
    world.ends(other)
    assert world.told_now() == ["ops: resolved pre.storage (1 firing)"]


def test_nothing_is_repeated_in_a_silence(world):
    world.fires("pre.network")
    world.told_now()
    world.silence(10 * HOUR)
    assert world.told_now(after=6 * HOUR) == []
    assert world.told_now(after=6 * HOUR) == ["ops: firing pre.network again (1 firing)"]


def test_what_is_held_back_is_said_with_the_reason_and_the_end(world):
    world.silence(HOUR, reason="new switch")
    world.silence(2 * HOUR, reason="cabling")
    name = world.fires("pre.network")
    (held,) = world.evaluate().held
    assert (held.fingerprint, held.channel, held.why) == (name, "", "silenced: cabling")
    assert held.until == START + 2 * HOUR


def test_a_channel_that_resends_leaves_silenced_alerts_out():
    world = World(Recipient(name="am", resends=True))
    world.silence(HOUR, gate="pre.network")
    world.fires("pre.network")
    world.fires("pre.storage")
    assert world.told_now() == ["am: firing pre.storage (1 firing)"]


@pytest.mark.parametrize(
    ("options", "is_matched"),
    [
        ({}, True),
        ({"gate": "pre.network"}, True),
        ({"gate": "network"}, True),
        ({"gate": "pre.*"}, True),
        ({"gate": "pre.net"}, False),
        ({"gate": "post.*"}, False),
        ({"subject": "shop"}, True),
        ({"subject": "sh*"}, True),
        ({"subject": "blog"}, False),
        ({"labels": {"team": "db"}}, True),
        ({"labels": {"team": "d*"}}, False),
        ({"labels": {"team": "db", "severity": "high"}}, True),
        ({"labels": {"severity": "low"}}, False),
        ({"labels": {"nothing": ""}}, True),
        ({"gate": "pre.network", "subject": "blog"}, False),
    ],
)
def test_what_a_silence_is_about(world, options, is_matched):
    name = world.fires("pre.network", team="db")
    quiet = Quiet(id="s", starts=0, ends=1, **options)
    assert matches(quiet, world.standings[name].alert) is is_matched


# -- maintenance -----------------------------------------------------------------------------------------------


def maintenance(starts, lasts, repeat="", **options):
    return QuietSettings(
        name="nightly", starts=datetime.fromisoformat(starts), lasts=Duration(lasts), repeat=repeat, **options
    )


def test_a_configured_window_recurs_in_the_wall_clock_time_of_its_zone():
    (quiet,) = quiets_of(
        alerting(
            maintenance=(
                maintenance("2026-01-04T02:30:00", HOUR, "FREQ=WEEKLY;BYDAY=SU", timezone="Europe/Warsaw"),
            )
        )
    )
    assert (quiet.id, quiet.kind) == ("nightly", "maintenance")
    assert active(quiet, seconds("2026-03-22T02:45+01:00"))
    assert active(quiet, seconds("2026-04-05T02:45+02:00"))
    assert not active(quiet, seconds("2026-04-05T02:45+01:00"))
    assert not active(quiet, seconds("2026-04-06T02:45+02:00"))
    assert active(quiet, seconds("2026-03-29T03:45+02:00"))  # 02:45 is left out on that day


def test_a_window_with_an_offset_begins_at_that_moment():
    (quiet,) = quiets_of(alerting(maintenance=(maintenance("2026-03-02T12:00:00+05:00", HOUR),)))
    assert (quiet.starts, quiet.ends) == (seconds("2026-03-02T07:00"), seconds("2026-03-02T08:00"))
    assert not active(quiet, quiet.starts - 1)
    assert active(quiet, quiet.starts)
    assert not active(quiet, quiet.ends)


def test_a_window_is_for_its_subject_only():
    window = maintenance("2026-03-01T12:00:00", HOUR, "FREQ=DAILY", subject="shop", reason="backup")
    world = World(Recipient(name="ops"), settings=alerting(group_by=("subject",), maintenance=(window,)))
    world.fires("pre.network", subject="shop")
    world.fires("pre.network", subject="blog")
    planned = world.evaluate()
    assert [n.subject for n, _ in planned.notifications] == ["blog"]
    assert [held.why for held in planned.held] == ["maintenance nightly: backup"]
    assert planned.held[0].until == START + HOUR
    assert [n.subject for n, _ in world.evaluate(after=HOUR).notifications] == ["shop"]


@pytest.mark.parametrize(
    "broken",
    [
        Quiet(id="w", starts=0, ends=1e12, repeat="FREQ=NEVER"),
        Quiet(id="w", starts=0, ends=HOUR, repeat="FREQ=HOURLY", timezone="Mars/Olympus"),
        Quiet(id="w", starts=HOUR, ends=0, repeat="FREQ=HOURLY"),
        Quiet(id="w", starts=2 * HOUR, ends=HOUR),
    ],
)
def test_what_can_not_be_understood_keeps_nothing_quiet(world, broken):
    world.quiets.append(broken)
    world.fires("pre.network")
    assert world.told_now() == ["ops: firing pre.network (1 firing)"]
    assert next_times(broken, START, 3) == []


def test_next_times_of_a_window_begin_with_the_open_one():
    quiet = Quiet(id="w", starts=START, ends=START + HOUR, repeat="FREQ=DAILY;COUNT=3")
    assert next_times(quiet, START + MINUTE, 2) == [(START, START + HOUR), (START + DAY, START + DAY + HOUR)]
    assert next_times(quiet, START + HOUR, 5) == [(START + n * DAY, START + n * DAY + HOUR) for n in (1, 2)]
    assert next_times(quiet, START + 3 * DAY, 5) == []
    assert next_times(Quiet(id="s", starts=5, ends=9), 3, 2) == [(5, 9)]
    assert next_times(Quiet(id="s", starts=5, ends=9), 9, 2) == []


def test_a_window_that_was_ended_early_begins_no_more():
    quiet = Quiet(id="w", starts=START, ends=START + HOUR, repeat="FREQ=DAILY", until=START + MINUTE)
    assert active(quiet, START)
    assert not active(quiet, START + MINUTE)
    assert not active(quiet, START + DAY)
    assert next_times(quiet, START + HOUR, 3) == []
