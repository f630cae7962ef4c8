"""`pre.components`: do the parts that the flow needs answer, and answer well?"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from gatekeeper import Context, pre
from gatekeeper_gates.components.check import Check
from gatekeeper_gates.components.command import Command
from gatekeeper_gates.components.http import Http
from gatekeeper_gates.components.package import Package
from gatekeeper_gates.components.postgres import Postgres
from gatekeeper_gates.components.process import Process
from gatekeeper_gates.components.sockets import Tcp, Tls
from gatekeeper_gates.components.sqlite import Sqlite

MARGIN = 0.5
"""Seconds of the gate's own time that are kept for reporting what was seen."""

UNCONFIGURED = """no component is configured; name those that the flow needs, e.g.
[[gates.components.http]]
url = "http://localhost:8000/health"
within = "2s\""""


class Components(Struct, frozen=True, forbid_unknown_fields=True):
    """The components that must answer. All are asked side by side, each within its own deadline."""

    http: tuple[Http, ...] = ()
    """Components that answer over HTTP."""
    tcp: tuple[Tcp, ...] = ()
    """Components that accept TCP connections."""
    command: tuple[Command, ...] = ()
    """Commands whose exit code says how a component is."""
    process: tuple[Process, ...] = ()
    """Processes that must run on this host."""
    tls: tuple[Tls, ...] = ()
    """Certificates, and how long they are still valid."""
    package: tuple[Package, ...] = ()
    """Python packages and their versions."""
    sqlite: tuple[Sqlite, ...] = ()
    """SQLite databases."""
    postgres: tuple[Postgres, ...] = ()
    """PostgreSQL databases."""
    at_once: int = 16
    """How many are asked at the same time."""

    def __post_init__(self) -> None:
        if not 1 <= self.at_once <= 256:
            raise ValueError(f"at_once {self.at_once}: expected a number from 1 to 256")
        for title, count in Counter(check.title for check in self.checks).items():
            if count > 1:
                raise ValueError(f'{count} components are called "{title}": give each a name of its own')

    @property
    def checks(self) -> tuple[Check, ...]:
        return (
            *self.http, *self.tcp, *self.command, *self.process,
            *self.tls, *self.package, *self.sqlite, *self.postgres,
        )  # fmt: skip


@pre(settings=Components)
def components(ctx: Context, settings: Components) -> None:
    """The components that the flow needs answer."""
    checks = settings.checks
    if not checks:
        ctx.skip(UNCONFIGURED)
    from gatekeeper.net import ProbeError, side_by_side

    probes = [_probe(ctx, check) for check in checks]
    for check, seen in zip(checks, side_by_side(probes, at_once=settings.at_once), strict=True):
        if isinstance(seen, ProbeError):
            check.unreachable(ctx, seen.kind, seen.message)
        else:
            check.judge(ctx, seen)


def _probe(ctx: Context, check: Check) -> Callable[[], Any]:
    def probe() -> Any:
        from gatekeeper.net import ProbeError

        within = min(float(check.within), ctx.remaining() - MARGIN)
        if within <= 0:
            raise ProbeError(
                "timeout", f"{check.label} was not asked: the gate's own time was over before its turn"
            )
        return check.observe(ctx, within)

    return probe
