"""Earlier runs in the HTML report: what is read of the store, and how it is drawn."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from html_pages import Page, text_of
from past_samples import SamplePast
from report_samples import rich_run, run_of

import runs as recorded
from gatekeeper import Finding, Result, Run
from gatekeeper.store import spill
from gatekeeper.store.past import MOST_RUNS, Past
from gatekeeper.store.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> "Store":
    return Store(tmp_path)


class Store:
    """A project's history."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / ".gatekeeper" / "history.db"

    def write(self, *given: Run) -> None:
        with recorded.store_in(self.folder) as store:
            for run in given:
                store.write(run)

    def before(self, run: Run) -> Past:
        return Past(str(self.path), run)


def numbers(past: Past) -> list[int]:
    return [int(run.id.split("-")[1]) for run in past.runs]


# -- reading -----------------------------------------------------------------------------------------------------------


def test_the_last_30_runs_of_the_subject_and_phase_before_this_one_are_read_oldest_first(
    store: Store,
) -> None:
    store.write(*(recorded.run(n) for n in range(1, 51)))
    store.write(recorded.run(60, subject="other"), recorded.run(61, phase="post"))
    assert numbers(store.before(recorded.run(50))) == [*range(20, 50)]
    assert len(numbers(store.before(recorded.run(50)))) == MOST_RUNS
    assert numbers(store.before(recorded.run(61, phase="post"))) == []


def test_an_old_run_has_only_the_runs_before_it(store: Store) -> None:
    store.write(*(recorded.run(n) for n in range(1, 10)))
    assert numbers(store.before(recorded.run(4))) == [1, 2, 3]


def test_a_run_that_is_not_recorded_has_all_runs_so_far(store: Store) -> None:
    store.write(recorded.run(1), recorded.run(2))
    assert numbers(store.before(recorded.run(99))) == [1, 2]


def test_an_earlier_run_says_what_it_decided_and_whether_it_was_whole(store: Store) -> None:
    store.write(
        recorded.run(1, recorded.result("pre.a", "fail"), partial=True), recorded.run(2, complete=False)
    )
    first, second = store.before(recorded.run(3)).runs
    assert (first.decision, first.partial, first.complete, first.counts.fail) == ("block", True, True, 1)
    assert (second.decision, second.partial, second.complete) == ("proceed", False, False)


def test_statuses_are_those_of_the_runs_that_are_shown_by_gate_and_run(store: Store) -> None:
    a, b = recorded.result("pre.a"), recorded.result("pre.b", "fail")
    store.write(
        recorded.run(1, a, b), recorded.run(2, b), recorded.run(3, a, phase="all"), recorded.run(4, a)
    )
    first, second, _, fourth = (recorded.run(n).id for n in (1, 2, 3, 4))
    past = store.before(recorded.run(5))
    assert past.statuses(["pre.a", "pre.b", "pre.unknown"]) == {
        "pre.a": {first: "pass", fourth: "pass"},
        "pre.b": {first: "fail", second: "fail"},
    }


def test_values_are_those_of_the_runs_that_are_shown_oldest_first_units_apart(store: Store) -> None:
    def run(number: int, value: float, unit: str = "s") -> Run:
        findings = (
            Finding("p95", "pass", value, "<=", 9, unit),
            Finding("p95", "pass", 1000.0, "<=", 9, unit),
        )
        return recorded.run(number, Result(id="pre.a", phase="pre", status="pass", findings=findings))

    store.write(run(1, 3.0), run(2, 1.0), run(3, 70.0, "B"), run(4, 2.0), run(9, 9.0))
    values = store.before(run(9, 9.0)).values(["pre.a"])
    assert values == {("pre.a", "p95", "s"): [3.0, 1.0, 2.0], ("pre.a", "p95", "B"): [70.0]}


def test_more_gates_than_fit_into_one_query_are_all_found(store: Store) -> None:
    gates = [f"pre.gate_{n}" for n in range(1_201)]
    store.write(recorded.run(1, *(recorded.result(gate, p95=2.0) for gate in gates)))
    past = store.before(recorded.run(2))
    assert past.statuses(gates).keys() == set(gates)
    assert len(past.values(gates)) == 1_201


def test_no_history_is_no_problem(tmp_path: Path) -> None:
    past = Store(tmp_path).before(recorded.run(1))
    assert (past.runs, past.statuses(["pre.a"]), past.values(["pre.a"]), past.problem) == ((), {}, {}, "")
    assert not any(tmp_path.iterdir()), "reading makes no store"


@pytest.mark.parametrize("content", [b"no database" * 100, None])
def test_a_store_that_cannot_be_read_is_a_problem_and_no_exception(
    store: Store, content: bytes | None
) -> None:
    store.path.parent.mkdir()
    if content is None:
        store.path.mkdir()
    else:
        store.path.write_bytes(content)
    past = store.before(recorded.run(1))
    assert past.values(["pre.a"]) == {}
    assert past.runs == ()
    assert str(store.path) in past.problem


def test_a_store_that_breaks_while_it_is_read_is_a_problem(store: Store) -> None:
    store.write(recorded.run(1))
    with sqlite3.connect(store.path) as connection:
        connection.execute("ALTER TABLE results RENAME TO elsewhere")
    connection.close()
    past = store.before(recorded.run(2))
    assert len(past.runs) == 1
    assert past.statuses(["pre.disk"]) == {}
    assert "results" in past.problem


def test_a_url_of_a_store_that_this_version_does_not_have_is_a_problem() -> None:
    past = Past("mysql://host/db", recorded.run(1))
    assert past.runs == ()
    assert "mysql" in past.problem


def test_reading_takes_in_nothing_that_is_pending(store: Store) -> None:
    store.write(recorded.run(1))
    kept = spill(store.path.parent, recorded.run(2))
    assert numbers(store.before(recorded.run(3))) == [1]
    assert kept.exists()


def test_every_query_finds_its_rows_by_an_index(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(*(recorded.run(n, recorded.result("pre.a", p95=1.0)) for n in range(1, 5)))
    asked: list[tuple[str, Sequence[Any]]] = []
    original = SqliteStore._rows

    def noted(self: SqliteStore, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
        asked.append((sql, arguments))
        return original(self, sql, arguments)

    monkeypatch.setattr(SqliteStore, "_rows", noted)
    past = store.before(recorded.run(4))
    assert past.statuses(["pre.a"])
    assert past.values(["pre.a"])
    connection = sqlite3.connect(store.path)
    plans = [
        connection.execute(f"EXPLAIN QUERY PLAN {sql}", arguments).fetchall() for sql, arguments in asked
    ]
    connection.close()
    assert len(plans) >= 5
    for step in (row[3] for plan in plans for row in plan):
        assert step.startswith("SEARCH "), step


# -- drawing -----------------------------------------------------------------------------------------------------------


def test_the_grid_has_a_column_for_each_run_and_this_one_is_the_last() -> None:
    run = rich_run()
    page = Page(run, past=SamplePast(run))
    assert page.said("//section[@id='history']/p[1]") == (
        "30 earlier all runs of checkout, the first of 2026-11-01 06:00 UTC; the last column is this run."
    )
    titles = [text_of(title) for title in page.all("//svg[@class='grid']/g/title")]
    verdicts, cells = titles[:31], titles[31:]
    assert verdicts[-1] == "this run, 2026-11-21 06:00 UTC: BLOCK"
    assert verdicts[12].endswith("(interrupted)")
    assert verdicts[17].endswith("(partial)")
    assert len(cells) == 31 * len(run.results)
    assert cells[30] == "pre.crash[käse & wein], 2026-11-21 06:00 UTC: ERROR"


def test_gates_that_are_worst_now_come_first_and_then_those_that_were_worst() -> None:
    results = (
        Result(id="pre.calm", phase="pre", status="pass"),
        Result(id="pre.troubled", phase="pre", status="pass"),
        Result(id="pre.advised", phase="pre", status="fail", requirement="advisory"),
        Result(id="pre.failing", phase="pre", status="fail"),
    )
    run = run_of(results)

    class Troubled(SamplePast):
        def statuses(self, gates: Sequence[str]) -> dict[str, dict[str, Any]]:
            return {
                gate: {each.id: "fail" if gate == "pre.troubled" else "pass" for each in self.runs}
                for gate in gates
            }

    page = Page(run, past=Troubled(run, 5))
    labels = [text_of(label).split()[1] for label in page.all("//ul[@class='labels']/li")[1:]]
    assert labels == ["pre.failing", "pre.advised", "pre.troubled", "pre.calm"]


def test_the_same_is_there_as_a_table() -> None:
    run = rich_run()
    page = Page(run, past=SamplePast(run, 4))
    rows = [[text_of(cell) for cell in row] for row in page.all("//details[@class='table']//tr")]
    assert rows[0][-2:] == ["2026-11-02 14:00 UTC", "this run"]
    assert rows[1] == ["verdict", "PROCEED", "HOLD", "PROCEED", "BLOCK", "BLOCK"]
    assert rows[2][0] == "pre.crash[käse & wein]"
    assert rows[2][-1] == "ERROR"
    assert "–" in [cell for row in rows[2:] for cell in row], (
        "a gate that was not in a run has no status there"
    )


def test_of_many_gates_the_first_30_are_drawn_and_the_others_are_counted() -> None:
    run = run_of(tuple(Result(id=f"pre.g{n}", phase="pre", status="pass") for n in range(5_000)))
    page = Page(run, past=SamplePast(run))
    assert len(page.all("//ul[@class='labels']/li")) == 31
    assert "4,970 more gates are left out: those that had least trouble." in page.said(
        "//section[@id='history']"
    )
    assert len(page.text.encode()) < 1_500_000


def test_without_history_the_first_run_and_a_broken_store_are_told_apart() -> None:
    run = rich_run()

    def said(past: SamplePast | None) -> str:
        return Page(run, past=past).said("//section[@id='history']")

    assert "This report was made without history." in said(None)
    assert (
        "This is the first recorded all run of checkout: from the next one on, earlier runs stand here."
        in said(SamplePast(run, 0))
    )
    broken = Page(run, past=SamplePast(run, problem="the store x is damaged"))
    assert "History could not be read." in broken.said("//section[@id='history']")
    assert "history could not be read: the store x is damaged" in broken.said("//section[@id='notes']")


def test_budgets_and_failures_show_what_was_usual() -> None:
    results = tuple(
        Result(id=f"pre.{name}", phase="pre", status=status, findings=(  # type: ignore[arg-type]
            Finding("p95", status, value, "<=", 2.0, "s", 20, evidence={"limits": {"warn": 1.0, "fail": 2.0}}),  # type: ignore[arg-type]
        ))
        for name, status, value in (("slow", "fail", 3.0), ("fine", "pass", 0.5))
    )  # fmt: skip
    run = run_of(results)
    page = Page(run, past=SamplePast(run))
    usual = "2.7 s to 3.3 s (n = 30)"
    slow, fine = page.all("//table[@class='budgets']/tbody/tr")
    assert text_of(slow[0]) == "✗ FAIL p95 pre.slow"
    assert text_of(slow[-1]) == usual
    assert text_of(fine[-1]) == "450 ms to 550 ms (n = 30)"
    assert f"{usual}, p5 to p95" in text_of(page.cards[0])
    assert len(page.all("//table[@class='budgets']//rect[@class='band']")) == 2
    labels = page.all("//table[@class='budgets']//svg/@aria-label")
    assert labels[0].replace("\u00a0", " ") == f"p95 3 s; warn 1 s; fail 2 s; p5 to p95 {usual}"


def test_values_of_too_few_runs_are_no_baseline() -> None:
    result = Result(
        id="pre.a", phase="pre", status="pass", findings=(Finding("p95", "pass", 0.5, "<=", 2.0, "s"),)
    )
    run = run_of((result,))
    page = Page(run, past=SamplePast(run, 7))
    assert "7 of 20 values for a baseline" in page.said("//table[@class='budgets']")
    assert not page.all("//rect[@class='band'][ancestor::table]")


def test_of_many_budgets_those_with_least_room_are_listed_and_the_others_counted() -> None:
    findings = tuple(Finding(f"f{n}", "pass", float(n), "<=", 200.0) for n in range(100))
    page = Page(run_of((Result(id="pre.a", phase="pre", status="pass", findings=findings),)))
    names = [text_of(name) for name in page.all("//table[@class='budgets']//th[@scope='row']/strong")]
    assert names == [f"f{n}" for n in range(99, 59, -1)]
    assert "60 more, with more room to their limits" in page.said("//section[@id='budgets']")


def test_the_page_of_a_recorded_run_reads_its_own_history(store: Store) -> None:
    store.write(
        *(
            recorded.run(n, recorded.result("pre.disk", "fail" if n % 2 else "pass", used=float(n)))
            for n in range(1, 31)
        )
    )
    run = recorded.run(30, recorded.result("pre.disk", "fail", used=30.0))
    page = Page(run, past=store.before(run))
    assert len(page.all("//svg[@class='grid']/g")) == 2 * 30
    assert "2.4 s to 27.6 s (n = 29)" in page.said("//article").replace("\u00a0", " ")


def test_a_locked_store_leaves_a_page_with_a_note(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatekeeper.store.past.PATIENCE", 0.05)
    store.write(recorded.run(1))
    connection = sqlite3.connect(store.path, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        page = Page(recorded.run(2), past=store.before(recorded.run(2)))
    finally:
        connection.close()
    assert "locked" in page.said("//section[@id='notes']")
    assert page.said("//h1") == "PROCEED checkout"
