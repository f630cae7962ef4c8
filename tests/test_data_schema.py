"""JSON Schema: decided fast, explained with places, bounded, and nothing is fetched."""

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gatekeeper import DataError
from gatekeeper.data import Schema, validate

ORDER = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
    },
    "$defs": {"line": {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}},
}


def test_a_refusal_says_where_which_keyword_and_what_was_expected() -> None:
    schema = Schema(ORDER)
    assert schema.accepts({"id": 1, "lines": [{"price": 1.5}]})
    found = schema.explain({"id": 0, "lines": [{"price": 1}, {"price": "free"}, {}]}, "orders.jsonl:7")
    seen = {(v.place, v.path, v.keyword, json.dumps(v.expected), v.message) for v in found}
    assert seen == {
        ("orders.jsonl:7", "id", "minimum", "1", "0 is less than the minimum of 1"),
        ("orders.jsonl:7", "lines[1].price", "type", '["number"]', 'expected number, got "free"'),
        ("orders.jsonl:7", "lines[2]", "required", '"price"', '"price" is a required property'),
    }


def test_of_alternatives_the_closest_is_explained() -> None:
    schema = Schema(
        {"anyOf": [{"type": "string"}, {"properties": {"a": {"properties": {"b": {"type": "integer"}}}}}]}
    )
    [violation] = schema.explain({"a": {"b": "x"}})
    assert (violation.path, violation.message) == ("a.b", 'expected integer, got "x"')


def test_explanations_are_bounded_whatever_is_refused() -> None:
    found = Schema({"type": "array", "items": {"type": "integer"}}).explain(["x" * 100_000] * 1000)
    assert len(found) == 10
    assert len(json.dumps([violation.message for violation in found])) < 10_000


@pytest.mark.parametrize("uri", ["http://127.0.0.1:{port}/x.json", "//127.0.0.1:{port}/x.json"])
def test_a_remote_ref_is_one_error_and_no_connection(uri: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        uri = uri.format(port=server.getsockname()[1])
        with pytest.raises(DataError) as caught:
            Schema({"properties": {"customer": {"$ref": uri}}}, label="order.json")
        with pytest.raises(TimeoutError):
            server.accept()
    assert str(caught.value).startswith("order.json: $ref")
    assert "properties.customer" in str(caught.value) or uri.startswith("//")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ref", ["file:///etc/passwd", "other.json", "../other.json"])
def test_a_ref_to_a_file_is_not_followed_unless_a_folder_is_named(ref: str) -> None:
    with pytest.raises(
        DataError, match="is not followed: other files are read only from a folder that is named"
    ):
        Schema({"$ref": ref})


def test_refs_stay_in_the_folder_that_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "schemas"
    folder.mkdir()
    (folder / "line.json").write_text('{"type": "object", "required": ["sku"]}')
    (folder / "deep.json").write_text('{"properties": {"x": {"$ref": "line.json"}}}')
    (folder / "bad.json").write_text('{"a": 1, "a": 2}')
    (tmp_path / "secret.json").write_text("{}")
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    schema = Schema({"items": {"$ref": "line.json"}}, folder=folder)
    assert schema.accepts([{"sku": 1}])
    assert not schema.accepts([{}])
    assert not Schema({"$ref": "deep.json"}, folder=folder).accepts({"x": {}})
    for ref in ("../secret.json", "link.json", "file:///etc/passwd", "http://127.0.0.1:9/x.json"):
        with pytest.raises(DataError, match="only files in schemas/ are read"):
            Schema({"$ref": ref}, folder=folder)
    for ref, message in (("bad.json", "duplicate key"), ("none.json", "does not exist")):
        with pytest.raises(DataError, match=message):
            Schema({"$ref": ref}, folder=folder)


def test_recursive_refs_work_as_deep_as_documents_may_be() -> None:
    tree = Schema({"$id": "urn:tree", "type": "object", "properties": {"child": {"$ref": "#"}}})
    value: Any = {}
    for _ in range(127):
        value = {"child": value}
    assert tree.accepts(value)
    inner = value
    while inner.get("child"):
        inner = inner["child"]
    inner["child"] = 7
    assert tree.explain(value)[0].message == "expected object, got 7"


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"properties": {"x": {"$ref": "#/properties/x"}}},
        {"$ref": "#"},
        {"items": [{"$ref": "#/items/0"}]},
    ],
)
def test_refs_that_only_go_round_are_refused_for_they_would_accept_everything(schema: Any) -> None:
    with pytest.raises(DataError, match="leads back to itself without end"):
        Schema(schema)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"properties": {"a": {"minimum": "x"}}}, 'at properties.a.minimum: expected number, got "x"'),
        ({"type": "strng"}, 'is no valid JSON Schema at type: "strng" is not'),
        ([1], "is no valid JSON Schema: expected boolean or object, got [1]"),
        ({"pattern": "(["}, "is no valid JSON Schema at pattern: '([' is no regular expression"),
        ({"$ref": "#/$defs/nope"}, "$ref: there is no '/$defs/nope' in it"),
        (
            {"properties": {"a": {"$ref": "#/$defs/nope"}}},
            "$ref at properties.a: there is no '/$defs/nope' in it",
        ),
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, "is not known; known are draft-04"),
        ({"$schema": "https://example.org/own"}, "$schema 'https://example.org/own' is not known"),
    ],
)
def test_an_invalid_schema_is_one_error_with_its_place(schema: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        Schema(schema, label="s.json")
    assert caught.value.place == "s.json"
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_a_schema_nested_too_deeply_does_not_crash() -> None:
    schema: Any = {}
    for _ in range(20_000):
        schema = {"properties": {"a": schema}}
    with pytest.raises(DataError, match="nested more than 128 levels"):
        Schema(schema)


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "^(?=(a+)+$)b", "(a*)*\\1b", "^(([a-z])+.)+[A-Z]([a-z])+$"]
)
@pytest.mark.parametrize("keyword", ["pattern", "patternProperties", "propertyNames"])
def test_a_catastrophic_pattern_ends_in_time(pattern: str, keyword: str) -> None:
    rule: Any = {"pattern": pattern}
    if keyword == "patternProperties":
        rule = {"patternProperties": {pattern: False}, "minProperties": 5}
    elif keyword == "propertyNames":
        rule = {"propertyNames": {"pattern": pattern}}
    value: Any = "a" * 20_000 + "!"
    started = time.perf_counter()
    schema = Schema(rule)
    refused = schema.explain(value if keyword == "pattern" else {value: 1})
    assert time.perf_counter() - started < 5
    assert refused


def test_look_around_still_works_where_it_is_harmless() -> None:
    schema = Schema({"pattern": "^(?!test)[a-z]+$"})
    assert schema.accepts("prod")
    assert not schema.accepts("test")


@pytest.mark.parametrize(
    ("draft", "schema", "good", "bad"),
    [
        ("http://json-schema.org/draft-04/schema#", {"minimum": 1, "exclusiveMinimum": True}, 2, 1),
        ("http://json-schema.org/draft-06/schema#", {"const": 1}, 1, 2),
        ("http://json-schema.org/draft-07/schema#", {"if": {"type": "string"}, "then": False}, 1, "x"),
        (
            "https://json-schema.org/draft/2019-09/schema",
            {"dependentRequired": {"a": ["b"]}},
            {"a": 1, "b": 1},
            {"a": 1},
        ),
        ("https://json-schema.org/draft/2020-12/schema", {"prefixItems": [{"type": "string"}]}, ["x"], [1]),
    ],
)
def test_each_draft_is_read_by_its_own_rules(draft: str, schema: dict[str, Any], good: Any, bad: Any) -> None:
    compiled = Schema({"$schema": draft, **schema})
    assert compiled.accepts(good)
    assert not compiled.accepts(bad)


def test_formats_are_checked_unless_told_otherwise() -> None:
    assert not Schema({"format": "date"}).accepts("2024-02-30")
    assert Schema({"format": "date"}, formats=False).accepts("2024-02-30")


@pytest.mark.parametrize("value", ["\ud800", {"\ud800": 1}, float("nan"), object(), {1: 2}])
def test_what_json_cannot_say_is_refused_not_raised(value: Any) -> None:
    schema = Schema({"type": ["string", "number", "object"], "maxProperties": 0})
    assert schema.accepts(value) in (True, False)
    assert isinstance(schema.explain(value), list)


def test_records_are_counted_and_only_the_first_kept_as_examples(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    lines = [json.dumps({"id": n % 3}) for n in range(3000)]
    lines[10] = "{"
    path.write_text("\n".join(lines))
    found = validate(path, Schema(ORDER))
    assert (found.records, found.refused, found.malformed) == (2999, 1000, 1)
    assert [violation.place for violation in found.examples[:2]] == [f"{path}:1", f"{path}:4"]
    assert len(found.examples) == 10
    assert str(found.faults[0]) == f"{path}:11: ends in the middle of a JSON value"


def test_cells_of_csv_are_read_as_the_schema_names_them(tmp_path: Path) -> None:
    columns = {
        "id": {"type": "integer"},
        "price": {"type": ["null", "number"]},
        "ok": {"type": "boolean"},
        "zip": {"type": "string"},
    }
    schema = Schema({"properties": columns, "required": ["id"]}, null_texts=["", "NA"])
    path = tmp_path / "a.csv"
    path.write_text(
        "id,price,ok,zip\n7,1e3,TRUE,0123\n,1,true,1\nx,1,true,1\n8,NaN,true,1\n9,NA,,\n10,1,yes,1\n"
    )
    found = validate(path, schema)
    assert [(v.place.rpartition(":")[2], v.path) for v in found.examples] == [
        ("3", ""),
        ("4", "id"),
        ("5", "price"),
        ("7", "ok"),
    ]


SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"]),
        "minimum": st.integers(-5, 5),
        "maxLength": st.integers(0, 3),
        "required": st.lists(st.sampled_from("ab"), max_size=2, unique=True),
        "properties": st.dictionaries(
            st.sampled_from("ab"), st.sampled_from([{"type": "string"}, {"minimum": 0}, {}]), max_size=2
        ),
        "enum": st.lists(st.integers(0, 3) | st.sampled_from("ab"), min_size=1, max_size=3, unique_by=repr),
        "uniqueItems": st.booleans(),
    },
)
INSTANCES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(SCHEMAS, INSTANCES)
@settings(max_examples=150, deadline=None)
def test_both_validators_agree(schema: dict[str, Any], value: Any) -> None:
    compiled = Schema(schema)
    assert compiled.accepts(value) == Draft202012Validator(schema).is_valid(value)
    assert compiled.accepts(value) == (not compiled.explain(value))
