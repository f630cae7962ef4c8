"""`pytest.main([…, "--gatekeeper=pre,post"])` called from code: the gates run around it, in that process."""

import sys

import pytest

from flowprojects import saw
from gatedsessions import GREEN, sessions

pytest_plugins = ["pytester"]
__all__ = ["sessions"]

RED = "def test_red(): raise ValueError\n"
PROGRAM = """
    import sys
    import pytest
    code = pytest.main(["--gatekeeper={gates}", "-p", "no:cacheprovider", "-p", "no:randomly", *sys.argv[1:]])
    print("RETURNED", int(code))
"""


@pytest.fixture
def main(sessions):
    """Runs a program that calls `pytest.main`; what it printed, and what the call returned."""

    def run(body, *args, gates="pre,post"):
        sessions.write({"test_it.py": body, "program.py": PROGRAM.format(gates=gates)})
        done = sessions.command(sys.executable, "program.py", *args)
        said, _, code = done.stdout.partition("RETURNED ")
        return said + done.stderr, int(code) if code else None

    return run


def test_the_call_returns_what_the_gates_make_of_it(main, sessions):
    said, code = main(GREEN)
    assert code == 0
    assert "gatekeeper: proceed" in said
    sessions.switch("bad")
    assert main(GREEN)[1] == 1
    assert main(RED)[1] == 1


def test_a_block_keeps_the_session_from_starting(main, sessions):
    sessions.switch("off")
    said, code = main("open('imported', 'w')\n" + GREEN)
    assert (code, (sessions.root / "imported").exists()) == (1, False)
    assert "it is switched off" in said
    assert "test session starts" not in said


def test_a_hold_is_6_and_a_red_session_keeps_its_own_code(main, sessions):
    sessions.switch("late-doubt")
    assert main(GREEN)[1] == 6
    assert main(RED)[1] == 1
    assert main("def test_it(): raise KeyboardInterrupt")[1] == 2
    assert main("")[1] == 5
    assert main(GREEN, "nowhere.py")[1] == 4


@pytest.mark.parametrize("how", [(), ("-n2",)], ids=" ".join)
def test_post_gates_are_given_the_sessions_results(main, sessions, how):
    assert main(GREEN + RED, *how)[1] == 1
    (record,) = sessions.records(1)
    seen = saw(record)
    assert seen["events"] == {"tests": [3, {"ValueError": 1}]}
    assert (seen["flow"]["kind"], seen["flow"]["exit_code"], seen["flow"]["left"]) == ("pytest", 1, [])
    assert seen["series"]["peak_memory"][2] > 1e6
    assert seen["series"]["duration"][2] == seen["flow"]["duration_s"] > 0


def test_a_mistake_in_the_configuration_is_a_usage_error(main, sessions):
    sessions.write({"gatekeeper.toml": "[gates.flow]\nexit_cods = [1]\n"})
    said, code = main(GREEN)
    assert code == 4
    assert "Did you mean 'exit_codes'" in said


def test_what_only_shows_something_runs_no_gates(main, sessions):
    assert main(GREEN, "--collect-only")[1] == 0
    assert not sessions.records()


def test_a_process_that_exits_on_the_spot_is_recorded_as_one_whose_end_nobody_saw(main, sessions):
    """Nobody supervises it: its exit code is its own. The record says what happened."""
    _, code = main("import os\ndef test_it(): os._exit(0)\n")
    assert code is None
    (record,) = sessions.records(1)
    assert record.verdict.decision == "block"
    assert "nobody saw its end" in record.result("post.flow").reason


def test_several_calls_in_one_process_are_a_run_each(sessions):
    sessions.write({"test_it.py": GREEN})
    program = """
        import os, pytest
        args = ["-q", "-p", "no:cacheprovider", "test_it.py", "--gatekeeper=post"]
        print([int(pytest.main(args)) for _ in range(2)], [name for name in os.environ if name.startswith("GATEKEEPER")])
    """
    done = sessions.program(program)
    assert done.stdout.endswith("[0, 0] []\n"), done.stdout + done.stderr
    assert len(sessions.records(2)) == 2


def test_threads_of_the_program_are_no_matter(sessions):
    sessions.write({"test_it.py": GREEN})
    program = """
        import pytest, threading
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        quiet = ["-q", "-W", "error", "-p", "no:asyncio", "-p", "no:cacheprovider"]
        print(int(pytest.main([*quiet, "test_it.py", "--gatekeeper=pre,post"])))
    """
    done = sessions.program(program)
    assert done.stdout.endswith("\n0\n"), done.stdout + done.stderr


def test_plugin_objects_of_the_program_take_part(sessions):
    sessions.write({"test_it.py": GREEN})
    program = """
        import pytest
        class Plugin:
            def pytest_sessionfinish(self, exitstatus): print("SAW", int(exitstatus))
        print(int(pytest.main(["-q", "-p", "no:cacheprovider", "--gatekeeper=post"], plugins=[Plugin()])))
    """
    assert "SAW 0" in sessions.program(program).stdout


def test_a_program_that_becomes_pytest_with_other_arguments_is_not_started_over(sessions):
    """Its own command line would be another session."""
    sessions.write({"test_it.py": GREEN})
    program = """
        import runpy, sys
        print("STARTED", flush=True)
        sys.argv[1:] = ["--gatekeeper=post", "-q", "-p", "no:cacheprovider", "test_it.py"]
        runpy.run_module("pytest", run_name="__main__")
    """
    done = sessions.program(program)
    assert done.stdout.count("STARTED") == 1
    assert "gatekeeper: proceed" in done.stdout
    assert done.returncode == 0
