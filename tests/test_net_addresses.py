"""`public_only`: the very address that is connected to is public, whatever the name says. `dialed`: any protocol ends."""

import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates import Authority
from gatekeeper.net import ProbeError, connect, dialed, http
from gatekeeper.net.addresses import kind_of
from loopback import Server, answering, ends, flooding, free_port, hanging, response, trickling

NOT_PUBLIC = {
    "a loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "a private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
    "a carrier's private": ["100.64.0.1", "100.100.100.200", "100.127.255.255"],
    "a link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0", "febf::1"],
    "a cloud's metadata": ["169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "168.63.129.16"],
    "a unique local (private)": ["fc00::1", "fd12:3456::1"],
    "a site-local (private)": ["fec0::1"],
    "an unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "a multicast": ["224.0.0.1", "239.255.255.255", "ff02::1"],
    "a benchmark": ["198.18.0.1"],
    "a documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "a reserved": [
        "240.0.0.1",
        "255.255.255.255",
        "192.0.0.192",
        "2001:0:1::1",
        "4000::1",
        "100::1",
        "64:ff9b:1::1",
    ],
}
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "172.32.0.1",
    "100.128.0.1",
    "169.253.0.1",
    "2606:4700:4700::1111",
    "2a00:1450::1",
]

v4 = st.ip_addresses(v=4)


@pytest.mark.parametrize(("kind", "address"), [(k, a) for k, found in NOT_PUBLIC.items() for a in found])
def test_an_address_that_is_not_public_is_named_by_its_kind(kind: str, address: str) -> None:
    assert kind_of(address) == kind


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_has_no_kind(address: str) -> None:
    assert kind_of(address) == ""


def carried(address: ipaddress.IPv4Address) -> list[ipaddress.IPv6Address]:
    """The IPv6 addresses that carry an IPv4 one: mapped, compatible, translated, NAT64, 6to4."""
    number = int(address)
    starts = ("::ffff:0:0", "::", "::ffff:0:0:0", "64:ff9b::")
    found = [ipaddress.IPv6Address(int(ipaddress.IPv6Address(start)) + number) for start in starts]
    return [*found, ipaddress.IPv6Address((0x2002 << 112) | number << 80 | 1)]


@given(v4)
def test_an_address_that_carries_another_is_judged_by_that(address: ipaddress.IPv4Address) -> None:
    own = ("::", "::1")  # which are addresses in their own right
    kinds = {kind_of(str(outer)) for outer in carried(address) if str(outer) not in own}
    assert kinds == {kind_of(str(address))}


@given(v4 | st.ip_addresses(v=6))
def test_nothing_is_public_that_python_knows_to_be_private(address: Any) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        known_better = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
        assert kind_of(str(address)) or known_better


@pytest.mark.parametrize("text", ["", "nonsense", "127.1", "0x7f000001", "1.2.3.4.5", ":::"])
def test_what_is_no_address_is_not_public(text: str) -> None:
    assert kind_of(text) == "an unknown"


# -- connections -------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(answering(response())) as running:
        yield running


def names(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """From now on every name has these addresses, and what is no name has its own."""
    real = socket.getaddrinfo

    def found(host: str, port: Any, *rest: Any, **more: Any) -> list[Any]:
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(host)
            return real(host, port, *rest, **more)
        return [item for address in addresses for item in real(address, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0"]
)
def test_a_loopback_server_is_not_asked_however_it_is_written(server: Server, host: str) -> None:
    with ends(2, server), pytest.raises(ProbeError) as raised:
        http(f"http://{host}:{server.port}/", within=2, public_only=True)
    assert raised.value.kind == "private"
    assert "allow_private = true" in str(raised.value)
    assert server.accepted == 0


def test_the_message_names_host_address_and_setting(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, "10.1.2.3")
    with pytest.raises(ProbeError) as raised:
        connect("hooks.example", server.port, within=2, public_only=True)
    assert str(raised.value) == (
        "hooks.example leads to 10.1.2.3, a private address, which is asked only where allow_private = true"
    )


def test_of_a_name_with_both_only_the_public_address_is_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, "127.0.0.1", "8.8.8.8")
    asked: list[Any] = []

    def refuse(sock: socket.socket, target: Any) -> None:
        asked.append(target[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ProbeError) as raised:
        http(f"http://both.example:{server.port}/", within=2, public_only=True)
    assert raised.value.kind == "refused"
    assert asked == ["8.8.8.8"]


def test_a_name_is_looked_up_once_so_that_it_cannot_change_in_between(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [["8.8.8.8"], ["127.0.0.1"]]
    asked: list[Any] = []

    def found(host: str, port: Any, *rest: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in answers.pop(0)]

    def refuse(sock: socket.socket, target: Any) -> None:
        asked.append(target[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ProbeError):
        http(f"http://rebinding.example:{server.port}/", within=2, public_only=True)
    assert (asked, len(answers)) == (["8.8.8.8"], 1)


def test_a_redirect_to_a_private_address_is_not_followed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "gatekeeper.net.sockets.kind_of", lambda address: "" if address == "127.0.0.1" else "a private"
    )
    there = f"http://127.0.0.2:{server.port}/"
    with Server(answering(response(status="302 Found", Location=there))) as first:
        with ends(2, server, first), pytest.raises(ProbeError) as raised:
            http(f"http://127.0.0.1:{first.port}/", within=2, redirects=3, public_only=True)
        assert raised.value.kind == "private"
        assert (first.accepted, server.accepted) == (1, 0)


def test_a_proxy_is_refused_since_it_looks_names_up_by_itself(server: Server) -> None:
    with pytest.raises(ValueError, match="proxy"):
        http("http://example/", proxy=f"http://127.0.0.1:{server.port}", public_only=True)
    assert server.accepted == 0


def test_without_it_a_loopback_server_is_asked(server: Server) -> None:
    assert http(f"http://127.0.0.1:{server.port}/", within=2).status == 200
    assert connect("127.0.0.1", server.port, within=2).address == "127.0.0.1"


# -- dialed ------------------------------------------------------------------------------------------------------------


def exchange(port: int, within: float) -> bytes:
    """A protocol that waits for a whole greeting."""
    with dialed("127.0.0.1", port, within=within) as (sock, deadline):
        deadline.doing = "waiting for the greeting"
        sock.sendall(b"HELO\r\n\r\n")
        greeting = b""
        while not greeting.endswith(b"bye"):
            piece = sock.recv(4096)
            if not piece:
                raise ConnectionError("closed in the greeting")
            greeting += piece
        return greeting


@pytest.mark.parametrize("handler", [hanging(), hanging(b"2"), trickling(b"2", b"x"), flooding(b"2")])
def test_a_protocol_of_its_own_ends_by_the_deadline_whatever_the_server_does(handler: Any) -> None:
    with Server(handler) as server:
        with ends(0.4, server), pytest.raises(ProbeError) as raised:
            exchange(server.port, 0.4)
        assert raised.value.kind == "timeout"
        assert "waiting for the greeting" in str(raised.value)


def flood(port: int) -> None:
    with dialed("127.0.0.1", port, within=0.4) as (sock, _):
        while True:
            sock.sendall(b"x" * 1_000_000)


def greet(port: int, trust: ssl.SSLContext) -> None:
    with dialed("127.0.0.1", port, within=0.4) as (sock, _):
        trust.wrap_socket(sock, server_hostname="localhost")


def test_sending_to_a_server_that_never_reads_ends_too() -> None:
    with Server(hanging()) as server:
        with ends(0.4, server), pytest.raises(ProbeError) as raised:
            flood(server.port)
        assert raised.value.kind == "timeout"


def test_a_handshake_begun_on_the_connection_ends_too(tmp_path: Path) -> None:
    trust = ssl.create_default_context(cafile=str(Authority(tmp_path).file))
    with Server(hanging()) as server:
        with ends(0.4, server), pytest.raises(ProbeError) as raised:
            greet(server.port, trust)
        assert raised.value.kind == "timeout"


def test_a_connection_that_works_is_given_and_closed() -> None:
    with Server(answering(b"220 hello bye")) as server, ends(2, server):
        assert exchange(server.port, 2) == b"220 hello bye"


def test_what_goes_wrong_in_time_is_the_blocks_own_error() -> None:
    with (
        Server(answering(b"220 hel")) as server,
        ends(2, server),
        pytest.raises(ConnectionError, match="greeting"),
    ):
        exchange(server.port, 2)


def test_a_port_that_nobody_listens_on_is_refused() -> None:
    with pytest.raises(ProbeError) as raised, dialed("127.0.0.1", free_port(), within=2):
        pass
    assert raised.value.kind == "refused"


def test_dialling_asks_public_addresses_only_where_that_is_asked() -> None:
    with Server(answering(b"220")) as server:
        with (
            pytest.raises(ProbeError) as raised,
            dialed("127.0.0.1", server.port, within=2, public_only=True),
        ):
            pass
        assert raised.value.kind == "private"
        assert server.accepted == 0
