"""The channel `command`: what the program is given, what its end means, and that nothing of it stays."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from badservers import context, event, notification

from gatekeeper.channels import Delivered, Notification, Outcome, TryAgain
from gatekeeper.channels.envelope import cloudevent
from gatekeeper.settings.convert import Problem, convert
from gatekeeper_channels.command import CHANNEL, CommandSettings, variables
from loopback import ends

WITHIN = 10.0


def sent(
    root: Path, *argv: str, told: Notification | None = None, within: float = WITHIN, **values: Any
) -> Outcome:
    problems: list[Problem] = []
    made = convert(CommandSettings, {"argv": list(argv), **values}, problems)
    assert made is not None, problems
    return CHANNEL.open(made, context(root, within=within)).send(told or notification())


def shell(root: Path, line: str, **values: Any) -> Outcome:
    return sent(root, "sh", "-c", line, **values)


def alive(folder: Path) -> list[int]:
    """Pids that programs wrote into files of a folder and that still run."""
    pids = [int(text) for path in folder.glob("*.pid") if (text := path.read_text())]
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def gone(folder: Path) -> bool:
    for _ in range(500):
        if not alive(folder):
            return True
        time.sleep(0.01)
    return False


# what it is given


def test_it_reads_the_cloudevent_on_its_standard_input(tmp_path):
    told = notification()
    assert shell(tmp_path, "cat > got.json", told=told) == Delivered()
    assert json.loads((tmp_path / "got.json").read_bytes()) == cloudevent(told)


def test_its_arguments_are_not_read_by_a_shell(tmp_path):
    words = ["$HOME `id`", "a;b", "*", "", "two words"]
    code = "import json, sys; open('got.json', 'w').write(json.dumps(sys.argv[1:]))"
    assert sent(tmp_path, sys.executable, "-c", code, *words) == Delivered()
    assert json.loads((tmp_path / "got.json").read_text()) == words


def test_its_environment_says_enough_for_a_script(tmp_path):
    told = notification(event(severity="critical"), test=True)
    assert shell(tmp_path, "env -0 > got", told=told, env={"TOKEN": "s3cret"}) == Delivered()
    got = dict(entry.split("=", 1) for entry in (tmp_path / "got").read_text().split("\0") if entry)
    assert got["GATEKEEPER_ALERT_ID"] == told.id
    assert got["GATEKEEPER_ALERT_STATE"] == "firing"
    assert got["GATEKEEPER_ALERT_SEVERITY"] == "critical"
    assert got["GATEKEEPER_ALERT_HEADLINE"] == "TEST FIRING critical: pre.components warehouse of checkout"
    assert got["GATEKEEPER_ALERT_TEST"] == "1"
    assert got["TOKEN"] == "s3cret"
    assert got["PATH"] == os.environ["PATH"]


def test_hostile_text_is_no_way_into_the_environment(tmp_path):
    text = "x\0\nLD_PRELOAD=evil\x1b[2J"
    told = notification(event(finding=text), subject=text)
    assert shell(tmp_path, "env > got", told=told) == Delivered()
    assert "\nLD_PRELOAD" not in (tmp_path / "got").read_text()
    assert all(value.isprintable() for value in variables(told).values())


def test_it_runs_in_the_projects_folder(tmp_path):
    script = tmp_path / "tell.sh"
    script.write_text("#!/bin/sh\npwd > got\n")
    script.chmod(0o755)
    assert sent(tmp_path, "./tell.sh") == Delivered()
    assert (tmp_path / "got").read_text().strip() == str(tmp_path.resolve())


@pytest.mark.parametrize("line", ["true", "exec <&-; exit 0", "head -c 1 > got"])
def test_a_program_that_does_not_read_its_input_is_fine(tmp_path, line):
    told = notification(*(event(finding=f"f{number}", description="x" * 5000) for number in range(15)))
    assert shell(tmp_path, line, told=told) == Delivered()


# what its end means

ENDS: list[tuple[str, str]] = [
    ("exit 1", "exit code 1"),
    ("echo one >&2; printf 'two\\n\\n' >&2; exit 3", "exit code 3: two"),
    ("echo later >&2; exit 75", "it says to try again later (exit code 75): later"),
    ("kill -SEGV $$", "it was ended by SIGSEGV"),
    ("kill -TERM $$", "it was ended by SIGTERM"),
    ("printf 'a\\033[2Jb\\377' >&2; exit 2", "exit code 2: a\\x1b[2Jb\ufffd"),
    ("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 2", f"exit code 2: {'x' * 199}…"),
    ("exit 127", "exit code 127"),
]


@pytest.mark.parametrize(("line", "why"), ENDS)
def test_any_other_end_is_tried_again_with_its_last_words(tmp_path, line, why):
    assert shell(tmp_path, line) == TryAgain(why)


def test_what_it_prints_is_nobodys_business(tmp_path, capfd):
    assert shell(tmp_path, "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2") == Delivered()
    assert capfd.readouterr() == ("", "")


MISSING: list[tuple[str, str]] = [
    ("no-such-program", "no-such-program can't be started: there is no such program"),
    ("./gone.sh", "./gone.sh can't be started: there is no such program"),
    ("./data.txt", "./data.txt can't be started: it is not executable"),
    ("./broken.sh", "./broken.sh can't be started: what its first line (#!) names is not there"),
    ("./binary", "./binary can't be started: exec format error"),
]


@pytest.mark.parametrize(("program", "why"), MISSING)
def test_a_program_that_can_not_be_started_is_named(tmp_path, program, why):
    for name, content, mode in (
        ("data.txt", b"text", 0o644),
        ("broken.sh", b"#!/no/such/shell\n", 0o755),
        ("binary", b"\x7fELF broken", 0o755),
    ):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(mode)
    assert sent(tmp_path, program) == TryAgain(why)


def test_a_projects_folder_that_is_gone_is_named(tmp_path):
    assert sent(tmp_path / "gone", "true") == TryAgain("true can't be started: the project's folder is gone")


# what is left of it

HANGS = {
    "sleeps": "exec sleep 100",
    "ignores signals": "trap '' TERM INT HUP; while :; do sleep 100; done",
    "closes everything": "exec <&- >&- 2>&-; exec sleep 100",
    "talks for ever": "while :; do echo x >&2; done",
    "has a child that sleeps": "sleep 100 & echo $! > child.pid; wait",
}


@pytest.mark.parametrize("how", HANGS)
def test_at_its_deadline_it_is_killed_with_its_children(tmp_path, how):
    with ends(0.5):
        outcome = shell(tmp_path, f"echo $$ > me.pid; {HANGS[how]}", within=0.5)
    assert isinstance(outcome, TryAgain)
    assert "ms, which is its timeout" in outcome.why
    assert gone(tmp_path)


def test_what_it_leaves_running_does_not_hold_anybody_up_and_ends_with_it(tmp_path):
    with ends(5):
        assert shell(tmp_path, "sleep 100 & echo $! > child.pid; exit 0") == Delivered()
    assert gone(tmp_path)


def test_many_at_once_leave_no_process_no_descriptor_and_no_zombie(tmp_path):
    import threading

    before = psutil.Process().num_fds()
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(shell(tmp_path, "cat > /dev/null")))
        for _ in range(12)
    ]
    with ends(30):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes == [Delivered()] * 12
    assert psutil.Process().num_fds() <= before


def test_an_exit_code_that_somebody_else_took_is_no_success(tmp_path):
    """A program that waits for all its children, as some do, leaves none for us: then nobody knows."""
    code = f"""
import os, sys, threading, time
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[1])!r}]
from pathlib import Path
from test_command import shell
def greedy():
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            time.sleep(0.0001)
threading.Thread(target=greedy, daemon=True).start()
outcomes = [shell(Path({str(tmp_path)!r}), "exit 1") for _ in range(20)]
assert not any(type(each).__name__ == "Delivered" for each in outcomes), outcomes
print(sum("is not known" in each.why for each in outcomes))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)", "sys.exit(0)"])
def test_it_ends_when_the_program_that_waits_for_it_ends(tmp_path, end):
    code = f"""
import os, sys, threading, time
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[1])!r}]
from pathlib import Path
from test_command import shell
line = "sleep 100 & echo $! > child.pid; echo $$ > me.pid; wait"
threading.Thread(target=shell, args=(Path({str(tmp_path)!r}), line), kwargs=dict(within=90), daemon=True).start()
while not Path({str(tmp_path / "me.pid")!r}).exists() or not Path({str(tmp_path / "me.pid")!r}).read_text():
    time.sleep(0.01)
time.sleep(0.1)
{end}
"""
    subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert gone(tmp_path)


def test_signals_that_the_host_has_blocked_or_ignored_do_not_save_it(tmp_path):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        outcome = shell(tmp_path, f"echo $$ > me.pid; exec {shlex.join(['sleep', '100'])}", within=0.3)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert isinstance(outcome, TryAgain)
    assert gone(tmp_path)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"argv": []}, "expected a program and its arguments"),
    ({"argv": [""]}, "expected a program and its arguments"),
    ({"argv": "tell.sh ops"}, ""),
    ({"argv": ["a\0b"]}, "holds a null character"),
    ({"argv": ["true"], "env": {"A=B": "x"}}, "'A=B' can't be the name"),
    ({"argv": ["true"], "env": {"": "x"}}, "'' can't be the name"),
    ({"argv": ["true"], "env": {"A": "x\0y"}}, "the value of A holds a null character"),
]


@pytest.mark.parametrize(("values", "reason"), WRONG)
def test_settings_that_can_not_work_are_refused(values, reason):
    problems: list[Problem] = []
    convert(CommandSettings, values, problems)
    assert problems
    assert reason in problems[0].message
