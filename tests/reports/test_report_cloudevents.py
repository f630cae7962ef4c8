"""`cloudevents`: events that any consumer of CloudEvents 1.0 takes, the same whenever a run is told."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from referencing import Registry, Resource
from report_samples import ANY_RUN, HOSTILE, TEXT, empty_run, passing_run, rich_run, run_of, runs, text_of

from gatekeeper import Finding, Result, Run
from gatekeeper.cloudevents import batch, event, source_of
from gatekeeper.model import Attempt, Output

ENVELOPE = jsonschema_rs.validator_for(
    json.loads((Path(__file__).parent / "schemas" / "cloudevents-1.0.json").read_bytes()),
    validate_formats=True,
)
SCHEMAS = {
    schema["$id"]: schema
    for name in ("report-1", "event-run-1", "event-gate-1")
    for schema in [json.loads((files("gatekeeper") / "schemas" / f"{name}.json").read_bytes())]
}
REGISTRY: Any = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)
DATA = {name: jsonschema.Draft202012Validator(schema, registry=REGISTRY) for name, schema in SCHEMAS.items()}
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def checked(found: Any) -> Any:
    """An event that keeps to the schema, and to what spec.md says beyond it."""
    ENVELOPE.validate(found)
    for name, value in found.items():
        assert re.fullmatch(r"[a-z0-9]{1,20}", name)
        if name != "data" and isinstance(value, str):
            assert value
            assert not FORBIDDEN.search(value)
            assert not any(ord(character) & 0xFFFE == 0xFFFE for character in value)
    assert found["specversion"] == "1.0"
    assert found["datacontenttype"] == "application/json"
    return found


def events(run: Run) -> list[Any]:
    found = json.loads(text_of("cloudevents", run).encode("utf-8"))
    for each in found:
        DATA[checked(each)["dataschema"]].validate(each["data"])
    return list(found)


def a_gate(**fields: Any) -> Result:
    return Result(**{"id": "pre.a", "phase": "pre", "status": "fail", "reason": "why", **fields})


@ANY_RUN
@given(runs())
def test_any_run_is_valid_events_of_the_verdict_and_of_each_gate_that_does_not_pass(run: Run) -> None:
    first, *others = events(run)
    assert (first["type"], first["decision"]) == ("dev.gatekeeper.run.finished", run.verdict.decision)
    assert {each["type"] for each in others} <= {"dev.gatekeeper.gate.finished"}
    told = [result for result in run.results if result.status not in ("pass", "skip")]
    assert sorted(each["data"]["gate"]["status"] for each in others) == sorted(
        result.status for result in told
    )


def test_a_batch_has_an_event_on_a_line_and_worst_first() -> None:
    lines = text_of("cloudevents", rich_run()).splitlines()
    assert (lines[0], lines[-1]) == ("[", "]")
    assert [json.loads(line.removesuffix(","))["subject"] for line in lines[1:4]] == [
        "7d1f0c",
        "pre.crash[käse & wein]",
        "pre.components",
    ]


def test_the_same_run_is_the_same_events_and_no_two_have_one_id() -> None:
    ids = [(each["source"], each["id"]) for each in events(rich_run())]
    assert ids == [(each["source"], each["id"]) for each in events(rich_run())]
    assert len(set(ids)) == len(ids)
    assert ids[0] == ("urn:gatekeeper:subject:checkout", "7d1f0c")
    assert ids[2] == ("urn:gatekeeper:subject:checkout", "7d1f0c/pre.components")


def test_a_verdict_is_told_with_its_reasons_and_where_it_was_made() -> None:
    data = events(rich_run())[0]["data"]
    assert data["verdict"] == json.loads(text_of("jsonreport", rich_run()))["verdict"]
    assert data["environment"] == {"python": "3.11.7", "host": "ci-1"}
    assert data["counts"]["fail"] == 3
    assert (data["run"]["phase"], data["omitted"]) == ("all", 0)


def test_a_gate_is_told_as_in_the_json_report_but_for_its_output_and_what_passed() -> None:
    found = next(each for each in events(rich_run()) if each["subject"] == "pre.components")
    assert (found["status"], found["requirement"]) == ("fail", "required")
    data, report = found["data"], json.loads(text_of("jsonreport", rich_run()))
    expected = next(each for each in report["gates"] if each["id"] == "pre.components")
    assert data["gate"]["findings"] == [expected["findings"][0]]
    assert data["omitted"] == 1
    assert data["gate"]["output"] == {
        "stdout": "",
        "stderr": "",
        "dropped": 120 + len("connecting …\nstate: ✗\nwarning: slow\n".encode()),
    }
    same = set(expected) - {"findings", "output"}
    assert {key: data["gate"][key] for key in same} == {key: expected[key] for key in same}


@pytest.mark.parametrize("requirement", ["advisory", "observe"])
def test_a_gate_that_does_not_decide_says_so_outside_of_the_data(requirement: str) -> None:
    (_, found) = events(run_of((a_gate(requirement=requirement),)))
    assert (found["status"], found["requirement"]) == ("fail", requirement)


def test_nothing_and_passes_are_one_event() -> None:
    assert [each["decision"] for each in events(empty_run())] == ["none"]
    assert [each["decision"] for each in events(passing_run())] == ["proceed"]


def test_the_time_is_when_the_run_ended() -> None:
    assert {each["time"] for each in events(rich_run())} == {"2026-11-21T06:00:12.651Z"}


@pytest.mark.parametrize("started", ["", "yesterday", "9999-12-31T23:59:59.999Z"])
def test_a_time_that_is_none_is_left_out(started: str) -> None:
    run = passing_run()
    run = msgspec.structs.replace(run, header=msgspec.structs.replace(run.header, started=started))
    (found,) = json.loads(text_of("cloudevents", run))
    assert "time" not in checked(found)


def test_an_event_is_not_larger_than_what_is_passed_on() -> None:
    findings = tuple(
        Finding(f"f{n}", "fail", message="名" * 8_000, evidence={"text": HOSTILE * 20}) for n in range(50)
    )
    attempts = tuple(Attempt(n, "fail", "名" * 8_000) for n in range(1, 50))
    large = a_gate(
        title="名" * 9_000,
        reason="名" * 9_000,
        findings=findings,
        attempts=attempts,
        output=Output("x" * 60_000, "名" * 60_000),
    )
    run = run_of((large, *(a_gate(id=f"pre.g{n}", reason="名" * 2_000) for n in range(100))))
    found = json.loads(text_of("cloudevents", msgspec.structs.replace(run, notes=("名" * 8_000,) * 50)))
    for each in found:
        DATA[each["dataschema"]].validate(each["data"])
        assert len(json.dumps(each, ensure_ascii=False).encode("utf-8")) <= 65_536
    assert 0 < found[0]["data"]["omitted"] < 151
    assert len(found[0]["data"]["verdict"]["reasons"]) > 3
    assert found[1]["data"]["omitted"] > 90
    assert found[1]["data"]["gate"]["findings"]


# -- the envelope ------------------------------------------------------------------------------------------------------


@given(TEXT, TEXT, TEXT)
def test_any_text_makes_a_valid_envelope(name: str, subject: str, value: str) -> None:
    found = json.loads(batch([event("x", {value: value}, id=name, source=name, subject=subject, note=value)]))
    checked(found[0])


def test_characters_that_no_attribute_may_hold_are_shown_as_escapes() -> None:
    found = event("x", None, id="\x00\ufdd0\U0001ffff\ud800", source="a b/ü")
    assert found["id"] == "\\x00\\U0000fdd0\\U0001ffff\\ud800"
    assert found["source"] == "urn:gatekeeper:subject:a%20b%2F%C3%BC"


def test_attributes_without_a_value_are_left_out_and_data_never_is() -> None:
    assert event("alert.fired", None, id="1", source="s") == {
        "specversion": "1.0",
        "type": "dev.gatekeeper.alert.fired",
        "source": "urn:gatekeeper:subject:s",
        "id": "1",
        "datacontenttype": "application/json",
        "data": None,
    }


def test_nobodys_subject_is_a_source_too() -> None:
    assert source_of("") == "urn:gatekeeper:subject:-"


def test_an_empty_batch_is_an_empty_list() -> None:
    assert batch([]) == "[]\n"
