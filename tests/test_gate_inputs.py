"""`pre.inputs`: what is about to be read is there and is what it should be, or the finding says what is not."""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from gatekeeper import UsageError
from gatekeeper.testing import GateResult, run_gate
from gatekeeper_gates.inputs import inputs

SCHEMA = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}


def write(folder: Path, **files: str) -> None:
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(content)


def run(root: Path, *files: dict[str, Any], environment: tuple[str, ...] = (), **given: Any) -> GateResult:
    return run_gate(inputs, {"files": list(files), "environment": list(environment)}, root=root, inputs=given)


def test_unconfigured_it_skips_and_says_what_to_configure(tmp_path: Path) -> None:
    result = run_gate(inputs, {}, root=tmp_path)
    assert result.status == "skip"
    assert "[[gates.inputs.files]]" in result.reason


def test_good_inputs_pass_with_what_was_counted(tmp_path: Path) -> None:
    write(tmp_path, orders_jsonl='{"id": 1}\n{"id": 2}\n', order_json=json.dumps(SCHEMA))
    result = run(
        tmp_path,
        {"path": "orders.jsonl", "schema": "order.json", "rows": {"min": 1}, "max_age": "1h", "size": "1kB"},
    )
    assert result.status == "pass"
    assert result.finding("orders.jsonl content").evidence == {"records": 2}
    assert (result.finding("orders.jsonl schema").observed, result.finding("orders.jsonl schema").n) == (0, 2)
    assert result.finding("orders.jsonl rows").observed == 2
    assert result.finding("orders.jsonl size").unit == "B"


def test_a_missing_file_is_named_with_the_nearest_that_is_there(tmp_path: Path) -> None:
    write(tmp_path, orders_jsonl="1\n")
    result = run(tmp_path, {"path": "order.jsonl"})
    assert result.status == "fail"
    assert result.reason == "order.jsonl does not exist. Did you mean 'orders.jsonl'?"


def test_an_optional_file_may_be_missing_but_not_broken(tmp_path: Path) -> None:
    assert run(tmp_path, {"path": "more.json", "required": False}).status == "skip"
    write(tmp_path, more_json="{")
    assert run(tmp_path, {"path": "more.json", "required": False}).status == "fail"


def test_an_input_is_given_by_name_as_a_file_or_a_value(tmp_path: Path) -> None:
    write(tmp_path, some_jsonl='{"id": "x"}\n', order_json=json.dumps(SCHEMA))
    missing = run(tmp_path, {"name": "orders"}, order=1)
    assert missing.reason == "no input 'orders' was given. Did you mean 'order'?"
    assert missing.finding("orders exists").hint == "--input orders=FILE"
    file = run(tmp_path, {"name": "orders", "schema": "order.json"}, orders=tmp_path / "some.jsonl")
    assert "some.jsonl:1 id: expected integer" in file.reason
    value = run(tmp_path, {"name": "orders", "schema": "order.json", "records": ""}, orders=[{"id": 1}, {}])
    assert "orders[1]" in value.reason
    gone = run(tmp_path, {"name": "orders"}, orders=tmp_path / "gone.jsonl")
    assert gone.status == "fail"
    aged = run(tmp_path, {"name": "orders", "max_age": "1h"}, orders=[1])
    assert aged.status == "unknown"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"a": 1,\n "a": 2}', 'a.json:2: duplicate key "a"'),
        ("a.jsonl", '{"a": 1}\n{"a": NaN}\n', "a.jsonl:2: NaN is not JSON: write null, or a number"),
        ("a.csv", "a,b\n1\n", "a.csv:2: the row has 1 fields, the header names 2"),
        ("a.toml", "a = 1\na = 2\n", "a.toml:2: is no TOML: Cannot overwrite a value"),
        ("a.yaml", "a: 1\na: 2\n", "a.yaml:2: is no YAML: duplicate key 'a'"),
        ("a.txt", b"ok\n\xff\n", "a.txt:2: byte 0xff is not UTF-8"),
        ("a.json", "", "a.json is empty"),
        ("a.csv", "a,b\n", "a.csv holds no records"),
        ("a.jsonl", "\n\n", "a.jsonl holds no records"),
        ("a.json", "[]", "a.json holds no records"),
    ],
)
def test_what_is_not_what_its_name_says_fails_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    result = run(tmp_path, {"path": name})
    assert (result.status, result.reason) == ("fail", message)


def test_empty_inputs_are_allowed_where_asked_for_but_prove_nothing(tmp_path: Path) -> None:
    write(tmp_path, a_jsonl="", order_json=json.dumps(SCHEMA))
    assert run(tmp_path, {"path": "a.jsonl", "empty": True}).status == "pass"
    result = run(tmp_path, {"path": "a.jsonl", "empty": True, "schema": "order.json"})
    assert (result.status, result.reason) == (
        "unknown",
        "a.jsonl holds no records, so nothing is known about its schema",
    )


def test_every_kind_of_limit_is_held(tmp_path: Path) -> None:
    write(tmp_path, a_jsonl='{"id": 1}\n' * 3)
    os.utime(tmp_path / "a.jsonl", (time.time() - 7200,) * 2)
    digest = hashlib.sha256((tmp_path / "a.jsonl").read_bytes()).hexdigest()
    base: dict[str, Any] = {"path": "a.jsonl"}
    assert (
        run(
            tmp_path, {**base, "max_age": "3h", "sha256": f"sha256:{digest}", "rows": {"min": 3, "max": 3}}
        ).status
        == "pass"
    )
    aged = run(tmp_path, {**base, "max_age": "1h"}).finding("a.jsonl age")
    assert (aged.status, round(aged.observed, -2), aged.limit) == ("fail", 7200, 3600)
    small = run(tmp_path, {**base, "size": {"warn": "1kB", "worse": "lower"}}).finding("a.jsonl size")
    assert (small.status, small.observed, small.operator) == ("warn", 30, ">=")
    assert run(tmp_path, {**base, "sha256": "0" * 64}).finding("a.jsonl sha256").observed == digest
    few = run(tmp_path, {**base, "rows": {"min": 4}}).finding("a.jsonl rows")
    assert (few.status, few.observed, few.operator, few.limit) == ("fail", 3, ">=", 4)
    many = run(tmp_path, {**base, "rows": {"min": 1, "max": 2}}).finding("a.jsonl rows")
    assert (many.status, many.operator, many.limit) == ("fail", "<=", 2)


def test_the_digest_of_a_packed_file_is_of_the_file_itself(tmp_path: Path) -> None:
    import gzip

    packed = gzip.compress(b'{"id": 1}\n' * 9)
    (tmp_path / "a.jsonl.gz").write_bytes(packed)
    result = run(
        tmp_path, {"path": "a.jsonl.gz", "sha256": hashlib.sha256(packed).hexdigest(), "rows": {"min": 9}}
    )
    assert result.status == "pass"


def test_a_pattern_takes_all_its_files_together(tmp_path: Path) -> None:
    for n in range(3):
        write(tmp_path, **{f"part{n}_csv": "id\n1\n2\n"})
    assert run(tmp_path, {"path": "part*.csv", "rows": {"min": 6, "max": 6}}).status == "pass"
    assert run(tmp_path, {"path": "nope*.csv"}).reason.startswith("nope*.csv does not exist")


def test_many_bad_records_are_counted_and_few_are_shown(tmp_path: Path) -> None:
    write(tmp_path, a_jsonl='{"id": "x"}\n' * 500, order_json=json.dumps(SCHEMA))
    found = run(tmp_path, {"path": "a.jsonl", "schema": "order.json"}).finding("a.jsonl schema")
    assert (found.status, found.observed, found.n, found.unit) == ("fail", 500, 500, "records")
    assert len(found.evidence["examples"]) == 10
    assert found.hint == "sed -n 1p a.jsonl"
    assert found.evidence["examples"][0]["place"] == "a.jsonl:1"


def test_malformed_lines_are_counted_beside_the_schema(tmp_path: Path) -> None:
    write(tmp_path, a_jsonl='{"id": 1}\n{\n{"id": 2}\n[\n', order_json=json.dumps(SCHEMA))
    result = run(tmp_path, {"path": "a.jsonl", "schema": "order.json"})
    found = result.finding("a.jsonl content")
    assert (found.status, found.observed, found.n) == ("fail", 2, 2)
    assert found.message == "a.jsonl:2: ends in the middle of a JSON value (and 1 more)"
    assert result.finding("a.jsonl schema").status == "pass"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "strng"}, "s.json: is no valid JSON Schema at type"),
        ({"$ref": "http://127.0.0.1:9/x"}, "nothing is fetched from the network"),
        (None, "s.json: does not exist"),
    ],
)
def test_a_schema_that_cannot_be_used_is_an_error_never_a_pass(
    tmp_path: Path, schema: Any, message: str
) -> None:
    write(tmp_path, a_jsonl="1\n")
    if schema is not None:
        write(tmp_path, s_json=json.dumps(schema))
    result = run(tmp_path, {"path": "a.jsonl", "schema": "s.json"})
    assert result.status == "error"
    assert message in result.reason


def test_environment_variables_are_set_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEN", "s3cret-value")
    monkeypatch.setenv("BLANK", " ")
    monkeypatch.delenv("ABSENT", raising=False)
    result = run(tmp_path, environment=("GIVEN", "BLANK", "ABSENT"))
    assert [(f.name, f.status, f.observed) for f in result.result.findings] == [
        ("$GIVEN", "pass", "set"),
        ("$BLANK", "fail", "empty"),
        ("$ABSENT", "fail", "not set"),
    ]
    assert "s3cret" not in repr(result)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "give either path"),
        ({"path": "a", "name": "b"}, "give either path"),
        ({"path": "a", "size": "5s"}, "size takes a size or a bare number, got a duration"),
        ({"path": "a", "sha256": "12"}, "64 hexadecimal digits"),
        ({"path": "*.csv", "sha256": "0" * 64}, "path is a pattern"),
        ({"path": "a", "content": False, "schema": "s"}, "content = false reads nothing"),
        ({"path": "a", "schema_folder": "s"}, "give schema too"),
        ({"path": "a", "rows": {"min": 2, "max": 1}}, "min is above max"),
        ({"path": "a", "format": "xml"}, "format"),
        ({"pth": "a"}, "path"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        run(tmp_path, settings)


def test_the_iso_countries_are_what_they_are_known_to_be(tmp_path: Path) -> None:
    pycountry = pytest.importorskip("pycountry")
    base = Path(pycountry.__file__).parent / "databases"
    schema = {"required": ["alpha_2", "name"], "properties": {"alpha_2": {"pattern": "^[A-Z]{2}$"}}}
    write(tmp_path, country_json=json.dumps(schema))
    path = str(base / "iso3166-1.json")
    result = run(
        tmp_path, {"path": path, "records": "3166-1", "schema": "country.json", "rows": {"min": 249}}
    )
    assert result.status == "pass"
    write(tmp_path, country_json=json.dumps({**schema, "required": ["official_name"]}))
    result = run(tmp_path, {"path": path, "records": "3166-1", "schema": "country.json"})
    assert '"official_name" is a required property' in result.reason
    assert result.finding(f"{path} schema").hint.startswith('jq \'."3166-1"[')
