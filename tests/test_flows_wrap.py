"""`gatekeeper.gated` and `gatekeeper.gate`: gates around functions and flow objects of every kind."""

import asyncio
import functools
import inspect
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import gatekeeper
from flowprojects import Place, saw
from gatekeeper import Blocked, UsageError


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith("GATEKEEPER_"):
            monkeypatch.delenv(name)
    return Place(tmp_path)


def last(place):
    return saw(place.records()[-1])


# -- functions -----------------------------------------------------------------------------------------------


def test_a_function_is_gated_with_its_arguments_and_what_it_returns(place):
    @gatekeeper.gated("joining")
    def join(left, right=3, *more, sep="-", **rest):
        """Join."""
        gatekeeper.current().record("parts", 2 + len(more))
        return sep.join(map(str, (left, right, *more)))

    assert join(1, 2, 5, sep="+", extra=None) == "1+2+5"
    seen = last(place)
    assert seen["inputs"] == {"left": 1, "right": 2, "more": [5], "sep": "+", "rest": {"extra": None}}
    assert seen["outputs"] == {"result": "1+2+5"}
    assert seen["series"]["parts"][2] == 3
    assert seen["flow"]["name"] == "joining"


def test_each_call_is_a_run_of_its_own(place):
    @gatekeeper.gated("doubling", subject="numbers")
    def double(n):
        return {"n": 2 * n} if n else None

    assert [double(n) for n in (1, 0)] == [{"n": 2}, None]
    assert [(saw(run)["inputs"], saw(run)["outputs"], run.subject.name) for run in place.records()] == [
        ({"n": 1}, {"n": 2}, "numbers"),
        ({"n": 0}, {}, "numbers"),
    ]


def test_methods_are_gated_without_self(place):
    class Writer:
        @gatekeeper.gated("writing")
        def write(self, topic):
            return [self, topic]

        @classmethod
        @gatekeeper.gated("making")
        def make(cls, topic="x"):
            return cls

        @staticmethod
        @gatekeeper.gated("counting")
        def count(words):
            return words

    writer = Writer()
    assert writer.write("gates") == [writer, "gates"]
    assert last(place)["inputs"] == {"topic": "gates"}
    assert Writer.make() is Writer
    assert last(place)["inputs"] == {"topic": "x"}
    assert Writer.count(3) == 3
    assert last(place)["inputs"] == {"words": 3}


def test_wrong_arguments_are_python_s_own_error_and_no_run(place):
    @gatekeeper.gated("joining")
    def join(left, right):
        pytest.fail("it ran")

    with pytest.raises(TypeError, match=r"join\(\): missing a required argument: 'right'"):
        join(1)
    assert place.records() == []


def test_what_a_blocked_function_came_to_is_not_lost(place):
    place.switch("bad")

    @gatekeeper.gated("writing")
    def write():
        return {"text": "long work"}

    with pytest.raises(Blocked) as caught:
        write()
    assert caught.value.outputs == {"text": "long work"}
    returning = gatekeeper.gated("writing", on_block="return")(write.__wrapped__)
    assert returning() == {"text": "long work"}


def test_a_function_that_raises_is_judged_and_its_exception_is_its_own(place):
    error = OSError("disk")

    @gatekeeper.gated("writing")
    def write():
        raise error

    with pytest.raises(OSError, match="disk") as caught:
        write()
    assert caught.value is error
    assert place.records()[0].verdict.decision == "block"


def test_what_it_wraps_can_still_be_told():
    def join(left: int, right: int = 3) -> str:
        """Join two."""
        return ""

    gated = gatekeeper.gated("joining")(join)
    assert (gated.__name__, gated.__doc__, gated.__module__) == ("join", "Join two.", __name__)
    assert inspect.signature(gated) == inspect.signature(join)
    assert gated.__wrapped__ is join

    async def a():
        yield 1

    async def b(): ...

    def c():
        yield 1

    gate = gatekeeper.gated("x")
    assert inspect.isasyncgenfunction(gate(a))
    assert inspect.iscoroutinefunction(gate(b))
    assert inspect.isgeneratorfunction(gate(c))


@pytest.mark.parametrize(
    "wrong", [int, type("C", (), {}), 3, None, staticmethod(len), classmethod(len), {}.pop]
)
def test_what_is_no_function_is_refused_at_once(wrong):
    with pytest.raises(UsageError, match="gated"):
        gatekeeper.gated("writing")(wrong)


def test_a_decorator_without_a_name_says_how_it_is_written():
    with pytest.raises(UsageError, match=r'@gatekeeper.gated\("writing"\)'):

        @gatekeeper.gated
        def write(): ...


def test_wrong_options_are_said_where_the_decorator_stands():
    with pytest.raises(UsageError, match="on_block: expected"):
        gatekeeper.gated("writing", on_block="proceed")
    with pytest.raises(TypeError, match="unexpected keyword argument 'inputs'"):
        gatekeeper.gated("writing", inputs={})


def test_a_function_that_returns_what_has_not_run_yet_is_refused(place):
    async def later(): ...

    def lazy():
        yield 1

    loop = asyncio.new_event_loop()
    for what in (later, lazy, loop.create_future):
        with pytest.raises(UsageError, match=r"returned a .*, which has not run yet"):
            gatekeeper.gated("writing")(lambda what=what: what())()
    loop.close()
    assert {run.verdict.decision for run in place.records()} == {"block"}


def test_partial_functions_and_callable_objects_are_gated(place):
    class Adder:
        def __call__(self, a, b):
            return a + b

    assert gatekeeper.gated("adding")(functools.partial(Adder(), 1))(b=2) == 3
    assert last(place)["inputs"] == {"b": 2}


# -- asynchronous functions ----------------------------------------------------------------------------------


def test_an_asynchronous_function_is_gated(place):
    @gatekeeper.gated("fetching")
    async def fetch(n):
        await asyncio.sleep(0)
        gatekeeper.current().record("n", n)
        return [n]

    async def main():
        return await asyncio.gather(fetch(1), fetch(2))

    assert asyncio.run(main()) == [[1], [2]]
    assert sorted(saw(run)["series"]["n"][2] for run in place.records()) == [1, 2]


def test_an_asynchronous_pipeline_of_tasks_records_into_its_flow(place):
    @gatekeeper.gated("pipeline")
    async def pipeline(numbers):
        queue = asyncio.Queue()
        done = []

        async def work():
            while (n := await queue.get()) is not None:
                with gatekeeper.current().step("work"):
                    await asyncio.sleep(0)
                    done.append(n * n)
                gatekeeper.current().ok("numbers")

        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(work())
            for n in (*numbers, None, None, None):
                await queue.put(n)
        return sorted(done)

    assert asyncio.run(pipeline(range(10))) == [n * n for n in range(10)]
    seen = last(place)
    assert seen["events"] == {"steps": [10, {}], "numbers": [10, {}]}
    assert seen["inputs"] == {"numbers": [*range(10)]}


# -- generators ----------------------------------------------------------------------------------------------


def test_a_generator_is_gated_from_its_first_item_to_its_end(place):
    @gatekeeper.gated("counting")
    def count(to):
        for n in range(to):
            gatekeeper.current().record("n", n)
            yield n
        return "end"

    items = count(5)
    assert place.records() == []
    assert next(items) == 0
    gatekeeper.current().record("n", 100)  # the consumer is not in the flow
    rest = []
    with pytest.raises(StopIteration) as stop:  # noqa: PT012 - it raises at its end
        while True:
            rest.append(next(items))
    assert (rest, stop.value.value) == ([1, 2, 3, 4], "end")
    seen = last(place)
    assert (seen["outputs"], seen["series"]["n"], seen["inputs"]) == ({"items": 5}, [5, "", 10.0], {"to": 5})


def test_values_and_exceptions_are_passed_into_a_gated_generator(place):
    @gatekeeper.gated("echoing")
    def echo():
        got = []
        while True:
            try:
                got.append((yield got[-1:]))
            except KeyError as error:
                got.append(error.args[0])
            if got[-1] == "stop":
                return got

    items = echo()
    assert next(items) == []
    assert items.send(1) == [1]
    assert items.throw(KeyError("k")) == ["k"]
    with pytest.raises(StopIteration) as stop:
        items.send("stop")
    assert stop.value.value == [1, "k", "stop"]
    assert last(place)["outputs"] == {"items": 3}


def test_a_generator_that_is_left_early_has_not_come_to_its_end(place):
    closed = []

    @gatekeeper.gated("counting")
    def count():
        try:
            yield from range(100)
        finally:
            closed.append(1)

    items = count()
    assert [next(items), next(items)] == [0, 1]
    items.close()
    assert closed == [1]
    (record,) = place.records()
    assert record.verdict.decision == "block"
    assert (saw(record)["outputs"], saw(record)["flow"]["error"]) == ({"items": 2}, "GeneratorExit")


def test_a_generator_that_raises_is_judged(place):
    @gatekeeper.gated("counting")
    def count():
        yield 1
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        [*count()]
    assert last(place)["flow"]["error"] == "OSError"


def test_a_blocked_generator_yields_nothing_or_raises_at_its_end(place):
    place.switch("bad")

    @gatekeeper.gated("counting")
    def count():
        yield 1

    items = count()
    assert next(items) == 1
    with pytest.raises(Blocked) as caught:
        next(items)
    assert caught.value.outputs == {"items": 1}
    place.switch("off")
    with pytest.raises(Blocked):
        next(count())


def test_an_asynchronous_generator_is_gated(place):
    @gatekeeper.gated("streaming")
    async def stream(to):
        for n in range(to):
            await asyncio.sleep(0)
            gatekeeper.current().record("n", n)
            yield n

    async def main():
        found = []
        async for n in stream(4):
            gatekeeper.current().record("n", 100)
            found.append(n)
        return found

    assert asyncio.run(main()) == [0, 1, 2, 3]
    seen = last(place)
    assert (seen["outputs"], seen["series"]["n"], seen["flow"]["error"]) == ({"items": 4}, [4, "", 6.0], None)


def test_values_and_exceptions_are_passed_into_an_asynchronous_generator(place):
    @gatekeeper.gated("echoing")
    async def echo():
        got = []
        while got[-1:] != ["stop"]:
            try:
                got.append((yield got[-1:]))
            except KeyError as error:
                got.append(error.args[0])

    async def main():
        items = echo()
        found = [await items.asend(None), await items.asend(1), await items.athrow(KeyError("k"))]
        with pytest.raises(StopAsyncIteration):
            await items.asend("stop")
        return found

    assert asyncio.run(main()) == [[], [1], ["k"]]
    assert last(place)["outputs"] == {"items": 3}


def test_an_asynchronous_generator_that_is_left_early_or_raises_is_judged(place):
    closed = []

    @gatekeeper.gated("streaming")
    async def stream(fail):
        try:
            yield 1
            if fail:
                raise OSError("disk")
            yield 2
        finally:
            closed.append(fail)

    async def main():
        items = stream(False)
        assert await anext(items) == 1
        await items.aclose()
        with pytest.raises(OSError, match="disk"):
            async for _ in stream(True):
                pass

    asyncio.run(main())
    assert closed == [False, True]
    assert [saw(run)["flow"]["error"] for run in place.records()] == ["GeneratorExit", "OSError"]


# -- objects -------------------------------------------------------------------------------------------------


class Kickoff:
    def kickoff(self, inputs=None):
        return ["kickoff", inputs]

    def invoke(self, inputs):
        pytest.fail("the wrong one")

    __call__ = run = invoke


class Invoke:
    def invoke(self, state, config=None):
        return {**state, "n": state["n"] + 1}

    run = Kickoff.invoke


class Run:
    def run(self, data=None):
        return data


class Call:
    def __call__(self, a=1, b=2):
        return a + b


def plain(a, b=2):
    return a + b


@pytest.mark.parametrize(
    ("flow", "inputs", "outputs", "name"),
    [
        (Kickoff(), {"topic": "x"}, ["kickoff", {"topic": "x"}], "Kickoff"),
        (Kickoff(), None, ["kickoff", None], "Kickoff"),
        (Invoke(), {"n": 1}, {"n": 2}, "Invoke"),
        (Run(), [1, 2], [1, 2], "Run"),
        (Call(), None, 3, "Call"),
        (Call(), {"b": 5}, 6, "Call"),
        (plain, {"a": 1}, 3, "plain"),
        (plain, 7, 9, "plain"),
        (functools.partial(plain, b=1), {"a": 1}, 2, "plain"),
        (lambda: 4, None, 4, "<lambda>"),
    ],
)
def test_a_flow_object_is_run_by_the_way_that_it_has(place, flow, inputs, outputs, name):
    run = gatekeeper.gate(flow, inputs)
    assert run.outputs == outputs
    assert run.verdict.decision == "proceed"
    assert run.run.subject.name == name
    assert saw(run.run)["inputs"] == (
        {} if inputs is None else inputs if isinstance(inputs, dict) else {"input": inputs}
    )


def test_a_flow_object_may_have_another_name_and_options(place):
    place.switch("bad")
    run = gatekeeper.gate(Run(), {"a": Path("x.json")}, name="mine", subject="theirs", on_block="return")
    assert (run.name, run.run.subject.name, run.verdict.decision) == ("mine", "theirs", "block")


class AsyncKickoff:
    async def kickoff(self, inputs=None): ...


class AsyncCall:
    async def __call__(self): ...


async def asynchronous(): ...


def generator():
    yield


@pytest.mark.parametrize(
    "flow", [AsyncKickoff(), AsyncCall(), asynchronous, generator, functools.partial(asynchronous)]
)
def test_what_runs_later_is_refused_before_any_gate_runs(place, flow):
    with pytest.raises(UsageError, match=r"async with gatekeeper.flow"):
        gatekeeper.gate(flow)
    assert place.records() == []


def test_what_can_t_be_run_is_refused(place):
    with pytest.raises(UsageError, match=r"Kickoff is a class; give an instance: Kickoff\(…\)"):
        gatekeeper.gate(Kickoff)
    with pytest.raises(UsageError, match="int has no kickoff, invoke, run and can't be called"):
        gatekeeper.gate(3)
    assert place.records() == []


# -- types ---------------------------------------------------------------------------------------------------

TYPED = """
    from collections.abc import AsyncIterator, Iterator
    from typing import assert_type

    import gatekeeper

    @gatekeeper.gated("joining", on_block="return", settings={"run.deadline": "2m"})
    def join(left: int, right: str = "") -> list[str]:
        gatekeeper.current().record("tokens", 3, unit="B", model="small")
        return [right] * left

    @gatekeeper.gated("fetching")
    async def fetch(n: int) -> int:
        return n

    @gatekeeper.gated("counting")
    def count(to: int) -> Iterator[int]:
        yield from range(to)

    @gatekeeper.gated("streaming")
    async def stream(to: int) -> AsyncIterator[int]:
        yield to

    class Writer:
        @gatekeeper.gated("writing")
        def write(self, topic: str) -> bytes:
            return topic.encode()

    async def main() -> None:
        assert_type(join(1, right="a"), list[str])
        assert_type(await fetch(1), int)
        assert_type([n for n in count(3)], list[int])
        assert_type([n async for n in stream(3)], list[int])
        assert_type(Writer().write("x"), bytes)
        async with gatekeeper.flow("a", inputs={"n": 1}, phases=("pre",), history=False) as run:
            assert_type(run, gatekeeper.FlowRun)
            with run.step("draft"):
                run.ok("calls")
        try:
            assert_type(gatekeeper.gate(join, {"left": 1}, name="x").verdict, gatekeeper.Verdict)
        except gatekeeper.Blocked as blocked:
            assert_type(blocked.run, gatekeeper.Run)
"""

MISTAKES = [
    "join('1')",
    "join(1, wrong=2)",
    "gatekeeper.flow('a', on_hold='go')",
    "gatekeeper.flow('a', onhold='raise')",
    "gatekeeper.gated('a', inputs={})",
    "gatekeeper.gated('a', phases=['before'])(print)",
    "Writer().write(1)",
    "gatekeeper.current().record('x', '1')",
    "gatekeeper.current().record('x', 1, model=3)",
    "gatekeeper.current().outputs",
    "gatekeeper.gate(join, settings=3)",
]


def test_a_type_checker_accepts_good_flows_and_finds_each_planted_mistake(tmp_path):
    good = dedent(TYPED)
    files = {"good.py": good} | {f"bad{n}.py": f"{good}\n{mistake}\n" for n, mistake in enumerate(MISTAKES)}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), *files],
        cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    wrong = {line.partition(":")[0] for line in done.stdout.splitlines() if ": error:" in line}
    assert wrong == {name for name in files if name.startswith("bad")}, done.stdout
