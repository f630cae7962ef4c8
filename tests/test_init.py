"""`gatekeeper init`: what it writes runs, what it can't import it says, and what exists it leaves alone."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.errors import UsageError
from gatekeeper.scaffold.guides import leftovers, read_guide, settle, without_comments
from gatekeeper.scaffold.texts import configuration
from gatekeeper.testing import Project

GUIDE = """\
{
  "endpoints": {
    "backend": "http://localhost:1/health",   // "the" backend
    "cache": "redis://localhost:6379",
    "broken": "localhost",
    "fancy": {"url": "https://localhost:2/", "timeout": 3}
  },
  "alert_thresholds": {
    "response_time_ms": 2000,        // API response time limit
    "cpu_usage_percent": 80,
    "memory_usage_percent": 85,
    "disk_usage_percent": 90,
    "error_rate_percent": 5,
    "task_processing_time_ms": 5000,
    "agent_response_time_ms": 3000
  },
  "check_intervals": {"health_checks": 30, "system_metrics": 60},
  "alert_channels": {
    "slack": {"enabled": false, "webhook_url": "https://hooks.slack.com/..."}
  }
}
"""
RULES = """\
{ "cpu_percent": 70, "memory_mb": 400, "error_rate": 0.1, "execution_time": 300,
  "alert_rules": {"latency_high": {"threshold": 500, "window": 60}, "5xx_detected": {"threshold": 5}},
  "odd": true, "level": 5 }
"""


def tables(project: Project) -> dict[str, object]:
    return tomllib.loads((project.root / "gatekeeper.toml").read_text("utf-8"))


def git(project: Project, url: str) -> None:
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    subprocess.run(["git", "-C", str(project.root), "remote", "add", "origin", url], check=True)


# -- a fresh project


def test_what_init_writes_runs_and_its_example_gate_passes(gatekeeper_project: Project) -> None:
    done = gatekeeper_project.command("init")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "create  gatekeeper.toml" in done.stdout
    assert gatekeeper_project.command("config", "check").exit_code == 0
    outcome = gatekeeper_project.run("pre", "-k", "python_version or storage")
    assert outcome.exit_code == 0, outcome.stdout
    assert outcome["pre.python_version"].status == "pass"
    assert outcome["pre.storage"].status in ("pass", "warn")


def test_init_again_changes_nothing_and_says_so(gatekeeper_project: Project) -> None:
    gatekeeper_project.command("init", "--ci", "gitlab")
    before = {path: path.read_bytes() for path in gatekeeper_project.root.rglob("*") if path.is_file()}
    done = gatekeeper_project.command("init", "--ci", "gitlab")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[1:-1]] == ["skip"] * 4
    assert {path: path.read_bytes() for path in before} == before


def test_files_that_exist_are_left_as_they_are(gatekeeper_project: Project) -> None:
    gatekeeper_project.write(
        {
            "gatekeeper.toml": "[run]\njobs = 1\n",
            "gates/gate_mine.py": "from gatekeeper import pre\n",
            ".gitlab-ci.yml": "test: {script: pytest}\n",
            ".gitignore": "build/",
        }
    )
    done = gatekeeper_project.command("init")
    assert done.exit_code == 0
    root = gatekeeper_project.root
    assert (root / "gatekeeper.toml").read_text() == "[run]\njobs = 1\n"
    assert not (root / "gates/gate_example.py").exists()
    assert (root / ".gitlab-ci.yml").read_text() == "test: {script: pytest}\n"
    assert "gatekeeper run pre" in (root / ".gitlab/gates.yml").read_text()
    assert (root / ".gitignore").read_text() == "build/\n.gatekeeper/\n"


@pytest.mark.parametrize("ignored", [".gatekeeper", "/.gatekeeper/", " .gatekeeper/ "])
def test_what_is_ignored_already_is_not_added(gatekeeper_project: Project, ignored: str) -> None:
    (gatekeeper_project.root / ".gitignore").write_text(f"a\n{ignored}\n")
    assert "already ignores" in gatekeeper_project.command("init").stdout
    assert (gatekeeper_project.root / ".gitignore").read_text() == f"a\n{ignored}\n"


def test_a_pyproject_that_configures_gatekeeper_is_not_shadowed(gatekeeper_project: Project) -> None:
    gatekeeper_project.write({"pyproject.toml": "[tool.gatekeeper.run]\njobs = 1\n"})
    done = gatekeeper_project.command("init")
    assert "skip    gatekeeper.toml" in done.stdout
    assert "pyproject.toml configures gatekeeper already" in done.stdout
    assert not (gatekeeper_project.root / "gatekeeper.toml").exists()


def test_a_dry_run_writes_nothing(gatekeeper_project: Project) -> None:
    done = gatekeeper_project.command("init", "--dry-run", "--ci", "github")
    assert done.exit_code == 0
    assert "[subject]" in done.stdout
    assert [*gatekeeper_project.root.iterdir()] == []


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("git@github.com:me/it.git", ".github/workflows/gates.yml"),
        ("https://gitlab.example.org/me/it", ".gitlab-ci.yml"),
        ("https://dev.azure.com/me/it/_git/it", "azure-pipelines.yml"),
    ],
)
def test_the_ci_file_follows_the_remote(gatekeeper_project: Project, url: str, file: str) -> None:
    git(gatekeeper_project, url)
    assert "remote" in gatekeeper_project.command("init").stdout
    assert (gatekeeper_project.root / file).exists()


@pytest.mark.parametrize(("host", "file"), [("jenkins", "Jenkinsfile"), ("azure", "azure-pipelines.yml")])
def test_the_ci_file_can_be_chosen(gatekeeper_project: Project, host: str, file: str) -> None:
    gatekeeper_project.command("init", "--ci", host)
    assert "gatekeeper run" in (gatekeeper_project.root / file).read_text()


@pytest.mark.parametrize("file", [".github/workflows/gates.yml", ".gitlab-ci.yml", "azure-pipelines.yml"])
def test_ci_files_are_yaml(gatekeeper_project: Project, file: str) -> None:
    import yaml

    host = {".": "github", "a": "azure"}.get(file[0], "") if "gitlab" not in file else "gitlab"
    gatekeeper_project.command("init", "--ci", host)
    assert isinstance(yaml.safe_load((gatekeeper_project.root / file).read_text()), dict)


def test_a_file_in_the_way_is_one_clear_message(gatekeeper_project: Project) -> None:
    (gatekeeper_project.root / "gates").write_text("not a folder")
    done = gatekeeper_project.command("init")
    assert done.exit_code == 3
    assert "gates/gate_example.py can't be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_with_any_name_gives_a_valid_configuration(tmp_path: Path) -> None:
    assert tomllib.loads(configuration('we"ird\\ \x7f\n name', []))["subject"] == {
        "name": 'we"ird\\ \x7f\n name'
    }


# -- imports


def test_a_guides_configuration_becomes_settings_and_the_rest_is_listed(gatekeeper_project: Project) -> None:
    gatekeeper_project.write({"monitoring-config.json": GUIDE})
    done = gatekeeper_project.command("init", "--from", "monitoring-config.json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "import  monitoring-config.json  -> 3 endpoints, 7 thresholds" in done.stdout
    assert "not imported: endpoints.broken: expected a URL, got 'localhost'" in done.stdout
    assert "not imported: endpoints.fancy.timeout: " in done.stdout
    assert "not imported: check_intervals (health_checks, system_metrics): " in done.stdout
    assert "not imported: alert_channels.slack: alerts come with a later version" in done.stdout
    gates = tables(gatekeeper_project)["gates"]
    assert gates == {
        "components": {
            "http": [
                {"name": "backend", "url": "http://localhost:1/health", "within": "2000ms"},
                {"name": "fancy", "url": "https://localhost:2/", "within": "2000ms"},
            ],
            "tcp": [{"name": "cache", "host": "localhost", "port": 6379}],
        },
        "resources": {"cpu": {"warn": "80%"}, "memory": {"warn": "85%"}},
        "storage": {"paths": [{"path": ".", "free": {"warn": "10%"}}]},
        "errors": {"optional_rate": {"fail": "5%"}},
        "performance": {
            "optional_budgets": {
                "task_processing_time": {"fail": "5000ms"},
                "agent_response_time": {"fail": "3000ms"},
            }
        },
    }
    assert gatekeeper_project.command("config", "check").exit_code == 0
    outcome = gatekeeper_project.run("pre", "pre.components")
    assert outcome["pre.components"].status == "fail"  # nothing listens there


def test_thresholds_of_quality_gates_become_settings(tmp_path: Path) -> None:
    (tmp_path / "q.json").write_text(RULES)
    imported = read_guide(tmp_path / "q.json", "q.json")
    written = tomllib.loads(configuration("x", [imported]))["gates"]
    assert written["resources"] == {"cpu": {"warn": "70%"}}
    assert written["errors"] == {"optional_rate": {"fail": "10%"}}
    assert written["performance"]["optional_budgets"] == {
        "peak_memory": {"warn": "400MB"},
        "duration": {"fail": "300s"},
        "latency.p95": {"fail": "500ms"},
    }
    assert sorted(path for path, _ in imported.dropped) == [
        "alert_rules.5xx_detected.threshold", "alert_rules.latency_high.window", "level", "odd",
    ]  # fmt: skip


def test_what_two_files_set_is_kept_once_and_listed(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"error_rate_percent": 5, "endpoints": {"x": "http://h/1"}}')
    (tmp_path / "b.json").write_text('{"error_rate": 0.1, "endpoints": {"x": "http://h/2"}}')
    imports = [read_guide(tmp_path / name, name) for name in ("a.json", "b.json")]
    settle(imports)
    written = tomllib.loads(configuration("x", imports))["gates"]
    assert written["errors"]["optional_rate"] == {"fail": "5%"}
    assert [http["url"] for http in written["components"]["http"]] == ["http://h/1"]
    assert dict(imports[1].dropped) == {
        "error_rate": "error_rate_percent of a.json says the same already",
        "endpoints.x": "endpoints.x of a.json says the same already",
    }


def test_nothing_is_imported_into_a_configuration_that_exists(gatekeeper_project: Project) -> None:
    gatekeeper_project.write({"gatekeeper.toml": "", "m.json": GUIDE})
    done = gatekeeper_project.command("init", "--from", "m.json")
    assert done.exit_code == 0
    assert "nothing was imported" in done.stdout
    assert (gatekeeper_project.root / "gatekeeper.toml").read_text() == ""
    shown = gatekeeper_project.command("init", "--from", "m.json", "--dry-run").stdout
    assert 'url = "http://localhost:1/health"' in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n "a": 2}', '--from g.json:2  key "a" is there twice'),
        ('{"a": NaN}', "--from g.json:1  NaN is no JSON number"),
        ("[]", "--from g.json: expected a JSON object"),
        ('{"a": \n /* never closed', "--from g.json:2  is not valid JSON"),
        ("[" * 100_000, "--from g.json: is nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_imported_says_where(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "g.json").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_guide(tmp_path / "g.json", "g.json")
    assert str(caught.value).startswith(message)


def test_a_missing_import_is_a_usage_error_and_writes_nothing(gatekeeper_project: Project) -> None:
    done = gatekeeper_project.command("init", "--from", "nowhere.json")
    assert (done.exit_code, done.stdout) == (4, "")
    assert "--from nowhere.json: can't be read: No such file or directory" in done.stderr
    assert [*gatekeeper_project.root.iterdir()] == []


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["endpoints", "alert_thresholds", "alert_channels", "thresholds", "pre", "cpu_percent", "memory_usage_percent",
     "memory_mb", "disk_usage_percent", "error_rate", "error_rate_percent", "latency_p95_ms", "response_time_ms",
     "execution_time", "threshold", "window", "url", "x_ms", "wörd s", "a.b_ms"]
)  # fmt: skip
guides = st.recursive(
    st.dictionaries(names, values, max_size=4),
    lambda inner: st.dictionaries(names, inner | values, max_size=5),
    max_leaves=5,
)


@given(guides)
def test_any_guide_gives_a_configuration_that_is_right(guide: dict[str, object]) -> None:
    import tempfile

    from gatekeeper.plugins import Plugins
    from gatekeeper.settings import load, resolve

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / ".git").mkdir()
        (root / "g.json").write_text(json.dumps(guide), "utf-8")
        imported = read_guide(root / "g.json", "g.json")
        settle([imported])
        assert sum(len(paths) for _, paths in leftovers(imported)) == len(imported.dropped)
        (root / "gatekeeper.toml").write_text(configuration("x", [imported]), "utf-8")
        resolve(load(root, environ={}), Plugins.shipped().gates())


@given(st.text(st.sampled_from('"\\/*\n a'), max_size=30))
def test_dropping_comments_keeps_lines_and_length(text: str) -> None:
    plain = without_comments(text)
    assert len(plain) == len(text)
    assert plain.count("\n") == text.count("\n")
