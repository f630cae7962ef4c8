"""An older store is brought up to date, once, whole or not at all."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gatekeeper.store import StoreError, open_store, schema
from gatekeeper.store.history import History
from runs import run, store_in


@pytest.fixture
def present(stored):
    """A store of the present version, with a run."""
    with stored() as store:
        store.write(run(1))


NEXT = (
    "ALTER TABLE runs ADD COLUMN note TEXT",
    "INSERT INTO meta (name, value) VALUES ('migrated', 'once')",  # fails where it is done again
)


@pytest.fixture
def next_version(present, monkeypatch):
    """As if the next version of gatekeeper were installed."""
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, NEXT))


def _migrated(store):
    return store._rows("SELECT count(*) FROM meta WHERE name = 'migrated'", ())[0][0]


def test_an_older_store_is_migrated_and_keeps_its_runs(stored, url, next_version):
    with open_store(url, create=False) as store:
        assert store.run("latest") == run(1)
        assert store.write(run(2)).recorded
    with stored() as store:
        assert _migrated(store) == 1


def test_many_at_once_migrate_once(stored, next_version):
    def use(number):
        with stored() as store:
            return store.write(run(number)).recorded

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(use, range(10, 26)))
    with stored() as store:
        assert len(store.runs()) == 17
        assert _migrated(store) == 1


def test_a_step_that_fails_leaves_the_store_as_it_was(stored, present, monkeypatch):
    half = ("ALTER TABLE runs ADD COLUMN note TEXT", "UPDATE missing SET x = 1")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", (*schema.STEPS, half))
        with pytest.raises(StoreError, match=r"missing"):
            stored()
    with stored() as store:
        assert store.write(run(2)).recorded
        with pytest.raises(StoreError, match="note"):
            store._rows("SELECT note FROM runs", ())


def test_a_store_of_a_newer_version_is_left_alone(url, next_version, monkeypatch):
    with open_store(url, create=False):
        pass
    monkeypatch.undo()
    words = r"newer gatekeeper \(version 3, this one knows 2\): upgrade"
    for options in ({"create": True}, {"create": False}, {"create": False, "read_only": True}):
        with pytest.raises(StoreError, match=words):
            open_store(url, **options)


def test_a_gate_that_looks_back_migrates_nothing_and_finds_nothing(stored, url, next_version, monkeypatch):
    history = History(url, "checkout", "r")
    assert (history.statuses("pre.disk"), history.problem) == ([], "")
    monkeypatch.undo()
    with stored() as store:
        assert _migrated(store) == 0


def test_runs_are_found_through_indexes(tmp_path):
    with store_in(tmp_path) as store:
        store.write(run(1))
        plans = {
            sql: " ".join(row[3] for row in store._rows(f"EXPLAIN QUERY PLAN {sql}", arguments))
            for sql, arguments in _asked(store)
        }
    scans = {sql: plan for sql, plan in plans.items() if "SCAN" in plan and "LIMIT" not in sql}
    assert scans == {}
    assert not [plan for plan in plans.values() if "TEMP B-TREE FOR ORDER" in plan]


def _asked(store):
    """The statements behind the questions that a run asks."""
    asked = []
    rows = store._rows

    def note(sql, arguments):
        asked.append((sql, arguments))
        return rows(sql, arguments)

    store._rows = note
    try:
        store.runs(subject="checkout", phase="pre")
        store.latest_pre("checkout")
        store.since("checkout", {"pre.disk": "fail"})
        store.results("checkout", "pre.disk", 50)
        store.run("latest")
    finally:
        del store._rows
    return asked
