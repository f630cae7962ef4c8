"""The HTML report in a real browser, opened from a file."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from past_samples import SamplePast
from report_samples import HOSTILE, empty_run, interrupted_run, passing_run, rich_run, run_of, text_of

from chromium import axe_core, chromium, violations
from gatekeeper import Finding, Result, Run, strict_json
from gatekeeper.model import Output, Since

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, LocatorAssertions, Page

pytestmark = pytest.mark.real

DESKTOP = {"viewport": {"width": 1200, "height": 900}}
DARK = {**DESKTOP, "color_scheme": "dark"}
PHONE = {
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}

ATTACK = (
    "</script><script>window.hit=1</script><img src='//x.invalid/y' onerror='window.hit=1'><!--<script>"
    "<svg onload=window.hit=1><a href='javascript:window.hit=1'>x</a></title></style>"
)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with chromium() as found:
        yield found


def expect(locator: "Locator") -> "LocatorAssertions":
    """Playwright's assertions, which wait until they hold."""
    from playwright.sync_api import expect as waiting  # slow to import: not while tests are collected

    return waiting(locator)


class Opened:
    """A report in a tab of its own; everything that it asks for or complains about is kept."""

    def __init__(self, browser: "Browser", path: Path, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        self.url = path.as_uri()
        self.page.goto(self.url)

    def unfold(self) -> None:
        """Open whatever can be opened, and what was in there too."""
        for _ in range(3):
            self.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            self.page.wait_for_timeout(50)


Open = Callable[..., Opened]


@pytest.fixture
def opened(browser: "Browser", tmp_path: Path) -> Iterator[Open]:
    """`opened(run, past=…, context options)` writes the report of a run and opens it."""
    contexts = []

    def show(run: Run, *, past: int | None = 30, **options: Any) -> Opened:
        path = tmp_path / f"report-{len(contexts)}.html"
        view = {} if past is None else {"past": SamplePast(run, past)}
        path.write_text(text_of("html", run, **view), encoding="utf-8")
        shown = Opened(browser, path, **{**DESKTOP, **options})
        contexts.append(shown)
        return shown

    yield show
    for shown in contexts:
        unexpected = [
            url for url in shown.asked if url != shown.url and not url.startswith("data:image/svg+xml,")
        ]
        shown.context.close()
        assert not unexpected, "the page asked for something"
        assert not shown.complaints


def many(count: int = 5_000) -> Run:
    """Thousands of gates, ten of which do not pass."""
    measured = {"evidence": {"limits": {"warn": 1.5, "fail": 2.0}}}
    return run_of(
        tuple(
            Result(
                id=f"pre.table_{n:04}", phase="pre", title=f"Table {n} is whole.", duration_s=0.01,
                status="fail" if n % 500 == 7 else "pass",
                findings=(Finding("rows", "fail" if n % 500 == 7 else "pass", 3.0 if n % 500 == 7 else 1.0, "<=", 2.0, "s", 5, **measured),),  # type: ignore[arg-type]
                reason="rows 3 s > 2 s" if n % 500 == 7 else "",
            )
            for n in range(count)
        )
    )  # fmt: skip


def hostile_run() -> Run:
    """Markup, scripts, escapes, unbroken and very long texts wherever a gate can write."""
    run = msgspec.json.decode(
        strict_json(rich_run()).replace(b"pre.", b"pre.<b onclick=window.hit=1>"), type=Run
    )
    long = "unbroken" * 12_500
    finding = Finding(
        ATTACK,
        "fail",
        ATTACK,
        "==",
        ATTACK,
        ATTACK,
        1,
        ATTACK + long,
        ATTACK,
        {ATTACK: ATTACK, "list": [ATTACK, long]},
    )
    measured = Finding(long, "fail", 3.0, "<=", 2.0, ATTACK, evidence={"limits": {"warn": 1.0, "fail": 2.0}})
    attacks = tuple(
        Result(
            id=f"{phase}.{ATTACK}{status}", phase=phase, status=status, title=ATTACK, reason=ATTACK + HOSTILE,  # type: ignore[arg-type]
            findings=(finding, measured), output=Output(ATTACK + HOSTILE, long), tags=(ATTACK,), since=Since(2, ATTACK, ATTACK),
        )
        for phase in ("pre", "post")
        for status in ("fail", "pass", "skip", "unknown")
    )  # fmt: skip
    thousand = Result(
        id="pre.thousand",
        phase="pre",
        status="fail",
        findings=tuple(Finding(f"{n}", "fail", message=ATTACK) for n in range(1_000)),
    )
    everything = (*run.results, *attacks, thousand)
    return msgspec.structs.replace(
        run_of(everything, id=ATTACK, profile=ATTACK, config=long),
        notes=(ATTACK, long),
        environment={ATTACK: ATTACK, "long": long},
        subject=msgspec.structs.replace(run.subject, name=f"{ATTACK}{long}"),
    )


SHOWN = {
    "rich": rich_run,
    "both phases": lambda: rich_run(phase="exec"),
    "passing": passing_run,
    "empty": empty_run,
    "interrupted": interrupted_run,
    "partial": lambda: run_of(passing_run().results, partial=True),
    "hostile": hostile_run,
}


# -- opening -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHOWN)
def test_it_opens_from_a_file_asks_for_nothing_and_has_no_errors(opened: Open, name: str) -> None:
    shown = opened(SHOWN[name]())
    shown.unfold()
    assert shown.page.locator("h1").is_visible()
    assert shown.asked[0] == shown.url


def test_its_icon_is_an_image(opened: Open) -> None:
    page = opened(rich_run()).page
    size = page.evaluate(
        "new Promise((done, failed) => { const image = new Image(); image.onload = () => done(image.naturalWidth);"
        " image.onerror = failed; image.src = document.querySelector('link[rel=icon]').href })"
    )
    assert size > 0


def test_texts_of_gates_are_inert(opened: Open) -> None:
    shown = opened(hostile_run())
    shown.unfold()
    assert shown.page.evaluate("window.hit === undefined")
    assert shown.page.evaluate("document.scripts.length") == 2
    assert shown.page.locator("img, b, [onclick], [onerror], [onload], a[href^=javascript]").count() == 0
    assert "<script>window.hit=1</script>" in shown.page.locator("#notes").inner_text()
    folded = shown.page.locator(".fold .facts").first.inner_text()
    assert folded


def test_five_thousand_gates_are_not_rendered_until_they_are_asked_for(opened: Open) -> None:
    page = opened(many()).page
    assert page.locator(".card").count() == 10
    assert page.locator(".row").count() == 0
    assert page.evaluate("document.querySelectorAll('*').length") < 8_000
    page.locator(".fold > summary").click()
    page.locator(".row").first.wait_for()
    assert page.locator(".row").count() == 200
    page.get_by_role("button", name="Show 200 of 4,790 more").click()
    assert page.locator(".row").count() == 400
    assert page.evaluate("document.activeElement === document.querySelectorAll('.row > summary')[200]")
    page.locator(".fold > summary").click()
    expect(page.locator(".row")).to_have_count(0)


def test_a_folded_gate_opens_to_the_words_of_all_reports(opened: Open) -> None:
    page = opened(rich_run()).page
    page.locator(".fold > summary", has_text="2 passed").click()
    row = page.locator(".row", has_text="pre.resources")
    assert row.locator("dl").count() == 0
    row.locator("summary").click()
    row.locator("dl").wait_for()
    said = " ".join(row.inner_text().split())
    assert "✓ PASS pre.resources memory 212 MB <= 500 MB" in said
    assert "finding PASS cpu expected <= 80 % observed 23 % (n = 5)" in said
    assert "evidence source: cgroup v2" in said


def test_without_scripts_everything_can_be_read(opened: Open) -> None:
    page = opened(rich_run(), java_script_enabled=False).page
    assert page.locator("h1").inner_text() == "BLOCK checkout"
    assert page.locator(".card").count() == 6
    said = page.locator("main").inner_text()
    for text in (
        "curl -i http://localhost:8000/health",
        "== 200",
        "memory 212 MB <= 500 MB",
        "no GPU on this machine",
    ):
        assert text in said
    assert not page.locator("#find").is_visible()
    assert not page.locator(".fold").first.is_visible()


# -- filters -----------------------------------------------------------------------------------------------------------


def visible_gates(page: "Page") -> list[str]:
    return [heading.inner_text().split(" ")[-1] for heading in page.locator(".card:visible h3").all()]


def test_counters_filter_by_keyboard(opened: Open) -> None:
    page = opened(rich_run()).page
    counter = page.get_by_role("button", name="1 WARN")
    page.locator("#find").focus()
    for _ in range(6):
        page.keyboard.press("Shift+Tab")
        if counter.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Space")
    assert counter.get_attribute("aria-pressed") == "true"
    assert visible_gates(page) == ["pre.storage"]
    assert not page.locator(".fold").first.is_visible()
    assert page.locator("#found").inner_text() == "1 of 10 gates"
    page.keyboard.press("Enter")
    assert counter.get_attribute("aria-pressed") == "false"
    assert page.locator(".card:visible").count() == 6
    assert page.locator("#found").inner_text() == ""


def test_two_counters_show_what_either_has(opened: Open) -> None:
    page = opened(rich_run()).page
    page.get_by_role("button", name="1 WARN").click()
    page.get_by_role("button", name="1 ERROR").click()
    assert page.locator(".card:visible").count() == 2


def test_a_counter_of_folded_gates_unfolds_them(opened: Open) -> None:
    page = opened(rich_run()).page
    page.get_by_role("button", name="2 PASS").click()
    page.locator(".row").first.wait_for()
    assert page.locator(".row").count() == 2
    assert page.locator(".card:visible").count() == 0


def test_a_name_finds_gates_in_folds_too(opened: Open) -> None:
    page = opened(many()).page
    page.locator("#find").fill("TABLE_0123")
    expect(page.locator("#found")).to_have_text("1 of 5,000 gates")
    expect(page.locator(".fold .name")).to_have_text("1 of 4,990 passed")
    page.locator(".fold > summary").click()
    page.locator(".row").first.wait_for()
    assert page.locator(".row").count() == 1
    page.locator("#find").fill("nothing of the kind")
    expect(page.locator("#found")).to_have_text("No gate matches.")
    page.locator("#find").fill("")
    expect(page.locator(".fold .name")).to_have_text("4,990 passed")


def test_a_reason_leads_to_its_gate_even_if_that_was_filtered_out(opened: Open) -> None:
    page = opened(rich_run(), reduced_motion="reduce").page
    page.get_by_role("button", name="1 WARN").click()
    link = page.locator(".verdict a", has_text="pre.components failed")
    link.click()
    card = page.locator(str(link.get_attribute("href")))
    assert card.is_visible()
    assert card.evaluate("one => Math.abs(one.getBoundingClientRect().top) < 400")


# -- looks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [DESKTOP, DARK, PHONE, {**PHONE, "color_scheme": "dark"}],
    ids=["desktop", "dark", "phone", "dark phone"],
)
@pytest.mark.parametrize("name", SHOWN)
def test_axe_core_finds_nothing_wrong(opened: Open, name: str, options: dict[str, Any]) -> None:
    axe = axe_core()
    shown = opened(SHOWN[name](), bypass_csp=True, **options)
    shown.unfold()
    assert violations(shown.page, axe) == []


@pytest.mark.parametrize("name", SHOWN)
def test_a_phone_scrolls_down_only(opened: Open, name: str) -> None:
    shown = opened(SHOWN[name](), **PHONE)
    shown.unfold()
    assert shown.page.evaluate("document.documentElement.scrollWidth") == 360
    shown.page.evaluate("window.scrollTo(500, 0)")
    assert shown.page.evaluate("window.scrollX") == 0


def test_on_a_phone_what_can_be_tapped_is_large_enough(opened: Open) -> None:
    shown = opened(rich_run(), **PHONE)
    shown.unfold()
    small = shown.page.evaluate(
        "[...document.querySelectorAll('a:not(.jump), button, summary, input')]"
        ".filter(one => one.getClientRects().length && one.getBoundingClientRect().height < 44)"
        ".map(one => one.outerHTML.slice(0, 100))"
    )
    assert small == []


def test_on_a_phone_the_grid_scrolls_in_its_box_and_begins_at_this_run(opened: Open) -> None:
    page = opened(rich_run(), **PHONE).page
    box = page.locator(".cells")
    assert box.evaluate("one => one.scrollWidth > one.clientWidth")
    inside = "one => { const own = one.getBoundingClientRect(), box = one.closest('.cells').getBoundingClientRect(); return own.right <= box.right + 1 && own.left >= box.left }"
    assert page.locator(".grid .now").evaluate(inside)
    box.evaluate("one => one.scrollBy(-5000, 0)")
    assert not page.locator(".grid .now").evaluate(inside)


def test_labels_of_the_grid_stand_beside_their_rows(opened: Open) -> None:
    page = opened(rich_run()).page
    tops = page.evaluate(
        "[[...document.querySelectorAll('.labels li:not(.strip)')].map(one => one.getBoundingClientRect()),"
        " [...document.querySelectorAll('.grid use')].filter((_, n) => n % 31 === 0).map(one => one.getBoundingClientRect())]"
        ".map(boxes => boxes.map(box => (box.top + box.bottom) / 2))"
    )
    assert len(tops[0]) == len(tops[1]) == 10
    assert all(abs(label - cell) < 3 for label, cell in zip(*tops, strict=True))


def test_dark_is_dark_and_the_verdict_keeps_its_colour(opened: Open) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    verdict = "getComputedStyle(document.querySelector('.verdict')).backgroundColor"
    light, dark = opened(rich_run()).page, opened(rich_run(), **DARK).page
    assert (light.evaluate(ground), dark.evaluate(ground)) == ("rgb(255, 255, 255)", "rgb(17, 17, 17)")
    assert light.evaluate(verdict) == dark.evaluate(verdict)


def test_the_first_tab_skips_to_the_gates_and_focus_can_be_seen(opened: Open) -> None:
    page = opened(rich_run()).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the gates"
    assert page.locator(".jump").evaluate("one => one.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    focused = page.evaluate(
        "(() => { const one = document.activeElement; return [one.className, getComputedStyle(one).outlineStyle, one.closest('main') !== null] })()"
    )
    assert focused == ["counter fail", "solid", True]


# -- paper -------------------------------------------------------------------------------------------------------------


def test_paper_is_light_shows_what_matters_and_what_passed(opened: Open) -> None:
    page = opened(rich_run(), **DARK).page
    page.evaluate(
        "addEventListener('beforeprint', () => { window.printed = document.querySelectorAll('.row').length })"
    )
    assert page.pdf().startswith(b"%PDF")
    assert page.evaluate("window.printed") == 4
    expect(page.locator(".row")).to_have_count(0)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for selector in ("h1", ".card", ".budgets", ".grid", "#environment", ".try"):
        assert page.locator(selector).first.is_visible(), selector
    for selector in ("nav", ".find", ".jump"):
        assert not page.locator(selector).is_visible(), selector


def test_thousands_of_gates_are_not_unfolded_for_paper(opened: Open) -> None:
    page = opened(many()).page
    page.evaluate(
        "addEventListener('beforeprint', () => { window.printed = document.querySelectorAll('.row').length })"
    )
    page.pdf()
    assert page.evaluate("window.printed") == 0


def test_on_paper_the_grid_is_not_cut_off(opened: Open) -> None:
    page = opened(rich_run(), viewport={"width": 718, "height": 1000}).page  # A4 less its margins
    page.emulate_media(media="print")
    assert page.locator(".grid").evaluate("one => one.getBoundingClientRect().right") <= 718


def test_the_words_of_the_page_are_those_of_the_file(opened: Open) -> None:
    """The fixture's own check: what is tested is what was rendered."""
    shown = opened(rich_run(), past=None)
    assert re.search(r"This report was made without history\.", shown.page.locator("#history").inner_text())
