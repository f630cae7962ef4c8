"""The same flow between the same gates, from Python.

    python gated.py                         in place of gatekeeper run pre, python flow.py, gatekeeper run post
    python gated.py --fault lose-records    options are those of flow.py

Its exit code is the verdict's: 0 proceed, 1 block, 6 hold.
"""

import sys

import flow

import gatekeeper


def main(arguments: list[str] | None = None) -> int:
    try:
        with gatekeeper.flow("countries", report_dir="build/reports") as run:
            flow.main(arguments)
    except gatekeeper.Blocked as blocked:
        print(blocked, file=sys.stderr)
        return blocked.verdict.exit_code
    print(run.verdict)
    return 0


if __name__ == "__main__":
    sys.exit(main())
