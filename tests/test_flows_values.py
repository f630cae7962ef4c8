"""What gates are told of a flow's inputs and outputs: whole, or not at all."""

import array
import collections
import dataclasses
import enum
import json
import math
import os
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.context import Context
from gatekeeper.flows import values as module
from gatekeeper.flows.values import told
from gatekeeper.rundata import RunData, Unknown


def seen(values):
    """What a gate sees as `ctx.outputs`."""
    return Context(RunData(root=".", outputs=told(values, "result"))).outputs


def one(value):
    return seen({"x": value})["x"]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_a_json_value_is_told_as_it_is(value):
    assert one(value) == value


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON, max_size=5))
def test_a_mapping_with_text_keys_is_several_by_name(values):
    given = seen(values)
    assert dict(given) == values


@pytest.mark.parametrize("value", ["text", 3, [1], {1: "a"}, {"a", "b"}, Path("a.txt")])
def test_anything_else_is_one_value(value):
    assert [*told(value, "result")] == ["result"]


def test_none_is_no_output_and_a_gate_that_asks_is_unknown():
    assert told(None, "result") == {}
    with pytest.raises(Unknown, match="no output 'result' was given"):
        seen(None)["result"]


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Word(str):
    __slots__ = ()

    def __str__(self):
        return "lies"


class Point(NamedTuple):
    a: int
    b: int


@dataclasses.dataclass
class Order:
    id: int
    lines: list


class Record(msgspec.Struct):
    id: int


class Model:
    """As pydantic's are."""

    def model_dump(self):
        return {"id": 1, "when": date(2026, 11, 21)}


@attrs.define
class Attributes:
    a: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Order(1, [Order(2, [])]), {"id": 1, "lines": [{"id": 2, "lines": []}]}),
        (Record(1), {"id": 1}),
        (Attributes(1), {"a": 1}),
        (Model(), {"id": 1, "when": "2026-11-21"}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.deque([1, 2]), [1, 2]),
        ((1, 2), [1, 2]), (Point(1, 2), [1, 2]), (range(3), [0, 1, 2]), ({3, 1, 2}, [1, 2, 3]), (array.array("d", [1]), [1.0]),
        (Colour.RED, "red"), (Level.HIGH, 3), (Word("w"), "w"), ({Colour.RED: 1}, {"Colour.RED": 1}), ({1: 2, None: 3}, {"1": 2, "None": 3}),
        (datetime(2026, 11, 21, tzinfo=UTC), "2026-11-21T00:00:00+00:00"), (timedelta(seconds=5), "0:00:05"),
        (Decimal("1.50"), "1.50"), (Fraction(1, 2), 0.5), (uuid.UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        (math.nan, "NaN"), (math.inf, "Infinity"), (10**30, "1000000000000000000000000000000"), (1j, "1j"),
        (b"ab", "<2 bytes>"), (bytearray(10**6), "<1000000 bytes>"), (True, True), (ValueError("x"), "x"),
        ("\udc80", "\\udc80"), ({"\ud800": 1}, {"\\ud800": 1}),
    ],
)  # fmt: skip
def test_what_is_nearly_json_is_told_in_its_words(value, expected):
    assert one(value) == expected


def test_a_path_is_its_file_wherever_the_gates_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("orders.jsonl").write_text('{"id": 1}\n{"id": 2}\n')
    given = seen({"orders": Path("orders.jsonl")})
    monkeypatch.chdir("/")
    assert given["orders"] == [{"id": 1}, {"id": 2}]
    assert given.path("orders") == tmp_path / "orders.jsonl"


def test_a_path_inside_a_value_is_its_text():
    assert one([Path("a/b")]) == ["a/b"]


def test_a_file_with_a_name_that_is_no_text_does_not_end_the_flow(tmp_path):
    assert told(tmp_path / os.fsdecode(b"\xff"), "result")["result"].startswith("@")


def test_a_value_that_is_too_large_is_not_cut_but_missing_with_the_reason(monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 1_000)
    for value in (
        ["x" * 10] * 200,
        "x" * 2_000,
        {str(number): number for number in range(500)},
        range(10**12),
    ):
        with pytest.raises(
            Unknown,
            match="the output 'x' is not there: it has more than 1,000 characters as JSON: write it to a file",
        ):
            one(value)


def test_a_hundred_megabytes_are_refused_without_being_copied():
    import tracemalloc

    value = ["x" * 1_000] * 100_000
    tracemalloc.start()
    try:
        (text,) = told(value, "result").values()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert text.startswith("!it has more than")
    assert peak < 5_000_000


def test_one_value_that_is_too_large_leaves_the_others(monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 1_000)
    given = seen({"big": "x" * 2_000, "small": 1})
    assert given["small"] == 1
    with pytest.raises(Unknown, match="more than 1,000 characters"):
        given.path("big")


def test_a_value_that_holds_itself_is_missing():
    value: list = []
    value.append(value)
    with pytest.raises(Unknown, match="nested more than 64 levels deep, or holds itself"):
        one(value)


def test_keys_that_are_one_text_are_not_silently_one():
    with pytest.raises(Unknown, match="two of its keys are '1' as text"):
        one({1: "a", "1": "b"})


def test_a_thousand_names_are_data_and_not_names():
    with pytest.raises(Unknown, match="no output 'name 5' was given"):
        seen({f"name {n}": n for n in range(2_000)})["name 5"]


class Hostile:
    def __repr__(self):
        raise ZeroDivisionError("repr")


class HostileMapping(collections.abc.Mapping):
    def __getitem__(self, key):
        raise ZeroDivisionError

    def __iter__(self):
        raise ZeroDivisionError("iter")

    def __len__(self):
        return 1


class HostileList(list):
    def __iter__(self):
        raise MemoryError("no")


class HostileModel:
    def model_dump(self):
        raise RecursionError


@pytest.mark.parametrize(
    "value",
    [
        HostileMapping(),
        HostileList([1]),
        HostileModel(),
        type("E", (collections.abc.Sequence,), {"__len__": lambda s: 1, "__getitem__": lambda s, i: i / 0})(),
    ],
)
def test_a_value_whose_own_code_fails_costs_the_flow_nothing(value):
    with pytest.raises(Unknown, match="is not there: it could not be read: "):
        one(value)
    assert set(told(value, "result")) == {"result"}


def test_a_value_whose_repr_fails_is_described():
    assert one(Hostile()) == "<Hostile whose str() raised ZeroDivisionError>"


@given(st.binary() | st.complex_numbers() | st.text() | st.dates() | st.decimals() | st.functions())
def test_whatever_is_told_is_json_or_a_file_or_a_reason(value):
    (text,) = told({"x": value}, "result").values()
    if not text.startswith(("@", "!")):
        json.loads(text)
