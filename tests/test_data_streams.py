"""Records stream by: strictly, with their lines, in memory that doesn't grow with the file."""

import csv
import gzip
import io
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper import DataError
from gatekeeper.data import batches, records, value_at

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text(max_size=8)
    | st.floats(allow_nan=False, width=16)
)
OBJECTS = st.dictionaries(
    st.text(max_size=4),
    VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=3), VALUES, max_size=3),
    max_size=5,
)


def finite(value: Any) -> bool:
    return "Infinity" not in json.dumps(value)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def collected(path: Path, **options: Any) -> tuple[list[tuple[str, Any]], list[str]]:
    """All records with their places, and all errors."""
    faults: list[DataError] = []
    found = [
        (batch.place(index).removeprefix(f"{path.parent}/"), record)
        for batch in batches(path, refuse=faults.append, **options)
        for index, record in enumerate(batch.records)
    ]
    return found, [str(fault).removeprefix(f"{path.parent}/") for fault in faults]


def test_each_record_knows_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"a": 1}\n\n  \r\n{"a": 2}\r\n[3]\n"x"')
    assert collected(path)[0] == [
        ("a.jsonl:1", {"a": 1}),
        ("a.jsonl:4", {"a": 2}),
        ("a.jsonl:5", [3]),
        ("a.jsonl:6", "x"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": 1} {"b": 2}', "is no JSON: trailing characters"),
        ('{"a": 1, "a": 2}', 'duplicate key "a"'),
        ('{"t": "12:00", "s": {"t": ":", "t": 1}}', 'duplicate key "t"'),
        ('{"u": "\\u003a", "t": 1, "t": 2}', 'duplicate key "t"'),
        ('{"u": "\\u003A", "o": {"t": 1, "t": 2}}', 'duplicate key "t"'),
        ('{"a": NaN}', "NaN is not JSON: write null, or a number"),
        ('{"a": -1e400}', "number -1e400 is out of range"),
        ('{"a": ' * 129 + "1" + "}" * 129, "is nested more than 128 levels deep"),
        ('{"a": ' + "[" * 50_000, "is nested more than 128 levels deep"),
        ('{"a": "\x00"}', "a NUL byte: is this a binary file, or UTF-16?"),
        ('{"a":', "ends in the middle of a JSON value"),
    ],
)
@pytest.mark.parametrize("good", [2, 2000])
def test_one_bad_line_is_named_among_good_ones(tmp_path: Path, line: str, message: str, good: int) -> None:
    lines = [f'{{"a": {n}, "b": {{"c": "12:00:{n % 60:02}"}}}}' for n in range(good)]
    path = write(tmp_path, "a.jsonl", "\n".join([*lines, line, *lines]))
    found, faults = collected(path)
    assert faults == [f"a.jsonl:{good + 1}: {message}"]
    assert [place for place, _ in found[good : good + 2]] == [f"a.jsonl:{good + 2}", f"a.jsonl:{good + 3}"]
    with pytest.raises(DataError, match=f"a.jsonl:{good + 1}: "):
        list(records(path))


def test_a_value_over_two_lines_is_not_hidden_by_two_on_one(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"a": [1,\n2]}\n{"x": 1} {"y": 2}\n')
    assert [fault.partition(": ")[0] for fault in collected(path)[1]] == [
        "a.jsonl:1",
        "a.jsonl:2",
        "a.jsonl:3",
    ]


@given(st.lists(OBJECTS.filter(finite), max_size=30), st.booleans(), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=60, deadline=None)
def test_json_lines_are_read_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], ascii_only: bool, end: str
) -> None:
    text = "".join(json.dumps(value, ensure_ascii=ascii_only) + end for value in values)
    path = write(tmp_path_factory.mktemp("lines"), "a.jsonl", text.encode("utf-8", "surrogatepass"))
    assert list(records(path)) == values


@given(st.lists(OBJECTS.filter(finite), min_size=1, max_size=30), st.data())
@settings(max_examples=60, deadline=None)
def test_a_repeated_key_is_found_in_whatever_surrounds_it(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], data: st.DataObject
) -> None:
    lines = [json.dumps(value) for value in values]
    at = data.draw(st.integers(0, len(lines)))
    key, inner = json.dumps(data.draw(st.text(max_size=5))), json.dumps(data.draw(OBJECTS.filter(finite)))
    lines.insert(at, f'{{"o": {{{key}: {inner}, {key}: 1}}}}')
    path = write(tmp_path_factory.mktemp("lines"), "a.jsonl", "\n".join(lines))
    _, faults = collected(path)
    assert [fault.partition(": ")[0] for fault in faults] == [f"a.jsonl:{at + 1}"]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    line = json.dumps({"id": 1, "text": "x" * 100, "tags": ["a", "b"]}) + "\n"

    def peak(count: int) -> int:
        path = write(tmp_path, f"{count}.jsonl", line * count)
        tracemalloc.start()
        try:
            assert sum(1 for _ in records(path)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(40_000) < 1.5 * peak(2_000)


def test_a_line_without_end_is_an_error_not_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"a": 1}\n')
        file.truncate(10**11)  # sparse: one endless line of NUL
    with pytest.raises(DataError, match=r"a.jsonl:2: the line is longer than 1000000 bytes"):
        list(records(path, max_line=1_000_000))


def test_packed_files_are_read_and_broken_ones_named(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"a": 1}\n' * 5)
    assert len(list(records(write(tmp_path, "a.jsonl.gz", packed)))) == 5
    assert list(records(write(tmp_path, "a.csv.gz", gzip.compress(b"a\n1\n")))) == [{"a": "1"}]
    for name, content in (
        ("cut", packed[:-12]),
        ("no", b"no gzip"),
        ("bad", packed[:14] + b"\xff\xff\xff" + packed[17:]),
    ):
        with pytest.raises(DataError, match=f"{name}.jsonl.gz"):
            list(records(write(tmp_path, f"{name}.jsonl.gz", content)))


# -- CSV ---------------------------------------------------------------------------------------------------------------


def test_rows_that_do_not_fit_the_header_are_named_and_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'a,b\r\n1,2\r\n"x\r\ny",3\r\n1\r\n\r\n1,2,3\r\n4,5')
    found, faults = collected(path)
    assert found == [
        ("a.csv:2", {"a": "1", "b": "2"}),
        ("a.csv:3", {"a": "x\r\ny", "b": "3"}),
        ("a.csv:8", {"a": "4", "b": "5"}),
    ]
    assert faults == [
        "a.csv:5: the row has 1 fields, the header names 2",
        "a.csv:7: the row has 3 fields, the header names 2",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.csv: is empty, expected a row that names the columns"),
        ("\n1\n", "a.csv: the first row is blank"),
        ("a,b,a\n", "a.csv:1: two columns have the name 'a'"),
        ('a\n1\n"open\n2\n', "a.csv:3: is no CSV: a quote is not closed"),
        ('a\n"x"y\n', "a.csv:2: is no CSV: ',' expected after '\"'"),
        (b"a\n\xff\n", "a.csv:2: byte 0xff is not UTF-8"),
        (b"a\n\x00\n", "a.csv:2: a NUL byte: is this a binary file, or UTF-16?"),
        ("a\n1\n".encode("utf-16"), "a.csv: is UTF-16, expected UTF-8: iconv -f UTF-16 -t UTF-8 FILE"),
    ],
)
def test_what_is_no_csv_is_refused_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        list(records(write(tmp_path, "a.csv", content)))
    assert str(caught.value).removeprefix(f"{tmp_path}/") == message


def test_an_open_quote_does_not_collect_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'a,b\n1,"' + "x,\n" * 100_000)
    with pytest.raises(
        DataError, match=r"a.csv:2: the row is longer than 10000 bytes: is a quote not closed\?"
    ):
        list(records(path, max_line=10_000))


def test_other_encodings_of_csv_are_asked_for_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "ort\nKöln\n".encode("latin-1"))
    assert list(records(path, encoding="latin-1")) == [{"ort": "Köln"}]
    with pytest.raises(DataError, match="unknown encoding 'klingon'"):
        list(records(path, encoding="klingon"))
    with pytest.raises(DataError, match="iconv -f utf-16 -t UTF-8"):
        list(records(path, encoding="utf-16"))


CELLS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=6)


@given(st.lists(st.tuples(CELLS.filter(bool), CELLS), max_size=20), st.sampled_from([",", "\t"]))
@settings(max_examples=60, deadline=None)
def test_what_the_csv_module_writes_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("first", "second"), *rows])
    path = write(tmp_path_factory.mktemp("csv"), "a.csv" if delimiter == "," else "a.tsv", text.getvalue())
    assert [tuple(record.values()) for record in records(path)] == rows


# -- documents and Parquet -----------------------------------------------------------------------------------------------


def test_the_list_of_a_document_is_named_by_its_path(tmp_path: Path) -> None:
    path = write(tmp_path, "a.json", '{"data": {"items": [{"id": 7}]}, "x.y": [1], "other": 1}')
    assert collected(path, at="data.items")[0] == [("a.json data.items[0]", {"id": 7})]
    assert collected(path, at="x.y")[0] == [("a.json x.y[0]", 1)]
    with pytest.raises(DataError, match=r"a list of records at the top, found object; lists are at 'x\.y'"):
        list(records(path))
    with pytest.raises(DataError, match=r"expected a list of records at 'data\.nope', found nothing"):
        list(records(path, at="data.nope"))


def test_a_name_that_says_nothing_is_asked_about(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no records: expected JSON Lines, CSV, a JSON list or Parquet"):
        list(records(write(tmp_path, "a.dat", "x")))


def test_parquet_is_read_with_the_extra(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="needs the extra `data`: duckdb")
    path = tmp_path / "a [1]*.parquet"
    columns = "1 AS a, 'x' AS b, DATE '2020-01-01' AS d, 1.5::DECIMAL(5, 2) AS e, [1, 2] AS l, 'NaN'::DOUBLE AS n, range AS r"
    duckdb.sql(f"COPY (SELECT {columns} FROM range(1200)) TO '{path}' (FORMAT parquet)")
    found = list(records(path))
    assert len(found) == 1200
    assert found[0] == {"a": 1, "b": "x", "d": "2020-01-01", "e": "1.50", "l": [1, 2], "n": None, "r": 0}
    with pytest.raises(DataError, match="is no Parquet file"):
        list(records(write(tmp_path, "b.parquet", "PAR1 no")))


def test_without_the_extra_parquet_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(DataError, match=r"pip install 'gatekeeper-gates\[data\]'"):
        list(records(write(tmp_path, "a.parquet", "PAR1")))


def test_paths_go_into_objects_and_names_with_dots_come_first() -> None:
    assert value_at({"a": {"b": 1}, "a.b": 2}, "a.b") == 2
    assert value_at({"a": {"b": {"c": 1}}}, "a.b.c") == 1
    assert repr(value_at({"a": [1]}, "a.0")).startswith("<object")
