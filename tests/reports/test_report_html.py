"""`html`: what stands in the page, and that nothing in a run can make it anything else."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from html_pages import Page, text_of
from hypothesis import given
from lxml import html
from past_samples import SamplePast
from report_samples import (
    ANY_RUN,
    HOSTILE,
    TEXT,
    empty_run,
    interrupted_run,
    passing_run,
    rich_run,
    run_of,
    runs,
)

from gatekeeper import Finding, Reason, Result, Run, Verdict, printable, strict_json
from gatekeeper.decide import overruled
from gatekeeper.model import Attempt, Output, PolicyRecord, Since, Source
from gatekeeper.testing import Project
from gatekeeper.wording import details, headline, lasting, one_line, reason_line
from gatekeeper_reports.html.folds import embedded

MB = 1_000_000
SINGLE_LINE = " ".join


def failing(number: int = 0, **values: object) -> Result:
    """A required gate that fails, with a measured finding."""
    finding = Finding(
        "p95",
        "fail",
        0.7,
        "<=",
        0.5,
        "s",
        20,
        hint="kubectl logs",
        evidence={"limits": {"warn": 0.3, "fail": 0.5}},
    )
    given = {"findings": (finding,), "reason": "p95 700 ms > 500 ms", "duration_s": 0.25, **values}
    return Result(id=f"pre.gate_{number}", phase="pre", status="fail", **given)  # type: ignore[arg-type]


def passing(number: int, phase: str = "pre") -> Result:
    return Result(id=f"{phase}.ok_{number}", phase=phase, status="pass", title="It is fine.")  # type: ignore[arg-type]


def squeezed(text: str) -> str:
    return " ".join(printable(text, newlines=True).split())


# -- verdict and why ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "glyph", "word"),
    [
        (passing_run(), "✓", "PROCEED"),
        (run_of((failing(),)), "✗", "BLOCK"),
        (run_of((Result(id="pre.a", phase="pre", status="unknown", reason="no data"),)), "▲", "HOLD"),
        (empty_run(), "?", "NONE"),
        (interrupted_run(), "?", "NONE"),
    ],
)
def test_title_icon_and_heading_carry_the_verdict(run: Run, glyph: str, word: str) -> None:
    page = Page(run)
    assert text_of(page.one("//title")).startswith(f"{glyph} {word} checkout")
    assert page.said("//h1") == f"{word} checkout"
    assert page.one("//link[@rel='icon']").get("href").startswith("data:image/svg+xml,%3Csvg")
    icons = {
        Page(other).one("//link[@rel='icon']").get("href") for other in (passing_run(), run_of((failing(),)))
    }
    assert len(icons) == 2


def test_the_reasons_stand_at_the_top_and_lead_to_their_gates() -> None:
    run = rich_run()
    page = Page(run)
    links = page.all("//body/header//a")
    assert [text_of(link) for link in links] == [
        squeezed(reason_line(r)) for r in run.verdict.reasons if r.gate != "post.after"
    ]
    for link in links:
        card = page.one(f"//article[@id='{link.get('href')[1:]}']")
        assert text_of(link).startswith(text_of(card.find(".//h3")).split(" ", 2)[2])


def test_many_reasons_are_counted() -> None:
    page = Page(run_of(tuple(failing(n) for n in range(40))))
    assert "30 more reasons" in page.said("//body/header")


def test_a_verdict_that_was_overruled_stands_beside_the_original_and_its_reasons() -> None:
    run = run_of((failing(),))
    found = Verdict("proceed", (Reason(status="plugin", text="break-glass, OPS-1417"),), 0, "oncall")
    said = Page(msgspec.structs.replace(run, verdict=overruled(run.verdict, found))).said("//body/header")
    assert "PROCEED checkout" in said
    assert "break-glass, OPS-1417" in said
    assert "Decided by oncall; gatekeeper's own verdict was ✗ BLOCK" in said
    assert "pre.gate_0 failed: p95 700 ms > 500 ms" in said
    assert "Nothing that is required stands in the way" not in said


def test_partial_and_interrupted_runs_say_so_at_the_top() -> None:
    partial = Page(run_of(passing_run().results, partial=True)).said("//body/header")
    assert "Only a part of the gates was selected: no clearance of the subject." in partial
    assert "did not finish" not in partial
    assert "The run did not finish." in Page(interrupted_run()).said("//body/header")


def test_a_policy_from_a_trusted_ref_is_named_with_its_digest() -> None:
    policy = PolicyRecord(
        ref="origin/main", commit="254d32a1b579c0ffee", digest="sha256:9f3a", altered=("gates/a.py",)
    )
    page = Page(run_of(passing_run().results, policy=policy))
    assert "policy origin/main at 254d32a1b579" in page.said("//body/header")
    environment = page.said("//section[@id='environment']")
    assert "sha256:9f3a" in environment
    assert "gates/a.py" in environment


# -- gates -------------------------------------------------------------------------------------------------------------


def test_what_does_not_pass_is_written_out_worst_first_in_the_words_of_all_reports() -> None:
    run = rich_run()
    page = Page(run)
    shown = {text_of(card.find(".//h3")).split(" ", 2)[2]: text_of(card) for card in page.cards}
    told = {squeezed(r.id): r for r in run.results if r.status not in ("pass", "skip")}
    assert shown.keys() == told.keys()
    assert [card.get("data-status") for card in page.cards] == [
        "error",
        "fail",
        "unknown",
        "warn",
        "fail",
        "fail",
    ]
    for name, result in told.items():
        for label, text in details(result):
            if label not in ("more", "evidence"):
                assert squeezed(text) in shown[name], label


def test_a_failure_shows_expected_observed_since_try_evidence_and_output() -> None:
    result = failing(since=Since(3, "2026-11-19T21:04:31Z", "3f2a9c"), output=Output("out\n", "err\n"),
                     source=Source("gates/gate_a.py", 14))  # fmt: skip
    (card,) = Page(run_of((result,))).cards
    said = text_of(card)
    for part in (
        "expected <= 500 ms (warns beyond 300 ms)",
        "observed 700 ms (n = 20)",
        f"since {lasting(result.since)}",  # type: ignore[arg-type]
        "try kubectl logs",
        "stdout out",
        "stderr err",
        "gates/gate_a.py:14",
        "try gatekeeper run pre pre.gate_0 -vv",
    ):
        assert squeezed(part).replace(" ", "") in said.replace(" ", ""), part


def test_evidence_is_shown_in_full_and_collections_as_lines_or_json() -> None:
    evidence = {"body": "x" * 500, "headers": {"retry-after": 30}, "deep": {"a": [1]}, "limits": {"fail": 1}}
    page = Page(run_of((failing(findings=(Finding("f", "fail", evidence=evidence),)),)))
    shown = [text_of(found) for found in page.all("//dd[@class='evidence']")]
    assert shown == [f"body {'x' * 500}", "headers retry-after: 30", 'deep { "a": [ 1 ] }']


def test_a_list_of_evidence_is_as_short_as_can_be_read() -> None:
    evidence = {"codes": ["ES-A", 2, None], "rows": [{"n": 1}, {"n": 2}], "none": []}
    page = Page(run_of((failing(findings=(Finding("f", "fail", evidence=evidence),)),)))
    shown = [text_of(found) for found in page.all("//dd[@class='evidence']")]
    assert shown == ['codes "ES-A", 2, null', 'rows {"n":1} {"n":2}', "none"]


def test_what_passed_and_was_skipped_is_data_and_no_element() -> None:
    run = rich_run()
    page = Page(run)
    passed, skipped = page.folded[0], page.folded[1]
    assert [row[:3] for row in passed] == [
        ["pass", r.id, headline(r)] for r in run.results if r.status == "pass"
    ]
    assert {row[0] for row in skipped} == {"skip"}
    assert "gate" in dict(passed[0][5])
    for element in page.all("//body//*[not(self::script or self::noscript)][not(ancestor::noscript)]"):
        if element.getparent().get("class") == "rows":
            assert "pre.resources" not in text_of(element)


def test_before_and_after_stand_apart_where_a_run_has_both_phases() -> None:
    results = (
        failing(1),
        passing(2),
        passing(3, "post"),
        Result(id="post.b", phase="post", status="fail", reason="r"),
    )
    page = Page(run_of(results, phase="exec"))
    before, after = page.all("//section[@class='part']")
    assert text_of(before.find("h2")) == "Before the flow (pre) 1 failed, 1 passed"
    assert text_of(after.find("h2")) == "After the flow (post) 1 failed, 1 passed"
    assert [text_of(card.find(".//h3")) for card in after.findall("article")] == ["✗ FAIL post.b"]
    assert [[row[1] for row in rows] for rows in page.folded] == [["pre.ok_2"], ["post.ok_3"]]


def test_counters_count_each_status_and_nothing_can_be_filtered_by_a_zero() -> None:
    counters = Page(rich_run()).all("//button[contains(@class, 'counter')]")
    assert [text_of(counter) for counter in counters] == [
        "3 ✗ FAIL", "1 ■ ERROR", "1 ? UNKNOWN", "1 ▲ WARN", "2 ✓ PASS", "2 – SKIP",
    ]  # fmt: skip
    assert all(counter.get("disabled") is not None for counter in Page(empty_run()).all("//button"))


def test_empty_states_say_what_is_missing() -> None:
    empty = Page(empty_run())
    assert "No gates ran" in empty.said("//main")
    assert "no gate ran: nothing was planned" in empty.said("//body/header")
    assert "Nothing was measured against a limit." in empty.said("//section[@id='budgets']")
    assert "Nothing to look at: every gate that ran passed." in Page(passing_run()).said("//main")
    skipped = run_of((Result(id="pre.a", phase="pre", status="skip", reason="no GPU"),))
    assert "No gate ran here: all were skipped." in Page(skipped).said("//main")
    assert "Nothing to look at" not in Page(rich_run()).said("//main")


def test_what_runs_the_failed_gates_again_is_the_command_of_this_run() -> None:
    assert "gatekeeper run all --last-failed" in Page(rich_run()).said("//p[@class='again']")
    given = Page(rich_run(), again="gatekeeper run all --last-failed --profile ci").said(
        "//p[@class='again']"
    )
    assert "--profile ci" in given
    assert not Page(passing_run()).all("//p[@class='again']")
    command = Page(rich_run(phase="exec"))
    assert not command.all("//p[@class='again']"), "which command it was is not known here"
    assert "gatekeeper exec" in Page(rich_run(phase="exec"), again="gatekeeper exec -- make").said(
        "//p[@class='again']"
    )


def test_the_exit_code_is_the_verdicts_or_what_the_process_exits_with_instead() -> None:
    assert Page(rich_run()).said("//footer").endswith("exit code 1")
    assert Page(rich_run(), exit="0 (--exit-zero)").said("//footer").endswith("exit code 0 (--exit-zero)")


def test_notes_and_environment_are_told() -> None:
    page = Page(rich_run(profile="ci", settings_digest="sha256:4c"))
    assert page.said("//section[@id='notes']") == "Notes history was not written: disk is full"
    said = page.said("//section[@id='environment']")
    assert "python 3.11.7" in said
    assert "settings sha256:4c" in said
    assert not Page(msgspec.structs.replace(passing_run(), notes=())).all("//section[@id='notes']")


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_a_thousand_findings_of_a_gate_are_bounded_and_counted_worst_first() -> None:
    findings = tuple(Finding(f"f{n}", "warn" if n < 500 else "fail", message=f"m{n}") for n in range(1000))
    (card,) = Page(run_of((failing(findings=findings),))).cards
    headings = [text_of(heading) for heading in card.iter("h4")]
    assert headings == [f"FAIL f{n}" for n in range(500, 520)]
    assert "980 more findings" in text_of(card)


def test_a_long_message_is_cut_and_says_by_how_much() -> None:
    page = Page(run_of((failing(findings=(Finding("f", "fail", message="名" * 100_000),)),)))
    assert "… (98,000 more characters)" in page.said("//article")
    assert len(page.text) < 100_000


def test_of_output_the_end_is_kept_64_kb_of_each_stream() -> None:
    output = Output("begin" + "a" * 100_000 + "THE END", "b" * 10)
    (card,) = Page(run_of((failing(output=output),))).cards
    stdout, stderr = (log.text_content() for log in card.iter("pre"))
    assert stdout.startswith("(34,476 characters before this)\n")
    assert stdout.endswith("THE END")
    assert len(stdout) < 65_536 + 60
    assert stderr == "b" * 10


def test_output_of_many_gates_has_a_bound_together() -> None:
    page = Page(run_of(tuple(failing(n, output=Output("x" * 65_536, "y" * 65_536)) for n in range(80))))
    assert len(page.cards) == 80
    assert sum(len(log.text_content()) for log in page.all("//article//pre")) < 1.1 * MB


def test_of_very_many_failures_the_first_are_written_out_and_all_others_are_a_click_away() -> None:
    page = Page(run_of(tuple(failing(n) for n in range(5_000))))
    assert len(page.cards) == 100
    assert [row[1] for row in page.folded[0]] == [f"pre.gate_{n}" for n in range(100, 5_000)]
    assert dict(page.folded[0][-1][5])["try"] == "kubectl logs"
    assert "4,900 more that do not pass" in page.said("//main")
    assert len(page.text.encode()) < 5 * MB


def test_five_thousand_gates_take_less_than_5_mb_and_hardly_any_elements() -> None:
    findings = tuple(
        Finding(
            name,
            "pass",
            0.2,
            "<=",
            0.5,
            "s",
            30,
            evidence={"limits": {"warn": 0.4, "fail": 0.5}, "source": "/proc"},
        )
        for name in ("p50", "p95", "p99")
    )
    results = tuple(
        msgspec.structs.replace(passing(n), findings=findings, duration_s=0.1) for n in range(5_000)
    )
    run = run_of(results)
    page = Page(run, past=SamplePast(run))
    assert len(page.text.encode()) < 5 * MB
    assert [row[1] for row in page.folded[0]] == [result.id for result in results]
    assert len(page.all("//body//*[not(ancestor-or-self::noscript)]")) < 8_000


@pytest.mark.parametrize("text", ["\U000e0041" * 20_000, '<>&"' * 20_000, "名" * 70_000, "\ud800" * 20_000])
def test_whatever_a_run_holds_the_file_stays_under_5_mb_and_what_decides_stays_in_it(text: str) -> None:
    evidence = {f"{n}{text[:300]}": text for n in range(30)}
    finding = Finding(text, "fail", text, "==", text, text[:100], 3, text, text, evidence)
    measured = Finding(text, "fail", 3.0, "<=", 2.0, text, message=text, hint=text, evidence=evidence)
    results = tuple(
        Result(
            id=f"{phase}.{n}{text}", phase=phase, title=text, status=status, reason=text, findings=(finding, measured) * 15,  # type: ignore[arg-type]
            output=Output(text, text), source=Source(text, 1), tags=(text,) * 20, attempts=(Attempt(1, "fail", text),) * 30,
            since=Since(2, text, text), blocked_by=text,
        )
        for phase in ("pre", "post")
        for status in ("fail", "error", "pass", "skip")
        for n in range(8)
    )  # fmt: skip
    run = msgspec.structs.replace(
        run_of(results, id=text, profile=text, config=text),
        notes=(text,) * 100,
        environment={f"{n}{text[:300]}": text for n in range(200)},
    )
    page = Page(run, past=SamplePast(run))
    assert len(page.text.encode()) < 5 * MB
    assert page.cards
    assert "had no room" in page.text or sum(map(len, page.folded)) + len(page.cards) == len(results)


# -- text of gates -----------------------------------------------------------------------------------------------------

TAGS = set(
    re.findall(
        r"\w+",
        "a article body button circle code dd defs details div dl dt footer g h1 h2 h3 h4 head header html input label li "
        "line link main meta nav noscript p path pattern polyline pre rect script section small span strong style summary "
        "svg symbol table tbody td th thead title tr ul use",
    )
)


@ANY_RUN
@given(runs())
def test_any_run_has_each_gate_once_and_no_markup_of_its_own(run: Run) -> None:
    page = Page(run, past=SamplePast(run, 3))
    assert len(page.cards) + sum(map(len, page.folded)) == len(run.results)
    for element in page.root.iter():
        assert element.tag in TAGS, element.tag
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert name != "style"
            if name in ("href", "src", "action"):
                assert value.startswith(("#", "data:image/svg+xml,")), value
    assert len(page.all("//script")) == 2


@ANY_RUN
@given(runs())
def test_any_run_shows_control_characters_as_their_escapes(run: Run) -> None:
    text = Page(run).text
    assert printable(text, newlines=True) == text


@given(TEXT)
def test_data_survives_its_script_element_and_never_ends_it(text: str) -> None:
    found = embedded([text, {text: text}])
    assert not set(found) & set("<>&\u2028\u2029")
    assert json.loads(found)[0] == re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def test_markup_in_every_text_stays_text() -> None:
    attack = (
        "</script></style></title><script>x=1</script><img src=x onerror=x=1><!--<script>--> {{ 7*7 }} "
        + HOSTILE
    )
    run = rich_run()
    hostile = msgspec.json.decode(strict_json(run).replace(b"pre.", b"pre.<b>"), type=Run)
    hostile = msgspec.structs.replace(
        hostile,
        notes=(attack,),
        environment={attack: {attack: attack}},
        subject=msgspec.structs.replace(run.subject, name=attack),
    )
    page = Page(hostile)
    assert len(page.all("//script")) == 2
    assert not page.all("//img | //b")
    assert "<img src=x onerror=x=1><!--<script>--> {{ 7*7 }}" in page.said("//section[@id='notes']")
    assert one_line(attack)[:20] in page.said("//h1")


# -- self-contained ----------------------------------------------------------------------------------------------------


def test_nothing_in_the_page_refers_to_anything_outside_of_it() -> None:
    run = run_of(
        tuple(r for r in rich_run().results if r.id != "pre.components")
    )  # whose text has an address
    text = Page(run, past=SamplePast(run)).text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    text = re.sub(r'href="data:image/svg\+xml,[^"]*"', "", text)
    assert "://" not in text
    assert not re.search(r"url\((?!#)", text)
    assert not re.search(
        r"@import|\beval\b|\bFunction\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|fetch\(|XMLHttpRequest|import\(",
        text,
    )


def test_its_own_policy_allows_its_own_script_and_style_and_nothing_else() -> None:
    page = Page(rich_run())
    policy = page.one("//meta[@http-equiv='Content-Security-Policy']").get("content")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for kind, path in (("script-src", "//script[not(@type)]"), ("style-src", "//style")):
        content = page.one(path).text_content()
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"
    assert set(rules) == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}


# -- structure ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [rich_run(), empty_run(), passing_run(), interrupted_run()])
def test_headings_are_in_order_ids_are_unique_and_references_lead_somewhere(run: Run) -> None:
    page = Page(run, past=SamplePast(run))
    levels = [
        int(found.tag[1])
        for found in page.all("//h1|//h2|//h3|//h4")
        if not found.xpath("ancestor::noscript")
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    identities = page.all("//@id")
    assert len(identities) == len(set(identities))
    referred = [value[1:] for value in page.all("//@href") if value.startswith("#")]
    referred += page.all("//@aria-labelledby") + re.findall(r"url\(#(\w+)\)", page.text)
    assert set(referred) <= set(identities)


def test_tables_have_scopes_drawings_have_names_and_the_language_is_said() -> None:
    run = rich_run()
    page = Page(run, past=SamplePast(run))
    assert page.root.get("lang") == "en"
    assert all(head.get("scope") in ("row", "col") for head in page.all("//th"))
    for drawing in page.all("//svg[not(ancestor::svg)]"):
        assert drawing.get("aria-hidden") == "true" or (
            drawing.get("role") == "img" and drawing.get("aria-label")
        )


def test_a_state_is_a_glyph_and_a_word_wherever_it_is_shown() -> None:
    run = rich_run()
    for badge in Page(run, past=SamplePast(run)).all("//span[contains(@class, 'badge')]"):
        glyph, word = text_of(badge).split()
        assert (glyph, word) in {
            ("✓", "PASS"), ("▲", "WARN"), ("✗", "FAIL"), ("■", "ERROR"), ("?", "UNKNOWN"), ("–", "SKIP"),
        }  # fmt: skip


def test_who_can_run_no_script_reads_what_passed_as_well() -> None:
    fallback = Page(rich_run()).text.split("<noscript>")[1].split("</noscript>")[0]
    assert "pre.resources" in fallback
    assert "memory 212 MB &lt;= 500 MB" in fallback


def test_jinja_is_imported_only_where_a_page_is_made() -> None:
    program = (
        "import sys, gatekeeper_reports.html as html\n"
        "print([name for name in ('jinja2', 'markupsafe', 'base64', 'gatekeeper_reports.html.page') if name in sys.modules])\n"
        "report, = html.gatekeeper_reports()\n"
        "for name in report.imports: __import__(name)\n"
        "before = set(sys.modules)\n"
        "from gatekeeper import Run, Subject, Verdict\n"
        "from gatekeeper.model import Header\n"
        "run = Run(header=Header(id='a', phase='pre', started=''), subject=Subject('s'), verdict=Verdict('none'))\n"
        "from gatekeeper import View, rendered\n"
        "rendered(report, run, View())\n"
        "print(sorted(name for name in set(sys.modules) - before if name.startswith(('jinja2', 'gatekeeper'))))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n[]\n", "the report's `imports` name all that rendering needs"


# -- as a user makes it ------------------------------------------------------------------------------------------------

GATE = """
    from pathlib import Path
    from gatekeeper import pre

    @pre
    def orders(ctx):
        ctx.measure("orders", int(Path("orders").read_text()), fail=10)
"""


def page_of(path: Path) -> str:
    root = html.document_fromstring(path.read_bytes(), parser=html.HTMLParser(encoding="utf-8"))
    return text_of(root.find(".//main"))


def test_a_run_writes_it_with_its_history_and_an_old_run_has_only_what_came_before_it(
    gatekeeper_project: Project,
) -> None:
    gatekeeper_project.write({"gates/gate_orders.py": GATE})
    for number in (3, 12, 4):
        gatekeeper_project.write({"orders": str(number)})
        gatekeeper_project.run("pre", "pre.orders", "--report-dir", "reports")
    last = page_of(gatekeeper_project.root / "reports" / "report.html")
    assert "2 earlier pre runs" in last
    assert "2 of 20 values for a baseline" in last

    assert gatekeeper_project.command("report", "html", "latest~1", "-o", "old.html").exit_code == 0
    old = page_of(gatekeeper_project.root / "old.html")
    assert "1 earlier pre run of" in old
    assert "observed 12" in old.replace("observed12", "observed 12")


def test_without_history_a_run_writes_it_all_the_same(gatekeeper_project: Project) -> None:
    gatekeeper_project.write({"gates/gate_orders.py": GATE, "orders": "3"})
    gatekeeper_project.run("pre", "pre.orders", "--no-history", "--report-dir", "reports")
    assert "This report was made without history." in page_of(
        gatekeeper_project.root / "reports" / "report.html"
    )
