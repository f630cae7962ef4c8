"""Runs are recorded whole, once, and found again."""

import subprocess
import sys
from pathlib import Path

import pytest

from gatekeeper.errors import UsageError
from gatekeeper.model import Since
from gatekeeper.store import NoStore, open_store, path_of
from gatekeeper.store.rows import COMPRESS_FROM
from runs import result, run, saved, store_in


def test_a_run_is_read_back_as_it_was_written(stored):
    written = run(1, result("pre.disk", free=3.5), result("pre.cpu", "fail", load=12))
    with stored() as store:
        assert store.write(written, saved(written, count=3)).recorded
    with stored() as store:
        assert store.run(written.id) == written
        assert store.saved(written.id) == saved(written, count=3)


def test_a_large_run_is_kept_compressed_and_read_back_the_same(stored):
    written = run(1, *(result(f"pre.g{i}", a=i, b=2.0 * i) for i in range(500)))
    with stored() as store:
        store.write(written)
        assert store.run("latest") == written
        kept = store._rows("SELECT document FROM runs", ())[0][0]
    assert len(kept) < COMPRESS_FROM


def test_lone_surrogates_are_recorded_as_their_escape(stored):
    written = run(1, result("pre.disk"), subject="a\udc80b")
    with stored() as store:
        store.write(written, saved(written, key="\ud800"))
        assert store.run("latest").subject.name == "a\\udc80b"
        assert store.saved("latest").values == {"key": "\\ud800"}
        assert store.runs(subject="a\\udc80b")


def test_a_run_is_recorded_once_however_often_it_is_written(stored):
    with stored() as store:
        assert store.write(run(1, result("pre.disk", free=1))).recorded
        assert not store.write(run(1, result("pre.disk", free=2))).recorded
        assert len(store.runs()) == 1
        assert store.values("checkout", "pre.disk", "free") == [1]


def test_partial_and_interrupted_runs_are_recorded_and_marked(stored):
    with stored() as store:
        store.write(run(1, complete=False))
        store.write(run(2, partial=True))
        assert [(row.complete, row.partial) for row in store.runs()] == [(True, True), (False, False)]


def test_runs_are_listed_newest_first_by_subject_and_phase_and_page_by_page(stored):
    with stored() as store:
        for number in range(1, 10):
            store.write(
                run(number, subject="odd" if number % 2 else "even", phase="pre" if number < 6 else "post")
            )
        assert [row.id[-1] for row in store.runs(limit=3)] == ["9", "8", "7"]
        assert [row.id[-1] for row in store.runs(subject="even")] == ["8", "6", "4", "2"]
        assert [row.id[-1] for row in store.runs(subject="odd", phase="post")] == ["9", "7"]
        page = store.runs(limit=2, before=store.runs(limit=3)[-1].id)
        assert [row.id[-1] for row in page] == ["6", "5"]


def test_order_is_that_of_recording_whatever_the_clock_said(stored):
    with stored() as store:
        store.write(run(1, started="2031-01-01T00:00:00Z"))
        store.write(run(2, started="2026-01-01T00:00:00Z"))
        assert store.run("latest").id == run(2).id


def test_a_run_is_found_by_id_by_its_beginning_by_a_part_and_as_latest(stored):
    with stored() as store:
        for number in (1, 2, 0xABCD):
            store.write(run(number))
        assert store.run(run(2).id).id == run(2).id
        assert store.run("20261121-000002").id == run(2).id
        assert store.run("0000abcd").id == run(0xABCD).id
        assert store.run("latest").id == run(0xABCD).id
        assert store.run("latest~2").id == run(1).id


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("20261121", "could be several: 20261121-000002-00000002, 20261121-000001-00000001"),
        ("20261121-000009-00000001", "Did you mean '20261121-000001-00000001'?"),
        ("latset", "Did you mean 'latest'?"),
        ("latest~7", "2 are recorded, the oldest is latest~1"),
        ("%", "no run '%' is recorded"),
        ("", "which run?"),
    ],
)
def test_a_run_that_is_not_there_or_could_be_several_names_the_nearest(stored, reference, words):
    with stored() as store:
        store.write(run(1))
        store.write(run(2))
        with pytest.raises(UsageError) as refused:
            store.run(reference)
        assert words in str(refused.value)


@pytest.mark.parametrize("reference", ["latest", "latest~1", "20261121"])
def test_an_empty_store_says_that_no_runs_are_recorded(stored, reference):
    with stored() as store, pytest.raises(UsageError, match="no runs are recorded yet"):
        store.run(reference)


def test_the_newest_whole_pre_run_of_the_subject_stands_for_the_state_before(stored):
    with stored() as store:
        assert store.latest_pre("checkout") is None
        for number, options in enumerate(
            [{}, {"complete": False}, {"partial": True}, {"phase": "post"}, {"subject": "other"}], start=1
        ):
            written = run(number, **options)
            store.write(written, saved(written, number=number))
        assert store.latest_pre("checkout").values == {"number": 1}
        assert store.latest_pre("other").values == {"number": 5}


def test_a_pre_run_that_saved_nothing_still_is_the_state_before(stored):
    with stored() as store:
        store.write(run(1), saved(run(1), key=1))
        store.write(run(2))
        before = store.latest_pre("checkout")
        assert (before.run, before.values) == (run(2).id, {})


def test_since_counts_runs_without_a_pass_this_one_too(stored):
    statuses = ["fail", "pass", "warn", "skip", "unknown", "error"]
    with stored() as store:
        for number, status in enumerate(statuses, start=1):
            store.write(run(number, result("pre.disk", status)))
        found = store.since("checkout", {"pre.disk": "fail", "pre.new": "fail", "pre.fine": "pass"})
    passed = run(2)
    assert found == {"pre.disk": Since(4, passed.header.started, passed.id), "pre.new": Since(1)}


def test_since_counts_up_to_a_run_that_is_recorded_already(stored):
    with stored() as store:
        for number in (1, 2, 3):
            store.write(run(number, result("pre.disk", "fail")))
        assert store.since("checkout", {"pre.disk": "fail"}, before=run(2).id) == {"pre.disk": Since(2)}


def test_failing_gates_are_those_whose_last_result_was_not_good(stored):
    with stored() as store:
        store.write(run(1, result("pre.a", "fail"), result("pre.b", "fail"), result("pre.c", "error")))
        store.write(run(2, result("pre.a"), result("pre.c", "skip"), result("pre.d", "warn")))
        store.write(run(3, result("pre.e", "unknown")))
        assert store.failing("checkout") == ["pre.b", "pre.c", "pre.e"]


def test_values_and_results_come_newest_last_and_of_this_subject_only(stored):
    with stored() as store:
        for number in range(1, 6):
            store.write(run(number, result("pre.disk", free=number)))
        store.write(run(6, result("pre.disk", free=99), subject="other"))
        assert store.values("checkout", "pre.disk", "free", 3) == [3, 4, 5]
        assert store.values("checkout", "pre.disk", "free", before=run(3).id) == [1, 2]
        assert [row.run for row in store.results("checkout", "pre.disk", 2)] == [run(4).id, run(5).id]


def test_values_of_another_unit_are_not_mixed_in(stored):
    from msgspec import structs

    with stored() as store:
        first = result("pre.disk", free=1)
        other = structs.replace(
            first, findings=(structs.replace(first.findings[0], unit="ratio", observed=0.5),)
        )
        store.write(run(1, first))
        store.write(run(2, other))
        store.write(run(3, other))
        assert store.values("checkout", "pre.disk", "free") == [0.5, 0.5]


@pytest.mark.parametrize("observed", [True, "12", None, [1], "NaN"])
def test_only_numbers_are_samples(stored, observed):
    with stored() as store:
        store.write(run(1, result("pre.disk", free=observed)))
        assert store.values("checkout", "pre.disk", "free") == []


def test_a_store_is_named_by_path_or_url(tmp_path):
    assert path_of("sqlite:////var/lib/history.db") == Path("/var/lib/history.db")
    assert path_of("sqlite:///state/history.db") == Path("state/history.db")
    assert path_of(tmp_path) == tmp_path


def test_nothing_is_made_by_looking(url, tmp_path):
    for read_only in (True, False):
        with pytest.raises(NoStore, match="nothing was recorded yet"):
            open_store(url, create=False, folder=tmp_path / ".gatekeeper", read_only=read_only)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("sqlte:///x.db", "unknown kind 'sqlte'.* Did you mean 'sqlite'"),
        ("postgressql://db/gates", "unknown kind 'postgressql'.* Did you mean 'postgresql'"),
        ("sqlite://x.db", "three slashes"),
        ("sqlite:///", "expected sqlite:///PATH"),
    ],
)
def test_a_wrong_url_is_refused_with_what_was_expected(wrong, words):
    with pytest.raises(UsageError, match=words):
        open_store(wrong, create=True)


def test_names_that_mean_something_in_a_url_are_plain_names(tmp_path):
    path = tmp_path / "a b?mode=ro#c%41" / "ü.db"
    with open_store(path, create=True) as store:
        store.write(run(1))
    assert path.is_file()


def test_the_state_folder_ignores_itself_and_no_other_folder_does(tmp_path):
    with store_in(tmp_path):
        pass
    with open_store(tmp_path / "mine" / "history.db", create=True):
        pass
    assert (tmp_path / ".gatekeeper" / ".gitignore").read_text() == "*\n"
    assert not (tmp_path / "mine" / ".gitignore").exists()


def test_a_database_is_imported_only_where_a_store_is_opened():
    code = (
        "import sys, gatekeeper.store, gatekeeper.store.history; "
        "sys.exit(bool({'sqlite3', 'psycopg'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
