"""An older store is brought up to date, once, whole or not at all."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from gatekeeper.store import StoreError, open_store, schema
from gatekeeper.store.history import History
from runs import run, store_in


@pytest.fixture
def path(tmp_path):
    """A store of the present version, with a run."""
    with store_in(tmp_path) as store:
        store.write(run(1))
    return tmp_path / ".gatekeeper" / "history.db"


@pytest.fixture
def next_version(path, monkeypatch):
    """As if the next version of gatekeeper were installed; one entry for each time that it migrated."""
    done = []

    def add_a_column(connection):
        connection.execute("ALTER TABLE runs ADD COLUMN note TEXT")
        done.append(1)

    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, add_a_column))
    return done


def _version(path):
    connection = sqlite3.connect(path)
    try:
        return schema.version(connection)
    finally:
        connection.close()


def test_an_older_store_is_migrated_and_keeps_its_runs(path, next_version):
    with open_store(path, create=False) as store:
        assert store.run("latest") == run(1)
        assert store.write(run(2)).recorded
    with open_store(path, create=False):
        pass
    assert next_version == [1]
    assert _version(path) == len(schema.STEPS)


def test_many_at_once_migrate_once(path, next_version):
    def use(number):
        with open_store(path, create=False) as store:
            return store.write(run(number)).recorded

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(use, range(10, 26)))
    assert next_version == [1]
    with open_store(path, create=False) as store:
        assert len(store.runs()) == 17


def test_a_step_that_fails_leaves_the_store_as_it_was(path, monkeypatch):
    def half(connection):
        connection.execute("ALTER TABLE runs ADD COLUMN note TEXT")
        connection.execute("UPDATE missing SET x = 1")

    before = len(schema.STEPS)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", (*schema.STEPS, half))
        with pytest.raises(StoreError, match="no such table: missing"):
            open_store(path, create=False)
    assert _version(path) == before
    with open_store(path, create=False) as store:
        assert store.write(run(2)).recorded


def test_a_gate_that_looks_back_migrates_nothing_and_finds_nothing(path, next_version):
    history = History(str(path), "checkout", "r")
    assert (history.statuses("pre.disk"), history.problem) == ([], "")
    assert next_version == []


def test_runs_are_found_through_indexes(path):
    with open_store(path, create=False) as store:
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
