"""What a recorded run costs, and what looking back costs: `python benchmarks/store.py [--results 1000000]`.

The peer of a durable write is the least that is durable: the same document appended to an open file, and one
fsync; for a store that is opened for each run, a new file for each, and an fsync of the file and of its folder.
The peer of looking back is SQLite's own answer to as many queries by primary key.
"""

import os
import sqlite3
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import msgspec
from pairing import Against, Candidate, Comparison, Figure, parser, publish, take_turns, timed

from gatekeeper.model import Counts, Finding, Header, Result, Run, Subject, Verdict
from gatekeeper.rundata import Saved
from gatekeeper.store.rows import Record
from gatekeeper.store.sqlite import SqliteStore

GATES, FINDINGS = 5, 6
WARM_UP = 20
BY_KEY = "50 rows by primary key"


def a_run(number: int) -> Run:
    """A run as `gatekeeper run pre` records it: five gates with six measured findings each."""
    findings = tuple(
        Finding(
            f"measured_{i}", "pass", 1.5 * i + number, "<=", 9e9, "s", 30, evidence={"source": "/proc/stat"}
        )
        for i in range(FINDINGS)
    )
    results = tuple(
        Result(id=f"pre.gate_{i}", phase="pre", title="A gate.", status="pass", findings=findings)
        for i in range(GATES)
    )
    return Run(
        header=Header(id=f"20261121-000000-{number:08x}", phase="pre", started="2026-11-21T00:00:00Z"),
        subject=Subject("benchmark"),
        verdict=Verdict("proceed"),
        counts=Counts(GATES),
        results=results,
    )


def durable_writes(folder: Path, rounds: int) -> Comparison:
    """A run on disk when the call returns, against the same bytes and an fsync."""
    numbers = count()
    saved = Saved("run", "2026-11-21T00:00:00Z", Subject("benchmark"), {"pids": list(range(100))})
    payload = msgspec.json.encode(a_run(0)) + msgspec.json.encode(saved)
    opened = os.open(folder / "raw", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    store = SqliteStore(folder / "open.db", create=True)
    runs = {number: a_run(number) for number in range(2 * (rounds + WARM_UP))}

    def append() -> None:
        os.write(opened, payload)
        os.fsync(opened)

    def write() -> None:
        store.write(runs[next(numbers)], saved)

    def create_and_append() -> None:
        descriptor = os.open(folder / f"raw-{next(files)}", os.O_CREAT | os.O_WRONLY)
        os.write(descriptor, payload)
        os.fsync(descriptor)
        os.close(descriptor)
        parent = os.open(folder, os.O_RDONLY)
        os.fsync(parent)
        os.close(parent)

    def open_and_write() -> None:
        with SqliteStore(folder / "each.db", create=True) as each:
            each.write(runs[next(numbers)], saved)

    files = count()
    kept_open, opened_anew = "a durable run, store kept open", "open, a durable run, close"
    appended, created = "append + fsync", "new file + 2 fsyncs"
    pairs = {kept_open: write, appended: append, opened_anew: open_and_write, created: create_and_append}
    taken = take_turns([Candidate(name, timed(run)) for name, run in pairs.items()], rounds, WARM_UP)
    os.close(opened)
    store.close()
    ratios = [Against(kept_open, appended, 2), Against(opened_anew, created)]
    return Comparison(f"A run of {len(payload):,} bytes on disk when the call returns", taken, ratios)


def looking_back(folder: Path, results: int, rounds: int) -> Comparison:
    """The last 50 of many results."""
    path = folder / "large.db"
    fill(path, results)
    with SqliteStore(path) as store:
        connection = sqlite3.connect(path)
        runs = results // GATES

        def last() -> None:
            _expect(store.results("benchmark", "pre.gate_2", 50))

        def last_values() -> None:
            _expect(store.values("benchmark", "pre.gate_2", "measured_3", 50))

        def by_key() -> None:
            for number in range(runs - 49, runs + 1):
                connection.execute("SELECT started FROM runs WHERE number = ?", (number,)).fetchone()

        kinds = {"results": last, "values": last_values, BY_KEY: by_key}
        taken = take_turns([Candidate(name, timed(run)) for name, run in kinds.items()], rounds, WARM_UP)
        connection.close()
    figures = [
        Figure(f"last 50 {name}", [sample.wall * 1e3 for sample in taken[name]], "ms", "≤ 1 ms")
        for name in ("results", "values")
    ]
    ratios = [Against("results", BY_KEY), Against("values", BY_KEY)]
    return Comparison(f"The last 50 of {results:,} results", taken, ratios, figures)


def _expect(rows: Sequence[object]) -> None:
    if len(rows) != 50:
        raise AssertionError(f"expected 50 rows, got {len(rows)}")


def fill(path: Path, results: int) -> None:
    """Many runs, written as `write` writes them, but in one transaction."""
    with SqliteStore(path, create=True) as store, store.changing():
        template = a_run(0)
        for number in range(results // GATES):
            header = msgspec.structs.replace(template.header, id=f"20261121-000000-{number:08x}")
            store._insert(Record(msgspec.structs.replace(template, header=header)))


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__, rounds=300)
    options.add_argument("--results", type=int, default=1_000_000, help="How many results history holds.")
    options.add_argument("--folder", type=Path, help="Where to write; a temporary folder by default.")
    asked = options.parse_args(arguments)
    if asked.quick:
        asked.rounds, asked.results = 3, 1_000
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        folder = Path(temporary)
        found = [
            durable_writes(folder, asked.rounds),
            looking_back(folder, asked.results, asked.rounds),
        ]
    publish(asked, found)


if __name__ == "__main__":
    main()
