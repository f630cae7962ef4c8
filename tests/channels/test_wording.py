"""What channels say alike: the worst first, one line where one is promised, and nothing that a terminal obeys."""

import re
from typing import Any

import pytest
from badservers import event, notification
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.channels import AlertEvent
from gatekeeper.channels.wording import (
    details,
    headline,
    lasting,
    line,
    observed,
    plain,
    remainder,
    title,
    worst_first,
)
from gatekeeper.model import SEVERITIES

BACKEND = {"finding": "backend"}

HEADLINES: list[tuple[tuple[AlertEvent, ...], dict[str, Any], str]] = [
    ((event(),), {}, "FIRING high: pre.components warehouse of checkout"),
    ((event(finding=""),), {}, "FIRING high: pre.components of checkout"),
    ((event(), event(severity="critical", **BACKEND)), {}, "FIRING critical: pre.components backend of checkout, and 1 more"),
    ((event(),), {"more": 3}, "FIRING high: pre.components warehouse of checkout, and 3 more"),
    ((event(),), {"repeat": True}, "STILL FIRING high: pre.components warehouse of checkout"),
    ((event("escalated", severity="critical"),), {}, "ESCALATED critical: pre.components warehouse of checkout"),
    ((event("resolved"),), {}, "RESOLVED: pre.components warehouse of checkout"),
    ((event("resolved"),), {"test": True}, "TEST RESOLVED: pre.components warehouse of checkout"),
    ((event("resolved"), event("resolved", **BACKEND)), {}, "RESOLVED: pre.components warehouse of checkout, and 1 more"),
    ((event("resolved"),), {"firing": 2}, "RESOLVED: pre.components warehouse of checkout; 2 still firing"),
    ((event("resolved"), event(**BACKEND)), {}, "FIRING high: pre.components backend of checkout; 1 resolved"),
    ((event("resolved"), event(**BACKEND)), {"more": 2}, "FIRING high: pre.components backend of checkout, and 2 more; 1 resolved"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "values", "said"), HEADLINES, ids=[said for _, _, said in HEADLINES])
def test_a_headline_names_the_worst_and_counts_the_rest(events, values, said):
    assert headline(notification(*events, **values)) == said


def test_a_notification_that_lists_nothing_still_says_how_much_there_is():
    from msgspec.structs import replace

    told = replace(notification(), events=(), more=7, firing=7)
    assert headline(told) == "FIRING low: checkout, 7 alerts"


def test_a_line_says_what_since_when_and_how_often():
    told = event(since="2026-11-21T06:00:00Z", runs=3)
    assert re.fullmatch(
        r"FIRING high pre\.components warehouse: answer time 2\.31 s > 2 s "
        r"\(since 2026-11-21 06:00 UTC(, [^,]+)?, 3 runs in a row\)",
        line(told),
    )


def test_a_line_of_what_is_over_says_how_long_it_lasted():
    told = event("resolved", since="2026-11-21T06:00:00Z", ended="2026-11-21T08:30:00Z")
    assert lasting(told) == "2026-11-21 06:00 UTC to 2026-11-21 08:30 UTC, 2.5 h"


def test_a_changed_severity_says_what_it_was():
    assert title(event(before="medium")).startswith("FIRING high (was medium) pre.components warehouse: ")


def test_a_summary_that_names_its_finding_is_not_told_it_twice():
    told = event(gate="post.performance", finding="p95", summary="p95 2.31 s > 2 s")
    assert title(told) == "FIRING high post.performance: p95 2.31 s > 2 s"


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        ({}, "2.31 s > 2 s"),
        ({"status": "unknown"}, "2.31 s <= 2 s"),
        ({"operator": None}, "2.31 s"),
        ({"value": None}, ""),
        ({"operator": "matches", "value": "a", "limit": "b", "unit": None}, "a not matches b"),
        ({"value": 0.93, "limit": 0.9, "unit": "ratio"}, "93 % > 90 %"),
    ],
)
def test_what_was_observed_stands_in_its_relation_to_the_limit(alert, said):
    assert observed(event(**alert).alert) == said


def test_details_are_rows_of_label_and_text():
    told = event(
        description="one\ntwo", labels={"team": "orders", "env": "prod"}, annotations={"runbook": "https://r"}
    )
    rows = dict(details(told))
    assert list(rows) == ["observed", "expected", "since", "about", "run", "try", "link", "labels", "runbook"]
    assert rows["expected"] == "<= 2 s"
    assert rows["about"] == "one\ntwo"
    assert rows["labels"] == "env=prod, team=orders"


def test_what_is_over_needs_no_hint():
    rows = dict(details(event("resolved")))
    assert "try" not in rows
    assert "lasted" in rows


def test_plain_text_has_everything():
    text = plain(notification(event(), event("resolved", **BACKEND), more=2, firing=9, test=True))
    assert text.startswith("TEST FIRING high: ")
    for part in ("  try       systemctl status warehouse\n", "RESOLVED high pre.components backend", "and 2 more", "firing now: 9",
                 "group: subject=checkout", "A test: nothing is wrong."):  # fmt: skip
        assert part in text
    assert text.endswith("\n")


def test_the_remainder_of_a_notification_that_lists_all_is_its_group():
    assert remainder(notification()) == ["group: subject=checkout"]


severities = st.sampled_from(SEVERITIES)
kinds = st.sampled_from(["firing", "escalated", "resolved"])


@given(st.lists(st.tuples(kinds, severities), max_size=8))
def test_the_order_is_open_before_over_and_worse_before_better(given_events):
    told = worst_first([event(kind, severity=severity) for kind, severity in given_events])
    ranks = [(each.kind == "resolved", -SEVERITIES.index(each.alert.severity)) for each in told]
    assert ranks == sorted(ranks)


UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
texts = st.text(max_size=60) | st.sampled_from(
    ["\x1b[2J", "a\r\nb", "\u202egp.exe", "::error::x", "##vso[task.complete]", "\ud800", "9" * 9999]
)


@given(st.data(), kinds)
def test_no_text_of_a_gate_is_obeyed_by_a_terminal_or_breaks_a_line(data, kind):
    values = {
        name: data.draw(texts)
        for name in (
            "summary",
            "description",
            "hint",
            "link",
            "run",
            "since",
            "operator",
            "value",
            "limit",
            "unit",
        )
    }
    told = event(kind, fingerprint="0" * 32, gate="g", finding="f", **values, labels={data.draw(texts): data.draw(texts)},
                 annotations={data.draw(texts): data.draw(texts)})  # fmt: skip
    note = notification(told, subject="s", group={data.draw(texts): data.draw(texts)})
    for text in (headline(note), line(told), title(told), *remainder(note)):
        assert not UNSAFE.search(text)
        assert "\n" not in text
        assert "\t" not in text
        assert len(text) < 1000
    whole = plain(note)
    assert not UNSAFE.search(whole)
    assert not re.search(r"##(vso|teamcity)?\[", whole)
    assert not re.search(r"^\s*::", whole, re.MULTILINE)


@given(texts, texts, texts)
def test_names_are_safe_and_short_too(gate, finding, subject):
    from msgspec.structs import replace

    base = event()
    told = replace(base, alert=replace(base.alert, gate=gate, finding=finding))
    note = replace(notification(told), subject=subject)
    for text in (headline(note), line(told)):
        assert not UNSAFE.search(text)
        assert "\n" not in text
        assert len(text) < 600


def test_times_that_are_none_are_shown_as_they_are():
    assert lasting(event(since="yesterday")).startswith("yesterday")
