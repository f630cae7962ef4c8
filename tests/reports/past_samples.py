"""Earlier runs for tests of reports, as `View.past` gives them."""

from collections.abc import Mapping, Sequence

from gatekeeper import Run
from gatekeeper.model import Decision, Status
from gatekeeper.reporting import PastRun

DECISIONS: tuple[Decision, ...] = ("proceed", "hold", "block", "none")
STATUSES: tuple[Status, ...] = ("pass", "pass", "warn", "fail", "error", "unknown", "skip")


class SamplePast:
    """`count` earlier runs of a run: each gate and each measured value goes its own regular way."""

    def __init__(self, run: Run, count: int = 30, problem: str = "") -> None:
        self.run, self.problem = run, problem
        self.runs: Sequence[PastRun] = [
            PastRun(
                id=f"earlier-{number}",
                started=f"2026-11-{1 + number // 2:02}T{6 + 8 * (number % 2):02}:00:00Z",
                decision=DECISIONS[number * number % 7 % 4],
                complete=number != 12,
                partial=number == 17,
            )
            for number in range(0 if problem else count)
        ]

    def statuses(self, gates: Sequence[str]) -> Mapping[str, Mapping[str, Status]]:
        return {
            gate: {
                run.id: STATUSES[(place + number // 3) % len(STATUSES)]
                for number, run in enumerate(self.runs)
                if number >= place % 4
            }
            for place, gate in enumerate(gates)
        }

    def values(self, gates: Sequence[str]) -> Mapping[tuple[str, str, str | None], Sequence[float]]:
        found = {}
        for gate in gates:
            result = self.run.result(gate)
            for finding in result.findings if result else ():
                if isinstance(finding.observed, int | float):
                    middle = float(finding.observed) or 1.0
                    found[gate, finding.name, finding.unit] = [
                        middle * (0.9 + number * 7 % 11 / 50) for number in range(len(self.runs))
                    ]
        return found
