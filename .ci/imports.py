"""How long gatekeeper takes to be there: `python .ci/imports.py --json build/benchmarks/imports.json`.

Its import and its shortest command take turns with a Python that does nothing, and with the import of pluggy, which
gatekeeper needs anyway. Not among the benchmarks: this is no comparison with others, but a limit on ourselves.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from pairing import Against, Candidate, Comparison, parser, publish, take_turns
from processes import process

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import pluggy": ["-c", "import pluggy"],
    "import gatekeeper": ["-c", "import gatekeeper"],
    "gatekeeper --version": ["-m", "gatekeeper", "--version"],
}


def main() -> None:
    asked = parser(__doc__, rounds=20).parse_args()
    cwd = Path(__file__).parent  # nothing here is called like a module
    candidates = [Candidate(name, process([sys.executable, *words], cwd)) for name, words in COMMANDS.items()]
    taken = take_turns(candidates, 2 if asked.quick else asked.rounds, warm_up=2)
    ours = ("import gatekeeper", "gatekeeper --version")
    ratios = [Against(name, peer) for name in ours for peer in ("python -c pass", "import pluggy")]
    publish(asked, [Comparison("To be there", taken, ratios)])


if __name__ == "__main__":
    main()
