"""Each format over one rich run, as a file that can be read. GATEKEEPER_UPDATE_GOLDEN=1 writes them anew."""

import os
import re
from pathlib import Path

import pytest
from past_samples import SamplePast
from report_samples import empty_run, rich_run, shipped, text_of

import gatekeeper

GOLDEN = Path(__file__).parent / "golden"
DOCUMENTED = (Path(__file__).parents[2] / "docs" / "reports.md").read_text("utf-8")
CLOSING = [("reports", "reports/junit.xml  reports/report.json")]

CASES = {
    "term.txt": ("term", {"closing": CLOSING}),
    "term-tty.txt": ("term", {"width": 80, "color": True, "closing": CLOSING}),
    "term-ascii.txt": ("term", {"width": 80, "unicode": False}),
    "term-quiet.txt": ("term", {"verbosity": -1}),
    "term-more.txt": ("term", {"verbosity": 1}),
    "term-all.txt": ("term", {"verbosity": 2}),
    "lines.txt": ("lines", {}),
    "report.json": ("jsonreport", {}),
    "report.jsonl": ("jsonl", {}),
    "junit.xml": ("junit", {}),
    "summary.md": ("markdown", {}),
    "report.html": ("html", {"past": SamplePast(rich_run(), 3)}),
    "github.txt": ("github", {}),
    "gitlab.json": ("gitlab", {}),
    "report.sarif": ("sarif", {}),
    "events.json": ("cloudevents", {}),
    "cdevents.json": ("cdevents", {}),
    "report.tap": ("tap", {}),
    "nagios.txt": ("nagios", {}),
    "gatekeeper.prom": ("prometheus", {}),
}


def compare(name: str, text: str) -> None:
    path = GOLDEN / name
    shown = text.replace(f"gatekeeper {gatekeeper.__version__}", "gatekeeper VERSION")
    # style and script of HTML are files of their own, and so are their hashes
    shown = re.sub(r"(?s)(<style>|<script>).*?(</s)|'sha256-[^']*'", r"\1\2", shown)
    if os.environ.get("GATEKEEPER_UPDATE_GOLDEN"):
        path.write_text(shown, encoding="utf-8", newline="")
    assert shown == path.read_bytes().decode("utf-8")


@pytest.mark.parametrize("name", CASES)
def test_a_rich_run_looks_as_it_should(name: str) -> None:
    module, options = CASES[name]
    compare(name, text_of(module, rich_run(), **options))  # type: ignore[arg-type]


MODULES = sorted({module for module, _ in CASES.values()})


@pytest.mark.parametrize("module", MODULES)
def test_a_run_of_nothing_looks_as_it_should(module: str) -> None:
    compare(f"empty-{module}.txt", text_of(module, empty_run()))


@pytest.mark.parametrize("module", MODULES)
def test_every_format_is_documented(module: str) -> None:
    report = shipped(module)
    assert f"\n## {report.name}\n" in DOCUMENTED
    assert re.search(rf"\| \[`{report.name}`\]\(#{report.name}\) \|.*\| {report.extension} \|", DOCUMENTED)


def test_every_metric_is_documented_and_no_other() -> None:
    told = set(re.findall(r"# TYPE (\w+)", text_of("prometheus", rich_run())))
    assert set(re.findall(r"`(gatekeeper_[a-z_]+)`", DOCUMENTED)) - {"gatekeeper_reports"} == told
