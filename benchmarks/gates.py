"""Many trivial gates against as many trivial tests: `python benchmarks/gates.py [--count 10000]`.

gatekeeper isolates each gate in a process of its own (fork), or none of them; both write JUnit and JSON.
pytest writes JUnit and isolates nothing. The floor is a bare loop of fork, pipe and reap, from a small
process and from one that holds 75 MB, with as many children side by side as gatekeeper has by default.
"""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from environments import pythons
from fivechecks import ALONE
from pairing import Against, Candidate, Comparison, Figure, Sample, Taken, parser, publish, take_turns
from processes import plain_environment, process

FILES = 10
FLOORS = {"small": 0.0, "75 MB": 75.0}
SIDE_BY_SIDE = min(32, 4 + 2 * (os.cpu_count() or 1))
"""gatekeeper's own default of `--jobs`."""
FORK, NONE, PYTEST = "gatekeeper, each gate isolated", "gatekeeper --isolation none", "pytest --junitxml"


def write_project(folder: Path, count: int) -> None:
    """As many gates as tests, in as many files, each with one assert."""
    gates, tests = folder / "gates", folder / "tests"
    gates.mkdir(parents=True)
    tests.mkdir()
    (folder / "gatekeeper.toml").write_text(ALONE, encoding="utf-8")
    for file in range(FILES):
        numbers = range(file, count, FILES)
        body = "".join(f"@pre\ndef gate_{n}(ctx):\n    assert total + {n} == {n + 3}\n\n\n" for n in numbers)
        (gates / f"gate_{file}.py").write_text(
            f"from gatekeeper import pre\n\ntotal = 3\n\n\n{body}", "utf-8"
        )
        body = "".join(f"def test_{n}():\n    assert total + {n} == {n + 3}\n\n\n" for n in numbers)
        (tests / f"test_{file}.py").write_text(f"total = 3\n\n\n{body}", "utf-8")


def candidates(python: Path, pytests: Path, folder: Path, count: int) -> list[Candidate]:
    run, tests = ["run", "pre", "--no-history"], ["-q", "-p", "no:cacheprovider"]
    ours: list[str | Path] = [python, "-m", "gatekeeper", *run, "--report-dir", "reports"]
    theirs: list[str | Path] = [pytests, "-m", "pytest", *tests, "--junitxml=junit.xml", "tests"]
    found = [
        Candidate(FORK, process(ours, folder)),
        Candidate(NONE, process([*ours, "--isolation", "none"], folder)),
        Candidate(PYTEST, process(theirs, folder)),
    ]
    return found + [
        Candidate(f"fork, pipe, reap: {name}", partial(floor, python, count, megabytes))
        for name, megabytes in FLOORS.items()
    ]


def floor(python: Path, count: int, megabytes: float) -> Sample:
    """The bare loop in its own process, which says itself how long it took."""
    script = Path(__file__).with_name("forkloop.py")
    command = [str(python), str(script), str(count), str(megabytes), str(SIDE_BY_SIDE)]
    done = subprocess.run(command, env=plain_environment(), capture_output=True, text=True, check=True)
    return Sample(float(done.stdout))


def per_gate(taken: Taken, count: int) -> list[Figure]:
    """Milliseconds a gate, of each round."""
    pairs = zip(taken[FORK], taken[NONE], strict=True)
    isolation = [(fork.wall - none.wall) / count * 1e3 for fork, none in pairs]
    figures = [Figure("isolation of a gate (isolated - none)", isolation, "ms", "≤ 2 ms")]
    for name in taken:
        values = [sample.wall / count * 1e3 for sample in taken[name]]
        figures.append(Figure(f"a gate: {name}", values, "ms"))
    return figures


def compare(environment: str, folder: Path, count: int, rounds: int) -> Comparison:
    project = folder / "project"
    write_project(project, count)
    taken = take_turns(candidates(*pythons(environment, folder), project, count), rounds, warm_up=1)
    ratios = [Against(FORK, PYTEST, 1.2), Against(NONE, PYTEST, 0.12)]
    ratios += [Against(FORK, name) for name in taken if name.startswith("fork")]
    note = f"{SIDE_BY_SIDE} gates, and children of the bare loop, side by side."
    return Comparison(f"{count:,} trivial gates", taken, ratios, per_gate(taken, count), [note])


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__, rounds=5)
    options.add_argument("--count", type=int, default=10_000, help="How many gates.")
    options.add_argument(
        "--environment",
        choices=["few", "this"],
        default="few",
        help="few: each has its own needs and nothing else; this: the one that runs the benchmark.",
    )
    asked = options.parse_args(arguments)
    if asked.quick:
        asked.environment, asked.count, asked.rounds = "this", 50, 1
    with tempfile.TemporaryDirectory(prefix="gatekeeper-benchmark-") as folder:
        publish(asked, [compare(asked.environment, Path(folder), asked.count, asked.rounds)])


if __name__ == "__main__":
    main()
