"""`markdown`: whatever gates wrote, it stays text in its cell."""

import html
import re

import msgspec
import pytest
from hypothesis import given
from markdown_it import MarkdownIt
from markdown_it.token import Token
from report_samples import ANY_RUN, HOSTILE, empty_run, passing_run, rich_run, run_of, runs, text_of

from gatekeeper import Finding, Result, Run, Verdict
from gatekeeper.model import Output, Since
from gatekeeper.wording import one_line

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
INLINE = {"text", "text_special", "html_inline", "softbreak"}
TAGS = re.compile(r"</?code>")


def tokens(text: str) -> list[Token]:
    return MARKDOWN.parse(text)


def rows(parsed: list[Token]) -> list[list[str]]:
    """The text of the cells of each row in a table's body."""
    found: list[list[str]] = []
    for index, token in enumerate(parsed):
        if token.type == "tr_open" and parsed[index - 1].type != "thead_open":
            found.append([])
        elif token.type == "td_open":
            children = parsed[index + 1].children or []
            found[-1].append("".join(child.content for child in children if child.type.startswith("text")))
    return found


@ANY_RUN
@given(runs())
def test_any_run_has_a_row_for_each_gate_and_no_markup_of_its_own(run: Run) -> None:
    parsed = tokens(text_of("markdown", run))
    table = rows(parsed)
    assert len(table) == len(run.results)
    assert {len(row) for row in table} <= {3, 6}
    ids = {one_line(result.id)[:299].strip() for result in run.results}
    assert {row[1].removesuffix("…").strip() for row in table} == ids
    for token in parsed:
        for child in token.children or []:
            assert child.type in INLINE, child
            assert child.type != "html_inline" or TAGS.fullmatch(child.content), child
    assert [token.type for token in parsed].count("heading_open") == 1


@ANY_RUN
@given(runs())
def test_nobody_is_mentioned_and_nothing_is_linked(run: Run) -> None:
    shown = MARKDOWN.render(text_of("markdown", run))
    outside = html.unescape(re.sub(r"(?s)<(code|pre)>.*?</\1>", "", shown))
    assert not re.search(r"[@#][A-Za-z0-9]", outside)
    assert "<a " not in shown
    assert "<img" not in shown


@ANY_RUN
@given(runs())
def test_every_tag_that_is_opened_is_closed(run: Run) -> None:
    shown = MARKDOWN.render(text_of("markdown", run))
    for tag in ("details", "summary", "pre", "code", "table"):
        assert shown.count(f"<{tag}>") == shown.count(f"</{tag}>"), tag


def test_what_decides_comes_first_and_what_passes_is_folded() -> None:
    text = text_of("markdown", rich_run())
    assert text.startswith("## ✗ BLOCK: pre.components failed")
    statuses = [row[0].split()[1] for row in rows(tokens(text))]
    assert statuses == ["ERROR", "FAIL", "UNKNOWN", "FAIL", "FAIL", "WARN", "PASS", "PASS", "SKIP", "SKIP"]
    assert "<summary>2 passed, 2 skipped</summary>" in text


def test_a_failure_shows_value_limit_and_since() -> None:
    row = next(row for row in rows(tokens(text_of("markdown", rich_run()))) if row[1] == "pre.components")
    assert row[2:4] == ["503", "== 200"]
    assert row[5].startswith("3 runs; last passed 2026-11-19 21:04 UTC")


@pytest.mark.parametrize(("verbosity", "limit"), [(0, 900_000), (-1, 60_000)])
def test_much_is_cut_to_what_github_takes_worst_first_and_counted(verbosity: int, limit: int) -> None:
    findings = tuple(Finding(HOSTILE, "fail", message=HOSTILE * 20) for _ in range(10))
    failing = tuple(
        Result(
            id=f"pre.g{n}",
            phase="pre",
            status="fail",
            requirement="advisory" if n < 2_000 else "required",
            findings=findings,
            reason="名" * 300,
            output=Output("名" * 9_000),
        )
        for n in range(2_010)
    )
    passing = tuple(
        Result(id=f"post.g{n}", phase="post", status="pass", title="名" * 90) for n in range(5_000)
    )
    text = text_of("markdown", run_of((*passing, *failing)), verbosity=verbosity)
    assert len(text.encode()) <= limit
    assert len(text.encode()) > limit * 0.6, "most of the room is used"
    more = r"\n\d+ more gates that do not pass: see the JSON or HTML report, or <code>gatekeeper report term 7d1f0c</code>\.\n"
    assert re.search(more, text)
    assert [row[1] for row in rows(tokens(text))[:10]] == [f"pre.g{n}" for n in range(2_000, 2_010)]


def test_nothing_and_only_passes_have_their_heading() -> None:
    assert text_of("markdown", empty_run()).startswith("## ? NONE: no gate ran: nothing was planned\n")
    assert text_of("markdown", passing_run()).startswith("## ✓ PROCEED\n\n1 passed in 12.65 s, phase all")


@pytest.mark.parametrize(
    ("since", "change"),
    [
        (None, ""),
        (Since(1), "new"),
        (Since(1, "2026-11-19T21:04:31Z", "3f2a9c"), "was PASS, 2026-11-19 21:04 UTC"),
        (
            Since(3, "2026-11-19T21:04:31Z", "3f2a9c"),
            "3 runs; last passed 2026-11-19 21:04 UTC (run 3f2a9c)",
        ),
        (Since(3), "3 runs; has not passed before"),
    ],
)
def test_what_changed_since_the_last_run(since: Since | None, change: str) -> None:
    run = run_of((Result(id="pre.a", phase="pre", status="fail", reason="no", since=since),))
    assert rows(tokens(text_of("markdown", run)))[0][5] == change


@pytest.mark.parametrize("requirement", ["advisory", "observe"])
def test_a_gate_that_does_not_decide_says_so_beside_its_status(requirement: str) -> None:
    gate = Result(id="pre.b", phase="pre", status="fail", requirement=requirement)  # type: ignore[arg-type]
    text = text_of("markdown", run_of((*passing_run().results, gate)))
    assert text.startswith("## ✓ PROCEED\n")
    assert rows(tokens(text))[0][0] == f"✗ FAIL ({requirement})"


def test_a_run_of_both_phases_counts_each() -> None:
    results = (
        Result(id="pre.a", phase="pre", status="pass"),
        Result(id="pre.b", phase="pre", status="pass"),
        Result(id="post.a", phase="post", status="fail"),
    )
    assert "phase exec (pre: 2 passed; post: 1 failed)" in text_of("markdown", run_of(results, phase="exec"))
    assert "phase exec, subject" in text_of("markdown", run_of(results[:2], phase="exec"))


def test_a_verdict_that_a_plugin_made_shows_gatekeepers_own() -> None:
    run = run_of((Result(id="pre.a", phase="pre", status="fail"),))
    overruled = msgspec.structs.replace(run, verdict=Verdict("proceed", (), 0, "<b>boss", run.verdict))
    text = text_of("markdown", overruled)
    assert "\nDecided by <code>&#60;b&#62;boss</code>; gatekeeper's own verdict was BLOCK.\n" in text


def test_a_part_and_an_interruption_are_told() -> None:
    text = text_of("markdown", run_of(passing_run().results, partial=True, complete=False))
    assert "\nA part of the gates was selected: this does not clear the subject.\n" in text
    assert "\nThe run did not finish.\n" in text


def test_the_commit_is_told_where_it_is_known() -> None:
    run = msgspec.structs.replace(passing_run(), environment={"commit": "0123456789abcdef"})
    assert "commit <code>0123456</code>" in text_of("markdown", run)
