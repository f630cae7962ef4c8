"""The channel `file`: no line lost, none mixed, none twice, whatever crashes, fills up or comes at the same time."""

import errno
import fcntl
import gzip
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from badservers import context, event, notification
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gatekeeper.channels import Delivered, Notification, Outcome, TryAgain
from gatekeeper.settings.convert import Problem, convert
from gatekeeper_channels import file
from gatekeeper_channels.file import CHANNEL, FileSettings

HERE = Path(__file__).parent


def settings(**values: Any) -> FileSettings:
    problems: list[Problem] = []
    made = convert(FileSettings, {"path": "alerts.jsonl", **values}, problems)
    assert made is not None, problems
    return made


def sent(root: Path, *told: Notification, within: float = 5.0, **values: Any) -> list[Outcome]:
    channel = CHANNEL.open(settings(**values), context(root, within=within))
    return [channel.send(each) for each in told]


def named(*names: str) -> list[Notification]:
    return [notification(event(finding=name)) for name in names]


def lines(root: Path, name: str = "alerts.jsonl") -> list[dict[str, Any]]:
    """What is in the file, the rotated ones before it, as whoever reads line by line finds it."""
    rotated = sorted(root.glob(f"{name}.*.gz"), key=lambda path: -int(path.suffixes[-2][1:]))
    content = b"".join(gzip.decompress(path.read_bytes()) for path in rotated)
    content += (root / name).read_bytes() if (root / name).exists() else b""
    return [json.loads(line) for line in content.splitlines()]


def findings(root: Path) -> list[str]:
    return [line["data"]["alert"]["finding"] for line in lines(root)]


# what is written


def test_each_event_is_one_cloudevent_on_one_line_with_its_own_id(tmp_path):
    told = notification(event(finding="a"), event("resolved", finding="b"))
    assert sent(tmp_path, told) == [Delivered()]
    first, second = lines(tmp_path)
    assert (first["type"], second["type"]) == ("dev.gatekeeper.alert.firing", "dev.gatekeeper.alert.resolved")
    assert [first["id"], second["id"]] == [each.id for each in told.events]


def test_what_was_told_again_stands_there_once(tmp_path):
    (told,) = named("a")
    again = notification(*told.events, id="77" * 16, repeat=True)
    assert sent(tmp_path, told, told, again) == [Delivered()] * 3
    assert findings(tmp_path) == ["a"]


def test_of_a_notification_that_half_is_there_only_the_rest_is_added(tmp_path):
    half, rest = event(finding="a"), event(finding="b")
    sent(tmp_path, notification(half), notification(half, rest))
    assert findings(tmp_path) == ["a", "b"]


def test_what_a_notification_stands_for_without_listing_it_has_a_line(tmp_path):
    told = notification(event(), more=7)
    sent(tmp_path, told, told)
    _, rest = lines(tmp_path)
    assert (rest["id"], rest["data"]["more"], rest["data"]["alerts"]) == (told.id, 7, [])


def test_a_test_is_marked(tmp_path):
    sent(tmp_path, notification(test=True))
    assert lines(tmp_path)[0]["test"] is True


def test_folders_on_the_way_are_made(tmp_path):
    assert sent(tmp_path, notification(), path="var/log/alerts.jsonl") == [Delivered()]
    assert len(lines(tmp_path / "var" / "log")) == 1


def test_hostile_text_stays_on_its_line(tmp_path):
    text = 'x\n{"id":"1"}\r\n\x85\u2028\ud800\x00\x1b[2J'
    sent(tmp_path, notification(event(summary=text, hint=text)))
    assert (tmp_path / "alerts.jsonl").read_bytes().count(b"\n") == 1
    assert lines(tmp_path)[0]["data"]["alert"]["summary"].startswith("x\n{")


def test_a_line_that_a_crash_left_unfinished_is_ended_first(tmp_path):
    (tmp_path / "alerts.jsonl").write_bytes(b'{"specversion":"1.0","id":"1')
    sent(tmp_path, notification())
    broken, whole = (tmp_path / "alerts.jsonl").read_bytes().splitlines()
    assert broken == b'{"specversion":"1.0","id":"1'
    assert json.loads(whole)["type"] == "dev.gatekeeper.alert.firing"


# rotation


def test_it_is_rotated_before_it_would_be_too_large(tmp_path):
    names = [f"f{number}" for number in range(8)]
    sent(tmp_path, *named(*names), max_size=2000, keep=5)
    assert findings(tmp_path) == names
    assert all(len(gzip.decompress(path.read_bytes())) <= 2000 for path in tmp_path.glob("*.gz"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "alerts.jsonl", "alerts.jsonl.1.gz", "alerts.jsonl.2.gz", "alerts.jsonl.3.gz", "alerts.jsonl.lock",
    ]  # fmt: skip


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_no_more_are_kept_than_asked_for(tmp_path, keep):
    names = [f"f{number}" for number in range(9)]
    sent(tmp_path, *named(*names), max_size=1000, keep=keep)
    assert findings(tmp_path) == names[-(keep + 1) :]


def test_those_beyond_a_smaller_number_go_with_the_next_rotation(tmp_path):
    sent(tmp_path, *named(*"abcdef"), max_size=1000, keep=4)
    sent(tmp_path, *named("g"), max_size=1000, keep=2)
    assert findings(tmp_path) == ["e", "f", "g"]


def test_a_notification_larger_than_the_file_may_be_is_written_nevertheless(tmp_path):
    told = notification(*(event(finding=f"f{number}") for number in range(5)))
    assert sent(tmp_path, *named("a"), told, max_size=1000) == [Delivered()] * 2
    assert findings(tmp_path) == ["a", "f0", "f1", "f2", "f3", "f4"]


def test_it_is_rotated_by_age(tmp_path):
    sent(tmp_path, *named("a", "b"), max_age="1h")
    assert not list(tmp_path.glob("*.gz"))
    begun = time.time() - 3700
    os.utime(tmp_path / "alerts.jsonl.lock", (begun, begun))
    sent(tmp_path, *named("c", "d"), max_age="1h")
    assert findings(tmp_path) == ["a", "b", "c", "d"]
    assert len(list(tmp_path.glob("*.gz"))) == 1


def test_nothing_new_does_not_rotate(tmp_path):
    sent(tmp_path, *named("a"), max_age="1h")
    os.utime(tmp_path / "alerts.jsonl.lock", (0, 0))
    sent(tmp_path, *named("a"), max_age="1h")
    assert not list(tmp_path.glob("*.gz"))


STEPS = ("rename", "fsync", "unlink", "open", "write", "utime", "ftruncate")


ALL_STEPS = 20
"""How many calls a rotation takes that moves two files up, with the line that is written after it."""


@contextmanager
def crashing(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[list[str]]:
    """The system ends the process at the `after`th call that changes something: nothing else is called then."""
    done: list[str] = []

    def counted(name: str) -> Any:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if len(done) >= after:
                raise KeyboardInterrupt
            done.append(name)
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patched:
        for name in STEPS:
            patched.setattr(file.os, name, counted(name))
        yield done


@pytest.mark.parametrize("moment", range(ALL_STEPS + 1))
def test_a_crash_between_any_two_steps_loses_nothing_and_tells_nothing_twice(tmp_path, monkeypatch, moment):
    """Also one of a rotation that moves older files up; what was under way is sent again, as the outbox does."""
    before, then, after = named("a", "b", "c"), named("d")[0], named("e", "f")
    sent(tmp_path, *before, max_size=1000, keep=9)
    with crashing(monkeypatch, moment) as done:
        try:
            sent(tmp_path, then, max_size=1000, keep=9)
            crashed = False
        except KeyboardInterrupt:
            crashed = True
    assert crashed == (moment < ALL_STEPS), done
    assert set(findings_and_rest(tmp_path)) >= {"a", "b", "c"}
    assert sent(tmp_path, then, *after, max_size=1000, keep=9) == [Delivered()] * 3
    assert findings(tmp_path) == ["a", "b", "c", "d", "e", "f"]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".gz"] * 5 + [".jsonl", ".lock"]


def findings_and_rest(root: Path) -> list[str]:
    """What can be found anywhere, also in files that a rotation has begun to make."""
    found = findings(root)
    for path in (root / "alerts.jsonl.1", root / "alerts.jsonl.1.gz.part"):
        if path.exists():
            content = path.read_bytes()
            try:
                content = gzip.decompress(content) if path.suffix == ".part" else content
            except (EOFError, OSError):
                continue
            found += [json.loads(line)["data"]["alert"]["finding"] for line in content.splitlines()]
    return found


@examples(max_examples=30)
@given(st.lists(st.integers(0, 12), max_size=20), st.integers(1000, 4000))
def test_whatever_comes_in_whichever_order_stands_there_once(tmp_path_factory, numbers, size):
    root = tmp_path_factory.mktemp("any")
    sent(root, *named(*map(str, numbers)), max_size=size, keep=100)
    kept = findings(root)
    assert set(kept) == set(map(str, numbers))
    assert sent(root, *named(*map(str, numbers[-1:])), max_size=size, keep=100) == [Delivered()] * len(
        numbers[-1:]
    )
    assert findings(root) == kept


# several at once

WRITER = """
    import sys
    sys.path[:0] = [{tests!r}, {here!r}]
    from test_file import named, sent
    from pathlib import Path
    me, count = sys.argv[1], int(sys.argv[2])
    outcomes = sent(Path(sys.argv[3]), *named(*(f"{{me}}-{{n}}" for n in range(count))), within=60, max_size=5000, keep=500)
    assert all(type(each).__name__ == "Delivered" for each in outcomes), outcomes
"""


def writer(root: Path, me: str, count: int) -> "subprocess.Popen[bytes]":
    code = textwrap.dedent(WRITER).format(tests=str(HERE.parent), here=str(HERE))
    return subprocess.Popen([sys.executable, "-c", code, me, str(count), str(root)], stderr=subprocess.PIPE)


def test_processes_that_append_and_rotate_at_once_lose_and_mix_nothing(tmp_path):
    writers = [writer(tmp_path, name, 40) for name in "abcd"]
    for each in writers:
        _, said = each.communicate(timeout=100)
        assert each.returncode == 0, said.decode()
    found = findings(tmp_path)
    assert sorted(found) == sorted(f"{name}-{number}" for name in "abcd" for number in range(40))
    for name in "abcd":
        assert [each for each in found if each.startswith(name)] == [
            f"{name}-{number}" for number in range(40)
        ]


def test_a_writer_that_is_killed_leaves_what_it_was_told_was_delivered(tmp_path):
    other = writer(tmp_path, "a", 100_000)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*.gz"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    other.kill()
    other.communicate(timeout=30)
    assert sent(tmp_path, *named("after"), max_size=5000, keep=500) == [Delivered()]
    whole = [line for line in all_lines(tmp_path) if line.startswith(b"{") and line.endswith(b"}")]
    found = [json.loads(line)["data"]["alert"]["finding"] for line in whole]
    count = len(found) - 1
    assert found == [*(f"a-{number}" for number in range(count)), "after"]


def all_lines(root: Path) -> list[bytes]:
    rotated = sorted(root.glob("*.gz"), key=lambda path: -int(path.suffixes[-2][1:]))
    content = b"".join(gzip.decompress(path.read_bytes()) for path in rotated)
    return (content + (root / "alerts.jsonl").read_bytes()).splitlines()


def test_a_lock_that_another_holds_costs_its_time_and_is_named(tmp_path):
    with open(tmp_path / "alerts.jsonl.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (outcome,) = sent(tmp_path, notification(), within=0.1)
    assert outcome == TryAgain("alerts.jsonl.lock is held by another process")
    assert sent(tmp_path, notification()) == [Delivered()]


# what can't be written

CROWDED: dict[str, tuple[str, str]] = {
    "a directory in its place": ("mkdir alerts.jsonl", "alerts.jsonl can't be written: Is a directory"),
    "a pipe in its place": ("mkfifo alerts.jsonl", "alerts.jsonl can't be written: it is no regular file"),
    "a file in place of its folder": ("touch logs", "logs/alerts.jsonl can't be written: logs: File exists"),
    "a directory in place of its lock": (
        "mkdir alerts.jsonl.lock",
        "alerts.jsonl can't be written: alerts.jsonl.lock: Is a directory",
    ),
}


@pytest.mark.parametrize("what", CROWDED)
def test_it_is_tried_again_and_named(what, tmp_path):
    command, why = CROWDED[what]
    subprocess.run(command.split(), cwd=tmp_path, check=True)
    (outcome,) = sent(tmp_path, notification(), path=why.split(" ")[0])
    assert outcome == TryAgain(why)


def test_a_rotation_that_can_not_be_is_named_and_nothing_is_lost(tmp_path):
    (tmp_path / "alerts.jsonl.1").mkdir()
    (tmp_path / "alerts.jsonl.1" / "x").touch()
    (outcome,) = sent(tmp_path, *named("a"))
    assert isinstance(outcome, TryAgain)
    assert "alerts.jsonl.1: " in outcome.why
    assert not (tmp_path / "alerts.jsonl").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_nobody_may_write_is_named(tmp_path):
    tmp_path.chmod(0o500)
    (outcome,) = sent(tmp_path, notification())
    assert isinstance(outcome, TryAgain)
    assert "Permission denied" in outcome.why


def test_a_full_disk_takes_no_half_line(tmp_path):
    """A limit on the size of files fails a write in its middle, as a full disk does."""
    sent(tmp_path, *named("a"))
    size = (tmp_path / "alerts.jsonl").stat().st_size
    code = textwrap.dedent(f"""
        import resource, sys
        sys.path[:0] = [{str(HERE.parent)!r}, {str(HERE)!r}]
        from test_file import named, sent
        from pathlib import Path
        resource.setrlimit(resource.RLIMIT_FSIZE, ({size} + 100, {size} + 100))
        print(sent(Path(sys.argv[1]), *named("b"))[0].why)
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == f"alerts.jsonl can't be written: {os.strerror(errno.EFBIG)}"
    assert (tmp_path / "alerts.jsonl").stat().st_size == size
    sent(tmp_path, *named("b"))
    assert findings(tmp_path) == ["a", "b"]


def test_a_symbolic_link_leads_to_the_file_that_is_rotated(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "alerts.jsonl").symlink_to("elsewhere/real.jsonl")
    sent(tmp_path, *named("a", "b"), max_size=1000)
    assert (tmp_path / "alerts.jsonl").is_symlink()
    assert len(lines(tmp_path / "elsewhere", "real.jsonl")) == 2


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"path": ""}, "expected the path of a file"),
    ({"path": "logs/"}, "expected the path of a file"),
    ({"path": ".."}, "expected the path of a file"),
    ({"path": "a\0b"}, "expected the path of a file"),
    ({"max_size": "10B"}, "expected 1 kB to 100 MB"),
    ({"max_size": "1GB"}, "expected 1 kB to 100 MB"),
    ({"max_age": "0s"}, "expected 1 s or more"),
    ({"keep": -1}, ""),
]


@pytest.mark.parametrize(("values", "reason"), WRONG)
def test_settings_that_can_not_work_are_refused(values, reason):
    problems: list[Problem] = []
    convert(FileSettings, {"path": "alerts.jsonl"} | values, problems)
    assert problems
    assert reason in problems[0].message
