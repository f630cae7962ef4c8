"""Start-up and five gates, against the same five checks run by others: `python benchmarks/startup.py`.

gatekeeper isolates each gate in a process of its own, writes JUnit and JSON, and records the run in its
history; pytest writes JUnit and isolates nothing; unittest and the shell script (Debian's
monitoring-plugins, with sh, sync and getent for the two checks that they don't have) write nothing.

Only the five gates run; "and the state before" is the same with what post.cleanup and post.state record in
each pre run by default, for which the others have nothing.

Environments: `few`, where each has its own needs and nothing else (pytest's holds fewer distributions than
gatekeeper's); `90`, the same two filled up to 90 distributions with generated ones, five of which are
trivial plugins of pytest; `dev`, one for all, with gatekeeper's extra `dev` and the real plugins of pytest in
it, filled up to 90. `this` is the environment that runs the benchmark, as it is.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from environments import pythons
from fivechecks import write_project
from pairing import Against, Candidate, Comparison, parser, publish, take_turns
from processes import found, process

PLUGINS = "/usr/lib/nagios/plugins"
OURS = "gatekeeper"
GOALS = {"few": 0.5, "90": 0.15}
TITLES = {
    "few": "Five gates; few distributions: each candidate's own needs",
    "90": "Five gates; 90 distributions: generated ones, five of them plugins of pytest",
    "dev": "Five gates; 90 distributions: the extra dev with its real plugins of pytest, filled up",
    "this": "Five gates; the environment that runs the benchmark",
}


def candidates(ours: Path, theirs: Path, project: Path) -> tuple[list[Candidate], list[str]]:
    """Who takes part, and what must be said of who does not."""
    run: list[str | Path] = [ours, "-m", "gatekeeper", "run", "pre", "--report-dir", "reports"]
    commands: dict[str, list[str | Path]] = {
        OURS: run,
        f"{OURS}, and the state before": [*run, "--config", "recording.toml"],
        "pytest": [theirs, "-m", "pytest", "--junitxml=junit.xml", "test_five.py"],
        "unittest": [theirs, "-m", "unittest", "-q", "unit_five"],
    }
    notes = []
    if "check_load" in found("check_load", folders=[PLUGINS]):
        commands["monitoring-plugins"] = [project / "five.sh", PLUGINS]
    else:
        notes.append("Without monitoring-plugins: Debian's monitoring-plugins-basic is not installed.")
    return [Candidate(name, process(command, project)) for name, command in commands.items()], notes


def compare(environment: str, folder: Path, rounds: int) -> Comparison:
    """All candidates in one environment."""
    project = folder / f"project-{environment}"
    write_project(project)
    taking_part, notes = candidates(*pythons(environment, folder), project)
    taken = take_turns(taking_part, rounds, warm_up=2)
    peers = [candidate.name for candidate in taking_part if not candidate.name.startswith(OURS)]
    goal = GOALS.get(environment)
    ratios = [Against(OURS, peer, goal if peer == "pytest" else None) for peer in peers]
    return Comparison(TITLES[environment], taken, ratios, notes=notes)


def main(arguments: Sequence[str] | None = None) -> None:
    asked = options().parse_args(arguments)
    chosen: list[str] = asked.environment or (["this"] if asked.quick else ["few", "90", "dev"])
    if asked.quick:
        asked.rounds = 1
    with tempfile.TemporaryDirectory(prefix="gatekeeper-benchmark-", dir=asked.folder) as temporary:
        found = [compare(environment, Path(temporary), asked.rounds) for environment in chosen]
    publish(asked, found)


def options() -> argparse.ArgumentParser:
    result = parser(__doc__, rounds=30)
    result.add_argument(
        "--environment", action="append", choices=TITLES, help="few, 90 and dev by default; repeatable."
    )
    result.add_argument("--folder", type=Path, help="Where to work; a temporary folder by default.")
    return result


if __name__ == "__main__":
    main()
