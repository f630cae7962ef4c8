"""Components that listen on a TCP port, and certificates of those that speak TLS."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from gatekeeper import Budget, Context, Duration, PolicyPath
from gatekeeper_gates.components.check import Check, shown_s

if TYPE_CHECKING:
    from gatekeeper.net import Connected, TlsInfo


class _Endpoint(Check, frozen=True, forbid_unknown_fields=True, kw_only=True):
    host: str
    """A name or an address."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.host.strip():
            raise ValueError("host: expected a name or an address")
        if not 1 <= self._port <= 65_535:
            raise ValueError(f"port {self._port}: expected a number from 1 to 65535")

    @property
    def _port(self) -> int:
        return int(getattr(self, "port", 0))

    @property
    def target(self) -> str:
        return f"[{self.host}]:{self._port}" if ":" in self.host else f"{self.host}:{self._port}"


class Tcp(_Endpoint, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A component that accepts connections on a TCP port."""

    kind: ClassVar[str] = "tcp"
    expects: ClassVar[str] = "a connection"

    port: int
    """The TCP port."""
    latency: Budget = Budget()
    """Limits of the time until it is connected; without them it is `within`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.latency.expect("latency", "s")

    @property
    def hint(self) -> str:
        return f"nc -vz -w {max(1, round(self.within))} {self.host} {self.port}"

    def observe(self, ctx: Context, within: float) -> "Connected":
        from gatekeeper.net import connect

        return connect(self.host, self.port, within=within)

    def judge(self, ctx: Context, seen: "Connected") -> None:
        bounded = self.latency.fail is not None or self.latency.warn is not None
        ctx.measure(
            self.title,
            seen.lookup_s + seen.connect_s,
            unit="s",
            warn=self.latency.warn,
            fail=self.latency.fail if bounded else self.within,
            n=1,
            hint=self.hint,
            evidence={"target": self.target, "address": seen.address},
        )


class Expiry(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a certificate must still be valid."""

    warn: Duration | None = Duration(30 * 86_400)
    """Less than this warns."""
    fail: Duration | None = Duration(7 * 86_400)
    """Less than this fails."""

    def __post_init__(self) -> None:
        if self.warn is not None and self.fail is not None and self.warn < self.fail:
            raise ValueError("impossible pair of limits: warn is shorter than fail, so it would never warn")


class Tls(_Endpoint, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A certificate: is it valid for its host, and for how long?"""

    kind: ClassVar[str] = "tls"
    expects: ClassVar[str] = "a TLS handshake"

    port: int = 443
    """The TCP port."""
    server_name: str = ""
    """The name to ask for and verify, where it is not the host."""
    expires: Expiry = Expiry()
    """How long it must still be valid: `{ warn = "30d", fail = "7d" }`."""
    verify: bool = True
    """Whether a certificate that does not verify fails; its expiry is judged either way."""
    ca_file: PolicyPath = ""
    """A PEM file with the authorities to trust instead of the system's."""

    @property
    def hint(self) -> str:
        name = self.server_name or self.host
        return (
            f"openssl s_client -connect {self.target} -servername {name} </dev/null"
            " | openssl x509 -noout -subject -issuer -dates -ext subjectAltName"
        )

    def observe(self, ctx: Context, within: float) -> "TlsInfo":
        from gatekeeper.net import tls

        ca_file = ctx.policy_path(self.ca_file) if self.ca_file else None
        return tls(self.host, self.port, within=within, server_name=self.server_name or None, ca_file=ca_file)

    def judge(self, ctx: Context, seen: "TlsInfo") -> None:
        evidence = {
            "address": seen.address,
            "version": seen.version,
            "issuer": seen.issuer,
            "names": list(seen.subject_alt_names),
            "not_after": seen.not_after,
        }
        if self.verify:
            ctx.check(
                seen.verified,
                f"{self.label}: the certificate is not accepted: {seen.error}",
                name=self.title,
                observed=seen.error or "verified",
                operator="is",
                limit="verified",
                hint=self.hint,
                evidence=evidence,
            )
        self._expiry(ctx, seen, evidence)

    def _expiry(self, ctx: Context, seen: "TlsInfo", evidence: Mapping[str, object]) -> None:
        left = seen.expires_in_s
        if left is None:
            ctx.measure(
                f"{self.title} expires", float("nan"), message=f"{self.label}: its expiry can't be read"
            )
            return
        ends = f"expired {shown_s(-left)} ago" if left < 0 else f"expires in {shown_s(left)}"
        broken = [
            limit for limit in (self.expires.fail, self.expires.warn) if limit is not None and left < limit
        ]
        asked = f"; at least {shown_s(broken[0])} are asked for" if broken else ""
        ctx.measure(
            f"{self.title} expires",
            left,
            unit="s",
            warn=self.expires.warn,
            fail=self.expires.fail,
            worse="lower",
            message=f"{self.label}: the certificate {ends}, at {seen.not_after}{asked}" if broken else "",
            hint=self.hint,
            evidence=evidence,
        )
