"""Which sessions are gated: what asks for it, what only shows something, and what leaves no trace."""

import re
import subprocess
import sys

import pytest

from gatedsessions import GREEN, PYTEST, sessions

pytest_plugins = ["pytester"]
__all__ = ["sessions"]


def text(done):
    return "\n".join(done.outlines)


# -- which phases ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("pots", "'pots' is no phase of gates. Did you mean 'post'? Valid are pre, post, pre,post and none."),
        ("pre,poste", "'poste' is no phase of gates. Did you mean 'post'?"),
        ("pre;post", "'pre;post' is no phase of gates."),
        ("", "'' is no phase of gates. Valid are"),
        ("pre,", "'' is no phase of gates. Valid are"),
        ("none,pre", "'none' is no phase of gates."),
    ],
)
def test_what_is_no_phase_is_a_usage_error_that_names_the_valid_ones(sessions, asked, said):
    done = sessions.test(GREEN, gates=asked)
    assert done.ret == 4
    assert f"--gatekeeper: {said}" in "\n".join(done.errlines)


@pytest.mark.parametrize(
    ("asked", "phases"),
    [("post,pre", {"pre", "post"}), (" pre , post ", {"pre", "post"}), ("post,post", {"post"})],
)
def test_the_order_of_phases_and_blanks_do_not_matter(sessions, asked, phases):
    assert sessions.test(GREEN, gates=asked).ret == 0
    assert {result.phase for result in sessions.last.results} == phases


def test_the_configuration_of_pytest_can_ask_for_gates_and_the_command_line_has_the_last_word(sessions):
    sessions.write({"pytest.ini": "[pytest]\ngatekeeper = post\n"})
    assert "gatekeeper: proceed" in text(sessions.test(GREEN, gates=None))
    assert {result.phase for result in sessions.last.results} == {"post"}
    sessions.test(GREEN, gates="pre")
    assert {result.phase for result in sessions.last.results} == {"pre"}
    assert "gatekeeper: " not in text(sessions.test(GREEN, gates="none"))
    assert len(sessions.records()) == 2


def test_the_configuration_can_be_in_pyproject(sessions):
    (sessions.root / "pytest.ini").unlink()
    sessions.write({"pyproject.toml": '[tool.pytest.ini_options]\ngatekeeper = "pre,post"\n'})
    assert "gatekeeper: proceed" in text(sessions.test(GREEN, gates=None))


def test_a_mistake_in_the_configuration_of_pytest_says_where_it_is(sessions):
    sessions.write({"pytest.ini": "[pytest]\ngatekeeper = prey\n"})
    done = sessions.test(GREEN, gates=None)
    assert done.ret == 4
    assert "gatekeeper (in the configuration of pytest): 'prey' is no phase" in "\n".join(done.errlines)


def test_a_report_without_a_path_is_a_usage_error(sessions):
    done = sessions.test(GREEN, "--gatekeeper-format=json")
    assert done.ret == 4
    assert "--gatekeeper-format json: a path is needed" in "\n".join(done.errlines)


def test_an_unknown_report_is_a_usage_error(sessions):
    done = sessions.test(GREEN, "--gatekeeper-format=jsun=x")
    assert done.ret == 4
    assert "unknown format 'jsun'" in "\n".join(done.errlines)
    assert "Did you mean 'json'?" in "\n".join(done.errlines)


# -- gatekeeper's own configuration ------------------------------------------------------------------------------------


def test_another_configuration_and_profile_can_be_given(sessions):
    sessions.write({"gatekeeper.toml": "[gates.flow]\nenabled = false\n"})
    sessions.write({"other.toml": 'subject = { name = "other" }\n[profiles.ci]\nsubject = { name = "ci" }\n'})
    assert sessions.test(GREEN, "--gatekeeper-config=other.toml").ret == 0
    assert sessions.last.subject.name == "other"
    assert sessions.test(GREEN, "--gatekeeper-config=other.toml", "--gatekeeper-profile=ci").ret == 0
    assert (sessions.last.subject.name, sessions.last.header.profile) == ("ci", "ci")
    assert sessions.test(GREEN, "--gatekeeper-profile=c1").ret == 4


def test_the_configuration_is_the_nearest_upwards_from_where_pytest_is_started(sessions):
    sessions.write({"below/test_below.py": GREEN, "pytest.ini": "[pytest]\n"})
    done = sessions.command(*PYTEST, "--gatekeeper=post", "--rootdir=.", "below")
    assert done.returncode == 0
    assert sessions.last.subject.name == "configured"


# -- sessions without tests, and without gates -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    ["--collect-only", "--co", "--help", "-h", "--version", "-VV", "--fixtures", "--fixtures-per-test", "--markers",
     "--cache-show", "--setup-plan", "--setup-only"],
)  # fmt: skip
def test_what_only_shows_something_runs_no_gates(sessions, option):
    sessions.write({"test_it.py": GREEN})
    without = "no:randomly"
    done = sessions.command(sys.executable, "-m", "pytest", "-p", without, "--gatekeeper=pre,post", option)
    assert done.returncode == 0, done.stderr
    assert not sessions.records()
    assert "gatekeeper: " not in done.stdout.replace("fixture", "")


@pytest.mark.parametrize(
    ("args", "outcomes", "code"),
    [
        (["--lf"], "1 failed in", 1),
        (["--ff", "-x"], "1 failed in", 1),
        (["--sw"], "1 failed in", 2),
        (["-k", "test_b"], "1 passed, 1 deselected", 0),
        (["test_it.py::test_b"], "1 passed in", 0),
        (["--deselect=test_it.py::test_a"], "1 passed, 1 deselected", 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_selections_work_as_usual(sessions, args, outcomes, code):
    sessions.write({"test_it.py": "def test_a(): assert 0\ndef test_b(): pass\n"})
    plain = (sys.executable, "-m", "pytest", "-p", "no:randomly")
    sessions.command(*plain)
    done = sessions.command(*plain, "--gatekeeper=pre,post", *args)
    assert (done.returncode, outcomes in done.stdout) == (code, True), done.stdout


def test_files_that_pytest_writes_are_the_sessions(sessions):
    sessions.test(GREEN, "--junitxml=junit.xml")
    assert 'tests="2"' in (sessions.root / "junit.xml").read_text()


# -- sessions within sessions and gates --------------------------------------------------------------------------------


def test_what_a_configuration_asks_for_counts_for_the_outermost_session_only(sessions):
    sessions.write(
        {"pytest.ini": "[pytest]\ngatekeeper = post\n", "inner/test_inner.py": "def test_i(): pass\n"}
    )
    body = """
        import subprocess, sys
        def test_outer():
            command = [sys.executable, "-m", "pytest", "-q", "inner"]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0 and "gatekeeper" not in done.stdout, done.stdout
            command.append("--gatekeeper=post")
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0 and "gatekeeper: proceed" in done.stdout, done.stdout
    """
    sessions.write({"test_it.py": body})
    done = sessions.run("test_it.py", gates=None)
    assert done.ret == 0, text(done)
    assert len(sessions.records()) == 2


def test_a_gate_that_runs_pytest_does_not_run_the_gates_again(sessions):
    gate = """
        import subprocess, sys
        from gatekeeper import pre
        @pre(timeout="60s")
        def smoke(ctx):
            done = subprocess.run([sys.executable, "-m", "pytest", "-q", "smoke"], capture_output=True, text=True)
            ctx.check(done.returncode == 0, done.stdout)
    """
    sessions.write({"gates/gate_smoke.py": gate, "smoke/test_smoke.py": GREEN})
    sessions.write({"pytest.ini": "[pytest]\ngatekeeper = pre,post\ntestpaths = test_it.py\n"})
    assert sessions.test(GREEN, gates=None).ret == 0
    assert len(sessions.records()) == 1


def test_a_session_in_the_same_process_is_its_own(sessions):
    body = """
        import pytest
        def test_outer(tmp_path, monkeypatch):
            (tmp_path / "test_inner.py").write_text("def test_inner(): assert 0")
            assert pytest.main([str(tmp_path), "-q"]) == 1
            assert pytest.main([str(tmp_path), "-q", "--gatekeeper=post"]) == 1
    """
    done = sessions.test(body, "-p", "no:randomly")
    assert done.ret == 0, text(done)


# -- no trace ----------------------------------------------------------------------------------------------------------


def test_with_the_plugin_disabled_there_is_no_trace(sessions):
    sessions.write({"test_it.py": GREEN, "test_uses.py": "def test_it(gatekeeper): pass\n"})
    off = (*PYTEST, "-p", "no:gatekeeper")
    for shown in ("--help", "--markers", "--fixtures"):
        assert "gatekeeper" in sessions.command(*PYTEST, shown).stdout
        done = sessions.command(*off, shown, "test_it.py")
        said = re.sub(
            r"\S*/\S*", "", done.stdout
        )  # without paths: the checkout itself may be called gatekeeper
        assert (done.returncode, "gatekeeper" in said) == (0, False)
    refused = sessions.command(*off, "--gatekeeper=pre")
    assert (refused.returncode, "unrecognized arguments: --gatekeeper=pre" in refused.stderr) == (4, True)
    missing = sessions.command(*off, "test_uses.py")
    assert "fixture 'gatekeeper' not found" in missing.stdout
    marked = sessions.write(
        {"test_marked.py": "import pytest\n@pytest.mark.gatekeeper\ndef test_it(): pass\n"}
    )
    assert "PytestUnknownMarkWarning" in sessions.command(*off, "test_marked.py").stdout
    assert marked is None


def test_without_the_option_nothing_is_written_and_nothing_said(sessions):
    before = set(sessions.root.rglob("*"))
    sessions.write({"test_it.py": GREEN})
    done = sessions.command(*PYTEST, "-p", "no:asyncio", "-W", "error")
    assert done.returncode == 0
    after = {path for path in sessions.root.rglob("*") if not {"__pycache__", ".benchmarks"} & {*path.parts}}
    assert after - before == {sessions.root / "test_it.py"}
    assert [
        line
        for line in done.stdout.splitlines()
        if "gatekeeper" in line and not line.startswith(("plugins:", "rootdir:"))
    ] == []


LIGHT = {"gatekeeper", "gatekeeper.pytest_plugin", "gatekeeper.pytest_plugin.marked"}
"""All of gatekeeper that a session may load that doesn't use it."""
FOREIGN = (
    "msgspec",
    "click",
    "psutil",
    "jinja2",
    "jsonschema",
    "jsonschema_rs",
    "urllib3",
    "rich",
    "yaml",
    "sqlite3",
)


@pytest.mark.parametrize(
    ("args", "more"),
    [([], set()), (["test_it.py"], {"gatekeeper.pytest_plugin.asked"})],
    ids=["plain", "a file"],
)
def test_a_session_that_does_not_use_the_plugin_loads_next_to_nothing_of_it(sessions, args, more):
    conftest = """
        import sys
        def pytest_unconfigure():
            heavy = [name for name in FOREIGN if name in sys.modules]
            ours = sorted(name for name in sys.modules if name.partition(".")[0].startswith("gatekeeper"))
            print("LOADED", *heavy, *ours)
    """.replace("FOREIGN", repr(FOREIGN))
    sessions.write({"test_it.py": GREEN, "conftest.py": conftest})
    others = ("hypothesispytest", "benchmark", "xdist", "pytest_cov", "asyncio", "rerunfailures", "timeout")
    alone = [word for name in others for word in ("-p", f"no:{name}")]
    done = sessions.command(*PYTEST, *alone, *args)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("LOADED")]
    assert set(line.split()[1:]) == LIGHT | more


def test_a_supervised_session_loads_only_what_tells(sessions):
    body = "import sys\ndef test_it(): assert 'msgspec' not in sys.modules and 'gatekeeper.app' not in sys.modules\n"
    done = sessions.test(body, "-p", "no:hypothesispytest")
    assert done.ret == 0, text(done)


def test_a_program_that_has_imported_gatekeeper_is_not_warned_of_it(sessions):
    sessions.write({"test_it.py": GREEN})
    code = "import gatekeeper, pytest, sys\nsys.exit(pytest.main(['-W', 'error', '-q', '-p', 'no:asyncio', '-p', 'no:cacheprovider', 'test_it.py']))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=sessions.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
