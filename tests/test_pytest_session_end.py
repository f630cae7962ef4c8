"""Whatever tests do to their process: a red session stays red, and one whose end nobody saw is never green."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import psutil
import pytest

from flowprojects import saw
from gatedsessions import GREEN, PYTEST, QUIET, sessions

pytestmark = pytest.mark.heavy

pytest_plugins = ["pytester"]
__all__ = ["sessions"]

GATED = (*PYTEST, "--gatekeeper=pre,post")


def text(done):
    return "\n".join(done.outlines)


# -- what could make a red session green -------------------------------------------------------------------------------

RED = "def test_red(): assert 1 == 2\n"
AT_EXIT = "import atexit, os\natexit.register(os._exit, 0)\n"
ENDINGS = {
    "a test exits on the spot": (RED + "def test_z(): __import__('os')._exit(0)\n", ""),
    "a green session in which a test exits on the spot": (
        GREEN + "def test_z(): __import__('os')._exit(0)\n",
        "",
    ),
    "at exit of a test module": (AT_EXIT + RED, ""),
    "at exit of a conftest": (RED, AT_EXIT),
    "a conftest exits on the spot": (RED, "__import__('os')._exit(0)\n"),
    "a conftest exits": (RED, "raise SystemExit(0)\n"),
    "sys.exit is replaced": (RED, "import os, sys\nsys.exit = lambda code=0: os._exit(0)\n"),
    "the session's end raises": (
        RED,
        "import atexit, os\ndef pytest_sessionfinish():\n    atexit.register(os._exit, 0)\n    raise RuntimeError\n",
    ),
    "the session's end exits on the spot": (RED, "import os\ndef pytest_sessionfinish(): os._exit(0)\n"),
    "the plugin's end exits on the spot": (RED, "import os\ndef pytest_unconfigure(): os._exit(0)\n"),
    "the collection exits on the spot": (RED, "import os\ndef pytest_collection_finish(): os._exit(0)\n"),
    "a thread exits on the spot": (
        "import os, threading, time\ndef test_it():\n    threading.Timer(0.1, os._exit, (0,)).start()\n    time.sleep(30)\n",
        "",
    ),
    "another program takes over": ("import os\ndef test_it(): os.execlp('true', 'true')\n", ""),
}


@pytest.mark.parametrize(("body", "conftest"), ENDINGS.values(), ids=ENDINGS)
def test_no_end_of_the_process_makes_a_session_green(sessions, body, conftest):
    sessions.write({"conftest.py": conftest})
    assert sessions.test(body).ret == 1
    assert sessions.last.verdict.decision == "block"


@pytest.mark.parametrize("gates", ["pre", "post"])
def test_it_is_red_whichever_gates_run_and_however_post_flow_is_configured(sessions, gates):
    with (sessions.root / "gatekeeper.toml").open("a") as file:
        file.write("[gates.flow]\nenabled = false\n")
    assert sessions.test(RED + "def test_z(): __import__('os')._exit(0)\n", gates=gates).ret == 1


def test_what_was_running_when_the_process_ended_is_named_and_earlier_failures_count(sessions):
    body = RED + "def test_ok(): pass\ndef test_z(): __import__('os')._exit(0)\n"
    done = sessions.test(body)
    assert "nobody saw its end" in text(done)
    assert "during test_it.py::test_z" in text(done)
    seen = saw(sessions.last)
    assert seen["events"] == {"tests": [3, {"AssertionError": 1, "crash": 1}]}
    assert not seen["flow"]["complete"]


def test_an_exit_code_of_the_process_is_kept_where_nobody_saw_the_end(sessions):
    assert sessions.test("def test_it(): __import__('os')._exit(7)\n").ret == 7


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_session_that_a_signal_ends_has_the_exit_code_that_a_shell_would_tell(sessions, number):
    done = sessions.test(
        f"import os\ndef test_it(): os.kill(os.getpid(), {int(number)})\n", "-p", "no:faulthandler"
    )
    assert done.ret == 128 + number
    assert f"was ended by {number.name} during test_it.py::test_it" in text(done)


# -- what could spoil the feed -----------------------------------------------------------------------------------------

HARMLESS = {
    "a test closes all descriptors": """
        import os
        def test_it():
            if os.fork() == 0:
                os.closerange(3, 4096)
                os._exit(0)
            os.wait()
            os.closerange(20, 4096)
    """,
    "a test writes to all descriptors": """
        import os
        def test_it():
            for fd in range(3, 256):
                try:
                    if os.fstat(fd).st_mode & 0o170000 in (0o100000, 0o010000):
                        os.write(fd, b'[99, {"code": 0}]\\n')
                except OSError:
                    pass
    """,
    "a fork runs the rest of the session": """
        import os, pytest
        def test_it():
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
    """,
    "no descriptor is free for a while": """
        import os, pytest, resource
        @pytest.fixture
        def hungry():
            held = []
            try:
                while True:
                    held.append(os.dup(0))
            except OSError:
                yield
            for fd in held:
                os.close(fd)
        def test_it(hungry): pass
        def test_next(): pass
    """,
    "modules are replaced": """
        import json, os, pytest, time
        @pytest.fixture(autouse=True)
        def faked(monkeypatch):
            monkeypatch.setattr(os, "open", None)
            monkeypatch.setattr(os, "write", None)
            monkeypatch.setattr(os, "getpid", lambda: 1)
            monkeypatch.setattr(time, "monotonic", lambda: -1)
            monkeypatch.setattr(json, "dumps", None)
            yield
        def test_it(): pass
    """,
    "the environment is emptied and the folder left": """
        import os
        def test_it(tmp_path):
            os.environ.clear()
            os.chdir(tmp_path)
    """,
}


@pytest.mark.parametrize("body", HARMLESS.values(), ids=HARMLESS)
def test_what_a_healthy_test_may_do_does_not_spoil_the_feed(sessions, body):
    done = sessions.test(body)
    assert done.ret == 0, text(done)
    assert saw(sessions.last)["flow"]["complete"]


def test_a_fork_that_fails_in_the_child_only_does_not_count(sessions):
    """The child's pytest goes on with the session, prints, and says that it failed: it is not the session."""
    body = "import os\ndef test_it():\n    pid = os.fork()\n    if pid == 0: assert False\n    os.waitpid(pid, 0)\n"
    assert sessions.test(body).ret == 0
    assert saw(sessions.last)["events"] == {"tests": [1, {}]}


def test_what_a_session_leaves_behind_is_known_to_post_gates(sessions):
    body = """
        import subprocess
        def test_it():
            subprocess.Popen("setsid sleep 97 &", shell=True, stdin=-3, stdout=-3, stderr=-3).wait()
    """
    sessions.test(body)
    [[pid, _]] = saw(sessions.last)["flow"]["left"]
    process = psutil.Process(pid)
    assert process.cmdline() == ["sleep", "97"]
    process.kill()


def test_nothing_of_the_supervisor_is_left(sessions, tmp_path, monkeypatch):
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setenv("TMPDIR", str(temp))
    body = "import os\ndef test_it(): assert 'GATEKEEPER_PYTEST_FEED' not in os.environ\n"
    assert sessions.test(body).ret == 0
    assert not [path.name for path in temp.iterdir() if path.name.startswith("gatekeeper")]


# -- the same command --------------------------------------------------------------------------------------------------


def test_the_session_is_the_command_as_it_was_given(sessions):
    body = """
        import os, sys
        def test_it():
            assert sys.flags.dev_mode
            assert sys.argv[1:] == os.environ["EXPECTED"].split()
            assert os.getcwd() == os.environ["FOLDER"]
            assert sys.stdin.closed or not sys.stdin.isatty()
    """
    sessions.write({"test_it.py": body})
    args = [*QUIET, "--gatekeeper=pre", "-s", "test_it.py"]
    done = sessions.command(
        sys.executable, "-X", "dev", "-m", "pytest", *args, EXPECTED=" ".join(args), FOLDER=str(sessions.root)
    )
    assert done.returncode == 0, done.stdout


def test_conftests_are_imported_once_and_their_options_work(sessions):
    conftest = "open('imports', 'a').write('x')\ndef pytest_addoption(parser): parser.addoption('--colour')\n"
    sessions.write({"conftest.py": conftest})
    body = "def test_it(request): assert request.config.getoption('colour') == 'blue'\n"
    assert sessions.test(body, "--colour", "blue").ret == 0
    assert (sessions.root / "imports").read_text() == "x"


WAYS = {
    "script": [os.path.join(os.path.dirname(sys.executable), "pytest")],
    "module": [sys.executable, "-m", "pytest"],
    "isolated": [sys.executable, "-I", "-m", "pytest"],
    "profiled": [sys.executable, "-m", "cProfile", "-o", "profile", "-m", "pytest"],
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_way_to_start_pytest_is_supervised(sessions, way):
    sessions.write({"test_it.py": "import os\ndef test_it(): os._exit(0)\n"})
    done = sessions.command(*way, *QUIET, "--gatekeeper=post")
    assert done.returncode == 1
    assert "nobody saw its end" in done.stdout


def test_options_come_from_the_environment_and_the_configuration_too(sessions):
    sessions.write(
        {"test_it.py": GREEN, "pytest.ini": "[pytest]\naddopts = --gatekeeper-format=json=a.json\n"}
    )
    done = sessions.command(*PYTEST, PYTEST_ADDOPTS="--gatekeeper=post -q")
    assert done.returncode == 0
    assert "gatekeeper: proceed" in done.stdout
    assert (sessions.root / "a.json").exists()


def test_where_nobody_reads_what_is_said_it_is_not_green(sessions):
    sessions.write({"test_it.py": GREEN})
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        GATED, cwd=sessions.root, stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


# -- signals and terminals ---------------------------------------------------------------------------------------------

WAITING = """
    import pathlib, time
    def test_it():
        pathlib.Path("waits").touch()
        time.sleep(60)
"""


@pytest.fixture
def waiting(sessions):
    """A session whose test is running, started in a process group of its own."""
    sessions.write({"test_it.py": WAITING})
    process = subprocess.Popen(
        GATED, cwd=sessions.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
    )
    sessions.until("waits")
    yield process
    process.kill()
    process.communicate()


def test_an_interrupt_ends_the_session_as_usual(waiting, sessions):
    waiting.send_signal(signal.SIGINT)
    said, _ = waiting.communicate(timeout=60)
    assert "KeyboardInterrupt" in said
    assert waiting.returncode == 2
    assert sessions.last.verdict.decision == "block"


def test_a_termination_reaches_the_session_and_post_gates_run(waiting, sessions):
    waiting.terminate()
    said, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 128 + signal.SIGTERM
    assert "was ended by SIGTERM" in said
    assert sessions.last.verdict.decision == "block"


@pytest.mark.parametrize("stem", ["pre", "post"])
def test_an_interrupt_of_the_gates_is_never_green(sessions, stem):
    sessions.switch(f"{stem}.wait")
    sessions.write({"test_it.py": GREEN})
    with subprocess.Popen(
        GATED, cwd=sessions.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
    ) as process:
        sessions.until(f"{stem}.waits")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert ("2 passed" in said) is (stem == "post")
    assert "interrupted" in said
    assert sessions.last.verdict.decision == "none"


def test_a_supervisor_that_is_killed_takes_the_session_along_and_the_run_is_recorded(waiting, sessions):
    children = psutil.Process(waiting.pid).children(recursive=True)
    waiting.kill()
    assert not psutil.wait_procs(children, timeout=30)[1]
    assert sessions.last.verdict.decision == "block"


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, words, cwd):
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.environ["TERM"] = "xterm"
            for name in ("PY_COLORS", "NO_COLOR", "FORCE_COLOR"):
                os.environ.pop(name, None)
            os.execv(words[0], words)
        self.said = ""

    def until(self, pattern, patience=60):
        end = time.monotonic() + patience
        while not re.search(pattern, self.said):
            assert time.monotonic() < end, self.said
            if select.select([self._fd], [], [], 0.2)[0]:
                self.said += os.read(self._fd, 65536).decode()
        return self

    def type(self, text):
        os.write(self._fd, text.encode())
        return self

    def code(self, patience=60):
        end = time.monotonic() + patience
        try:
            while time.monotonic() < end:
                if select.select([self._fd], [], [], 0.2)[0]:
                    self.said += os.read(self._fd, 65536).decode()
        except OSError:  # its end
            pass
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_ctrl_c_interrupts_the_session_once(sessions):
    sessions.write(
        {"test_it.py": WAITING, "conftest.py": "import time\ndef pytest_sessionfinish(): time.sleep(0.5)\n"}
    )
    terminal = Terminal(GATED, sessions.root)
    sessions.until("waits")
    assert terminal.type("\x03").code() == 2
    assert "no tests ran" in terminal.said
    assert "Traceback" not in terminal.said


def test_the_debugger_has_the_terminal(sessions):
    sessions.write({"test_it.py": "def test_it():\n    answer = 41\n    assert answer == 42\n"})
    terminal = Terminal([*GATED, "--pdb"], sessions.root).until(r"\(Pdb\) ")
    terminal.type("print('it', 'is', answer + 59)\n").until("it is 100").type("q\n")
    assert terminal.code() != 0


def test_a_breakpoint_has_the_terminal(sessions):
    sessions.write({"test_it.py": "def test_it():\n    breakpoint()\n    assert True\n"})
    terminal = Terminal(GATED, sessions.root).until(r"\(Pdb\) ")
    assert terminal.type("c\n").code() == 0
    assert "gatekeeper: proceed" in terminal.said


def test_colours_are_there_on_a_terminal(sessions):
    sessions.write({"test_it.py": GREEN})
    terminal = Terminal(GATED, sessions.root)
    assert terminal.code() == 0
    assert re.search(r"\x1b\[[\d;]*m[^\n]*gatekeeper: proceed", terminal.said)
