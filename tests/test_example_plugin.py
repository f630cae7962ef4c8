"""`examples/plugin/`: a third party's distribution, installed and used as its users would."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gatekeeper.testing import Project

SOURCE = Path(__file__).parents[1] / "examples" / "plugin"

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git (Debian package git)")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the plugin is installed in, without a network."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "dist"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        *options,
        "--target",
        str(folder / "site"),
        str(folder / "source"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def project(tmp_path: Path, installed: Path) -> Project:
    """A Git repository with one commit, and the plugin on the path."""
    project = Project(tmp_path).write({"gatekeeper.toml": "", ".gitignore": ".gatekeeper*\n"})
    project.environment = {"PYTHONPATH": str(installed)}
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "first")
    return project


def git(folder: Path, *arguments: str) -> None:
    nowhere = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *arguments], cwd=folder, env=os.environ | nowhere, check=True, capture_output=True)


def test_its_gate_is_listed_with_the_others(project: Project) -> None:
    listed = project.command("list", "--format", "json")
    assert listed.exit_code == 0, listed.stderr
    assert '"pre.worktree"' in listed.stdout


def test_its_gate_passes_on_a_clean_checkout_with_its_fact_as_evidence(project: Project) -> None:
    outcome = project.run("pre", "pre.worktree")
    assert outcome.exit_code == 0, outcome.stderr
    branch = outcome["pre.worktree"].findings[0]
    assert (branch.observed, branch.operator) == ("main", "in")
    assert len(branch.evidence["commit"]) == 40


def test_its_gate_blocks_a_changed_tree_and_names_the_file(project: Project) -> None:
    project.write({".gitignore": "*"})
    outcome = project.run("pre", "pre.worktree")
    assert outcome.exit_code == 1
    [changed] = [finding for finding in outcome["pre.worktree"].findings if finding.name == "changed"]
    assert changed.evidence["files"] == [".gitignore"]


def test_its_settings_are_read_from_the_configuration(project: Project) -> None:
    project.write({"gatekeeper.toml": '[gates.worktree]\nbranches = ["release/*"]\nmax_changed = 1\n'})
    outcome = project.run("pre", "pre.worktree")
    assert outcome.exit_code == 1
    assert "main is not a branch to ship from" in outcome["pre.worktree"].reason


def test_a_typing_error_in_its_settings_is_named(project: Project) -> None:
    project.write({"gatekeeper.toml": '[gates.worktree]\nbranch = ["main"]\n'})
    outcome = project.run("pre")
    assert outcome.exit_code == 4
    assert "gatekeeper.toml:2" in outcome.stderr
    assert "Did you mean 'branches'?" in outcome.stderr


def test_its_report_is_a_format_like_any_other(project: Project) -> None:
    outcome = project.command("run", "pre", "pre.worktree", "--format", "badge")
    assert outcome.exit_code == 0, outcome.stderr
    assert json.loads(outcome.stdout)["message"] == "proceed"


def test_its_command_is_a_command_like_any_other(project: Project) -> None:
    outcome = project.command("worktree")
    assert outcome.exit_code == 0, outcome.stderr
    assert json.loads(outcome.stdout)["branch"] == "main"


def test_without_git_its_gate_is_unknown_and_holds(project: Project) -> None:
    shutil.rmtree(project.root / ".git")
    project.environment["GIT_CEILING_DIRECTORIES"] = str(project.root.parent)
    outcome = project.run("pre", "pre.worktree")
    assert outcome.exit_code == 6
    assert "not a git repository" in outcome["pre.worktree"].reason


SECOND = '''
from gatekeeper import pre

@pre
def worktree(ctx):
    """Another gate of the same name."""
    assert True
'''


def test_a_second_plugin_with_the_same_gate_is_refused_with_both_names(
    project: Project, tmp_path: Path
) -> None:
    other = tmp_path / "other-site"
    Project(other).write(
        {
            "gatekeeper_rival.py": SECOND,
            "gatekeeper_rival-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: gatekeeper-rival\n",
            "gatekeeper_rival-1.0.dist-info/entry_points.txt": "[gatekeeper]\nrival = gatekeeper_rival\n",
        }
    )
    project.environment["PYTHONPATH"] += f"{os.pathsep}{other}"
    outcome = project.run("pre")
    assert outcome.exit_code == 4
    assert "pre.worktree" in outcome.stderr
    assert "gatekeeper_rival.py" in outcome.stderr
    assert "gatekeeper_worktree/gates.py" in outcome.stderr.replace(os.sep, "/")
    assert "Traceback" not in outcome.stderr


def test_a_project_gate_with_the_same_name_is_refused_too(project: Project) -> None:
    project.write({"gates/gate_mine.py": SECOND})
    outcome = project.run("pre")
    assert outcome.exit_code == 4
    assert "gates/gate_mine.py" in outcome.stderr
    assert "gatekeeper_worktree/gates.py" in outcome.stderr.replace(os.sep, "/")


def test_a_disabled_plugin_is_not_loaded(project: Project) -> None:
    project.write({"gatekeeper.toml": '[plugins]\ndisable = ["worktree"]\n'})
    outcome = project.run("pre", "pre.worktree")
    assert outcome.exit_code == 4
    assert "pre.worktree" in outcome.stderr


def test_its_own_tests_pass(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(SOURCE / "tests", tmp_path / "tests")
    environment = os.environ | {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "tests")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "10 passed" in done.stdout
