"""CI files do what their pages say: each is run in a project whose gates proceed, hold or block, and the flow in the
middle starts only where they proceed.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import npm
from ci_systems import (
    ROOT,
    TEMPLATES,
    document,
    extended,
    plain_environment,
    run_azure,
    run_gitlab,
    stand_in,
    with_flow,
)

GATES = '''
import os

from gatekeeper import post, pre


def judge(ctx):
    if os.environ.get("PLANTED") == f"{ctx.phase} hold":
        ctx.unknown("nobody knows")
    ctx.check(os.environ.get("PLANTED") != f"{ctx.phase} block", "planted")


@pre
def before(ctx):
    """Before."""
    judge(ctx)


@post
def after(ctx):
    """After."""
    judge(ctx)
'''
CONFIGURATION = "".join(
    f"[gates.{name}]\nenabled = false\n" for name in ("resources", "storage", "cleanup", "state")
)
PLANTED = ["", "pre hold", "pre block", "post hold", "post block"]
FLOW_RUNS = {"": True, "pre hold": False, "pre block": False, "post hold": True, "post block": True}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a flow that leaves a file, and a stand-in for pip: gatekeeper is there already."""
    root = tmp_path / "project"
    (root / "gates").mkdir(parents=True)
    (root / "gates" / "gate_planted.py").write_text(GATES)
    (root / "gatekeeper.toml").write_text(CONFIGURATION)
    (root / "flow.sh").write_text("#!/bin/sh\ntouch flow-ran\n")
    (root / "flow.sh").chmod(0o755)
    return root


@pytest.fixture
def environment(project: Path, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    commands = stand_in(tmp_path, "pip")
    return lambda planted: plain_environment(project, commands) | {"PLANTED": planted}


Environment = Callable[[str], dict[str, str]]


def completed(name: str) -> Any:
    return yaml.safe_load(with_flow((TEMPLATES / name).read_text("utf-8")))


def ran(project: Path) -> bool:
    return (project / "flow-ran").exists()


# -- GitHub ------------------------------------------------------------------------------------------------------------


def run_workflow(project: Path, environment: dict[str, str]) -> tuple[int, Path]:
    """The scripts of the template's job until one fails; its summary."""
    summary = project.parent / "summary"
    summary.touch()
    for step in completed("github.yml")["jobs"]["gates"]["steps"]:
        if "run" in step:
            command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
            given = environment | {"GITHUB_STEP_SUMMARY": str(summary)}
            done = subprocess.run(
                command, cwd=project, env=given, capture_output=True, text=True, check=False, timeout=100
            )
            if done.returncode:
                assert "::error " in done.stderr
                return done.returncode, summary
    return 0, summary


@pytest.mark.parametrize(
    ("planted", "code"), [("", 0), ("pre hold", 6), ("pre block", 1), ("post hold", 6), ("post block", 1)]
)
def test_the_github_workflow(project: Path, environment: Environment, planted: str, code: int) -> None:
    exit_code, summary = run_workflow(project, environment(planted))
    assert (exit_code, ran(project)) == (code, FLOW_RUNS[planted])
    headings = [line.split()[2] for line in summary.read_text("utf-8").splitlines() if line.startswith("## ")]
    *earlier, last = headings
    assert last.rstrip(":") == {0: "PROCEED", 1: "BLOCK", 6: "HOLD"}[code]
    assert len(earlier) == (1 if FLOW_RUNS[planted] else 0)


# -- GitLab ------------------------------------------------------------------------------------------------------------

GITLAB_STATUS = {
    "": "success",
    "pre hold": "warning",
    "pre block": "failed",
    "post hold": "warning",
    "post block": "failed",
}


@pytest.mark.parametrize("planted", PLANTED)
def test_the_gitlab_job(project: Path, environment: Environment, tmp_path: Path, planted: str) -> None:
    job = extended(completed("gitlab.yml"))["gates"]
    assert run_gitlab(job, project, environment(planted)) == GITLAB_STATUS[planted]
    assert ran(project) == FLOW_RUNS[planted]
    assert (tmp_path / "pip.calls").read_text() == "install --quiet gatekeeper-gates\n"
    for report in job["artifacts"]["reports"].values():
        assert len([*project.glob(report)]) == (2 if FLOW_RUNS[planted] else 1)
    assert (project / job["cache"]["paths"][0] / "history.db").exists()


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def repository(root: Path, *remote: str) -> None:
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "all")
    if remote:
        git(root, "remote", "add", "origin", *remote)


@pytest.fixture(scope="module")
def gitlab_ci_local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that runs GitLab's pipelines without GitLab. Its later versions need Node.js 22."""
    if shutil.which("rsync") is None:
        pytest.skip("needs rsync: apt-get install rsync")
    return (
        npm.installed(tmp_path_factory.mktemp("npm"), "gitlab-ci-local@4.61.1") / ".bin" / "gitlab-ci-local"
    )


@pytest.mark.real
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("planted", "said"), [("", "PASS"), ("pre hold", "WARN"), ("post block", "FAIL")])
def test_the_gitlab_pipeline_by_another_program_that_knows_gitlabs_rules(
    project: Path, environment: Environment, gitlab_ci_local: Path, planted: str, said: str
) -> None:
    """Another file includes the template, and gives its job a script of its own."""
    (project / "gates.yml").write_text((TEMPLATES / "gitlab.yml").read_text("utf-8"))
    job = completed("gitlab.yml")["gates"]
    own = {"include": [{"local": "gates.yml"}], "gates": {"script": job["script"]}}
    (project / ".gitlab-ci.yml").write_text(yaml.safe_dump(own))
    repository(project, "git@gitlab.example.org:group/project.git")
    done = subprocess.run(
        [str(gitlab_ci_local), "--force-shell-executor", "--artifacts-to-source", "--no-color"], cwd=project,
        env=environment(planted), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=100, check=False,
    )  # fmt: skip
    assert re.search(rf"(?m)^ {said}  gates\b", done.stdout), done.stdout
    assert (project / "reports" / "pre" / "junit.xml").exists()


# -- Azure -------------------------------------------------------------------------------------------------------------

AZURE = {
    "": ("Succeeded", ["Gates before", "Flow", "Gates after"]),
    "pre hold": ("SucceededWithIssues", ["Gates before"]),
    "pre block": ("Failed", ["Gates before"]),
    "post hold": ("SucceededWithIssues", ["Gates before", "Flow", "Gates after"]),
    "post block": ("Failed", ["Gates before", "Flow", "Gates after"]),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_the_azure_pipeline(project: Path, environment: Environment, planted: str) -> None:
    job = run_azure(completed("azure.yml"), project, environment(planted))
    assert (job.result, job.ran) == AZURE[planted], job.log
    assert ran(project) == FLOW_RUNS[planted]


def test_azure_publishes_the_results_whatever_the_gates_say() -> None:
    published = [
        step for step in document(TEMPLATES / "azure.yml")["steps"] if step.get("condition") == "always()"
    ]
    assert [step.get("task") or "publish" for step in published] == ["PublishTestResults@2", "publish"]


# -- Jenkins -----------------------------------------------------------------------------------------------------------

JENKINS = {
    "": ["STAGE Set up", "STAGE Gates before", "STAGE Flow", "STAGE Gates after", "RESULT SUCCESS"],
    "pre hold": ["STAGE Set up", "STAGE Gates before", "UNSTABLE HOLD: somebody has to look at the pre gates",
                 "SKIPPED Flow", "SKIPPED Gates after", "RESULT UNSTABLE"],
    "pre block": ["STAGE Set up", "STAGE Gates before", "FAILED the pre gates ended with exit code 1", "SKIPPED Flow",
                  "SKIPPED Gates after", "RESULT FAILURE"],
    "post hold": ["STAGE Set up", "STAGE Gates before", "STAGE Flow", "STAGE Gates after",
                  "UNSTABLE HOLD: somebody has to look at the post gates", "RESULT UNSTABLE"],
    "post block": ["STAGE Set up", "STAGE Gates before", "STAGE Flow", "STAGE Gates after",
                   "FAILED the post gates ended with exit code 1", "RESULT FAILURE"],
}  # fmt: skip


@pytest.fixture(scope="module")
def groovy(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A Groovy that runs, which comes with its linter."""
    java = shutil.which("java")
    if java is None:
        pytest.skip("needs Java: apt-get install default-jre-headless")
    modules = npm.installed(tmp_path_factory.mktemp("npm"), "npm-groovy-lint@16.2.0")
    jars = modules / "npm-groovy-lint" / "lib" / "java" / "groovy" / "lib"
    return [java, "-cp", f"{jars}/*", "groovy.ui.GroovyMain", str(ROOT / "tests" / "jenkins.groovy")]


@pytest.mark.real
@pytest.mark.timeout(300)
@pytest.mark.parametrize("planted", PLANTED)
def test_the_jenkinsfile(
    project: Path, environment: Environment, groovy: list[str], tmp_path: Path, planted: str
) -> None:
    (project / "Jenkinsfile").write_text(with_flow((TEMPLATES / "Jenkinsfile").read_text("utf-8")))
    commands = project / ".venv" / "bin"
    commands.mkdir(parents=True)
    (commands / "gatekeeper").symlink_to(Path(sys.prefix) / "bin" / "gatekeeper")
    (commands / "pip").symlink_to(tmp_path / "bin" / "pip")
    stand_in(tmp_path, "python3")
    done = subprocess.run(
        [*groovy, "Jenkinsfile"], cwd=project, env=environment(planted), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    shown = [line for line in done.stdout.splitlines() if line.split()[:1] and line.split()[0] in
             ("STAGE", "SKIPPED", "FAILED", "UNSTABLE", "RESULT", "JUNIT", "ARCHIVE")]  # fmt: skip
    *stages, result = JENKINS[planted]
    assert shown == [*stages, "JUNIT reports/*/junit.xml", "ARCHIVE reports/**", result], (
        done.stdout + done.stderr
    )
    assert ran(project) == FLOW_RUNS[planted]
    assert (tmp_path / "python3.calls").read_text() == "-m venv .venv\n"


# -- pre-commit --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository as it is here, committed, as pre-commit clones it."""
    root = tmp_path_factory.mktemp("hooks") / "gatekeeper"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    files = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    repository(root)
    return root


@pytest.mark.heavy
@pytest.mark.timeout(600)
def test_pre_commit_stops_a_commit_that_the_gates_do_not_let_through(
    project: Path, hooks: Path, tmp_path: Path
) -> None:
    pre_commit = shutil.which("pre-commit", path=str(Path(sys.prefix) / "bin"))
    if pre_commit is None:
        pytest.skip("needs pre-commit: pip install pre-commit")
    revision = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=hooks, check=True, capture_output=True, text=True
    )
    wanted = {
        "repo": str(hooks),
        "rev": revision.stdout.strip(),
        "hooks": [{"id": "gatekeeper"}, {"id": "gatekeeper-config"}],
    }
    (project / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [wanted]}))
    repository(project)

    def commit(planted: str) -> tuple[int, str]:
        hidden = ("GIT_", "GATEKEEPER_", "PRE_COMMIT")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        environment |= {"PRE_COMMIT_HOME": str(tmp_path / "cache"), "PLANTED": planted}
        done = subprocess.run(
            [pre_commit, "run", "--all-files"], cwd=project, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    code, said = commit("")
    assert code == 0, said
    assert said.count("Passed") == 2
    code, said = commit("pre block")
    assert (code, "VERDICT  BLOCK" in said, "exit code: 1" in said) == (1, True, True), said
    code, said = commit("pre hold")
    assert (code, "exit code: 6" in said) == (1, True), said
    (project / "gatekeeper.toml").write_text("[gates.resources]\nenabld = false\n")
    git(project, "add", ".")
    code, said = commit("")
    assert (code, 'unknown key "enabld"' in said) == (1, True), said
