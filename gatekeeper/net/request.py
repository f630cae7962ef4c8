"""HTTP requests: one call, one answer, one deadline."""

import os
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from msgspec import Struct

from gatekeeper.net.deadline import Deadline, ProbeError
from gatekeeper.net.exchange import SLICE, Request, Route, exchange, origin, safe_url, split
from gatekeeper.net.tls import context

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

REDIRECTS = (301, 302, 303, 307, 308)


class HttpResponse(Struct, frozen=True, kw_only=True):
    """What a server answered.

    `headers` have lower-case names; repeated ones are joined with `, `. `body` is at most the `max_bytes`
    that were asked for; `truncated` says that there was more. `url` is the last one after redirects, without
    a password; `elapsed_s` covers everything from the name lookup to the end of the body.
    """

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes
    truncated: bool
    elapsed_s: float
    url: str
    address: str

    @property
    def text(self) -> str:
        """The body by the charset that the server named, else as UTF-8; what can't be read is replaced."""
        from email.message import Message

        message = Message()
        message["content-type"] = self.headers.get("content-type", "")
        try:
            return self.body.decode(message.get_content_charset() or "utf-8", "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")


def http(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | str | None = None,
    within: float = 5.0,
    max_bytes: int = 65_536,
    verify: bool = True,
    ca_file: str | os.PathLike[str] | None = None,
    redirects: int = 0,
    proxy: str | None = None,
    public_only: bool = False,
) -> HttpResponse:
    """Send one request and read the answer, whatever its status, all within `within` seconds.

    Args:
        url: `http://` or `https://`; a user and password in it become basic authentication.
        method: sent as it is.
        headers: sent as they are; never to another origin when a redirect leads there.
        body: text is sent as UTF-8.
        within: seconds, for everything together.
        max_bytes: how much of the body is kept; the rest is not read.
        verify: whether the certificate must be valid.
        ca_file: a PEM file with the authorities to trust instead of the system's.
        redirects: how many are followed; none unless asked. A 303, and a 301 or 302 to a POST, goes on as
            GET.
        proxy: `http://[user:password@]host:port`; the environment's is never used by itself.
        public_only: whether only public addresses are asked, of those that the name has: none that is loopback,
            private, link-local, a cloud's metadata or otherwise reserved. Not together with `proxy`, which looks
            names up by itself.

    Raises:
        ProbeError: there was no complete answer: kind `dns`, `refused`, `unreachable`, `timeout`, `tls`,
            `reset` or `protocol`; `private` where no address is public and `public_only` asks for one.
        ValueError: the URL, a header or the method can't be sent; `proxy` together with `public_only`.
    """
    if public_only and proxy is not None:
        raise ValueError("public_only can't be promised through a proxy, which looks names up by itself")
    import urllib3.connection  # noqa: F401 - loaded, like the authorities, before the clock starts

    content = body.encode() if isinstance(body, str) else body
    request = Request(method, split(url), dict(headers or {}), content)
    trust = cache(lambda: context(verify=verify, ca_file=ca_file))
    if request.url.scheme == "https":
        trust()
    route = Route(trust, None if proxy is None else split(proxy), public_only)
    started = time.perf_counter()
    with Deadline(within) as deadline:
        for _ in range(redirects + 1):
            with exchange(request, route, deadline) as (answer, address):
                if redirects and answer.status in REDIRECTS and "location" in answer.headers:
                    request = _redirected(request, answer)
                    continue
                kept, truncated = _read(answer, max_bytes, deadline)
            return HttpResponse(
                status=answer.status,
                reason=answer.reason or "",
                headers={name.lower(): answer.headers[name] for name in answer.headers},
                body=kept,
                truncated=truncated,
                elapsed_s=time.perf_counter() - started,
                url=safe_url(request.url.geturl()),
                address=address,
            )
    last = safe_url(request.url.geturl())
    raise ProbeError("protocol", f"redirected more than {redirects} times, at last to {last}")


def _redirected(request: Request, answer: "HTTPResponse") -> Request:
    try:
        target = split(urljoin(request.url.geturl(), answer.headers["location"]))
    except ValueError as error:
        raise ProbeError("protocol", f"redirected to what can't be asked: {error}") from None
    to_get = answer.status == 303 or (answer.status in (301, 302) and request.method == "POST")
    same = origin(target) == request.origin
    return Request(
        "GET" if to_get and request.method != "HEAD" else request.method,
        target,
        request.headers if same else {},
        None if to_get else request.body,
    )


def _read(answer: "HTTPResponse", max_bytes: int, deadline: Deadline) -> tuple[bytes, bool]:
    """The first `max_bytes` of the body, and whether there is more."""
    kept = bytearray()
    deadline.doing = "waiting for the body"
    for piece in answer.stream(SLICE, decode_content=True):
        kept += piece
        deadline.doing = f"in the body, after {len(kept)} bytes"
        deadline.left()
        if len(kept) > max_bytes:
            return bytes(kept[:max_bytes]), True
    deadline.left()  # a body that ends with the connection looks whole when it was the watchdog that ended it
    return bytes(kept), False
