"""Whole documents are read strictly, and what is wrong with them is one error with file and line."""

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper import DataError
from gatekeeper.data import load, load_given

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(folder: Path, name: str, content: str | bytes) -> str:
    with pytest.raises(DataError) as caught:
        load(write(folder, name, content))
    return str(caught.value).removeprefix(f"{folder}{os.sep}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1,\n "b": {"c": 1,\n "c": 2}}', 'x.json:3: duplicate key "c"'),
        ('{"a": 1, "\\u0061": 2}', 'x.json:1: duplicate key "a"'),
        ('{"u": "\\u003a", "a": 1, "a": 2}', 'x.json:1: duplicate key "a"'),
        ("[1,\nNaN]", "x.json:2: NaN is not JSON: write null, or a number"),
        ("[1,\n-Infinity]", "x.json:2: Infinity is not JSON: write null, or a number"),
        ("[1,\n1e999]", "x.json:2: number 1e999 is out of range"),
        ("9" * 6000, f"x.json:1: number {'9' * 40}… is out of range"),
        ("[" * 129 + "]" * 129, "x.json:1: is nested more than 128 levels deep"),
        ("[" * 300_000, "x.json:1: is nested more than 128 levels deep"),
        ('{"a":' * 129 + "1" + "}" * 129, "x.json:1: is nested more than 128 levels deep"),
        ("", "x.json:1: is empty, expected JSON"),
        ('{"a":\n', "x.json:2: ends in the middle of a JSON value"),
        ("{} {}", "x.json:1: is no JSON: trailing characters"),
        ("[1,]", "x.json:1: is no JSON: trailing comma in array"),
        (b'["\n\xff"]', "x.json:1: is no JSON: invalid character"),
        (b'["a",\n"\xff"]', "x.json:2: byte 0xff is not UTF-8"),
        ('["\\ud800"]', "x.json:1: \\ud800 is half a character (a lone surrogate), which UTF-8 can't hold"),
        ("{}".encode("utf-16"), "x.json: is UTF-16, expected UTF-8: iconv -f UTF-16 -t UTF-8 FILE"),
        (b"\x00\x01", "x.json:1: a NUL byte: is this a binary file, or UTF-16?"),
    ],
)
def test_hostile_json_is_refused_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert refused(tmp_path, "x.json", content) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a = 1\na = 2\n", "x.toml:2: is no TOML: Cannot overwrite a value"),
        ("a = nan", "x.toml: a is nan, which is not a number in JSON"),
        ("[b]\na = [{ c = -inf }]", "x.toml: b.a[0].c is -inf, which is not a number in JSON"),
        ("a = " + "[" * 5000 + "]" * 5000, "x.toml: is nested more than 128 levels deep"),
        (b'a = 1\nb = "\xff"', "x.toml:2: byte 0xff is not UTF-8"),
        ("[x\n", "x.toml:1: is no TOML: Expected ']' at the end of a table declaration"),
    ],
)
def test_hostile_toml_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert refused(tmp_path, "x.toml", content) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\nb: {c: 1, c: 2}", "x.yaml:2: is no YAML: duplicate key 'c'"),
        ("a: .nan", "x.yaml:1: is no YAML: .nan is not a number in JSON"),
        ("a: &a [*a]", "x.yaml:1: is no YAML: *a stands inside itself"),
        ("[" * 100_000, "x.yaml:1: is no YAML: nested more than 128 levels deep"),
        ("? [a]\n: 1", "x.yaml:1: is no YAML: a list or a mapping can't be a key"),
        ("a: 1\n---\nb: 2", "x.yaml:2: is no YAML: but found another document"),
        ("a: *x", "x.yaml:1: is no YAML: found undefined alias"),
    ],
)
def test_hostile_yaml_is_refused(tmp_path: Path, content: str, message: str) -> None:
    assert refused(tmp_path, "x.yaml", content) == message


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['true']", "!!binary aGk=", "!!set {a}", "!own 1"]
)
def test_yaml_makes_nothing_but_json_values(tmp_path: Path, tag: str) -> None:
    assert "could not determine a constructor for the tag" in refused(tmp_path, "x.yaml", f"a: {tag}")


def test_a_billion_laughs_is_refused_before_it_is_built(tmp_path: Path) -> None:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "aliases stand for too many values" in refused(tmp_path, "x.yaml", "\n".join(lines))


def test_merged_keys_cannot_multiply_either(tmp_path: Path) -> None:
    lines = ["a0: &a0 {k: v}"] + [
        f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)
    ]
    assert "aliases stand for too many values" in refused(tmp_path, "x.yaml", "\n".join(lines))


def test_yaml_keys_are_their_text_and_dates_stay_text(tmp_path: Path) -> None:
    path = write(
        tmp_path, "x.yaml", "200: ok\non: push\nday: 2024-02-30\nbase: &b {x: 1, y: 2}\nown: {<<: *b, y: 3}\n"
    )
    assert load(path) == {
        "200": "ok",
        "on": "push",
        "day": "2024-02-30",
        "base": {"x": 1, "y": 2},
        "own": {"x": 1, "y": 3},
    }


def test_toml_dates_are_their_text(tmp_path: Path) -> None:
    assert load(write(tmp_path, "x.toml", "a = 1979-05-27\nb = 07:32:00")) == {
        "a": "1979-05-27",
        "b": "07:32:00",
    }


def test_a_byte_order_mark_is_tolerated_and_said(tmp_path: Path) -> None:
    from gatekeeper.data import DataFile

    with DataFile(write(tmp_path, "x.json", b'\xef\xbb\xbf{"a": 1}')) as file:
        assert load(file) == {"a": 1}
        assert file.notes == ["starts with a byte order mark, which UTF-8 doesn't need"]


def test_a_document_over_the_limit_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(10**12)  # sparse
    with pytest.raises(DataError, match="larger than 1000 bytes"):
        load(path, limit=1000)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/zero", "is a device"),
        ("/", "is a folder"),
        ("/no/such", "does not exist"),
        ("a\0b", "can't be opened"),
    ],
)
def test_only_regular_files_are_read(path: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(path, format="json")


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(DataError, match="is a pipe"):
        load(tmp_path / "pipe.json")


@given(JSON_VALUES)
@settings(max_examples=60, deadline=None)
def test_whatever_json_can_say_is_read_as_it_is(value: object) -> None:
    for separators in ((", ", ": "), (",", ":"), (" ,\n", "\t:\r\n")):
        for ascii_only in (True, False):
            text = json.dumps(value, separators=separators, ensure_ascii=ascii_only)
            read = load_given(text)
            assert read == value
            assert json.dumps(read) == json.dumps(value)


@given(st.dictionaries(st.text(), JSON_VALUES, min_size=1, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_a_duplicate_key_is_found_wherever_it_is(members: dict[str, object], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(members)))
    spelled = (
        "".join(f"\\u{unit:04x}" for unit in _utf16(key))
        if data.draw(st.booleans())
        else json.dumps(key)[1:-1]
    )
    parts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in members.items()]
    parts.insert(data.draw(st.integers(0, len(parts))), f'"{spelled}" : {json.dumps(data.draw(JSON_VALUES))}')
    depth = data.draw(st.integers(0, 5))
    with pytest.raises(DataError, match="duplicate key"):
        load_given('{"x": [' * depth + "{" + ", ".join(parts) + "}" + "]}" * depth)


def _utf16(text: str) -> list[int]:
    raw = text.encode("utf-16-le")
    return [int.from_bytes(raw[at : at + 2], "little") for at in range(0, len(raw), 2)]


@given(st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_arbitrary_bytes_are_a_value_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name in ("any.json", "any.toml", "any.yaml", "any.json.gz"):
        path = write(folder, f"{os.getpid()}-{name}", content)
        value: object = None
        place = str(path)
        try:
            value = load(path)
        except DataError as error:
            place = error.place
        assert place.removeprefix(str(path)).lstrip(":").isdecimal() or place == str(path)
        assert not isinstance(value, float) or math.isfinite(value)


def test_what_is_given_by_name_is_a_value_or_what_the_file_holds(tmp_path: Path) -> None:
    assert load_given('{"a": [1, null]}') == {"a": [1, None]}
    assert load_given(f"@{write(tmp_path, 'a.toml', 'a = 1')}") == {"a": 1}
    lines, table = write(tmp_path, "a.jsonl", "1\n2\n"), write(tmp_path, "a.csv", "x,y\n1,\n")
    assert load_given(f"@{lines}") == [1, 2]
    assert load_given(f"@{table}") == [{"x": "1", "y": ""}]
    assert load_given(f"@{write(tmp_path, 'a.bin', '?')}") == tmp_path / "a.bin"
    with pytest.raises(DataError, match="the value given:1: duplicate key"):
        load_given('{"a": 1, "a": 2}')
