"""Where values come from, what a configuration's digest covers, and `gatekeeper config`."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from gatekeeper import Budget, Duration, Gate, Quantity, Secret, post, pre
from gatekeeper.settings import Row, Settings, digest, gate_origins, load, origins, resolve
from gatekeeper.testing import Project


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    memory: Budget = Budget(Quantity.parse("80%"), Quantity.parse("90%"))
    swap: Budget = Budget()
    within: Duration = Duration(2)
    token: Secret | None = None
    paths: tuple[str, ...] = ()


@pre(settings=Limits, presets={"service": {"within": "3s", "retries": 2}}, timeout="7s")
def limits(ctx: Any, settings: Limits) -> None: ...


@post
def plain(ctx: Any) -> None: ...


GATES: list[Gate] = [limits, plain]
TEXT = """\
preset = "service"
[run]
timeout = "9s"
[gates.limits]
swap = "50%"
token = "env:ORIGIN_TOKEN"
paths = [
  "a",
]
[profiles.ci.gates.pre.limits]
memory.fail = "95%"
"""


def settings_of(folder: Path, text: str = TEXT, **options: Any) -> Settings:
    (folder / "gatekeeper.toml").write_text(text, "utf-8")
    return load(folder, **{"environ": {}, **options})


def rows(settings: Settings) -> dict[str, Row]:
    return {row.path: row for row in origins(settings, GATES)}


def test_each_value_names_the_place_that_set_it(tmp_path: Path) -> None:
    environ = {"GATEKEEPER_GATES__LIMITS__RETRY_FOR": "4s", "GATEKEEPER_RUN__JOBS": "3"}
    overrides = {("run", "deadline"): "1m"}
    found = rows(settings_of(tmp_path, profile="ci", environ=environ, overrides=overrides))
    assert {path: (row.shown, row.origin) for path, row in found.items() if row.origin != "default"} == {
        "preset": ('"service"', "gatekeeper.toml:1"),
        "run.timeout": ('"9s"', "gatekeeper.toml:3"),
        "run.deadline": ('"1m"', "flag --deadline"),
        "run.jobs": ("3", "env GATEKEEPER_RUN__JOBS"),
        "gates.limits.memory.fail": ('"95%"', "profile ci (gatekeeper.toml:11)"),
        "gates.limits.swap.warn": ("", "gatekeeper.toml:5"),
        "gates.limits.swap.fail": ('"50%"', "gatekeeper.toml:5"),
        "gates.limits.swap.worse": ('"higher"', "gatekeeper.toml:5"),
        "gates.limits.within": ('"3s"', "preset service"),
        "gates.limits.token": ('"env:ORIGIN_TOKEN"', "gatekeeper.toml:6"),
        "gates.limits.paths": ('["a"]', "gatekeeper.toml:7"),
        "gates.limits.timeout": ('"7s"', f"{Path(limits.file).name}:{limits.line}"),
        "gates.limits.retries": ("2", "preset service"),
        "gates.limits.retry_for": ('"4s"', "env GATEKEEPER_GATES__LIMITS__RETRY_FOR"),
        "gates.plain.timeout": ('"9s"', "gatekeeper.toml:3"),
    }
    assert found["gates.limits.memory.warn"].origin == "default"


def test_secrets_are_shown_as_their_reference_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORIGIN_TOKEN", "s3cret")
    assert "s3cret" not in repr(rows(settings_of(tmp_path)))
    assert rows(settings_of(tmp_path))["gates.limits.token"].value == "env:ORIGIN_TOKEN"
    literal = rows(settings_of(tmp_path, '[gates.limits]\ntoken = "s3cret"'))["gates.limits.token"]
    assert (literal.value, literal.shown) == ("***", '"***"')


def test_one_gates_rows_have_short_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORIGIN_TOKEN", "x")
    found = gate_origins(settings_of(tmp_path), limits, GATES, full=False)
    assert [row.path for row in found][:3] == ["memory.warn", "memory.fail", "memory.worse"]


def test_a_gate_without_settings_has_the_rows_of_every_gate_only(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "[gates.plain]\nretries = 1\n")
    paths = [row.path for row in gate_origins(settings, plain, GATES, full=False)]
    assert paths == ["enabled", "requirement", "severity", "timeout", "retries", "retry_for", "retry_delay"]


def test_the_digest_is_of_what_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def of(text: str, **options: Any) -> str:
        settings = settings_of(tmp_path, text, **options)
        return digest(settings, resolve(settings, GATES))

    monkeypatch.setenv("ORIGIN_TOKEN", "one")
    first = of(TEXT)
    assert first.startswith("sha256:")
    monkeypatch.setenv("ORIGIN_TOKEN", "another")
    assert of(TEXT + "\n# a comment\n") == first
    assert of(TEXT, environ={"GATEKEEPER_STORE": "elsewhere.db"}) == first
    assert of(TEXT.replace("50%", "51%")) != first
    assert of(TEXT.replace('"9s"', '"8s"')) != first
    assert of(TEXT, profile="ci") != first


# -- gatekeeper config


def test_check_says_ok_and_what_it_found(gatekeeper_project: Project) -> None:
    text = '[profiles.ci.run]\njobs = 2\n[[gates.components.http]]\nurl = "http://x"\nheaders.a = "env:NOT_SET_X"\n'
    gatekeeper_project.write({"gatekeeper.toml": text, "gatekeeper.json": "{}"})
    done = gatekeeper_project.command("config", "check")
    assert done.exit_code == 0
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert lines[0] == ["ok", "gatekeeper.toml"]
    assert ["profiles", "ci: ok too"] in lines
    assert "gatekeeper.json: gatekeeper.toml comes first" in done.stdout
    assert "environment variable NOT_SET_X is not set" in done.stdout


def test_check_names_all_problems_of_program_gates_and_profiles_at_once(gatekeeper_project: Project) -> None:
    text = """\
    rum = 1
    [gates.resources]
    memry = 3
    [gates.nothing]
    """
    gatekeeper_project.write({"gatekeeper.toml": text})
    done = gatekeeper_project.command("config", "check")
    assert (done.exit_code, done.stdout) == (4, "")
    assert [line.split()[1] for line in done.stderr.splitlines()] == [
        "gatekeeper.toml:1", "gatekeeper.toml:4", "gatekeeper.toml:3",
    ]  # fmt: skip
    gatekeeper_project.write(
        {"gatekeeper.toml": "[profiles.a.run]\njobs = 0\n[profiles.b.gates.resources]\nx = 1\n"}
    )
    done = gatekeeper_project.command("config", "check")
    assert done.exit_code == 4
    assert [line.split()[1] for line in done.stderr.splitlines()] == [
        "gatekeeper.toml:2",
        "gatekeeper.toml:4",
    ]


def test_show_prints_toml_that_means_the_same(gatekeeper_project: Project) -> None:
    text = (
        'preset = "service"\n[gates.storage]\npaths = [{ path = ".", free = "1%" }]\n[inputs]\n"a b" = "x"\n'
    )
    gatekeeper_project.write({"gatekeeper.toml": text})
    shown = gatekeeper_project.command("config", "show").stdout
    assert tomllib.loads(shown)["run"]["timeout"] == "30s"
    gatekeeper_project.write({"gatekeeper.toml": shown})
    again = gatekeeper_project.command("config", "show")
    assert (again.exit_code, again.stdout) == (0, shown)


def test_show_origin_of_one_gate(gatekeeper_project: Project) -> None:
    gatekeeper_project.write({"gatekeeper.toml": "[gates.resources]\nload.warn = 3\n"})
    done = gatekeeper_project.command("config", "show", "resources", "--origin")
    (line,) = [line for line in done.stdout.splitlines() if "load.warn" in line]
    assert line.split() == ["gates.resources.load.warn", "3", "gatekeeper.toml:2"]
    assert "Did you mean 'pre.resources'?" in gatekeeper_project.command("config", "show", "resorces").stderr
    document = json.loads(gatekeeper_project.command("config", "show", "--format", "json").stdout)
    assert {"path": "gates.resources.load.warn", "value": 3.0, "origin": "gatekeeper.toml:2"} in document
