"""`gatekeeper exec`: what the command and all that it starts used, and what of it is left."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from execs import Execs

pytestmark = pytest.mark.heavy

BURN = "import time\nwhile time.process_time() < 0.4: pass\n"


def budgets(execs: Execs, table: str) -> None:
    execs.write({"gatekeeper.toml": (execs.root / "gatekeeper.toml").read_text() + table})


# -- processor time ----------------------------------------------------------------------------------------------------


def test_duration_is_the_commands_from_start_to_end(execs):
    done = execs("sleep", "0.5")
    assert 0.5 <= done.measured("duration") < 10
    assert done.measured("cpu") < 0.4


def test_processor_time_is_that_of_the_whole_tree(execs):
    code = f"""
        import subprocess, sys
        burn = [sys.executable, "-c", {BURN!r}]
        children = [subprocess.Popen(burn) for _ in range(2)]
        exec({BURN!r})
        [child.wait() for child in children]
    """
    assert 1.2 <= execs.python(code).measured("cpu") < 2.4


def test_of_daemons_that_ended_too(execs):
    """Forked twice, in a session of its own: nobody but gatekeeper could wait for it."""
    code = f"""
        import os, time
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                exec({BURN!r})
            os._exit(0)
        os.close(writer)
        os.wait()
        os.read(reader, 1)
    """
    assert 0.4 <= execs.python(code).measured("cpu") < 1.2


@pytest.mark.usefixtures("ends_what_is_left")
def test_of_those_that_still_run(execs):
    code = f"""
        import os, subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", {BURN!r} + "print(1, flush=True)\\nimport time; time.sleep(60)"],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        child.stdout.readline()
        os._exit(0)
    """
    done = execs.python(code)
    assert done["post.cleanup"].status == "fail"
    assert 0.4 <= done.measured("cpu") < 1.2


def test_children_of_a_process_that_waits_for_none_are_seen_while_they_run(execs):
    code = f"""
        import os, signal, time
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        reader, writer = os.pipe()
        if os.fork() == 0:
            exec({BURN!r})
            time.sleep(0.5)
            os._exit(0)
        os.close(writer)
        os.read(reader, 1)
    """
    assert 0.35 <= execs.python(code).measured("cpu") < 1.2


def test_gates_are_no_part_of_it(execs):
    burning = "import time\nfrom gatekeeper import post, pre\ndef burn(ctx):\n    while time.process_time() < 1: pass\n    ctx.check(True)\none = pre(name='one')(burn)\ntwo = post(name='two')(burn)\n"
    execs.write({"gates/gate_burn.py": burning})
    done = execs("true")
    assert done["pre.one"].status == "pass", done["pre.one"].reason
    assert done.measured("cpu") < 0.4


# -- memory ------------------------------------------------------------------------------------------------------------


def test_peak_memory_is_what_was_allocated_even_for_a_moment(execs):
    peak = execs.python("block = b'x' * 250_000_000").measured("peak_memory")
    # the kernel adds pages up in batches, and on a busy machine looks miss the last of them; without it there are 15 MB
    assert 150e6 <= peak <= 290e6


def test_peaks_of_processes_side_by_side_add_up(execs):
    code = """
        import subprocess, sys
        hold = "block = b'x' * 120_000_000; print(1, flush=True); input()"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        children = [subprocess.Popen([sys.executable, "-c", hold], **pipes) for _ in range(2)]
        [child.stdout.readline() for child in children]
        import time; time.sleep(1.5)
        [child.communicate(b"\\n") for child in children]
    """
    assert 240e6 <= execs.python(code).measured("peak_memory") <= 320e6


def test_pages_that_processes_share_count_once(execs):
    code = """
        import os, time
        block = b"x" * 150_000_000
        children = [os.fork() for _ in range(2)]
        time.sleep(1.5)
        if 0 in children:
            os._exit(0)
        [os.waitpid(child, 0) for child in children]
    """
    done = execs.python(code)
    assert 150e6 <= done.measured("peak_memory") <= 230e6
    assert "PSS" in done.finding("post.flow", "peak_memory").evidence["source"]


def test_a_command_too_short_to_look_at_has_no_peak_of_nothing(execs):
    assert execs("true").measured("peak_memory") > 0


def test_budgets_on_what_gatekeeper_measures_need_no_samples(execs):
    budgets(execs, '[gates.performance.budgets]\nduration = "10s"\ncpu = "50s"\npeak_memory = "100MB"\n')
    assert execs("true")["post.performance"].status == "pass"
    done = execs.python("block = b'x' * 150_000_000")
    assert (done.code, done["post.performance"].status) == (1, "fail")
    finding = done.finding("post.performance", "peak_memory")
    assert (finding.unit, finding.limit) == ("B", 100e6)
    assert finding.evidence["source"].startswith("gatekeeper: ")


def test_the_flows_own_measurement_wins_and_a_note_says_so(execs):
    budgets(execs, '[gates.performance.budgets]\nduration = "5s"\ntokens = 3\n')
    line = 'echo \'{"name": "duration", "value": 7, "unit": "s"}\' > s.jsonl'
    done = execs("--samples", "jsonl:s.jsonl", "--", "sh", "-c", line)
    assert done.finding("post.performance", "duration").observed == 7
    notes = done.finding("post.performance", "tokens").evidence["notes"]
    assert "duration: the flow's own measurement is used, not gatekeeper's" in notes


def test_a_command_that_never_ran_has_no_measurements(execs):
    budgets(execs, '[gates.performance.budgets]\nduration = "5s"\n')
    done = execs("no-such-command")
    assert done["post.performance"].status == "unknown"


def test_a_thousand_children_at_a_time_are_borne(execs):
    code = """
        import os, time
        reader, writer = os.pipe()
        for _ in range(1000):
            if os.fork() == 0:
                os.close(writer)
                os.read(reader, 1)
                os._exit(0)
        time.sleep(1)
        os.close(writer)
        for _ in range(1000):
            os.wait()
        print("all")
    """
    done = execs.python(code)
    assert (done.code, done.out) == (0, b"all\n"), done.err
    assert done.measured("peak_memory") > 5e6


def test_a_thousand_orphans_are_waited_for(execs):
    code = """
        import os, time
        for _ in range(1000):
            if os.fork() == 0:
                if os.fork() == 0:
                    os._exit(0)
                os._exit(0)
            os.wait()
        time.sleep(0.3)
        children = open(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read().split()
        print(children == [str(os.getpid())])
    """
    done = execs.python(code)
    assert (done.code, done.out) == (0, b"True\n")


# -- processes that are left -------------------------------------------------------------------------------------------

DAEMON = """
import os, sys, time
if os.fork():
    os.wait()
    sys.exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.chdir("/")
null = os.open("/dev/null", os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(null, number)
os.execv("/bin/sleep", ["sleep", "90"])
"""
"""A daemon by the book: forked twice, a session of its own, no folder, no descriptors."""


@pytest.mark.usefixtures("ends_what_is_left")
def test_a_daemon_is_found_wherever_it_went(execs):
    done = execs.python(DAEMON)
    assert (done.code, done["post.cleanup"].status) == (1, "fail")
    [left] = done.finding("post.cleanup", "processes").evidence["left"]
    assert "sleep" in left["command"]
    assert done.finding("post.cleanup", "processes").hint == f"kill {left['pid']}"
    assert Path(f"/proc/{left['pid']}").exists()  # told, not killed


@pytest.mark.usefixtures("ends_what_is_left")
def test_all_that_outlives_the_command_is_counted_and_children_below_it_too(execs):
    done = execs("sh", "-c", "(sh -c 'sleep 91; :' & sleep 92 & wait) >/dev/null 2>&1 & sleep 0.5; exit 0")
    commands = sorted(left["command"] for left in done.finding("post.cleanup", "processes").evidence["left"])
    assert len(commands) == 4
    assert {"sleep 91", "sleep 92"} <= set(commands)


@pytest.mark.usefixtures("ends_what_is_left")
def test_what_forks_itself_away_only_after_the_command_has_ended_is_found_too(execs):
    settling = (execs.root / "gatekeeper.toml").read_text().replace('"0s"', '"1.5s"')
    execs.write({"gatekeeper.toml": settling, "daemon.py": DAEMON})
    done = execs("sh", "-c", f"(sleep 0.6; exec {sys.executable} daemon.py) >/dev/null 2>&1 & exit 0")
    [left] = done.finding("post.cleanup", "processes").evidence["left"]
    assert "daemon.py" in left["command"] or left["command"] == "sleep 90"


def test_what_others_start_meanwhile_in_the_project_is_not_the_commands(execs):
    process = execs.start("--", "sh", "-c", "echo ready; read line", stdin=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    other = subprocess.Popen(["sleep", "93"], cwd=execs.root, start_new_session=True)
    try:
        done = execs.end(process, b"\n")
    finally:
        other.kill()
        other.wait()
    assert (done.code, done.finding("post.cleanup", "processes").observed) == (0, 0)


def test_neither_zombies_nor_what_is_just_ending_were_left(execs):
    execs.write({"gatekeeper.toml": (execs.root / "gatekeeper.toml").read_text().replace('"0s"', '"20s"')})
    began = time.monotonic()
    done = execs("sh", "-c", "(sleep 0.7; exit 3) >/dev/null 2>&1 & exit 0")
    assert (done.code, done.finding("post.cleanup", "processes").observed) == (0, 0)
    assert time.monotonic() - began < 18


def test_a_command_that_closes_its_descriptors_ends_all_the_same(execs):
    done = execs.python("import os; os.closerange(0, 100); os._exit(5)")
    assert (done.code, done["post.cleanup"].status) == (5, "pass")


@pytest.mark.usefixtures("ends_what_is_left")
def test_what_may_stay_can_be_named_and_the_rest_still_counts(execs):
    execs.write({"gatekeeper.toml": (execs.root / "gatekeeper.toml").read_text() + 'ignore = ["sleep 94"]\n'})
    script = "sleep 94 >/dev/null 2>&1 & echo $!; sleep 95 >/dev/null 2>&1 & exit 0"
    done = execs("sh", "-c", script)
    os.kill(int(done.out), signal.SIGKILL)
    [left] = done.finding("post.cleanup", "processes").evidence["left"]
    assert left["command"] == "sleep 95"


def test_what_was_left_is_not_killed_even_where_the_gates_runner_is_lost(execs):
    killing = "import os, time\nfrom gatekeeper import post\n@post\ndef killer(ctx):\n    os.kill(os.getppid(), 9)\n    time.sleep(5)\n"
    execs.write({"gates/gate_killing.py": killing})
    done = execs("sh", "-c", "setsid sleep 96 >/dev/null 2>&1 & echo $!")
    assert (done.code, done["post.killer"].status) == (1, "error")
    os.kill(int(done.out), signal.SIGKILL)  # it is there


@pytest.mark.usefixtures("ends_what_is_left")
def test_ports_that_left_processes_hold_are_told(execs):
    code = """
        import os, socket, time
        server = socket.create_server(("127.0.0.1", 0))
        print(server.getsockname()[1], flush=True)
        if os.fork() == 0:
            os.dup2(os.open("/dev/null", os.O_RDWR), 1)
            os.dup2(1, 2)
            time.sleep(90)
    """
    with socket.create_server(("127.0.0.1", 0)):  # somebody else's
        done = execs.python(code)
    [left] = done.finding("post.cleanup", "ports").evidence["left"]
    assert left["address"] == f"127.0.0.1:{int(done.out)}"
    assert left["pid"] == done.finding("post.cleanup", "processes").evidence["left"][0]["pid"]


# -- files that are left -----------------------------------------------------------------------------------------------

FILES = '[[gates.cleanup.files]]\npath = "made/*"\n'


def test_files_that_came_with_the_command_are_told(execs):
    (execs.root / "made").mkdir()
    (execs.root / "made" / "before").touch()
    (execs.root / "elsewhere").touch()
    budgets(execs, FILES)
    time.sleep(0.2)  # moved later than it was made
    done = execs("sh", "-c", "touch made/new made/before; mv elsewhere made/moved")
    left = done.finding("post.cleanup", "files made/*").evidence["left"]
    assert {Path(file["path"]).name for file in left} == {"new", "moved"}


def test_files_of_gates_before_and_after_it_are_not_the_commands(execs):
    (execs.root / "made").mkdir()
    budgets(execs, FILES)
    making = """
        import time
        from gatekeeper import post, pre

        @pre
        def early(ctx):
            time.sleep(0.5)
            open("made/early", "w").close()
            ctx.check(True)

        @post
        def late(ctx):
            time.sleep(0.3)
            open("made/late", "w").close()
            ctx.check(True)
    """
    execs.write({"gates/gate_making.py": making, "gates/gateconf.py": SLEEPY})
    done = execs("sh", "-c", "sleep 0.3; touch made/mine")
    left = done.finding("post.cleanup", "files made/*").evidence["left"]
    assert {Path(file["path"]).name for file in left} == {"mine"}


SLEEPY = """
    import time

    def gatekeeper_modify_plan(plan):
        from msgspec import structs
        plan.gates[:] = [
            structs.replace(gate, needs=("post.late",)) if gate.id == "post.cleanup" else gate for gate in plan.gates
        ]

    def gatekeeper_decide(run):
        time.sleep(0.3)
"""
"""Puts time between the gates and the command, and cleanup after the gate that makes a file."""
