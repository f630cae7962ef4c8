"""`sarif`: valid SARIF 2.1.0 for any run, and no more than GitHub takes."""

import gzip
import json
import random
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from report_samples import (
    ANY_RUN,
    HOSTILE,
    empty_run,
    interrupted_run,
    passing_run,
    rich_run,
    run_of,
    runs,
    text_of,
)

from gatekeeper import Finding, Result, Run
from gatekeeper.model import Source
from gatekeeper.testing import Project

# the pattern of a language has a bracket too many, which JavaScript lets pass
TEXT = (
    (Path(__file__).parent / "schemas" / "sarif-2.1.0-rtm.5.json")
    .read_text("utf-8")
    .replace("{2}]?$", "{2}$")
)
VALIDATOR = jsonschema_rs.Draft4Validator(json.loads(TEXT), validate_formats=True)
URI = re.compile(r"(?:[\w.~!$&'()*+,;=@/-]|%[0-9A-F]{2})+", re.ASCII)


def log(run: Run, **options: Any) -> Any:
    """The only run of a valid log, checked for what the schema does not say."""
    document = json.loads(text_of("sarif", run, **options).encode("utf-8"))
    VALIDATOR.validate(document)
    (found,) = document["runs"]
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    for rule in found["tool"]["driver"]["rules"]:
        assert all(rule[key]["text"] for key in ("shortDescription", "fullDescription", "help"))
    for result in found["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["kind"] == "fail" or "level" not in result, (
            "3.27.10: a level other than none is for fails"
        )
        (location,) = result["locations"]
        artifact = location["physicalLocation"]["artifactLocation"]
        assert URI.fullmatch(artifact["uri"])
        assert not artifact["uri"].startswith("/")
        assert artifact["uriBaseId"] in found["originalUriBaseIds"]
        assert result["message"]["text"]
    return found


def results(run: Run, **options: Any) -> list[Any]:
    found: list[Any] = log(run, **options)["results"]
    return found


def a_gate(**fields: Any) -> Result:
    return Result(**{"id": "pre.a", "phase": "pre", "status": "fail", "reason": "why", **fields})


@ANY_RUN
@given(runs())
def test_any_run_is_valid_and_has_a_result_unless_it_proceeds(run: Run) -> None:
    found = log(run)
    fingerprints = [result["partialFingerprints"]["gatekeeper/v1"] for result in found["results"]]
    assert len(set(fingerprints)) == len(fingerprints)
    assert found["invocations"][0]["exitCode"] == run.verdict.exit_code
    assert found["properties"]["verdict"]["decision"] == run.verdict.decision
    if run.verdict.decision != "proceed":
        levels = {
            rule["id"]: rule.get("defaultConfiguration", {}).get("level")
            for rule in found["tool"]["driver"]["rules"]
        }
        assert any(result.get("level", levels[result["ruleId"]]) == "error" for result in found["results"])


@ANY_RUN
@given(runs())
def test_messages_have_no_placeholders_and_no_links_of_their_own(run: Run) -> None:
    for result in results(run):
        text = result["message"]["text"].replace("{{", "").replace("}}", "")
        assert "{" not in text
        assert "}" not in text
        assert not re.search(r"(?<!\\)\]\(", text)


def test_rules_are_all_gates_and_results_only_those_that_do_not_pass() -> None:
    found = log(rich_run())
    assert {rule["id"] for rule in found["tool"]["driver"]["rules"]} == {
        result.id for result in rich_run().results
    }
    told = [result["ruleId"] for result in found["results"]]
    assert told == [
        "pre.crash[käse & wein]",
        "pre.components",
        "pre.latency",
        "post.rows",
        "pre.storage",
        "post.hostile",
    ]


@pytest.mark.parametrize(
    ("status", "requirement", "kind", "level"),
    [
        ("fail", "required", "fail", "error"), ("error", "required", "fail", "error"), ("warn", "required", "fail", "warning"),
        ("unknown", "required", "open", "error"), ("unknown", "advisory", "open", "warning"), ("unknown", "observe", "open", "note"),
        ("fail", "advisory", "fail", "warning"), ("error", "advisory", "fail", "warning"), ("warn", "advisory", "fail", "warning"),
        ("fail", "observe", "fail", "note"), ("error", "observe", "fail", "note"), ("warn", "observe", "fail", "note"),
    ],
)  # fmt: skip
def test_each_status_and_requirement_has_its_kind_and_the_level_that_github_shows(
    status: str, requirement: str, kind: str, level: str
) -> None:
    found = log(run_of((*passing_run().results, a_gate(id="pre.b", status=status, requirement=requirement))))
    (result,) = found["results"]
    rule = found["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert result["kind"] == kind
    assert result.get("level", rule["defaultConfiguration"]["level"]) == level


def test_whoever_reads_kinds_can_have_passes_and_skips() -> None:
    kinds = {result["ruleId"]: result["kind"] for result in results(rich_run(), verbosity=1)}
    assert set(kinds) == {result.id for result in rich_run().results}
    assert (kinds["pre.resources"], kinds["pre.gpu"]) == ("pass", "notApplicable")


def test_a_failure_says_where_and_why() -> None:
    result = next(each for each in results(rich_run()) if each["ruleId"] == "pre.components")
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "gates/gate_components.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 14},
    }
    lines = result["message"]["text"].split("\n")
    assert lines[0] == "backend http://localhost:8000/health gave 503, want 200"
    assert {"expected: == 200", "observed: 503", "try: curl -i http://localhost:8000/health"} <= set(lines)


def test_a_category_for_each_phase_and_subject_so_that_uploads_do_not_replace_each_other() -> None:
    assert log(rich_run())["automationDetails"]["id"] == "gatekeeper/all/checkout/7d1f0c"
    assert log(run_of((), id="a/b"))["automationDetails"]["id"] == "gatekeeper/all/checkout/a-b"


@pytest.mark.parametrize(
    ("run", "successful"),
    [(rich_run(), True), (passing_run(), True), (empty_run(), False), (interrupted_run(), False)],
)
def test_a_run_was_successful_if_it_came_to_a_decision(run: Run, successful: bool) -> None:
    (invocation,) = log(run)["invocations"]
    assert invocation["executionSuccessful"] is successful
    assert (invocation["exitCode"], invocation["exitCodeDescription"]) == (
        run.verdict.exit_code,
        run.verdict.decision,
    )


@pytest.mark.parametrize("run", [empty_run(), interrupted_run()])
def test_a_verdict_that_no_gate_stands_for_is_a_result(run: Run) -> None:
    (result,) = results(run)
    assert (result["ruleId"], result["level"]) == ("verdict", "error")


def test_notes_are_notifications() -> None:
    (note,) = log(rich_run())["invocations"][0]["toolExecutionNotifications"]
    assert note == {"level": "note", "message": {"text": "history was not written: disk is full"}}


def test_a_path_is_a_uri() -> None:
    (result,) = results(run_of((a_gate(source=Source("gates/käse: 100 %.py", 1)),)))
    assert (
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        == "gates/k%C3%A4se%3A%20100%20%25.py"
    )


def test_what_would_be_a_placeholder_or_a_link_is_text() -> None:
    (result,) = results(run_of((a_gate(reason='{0} {"a": 1} [click](http://x)'),)))
    assert result["message"]["text"].split("\n")[0] == '{{0}} {{"a": 1}} [click\\](http://x)'


def test_more_than_github_shows_is_left_out_worst_first_and_counted() -> None:
    warnings = tuple(a_gate(id=f"pre.w{n}", status="warn") for n in range(5_500))
    failures = tuple(a_gate(id=f"pre.f{n}") for n in range(10))
    found = log(run_of((*warnings, *failures)))
    assert len(found["results"]) == 5_000
    assert [result["ruleId"] for result in found["results"][:10]] == [f"pre.f{n}" for n in range(10)]
    (_, notification) = found["invocations"][0]["toolExecutionNotifications"]
    assert notification["level"] == "warning"
    assert notification["message"]["text"].startswith("510 more results had no room here")


@pytest.mark.heavy
def test_the_file_is_smaller_than_github_takes_whatever_is_in_it() -> None:
    chance = random.Random(7)

    def noise() -> str:
        return "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(1_000))

    gates = tuple(
        a_gate(id=f"pre.{noise()}", title=noise(), reason=noise(), source=Source(noise(), 1))
        for _ in range(1_500)
    )
    text = text_of("sarif", run_of(gates))
    assert len(gzip.compress(text.encode("utf-8"))) < 10_000_000
    found = json.loads(text)["runs"][0]
    assert 100 < len(found["results"]) < 1_500
    assert (
        "more results had no room here"
        in found["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"]
    )


@pytest.mark.heavy
def test_no_more_rules_than_github_takes() -> None:
    found = log(run_of(tuple(a_gate(id=f"pre.g{n}", status="pass") for n in range(26_000))))
    assert len(found["tool"]["driver"]["rules"]) == 25_000


def test_tags_of_a_gate_are_those_of_its_rule_ten_at_most_and_none_twice() -> None:
    tags = ("a", "a\n", "a ", *(f"t{n}" for n in range(20)))
    (rule,) = log(run_of((a_gate(tags=tags),)))["tool"]["driver"]["rules"]
    assert len(rule["properties"]["tags"]) == 10
    assert rule["properties"]["tags"][0] == "a"


def test_gates_whose_names_look_the_same_share_a_rule() -> None:
    found = log(run_of((a_gate(id="pre.\n"), a_gate(id="pre."))))
    assert [rule["id"] for rule in found["tool"]["driver"]["rules"]] == ["pre."]
    assert len(found["results"]) == 2


def test_findings_with_places_are_results_of_their_own(tmp_path: Path) -> None:
    project = Project(tmp_path).write(
        {
            "src/app.py": "pass\n# TODO\n",
            "gates/gate_todo.py": """
                from gatekeeper import pre

                @pre(requirement="advisory")
                def todo(ctx):
                    ctx.check(False, "TODO found", evidence={"file": "src/app.py", "line": 2})
                """,
        }
    )
    done = project.command("run", "pre", "pre.todo", "--format", "sarif")
    (result,) = json.loads(done.stdout)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "src/app.py"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 2}
    assert (result["level"], result["properties"]) == (
        "warning",
        {"status": "fail", "requirement": "advisory"},
    )


def test_hostile_text_is_shown_as_text() -> None:
    finding = Finding(HOSTILE, "fail", HOSTILE, "==", HOSTILE, message=HOSTILE, hint=HOSTILE)
    (result,) = results(
        run_of((a_gate(id=f"pre.{HOSTILE}", title=HOSTILE, reason=HOSTILE, findings=(finding,)),))
    )
    assert "\\x1b[31mred" in result["message"]["text"]
    assert "\x1b" not in json.dumps(result, ensure_ascii=False)
