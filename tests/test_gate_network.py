"""`pre.network`: targets that answer, that don't, that are slow; and nothing else is ever contacted."""

import itertools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates import Authority
from gatekeeper import UsageError
from gatekeeper.net import Connected, connect
from gatekeeper.testing import GateResult, run_gate
from gatekeeper_gates.network import _compared, network
from loopback import Server, ends, free_port, hanging, trickling

WITHIN = "400ms"


def ask(kind: str, *targets: dict[str, Any]) -> GateResult:
    return run_gate(network, {kind: list(targets)})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def full() -> Iterator[int]:
    """A port whose queue is full: it neither accepts nor refuses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for filler in fillers:
            filler.close()


class TestConfiguration:
    def test_without_any_it_skips_and_contacts_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def forbidden(*_: object, **__: object) -> None:
            raise AssertionError("contacted somebody")

        monkeypatch.setattr(socket, "getaddrinfo", forbidden)
        monkeypatch.setattr(socket.socket, "connect", forbidden)
        result = run_gate(network)
        assert result.status == "skip"
        assert "[[gates.network.tcp]]" in result.reason

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"tcp": [{"host": "h"}]}, 'missing key "port"'),
            ({"tcp": [{"host": "h", "port": 0}]}, "1 to 65535"),
            ({"tcp": [{"host": "", "port": 1}]}, "host"),
            ({"tcp": [{"host": "h", "port": 1, "connects": 0}]}, "1 to 100"),
            ({"tcp": [{"host": "h", "port": 1, "latency": "5MB"}]}, "duration"),
            ({"tcp": [{"host": "h", "port": 1, "ip": "v5"}]}, "v5"),
            ({"tcp": [{"host": "h", "port": 1}, {"host": "h", "port": 1}]}, "a name of its own"),
            ({"dns": [{"host": "h", "expect": ["not-an-address"]}]}, "no address"),
            ({"dns": [{"host": "h", "within": "0s"}]}, "more than 0"),
            ({"tsl": []}, "Did you mean 'tls'"),
        ],
    )
    def test_what_is_wrong_is_told_before_anything_runs(self, settings: dict[str, Any], words: str) -> None:
        with pytest.raises(UsageError) as caught:
            run_gate(network, settings)
        assert words in str(caught.value)

    def test_all_are_asked_side_by_side(self, full: int) -> None:
        targets = [
            {"name": str(number), "host": "127.0.0.1", "port": full, "within": WITHIN} for number in range(8)
        ]
        with ends(0.4):
            result = ask("tcp", *targets)
        assert [finding.observed for finding in result.result.findings] == ["timeout"] * 8


class TestTcp:
    def test_the_latency_is_a_median_and_says_which_address_answered(self) -> None:
        with Server(hanging()) as server, ends(2, server):
            result = ask("tcp", {"name": "db", "host": "localhost", "port": server.port, "connects": 5})
        assert result.status == "pass"
        assert result.finding("tcp db").observed == 5
        latency = result.finding("tcp db latency")
        assert (latency.n, latency.unit, latency.operator, latency.limit) == (5, "s", "<=", 5.0)
        assert latency.observed == sorted(latency.evidence["connects_s"])[2]
        assert latency.evidence["addresses"] == ["127.0.0.1"]
        assert result.finding("tcp db lookup").observed >= 0

    def test_a_closed_port_fails_and_says_what_to_try(self) -> None:
        port = free_port()
        found = ask("tcp", {"host": "127.0.0.1", "port": port}).finding(f"tcp 127.0.0.1:{port}")
        assert (found.status, found.observed, found.limit) == ("fail", "refused", "an answer within 5 s")
        assert "nothing listens there" in found.message
        assert found.hint.startswith("nc -vz")

    def test_one_that_never_answers_ends_in_time_however_many_connects(self, full: int) -> None:
        with ends(0.4):
            result = ask("tcp", {"host": "127.0.0.1", "port": full, "within": WITHIN, "connects": 50})
        assert result.status == "fail"

    def test_one_that_dies_half_way_says_how_often_it_answered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        server, made = Server(hanging()), itertools.count()

        def counted(host: str, port: int, **options: Any) -> Connected:
            if next(made) == 3:
                server.close()
            return connect(host, port, **options)

        monkeypatch.setattr("gatekeeper.net.connect", counted)
        result = ask("tcp", {"name": "db", "host": "127.0.0.1", "port": server.port, "connects": 5})
        found = result.finding("tcp db")
        assert (found.status, found.observed, found.limit) == ("fail", 3, 5)
        assert "answered 3 of 5 times: 127.0.0.1" in found.message
        assert result.finding("tcp db latency").n == 3

    def test_latency_limits(self) -> None:
        with Server(hanging()) as server:
            target = {"name": "db", "host": "127.0.0.1", "port": server.port}
            assert ask("tcp", {**target, "latency": {"warn": "1ns"}}).status == "warn"
            assert ask("tcp", {**target, "latency": "1ns"}).status == "fail"

    def test_both_families_are_asked_each(self) -> None:
        with Server(hanging()) as server:
            result = ask("tcp", {"name": "db", "host": "127.0.0.1", "port": server.port, "ip": "both"})
        assert result.finding("tcp db v4").status == "pass"
        assert result.finding("tcp db v6").status == "fail"


class TestDns:
    def test_a_name_and_its_addresses(self) -> None:
        result = ask("dns", {"host": "localhost", "ip": "v4", "expect": ["127.0.0.0/8"]})
        assert result.status == "pass"
        assert result.finding("dns localhost").evidence["addresses"] == ["127.0.0.1"]

    def test_another_address_than_expected_fails_and_names_both(self) -> None:
        result = ask("dns", {"host": "localhost", "ip": "v4", "expect": ["10.0.0.1"]})
        found = result.finding("dns localhost addresses")
        assert found.status == "fail"
        assert found.message == "localhost lacks 10.0.0.1 and has 127.0.0.1"

    def test_a_name_that_is_none_fails(self) -> None:
        result = ask("dns", {"host": "x" * 70})
        assert result.finding(f"dns {'x' * 70}").observed == "dns"

    def test_a_resolver_that_hangs_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        over = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: over.wait(30) and [])
        started = time.monotonic()
        result = ask("dns", {"name": "slow", "host": "slow.invalid", "within": WITHIN})
        taken = time.monotonic() - started
        over.set()
        assert taken < 1.4
        assert result.finding("dns slow").observed == "timeout"

    addresses = st.lists(st.ip_addresses().map(str), min_size=1, max_size=6, unique=True)

    @given(addresses, st.data())
    def test_all_expected_and_no_others(self, found: list[str], data: st.DataObject) -> None:
        expected = data.draw(st.lists(st.sampled_from(found), min_size=1, unique=True))
        missing, foreign = _compared(tuple(found), tuple(expected))
        assert missing == []
        assert foreign == [address for address in found if address not in expected]
        assert _compared(tuple(expected), tuple(found))[0] == foreign

    @given(addresses)
    def test_a_network_stands_for_any_of_its_own(self, found: list[str]) -> None:
        everything = ("0.0.0.0/0", "::/0")
        missing, foreign = _compared(tuple(found), everything)
        assert foreign == []
        assert len(missing) < 2


class TestTls:
    def test_a_good_one_passes(self, authority: Authority) -> None:
        with Server(hanging(), tls=authority.server("localhost")) as server, ends(2, server):
            target = {"name": "api", "host": "localhost", "port": server.port, "ca_file": str(authority.file)}
            result = ask("tls", target)
        assert result.status == "pass"
        assert result.finding("tls api").evidence["version"] == "TLSv1.3"
        assert result.finding("tls api handshake").observed > 0

    def test_one_that_does_not_verify_fails(self, authority: Authority) -> None:
        with Server(hanging(), tls=authority.self_signed("localhost")) as server:
            result = ask("tls", {"name": "api", "host": "localhost", "port": server.port})
        assert result.status == "fail"
        assert "self-signed" in result.reason

    @pytest.mark.parametrize(
        "handler", [hanging(), trickling(b"", b"\x16\x03\x03\x40\x00")], ids=["hangs", "trickles"]
    )
    def test_a_handshake_without_end_ends(self, handler: Any) -> None:
        with Server(handler) as server, ends(0.4, server):
            result = ask("tls", {"host": "127.0.0.1", "port": server.port, "within": WITHIN})
        assert result.status == "fail"

    def test_a_ca_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        target = {"host": "127.0.0.1", "port": free_port(), "ca_file": str(tmp_path / "gone.pem")}
        assert "gone.pem" in ask("tls", target).reason


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = (
        "('urllib3', 'ssl', 'socket', 'subprocess', 'psutil', 'asyncio', 'statistics', 'concurrent.futures')"
    )
    code = f"import sys, gatekeeper_gates.network; print(*(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
