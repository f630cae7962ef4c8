"""Components that answer over HTTP."""

import re
import shlex
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import field

from gatekeeper import Budget, Context, PolicyPath, Secret, Size
from gatekeeper_gates.components.check import Check, excerpt, shown_s
from gatekeeper_gates.components.conditions import MISSING, Condition, at, condition, holds

if TYPE_CHECKING:
    from gatekeeper.net import HttpResponse

_CLASS = re.compile(r"[1-5]xx")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")


class Http(Check, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A component that answers over HTTP."""

    kind: ClassVar[str] = "http"

    url: str
    """`http://` or `https://`; a user and password in it are sent as basic authentication and never shown."""
    method: str = "GET"
    """The request's method."""
    headers: dict[str, Secret] = field(default_factory=dict)
    """Headers to send, such as `{ Authorization = "env:TOKEN" }`; never to another origin after a
    redirect."""
    body: Secret = Secret("")
    """What to send."""
    status: int | str | tuple[int | str, ...] = 200
    """Statuses that are good: `200`, `"2xx"`, or a list of these."""
    latency: Budget = Budget()
    """Limits of the time until the whole answer is there; without them it is `within`."""
    expect_headers: dict[str, str] = field(default_factory=dict)
    """Headers that the answer must have, with shell-style patterns: `{ content-type = "application/json*"
    }`."""
    contains: str = ""
    """A text that the body must contain."""
    json: dict[str, Any] = field(default_factory=dict)
    """Conditions on a JSON body by dotted path: `{ "db.status" = "up", "queue.depth" = { max = 100 } }`."""
    schema: PolicyPath = ""
    """A file with a JSON Schema that the body must match."""
    ca_file: PolicyPath = ""
    """A PEM file with the authorities to trust instead of the system's."""
    verify: bool = True
    """Whether the certificate must be valid."""
    redirects: int = 0
    """How many redirects are followed."""
    max_body: Size = Size(1_000_000)
    """How much of the body is read."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_url(self.url)
        self.latency.expect("latency", "s")
        for status in self.statuses:
            known = _CLASS.fullmatch(status) if isinstance(status, str) else 100 <= status <= 599
            if not known:
                raise ValueError(f'status {status!r}: expected 100 to 599, or a class such as "2xx"')
        if not self.statuses:
            raise ValueError("status: expected at least one")
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name) or not _VALUE.fullmatch(value):  # its value is not shown
                raise ValueError(f"header {name!r} can't be sent: its name or value holds what no header may")
        if self.redirects < 0:
            raise ValueError("redirects can't be negative")
        self.conditions()  # a wrong one is told before anything runs

    @property
    def statuses(self) -> tuple[int | str, ...]:
        return self.status if isinstance(self.status, tuple) else (self.status,)

    def conditions(self) -> dict[str, Condition]:
        return {path: condition(path, wanted) for path, wanted in self.json.items()}

    @property
    def target(self) -> str:
        from gatekeeper.net import safe_url

        return safe_url(self.url)

    @property
    def expects(self) -> str:  # type: ignore[override]
        return f"HTTP {' or '.join(map(str, self.statuses))}"

    @property
    def hint(self) -> str:
        words = ["curl", "-i"]
        if self.method != "GET":
            words += ["-X", self.method]
        for name in self.headers:
            words += ["-H", f"{name}: ***"]
        if self.ca_file:
            words += ["--cacert", self.ca_file]
        return shlex.join([*words, self.target])

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not show up in an excerpt of the answer."""
        return (*self.headers.values(), str(self.body))

    def observe(self, ctx: Context, within: float) -> "HttpResponse":
        from gatekeeper.net import http

        return http(
            self.url,
            method=self.method,
            headers=self.headers,
            body=self.body or None,
            within=within,
            max_bytes=self.max_body,
            verify=self.verify,
            ca_file=ctx.policy_path(self.ca_file) if self.ca_file else None,
            redirects=self.redirects,
        )

    def judge(self, ctx: Context, seen: "HttpResponse") -> None:
        body = excerpt(seen.body, self.secrets)
        about = self.target if self.label == self.target else f"{self.label} {self.target}"
        got, wanted = f"HTTP {seen.status} after {shown_s(seen.elapsed_s)}", self.expects
        ctx.check(
            any(_fits(seen.status, status) for status in self.statuses),
            f"{about} gave {got}, expected {wanted}",
            name=self.title,
            observed=got,
            operator="is",
            limit=f"{wanted} within {shown_s(self.within)}",
            hint=self.hint,
            evidence={
                "url": self.target,
                "status": seen.status,
                "elapsed_s": seen.elapsed_s,
                "address": seen.address,
                **({"body": body} if body else {}),
            },
        )
        self._latency(ctx, seen)
        self._headers(ctx, seen)
        self._content(ctx, seen)

    def _latency(self, ctx: Context, seen: "HttpResponse") -> None:
        bounded = self.latency.fail is not None or self.latency.warn is not None
        ctx.measure(
            f"{self.title} latency",
            seen.elapsed_s,
            unit="s",
            warn=self.latency.warn,
            fail=self.latency.fail if bounded else self.within,
            n=1,
            hint=f"{self.hint} -o /dev/null -s -w '%{{time_total}}\\n'",
        )

    def _headers(self, ctx: Context, seen: "HttpResponse") -> None:
        for name, pattern in self.expect_headers.items():
            value = seen.headers.get(name.lower())
            got = "is missing" if value is None else f"is {value!r}"
            ctx.check(
                value is not None and fnmatchcase(value.lower(), pattern.lower()),
                f"{self.label}: header {name} {got}, expected {pattern!r}",
                name=f"{self.title} header {name}",
                observed=value,
                operator="like",
                limit=pattern,
                hint=self.hint,
            )

    def _content(self, ctx: Context, seen: "HttpResponse") -> None:
        if not (self.contains or self.json or self.schema):
            return
        if seen.truncated:
            _unread(ctx, self, "body")
            return
        if self.contains:
            ctx.check(
                self.contains in seen.text,
                f"{self.label}: the body does not contain {self.contains!r}",
                name=f"{self.title} contains",
                observed=excerpt(seen.body, self.secrets),
                operator="contains",
                limit=self.contains,
                hint=self.hint,
            )
        if self.json or self.schema:
            self._json(ctx, seen)

    def _json(self, ctx: Context, seen: "HttpResponse") -> None:
        import msgspec

        try:
            value = msgspec.json.decode(seen.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._no_json(ctx, seen, error)
            return
        for path, wanted in self.conditions().items():
            found = at(value, path)
            absent = f" ({_there(value)})" if found is MISSING else ""
            name, about = f"{self.title} json {path}", f"{self.label}: {path}"
            holds(ctx, name, found, wanted, message=about, hint=self.hint, absent=absent)
        if self.schema:
            self._schema(ctx, value)

    def _no_json(self, ctx: Context, seen: "HttpResponse", error: Exception) -> None:
        ctx.check(
            False,
            f"{self.label}: the body is no JSON: {str(error) or 'it is nested too deeply'}",
            name=f"{self.title} json",
            observed=excerpt(seen.body, self.secrets),
            operator="is",
            limit="JSON",
            hint=self.hint,
        )

    def _schema(self, ctx: Context, value: Any) -> None:
        from gatekeeper.data import Schema

        violations = Schema.read(ctx.policy_path(self.schema), label=self.schema).explain(value)
        first = violations[0] if violations else None
        ctx.check(
            not violations,
            "" if first is None else f"{self.label}: {first.path or 'the body'}: {first.message}",
            name=f"{self.title} schema",
            observed=len(violations),
            operator="==",
            limit=0,
            unit="violations",
            hint=self.hint,
            evidence={"schema": self.schema, "violations": [f"{v.path}: {v.message}" for v in violations]},
        )


def _unread(ctx: Context, check: Http, part: str) -> None:
    from gatekeeper import Finding

    ctx.add(
        Finding(
            f"{check.title} {part}",
            "unknown",
            message=f"{check.label}: the {part} is larger than max_body and was not read to its end",
            operator="<=",
            limit=int(check.max_body),
            unit="B",
            hint='raise it, e.g. max_body = "10MB"',
        )
    )


def _check_url(url: str) -> None:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f'url: expected one such as "http://localhost:8000/health", got {_safe(url)!r}')


def _safe(url: str) -> str:
    head, at_sign, rest = url.rpartition("@")
    return f"***@{rest}" if at_sign and head else url


def _fits(status: int, wanted: int | str) -> bool:
    return status == wanted if isinstance(wanted, int) else str(status)[0] == wanted[0]


def _there(value: Any) -> str:
    if isinstance(value, dict):
        keys = [*map(str, value)]
        listed = f"there is {', '.join(keys[:8])}{' …' if len(keys) > 8 else ''}"
        return listed if keys else "the object is empty"
    return f"the body is {type(value).__name__}"
