"""What a flow raises whose gates don't let it through."""

from typing import Any

from gatekeeper.errors import GatekeeperError
from gatekeeper.model import Run, Verdict

MOST_REASONS = 10


class Blocked(GatekeeperError):
    """The gates don't let a flow through: before it, so that it did not start, or after it.

    `run` is the whole record, `verdict` its verdict, `outputs` what the flow came to where it ran.
    """

    __module__ = "gatekeeper"

    def __init__(
        self, name: str, run: Run, *, started: bool, recorded: bool = False, outputs: Any = None
    ) -> None:
        super().__init__(_message(name, run, started=started, recorded=recorded))
        self.name = name
        self.run = run
        self.started = started
        self.outputs = outputs
        self._recorded = recorded

    @property
    def verdict(self) -> Verdict:
        return self.run.verdict

    def __reduce__(self) -> Any:
        return _again, (type(self), self.name, self.run, self.started, self._recorded, self.outputs)


class Held(Blocked):
    """The gates hold a flow: one of them can't tell, there are too many warnings, or a freeze. A person decides."""

    __module__ = "gatekeeper"


def _again(kind: type[Blocked], name: str, run: Run, started: bool, recorded: bool, outputs: Any) -> Blocked:
    return kind(name, run, started=started, recorded=recorded, outputs=outputs)


def _message(name: str, run: Run, *, started: bool, recorded: bool) -> str:
    from gatekeeper.wording import one_line, reason_line

    when = "after the flow" if started else "before the flow, which did not start"
    lines = [f"{one_line(name)}: {run.verdict.decision.upper()} {when}"]
    for reason in run.verdict.reasons[:MOST_REASONS]:
        lines.append(f"  {reason_line(reason)}")
        lines += [f"     try  {one_line(reason.hint)}"] if reason.hint else []
    more = len(run.verdict.reasons) - MOST_REASONS
    lines += [f"  and {more} more reasons"] if more > 0 else []
    lines += [f"  all of it: gatekeeper report term {run.id}"] if recorded else []
    return "\n".join(lines)
