"""`gatekeeper.annotations` and `gatekeeper.places`: what is said, of which file and line of the repository, and by which name."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import Finding, Result, Run, Subject
from gatekeeper.annotations import Annotation, annotations
from gatekeeper.decide import Policy, count, decide
from gatekeeper.model import Header, Reason, Source, Verdict
from gatekeeper.places import Place, repository


def run_of(
    *results: Result, config: str | None = None, verdict: Verdict | None = None, subject: str = "s"
) -> Run:
    return Run(
        header=Header(id="r", phase="all", started="", config=config),
        subject=Subject(subject),
        verdict=verdict or decide(results, [result.id for result in results], Policy()),
        counts=count(results),
        results=results,
    )


def gate(
    status: str = "fail", *findings: Finding, id: str = "pre.a", file: str = "", line: int = 3, **more: object
) -> Result:
    return Result(id=id, phase="pre", status=status, findings=findings, source=Source(file, line), **more)  # type: ignore[arg-type]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a folder of a repository, with a gate of its own and a table for one of a package."""
    root = tmp_path / "services" / "orders"
    (root / "gates").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (root / "gates" / "gate_a.py").write_text("")
    (root / "gatekeeper.toml").write_text(
        "[run]\njobs = 1\n\n[[gates.inputs.files]]\npath = 'x'\n[gates.inputs]\n"
    )
    return root


def only(run: Run, root: Path | None = None) -> Annotation:
    (annotation,) = annotations(run, root)
    return annotation


# -- where -------------------------------------------------------------------------------------------------------------


def test_a_gate_of_the_project_is_annotated_where_it_is_defined_from_the_root_of_the_repository(
    project: Path,
) -> None:
    assert only(run_of(gate(file="gates/gate_a.py")), project).place == Place(
        "services/orders/gates/gate_a.py", 3
    )


@pytest.mark.parametrize(
    "config",
    ["gatekeeper.toml", "../gatekeeper.toml", "services/orders/gatekeeper.toml", "../../x/gatekeeper.toml"],
)
def test_a_gate_of_a_package_is_annotated_at_its_table_from_wherever_gatekeeper_was_started(
    project: Path, config: str
) -> None:
    result = gate(id="pre.inputs[eu]", file="gatekeeper_gates/inputs.py", line=31)
    assert only(run_of(result, config=config), project).place == Place("services/orders/gatekeeper.toml", 4)


def test_a_gate_of_a_package_without_a_table_is_annotated_at_the_top_of_the_configuration(
    project: Path,
) -> None:
    result = gate(id="pre.storage", file="gatekeeper_gates/storage.py", line=31)
    assert only(run_of(result, config="gatekeeper.toml"), project).place == Place(
        "services/orders/gatekeeper.toml", 1
    )


def test_tables_in_pyproject_are_found_too(project: Path) -> None:
    (project / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.gatekeeper.gates.storage]\n")
    result = gate(id="pre.storage", file="gatekeeper_gates/storage.py")
    assert only(run_of(result, config="pyproject.toml"), project).place == Place(
        "services/orders/pyproject.toml", 3
    )


def test_a_gate_of_a_package_in_a_project_without_configuration_has_no_place(project: Path) -> None:
    assert only(run_of(gate(file="gatekeeper_gates/storage.py")), project).place is None


@pytest.mark.parametrize(
    "file",
    ["/etc/passwd", "../../../../../../../etc/passwd", "gates", ".", "", "\0", "\ud800", "a\nb", "x" * 5000],
)
def test_what_is_no_file_of_the_repository_is_no_place(project: Path, file: str) -> None:
    finding = Finding("f", "fail", evidence={"file": file, "line": 3})
    assert only(run_of(gate("fail", finding, file=file)), project).place is None


def test_a_link_is_resolved_since_github_shows_nothing_at_one(project: Path) -> None:
    os.symlink("gate_a.py", project / "gates" / "gate_b.py")
    assert only(run_of(gate(file="gates/gate_b.py")), project).place == Place(
        "services/orders/gates/gate_a.py", 3
    )


def test_a_project_that_is_reached_through_a_link_is_in_the_same_repository(
    project: Path, tmp_path: Path
) -> None:
    os.symlink(project, tmp_path / "link")
    assert only(run_of(gate(file="gates/gate_a.py")), tmp_path / "link").place == Place(
        "services/orders/gates/gate_a.py", 3
    )


@pytest.mark.parametrize("variable", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"])
def test_without_a_checkout_the_ci_system_says_where_the_repository_is(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    (tmp_path / ".git").rmdir()
    for each in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(each, raising=False)
    assert repository(project) == project
    monkeypatch.setenv(variable, str(tmp_path / "services"))
    assert repository(project) == tmp_path / "services"
    monkeypatch.setenv(variable, "/somewhere/else")
    assert repository(project) == project


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("gates/g.py", Place("gates/g.py", 3)),
        ("/g.py", None),
        ("../g.py", None),
        ("gates/../../g.py", None),
        ("", None),
    ],
)
def test_a_record_without_its_project_is_believed_within_the_project(file: str, place: Place | None) -> None:
    assert only(run_of(gate(file=file))).place == place


def test_a_line_that_is_not_known_is_the_first(project: Path) -> None:
    assert only(run_of(gate(file="gates/gate_a.py", line=0)), project).place == Place(
        "services/orders/gates/gate_a.py", 1
    )


# -- findings with a place of their own --------------------------------------------------------------------------------


def test_findings_that_name_a_file_are_annotated_there_and_the_others_at_the_gate(project: Path) -> None:
    placed = Finding(
        "todo", "warn", message="a TODO", evidence={"file": "gates/gate_a.py", "line": 7}, hint="do it"
    )
    result = gate(
        "fail",
        placed,
        Finding("size", "fail", message="too large"),
        file="gates/gate_a.py",
        reason="too large",
    )
    own, its = annotations(run_of(result), project)
    assert (own.text, own.effect, own.place) == (
        "too large",
        "block",
        Place("services/orders/gates/gate_a.py", 3),
    )
    assert (its.text, its.effect, its.place) == (
        "a TODO",
        "warn",
        Place("services/orders/gates/gate_a.py", 7),
    )
    assert its.lines == ["a TODO", "try: do it"]


def test_where_every_finding_has_a_place_the_gate_itself_has_none(project: Path) -> None:
    findings = [
        Finding("todo", "fail", message=f"TODO {n}", evidence={"file": "gates/gate_a.py", "line": n})
        for n in (9, 4)
    ]
    result = gate("fail", *findings, Finding("lines", "pass", 12), file="gates/gate_a.py")
    found = annotations(run_of(result), project)
    assert [each.place.line for each in found if each.place] == [9, 4]
    assert len({each.fingerprint for each in found}) == 2


@pytest.mark.parametrize("line", [0, -1, True, "7", 1.5, None])
def test_a_line_that_is_none_is_the_first(project: Path, line: object) -> None:
    finding = Finding("f", "fail", evidence={"file": "gates/gate_a.py", "line": line})
    assert only(run_of(gate("fail", finding)), project).place == Place("services/orders/gates/gate_a.py", 1)


# -- what --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "requirement", "effect"),
    [
        ("fail", "required", "block"), ("error", "required", "block"), ("unknown", "required", "hold"), ("warn", "required", "warn"),
        ("fail", "advisory", "warn"), ("error", "advisory", "warn"), ("unknown", "advisory", "warn"), ("warn", "advisory", "warn"),
        ("fail", "observe", "note"), ("error", "observe", "note"), ("unknown", "observe", "note"), ("warn", "observe", "note"),
    ],
)  # fmt: skip
def test_only_a_required_gate_blocks_or_holds(status: str, requirement: str, effect: str) -> None:
    other = gate("pass", id="pre.ok")
    assert only(run_of(other, gate(status, requirement=requirement, reason="why"))).effect == effect


def test_nothing_is_said_where_nothing_is_wrong() -> None:
    assert annotations(run_of(gate("pass"), gate("skip", id="pre.b"))) == []


def test_worst_comes_first() -> None:
    results = [
        gate("warn", id="pre.w"),
        gate("fail", id="pre.o", requirement="observe"),
        gate("unknown", id="pre.u"),
        gate("fail", id="pre.f"),
    ]
    assert [each.rule for each in annotations(run_of(*results))] == ["pre.f", "pre.u", "pre.w", "pre.o"]


@pytest.mark.parametrize(("decision", "effect"), [("block", "block"), ("hold", "hold"), ("none", "hold")])
def test_a_verdict_that_no_gate_stands_for_is_said(project: Path, decision: str, effect: str) -> None:
    verdict = Verdict(
        decision,
        (Reason(status="freeze", text="a freeze", hint="wait"), Reason(status="freeze", text="another")),
        6,
    )  # type: ignore[arg-type]
    found = annotations(run_of(gate("pass"), config="gatekeeper.toml", verdict=verdict), project)
    assert [(each.rule, each.effect, each.text) for each in found] == [
        ("verdict", effect, "a freeze"),
        ("verdict", effect, "another"),
    ]
    assert found[0].place == Place("services/orders/gatekeeper.toml", 1)
    assert found[0].lines == ["a freeze", "try: wait"]
    assert found[0].fingerprint != found[1].fingerprint


def test_a_required_gate_that_was_not_run_for_an_advisory_one_is_said_at_that_gate(project: Path) -> None:
    parent = gate("fail", id="pre.a", requirement="advisory", reason="no")
    child = gate("skip", id="pre.b", blocked_by="pre.a", reason="blocked by pre.a", file="gates/gate_a.py")
    held, warned = annotations(run_of(parent, child), project)
    assert (held.rule, held.effect, held.place) == (
        "pre.b",
        "hold",
        Place("services/orders/gates/gate_a.py", 3),
    )
    assert (warned.rule, warned.effect) == ("pre.a", "warn")


def test_a_gate_that_has_no_result_is_said() -> None:
    verdict = decide([gate("pass")], ["pre.a", "pre.lost"], Policy())
    assert only(run_of(gate("pass"), verdict=verdict)).rule == "pre.lost"


# -- fingerprints ------------------------------------------------------------------------------------------------------


@given(st.floats(allow_nan=False, allow_infinity=False), st.text(), st.text())
def test_a_fingerprint_does_not_know_what_was_observed(value: float, message: str, reason: str) -> None:
    before = gate("fail", Finding("p95", "fail", 0.7, "<=", 0.5, "s", message="0.7 s"), reason="0.7 s")
    after = gate("error", Finding("p95", "fail", value, "<=", 0.5, "s", message=message), reason=reason)
    assert only(run_of(before)).fingerprint == only(run_of(after)).fingerprint


def test_gates_subjects_and_findings_have_fingerprints_of_their_own(project: Path) -> None:
    finding = Finding("todo", "fail", evidence={"file": "gates/gate_a.py", "line": 7})
    same = [Finding("todo", "fail", evidence={"file": "gates/gate_a.py", "line": n}) for n in (1, 2)]
    found = [
        only(run_of(gate())),
        only(run_of(gate(id="pre.b"))),
        only(run_of(gate(), subject="other")),
        only(run_of(gate("fail", finding)), project),
        *annotations(run_of(gate("fail", *same, id="pre.c")), project),
    ]
    assert len({each.fingerprint for each in found}) == len(found)
