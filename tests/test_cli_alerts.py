"""`gatekeeper alerts`, as a user calls it; and what `config check` and `doctor` say of alerts."""

import json

import pytest

from runs import result, run, store_in
from standings import BASE, SCRIPTED, channels, completed, deliver, event, keep, standing

pytest_plugins = ["gatekeeper.testing"]


@pytest.fixture
def project(gatekeeper_project):
    return gatekeeper_project.write({"gatekeeper.toml": BASE, "gates/gate_it.py": SCRIPTED, "lag.txt": "7"})


def configured(project, *given, more=""):
    text = channels(*given)
    (project.root / "gatekeeper.toml").write_text(BASE + text + "\n" + more)
    return project


def shown(project, *arguments, code=0):
    done = project.command("alerts", *arguments)
    assert (done.exit_code, done.stderr) == (code, ""), done
    return done.stdout


def refused(project, *arguments):
    done = project.command("alerts", *arguments)
    assert (done.exit_code, done.stdout) == (4, ""), done
    assert "Traceback" not in done.stderr
    return done.stderr


def document(project, *arguments, schema):
    found = json.loads(shown(project, *arguments, "--format", "json"))
    assert found.pop("schema") == schema
    return found


LAG = standing(
    "pre.lag", "lag", ago=5.5 * 3600, value=7.0, operator="<=", limit=5, unit="s", summary="lag 7 s > 5 s"
)
DISK = standing("pre.disk", severity="critical", ago=3.5 * 3600, summary="no room", state="firing")
SLOW = standing("post.speed", severity="medium", state="pending", ago=2.5 * 86_400, value=0.8, unit="ratio")
OVER = standing("pre.old", state="resolved", ended="2026-01-01T00:00:00Z", owed=False)


@pytest.fixture
def firing(project):
    """Two alerts fire, one is about to, one is over."""
    keep(project.root, LAG, DISK, SLOW, OVER)
    return project


# -- list


def test_list_says_that_nothing_fires(project):
    assert shown(project, "list") == "Nothing fires. No runs yet. gatekeeper run pre records the first.\n"
    assert not (project.root / ".gatekeeper").exists()
    with store_in(project.root) as store:
        store.write(run(1))
    assert shown(project, "list") == "Nothing fires.\n"
    assert document(project, "list", schema="gatekeeper.alerts/1") == {"alerts": []}


def test_list_shows_the_worst_first_and_what_is_pending_last(firing):
    assert shown(firing, "list") == (
        "ALERT     SEVERITY  FOR  GATE         VALUE      STATE\n"
        f"{DISK.alert.fingerprint[:8]}  critical  3 h  pre.disk     no room    firing\n"
        f"{LAG.alert.fingerprint[:8]}  high      5 h  pre.lag lag  7 s > 5 s  firing\n"
        f"{SLOW.alert.fingerprint[:8]}  medium    2 d  post.speed   80 %       pending\n"
    )


def test_list_says_who_took_it_over_what_keeps_it_quiet_and_who_has_not_heard_of_it(project):
    taken = standing("pre.lag", "lag", acked=1.0, acked_by="kim\x1b[2J")
    keep(project.root, taken, DISK)
    deliver(project.root, "ops", event(taken), event(DISK))
    deliver(project.root, "chat", event(DISK))
    deliver(project.root, "mail", event(DISK, 2), state="delivered", done=1.0)
    assert project.command("silence", "disk", "--for", "2h", "--reason", "known").exit_code == 0
    lines = shown(project, "list").splitlines()
    assert lines[1].endswith(" UTC, queued for chat, ops")
    assert "firing, silenced until 2" in lines[1]
    assert lines[2].endswith("firing, acknowledged by kim\\x1b[2J, queued for ops")


def test_list_says_which_gate_keeps_another_quiet(project):
    rule = "[[alerts.inhibit]]\nwhile = 'pre.disk'\nquiet = 'pre.lag'\n"
    keep(configured(project, more=rule).root, LAG, DISK)
    assert shown(project, "list").splitlines()[2].endswith("firing, kept quiet by pre.disk")


def test_list_can_be_narrowed(firing):
    def gates(*arguments):
        return [
            a["alert"]["gate"]
            for a in document(firing, "list", *arguments, schema="gatekeeper.alerts/1")["alerts"]
        ]

    assert gates() == ["pre.disk", "pre.lag", "post.speed"]
    assert gates("--severity", "high") == ["pre.disk", "pre.lag"]
    assert gates("--gate", "speed") == ["post.speed"]
    assert gates("--gate", "pre.*") == ["pre.disk", "pre.lag"]
    assert gates("--subject", "cart") == []
    assert gates("--all")[-1] == "pre.old"
    assert "Nothing fires of 'chekout'. Did you mean 'checkout'?" in shown(
        firing, "list", "--subject", "chekout"
    )
    assert "Did you mean 'pre.lag'?" in shown(firing, "list", "--gate", "pre.lga")
    assert (
        shown(firing, "list", "--severity", "critical", "--gate", "pre.lag")
        == "Nothing of this fires; 3 others do.\n"
    )


def test_list_shows_subjects_only_where_there_are_several(firing):
    assert "SUBJECT" not in shown(firing, "list")
    keep(firing.root, standing("pre.lag", subject="cart"))
    assert "SUBJECT" in shown(firing, "list")


def test_one_long_text_pushes_nothing_out_of_sight(project):
    keep(project.root, standing("pre.disk", summary="no room " * 1000), LAG)
    assert max(map(len, shown(project, "list").splitlines())) < 200
    assert "no room " * 900 in shown(project, "show", "pre.disk")


def test_list_as_json_has_all_that_is_known(firing):
    shown(firing, "ack", "pre.lag", "--by", "kim", "--reason", "ticket 17")
    found = document(firing, "list", "--gate", "pre.lag", schema="gatekeeper.alerts/1")["alerts"][0]
    assert found["alert"]["fingerprint"] == LAG.alert.fingerprint
    assert (found["alert"]["value"], found["alert"]["limit"], found["alert"]["unit"]) == (7.0, 5, "s")
    assert found["acknowledged"].items() >= {"by": "kim", "reason": "ticket 17"}.items()
    assert sorted(found) == [
        "acknowledged", "alert", "fired", "inhibited_by", "level", "queued_for", "silenced_by", "silenced_until",
    ]  # fmt: skip


def test_text_of_a_gate_cannot_steer_the_terminal(project):
    evil = standing(
        "pre.\x1b[2Jx\n",
        "a\x1b[31mb\r\n##[error]",
        summary="::error::x\n\u202ey",
        hint="\x07",
        subject="c\x1b",
    )
    keep(project.root, evil, events=(event(evil),))
    deliver(project.root, "ops\x1b", event(evil), why="\x1b[2Jwhy")
    for command in (["list"], ["show", evil.alert.fingerprint[:8]], ["history"]):
        text = shown(project, *command)
        assert not set(text) & set("\x1b\r\x07\u202e"), command
        assert "##[error]" not in text, command


@pytest.mark.parametrize(
    "command", [["list"], ["history"], ["show", "pre.lag"], ["ack", "pre.lag"], ["flush"]]
)
def test_a_damaged_store_is_one_clear_sentence(project, command):
    (project.root / ".gatekeeper").mkdir()
    (project.root / ".gatekeeper" / "history.db").write_bytes(b"what is this? " * 1000)
    done = project.command("alerts", *command)
    assert done.exit_code == 3
    assert "is damaged or no SQLite database" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# -- show


def test_show_tells_everything_of_one_alert(firing):
    configured(
        firing,
        "ops",
        more="[[alerts.escalation]]\nafter = '6h'\nseverity = 'critical'\nchannels = ['ops']\n",
    )
    first, worse = event(LAG), event(LAG, 2, "escalated", before="medium")
    keep(firing.root, events=(first, worse))
    deliver(firing.root, "ops", first, state="delivered", done=1.0, attempts=2)
    deliver(firing.root, "ops", worse, why="503 Service Unavailable")
    shown_id = json.loads(
        firing.command("silence", "lag", "--for", "1h", "--reason", "known", "--format", "json").stdout
    )["silences"][0]["id"]
    text = shown(firing, "show", LAG.alert.fingerprint[:6])
    assert text.startswith("pre.lag lag of checkout   high   firing, silenced until ")
    for line in (
        "why            lag 7 s > 5 s",
        f"fingerprint    {LAG.alert.fingerprint}",
        f"quiet by       silence {shown_id}: lag; known",
        "  escalated  high (was medium)  run 20261121-000001-00000001",
        "      queued for ops: 503 Service Unavailable",
        "      delivered to ops after 2 attempts",
    ):
        assert line in text, text
    assert "to critical, tells ops, if nothing keeps it quiet then" in text
    assert text.index("escalated") < text.index("delivered to ops")


def test_show_as_json_is_one_document(firing):
    keep(firing.root, events=(event(LAG),))
    deliver(firing.root, "ops", event(LAG), event(DISK))
    found = document(firing, "show", "lag", schema="gatekeeper.alert/1")
    assert found["alert"]["gate"] == "pre.lag"
    assert [e["kind"] for e in found["events"]] == ["firing"]
    assert [(d["channel"], d["state"]) for d in found["deliveries"]] == [("ops", "queued")]
    assert (found["next_escalation"], found["silences"]) == (None, [])


def test_show_also_shows_what_is_over(firing):
    text = shown(firing, "show", "pre.old")
    assert "over           2026-01-01 00:00 UTC" in text


def test_show_refuses_what_is_not_there_or_could_be_several(firing):
    keep(firing.root, standing("pre.lag", "other"))
    assert "no alert 'pre.lagg'. Did you mean 'pre.lag'?" in refused(firing, "show", "pre.lagg")
    assert "pre.lag could be several" in refused(firing, "show", "pre.lag")
    assert "There are some of" in refused(firing, "show", "pre.storage")
    assert "no alert 'ffff00'" in refused(firing, "show", "ffff00")


def test_a_beginning_that_two_fingerprints_share_is_not_guessed(project):
    keep(
        project.root,
        standing("pre.lag", fingerprint="abcd" * 8),
        standing("pre.disk", fingerprint="abcd" * 7 + "0" * 4),
    )
    assert "abcd could be several: abcdabcdabcd pre.disk, abcdabcdabcd pre.lag" in refused(
        project, "show", "abcd"
    )
    assert "abcd could be several" in refused(project, "ack", "abcd")


def test_without_a_run_there_is_nothing_to_show_or_acknowledge(project):
    for command in (["show", "pre.lag"], ["ack", "pre.lag"]):
        assert "there are no alerts. No runs yet." in refused(project, *command)


# -- ack


def test_ack_takes_alerts_over_and_undo_gives_them_back(firing):
    said = shown(firing, "ack", LAG.alert.fingerprint[:8], "pre.disk", "--by", "kim", "--reason", "ticket 17")
    assert said == (
        f"{LAG.alert.fingerprint[:8]} pre.lag lag: acknowledged by kim\n"
        f"{DISK.alert.fingerprint[:8]} pre.disk: acknowledged by kim\n"
    )
    with store_in(firing.root) as store:
        acked = {s.alert.gate: (s.acked_by, s.acked_why, s.acked is not None) for s in store.standings()}
    assert acked["pre.lag"] == ("kim", "ticket 17", True)
    assert acked["post.speed"] == ("", "", False)
    assert "by kim: ticket 17" in shown(firing, "show", "pre.lag")
    assert shown(firing, "ack", "*", "--undo").count("acknowledged by nobody") == 2
    assert "acknowledged" not in shown(firing, "list")


def test_ack_is_signed_with_the_users_name(firing):
    firing.environment["LOGNAME"] = "robin"
    assert "acknowledged by robin" in shown(firing, "ack", "pre.*")


def test_ack_of_what_does_not_fire_is_refused_and_changes_nothing(firing):
    said = refused(firing, "ack", "pre.lag", "pre.dsik")
    assert "no alert 'pre.dsik'. Did you mean 'pre.disk'?" in said
    assert "acknowledged" not in shown(firing, "list")
    assert "post.speed: pending, there is nothing to acknowledge yet" in refused(firing, "ack", "speed")
    assert "no alert 'pre.old'" in refused(firing, "ack", "pre.old")


def test_ack_can_be_of_one_subject(firing):
    keep(firing.root, standing("pre.lag", subject="cart"))
    assert shown(firing, "ack", "lag", "--subject", "cart", "--by", "kim").count("\n") == 1
    assert shown(firing, "list").count("acknowledged by kim") == 1


# -- flush


def test_flush_of_nothing_says_so(project):
    assert shown(project, "flush") == "Nothing to send. No runs yet. gatekeeper run pre records the first.\n"
    with store_in(project.root) as store:
        store.write(run(1))
    assert shown(project, "flush") == "Nothing to send.\n"


def test_flush_sends_what_is_queued_whatever_it_waits_for(project):
    configured(project, "ops")
    keep(project.root, LAG)
    deliver(project.root, "ops", event(LAG), attempts=3, why="503")
    with store_in(project.root) as store, store.changing():
        store._change("UPDATE deliveries SET due = due + 1000")
    assert "ops: " in shown(project, "flush")
    assert "queued" not in shown(project, "list")


def test_flush_exits_with_1_while_something_is_left(project):
    configured(project, "ops=later", "chat=refused", "mail")
    for name in ("ops", "chat", "mail"):
        deliver(project.root, name, event(LAG))
    text = shown(project, "flush", code=1)
    assert "ops NOT sent: 503 Service Unavailable" in text
    assert "chat NOT sent: no such room" in text
    assert "mail: 1 sent" in text


def test_flush_judges_runs_that_nobody_did(project):
    configured(project, "ops")
    with store_in(project.root) as store:
        store.write(run(1, result("pre.lag", "fail", lag=7)))
    assert "ops: 1 sent" in shown(project, "flush")
    assert (project.root / "ops.jsonl").read_text() == '[false, ["pre.lag"]]\n'


def test_flush_says_what_a_silence_holds_back(project):
    configured(project, "ops")
    assert project.command("silence", "*", "--for", "1h", "--reason", "night").exit_code == 0
    with store_in(project.root) as store:
        store.write(run(1, result("pre.lag", "fail", lag=7)))
    text = shown(project, "flush")
    assert "1 alert held back: silenced: night" in text
    assert not (project.root / "ops.jsonl").exists()


# -- test


def test_test_sends_a_marked_event_and_says_what_happened(project):
    configured(project, "ops", "chat")
    text = shown(project, "test", "ops")
    assert text.startswith("ops: delivered in ")
    assert text.endswith("; otherwise it is told of medium and up\n")
    assert json.loads((project.root / "ops.jsonl").read_text()) == [True, ["alerts.test"]]
    assert not (project.root / "chat.jsonl").exists()
    assert "delivered to ops" in shown(project, "history")
    assert shown(project, "list") == "Nothing fires.\n"


def test_test_of_all_shows_every_outcome_and_none_waits_for_another(project):
    configured(
        project, "ops", "chat=refused", "pager=later", "wire=raise",
        more=channels("dead=hang") + 'timeout = "0.5s"\n',
    )  # fmt: skip
    text = shown(project, "test", "--all", code=1)
    assert text.splitlines()[-1] == "dead NOT delivered: timed out after 500 ms"
    assert "ops: delivered in" in text
    assert "chat NOT delivered: refused after" in text
    assert "pager NOT delivered: 503 Service Unavailable" in text
    assert "wire NOT delivered: OSError: broken \\x1b[31m wire" in text
    with store_in(project.root) as store:
        states = {d.channel: d.state for d in store.deliveries()}
    assert states == {
        "ops": "delivered",
        "chat": "refused",
        "pager": "refused",
        "wire": "refused",
        "dead": "refused",
    }
    assert not [d for d in states.values() if d == "queued"]


def test_test_ends_a_channel_that_is_gone_and_brings_it_back_once_it_works(project):
    configured(project, "ops=gone")
    assert "410 Gone" in shown(project, "test", "ops", code=1)
    with store_in(project.root) as store:
        assert store.disabled() == {"ops": "410 Gone"}
    configured(project, "ops")
    shown(project, "test", "ops")
    with store_in(project.root) as store:
        assert store.disabled() == {}


def test_test_goes_out_whatever_is_silenced_and_however_mild_it_is(project):
    configured(project, "ops")
    project.command("silence", "*", "--for", "1h", "--reason", "night")
    assert "delivered" in shown(project, "test", "ops", "--severity", "low")


def test_test_of_an_unknown_channel_names_the_nearest(project):
    assert "no channel is configured" in refused(project, "test", "ops")
    configured(project, "ops", "chat")
    assert "no channel 'opps'. Did you mean 'ops'?" in refused(project, "test", "opps")
    assert "no channel 'x'. Configured: ops, chat." in refused(project, "test", "x")
    assert "which channel: one of ops, chat, or --all" in refused(project, "test")


def test_test_of_a_channel_that_is_not_enabled_says_so(project):
    configured(project, "ops", "chat", more="enabled = false\n")
    assert "channel 'chat' is switched off: its table has enabled = false" in refused(project, "test", "chat")
    assert shown(project, "test", "--all").count("delivered") == 1
    (project.root / "gatekeeper.toml").write_text(BASE + channels("ops") + "enabled = false\n")
    assert "every channel has enabled = false" in refused(project, "test", "ops")


def test_test_works_where_nothing_can_be_recorded_and_says_that(project):
    configured(project, "ops")
    (project.root / ".gatekeeper").write_text("no folder")
    done = project.command("alerts", "test", "ops")
    assert (done.exit_code, "delivered" in done.stdout) == (0, True)
    assert "the test is not recorded" in done.stderr


# -- history


def test_history_shows_events_newest_first_and_who_was_told(firing):
    first, worse = event(LAG), event(LAG, 2, before="medium")
    keep(firing.root, events=(first, event(DISK), worse))
    deliver(firing.root, "ops", first, state="delivered", done=1.0)
    deliver(firing.root, "chat", first, why="timed out after 5 s", attempts=2)
    lines = shown(firing, "history").splitlines()
    assert lines[0].split() == ["TIME", "EVENT", "ALERT", "SEVERITY", "GATE", "VALUE", "TOLD"]
    assert "medium to high" in lines[1]
    assert lines[1].endswith("nobody")
    assert "delivered to ops" in lines[3]
    assert "queued for chat after 2 attempts: timed out after 5 s" in lines[3]


def test_history_can_be_narrowed_and_says_how_to_go_on(firing):
    keep(firing.root, events=(event(LAG), event(DISK), event(LAG, 2, "resolved")))
    found = document(firing, "history", "--gate", "lag", schema="gatekeeper.alert-history/1")
    assert [e["event"]["kind"] for e in found["events"]] == ["resolved", "firing"]
    assert found["more"] is False
    text = shown(firing, "history", "--limit", "1")
    assert text.endswith("more: gatekeeper alerts history --limit 5\n")
    assert "No events of 'chekout'. Did you mean 'checkout'?" in shown(
        firing, "history", "--subject", "chekout"
    )
    assert "Did you mean 'pre.disk'?" in shown(firing, "history", "--gate", "pre.dsk")


def test_history_as_json_has_the_deliveries_of_each_event(firing):
    keep(firing.root, events=(event(LAG),))
    deliver(firing.root, "ops", event(LAG), event(DISK), state="refused", done=1.0, why="no such room")
    [found] = document(firing, "history", schema="gatekeeper.alert-history/1")["events"]
    assert found["event"]["id"] == event(LAG).id
    [told] = found["deliveries"]
    assert told.items() >= {"channel": "ops", "state": "refused", "why": "no such room", "due": None}.items()


def test_history_without_events_says_so(project):
    assert (
        shown(project, "history")
        == "No alert has fired. No runs yet. gatekeeper run pre records the first.\n"
    )
    with store_in(project.root) as store:
        store.write(run(1))
    assert shown(project, "history") == "No alert has fired.\n"


def test_a_notification_that_cannot_be_read_is_passed_over(firing):
    keep(firing.root, events=(event(LAG),))
    deliver(firing.root, "ops", event(LAG))
    with store_in(firing.root) as store, store.changing():
        store._change("UPDATE deliveries SET document = ?", (b'{"of": "another version"}',))
    for command in (["list"], ["show", "pre.lag"], ["history"]):
        assert "pre.lag" in shown(firing, *command)


# -- config check and doctor

WRONG = """
[[alerts.channels]]
type = "scripte"

[[alerts.rules]]
name = "slow"
gate = "pre.lga"
status = ["fail"]

[[alerts.maintenance]]
name = "night"
starts = 2026-01-01T02:00:00
lasts = "2h"
repeat = "FREQ=NIGHTLY"
"""


def test_config_check_reports_all_that_is_wrong_with_alerts_with_file_and_line(project):
    (project.root / "gatekeeper.toml").write_text(WRONG + "[gates.lag]\ntimeout = 'soon'\n")
    done = project.command("config", "check")
    assert done.exit_code == 4
    assert (
        "gatekeeper.toml:3  [alerts.channels[0]] type: no type of channel 'scripte'. Did you mean 'scripted'?"
        in done.stderr
    )
    assert "gatekeeper.toml:7  [alerts.rules[0]] gate: " in done.stderr
    assert "Did you mean 'pre.lag'?" in done.stderr
    assert "gatekeeper.toml:14  [alerts.maintenance[0]] repeat: " in done.stderr
    assert "timeout" in done.stderr
    doctor = project.command("doctor")
    assert doctor.exit_code == 4
    assert doctor.stdout.count("problem  alerts") == 3


def test_config_check_names_the_channels_and_secrets_that_are_not_here(project):
    configured(project, "ops", "chat")
    path = project.root / "gates" / "gate_it.py"
    path.write_text(
        path.read_text()
        .replace('answer: str = "delivered"', 'answer: str = "delivered"\n    token: Secret = Secret("")')
        .replace("import json\n", "import json\nfrom gatekeeper.quantities import Secret\n", 1)
    )
    (project.root / "gatekeeper.toml").write_text(
        BASE + channels("ops", "chat") + 'token = "env:NO_SUCH_TOKEN"\n'
    )
    done = project.command("config", "check")
    assert done.exit_code == 0, done.stderr
    assert "channels  ops, chat" in done.stdout
    assert "not here  channel chat: " in done.stdout
    assert "NO_SUCH_TOKEN" in done.stdout
    doctor = project.command("doctor")
    assert doctor.exit_code == 0
    assert "note     alerts         to ops, chat; chat: " in doctor.stdout


def test_a_profiles_alerts_are_checked_too(project):
    configured(project, "ops", more="[profiles.ci]\nalerts = { group_by = ['nothing'] }\n")
    done = project.command("config", "check")
    assert done.exit_code == 4
    assert "'nothing'" in done.stderr


RULE = "[[alerts.rules]]\nname = 'late'\ngate = 'pre.lag'\nfinding = '{}'\nthreshold = '> 3s'\n"


def test_a_rule_on_a_quantity_that_its_gate_never_records_is_refused_before_and_after_its_first_run(project):
    configured(project, more=RULE.format("lga"))
    before = project.command("config", "check")
    assert project.run("pre", "lag").exit_code == 1
    after = project.command("config", "check")
    for done in (before, after):
        assert done.exit_code == 4
        assert "records no 'lga': this would never fire. Did you mean 'lag'?" in done.stderr


COMPUTED = """
from gatekeeper import pre

@pre
def lag(ctx):
    for name in ["lag"]:
        ctx.measure(name, 5, unit="s", fail=3)
"""


def test_where_a_gate_computes_its_names_a_quantity_is_refused_once_it_has_run_without_it(project):
    configured(project, more=RULE.format("lga"))
    (project.root / "gates" / "gate_it.py").write_text(COMPUTED)
    assert project.command("config", "check").exit_code == 0
    assert project.run("pre", "lag").exit_code == 1
    done = project.command("config", "check")
    assert done.exit_code == 4
    assert "records no 'lga': this would never fire. Did you mean 'lag'?" in done.stderr


def test_a_rule_on_a_quantity_that_its_gate_is_about_to_record_is_not_refused(project):
    configured(project)
    project.run("pre", "lag")
    path = project.root / "gates" / "gate_it.py"
    configured(project, more=RULE.format("latency"))
    path.write_text(COMPUTED.replace('["lag"]', '["lag", "latency"]'))
    assert project.command("config", "check").exit_code == 0


def test_doctor_says_what_is_queued_and_switched_off(project):
    assert (
        "ok       alerts         no channel is configured: nobody is told" in project.command("doctor").stdout
    )
    configured(project, "ops", "chat")
    keep(project.root, LAG)
    deliver(project.root, "ops", event(LAG))
    with store_in(project.root) as store:
        store.disable("chat", "410 Gone", 1.0)
    done = project.command("doctor")
    assert done.exit_code == 0
    assert (
        "note     alerts         to ops, chat; chat is switched off (410 Gone); 1 queued for ops"
        in done.stdout
    )


# -- help and completion


@pytest.mark.parametrize("command", ["list", "show", "ack", "flush", "test", "history"])
def test_help_has_examples(project, command):
    assert f"gatekeeper alerts {command}" in shown(project, command, "--help").split("\n", 2)[2]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("gatekeeper alerts ", ["list", "show", "ack", "flush", "test", "history"]),
        ("gatekeeper alerts test o", ["ops"]),
        ("gatekeeper alerts ack pre.l", ["pre.lag"]),
        (f"gatekeeper alerts show {LAG.alert.fingerprint[:3]}", [LAG.alert.fingerprint[:8]]),
    ],
)
def test_completion_knows_commands_channels_and_alerts(firing, words, expected):
    configured(firing, "ops", "chat")
    assert completed(firing, words) >= {*expected}


def test_completion_of_a_broken_project_is_empty_and_quiet(project):
    (project.root / "gatekeeper.toml").write_text("[rnu]\n")
    assert completed(project, "gatekeeper alerts test ") == set()
    assert completed(project, "gatekeeper alerts ack ") == set()


# -- with a store that several share


@pytest.mark.real
def test_all_commands_work_with_a_store_on_a_server(project, postgresql_url):
    configured(project, "ops=later", more=f"[store]\nurl = '{postgresql_url}'\n")
    assert project.run("pre", "lag").exit_code == 1
    assert "pre.lag lag" in shown(project, "list")
    assert "queued for ops" in shown(project, "list")
    assert "acknowledged by kim" in shown(project, "ack", "lag", "--by", "kim")
    assert project.command("silence", "lag", "--for", "1h", "--reason", "known").exit_code == 0
    text = shown(project, "show", "lag")
    assert "quiet by       silence" in text
    assert "queued for ops" in text
    assert "NOT delivered: 503" in shown(project, "test", "ops", code=1)
    assert "ops NOT sent" in shown(project, "flush", code=1)
    assert (
        document(project, "history", schema="gatekeeper.alert-history/1")["events"][-1]["event"]["kind"]
        == "firing"
    )
    planned = project.command("maintenance", "add", "move", "--for", "1h", "--reason", "the database moves")
    assert planned.exit_code == 0, planned.stderr
    assert "open until" in project.command("maintenance", "list").stdout
    assert project.command("maintenance", "end", "move").exit_code == 0
    assert "queued for ops" in project.command("doctor").stdout
