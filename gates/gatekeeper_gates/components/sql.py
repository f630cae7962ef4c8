"""What the database components share: a query, its time, and what it must answer."""

from typing import Any

from msgspec import Struct

from gatekeeper import Budget, Context
from gatekeeper_gates.components.check import Check
from gatekeeper_gates.components.conditions import MISSING, condition, holds


class Answer(Struct, frozen=True):
    """What a query gave: the first column of its first row (`MISSING` without rows), and seconds."""

    value: Any
    elapsed_s: float


class Database(Check, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A query with limits."""

    query: str = ""
    """A query to run, read-only; without one, a trivial one."""
    latency: Budget = Budget()
    """Limits of the query's time; without them it is `within`."""
    expect: dict[str, Any] | str | float | bool | None = None
    """What the first column of the first row must be: a value, or conditions such as `{ min = 1 }`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.latency.expect("latency", "s")
        if self.expect is not None:
            condition("expect", self.expect)
            if not self.query:
                raise ValueError("expect needs a query")

    def judge_answer(self, ctx: Context, seen: Answer, evidence: dict[str, Any]) -> None:
        """Record the query's time, and what it gave."""
        bounded = self.latency.fail is not None or self.latency.warn is not None
        ctx.measure(
            self.title,
            seen.elapsed_s,
            unit="s",
            warn=self.latency.warn,
            fail=self.latency.fail if bounded else self.within,
            n=1,
            hint=self.hint,
            evidence={**evidence, **({"query": self.query} if self.query else {})},
        )
        if self.expect is not None:
            wanted = condition("expect", self.expect)
            absent = " (the query gave no row)" if seen.value is MISSING else ""
            name, about = f"{self.title} answer", f"{self.label}: the answer"
            holds(ctx, name, seen.value, wanted, message=about, hint=self.hint, absent=absent)
