"""`post.flow`: which ends of a flow are good ones, and what was measured of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import Events, FlowData, Readings, Series, UsageError
from gatekeeper.testing import GateResult, run_gate
from gatekeeper_gates.flow import flow


def judged(ended: FlowData, measured: Readings | None = None, **settings: object) -> GateResult:
    return run_gate(flow, settings, flow=ended, measured=measured)


def command(**fields: object) -> FlowData:
    return FlowData(kind="command", name="make ship", **fields)  # type: ignore[arg-type]


@given(st.integers(0, 255), st.lists(st.integers(0, 255), min_size=1, max_size=4))
def test_of_a_commands_exit_codes_only_the_declared_ones_pass(code: int, good: list[int]) -> None:
    found = judged(command(exit_code=code), exit_codes=good)
    assert found.status == ("pass" if code in good else "fail")
    assert found.finding("exit code").observed == code


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (command(exit_code=3), "`make ship` exited with 3"),
        (command(signal="SIGKILL"), "`make ship` was ended by SIGKILL"),
        (command(exit_code=127, error="NotFound", message="was not found"), "`make ship` was not found"),
        (command(exit_code=0, error="TimeLimit", message="was ended at its time limit"), "at its time limit"),
        (command(signal="SIGTERM", error="TimeLimit", message="was ended at its time limit"), "at its time limit"),
        (command(exit_code=0, complete=False), "nobody saw its end"),
        (FlowData(kind="python", name="f", error="ValueError", message="no"), "`f` raised ValueError: no"),
        (FlowData(kind="python", error="KeyboardInterrupt"), "the flow raised KeyboardInterrupt"),
        (FlowData(kind="python", name="f", complete=False), "nobody saw its end"),
        (FlowData(kind="pytest", exit_code=1), "tests failed"),
        (FlowData(kind="pytest", exit_code=99), "exited with 99"),
    ],
)  # fmt: skip
def test_every_other_end_fails_and_says_which(ended: FlowData, words: str) -> None:
    found = judged(ended)
    assert (found.status, words in found.reason) == ("fail", True), found.reason


@pytest.mark.parametrize(
    "ended", [command(exit_code=0), FlowData(kind="python"), FlowData(kind="pytest", exit_code=0)]
)
def test_good_ends_pass_with_evidence(ended: FlowData) -> None:
    found = judged(ended)
    assert (found.status, len(found.result.findings)) == ("pass", 1)


def test_a_declared_exit_code_excuses_no_signal_time_limit_or_missing_command() -> None:
    for ended in (
        command(signal="SIGTERM"),
        command(exit_code=127, error="NotFound", message="was not found"),
    ):
        assert judged(ended, exit_codes=[0, 127, 143]).status == "fail"


def test_no_test_is_no_evidence() -> None:
    assert judged(FlowData(kind="pytest", exit_code=5)).status == "unknown"


def test_what_gatekeeper_measured_is_recorded_and_judges_nothing() -> None:
    measured = Readings(
        (
            Series(name="duration", unit="s", values=(2.5,), source="gatekeeper: from its start to its end"),
            Series(name="peak_memory", unit="B", values=(4e9,)),
            Series(name="tokens", values=(1.0,)),
            Series(name="cpu", unit="s", values=(1.0, 2.0)),
        ),
        (Events(name="calls", total=3),),
    )
    found = judged(command(exit_code=0), measured)
    assert found.status == "pass"
    told = {
        finding.name: (finding.observed, finding.unit, finding.limit) for finding in found.result.findings
    }
    assert told == {"exit code": (0, None, 0), "duration": (2.5, "s", None), "peak_memory": (4e9, "B", None)}
    assert found.finding("duration").evidence == {"source": "gatekeeper: from its start to its end"}


def test_without_a_flow_it_is_unknown() -> None:
    assert run_gate(flow).status == "unknown"


@pytest.mark.parametrize("codes", [[], [256], [-1]])
def test_what_are_no_exit_codes_is_refused(codes: list[int]) -> None:
    with pytest.raises(UsageError, match="0 to 255"):
        run_gate(flow, {"exit_codes": codes})
