"""A connection to PostgreSQL in which nothing takes longer than it may.

psycopg's own time-outs are per host and in whole seconds for connecting, and none for an answer that never comes: of a
server that is frozen, of a network that drops everything. The server's own (`statement_timeout`) need a server that
still works. So the connection is made here through `psycopg.pq`, without blocking, and every wait has an end.
"""

import select
import time
from collections.abc import Generator
from hashlib import sha256
from typing import Any, TypeVar

import psycopg
from psycopg import pq
from psycopg.adapt import Dumper, Loader
from psycopg.conninfo import make_conninfo

from gatekeeper.errors import UsageError
from gatekeeper.net import ProbeError, resolve
from gatekeeper.store.address import Address
from gatekeeper.store.errors import StoreError

T = TypeVar("T")

NUL = "\ufdd0".encode()
"""PostgreSQL's texts can't hold a NUL: this code point, which is no character, stands for it."""

LONGEST = 1_200
"""Bytes of a text: two of them, as in the keys of results, must fit into 2,704, the most that an index takes."""


class Text(Dumper):
    """Texts as columns have them, names and words: of one that is too long its beginning, and its hash."""

    def dump(self, obj: str) -> bytes:
        data = obj.encode("utf-8", "backslashreplace").replace(b"\0", NUL)
        if len(data) <= LONGEST:
            return data
        beginning = data[: LONGEST - 70].decode("utf-8", "ignore").encode()
        return beginning + "…".encode() + sha256(data).hexdigest().encode()


class TextLoader(Loader):
    def load(self, data: pq.abc.Buffer) -> str:
        return bytes(data).replace(NUL, b"\0").decode()


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that raises TimeoutError where an answer takes longer than `patience` seconds.

    It can't be used afterwards: nobody knows what the server has done.
    """

    patience: float = 10.0

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        return super().wait(_within(gen, self.patience), *args, **kwargs)

    def __del__(self, *_: Any) -> None:
        """Nothing: an open one is let go of by the process that opened it, and left alone by those forked from it."""


def _within(steps: Generator[Any, Any, T], patience: float) -> Generator[Any, Any, T]:
    """Psycopg asks it every tenth of a second whether to wait on."""
    ends = time.monotonic() + patience
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > ends:
                raise TimeoutError(f"no answer within {patience:g} s")
            wanted = steps.send(ready)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def connect(address: Address, timeout: float) -> Connection:
    """An open connection, in which every statement is a transaction of its own.

    Raises:
        StoreError: there is none to be had within `timeout` seconds.
        UsageError: the URL has an option that libpq doesn't know.
    """
    ends = time.monotonic() + timeout
    options = {"fallback_application_name": "gatekeeper", **address.options, "client_encoding": "UTF8"}
    attempts = _attempts(address, options, ends)
    said: list[str] = []
    for number, attempt in enumerate(attempts):
        left = max(0.0, ends - time.monotonic())
        try:
            connection = Connection(_established(attempt, left / (len(attempts) - number)))
        except (psycopg.Error, OSError) as error:
            said.append(str(error).strip().partition("\n")[0])  # what follows are guesses
        else:
            connection.patience = timeout
            connection.autocommit = True
            connection.prepare_threshold = None  # what is prepared breaks when another process migrates
            connection.adapters.register_dumper(str, Text)
            connection.adapters.register_loader("text", TextLoader)
            return connection
    raise StoreError(
        f"the store {address.name} can't be reached: {_hidden('; '.join(dict.fromkeys(said)), address)}"
    )


def _hidden(text: str, address: Address) -> str:
    for secret in address.hidden:
        text = text.replace(secret, "***") if len(secret) > 3 else text
    return text


def _attempts(address: Address, options: dict[str, str], ends: float) -> list[bytes]:
    """The URL in the form of libpq, once for each address of its hosts: their names are resolved here, libpq would
    block on that, and they share the time, so that a dead one can't take it all.
    """
    try:
        hosts = options.get("host", "").split(",")
        ports = options.get("port", "").split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        if "hostaddr" in options or hosts == [""] or len(ports) != len(hosts):
            return [make_conninfo("", **options).encode()]
        others = {key: value for key, value in options.items() if key not in ("host", "port")}
        found = []
        for host, port in zip(hosts, ports, strict=True):
            local = not host or host.startswith(("/", "@"))
            for place in [""] if local else resolve(host, within=ends - time.monotonic()):
                given = {"host": host, "hostaddr": place, "port": port}
                found.append(others | {key: value for key, value in given.items() if value})
        return [make_conninfo("", **each).encode() for each in found]
    except ProbeError as error:
        raise StoreError(f"the store {address.name} can't be reached: {error.message}") from None
    except psycopg.Error as error:
        raise UsageError(f"store {address.name}: {_hidden(' '.join(str(error).split()), address)}") from None


def _established(conninfo: bytes, within: float) -> pq.abc.PGconn:
    """Connect to one server.

    Raises:
        psycopg.OperationalError: it refuses, or isn't there.
        TimeoutError: it does not answer.
    """
    ends = time.monotonic() + within
    connection = pq.PGconn.connect_start(conninfo)
    try:
        while (status := connection.connect_poll()) != pq.PollingStatus.OK:
            if status == pq.PollingStatus.FAILED or connection.status == pq.ConnStatus.BAD:
                raise psycopg.OperationalError(connection.get_error_message())
            poller = select.poll()  # select() knows no descriptor beyond 1023
            reading = status == pq.PollingStatus.READING
            poller.register(connection.socket, select.POLLIN if reading else select.POLLOUT)
            if not poller.poll(max(0.0, ends - time.monotonic()) * 1000):
                raise TimeoutError(f"no answer within {within:g} s")
        connection.nonblocking = 1
    except BaseException:
        connection.finish()
        raise
    return connection
