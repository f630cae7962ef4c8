"""One HTTP request over a socket of our own, so that the deadline holds in every part of it.

urllib3 speaks HTTP; connecting, TLS and proxies are done here, on sockets that the watchdog knows.
"""

import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, unquote, urlsplit

from msgspec import Struct

from gatekeeper.net.deadline import Deadline, ProbeError
from gatekeeper.net.sockets import dial, joined
from gatekeeper.net.tls import Peer, refused, secured

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection
    from urllib3.response import HTTPResponse

SLICE = 8_192
MAX_HEAD = 65_536
UNQUOTED = "/%:@!$&'()*+,;=~-._?"


class Request(Struct, frozen=True):
    """What is sent where."""

    method: str
    url: SplitResult
    headers: dict[str, str]
    body: bytes | None

    @property
    def origin(self) -> tuple[str, str, int]:
        return origin(self.url)


class Route(Struct, frozen=True):
    """How to get there: whom to trust, which proxy to ask, whether only public addresses may be."""

    trust: Callable[[], ssl.SSLContext]
    proxy: SplitResult | None = None
    public_only: bool = False


def split(url: str) -> SplitResult:
    """The parts of a URL.

    Raises:
        ValueError: it can't be asked: another scheme than `http` or `https`, no host, an impossible port.
    """
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError as error:
        raise ValueError(f"{safe_url(url)!r} is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f'expected a URL such as "https://host/path", got {safe_url(url)!r}')
    return parts


def safe_url(url: str) -> str:
    """The URL as it may be shown: without a password."""
    head, at, rest = url.partition("://")
    authority = rest.partition("/")[0]
    credentials, at, host = authority.rpartition("@")
    if not at or ":" not in credentials:
        return url
    user = credentials.partition(":")[0]
    return f"{head}://{user}:***@{host}{rest[len(authority) :]}"


def origin(url: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port."""
    return url.scheme, url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


@contextmanager
def exchange(request: Request, route: Route, deadline: Deadline) -> "Iterator[tuple[HTTPResponse, str]]":
    """Send a request and yield the answer, headers read, with the address that it came from.

    Raises:
        ProbeError: also for what goes wrong inside the block, while the body is read.
        ValueError: a header or the method can't be sent.
    """
    from urllib3.connection import HTTPConnection

    _, host, port = request.origin
    with _connected(request, route, deadline) as (sock, address):
        connection = HTTPConnection(host, port, timeout=deadline.left())
        connection.sock = sock
        answer: HTTPResponse | None = None
        try:
            answer = _ask(connection, request, route, deadline)
            deadline.left()  # headers that the watchdog ended look complete
            yield answer, address
        except ProbeError:
            raise
        except Exception as error:
            if (told := _told(error, joined(host, port), deadline)) is None:
                raise
            raise told from None
        finally:
            if answer is not None:
                answer.close()
            connection.close()


@contextmanager
def _connected(request: Request, route: Route, deadline: Deadline) -> Iterator[tuple[socket.socket, str]]:
    """A connection that speaks for the request's origin, and the address that it goes to."""
    _, host, port = origin(route.proxy) if route.proxy is not None else request.origin
    sock, address = dial(host, port, deadline, public_only=route.public_only)
    try:
        deadline.watch(sock)
        if request.url.scheme == "https":
            if route.proxy is not None:
                _tunnel(sock, request, route.proxy, deadline)
            sock = _secure(sock, request, route, deadline)
        yield sock, address
    finally:
        sock.close()


def _secure(sock: socket.socket, request: Request, route: Route, deadline: Deadline) -> ssl.SSLSocket:
    _, host, port = request.origin
    peer = Peer(host, port, host)
    try:
        return secured(sock, peer, deadline, route.trust())
    except ssl.SSLCertVerificationError as refusal:
        raise ProbeError("tls", f"the certificate of {peer} was not accepted: {refused(refusal)}") from None


def _tunnel(sock: socket.socket, request: Request, proxy: SplitResult, deadline: Deadline) -> None:
    """Ask a proxy for a way through (RFC 9110 section 9.3.6)."""
    place = joined(*request.origin[1:])
    deadline.doing = f"asking the proxy for {place}"
    credentials = f"Proxy-Authorization: {basic}\r\n" if (basic := _basic(proxy)) else ""
    answer = b""
    try:
        sock.settimeout(deadline.left())
        sock.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{credentials}\r\n".encode())
        while b"\r\n\r\n" not in answer and len(answer) < MAX_HEAD and (piece := sock.recv(SLICE)):
            answer += piece
    except OSError as error:
        if not deadline.passed:
            raise ProbeError("reset", f"the proxy broke the connection off: {error}") from None
    deadline.left()
    status = answer.partition(b"\r\n")[0].decode("latin-1")
    if status.split(" ")[1:2] != ["200"]:
        raise ProbeError("protocol", f"the proxy gave no way to {place}: it answered {status[:200]!r}")


def _ask(connection: "HTTPConnection", request: Request, route: Route, deadline: Deadline) -> "HTTPResponse":
    given = {name.lower() for name in request.headers}
    headers = {
        name: value for name, value in _own_headers(request, route).items() if name.lower() not in given
    }
    deadline.doing = "sending the request"
    connection.request(
        request.method,
        _target(request, route),
        request.body,
        headers | request.headers,
        preload_content=False,
    )
    deadline.doing = "waiting for the headers"
    connection.timeout = deadline.left()
    return connection.getresponse()


def _target(request: Request, route: Route) -> str:
    path = quote(request.url.path or "/", safe=UNQUOTED)
    query = f"?{quote(request.url.query, safe=UNQUOTED + '[]{}|')}" if request.url.query else ""
    through = (
        f"http://{_host(request.url)}" if route.proxy is not None and request.url.scheme == "http" else ""
    )
    return through + path + query


def _own_headers(request: Request, route: Route) -> dict[str, str]:
    headers = {
        "Host": _host(request.url),
        "Accept-Encoding": "identity",  # a body that grows when it is unpacked is nobody's wish
        "User-Agent": "gatekeeper",
        "Connection": "close",
    }
    if basic := _basic(request.url):
        headers["Authorization"] = basic
    if route.proxy is not None and request.url.scheme == "http" and (basic := _basic(route.proxy)):
        headers["Proxy-Authorization"] = basic
    return headers


def _host(url: SplitResult) -> str:
    host = url.hostname or ""
    try:
        name = host if ":" in host else host.encode("idna").decode()
    except UnicodeError:
        raise ProbeError("dns", f"{host} can't be resolved: it is no host name") from None
    return joined(name, url.port) if url.port else (f"[{name}]" if ":" in name else name)


def _basic(url: SplitResult) -> str | None:
    if url.username is None:
        return None
    pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _told(error: Exception, place: str, deadline: Deadline) -> ProbeError | None:
    """What urllib3 and http.client raise, in our words; None for what is our request's fault."""
    import http.client

    import urllib3.exceptions

    if not isinstance(error, OSError | http.client.HTTPException | urllib3.exceptions.HTTPError):
        return None
    if deadline.passed or isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        return deadline.error()
    causes = [error, error.__cause__, *error.args]
    if any(isinstance(cause, http.client.RemoteDisconnected) for cause in causes):
        return ProbeError("reset", f"{place} closed the connection without an answer")
    if any(isinstance(cause, ConnectionError) for cause in causes):
        return ProbeError("reset", f"{place} broke the connection off {deadline.doing}")
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return ProbeError("protocol", f"{place} sent a broken or incomplete body: {error}")
    return ProbeError("protocol", f"{place} does not answer in HTTP: {type(error).__name__} {error}".rstrip())
