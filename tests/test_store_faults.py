"""Whatever is wrong with a store is one clear sentence, and no record is lost without a word."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from gatekeeper.store import StoreError, open_store, spill
from gatekeeper.store.sqlite import SqliteStore
from runs import result, run, saved, store_in


@pytest.fixture
def path(tmp_path):
    """A store with one run."""
    with store_in(tmp_path) as store:
        store.write(run(1))
    return tmp_path / ".gatekeeper" / "history.db"


def _pragma(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def _pending(path):
    return sorted((path.parent / "pending").glob("*"))


def test_a_locked_store_is_given_up_after_a_while(path):
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with SqliteStore(path, timeout=0.05) as store:
        with pytest.raises(StoreError, match="is locked by another process"):
            store.write(run(2))
        assert [row.id for row in store.runs()] == [run(1).id]  # reading goes on
    holder.close()


def test_a_full_disk_is_said_and_nothing_half_is_recorded(path):
    with open_store(path, create=False) as store:
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        large = run(2, *(result(f"pre.{os.urandom(400).hex()}", free=1) for _ in range(50)))
        with pytest.raises(StoreError, match="the disk or the quota is full"):
            store.write(large)
        assert [row.id for row in store.runs()] == [run(1).id]
        assert store.failing("checkout") == []


def test_a_file_size_limit_is_said(path):
    code = f"""
        import resource, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from runs import run, result
        from gatekeeper.store import open_store, StoreError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = open_store({str(path)!r}, create=False)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
        try:
            store.write(run(2, *(result(f"pre.g{{i}}", free=1) for i in range(900))))
        except StoreError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert "could not be read or written" in done.stdout or "is full" in done.stdout
    assert done.stderr == ""
    with open_store(path, create=False) as store:
        assert [row.id for row in store.runs()] == [run(1).id]


def test_a_store_that_may_not_be_written_is_said_and_can_still_be_read():
    """With real permissions; root, whom they don't stop, becomes nobody first."""
    folder = Path(tempfile.mkdtemp())
    try:
        with open_store(folder / "history.db", create=True) as store:
            store.write(run(1))
        folder.chmod(0o555)
        for file in folder.iterdir():
            file.chmod(0o444)
        code = f"""
            import os, sys
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            from runs import run
            from gatekeeper.store import open_store, StoreError
            from gatekeeper.store.history import History
            import gatekeeper.store.sqlite
            if os.geteuid() == 0:
                os.seteuid(65534)
            try:
                with open_store({str(folder / "history.db")!r}, create=True) as store:
                    store.write(run(2))
            except StoreError as error:
                print(error)
            history = History({str(folder / "history.db")!r}, "checkout", "r")
            print(history.statuses("pre.disk"), history.problem)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
        )
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert "is read-only for this user" in done.stdout
    assert "['pass']" in done.stdout
    assert done.stderr == ""


def test_a_folder_that_may_not_be_read_is_said():
    folder = Path(tempfile.mkdtemp())  # mode 0700
    try:
        code = f"""
            import os
            from gatekeeper.store import open_store, StoreError
            import gatekeeper.store.sqlite
            if os.geteuid() == 0:
                os.seteuid(65534)
            else:
                os.chmod({str(folder)!r}, 0)
            try:
                open_store({str(folder / "history.db")!r}, create=True)
            except StoreError as error:
                print(error)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
        )
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert "permi" in done.stdout
    assert done.stderr == ""


def test_a_file_that_is_no_database_is_said(tmp_path):
    (tmp_path / "history.db").write_bytes(b"%PDF-1.7 " * 2000)
    with pytest.raises(StoreError, match=r"is damaged or no SQLite database .* move it away"):
        open_store(tmp_path / "history.db", create=True)


def test_a_damaged_page_is_said(tmp_path):
    path = tmp_path / "history.db"
    store = SqliteStore(path, create=True)
    for number in range(40):
        store.write(run(number, *(result(f"pre.g{i}", free=i) for i in range(20))))
    store._connection.close()  # the last to close: everything is in the file itself
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = os.urandom(len(content) - 4096 * 2)
    path.write_bytes(content)
    with open_store(path, create=False) as store:
        with pytest.raises(StoreError, match="is damaged"):
            store.runs(limit=100)
        with pytest.raises(StoreError, match="is damaged"):
            store.write(run(99))


def test_a_damaged_record_is_said_with_its_run(path):
    with open_store(path, create=False) as store:
        store._connection.execute("UPDATE runs SET document = x'789c0000'")
        with pytest.raises(StoreError, match=f"the record of run {run(1).id} is damaged"):
            store.run("latest")


def test_another_programs_database_is_left_alone(tmp_path):
    path = tmp_path / "app.db"
    _pragma(path, "CREATE TABLE customers (name TEXT)")
    with pytest.raises(StoreError, match="another program's database"):
        open_store(path, create=True)
    assert sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall() == [("customers",)]


def test_an_empty_file_becomes_a_store(tmp_path):
    (tmp_path / "history.db").touch()
    with open_store(tmp_path / "history.db", create=False) as store:
        assert store.write(run(1)).recorded


def test_a_directory_in_its_place_is_said(tmp_path):
    (tmp_path / "history.db").mkdir()
    with pytest.raises(StoreError, match="is a directory; a file is needed"):
        open_store(tmp_path / "history.db", create=True)


def test_a_file_where_its_folder_should_be_is_said(tmp_path):
    (tmp_path / "state").touch()
    with pytest.raises(StoreError, match=r"can't be used: (file exists|not a directory)"):
        open_store(tmp_path / "state" / "history.db", create=True)


@pytest.mark.parametrize("replace", [False, True])
def test_a_store_that_is_removed_while_open_loses_nothing_silently(path, replace):
    with open_store(path, create=False) as store:
        shutil.rmtree(path.parent)
        if replace:
            open_store(path, create=True).close()
        with pytest.raises(StoreError, match="removed or replaced while it was open"):
            store.write(run(2))


def test_a_spilled_run_is_taken_in_once_by_the_next_write(path):
    spill(path.parent, run(2, result("pre.disk", free=2)), saved(run(2), key="value"))
    with open_store(path, create=False) as store:
        pass
    assert _pending(path) == []
    with open_store(path, create=False) as store:
        assert store.write(run(3, result("pre.disk", free=3))).taken_in == ()
        assert store.values("checkout", "pre.disk", "free") == [2, 3]
        assert store.saved(run(2).id).values == {"key": "value"}


def test_a_write_takes_in_what_was_spilled_since_the_store_was_opened(path):
    with open_store(path, create=False) as store:
        spill(path.parent, run(2))
        assert store.write(run(3)).taken_in == (run(2).id,)
        assert [row.id for row in store.runs()] == [run(3).id, run(2).id, run(1).id]


def test_a_spilled_run_that_was_recorded_after_all_is_not_recorded_twice(path):
    spill(path.parent, run(1))
    with open_store(path, create=False) as store:
        assert len(store.runs()) == 1
    assert _pending(path) == []


def test_a_spilled_run_is_still_pending_where_the_store_still_fails(path):
    spilled = spill(path.parent, run(2))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with SqliteStore(path, timeout=0.05) as store, pytest.raises(StoreError):
        store.write(run(3))
    holder.close()
    assert _pending(path) == [spilled]


def test_a_pending_file_that_cannot_be_read_is_put_aside_and_named(path):
    spilled = spill(path.parent, run(2))
    spilled.write_bytes(spilled.read_bytes()[:-20])
    with open_store(path, create=False) as store:
        written = store.write(run(3))
    assert written.recorded
    (problem,) = written.unreadable
    assert problem.startswith(str(spilled.with_suffix(".unreadable")))
    assert _pending(path) == [spilled.with_suffix(".unreadable")]


def test_a_spill_that_fails_leaves_no_half_file(tmp_path, monkeypatch):
    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        spill(tmp_path / ".gatekeeper", run(2))
    assert list((tmp_path / ".gatekeeper" / "pending").iterdir()) == []


def test_a_hostile_run_id_stays_in_the_pending_folder(tmp_path):
    from msgspec import structs

    evil = run(1)
    evil = structs.replace(evil, header=structs.replace(evil.header, id="../../etc/passwd"))
    kept = spill(tmp_path / ".gatekeeper", evil)
    assert kept.parent == tmp_path / ".gatekeeper" / "pending"
    with store_in(tmp_path) as store:
        assert store.runs()[0].id == "../../etc/passwd"
