"""This repository's own gates: they hold for it as it is, and each of them finds what it is there to find."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import ZipFile

import pytest

from ci_systems import ROOT
from gatekeeper.testing import Outcome, Project

CONFIG = ("--config", ".ci/gatekeeper.toml")
TREE = (
    "gatekeeper",
    "gates",
    "reports",
    "pytest_gatekeeper",
    "docs",
    "examples",
    "benchmarks",
    "tests",
    ".ci",
    ".github",
)


@pytest.fixture
def repository(tmp_path: Path) -> Project:
    """A copy of what the gates look at, so that nothing here is changed by looking."""
    root = tmp_path / "repository"
    hidden = shutil.ignore_patterns(
        "__pycache__", ".gatekeeper", "build", ".hypothesis", "*.egg-info", ".venv"
    )
    for name in TREE:
        shutil.copytree(ROOT / name, root / name, ignore=hidden)
    shutil.copy(ROOT / ".ci" / "build", root / ".ci" / "build")  # a program, no output
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, root / path.name)
    return Project(root)


def run(project: Project, phase: str, *gates: str) -> Outcome:
    return project.run(phase, *gates, *CONFIG, "--no-history")


# -- before the build --------------------------------------------------------------------------------------------------


def test_a_page_that_is_not_as_the_source_has_it_blocks(repository: Project) -> None:
    page = repository.root / "docs" / "cli.md"
    page.write_text(page.read_text("utf-8").replace("## `gatekeeper run`", "## `gatekeeper walk`"), "utf-8")
    outcome = run(repository, "pre", "generated_pages")
    assert outcome.exit_code == 1
    assert "docs/cli.md" in outcome["pre.generated_pages"].reason


def test_a_generator_that_breaks_is_an_error_and_no_pass(repository: Project) -> None:
    (repository.root / "docs" / "generate.py").write_text("raise SystemExit('no')\n")
    outcome = run(repository, "pre", "generated_pages")
    assert (outcome.exit_code, outcome["pre.generated_pages"].status) == (1, "error")


def test_a_link_to_nowhere_blocks_and_is_named(repository: Project) -> None:
    page = repository.root / "docs" / "howto" / "lost.md"
    page.write_text(
        "See [there](../nowhere.md#part), not `[code](nothing.md)` or [out](https://example.org/x).\n"
    )
    outcome = run(repository, "pre", "links")
    assert outcome.exit_code == 1
    told = [f.message for f in outcome["pre.links"].findings if f.status == "fail"]
    assert "docs/howto/lost.md links to ../nowhere.md, which isn't there" in told
    assert not [message for message in told if "nothing.md" in message or "example.org" in message]


def test_documentation_that_is_gone_is_no_pass(repository: Project) -> None:
    shutil.rmtree(repository.root / "docs")
    shutil.rmtree(repository.root / "examples")
    assert run(repository, "pre", "links").exit_code == 1


# -- after the build ---------------------------------------------------------------------------------------------------

PACKAGES = {
    "gatekeeper": ".",
    "gatekeeper_gates": "gates",
    "gatekeeper_sources": "gates",
    "gatekeeper_reports": "reports",
    "gatekeeper_channels": "reports",
}
METADATA = {
    "METADATA": "Name: gatekeeper-gates\nVersion: 0.1.0\n",
    "WHEEL": "Wheel-Version: 1.0\n",
    "RECORD": "",
    "licenses/LICENSE": "",
    "entry_points.txt": "[console_scripts]\ngatekeeper = gatekeeper.cli:main\n[gatekeeper]\nx = gatekeeper_gates.errors\n",
}
PLUGIN = {
    "gatekeeper_gates_pytest-0.1.0.dist-info/METADATA": "Name: gatekeeper-gates-pytest\nVersion: 0.1.0\nRequires-Dist: gatekeeper-gates==0.1.0\n",
    "gatekeeper_gates_pytest-0.1.0.dist-info/entry_points.txt": "[pytest11]\ngatekeeper = gatekeeper.pytest_plugin\n",
}


@pytest.fixture
def wheel(repository: Project) -> Callable[..., Outcome]:
    """Packs the wheels as they should be, but for what is changed (None: left out), and runs the gate on them."""

    def check(plugin: dict[str, str] | None = None, **changed: str | None) -> Outcome:
        root = repository.root
        content = {
            path.relative_to(root / base).as_posix(): path.read_text("utf-8")
            for package, base in PACKAGES.items()
            for path in (root / base / package).rglob("*")
            if path.is_file()
        }
        content |= {f"gatekeeper_gates-0.1.0.dist-info/{name}": text for name, text in METADATA.items()}
        folder = root / "build" / "dist"
        folder.mkdir(parents=True)
        pack(folder / "gatekeeper_gates-0.1.0-py3-none-any.whl", content | changed)
        pack(folder / "gatekeeper_gates_pytest-0.1.0-py3-none-any.whl", PLUGIN | (plugin or {}))
        return run(repository, "post", "wheel")

    return check


def pack(path: Path, content: Mapping[str, str | None]) -> None:
    with ZipFile(path, "w", compression=8) as archive:
        for name, text in content.items():
            if text is not None:
                archive.writestr(name, text)


def test_a_wheel_with_all_that_belongs_to_it_passes(wheel: Callable[..., Outcome]) -> None:
    outcome = wheel()
    assert outcome.exit_code == 0, outcome.stdout
    assert {f.name for f in outcome["post.wheel"].findings} >= {"missing", "not ours", "size"}


@pytest.mark.parametrize(
    ("name", "text", "finding"),
    [
        ("gatekeeper/py.typed", None, "missing"),
        ("gatekeeper/schemas/report-1.json", None, "missing"),
        ("gatekeeper/scaffold/ci/gitlab.yml", None, "missing"),
        ("gatekeeper_reports/junit.py", None, "missing"),
        ("tests/test_x.py", "", "not ours"),
        ("gatekeeper/__pycache__/x.pyc", "", "not ours"),
        ("secrets.env", "", "not ours"),
        ("gatekeeper_gates-0.1.0.dist-info/licenses/LICENSE", None, "missing metadata"),
        ("gatekeeper_gates-0.1.0.dist-info/direct_url.json", "{}", "unknown metadata"),
        ("gatekeeper_gates-0.1.0.dist-info/entry_points.txt", "[gatekeeper]\nx = gatekeeper_gates.gone\n", "entry points to nowhere"),
    ],
)  # fmt: skip
def test_a_wheel_that_lacks_or_brings_something_blocks(
    wheel: Callable[..., Outcome], name: str, text: str | None, finding: str
) -> None:
    outcome = wheel(**{name: text})
    assert outcome.exit_code == 1
    assert finding in {f.name for f in outcome["post.wheel"].findings if f.status == "fail"}


def test_a_wheel_that_has_grown_beyond_its_budget_blocks(
    wheel: Callable[..., Outcome], repository: Project
) -> None:
    repository.environment["GATEKEEPER_GATES__WHEEL__SIZE"] = "{ fail = '100kB' }"
    assert wheel().exit_code == 1


@pytest.mark.parametrize(
    ("name", "text", "finding"),
    [
        ("gatekeeper_pytest.py", "", "beside the plugin's metadata"),
        ("gatekeeper_gates_pytest-0.1.0.dist-info/METADATA", "Version: 0.1.0\nRequires-Dist: gatekeeper-gates>=0.1\n", "plugin's version"),
        ("gatekeeper_gates_pytest-0.1.0.dist-info/entry_points.txt", "[pytest11]\nx = gatekeeper.gone\n", "entry points to nowhere"),
    ],
)  # fmt: skip
def test_a_plugin_that_has_code_or_goes_with_another_version_blocks(
    wheel: Callable[..., Outcome], name: str, text: str, finding: str
) -> None:
    outcome = wheel(plugin={name: text})
    assert outcome.exit_code == 1
    assert [f.name for f in outcome["post.wheel"].findings if f.status == "fail"] == [finding]


@pytest.mark.parametrize(
    "wheels", [(), ("gates-1",), ("gates-1", "gates-2"), ("gates-1", "gates-2", "gates_pytest-1")]
)
def test_a_wheel_that_is_missing_or_one_too_many_blocks(repository: Project, wheels: tuple[str, ...]) -> None:
    folder = repository.root / "build" / "dist"
    folder.mkdir(parents=True)
    for name in wheels:
        (folder / f"gatekeeper_{name}-py3-none-any.whl").touch()
    outcome = run(repository, "post", "wheel")
    assert (outcome.exit_code, outcome["post.wheel"].findings[0].observed) == (1, len(wheels))


# -- speed -------------------------------------------------------------------------------------------------------------

PAIRS = {
    "imports": [("import gatekeeper", "python -c pass"), ("gatekeeper --version", "import pluggy")],
    "startup": [("gatekeeper", "pytest")],
}


def measured(repository: Project, factor: float, *, rounds: int = 8, quick: bool = False) -> Outcome:
    """The verdict on results in which ours takes `factor` times as long as its peer."""
    folder = repository.root / "build" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    for name, pairs in PAIRS.items():
        samples = {ours: [{"wall": 0.1 * factor}] * rounds for ours, _ in pairs}
        samples |= {peer: [{"wall": 0.1}] * rounds for _, peer in pairs}
        ratios = [{"ours": ours, "peer": peer} for ours, peer in pairs]
        document = {"quick": quick, "comparisons": [{"samples": samples, "ratios": ratios}]}
        (folder / f"{name}.json").write_text(json.dumps(document))
    return run(repository, "post", "performance")


@pytest.mark.parametrize(("factor", "status"), [(0.5, "pass"), (0.9, "warn"), (1.5, "fail"), (9, "fail")])
def test_a_ratio_is_held_against_its_budget(repository: Project, factor: float, status: str) -> None:
    assert measured(repository, factor)["post.performance"].status == status


def test_every_budget_of_speed_is_about_a_ratio_that_is_measured(repository: Project) -> None:
    outcome = measured(repository, 0.5)
    assert [f.n for f in outcome["post.performance"].findings] == [8, 8, 8]
    assert outcome["post.performance"].findings[0].unit == "×"


@pytest.mark.parametrize("how", [{"rounds": 0}, {"quick": True}, {"rounds": 1}])
def test_too_little_measured_is_no_pass(repository: Project, how: dict[str, int]) -> None:
    outcome = measured(repository, 0.1, **how)  # type: ignore[arg-type]
    assert (outcome.exit_code, outcome["post.performance"].status) == (6, "unknown")


def test_results_that_are_none_are_an_error(repository: Project) -> None:
    folder = repository.root / "build" / "benchmarks"
    folder.mkdir(parents=True)
    for name in PAIRS:
        (folder / f"{name}.json").write_text('{"quick": false, "comparisons": [{"ratios": [{}]}]}')
    outcome = run(repository, "post", "performance")
    assert (outcome.exit_code, outcome["post.performance"].status) == (1, "error")
    assert "is not what a benchmark writes" in outcome["post.performance"].reason


# -- all of it ---------------------------------------------------------------------------------------------------------


@pytest.mark.heavy
@pytest.mark.timeout(300)
def test_this_repository_passes_its_own_gates(repository: Project) -> None:
    limits = {"CPU": "200%", "LOAD": "1000", "CPU_PRESSURE": "100%", "MEMORY_PRESSURE": "100%"}
    for name, limit in limits.items():  # tests run beside others
        repository.environment[f"GATEKEEPER_GATES__RESOURCES__{name}__WARN"] = limit
        repository.environment[f"GATEKEEPER_GATES__RESOURCES__{name}__FAIL"] = limit
    before = repository.run("pre", *CONFIG)
    assert before.exit_code == 0, before.stdout
    build = subprocess.run(
        [str(repository.root / ".ci" / "build")], cwd=repository.root, env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHON": sys.executable, "HOME": str(repository.root)}, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert build.returncode == 0, build.stdout + build.stderr
    after = repository.run("post", *CONFIG)
    assert after["post.wheel"].status == "pass", after.stdout
    assert after["post.state"].status == "pass", after.stdout
    # what the ratios are is nothing for a test, which shares its machine: .ci/run asks for them
    assert sorted(f.n or 0 for f in after["post.performance"].findings) == [8, 20, 20]
    assert after["post.performance"].status in ("pass", "warn", "fail")
