"""What is kept, and for how long."""

from datetime import UTC, datetime, timedelta

from runs import result, run, saved, store_in

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DAY = 86_400.0


def _days_ago(days):
    return (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write(store, *ages, first=1, **options):
    for number, age in enumerate(ages, start=first):
        store.write(run(number, result("pre.disk", free=age), started=_days_ago(age), **options))


def _left(store):
    return [int(row.id[9:15]) for row in store.runs(limit=1000)]


def test_runs_older_than_asked_go_with_their_results_and_samples(store):
    _write(store, 50, 40, 20, 1)
    pruned = store.prune(30 * DAY, now=NOW.timestamp())
    assert (pruned.runs, pruned.results, pruned.samples) == (2, 2, 2)
    assert _left(store) == [4, 3]
    assert store.values("checkout", "pre.disk", "free") == [20, 1]


def test_the_last_runs_of_each_subject_and_phase_stay_however_old(store):
    _write(store, 90, 80, 70)
    _write(store, 90, 80, first=11, subject="other")
    _write(store, 60, first=21, phase="post")
    store.prune(30 * DAY, keep_last=1, now=NOW.timestamp())
    assert sorted(_left(store)) == [3, 12, 21]


def test_how_many_stay_can_be_chosen(store):
    _write(store, 90, 80, 70)
    store.prune(30 * DAY, keep_last=2, now=NOW.timestamp())
    assert _left(store) == [3, 2]
    store.prune(30 * DAY, keep_last=0, now=NOW.timestamp())
    assert _left(store) == []


def test_a_dry_run_only_counts(store):
    _write(store, 50, 40, 1)
    assert store.prune(30 * DAY, now=NOW.timestamp(), dry_run=True).runs == 2
    assert len(_left(store)) == 3
    assert store.prune(30 * DAY, now=NOW.timestamp()).runs == 2


def test_many_runs_are_removed_batch_by_batch(store, monkeypatch):
    monkeypatch.setattr("gatekeeper.store.sql.BATCH", 3)
    _write(store, *range(110, 99, -1), 1)
    pruned = store.prune(30 * DAY, now=NOW.timestamp())
    assert (pruned.runs, pruned.results, pruned.samples) == (11, 11, 11)
    assert _left(store) == [12]


def test_the_file_gets_smaller(tmp_path):
    with store_in(tmp_path) as store:
        _shrinks(store)


def _shrinks(store):
    for number in range(300):
        store.write(run(number, *(result(f"pre.g{i}", a=1, b=2) for i in range(10)), started=_days_ago(50)))
    before = store.size
    pruned = store.prune(DAY, now=NOW.timestamp())
    assert pruned.freed > before * 0.8
    assert store.size == before - pruned.freed


def test_what_the_post_run_needs_survives(store):
    old = run(1, started=_days_ago(90))
    store.write(old, saved(old, key=1))
    store.prune(DAY, now=NOW.timestamp())
    assert store.latest_pre("checkout").values == {"key": 1}


def test_retention_works_at_most_once_a_day(store):
    now = NOW.timestamp()
    assert store.retain(30 * DAY, now) is not None
    _write(store, 50, 40, 1)
    assert store.retain(30 * DAY, now + 3600) is None
    assert store.retain(30 * DAY, now + DAY).runs == 2


def test_retention_after_a_clock_that_ran_ahead_is_not_put_off_for_years(store):
    store.retain(30 * DAY, NOW.timestamp() + 3650 * DAY)
    _write(store, 50, 1)
    assert store.retain(30 * DAY, NOW.timestamp()).runs == 1
