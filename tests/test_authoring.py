"""Writing gates: what decorators take, what type checkers catch, what `run_gate` gives to people's own tests."""

import subprocess
import sys
from textwrap import dedent

import msgspec
import pytest
from msgspec import Struct

from gatekeeper import Finding, UsageError, post, pre
from gatekeeper.testing import run_gate


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    most: int = 3


@pre(settings=Limits, tags=["t"], timeout="5s", retry_for=2, retries=1, requirement="advisory")
def counted(ctx, settings):
    """Not too many.

    More text.
    """
    ctx.measure("n", ctx.inputs["n"], fail=settings.most)


def test_a_gate_knows_what_its_author_declared():
    assert (counted.id, counted.title, counted.timeout, counted.retry_for) == (
        "pre.counted",
        "Not too many.",
        5.0,
        2.0,
    )
    assert counted.file == __file__
    assert counted.requirement == "advisory"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"needs": "x"}, 'write needs=["x"]'),
        ({"tags": "x"}, 'write tags=["x"]'),
        ({"timeout": "fast"}, "expected a duration"),
        ({"params": [1, "1"]}, "two params have the same text"),
    ],
)
def test_a_wrong_declaration_is_refused_where_it_stands(options, message):
    with pytest.raises((TypeError, ValueError), match=message.replace("[", r"\[").replace("]", r"\]")):
        pre(**options)(lambda ctx: None)


def test_only_post_gates_have_something_before_them():
    with pytest.raises(TypeError, match="only a post gate"):
        pre(before=lambda ctx: 1)(lambda ctx: None)


@pytest.mark.parametrize(
    ("given", "settings", "status"),
    [(3, None, "pass"), (4, None, "fail"), (4, {"most": 4}, "pass")],
)
def test_run_gate_evaluates_one_gate_with_settings_and_inputs(given, settings, status):
    assert run_gate(counted, settings, inputs={"n": given}).status == status


def test_run_gate_refuses_wrong_settings_with_the_nearest_key():
    with pytest.raises(UsageError, match="Did you mean 'most'"):
        run_gate(counted, {"msot": 1})


@post(before=lambda ctx: {"seen": 1})
def compared(ctx):
    assert ctx.before["post.compared"]["seen"] == 1
    ctx.check(True)


def test_run_gate_takes_the_before_and_gives_it_back():
    taken = run_gate(compared, take_before=True).saved
    assert taken == {"post.compared": {"seen": 1}}
    assert run_gate(compared, before=taken).status == "pass"
    assert run_gate(compared).status == "unknown"


RETURNS = {
    "a finding": lambda ctx: Finding("x", "warn"),
    "many": lambda ctx: iter([Finding("x", "pass"), Finding("y", "fail")]),
    "a list": lambda ctx: [Finding("x", "unknown")],
    "True": lambda ctx: True,
    "text": lambda ctx: "fine",
    "a number": lambda ctx: 0,
    "a dict": lambda ctx: {"ok": True},
    "a list of others": lambda ctx: [True],
    "an empty list": lambda ctx: [],
    "the check's own result": lambda ctx: ctx.check(True),
    "nothing": lambda ctx: None,
}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("a finding", "warn"), ("many", "fail"), ("a list", "unknown"), ("True", "error"), ("text", "error"),
        ("a number", "error"), ("a dict", "error"), ("a list of others", "error"), ("an empty list", "unknown"),
        ("the check's own result", "error"), ("nothing", "unknown"),
    ],
)  # fmt: skip
def test_only_findings_count_as_an_answer(kind, status):
    def gate(ctx):
        return RETURNS[kind](ctx)

    assert run_gate(pre(gate)).status == status


async def _findings(ctx):
    yield Finding("x", "fail")


@pytest.mark.parametrize(
    ("body", "status"),
    [("ctx.check(True)", "pass"), ("return True", "error"), ("yield __import__('gatekeeper').Finding('x', 'fail')", "fail"),
     ("yield 1", "error"), ("return", "unknown"), ("1 / 0", "error")],
)  # fmt: skip
def test_asynchronous_gates_are_held_to_the_same(body, status):
    space: dict = {}
    exec(f"async def gate(ctx):\n    {body}", space)
    assert run_gate(pre(space["gate"])).status == status


@pytest.mark.parametrize(
    "evidence", [{"self": None}, {"deep": 1}, {object(): object()}, {"nan": float("nan")}, {"b": b"\xff"}]
)
def test_any_evidence_becomes_bounded_strict_json(evidence):
    if "self" in evidence:
        evidence["self"] = evidence
    if "deep" in evidence:
        nested = evidence
        for _ in range(500):
            nested["deep"] = {"deep": 1}
            nested = nested["deep"]

    def gate(ctx):
        ctx.check(False, "\ud800 lone", evidence=evidence, observed=10**400)

    result = run_gate(pre(gate)).result
    assert len(msgspec.json.encode(result)) < 20_000


def test_more_findings_than_fit_never_drop_a_failure():
    def gate(ctx):
        for number in range(3_000):
            ctx.check(number != 2_500, name=str(number))

    result = run_gate(pre(gate)).result
    assert (result.status, len(result.findings)) == ("fail", 1_001)
    assert "2500" in [finding.name for finding in result.findings]
    assert result.findings[-1].observed == 2_000


@pytest.mark.parametrize(
    ("value", "limits", "status"),
    [(1, {"fail": 1}, "pass"), (1.1, {"fail": 1}, "fail"), (1.1, {"warn": 1, "fail": 2}, "warn"), (float("nan"), {"fail": 1}, "unknown"),
     (float("inf"), {"fail": 1}, "fail"), (1, {}, "pass"), (1, {"fail": 2, "worse": "lower"}, "fail"), (2, {"fail": 2, "worse": "lower"}, "pass")],
)  # fmt: skip
def test_a_limit_belongs_to_what_is_within_it(value, limits, status):
    def gate(ctx):
        ctx.measure("x", value, **limits)

    assert run_gate(pre(gate)).status == status


async def _never_awaited():
    return False


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda ctx: ctx.check(_never_awaited()), "always true; await it"),
        (lambda ctx: ctx.check(x for x in [False]), "always true; use all"),
        (lambda ctx: ctx.measure("x", 5, fail=float("nan")), "the limit fail is not a number"),
        (lambda ctx: ctx.add(Finding("x", "pass", evidence=[1])), "evidence is a mapping, not list"),
    ],
)
@pytest.mark.filterwarnings("ignore:coroutine")
def test_what_could_only_pass_is_an_error(call, words):
    def gate(ctx):
        call(ctx)

    result = run_gate(pre(gate))
    assert (result.status, words in result.reason) == ("error", True), result.reason


def test_an_infinite_value_within_a_limit_is_unknown():
    def gate(ctx):
        ctx.measure("x", float("-inf"), fail=5)

    assert run_gate(pre(gate)).status == "unknown"


def test_a_finding_that_is_recorded_and_returned_counts_once():
    def gate(ctx):
        return ctx.measure("x", 1, fail=5)

    assert len(run_gate(pre(gate)).result.findings) == 1


def test_a_skip_never_hides_a_failure():
    def gate(ctx):
        ctx.check(False, "broken")
        ctx.skip("not here")

    result = run_gate(pre(gate))
    assert (result.status, result.reason) == ("fail", "broken")


TYPED = """
    from msgspec import Struct
    from gatekeeper import Context, Finding, post, pre

    class Right(Struct):
        limit: int = 1

    class Wrong(Struct):
        other: int = 1

    @pre
    def good(ctx: Context) -> None:
        ctx.measure("x", 1.0, unit="s", fail=2)

    @post(settings=Right)
    def good_too(ctx: Context, settings: Right) -> Finding:
        return Finding("x", "pass", settings.limit)

    @pre
    async def also(ctx: Context) -> None:
        ctx.check(True)
"""

MISTAKES = [
    "@pre\ndef bad(ctx: Context) -> None:\n    ctx.chekc(True)\n",
    "@pre\ndef bad(ctx: Context) -> bool:\n    return True\n",
    "@post(settings=Right)\ndef bad(ctx: Context, settings: Wrong) -> None:\n    ctx.check(settings.other)\n",
    "@post(settings=Right)\ndef bad(ctx: Context) -> None:\n    ctx.check(True)\n",
    "@pre\ndef bad(ctx: Context) -> Finding:\n    return Finding('x', 'passed')\n",
    "@pre(need=['x'])\ndef bad(ctx: Context) -> None:\n    ctx.check(True)\n",
]


def test_a_type_checker_accepts_good_gates_and_finds_each_planted_mistake(tmp_path):
    good = dedent(TYPED)
    files = {"good.py": good} | {f"bad{n}.py": good + "\n" + mistake for n, mistake in enumerate(MISTAKES)}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), *files],
        cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    wrong = {line.partition(":")[0] for line in done.stdout.splitlines() if ": error:" in line}
    assert wrong == {name for name in files if name.startswith("bad")}, done.stdout
