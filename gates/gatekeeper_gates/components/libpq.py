"""A query to PostgreSQL within a total deadline.

psycopg's own timeouts are per host and in whole seconds for connecting, and none for an answer that never
comes. So libpq is driven here through `psycopg.pq`, without blocking: each step waits for the socket no
longer than is left.
"""

import select
import time
from collections.abc import Callable
from typing import Any

from gatekeeper.net import Deadline, ProbeError, resolve
from gatekeeper_gates.components.conditions import MISSING
from gatekeeper_gates.components.sql import Answer


def installed() -> bool:
    """Whether the extra is there, with a libpq that can be loaded."""
    try:
        from psycopg import pq  # noqa: F401
    except ImportError:
        return False
    return True


def ask(url: str, query: str, within: float) -> Answer:
    """The first value of a query's answer.

    Raises:
        ProbeError: the database can't be reached, or refuses; never with the password in its message.
    """
    from psycopg import pq

    deadline = Deadline(within)
    conninfo, password = _conninfo(url, deadline)
    connection: Any = None
    try:
        connection = pq.PGconn.connect_start(conninfo)
        _connect(connection, deadline)
        deadline.doing = "in the query"
        limit = max(1, int(deadline.left() * 1000))
        _run(connection, f"SET statement_timeout = {limit}; SET default_transaction_read_only = on", deadline)
        started = time.perf_counter()
        value = _run(connection, query, deadline)
        return Answer(value, time.perf_counter() - started)
    except ProbeError as error:
        message = error.message.replace(password, "***") if password else error.message
        raise ProbeError(error.kind, message) from None
    finally:
        if connection is not None:
            connection.finish()


def _conninfo(url: str, deadline: Deadline) -> tuple[bytes, str]:
    """A URL in the form of libpq, names resolved (libpq would block on that), and the password in it."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except ProgrammingError:  # its message may repeat the URL
        raise ProbeError(
            "protocol", "url can't be read: expected postgresql://user:password@host/database"
        ) from None
    password = parts.get("password", "")
    if (hosts := parts.get("host")) and "hostaddr" not in parts:
        parts |= _addresses(hosts.split(","), parts.get("port", "").split(","), deadline)
    return make_conninfo("", **parts).encode(), password


def _addresses(hosts: list[str], ports: list[str], deadline: Deadline) -> dict[str, str]:
    """The hosts, once for each of their addresses; a folder of sockets stays as it is."""
    ports = ports if len(ports) == len(hosts) else ports[:1] * len(hosts)
    found: list[tuple[str, str, str]] = []
    for host, port in zip(hosts, ports, strict=True):
        local = not host or host.startswith(("/", "@"))
        found += [(host, a, port) for a in ([""] if local else resolve(host, within=deadline.left()))]
    names, addresses, numbers = zip(*found, strict=True)
    return {"host": ",".join(names), "hostaddr": ",".join(addresses), "port": ",".join(numbers)}


def _connect(connection: Any, deadline: Deadline) -> None:
    from psycopg.pq import PollingStatus

    deadline.doing = "connecting"
    while (status := connection.connect_poll()) != PollingStatus.OK:
        if status == PollingStatus.FAILED:
            raise _refused(connection)
        _wait(connection, deadline, reading=status == PollingStatus.READING)


def _refused(connection: Any) -> ProbeError:
    message = connection.get_error_message().strip()
    kind: Any = "refused" if "refused" in message or "No such file" in message else "protocol"
    return ProbeError(kind, f"no connection: {' '.join(message.split())}")


def _run(connection: Any, query: str, deadline: Deadline) -> Any:
    """Send a query, and give the first value of its last result."""
    connection.send_query(query.encode())
    while connection.flush() == 1:
        _wait(connection, deadline, reading=False)
    value: Any = MISSING
    while (result := _result(connection, deadline)) is not None:
        value = _value(result, deadline)
    return value


def _result(connection: Any, deadline: Deadline) -> Any:
    from psycopg import OperationalError

    try:
        while connection.is_busy():
            _wait(connection, deadline, reading=True)
            connection.consume_input()
        return connection.get_result()
    except OperationalError as error:
        raise ProbeError("reset", f"the connection broke off: {' '.join(str(error).split())}") from None


def _value(result: Any, deadline: Deadline) -> Any:
    from psycopg.pq import DiagnosticField, ExecStatus

    if result.status in (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH):
        raise ProbeError("protocol", "the query is a COPY; only queries that give rows can be asked")
    if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.EMPTY_QUERY):
        state = result.error_field(DiagnosticField.SQLSTATE) or b""
        if state == b"57014":
            raise deadline.error()
        message = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")
        raise ProbeError("protocol", f"the query was refused: {message} (SQLSTATE {state.decode()})")
    if result.ntuples == 0 or result.nfields == 0:
        return MISSING
    data = result.get_value(0, 0)
    return None if data is None else _typed(data.decode("utf-8", "replace"), result.ftype(0))


_TYPES: dict[int, Callable[[str], Any]] = {
    16: lambda text: text == "t",  # bool
    **dict.fromkeys((20, 21, 23, 26), int),
    **dict.fromkeys((700, 701, 1700), float),
}


def _typed(text: str, oid: int) -> Any:
    """A value in PostgreSQL's text format as JSON has it, by the type's number in pg_type."""
    return _TYPES.get(oid, str)(text)


def _wait(connection: Any, deadline: Deadline, *, reading: bool) -> None:
    poller = select.poll()  # select() knows no descriptor beyond 1023
    poller.register(connection.socket, select.POLLIN if reading else select.POLLOUT)
    if not poller.poll(deadline.left() * 1000):
        raise deadline.error()
