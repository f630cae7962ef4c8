"""`pre.worktree`: what ships is a commit that one can get back to. The module is the plugin."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from gatekeeper import Context, pre
from gatekeeper_worktree.git import worktree as look


class Worktree(Struct, frozen=True, forbid_unknown_fields=True):
    """What the working tree must be like."""

    branches: tuple[str, ...] = ("*",)
    """Branches that may be shipped from, as patterns such as `release/*`."""
    max_changed: int = 0
    """How many files may differ from the commit."""
    untracked: bool = True
    """Whether files that Git doesn't know may lie around."""


def gatekeeper_facts() -> Mapping[str, Callable[[], Any]]:
    """The state of the working tree, gathered once a run however many gates ask for it."""
    return {"worktree": look}


@pre(settings=Worktree, facts=["worktree"], tags=["git"], presets={"service": {"untracked": False}})
def worktree(ctx: Context, settings: Worktree) -> None:
    """The working tree is a clean checkout of a branch that may ship."""
    tree = ctx.facts["worktree"]
    if "error" in tree:
        ctx.unknown(f"can't look at the working tree: {tree['error']}")
    branch = tree["branch"] or "(detached)"
    ctx.check(
        any(fnmatchcase(branch, pattern) for pattern in settings.branches),
        f"{branch} is not a branch to ship from",
        name="branch",
        observed=branch,
        operator="in",
        limit=list(settings.branches),
        hint=f"git switch {settings.branches[0]}" if settings.branches else "",
        evidence={"commit": tree["commit"]},
    )
    ctx.measure(
        "changed",
        len(tree["changed"]),
        unit="files",
        fail=settings.max_changed,
        hint="git status; git stash",
        evidence={"files": tree["changed"]} if tree["changed"] else None,
    )
    if not settings.untracked:
        ctx.measure(
            "untracked",
            len(tree["untracked"]),
            unit="files",
            fail=0,
            hint="git clean --dry-run -d",
            evidence={"files": tree["untracked"]},
        )
