"""The outbox across crashes and between processes: each notification at least once, one id, one content, none lost."""

import contextlib
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import time
from uuid import uuid4

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from gatekeeper.alerts.delivery.owner import gone, owner
from gatekeeper.channels import Notification
from gatekeeper.plain import strict_json
from gatekeeper.store.sql import Store
from gatekeeper.store.standing import Told
from loopback import Server, answering, response
from outbox_process import STEPS
from outboxes import at, delivery, notification, queue, store
from postgres_server import Cluster, postgres

PROCESS = Path(__file__).with_name("outbox_process.py")
TWO = ("n1", "n2")


@pytest.fixture
def accepted() -> list[bytes]:
    """The requests that the server has answered, whole."""
    return []


@pytest.fixture
def port(accepted: list[bytes]) -> Iterator[int]:
    with Server(answering(response(), seen=accepted)) as server:
        yield server.port


class Place(Struct, frozen=True):
    """Where an outbox is, and a folder beside it."""

    url: str
    folder: Path

    def open(self) -> Store:
        return at(self.url, self.folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=[pytest.mark.real, pytest.mark.heavy])])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty outbox in a file, or on a server."""
    if request.param == "sqlite":
        return Place(str(tmp_path / "history.db"), tmp_path)
    psycopg = pytest.importorskip("psycopg")
    running = request.getfixturevalue("cluster")
    database = f"outbox_{uuid4().hex}"
    with psycopg.connect(running.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}")
    return Place(running.url_of(database=database), tmp_path)


def command(place: Place, port: int, *arguments: str) -> list[str]:
    return [sys.executable, str(PROCESS), place.url, str(place.folder), str(port), *arguments]


def run(place: Place, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(place, port, *arguments), capture_output=True, text=True, timeout=60, check=False
    )


def bodies(requests: list[bytes]) -> dict[str, list[bytes]]:
    """What was accepted, by id; a request that was cut off is none."""
    found: dict[str, list[bytes]] = {}
    for request in requests:
        body = request.partition(b"\r\n\r\n")[2]
        with contextlib.suppress(json.JSONDecodeError):
            found.setdefault(json.loads(body)["id"], []).append(body)
    return found


BEFORE_SENDING = STEPS[: STEPS.index("sent")]
RECORDED = STEPS[STEPS.index("settled") :]


@pytest.mark.parametrize("step", STEPS)
def test_a_process_that_is_killed_at_any_step_loses_nothing(
    place: Place, port: int, accepted: list[bytes], step: str
) -> None:
    """The second process does the first one's work again, as a run does: what it queues it queues under the same id."""
    killed = run(place, port, "--die", step, "--queue", *TWO)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = run(place, port, "--queue", *TWO)
    assert again.returncode == 0, again.stderr
    found = bodies(accepted)
    assert {identity: set(each) for identity, each in found.items()} == {
        identity: {strict_json(notification(identity))} for identity in TWO
    }
    once = dict.fromkeys(TWO, 1)
    counts = {identity: len(each) for identity, each in found.items()}
    assert counts == once if step in (*BEFORE_SENDING, *RECORDED) else sum(counts.values()) in (2, 3)
    with place.open() as outbox:
        assert {each.state for each in outbox.deliveries()} == {"delivered"}


def test_what_was_accepted_and_not_recorded_is_repeated_with_the_same_id(
    place: Place, port: int, accepted: list[bytes]
) -> None:
    run(place, port, "--die", "accepted", "--queue", "n1")
    run(place, port)
    assert bodies(accepted) == {"n1": [strict_json(notification("n1"))] * 2}


def test_a_process_that_died_on_this_machine_is_not_waited_for(
    place: Place, port: int, accepted: list[bytes]
) -> None:
    run(place, port, "--die", "claimed", "--queue", "n1")
    assert run(place, port).stdout == "ops: 1 sent\n"


def test_a_process_that_lives_keeps_its_lease(place: Place, port: int, accepted: list[bytes]) -> None:
    with place.open() as outbox:
        queue(outbox, delivery("n1"))
        outbox.claim(owner(), time(), 15.0, channel="ops")
    assert run(place, port).stdout == "ops NOT sent: another process is sending, queued\n"
    assert run(place, port, "--ahead", "16").stdout == "ops: 1 sent\n"


@pytest.mark.parametrize(
    "name",
    ["", "another", "/1/x", "elsewhere/1/x", "a/b/c/d", pytest.param(f"{owner()}/9/x", id="own and more")],
)
def test_of_a_process_elsewhere_nobody_knows_whether_it_is_dead(name: str) -> None:
    assert not gone(name)
    assert not gone(owner())


def test_many_crashes_in_a_row_lose_nothing(place: Place, port: int, accepted: list[bytes]) -> None:
    names = [f"n{i}" for i in range(4)]
    for step in ("queued", "sent", "claimed", "in the settling transaction", "half sent", "accepted"):
        run(place, port, "--die", step, "--queue", *names)
    assert run(place, port, "--queue", *names).returncode == 0
    found = bodies(accepted)
    assert {identity: set(each) for identity, each in found.items()} == {
        identity: {strict_json(notification(identity))} for identity in names
    }


def test_processes_that_deliver_at_once_deliver_each_notification_once(
    place: Place, port: int, accepted: list[bytes]
) -> None:
    names = [f"n{i}" for i in range(40)]
    with place.open() as outbox:
        queue(outbox, *(delivery(name, group=name) for name in names))
    started = [
        subprocess.Popen(
            command(place, port, "--wait"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in started:
            process.communicate(timeout=60)
    finally:
        for process in started:
            process.kill()
            process.communicate()
    assert [process.returncode for process in started] == [0, 0, 0]
    assert Counter({identity: len(each) for identity, each in bodies(accepted).items()}) == Counter(names)


# -- what the store promises -------------------------------------------------------------------------------------------


def test_what_is_queued_twice_stays_as_it_was(place: Place) -> None:
    with place.open() as outbox:
        first = delivery("n1", now=100.0)
        queue(outbox, first)
        queue(outbox, delivery("n1", group="other", now=200.0))
        assert outbox.deliveries() == [first]


def test_a_claim_is_nobody_elses_until_its_lease_ends(place: Place) -> None:
    with place.open() as one, place.open() as two:
        queue(one, delivery("n1", now=0.0))
        assert [each.id for each in one.claim("one", 100.0, 15.0, channel="ops")] == ["n1"]
        assert two.claim("two", 114.9, 15.0, channel="ops") == []
        assert [each.id for each in two.claim("two", 115.0, 15.0, channel="ops")] == ["n1"]


def test_only_the_owner_settles_but_what_is_delivered_is_delivered(place: Place) -> None:
    with place.open() as outbox:
        queue(outbox, delivery("n1", now=0.0))
        (claimed,) = outbox.claim("one", 100.0, 15.0, channel="ops")
        outbox.claim("two", 200.0, 15.0, channel="ops")
        assert not outbox.settle(replace(claimed, attempts=9, why="late"), "one")
        assert outbox.deliveries()[0].attempts == 0
        assert outbox.settle(replace(claimed, state="delivered", done=201.0), "one")
        assert not outbox.settle(replace(claimed, why="HTTP 500"), "two")
        assert outbox.deliveries()[0].state == "delivered"


def test_the_first_reference_of_a_group_stays_its_thread(place: Place) -> None:
    with place.open() as outbox:
        queue(outbox, delivery("n1", now=0.0), delivery("n2", now=0.0))
        with outbox.changing():
            outbox.put_told([Told(channel="ops", group="g", first=0.0)])
        for identity, ref in (("n1", "first"), ("n2", "second")):
            (claimed,) = outbox.claim("one", 100.0, 15.0, channel="ops")
            assert claimed.id == identity
            outbox.settle(replace(claimed, state="delivered", done=100.0, ref=ref), "one")
        told = outbox.told_of("ops", "g")
        assert told is not None
        assert told.thread == "first"
        assert [each.thread for each in outbox.told()] == ["first"]


def test_the_backlog_counts_by_channel_and_says_what_failed_most(place: Place) -> None:
    with place.open() as outbox:
        queue(
            outbox,
            delivery("n1", now=5.0),
            delivery("n2", group="h", now=9.0),
            delivery("n3", "chat", now=7.0),
        )
        (claimed,) = outbox.claim("one", 100.0, 15.0, channel="ops")
        outbox.settle(replace(claimed, attempts=3, why="HTTP 500", due=400.0), "one")
        outbox.claim("one", 100.0, 15.0, channel="ops")
        found = outbox.backlog(101.0)
        assert (found["ops"].count, found["ops"].leased, found["ops"].due, found["ops"].why) == (
            2,
            1,
            9.0,
            "HTTP 500",
        )
        assert (found["chat"].count, found["chat"].leased, found["chat"].why) == (1, 0, "")


def test_an_outbox_of_many_is_claimed_without_looking_at_all_of_it(tmp_path: Path) -> None:
    """The plan of the query reads the index in order; it sorts nothing."""
    with store(tmp_path) as outbox:
        plans: list[str] = []
        rows = outbox._rows

        def explained(sql: str, arguments: tuple[object, ...]) -> list[object]:
            plans.extend(str(row[3]) for row in rows(f"EXPLAIN QUERY PLAN {sql}", arguments))
            return rows(sql, arguments)

        outbox._rows = explained  # type: ignore[method-assign]
        outbox.claim("one", 100.0, 15.0, channel="ops")
    assert any("deliveries_queued" in step for step in plans)
    assert any("deliveries_in_order" in step for step in plans)
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in plans)


def test_a_notification_reads_back_as_it_was(place: Place) -> None:
    with place.open() as outbox:
        queue(outbox, delivery("n1"))
        (found,) = outbox.deliveries()
    assert msgspec.json.decode(found.document, type=Notification) == notification("n1")
