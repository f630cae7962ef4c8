"""`gatekeeper silence`, as a user calls it."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from runs import store_in
from standings import BASE, SCRIPTED, channels, completed, keep, standing

pytest_plugins = ["gatekeeper.testing"]


@pytest.fixture
def project(gatekeeper_project):
    return gatekeeper_project.write({"gatekeeper.toml": BASE, "gates/gate_it.py": SCRIPTED, "lag.txt": "7"})


def shown(project, *arguments):
    done = project.command("silence", *arguments)
    assert (done.exit_code, done.stderr) == (0, ""), done
    return done.stdout


def refused(project, *arguments):
    done = project.command("silence", *arguments)
    assert (done.exit_code, done.stdout) == (4, ""), done
    assert "Traceback" not in done.stderr
    return done.stderr


def silenced(project, gate="lag", *arguments):
    """The id of a new silence."""
    more = () if "--until" in arguments else ("--for", "2h")
    text = shown(project, gate, *more, "--reason", "known", "--format", "json", *arguments)
    return json.loads(text)["silences"][0]["id"]


def quiets(project):
    with store_in(project.root) as store:
        return store.quiets(ended_after=time.time())


LAG = standing("pre.lag", "lag")


# -- add


def test_a_silence_says_until_when_what_it_covers_and_how_it_ends(project):
    keep(project.root, LAG, standing("pre.disk"), standing("pre.lag", subject="cart"))
    lines = shown(
        project, "lag", "--for", "2h", "--reason", "the database moves", "--subject", "check*"
    ).splitlines()
    identity = lines[0].split()[1].rstrip(":")
    assert lines[0].startswith(f"silence  {identity}: lag of check* until ")
    assert lines[0].endswith(" UTC (2 h)")
    assert lines[1:] == [
        "covers   pre.lag",
        f"firing   {LAG.alert.fingerprint[:8]} pre.lag lag",
        f"end it   gatekeeper silence end {identity}",
    ]
    [quiet] = quiets(project)
    assert (quiet.id, quiet.kind, quiet.gate, quiet.reason) == (
        identity,
        "silence",
        "lag",
        "the database moves",
    )
    assert quiet.ends - quiet.starts == 7200


def test_a_silence_can_be_made_before_the_first_run(project):
    assert "firing   nothing of it now" in shown(project, "pre.lag", "--for", "1d", "--reason", "known")


@pytest.mark.parametrize(
    "order", [["lag", "--for", "2h"], ["--for", "2h", "lag"], ["add", "lag", "--for", "2h"]]
)
def test_the_gate_may_stand_before_or_after_the_options(project, order):
    assert "covers   pre.lag" in shown(project, *order, "--reason", "known")


def test_ids_are_short_typable_and_each_another(project):
    ids = {silenced(project) for _ in range(5)}
    assert len(ids) == 5
    assert all(len(each) == 4 and each.isalnum() and each == each.lower() for each in ids)


def test_all_gates_and_patterns_can_be_silenced(project):
    assert "covers   all " in shown(project, "*", "--for", "1h", "--reason", "known")
    assert "covers   pre.lag, pre.disk" in shown(project, "pre.[ld]*", "--for", "1h", "--reason", "known")


def test_a_gate_that_nobody_has_is_refused_with_the_nearest(project):
    assert "no gate 'pre.lga'. Did you mean 'pre.lag'?" in refused(
        project, "pre.lga", "--for", "1h", "--reason", "x"
    )
    assert "no gate 'lisst'. Did you mean 'list'?" in refused(project, "lisst")
    assert "gatekeeper list shows all." in refused(project, "zzzzzz", "--for", "1h", "--reason", "x")
    assert not (project.root / ".gatekeeper" / "history.db").exists() or quiets(project) == []


def test_a_gate_that_is_gone_but_whose_alert_is_not_can_be_silenced(project):
    keep(project.root, standing("pre.removed"))
    assert "covers   pre.removed" in shown(project, "removed", "--for", "1h", "--reason", "known")


def test_who_silences_says_why_and_for_how_long(project):
    assert "--reason is missing" in refused(project, "lag", "--for", "1h")
    assert "--reason is missing" in refused(project, "lag", "--for", "1h", "--reason", " ")
    assert "for how long: --for 2h, or --until TIME" in refused(project, "lag", "--reason", "x")
    assert "for how long" in refused(project, "lag", "--reason", "x", "--for", "1h", "--until", "2036-01-01")
    assert "--for: expected a duration" in refused(project, "lag", "--reason", "x", "--for", "soon")
    assert "--for: expected more than 0 s and at most 3660 d" in refused(
        project, "lag", "--reason", "x", "--for", "0s"
    )
    assert "is over already" in refused(project, "lag", "--reason", "x", "--until", "2020-01-01 10:00")
    assert '--until: expected a time such as "2026' in refused(
        project, "lag", "--reason", "x", "--until", "tomorrow"
    )
    assert "at most 3660 d" in refused(project, "lag", "--reason", "x", "--for", "1e9d")
    for year in ("0001", "9999"):
        assert "expected a year from 1971 to 9000" in refused(
            project, "lag", "--reason", "x", "--until", f"{year}-01-01T00:00+14:00"
        )


def test_a_time_without_an_offset_is_of_the_time_zone_that_is_named(project):
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    plain = tomorrow.replace(tzinfo=None)
    silenced(project, "lag", "--until", str(plain))
    silenced(project, "lag", "--until", tomorrow.isoformat())
    silenced(project, "lag", "--until", str(plain), "--timezone", "Etc/GMT-3")
    assert sorted(quiet.ends - tomorrow.timestamp() for quiet in quiets(project)) == [-3 * 3600, 0, 0]
    assert "Did you mean 'Europe/Warsaw'?" in refused(
        project, "lag", "--reason", "x", "--until", str(plain), "--timezone", "Europe/Warsav"
    )


def test_labels_narrow_a_silence_and_unknown_ones_are_refused(project):
    (project.root / "gatekeeper.toml").write_text(BASE + "[alerts.labels]\nteam = 'db'\n")
    keep(project.root, standing("pre.lag", labels={"team": "db"}), standing("pre.lag", "other"))
    text = shown(
        project, "lag", "--for", "1h", "--reason", "known", "--label", "team=db", "--label", "severity=high"
    )
    assert "lag, team=db, severity=high until" in text
    assert text.count("pre.lag other") == 0
    assert "no alert has a label 'tem'. Did you mean 'team'?" in refused(
        project, "lag", "--for", "1h", "--reason", "x", "--label", "tem=db"
    )
    assert "expected NAME=VALUE, got 'team'" in refused(
        project, "lag", "--for", "1h", "--reason", "x", "--label", "team"
    )


def test_a_silence_is_signed_with_the_users_name_or_what_was_given(project):
    project.environment["LOGNAME"] = "robin"
    silenced(project)
    silenced(project, "disk", "--by", "kim")
    assert {quiet.gate: quiet.author for quiet in quiets(project)} == {"lag": "robin", "disk": "kim"}


# -- list


def test_list_shows_what_ends_first_on_top(project):
    later = silenced(project, "disk", "--for", "5h", "--by", "kim")
    sooner = silenced(project, "lag", "--by", "robin")
    keep(project.root, LAG)
    lines = shown(project, "list").splitlines()
    assert lines[0].split() == ["ID", "ALERTS", "OF", "ENDS", "FIRING", "BY", "REASON"]
    assert lines[1].startswith(f"{sooner}  lag ")
    assert lines[1].split()[-3:] == ["1", "robin", "known"]
    assert lines[2].startswith(f"{later}  disk ")
    found = json.loads(shown(project, "list", "--format", "json"))
    assert found["schema"] == "gatekeeper.silences/1"
    assert [each["id"] for each in found["silences"]] == [sooner, later]
    assert sorted(found["silences"][0]) == [
        "author", "ends", "gate", "id", "labels", "reason", "starts", "subject",
    ]  # fmt: skip


def test_list_of_nothing_says_so(project):
    assert shown(project, "list") == "Nothing is silenced.\n"
    assert json.loads(shown(project, "list", "--format", "json"))["silences"] == []
    assert not (project.root / ".gatekeeper").exists()


def test_text_of_a_silence_cannot_steer_the_terminal(project):
    silenced(project, "*", "--by", "a\x1b[2J", "--subject", "b\x07\nc", "--reason", "::error::\u202e")
    text = shown(project, "list")
    assert not set(text) & set("\x1b\x07\u202e")
    assert len(text.splitlines()) == 2


# -- end


def test_end_ends_a_silence_and_says_what_is_told_then(project):
    keep(project.root, LAG)
    first, second = silenced(project), silenced(project, "disk")
    text = shown(project, "end", first, second, first)
    assert text == (
        f"ended {first}: lag; 1 alert of it: told with the next run, or gatekeeper alerts flush\nended {second}: disk\n"
    )
    assert quiets(project) == []
    assert shown(project, "list") == "Nothing is silenced.\n"
    assert "(over)" in shown(project, "list", "--all")
    assert f"{first} ended 2" in refused(project, "end", first)


def test_end_of_what_is_no_silence_is_refused_and_changes_nothing(project):
    assert "no silence 'abcd'. Nothing is silenced." in refused(project, "end", "abcd")
    first = silenced(project)
    wrong = first[:3] + ("a" if first[3] != "a" else "b")
    assert f"no silence '{wrong}'. Did you mean '{first}'?" in refused(project, "end", first, wrong)
    assert f"lag is silenced by {first}: gatekeeper silence end {first}" in refused(project, "end", "lag")
    assert len(quiets(project)) == 1
    project.command("maintenance", "add", "move", "--for", "1h", "--reason", "x")
    assert "move is a maintenance window: gatekeeper maintenance end move" in refused(project, "end", "move")


def test_nothing_is_told_while_it_is_silenced_and_what_still_fires_afterwards(project):
    (project.root / "gatekeeper.toml").write_text(BASE + channels("ops"))
    identity = silenced(project)
    assert project.run("pre", "lag").exit_code == 1
    assert not (project.root / "ops.jsonl").exists()
    shown(project, "end", identity)
    assert project.command("alerts", "flush").exit_code == 0
    assert (project.root / "ops.jsonl").read_text() == '[false, ["pre.lag"]]\n'


def test_many_at_once_are_all_kept(project):
    import subprocess
    import sys

    command = [sys.executable, "-m", "gatekeeper", "silence", "lag", "--for", "1h", "--reason", "x"]
    started = [
        subprocess.Popen(command, cwd=project.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    assert [(each.communicate(timeout=60)[1], each.returncode) for each in started] == [(b"", 0)] * 6
    assert len(quiets(project)) == 6


def test_completion_knows_gates_and_silences(project):
    identity = silenced(project)
    assert completed(project, "gatekeeper silence add pre.l") == {"pre.lag"}
    assert completed(project, "gatekeeper silence end ") == {identity}
    assert completed(project, "gatekeeper silence ") >= {"add", "list", "end", "pre.lag"}
    assert completed(project, "gatekeeper silence pre.lag --u") == {"--until"}
