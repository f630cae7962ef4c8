"""Names, addresses and connections."""

import queue
import socket
import threading
import time
from typing import Any, Literal, TypeAlias

from msgspec import Struct

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


def connect(host: str, port: int, *, within: float, family: Family = "any") -> Connected:
    """Make a TCP connection and close it again.

    The addresses of a name share the time, so that a dead one can't take it all.

    Raises:
        ProbeError: kind `dns`, `refused`, `unreachable` or `timeout`.
    """
    deadline = Deadline(within)
    started = time.perf_counter()
    addresses = lookup(host, port, deadline, family)
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


def dial(host: str, port: int, deadline: Deadline, family: Family = "any") -> tuple[socket.socket, str]:
    """A connected socket, and the address that answered."""
    return _first(host, port, lookup(host, port, deadline, family), deadline)


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
