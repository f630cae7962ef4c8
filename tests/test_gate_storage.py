"""`pre.storage`: folders that can't be used, file systems that are full or read-only, databases that grew."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gatekeeper import UsageError, facts
from gatekeeper.disks import Disk
from gatekeeper.testing import GateResult, run_gate
from gatekeeper_gates import _write_probe
from gatekeeper_gates.storage import storage

MB = 10**6


def check(root: Path, **settings: Any) -> GateResult:
    return run_gate(storage, settings, root=root)


def on_path(root: Path, path: str = ".", **settings: Any) -> GateResult:
    return check(root, paths=[{"path": path, **settings}])


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what file system every path lies on."""

    def pretend(**changes: Any) -> None:
        usual: dict[str, Any] = {
            "mount": "/data",
            "filesystem": "ext4",
            "total": 100_000 * MB,
            "free": 50_000 * MB,
            "inodes": 1000,
            "inodes_free": 500,
            "read_only": False,
        }
        monkeypatch.setattr(facts, "disk", lambda path: Disk(path=str(path), **{**usual, **changes}))

    return pretend


# -- folders -------------------------------------------------------------------------------------------------


def test_without_settings_the_project_and_the_temporary_folder_are_tried(tmp_path: Path) -> None:
    result = check(tmp_path)
    names = [finding.name for finding in result.result.findings]
    assert result.status in ("pass", "warn"), result.reason
    assert f"write {tmp_path}" in names
    assert sum(name.startswith("write ") for name in names) == 2


def test_the_state_folder_is_tried_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / ".gatekeeper").mkdir()
    assert check(tmp_path).finding(f"write {tmp_path / '.gatekeeper'}").status == "pass"


def test_a_project_that_may_only_be_read_is_no_failure_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = os.access
    refuse = lambda path, mode, **more: not mode & os.W_OK and allowed(path, mode)  # noqa: E731
    monkeypatch.setattr(os, "access", refuse)
    assert check(tmp_path).finding(f"folder {tmp_path}").status == "pass"


def test_nothing_is_left_and_nothing_is_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    assert on_path(tmp_path, write_size="2.5MB").status in ("pass", "warn")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_missing_folder_fails_and_is_not_made(tmp_path: Path) -> None:
    finding = on_path(tmp_path, "later").finding("folder later")
    assert (finding.status, finding.message) == ("fail", "later: does not exist")
    assert finding.hint == f"mkdir -p {tmp_path}/later"
    assert not (tmp_path / "later").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert on_path(tmp_path, "file").reason == "file is not a folder"
    assert "not a folder" in on_path(tmp_path, "file/below").reason


def test_hints_can_be_pasted_whatever_the_folder_is_called(tmp_path: Path) -> None:
    hint = on_path(tmp_path, "a b;$(reboot)").finding("folder a b;$(reboot)").hint
    assert hint == f"mkdir -p '{tmp_path}/a b;$(reboot)'"


def test_every_path_is_checked_though_the_first_one_fails(tmp_path: Path) -> None:
    result = check(tmp_path, paths=[{"path": "missing"}, {"path": "."}])
    assert result.status == "fail"
    assert result.finding("write .").status == "pass"


AS_NOBODY = """
import json, os, sys
from gatekeeper.testing import run_gate
from gatekeeper_gates.storage import storage
import tempfile, random, glob, shlex, gatekeeper.plugins
os.setgid(65534); os.setuid(65534)
result = run_gate(storage, json.loads(sys.argv[2]), root=sys.argv[1])
print(json.dumps([[f.name, f.status, f.message] for f in result.result.findings]))
"""


def findings_of(script: str, *arguments: str, before: tuple[str, ...] = ()) -> list[list[str]]:
    done = subprocess.run(
        [*before, sys.executable, "-c", dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody with fewer rights")
def test_permissions_are_those_of_the_user_that_runs(tmp_path: Path) -> None:
    for parent in [tmp_path, *tmp_path.parents]:
        if parent.stat().st_mode & 0o001 == 0:
            if parent.stat().st_uid != os.geteuid() or "pytest" not in str(parent):
                pytest.skip(f"{parent} can't be searched by others")
            parent.chmod(parent.stat().st_mode | 0o011)
    for name, mode in (("readable", 0o755), ("closed", 0o700)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    paths = [
        {"path": "readable", "mode": "r"},
        {"path": "readable"},
        {"path": "closed"},
        {"path": "closed/x"},
    ]
    found = findings_of(AS_NOBODY, str(tmp_path), json.dumps({"paths": paths}))
    assert [(name, status) for name, status, _ in found] == [
        ("folder readable", "pass"),
        ("folder readable", "fail"),
        ("folder closed", "fail"),
        ("folder closed/x", "fail"),
    ]
    assert "may not be written by this user (uid 65534, gid 65534)" in found[1][2]
    assert "may not be read and written" in found[2][2]
    assert "Permission denied" in found[3][2]


# -- write, flush, read back ---------------------------------------------------------------------------------


def test_the_time_of_a_write_has_a_budget(tmp_path: Path) -> None:
    assert on_path(tmp_path, write_time={"warn": "1ns"}).finding("write .").status == "warn"
    finding = on_path(tmp_path, write_time="1ns").finding("write .")
    assert (finding.status, finding.unit, finding.limit) == ("fail", "s", 1e-9)
    assert {"write_s", "read_s", "bytes"} <= finding.evidence.keys()
    assert "iostat" in finding.hint


def test_nothing_is_written_where_that_is_not_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("wrote")

    monkeypatch.setattr(_write_probe, "written_and_read", never)
    assert on_path(tmp_path, write=False).status in ("pass", "warn")
    assert on_path(tmp_path, mode="r").status == "pass"


REFUSALS = {
    errno.ENOSPC: ("no space left on ", "du -xh --max-depth=2 "),
    errno.EDQUOT: ("quota of this user", "quota -s"),
    errno.EROFS: ("mounted read-only", "findmnt -T "),
    errno.EIO: ("Input/output error", "namei"),
}


@pytest.mark.parametrize("number", REFUSALS)
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_what_the_system_refuses_is_a_failure_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    words, hint = REFUSALS[number]

    def refuse(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, refuse)
    finding = on_path(tmp_path).finding("write .")
    assert finding.status == "fail"
    assert words in finding.message
    assert hint in finding.hint
    assert finding.evidence["errno"] == number
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_back_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: b"\0" + read(descriptor, size)[1:])
    finding = on_path(tmp_path).finding("write .")
    assert finding.status == "fail"
    assert "not what was written" in finding.message


def test_a_file_that_comes_back_shorter_is_not_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "read", lambda descriptor, size: b"")
    assert on_path(tmp_path).finding("write .").status == "fail"


def test_a_system_that_takes_and_gives_a_little_at_a_time_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, read = os.write, os.read
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:70_000]))
    monkeypatch.setattr(os, "read", lambda descriptor, size: read(descriptor, min(size, 30_000)))
    assert on_path(tmp_path, write_size="2MB").finding("write .").status == "pass"


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    size=st.one_of(
        st.integers(0, 5000), st.integers((1 << 20) - 2, (1 << 20) + 2), st.just(3 * (1 << 20) + 1)
    )
)
def test_any_size_is_written_and_read_back_whole(tmp_path: Path, size: int) -> None:
    _, same = _write_probe.written_and_read(tmp_path, size)
    assert same
    assert list(tmp_path.iterdir()) == []


def test_a_disk_is_not_filled_up_for_the_sake_of_a_check(tmp_path: Path, disk: Callable[..., None]) -> None:
    disk(free=5 * MB)
    finding = on_path(tmp_path, write_size="6MB").finding("write .")
    assert (finding.status, finding.message) == ("fail", ".: 6 MB don't fit on /data, which has 5 MB left")


def test_a_process_that_is_killed_while_it_writes_leaves_no_file(tmp_path: Path) -> None:
    script = """
        import os, signal, sys
        from pathlib import Path
        from gatekeeper_gates import _write_probe
        os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
        _write_probe.written_and_read(Path(sys.argv[1]), 1000)
    """
    done = subprocess.run([sys.executable, "-c", dedent(script), str(tmp_path)], timeout=60, check=False)
    assert done.returncode == -9
    assert list(tmp_path.iterdir()) == []


# -- real file systems that are full or read-only ------------------------------------------------------------

IN_NAMESPACE = """
import json, subprocess, sys
from pathlib import Path
from gatekeeper.testing import run_gate
from gatekeeper_gates.storage import storage
place, options, content, after, settings = sys.argv[1:6]
subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=True)
for number in range(int(content)):
    try:
        Path(place, f"f{number}").write_bytes(b"x" * 4096)
    except OSError:
        break
if after:
    subprocess.run(["mount", "-o", after, place], check=True)
result = run_gate(storage, {"paths": [{"path": place, **json.loads(settings)}]}, root=place)
print(json.dumps([[f.name.split()[0], f.status, f.message] for f in result.result.findings]))
"""


def in_namespace(
    place: Path, options: str, *, files: int = 0, remount: str = "", **settings: Any
) -> list[list[str]]:
    """The gate's findings about a small file system, which only a process in a namespace of its own sees."""
    unshare = shutil.which("unshare")
    private = ("unshare", "--user", "--map-root-user", "--mount")
    if unshare is None or subprocess.run([*private, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs unshare (Debian package util-linux) and user namespaces")
    arguments = [str(place), options, str(files), remount, json.dumps(settings)]
    return findings_of(IN_NAMESPACE, *arguments, before=private)


def test_a_full_file_system_fails_with_what_is_left(tmp_path: Path) -> None:
    found = in_namespace(tmp_path, "size=64k", files=100, write_size="1kB")
    assert [name for name, status, _ in found if status == "fail"] == ["write", "free"]
    assert "don't fit on" in found[1][2]


def test_a_file_system_without_inodes_left_says_so(tmp_path: Path) -> None:
    found = in_namespace(tmp_path, "size=10m,nr_inodes=20", files=100, write_size="1kB")
    messages = {name: message for name, status, message in found if status == "fail"}
    assert f"no file can be made: all 20 inodes of {tmp_path} are in use" in messages["write"]
    assert f"0 of 20 inodes free on {tmp_path}" in messages["inodes"]


def test_a_read_only_file_system_fails_where_writing_is_wanted(tmp_path: Path) -> None:
    found = in_namespace(tmp_path, "size=1m", remount="remount,ro")
    assert [(name, status) for name, status, _ in found] == [("folder", "fail")]
    assert f"mounted read-only (tmpfs at {tmp_path})" in found[0][2]


def test_a_read_only_file_system_is_fine_where_reading_is_wanted(tmp_path: Path) -> None:
    found = in_namespace(tmp_path, "size=1m", remount="remount,ro", mode="r")
    assert [(name, status) for name, status, _ in found] == [("folder", "pass")]


def test_a_small_empty_file_system_alarms_nobody(tmp_path: Path) -> None:
    found = in_namespace(tmp_path, "size=4m")
    assert {status for _, status, _ in found} == {"pass"}


# -- room ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "free", "status"),
    [
        (10**13, 2000 * MB, "pass"),
        (10**13, 900 * MB, "warn"),
        (10**13, 90 * MB, "fail"),
        (60 * MB, 30 * MB, "pass"),
        (60 * MB, 5 * MB, "warn"),
        (60 * MB, MB, "fail"),
    ],
)
def test_the_usual_room_fits_small_and_huge_disks(
    tmp_path: Path, disk: Callable[..., None], total: int, free: int, status: str
) -> None:
    disk(total=total, free=free)
    assert on_path(tmp_path, write=False).finding("free .").status == status


def test_room_is_asked_for_in_sizes_or_shares(tmp_path: Path, disk: Callable[..., None]) -> None:
    disk(total=100 * MB, free=15 * MB)
    shares = on_path(tmp_path, free={"warn": "20%", "fail": "10%"}, write=False).finding("free .")
    assert (shares.status, shares.observed, shares.operator, shares.unit) == ("warn", 0.15, ">=", "ratio")
    assert shares.message == "free . 15 % < 20 %: 15 MB of 100 MB free on /data"
    assert shares.hint == "du -xh --max-depth=2 /data | sort -h | tail"
    assert on_path(tmp_path, free="20MB", write=False).status == "fail"
    assert on_path(tmp_path, free="15MB", write=False).status == "pass"


def test_inodes_are_asked_for_in_counts_or_shares(tmp_path: Path, disk: Callable[..., None]) -> None:
    disk(inodes=1000, inodes_free=30)
    assert on_path(tmp_path).finding("inodes .").status == "warn"
    assert on_path(tmp_path, inodes=31).status == "fail"
    assert on_path(tmp_path, inodes={"fail": 30}).status == "pass"
    assert "--inodes" in on_path(tmp_path, inodes="50%").finding("inodes .").hint


def test_file_systems_without_an_inode_table_cannot_run_out(
    tmp_path: Path, disk: Callable[..., None]
) -> None:
    disk(inodes=0, inodes_free=0, filesystem="btrfs")
    assert "inodes ." not in [finding.name for finding in on_path(tmp_path).result.findings]
    finding = on_path(tmp_path, inodes="5%").finding("inodes .")
    assert (finding.status, "can't run out" in finding.message) == ("pass", True)


def test_inodes_that_a_file_system_does_not_tell_are_unknown_where_asked_for(
    tmp_path: Path, disk: Callable[..., None]
) -> None:
    disk(inodes=0, inodes_free=0, filesystem="cifs")
    assert on_path(tmp_path).status == "pass"
    assert on_path(tmp_path, inodes="5%").status == "unknown"


def test_a_size_that_a_file_system_does_not_tell_is_unknown_where_asked_for(
    tmp_path: Path, disk: Callable[..., None]
) -> None:
    disk(total=0, free=0, filesystem="fuse.x")
    assert on_path(tmp_path).status == "pass"
    assert on_path(tmp_path, free="5%").status == "unknown"


# -- databases -----------------------------------------------------------------------------------------------


def test_a_database_counts_with_its_journals(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "app.db") as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("create table t (x)")
        connection.executemany("insert into t values (?)", [("x" * 1000,)] * 50)
        connection.commit()
        size = sum(path.stat().st_size for path in tmp_path.iterdir())
        assert len([*tmp_path.iterdir()]) == 3
        finding = check(
            tmp_path, databases=[{"path": "app.db", "size": {"warn": "10kB", "fail": "1GB"}}]
        ).finding("database app.db")
    connection.close()
    assert (finding.status, finding.observed, finding.n, finding.unit) == ("warn", size, 3, "B")
    assert "VACUUM" in finding.hint


def test_a_glob_and_a_folder_are_summed(tmp_path: Path) -> None:
    (tmp_path / "data/deep").mkdir(parents=True)
    (tmp_path / "data/a.db").write_bytes(b"x" * 300)
    (tmp_path / "data/b.db").write_bytes(b"x" * 200)
    (tmp_path / "data/deep/c.db").write_bytes(b"x" * 100)
    for path, size, n in (("data/*.db", 500, 2), ("data/**/*.db", 600, 3), ("data", 600, 1)):
        finding = check(tmp_path, databases=[{"path": path, "size": "550B"}]).finding(f"database {path}")
        assert (finding.observed, finding.n) == (size, n)
        assert finding.status == ("pass" if size <= 550 else "fail")


def test_a_missing_database_fails_unless_it_may_be_missing(tmp_path: Path) -> None:
    missing = check(tmp_path, databases=[{"path": "x.db", "size": "1MB"}])
    assert (missing.status, missing.reason) == ("fail", "no file x.db")
    optional = check(tmp_path, databases=[{"path": "x.db", "required": False}])
    assert optional.finding("database x.db").status == "skip"


def test_a_dangling_link_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").symlink_to(tmp_path / "gone")
    assert check(tmp_path, databases=[{"path": "x.db"}]).status == "fail"


# -- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"paths": [{}]}, 'missing key "path"'),
        ({"paths": [{"path": " "}]}, "path is empty"),
        ({"paths": [{"path": "a\0b"}]}, "null character"),
        ({"paths": [{"path": ".", "mode": "rwx"}]}, "rwx"),
        ({"paths": [{"path": ".", "free": "5s"}]}, "free takes a size or a percentage"),
        ({"paths": [{"path": ".", "free": 5}]}, "free takes a size or a percentage"),
        ({"paths": [{"path": ".", "free": {"warn": "1GB", "fail": "2GB"}}]}, "impossible pair"),
        ({"paths": [{"path": ".", "inodes": "5GB"}]}, "inodes takes a bare number or a percentage"),
        ({"paths": [{"path": ".", "mode": "r", "write_time": "1s"}]}, "write_time needs mode"),
        ({"paths": [{"path": ".", "fre": "1GB"}]}, "free"),
        ({"databases": [{"path": "x", "size": "5%"}]}, "size takes a size"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_their_name(
    tmp_path: Path, settings: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UsageError, match=expected):
        check(tmp_path, **settings)
