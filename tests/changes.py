"""A repository with a policy on its main branch, and a clone in which somebody proposes a change: for tests of
`--policy-from`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from gatekeeper.testing import Outcome

GATE = """
    from helper import count
    from msgspec import Struct

    from gatekeeper import pre


    class Sizes(Struct):
        most: int = 1


    @pre(settings=Sizes)
    def sizes(ctx, settings):
        "Not too many orders."
        ctx.measure("orders", count(ctx.path("orders.jsonl")), fail=settings.most)
    """

POLICY = {
    ".gitignore": ".gatekeeper*\n",
    "gatekeeper.toml": """
        [gates.sizes]
        most = 3
        [gates.resources]
        enabled = false
        [gates.storage]
        enabled = false
        [[gates.inputs.files]]
        path = "orders.jsonl"
        schema = "schemas/order.json"
        """,
    "gates/gate_sizes.py": GATE,
    "gates/helper.py": """
        import json


        def count(path):
            return len([json.loads(line) for line in path.read_text().splitlines()])
        """,
    "schemas/order.json": '{"type": "object", "required": ["id"]}\n',
    "orders.jsonl": '{"id": 1}\n',
}
"""What main has: orders are counted, and each needs an id."""

FIVE_WITHOUT_ID = "{}\n" * 5
"""Orders that this policy refuses, twice."""

ALONE = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GATEKEEPER_", "PYTHON"))},
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
}  # fmt: skip


def git(folder: Path, *words: str, **environment: str) -> str:
    """What a git command prints."""
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *words],
        cwd=folder,
        env={**ALONE, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"git {words}: {done.stderr}"
    return done.stdout.strip()


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            path.unlink()
        path.write_text(dedent(content).lstrip("\n"), "utf-8")


def commit(folder: Path, message: str = "change") -> str:
    """Commit whatever there is; the commit's id."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


class Change:
    """`main` is the repository with the policy, `tree` the clone with the change; `temp` its runs' TMPDIR."""

    def __init__(self, folder: Path, policy: Mapping[str, str]) -> None:
        self.main, self.tree, self.temp = folder / "main", folder / "tree", folder / "temp"
        self.main.mkdir()
        self.temp.mkdir()
        git(self.main, "init", "--quiet", "--initial-branch=main")
        write(self.main, policy)
        self.commit = commit(self.main, "policy")
        git(folder, "clone", "--quiet", str(self.main), str(self.tree))
        git(self.tree, "checkout", "--quiet", "-b", "change")
        self._runs = 0

    def propose(self, files: Mapping[str, str]) -> None:
        """Commit these files in the clone."""
        write(self.tree, files)
        commit(self.tree)

    def merge(self, files: Mapping[str, str]) -> str:
        """Commit these files on main, and fetch them into the clone."""
        write(self.main, files)
        self.commit = commit(self.main)
        git(self.tree, "fetch", "--quiet")
        return self.commit

    def run(
        self,
        phase: str = "pre",
        *arguments: str,
        ref: str = "origin/main",
        cwd: Path | None = None,
        **env: str,
    ) -> Outcome:
        """`gatekeeper run`, with the policy of main."""
        self._runs += 1
        report = self.temp.parent / f"report-{self._runs}.json"
        options = ["--policy-from", ref, "--format", "term", "--format", f"json={report}"]
        return self.command("run", phase, *options, *arguments, cwd=cwd, report=report, **env)

    def command(
        self, *arguments: str, cwd: Path | None = None, report: Path | None = None, **env: str
    ) -> Outcome:
        """`gatekeeper`, as its own script starts it. No copy of a policy may be left behind."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "gatekeeper", *arguments],
            cwd=cwd or self.tree,
            env={**ALONE, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", "TMPDIR": str(self.temp), **env},
            capture_output=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )
        assert [path.name for path in self.temp.iterdir()] == []
        return Outcome(done.returncode, done.stdout, done.stderr, report or self.temp / "none")


def remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path)
