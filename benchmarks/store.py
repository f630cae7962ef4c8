"""What a recorded run costs, and what looking back costs: `python benchmarks/store.py [--results 1000000]`.

Peers and store take turns in one process, so that what else the machine does meets both; the ratio is the
median of the pairs' ratios. The peer of a durable write is the least that is durable: the same document
appended to an open file, and one fsync; for a store that is opened for each run, a new file for each, and
an fsync of the file and of its folder.
"""

import argparse
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import msgspec

from gatekeeper.context import Saved
from gatekeeper.model import Counts, Finding, Header, Result, Run, Subject, Verdict
from gatekeeper.store.rows import Record
from gatekeeper.store.sqlite import SqliteStore

GATES, FINDINGS = 5, 6
WARM_UP = 20


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


def paired(peer: Callable[[], None], ours: Callable[[], None], rounds: int) -> tuple[float, float, float]:
    """Median seconds of both, taking turns, and the median of the ratios of the pairs."""
    times = []
    for turn in range(rounds + WARM_UP):
        pair = [0.0, 0.0]
        for place in ((0, 1), (1, 0))[turn % 2]:
            began = time.perf_counter()
            (peer, ours)[place]()
            pair[place] = time.perf_counter() - began
        times.append(pair)
    kept = times[WARM_UP:]
    first, second = (statistics.median(pair[i] for pair in kept) for i in (0, 1))
    return first, second, statistics.median(pair[1] / pair[0] for pair in kept)


Row = tuple[str, str, float, float, float, str]


def durable_writes(folder: Path, rounds: int) -> list[Row]:
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
    size = f"{len(payload)} B"
    found = [
        ("a durable run, files open", f"append {size} + fsync", *paired(append, write, rounds), "≤ 2"),
        (
            "open, a durable run, close",
            f"new file of {size} + 2 fsyncs",
            *paired(create_and_append, open_and_write, rounds),
            "",
        ),
    ]
    os.close(opened)
    store.close()
    return found


def looking_back(folder: Path, results: int, rounds: int) -> list[Row]:
    """The last 50 of many results; the peer is SQLite's own answer to a query by primary key, 50 times."""
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

        title = f"last 50 of {results:,}"
        return [
            (f"{title} results", "50 rows by key", *paired(by_key, last, rounds), "≤ 1 ms"),
            (f"{title} results' values", "50 rows by key", *paired(by_key, last_values, rounds), "≤ 1 ms"),
        ]


def _expect(rows: Sequence[object]) -> None:
    if len(rows) != 50:
        raise AssertionError(f"expected 50 rows, got {len(rows)}")


def fill(path: Path, results: int) -> None:
    """Many runs, written as `write` writes them, but in one transaction."""
    with SqliteStore(path, create=True) as store, store._transaction():
        template = a_run(0)
        for number in range(results // GATES):
            header = msgspec.structs.replace(template.header, id=f"20261121-000000-{number:08x}")
            store._insert(Record(msgspec.structs.replace(template, header=header)))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=300)
    options.add_argument("--results", type=int, default=1_000_000)
    options.add_argument("--folder", type=Path, help="Where to write; a temporary folder by default.")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        folder = Path(temporary)
        rows = durable_writes(folder, asked.rounds) + looking_back(folder, asked.results, asked.rounds)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, {versions}, medians of {asked.rounds} pairs\n")
    print("| what | against | peer | gatekeeper | ratio | goal |\n|---|---|--:|--:|--:|---|")
    for what, against, first, second, ratio, goal in rows:
        print(f"| {what} | {against} | {first * 1e3:.3f} ms | {second * 1e3:.3f} ms | {ratio:.2f} | {goal} |")


if __name__ == "__main__":
    main()
