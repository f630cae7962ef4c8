"""`post.flow`: how the flow that gatekeeper ran came to its end."""

from collections.abc import Iterator

from msgspec import Struct, field

from gatekeeper import Context, Finding, FlowData, post
from gatekeeper.model import Status

SESSION = {
    1: "tests failed",
    2: "the session was interrupted",
    3: "pytest broke",
    4: "pytest was used wrongly, or a conftest.py is wrong",
    5: "no test ran",
}
"""What pytest's exit codes mean (`pytest.ExitCode`)."""


class Flow(Struct, frozen=True, forbid_unknown_fields=True):
    """Which ends of a flow are good ones. An exception of Python code, and a signal, never are."""

    exit_codes: list[int] = field(default_factory=lambda: [0])
    """Exit codes of a command (`gatekeeper exec`) that mean success."""

    def __post_init__(self) -> None:
        if not self.exit_codes or not all(0 <= code <= 255 for code in self.exit_codes):
            raise ValueError("exit_codes needs at least one number from 0 to 255")


MEASURED = ("duration", "cpu", "peak_memory")
"""What gatekeeper measures of every flow: recorded here, whether or not `post.performance` has budgets on it."""


@post(settings=Flow, flow=True, tags=["flow"])
def flow(ctx: Context, settings: Flow) -> Iterator[Finding]:
    """The flow came to its end, and to a good one."""
    yield _end(ctx.flow, settings)
    for series in ctx.data.measured.series:
        if series.name in MEASURED and len(series.values) == 1:
            evidence = {"source": series.source}
            yield ctx.measure(series.name, series.values[0], unit=series.unit, evidence=evidence)


def _end(ended: FlowData, settings: Flow) -> Finding:
    if not ended.complete:
        message = (
            f"nobody saw its end: its process exited on the spot (os._exit) or was killed {ended.message}"
        )
        return Finding(
            "end", "fail", message=message.rstrip(), hint="run it alone, and look at its last output"
        )
    if ended.kind == "command" and ended.error is not None:
        return _prevented(ended)
    if ended.signal is not None:
        message = f"{_name(ended)} was ended by {ended.signal} {ended.message}"
        return Finding("end", "fail", observed=ended.signal, message=message.rstrip())
    if ended.kind == "python":
        return _exception(ended)
    return _session(ended) if ended.kind == "pytest" else _exit_code(ended, settings)


def _prevented(ended: FlowData) -> Finding:
    """A command that did not start, or was not given more time."""
    code = ended.signal if ended.exit_code is None else ended.exit_code
    return Finding("end", "fail", observed=code, message=f"{_name(ended)} {ended.message}")


def _name(ended: FlowData) -> str:
    return f"`{ended.name}`" if ended.name else "the flow"


def _exception(ended: FlowData) -> Finding:
    if ended.error is None:
        return Finding("exception", "pass", observed=None, message=f"{_name(ended)} raised nothing")
    what = f"{ended.error}: {ended.message}" if ended.message else ended.error
    return Finding("exception", "fail", observed=ended.error, message=f"{_name(ended)} raised {what}")


def _exit_code(ended: FlowData, settings: Flow) -> Finding:
    good = settings.exit_codes
    one = len(good) == 1
    return Finding(
        "exit code",
        "pass" if ended.exit_code in good else "fail",
        observed=ended.exit_code,
        operator="==" if one else "in",
        limit=good[0] if one else good,
        message=f"{_name(ended)} exited with {ended.exit_code}",
    )


def _session(ended: FlowData) -> Finding:
    """No test is no evidence: unknown. A session that was red for any other reason is a fail."""
    code = ended.exit_code
    status: Status = "pass" if code == 0 else "unknown" if code == 5 else "fail"
    said = "every test passed" if code == 0 else SESSION.get(code or 0, f"pytest exited with {code}")
    return Finding("exit code", status, observed=code, operator="==", limit=0, message=said)
