"""Gated sessions beside other plugins. Those that this environment lacks are in those of `test_pytest_versions`."""

import sys
from importlib.util import find_spec

import pytest

from flowprojects import saw
from gatedsessions import GREEN, PYTEST, sessions

pytestmark = pytest.mark.heavy

pytest_plugins = ["pytester"]
__all__ = ["sessions"]


def needs(module):
    missing = find_spec(module) is None
    return pytest.mark.skipif(
        missing, reason=f"needs {module}: run by test_pytest_versions in its environments"
    )


@needs("pytest_rerunfailures")
@pytest.mark.parametrize("how", [(), ("-n2",)], ids=" ".join)
def test_tests_that_are_run_again_are_counted_as_flaky(sessions, how):
    body = """
        import pathlib
        def once(name):
            there = pathlib.Path(name).exists()
            pathlib.Path(name).touch()
            return there
        def test_flaky(): assert once("a")
        def test_flaky_too(): assert once("b")
        def test_never(): raise ValueError
        def test_fine(): pass
    """
    assert sessions.test(body, "--reruns=2", *how).ret == 1
    seen = saw(sessions.last)
    assert seen["events"] == {"tests": [4, {"ValueError": 1}]}
    assert (seen["series"]["flaky"][2], seen["series"]["reruns"][2]) == (2, 4)


@needs("pytest_asyncio")
@pytest.mark.parametrize("how", [(), ("-n2",)], ids=" ".join)
def test_tests_on_an_event_loop_are_counted_and_timed(sessions, how):
    sessions.write({"pytest.ini": "[pytest]\nasyncio_mode = auto\n"})
    body = """
        import asyncio
        async def test_sleeps(): await asyncio.sleep(0.2)
        async def test_fails():
            await asyncio.sleep(0)
            raise ValueError
    """
    assert sessions.test(body, *how).ret == 1
    seen = saw(sessions.last)
    assert seen["events"] == {"tests": [2, {"ValueError": 1}]}
    assert seen["series"]['test_duration{test="test_it.py::test_sleeps"}'][2] >= 0.2


COVERED = {"covered.py": "def used():\n    return 1\ndef unused():\n    return 2\n"}
USES = "import covered\ndef test_it(): assert covered.used() == 1\n"


@needs("pytest_cov")
@pytest.mark.parametrize("how", [(), ("-n2",)], ids=" ".join)
def test_coverage_is_measured_by_its_plugin(sessions, how):
    sessions.write(COVERED)
    done = sessions.test(USES, "--cov=covered", "--cov-report=term", *how)
    assert done.ret == 0
    assert [line.split()[-1] for line in done.outlines if line.startswith("covered.py")] == ["75%"]


@needs("pytest_cov")
def test_coverage_that_is_too_low_keeps_its_own_exit_code(sessions):
    sessions.write(COVERED)
    assert sessions.test(USES, "--cov=covered", "--cov-fail-under=99").ret == 1
    assert sessions.last.verdict.decision == "block"


@needs("coverage")
def test_coverage_is_measured_by_its_command(sessions):
    sessions.write({**COVERED, "test_it.py": USES})
    words = (
        sys.executable,
        "-m",
        "coverage",
        "run",
        "--include=covered.py",
        *PYTEST[1:],
        "--gatekeeper=pre,post",
    )
    done = sessions.command(*words)
    assert (done.returncode, "gatekeeper: proceed" in done.stdout) == (0, True), done.stdout + done.stderr
    shown = sessions.command(sys.executable, "-m", "coverage", "report").stdout
    assert "75%" in shown


@needs("coverage")
def test_under_the_command_of_coverage_a_red_session_stays_red(sessions):
    sessions.write({"test_it.py": "import os\ndef test_it(): os._exit(0)\n"})
    words = (sys.executable, "-m", "coverage", "run", *PYTEST[1:], "--gatekeeper=pre,post")
    assert sessions.command(*words).returncode == 1


@needs("pytest_randomly")
def test_the_order_can_be_repeated_by_its_seed(sessions):
    body = "import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test_it(n): open('order', 'a').write(str(n))\n"
    sessions.write({"test_it.py": body})
    orders = []
    for _ in range(2):
        done = sessions.command(
            sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--randomly-seed=7", "--gatekeeper=post",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        orders.append((sessions.root / "order").read_text())
        (sessions.root / "order").unlink()
    assert orders[0] == orders[1] != "012345678"


@needs("xdist")
def test_workers_run_no_gates_and_their_samples_are_merged(sessions):
    body = "import pytest, time\n@pytest.mark.parametrize('n', range(8))\ndef test_it(n): time.sleep(0.01)\n"
    assert sessions.test(body, "-n", "3").ret == 0
    (record,) = sessions.records(1)
    seen = saw(record)
    assert seen["events"] == {"tests": [8, {}]}
    assert len([name for name in seen["series"] if name.startswith("test_duration")]) == 8
    assert seen["series"]["setup_duration"][0] == 8


def test_the_plugin_can_be_named_where_plugins_are_not_loaded_by_themselves(sessions):
    sessions.write({"test_it.py": GREEN})
    words = (sys.executable, "-m", "pytest", "-p", "gatekeeper", "--gatekeeper=post")
    done = sessions.command(*words, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert (done.returncode, "gatekeeper: proceed" in done.stdout) == (0, True), done.stdout + done.stderr
