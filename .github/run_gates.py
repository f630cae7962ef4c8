"""What action.yml does once gatekeeper is there: run the gates, and hand GitHub what they found.

Inputs come as environment variables, never as part of a script. What gatekeeper prints is shown as it is, with
workflow commands switched off: it may hold text of a pull request. The annotations come after it, from a file.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

HOLD, INTERNAL_ERROR, USAGE_ERROR = 6, 3, 4
OURS = ("report.json", "report.html", "junit.xml", "gates.sarif", "annotations.txt")
"""Files that an earlier run may have left in the report folder; they must not be taken for this one's."""


def main() -> int:
    folder = Path(given("report-dir") or f"reports/{given('phase')}").absolute()
    on_hold = given("on-hold")
    if on_hold not in ("block", "proceed"):
        print(f"::error title=gatekeeper::on-hold: expected block or proceed, got {on_hold!r}")
        write_outputs(USAGE_ERROR, None, folder)
        return USAGE_ERROR
    for name in OURS:
        (folder / name).unlink(missing_ok=True)
    code = run(command(folder))
    if (annotations := folder / "annotations.txt").exists():
        print(annotations.read_text("utf-8"), end="")
    report = read(folder / "report.json")
    write_outputs(code, report, folder)
    return conclusion(code, report, on_hold)


def given(name: str) -> str:
    """An input of the action; lines and blanks around it don't count."""
    return os.environ.get(f"INPUT_{name.upper().replace('-', '_')}", "").strip()


def lines(name: str) -> list[str]:
    return [line.strip() for line in given(name).splitlines() if line.strip()]


def command(folder: Path) -> list[str]:
    words = ["gatekeeper", "run", given("phase"), *lines("arguments"), f"--report-dir={folder}"]
    words += [f"--format=github={folder / 'annotations.txt'}", f"--format=sarif={folder / 'gates.sarif'}"]
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        words.append(f"--format=markdown={summary}")
    for option in ("config", "profile", "subject", "policy-from"):
        if value := given(option):
            words.append(f"--{option}={value}")
    return [*words, "--", *lines("gates")]


def run(words: list[str]) -> int:
    """The exit code. gatekeeper is told when the job is cancelled, and has the time to write its reports."""
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", flush=True)
    try:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _: process.send_signal(received))
        return process.wait()
    finally:
        print(f"\n::{token}::", flush=True)  # a command must begin its line


def read(report: Path) -> dict[str, Any] | None:
    """The JSON report; None where gatekeeper wrote none."""
    try:
        found: dict[str, Any] = json.loads(report.read_bytes())
    except (OSError, ValueError):
        return None
    return found


def write_outputs(code: int, report: dict[str, Any] | None, folder: Path) -> None:
    """The action's outputs, each between delimiters that no value can hold."""
    gates = [] if report is None else report["gates"]
    failed = [g["id"] for g in gates if g["requirement"] == "required" and g["status"] in ("fail", "error")]
    values = {
        "decision": "none" if report is None else report["verdict"]["decision"],
        "exit-code": code,
        "failed-gates": json.dumps(failed),
        "report-dir": folder,
    }
    delimiter = secrets.token_hex(16)
    with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in values.items())


def conclusion(code: int, report: dict[str, Any] | None, on_hold: str) -> int:
    """The step's exit code: gatekeeper's, but for a hold that may proceed. Without a report nothing was decided."""
    if report is None:
        print(f"::error title=gatekeeper::No verdict: it ended with exit code {code}, and the log says why.")
        return code or INTERNAL_ERROR
    if code == HOLD and on_hold == "proceed":
        print(
            "::warning title=gatekeeper HOLD::The job goes on, as on-hold asks; somebody should look at this."
        )
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
