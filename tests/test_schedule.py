"""The schedule, without processes: every planned gate leaves it with exactly one result, in an order that needs allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.execute.evaluate import Evaluation
from gatekeeper.execute.schedule import Options, Outcome, Schedule, tasks_of
from gatekeeper.model import STATUSES, Finding, Gate, Output
from gatekeeper.plan import Plan, PlannedGate


def gate(name, needs=(), facts=(), **options):
    declared = Gate(function=print, name=name, phase="pre", facts=tuple(facts))
    return PlannedGate(
        id=f"pre.{name}", gate=declared, needs=tuple(f"pre.{need}" for need in needs), **options
    )


def outcome(status, output=Output()):
    return Outcome(Evaluation(status, "" if status == "pass" else "why"), output)


def plan(*gates, snapshots=()):
    return Plan(phase="pre", gates=tuple(gates), snapshots=tuple(snapshots))


def carry_out(schedule, statuses, latency=0.1):
    """Run a schedule to its end; `statuses` gives each attempt's. The order of starts, and every result."""
    now, running, started, results = 0.0, [], [], []
    for _ in range(10_000):
        while (task := schedule.next(now)) is not None:
            started.append(task.key)
            running.append(task)
        results += schedule.take()
        if schedule.done:
            return started, results
        if running:
            task = running.pop(0)
            now += latency
            schedule.ended(task, outcome(statuses(task)), now)
        else:
            now = schedule.wake_at() or now + 1
    raise AssertionError("it never ends")


@st.composite
def plans(draw):
    size = draw(st.integers(0, 8))
    gates = []
    for number in range(size):
        needs = draw(st.lists(st.integers(0, number - 1), unique=True, max_size=3)) if number else []
        gates.append(
            gate(
                str(number),
                needs=[str(need) for need in needs],
                facts=draw(st.lists(st.sampled_from(["a", "b"]), unique=True)),
                retries=draw(st.integers(0, 2)),
                requirement=draw(st.sampled_from(["required", "advisory"])),
            )
        )
    return plan(*gates)


@given(plans(), st.data(), st.integers(1, 4), st.booleans(), st.none() | st.floats(0.05, 2))
def test_every_planned_gate_has_exactly_one_result(planned, data, jobs, stop_first, deadline):
    schedule = Schedule(tasks_of(planned), Options(jobs=jobs, stop_first=stop_first, deadline=deadline), 0.0)
    _, results = carry_out(schedule, lambda task: data.draw(st.sampled_from(STATUSES)))
    assert sorted(result.id for result in results) == sorted(planned.ids)
    for result in results:
        assert result.status == "pass" or result.reason


@given(plans(), st.data())
def test_a_gate_starts_only_when_what_it_needs_has_passed_or_warned(planned, data):
    schedule = Schedule(tasks_of(planned), Options(jobs=2), 0.0)
    started, results = carry_out(schedule, lambda task: data.draw(st.sampled_from(STATUSES)))
    status = {result.id: result.status for result in results}
    needs = {item.id: item.needs for item in planned.gates}
    for key in started:
        for need in needs.get(key, ()):
            assert status[need] in ("pass", "warn")
            assert started.index(need) < started.index(key)
    for result in results:
        if result.blocked_by:
            assert status[result.blocked_by] not in ("pass", "warn")
            assert result.id not in started


@given(plans(), st.integers(1, 4))
def test_no_more_than_the_jobs_run_at_once(planned, jobs):
    schedule = Schedule(tasks_of(planned), Options(jobs=jobs), 0.0)
    running = []
    while not schedule.done:
        while (task := schedule.next(0.0)) is not None:
            running.append(task)
        assert len(running) <= jobs
        schedule.ended(running.pop(), outcome("pass"), 0.0)


@pytest.mark.parametrize(
    ("options", "attempts"),
    [
        ({}, 1),
        ({"retries": 2}, 3),
        ({"retry_for": 0.95, "retry_delay": 0.2}, 4),
        ({"retries": 1, "retry_for": 0.5, "retry_delay": 0.1}, 3),
    ],
)
def test_a_failing_gate_is_tried_as_often_as_it_may(options, attempts):
    schedule = Schedule(tasks_of(plan(gate("x", **options))), Options(), 0.0)
    _, (result,) = carry_out(schedule, lambda task: "fail")
    assert len(result.attempts) == attempts
    assert result.status == "fail"


def test_no_retry_starts_beyond_the_deadline_of_the_run():
    schedule = Schedule(
        tasks_of(plan(gate("x", retry_for=100.0, retry_delay=1.0))), Options(deadline=3.0), 0.0
    )
    _, (result,) = carry_out(schedule, lambda task: "fail")
    assert len(result.attempts) <= 3
    assert result.status in ("fail", "error")


@pytest.mark.parametrize("status", ["skip", "pass", "warn"])
def test_what_is_no_failure_is_not_tried_again(status):
    schedule = Schedule(tasks_of(plan(gate("x", retries=5))), Options(), 0.0)
    _, (result,) = carry_out(schedule, lambda task: status)
    assert len(result.attempts) == 1


def test_a_snapshot_that_fails_is_remembered_and_stops_nothing():
    schedule = Schedule(tasks_of(plan(gate("x"), snapshots=[gate("later")])), Options(), 0.0)
    _, results = carry_out(schedule, lambda task: "error" if task.kind == "before" else "pass")
    assert [result.status for result in results] == ["pass"]
    assert schedule.gathered.saved_failed == {"pre.later": "why"}


def test_printed_output_is_bounded_over_the_whole_run():
    schedule = Schedule(tasks_of(plan(gate("a"), gate("b"))), Options(output_total=150), 0.0)
    for _ in range(2):
        task = schedule.next(0.0)
        schedule.ended(task, outcome("pass", Output("x" * 100)), 0.0)
    kept = [result.output for result in schedule.take()]
    assert sum(len(output.stdout) for output in kept) == 150
    assert sum(output.dropped for output in kept) == 50


def test_a_retry_that_the_deadline_took_away_keeps_what_it_found():
    schedule = Schedule(tasks_of(plan(gate("x", retries=3, retry_delay=1.0))), Options(deadline=5.0), 0.0)
    task = schedule.next(0.0)
    schedule.ended(task, Outcome(Evaluation("fail", "port closed", (Finding("tcp", "fail"),))), 0.1)
    assert schedule.take() == []
    schedule.next(6.0)
    (result,) = schedule.take()
    assert result.status == "error"
    assert "port closed" in result.reason
    assert "deadline" in result.reason
