"""Runs and stores for tests."""

from pathlib import Path

from gatekeeper.model import Counts, Finding, Header, Result, Run, Source, Status, Subject, Verdict
from gatekeeper.rundata import Saved
from gatekeeper.store import open_store, spill
from gatekeeper.store.sqlite import SqliteStore

DECISIONS = {"pass": ("proceed", 0), "warn": ("proceed", 0), "skip": ("none", 5), "unknown": ("hold", 6)}


def result(gate: str, status: Status = "pass", **values: float) -> Result:
    """A gate's result, with one measured finding for each value."""
    return Result(
        id=gate,
        phase="post" if gate.startswith("post.") else "pre",
        title=f"The gate {gate}.",
        status=status,
        duration_s=0.25,
        source=Source("gates/gate_it.py", 7),
        findings=tuple(Finding(name, status, value, "<=", 10, "s", 3) for name, value in values.items()),
        reason="" if status == "pass" else f"{gate} did not pass",
    )


def run(
    number: int = 1,
    *results: Result,
    subject: str = "checkout",
    phase: str = "pre",
    started: str = "",
    complete: bool = True,
    partial: bool = False,
) -> Run:
    """A run whose id and start follow from its number."""
    given = results or (result("pre.disk"),)
    decision, code = DECISIONS.get(given[0].status, ("block", 1))
    tally = [sum(r.status == s for r in given) for s in ("pass", "warn", "fail", "error", "unknown", "skip")]
    return Run(
        header=Header(
            id=f"20261121-{number:06}-{number:08x}",
            phase=phase,  # type: ignore[arg-type]
            started=started
            or f"2026-11-{1 + number // 1440 % 28:02}T{number // 60 % 24:02}:{number % 60:02}:00Z",
            duration_s=1.5,
            complete=complete,
            partial=partial,
        ),
        subject=Subject(subject),
        verdict=Verdict(decision, exit_code=code),  # type: ignore[arg-type]
        counts=Counts(*tally),
        results=given,
    )


def saved(of: Run, **values: object) -> Saved:
    return Saved(of.id, of.header.started, of.subject, dict(values))


def store_in(folder: Path) -> SqliteStore:
    """A store in a folder's state folder."""
    return open_store(folder / ".gatekeeper" / "history.db", create=True)


def spilled_many(folder: Path, numbers: "range") -> None:
    for number in numbers:
        spill(folder, run(number))
