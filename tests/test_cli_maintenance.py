"""`gatekeeper maintenance`, as a user calls it."""

import json
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from runs import store_in
from standings import BASE, SCRIPTED, channels, completed, keep, standing

pytest_plugins = ["gatekeeper.testing"]

SUNDAYS = """
[[alerts.maintenance]]
name = "sundays"
starts = 2026-01-04T02:00:00
lasts = "3h"
repeat = "FREQ=WEEKLY;BYDAY=SU"
timezone = "Europe/Warsaw"
reason = "updates"
"""


@pytest.fixture
def project(gatekeeper_project):
    return gatekeeper_project.write({"gatekeeper.toml": BASE, "gates/gate_it.py": SCRIPTED, "lag.txt": "7"})


def shown(project, *arguments):
    done = project.command("maintenance", *arguments)
    assert (done.exit_code, done.stderr) == (0, ""), done
    return done.stdout


def refused(project, *arguments):
    done = project.command("maintenance", *arguments)
    assert (done.exit_code, done.stdout) == (4, ""), done
    assert "Traceback" not in done.stderr
    return done.stderr


def planned(project, name="move", *arguments):
    given = ("--reason", "the database moves", *(() if "--for" in arguments else ("--for", "2h")))
    return shown(project, "add", name, *given, *arguments)


def windows(project, *arguments):
    return json.loads(shown(project, "list", "--format", "json", *arguments))["windows"]


def days_from_now(days):
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)


LAG = standing("pre.lag", "lag")


# -- add


def test_a_window_that_begins_now_is_open_and_says_what_it_covers(project):
    keep(project.root, LAG)
    lines = planned(project, "move", "--gate", "pre.[ld]*").splitlines()
    assert lines[0] == "planned  move: pre.[ld]*"
    assert lines[1].startswith("open     until ")
    assert lines[1].endswith(" UTC (2 h)")
    assert lines[2:] == [
        "covers   pre.lag, pre.disk",
        f"firing   {LAG.alert.fingerprint[:8]} pre.lag lag",
        "end it   gatekeeper maintenance end move",
    ]
    [window] = windows(project)
    assert (window["open"], window["name"], len(window["next"])) == (True, "move", 1)


def test_a_recurring_window_shows_its_next_times_in_its_time_zone(project):
    start = days_from_now(7)
    text = planned(
        project, "weekly", "--from", str(start.replace(tzinfo=None)), "--for", "90m",
        "--repeat", "FREQ=WEEKLY", "--timezone", "Etc/GMT-3",
    )  # fmt: skip
    first = start - timedelta(hours=3)
    times = [first + timedelta(days=7 * week) for week in range(3)]
    assert text.splitlines()[1:4] == [f"opens    {each:%Y-%m-%d %H:%M} UTC, for 90 min" for each in times]
    [window] = windows(project)
    assert (window["open"], window["timezone"], window["repeat"]) == (False, "Etc/GMT-3", "FREQ=WEEKLY")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--for", "soon"], "--for: expected a duration"),
        (["--for", "0s"], "--for: expected more than 0 s and at most 3660 d"),
        (["--for", "1h", "--from", "next sunday"], '--from: expected a time such as "2026'),
        (["--for", "1h", "--from", "2020-01-01"], "--for: it would be over at 2020-01-01 01:00 UTC already"),
        (["--for", "1h", "--repeat", "FREQ=NIGHTLY"], "--repeat: FREQ: expected one of "),
        (["--for", "1h", "--repeat", "weekly"], "--repeat: "),
        (["--for", "1h", "--repeat", "FREQ=DAILY", "--timezone", "Europe/Warsav"], "Did you mean 'Europe/Warsaw'?"),
        (["--for", "1h", "--timezone", "../../etc/passwd"], "--timezone: expected an IANA name"),
        (["--for", "500d", "--repeat", "FREQ=YEARLY"], "--for: expected more than nothing and at most 366 days"),
        (["--for", "1h", "--from", "2020-01-01", "--repeat", "FREQ=DAILY;UNTIL=20200105"], "never opens"),
        (["--for", "1h", "--gate", "pre.lga"], "no gate 'pre.lga'. Did you mean 'pre.lag'?"),
        (["--for", "1h", "--label", "team=db"], "no alert has a label 'team'"),
        ([], "Missing option '--for'"),
    ],
)  # fmt: skip
def test_what_could_never_be_meant_is_refused(project, arguments, said):
    assert said in refused(project, "add", "move", "--reason", "x", *arguments)
    assert windows(project) == []


def test_a_window_has_a_reason_and_a_name_that_can_be_typed(project):
    assert "--reason is missing" in refused(project, "add", "move", "--for", "1h")
    for name in ("", " ", "a\x1b[2J", "x" * 101):
        assert "expected 1 to 100 characters" in refused(project, "add", name, "--for", "1h", "--reason", "x")


def test_a_name_that_is_taken_is_refused_and_free_again_once_it_is_over(project):
    (project.root / "gatekeeper.toml").write_text(BASE + SUNDAYS)
    planned(project)
    assert "there is a window 'move' already" in refused(
        project, "add", "move", "--for", "1h", "--reason", "x"
    )
    assert "'sundays' is a window of the configuration: gatekeeper.toml:" in refused(
        project, "add", "sundays", "--for", "1h", "--reason", "x"
    )
    made = project.command("silence", "lag", "--for", "1h", "--reason", "x", "--format", "json").stdout
    identity = json.loads(made)["silences"][0]["id"]
    assert f"a silence has the id '{identity}'" in refused(
        project, "add", identity, "--for", "1h", "--reason", "x"
    )
    shown(project, "end", "move")
    planned(project)


# -- list


def test_list_shows_windows_of_the_configuration_too_and_where_they_are(project):
    (project.root / "gatekeeper.toml").write_text(BASE + SUNDAYS)
    planned(project, "move", "--by", "kim")
    lines = shown(project, "list").splitlines()
    assert lines[0].split() == ["NAME", "STATE", "ALERTS", "OF", "NEXT", "REPEATS", "BY", "REASON"]
    [move] = [line for line in lines if line.startswith("move")]
    assert "open until 2" in move
    assert move.split()[-4:] == ["kim", "the", "database", "moves"]
    [sundays] = [line for line in lines if line.startswith("sundays")]
    assert "everything" in sundays
    assert "FREQ=WEEKLY;BYDAY=SU Europe/Warsaw  gatekeeper.toml:" in sundays
    found = {window["name"]: window for window in windows(project)}
    assert found["sundays"]["configured"].startswith("gatekeeper.toml:")
    assert found["move"]["configured"] is None
    opens = [datetime.fromisoformat(each["starts"]) for each in found["sundays"]["next"]]
    warsaw = [each.astimezone(ZoneInfo("Europe/Warsaw")) for each in opens]
    assert [(each.strftime("%a"), each.hour) for each in warsaw] == [("Sun", 2)] * 3


def test_list_shows_what_opens_first_on_top(project):
    planned(project, "later", "--from", str(days_from_now(9)))
    planned(project, "sooner", "--from", str(days_from_now(2)))
    assert [window["name"] for window in windows(project)] == ["sooner", "later"]
    assert "planned" in shown(project, "list")


def test_list_of_nothing_says_so(project):
    assert shown(project, "list") == "No maintenance is planned.\n"
    assert json.loads(shown(project, "list", "--format", "json")) == {
        "schema": "gatekeeper.maintenance/1",
        "windows": [],
    }
    assert not (project.root / ".gatekeeper").exists()


def test_a_configured_window_that_cannot_be_understood_is_one_clear_message(project):
    (project.root / "gatekeeper.toml").write_text(BASE + SUNDAYS.replace("Europe/Warsaw", "Europe/Warsav"))
    assert "Did you mean 'Europe/Warsaw'?" in refused(project, "list")


# -- end


def test_end_ends_an_open_window_and_says_what_is_told_then(project):
    keep(project.root, LAG)
    planned(project)
    assert shown(project, "end", "move") == (
        "ended move: everything; 1 alert of it: told with the next run, or gatekeeper alerts flush\n"
    )
    assert windows(project) == []
    [window] = windows(project, "--all")
    assert (window["open"], window["next"]) == (False, [])
    assert "over" in shown(project, "list", "--all")
    assert "'move' is over" in refused(project, "end", "move")


def test_end_of_a_window_that_has_not_begun_takes_it_away(project):
    planned(project, "later", "--from", str(days_from_now(2)))
    assert shown(project, "end", "later") == "ended later: everything\n"
    assert windows(project) == []


def test_a_recurring_window_ends_for_good_or_only_this_once(project):
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
    planned(project, "daily", "--from", start.isoformat(), "--repeat", "FREQ=DAILY")
    planned(project, "nightly", "--from", start.isoformat(), "--repeat", "FREQ=DAILY")
    text = shown(project, "end", "daily", "--once")
    assert text == f"ended daily: everything; opens again {start + timedelta(days=1):%Y-%m-%d %H:%M} UTC\n"
    found = {window["name"]: window for window in windows(project)}
    assert found["daily"]["open"] is False
    assert found["nightly"]["open"] is True
    assert len(found["daily"]["next"]) == 3
    shown(project, "end", "nightly")
    assert [window["name"] for window in windows(project)] == ["daily"]
    [over] = [window for window in windows(project, "--all") if window["name"] == "nightly"]
    assert (over["open"], over["next"]) == (False, [])
    assert "--once: 'daily' is not open now" in refused(project, "end", "daily", "--once")


def test_once_of_what_does_not_open_again_is_refused(project):
    planned(project)
    planned(project, "twice", "--repeat", "FREQ=DAILY;COUNT=2")
    assert "'move' does not open again; leave out --once" in refused(project, "end", "move", "--once")
    assert "counts its times" in refused(project, "end", "twice", "--once")


def test_end_of_what_is_not_here_is_refused(project):
    assert "no maintenance window 'move'. No maintenance is planned." in refused(project, "end", "move")
    (project.root / "gatekeeper.toml").write_text(BASE + SUNDAYS)
    planned(project)
    assert "no maintenance window 'mvoe'. Did you mean 'move'?" in refused(project, "end", "mvoe")
    assert "'sundays' is configured, and ends where it is: gatekeeper.toml:" in refused(
        project, "end", "sundays"
    )
    made = project.command("silence", "lag", "--for", "1h", "--reason", "x", "--format", "json").stdout
    identity = json.loads(made)["silences"][0]["id"]
    assert f"gatekeeper silence end {identity}" in refused(project, "end", identity)


def test_a_window_that_was_there_before_the_configured_one_of_its_name_is_listed_and_can_be_ended(project):
    planned(project, "sundays")
    (project.root / "gatekeeper.toml").write_text(BASE + SUNDAYS)
    assert sorted(bool(window["configured"]) for window in windows(project)) == [False, True]
    shown(project, "end", "sundays")
    assert [bool(window["configured"]) for window in windows(project)] == [True]
    assert "is configured" in refused(project, "end", "sundays")


def test_nothing_is_told_while_a_window_is_open_and_what_still_fires_afterwards(project):
    (project.root / "gatekeeper.toml").write_text(BASE + channels("ops"))
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
    planned(project, "daily", "--from", start.isoformat(), "--repeat", "FREQ=DAILY")
    assert project.run("pre", "lag").exit_code == 1
    assert not (project.root / "ops.jsonl").exists()
    assert "maintenance until" in project.command("alerts", "list").stdout
    shown(project, "end", "daily", "--once")
    assert project.command("alerts", "flush").exit_code == 0
    assert (project.root / "ops.jsonl").read_text() == '[false, ["pre.lag"]]\n'


def test_windows_are_kept_as_the_stages_read_them(project):
    planned(project, "move", "--gate", "pre.*", "--subject", "checkout", "--label", "severity=high")
    with store_in(project.root) as store:
        [quiet] = store.quiets("maintenance", ended_after=time.time())
    assert (quiet.gate, quiet.subject, quiet.labels) == ("pre.*", "checkout", {"severity": "high"})
    assert quiet.ends - quiet.starts == 7200


def test_completion_knows_windows(project):
    planned(project)
    assert completed(project, "gatekeeper maintenance end m") == {"move"}
    assert completed(project, "gatekeeper maintenance add x --gate pre.l") == {"pre.lag"}
