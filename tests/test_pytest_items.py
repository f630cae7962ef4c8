"""Gates as items of a pytest session: which are collected, and what becomes of each. Every session is a real one."""

import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import psutil
import pytest

from sessions import QUIET, Sessions

pytest_plugins = ["pytester"]

ORDERS = """
    from gatekeeper import post, pre

    @pre(tags=["database", "slow-ish"])
    def backlog(ctx):
        \"\"\"The backlog is short.\"\"\"
        print("looked at the queue")
        ctx.measure("backlog", 12, fail=10, unit="orders", hint="start a worker")

    @pre(params=["countries", "cities"])
    def databases(ctx):
        ctx.check(True)

    @post
    def complete(ctx):
        ctx.check(True)
"""
TRUE = """
    from gatekeeper import pre

    @pre
    def {name}(ctx):
        ctx.check(True)
"""


@pytest.fixture
def project(pytester, monkeypatch):
    return Sessions(pytester, monkeypatch).write({"pytest.ini": "[pytest]\n"})


@pytest.fixture
def orders(project):
    return project.write({"gates/gate_orders.py": ORDERS})


# -- what is collected -------------------------------------------------------------------------------------------------

ALL = [
    "gates/gate_orders.py::pre.backlog",
    "gates/gate_orders.py::pre.databases[countries]",
    "gates/gate_orders.py::pre.databases[cities]",
    "gates/gate_orders.py::post.complete",
]
REVERSED = pytest.version_tuple[:3] == (8, 0, 0)
"""pytest 8.0.0 alone reverses what a bare id stands for, of tests as of gates (pytest-dev/pytest#11937)."""


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["gates"], ALL),
        (["gates/"], ALL),
        (["./gates/gate_orders.py"], ALL),
        (["gates/gate_orders.py::pre.backlog"], ALL[:1]),
        (["gates/gate_orders.py::pre.databases"], ALL[2:0:-1] if REVERSED else ALL[1:3]),
        (["gates/gate_orders.py::pre.databases[cities]"], ALL[2:3]),
        (["gates", "-k", "complete"], ALL[3:]),
        (["gates", "-k", "database and not cities"], ALL[:2]),
        (["gates", "--deselect", ALL[0], "--deselect", ALL[1]], ALL[2:]),
        (["gates", "-m", "post"], ALL[3:]),
        (["gates", "-m", "pre and not database"], ALL[1:3]),
        (["gates", "-m", "slow-ish", "--strict-markers"], ALL[:1]),
        (["gates", "--ignore", "gates/gate_orders.py"], []),
        ([], []),
        (["."], []),
        (["-k", "backlog"], []),
    ],
    ids=lambda value: " ".join(value) if value and not value[0].endswith("]") else None,
)
def test_gates_are_collected_where_the_command_line_names_them(orders, asked, expected):
    assert orders.ids(*asked) == expected


def test_tests_and_gates_run_in_one_session(orders):
    orders.write({"tests/test_it.py": "def test_it(): pass\n"})
    orders.run().assert_outcomes(passed=1)
    orders.run("tests", "gates/").assert_outcomes(passed=4, failed=1)


def test_the_ini_file_alone_starts_no_gate(orders):
    (orders.path / "pytest.ini").write_text("[pytest]\ntestpaths = gates\npython_files = *.py\n")
    assert orders.ids() == []


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_plain_session_in_the_folder_of_gates_starts_none(orders, monkeypatch, workers):
    orders.write({"gatekeeper.toml": ""})
    monkeypatch.chdir(orders.path / "gates")
    orders.run(*workers).assert_outcomes()
    orders.run(".", "-k", "complete", *workers).assert_outcomes(passed=1, deselected=0 if workers else 3)


def test_files_in_folders_below_and_gates_of_hooks_are_collected_where_they_are_written(project):
    project.write(
        {
            "gates/gateconf.py": """
            from gatekeeper import pre

            def gatekeeper_gates(settings):
                def made(ctx):
                    ctx.check(True)
                return [pre(made)]
            """,
            "helpers.py": """
            from gatekeeper import pre

            @pre
            def shared(ctx):
                ctx.check(True)
            """,
            "gates/gate_uses.py": "from helpers import shared\n",
            "gates/deep/gate_deep.py": TRUE.format(name="deep"),
        }
    )
    expected = {
        "gates/deep/gate_deep.py::pre.deep",
        "gates/gate_uses.py::pre.shared",
        "gates/gateconf.py::pre.made",
    }
    assert set(project.ids("gates")) == expected
    project.run("gates").assert_outcomes(passed=3)
    assert project.ids("gates/deep") == ["gates/deep/gate_deep.py::pre.deep"]


def test_a_configured_folder_counts_wherever_it_is(project):
    project.write(
        {
            "gatekeeper.toml": '[project]\ngates = [".ci/gates", "more"]\n',
            ".ci/gates/gate_a.py": TRUE.format(name="a"),
            "more/gate_b.py": TRUE.format(name="b"),
            "gates/gate_c.py": TRUE.format(name="c"),
        }
    )
    assert project.ids(".ci/gates", "more") == [".ci/gates/gate_a.py::pre.a", "more/gate_b.py::pre.b"]
    assert project.ids("gates") == project.ids(".ci") == []


def test_somebody_elses_gate_files_are_left_to_their_own(orders):
    own = "def test_own(): pass\n"
    orders.write({"tests/gate_keepers.py": own, "elsewhere/gates/gate_x.py": own})
    assert orders.ids("tests/gate_keepers.py", "elsewhere/gates/gate_x.py") == [
        "tests/gate_keepers.py::test_own",
        "elsewhere/gates/gate_x.py::test_own",
    ]
    assert orders.ids("tests", "elsewhere") == []


def test_gates_of_two_projects_run_in_one_session(project):
    for name in ("one", "two"):
        project.write(
            {
                f"{name}/gatekeeper.toml": f'[subject]\nname = "{name}"\n',
                f"{name}/gates/gate_same.py": f"""
                    from gatekeeper import pre

                    @pre
                    def same(ctx):
                        ctx.check(ctx.subject.name == "{name}")
                    """,
            }
        )
    project.run("one/gates", "two/gates").assert_outcomes(passed=2)


def test_without_the_plugin_there_are_no_gates(orders):
    done = orders.run("-p", "no:gatekeeper", "gates")
    assert done.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "gatekeeper" not in done.stdout.str()


def test_collecting_runs_nothing(project):
    project.write(
        {
            "gates/gate_touch.py": """
            from pathlib import Path
            from gatekeeper import pre

            @pre
            def touch(ctx):
                Path("touched").touch()
                ctx.check(True)
            """
        }
    )
    project.run("--collect-only", "gates")
    assert not (project.path / "touched").exists()
    project.run("gates")
    assert (project.path / "touched").exists()


def test_a_tag_that_is_another_tools_marker_is_not_put_on_the_gate(project):
    project.write(
        {
            "gates/gate_tags.py": """
            from gatekeeper import pre

            @pre(tags=["skip", "skipif", "xfail", "parametrize", "timeout", "(odd)", "_x", "a b"])
            def tagged(ctx):
                ctx.check(True)
            """
        }
    )
    done = project.run("gates", "--strict-markers")
    done.assert_outcomes(passed=1)
    assert project.ids("gates", "-k", "xfail") == ["gates/gate_tags.py::pre.tagged"]


# -- outcomes ----------------------------------------------------------------------------------------------------------

OUTCOMES = """
    import pathlib
    from gatekeeper import post, pre

    @pre
    def passes(ctx):
        ctx.check(True)

    @pre
    def warns(ctx):
        ctx.measure("memory", 90, warn=80, fail=95)

    @pre
    def fails(ctx):
        ctx.measure("memory", 99, warn=80, fail=95)

    @pre
    def breaks(ctx):
        raise ValueError("not what I thought")

    @pre
    def cannot_tell(ctx):
        ctx.unknown("nobody measured it")

    @pre
    def checks_nothing(ctx):
        pass

    @pre
    def does_not_apply(ctx):
        ctx.skip("no database here")

    @pre(requirement="advisory")
    def advises(ctx):
        ctx.check(False, "it could be better")

    @pre(requirement="advisory")
    def advises_in_the_dark(ctx):
        ctx.unknown("nobody knows")

    @pre(requirement="observe")
    def observes(ctx):
        ctx.check(False, "just looking")

    @pre(retries=1)
    def flaky(ctx):
        ctx.check(ctx.attempt == 2, "not yet")

    @post(flow=True)
    def around(ctx):
        ctx.check(True)
"""


STATED = {
    "pre.passes": ("PASSED", ""),
    "pre.warns": ("PASSED", "GatekeeperWarning: pre.warns: warn: memory 90 > 80"),
    "pre.fails": ("FAILED", "FAILED gates/gate_all.py::pre.fails - fail: memory 99 > 95"),
    "pre.breaks": ("FAILED", "FAILED gates/gate_all.py::pre.breaks - error: ValueError: not what I thought"),
    "pre.cannot_tell": ("FAILED", "FAILED gates/gate_all.py::pre.cannot_tell - unknown: nobody measured it"),
    "pre.checks_nothing": (
        "FAILED",
        "FAILED gates/gate_all.py::pre.checks_nothing - unknown: checked nothing",
    ),
    "pre.does_not_apply": ("SKIPPED", "SKIPPED [1] gates/gate_all.py:29: no database here"),
    "pre.advises": ("PASSED", "GatekeeperWarning: pre.advises: fail: it could be better"),
    "pre.advises_in_the_dark": (
        "PASSED",
        "GatekeeperWarning: pre.advises_in_the_dark: unknown: nobody knows",
    ),
    "pre.observes": ("PASSED", "FAIL pre.observes  observe, gates/gate_all.py"),
    "pre.flaky": ("PASSED", "attempt   1 FAIL after"),
    "post.around": ("SKIPPED", "it takes part only where gatekeeper runs the flow"),
}


def test_each_status_has_its_outcome_and_says_why(project):
    project.write({"gates/gate_all.py": OUTCOMES})
    done = project.run("gates", "-v", "-rA", "-W", "error", "-p", "no:asyncio")
    lines = [line for line in done.outlines if re.search(r"\[ *\d+%\]$", line)]
    assert {line.split()[0].partition("::")[2]: line.split()[1] for line in lines} == {
        gate: outcome for gate, (outcome, _) in STATED.items()
    }
    text = done.stdout.str()
    assert [said for _, said in STATED.values() if said not in text] == []
    assert text.count("GatekeeperWarning: ") == 3


def test_warnings_alone_leave_a_session_green(project):
    project.write({"gates/gate_all.py": OUTCOMES})
    assert project.run("gates", "-k", "passes or warns or advises or observes or flaky").ret == 0


def test_a_gate_that_is_switched_off_is_skipped_and_says_so(orders):
    orders.write({"gatekeeper.toml": "[gates.backlog]\nenabled = false\n"})
    done = orders.run("gates", "-rs")
    done.assert_outcomes(passed=3, skipped=1)
    done.stdout.fnmatch_lines(["SKIPPED*gates/gate_orders.py:4: it is switched off by the configuration*"])


def test_settings_requirement_and_profile_are_the_projects(orders, monkeypatch):
    orders.write(
        {"gatekeeper.toml": '[profiles.mild.gates.backlog]\nrequirement = "advisory"\n'},
    )
    orders.run("gates", "-k", "backlog").assert_outcomes(failed=1, deselected=3)
    monkeypatch.setenv("GATEKEEPER_PROFILE", "mild")
    orders.run("gates", "-k", "backlog").assert_outcomes(passed=1, deselected=3, warnings=1)


def test_a_failure_shows_what_was_expected_observed_and_printed_and_what_to_try(orders):
    done = orders.run("gates", "--tb=short")
    done.stdout.fnmatch_lines(
        [
            "*_ gate pre.backlog _*",
            "FAIL pre.backlog  required, gates/gate_orders.py:4",
            "   gate      The backlog is short.",
            "   expected  <= 10 orders",
            "   observed  12 orders",
            "   try       start a worker",
            "             gatekeeper run pre pre.backlog -vv",
            "*- Captured stdout call -*",
            "looked at the queue",
        ]
    )
    assert "items.py" not in done.stdout.str()


@pytest.mark.parametrize("style", ["long", "short", "native", "auto"])
def test_no_style_of_tracebacks_shows_gatekeepers_own_code(orders, style):
    text = orders.run("gates", f"--tb={style}").stdout.str()
    assert "   observed  12 orders" in text
    assert "runtest" not in text
    assert "Traceback" not in text


def test_tb_line_and_tb_no_are_short(orders):
    text = orders.run("gates", "--tb=line", "--show-capture=no").stdout.str()
    assert f"{orders.path}/gates/gate_orders.py:4: fail: backlog 12 orders > 10 orders" in text
    assert "observed" not in text
    assert "observed" not in orders.run("gates", "--tb=no").stdout.str()


def test_verbose_shows_each_gate_by_the_id_that_selects_it(orders):
    done = orders.run("gates", "-v")
    assert [line.split(" ")[0] for line in done.outlines if re.search(r"\[ *\d+%\]$", line)] == ALL


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_junit_has_file_line_time_and_findings(orders, workers):
    orders.run("gates", "--junitxml=junit.xml", "-o", "junit_family=xunit1", *workers)
    cases = {case.get("name"): case for case in ET.parse(orders.path / "junit.xml").iter("testcase")}
    assert set(cases) == {name.partition("::")[2] for name in ALL}
    failed = cases["pre.backlog"]
    assert (failed.get("file"), failed.get("line")) == ("gates/gate_orders.py", "3")  # pytest counts from 0
    assert failed.get("classname") == "gates.gate_orders"
    assert failed.find("failure").get("message") == "fail: backlog 12 orders > 10 orders"
    assert "observed  12 orders" in failed.find("failure").text


def test_durations_are_the_gates_own(project):
    project.write(
        {
            "gates/gate_slow.py": """
            import time
            from gatekeeper import pre

            @pre
            def slow(ctx):
                time.sleep(0.3)
                ctx.check(True)

            @pre(needs=["slow"])
            def quick(ctx):
                ctx.check(True)
            """
        }
    )
    first = ("gates/gate_slow.py::pre.quick", "gates/gate_slow.py::pre.slow")
    lines = project.run(*first, "--durations=2", "--durations-min=0.1").outlines
    assert [line.split()[-1] for line in lines if line.endswith(first)] == [first[1]]


def test_text_of_a_gate_can_do_nothing_to_the_terminal(project):
    project.write(
        {
            "gates/gate_evil.py": """
            from gatekeeper import pre

            @pre(params={"\\x1b[31m": 1, "a::b": 2}, tags=["\\x1b[2J"])
            def evil(ctx):
                print("\\x1b[2J::error::gone")
                ctx.check(False, "\\x1b]0;title\\x07", hint="\\u202e")
            """
        }
    )
    done = project.run("gates", "-v", "-rA", "--junitxml=junit.xml", "--color=no")
    done.assert_outcomes(failed=2)
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", done.stdout.str())
    assert not re.search("^::error", done.stdout.str(), re.MULTILINE)
    ET.parse(project.path / "junit.xml")
    project.run("gates/gate_evil.py::pre.evil[a::b]").assert_outcomes(failed=1)


# -- isolation ---------------------------------------------------------------------------------------------------------


def test_a_gate_that_breaks_its_process_costs_only_itself(project):
    project.write(
        {
            "gates/gate_hostile.py": """
            import os, signal, time
            from gatekeeper import pre

            @pre
            def exits(ctx):
                os._exit(0)

            @pre
            def killed(ctx):
                os.kill(os.getpid(), signal.SIGKILL)

            @pre(timeout="0.3s")
            def hangs(ctx):
                time.sleep(60)

            @pre
            def healthy(ctx):
                ctx.check(True)
            """
        }
    )
    done = project.run("gates")
    done.assert_outcomes(passed=1, failed=3)
    done.stdout.fnmatch_lines(
        [
            "FAILED *::pre.exits - error: its process exited with code 0 before the gate had finished",
            "FAILED *::pre.killed - error: its process was killed by SIGKILL",
            "FAILED *::pre.hangs - error: timed out after 0.3 s*",
        ]
    )


def test_gates_are_never_loaded_in_the_sessions_own_process(orders):
    orders.write(
        {
            "tests/test_after.py": """
                import sys
                from pathlib import Path

                FOLDER = str(Path(__file__).parent.parent / "gates")

                def test_clean():
                    assert not [name for name in sys.modules if "gate_orders" in name]
                    assert not [path for path in sys.path if path.startswith(FOLDER)]
                """
        }
    )
    orders.run("gates", "tests").assert_outcomes(passed=4, failed=1)


def test_one_runner_serves_all_gates_and_ends_with_the_session(project):
    project.write(
        {
            "gates/gate_who.py": """
            import os
            from pathlib import Path
            import psutil
            from gatekeeper import pre

            @pre(params=range(5))
            def who(ctx):
                forker = psutil.Process().parent()
                with Path("runners").open("a") as file:
                    file.write(f"{forker.ppid()}\\n")
                ctx.check(True)
            """
        }
    )
    project.run("gates").assert_outcomes(passed=5)
    (runner,) = set((project.path / "runners").read_text().split())
    assert not psutil.pid_exists(int(runner))


def test_a_gate_that_is_torn_out_of_its_time_by_pytest_says_nothing_for_the_next(project):
    project.write(
        {
            "gates/gate_late.py": """
            import time
            from gatekeeper import pre

            @pre
            def late(ctx):
                time.sleep(30)
                ctx.check(True)

            @pre
            def next(ctx):
                ctx.check(False, "its own failure")
            """
        }
    )
    done = project.run("gates", "--timeout=2", "--timeout-method=signal")
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(["FAILED *::pre.late - *imeout*", "FAILED *::pre.next - fail: its own failure"])


def test_ctrl_c_ends_the_session_and_the_gate_that_runs(project):
    project.write(
        {
            "gates/gate_waits.py": """
            import os, time
            from pathlib import Path
            from gatekeeper import pre

            @pre
            def waits(ctx):
                Path("pid.new").write_text(str(os.getpid()))
                os.rename("pid.new", "pid")
                time.sleep(60)
            """
        }
    )
    session = subprocess.Popen(
        [sys.executable, "-m", "pytest", *QUIET, "gates"], cwd=project.path, stdout=subprocess.PIPE, text=True
    )
    try:
        while not (written := project.path / "pid").exists():
            assert session.poll() is None
            time.sleep(0.05)
        session.send_signal(signal.SIGINT)
        output, _ = session.communicate(timeout=30)
    finally:
        session.kill()
    assert session.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in output
    assert not psutil.pid_exists(int(written.read_text()))


def test_a_runner_that_is_lost_is_an_error_of_that_gate_only(project):
    project.write(
        {
            "gates/gate_kills.py": """
            import os, signal
            import psutil
            from gatekeeper import pre

            @pre
            def kills(ctx):
                runner = psutil.Process().parent().parent()
                runner.kill()

            @pre
            def survives(ctx):
                ctx.check(True)
            """
        }
    )
    done = project.run("gates")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["FAILED *::pre.kills - error: the runner of the gates ended*"])


# -- needs -------------------------------------------------------------------------------------------------------------

CHAIN = """
    from pathlib import Path
    from gatekeeper import post, pre

    @pre
    def parent(ctx):
        with Path("ran").open("a") as file:
            file.write("parent ")
        ctx.check(not Path("down").exists(), "it is down")

    @pre(needs=["parent"])
    def child(ctx):
        ctx.check(True)

    @post(needs=["pre.child"])
    def grandchild(ctx):
        ctx.check(True)
"""
PARENT, CHILD, GRANDCHILD = (
    f"gates/gate_chain.py::{name}" for name in ("pre.parent", "pre.child", "post.grandchild")
)


@pytest.fixture
def chain(project):
    return project.write({"gates/gate_chain.py": CHAIN})


ORDERED = {
    "in order": [PARENT, CHILD, GRANDCHILD],
    "last first": [GRANDCHILD, CHILD, PARENT],
    "mixed": [CHILD, GRANDCHILD, PARENT],
}


@pytest.mark.parametrize("order", ORDERED.values(), ids=ORDERED)
def test_a_gate_whose_parent_failed_is_blocked_in_whichever_order_they_come(chain, order):
    (chain.path / "down").touch()
    done = chain.run(*order, "-rs")
    done.assert_outcomes(failed=1, skipped=2)
    text = done.stdout.str()
    assert "blocked by pre.parent, which failed" in text
    assert "blocked by pre.child, which was skipped" in text
    assert (chain.path / "ran").read_text().split() == ["parent"]


@pytest.mark.parametrize("order", ORDERED.values(), ids=ORDERED)
def test_a_gate_that_others_need_runs_once(chain, order):
    chain.run(*order).assert_outcomes(passed=3)
    assert (chain.path / "ran").read_text().split() == ["parent"]


@pytest.mark.parametrize(
    "selection", [[CHILD], ["gates", "-k", "child and not grand"], ["gates", "--deselect", PARENT]]
)
def test_a_parent_that_was_not_selected_is_not_needed(chain, selection):
    (chain.path / "down").touch()
    done = chain.run(*selection)
    assert (done.ret, done.parseoutcomes().get("skipped")) == (0, None)
    assert not (chain.path / "ran").exists()


def test_gates_are_blocked_across_the_workers_of_xdist(chain):
    (chain.path / "down").touch()
    chain.run("gates", "-n", "2").assert_outcomes(failed=1, skipped=2)


SOFT = """
    from gatekeeper import pre

    @pre{options}
    def soft(ctx):
        {body}

    @pre(needs=["soft"])
    def hard(ctx):
        ctx.check(True)
"""


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ('(requirement="advisory")', 'ctx.check(False, "meh")'),
        ('(requirement="observe")', 'ctx.check(False, "meh")'),
        ("", 'ctx.skip("not here")'),
    ],
    ids=["advisory", "observed", "skipped"],
)
def test_a_required_gate_that_did_not_run_is_not_green_unless_something_else_is_red(project, options, body):
    project.write({"gates/gate_soft.py": SOFT.format(options=options, body=body)})
    done = project.run("gates")
    assert done.parseoutcomes()["failed"] == 1
    done.stdout.fnmatch_lines(["FAILED *::pre.hard - skip: blocked by pre.soft, which *"])


# -- what people do with items -----------------------------------------------------------------------------------------


def test_x_stops_at_the_first_failure(orders):
    orders.run("gates", "-x").assert_outcomes(failed=1)


def test_last_failed_and_failed_first_know_gates(orders):
    cached = QUIET[:2]
    orders.run("gates", quiet=cached).assert_outcomes(failed=1, passed=3)
    orders.run("gates", "--lf", quiet=cached).assert_outcomes(failed=1)
    lines = orders.run("gates", "--ff", "-v", quiet=cached).outlines
    assert next(line for line in lines if "%]" in line).startswith(ALL[0])


def test_any_order_that_other_plugins_make_is_fine(chain):
    for seed in range(3):
        chain.run("gates", *QUIET[2:], f"--randomly-seed={seed}", quiet=()).assert_outcomes(passed=3)


@pytest.mark.parametrize("dist", ["load", "loadfile", "worksteal", "each"])
def test_xdist_distributes_gates(project, dist):
    project.write({"gates/gate_a.py": TRUE.format(name="a"), "gates/gate_b.py": TRUE.format(name="b")})
    times = 2 if dist == "each" else 1
    project.run("gates", "-n", "2", "--dist", dist).assert_outcomes(passed=2 * times)


# -- what is wrong -----------------------------------------------------------------------------------------------------


def config_check(project):
    done = subprocess.run(
        [sys.executable, "-m", "gatekeeper", "config", "check"],
        cwd=project.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    return [line.removeprefix("gatekeeper: ") for line in done.stderr.splitlines()]


@pytest.mark.parametrize(
    "files",
    [
        {"gatekeeper.toml": '[run]\ndedline = "2m"\n[gates.backlog]\nretries = -1\n'},
        {"gatekeeper.toml": "x = = 1\n"},
        {"gates/gate_broken.py": "def x(:\n"},
        {"gates/gate_raises.py": "raise RuntimeError('at import')\n"},
        {"gates/gate_empty.py": "x = 1\n"},
        {"gates/gate_twice.py": TRUE.format(name="backlog")},
        {"gates/gate_needs.py": "from gatekeeper import pre\n@pre(needs=['backlock'])\ndef x(ctx): pass\n"},
    ],
    ids=["settings", "toml", "syntax", "import", "no gate", "twice", "needs"],
)
def test_what_is_wrong_with_the_project_is_said_as_config_check_says_it(orders, files, request):
    orders.write(files)
    done = orders.run("gates")
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.stdout.fnmatch_lines(["*_ ERROR collecting gates/gate_*.py _*"])
    text = done.stdout.str()
    assert "Traceback" not in text
    assert "runner" not in text
    if "needs" in request.node.name:  # the plan is made when gates are to run
        assert "needs 'backlock', which is no gate. Did you mean 'pre.backlog'?" in text
        return
    for line in config_check(orders):
        assert text.count(line) == 1


def test_a_wrong_project_does_not_stop_tests_from_being_collected(orders):
    orders.write({"gatekeeper.toml": "wrong = 1\n", "tests/test_it.py": "def test_it(): pass\n"})
    orders.run("gates", "tests", "--continue-on-collection-errors").assert_outcomes(passed=1, errors=1)


def test_a_secret_that_is_not_there_is_an_error_of_the_gates_that_run(project, monkeypatch):
    project.write(
        {
            "gates/gate_secret.py": """
            from msgspec import Struct
            from gatekeeper import Secret, pre

            class Door(Struct, frozen=True, forbid_unknown_fields=True):
                key: Secret = Secret("")

            @pre(settings=Door)
            def door(ctx, settings):
                ctx.check(True)
            """,
            "gatekeeper.toml": '[gates.door]\nkey = "env:NO_SUCH_KEY"\n',
        }
    )
    done = project.run("gates")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["FAILED *::pre.door - error: gatekeeper.toml:2 *NO_SUCH_KEY*"])
    monkeypatch.setenv("NO_SUCH_KEY", "sesame")
    project.run("gates").assert_outcomes(passed=1)


# -- state -------------------------------------------------------------------------------------------------------------

STOCK = """
    from pathlib import Path
    from gatekeeper import post

    def stock(ctx):
        return len(list(Path(".").glob("*.item")))

    @post(before=stock)
    def grew(ctx):
        ctx.check(stock(ctx) > ctx.before["post.grew"], "nothing was added")
"""


def test_nothing_is_recorded(orders):
    orders.run("gates")
    assert not (orders.path / ".gatekeeper").exists()
    assert not [*orders.path.rglob("*.db")]


def test_a_post_gate_is_compared_with_the_pre_run_that_was_recorded(project):
    project.write({"gates/gate_stock.py": STOCK})
    done = project.run("gates")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["FAILED * - unknown: no pre run of this subject was found*"])
    subprocess.run(
        [sys.executable, "-m", "gatekeeper", "run", "pre"], cwd=project.path, capture_output=True, check=False
    )
    project.run("gates").assert_outcomes(failed=1)
    (project.path / "new.item").touch()
    project.run("gates").assert_outcomes(passed=1)


def test_a_failure_says_since_when_the_history_has_it(orders):
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-m", "gatekeeper", "run", "pre", "backlog"],
            cwd=orders.path,
            capture_output=True,
            check=False,
        )
    text = orders.run("gates").stdout.str()
    assert "   since     3 runs; has not passed before" in text
