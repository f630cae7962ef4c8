"""What the pytest plugin costs a session that does not use it: `python benchmarks/pytest_plugin.py`.

A session of one test, which its command line names (one that names nothing loads less), in an environment with
pytest, gatekeeper and nothing else: with the plugin; with `-p no:gatekeeper`, which leaves out its import and
registration; and, in the environment `few`, in one without the distribution that registers the plugin. Against that
one there is something more: of each distribution that registers a plugin pytest lists the files, to know whose
assertions it is to rewrite. That takes time for each file, which is why gatekeeper's plugin has a distribution of its
own, of a few files.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from environments import PLUGIN, build_wheel, new_environment
from pairing import Against, Candidate, Comparison, Figure, Taken, parser, publish, take_turns
from processes import process

OURS, OFF, NONE = "gatekeeper's plugin", "-p no:gatekeeper", "no plugin"
SESSION = ["-m", "pytest", "-q", "test_one.py"]


def commands(environment: str, folder: Path) -> dict[str, list[str | Path]]:
    """The sessions, by name."""
    if environment == "this":
        return {OURS: [sys.executable, *SESSION], OFF: [sys.executable, *SESSION, "-p", "no:gatekeeper"]}
    needs = [build_wheel(folder / "wheel"), "pytest"]
    without = new_environment(folder / "without", needs)
    ours = new_environment(folder / "with", [*needs, build_wheel(folder / "plugin", PLUGIN)])
    return {OURS: [ours, *SESSION], OFF: [ours, *SESSION, "-p", "no:gatekeeper"], NONE: [without, *SESSION]}


def compare(environment: str, folder: Path, rounds: int) -> Comparison:
    """All sessions in one environment."""
    project = folder / "project"
    project.mkdir()
    (project / "test_one.py").write_text("def test_one(): pass\n", encoding="utf-8")
    sessions = commands(environment, folder)
    candidates = [Candidate(name, process(words, project)) for name, words in sessions.items()]
    taken = take_turns(candidates, rounds, warm_up=2)
    figures = [Figure("import and registration", _more(taken, OFF), "ms", "≤ 2 ms")]
    if NONE in taken:
        figures.append(Figure("and what pytest does for it", _more(taken, NONE), "ms", "≤ 2 ms"))
    ratios = [Against(OURS, name) for name in sessions if name != OURS]
    return Comparison(f"A pytest session of one test ({environment})", taken, ratios, figures)


def _more(taken: Taken, peer: str) -> list[float]:
    """By how many milliseconds each session took longer than the peer's."""
    return [(ours.wall - theirs.wall) * 1e3 for ours, theirs in zip(taken[OURS], taken[peer], strict=True)]


def main(arguments: Sequence[str] | None = None) -> None:
    asked = options().parse_args(arguments)
    chosen = asked.environment or ("this" if asked.quick else "few")
    if asked.quick:
        asked.rounds = 1
    with tempfile.TemporaryDirectory(prefix="gatekeeper-benchmark-") as temporary:
        found = [compare(chosen, Path(temporary), asked.rounds)]
    publish(asked, found)


def options() -> argparse.ArgumentParser:
    result = parser(__doc__, rounds=100)
    result.add_argument("--environment", choices=["few", "this"], help="few by default.")
    return result


if __name__ == "__main__":
    main()
