"""What channels over HTTP share: one request within the deadline, and what its answer means.

2xx alone is success (RFC 9110 section 15). Redirects are not followed: a message goes where the settings say. An answer
that somebody or time can mend is `TryAgain`, so that no alert is lost to a wrong token or a page that moved; `Refused`
is only what will never be accepted as it is. Nothing is taken from the environment: no proxy, no credentials.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from gatekeeper.channels.contract import ChannelContext, Delivered, Outcome, Refused, TryAgain
from gatekeeper.plain import printable
from gatekeeper.quantities import Secret

if TYPE_CHECKING:
    from gatekeeper.net import Deadline, HttpResponse

MAX_ANSWER = 65_536
"""Bytes of an answer that are read."""

MAX_SHOWN = 200
"""Characters of an answer that are shown."""

LONGEST_WAIT = 86_400.0
"""Seconds that `Retry-After` counts for at most."""

UNACCEPTABLE = (400, 413, 415, 422)
"""What is about the content of the request, and so true of the next attempt."""

SHORTEST_SECRET = 4
LEAST_OF_PATH = 12
"""Shorter parts of a path are names, not tokens."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = ("connection", "content-length", "transfer-encoding")


def post(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    context: ChannelContext,
    method: str = "POST",
    deadline: "Deadline | None" = None,
    ca_file: str = "",
) -> "HttpResponse | TryAgain":
    """Send one request; whatever the status of the answer is, `outcome` says what it means.

    Args:
        url: `http://` or `https://`; a user and password in it become basic authentication.
        body: sent as it is.
        headers: sent as they are.
        context: what the channel was opened with: how long it may take, and whether private addresses may be asked.
        method: sent as it is.
        deadline: of the whole attempt, where it takes several requests; unset: `context.within`.
        ca_file: a PEM file with the authorities to trust instead of the system's; relative to the project's folder.
    """
    from gatekeeper.net import ProbeError, http

    try:
        return http(
            url,
            method=method,
            headers=headers,
            body=body,
            within=context.within if deadline is None else deadline.left(),
            max_bytes=MAX_ANSWER,
            ca_file=context.root / ca_file if ca_file else None,
            public_only=not context.allow_private,
        )
    except ProbeError as error:
        return TryAgain(error.message)
    except ValueError:  # its text would show the header or the address
        return TryAgain(
            "the request can't be sent: its address or a header has characters that HTTP does not allow"
        )


def outcome(response: "HttpResponse", hidden: Iterable[str] = ()) -> Outcome:
    """What an answer means for the notification.

    2xx is success. 410 is for good and ends the channel; 400, 413, 415 and 422 are about what was sent, for good too.
    The rest is worth another attempt: 5xx, 429, what is wrong with the address or the credentials, a redirect.

    Args:
        response: what `post` returned.
        hidden: secrets that the answer might repeat, such as the values of headers.
    """
    status, after = response.status, retry_after(response.headers)
    if 200 <= status < 300:
        return Delivered()
    if 300 <= status < 400 and "location" in response.headers:
        return TryAgain(_moved(response))
    why = f"it answered {status}{_said(response, hidden)}"
    if status == 410:
        return Refused(why, disable=True)
    if status in UNACCEPTABLE and after is None:  # 413 with a time is temporary (RFC 9110 section 15.5.14)
        return Refused(why)
    return TryAgain(why, after)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as `Retry-After` says, in seconds or as a date (RFC 9110 section 10.2.3); None where it doesn't.

    A date is held against the server's own `Date`, if there is one: clocks differ. One that has passed is 0; nothing
    counts for more than a day.
    """
    said = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", said):
        return min(float(said), LONGEST_WAIT)
    if (until := _timestamp(said)) is None:
        return None
    import time

    sent = _timestamp(headers.get("date", ""))
    return min(max(0.0, until - (time.time() if sent is None else sent)), LONGEST_WAIT)


def check_url(url: str, key: str = "url") -> None:
    """For `__post_init__` of a settings class: refuse an address that can't be asked, without showing it.

    A secret that isn't there on this machine is passed over.

    Raises:
        ValueError: starts with `key`.
    """
    if isinstance(url, Secret) and not url and url.reference:
        return
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError(f'{key}: expected a URL such as "https://host/path"; what it holds is none')


def check_headers(headers: Mapping[str, str], key: str = "headers", own: Iterable[str] = ()) -> None:
    """For `__post_init__` of a settings class: refuse headers that HTTP does not allow, without showing their values.

    Args:
        headers: of the settings.
        key: what the settings call them.
        own: names in lower case that the channel sets itself.

    Raises:
        ValueError: starts with `key`, names the header.
    """
    taken = {*_OURS, *own}
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{key}: {printable(name)!r} is no name of a header (RFC 9110 section 5.6.2)")
        if name.lower() in taken:
            raise ValueError(f"{key}: {name} is set by the channel itself")
        if not value.isascii() or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise ValueError(f"{key}: the value of {name} must be printable ASCII on one line")


def _timestamp(date: str) -> float | None:
    """An HTTP date as Unix time."""
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        parsed = parsedate_to_datetime(date)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _moved(response: "HttpResponse") -> str:
    """Where a redirect leads, without its path: that may hold a token."""
    try:
        place = _origin(urljoin(response.url, response.headers["location"]))
    except ValueError:
        place = "what is no address"
    if place == _origin(response.url):
        place = f"another path of {place}"
    return (
        f"it answered {response.status}: it has moved to {_cut(printable(place))}; redirects are not followed, "
        "put the new address into the settings"
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "?"
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def _said(response: "HttpResponse", hidden: Iterable[str]) -> str:
    """Reason phrase and beginning of an answer, safe to show, without what may be secret."""
    reason = printable(response.reason)
    text = printable(" ".join(response.text.split()))
    for secret in sorted(_secrets(response.url, hidden), key=len, reverse=True):
        reason, text = reason.replace(secret, "***"), text.replace(secret, "***")
    return (f" {_cut(reason, 60)}" if reason else "") + (f": {_cut(text)}" if text else "")


def _secrets(url: str, hidden: Iterable[str]) -> set[str]:
    """What must not be shown: long parts of the address's path and query, and the words of what is hidden."""
    address = urlsplit(url)
    parts = re.split(r"[/?&=]", f"{address.path}?{address.query}")
    words = {word for value in hidden for word in (value, *value.split())}
    return {p for p in parts if len(p) >= LEAST_OF_PATH} | {w for w in words if len(w) >= SHORTEST_SECRET}


def _cut(text: str, most: int = MAX_SHOWN) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
