"""The plugin's own tests: a gate without a run, and without Git where the answer is what matters."""

from typing import Any

import pytest
from gatekeeper_worktree.gates import worktree
from gatekeeper_worktree.git import parsed

from gatekeeper.testing import run_gate

CLEAN: dict[str, Any] = {"commit": "1f3870be", "branch": "main", "changed": [], "untracked": ["notes.txt"]}


@pytest.mark.parametrize(
    ("tree", "settings", "status"),
    [
        (CLEAN, {}, "pass"),
        (CLEAN, {"branches": ["main", "release/*"]}, "pass"),
        (CLEAN, {"branches": ["release/*"]}, "fail"),
        (CLEAN | {"branch": None}, {"branches": ["main"]}, "fail"),
        (CLEAN | {"changed": ["setup.py"]}, {}, "fail"),
        (CLEAN | {"changed": ["setup.py"]}, {"max_changed": 1}, "pass"),
        (CLEAN, {"untracked": False}, "fail"),
        ({"error": "not a git repository"}, {}, "unknown"),
    ],
)
def test_the_gate(tree: dict[str, Any], settings: dict[str, Any], status: str) -> None:
    assert run_gate(worktree, settings, facts={"worktree": tree}).status == status


def test_what_git_says_is_understood() -> None:
    found = parsed(
        "# branch.oid 1f3870be\0# branch.head release/1.0\0"
        "1 .M N... 100644 100644 100644 aaa bbb with space.txt\0"
        "2 R. N... 100644 100644 100644 aaa bbb R100 new.txt\0old.txt\0"
        "? notes.txt\0"
    )
    assert found == {
        "commit": "1f3870be",
        "branch": "release/1.0",
        "changed": ["with space.txt", "new.txt"],
        "untracked": ["notes.txt"],
    }


def test_a_repository_without_a_commit_has_none() -> None:
    assert parsed("# branch.oid (initial)\0# branch.head main\0")["commit"] is None
