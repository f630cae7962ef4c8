"""Which configuration counts, how its layers stack, and what a wrong one gets."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.errors import UsageError
from gatekeeper.settings import Flag, Settings, load


def read(folder: Path, text: str | None = None, *, name: str = "gatekeeper.toml", **options: Any) -> Settings:
    if text is not None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return load(folder, **{"environ": {}, **options})


def refused(folder: Path, text: str | None = None, **options: Any) -> list[str]:
    with pytest.raises(UsageError) as caught:
        read(folder, text, **options)
    return list(caught.value.problems)


# -- which file -------------------------------------------------


def test_without_a_file_the_defaults_hold_and_paths_start_in_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    settings = read(tmp_path)
    assert settings.config is None
    assert settings.root == tmp_path
    assert settings.subject_name == tmp_path.name
    assert settings.run.timeout == 30.0
    assert settings.gates_paths == (tmp_path / "gates",)


def test_the_nearest_file_upwards_counts_and_its_folder_is_the_root(tmp_path: Path) -> None:
    read(tmp_path, 'subject.name = "outer"')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    settings = load(inner, environ={})
    assert (settings.root, settings.subject.name) == (tmp_path, "outer")
    assert settings.config_name == "../../gatekeeper.toml"


def test_no_file_beyond_the_version_controlled_folder_is_read(tmp_path: Path) -> None:
    read(tmp_path, 'subject.name = "outer"')
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "repository" / "src").mkdir()
    assert load(tmp_path / "repository" / "src", environ={}).config is None


def test_a_worktree_whose_git_is_a_file_is_a_boundary_too(tmp_path: Path) -> None:
    read(tmp_path, 'subject.name = "outer"')
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / ".git").write_text("gitdir: elsewhere")
    assert load(tmp_path / "tree", environ={}).config is None


def test_gatekeeper_toml_comes_before_the_other_names(tmp_path: Path) -> None:
    read(tmp_path, '[tool.gatekeeper]\nsubject.name = "pyproject"', name="pyproject.toml")
    read(tmp_path, '{"subject": {"name": "json"}}', name="gatekeeper.json")
    assert read(tmp_path).subject.name == "pyproject"
    read(tmp_path, 'subject.name = "hidden"', name=".config/gatekeeper.toml")
    assert read(tmp_path).subject.name == "hidden"
    assert read(tmp_path).root == tmp_path
    assert read(tmp_path, 'subject.name = "plain"').subject.name == "plain"


def test_a_pyproject_that_is_not_about_gatekeeper_is_passed_over(tmp_path: Path) -> None:
    read(tmp_path, 'subject.name = "outer"')
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "pyproject.toml").write_text('[project]\ndependencies = ["gatekeeper-gates"]')
    assert load(tmp_path / "inner", environ={}).subject.name == "outer"


def test_problems_in_a_pyproject_have_its_lines_and_table(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\n\n[tool.gatekeeper.run]\ndeadlne = "2m"\n'
    assert refused(tmp_path, text, name="pyproject.toml") == [
        "pyproject.toml:5  [tool.gatekeeper.run] unknown key \"deadlne\". Did you mean 'deadline'?"
    ]


def test_a_configuration_can_be_named_by_flag_and_by_variable(tmp_path: Path) -> None:
    read(tmp_path, 'subject.name = "nearest"')
    read(tmp_path, 'subject.name = "other"', name="conf/other.toml")
    assert read(tmp_path, config=Path("conf/other.toml")).subject.name == "other"
    settings = read(tmp_path, environ={"GATEKEEPER_CONFIG": "conf/other.toml"})
    assert (settings.subject.name, settings.root) == ("other", tmp_path / "conf")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.toml", "nowhere.toml: no such configuration file"),
        ("folder", "folder: is a folder; name the configuration's file in it"),
        ("pyproject.toml", "pyproject.toml: has no table [tool.gatekeeper]"),
    ],
)
def test_a_named_configuration_that_is_none_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]")
    assert refused(tmp_path, config=Path(name)) == [message]


# -- layers -----------------------------------------------------


def test_flag_beats_environment_beats_profile_beats_file(tmp_path: Path) -> None:
    text = '[run]\ntimeout = "1s"\n[profiles.ci.run]\ntimeout = "2s"\n'
    environ = {"GATEKEEPER_RUN__TIMEOUT": "3s"}
    flags = {("run", "timeout"): "4s"}
    assert read(tmp_path, text).run.timeout == 1.0
    assert read(tmp_path, profile="ci").run.timeout == 2.0
    assert read(tmp_path, profile="ci", environ=environ).run.timeout == 3.0
    assert read(tmp_path, profile="ci", environ=environ, overrides=flags).run.timeout == 4.0


def test_layers_merge_table_by_table_and_replace_lists(tmp_path: Path) -> None:
    text = """
    [run]
    deadline = "2m"
    [plugins]
    disable = ["a", "b"]
    [gates.resources]
    memory = { warn = "80%", fail = "90%" }
    [profiles.ci]
    run.jobs = 3
    plugins.disable = ["c"]
    gates.resources.memory.fail = "95%"
    """
    settings = read(tmp_path, text, environ={"GATEKEEPER_PROFILE": "ci"})
    assert (settings.profile, settings.run.deadline, settings.run.jobs) == ("ci", 120.0, 3)
    assert settings.plugins.disable == ("c",)
    assert settings.gates == {"resources": {"memory": {"warn": "80%", "fail": "95%"}}}


def test_a_profile_of_another_name_changes_nothing(tmp_path: Path) -> None:
    text = "[run]\njobs = 1\n[profiles.ci.run]\njobs = 2\n[profiles.night.run]\njobs = 3\n"
    assert read(tmp_path, text, profile="night").run.jobs == 3


def test_an_unknown_profile_names_the_nearest_and_who_asked(tmp_path: Path) -> None:
    text = "[profiles.night.run]\njobs = 3\n"
    assert refused(tmp_path, text, profile="nigth") == [
        "--profile: no profile 'nigth'. Did you mean 'night'?"
    ]
    assert refused(tmp_path, environ={"GATEKEEPER_PROFILE": "xyz"}) == [
        "environment variable GATEKEEPER_PROFILE: no profile 'xyz'. Known profiles: night."
    ]


def test_a_profile_without_any_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert refused(tmp_path, profile="ci") == ["--profile: no profile 'ci': no configuration file was found"]


def test_problems_in_a_profile_are_shown_with_its_table(tmp_path: Path) -> None:
    assert refused(tmp_path, "[profiles.ci.run]\n\njobs = 0\n", profile="ci") == [
        "gatekeeper.toml:3  [profiles.ci.run] jobs: expected a whole number >= 1: 0"
    ]


# -- environment and flags --------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "get"),
    [
        ("GATEKEEPER_RUN__MAX_WARNINGS", "7", lambda s: s.run.max_warnings == 7),
        ("gatekeeper_run__max_warnings".upper(), "7", lambda s: s.run.max_warnings == 7),
        ("GATEKEEPER_run__Max_Warnings", "7", lambda s: s.run.max_warnings == 7),
        ("GATEKEEPER_SUBJECT__NAME", "12", lambda s: s.subject.name == "12"),
        ("GATEKEEPER_SUBJECT__NAME", "a = b", lambda s: s.subject.name == "a = b"),
        ("GATEKEEPER_PLUGINS__DISABLE", '["a", "b"]', lambda s: s.plugins.disable == ("a", "b")),
        ("GATEKEEPER_INPUTS__ORDERS", "orders.jsonl", lambda s: s.inputs == {"orders": "orders.jsonl"}),
        ("GATEKEEPER_PRESET", "batch", lambda s: s.preset == "batch"),
        ("GATEKEEPER_STORE", "postgresql://db", lambda s: s.store.url == "postgresql://db"),
    ],
)
def test_variables_set_values(tmp_path: Path, name: str, value: str, get: Any) -> None:
    (tmp_path / ".git").mkdir()
    assert get(read(tmp_path, environ={name: value}))


def test_a_variable_finds_the_key_that_the_file_writes_in_another_case(tmp_path: Path) -> None:
    settings = read(tmp_path, '[inputs]\nOrders = "a.json"', environ={"GATEKEEPER_INPUTS__ORDERS": "b.json"})
    assert settings.inputs == {"Orders": "b.json"}


def test_a_wrong_variable_is_named_with_the_nearest_key(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    environ = {"GATEKEEPER_RUN__TIMOUT": "3s", "GATEKEEPER_RUN__RETRIES": "many", "GATEKEEPER_RUM__JOBS": "1"}
    problems = sorted(refused(tmp_path, environ=environ))
    assert problems[0].startswith(
        'environment variable GATEKEEPER_RUM__JOBS: unknown key "rum". Did you mean'
    )
    assert (
        problems[1]
        == 'environment variable GATEKEEPER_RUN__RETRIES: expected a whole number, got text: "many"'
    )
    assert problems[2] == (
        "environment variable GATEKEEPER_RUN__TIMOUT: unknown key \"timout\". Did you mean 'timeout'?"
    )


def test_single_underscores_are_not_settings(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    environ = {"GATEKEEPER_RUN_DEADLINE": "nonsense", "GATEKEEPER_DEBUG": "1", "GATEKEEPER": "x"}
    assert read(tmp_path, environ=environ).run.deadline is None


def test_two_variables_for_one_value_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    environ = {"GATEKEEPER_STORE": "a.db", "GATEKEEPER_STORE__URL": "b.db"}
    assert refused(tmp_path, environ=environ) == [
        "environment variables GATEKEEPER_STORE and GATEKEEPER_STORE__URL set the same: keep one"
    ]


def test_a_wrong_flag_is_named(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    overrides = {("run", "deadline"): "soon", ("run", "jobs"): Flag("-j", 0)}
    assert refused(tmp_path, overrides=overrides) == [
        '--deadline: expected a duration such as "5s", "250ms" or "2m", got \'soon\'',
        "-j: expected a whole number >= 1: 0",
    ]


# -- wrong files ------------------------------------------------


def test_all_problems_are_reported_at_once_with_their_lines(tmp_path: Path) -> None:
    text = """\
subject = { nam = "x" }
alarms = {}

[run]
deadline = "-5s"
timeout = 0
retries = 1.5

[[freeze]]
reason = "holidays"
from = 2026-12-24T00:00:00Z
until = 2026-12-01T00:00:00Z

[[samples]]
source = "k6"
"""
    problems = refused(tmp_path, text)
    assert [problem.partition("  ")[0] for problem in problems] == [
        f"gatekeeper.toml:{line}" for line in (1, 2, 5, 7, 12, 14)
    ]
    assert "unknown key \"nam\". Did you mean 'name'?" in problems[0]
    assert 'unknown key "alarms"' in problems[1]
    assert problems[2].endswith("got a negative one: '-5s'")
    assert problems[4].startswith("gatekeeper.toml:12  [freeze[0]] until: 2026-12-01")
    assert problems[5] == 'gatekeeper.toml:14  [samples[0]] missing key "path"'


def test_a_timeout_of_zero_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, "[run]\ntimeout = 0") == [
        "gatekeeper.toml:2  [run] timeout: must be more than 0 s"
    ]


def test_problems_can_be_collected_while_defaults_stand_in(tmp_path: Path) -> None:
    problems: list[str] = []
    settings = read(tmp_path, 'run.jobs = "x"\nrum = 1\n[subject]\nname = "kept"', problems=problems)
    assert len(problems) == 2
    assert (settings.run.jobs, settings.subject.name) == (None, "kept")


def test_a_freeze_needs_an_offset(tmp_path: Path) -> None:
    text = "[[freeze]]\nfrom = 2026-12-24T00:00:00\nuntil = 2026-12-27T00:00:00Z\n"
    assert refused(tmp_path, text) == [
        'gatekeeper.toml:2  [freeze[0]] from: needs an offset, such as "Z" or "+02:00": 2026-12-24T00:00:00'
    ]


def test_a_freeze_covers_its_first_moment_and_not_its_last(tmp_path: Path) -> None:
    text = '{"freeze": [{"from": "2026-12-24T01:00:00+01:00", "until": "2026-12-27T00:00:00Z"}]}'
    freeze = read(tmp_path, text, name="gatekeeper.json").freeze[0]
    assert freeze.covers(datetime(2026, 12, 24, tzinfo=UTC))
    assert not freeze.covers(datetime(2026, 12, 27, tzinfo=UTC))
    assert not freeze.covers(datetime(2026, 12, 23, 23, 59, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a = 1\nb = \n", 2, "not valid TOML: Invalid value"),
        ("[run]\njobs = 1\njobs = 2\n", 3, "not valid TOML: Cannot overwrite a value"),
        ("[run]\n[run]\n", 2, "not valid TOML: Cannot declare"),
        ('subject = { name = "x"', 1, "not valid TOML"),
        ("x = [\n1,\n", 2, "not valid TOML"),
    ],
)
def test_toml_mistakes_have_a_line(tmp_path: Path, text: str, line: int, part: str) -> None:
    (problem,) = refused(tmp_path, text)
    assert problem.startswith(f"gatekeeper.toml:{line}  ")
    assert part in problem


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ('{\n  // limits\n  "run": {}\n}', 2, 'it has no comments, and here is one ("//")'),
        ('{"run": {} /* all */}', 1, 'it has no comments, and here is one ("/*")'),
        ('{"run": {"jobs": 1},\n "run": {"jobs": 2}}', 2, 'key "run" is there twice; the first is in line 1'),
        ('{"run":\n {"timeout": NaN}}', 2, "NaN is no JSON number"),
        ('{"preset": "NaN",\n "x": -Infinity}', 2, "-Infinity is no JSON number"),
        ('{"run": {"jobs": 1,}}', 1, "not valid JSON"),
        ("[1]", 0, "expected a JSON object, got list"),
        ("", 1, "not valid JSON"),
        ("[" * 200_000, 0, "nested too deeply"),
    ],
)
def test_json_mistakes_have_a_line(tmp_path: Path, text: str, line: int, part: str) -> None:
    (problem,) = refused(tmp_path, text, name="gatekeeper.json")
    assert problem.startswith(f"gatekeeper.json:{line}  " if line else "gatekeeper.json: ")
    assert part in problem


def test_json_problems_have_lines_too(tmp_path: Path) -> None:
    text = json.dumps({"$schema": "./s.json", "run": {"jobs": 1, "timout": 3}}, indent=1)
    assert refused(tmp_path, text, name="gatekeeper.json") == [
        "gatekeeper.json:5  [run] unknown key \"timout\". Did you mean 'timeout'?"
    ]


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_numbers_that_are_none_are_refused(tmp_path: Path, number: str) -> None:
    (problem,) = refused(tmp_path, f"[run]\ntimeout = {number}\n")
    assert problem.startswith("gatekeeper.toml:2  [run] timeout: ")
    (problem,) = refused(tmp_path, f"[gates.x]\nlimit = [1, {number}]\n")
    assert problem == f"gatekeeper.toml:2  [gates] x.limit: expected a finite number, got {number}"


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "gatekeeper.toml").write_bytes(b'[subject]\nname = "caf\xe9"\n')
    assert refused(tmp_path) == ["gatekeeper.toml:2  is not UTF-8: byte 0xe9; save the file as UTF-8"]


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    (tmp_path / "gatekeeper.toml").write_bytes(b'\xef\xbb\xbf[subject]\r\nname = "x"\r\n')
    assert read(tmp_path).subject.name == "x"


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "gatekeeper.toml").touch(mode=0)
    assert refused(tmp_path) == ["gatekeeper.toml: can't be read: Permission denied"]


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gatekeeper.toml").write_bytes(b"#" * 10_000_001)
    assert refused(tmp_path) == ["gatekeeper.toml: is larger than 10 MB, which no configuration is"]


def test_reading_settings_imports_nothing_that_only_mistakes_need(tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "gatekeeper.toml").write_text("[run]\njobs = 1\n")
    code = """
import sys
from pathlib import Path
before = {*sys.modules}
from gatekeeper.settings.load import load
load(Path("."), environ={})
unwanted = {"json", "gatekeeper.settings.locate", "gatekeeper.settings.schema"}
print(sorted(unwanted & ({*sys.modules} - before)))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
