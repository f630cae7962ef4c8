"""`post.state`: what a flow may, must and must not change."""

import json
import os
import shutil
import sqlite3
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import UsageError
from gatekeeper.testing import GateResult, run_gate
from gatekeeper_gates.state import snapshots, state

Flow = Callable[[Path], Any]


def around(root: Path, flow: Flow, **settings: Any) -> GateResult:
    """The gate's result when `flow(root)` runs between its two halves."""
    before = run_gate(state, settings, root=root, take_before=True)
    assert before.status == "pass", before.reason
    flow(root)
    return run_gate(state, settings, root=root, before=before.saved)


def write(name: str, content: str) -> Flow:
    return lambda root: (root / name).write_text(content)


def remove(name: str) -> Flow:
    return lambda root: (root / name).unlink()


def nothing(_: Path) -> None:
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"id\n{name}\n")
    return tmp_path


# -- files ---------------------------------------------------------------------------------------------------


def test_without_configuration_it_skips_and_shows_what_to_write(tmp_path: Path) -> None:
    found = run_gate(state, root=tmp_path, before={"post.state": {}})
    assert found.status == "skip"
    assert "[[gates.state.files]]" in found.reason


def test_without_a_pre_run_it_is_unknown_and_says_what_to_run(folder: Path) -> None:
    found = run_gate(state, {"files": [{"path": "a.csv"}]}, root=folder)
    assert found.status == "unknown"
    assert "gatekeeper run pre" in found.reason


def test_a_rule_added_after_the_pre_run_is_unknown(folder: Path) -> None:
    found = run_gate(state, {"files": [{"path": "a.csv"}]}, root=folder, before={"post.state": {"files": {}}})
    assert found.status == "unknown"
    assert "not configured when the pre run was made" in found.reason


@pytest.mark.parametrize(
    ("change", "flow", "status", "words"),
    [
        ("never", nothing, "pass", ""),
        ("never", write("a.csv", "id\nA\n"), "fail", "a.csv (changed)"),
        ("never", remove("a.csv"), "fail", "a.csv (removed)"),
        ("never", write("c.csv", ""), "fail", "c.csv (created)"),
        ("must", nothing, "fail", "none of 2 files changed"),
        ("must", write("a.csv", "id\nA\n"), "pass", ""),
        ("must", write("c.csv", ""), "pass", ""),
        ("must", remove("a.csv"), "pass", ""),
        ("may_grow", nothing, "pass", ""),
        ("may_grow", write("a.csv", "id\na\nmore\n"), "pass", ""),
        ("may_grow", write("c.csv", "new"), "pass", ""),
        ("may_grow", write("a.csv", "id\nX\nmore\n"), "fail", "a.csv (earlier content rewritten)"),
        ("may_grow", write("a.csv", "id\n"), "fail", "a.csv (from 5 B to 3 B)"),
        ("may_grow", remove("b.csv"), "fail", "b.csv (removed)"),
        ("no_loss", write("a.csv", "changed all over"), "pass", ""),
        ("no_loss", write("a.csv", ""), "fail", "a.csv (from 5 B to 0 B)"),
        ("no_loss", remove("b.csv"), "fail", "b.csv (removed)"),
    ],
)
def test_files(folder: Path, change: str, flow: Flow, status: str, words: str) -> None:
    found = around(folder, flow, files=[{"path": "*.csv", "change": change}])
    assert found.status == status
    assert words in found.reason
    finding = found.finding("files *.csv")
    assert finding.operator
    assert finding.limit is not None
    assert finding.unit
    assert (finding.hint != "") is (status == "fail")


def test_what_changed_is_named_with_size_and_hash(folder: Path) -> None:
    found = around(folder, write("a.csv", "x"), files=[{"path": "*.csv"}])
    change = found.finding("files *.csv").evidence["changed"]["a.csv"]
    assert (change["before"]["size"], change["after"]["size"]) == (5, 1)
    assert change["before"]["sha256"] != change["after"]["sha256"]


def test_files_in_folders_below_are_found(folder: Path) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / ".hidden").write_text("x")
    found = around(folder, write("deep/er/.hidden", "y"), files=[{"path": "deep/**"}])
    assert "deep/er/.hidden (changed)" in found.reason


def test_no_file_at_all_is_never_a_pass_unless_it_is_optional(tmp_path: Path) -> None:
    assert around(tmp_path, nothing, files=[{"path": "no/*.csv"}]).status == "fail"
    assert around(tmp_path, nothing, files=[{"path": "no/*.csv", "optional": True}]).status == "pass"


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text("x")
    assert around(tmp_path, write("a[1].csv", "y"), files=[{"path": "a[1].csv"}]).status == "fail"


def test_a_folder_where_files_are_meant_says_what_to_write(folder: Path) -> None:
    (folder / "data").mkdir()
    found = around(folder, nothing, files=[{"path": "data/"}])
    assert found.status == "unknown"
    assert 'write "data/**"' in found.reason


def test_too_many_files_are_an_error_and_not_a_sample(folder: Path) -> None:
    found = around(folder, nothing, files=[{"path": "*.csv", "max_files": 1}])
    assert found.status == "unknown"
    assert "more than 1 files" in found.reason
    before = run_gate(state, {"files": [{"path": "*.csv", "max_files": 2}]}, root=folder, take_before=True)
    (folder / "c.csv").touch()
    found = run_gate(state, {"files": [{"path": "*.csv", "max_files": 2}]}, root=folder, before=before.saved)
    assert found.status == "fail"


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_an_unreadable_file_is_unknown_before_and_fails_after(folder: Path) -> None:
    (folder / "a.csv").chmod(0)
    assert around(folder, nothing, files=[{"path": "a.csv"}]).status == "unknown"


@given(old=st.binary(max_size=200), new=st.binary(max_size=200))
def test_a_prefix_digest_is_the_digest_of_the_prefix(tmp_path_factory: Any, old: bytes, new: bytes) -> None:
    path = tmp_path_factory.mktemp("digest") / "file"
    path.write_bytes(old)
    whole = snapshots.digest(path)
    path.write_bytes(old + new)
    assert snapshots.digest(path, whole[0]) == whole


# -- SQLite --------------------------------------------------------------------------------------------------


def run_sql(root: Path, *statements: str, name: str = "shop.db") -> None:
    with closing(sqlite3.connect(root / name)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def sql(*statements: str) -> Flow:
    return lambda root: run_sql(root, *statements)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    run_sql(
        tmp_path,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY)",
        "CREATE TABLE lines (order_id INTEGER REFERENCES orders (id))",
        "INSERT INTO orders VALUES (1), (2), (3)",
    )
    return tmp_path


ADD, DROP = "INSERT INTO orders VALUES (4)", "DELETE FROM orders WHERE id = 1"


@pytest.mark.parametrize(
    ("table", "statement", "status"),
    [
        ({"change": "never"}, "SELECT 1", "pass"),
        ({"change": "never"}, ADD, "fail"),
        ({"change": "grows"}, ADD, "pass"),
        ({"change": "grows"}, DROP, "fail"),
        ({"change": "shrinks"}, DROP, "pass"),
        ({"change": "shrinks"}, ADD, "fail"),
        ({"change": "any"}, ADD, "pass"),
        ({"min": 3}, "SELECT 1", "pass"),
        ({"min": 3}, DROP, "fail"),
        ({"max": 3}, ADD, "fail"),
        ({"delta": {"min": 1}}, ADD, "pass"),
        ({"delta": {"min": 1}}, "SELECT 1", "fail"),
        ({"delta": {"max": 0}}, ADD, "fail"),
        ({"delta": {"min": -1, "max": -1}}, DROP, "pass"),
        ({"change": "any"}, "DROP TABLE orders", "fail"),
        ({"change": "never"}, "DROP TABLE orders", "fail"),
    ],
)
def test_row_counts(shop: Path, table: dict[str, Any], statement: str, status: str) -> None:
    found = around(shop, sql(statement), sqlite=[{"path": "shop.db", "tables": {"orders": table}}])
    assert found.status == status, found.reason


def test_a_lost_row_is_named_with_both_counts(shop: Path) -> None:
    found = around(shop, sql(DROP), sqlite=[{"path": "shop.db", "tables": {"orders": {"change": "grows"}}}])
    assert "3 rows before, 2 after (-1)" in found.reason
    finding = found.finding("sqlite shop.db orders")
    assert (finding.observed, finding.operator, finding.limit, finding.unit) == (2, ">=", 3, "rows")


def test_a_table_that_does_not_exist_names_those_that_do(shop: Path) -> None:
    found = around(shop, nothing, sqlite=[{"path": "shop.db", "tables": {"order": {"min": 1}}}])
    assert found.status == "fail"
    assert "lines, orders" in found.reason


def test_hostile_table_names_are_only_names(shop: Path) -> None:
    name = 'x"; DROP TABLE orders; --'
    quoted = name.replace('"', '""')
    run_sql(shop, f'CREATE TABLE "{quoted}" (id)')
    found = around(
        shop, nothing, sqlite=[{"path": "shop.db", "tables": {name: {"max": 0}, "orders": {"min": 3}}}]
    )
    assert found.status == "pass"


def test_limits_are_judged_without_a_pre_run_and_comparisons_are_unknown(shop: Path) -> None:
    limits = run_gate(state, {"sqlite": [{"path": "shop.db", "tables": {"orders": {"min": 3}}}]}, root=shop)
    assert limits.status == "pass"
    compared: dict[str, Any] = {"sqlite": [{"path": "shop.db", "tables": {"orders": {"change": "grows"}}}]}
    assert run_gate(state, compared, root=shop).status == "unknown"
    compared["sqlite"][0]["tables"]["orders"]["min"] = 9
    assert run_gate(state, compared, root=shop).status == "fail"


def test_broken_foreign_keys_fail(shop: Path) -> None:
    found = around(shop, sql("INSERT INTO lines VALUES (99)"), sqlite=[{"path": "shop.db"}])
    assert found.status == "fail"
    assert "lines row 1 refers to a row of orders that is not there" in found.reason
    ignored = around(
        shop, nothing, sqlite=[{"path": "shop.db", "integrity": False, "tables": {"lines": {"min": 1}}}]
    )
    assert ignored.status == "pass"


def test_a_corrupt_database_fails(shop: Path) -> None:
    def corrupt(root: Path) -> None:
        content = bytearray((root / "shop.db").read_bytes())
        content[4096 : 4096 + 200] = os.urandom(200)
        (root / "shop.db").write_bytes(content)

    assert around(shop, corrupt, sqlite=[{"path": "shop.db"}]).status == "fail"


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to be looked at" * 20])
def test_a_file_that_is_no_database_fails(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shop.db").write_bytes(content)
    found = around(tmp_path, nothing, sqlite=[{"path": "shop.db", "tables": {"orders": {"min": 1}}}])
    assert found.status == "fail"


def test_a_missing_database_fails_and_is_not_created(tmp_path: Path) -> None:
    found = around(tmp_path, nothing, sqlite=[{"path": "shop.db"}])
    assert found.status == "fail"
    assert "there is no such database" in found.reason
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("left", [(), ("-wal",), ("-wal", "-shm")])
def test_reading_in_wal_mode_creates_nothing_and_sees_what_is_in_the_log(
    tmp_path: Path, left: tuple[str, ...]
) -> None:
    (tmp_path / "live").mkdir()
    with closing(sqlite3.connect(tmp_path / "live" / "shop.db")) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("CREATE TABLE orders (id)")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if left:
            writer.execute("INSERT INTO orders VALUES (1)")
            writer.commit()
        for suffix in ("", *left):
            shutil.copy(tmp_path / "live" / f"shop.db{suffix}", tmp_path / f"shop.db{suffix}")
    files = {path: path.read_bytes() for path in tmp_path.glob("shop.db*") if not path.name.endswith("-shm")}
    assert snapshots.rows(tmp_path / "shop.db", ["orders"]) == {"orders": 1 if left else 0}
    assert snapshots.integrity(tmp_path / "shop.db") == []
    assert {p: p.read_bytes() for p in tmp_path.glob("shop.db*") if not p.name.endswith("-shm")} == files
    assert (tmp_path / "shop.db-shm").exists() is ("-shm" in left)


def test_a_writer_at_work_does_not_stop_it(shop: Path) -> None:
    with closing(sqlite3.connect(shop / "shop.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute(ADD)
        assert snapshots.rows(shop / "shop.db", ["orders"]) == {"orders": 3}
        writer.execute("ROLLBACK")


# -- values --------------------------------------------------------------------------------------------------


COUNTERS = {"version": 2, "total": {"orders": 10}, "runs": [{"id": "a"}], "a.b": 1, "text": "x"}


def values(**changed: Any) -> Flow:
    return lambda root: (root / "c.json").write_text(json.dumps(COUNTERS | changed))


@pytest.fixture
def counters(tmp_path: Path) -> Path:
    values()(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("rule", "flow", "status", "words"),
    [
        ({"never": ["version"]}, nothing, "pass", ""),
        ({"never": ["version"]}, values(version=3), "fail", "version must not change: 2 before, 3 after"),
        ({"never": ["runs.0.id"]}, values(runs=[]), "fail", '"a" before, not there after'),
        ({"never": ["version"]}, values(version=True), "fail", "2 before, true after"),
        ({"never": ["nowhere"]}, nothing, "fail", "neither before nor after"),
        ({"never": ['"a.b"']}, values(**{"a.b": 2}), "fail", "1 before, 2 after"),
        ({"must": ["version"]}, nothing, "fail", "version must change"),
        ({"must": ["version"]}, values(version=3), "pass", ""),
        ({"must": ["nowhere"]}, nothing, "fail", "neither"),
        ({"grows": ["total.orders"]}, values(total={"orders": 12}), "pass", ""),
        ({"grows": ["total.orders"]}, values(total={"orders": 9}), "fail", "fell from 10 to 9"),
        ({"grows": ["total.orders"]}, values(total={}), "fail", "not a number after the flow: not there"),
        ({"grows": ["text"]}, nothing, "fail", "not a number before"),
        ({"delta": {"total.orders": {"min": 1, "max": 5}}}, values(total={"orders": 12}), "pass", ""),
        ({"delta": {"total.orders": {"min": 1}}}, nothing, "fail", "10 before, 10 after (+0)"),
        ({"delta": {"total.orders": {"max": 5}}}, values(total={"orders": 99}), "fail", "at most 5"),
    ],
)
def test_values(counters: Path, rule: dict[str, Any], flow: Flow, status: str, words: str) -> None:
    found = around(counters, flow, values=[{"path": "c.json", **rule}])
    assert found.status == status, found.reason
    assert words in found.reason


def test_values_of_toml_files(tmp_path: Path) -> None:
    write("c.toml", "[total]\norders = 1\nsince = 2026-01-01\n")(tmp_path)
    rule = {"path": "c.toml", "grows": ["total.orders"], "never": ["total.since"]}
    assert around(tmp_path, nothing, values=[rule]).status == "pass"
    assert (
        around(tmp_path, write("c.toml", "[total]\norders = 0\nsince = 2026-01-01\n"), values=[rule]).status
        == "fail"
    )


def test_large_values_are_compared_by_their_digest(tmp_path: Path) -> None:
    big = {"rows": list(range(10_000))}
    write("c.json", json.dumps(big))(tmp_path)
    rule = {"path": "c.json", "never": ["rows"]}
    assert around(tmp_path, nothing, values=[rule]).status == "pass"
    before = run_gate(state, {"values": [rule]}, root=tmp_path, take_before=True)
    assert len(json.dumps(before.saved)) < 1_000
    assert (
        around(tmp_path, write("c.json", json.dumps({"rows": big["rows"][1:]})), values=[rule]).status
        == "fail"
    )


@pytest.mark.parametrize(
    "content", ["{", "[" * 100_000, "", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")]
)
def test_a_file_that_is_broken_afterwards_fails_with_its_place(counters: Path, content: str) -> None:
    found = around(counters, write("c.json", content), values=[{"path": "c.json", "never": ["version"]}])
    assert found.status == "fail"
    assert "c.json" in found.reason
    assert "Traceback" not in found.reason


def test_a_file_that_is_gone_afterwards_fails(counters: Path) -> None:
    assert (
        around(counters, remove("c.json"), values=[{"path": "c.json", "never": ["version"]}]).status == "fail"
    )


def test_two_rules_about_one_file_both_count(counters: Path) -> None:
    rules = [{"path": "c.json", "never": ["version"]}, {"path": "c.json", "grows": ["total.orders"]}]
    assert around(counters, values(total={"orders": 1}), values=rules).status == "fail"
    assert around(counters, values(version=1), values=rules).status == "fail"


def test_the_documented_example_is_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "gates" / "post.state.md").read_text("utf-8")
    example = tomllib.loads(page.partition("```toml\n")[2].partition("```")[0])
    assert run_gate(state, example["gates"]["state"], root=tmp_path).status in ("unknown", "fail")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"files": [{"path": "a", "change": "sometimes"}]}, "sometimes"),
        ({"files": [{}]}, 'missing key "path"'),
        ({"sqlite": [{"path": "a", "tables": {"t": {"min": 5, "max": 1}}}]}, "impossible range"),
        ({"sqlite": [{"path": "a", "tables": {"t": {"grow": True}}}]}, "grow"),
        ({"values": [{"path": "a.json"}]}, "no keys are declared"),
        ({"values": [{"path": "a.yaml", "never": ["x"]}]}, ".json or .toml"),
        ({"values": [{"path": "a.json", "never": ["x..y"]}]}, "dotted key"),
        ({"values": [{"path": "a.json", "delta": {"x": {}}}]}, "neither min nor max"),
    ],
)
def test_wrong_settings_are_refused_with_what_is_wrong(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("(", r"\(")):
        run_gate(state, settings)
