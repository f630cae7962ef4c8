"""Names, addresses and connections."""

import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from gatekeeper.net.addresses import kind_of
from gatekeeper.net.deadline import Deadline, Kind, ProbeError
from gatekeeper.quantities import show

Address: TypeAlias = tuple[int, Any]
"""An address family and what `socket.connect` takes for it."""

Family: TypeAlias = Literal["any", "v4", "v6"]
FAMILIES = {"any": socket.AF_UNSPEC, "v4": socket.AF_INET, "v6": socket.AF_INET6}


class Connected(Struct, frozen=True):
    """A connection that was made: to which address, and how long that took.

    `lookup_s` is what resolving the name took, `connect_s` the rest, both in seconds.
    """

    address: str
    lookup_s: float
    connect_s: float


def resolve(host: str, *, within: float, family: Family = "any") -> tuple[str, ...]:
    """The addresses of a name, IPv6 and IPv4, in the order in which the system would try them.

    Raises:
        ProbeError: kind `dns`, or `timeout` after `within` seconds.
    """
    found = lookup(host, None, Deadline(within), family)
    return tuple(dict.fromkeys(text_of(address) for address in found))


def connect(
    host: str, port: int, *, within: float, family: Family = "any", public_only: bool = False
) -> Connected:
    """Make a TCP connection and close it again.

    The addresses of a name share the time, so that a dead one can't take it all. With `public_only` only its public
    ones are asked.

    Raises:
        ProbeError: kind `dns`, `refused`, `unreachable` or `timeout`; `private` where none is public that must be.
    """
    deadline = Deadline(within)
    started = time.perf_counter()
    addresses = lookup(host, port, deadline, family)
    if public_only:
        addresses = public(host, addresses)
    found = time.perf_counter()
    sock, address = _first(host, port, addresses, deadline)
    sock.close()
    return Connected(address, found - started, time.perf_counter() - found)


def lookup(host: str, port: int | None, deadline: Deadline, family: Family = "any") -> list[Address]:
    """`getaddrinfo`, which takes no timeout of its own, in a thread that is given up when time is up."""
    deadline.doing = f"resolving {host}"
    answer: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, FAMILIES[family], socket.SOCK_STREAM))
        except Exception as error:
            answer.put(error)

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    try:
        found = answer.get(timeout=deadline.left())
    except queue.Empty:
        raise deadline.error() from None
    if isinstance(found, Exception):
        # an impossible name (a label over 63 characters, a null) is a UnicodeError or a ValueError
        reason = found.strerror if isinstance(found, OSError) else str(found)
        raise ProbeError("dns", f"{host} can't be resolved: {reason}") from None
    return [(kind, address) for kind, _, _, _, address in found]


@contextmanager
def dialed(
    host: str, port: int, *, within: float, family: Family = "any", public_only: bool = False
) -> Iterator[tuple[socket.socket, Deadline]]:
    """A connection for a protocol of its own, such as SMTP's, that ends by its deadline whatever the other side does.

    Once `within` seconds (name lookup and connecting included) are over the socket is shut down, which ends whatever
    waits on it; it stays so through a TLS handshake on it. An error in the block that comes of that is the deadline's.
    `Deadline.doing` is for the block to set, for that message. The socket is closed with the block.

    Raises:
        ProbeError: kind `dns`, `refused`, `unreachable` or `timeout`; `private` where no address is public and
            `public_only` asks for one.
    """
    with Deadline(within) as deadline:
        sock, address = dial(host, port, deadline, family, public_only)
        try:
            deadline.watch(sock)
            sock.settimeout(deadline.left())
            deadline.doing = f"talking to {joined(address, port)}"
            yield sock, deadline
        except Exception as error:
            if deadline.passed and not isinstance(error, ProbeError):
                raise deadline.error() from error
            raise
        finally:
            sock.close()


def dial(
    host: str, port: int, deadline: Deadline, family: Family = "any", public_only: bool = False
) -> tuple[socket.socket, str]:
    """A connected socket, and the address that answered."""
    addresses = lookup(host, port, deadline, family)
    return _first(host, port, public(host, addresses) if public_only else addresses, deadline)


def public(host: str, addresses: list[Address]) -> list[Address]:
    """The public ones of a host's addresses. They are what is connected to: no name is looked up again.

    Raises:
        ProbeError: there is none; kind `private`.
    """
    kinds = {text_of(address): kind_of(text_of(address)) for address in addresses}
    if found := [address for address in addresses if not kinds[text_of(address)]]:
        return found
    address, kind = next(iter(kinds.items()))
    name = f"{address} is" if address == host else f"{host} leads to {address},"
    raise ProbeError("private", f"{name} {kind} address, which is asked only where allow_private = true")


def _first(host: str, port: int, addresses: list[Address], deadline: Deadline) -> tuple[socket.socket, str]:
    failures: list[ProbeError] = []
    for index, address in enumerate(addresses):
        share = deadline.left() / (len(addresses) - index)
        deadline.doing = f"connecting to {joined(text_of(address), port)}"
        try:
            return _open(address, share), text_of(address)
        except OSError as error:
            failures.append(_unconnected(error, text_of(address), port, share))
    kinds = {failure.kind for failure in failures}
    kind: Kind = kinds.pop() if len(kinds) == 1 else "unreachable"
    named = "" if host in map(text_of, addresses) else f"{host}: "
    raise ProbeError(kind, named + "; ".join(dict.fromkeys(failure.message for failure in failures)))


def _open(address: Address, within: float) -> socket.socket:
    family, target = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(within)
        sock.connect(target)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _unconnected(error: OSError, address: str, port: int, within: float) -> ProbeError:
    place = joined(address, port)
    if isinstance(error, TimeoutError):
        return ProbeError("timeout", f"no answer from {place} within {show(round(within, 2), 's')}")
    if isinstance(error, ConnectionRefusedError):
        return ProbeError("refused", f"{place} refused the connection: nothing listens there")
    return ProbeError("unreachable", f"{place} can't be reached: {error.strerror or error}")


def text_of(address: Address) -> str:
    return str(address[1][0])


def joined(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
