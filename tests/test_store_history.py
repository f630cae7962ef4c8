"""What a gate sees of earlier runs: `ctx.history`."""

import pytest

from gatekeeper.store.history import History
from runs import result, run


@pytest.fixture
def recorded(url, stored):
    """The URL of a store with five runs."""
    with stored() as store:
        for number in range(1, 6):
            store.write(run(number, result("pre.disk", "pass" if number < 4 else "fail", free=number)))
    return url


def test_values_statuses_and_last_pass_of_earlier_runs(recorded):
    history = History(recorded, "checkout", "the-current-run")
    assert history.values("pre.disk", "free", 3) == [3, 4, 5]
    assert history.statuses("pre.disk", 3) == ["pass", "fail", "fail"]
    assert history.last_passed("pre.disk") == run(3).header.started


def test_only_what_was_before_a_recorded_run(recorded):
    history = History(recorded, "checkout", run(3).id)
    assert history.values("pre.disk", "free") == [1, 2]
    assert history.last_passed("pre.disk") == run(2).header.started


def test_without_a_store_there_is_no_history_and_no_problem(url, tmp_path):
    for given in (None, url):
        history = History(given, "checkout", "r")
        assert (
            history.values("pre.disk", "free"),
            history.statuses("pre.disk"),
            history.last_passed("pre.disk"),
        ) == (
            [],
            [],
            None,
        )
        assert history.problem == ""
    assert not list(tmp_path.iterdir())


def test_a_store_that_cannot_be_read_is_empty_and_says_why(tmp_path):
    path = tmp_path / "history.db"
    path.write_bytes(b"no database, " * 1000)
    history = History(str(path), "checkout", "r")
    assert history.values("pre.disk", "free") == []
    assert "damaged or no SQLite database" in history.problem


@pytest.mark.parametrize("kind", ["sqlite"])
def test_looking_back_changes_nothing_on_disk(recorded, tmp_path):
    before = {
        path.name: path.read_bytes()
        for path in (tmp_path / ".gatekeeper").iterdir()
        if path.suffix != ".db-shm"
    }
    History(recorded, "checkout", "r").values("pre.disk", "free")
    after = {
        path.name: path.read_bytes()
        for path in (tmp_path / ".gatekeeper").iterdir()
        if path.suffix != ".db-shm"
    }
    assert before == after
