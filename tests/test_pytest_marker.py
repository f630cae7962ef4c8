"""`@pytest.mark.gatekeeper(…)`: what flows of a test are judged by, and tests that are themselves the flow."""

from pathlib import Path

import pytest

from gatekeeper.pytest_plugin.flows.wishes import problems
from sessions import FlowSessions

pytestmark = pytest.mark.heavy

pytest_plugins = ["pytester"]


@pytest.fixture
def project(pytester, monkeypatch):
    return FlowSessions(pytester, monkeypatch)


# -- for the flows of a test -------------------------------------------------------------------------------------------


def test_the_marker_says_what_flows_are_judged_by(project):
    project.test(
        """
        def statuses(result):
            return {r.id: r.status for r in result.run.results}

        @pytest.mark.gatekeeper(budget={"duration": "1ms", "tokens": {"warn": 800, "fail": 900}}, post=["text"])
        def test_budget(gatekeeper):
            result = gatekeeper.run(writing, {"topic": "otters"})
            assert statuses(result) == {"post.text": "pass", "post.performance": "fail"}
            assert {f.name: f.status for f in result["performance"].findings} == {"duration": "fail", "tokens": "warn"}

        @pytest.mark.gatekeeper(budget={"peak_memory": "1GB", "duration": 5})
        def test_a_number_is_in_base_units(gatekeeper):
            assert gatekeeper.run(writing, {"topic": "otters"})["performance"].status == "pass"

        @pytest.mark.gatekeeper(budget={"nobody.p95": "1s"}, post=[])
        def test_what_nobody_measured_is_not_within_its_budget(gatekeeper):
            result = gatekeeper.run(writing, {"topic": "otters"})
            assert result.verdict.decision == "hold"
            assert "no series 'nobody' was measured" in result["performance"].reason

        @pytest.mark.gatekeeper(pre=["paper"], post=["text", "post.flow"])
        def test_gates(gatekeeper):
            assert set(statuses(gatekeeper.run(writing, {"topic": "otters"}))) == {"pre.paper", "post.text", "post.flow"}
        """
    ).assert_outcomes(passed=4)


def test_the_nearest_marker_counts_and_budgets_are_taken_together(project):
    project.test(
        """
        pytestmark = pytest.mark.gatekeeper(budget={"duration": "1ms", "tokens": 1}, post=["text"])

        def judged(gatekeeper, **wishes):
            result = gatekeeper.run(writing, {"topic": "otters"}, **wishes)
            limits = {f.name: (f.limit, f.status) for f in result["performance"].findings}
            return {r.id for r in result.run.results}, limits

        def test_of_the_module(gatekeeper):
            assert judged(gatekeeper) == (
                {"post.text", "post.performance"}, {"duration": (0.001, "fail"), "tokens": (1, "fail")}
            )

        @pytest.mark.gatekeeper(budget={"duration": "1h"})
        class TestClass:
            def test_of_the_class(self, gatekeeper):
                assert judged(gatekeeper)[1] == {"duration": (3600, "pass"), "tokens": (1, "fail")}

            @pytest.mark.gatekeeper(budget={"tokens": {"warn": 5}}, post=["flow"])
            def test_of_the_function(self, gatekeeper):
                assert judged(gatekeeper) == (
                    {"post.flow", "post.performance"}, {"duration": (3600, "pass"), "tokens": (5, "warn")}
                )
                assert judged(gatekeeper, budget={"tokens": "1000"})[1]["tokens"] == (1000, "pass")

        @pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.gatekeeper(budget={"tokens": 2000}))])
        def test_of_a_parameter(gatekeeper, n):
            assert judged(gatekeeper)[1]["tokens"] == {1: (1, "fail"), 2: (2000, "pass")}[n]
        """
    ).assert_outcomes(passed=5)


def test_a_budget_is_judged_whatever_the_project_says_of_its_gate(project):
    project.write({"gatekeeper.toml": "[gates.performance]\nenabled = false\n"})
    text = """
        @pytest.mark.gatekeeper(budget={"duration": {"fail": "1ms"}})
        def test_it(gatekeeper):
            assert gatekeeper.run(writing, {"topic": "otters"})["performance"].status == "fail"
        """
    project.test(text).assert_outcomes(passed=1)
    project.write(
        {
            "gatekeeper.toml": '[gates.performance]\nrequirement = "observe"\n[gates.performance.budgets]\nduration = "1h"\n'
        }
    )
    project.test(text).assert_outcomes(passed=1)


def test_a_marked_test_that_never_runs_its_flow_fails(project):
    done = project.test(
        """
        @pytest.mark.gatekeeper(post=["text"])
        def test_it(gatekeeper):
            pass

        def test_unmarked(gatekeeper):
            pass

        @pytest.mark.gatekeeper(post=["text"])
        def test_skipped(gatekeeper):
            pytest.skip("not today")
        """
    )
    done.assert_outcomes(failed=1, passed=1, skipped=1)
    done.stdout.fnmatch_lines(
        ["FAILED test_it.py::test_it - Failed: @pytest.mark.gatekeeper: *never called gatekeeper.run*"]
    )


# -- a test that is the flow -------------------------------------------------------------------------------------------


def test_a_marked_test_without_the_fixture_is_itself_the_flow(project):
    done = project.test(
        """
        import time, unittest
        from pathlib import Path

        @pytest.mark.gatekeeper(budget={"duration": "1h", "peak_memory": "4GB"}, post=["flow"])
        def test_within():
            pass

        @pytest.mark.gatekeeper(budget={"duration": "10ms"})
        @pytest.mark.parametrize("name", ["a@b"])
        def test_slow(name):
            time.sleep(0.05)

        @pytest.mark.gatekeeper(budget={"peak_memory": "1kB"}, post=["flow"])
        def test_large():
            pass

        class TestOld(unittest.TestCase):
            @pytest.mark.gatekeeper(budget={"duration": "10ms"})
            def test_unittest(self):
                time.sleep(0.05)

        @pytest.mark.gatekeeper(post=["dark"])
        def test_held():
            pass

        @pytest.mark.gatekeeper(budget={"tokens": 10}, post=["flow"])
        def test_recorded():
            gk.current().record("tokens", 11)
        """,
        "--show-capture=no",
    )
    done.assert_outcomes(passed=1, failed=5)
    done.stdout.fnmatch_lines(
        [
            "*_ test_slow[[]a@b] _*",
            "gatekeeper: block: post.performance failed: duration * > 10 ms",
            "BLOCK  1 failed*",
            "FAIL post.performance  required*",
            "FAILED test_it.py::test_slow[[]a@b] - Failed: gatekeeper: block: post.performance failed: duration * > 10 ms",
            "FAILED test_it.py::test_large - Failed: gatekeeper: block: post.performance failed: peak_memory * > 1 kB",
            "FAILED test_it.py::TestOld::test_unittest - Failed: gatekeeper: block: post.performance failed*",
            "FAILED test_it.py::test_held - Failed: gatekeeper: hold: post.dark is unknown: nobody can tell",
            "FAILED test_it.py::test_recorded - Failed: gatekeeper: block: post.performance failed: tokens 11 > 10",
        ]
    )


def test_the_place_of_such_a_failure_is_the_test(project):
    done = project.test(
        '@pytest.mark.gatekeeper(post=["dark"])\ndef test_it(): pass', "--tb=line", "--show-capture=no"
    )
    done.stdout.fnmatch_lines(
        [f"{project.path}/test_it.py:4: *gatekeeper: hold: post.dark is unknown: nobody can tell"]
    )
    assert "pytest_plugin" not in done.stdout.str()


def test_a_test_keeps_its_own_outcome_where_it_has_one(project):
    done = project.test(
        """
        pytestmark = pytest.mark.gatekeeper(budget={"duration": "0s"})

        def test_fails():
            assert 1 == 2

        def test_skips():
            pytest.skip("not today")

        @pytest.mark.xfail(raises=KeyError, strict=True)
        def test_expected_to_fail():
            {}["x"]

        def test_raises_a_gatekeeper_error():
            raise gk.UsageError("its own")
        """,
        "-rA",
    )
    done.assert_outcomes(failed=2, skipped=1, xfailed=1)
    done.stdout.fnmatch_lines(
        [
            "*assert 1 == 2",
            "*- gatekeeper: test_fails -*",
            "FAIL post.performance*",
            "FAILED test_it.py::test_raises_a_gatekeeper_error - gatekeeper.errors.UsageError: its own",
        ]
    )


def test_pre_gates_can_keep_a_test_from_starting(project):
    project.write(
        {
            "gates/gate_disk.py": """
                from gatekeeper import pre

                @pre
                def disk(ctx):
                    ctx.check(False, "the disk is full")
                """
        }
    )
    done = project.test(
        """
        from pathlib import Path

        @pytest.mark.gatekeeper(pre=["disk"])
        def test_it():
            Path("started").touch()
        """
    )
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["FAILED test_it.py::test_it - Failed: gatekeeper: block: pre.disk failed: the disk is full"]
    )
    assert not (project.path / "started").exists()


def test_post_gates_compare_with_the_moment_before_the_test(project):
    project.write(
        {
            "gates/gate_files.py": """
                from pathlib import Path
                from gatekeeper import post

                def files(ctx):
                    return len(list(Path(".").glob("*.tmp")))

                @post(before=files)
                def clean(ctx):
                    ctx.check(files(ctx) == ctx.before["post.clean"], "files were left")
                """
        }
    )
    done = project.test(
        """
        from pathlib import Path
        pytestmark = pytest.mark.gatekeeper(post=["clean"])

        def test_leaves_a_file():
            Path("left.tmp").touch()

        def test_leaves_nothing():
            Path("left.tmp").unlink()
            Path("left.tmp").touch()
        """
    )
    done.assert_outcomes(failed=1, passed=1)
    done.stdout.fnmatch_lines(
        ["FAILED *::test_leaves_a_file - Failed: gatekeeper: block: post.clean failed: files were left"]
    )


def test_nothing_that_ran_is_not_a_pass(project):
    done = project.test('@pytest.mark.gatekeeper(post=["performance"])\ndef test_it(): pass')
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["FAILED *::test_it - Failed: gatekeeper: none: no gate ran: all 1 were skipped*"]
    )


def test_a_gate_that_is_not_there_fails_the_test_in_a_line(project):
    done = project.test('@pytest.mark.gatekeeper(post=["txt"])\ndef test_it(): pass')
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["gatekeeper: no gate or gate file 'post.txt' in this phase. Did you mean 'post.text'?"]
    )
    assert "Traceback" not in done.stdout.str()
    assert "During handling" not in done.stdout.str()


# -- what is wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"budgt": {}}, "unexpected argument 'budgt'. Did you mean 'budget'?"),
        ({"zzz": 1}, "unexpected argument 'zzz'. Known: budget, pre, post, config, profile, settings."),
        ({"post": "text"}, "post: expected [\"text\"], got 'text'"),
        ({"post": None}, "post: expected a list of names of gates, got None"),
        ({"post": [1]}, "post: expected names of gates, got 1"),
        ({"pre": [""]}, "pre: expected names of gates, got ''"),
        ({"pre": ["post.text"]}, "pre: 'post.text' is a gate of the other phase"),
        ({"post": []}, "post=[] leaves no gate: give some in pre or post, or a budget"),
        ({"budget": 3}, "budget: expected a table, got a whole number: 3"),
        (
            {"budget": {"duration": "fast"}},
            'budget: duration: expected a number, or one with a unit such as "5s", …',
        ),
        ({"budget": {"duration": float("nan")}}, "budget: duration: …"),
        ({"budget": {"duration": {}}}, "budget: duration: has no limit: give one, or warn, fail or both"),
        ({"budget": {"x": {"fial": 3}}}, "budget: x: fial: unknown key \"fial\". Did you mean 'fail'?"),
        (
            {"budget": {"x": {"warn": 3, "fail": 2}}},
            "budget: x: impossible pair of limits: warn is above fail, …",
        ),
        ({"profile": 3}, "profile: expected a text, got 3"),
        ({"config": []}, "config: expected a text, got []"),
        ({"settings": []}, "settings: expected a mapping, got []"),
        ({"settings": {"a..b": 1}}, "settings['a..b']: a part of the key is empty"),
    ],
    ids=repr,
)
def test_each_wrong_argument_is_told_with_what_was_expected(wishes, said):
    first = next(problems(wishes))
    assert first.startswith(said.rstrip("…")) if said.endswith("…") else first == said


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"pre": ("storage",), "post": []},
        {
            "budget": {
                "latency.p95": {"warn": "1s", "fail": "2.5s", "min_samples": 5},
                "up": {"fail": 1, "worse": "lower"},
            }
        },
        {
            "config": Path("other.toml"),
            "profile": "ci",
            "settings": {'gates.performance.budgets."a.b"': "1s"},
        },
    ],
    ids=repr,
)
def test_what_is_right_has_no_problems(wishes):
    assert [*problems(wishes)] == []


def test_wrong_arguments_are_an_error_before_any_test_runs(project):
    done = project.test(
        """
        @pytest.mark.gatekeeper("text", budgt={}, post="text")
        def test_it():
            pass

        @pytest.mark.gatekeeper(post=[])
        def test_other():
            pass

        def test_right():
            pass
        """
    )
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(
        [
            "*_ ERROR collecting test_it.py _*",
            "test_it.py::test_it: @pytest.mark.gatekeeper: takes arguments by keyword only, got 'text'",
            "test_it.py::test_it: @pytest.mark.gatekeeper: unexpected argument 'budgt'. Did you mean 'budget'?",
            "test_it.py::test_it: @pytest.mark.gatekeeper: post: expected [[]\"text\"], got 'text'",
            "test_it.py::test_other: @pytest.mark.gatekeeper: post=[[]] leaves no gate: *",
        ],
        consecutive=True,
    )
    assert "Traceback" not in done.stdout.str()


@pytest.mark.parametrize(
    "text",
    [
        "@pytest.mark.gatekeeper(budgt={})\nclass TestIt:\n    def test_it(self): pass",
        "pytestmark = pytest.mark.gatekeeper(budgt={})\ndef test_it(): pass",
        "import unittest\nclass TestIt(unittest.TestCase):\n    @pytest.mark.gatekeeper(budgt={})\n    def test_it(self): pass",
        "@pytest.mark.parametrize('n', [pytest.param(1, marks=pytest.mark.gatekeeper(budgt={}))])\ndef test_it(n): pass",
    ],
    ids=["class", "module", "unittest", "parameter"],
)
def test_a_wrong_marker_is_found_wherever_it_stands(project, text):
    done = project.test(text)
    done.assert_outcomes(errors=1)
    assert "Did you mean 'budget'?" in done.stdout.str()


def test_wrong_arguments_are_said_by_the_workers_of_xdist_too(project):
    done = project.test("@pytest.mark.gatekeeper(budgt={})\ndef test_it(): pass", "-n", "2")
    assert "Did you mean 'budget'?" in done.stdout.str()
    assert "INTERNALERROR" not in done.stdout.str()
    assert done.ret != 0


def test_the_marker_is_known_and_explained(project):
    assert (
        "@pytest.mark.gatekeeper(budget, pre, post, config, profile, settings): "
        in project.run("--markers").stdout.str()
    )


# -- beside other plugins ----------------------------------------------------------------------------------------------


def test_a_rerun_is_judged_anew(project):
    pytest.importorskip("pytest_rerunfailures")
    done = project.test(
        """
        from pathlib import Path
        import time

        @pytest.mark.gatekeeper(budget={"duration": "0.5s"}, post=["flow"])
        def test_it():
            if not Path("again").exists():
                Path("again").touch()
                time.sleep(0.6)

        @pytest.mark.gatekeeper(post=["text"])
        def test_flow(gatekeeper):
            assert gatekeeper.results == []
            result = gatekeeper.run(writing, {"topic": "otters"})
            first, _ = not Path("more").exists(), Path("more").touch()
            assert result and not first
        """,
        "--reruns=1",
    )
    assert done.parseoutcomes() == {"passed": 2, "rerun": 2}


def test_asynchronous_tests_and_flows_are_judged(project):
    pytest.importorskip("pytest_asyncio")
    done = project.test(
        """
        import asyncio

        async def pipeline(n):
            await asyncio.sleep(0.05)
            return n

        @pytest.mark.asyncio
        async def test_flow(gatekeeper):
            result = await gatekeeper.run_async(pipeline, {"n": 3}, post=["flow"])
            assert result.verdict.decision == "proceed"
            assert result.outputs == 3

        @pytest.mark.asyncio
        @pytest.mark.gatekeeper(budget={"duration": "10ms"})
        async def test_slow():
            await asyncio.sleep(0.05)
        """,
        "-o",
        "asyncio_mode=strict",
    )
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(
        ["FAILED *::test_slow - Failed: gatekeeper: block: post.performance failed: duration*"]
    )


def test_coverage_counts_the_flow(project):
    pytest.importorskip("pytest_cov")
    done = project.test(
        """
        def test_it(gatekeeper):
            assert gatekeeper.run(writing, {"topic": "otters"}, post=["text"])
        """,
        "--cov=flows",
        "--cov-report=term",
    )
    done.assert_outcomes(passed=1)
    (line,) = [line for line in done.outlines if line.startswith("flows.py")]
    assert line.split()[1:3] == ["10", "1"]  # all but the line that raises
