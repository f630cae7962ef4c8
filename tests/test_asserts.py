"""Plain asserts in gate files: they count, they show what they compared, also under `python -O`."""

import pytest

from gatekeeper.asserts import asserting
from gatekeeper.context import Context
from gatekeeper.execute.evaluate import evaluate
from gatekeeper.plugins import load_file
from gatekeeper.rundata import RunData


@pytest.fixture
def run(tmp_path):
    """Evaluate a gate file's function `check()`."""

    def evaluated(body: str):
        path = tmp_path / "gate_asserts.py"
        path.write_text(
            "def check(values=(1, 2)):\n" + "".join(f"    {line}\n" for line in body.splitlines())
        )
        module = load_file(path)
        ctx = Context(RunData(root=str(tmp_path)))
        asserting.current = ctx
        try:
            return evaluate(module.check, ctx)
        finally:
            asserting.current = None

    return evaluated


@pytest.mark.parametrize(
    ("statement", "observed", "operator", "limit"),
    [
        ("assert len(values) == 3", 2, "==", 3),
        ("assert values[0] > 5", 1, ">", 5),
        ("assert 9 in values", 9, "in", [1, 2]),
        ("assert 1 not in values", 1, "not in", [1, 2]),
        ("assert values is None", [1, 2], "is", None),
        ("assert (n := len(values)) >= 7", 2, ">=", 7),
    ],
)
def test_a_failed_comparison_shows_both_sides(run, statement, observed, operator, limit):
    found = run(statement)
    assert found.status == "fail"
    finding = found.findings[0]
    assert (finding.observed, finding.operator, finding.limit) == (observed, operator, limit)


@pytest.mark.parametrize(
    "statement", ["assert values", "assert all(v > 0 for v in values)", "assert 0 < 1 < 2"]
)
def test_an_assert_that_holds_is_evidence(run, statement):
    found = run(statement)
    assert (found.status, len(found.findings)) == ("pass", 1)


def test_the_message_is_the_reason_and_is_evaluated_only_on_failure(run):
    assert run("assert not values, f'too many: {len(values)}'").reason == "too many: 2"
    assert run("assert values, 1 / 0").status == "pass"


def test_each_side_is_evaluated_once(run):
    assert run("calls = []\nassert calls.append(1) is None\nassert len(calls) == 1").status == "pass"


def test_asserts_inside_classes_loops_and_nested_functions_count(run):
    found = run(
        "class Inner:\n    def go(self):\n        for n in values:\n            assert n < 2\nInner().go()"
    )
    assert (found.status, found.findings[-1].observed) == ("fail", 2)


def test_a_comparison_that_raises_is_an_error(run):
    found = run("assert values < 'text'")
    assert (found.status, found.reason.split(":")[0]) == ("error", "TypeError")


def test_a_gate_without_any_executed_assert_is_unknown(run):
    found = run("if False:\n    assert True")
    assert (found.status, found.reason) == (
        "unknown",
        "checked nothing: no finding was recorded and no assert executed",
    )


def test_a_changed_gate_file_is_not_served_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    path = tmp_path / "gate_changing.py"
    path.write_text("VALUE = 1\n")
    assert load_file(path).VALUE == 1
    assert list(tmp_path.glob("__pycache__/*gatekeeper.pyc"))
    assert load_file(path).VALUE == 1
    path.write_text("VALUE = 22\n")
    assert load_file(path).VALUE == 22


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"\xe3" * 100])
def test_a_broken_cache_is_no_obstacle(tmp_path, monkeypatch, garbage):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    path = tmp_path / "gate_cached.py"
    path.write_text("VALUE = 1\n")
    load_file(path)
    cache = next(tmp_path.glob("__pycache__/*gatekeeper.pyc"))
    cache.write_bytes(garbage)
    assert load_file(path).VALUE == 1


def test_asserts_count_under_optimization(gatekeeper_project):
    gatekeeper_project.environment["PYTHONOPTIMIZE"] = "1"
    gatekeeper_project.write(
        {"gates/gate_o.py": "from gatekeeper import pre\n@pre\ndef no(ctx):\n    assert 1 == 2\n"}
    )
    outcome = gatekeeper_project.run("pre", "no")
    assert (outcome.exit_code, outcome["pre.no"].status) == (1, "fail")


def test_an_assert_on_a_tuple_is_refused_as_always_true(tmp_path):
    path = tmp_path / "gate_tuple.py"
    path.write_text('def gate(ctx):\n    assert (1 == 2, "never seen")\n')
    with pytest.raises(SyntaxError, match="always true") as caught:
        load_file(path)
    assert (caught.value.filename, caught.value.lineno) == (str(path), 2)


@pytest.mark.parametrize(
    "condition",
    ["coroutine()", "(x for x in [0])", "later()"],
    ids=["coroutine", "generator", "async generator"],
)
@pytest.mark.filterwarnings("ignore:coroutine")
def test_a_condition_that_is_always_true_is_an_error(tmp_path, condition):
    path = tmp_path / "gate_always.py"
    path.write_text(
        "async def coroutine(): return False\nasync def later(): yield False\n"
        f"def gate(ctx):\n    assert {condition}\n"
    )
    with pytest.raises(TypeError, match="is always true"):
        load_file(path).gate(None)
