"""What Git says about the working tree."""

import subprocess
from typing import Any


def worktree() -> dict[str, Any]:
    """`commit`, `branch` (None when detached), `changed` and `untracked` paths; or `error`, the reason.

    Reads `git status --porcelain=v2 --branch -z`; see git-status(1), "Porcelain Format Version 2".
    """
    command = ["git", "status", "--porcelain=v2", "--branch", "-z"]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=10, check=False, encoding="utf-8", errors="replace"
        )
    except FileNotFoundError:
        return {"error": "git is not installed"}
    except subprocess.TimeoutExpired:
        return {"error": "git status took more than 10 s"}
    if done.returncode != 0:
        return {"error": done.stderr.strip()}
    return parsed(done.stdout)


def parsed(status: str) -> dict[str, Any]:
    """The answer of `git status` as a fact."""
    found: dict[str, Any] = {"commit": None, "branch": None, "changed": [], "untracked": []}
    entries = iter(status.split("\0"))
    for entry in entries:
        kind, _, rest = entry.partition(" ")
        if entry.startswith("# branch.oid ") and not entry.endswith("(initial)"):
            found["commit"] = entry.split()[2]
        elif entry.startswith("# branch.head ") and not entry.endswith("(detached)"):
            found["branch"] = entry.split(" ", 2)[2]
        elif kind == "?":
            found["untracked"].append(rest)
        elif kind in ("1", "2", "u"):
            found["changed"].append(entry.split(" ", {"1": 8, "2": 9, "u": 10}[kind])[-1])
            if kind == "2":
                next(entries)  # the path that it was renamed from
    return found
