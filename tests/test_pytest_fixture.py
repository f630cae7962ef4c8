"""The fixture `gatekeeper` in tests of flows: what it runs, what it says, and what a failed assertion shows."""

import re
import xml.etree.ElementTree as ET

import pytest

from sessions import FlowSessions

pytest_plugins = ["pytester"]


@pytest.fixture
def project(pytester, monkeypatch):
    return FlowSessions(pytester, monkeypatch)


# -- what a flow comes to ----------------------------------------------------------------------------------------------


def test_a_flow_that_its_gates_let_through(project):
    project.test(
        """
        import json

        def test_writing(gatekeeper):
            result = gatekeeper.run(writing, inputs={"topic": "otters"}, post=["text", "post.flow"])
            assert result.verdict.decision == "proceed"
            assert result and result.ok
            assert result.outputs == {"text": "All about otters", "words": 3}
            assert result.run.verdict == result.verdict
            assert result.run.subject.name == result.name == "writing"
            assert result["post.text"] is result["text"]
            assert [r.id for r in result.run.results] == ["post.flow", "post.text"]
            assert gatekeeper.results == [result]
            assert repr(result) == "<flow 'writing': proceed>"
            assert json.loads(gk.strict_json(result.run))["verdict"]["decision"] == "proceed"

        def test_a_result_that_is_not_there(gatekeeper):
            result = gatekeeper.run(writing, inputs={"topic": "otters"}, post=["text"])
            with pytest.raises(LookupError, match="no result of 'post.txt'. Did you mean 'post.text'"):
                result["post.txt"]
        """
    ).assert_outcomes(passed=2)


def test_every_kind_of_flow_can_be_run(project):
    project.test(
        """
        import asyncio, functools

        class Kickoff:
            def kickoff(self, inputs=None):
                return {"got": inputs}

        class Invoke:
            async def ainvoke(self, inputs):
                return {"got": inputs}
            def invoke(self, inputs):
                return {"got": inputs}

        class Run:
            def run(self):
                return {"got": None}

        class Call:
            def __call__(self, a, b=2):
                return {"got": [a, b]}

        async def pipeline(n):
            await asyncio.sleep(0)
            return {"got": n}

        @pytest.mark.parametrize(("flow", "inputs", "got"), [
            (Kickoff(), {"a": 1}, {"a": 1}),
            (Kickoff(), None, None),
            (Invoke(), {"a": 1}, {"a": 1}),
            (Run(), None, None),
            (Call(), {"a": 1}, [1, 2]),
            (functools.partial(Call(), b=3), {"a": 1}, [1, 3]),
            (lambda a: {"got": a}, 5, 5),
        ])
        def test_run(gatekeeper, flow, inputs, got):
            assert gatekeeper.run(flow, inputs, post=["flow"]).outputs == {"got": got}

        @pytest.mark.parametrize(("flow", "inputs"), [(pipeline, {"n": 7}), (Invoke(), 7), (Kickoff(), 7)])
        def test_awaited(gatekeeper, flow, inputs):
            result = asyncio.run(gatekeeper.run_async(flow, inputs, post=["flow"]))
            assert result.verdict.decision == "proceed"
            assert result.outputs == {"got": 7}

        def test_asynchronous_flows_are_awaited(gatekeeper):
            with pytest.raises(gk.UsageError, match="pipeline is asynchronous: await gatekeeper.run_async"):
                gatekeeper.run(pipeline, {"n": 1})

        def test_not_a_flow(gatekeeper):
            with pytest.raises(gk.UsageError, match="int has no kickoff, invoke, run and can't be called"):
                gatekeeper.run(3)
        """
    ).assert_outcomes(passed=12)


def test_a_flow_that_does_not_start_and_one_that_is_held_return_all_the_same(project):
    project.test(
        """
        from pathlib import Path

        def test_blocked_before(gatekeeper):
            result = gatekeeper.run(writing, {"topic": "forbidden"}, pre=["paper"])
            assert result.verdict.decision == "block"
            assert result["pre.paper"].status == "fail"
            assert result["post.text"].status == "skip"
            assert result.outputs is None
            assert not Path("ran").exists()

        def test_held(gatekeeper):
            result = gatekeeper.run(writing, {"topic": "otters"}, post=["dark"])
            assert result.verdict.decision == "hold"
            assert not result
            assert result.outputs["words"] == 3

        def test_nothing_that_decides_ran(gatekeeper):
            settings = {"gates.words.requirement": "observe"}
            result = gatekeeper.run(writing, {"topic": "otters"}, post=["words"], settings=settings)
            assert result.verdict.decision == "none"
            assert not result.ok
        """
    ).assert_outcomes(passed=3)


def test_by_default_all_post_gates_run_and_no_pre_gate(project):
    project.test(
        """
        def test_it(gatekeeper):
            ids = {r.id for r in gatekeeper.run(writing, {"topic": "otters"}).run.results}
            assert {"post.text", "post.words", "post.dark", "post.flow", "post.performance"} <= ids
            assert not {name for name in ids if name.startswith("pre.")}
            both = gatekeeper.run(writing, {"topic": "otters"}, pre=["paper"])
            assert {r.id for r in both.run.results} == {*ids, "pre.paper"}
            alone = gatekeeper.run(writing, {"topic": "otters"}, pre=["paper"], post=[])
            assert [r.id for r in alone.run.results] == ["pre.paper"]
        """
    ).assert_outcomes(passed=1)


def test_the_flows_own_exception_goes_on_unless_it_is_expected(project):
    done = project.test(
        """
        def test_propagates(gatekeeper):
            with pytest.raises(ValueError, match="no such topic"):
                gatekeeper.run(writing, {"topic": "bad"}, post=["flow"])
            assert gatekeeper.results[0]["flow"].status == "fail"

        def test_expected(gatekeeper):
            result = gatekeeper.run(writing, {"topic": "bad"}, post=["flow"], raises=ValueError)
            assert str(result.error) == "no such topic"
            assert result.verdict.decision == "block"

        def test_another_one(gatekeeper):
            with pytest.raises(ValueError):
                gatekeeper.run(writing, {"topic": "bad"}, post=["flow"], raises=(KeyError, OSError))

        def test_did_not_raise(gatekeeper):
            gatekeeper.run(writing, {"topic": "otters"}, post=["flow"], raises=ValueError)

        def test_shown(gatekeeper):
            gatekeeper.run(writing, {"topic": "bad"}, post=["flow"])
        """
    )
    done.assert_outcomes(passed=3, failed=2)
    done.stdout.fnmatch_lines(
        [
            "the flow writing did not raise <class 'ValueError'>",
            '>*raise ValueError("no such topic")',
            "E*ValueError: no such topic",
            "*- gatekeeper: writing -*",
            "FAIL post.flow  required, *",
            "FAILED test_it.py::test_did_not_raise - Failed: the flow writing did not raise*",
            "FAILED test_it.py::test_shown - ValueError: no such topic",
        ]
    )
    assert "wrap.py" not in done.stdout.str()


def test_gates_of_a_flow_within_speak_for_that_flow_alone(project):
    project.test(
        """
        def inner():
            with gk.flow("inner", gates=["post.performance"], history=False,
                         settings={"gates.performance.budgets.duration": "0s"}):
                pass

        @gk.gated("decorated", gates=["post.dark"])
        def decorated(topic):
            return {"topic": topic}

        def test_blocked_within(gatekeeper):
            with pytest.raises(gk.Blocked) as blocked:
                gatekeeper.run(inner, post=["flow"])
            assert blocked.value.name == "inner"
            assert gatekeeper.results[0]["post.flow"].status == "fail"

        def test_a_decorated_function_is_gated_as_the_test_says(gatekeeper):
            result = gatekeeper.run(decorated, {"topic": "otters"}, post=["flow"])
            assert result.ok
            assert result.name == "decorated"
            assert result.outputs == {"topic": "otters"}
        """
    ).assert_outcomes(passed=2)
    assert not (project.path / ".gatekeeper").exists()


def test_settings_profile_and_configuration_can_be_others(project):
    project.write(
        {
            "gatekeeper.toml": "[profiles.strict.gates.words]\nenabled = false\n",
            "other.toml": '[gates.words]\nrequirement = "observe"\n',
        }
    )
    text = """
        def statuses(gatekeeper, **wishes):
            result = gatekeeper.run(writing, {"topic": "otters"}, **wishes)
            return {r.id: (r.requirement, r.status) for r in result.run.results}

        def test_them(gatekeeper, tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)  # the project is the test's, wherever it runs
            assert statuses(gatekeeper)["post.words"] == ("required", "fail")
            assert "post.words" not in statuses(gatekeeper, profile="strict")
            assert statuses(gatekeeper, config="other.toml")["post.words"] == ("observe", "fail")
            advised = statuses(gatekeeper, settings={"gates.words.requirement": "advisory"})
            assert advised["post.words"] == ("advisory", "fail")
        """
    project.test(text).assert_outcomes(passed=1)
    done = project.run("--gatekeeper-profile", "strict")
    assert "KeyError: 'post.words'" in done.stdout.str()


def test_nothing_is_recorded_or_remembered_unless_a_test_asks_for_it(project):
    project.write(
        {
            "gates/gate_history.py": """
                from gatekeeper import post

                @post
                def known(ctx):
                    ctx.measure("runs", len(ctx.history.values("post.known", "runs", 10)))
                """
        }
    )
    project.test(
        """
        from pathlib import Path

        STATE = Path(__file__).parent / ".gatekeeper"

        def known(gatekeeper, **options):
            return gatekeeper.run(writing, {"topic": "x"}, post=["known"], **options)["known"].findings[0].observed

        def test_it(gatekeeper):
            assert [known(gatekeeper) for _ in range(2)] == [0, 0]
            assert not STATE.exists()
            assert [known(gatekeeper, history=True) for _ in range(3)] == [0, 1, 2]
            assert STATE.exists()
            assert known(gatekeeper) == 0
        """
    ).assert_outcomes(passed=1)


# -- what is shown -----------------------------------------------------------------------------------------------------

ASSERTED = """
    def test_it(gatekeeper):
        result = gatekeeper.run(writing, {{"topic": "otters"}}, post=["words"], budget={{"duration": "1h"}})
        assert {condition}
"""


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        (
            'result.verdict.decision == "proceed"',
            "E*assert 'block' == 'proceed': post.words failed: words 3 < 4",
        ),
        (
            '"proceed" == result.verdict.decision',
            "E*assert 'proceed' == 'block': post.words failed: words 3 < 4",
        ),
        ('result.verdict.decision != "block"', "E*assert 'block' != 'block': post.words failed: words 3 < 4"),
        (
            'result.verdict.decision in ("proceed", "hold")',
            "E*assert 'block' in ('proceed', 'hold'): post.words failed*",
        ),
        ("result.ok", "E*where False = <flow 'writing': block: post.words failed: words 3 < 4>.ok"),
        ("result", "E*assert <flow 'writing': block: post.words failed: words 3 < 4>"),
    ],
)
def test_a_failed_assertion_says_why_and_shows_the_findings(project, condition, shown):
    done = project.test(ASSERTED.format(condition=condition))
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            shown,
            "*- gatekeeper: writing -*",
            "BLOCK  1 failed, 1 passed",
            "FAIL post.words  required, gates/gate_writing.py:13",
            "   expected  >= 4 (warns beyond 5)",
            "   observed  3",
            "   try       write more",
        ]
    )
    assert "flows/run.py" not in done.stdout.str()


def test_the_summary_line_and_junit_say_why(project):
    done = project.test(
        ASSERTED.format(condition='result.verdict.decision == "proceed"'), "--junitxml=junit.xml"
    )
    done.stdout.fnmatch_lines(
        [
            "FAILED test_it.py::test_it - AssertionError: assert 'block' == 'proceed': post.words failed: words 3 < 4*"
        ]
    )
    (failure,) = ET.parse(project.path / "junit.xml").iter("failure")
    assert "post.words failed: words 3 < 4" in failure.get("message")


def test_without_rewritten_assertions_the_findings_are_shown_too(project):
    done = project.test(ASSERTED.format(condition="result.ok"), "--assert=plain")
    done.stdout.fnmatch_lines(["*- gatekeeper: writing -*", "FAIL post.words  required*"])


def test_a_test_that_passes_shows_nothing(project):
    done = project.test(ASSERTED.format(condition="not result.ok"), "-rA")
    done.assert_outcomes(passed=1)
    assert "post.words" not in done.stdout.str()


def test_findings_of_every_flow_of_a_test_are_shown(project):
    done = project.test(
        """
        @pytest.fixture
        def first(gatekeeper):
            return gatekeeper.run(writing, {"topic": "otters"}, name="first", post=["words"])

        def test_it(gatekeeper, first):
            assert gatekeeper.run(writing, {"topic": "otters"}, name="second", post=["dark"])
        """
    )
    done.stdout.fnmatch_lines(
        [
            "*- gatekeeper: first -*",
            "BLOCK*",
            "FAIL post.words*",
            "*- gatekeeper: second -*",
            "HOLD*",
            "UNKNOWN post.dark*",
        ]
    )


def test_text_of_gates_and_flows_can_do_nothing_to_the_terminal(project):
    project.write(
        {
            "gates/gate_evil.py": """
                from gatekeeper import post

                @post
                def evil(ctx):
                    print("\\x1b[2J::error::gone")
                    ctx.check(False, "\\x1b]0;title\\x07]]>", hint="\\u202e")
                """
        }
    )
    done = project.test(
        """
        def test_it(gatekeeper):
            result = gatekeeper.run(writing, {"topic": "otters"}, name="\\x1b[31m@evil", post=["evil"])
            assert result.verdict.decision == "proceed"
        """,
        "--junitxml=junit.xml",
    )
    done.assert_outcomes(failed=1)
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", done.stdout.str())
    assert not re.search("^::error", done.stdout.str(), re.MULTILINE)
    ET.parse(project.path / "junit.xml")


# -- what is wrong -----------------------------------------------------------------------------------------------------


def test_what_is_wrong_with_what_was_asked_is_said_in_a_line_each(project):
    wrong = {
        'post=["txt"]': "no gate or gate file 'post.txt' in this phase. Did you mean 'post.text'?",
        'pre=["papre"]': "no gate or gate file 'pre.papre' in this phase. Did you mean 'pre.paper'?",
        'pots=["text"]': "gatekeeper.run: unexpected argument 'pots'. Did you mean 'post'?",
        'post="text"': "gatekeeper.run: post: expected [\"text\"], got 'text'",
        'budget={"duration": "2 parsecs"}': "unknown unit 'parsecs'",
        'settings={"gates.wrods.x": 1}': "Did you mean 'words'?",
        'profile="nope"': "no profile 'nope'",
        'config="nope.toml"': "nope.toml: no such configuration file",
    }
    done = project.test(
        f"""
        @pytest.mark.parametrize("asked", {[*wrong]})
        def test_it(gatekeeper, asked):
            gatekeeper.run(writing, {{"topic": "otters"}}, **eval(f"dict({{asked}})"))
        """,
        "--tb=short",
    )
    done.assert_outcomes(failed=len(wrong))
    lines = [line for line in done.outlines if line.startswith("E ")]
    assert len(lines) == len(wrong)
    for line, said in zip(lines, wrong.values(), strict=True):
        assert "gatekeeper.errors.UsageError: " in line
        assert said in line
    assert not (project.path / "ran").exists()


def test_what_is_wrong_with_the_project_is_said_with_its_place(project):
    project.write({"gatekeeper.toml": '[run]\ndedline = "2m"\n'})
    done = project.test("def test_it(gatekeeper): gatekeeper.run(writing)")
    done.stdout.fnmatch_lines(["E*UsageError: *gatekeeper.toml:2*dedline*Did you mean 'deadline'?"])


# -- what it costs others ----------------------------------------------------------------------------------------------


def test_a_session_that_does_not_use_it_loads_nothing_of_it(project):
    project.write(
        {
            "test_it.py": """
                import sys

                def test_it():
                    ours = {name for name in sys.modules if name.split(".")[0] == "gatekeeper"}
                    plugin = {f"gatekeeper.pytest_plugin{name}" for name in ("", ".asked", ".marked")}
                    assert ours <= {"gatekeeper", *plugin}
                    assert "msgspec" not in sys.modules
                """
        }
    )
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "args",
    [("-n", "2"), ("-p", "randomly"), ("--strict-markers", "-W", "error", "-p", "no:asyncio")],
    ids=" ".join,
)
def test_it_works_beside_other_plugins(project, args):
    text = """
        @pytest.mark.gatekeeper(post=["text"])
        @pytest.mark.parametrize("topic", ["otters", "beavers", "otters in rivers"])
        def test_it(gatekeeper, topic):
            result = gatekeeper.run(writing, {"topic": topic})
            assert result.verdict.decision == ("proceed" if topic != "beavers" else "block")
        """
    project.test(text, *args).assert_outcomes(passed=2, failed=1)


def test_assertions_are_explained_across_the_workers_of_xdist(project):
    done = project.test(ASSERTED.format(condition='result.verdict.decision == "proceed"'), "-n", "1")
    done.stdout.fnmatch_lines(
        ["E*assert 'block' == 'proceed': post.words failed*", "*- gatekeeper: writing -*", "FAIL*"]
    )
