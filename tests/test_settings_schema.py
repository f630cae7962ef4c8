"""The JSON Schema for editors and the tables of the documentation, both made of the settings classes."""

import importlib.util
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator
from msgspec import Meta, Struct

from gatekeeper import Budget, Duration, Gate, Quantity, Secret, Size, post, pre
from gatekeeper.plugins import Plugins
from gatekeeper.settings import load, resolve
from gatekeeper.settings.fields import field_docs
from gatekeeper.settings.manual import settings_table
from gatekeeper.settings.schema import json_schema
from gatekeeper.settings.writing import written
from gatekeeper.testing import Project

DOCS = Path(__file__).parents[1] / "docs"


class Probe(Struct, frozen=True, forbid_unknown_fields=True):
    """One probe."""

    url: str
    """Where, a | b."""
    within: Duration = Duration(90)


class Base(Struct, frozen=True, forbid_unknown_fields=True):
    top: Annotated[int, Meta(ge=1, le=9)] = 3
    """How
    many."""


class Everything(Base, frozen=True, forbid_unknown_fields=True):
    """All kinds."""

    memory: Budget = Budget(Quantity.parse("80%"), Quantity.parse("90%"))
    """Memory."""
    probes: tuple[Probe, ...] = ()
    by_name: dict[str, Budget] = {}
    mode: Literal["r", "rw"] = "rw"
    token: Secret | None = None
    size: Size = Size(2**20)
    status: int | str = 200
    anything: dict[str, Any] = {}


PRESETS: dict[str, dict[str, Any]] = {"service": {"memory": {"warn": "70%"}}, "batch": {"top": 5}}


@pre(settings=Everything, presets=PRESETS)
def everything(ctx: Any, settings: Everything) -> None:
    """Checks everything."""


@post(name="everything")
def other(ctx: Any) -> None: ...


GATES: list[Gate] = [everything, other]


def test_field_docs_are_the_texts_under_fields_and_bases_count() -> None:
    assert field_docs(Everything) == {"top": "How many.", "memory": "Memory."}


def test_a_class_without_source_has_no_docs() -> None:
    space: dict[str, Any] = {"Struct": Struct, "__name__": "nowhere"}
    exec("class Made(Struct):\n    x: int = 1\n    'doc'\n", space)
    assert field_docs(space["Made"]) == {}


def test_the_schema_is_one_and_has_descriptions_defaults_and_bounds() -> None:
    schema = json_schema(GATES)
    Draft202012Validator.check_schema(schema)
    properties = schema["$defs"]["pre.everything"]["properties"]
    assert properties["top"] == {
        "type": "integer", "minimum": 1, "maximum": 9, "description": "How many.", "default": 3,
    }  # fmt: skip
    assert properties["size"]["default"] == "1MiB"
    assert properties["probes"]["items"]["required"] == ["url"]
    assert "timeout" in properties
    assert "everything" not in schema["$defs"]["gates"]["properties"], "the name is in both phases"


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("", True),
        ("[gates.pre.everything]\ntop = 3", True),
        ('[gates."pre.everything"]\nmemory = "90%"', True),
        ('[gates.pre.everything]\nmemory = { warn = "90%" }', True),
        ("[gates.pre.everything]\nmemry = 1", False),
        ("[gates.pre.everything]\ntop = 0", False),
        ("[gates.pre.everything]\ntop = true", False),
        ('[gates.pre.everything]\nmode = "w"', False),
        ("[[gates.pre.everything.probes]]\n", False),
        ("[gates.post.everything]\nenabled = false", True),
        ("[gates.post.everything]\ntop = 1", False),
        ("[profiles.ci.run]\njobs = 2", True),
        ("[profiles.ci.run]\njobs = 0", False),
        ("[profiles.ci.profiles]\n", False),
        ("alerts = {}", True),
        ("alarms = {}", False),
        ("alerts.grace = '5s'", True),
        ('"$schema" = "x"', True),
    ],
)
def test_the_schema_and_the_program_agree(tmp_path: Path, text: str, valid: bool) -> None:
    (tmp_path / "gatekeeper.toml").write_text(text)
    document = tomllib.loads(text)
    assert Draft202012Validator(json_schema(GATES)).is_valid(document) is valid
    problems: list[str] = []
    try:
        profile = "ci" if "profiles" in document else None
        resolve(load(tmp_path, environ={}, profile=profile, problems=problems), GATES)
    except Exception as error:
        problems.append(str(error))
    assert (problems == []) is valid


def test_the_schema_of_what_ships_accepts_the_presets() -> None:
    gates = Plugins.shipped().gates()
    schema = json_schema(gates)
    Draft202012Validator.check_schema(schema)
    for gate in gates:
        for preset in gate.presets.values():
            Draft202012Validator(schema).validate({"gates": {gate.id: _plain(preset)}})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("preset", ["service", "batch", "ai-flow"])
def test_every_preset_of_what_ships_resolves(tmp_path: Path, preset: str) -> None:
    (tmp_path / "gatekeeper.toml").write_text(f'preset = "{preset}"')
    assert resolve(load(tmp_path, environ={}), Plugins.shipped().gates())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Duration(30), "30s"),
        (Duration(0), "0s"),
        (Duration(0.25), "250ms"),
        (Duration(5400), "90m"),
        (Size(400_000_000), "400MB"),
        (Size(65536), "64KiB"),
        (Quantity.parse("12.5%"), "12.5%"),
        (Quantity.parse("4"), 4),
    ],
)
def test_values_are_written_as_people_write_them(value: Any, text: Any) -> None:
    assert written(value) == text
    assert type(value).parse(written(value)) == value


def test_a_gates_table_has_all_its_settings_and_presets() -> None:
    assert (
        settings_table(everything)
        == """\
| setting | takes | default | what it is |
|---|---|---|---|
| `top` | whole number, ≥ 1, ≤ 9 | `3` | How many. |
| `memory` | limits: `{ warn = …, fail = … }`, or one that fails | `{ warn = "80%", fail = "90%" }` | Memory. |
| `probes` | list of tables | – |  |
| `probes[].url` | text | required | Where, a \\| b. |
| `probes[].within` | duration, `"5s"` | `"90s"` |  |
| `by_name` | table by name, each limits: `{ warn = …, fail = … }`, or one that fails | – |  |
| `mode` | `r`, `rw` | `"rw"` |  |
| `token` | text, `env:NAME` or `file:PATH` | – |  |
| `size` | size, `"400MB"` | `"1MiB"` |  |
| `status` | whole number or text | `200` |  |
| `anything` | table by name, each anything | – |  |

| preset | `service` | `batch` |
|---|---|---|
| `memory.warn` | `"70%"` | – |
| `top` | – | `5` |"""
    )


# -- the documentation


def _generate() -> Any:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_in_the_documentation_are_what_the_source_says() -> None:
    stale = [str(page.relative_to(DOCS)) for page in _generate().outdated()]
    assert stale == [], "run: python docs/generate.py"


def test_every_gate_that_ships_has_a_page_with_its_settings() -> None:
    for gate in Plugins.shipped().gates():
        page = DOCS / "gates" / f"{gate.id}.md"
        assert f"<!-- settings: {gate.id} -->" in page.read_text("utf-8"), page


def test_filling_a_page_twice_changes_nothing(tmp_path: Path) -> None:
    generate = _generate()
    once = generate.filled("a\n<!-- settings: run -->\nb\n", generate.tables(), tmp_path)
    assert once.startswith("a\n<!-- settings: run -->\n\n| setting |")
    assert once.endswith("<!-- end of settings -->\nb\n")
    assert generate.filled(once, generate.tables(), tmp_path) == once


def test_the_example_in_the_documentation_is_right(gatekeeper_project: Project) -> None:
    text = (DOCS / "configuration.md").read_text("utf-8")
    example = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0]
    gatekeeper_project.write({"gatekeeper.toml": example})
    assert gatekeeper_project.command("config", "check").exit_code == 0
    schema = json.loads(gatekeeper_project.command("config", "schema").stdout)
    Draft202012Validator(schema).validate(tomllib.loads(example))
