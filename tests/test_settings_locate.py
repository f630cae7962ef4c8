"""The line of a key, in texts as people write them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.settings.locate import line_of
from gatekeeper.settings.writing import toml_key, toml_value

TOML = '''\
# a comment with [brackets] = "and" {braces}
preset = "service"
"quoted key" = 'x = [1'
a.b."c.d" = 1

[run]
text = """
[not.a.table]
deadline = "no"
"""   # the closing line
literal = \'\'\'
jobs = 3 """ \'\'\'
jobs = 4
numbers = [
  1, # one ]
  2,
  { deep = [
     "x", "]", '#' ] },
]
inline = { one = 1, two = { three = "}" }, "fo.ur" = [1, 2] }
when = 2026-12-24T00:00:00Z

[[gates.components.http]]
name = "a"
[gates.components.http.headers]
accept = "x"
[[gates.components.http]]
name = "b"
url = "http://x/#a"
[ gates . "pre.x" ]
limit=5
[[gates.components.http.steps]]
go = 1
[[gates.components.http.steps]]
go = 2
'''


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("preset",), 'preset = "service"'),
        (("quoted key",), '"quoted key"'),
        (("a", "b", "c.d"), "a.b."),
        (("a", "b"), "a.b."),
        (("run",), "[run]"),
        (("run", "deadline"), "[run]"),
        (("run", "text"), "text ="),
        (("run", "literal"), "literal ="),
        (("run", "jobs"), "jobs = 4"),
        (("run", "numbers", 1), "  2,"),
        (("run", "numbers", 2, "deep"), "  { deep"),
        (("run", "numbers", 2, "deep", 2), '     "x"'),
        (("run", "inline", "two", "three"), "inline ="),
        (("run", "inline", "fo.ur", 1), "inline ="),
        (("run", "when"), "when ="),
        (("gates", "components", "http"), "[[gates.components.http]]"),
        (("gates", "components", "http", 0, "name"), 'name = "a"'),
        (("gates", "components", "http", 0, "headers", "accept"), "accept ="),
        (("gates", "components", "http", 1, "name"), 'name = "b"'),
        (("gates", "components", "http", 1, "url"), "url ="),
        (("gates", "components", "http", 1, "missing"), None),
        (("gates", "pre.x", "limit"), "limit=5"),
        (("gates", "components", "http", 1, "steps", 0, "go"), "go = 1"),
        (("gates", "components", "http", 1, "steps", 1, "go"), "go = 2"),
    ],
)
def test_the_line_of_a_toml_key(path: tuple[str | int, ...], text: str | None) -> None:
    found = line_of(TOML, path)
    assert found is not None
    line = TOML.splitlines()[found - 1]
    assert line.startswith(text or "[[gates.components.http]]")
    assert text is not None or found == 27


def test_what_is_nowhere_has_no_line() -> None:
    assert line_of(TOML, ("nothing",)) is None
    assert line_of("", ("nothing",)) is None
    assert line_of(TOML, ()) is None


JSON = """\
{
  "preset": "a \\"quoted\\" {[",
  "run": {"jobs": 1,
    "x\\u0041": [1, [2,
      3], {"a": true, "b": []}], "empty": {}},
  "last": null
}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("preset",), 2),
        (("run",), 3),
        (("run", "jobs"), 3),
        (("run", "xA"), 4),
        (("run", "xA", 0), 4),
        (("run", "xA", 1, 1), 5),
        (("run", "xA", 2, "b"), 5),
        (("run", "empty"), 5),
        (("run", "missing"), 3),
        (("last",), 6),
    ],
)
def test_the_line_of_a_json_key(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(JSON, path, json=True) == line


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"), max_size=8)
values = st.recursive(
    st.booleans() | st.integers(-5, 5) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, item in items for inner in paths(item, (*path, key)))]


@given(st.dictionaries(texts, values, max_size=5))
def test_every_path_of_an_inline_toml_value_is_in_the_line_of_its_key(document: dict[str, Any]) -> None:
    lines = [f"{toml_key(key)} = {toml_value(value)}" for key, value in document.items()]
    text = "# first\n\n" + "\n".join(lines)
    import tomllib

    assert tomllib.loads(text) == document
    for number, (key, value) in enumerate(document.items()):
        for path in paths(value, (key,)):
            assert line_of(text, path) == number + 3


@given(values)
def test_every_path_of_a_json_document_is_found_where_json_wrote_it(document: Any) -> None:
    text = json.dumps({"key": document}, indent=1)
    lines = text.splitlines()
    for path in paths(document, ("key",)):
        found = line_of(text, path, json=True)
        assert found is not None
        if isinstance(path[-1], str):
            assert lines[found - 1].strip().startswith(json.dumps(path[-1]) + ":")


@given(st.text(max_size=60))
def test_no_text_breaks_the_search(text: str) -> None:
    line_of(text, ("a", 0, "b"))
    line_of(text, ("a", 0, "b"), json=True)
