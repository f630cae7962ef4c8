"""The documentation goes with the source that is about to be built."""

import re
import subprocess
import sys
from pathlib import Path

from gatekeeper import Context, pre

FENCE = re.compile(r"(?ms)^(```+).*?^\1\s*$|`[^`\n]*`")
LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")


@pre(timeout="60s")
def generated_pages(ctx: Context) -> None:
    """Pages that are written from the source are as the source has it."""
    generator = "docs/generate.py"
    done = subprocess.run(
        [sys.executable, generator, "--check"],
        cwd=ctx.root.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    outdated = done.stdout.split()
    if done.returncode and not outdated:
        raise RuntimeError(f"{generator} ended with {done.returncode}: {done.stderr[-2000:]}")
    shown, hint = ", ".join(outdated), f"python {generator}"
    ctx.check(not outdated, shown, name="outdated", observed=len(outdated), limit=0, unit="pages", hint=hint)


@pre
def links(ctx: Context) -> None:
    """Links between pages, and to files of the repository, lead to something."""
    root = ctx.root.parent
    pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "examples").rglob("*.md")]
    if not pages:
        ctx.unknown(f"there is no page in {root}")
    for page in pages:
        for target in _targets(page):
            if not (page.parent / target).exists():
                ctx.check(
                    False, f"{page.relative_to(root)} links to {target}, which isn't there", name="link"
                )
    ctx.measure("pages", len(pages), unit="pages", fail=10, worse="lower")


def _targets(page: Path) -> list[str]:
    return [link for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))) if "://" not in link]
