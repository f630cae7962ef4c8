"""Debian's Chromium, driven by playwright, and axe-core to judge how accessible a page is."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[1]
QUIET = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def chromium() -> "Iterator[Browser]":
    """A running browser, or skip the test."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed: Debian package chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


def axe_core() -> str:
    """The source of axe-core: of GATEKEEPER_AXE, else of npm's folder in the repository; or skip the test."""
    given = os.environ.get("GATEKEEPER_AXE")
    path = Path(given) if given else ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.skip(
            f"axe-core is not at {path}: npm install axe-core, and GATEKEEPER_AXE=…/axe-core/axe.min.js"
        )
    return path.read_text("utf-8")


def violations(page: "Page", axe: str) -> list[str]:
    """What axe-core finds wrong with the page as it is shown now; the page's policy must be bypassed."""
    page.add_script_tag(content=axe)
    found: dict[str, Any] = page.evaluate("axe.run(document)")
    assert len(found["passes"]) > 10, "axe-core found next to nothing to check"
    return [
        f"{rule['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
