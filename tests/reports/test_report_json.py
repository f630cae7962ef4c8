"""`json` and `jsonl`, and the schema that is shipped."""

import copy
import json
from importlib.resources import files
from typing import Any, get_args

import jsonschema
import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from report_samples import (
    ANY_RUN,
    empty_run,
    interrupted_run,
    passing_run,
    rich_run,
    runs,
    shipped,
    text_of,
)

from gatekeeper import PlanSummary, Run, View
from gatekeeper.model import (
    Attempt,
    Counts,
    Finding,
    Header,
    Output,
    Phase,
    Reason,
    Requirement,
    Result,
    RunPhase,
    Since,
    Source,
    Status,
    Subject,
    Verdict,
)

PATH = files("gatekeeper") / "schemas" / "report-1.json"
SCHEMA: dict[str, Any] = json.loads(PATH.read_bytes())
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA, validate_formats=True)
DEFINED: dict[str, type[msgspec.Struct]] = {
    "run": Header, "subject": Subject, "verdict": Verdict, "reason": Reason, "counts": Counts,
    "result": Result, "attempt": Attempt, "source": Source, "finding": Finding, "output": Output,
}  # fmt: skip


def document(run: Run) -> Any:
    return json.loads(text_of("jsonreport", run))


def closed(schema: Any) -> Any:
    """The schema with every object closed, so that a member it doesn't know is an error."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    if "required" in result and "properties" in result:
        result["additionalProperties"] = False
    return result


CLOSED = jsonschema_rs.Draft202012Validator(closed(SCHEMA), validate_formats=True)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", DEFINED)
def test_the_schema_has_the_members_of_the_model_and_requires_them(name: str) -> None:
    members = {field.encode_name for field in msgspec.structs.fields(DEFINED[name])}
    assert set(SCHEMA["$defs"][name]["properties"]) == members
    assert set(SCHEMA["$defs"][name]["required"]) == members


def test_the_schema_has_the_members_of_a_run_and_of_since() -> None:
    members = [field.encode_name for field in msgspec.structs.fields(Run)]
    assert list(SCHEMA["properties"]) == members == SCHEMA["required"]
    since = SCHEMA["$defs"]["since"]["oneOf"][1]
    assert list(since["properties"]) == [field.encode_name for field in msgspec.structs.fields(Since)]


def test_the_schema_has_the_words_of_the_model() -> None:
    defined = SCHEMA["$defs"]
    assert defined["status"]["enum"] == list(get_args(Status))
    assert defined["phase"]["enum"] == list(get_args(Phase))
    assert defined["run"]["properties"]["phase"]["enum"] == list(get_args(RunPhase))
    assert defined["result"]["properties"]["requirement"]["enum"] == list(get_args(Requirement))
    reason = next(f for f in msgspec.structs.fields(Reason) if f.name == "status").type
    words = [word for part in get_args(reason) for word in (get_args(part) or [part])]
    assert defined["reason"]["properties"]["status"]["enum"] == words


def test_every_definition_and_member_is_described() -> None:
    plain = {
        "schema",
        "name",
        "text",
        "unit",
        "tags",
        "number",
        "status",
        "reason",
        "stdout",
        "stderr",
        "line",
    }
    plain |= {"pass", "warn", "fail", "error", "unknown", "skip"}
    for name, definition in SCHEMA["$defs"].items():
        for member, schema in definition.get("properties", {}).items():
            assert "description" in schema or "$ref" in schema or member in plain, f"{name}.{member}"


@pytest.mark.parametrize("run", [rich_run(), passing_run(), empty_run(), interrupted_run()])
def test_a_report_is_valid_and_has_no_member_that_the_schema_does_not_know(run: Run) -> None:
    CLOSED.validate(document(run))


@ANY_RUN
@given(runs())
def test_any_report_is_valid(run: Run) -> None:
    text = text_of("jsonreport", run)
    text.encode("utf-8")
    assert text.endswith("}\n")
    CLOSED.validate(json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON")))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["schema"], "gatekeeper.report/2"),
        (["run", "phase"], "during"),
        (["run", "started"], "yesterday"),
        (["run", "started"], "2026-11-21T06:00:00+01:00"),
        (["run", "duration_s"], -1),
        (["run", "complete"], "yes"),
        (["verdict", "decision"], "perhaps"),
        (["verdict", "exit_code"], 0),
        (["verdict", "exit_code"], 77),
        (["verdict", "reasons", 0, "status"], "bad"),
        (["counts", "pass"], -1),
        (["gates", 0, "status"], "PASS"),
        (["gates", 0, "id"], "resources"),
        (["gates", 0, "requirement"], None),
        (["gates", 0, "findings", 0, "status"], True),
        (["gates", 0, "findings", 0, "evidence"], None),
        (["gates", 0, "findings", 0, "n"], 1.5),
        (["gates", 0, "attempts", 0, "number"], 0),
        (["gates", 3, "since", "runs"], 0),
        (["notes"], None),
    ],
)
def test_a_wrong_value_is_refused(path: list[Any], value: Any) -> None:
    wrong = document(rich_run())
    place = wrong
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not VALIDATOR.is_valid(wrong)


def test_a_missing_member_is_refused() -> None:
    good = document(rich_run())
    for name in good:
        wrong = copy.deepcopy(good)
        del wrong[name]
        assert not VALIDATOR.is_valid(wrong), name


def test_a_report_reads_back_as_the_same_run() -> None:
    run = passing_run()
    assert msgspec.json.decode(text_of("jsonreport", run), type=Run) == run


def test_a_lone_surrogate_is_the_text_of_its_escape() -> None:
    run = msgspec.structs.replace(passing_run(), environment={"path\udcff": ["\ud800"]})
    assert document(run)["environment"] == {"path\\udcff": ["\\ud800"]}


@ANY_RUN
@given(runs())
def test_json_lines_are_a_run_its_results_and_a_verdict(run: Run) -> None:
    lines = text_of("jsonl", run).split("\n")
    assert lines.pop() == ""
    first, *results, last = map(json.loads, lines)
    assert [first["type"], *{line["type"] for line in results}, last["type"]] in (
        ["run", "result", "verdict"],
        ["run", "verdict"],
    )
    assert first["schema"] == "gatekeeper.report/1"
    whole = document(run)
    assert [{key: value for key, value in line.items() if key != "type"} for line in results] == whole[
        "gates"
    ]
    del last["type"]
    assert {"schema": first["schema"], "gates": whole["gates"], **last} == whole


def test_a_result_that_was_never_streamed_is_in_the_lines_once() -> None:
    run = rich_run()
    make = shipped("jsonl").stream
    assert make is not None
    stream = make(View())
    text = stream.begin(PlanSummary(run=run.id, phase="all", gates=[r.id for r in run.results]))
    text += stream.result(run.results[0]) + stream.end(run)
    told = [json.loads(line).get("id") for line in text.splitlines()][1:-1]
    assert told == [result.id for result in run.results]
