"""The verdict: what blocks, what holds, and that nothing else ever proceeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.decide import Policy, count, decide, overruled, verdict
from gatekeeper.model import EXIT_CODES, REQUIREMENTS, STATUSES, Reason, Result, Verdict

STATUS = st.sampled_from(STATUSES)
REQUIREMENT = st.sampled_from(REQUIREMENTS)


def result(status, requirement="required", blocked_by=None, name="pre.x"):
    return Result(
        id=name, phase="pre", status=status, requirement=requirement, blocked_by=blocked_by, reason="why"
    )


def decided(*results, policy=Policy(), **options):
    return decide(results, [r.id for r in results], policy, **options)


RESULTS = st.lists(
    st.builds(result, STATUS, REQUIREMENT, st.sampled_from([None, "pre.parent"])), max_size=6
).map(lambda found: [Result(id=f"pre.{i}", phase="pre", status=r.status, requirement=r.requirement,
                            blocked_by=r.blocked_by if r.status == "skip" else None) for i, r in enumerate(found)])  # fmt: skip


@given(RESULTS)
def test_a_required_failure_or_error_blocks_whatever_else_there_is(results):
    blocked = any(r.requirement == "required" and r.status in ("fail", "error") for r in results)
    assert (decided(*results).decision == "block") == blocked


@given(RESULTS)
def test_proceed_needs_evidence_and_no_open_question(results):
    if decided(*results).decision == "proceed":
        assert any(r.status != "skip" for r in results)
        assert not any(
            r.requirement == "required" and r.status in ("fail", "error", "unknown") for r in results
        )
        assert not any(r.requirement == "required" and r.status == "skip" and r.blocked_by for r in results)


@given(RESULTS, st.integers(0, 5), st.lists(st.text(min_size=1), max_size=2))
def test_a_policy_only_ever_lowers_a_verdict(results, maximum, freezes):
    order = ["proceed", "hold", "block"]
    loose, strict = decided(*results), decided(*results, policy=Policy(maximum, tuple(freezes)))
    if loose.decision in order:
        assert order.index(strict.decision) >= order.index(loose.decision)


@given(RESULTS, st.booleans())
def test_the_exit_code_is_the_decisions(results, interrupted):
    found = decided(*results, interrupted=interrupted)
    expected = EXIT_CODES.get(found.decision, 2 if interrupted else 5)
    assert found.exit_code == expected
    assert found.reasons or found.decision == "proceed"


@pytest.mark.parametrize("requirement", ["advisory", "observe"])
@pytest.mark.parametrize("status", ["fail", "error", "unknown", "warn"])
def test_what_is_not_required_never_blocks_nor_holds_by_itself(requirement, status):
    assert decided(result(status, requirement), result("pass", name="pre.y")).decision == "proceed"


def test_an_advisory_failure_counts_as_a_warning_and_an_observed_one_does_not():
    policy = Policy(max_warnings=0)
    assert decided(result("fail", "advisory"), policy=policy).decision == "hold"
    observed = [result("fail", "observe"), result("pass", name="pre.y")]
    assert decided(*observed, policy=policy).decision == "proceed"


def test_warnings_up_to_the_maximum_proceed_with_the_warnings_as_reasons():
    found = decided(result("warn"), policy=Policy(max_warnings=1))
    assert (found.decision, [reason.gate for reason in found.reasons]) == ("proceed", ["pre.x"])


def test_a_required_gate_skipped_for_an_advisory_parent_holds():
    found = decided(result("fail", "advisory", name="pre.parent"), result("skip", blocked_by="pre.parent"))
    assert found.decision == "hold"


def test_a_planned_gate_without_a_result_blocks():
    found = decide([result("pass")], ["pre.x", "pre.lost"], Policy())
    assert found.decision == "block"
    assert found.reasons[0].gate == "pre.lost"


@pytest.mark.parametrize("results", [[], [result("skip")], [result("skip", "advisory")]])
def test_nothing_run_is_no_decision(results):
    found = decided(*results)
    assert (found.decision, found.exit_code) == ("none", 5)


def test_an_interrupted_run_decides_nothing():
    found = decided(result("fail"), interrupted=True)
    assert (found.decision, found.exit_code) == ("none", 2)


def test_a_freeze_window_holds_and_says_which():
    found = decided(result("pass"), policy=Policy(freezes=("year's end",)))
    assert found.decision == "hold"
    assert "year's end" in found.reasons[0].text


def test_a_plugins_verdict_keeps_the_original_beside_it_and_gets_its_exit_code_from_the_decision():
    own = verdict("block", [Reason(text="x")])
    found = overruled(own, Verdict("proceed", exit_code=99, decided_by="break-glass"))
    assert (found.decision, found.exit_code, found.decided_by, found.original) == (
        "proceed",
        0,
        "break-glass",
        own,
    )


def test_a_plugin_can_not_make_proceed_of_nothing_run():
    own = decided()
    assert overruled(own, Verdict("proceed")) == own


@pytest.mark.parametrize(
    "answer", [Verdict("proceed", (object(),)), True, "proceed", ValueError("x"), Verdict("none")]
)
def test_a_broken_plugin_never_lets_through(answer):
    assert overruled(verdict("proceed"), answer).decision == "block"
    assert overruled(verdict("hold"), answer).decision == "block"


@given(RESULTS)
def test_counts_add_up(results):
    counts = count(results)
    assert sum(counts.of(status) for status in STATUSES) == len(results)
