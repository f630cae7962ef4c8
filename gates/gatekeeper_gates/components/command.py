"""Commands whose exit code says how a component is."""

import shlex
from typing import ClassVar

from msgspec import Struct, field

from gatekeeper import Context, Secret
from gatekeeper_gates.components.check import Check, excerpt, shown_s

KEPT = 65_536


class Ended(Struct, frozen=True):
    """How a command ended: its exit code (negative: the signal), seconds, and the beginning of what it
    printed.
    """

    exit: int
    elapsed_s: float
    stdout: bytes
    stderr: bytes


class Command(Check, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A command that is run, without a shell. It is killed with all that it started when its time is up or
    it ends.
    """

    kind: ClassVar[str] = "command"
    expects: ClassVar[str] = "an end"

    argv: tuple[str, ...]
    """The program and its arguments, as a list: `["pg_isready", "-q"]`."""
    expect_exit: int | tuple[int, ...] = 0
    """Exit codes that are good."""
    warn_exit: int | tuple[int, ...] = ()
    """Exit codes that warn, such as 1 of a monitoring plugin."""
    expect_stdout: str = ""
    """A text that its output must contain."""
    cwd: str = "."
    """The folder to run it in."""
    env: dict[str, Secret] = field(default_factory=dict)
    """Environment variables, added to gatekeeper's own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.argv or not self.argv[0]:
            raise ValueError('argv: expected a program and its arguments, such as ["pg_isready", "-q"]')
        if both := set(_several(self.expect_exit)) & set(_several(self.warn_exit)):
            raise ValueError(f"exit code {min(both)} stands in expect_exit and in warn_exit")

    @property
    def target(self) -> str:
        return self.argv[0].rpartition("/")[2]

    @property
    def hint(self) -> str:
        return shlex.join(self.argv)

    def observe(self, ctx: Context, within: float) -> Ended:
        from gatekeeper_gates.components.running import run

        environment = {name: str(value) for name, value in self.env.items()}
        return run(self.argv, ctx.root / self.cwd, environment, within)

    def judge(self, ctx: Context, seen: Ended) -> None:
        secrets = tuple(self.env.values())
        output = {"stdout": excerpt(seen.stdout, secrets), "stderr": excerpt(seen.stderr, secrets)}
        evidence = {"argv": list(self.argv), "exit": seen.exit, "elapsed_s": seen.elapsed_s, **output}
        warns = seen.exit in _several(self.warn_exit)
        got = f"exit {seen.exit}" if seen.exit >= 0 else f"killed by signal {-seen.exit}"
        wanted = f"exit {' or '.join(map(str, _several(self.expect_exit)))}"
        last = next((text.splitlines()[-1] for text in (output["stderr"], output["stdout"]) if text), "")
        ctx.check(
            seen.exit in _several(self.expect_exit),
            f"{self.label} ended with {got}, expected {wanted}{': ' + last if last else ''}",
            name=self.title,
            otherwise="warn" if warns else "fail",
            observed=f"{got} after {shown_s(seen.elapsed_s)}",
            operator="is",
            limit=f"{wanted} within {shown_s(self.within)}",
            hint=self.hint,
            evidence=evidence,
        )
        if self.expect_stdout:
            ctx.check(
                self.expect_stdout in seen.stdout.decode("utf-8", "replace"),
                f"{self.label}: its output does not contain {self.expect_stdout!r}",
                name=f"{self.title} stdout",
                observed=output["stdout"],
                operator="contains",
                limit=self.expect_stdout,
                hint=self.hint,
            )


def _several(codes: int | tuple[int, ...]) -> tuple[int, ...]:
    return codes if isinstance(codes, tuple) else (codes,)
