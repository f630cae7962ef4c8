"""A run with nothing to tell pays nothing for alerts but one look-up, whatever the history holds."""

import sys
import threading

import pytest

from gatekeeper.store import open_store
from runs import result, run

CONFIGURED = """
    [gates.resources]
    enabled = false
    [[alerts.channels]]
    type = "file"
    path = "alerts.jsonl"
"""
GOOD = """
    from gatekeeper import pre

    @pre
    def good(ctx):
        ctx.check(True)
"""


def loaded(project, monkeypatch, *words):
    """What a run imports."""
    project.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    done = project.run(*words)
    del project.environment["PYTHONPROFILEIMPORTTIME"]
    return done, {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


def test_a_run_without_events_loads_neither_rules_nor_stages_nor_channels(gatekeeper_project, monkeypatch):
    gatekeeper_project.write({"gates/gate_good.py": GOOD})
    done, modules = loaded(gatekeeper_project, monkeypatch, "pre", "good")
    assert done.exit_code == 0
    assert "gatekeeper.alerts.alerting" in modules
    heavy = ("gatekeeper.alerts.", "gatekeeper_channels.", "jinja2", "dateutil", "smtplib")
    assert {name for name in modules if name.startswith(heavy)} == {"gatekeeper.alerts.alerting"}


def test_with_channels_a_run_without_events_evaluates_nothing(gatekeeper_project, monkeypatch):
    gatekeeper_project.write({"gates/gate_good.py": GOOD, "gatekeeper.toml": CONFIGURED})
    done, modules = loaded(gatekeeper_project, monkeypatch, "pre", "good")
    assert done.exit_code == 0
    assert "gatekeeper.alerts.evaluate" not in modules
    assert not (gatekeeper_project.root / "alerts.jsonl").exists()


def test_what_there_is_to_do_is_read_from_partial_indexes(tmp_path):
    with open_store(tmp_path / "history.db", create=True) as store:
        for number in range(50):
            store.write(run(number, result("pre.disk", "fail")), judge=lambda _, runs: None)
        asked = []
        store._connection.set_trace_callback(asked.append)
        assert not store.work()
        store._connection.set_trace_callback(None)
        (statement,) = asked
        plan = " ".join(row[3] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {statement}"))
        assert "alerts_owed" in plan
        assert "SCAN deliveries USING INDEX deliveries_" in plan


def test_a_storm_of_ten_thousand_failures_is_one_notification_that_counts_the_rest(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gatekeeper.toml": CONFIGURED + "[[alerts.channels]]\n    type = 'console'\n",
            "gates/gate_storm.py": """
                from pathlib import Path
                from gatekeeper import Finding, pre

                @pre(params=range(10))
                def storm(ctx):
                    wrong = not Path("over").exists()
                    for number in range(1_000):
                        yield Finding(f"row {number}", "fail" if wrong else "pass", observed=number)
            """,
        }
    )
    first = gatekeeper_project.run("pre", "storm")
    assert first.exit_code == 1
    assert first.stderr.count("FIRING") <= 21
    assert "9980 more" in first.stderr
    (gatekeeper_project.root / "over").touch()
    second = gatekeeper_project.run("pre", "storm")
    assert (second.exit_code, "RESOLVED" in second.stderr) == (0, True)
    assert "Nothing fires" in gatekeeper_project.command("alerts", "list").stdout


def test_a_gate_that_flaps_is_told_of_so_often_an_hour_and_the_last_word_is_kept(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gatekeeper.toml": CONFIGURED + "max_per_hour = 4\n",
            "gates/gate_flap.py": """
                from pathlib import Path
                from gatekeeper import pre

                @pre
                def flap(ctx):
                    ctx.check(not Path("off").exists(), "it is off")
            """,
        }
    )
    off = gatekeeper_project.root / "off"
    for _ in range(5):
        off.touch()
        gatekeeper_project.run("pre", "flap")
        off.unlink()
        gatekeeper_project.run("pre", "flap")
    lines = (gatekeeper_project.root / "alerts.jsonl").read_text().splitlines()
    assert len(lines) == 4
    history = gatekeeper_project.command("alerts", "history", "--limit", "50").stdout
    assert (history.count(" firing "), history.count(" resolved ")) == (5, 5)


@pytest.mark.skipif(sys.platform != "linux", reason="runs side by side are forked")
def test_runs_side_by_side_on_one_history_tell_of_a_failure_once(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gatekeeper.toml": CONFIGURED,
            "gates/gate_off.py": "from gatekeeper import pre\n@pre\ndef off(ctx):\n    ctx.check(False, 'off')\n",
        }
    )
    threads = [
        threading.Thread(target=gatekeeper_project.command, args=("run", "pre", "off")) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (gatekeeper_project.root / "alerts.jsonl").read_text().splitlines()
    assert len(lines) == 1
