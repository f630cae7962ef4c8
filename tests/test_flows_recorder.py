"""What a flow records: exact, bounded, judged sensibly, from any thread."""

import math
import threading
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import Events, Readings, current
from gatekeeper.context import Context
from gatekeeper.flows import recorder as module
from gatekeeper.flows.recorder import KEPT, MOST, OVERFLOW, WAITING, Recorder
from gatekeeper.plugins import Plugins
from gatekeeper.rundata import RunData
from gatekeeper.samples import pooled

FINITE = st.floats(-1e12, 1e12)


def series(recorder, name, /, **labels):
    (found,) = [s for s in recorder.readings().series if s.name == name and s.labels == labels]
    return found


def events(recorder, name):
    return recorder.readings().counted(name)


def judged(readings, gate, settings):
    """The result of a shipped gate over these readings."""
    from gatekeeper.execute.evaluate import call, consume, evaluate
    from gatekeeper.settings.convert import convert

    found = next(g for g in Plugins.shipped().gates(None) if g.id == gate)
    problems = []
    values = convert(found.settings, settings, problems)
    assert not problems
    ctx = Context(RunData(root=".", measured=readings), gate=gate, phase="post", plugins=Plugins.shipped())
    return evaluate(lambda: consume(call(found.function, ctx, values), ctx), ctx)


# -- samples -------------------------------------------------------------------------------------------------


@given(st.lists(FINITE, min_size=1, max_size=60), st.randoms())
def test_count_sum_least_and_most_are_exact_in_any_order(values, random):
    shuffled = [*values]
    random.shuffle(shuffled)
    for order in (values, shuffled):
        recorder = Recorder()
        for value in order:
            recorder.record("x", value)
        one = series(recorder, "x")
        assert (one.n, one.statistic("min"), one.statistic("max")) == (len(values), min(values), max(values))
        assert one.values == tuple(order)


@given(st.lists(FINITE, min_size=25, max_size=120), st.randoms())
def test_beyond_what_is_kept_the_totals_are_still_of_all_values(values, random):
    random.shuffle(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "KEPT", 10)
        patch.setattr(module, "WAITING", 5)
        recorder = Recorder()
        for value in values:
            recorder.record("x", value)
        readings = recorder.readings()
    (one,) = readings.series
    assert len(one.values) == 10
    assert set(one.values) <= set(values)
    assert one.n == one.statistic("count") == len(values)
    assert (one.statistic("min"), one.statistic("max")) == (min(values), max(values))
    scale = math.fsum(map(abs, values))
    assert one.statistic("sum") == pytest.approx(math.fsum(values), abs=1e-14 * scale + 1e-300)
    assert one.statistic("mean") == pytest.approx(math.fsum(values) / len(values), abs=1e-14 * scale + 1e-300)
    assert readings.notes == (f"x: percentiles are of 10 values, chosen at random from {len(values)}",)


def test_a_million_samples_take_the_memory_of_some_and_keep_their_shape():
    recorder = Recorder()
    for value in range(1_000_000):
        recorder.record("x", value)
    sampled = recorder._series["x", ()]
    assert len(sampled._values) <= KEPT + WAITING
    one = series(recorder, "x")
    assert (one.n, one.statistic("sum"), one.statistic("max")) == (1_000_000, 499_999_500_000, 999_999)
    for q in (50, 90, 99):  # within 5 standard errors of a uniform choice
        error = 5 * math.sqrt(q / 100 * (1 - q / 100) / KEPT) * 1_000_000
        assert one.statistic(f"p{q}") == pytest.approx(q * 10_000, abs=error)


def test_every_value_is_chosen_as_likely_as_any_other(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 1_000)
    monkeypatch.setattr(module, "WAITING", 100)
    recorder = Recorder()
    for value in range(10_000):
        recorder.record("x", value)
    tenths = [0] * 10
    for value in series(recorder, "x").values:
        tenths[int(value) // 1_000] += 1
    assert all(50 < tenth < 150 for tenth in tenths), tenths  # 100 each, 5 standard deviations


def test_the_same_flow_is_judged_by_the_same_choice(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 50)
    monkeypatch.setattr(module, "WAITING", 10)

    def once():
        recorder = Recorder()
        for value in range(1_000):
            recorder.record("x", value)
        return series(recorder, "x").values

    assert once() == once()


def test_percentiles_of_parts_that_are_not_whole_are_not_made_up(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 50)
    monkeypatch.setattr(module, "WAITING", 10)
    recorder = Recorder()
    for value in range(1_000):
        recorder.record("x", value, model="a")
    recorder.record("x", 1, model="b")
    assert pooled(recorder.readings().series) is None


def test_threads_lose_no_sample():
    recorder = Recorder()
    count, threads = 30_000, 8

    def work(number):
        for value in range(count):
            recorder.record("x", value)
            recorder.record("y", 1, thread=str(number))
            if value % 10 == 0:
                recorder.ok("calls")

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    one = series(recorder, "x")
    assert (one.n, one.statistic("sum")) == (count * threads, threads * count * (count - 1) / 2)
    assert pooled([s for s in recorder.readings().series if s.name == "y"]).n == count * threads
    assert events(recorder, "calls").total == count // 10 * threads


@pytest.mark.parametrize("value", ["1", None, [1], b"1", 1j, object()])
def test_what_is_no_number_is_a_type_error_at_the_call(value):
    recorder = Recorder()
    with pytest.raises(TypeError, match=r"record\('x', …\): a sample is a number, not"):
        recorder.record("x", value)
    assert recorder.readings() == Readings()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value):
    recorder = Recorder()
    with pytest.raises(ValueError, match="finite"):
        recorder.record("x", value)
    assert recorder.readings() == Readings()


@pytest.mark.parametrize("value", [True, 3, Decimal("1.5"), Fraction(1, 2)])
def test_any_real_number_is_a_sample(value):
    recorder = Recorder()
    recorder.record("x", value)
    assert series(recorder, "x").values == (float(value),)


@pytest.mark.parametrize("name", ["", " ", "x ", 'x{a="b"}', "x" * 201])
def test_a_name_that_no_budget_could_select_is_refused(name):
    recorder = Recorder()
    for call in (lambda: recorder.record(name, 1), lambda: recorder.step(name), lambda: recorder.ok(name)):
        with pytest.raises(ValueError, match="name of 1 to 200 characters"):
            call()


@pytest.mark.parametrize("name", [1, None, b"x"])
def test_a_name_is_a_text(name):
    with pytest.raises(TypeError, match="named by a text"):
        Recorder().record(name, 1)


@pytest.mark.parametrize(
    ("unit", "value", "base", "converted"),
    [("ms", 1500, "s", 1.5), ("MB", 2, "B", 2e6), ("%", 5, "ratio", 0.05), ("tokens", 7, "tokens", 7)],
)
def test_units_are_converted_as_sources_do(unit, value, base, converted):
    recorder = Recorder()
    recorder.record("x", value, unit=unit)
    recorder.record("x", value)  # as before
    one = series(recorder, "x")
    assert (one.unit, one.values) == (base, (pytest.approx(converted),) * 2)


def test_another_unit_for_the_same_name_is_refused():
    recorder = Recorder()
    recorder.record("x", 1, unit="s")
    recorder.record("y", 1)
    with pytest.raises(ValueError, match="it was recorded in s before"):
        recorder.record("x", 1, unit="ms", endpoint="/a")
    with pytest.raises(ValueError, match="it was recorded without a unit before"):
        recorder.record("y", 1, unit="s")


def test_labels_make_series_that_a_budget_selects():
    recorder = Recorder()
    recorder.record("latency", 1, unit="s", model="small", region="eu")
    recorder.record("latency", 2, region="eu", model="small")
    recorder.record("latency", 9, unit="s", model="large")
    readings = recorder.readings()
    assert [s.values for s in readings.select('latency{model="small"}')] == [(1, 2)]
    assert pooled(readings.select("latency")).statistic("max") == 9


def test_labels_may_have_any_name_that_python_allows():
    recorder = Recorder()
    recorder.record("x", 1, name="a", value="b", self="c")
    assert series(recorder, "x", name="a", value="b", self="c").n == 1


def test_labels_without_end_take_bounded_memory_and_their_sum_stays_right():
    recorder = Recorder()
    for number in range(10 * MOST):
        recorder.record("x", 1, user=number)
    readings = recorder.readings()
    assert len(readings.series) == MOST + 1
    assert pooled(readings.series).n == 10 * MOST
    assert series(recorder, "x", **{OVERFLOW: "true"}).n == 9 * MOST
    assert any('further labels count as overflow="true"' in note for note in readings.notes)
    assert len(recorder._known) <= MOST


def test_names_without_end_are_not_kept_and_a_budget_on_one_is_unknown():
    recorder = Recorder()
    for number in range(2 * MOST):
        recorder.record(f"page {number}", 1)
    readings = recorder.readings()
    assert len(readings.series) == MOST
    budget = {"budgets": {f"page {2 * MOST - 1}": {"fail": 5}}}
    result = judged(readings, "post.performance", budget)
    assert result.status == "unknown"
    assert (
        f"page {MOST}: there are {MOST} series already; it was not kept"
        in result.findings[0].evidence["notes"]
    )


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_whatever_is_recorded_can_be_sent_and_is_the_same_afterwards(values):
    recorder = Recorder()
    for value in values:
        recorder.record("x", value, unit="B", kind="\udc80 ")
    readings = recorder.readings("flow f")
    from gatekeeper import strict_json

    back = msgspec.json.decode(strict_json(readings), type=Readings)
    assert back.series[0].values == readings.series[0].values


def test_sums_beyond_all_numbers_are_left_out(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 2)
    monkeypatch.setattr(module, "WAITING", 2)
    recorder = Recorder()
    for _ in range(8):
        recorder.record("x", 1.7e308)
    one = series(recorder, "x")
    assert (one.n, one.statistic("max"), one.stats.keys() & {"sum", "mean"}) == (8, 1.7e308, set())


# -- steps ---------------------------------------------------------------------------------------------------


def test_steps_are_timed_by_name_and_counted():
    recorder = Recorder()
    for _ in range(3):
        with recorder.step("draft"), recorder.step("model"):
            pass
    assert series(recorder, "step.draft").n == series(recorder, "step.model").n == 3
    assert series(recorder, "step.draft").unit == "s"
    assert series(recorder, "step.draft").statistic("sum") >= series(recorder, "step.model").statistic("sum")
    assert events(recorder, "steps") == Events(name="steps", total=6, whole=True)


def test_a_step_that_raises_counts_with_its_type_and_lets_the_exception_through():
    recorder = Recorder()
    error = TimeoutError("no answer")
    with pytest.raises(TimeoutError) as caught, recorder.step("draft"), recorder.step("model"):
        raise error
    assert caught.value is error
    with pytest.raises(KeyboardInterrupt), recorder.step("draft"):
        raise KeyboardInterrupt
    assert events(recorder, "steps").errors == {"TimeoutError": 2, "KeyboardInterrupt": 1}
    assert recorder.readings().notes[:2] == (
        "step.model: TimeoutError: no answer",
        "step.draft: TimeoutError: no answer",
    )


def test_a_step_whose_exception_has_no_text_of_its_own_is_counted():
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError

    recorder = Recorder()
    with pytest.raises(Odd), recorder.step("draft"):
        raise Odd
    assert events(recorder, "steps").errors == {"Odd": 1}


def test_few_steps_are_enough_for_a_rate_since_they_are_all_there_were():
    recorder = Recorder()
    with recorder.step("a"), recorder.step("b"), recorder.step("c"):
        pass
    result = judged(recorder.readings(), "post.errors", {"optional_rate": {"warn": "5%", "fail": "10%"}})
    assert (result.status, result.findings[0].n) == ("pass", 3)


def test_one_failed_step_of_three_is_over_a_limit_of_ten_percent():
    recorder = Recorder()
    with pytest.raises(OSError), recorder.step("a"):
        raise OSError("disk")
    for name in "bc":
        with recorder.step(name):
            pass
    result = judged(recorder.readings("flow f"), "post.errors", {"rate": {"fail": "10%"}})
    assert result.status == "fail"
    assert "1 of 3 failed, 33.3 %" in result.findings[0].message
    assert "interval" not in result.findings[0].evidence
    assert result.findings[0].evidence["notes"] == ["step.a: OSError: disk"]


def test_durations_of_steps_are_recorded_by_steps_alone():
    recorder = Recorder()
    with pytest.raises(ValueError, match=r"series that begin with 'step.' are the durations of steps"):
        recorder.record("step.draft", 1)


# -- events --------------------------------------------------------------------------------------------------


def test_a_rate_is_errors_over_all_that_was_counted():
    recorder = Recorder()
    recorder.ok("calls", 98)
    recorder.error("timeout", "no answer", of="calls")
    recorder.error(ConnectionError("reset"), of="calls")
    assert events(recorder, "calls") == Events(
        name="calls", total=100, errors={"timeout": 1, "ConnectionError": 1}, whole=True
    )
    assert recorder.readings().notes == ("calls: timeout: no answer", "calls: ConnectionError: reset")


def test_errors_alone_are_a_rate_of_all_and_the_evidence_asks_for_what_went_well():
    recorder = Recorder()
    recorder.error("timeout")
    recorder.error("timeout")
    result = judged(recorder.readings(), "post.errors", {"rate": {"fail": "50%"}})
    assert (result.status, result.findings[0].observed) == ("fail", 1.0)
    assert "is what went well counted too, with ok('operations')?" in result.findings[0].evidence["notes"][0]


def test_a_limit_by_type_finds_the_flows_own_type():
    recorder = Recorder()
    recorder.ok(n=30)
    recorder.error("timeout")
    result = judged(recorder.readings(), "post.errors", {"by_type": {"timeout": {"fail": 0}}})
    assert (result.status, result.findings[0].name) == ("fail", "operations.timeout")


@pytest.mark.parametrize("n", [-1, 1.5, "1", True, None])
def test_events_are_counted_in_whole_numbers(n):
    recorder = Recorder()
    for call in (lambda: recorder.ok("calls", n), lambda: recorder.error("timeout", of="calls", n=n)):
        with pytest.raises(ValueError, match="expected a number of events"):
            call()
    assert recorder.readings().events == ()


def test_steps_are_counted_by_steps_alone():
    with pytest.raises(ValueError, match="steps are counted by step"):
        Recorder().ok("steps")


def test_types_kinds_and_messages_without_end_take_bounded_memory():
    recorder = Recorder()
    for number in range(3 * MOST):
        recorder.error(f"type {number}", "m" * 10_000, of="calls")
        recorder.ok(f"kind {number}")
    calls = events(recorder, "calls")
    assert (calls.total, calls.failed, len(calls.errors)) == (3 * MOST, 3 * MOST, MOST + 1)
    readings = recorder.readings()
    assert len(readings.events) == MOST
    assert sum(map(len, readings.notes)) < 20_000


def test_nothing_recorded_is_nothing_read():
    assert Recorder().readings() == Readings()
    result = judged(Readings(), "post.errors", {"rate": {"fail": "5%"}})
    assert result.status == "unknown"


# -- current -------------------------------------------------------------------------------------------------


def test_outside_of_a_flow_nobody_reads_what_is_recorded_and_mistakes_are_still_found():
    current().record("tokens", 1)
    with current().step("draft"):
        current().ok()
    assert current().readings() == Readings()
    with pytest.raises(TypeError):
        current().record("tokens", "1")
