"""Servers on loopback that behave as they are told, and the proof that a client left nothing behind."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

import psutil

Handler = Callable[[socket.socket, threading.Event], None]
THREAD = "loopback"


class Server:
    """Accepts connections on a free port and gives each to `handler(socket, stop)` in a thread of its own."""

    def __init__(
        self, handler: Handler, *, tls: ssl.SSLContext | None = None, family: int = socket.AF_INET
    ) -> None:
        self._handler, self._tls = handler, tls
        self._stop = threading.Event()
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self._listener.listen(64)
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._threads = [threading.Thread(target=self._accept, name=THREAD, daemon=True)]
        self._open: list[socket.socket] = []
        self._threads[0].start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), name=THREAD, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            sock.settimeout(10)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            self._handler(sock, self._stop)
        with contextlib.suppress(OSError):
            sock.close()

    def close(self) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def request_of(sock: socket.socket) -> bytes:
    """Read one request: its head, and a body of the announced length."""
    data = b""
    while b"\r\n\r\n" not in data and (piece := sock.recv(4096)):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ),
        0,
    )
    while len(body) < length and (piece := sock.recv(4096)):
        body += piece
    return head + b"\r\n\r\n" + body


def answering(*answers: bytes, seen: list[bytes] | None = None, after: float = 0.0) -> Handler:
    """Answers each connection's request with these bytes (the last one again and again) and closes."""
    rest = list(answers)

    def handle(sock: socket.socket, stop: threading.Event) -> None:
        request = request_of(sock)
        if seen is not None:
            seen.append(request)
        stop.wait(after)
        sock.sendall(rest.pop(0) if len(rest) > 1 else rest[0])

    return handle


def response(body: bytes = b"ok", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def hanging(before: bytes = b"") -> Handler:
    """Sends `before` and then nothing more, without closing."""

    def handle(sock: socket.socket, stop: threading.Event) -> None:
        if before:
            request_of(sock)
            sock.sendall(before)
        stop.wait(30)

    return handle


def trickling(before: bytes, piece: bytes = b"x", every: float = 0.05) -> Handler:
    """Sends `before`, then `piece` again and again: each read gets something, and it never ends."""

    def handle(sock: socket.socket, stop: threading.Event) -> None:
        if before:
            request_of(sock)
            sock.sendall(before)
        while not stop.wait(every):
            sock.sendall(piece)

    return handle


def flooding(before: bytes) -> Handler:
    """Sends `before`, then a body without end as fast as it goes."""
    return trickling(before, b"x" * 65_536, every=0)


def resetting(before: bytes = b"") -> Handler:
    """Sends `before` and resets the connection."""

    def handle(sock: socket.socket, stop: threading.Event) -> None:
        request_of(sock)
        sock.sendall(before)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    return handle


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def ends(within: float, *servers: Server, slack: float = 1.0) -> Iterator[None]:
    """What happens inside ends within `within` + `slack` seconds and leaves no thread, process or
    connection.
    """
    threads, children = set(threading.enumerate()), set(psutil.Process().children(recursive=True))
    started = time.monotonic()
    yield
    taken = time.monotonic() - started
    assert taken < within + slack, f"took {taken:.2f} s of {within} s"
    left = [t for t in threading.enumerate() if t not in threads and not t.name.startswith(THREAD)]
    assert not left, f"threads left: {left}"
    assert set(psutil.Process().children(recursive=True)) <= children
    ports = {server.port for server in servers}
    connections = [c for c in psutil.Process().net_connections("inet") if c.raddr and c.raddr.port in ports]
    assert not connections, f"connections left: {connections}"
