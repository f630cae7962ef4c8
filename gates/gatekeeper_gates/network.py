"""`pre.network`: can the hosts that the flow needs be found and reached, and how fast?

Nothing is contacted but the configured targets.
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from msgspec import Struct

from gatekeeper import Budget, Context, Duration, PolicyPath, pre, show

if TYPE_CHECKING:
    from gatekeeper.net import Connected, Family, ProbeError, TlsInfo

MARGIN = 0.5
"""Seconds of the gate's own time that are kept for reporting what was seen."""

UNCONFIGURED = """no target is configured; name the hosts that the flow needs, e.g.
[[gates.network.tcp]]
host = "db.internal"
port = 5432"""


class Target(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A host, and how it is asked."""

    kind: ClassVar[str] = ""

    host: str
    """A name or an address."""
    name: str = ""
    """What the report calls it; by default the host, and the port."""
    within: Duration = Duration(5)
    """Deadline for everything together: the lookup, all connections, the handshake."""
    ip: Literal["any", "v4", "v6", "both"] = "any"
    """Which addresses must answer: whichever does first, IPv4, IPv6, or both."""
    latency: Budget = Budget()
    """Limits of the time that it takes; without them it is `within`."""

    def __post_init__(self) -> None:
        if not self.host.strip():
            raise ValueError("host: expected a name or an address")
        if self.within <= 0:
            raise ValueError("within must be more than 0 s")
        if not 1 <= getattr(self, "port", 1) <= 65_535:
            raise ValueError(f"port {getattr(self, 'port', 0)}: expected a number from 1 to 65535")
        self.latency.expect("latency", "s")

    @property
    def families(self) -> "tuple[Family, ...]":
        return ("v4", "v6") if self.ip == "both" else (self.ip,)

    @property
    def place(self) -> str:
        """What is asked: the host, and the port."""
        port = getattr(self, "port", None)
        host = f"[{self.host}]" if ":" in self.host and port else self.host
        return f"{host}:{port}" if port else host

    def title(self, family: "Family") -> str:
        suffix = f" {family}" if self.ip == "both" else ""
        return f"{self.kind} {self.name or self.place}{suffix}"

    def record(self, ctx: Context, name: str, seconds: float, n: int, evidence: dict[str, Any]) -> None:
        """Record a latency against its limits."""
        unlimited = self.latency.fail is None and self.latency.warn is None
        ctx.measure(
            name,
            seconds,
            unit="s",
            warn=self.latency.warn,
            fail=self.within if unlimited else self.latency.fail,
            n=n,
            hint=self.hint,
            evidence=evidence,
        )

    def observe(self, ctx: Context, family: "Family", within: float) -> Any:
        """Ask it.

        Raises:
            ProbeError: it does not answer.
        """
        raise NotImplementedError

    def judge(self, ctx: Context, family: "Family", seen: Any) -> None:
        """Record what was seen against the limits."""
        raise NotImplementedError

    @property
    def hint(self) -> str:
        """A command that a person can try."""
        raise NotImplementedError


class Resolved(Struct, frozen=True):
    """The addresses of a name, and after how many seconds."""

    addresses: tuple[str, ...]
    elapsed_s: float


class Dns(Target, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A name that must resolve."""

    kind: ClassVar[str] = "dns"

    expect: tuple[str, ...] = ()
    """Addresses (or networks) that it must have: all of these, and no others."""

    def __post_init__(self) -> None:
        from ipaddress import ip_network

        super().__post_init__()
        for address in self.expect:
            try:
                ip_network(address)
            except ValueError:
                raise ValueError(f"expect: {address!r} is no address and no network") from None

    @property
    def hint(self) -> str:
        return f"getent ahosts {self.host}"

    def observe(self, ctx: Context, family: "Family", within: float) -> Resolved:
        import time

        from gatekeeper.net import resolve

        started = time.perf_counter()
        found = resolve(self.host, within=within, family=family)
        return Resolved(found, time.perf_counter() - started)

    def judge(self, ctx: Context, family: "Family", seen: Resolved) -> None:
        title, evidence = self.title(family), {"host": self.host, "addresses": list(seen.addresses)}
        self.record(ctx, title, seen.elapsed_s, 1, evidence)
        if self.expect:
            missing, foreign = _compared(seen.addresses, self.expect)
            lacks = f"lacks {', '.join(missing)}" if missing else ""
            has = f"has {', '.join(foreign)}" if foreign else ""
            ctx.check(
                not missing and not foreign,
                f"{self.host} {' and '.join(filter(None, (lacks, has)))}",
                name=f"{title} addresses",
                observed=list(seen.addresses),
                operator="==",
                limit=list(self.expect),
                hint=self.hint,
                evidence={"missing": missing, "unexpected": foreign},
            )


def _compared(found: tuple[str, ...], expected: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """What was expected and not found, and what was found and not expected; a network stands for any of
    its own.
    """
    from ipaddress import ip_address, ip_network

    networks = {text: ip_network(text) for text in expected}
    addresses = {text: ip_address(text.partition("%")[0]) for text in found}
    missing = [text for text, net in networks.items() if not any(a in net for a in addresses.values())]
    foreign = [text for text, own in addresses.items() if not any(own in net for net in networks.values())]
    return missing, foreign


class Connects(Struct, frozen=True):
    """Connections to one target: those that came about (one at least), and why the others did not."""

    made: "tuple[Connected, ...]"
    failures: tuple[str, ...]


class Tcp(Target, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A TCP port that must accept connections."""

    kind: ClassVar[str] = "tcp"

    port: int
    """The TCP port."""
    connects: int = 3
    """How many connections are made, one after the other; the latency is their median."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.connects <= 100:
            raise ValueError(f"connects {self.connects}: expected a number from 1 to 100")

    @property
    def hint(self) -> str:
        return f"nc -vz -w {max(1, round(self.within))} {self.host} {self.port}"

    def observe(self, ctx: Context, family: "Family", within: float) -> Connects:
        from gatekeeper.net import Deadline, ProbeError, connect

        deadline = Deadline(within, f"connecting to {self.place} {self.connects} times")
        made: list[Connected] = []
        failures: list[str] = []
        for _ in range(self.connects):
            try:
                made.append(connect(self.host, self.port, within=deadline.left(), family=family))
            except ProbeError as error:
                if not made:
                    raise
                failures.append(error.message)
        return Connects(tuple(made), tuple(failures))

    def judge(self, ctx: Context, family: "Family", seen: Connects) -> None:
        from statistics import median

        title, made = self.title(family), seen.made
        addresses = sorted({connected.address for connected in made})
        why = "; ".join(dict.fromkeys(seen.failures))
        ctx.check(
            not seen.failures,
            f"{self.place} answered {len(made)} of {self.connects} times: {why}",
            name=title,
            observed=len(made),
            operator="==",
            limit=self.connects,
            unit="connections",
            n=self.connects,
            hint=self.hint,
            evidence={"target": self.place, "addresses": addresses, "failures": list(seen.failures)},
        )
        lookup = f"getent ahosts {self.host}"
        ctx.measure(f"{title} lookup", made[0].lookup_s, unit="s", fail=self.within, n=1, hint=lookup)
        taken = [connected.connect_s for connected in made]
        evidence = {"connects_s": taken, "addresses": addresses}
        self.record(ctx, f"{title} latency", median(taken), len(taken), evidence)


class Tls(Target, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A port that must speak TLS, with a certificate that verifies."""

    kind: ClassVar[str] = "tls"

    port: int = 443
    """The TCP port."""
    server_name: str = ""
    """The name to ask for and verify, where it is not the host."""
    ca_file: PolicyPath = ""
    """A PEM file with the authorities to trust instead of the system's."""

    @property
    def hint(self) -> str:
        name = self.server_name or self.host
        return f"openssl s_client -connect {self.place} -servername {name} -verify_return_error </dev/null"

    def observe(self, ctx: Context, family: "Family", within: float) -> "TlsInfo":
        from gatekeeper.net import tls

        return tls(
            self.host,
            self.port,
            within=within,
            server_name=self.server_name or None,
            ca_file=ctx.policy_path(self.ca_file) if self.ca_file else None,
            family=family,
        )

    def judge(self, ctx: Context, family: "Family", seen: "TlsInfo") -> None:
        title = self.title(family)
        evidence: dict[str, Any] = {"target": self.place, "address": seen.address, "version": seen.version}
        ctx.check(
            seen.verified,
            f"{self.place}: the certificate is not accepted: {seen.error}",
            name=title,
            observed=seen.error or "verified",
            operator="is",
            limit="verified",
            hint=self.hint,
            evidence={**evidence, "issuer": seen.issuer, "not_after": seen.not_after},
        )
        self.record(ctx, f"{title} handshake", seen.elapsed_s, 1, evidence)


class Network(Struct, frozen=True, forbid_unknown_fields=True):
    """The hosts that must be reachable. All are asked side by side; nothing else is contacted."""

    dns: tuple[Dns, ...] = ()
    """Names that must resolve."""
    tcp: tuple[Tcp, ...] = ()
    """Ports that must accept connections."""
    tls: tuple[Tls, ...] = ()
    """Ports that must speak TLS."""
    at_once: int = 16
    """How many are asked at the same time."""

    def __post_init__(self) -> None:
        if not 1 <= self.at_once <= 256:
            raise ValueError(f"at_once {self.at_once}: expected a number from 1 to 256")
        for title, count in Counter(target.title("any") for target in self.targets).items():
            if count > 1:
                raise ValueError(f'{count} targets are called "{title}": give each a name of its own')

    @property
    def targets(self) -> tuple[Target, ...]:
        return (*self.dns, *self.tcp, *self.tls)


@pre(settings=Network)
def network(ctx: Context, settings: Network) -> None:
    """The hosts that the flow needs are found and reached."""
    asked = [(target, family) for target in settings.targets for family in target.families]
    if not asked:
        ctx.skip(UNCONFIGURED)
    from gatekeeper.net import ProbeError, side_by_side

    probes = [_probe(ctx, target, family) for target, family in asked]
    for (target, family), seen in zip(asked, side_by_side(probes, at_once=settings.at_once), strict=True):
        if isinstance(seen, ProbeError):
            _unreachable(ctx, target, family, seen)
        else:
            target.judge(ctx, family, seen)


def _probe(ctx: Context, target: Target, family: "Family") -> Callable[[], Any]:
    def probe() -> Any:
        from gatekeeper.net import ProbeError

        within = min(float(target.within), ctx.remaining() - MARGIN)
        if within <= 0:
            raise ProbeError("timeout", f"{target.place} was not asked: the gate's own time was over")
        return target.observe(ctx, family, within)

    return probe


def _unreachable(ctx: Context, target: Target, family: "Family", error: "ProbeError") -> None:
    known = target.host in error.message
    ctx.check(
        False,
        error.message if known else f"{target.host}: {error.message}",
        name=target.title(family),
        observed=error.kind,
        operator="is",
        limit=f"an answer within {show(target.within, 's')}",
        hint=f"getent ahosts {target.host}" if error.kind == "dns" else target.hint,
        evidence={"target": target.place, "error": error.kind},
    )
