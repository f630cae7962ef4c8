"""What is asked of a store, in SQL that both SQLite and PostgreSQL speak."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gatekeeper.errors import UsageError
from gatekeeper.model import Counts, Run, RunPhase, Since, Status, Subject
from gatekeeper.rundata import Saved
from gatekeeper.store.find import find
from gatekeeper.store.rows import ResultRow, RunRow, decoded

LISTED = (
    "id, subject, digest, phase, started, duration_s, decision, exit_code, complete, partial, profile, counts"
)

BEYOND_ALL = 2**62
"""Above the number of any run."""


class Queries:
    """The reading half of a store; a subclass gives `_rows`. Every method may raise `StoreError`."""

    def _rows(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
        """All rows of an answer.

        Raises:
            StoreError: the store can't be read.
        """
        raise NotImplementedError

    # -- runs ---------------------------------------------------------------------------------------------

    def runs(
        self,
        subject: str | None = None,
        phase: RunPhase | None = None,
        limit: int = 20,
        before: str | None = None,
    ) -> list[RunRow]:
        """Recorded runs, newest first; `before` is the id of the run to go on from."""
        wanted = {"subject": subject, "phase": phase}
        given = {column: value for column, value in wanted.items() if value is not None}
        where = " ".join(f"{column} = ? AND" for column in given)
        rows = self._rows(
            f"SELECT {LISTED} FROM runs WHERE {where} number < ? ORDER BY number DESC LIMIT ?",
            (*given.values(), self._number(before), limit),
        )
        return [_run_row(row) for row in rows]

    def subjects(self) -> list[str]:
        """Every subject of a recorded run, by name."""
        return [name for (name,) in self._rows("SELECT DISTINCT subject FROM runs ORDER BY subject", ())]

    def run(self, reference: str) -> Run:
        """A run by its id, the beginning of one, `latest`, or `latest~N` (the N-th before it).

        Raises:
            UsageError: there is none, or several; names the nearest.
        """
        identity = find(self._rows, reference)
        rows = self._rows("SELECT document FROM runs WHERE id = ?", (identity,))
        if not rows:
            raise UsageError(f"run {identity!r} is no longer recorded")
        run: Run = decoded(rows[0][0], Run, identity)
        return run

    def saved(self, run: str) -> Saved | None:
        """What a run, named as for `run`, saved; None where it saved nothing.

        Raises:
            UsageError: there is no such run, or several.
        """
        identity = find(self._rows, run)
        rows = self._rows("SELECT saved FROM runs WHERE id = ?", (identity,))
        return decoded(rows[0][0], Saved, identity) if rows and rows[0][0] is not None else None

    def latest_pre(self, subject: str) -> Saved | None:
        """What the newest pre phase of a subject saved; partial and interrupted runs don't stand for one."""
        rows = self._rows(
            "SELECT id, started, digest, saved FROM runs WHERE subject = ? AND phase = 'pre' "
            "AND complete = 1 AND partial = 0 ORDER BY number DESC LIMIT 1",
            (subject,),
        )
        if not rows:
            return None
        identity, started, digest, saved = rows[0]
        if saved is None:
            return Saved(identity, started, Subject(subject, digest))
        found: Saved = decoded(saved, Saved, identity)
        return found

    # -- gates --------------------------------------------------------------------------------------------

    def since(
        self, subject: str, statuses: Mapping[str, Status], before: str | None = None
    ) -> dict[str, Since]:
        """For each gate that does not pass now: how long that has been so, this run included.

        `statuses` are the current run's, by gate id; `before` is its id where it is recorded already. A skip
        neither counts nor ends a row of runs.
        """
        number = self._number(before)
        ongoing = [gate for gate, status in statuses.items() if status not in ("pass", "skip")]
        return {gate: self._since(subject, gate, number) for gate in ongoing}

    def _since(self, subject: str, gate: str, before: int) -> Since:
        passed = self._last_passed(subject, gate, before)
        after = passed[0] if passed else -1
        count = self._rows(
            "SELECT count(*) FROM results WHERE subject = ? AND gate = ? AND run > ? AND run < ? "
            "AND status NOT IN ('pass', 'skip')",
            (subject, gate, after, before),
        )[0][0]
        return Since(count + 1, passed[2], passed[1]) if passed else Since(count + 1)

    def _last_passed(self, subject: str, gate: str, before: int) -> tuple[int, str, str] | None:
        """The number, id and start of the run."""
        rows = self._rows(
            "SELECT r.run, runs.id, runs.started FROM results r JOIN runs ON runs.number = r.run "
            "WHERE r.subject = ? AND r.gate = ? AND r.run < ? AND r.status = 'pass' "
            "ORDER BY r.run DESC LIMIT 1",
            (subject, gate, before),
        )
        return rows[0] if rows else None

    def failing(self, subject: str) -> list[str]:
        """Gates whose last result, skips aside, was a fail, an error or unknown."""
        rows = self._rows(
            "SELECT r.gate FROM results r JOIN (SELECT gate, max(run) AS run FROM results "
            "WHERE subject = ? AND status <> 'skip' GROUP BY gate) AS newest "
            "ON newest.gate = r.gate AND newest.run = r.run "
            "WHERE r.subject = ? AND r.status IN ('fail', 'error', 'unknown') ORDER BY r.gate",
            (subject, subject),
        )
        return [gate for (gate,) in rows]

    def last_passed(self, subject: str, gate: str, before: str | None = None) -> str | None:
        """When a gate last passed: the start of that run, UTC, ISO 8601."""
        found = self._last_passed(subject, gate, self._number(before))
        return found[2] if found else None

    def results(self, subject: str, gate: str, n: int = 20, before: str | None = None) -> list[ResultRow]:
        """A gate's last `n` results, newest last."""
        rows = self._rows(
            "SELECT runs.id, runs.started, r.status, r.requirement, r.duration_s FROM results r "
            "JOIN runs ON runs.number = r.run WHERE r.subject = ? AND r.gate = ? AND r.run < ? "
            "ORDER BY r.run DESC LIMIT ?",
            (subject, gate, self._number(before), n),
        )
        return [
            ResultRow(run=run, started=started, status=status, requirement=requirement, duration_s=duration)
            for run, started, status, requirement, duration in reversed(rows)
        ]

    def values(
        self, subject: str, gate: str, finding: str, n: int = 20, before: str | None = None
    ) -> list[float]:
        """The last `n` values of a measured finding, newest last; only those in the unit of the newest."""
        # CROSS JOIN: from the gate's results to their samples, newest first, however SQLite judges the tables
        rows = self._rows(
            "SELECT s.value, s.unit FROM results r CROSS JOIN samples s "
            "WHERE s.run = r.run AND s.gate = r.gate "
            "AND r.subject = ? AND r.gate = ? AND r.run < ? AND s.finding = ? "
            "ORDER BY r.run DESC, s.position DESC LIMIT ?",
            (subject, gate, self._number(before), finding, n),
        )
        return [value for value, unit in reversed(rows) if unit == rows[0][1]]

    # -- many gates in a few runs ---------------------------------------------------------------------------

    def statuses(
        self, subject: str, gates: Sequence[str], runs: Sequence[str]
    ) -> dict[str, dict[str, Status]]:
        """How gates of a subject ended, by gate and then by run; only those that took part."""
        found: dict[str, dict[str, Status]] = {}
        numbers = self._numbers(runs)
        for some in _batches(gates) if numbers else ():
            rows = self._rows(
                f"SELECT gate, run, status FROM results WHERE subject = ? AND gate IN ({places(len(some))}) "
                "AND run >= ? AND run <= ?",
                (subject, *some, min(numbers), max(numbers)),
            )
            for gate, number, status in rows:
                if number in numbers:
                    found.setdefault(gate, {})[numbers[number]] = status
        return found

    def measured(
        self, gates: Sequence[str], runs: Sequence[str]
    ) -> dict[tuple[str, str, str | None], list[float]]:
        """Values of findings by gate, name and unit, oldest run first; of several of one name in a run, the first."""
        found: dict[tuple[str, str, str | None], dict[int, float]] = {}
        numbers = self._numbers(runs)
        for some in _batches(gates) if numbers else ():
            rows = self._rows(
                f"SELECT run, gate, finding, unit, value FROM samples WHERE run IN ({places(len(numbers))}) "
                f"AND gate IN ({places(len(some))}) ORDER BY run, gate, finding, position",
                (*numbers, *some),
            )
            for number, gate, finding, unit, value in rows:
                found.setdefault((gate, finding, unit), {}).setdefault(number, value)
        return {key: [*values.values()] for key, values in found.items()}

    def _numbers(self, runs: Sequence[str]) -> dict[int, str]:
        """The ids of recorded runs by their numbers."""
        sql = f"SELECT number, id FROM runs WHERE id IN ({places(len(runs))})"
        return dict(self._rows(sql, (*runs,))) if runs else {}

    def _number(self, run: str | None) -> int:
        """The number of a recorded run, to go on before it; beyond all for one that is not recorded."""
        rows = self._rows("SELECT number FROM runs WHERE id = ?", (run,)) if run else []
        return int(rows[0][0]) if rows else BEYOND_ALL


def _run_row(row: tuple[Any, ...]) -> RunRow:
    values = dict(zip(LISTED.split(", "), row, strict=True))
    values["counts"] = decoded(values["counts"].encode(), Counts, values["id"])
    return RunRow(**{**values, "complete": bool(values["complete"]), "partial": bool(values["partial"])})


BATCH = 500
"""Values in one list of a query: far below what any database takes."""


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))


def places(count: int) -> str:
    """So many parameters of a query: `?, ?, ?`."""
    return ", ".join("?" * count)
