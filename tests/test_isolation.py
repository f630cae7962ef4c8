"""What a gate does to itself costs only itself: every other gate runs, and the report is whole."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from gatekeeper.testing import Project

HOSTILE = """
    import ctypes, os, signal, subprocess, sys, threading, time
    from gatekeeper import pre

    @pre
    def healthy(ctx):
        ctx.check(True)

    @pre
    def exits_zero(ctx):
        os._exit(0)

    @pre
    def raises_system_exit(ctx):
        sys.exit(0)

    @pre
    def segfaults(ctx):
        os.kill(os.getpid(), signal.SIGSEGV)

    @pre(timeout="0.5s")
    def hangs_in_c(ctx):
        ctypes.CDLL(None).pause()

    @pre(timeout="0.5s")
    def ignores_sigterm(ctx):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)

    @pre(timeout="0.5s")
    def stops_itself(ctx):
        os.kill(os.getpid(), signal.SIGSTOP)

    @pre
    def runs_out_of_memory(ctx):
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
        bytearray(2**33)

    @pre
    def closes_descriptors(ctx):
        os.closerange(0, 200)
        ctx.check(True)

    @pre
    def patches_time(ctx):
        time.monotonic = time.time = time.perf_counter = lambda: -1e9
        ctx.check(True)

    @pre
    def prints_100_mb(ctx):
        for _ in range(100):
            sys.stdout.write("x" * 1_000_000)
        print("the end")
        ctx.check(True)

    @pre
    def leaves_a_thread(ctx):
        threading.Thread(target=time.sleep, args=(300,)).start()
        ctx.check(True)

    @pre
    def recurses(ctx):
        def again(): again()
        again()

    @pre
    def sends_too_much(ctx):
        ctx.save("big", "x" * 20_000_000)
        ctx.check(True)

    @pre
    def prints_garbage(ctx):
        os.write(1, b"\\xff\\xfe broken \\x00")
        print("\\ud800 lone")
        ctx.check(True)
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory):
    """One run of all the hostile gates: they must not get into each other's way."""
    project = Project(tmp_path_factory.mktemp("hostile")).write({"gates/gate_hostile.py": HOSTILE})
    began = time.monotonic()
    outcome = project.run("pre", "gates/gate_hostile.py", "-j", "4")
    return outcome, time.monotonic() - began


@pytest.mark.parametrize(
    ("gate", "status", "reason"),
    [
        ("healthy", "pass", ""),
        ("exits_zero", "error", "exited with code 0 before the gate had finished"),
        ("raises_system_exit", "error", "SystemExit: 0"),
        ("segfaults", "error", "killed by SIGSEGV"),
        ("hangs_in_c", "error", "timed out after 0.5 s"),
        ("ignores_sigterm", "error", "timed out after 0.5 s"),
        ("stops_itself", "error", "timed out after 0.5 s"),
        ("runs_out_of_memory", "error", "MemoryError"),
        ("closes_descriptors", "error", "result could not be sent"),
        ("patches_time", "pass", ""),
        ("prints_100_mb", "pass", ""),
        ("leaves_a_thread", "pass", ""),
        ("recurses", "error", "RecursionError"),
        ("sends_too_much", "error", "more than 16,777,216"),
        ("prints_garbage", "pass", ""),
    ],
)
def test_a_hostile_gate_ends_with_a_result_of_its_own(hostile, gate, status, reason):
    outcome, _ = hostile
    result = outcome[f"pre.{gate}"]
    assert (result.status, reason in result.reason) == (status, True), result


def test_hostile_gates_end_by_their_deadlines_and_block(hostile):
    outcome, took = hostile
    assert outcome.exit_code == 1
    assert outcome.run.header.complete
    assert took < 15


def test_output_is_kept_to_its_head_and_tail(hostile):
    output = hostile[0]["pre.prints_100_mb"].output
    assert len(output.stdout) < 140_000
    assert output.stdout.rstrip().endswith("the end")
    assert output.dropped > 99_000_000


def test_a_late_gate_says_where_it_hung(hostile):
    assert "in hangs_in_c" in hostile[0]["pre.hangs_in_c"].output.stderr


def test_output_that_is_not_utf8_is_kept_readable(hostile):
    assert "\\xff\\xfe broken" in hostile[0]["pre.prints_garbage"].output.stdout


def test_a_gate_that_kills_its_runner_costs_the_run_no_result(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_murder.py": """
                import os, signal, time
                from gatekeeper import pre

                @pre
                def murders(ctx):
                    os.kill(os.getppid(), signal.SIGKILL)
                    time.sleep(60)

                @pre(needs=["murders"])
                def later(ctx):
                    ctx.check(True)
            """
        }
    )
    outcome = gatekeeper_project.run("pre", "murders", "later")
    assert outcome.exit_code == 1
    assert "runner was lost while this gate ran" in outcome["pre.murders"].reason
    assert "runner was lost before this gate ran" in outcome["pre.later"].reason


COPIES = """
    import os, signal, time
    from gatekeeper import pre

    @pre
    def copy_speaks_for_a_crash(ctx):
        ctx.check(True)
        pid = os.fork()
        if pid == 0:
            return
        os.waitpid(pid, 0)
        os._exit(9)

    @pre
    def interrupts_itself(ctx):
        raise KeyboardInterrupt
"""


@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_a_forked_copy_of_a_gate_does_not_speak_for_it(gatekeeper_project, isolation):
    gatekeeper_project.write({"gates/gate_copies.py": COPIES})
    outcome = gatekeeper_project.run("pre", "gates/gate_copies.py", "--isolation", isolation)
    assert outcome.exit_code == 1
    assert "exited with code 9" in outcome["pre.copy_speaks_for_a_crash"].reason
    assert outcome["pre.interrupts_itself"].reason == "KeyboardInterrupt"
    assert "Traceback" not in outcome.stderr


def test_a_gate_that_stops_its_runner_is_ended_all_the_same(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_stop.py": """
                import os, signal, time
                from gatekeeper import pre

                @pre(timeout="0.5s")
                def stops(ctx):
                    while True:
                        os.kill(os.getppid(), signal.SIGSTOP)
                        time.sleep(0.01)
            """
        }
    )
    began = time.monotonic()
    outcome = gatekeeper_project.run("pre", "stops")
    assert time.monotonic() - began < 8
    assert (outcome.exit_code, outcome["pre.stops"].status) == (1, "error")


def test_a_lost_runner_leaves_no_gate_running(gatekeeper_project):
    mark = str(200_000 + os.getpid())
    gatekeeper_project.write(
        {
            "gates/gate_murder.py": f"""
                import os, signal, subprocess, time
                from gatekeeper import pre

                @pre
                def waits(ctx):
                    open("waiting", "w").close()
                    subprocess.run(["sleep", "{mark}"])

                @pre
                def murders(ctx):
                    while not os.path.exists("waiting"):
                        time.sleep(0.01)
                    time.sleep(0.1)
                    os.kill(os.getppid(), signal.SIGKILL)
                    time.sleep(60)
            """
        }
    )
    assert gatekeeper_project.run("pre", "waits", "murders").exit_code == 1
    left = [p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or [])]
    assert left == []


@pytest.mark.parametrize("limit", ["99999999999s", "1e12s"])
def test_a_limit_beyond_all_measure_is_a_limit_like_others(gatekeeper_project, limit):
    gatekeeper_project.write(
        {"gates/gate_g.py": "from gatekeeper import pre\n@pre\ndef g(ctx):\n    ctx.check(True)\n"}
    )
    for isolation in ("fork", "spawn"):
        outcome = gatekeeper_project.run(
            "pre", "g", "--deadline", limit, "--timeout", limit, "--isolation", isolation
        )
        assert (outcome.exit_code, outcome.stderr) == (0, "")


ESCAPES = """
    import os, subprocess, time
    from gatekeeper import pre

    @pre
    def leaves_a_program(ctx):
        subprocess.Popen(["sleep", "{seconds}"], start_new_session=True)
        ctx.check(True)

    @pre
    def leaves_a_daemon(ctx):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep({seconds})
            os._exit(0)
        ctx.check(True)

    @pre
    def leaves_in_its_group(ctx):
        subprocess.Popen(["sleep", "{seconds}"])
        ctx.check(True)
"""


def test_processes_that_escape_are_killed_and_named(gatekeeper_project):
    seconds = str(100_000 + os.getpid())
    gatekeeper_project.write({"gates/gate_escape.py": ESCAPES.replace("{seconds}", seconds)})
    outcome = gatekeeper_project.run("pre", "gates/gate_escape.py")
    left = [
        p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if seconds in (p.info["cmdline"] or [])
    ]
    assert left == []
    for gate in ("leaves_a_program", "leaves_a_daemon", "leaves_in_its_group"):
        result = outcome[f"pre.{gate}"]
        assert result.status == "warn", result
        # a daemon's first fork may still be on its way out when its gate ends
        assert re.search(r"left (1 process|2 processes) behind", result.reason), result.reason
    assert f"sleep {seconds}" in outcome["pre.leaves_a_program"].reason


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("isolation", ["fork", "spawn"])
def test_an_interrupted_run_reports_what_it_has_and_exits_2(tmp_path: Path, number: int, isolation: str):
    Project(tmp_path).write(
        {
            "gates/gate_slow.py": """
                import pathlib, time
                from gatekeeper import pre

                @pre
                def quick(ctx):
                    ctx.check(True)

                @pre(needs=["quick"])
                def slow(ctx):
                    pathlib.Path("running").touch()
                    time.sleep(60)
            """
        }
    )
    command = [sys.executable, "-m", "gatekeeper", "run", "pre", "quick", "slow", "--isolation", isolation]
    report = tmp_path / "r.json"
    process = subprocess.Popen(
        [*command, "--format", f"json={report}"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while not (tmp_path / "running").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(timeout=10) == 2
    import msgspec

    from gatekeeper.model import Run

    run = msgspec.json.decode(report.read_bytes(), type=Run)
    assert run.verdict.decision == "none"
    assert not run.header.complete
    assert [result.status for result in run.results] == ["pass", "error"]
    assert run.results[1].reason == "interrupted"


@pytest.mark.parametrize("isolation", ["fork", "spawn", "none"])
def test_every_isolation_comes_to_the_same_results(gatekeeper_project, isolation):
    gatekeeper_project.write(
        {
            "gates/gate_mixed.py": """
                from gatekeeper import pre

                @pre
                def good(ctx):
                    print("said")
                    assert 1 < 2
                    ctx.save("key", [1, 2])

                @pre(params={"a": 1, "b": 2})
                async def each(ctx):
                    ctx.check(ctx.param == 1)

                @pre
                def wrong(ctx):
                    return "fine"

                @pre(retries=1)
                def flaky(ctx):
                    ctx.check(ctx.attempt == 2)

                @pre(needs=["wrong"])
                def blocked(ctx):
                    ctx.check(True)
            """,
            "gatekeeper.toml": '[run]\nretry_delay = "10ms"\n',
        }
    )
    outcome = gatekeeper_project.run("pre", "gates/gate_mixed.py", "--isolation", isolation)
    statuses = {result.id: result.status for result in outcome.run.results}
    assert statuses == {
        "pre.good": "pass",
        "pre.each[a]": "pass",
        "pre.each[b]": "fail",
        "pre.wrong": "error",
        "pre.flaky": "pass",
        "pre.blocked": "skip",
    }
    assert outcome["pre.flaky"].flaky
    if isolation != "none":
        assert outcome["pre.good"].output.stdout == "said\n"


def test_a_spawned_gate_that_hangs_or_exits_costs_only_itself(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_bad.py": """
                import os, time
                from gatekeeper import pre

                @pre(timeout="0.5s")
                def hangs(ctx):
                    time.sleep(60)

                @pre
                def exits(ctx):
                    os._exit(0)

                @pre
                def good(ctx):
                    ctx.check(True)
            """
        }
    )
    outcome = gatekeeper_project.run("pre", "gates/gate_bad.py", "--isolation", "spawn", "-j", "1")
    assert "timed out after 0.5 s" in outcome["pre.hangs"].reason
    assert "exited with code 0 before" in outcome["pre.exits"].reason
    assert outcome["pre.good"].status == "pass"


def test_the_runs_deadline_ends_what_runs_and_what_has_not_started(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_slow.py": """
                import time
                from gatekeeper import pre

                @pre(params=["a", "b", "c"])
                def slow(ctx):
                    time.sleep(30)
            """
        }
    )
    began = time.monotonic()
    outcome = gatekeeper_project.run("pre", "slow", "-j", "1", "--deadline", "0.5s")
    assert time.monotonic() - began < 5
    assert outcome.exit_code == 1
    assert "the run's deadline" in outcome["pre.slow[a]"].reason
    assert outcome["pre.slow[c]"].reason == "not run: the run's deadline had passed"
