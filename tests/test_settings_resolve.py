"""From raw tables to each gate's settings: names, presets, options, secrets, and every mistake at once."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from gatekeeper import Budget, Duration, Gate, Quantity, Secret, post, pre
from gatekeeper.errors import UsageError
from gatekeeper.settings import GateOptions, Settings, load, resolve


class Probe(Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    within: Duration = Duration(2)


class Resources(Struct, frozen=True, forbid_unknown_fields=True):
    memory: Budget = Budget(Quantity.parse("80%"), Quantity.parse("90%"))
    swap: Budget | None = None
    http: tuple[Probe, ...] = ()
    budgets: dict[str, Budget] = {}
    token: Secret | None = None
    cpu_warn: Quantity | None = None

    def __post_init__(self) -> None:
        self.memory.expect("memory", "ratio")


PRESETS: dict[str, dict[str, Any]] = {
    "service": {"memory": {"warn": "70%"}, "timeout": "9s", "budgets": {"start": "5s"}},
    "batch": {"memory": "95%"},
}


@pre(settings=Resources, presets=PRESETS)
def resources(ctx: Any, settings: Resources) -> None: ...


@pre
def storage(ctx: Any) -> None: ...


@post(name="storage")
def storage_after(ctx: Any) -> None: ...


GATES: list[Gate] = [resources, storage, storage_after]


def settings_of(folder: Path, text: str, **options: Any) -> Settings:
    (folder / "gatekeeper.toml").write_text(text, "utf-8")
    return load(folder, **{"environ": {}, **options})


def values(folder: Path, text: str, **options: Any) -> Any:
    return resolve(settings_of(folder, text, **options), GATES)["pre.resources"].values


def refused(folder: Path, text: str, **options: Any) -> list[str]:
    settings = settings_of(folder, text, **options)
    with pytest.raises(UsageError) as caught:
        resolve(settings, GATES)
    return list(caught.value.problems)


# -- names


@pytest.mark.parametrize("table", ["gates.resources", 'gates."pre.resources"', "gates.pre.resources"])
def test_a_gate_is_named_by_name_or_id(tmp_path: Path, table: str) -> None:
    assert values(tmp_path, f'[{table}]\nmemory.fail = "99%"').memory.fail == 0.99


def test_two_tables_for_one_gate_are_refused(tmp_path: Path) -> None:
    text = "[gates.resources]\n[gates.pre.resources]\n"
    assert refused(tmp_path, text) == [
        "gatekeeper.toml:2  [gates.pre.resources] pre.resources has two tables; the other one is [gates.resources]"
    ]


def test_two_names_for_one_gate_in_two_layers_merge(tmp_path: Path) -> None:
    text = '[gates.resources]\nmemory.fail = "99%"\n[profiles.ci.gates.pre.resources]\nmemory.warn = "98%"\n'
    memory = values(tmp_path, text, profile="ci").memory
    assert (memory.warn, memory.fail) == (0.98, 0.99)


def test_a_name_in_both_phases_needs_the_id(tmp_path: Path) -> None:
    assert refused(tmp_path, "[gates.storage]\ntimeout = 3\n") == [
        (
            'gatekeeper.toml:1  [gates.storage] "storage" names gates of both phases: write [gates."post.storage"] '
            'or [gates."pre.storage"]'
        )
    ]
    text = '[gates."post.storage"]\ntimeout = 3\n[gates.pre.storage]\ntimeout = 4\n'
    resolved = resolve(settings_of(tmp_path, text), GATES)
    assert resolved["post.storage"].options.timeout == 3.0
    assert resolved["pre.storage"].options.timeout == 4.0


@pytest.mark.parametrize("name", ["resorces", '"pre.resorces"', "pre.resorces"])
def test_a_table_of_no_gate_names_the_nearest(tmp_path: Path, name: str) -> None:
    (problem,) = refused(tmp_path, f"\n[gates.{name}]\n")
    assert problem.startswith(f'gatekeeper.toml:2  [gates.{name}] no gate "')
    assert "resources'?" in problem


def test_a_gate_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r'gatekeeper.toml:2  \[gates\] resources: expected a table, got text: "x"'
    ):
        settings_of(tmp_path, '[gates]\nresources = "x"\n')


# -- values


def test_a_bare_limit_is_the_one_that_fails(tmp_path: Path) -> None:
    text = '[gates.resources]\nmemory = "60%"\nswap = "50%"\nbudgets = { a = "5s", b = { warn = "1s" } }\n'
    found = values(tmp_path, text)
    assert found.memory == Budget(None, Quantity.parse("60%"))
    assert found.swap == Budget(None, Quantity.parse("50%"))
    assert found.budgets["a"].fail == 5
    assert found.budgets["b"].warn == 1


def test_limits_that_are_not_given_keep_their_defaults(tmp_path: Path) -> None:
    memory = values(tmp_path, '[gates.resources]\nmemory.warn = "50%"').memory
    assert (memory.warn, memory.fail) == (0.5, 0.9)


def test_a_fail_limit_below_the_default_warning_stands_alone(tmp_path: Path) -> None:
    memory = values(tmp_path, '[gates.resources]\nmemory.fail = "50%"').memory
    assert (memory.warn, memory.fail) == (None, 0.5)


def test_a_warning_above_the_default_fail_limit_is_refused_and_says_which_it_is(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, '[gates.resources]\nmemory.warn = "95%"')
    assert problem == (
        "gatekeeper.toml:2  [gates.resources] memory: impossible pair of limits: "
        "warn is above fail, so it would never warn (not set here: fail = 90 %)"
    )


def test_an_impossible_pair_across_layers_is_refused(tmp_path: Path) -> None:
    text = '[gates.resources]\nmemory = { warn = "80%", fail = "90%" }'
    environ = {"GATEKEEPER_GATES__RESOURCES__MEMORY__FAIL": "50%"}
    (problem,) = refused(tmp_path, text, environ=environ)
    assert problem.startswith(
        "environment variable GATEKEEPER_GATES__RESOURCES__MEMORY__FAIL: impossible pair"
    )


def test_all_mistakes_of_all_gates_are_reported_at_once(tmp_path: Path) -> None:
    text = """\
preset = "servce"
[gates.resources]
cpu_wran = 3
memory = { warn = "1GB", fail = "90%" }
swap = { fial = "90%" }
timout = "3s"
retries = -1
[[gates.resources.http]]
url = 5
[[gates.resources.http]]
within = "soon"
[gates.pre.storage]
path = "/"
[gates.storge]
"""
    assert sorted(
        refused(tmp_path, text), key=lambda line: int(line.partition("  ")[0].rpartition(":")[2])
    ) == [
        "gatekeeper.toml:1  preset: unknown preset \"servce\". Did you mean 'service'?",
        "gatekeeper.toml:3  [gates.resources] unknown key \"cpu_wran\". Did you mean 'cpu_warn'?",
        "gatekeeper.toml:4  [gates.resources] memory: warn and fail have different units (B and ratio)",
        "gatekeeper.toml:5  [gates.resources.swap] unknown key \"fial\". Did you mean 'fail'?",
        "gatekeeper.toml:6  [gates.resources] unknown key \"timout\". Did you mean 'timeout'?",
        "gatekeeper.toml:7  [gates.resources] retries: expected a whole number >= 0: -1",
        "gatekeeper.toml:9  [gates.resources] http[0].url: expected text, got a whole number: 5",
        'gatekeeper.toml:10  [gates.resources.http[1]] missing key "url"',
        (
            "gatekeeper.toml:11  [gates.resources] http[1].within: expected "
            'a duration such as "5s", "250ms" or "2m", got \'soon\''
        ),
        (
            'gatekeeper.toml:13  [gates.pre.storage] unknown key "path". Known keys: enabled, requirement, retries, '
            "retry_delay, retry_for, severity, timeout."
        ),
        "gatekeeper.toml:14  [gates.storge] no gate \"storge\". Did you mean 'storage'?",
    ]


def test_a_complaint_of_the_settings_class_has_the_line_of_its_key(tmp_path: Path) -> None:
    (problem,) = refused(
        tmp_path, '[gates.resources]\nswap = "1%"\nmemory = { warn = "1GB", fail = "2GB" }\n'
    )
    assert problem == "gatekeeper.toml:3  [gates.resources] memory takes a percentage, got a size"


# -- environment


@pytest.mark.parametrize("start", ["RESOURCES", "PRE__RESOURCES", "PRE_RESOURCES", "resources"])
def test_a_variable_sets_a_gates_value(tmp_path: Path, start: str) -> None:
    environ = {f"GATEKEEPER_GATES__{start}__MEMORY__FAIL": "99%", f"GATEKEEPER_GATES__{start}__TIMEOUT": "7s"}
    resolved = resolve(settings_of(tmp_path, "", environ=environ), GATES)["pre.resources"]
    assert resolved.values.memory.fail == 0.99  # type: ignore[union-attr]
    assert resolved.options.timeout == 7.0


def test_a_variable_can_hold_a_table_or_a_list(tmp_path: Path) -> None:
    environ = {
        "GATEKEEPER_GATES__RESOURCES__HTTP": '[{ url = "http://x" }]',
        "GATEKEEPER_GATES__RESOURCES__BUDGETS": '{ Start = "5s" }',
        "GATEKEEPER_GATES__RESOURCES__SWAP": "50%",
    }
    found = values(tmp_path, "", environ=environ)
    assert found.http == (Probe("http://x"),)
    assert found.budgets["Start"].fail == 5
    assert found.swap.fail == 0.5


def test_a_variables_key_of_a_named_table_is_the_one_that_the_file_has(tmp_path: Path) -> None:
    environ = {"GATEKEEPER_GATES__RESOURCES__BUDGETS__START__FAIL": "9s"}
    found = values(tmp_path, '[gates.resources.budgets]\nStart = { warn = "1s" }', environ=environ)
    assert (found.budgets["Start"].warn, found.budgets["Start"].fail) == (1, 9)


def test_wrong_variables_of_gates_are_named(tmp_path: Path) -> None:
    environ = {
        "GATEKEEPER_GATES__RESOURCES__MEMRY__FAIL": "9%",
        "GATEKEEPER_GATES__RESORCES__TIMEOUT": "9s",
        "GATEKEEPER_GATES__STORAGE__TIMEOUT": "9s",
        "GATEKEEPER_GATES__PRE__STORAGE__RETRIES": "x",
    }
    problems = sorted(refused(tmp_path, "", environ=environ))
    assert len(problems) == 4
    assert problems[0].endswith('PRE__STORAGE__RETRIES: expected a whole number, got text: "x"')
    assert (
        'RESORCES__TIMEOUT: no gate "resorces.timeout"' in problems[1] or 'no gate "resorces"' in problems[1]
    )
    assert problems[2].endswith("unknown key \"memry\". Did you mean 'memory'?")
    assert "names gates of both phases" in problems[3]


# -- presets and options


def test_a_preset_lies_between_file_and_defaults(tmp_path: Path) -> None:
    resolved = resolve(
        settings_of(tmp_path, 'preset = "service"\n[gates.resources]\nmemory.fail = "85%"'), GATES
    )
    found: Any = resolved["pre.resources"].values
    assert (found.memory.warn, found.memory.fail) == (0.7, 0.85)
    assert found.budgets["start"].fail == 5
    assert resolved["pre.resources"].options == GateOptions(timeout=Duration(9))


def test_a_preset_that_only_other_gates_have_is_fine(tmp_path: Path) -> None:
    resolved = resolve(settings_of(tmp_path, 'preset = "batch"'), GATES)
    assert resolved["pre.resources"].values.memory == Budget(None, Quantity.parse("95%"))  # type: ignore[union-attr]
    assert resolved["pre.storage"].values is None


def test_a_presets_own_mistake_names_the_gate(tmp_path: Path) -> None:
    @pre(settings=Resources, presets={"service": {"memry": 1}})
    def broken(ctx: Any, settings: Resources) -> None: ...

    with pytest.raises(
        UsageError, match=r"test_settings_resolve.py:\d+  gate pre.broken: its preset 'service'"
    ):
        resolve(settings_of(tmp_path, 'preset = "service"'), [broken])


def test_a_settings_class_that_cannot_be_read_names_the_gate(tmp_path: Path) -> None:
    class Odd(Struct, frozen=True):
        thing: complex = 0j

    @pre(settings=Odd)
    def odd(ctx: Any, settings: Odd) -> None: ...

    with pytest.raises(UsageError, match=r"gate pre\.odd: its settings class can't be read"):
        resolve(settings_of(tmp_path, "[gates.odd]\nthing = 1"), [odd])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timeout", "0"),
        ("requirement", '"optional"'),
        ("enabled", '"yes"'),
        ("retries", "1.5"),
        ("retry_for", '"-1s"'),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, key: str, value: str) -> None:
    (problem,) = refused(tmp_path, f"[gates.resources]\n\n{key} = {value}")
    assert problem.startswith(f"gatekeeper.toml:3  [gates.resources] {key}: ")


# -- secrets


def test_secrets_are_read_and_keep_their_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "s3cret")
    token = values(tmp_path, '[gates.resources]\ntoken = "env:SOME_TOKEN"').token
    assert (str(token), token.reference) == ("s3cret", "env:SOME_TOKEN")


def test_a_secrets_file_is_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    token = values(tmp_path, '[gates.resources]\ntoken = "file:token"').token
    assert (str(token), token.reference) == ("s3cret", "file:token")


def test_a_missing_secret_matters_only_where_it_is_used(tmp_path: Path) -> None:
    text = '[gates.resources]\ntoken = "env:NOT_THERE"'
    assert refused(tmp_path, text) == [
        "gatekeeper.toml:2  [gates.resources] token: environment variable NOT_THERE is not set"
    ]
    settings = settings_of(tmp_path, text)
    token = resolve(settings, GATES, secrets_of={"pre.storage"})["pre.resources"].values.token  # type: ignore[union-attr]
    assert (str(token), token.reference) == ("", "env:NOT_THERE")
    assert resolve(settings_of(tmp_path, f"{text}\nenabled = false"), GATES)


def test_a_class_that_refuses_the_empty_secret_is_not_blamed(tmp_path: Path) -> None:
    class Database(Struct, frozen=True, forbid_unknown_fields=True):
        url: Secret

        def __post_init__(self) -> None:
            if not self.url:
                raise ValueError("url: expected a URL")

    class Databases(Struct, frozen=True, forbid_unknown_fields=True):
        all: tuple[Database, ...] = ()

        def __post_init__(self) -> None:
            assert all(database.url for database in self.all)

    @pre(settings=Databases)
    def databases(ctx: Any, settings: Databases) -> None: ...

    settings = settings_of(tmp_path, '[[gates.databases.all]]\nurl = "env:NOT_THERE"')
    assert resolve(settings, [databases], secrets_of=())["pre.databases"].values is None
    with pytest.raises(UsageError, match="environment variable NOT_THERE is not set"):
        resolve(settings, [databases])


def test_a_missing_secrets_message_does_not_hide_a_mistake(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, '[gates.resources]\ntoken = "env:NOT_THERE"\nx = 1')
    with pytest.raises(UsageError, match='unknown key "x"'):
        resolve(settings, GATES, secrets_of=())
