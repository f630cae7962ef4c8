"""For any runs at all: what is written is read back, and counting agrees with the plainest model."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatekeeper.model import (
    STATUSES,
    Attempt,
    Counts,
    Finding,
    Header,
    Output,
    Reason,
    Result,
    Run,
    Since,
    Source,
    Subject,
    Verdict,
)
from gatekeeper.rundata import Saved
from gatekeeper.store import open_store, spill
from runs import result, run, store_in

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufdd0"), max_size=30)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
COUNT = st.integers(0, 10**6)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
STATUS = st.sampled_from(STATUSES)
OPTIONAL = st.none() | TEXT

FINDING = st.builds(
    Finding,
    name=TEXT,
    status=STATUS,
    observed=ANY,
    operator=OPTIONAL,
    limit=ANY,
    unit=OPTIONAL,
    n=st.none() | st.integers(-(2**63), 2**63 - 1),
    message=TEXT,
    hint=TEXT,
    evidence=st.dictionaries(TEXT, ANY, max_size=2),
)
RESULT = st.builds(
    Result,
    id=TEXT,
    phase=st.sampled_from(["pre", "post"]),
    title=TEXT,
    status=STATUS,
    requirement=st.sampled_from(["required", "advisory", "observe"]),
    duration_s=NUMBER,
    attempts=st.lists(st.builds(Attempt, COUNT, STATUS, TEXT, NUMBER), max_size=2).map(tuple),
    source=st.builds(Source, TEXT, COUNT),
    findings=st.lists(FINDING, max_size=4).map(tuple),
    reason=TEXT,
    output=st.builds(Output, TEXT, TEXT, COUNT),
    tags=st.lists(TEXT, max_size=2).map(tuple),
    blocked_by=OPTIONAL,
    flaky=st.booleans(),
    since=st.none() | st.builds(Since, COUNT, OPTIONAL, OPTIONAL),
)
VERDICT = st.builds(
    Verdict,
    decision=st.sampled_from(["proceed", "hold", "block", "none"]),
    reasons=st.lists(st.builds(Reason, gate=TEXT, status=STATUS, text=TEXT, observed=ANY), max_size=2).map(
        tuple
    ),
    exit_code=COUNT,
    decided_by=TEXT,
)
RUN = st.builds(
    Run,
    header=st.builds(
        Header,
        id=TEXT,
        phase=st.sampled_from(["pre", "post", "all", "exec"]),
        started=TEXT,
        duration_s=NUMBER,
        complete=st.booleans(),
        partial=st.booleans(),
        settings_digest=TEXT,
        profile=OPTIONAL,
        config=OPTIONAL,
        pre_run=OPTIONAL,
    ),
    subject=st.builds(Subject, TEXT, OPTIONAL),
    verdict=VERDICT,
    counts=st.builds(Counts, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT),
    results=st.lists(RESULT, max_size=4).map(tuple),
    environment=st.dictionaries(TEXT, ANY, max_size=2),
    notes=st.lists(TEXT, max_size=2).map(tuple),
)
SAVED = st.builds(
    Saved,
    TEXT,
    TEXT,
    st.builds(Subject, TEXT, OPTIONAL),
    st.dictionaries(TEXT, ANY, max_size=3),
    st.dictionaries(TEXT, TEXT, max_size=2),
)


@pytest.fixture
def fresh_store(kind, request):
    """Make an empty store, for one example."""
    if kind == "sqlite":
        return _in_a_folder
    server_url = request.getfixturevalue("postgresql_url")
    return lambda: _emptied(server_url)


@contextmanager
def _in_a_folder():
    with tempfile.TemporaryDirectory() as folder, store_in(Path(folder)) as store:
        yield store


@contextmanager
def _emptied(url):
    with open_store(url, create=True) as store:
        store._change("TRUNCATE runs, results, samples, unjudged")
        yield store


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=RUN, kept=st.none() | SAVED)
def test_any_run_is_read_back_equal(fresh_store, written, kept):
    with fresh_store() as store:
        store.write(written, kept)
        assert store.run("latest") == written
        assert store.saved("latest") == kept
        (row,) = store.runs()
        assert (row.id, row.subject, row.counts) == (written.id, written.subject.name, written.counts)
        assert (row.complete, row.partial) == (written.header.complete, written.header.partial)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=RUN)
def test_any_run_can_be_spilled_and_taken_in(written):
    with tempfile.TemporaryDirectory() as folder:
        spill(Path(folder), written)
        with open_store(Path(folder) / "history.db", create=True) as store:
            assert store.run("latest") == written


def _naive_since(past, current):
    """Walk back over the recorded statuses of a gate, oldest first: (run number, status)."""
    count, passed = 1, None
    for number, status in reversed(past):
        if status == "pass":
            passed = number
            break
        count += status != "skip"
    return Since(count) if passed is None else Since(count, run(passed).header.started, run(passed).id)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    past=st.lists(
        st.dictionaries(st.sampled_from(["pre.a", "pre.b", "post.c"]), STATUS, min_size=1), max_size=12
    ),
    current=st.dictionaries(st.sampled_from(["pre.a", "pre.b", "post.c", "pre.new"]), STATUS),
)
def test_since_agrees_with_walking_back_over_the_runs(fresh_store, past, current):
    with fresh_store() as store:
        for number, statuses in enumerate(past):
            store.write(run(number, *(result(gate, status) for gate, status in statuses.items())))
            store.write(run(1000 + number, result("pre.a", "pass"), subject="another"))
        found = store.since("checkout", current)
        failing = store.failing("checkout")
    walked = {
        gate: _naive_since(
            [(n, statuses[gate]) for n, statuses in enumerate(past) if gate in statuses], status
        )
        for gate, status in current.items()
        if status not in ("pass", "skip")
    }
    assert found == walked
    last = {gate: status for statuses in past for gate, status in statuses.items() if status != "skip"}
    assert failing == sorted(gate for gate, status in last.items() if status in ("fail", "error", "unknown"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.lists(NUMBER | ANY, max_size=3), max_size=8), n=st.integers(1, 12))
def test_values_are_the_last_numbers_in_the_order_of_the_runs(fresh_store, values, n):
    with fresh_store() as store:
        for number, observed in enumerate(values):
            findings = tuple(Finding("m", "pass", value, unit="s") for value in observed)
            store.write(run(number, Result(id="pre.a", phase="pre", status="pass", findings=findings)))
        found = store.values("checkout", "pre.a", "m", n)
    numbers = [
        float(value)
        for observed in values
        for value in observed
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    assert found == numbers[-n:]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ages=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["pre", "post"]), st.integers(0, 60)), max_size=12
    ),
    days=st.integers(0, 60),
    keep=st.integers(0, 3),
)
def test_pruning_keeps_exactly_the_young_and_the_last(fresh_store, ages, days, keep):
    from datetime import UTC, datetime, timedelta

    now = datetime(2026, 11, 21, tzinfo=UTC)
    with fresh_store() as store:
        for number, (subject, phase, age) in enumerate(ages):
            started = f"{now - timedelta(days=age):%Y-%m-%dT%H:%M:%SZ}"
            store.write(run(number, subject=subject, phase=phase, started=started))
        store.prune(days * 86_400.0, keep_last=keep, now=now.timestamp())
        left = {row.id for row in store.runs(limit=100)}
        results = {row.run for s in "ab" for row in store.results(s, "pre.disk", 100)}
    kept = set()
    for number, (subject, phase, age) in enumerate(ages):
        later = sum((s, p) == (subject, phase) for s, p, _ in ages[number + 1 :])
        if age <= days or later < keep:
            kept.add(run(number).id)
    assert left == results == kept
