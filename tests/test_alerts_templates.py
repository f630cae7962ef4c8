"""Templates in labels and texts: what they can say, what they can't do, and that none of them loses an alert."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.alerts.judging.templates import MOST, NAMES, fill, is_template, problem
from judging import START, Story, bad, gate, iso, measured

VALUES = {
    **dict.fromkeys(NAMES, "text"),
    "gate": "pre.x",
    "value": "7 %",
    "raw": 0.07,
    "limit": "5 %",
    "unit": "ratio",
    "labels": {"team": "db", "items": "a label of that name"},
}


def alert(annotations, finding=None, *, toml="", labels=""):
    """The alert of a rule with these annotations."""
    texts = "".join(f"{name} = '''{text}'''\n" for name, text in annotations.items())
    story = Story(
        f"{toml}\n[[alerts.rules]]\nname = 'r'\nstatus = ['fail']\n{labels}\n[alerts.rules.annotations]\n{texts}"
    )
    story.run(
        gate("pre.x", "fail", finding or bad("a", observed=0.07, unit="ratio", operator="<=", limit=0.05))
    )
    (event,) = story.events
    return event.alert, story.notes


# -- what they say -----------------------------------------------------------------------------------------------------


def test_every_name_is_filled_in():
    text = " | ".join(f"{name}={{{{ {name} }}}}" for name in NAMES if name != "labels")
    found, notes = alert({"summary": text + " | {{ labels.team }}"}, labels="labels = { team = 'db' }")
    assert notes == []
    assert found.summary == (
        f"gate=pre.x | finding=a | subject=checkout | rule=r | severity=high | status=fail | value=7 % | raw=0.07 | limit=5 %"
        f" | unit=ratio | run=run-1 | since={iso(START)} | db"
    )


def test_annotations_are_the_alerts_texts_and_others_stay_by_name():
    texts = {
        "summary": "s {{ gate }}",
        "description": "d",
        "hint": "h",
        "link": "https://wiki/{{ rule }}",
        "runbook": "{{ finding }}",
    }
    found, _ = alert(texts, toml="[alerts]\nlink = 'https://ci/{{ run }}'")
    assert (found.summary, found.description, found.hint, found.link) == (
        "s pre.x",
        "d",
        "h",
        "https://wiki/r",
    )
    assert found.annotations == {"runbook": "a"}


def test_without_annotations_an_alert_speaks_for_itself_and_has_the_common_link():
    found, _ = alert({}, toml="[alerts]\nlink = 'https://ci/{{ run }}/{{ gate|urlencode }}'")
    assert (found.summary, found.link) == ("a 7 % > 5 %", "https://ci/run-1/pre.x")


def test_a_text_that_comes_out_empty_leaves_the_alerts_own():
    found, _ = alert({"summary": "{% if raw > 1 %}far too much{% endif %}", "hint": ""})
    assert found.summary == "a 7 % > 5 %"
    assert found.hint == "gatekeeper run pre pre.x -vv"


def test_since_stays_and_the_run_does_not():
    story = Story(
        "[[alerts.rules]]\nname = 'r'\nstatus = ['fail']\nannotations = { summary = '{{ since }} {{ run }}' }"
    )
    for at in (0, 60):
        story.run(gate("pre.x", "fail", bad("a")), at=at)
    assert next(iter(story.standings.values())).alert.summary == f"{iso(START)} run-2"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("no template } at all {", "no template } at all {"),
        ("{{ value }} > {{ limit }}", "7 % > 5 %"),
        ("{{ (raw * 100)|round|int }} percent", "7 percent"),
        ("{% if raw >= 0.05 %}bad{% else %}fine{% endif %}", "bad"),
        ("{{ 'bad' if raw > 0.05 else 'fine' }}", "bad"),
        ("{{ labels.team|upper }} {{ labels['items'] }}", "DB a label of that name"),
        ("{{ labels.none|default('nobody') }}", "nobody"),
        ("{{ gate ~ '!' }}{# not said #}", "pre.x!"),
        ("{% raw %}{{ as it is }}{% endraw %}", "{{ as it is }}"),
        ("{{ '{{ value }}' }}", "{{ value }}"),
        ("a/{{ 'b c&d/é'|urlencode }}", "a/b%20c%26d/%C3%A9"),
    ],
)
def test_what_a_template_can_say(text, made):
    assert fill(text, VALUES).text == made
    assert fill(text, VALUES).problem == ""
    assert problem(text, labels=("team", "items")) == ""


# -- what they can't do ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(10**9) %}x{% endfor %}",
        "{% for a in labels %}x{% endfor %}",
        "{{ range(10**9) }}",
        "{{ 'x' * 10**9 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ 'x'.center(10**9) }}",
        "{{ 'x'|center(10**9) }}",
        "{{ 'x'|indent(10**9) }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ '%s'|format(1) }}",
        "{{ gate.__class__ }}",
        "{{ gate['__class__'] }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ labels.update({'a': 1}) }}",
        "{{ labels.items() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ lipsum() }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include 'gatekeeper.toml' %}",
        "{% import 'x' as x %}",
        "{% extends 'x' %}",
        "{% block a %}{% endblock %}",
        "{% set x = 1 %}",
        "{% filter upper %}x{% endfilter %}",
        "{{ [1, 2]|map('upper') }}",
        "{{ gate|attr('upper') }}",
        "{{ 1 // 0 }}",
        "{{ 'a' + 'b' }}",
    ],
)
def test_what_a_template_cannot_do_is_refused_and_costs_nothing(text):
    assert problem(text, labels=("team",)) != ""
    filled = fill(text, VALUES)
    assert filled.problem != ""
    assert "[this template failed: " in filled.text
    assert len(filled.text) <= MOST


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ valeu }}", "unknown name 'valeu'. Did you mean 'value'?"),
        ("{{ zzzzzz }}", "unknown name 'zzzzzz'. Known: gate, finding"),
        ("{% if nope %}{% endif %}", "unknown name 'nope'"),
        ("{{ labels.teem }}", "unknown label 'teem'. Did you mean 'team'?"),
        ("{{ labels['teem'] }}", "unknown label 'teem'"),
        ("{{ labels[gate] }}", "only labels have parts"),
        ("{{ value|uper }}", "No filter named 'uper'"),
        ("{{ value", "can't be read as a template"),
        ("{% if raw %}", "can't be read as a template"),
        ("{{ gate - 1 }}", "takes numbers, not str"),
        ("{{ raw / 0 }}", "ZeroDivisionError"),
        ("{{ " + "(" * 4000 + "1" + ")" * 4000 + " }}", "can't be read as a template"),
        ("{{ 1 }}" * 2000, "at most 10,000 characters"),
    ],
)
def test_what_is_wrong_with_a_template_is_said(text, said):
    assert said in problem(text, labels=("team",))


def test_a_label_may_only_use_what_stays_the_same():
    from gatekeeper.alerts.judging.templates import IDENTITY

    assert problem("{{ gate }} {{ finding }} {{ subject }} {{ rule }}", IDENTITY) == ""
    for name in set(NAMES) - set(IDENTITY):
        assert "unknown name" in problem(f"{{{{ {name} }}}}", IDENTITY)


# -- hostile values, failures, limits ----------------------------------------------------------------------------------

HOSTILE = [
    "{{ 7 * 7 }}",
    "{% for a in range(9) %}x{% endfor %}",
    "<script>alert(1)</script>",
    "\x1b[31m",
    "]]>",
    "${IFS}",
    "%s%n",
    "\\{{",
    "{#",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_is_filled_in_is_text_and_never_a_template(hostile):
    finding = bad(hostile, observed=hostile, operator="is", limit=hostile, message=hostile)
    found, notes = alert({"summary": "{{ finding }} {{ value }} {{ limit }} {{ raw }}"}, finding)
    assert found.summary == " ".join([hostile] * 4)
    assert notes == []


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_of_a_gate_is_left_as_it_is_where_nothing_is_filled_in(hostile):
    found, _ = alert({}, bad("a", message=hostile, hint=hostile))
    assert (found.summary, found.hint) == (hostile, hostile)


def test_a_template_that_fails_keeps_the_alert_and_says_so_in_its_place():
    found, notes = alert(
        {"summary": "by {{ raw / 2 }} at {{ gate }}", "description": "of {{ value }}: {{ limit - 1 }}"},
        bad("a", observed="HTTP 503"),
    )
    assert found.summary == "by [this template failed: / takes numbers, not str; ~ joins texts]"
    assert found.description.startswith("of HTTP 503: [this template failed: - takes numbers")
    assert len(notes) == 2
    assert notes[0].startswith("alert rule 'r': the template of summary failed: ")


def test_a_link_that_fails_is_left_out():
    found, notes = alert({}, bad("a", observed="x"), toml="[alerts]\nlink = 'https://ci/{{ raw * 2 }}'")
    assert found.link == ""
    assert "the template of link failed" in notes[0]


def test_one_broken_template_is_one_note_for_a_thousand_alerts():
    story = Story("[alerts]\nlink = '{{ nope }}'")
    story.run(gate("pre.x", "fail", *(bad(f"f{n}") for n in range(1000))))
    assert len(story.events) == 1000
    assert len(story.notes) == 1


def test_texts_have_an_end():
    long = "x" * 10**6
    found, _ = alert(
        {"summary": "{{ finding }}" * 200, "description": long}, measured("f" * 500, 1, status="fail")
    )
    assert len(found.summary) == len(found.description) == MOST
    assert len(fill(long + "{{ 1 }}", VALUES).text) <= MOST
    assert len(fill("{{ gate|replace('', gate) }}", {**VALUES, "gate": "y" * MOST}).text) == MOST


@given(
    st.text(max_size=60),
    st.dictionaries(
        st.sampled_from(NAMES),
        st.one_of(st.text(), st.floats(), st.none(), st.dictionaries(st.text(), st.text())),
    ),
)
def test_any_text_is_filled_in_without_a_word_of_protest(text, values):
    filled = fill(text, {**VALUES, **values})
    assert len(filled.text) <= MOST
    if not is_template(text):
        assert filled.text == text


PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        " raw ",
        "gate",
        "|",
        "upper",
        "(",
        ")",
        "*",
        "/",
        "9",
        "if",
        "endif",
        "for a in labels",
        "labels",
        ".",
        "[0]",
        "'",
        "~",
        "**",
        "-",
    ]
)


@given(st.lists(PIECES, max_size=14).map(" ".join))
def test_what_the_check_lets_through_can_be_filled_in(text):
    found = problem(text, labels=("team",))
    filled = fill(text, VALUES)
    if not found:
        assert filled.problem == ""
