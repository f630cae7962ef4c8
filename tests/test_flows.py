"""`gatekeeper.flow`: gates around a block of Python, whatever becomes of it."""

import asyncio
import contextlib
import gc
import logging
import os
import pickle
import sys
import threading
import traceback
from pathlib import Path

import pytest

import gatekeeper
from flowprojects import Place, saw
from gatekeeper import Blocked, GatekeeperError, Held, UsageError
from gatekeeper.flows import run as running


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith("GATEKEEPER_"):
            monkeypatch.delenv(name)
    return Place(tmp_path)


# -- the verdict ---------------------------------------------------------------------------------------------


def test_gates_run_before_and_after_and_make_one_record(place):
    with gatekeeper.flow("writing", inputs={"topic": "gates"}) as run:
        assert {result.phase for result in run.run.results} == {"pre"}
        assert run.verdict.decision == "proceed"
        run.outputs = {"text": "a gate is …", "files": [Path("a")]}
    assert run.verdict.decision == "proceed"
    (record,) = place.records()
    assert record == run.run
    assert (record.header.phase, record.subject.name, record.header.partial) == ("exec", "writing", False)
    assert {"pre.start", "post.seen", "post.flow"} <= {
        result.id for result in record.results if result.status == "pass"
    }
    seen = saw(record)
    assert seen["inputs"] == {"topic": "gates"}
    assert seen["outputs"] == {"text": "a gate is …", "files": ["a"]}
    assert (seen["flow"]["kind"], seen["flow"]["name"], seen["flow"]["error"]) == ("python", "writing", None)


def test_a_block_before_the_flow_does_not_let_it_start(place):
    place.switch("off")
    with pytest.raises(Blocked) as caught, gatekeeper.flow("writing"):
        pytest.fail("it started")
    blocked = caught.value
    assert type(blocked) is Blocked
    assert (blocked.started, blocked.outputs, blocked.verdict.decision) == (False, None, "block")
    assert blocked.run.result("post.seen").status == "skip"
    assert "did not start" in blocked.run.result("post.seen").reason
    assert place.records() == [blocked.run]


def test_the_message_of_a_block_has_what_the_person_on_call_needs(place):
    place.switch("off")
    with pytest.raises(Blocked) as caught, gatekeeper.flow("writing\x1b[31m"):
        pass
    run = caught.value.run.id
    assert str(caught.value) == (
        "writing\\x1b[31m: BLOCK before the flow, which did not start\n"
        "  pre.start failed: it is switched off\n"
        "     try  rm off\n"
        f"  all of it: gatekeeper report term {run}"
    )
    assert "gatekeeper.Blocked: writing" in "".join(traceback.format_exception(caught.value))


def test_a_hold_before_the_flow_does_not_let_it_start_unless_the_caller_says_so(place):
    place.switch("doubt")
    with pytest.raises(Held) as caught, gatekeeper.flow("writing"):
        pytest.fail("it started")
    assert caught.value.verdict.decision == "hold"
    with gatekeeper.flow("writing", on_hold="proceed") as run:
        run.outputs = 1
    assert run.verdict.decision == "hold"
    assert saw(run.run)["outputs"] == {"result": 1}


def test_a_block_after_the_flow_is_raised_with_what_the_flow_came_to(place):
    place.switch("bad")
    outputs = {"text": object()}
    with pytest.raises(Blocked) as caught, gatekeeper.flow("writing") as run:
        run.outputs = outputs
    assert caught.value.outputs is outputs
    assert caught.value.started
    assert caught.value.verdict == run.verdict
    assert run.verdict.decision == "block"
    assert str(caught.value).startswith(
        "writing: BLOCK after the flow\n  post.seen failed: the result is bad\n"
    )
    assert place.records() == [run.run]


def test_a_block_after_the_flow_may_be_returned_instead(place):
    place.switch("bad")
    with gatekeeper.flow("writing", on_block="return") as run:
        run.outputs = 1
    assert (run.verdict.decision, run.outputs) == ("block", 1)


def test_a_hold_after_the_flow_is_raised_unless_the_caller_says_so(place):
    place.switch("late-doubt")
    with pytest.raises(Held) as caught, gatekeeper.flow("writing", on_block="return") as run:
        run.outputs = 1
    assert (caught.value.outputs, caught.value.started) == (1, True)
    with gatekeeper.flow("writing", on_hold="proceed") as run:
        pass
    assert run.verdict.decision == "hold"


def test_on_hold_does_not_let_a_block_through(place):
    place.switch("off")
    with pytest.raises(Blocked), gatekeeper.flow("writing", on_hold="proceed", on_block="return"):
        pytest.fail("it started")


def test_where_no_gate_ran_nothing_was_cleared(place):
    place.write(
        {
            "gates/gate_flow.py": "from gatekeeper import post\n\n@post\ndef nothing(ctx):\n    ctx.skip('not here')\n"
        }
    )
    with (
        pytest.raises(Blocked, match="NONE after the flow") as caught,
        gatekeeper.flow("writing", gates="post.nothing") as run,
    ):
        run.outputs = 1
    assert caught.value.verdict.exit_code == 5
    assert run.run.header.partial


@pytest.mark.parametrize(
    ("phases", "there"), [(["pre"], {"pre"}), ("post", {"post"}), (("post", "pre"), {"pre", "post"})]
)
def test_only_one_phase_may_take_part(place, phases, there):
    place.switch(*({"off"} if "pre" not in there else ()))
    with gatekeeper.flow("writing", phases=phases) as run:
        pass
    assert {result.phase for result in run.run.results} == there


# -- the flow's own exception --------------------------------------------------------------------------------


class Odd(BaseException):
    def __str__(self):
        raise RuntimeError("no text")


ERRORS = [
    ValueError("no such topic"), KeyboardInterrupt(), SystemExit(0), SystemExit("out"), GeneratorExit(), asyncio.CancelledError(),
    ExceptionGroup("both", [ValueError(), OSError()]), StopIteration(3), Odd(), AssertionError("x" * 100_000),
]  # fmt: skip


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_exception_of_the_flow_reaches_the_caller_unchanged_after_its_post_gates(place, error):
    with pytest.raises(type(error)) as caught, gatekeeper.flow("writing") as run:  # noqa: PT012 - it raises at its end
        run.outputs = "half"
        raise error
    assert caught.value is error
    assert (error.__cause__, error.__context__, getattr(error, "__notes__", None)) == (None, None, None)
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)] == [
        "test_an_exception_of_the_flow_reaches_the_caller_unchanged_after_its_post_gates"
    ]
    (record,) = place.records()
    assert record == run.run
    assert record.verdict.decision == "block"
    assert record.result("post.flow").findings[0].observed == type(error).__name__
    assert saw(record)["outputs"] == {"result": "half"}
    assert len(record.result("post.flow").reason) < 5_000


def test_an_exception_of_the_flow_comes_before_a_block(place):
    place.switch("bad", "late-doubt")
    with pytest.raises(ValueError, match="mine"), gatekeeper.flow("writing"):
        raise ValueError("mine")


# -- what is measured and told -------------------------------------------------------------------------------


def test_duration_processor_time_and_memory_are_measured(place):
    with gatekeeper.flow("writing", settings={"gates.performance.budgets.duration": {"fail": "1h"}}) as run:
        sum(range(1_000_000))
        held = b"x" * 30_000_000
        threading.Event().wait(0.2)
    series = saw(run.run)["series"]
    assert series["duration"][:2] == [1, "s"]
    assert series["duration"][2] >= 0.2
    assert series["cpu"][1] == "s"
    assert series["peak_memory"][1] == "B"
    assert series["peak_memory"][2] > len(held)
    assert run.run.result("post.performance").status == "pass"


def test_what_the_flow_records_is_judged(place):
    budgets = {'gates.performance.budgets."tokens.sum"': {"fail": 1000}, "gates.errors.rate.fail": "10%"}
    with pytest.raises(Blocked) as caught, gatekeeper.flow("writing", settings=budgets) as run:  # noqa: PT012 - it raises at its end
        for number in range(3):
            with run.step("draft"):
                run.record("tokens", 400 + number, model="small")
        run.ok("calls", 8)
        run.error("timeout", "no answer", of="calls")
    seen = saw(run.run)
    assert seen["series"]['tokens{model="small"}'] == [3, "", 1203.0]
    assert seen["series"]["step.draft"][:2] == [3, "s"]
    assert seen["events"] == {"steps": [3, {}], "calls": [9, {"timeout": 1}]}
    assert seen["notes"] == ["calls: timeout: no answer"]
    assert {reason.gate for reason in caught.value.verdict.reasons} == {"post.performance", "post.errors"}


def test_of_a_quantity_that_the_flow_records_itself_its_own_is_used(place):
    with gatekeeper.flow("writing") as run:
        run.record("duration", 5, unit="ms")
        run.record("peak_memory", 1, unit="MB")
    seen = saw(run.run)
    assert seen["series"]["duration"] == [1, "s", 0.005]
    assert seen["series"]["peak_memory"] == [1, "B", 1e6]
    assert any(note.startswith("duration: the flow's own") for note in seen["notes"])


def test_code_within_the_flow_records_without_being_handed_the_run(place):
    def deep():
        gatekeeper.current().record("tokens", 5)

    with gatekeeper.flow("outer") as outer:
        deep()
        with gatekeeper.flow("inner") as inner:
            deep()
            deep()
        deep()
    deep()
    assert saw(outer.run)["series"]["tokens"][0] == 2
    assert saw(inner.run)["series"]["tokens"][0] == 2


def test_inputs_and_outputs_that_are_files_are_found_wherever_the_flow_goes(place, tmp_path):
    place.write({"orders.json": "[1, 2]", "work/done.json": "[1]"})
    with gatekeeper.flow(
        "writing", inputs={"orders": Path("orders.json")}, formats="json=out/run.json", report_dir="reports"
    ) as run:
        os.chdir("work")
        run.outputs = {"done": Path("done.json")}
    assert saw(run.run)["inputs"] == {"orders": [1, 2]}
    assert saw(run.run)["outputs"] == {"done": [1]}
    assert (tmp_path / "out/run.json").is_file()
    assert {"junit.xml", "report.json"} <= {path.name for path in (tmp_path / "reports").iterdir()}


def test_a_flow_whose_folder_is_gone_is_judged_all_the_same(place, tmp_path):
    (tmp_path / "gone").mkdir()
    with pytest.raises(Held, match="the output 'file' is not there"), gatekeeper.flow("writing") as run:  # noqa: PT012 - it raises at its end
        os.chdir("gone")
        (tmp_path / "gone").rmdir()
        run.outputs = {"file": Path("a.json")}
    os.chdir(tmp_path)
    assert place.records() == [run.run]


def test_what_the_flow_does_to_its_environment_does_not_reach_the_gates(place, monkeypatch):
    with gatekeeper.flow("writing") as run:
        monkeypatch.setenv("GATEKEEPER_GATES__SEEN__ENABLED", "false")
        monkeypatch.setenv("PATH", "")
        monkeypatch.setenv("PYTHONHOME", "/nowhere")
    assert run.verdict.decision == "proceed"


def test_a_very_large_result_is_the_callers_and_gates_are_told_why_they_don_t_see_it(place):
    with (
        pytest.raises(
            Held, match="the output 'result' is not there: it has more than 16,000,000 characters"
        ) as caught,
        gatekeeper.flow("writing") as run,
    ):
        run.outputs = ["x" * 1_000] * 100_000
    assert len(caught.value.outputs) == 100_000


def test_a_result_of_many_megabytes_reaches_the_gates(place):
    place.write(
        {
            "gates/gate_flow.py": "from gatekeeper import post\n\n@post\ndef size(ctx):\n    ctx.measure('n', len(ctx.outputs['result']), fail=9_000_000)\n"
        }
    )
    with gatekeeper.flow("writing", gates=["post.size"]) as run:
        run.outputs = "x" * 9_000_000
    assert run.run.result("post.size").findings[0].observed == 9_000_000


def test_a_million_samples_are_judged(place):
    with gatekeeper.flow("writing", settings={'gates.performance.budgets."x.max"': {"fail": 1e6}}) as run:
        for number in range(1_000_000):
            run.record("x", number)
    assert saw(run.run)["series"]["x"] == [1_000_000, "", 499_999_500_000.0]
    assert run.run.result("post.performance").findings[0].observed == 999_999


# -- options -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"on_hold": "procede"},
            r"on_hold: expected 'raise' or 'proceed', got 'procede'. Did you mean 'proceed'\?",
        ),
        ({"on_hold": None}, "on_hold: expected 'raise' or 'proceed', got None"),
        ({"on_block": "proceed"}, "on_block: expected 'raise' or 'return'"),
        ({"phases": ["before"]}, "phases: expected 'pre' or 'post', got 'before'"),
        ({"formats": ["junit"]}, "formats: 'junit' needs a path, since stdout is the flow's: junit=PATH"),
        ({"formats": "junit=-"}, "needs a path"),
        ({"settings": {"gates..x": 1}}, r"settings\['gates..x'\]: a part of the key is empty"),
        ({"settings": {'gates."x': 1}}, r"""settings\['gates."x'\]: """),
        ({"settings": {"gates.x": object()}}, r"settings\['gates.x'\]: .*unsupported"),
        ({"settings": {3: 1}}, r"settings\[3\]: expected a key such as"),
    ],
)
def test_a_wrong_option_is_said_at_the_call(options, message):
    with pytest.raises(UsageError, match=message):
        gatekeeper.flow("writing", **options)


def test_every_option_and_limit_is_documented():
    from gatekeeper.flows import Options, recorder, values

    page = (Path(__file__).parents[1] / "docs/howto/gate-a-flow.md").read_text("utf-8")
    table = page.partition("## Options")[2]
    assert [name for name in Options.__annotations__ if f"`{name}`" not in table] == []
    assert f"{values.LARGEST // 1_000_000} million characters" in page
    assert f"{recorder.KEPT:,} values are kept" in page
    assert f"At most {recorder.MOST} series" in page


def test_a_misspelt_option_is_a_type_error_with_the_nearest():
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'on_holds'. Did you mean 'on_hold'\?"):
        gatekeeper.flow("writing", on_holds="raise")


@pytest.mark.parametrize("name", ["", " ", None, 3])
def test_a_flow_has_a_name(name):
    with pytest.raises(UsageError, match="a flow has a name"):
        gatekeeper.flow(name)


def test_a_name_that_would_be_read_as_an_artifact_needs_a_subject(place):
    with pytest.raises(UsageError, match="no @"):
        gatekeeper.flow("mail@night")
    with gatekeeper.flow("mail@night", subject="mail") as run:
        pass
    assert run.run.subject.name == "mail"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"gates": ["pre.strat"]},
            "no gate or gate file 'pre.strat' in this phase. Did you mean 'pre.start'",
        ),
        ({"settings": {"gates.errors.rat": "5%"}}, r"settings\['gates.errors.rat'\].*Did you mean"),
        ({"settings": {"run.deadline": "soon"}}, r"settings\['run.deadline'\]"),
        ({"formats": "jnit=x"}, "unknown format 'jnit'. Did you mean 'junit'"),
        ({"config": "no.toml"}, "no.toml"),
        ({"profile": "none"}, "no profile 'none'"),
        ({"subject": "x@sha256:1"}, "64 hexadecimal digits"),
    ],
)
def test_what_the_project_does_not_know_is_a_usage_error_before_anything_runs(place, options, message):
    with pytest.raises(UsageError, match=message), gatekeeper.flow("writing", **options):
        pytest.fail("it started")
    assert place.records() == []


def test_project_config_and_profile_are_found_from_elsewhere(place, tmp_path, monkeypatch):
    place.write({"other.toml": "[profiles.ci.gates.start]\nenabled = false\n", "sub/x": ""})
    monkeypatch.chdir("/")
    with gatekeeper.flow(
        "writing", project=tmp_path / "sub", config=tmp_path / "other.toml", profile="ci", gates="post.seen"
    ) as run:
        pass
    assert run.run.header.profile == "ci"
    assert place.records() == [run.run]


def test_without_history_nothing_is_recorded(place, tmp_path):
    with gatekeeper.flow("writing", history=False) as run:
        pass
    assert run.verdict.decision == "proceed"
    assert not (tmp_path / ".gatekeeper").exists()


def test_a_report_that_can_t_be_written_is_said_and_costs_the_flow_nothing(place, caplog):
    with (
        caplog.at_level(logging.WARNING, "gatekeeper"),
        gatekeeper.flow("writing", formats="json=/proc/no/run.json") as run,
    ):
        run.outputs = 1
    assert run.verdict.decision == "proceed"
    assert "report json could not be written to /proc/no/run.json" in run.problems[0]
    assert run.problems[0] in caplog.text


# -- printing and passing on ---------------------------------------------------------------------------------


def test_a_run_and_its_verdict_are_good_to_read(place, capsys):
    flow = gatekeeper.flow("writing")
    print(flow, repr(flow))
    with pytest.raises(GatekeeperError, match="writing: no gate has run yet"):
        flow.verdict  # noqa: B018
    place.switch("bad")
    with pytest.raises(ValueError, match="mine"), flow:
        raise ValueError("mine\n\x1b[31m")
    print(flow)
    print(repr(flow))
    assert capsys.readouterr().out == (
        "writing: no gate has run yet <flow 'writing': no gate has run yet>\n"
        "writing: BLOCK   post.flow fail: `writing` raised ValueError: mine \\x1b[31m\n"
        "        post.seen fail: the result is bad\n"
        "<flow 'writing': block>\n"
    )


def test_a_verdict_that_proceeds_says_so_in_a_word(place):
    with gatekeeper.flow("writing") as run:
        pass
    assert str(run.verdict) == "PROCEED"


def test_blocked_can_be_passed_between_processes(place):
    place.switch("bad")
    with pytest.raises(Blocked) as caught, gatekeeper.flow("writing") as run:
        run.outputs = {"n": 1}
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.outputs, again.verdict, again.started) == (
        str(caught.value),
        {"n": 1},
        run.verdict,
        True,
    )


def test_a_flow_runs_once(place):
    flow = gatekeeper.flow("writing")
    with flow:
        pass
    with pytest.raises(GatekeeperError, match="a flow runs once between its gates"), flow:
        pytest.fail("it started")
    assert flow.verdict.decision == "proceed"


# -- many at once --------------------------------------------------------------------------------------------


def test_flows_in_threads_don_t_mix(place):
    found = {}

    def work(number):
        with gatekeeper.flow(f"flow {number}") as run:
            for _ in range(number):
                gatekeeper.current().record("x", number)
            run.outputs = number
        found[number] = run

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: saw(run.run)["series"]["x"][0] for number, run in found.items()} == {
        n: n for n in range(1, 5)
    }
    assert len(place.records()) == 4


def test_flows_in_tasks_don_t_mix_and_the_loop_goes_on(place):
    """The pre gates of both wait for a file that only another task makes."""
    place.switch("pre.wait")

    async def work(number):
        async with gatekeeper.flow(f"flow {number}") as run:
            for _ in range(number):
                await asyncio.sleep(0)
                gatekeeper.current().record("x", number)
        return run

    async def let_go():
        while not Path("pre.waits").exists():
            await asyncio.sleep(0.01)
        Path("pre.go").touch()

    async def main():
        return (await asyncio.gather(work(1), work(2), let_go()))[:2]

    runs = asyncio.run(main())
    assert [saw(run.run)["series"]["x"][0] for run in runs] == [1, 2]


def test_a_cancelled_task_is_judged_and_recorded(place):
    async def main():
        started = asyncio.Event()

        async def work():
            async with gatekeeper.flow("writing"):
                started.set()
                await asyncio.sleep(100)

        task = asyncio.create_task(work())
        await started.wait()
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert caught.value.args == ("enough",)

    asyncio.run(main())
    (record,) = place.records()
    assert record.result("post.flow").findings[0].observed == "CancelledError"


@pytest.mark.parametrize(("phase", "there"), [("pre", 0), ("post", 1)])
def test_a_task_that_is_cancelled_while_gates_run_ends_them(place, phase, there):
    place.switch(f"{phase}.wait")
    reached = []

    async def main():
        async def work():
            async with gatekeeper.flow("writing"):
                reached.append(1)

        task = asyncio.create_task(work())
        while not Path(f"{phase}.waits").exists():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert len(reached) == there
    (record,) = place.records(1)
    assert (record.verdict.decision, record.header.complete) == ("none", False)


def test_a_task_that_is_cancelled_just_when_it_may_start_does_not_start(place, monkeypatch):
    before = running.FlowRun._before

    async def main():
        loop = asyncio.get_running_loop()

        async def work():
            async with gatekeeper.flow("writing"):
                pytest.fail("it started")

        task = asyncio.create_task(work())

        def then_cancel(self):
            before(self)
            loop.call_soon_threadsafe(task.cancel)

        monkeypatch.setattr(running.FlowRun, "_before", then_cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (record,) = place.records()
    assert record.result("post.seen").reason == "the flow was cancelled before it started"


def test_a_coroutine_that_is_thrown_away_while_gates_run_ends_them(place):
    place.switch("pre.wait")

    async def work():
        async with gatekeeper.flow("writing"):
            pytest.fail("it started")

    async def main():
        coroutine = work()
        coroutine.send(None)
        while not Path("pre.waits").exists():
            await asyncio.sleep(0.01)
        coroutine.close()

    asyncio.run(main())
    (record,) = place.records()
    assert not record.header.complete


def test_a_coroutine_that_is_thrown_away_is_judged(place):
    async def work():
        async with gatekeeper.flow("writing"):
            await asyncio.sleep(100)

    async def main():
        coroutine = work()  # driven by hand: there is no task that could be cancelled
        gates = coroutine.send(None)
        await asyncio.wait([gates])
        coroutine.send(None)
        coroutine.close()

    asyncio.run(main())
    (record,) = place.records()
    assert record.result("post.flow").findings[0].observed == "GeneratorExit"


# -- the runner ----------------------------------------------------------------------------------------------


def test_a_host_that_can_t_start_python_says_so(place, monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with (
        pytest.raises(GatekeeperError, match="gates run in a Python process of their own"),
        gatekeeper.flow("writing"),
    ):
        pytest.fail("it started")


def test_a_runner_that_can_t_be_started_says_so(place, monkeypatch, tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with (
        pytest.raises(GatekeeperError, match=r"the runner of the gates can't be started: .*no-python"),
        gatekeeper.flow("writing"),
    ):
        pytest.fail("it started")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_runner_that_is_killed_before_the_verdict_never_lets_a_flow_pass(place):
    with pytest.raises(Blocked) as caught, gatekeeper.flow("writing") as run:  # noqa: PT012 - it raises at its end
        run.outputs = {"n": 1}
        run._runner._process.kill()
    assert caught.value.outputs == {"n": 1}
    assert (run.verdict.decision, run.verdict.exit_code) == ("none", 3)
    assert "the runner of the gates ended (exit code -9) without a verdict" in str(caught.value)


def test_a_runner_that_is_killed_does_not_hide_the_flows_own_exception(place, caplog):
    with pytest.raises(ValueError, match="mine") as caught, gatekeeper.flow("writing") as run:  # noqa: PT012 - it raises at its end
        run._runner._process.kill()
        raise ValueError("mine")
    assert caught.value.__context__ is None
    assert "without a verdict" in caplog.text


def test_a_runner_that_is_asked_to_stop_while_the_flow_runs_waits_for_its_end(place):
    import signal

    with gatekeeper.flow("writing") as run:
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(run._runner._process.pid, number)
    assert run.verdict.decision == "proceed"


def test_nothing_is_left_open_or_running(place):
    gc.collect()
    before = set(os.listdir("/proc/self/fd"))
    place.switch("bad")
    for options in ({}, {"gates": "no"}, {"phases": "pre"}):
        with contextlib.suppress(GatekeeperError), gatekeeper.flow("writing", **options):
            pass
    gc.collect()
    assert set(os.listdir("/proc/self/fd")) == before


def test_the_flow_module_is_light(place):
    code = (
        "import sys; from gatekeeper import flow, gated, current; flow('x'); gated('x'); current().record('x', 1);"
        "print([m for m in ('subprocess', 'asyncio', 'gatekeeper.app', 'pluggy', 'psutil', 'logging', 'random') if m in sys.modules])"
    )
    done = place.script(code)
    out, err = done.communicate(timeout=60)
    assert (out.strip(), err) == ("[]", "")


def test_the_begin_message_names_this_process(place):
    assert running.FlowRun("x", None, {})._begin().host == os.getpid()
