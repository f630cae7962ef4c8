"""What a process tree uses, measured from outside, as the runner of a Python host does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import pytest

from gatekeeper.measure import SHARE, Meter, _look

SERVING = "import os, subprocess, sys, time\nprint('ready', flush=True)\nfor line in sys.stdin:\n    exec(line)\n    print('done', flush=True)\n"
"""A host that does what it is told, line by line."""


@pytest.fixture
def host() -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout.readline() == "ready\n"
        yield process
        for pid in below(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.kill()


def below(pid: int) -> list[int]:
    meter = Meter(pid)
    return [found for found in meter.running() if found != pid]


def do(host: "subprocess.Popen[str]", line: str) -> None:
    host.stdin.write(f"{line}\n")
    host.stdin.flush()
    assert host.stdout.readline() == "done\n"


def value(meter: Meter, name: str) -> float:
    [found] = [series.values[0] for series in meter.readings().series if series.name == name]
    return found


BURN = "end = time.process_time() + 0.3\\nwhile time.process_time() < end: pass"


def test_processor_time_counts_from_when_measuring_began(host):
    do(host, f"exec('{BURN}')")
    meter = Meter(host.pid)
    assert value(meter, "cpu") < 0.1
    do(host, f"exec('{BURN}')")
    assert 0.28 <= value(meter, "cpu") < 0.6


def test_children_that_the_host_waited_for_count(host):
    meter = Meter(host.pid)
    do(host, f"subprocess.run([sys.executable, '-c', 'import time\\n' + '{BURN}'], check=True)")
    assert 0.28 <= value(meter, "cpu") < 0.8


def test_memory_is_that_of_host_and_children_at_their_peak(host):
    meter = Meter(host.pid)
    do(host, "block = b'x' * 150_000_000")
    meter.sample()
    do(host, "del block")
    meter.sample()
    assert 150e6 <= value(meter, "peak_memory") < 200e6


def test_a_child_that_was_there_before_is_not_left_and_a_new_one_is(host):
    do(host, "old = subprocess.Popen(['sleep', '60'])")
    meter = Meter(host.pid)
    assert meter.left() == ()
    do(host, "new = subprocess.Popen(['sleep', '60'], start_new_session=True)")
    [(pid, start)] = meter.left()
    assert pid in below(host.pid)
    assert start == _look(pid).start
    do(host, "new.kill(); time.sleep(0.2)")  # a zombie that the host has yet to wait for
    assert meter.left() == ()


def test_what_was_seen_is_followed_when_its_parent_is_gone(host):
    meter = Meter(host.pid)
    do(
        host,
        "middle = subprocess.Popen(['sh', '-c', 'sleep 60 & wait'], start_new_session=True); time.sleep(0.3)",
    )
    meter.sample()
    do(host, "middle.kill(); middle.wait()")
    [(orphan, _)] = meter.left()
    try:
        assert orphan not in below(host.pid)
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_the_measurer_and_the_runners_of_other_flows_do_not_count(host, tmp_path):
    (tmp_path / "gatekeeper").mkdir()
    (tmp_path / "gatekeeper" / "__init__.py").touch()
    (tmp_path / "gatekeeper" / "runner.py").write_text(
        "import time\nblock = b'x' * 100_000_000\nprint(1, flush=True)\ntime.sleep(60)\n"
    )
    do(
        host,
        f"runner = subprocess.Popen([sys.executable, '-m', 'gatekeeper.runner'], cwd={str(tmp_path)!r}, stdout=subprocess.PIPE); runner.stdout.readline()",
    )
    do(host, "beside = subprocess.Popen(['sleep', '60']); time.sleep(0.2)")
    everything = below(host.pid)
    [beside] = [pid for pid in everything if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep")]
    meter = Meter(host.pid, besides={beside})
    assert meter.running() == [host.pid]
    assert value(meter, "peak_memory") < 100e6


def test_a_process_that_is_gone_measures_nothing_and_says_so():
    process = subprocess.Popen(["true"])
    process.wait()
    meter = Meter(process.pid)
    meter.sample()
    assert (meter.readings().series, meter.left()) == ((), None)
    assert "Linux" in meter.readings().notes[0]


def test_a_host_that_vanishes_keeps_what_was_measured(host):
    meter = Meter(host.pid)
    do(host, "block = b'x' * 150_000_000")
    meter.sample()
    host.kill()
    host.wait()
    assert value(meter, "peak_memory") >= 150e6
    assert meter.left() == ()


def test_looking_is_paced_by_what_it_costs(host):
    """The promise of one percent, without a clock: the pause follows from the cost of the last look."""
    meter = Meter(host.pid)
    do(host, "children = [subprocess.Popen(['sleep', '60']) for _ in range(30)]; time.sleep(0.2)")
    spent = []
    for _ in range(5):
        began = time.thread_time()
        meter.sample()
        spent.append((time.thread_time() - began) / meter.interval)
    assert max(spent) <= SHARE * 1.5


def test_what_a_child_used_is_taken_from_its_wait_status():
    before = getrusage(RUSAGE_CHILDREN).ru_utime
    meter = Meter(os.getpid(), besides={os.getpid()})
    burn = "import time\nwhile time.process_time() < 0.3: pass\nblock = b'x' * 400_000_000"
    process = subprocess.Popen([sys.executable, "-c", burn])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    meter.waited(usage)
    assert status == 0
    assert value(meter, "cpu") == pytest.approx(usage.ru_utime + usage.ru_stime, abs=0.02)
    assert value(meter, "peak_memory") >= 400e6
    assert before < getrusage(RUSAGE_CHILDREN).ru_utime
