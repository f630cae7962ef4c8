"""`gatekeeper exec`: signals, the terminal and its job control, as without gatekeeper in between."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from execs import Done, Execs, await_line

pytestmark = pytest.mark.heavy

COUNTING = """
import os, signal, sys, time
seen = []
for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2"):
    signal.signal(getattr(signal, "SIG" + name), lambda number, _: seen.append(signal.Signals(number).name))
print("ready", flush=True)
until = time.monotonic() + 30
while not seen and time.monotonic() < until:
    time.sleep(0.01)
time.sleep(0.3)
print(seen, flush=True)
sys.exit(7)
"""
"""Says which signals it got, and exits with 7."""


def counting(execs: Execs, **options: object) -> "subprocess.Popen[bytes]":
    process = execs.start("--", sys.executable, "-c", COUNTING, **options)
    await_line(process)
    return process


# -- signals to gatekeeper alone ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"])
def test_a_signal_is_passed_on_once_and_gatekeeper_outlives_it(execs, name):
    process = counting(execs)
    process.send_signal(signal.Signals[name])
    done = execs.end(process)
    assert (done.code, done.out) == (7, f"['{name}']\n".encode())
    assert done["post.flow"].status == "fail"
    assert done.run.header.complete


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_command_that_such_a_signal_ends_has_its_post_gates_and_report(execs, name):
    process = execs.start("--", "sh", "-c", "echo re''ady; exec sleep 50")
    await_line(process)
    process.send_signal(signal.Signals[name])
    done = execs.end(process)
    assert done.code == 128 + signal.Signals[name]
    assert done.finding("post.flow", "end").observed == name
    assert done["post.cleanup"].status == "pass"


def test_a_second_one_interrupts_the_post_gates(execs):
    slow = "import time\nfrom gatekeeper import post\n@post\ndef slow(ctx):\n    open('slow', 'w').close()\n    time.sleep(40)\n"
    execs.write({"gates/gate_slow.py": slow})
    process = execs.start("--", "sh", "-c", "echo re''ady; exec sleep 50")
    await_line(process)
    process.terminate()
    while not (execs.root / "slow").exists():
        time.sleep(0.01)
    process.terminate()
    done = execs.end(process)
    assert (done.code, done.run.header.complete, done["post.slow"].status) == (143, False, "error")


def test_what_the_command_sends_does_not_come_back_to_it(execs):
    code = """
        import os, signal, sys, time
        seen = []
        signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
        os.kill(os.getppid(), signal.SIGUSR1)
        os.kill(0, signal.SIGUSR1)
        time.sleep(0.5)
        print(len(seen))
    """
    assert execs.python(code, start_new_session=True).out == b"1\n"


def test_killing_gatekeeper_kills_the_command(execs):
    process = execs.start("--", "sh", "-c", "echo re''ady; echo $$; exec sleep 50")
    await_line(process)
    pid = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()
    for _ in range(500):
        if not _runs(pid):
            return
        time.sleep(0.01)
    raise AssertionError("it runs on")


def _runs(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    return False


# -- stopping and going on ---------------------------------------------------------------------------------------------


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _await(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


TELLING = "echo re''ady; echo $$; read line; echo got $line"


@pytest.mark.parametrize("to_gatekeeper", [True, False])
def test_it_stops_and_goes_on_together_with_the_command(execs, to_gatekeeper):
    process = execs.start("--", "sh", "-c", TELLING, process_group=0, stdin=subprocess.PIPE)
    await_line(process)
    command = int(process.stdout.readline())
    os.kill(process.pid if to_gatekeeper else command, signal.SIGTSTP)
    _, status = os.waitpid(process.pid, os.WUNTRACED)  # as a shell does
    assert os.WIFSTOPPED(status)
    assert os.WSTOPSIG(status) == signal.SIGTSTP
    assert _state(command) == "T"
    os.kill(process.pid, signal.SIGCONT)
    done = execs.end(process, b"it\n")
    assert (done.code, done.out) == (0, b"got it\n")


def test_where_no_shell_could_wake_it_gatekeeper_does_not_stop(execs):
    process = execs.start("--", "sh", "-c", TELLING, start_new_session=True, stdin=subprocess.PIPE)
    await_line(process)
    command = int(process.stdout.readline())
    os.kill(command, signal.SIGSTOP)
    _await(lambda: _state(command) == "T")
    time.sleep(0.2)
    assert _state(process.pid) == "S"
    os.kill(command, signal.SIGCONT)
    assert execs.end(process, b"it\n").out == b"got it\n"


# -- on a terminal -----------------------------------------------------------------------------------------------------


class Terminal:
    """A shell's or program's terminal, and what is typed and shown there."""

    def __init__(self, execs: Execs, *words: str) -> None:
        self.pid, self._fd = pty.fork()
        self.shown = b""
        if self.pid == 0:
            os.chdir(execs.root)
            os.execvpe(words[0], words, execs.environment | {"TERM": "xterm", "PS1": "$ "})

    def type(self, data: bytes) -> None:
        os.write(self._fd, data)

    def read(self, wait: float) -> bool:
        """Take in what is shown; False at its end."""
        if not select.select([self._fd], [], [], wait)[0]:
            return True
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            return False
        self.shown += data
        return bool(data)

    def await_text(self, text: bytes, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while text not in self.shown:
            assert self.read(0.2), self.shown.decode()
            assert time.monotonic() < until, self.shown.decode()
        self.shown = self.shown.partition(text)[2]

    def end(self) -> int:
        """The wait status."""
        until = time.monotonic() + 60
        while self.read(0.2):
            assert time.monotonic() < until, self.shown.decode()
        return os.waitpid(self.pid, 0)[1]

    def close(self) -> None:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)


@pytest.fixture
def terminal(execs: Execs) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*words: str) -> Terminal:
        opened.append(Terminal(execs, *words))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_ctrl_c_ends_the_command_and_the_report_is_whole(execs, terminal):
    shown = terminal(*execs.line("--", "sh", "-c", "echo re''ady; exec sleep 50"))
    shown.await_text(b"ready")
    shown.type(b"\x03")
    status = shown.end()
    assert os.WTERMSIG(status) == signal.SIGINT  # to a shell that is 130
    done = Done(0, b"", "", execs.report)
    assert done.run.header.complete
    assert done.finding("post.flow", "end").observed == "SIGINT"
    assert done["post.cleanup"].status == "pass"
    assert b"VERDICT  BLOCK" in shown.shown
    assert b"exit code 130: the command's own; the verdict's is 1" in shown.shown


def test_ctrl_c_reaches_the_command_once_and_its_own_exit_code_counts(execs, terminal):
    execs.write({"count.py": COUNTING})
    shown = terminal(*execs.line("--", sys.executable, "count.py"))
    shown.await_text(b"ready")
    shown.type(b"\x03")
    status = shown.end()
    assert b"['SIGINT']" in shown.shown
    assert os.waitstatus_to_exitcode(status) == 7


def test_a_script_stops_at_ctrl_c_as_it_would_without_gatekeeper(execs, terminal):
    line = " ".join(execs.line("--", "sleep", "50"))
    shown = terminal("bash", "-c", f"echo begun; {line}; echo WENT ON")
    shown.await_text(b"command  sleep 50")
    time.sleep(0.3)
    shown.type(b"\x03")
    assert os.WTERMSIG(shown.end()) == signal.SIGINT
    assert b"WENT ON" not in shown.shown


RAW = """
import sys, termios, tty
before = termios.tcgetattr(0)
tty.setraw(0)
print("raw", end="", flush=True)
keys = [sys.stdin.buffer.raw.read(1) for _ in range(3)]
termios.tcsetattr(0, termios.TCSADRAIN, before)
print(keys, sys.stdin.isatty(), sys.stdout.isatty(), sys.stderr.isatty())
"""


def test_a_program_that_takes_the_whole_terminal_gets_its_keys(execs, terminal):
    execs.write({"keys.py": RAW})
    shown = terminal(*execs.line("--", sys.executable, "keys.py"))
    shown.await_text(b"raw")
    for key in (b"\x03", b"\x1a", b"q"):
        shown.type(key)
        time.sleep(0.1)
    assert os.waitstatus_to_exitcode(shown.end()) == 0
    assert rb"[b'\x03', b'\x1a', b'q'] True True True" in shown.shown


def test_ctrl_z_and_fg_work_as_with_any_job(execs, terminal):
    shown = terminal("bash", "--norc", "--noprofile", "-i")
    shown.await_text(b"$ ")
    execs.write({"ask.sh": "echo ready; read line; echo got $line"})
    line = " ".join(execs.line("--", "sh", "ask.sh"))
    shown.type(line.encode() + b"\n")
    shown.await_text(b"ready")
    shown.type(b"\x1a")
    shown.await_text(b"Stopped")
    shown.type(b"echo in the sh''ell\n")
    shown.await_text(b"in the shell")
    shown.type(b"fg\n")
    time.sleep(0.5)
    shown.type(b"words\n")
    shown.await_text(b"got words")
    shown.await_text(b"VERDICT  PROCEED")
    shown.type(b"exit\n")
    assert os.waitstatus_to_exitcode(shown.end()) == 0


def test_an_interactive_shell_as_the_command_has_job_control_of_its_own(execs, terminal):
    shown = terminal(*execs.line("--", "bash", "--norc", "--noprofile", "-i"))
    shown.await_text(b"command  bash")
    shown.await_text(b"$ ")
    shown.type(b"sleep 51\n")
    time.sleep(0.5)
    shown.type(b"\x1a")
    shown.await_text(b"Stopped")
    shown.type(b"fg\n")
    shown.await_text(b"sleep 51")
    time.sleep(0.3)
    shown.type(b"\x03")
    shown.await_text(b"$ ")
    shown.type(b"exit 6\n")
    status = shown.end()
    assert os.waitstatus_to_exitcode(status) == 6
    assert b"exit code 6: the command's own; the verdict's is 1" in shown.shown


def test_a_terminal_that_closes_loses_no_report(execs, terminal):
    shown = terminal(*execs.line("--", "sh", "-c", "echo re''ady; exec sleep 50"))
    shown.await_text(b"ready")
    os.close(shown._fd)
    shown._fd = os.open(os.devnull, os.O_RDONLY)
    os.waitpid(shown.pid, 0)
    done = Done(0, b"", "", execs.report)
    assert done.run.header.complete
    assert done.finding("post.flow", "end").observed == "SIGHUP"


def test_what_is_running_is_shown_on_a_terminal_and_gone_when_the_command_starts(execs, terminal):
    slow = "import time\nfrom gatekeeper import pre\n@pre\ndef slow(ctx):\n    time.sleep(1)\n    ctx.check(True)\n"
    execs.write({"gates/gate_slow.py": slow})
    shown = terminal(*execs.line("echo", "out"))
    shown.await_text(b"pre.slow 0.")
    shown.await_text(b"command  echo out")
    assert os.waitstatus_to_exitcode(shown.end()) == 0
    assert b"pre.slow" not in shown.shown


def test_a_signal_between_the_gates_and_the_command_starts_no_command(execs):
    decide = "import os, signal\ndef gatekeeper_decide(run):\n    os.kill(os.getpid(), signal.SIGTERM)\n"
    execs.write({"gates/gateconf.py": decide})
    done = execs("touch", "started")
    assert (done.code, (execs.root / "started").exists()) == (2, False)
    assert (done.run.verdict.decision, done["post.flow"].status) == ("none", "error")
