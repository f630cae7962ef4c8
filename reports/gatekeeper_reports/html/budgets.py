"""The table of budgets: every measured finding that has limits, what is nearest to them first."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

from msgspec import Struct

from gatekeeper import Finding, Result, Run
from gatekeeper.model import WORST_FIRST
from gatekeeper.wording import expected, number, observed
from gatekeeper_reports.html.bars import Bar, bar, baseline, is_budget, room_left, spark
from gatekeeper_reports.html.text import cut

Earlier = Mapping[tuple[str, str, str | None], Sequence[float]]
"""What earlier runs measured, oldest first, by gate, finding and unit."""

MOST = 40
"""Rows of the table; the rest is in the details of the gates."""


class Budget(Struct, frozen=True, kw_only=True):
    """A row of the table. `line` are the points of earlier values and this one."""

    gate: str
    name: str
    status: str
    observed: str
    expected: str
    bar: Bar | None
    earlier: str
    line: list[tuple[float, float]]


class Budgets(Struct, frozen=True):
    """The rows, and how many more there are."""

    rows: Sequence[Budget] = ()
    more: int = 0


def most_urgent(run: Run) -> list[tuple[Result, Finding]]:
    """Every budget of the run with its gate: worst status first, then what has least room left."""
    found = [(result, finding) for result in run.results for finding in result.findings if is_budget(finding)]
    return sorted(found, key=lambda pair: (WORST_FIRST.index(pair[1].status), room_left(pair[1])))


def budgets(measured: Sequence[tuple[Result, Finding]], earlier: Earlier | None) -> Budgets:
    """The table; `earlier` is None where there is no history."""
    return Budgets([*_rows(measured[:MOST], earlier)], max(0, len(measured) - MOST))


def _rows(shown: Sequence[tuple[Result, Finding]], values: Earlier | None) -> Iterator[Budget]:
    for result, finding in shown:
        before = (values or {}).get((result.id, finding.name, finding.unit), ())
        earlier = baseline(before)
        yield Budget(
            gate=cut(result.id, 200),
            name=cut(finding.name, 200),
            status=finding.status,
            observed=cut(observed(finding), 200).replace("n = ", "n\u00a0=\u00a0"),  # stays on one line
            expected=cut(expected(finding), 300),
            bar=bar(finding, earlier),
            earlier="" if values is None else earlier.text(finding.unit),
            line=spark([*before, *_finite(finding)]),
        )


def _finite(finding: Finding) -> list[float]:
    value = number(finding.observed)
    return [value] if value is not None and isfinite(value) else []
