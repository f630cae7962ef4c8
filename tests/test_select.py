"""Selection: what `-k`, tags, ids and files take, and what a typo gets."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.errors import UsageError
from gatekeeper.select import Candidate, Selection, parse, select

GATES = [
    Candidate("pre.storage", "pre.storage", "/p/gates/gate_disk.py", ("disk",)),
    Candidate("pre.orders[eu]", "pre.orders", "/p/gates/gate_orders.py", ("data", "eu")),
    Candidate("pre.orders[us]", "pre.orders", "/p/gates/gate_orders.py", ("data",)),
    Candidate("pre.network", "pre.network", "/p/gates/sub/gate_net.py"),
]
CWD = Path("/p")


def chosen(*targets, **options):
    failed = options.pop("failed", ())
    return select(GATES, Selection(targets=targets, **options), failed, CWD)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ((), {"pre.storage", "pre.orders[eu]", "pre.orders[us]", "pre.network"}),
        (("pre.storage",), {"pre.storage"}),
        (("storage",), {"pre.storage"}),
        (("pre.orders",), {"pre.orders[eu]", "pre.orders[us]"}),
        (("pre.orders[eu]",), {"pre.orders[eu]"}),
        (("orders[eu]",), {"pre.orders[eu]"}),
        (("pre.n*", "storage"), {"pre.network", "pre.storage"}),
        (("gates/gate_orders.py",), {"pre.orders[eu]", "pre.orders[us]"}),
        (("gates/sub",), {"pre.network"}),
    ],
)
def test_targets_are_ids_names_patterns_files_and_folders(targets, expected):
    assert chosen(*targets) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("disk", {"pre.storage"}),
        ("not data", {"pre.storage", "pre.network"}),
        ("data and not eu", {"pre.orders[us]"}),
        ("disk or net", {"pre.storage", "pre.network"}),
        ("(disk or data) and not (eu or us)", {"pre.storage"}),
        ("ORDERS", {"pre.orders[eu]", "pre.orders[us]"}),
    ],
)
def test_keywords_match_ids_files_and_tags(expression, expected):
    assert chosen(keyword=expression) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"targets": ("pre.storge",)},
            "no gate or gate file 'pre.storge' in this phase. Did you mean 'pre.storage'?",
        ),
        ({"targets": ("gates/gate_none.py",)}, "no gate or gate file 'gates/gate_none.py'"),
        ({"tags": ("dsik",)}, "--tag dsik: no gate of this phase has it. Did you mean 'disk'?"),
        ({"keyword": "storge"}, "no gate of this phase matches 'storge'. Did you mean 'storage'?"),
        ({"keyword": "disk and"}, "column 9: it ends where a word is expected"),
        ({"keyword": "(disk"}, "column 1: this parenthesis is not closed"),
        ({"keyword": "disk net"}, "column 6: unexpected 'net'"),
        ({"keyword": "and"}, "column 1: unexpected 'and'"),
        ({"keyword": ")"}, "column 1: unexpected ')'"),
    ],
)
def test_a_selection_that_names_nothing_is_refused_with_the_nearest_name(options, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        select(GATES, Selection(**options), (), CWD)


def test_all_wrong_targets_are_named_at_once():
    with pytest.raises(UsageError) as caught:
        chosen("nope", "neither")
    assert len(caught.value.problems) == 2


def test_filters_narrow_each_other():
    assert chosen("pre.orders", tags=("eu",)) == {"pre.orders[eu]"}
    assert chosen(last_failed=True, failed=["pre.network", "post.gone"]) == {"pre.network"}


WORDS = st.sampled_from(["disk", "orders", "net", "eu"])
EXPRESSIONS = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        inner.map(lambda e: f"not {e}"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    ),
)


@given(EXPRESSIONS)
def test_keyword_expressions_mean_what_python_means(expression):
    def holds(text):
        return eval(re.sub(r"disk|orders|net|eu", lambda word: str(word[0] in text), expression))

    expected = {gate.id for gate in GATES if holds(" ".join(gate.words).lower())}
    assert chosen(keyword=expression) == expected


@given(st.text(max_size=20))
def test_any_text_is_an_expression_or_a_usage_error(text):
    with suppress(UsageError):
        parse(text)


@pytest.mark.parametrize("expression", ["(" * 3000, "not " * 3000 + "disk", "(" * 240 + "disk" + ")" * 240])
def test_an_expression_that_nests_too_deeply_is_refused_in_a_short_message(expression):
    with pytest.raises(UsageError) as caught:
        chosen(keyword=expression)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(("target", "why"), [("pre.off", "is switched off"), ("off", "is switched off")])
def test_a_gate_that_exists_but_can_t_be_taken_is_said_to(target, why):
    with pytest.raises(UsageError, match=why):
        select(GATES, Selection(targets=(target,)), (), Path("/"), {"pre.off": "is switched off"})
