"""How quickly the HTML report of many gates opens in Chromium: `python benchmarks/html_report.py [--gates 5000]`.

Each page is opened from a file, in a window of its own of a browser that is warm. The floor is what the browser takes
for a page with nothing in it; the peer is a static table with a row for each gate, which is the least that a report
could be that renders everything. A page counts as opened at the end of its load event, and as seen at its first
contentful paint.
"""

import html
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pairing import Against, Candidate, Comparison, Figure, Sample, parser, publish, take_turns

from gatekeeper import Finding, Result, Run, Subject, View, rendered
from gatekeeper.decide import Policy, count, decide
from gatekeeper.model import Header, Output, Source
from gatekeeper.store.past import Past
from gatekeeper.store.sqlite import SqliteStore
from gatekeeper_reports.html import gatekeeper_reports

EARLIER = 30
ARGUMENTS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PAINTED = (
    "performance.getEntriesByName('first-contentful-paint').map(entry => entry.startTime / 1e3)[0] ?? null"
)
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd / 1e3"


def a_run(number: int, gates: int) -> Run:
    """A run of many gates with three measured findings each; one in 500 fails, and says a lot."""
    results = tuple(_result(gate, gate % 500 == 7) for gate in range(gates))
    return Run(
        header=Header(id=f"20261121-{number:06}-00000000", phase="pre", started="2026-11-21T00:00:00Z"),
        subject=Subject("benchmark"),
        verdict=decide(results, [result.id for result in results], Policy()),
        counts=count(results),
        results=results,
    )


def _result(number: int, fails: bool) -> Result:
    status = "fail" if fails else "pass"
    findings = tuple(
        Finding(
            name,
            status,
            3.0 if fails else 1.5,
            "<=",
            2.0,
            "s",
            30,
            evidence={"limits": {"warn": 1.9, "fail": 2.0}},
        )
        for name in ("p50", "p95", "p99")
    )
    return Result(
        id=f"pre.table_{number:05}",
        phase="pre",
        title="The table is whole and fresh.",
        status=status,
        findings=findings,
        duration_s=0.01,
        source=Source("gates/gate_tables.py", 12),
        reason="p50 3 s > 2 s" if fails else "",
        output=Output("a line of the log\n" * 500) if fails else Output(),
    )


def pages(folder: Path, gates: int) -> tuple[dict[str, str], list[Figure]]:
    """The documents that are opened, and what it takes to make ours."""
    store = folder / "history.db"
    with SqliteStore(store, create=True) as history:
        for number in range(EARLIER):
            history.write(a_run(number, gates))
    run = a_run(EARLIER, gates)
    (report,) = gatekeeper_reports()
    timings, text = [], ""
    for _ in range(5):
        began = time.perf_counter()
        text = rendered(report, run, View(past=Past(str(store), run)))
        timings.append((time.perf_counter() - began) * 1e3)
    size = Figure("size of the file", [len(text.encode()) / 1e6], "MB", "≤ 5 MB")
    rows = "".join(_table_row(result) for result in run.results)
    shell = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>page</title><body>{}</body></html>'
    documents = {
        f"gatekeeper, {gates:,} gates": text,
        f"static table, {gates:,} rows": shell.format(f"<table>{rows}</table>"),
        "empty page": shell.format("<p>nothing</p>"),
    }
    return documents, [size, Figure(f"making it, with {EARLIER} runs of history", timings, "ms")]


def _table_row(result: Result) -> str:
    cells = (
        result.status,
        result.id,
        result.title,
        *(f"{f.name} {f.observed} {f.limit}" for f in result.findings),
    )
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def opening(browser: Any, address: str, what: str) -> Callable[[], Sample]:
    """Open a page in a new window, and take the browser's own clock."""

    def run() -> Sample:
        context = browser.new_context(viewport={"width": 1200, "height": 900})
        page = context.new_page()
        page.goto(address)
        seconds = page.evaluate(what)
        while seconds is None:
            page.wait_for_timeout(5)
            seconds = page.evaluate(what)
        context.close()
        return Sample(seconds)

    return run


def compared(browser: Any, folder: Path, documents: dict[str, str], what: str, rounds: int) -> Comparison:
    """All pages in turns, until they are opened or seen."""
    ours, *others = documents
    candidates = []
    for number, (name, text) in enumerate(documents.items()):
        path = folder / f"{number}.html"
        path.write_text(text, encoding="utf-8")
        candidates.append(Candidate(name, opening(browser, path.as_uri(), what)))
    taken = take_turns(candidates, rounds, warm_up=2)
    until = "the end of its load event" if what == LOADED else "its first contentful paint"
    ratios = [Against(ours, other) for other in others]
    longest = Figure(f"until {until}", [sample.wall * 1e3 for sample in taken[ours]], "ms", "≤ 2000 ms")
    return Comparison(f"Opened in Chromium, until {until}", taken, ratios, [longest])


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__, rounds=30)
    options.add_argument("--gates", type=int, default=5_000, help="How many gates the run has.")
    asked = options.parse_args(arguments)
    if asked.quick:
        asked.rounds, asked.gates = 1, 600
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("Chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as driver:
        folder = Path(temporary)
        documents, figures = pages(folder, asked.gates)
        short = {**os.environ, "TMPDIR": "/tmp"}  # Chromium's socket has room for about a hundred characters
        browser = driver.chromium.launch(executable_path=program, args=ARGUMENTS, env=short)
        found = [compared(browser, folder, documents, what, asked.rounds) for what in (LOADED, PAINTED)]
        browser.close()
    found[0].figures += figures
    publish(asked, found)


if __name__ == "__main__":
    main()
