"""Many processes at once, and processes that die, lose nothing and break nothing."""

import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatekeeper.store import open_store
from runs import run, spilled_many

HERE = str(Path(__file__).parent)


def _start(code, *arguments):
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {HERE!r})\n{textwrap.dedent(code)}",
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _intact(url):
    """A damaged file of SQLite's is not always noticed by who reads it; PostgreSQL looks after its own."""
    if "://" in url:
        return True
    path = Path(url)
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()


RUNS_DAY = datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp()
"""Noon of the day on which the runs of `ONE_RUN` start: what is pruned must not depend on today's date."""

ONE_RUN = """
    from pathlib import Path
    from runs import run, result, saved
    from gatekeeper.store import open_store
    url, folder, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    written = run(number, result("pre.disk", "fail" if number % 2 else "pass", free=number))
    with open_store(url, create=True, folder=folder) as store:
        store.write(written, saved(written, number=number))
"""


@pytest.fixture
def folder(tmp_path):
    """The state folder."""
    return tmp_path / ".gatekeeper"


def test_fifty_first_runs_at_once_make_one_store_and_lose_nothing(url, kind, folder):
    started = [_start(ONE_RUN, url, str(folder), str(number)) for number in range(50)]
    said = [process.communicate(timeout=100)[1] for process in started]
    assert [text for text in said if text] == []
    with open_store(url, create=False) as store:
        assert sorted(row.id for row in store.runs(limit=100)) == sorted(run(n).id for n in range(50))
        assert sorted(store.values("checkout", "pre.disk", "free", 100)) == list(range(50))
        assert all(store.saved(run(n).id).values == {"number": n} for n in range(50))
    assert _intact(url)
    assert kind != "sqlite" or (folder / ".gitignore").read_text() == "*\n"


def test_pending_runs_are_taken_in_once_by_many_at_once(url, stored, folder):
    with stored():
        pass
    spilled_many(folder, range(100, 130))
    started = [_start(ONE_RUN, url, str(folder), str(number)) for number in range(8)]
    said = [process.communicate(timeout=100)[1] for process in started]
    assert [text for text in said if text] == []
    with open_store(url, create=False) as store:
        assert len(store.runs(limit=100)) == 38
        assert len(store.results("checkout", "pre.disk", 100)) == 38
    assert list((folder / "pending").iterdir()) == []


MANY_RUNS = """
    from pathlib import Path
    from runs import run, result, saved
    from gatekeeper.store import open_store
    url, first = sys.argv[1], int(sys.argv[2])
    for number in range(first, first + 100_000):
        written = run(number, *(result(f"pre.g{i}", free=number) for i in range(20)))
        with open_store(url, create=True) as store:
            store.write(written, saved(written, number=number))
        print(number, flush=True)
"""


@pytest.mark.parametrize("attempt", range(5))
def test_a_writer_that_is_killed_loses_at_most_the_run_it_was_writing(url, attempt):
    process = _start(MANY_RUNS, url, "1")
    process.stdout.readline()
    time.sleep(random.uniform(0.01, 0.15))
    process.send_signal(signal.SIGKILL)
    announced = [1, *map(int, process.stdout.read().split())]
    process.communicate()
    with open_store(url, create=False) as store:
        rows = store.runs(limit=100_000)
        assert len(rows) in (len(announced), len(announced) + 1)
        assert [row.id for row in reversed(rows)][: len(announced)] == [run(n).id for n in announced]
        assert all(len(store.run(row.id).results) == 20 for row in rows)
        assert len(store.values("checkout", "pre.g7", "free", 100_000)) == len(rows)
        assert store.write(run(0)).recorded
    assert _intact(url)


READER = """
    from gatekeeper.store.history import History
    for _ in range(60):
        history = History(sys.argv[1], "checkout", "r")
        values = history.values("pre.g7", "free", 50)
        assert values == sorted(values), values
        assert not history.problem, history.problem
"""


def test_readers_and_a_writer_do_not_disturb_each_other(url):
    writer = _start(MANY_RUNS, url, "1")
    writer.stdout.readline()
    said = [reader.communicate(timeout=60)[1] for reader in [_start(READER, url) for _ in range(3)]]
    writer.kill()
    _, errors = writer.communicate()
    assert [*said, errors] == ["", "", "", ""]
    assert _intact(url)


def test_pruning_while_others_write_loses_no_new_run(url, stored, folder):
    with stored() as store:
        for number in range(100):
            store.write(run(number, started="2020-01-01T00:00:00Z"))
        started = [_start(ONE_RUN, url, str(folder), str(number)) for number in range(200, 210)]
        pruned = sum(store.prune(86_400, keep_last=0, now=RUNS_DAY).runs for _ in range(20))
        said = [process.communicate(timeout=60)[1] for process in started]
        assert [text for text in said if text] == []
        assert pruned == 100
        assert sorted(row.id for row in store.runs()) == sorted(run(n).id for n in range(200, 210))
    assert _intact(url)


JUDGED_RUN = """
    from pathlib import Path
    from runs import run
    from gatekeeper.store import open_store
    from gatekeeper.store.standing import Told

    def judge(store, runs):
        counted = {told.group: told for told in store.told()}
        for each in runs:
            seen = counted.get("seen", Told(channel="c", group="seen", first=0.0, at=0.0))
            alerts = {**seen.alerts, each.id: "told"}
            counted["seen"] = Told(channel="c", group="seen", first=0.0, at=seen.at + 1, alerts=alerts)
        store.put_told(counted.values())

    with open_store(sys.argv[1], create=True) as store:
        store.write(run(int(sys.argv[2])), None, judge)
"""


def test_many_that_judge_at_once_see_each_run_once_and_overwrite_nothing(url):
    started = [_start(JUDGED_RUN, url, str(number)) for number in range(20)]
    said = [process.communicate(timeout=100)[1] for process in started]
    assert [text for text in said if text] == []
    with open_store(url, create=False) as store:
        (told,) = store.told()
        assert told.at == 20
        assert sorted(told.alerts) == sorted(run(n).id for n in range(20))
        assert store.unjudged() == []


CLAIMING = """
    import time
    from msgspec.structs import replace
    from gatekeeper.store import open_store
    with open_store(sys.argv[1], create=False) as store:
        while claimed := store.claim(sys.argv[2], time.time(), 60, channel="ops", limit=2):
            for each in claimed:
                print(each.id, flush=True)
                done = replace(each, state="delivered", attempts=1, done=time.time())
                assert store.settle(done, sys.argv[2])
"""


def test_replicas_that_empty_one_outbox_deliver_each_notification_once(url, stored):
    from gatekeeper.store.standing import Delivery

    wanted = [f"n{i}" for i in range(60)]
    with stored() as store, store.changing():
        store.queue(
            Delivery(id=i, channel="ops", group=i, created=1.0, due=1.0, document=b"{}") for i in wanted
        )
    started = [_start(CLAIMING, url, f"replica {number}") for number in range(4)]
    said = [process.communicate(timeout=100) for process in started]
    assert [errors for _, errors in said if errors] == []
    assert sorted(line for out, _ in said for line in out.split()) == sorted(wanted)
    with stored() as store:
        assert store.deliveries(state="queued") == []


def test_the_log_stays_short_over_many_runs(tmp_path):
    path = tmp_path / "history.db"
    sizes = []
    for number in range(200):
        with open_store(path, create=True) as store:
            store.write(run(number))
        log = path.with_name("history.db-wal")
        sizes.append(log.stat().st_size if log.exists() else 0)
    assert max(sizes) < 2_000_000
    assert sizes.count(0) < 20  # and is copied rarely
