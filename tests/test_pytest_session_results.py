"""What a session tells of its tests, as post gates are given it: durations, failures by type, what is flaky."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowprojects import saw
from gatedsessions import GREEN, sessions
from gatekeeper.pytest_plugin.session.results import Results

pytest_plugins = ["pytester"]
__all__ = ["sessions"]

EVERYTHING = """
    import pytest

    def test_passes(): pass
    @pytest.mark.skip
    def test_skipped(): pass
    @pytest.mark.skipif(True, reason="no")
    @pytest.mark.parametrize("n", range(3))
    def test_also_skipped(n): pass
    @pytest.mark.xfail
    def test_expected(): assert 0
    @pytest.mark.xfail
    def test_unexpected(): pass
    @pytest.mark.xfail(strict=True)
    def test_strict(): pass
    def test_assert(): assert 1 == 2
    def test_value(): raise ValueError
    def test_value_again(): raise ValueError("x")
    def test_fails(): pytest.fail("no")

    class Own(Exception): pass
    def test_own(): raise Own("ü\\x00")

    @pytest.fixture
    def broken(): raise KeyError("k")
    def test_setup(broken): pass

    @pytest.fixture
    def breaks():
        yield
        raise OSError
    def test_teardown(breaks): pass
    def test_both(breaks): raise ValueError
"""
ERRORS = {
    "xpass": 1,
    "AssertionError": 1,
    "ValueError": 3,
    "Failed": 1,
    "Own": 1,
    "KeyError": 1,
    "OSError": 1,
}
COUNTS = {"skipped": 4, "xfailed": 1, "xpassed": 1, "reruns": 0, "flaky": 0}


def counts(seen):
    return {name: int(seen["series"][name][2]) for name in COUNTS}


@pytest.mark.parametrize("how", [(), ("-n2",), ("-n2", "--dist=loadfile"), ("-n0",)], ids=" ".join)
def test_every_outcome_is_told_as_what_it_is(sessions, how):
    assert sessions.test(EVERYTHING, *how).ret == 1
    (record,) = sessions.records(1)
    seen = saw(record)
    assert seen["events"] == {"tests": [12, ERRORS]}
    assert counts(seen) == COUNTS
    assert seen["flow"]["left"] == []
    assert [result.id for result in record.results].count("pre.start") == 1


def test_durations_are_of_tests_and_of_the_session(sessions):
    body = """
        import pytest, time
        @pytest.fixture
        def slow():
            time.sleep(0.2)
            yield
            time.sleep(0.1)
        @pytest.mark.parametrize("n", [1, 2])
        def test_it(slow, n): time.sleep(0.3)
    """
    sessions.test(body)
    seen = saw(sessions.last)
    series = seen["series"]
    for n in (1, 2):
        number, unit, total = series[f'test_duration{{test="test_it.py::test_it[{n}]"}}']
        assert (number, unit) == (1, "s")
        assert 0.3 <= total < 5
    assert series["setup_duration"][:2] == [2, "s"]
    assert series["setup_duration"][2] >= 0.4
    assert series["teardown_duration"][2] >= 0.2
    assert 1.2 <= series["duration"][2] < 60
    assert seen["flow"]["duration_s"] == series["duration"][2]
    assert series["cpu"][2] > 0
    assert series["peak_memory"][2] > 1e6


def test_budgets_hold_against_the_sessions_own_measurements(sessions):
    with (sessions.root / "gatekeeper.toml").open("a") as file:
        file.write(
            '[gates.performance.budgets]\n"test_duration.max" = { fail = "100ms" }\nskipped = { fail = 1 }\n'
        )
        file.write("[gates.errors]\nrate = { fail = 0.6 }\n")
    body = "import pytest, time\ndef test_slow(): time.sleep(0.2)\n@pytest.mark.skip\ndef test_a(): pass\ntest_b = test_a\n"
    done = sessions.test(body)
    assert done.ret == 1
    record = sessions.last
    assert record.verdict.decision == "block"
    found = {f.name: f.status for f in record.result("post.performance").findings}
    assert found == {"test_duration.max": "fail", "skipped": "fail"}
    assert record.result("post.errors").status == "pass"


def test_a_file_that_can_not_be_collected_is_an_error(sessions):
    sessions.write({"test_broken.py": "import nowhere_to_be_found\n", "test_syntax.py": "def"})
    assert sessions.test(GREEN, "--continue-on-collection-errors").ret == 1
    assert saw(sessions.last)["events"] == {"tests": [4, {"collection": 2}]}
    assert sessions.test(GREEN).ret == 2
    assert saw(sessions.last)["events"] == {"tests": [2, {"collection": 2}]}


def test_a_worker_that_crashes_is_an_error_of_the_test_that_it_ran(sessions):
    body = "import os\ndef test_one(): pass\ndef test_two(): os._exit(0)\ndef test_three(): pass\n"
    assert sessions.test(body, "-n2").ret == 1
    assert saw(sessions.last)["events"] == {"tests": [3, {"crash": 1}]}


def test_a_timeout_is_told_as_one(sessions):
    body = "import time\ndef test_slow(): time.sleep(30)\n"
    assert sessions.test(body, "--timeout=0.5", "-o", "timeout_method=signal").ret == 1
    assert saw(sessions.last)["events"] == {"tests": [1, {"timeout": 1}]}


def test_a_timeout_that_ends_the_process_is_a_crash(sessions):
    body = "import time\ndef test_slow(): time.sleep(30)\n"
    assert sessions.test(body, "--timeout=0.5", "--timeout-method=thread").ret == 1
    assert saw(sessions.last)["events"] == {"tests": [1, {"crash": 1}]}


def test_a_failure_stops_the_session_with_x_and_the_rest_is_not_counted(sessions):
    body = "def test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pass\n"
    assert sessions.test(body, "-x").ret == 1
    assert saw(sessions.last)["events"] == {"tests": [2, {"AssertionError": 1}]}


def test_what_an_interrupt_cut_off_is_not_counted(sessions):
    body = "def test_a(): pass\ndef test_b(): raise KeyboardInterrupt\n"
    assert sessions.test(body).ret == 2
    assert saw(sessions.last)["events"] == {"tests": [1, {}]}


def test_parts_of_a_test_count_as_the_test(sessions):
    body = """
        import unittest
        class TestIt(unittest.TestCase):
            def test_it(self):
                for n in range(3):
                    with self.subTest(n=n):
                        assert n != 1
            def test_fine(self): pass
    """
    assert sessions.test(body).ret == 1
    total, errors = saw(sessions.last)["events"]["tests"]
    assert (total, sum(errors.values())) == (2, 1)


def test_random_order_changes_nothing(sessions, pytester):
    sessions.write({"test_it.py": EVERYTHING})
    pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "--gatekeeper=post", "-p", "randomly", timeout=100
    )
    assert saw(sessions.last)["events"] == {"tests": [12, ERRORS]}


# -- the counting alone ------------------------------------------------------------------------------------------------


def record(test, when, outcome, **more):
    return {"test": test, "when": when, "outcome": outcome, "duration": 0.5, **more}


def passed(name):
    return [record(name, when, "passed") for when in ("setup", "call", "teardown")]


def events(*records, code=0):
    end = [] if code is None else [{"code": code}]
    (found,) = Results.of([{"started": 1.0}, *records, {"finished": 4.0}, *end]).readings(3.0).events
    return found.total, found.errors


def test_a_failed_teardown_of_an_attempt_that_is_run_again_counts():
    first = [
        record("t", "setup", "passed"),
        record("t", "call", "rerun"),
        record("t", "teardown", "failed", error="E"),
    ]
    assert events(*first, *passed("t")) == (2, {"E": 1})


def test_a_test_that_passes_when_it_is_run_again_is_flaky_and_one_that_does_not_is_not():
    again = [record("a", "setup", "passed"), record("a", "call", "rerun"), record("a", "teardown", "passed")]
    fails = [record("b", "setup", "passed"), record("b", "call", "rerun"), record("b", "setup", "passed"),
             record("b", "call", "failed", error="E"), record("b", "teardown", "passed")]  # fmt: skip
    results = Results.of([*again, *passed("a"), *fails, {"code": 1}])
    assert (results.counts["flaky"], results.counts["reruns"], results.counts["total"]) == (1, 2, 2)


def test_a_test_that_is_repeated_counts_each_time():
    assert events(*passed("t"), *passed("t")) == (2, {})


def test_the_end_is_only_known_where_it_was_told():
    assert Results.of([{"started": 1.0}, *passed("t")]).code is None
    assert Results.of([{"started": 1.0}, *passed("t"), {"finished": 3.0}]).code is None
    assert Results.of([{"code": 0}]).code == 0
    assert Results.of([]).duration_s is None


OUTCOMES = st.lists(st.sampled_from(["passed", "failed", "skipped"]), max_size=20)


@given(OUTCOMES, st.integers(0, 60))
def test_wherever_the_records_end_no_test_counts_twice_and_failures_are_kept(outcomes, end):
    records = []
    for number, outcome in enumerate(outcomes):
        name = f"t{number}"
        records += [record(name, "setup", "passed"), record(name, "call", outcome, error="E")]
        records.append(record(name, "teardown", "passed"))
    told = records[:end]
    found = Results.of(told)
    total = found.counts["total"] + found.counts["skipped"]
    assert total == len({r["test"] for r in told})
    assert found.errors["E"] == sum(r["outcome"] == "failed" for r in told)
    assert found.errors["crash"] <= 1
