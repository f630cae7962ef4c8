"""`post.cleanup`: what a flow left behind, with real processes, sockets and files."""

import os
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import FlowData, UsageError
from gatekeeper.testing import GateResult, Project, run_gate
from gatekeeper_gates.cleanup import cleanup, places, processes

QUICK = {"settle": "0s"}
Spawn = Callable[..., "subprocess.Popen[str]"]


def snapshot(root: Path, **settings: Any) -> dict[str, Any]:
    taken = run_gate(cleanup, settings, root=root, take_before=True)
    assert taken.status == "pass", taken.reason
    return taken.saved


def judged(root: Path, before: dict[str, Any] | None, **settings: Any) -> GateResult:
    settings.setdefault("processes", QUICK)
    return run_gate(cleanup, settings, root=root, before=before)


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Starts Python processes that end with the test, and returns once each has printed `ready`."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str = "", *arguments: str, cwd: Path = tmp_path, program: str = sys.executable) -> Any:
        command = [
            program,
            "-c",
            f"{code}\nprint('ready', flush=True)\nimport time; time.sleep(60)",
            *arguments,
        ]
        process = subprocess.Popen(
            command, cwd=cwd, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


LISTEN = "import socket; s = socket.create_server(('127.0.0.1', 0)); p = s.getsockname()[1]"


# -- processes -----------------------------------------------------------------------------------------------


def test_without_a_pre_run_and_configuration_it_skips_and_says_what_to_do(tmp_path: Path) -> None:
    found = run_gate(cleanup, root=tmp_path)
    assert found.status == "skip"
    assert "gatekeeper run pre" in found.reason
    assert "[[gates.cleanup.files]]" in found.reason


def test_without_a_pre_run_what_is_configured_is_unknown(tmp_path: Path) -> None:
    found = run_gate(cleanup, {"files": [{"path": "tmp/*"}]}, root=tmp_path)
    assert found.status == "unknown"
    assert "gatekeeper run pre" in found.reason


def test_a_flow_that_leaves_nothing_passes_with_evidence(tmp_path: Path) -> None:
    found = judged(tmp_path, snapshot(tmp_path))
    assert found.status == "pass"
    assert found.finding("processes").observed == 0
    assert found.finding("ports").observed == 0


def test_a_process_left_in_the_project_is_named_with_what_to_do(tmp_path: Path, spawn: Spawn) -> None:
    before = snapshot(tmp_path)
    process = spawn("", "left-behind")
    found = judged(tmp_path, before)
    assert found.status == "fail"
    finding = found.finding("processes")
    assert (finding.observed, finding.operator, finding.limit, finding.unit) == (1, "<=", 0, "left")
    assert finding.hint == f"kill {process.pid}"
    [left] = finding.evidence["left"]
    assert left["pid"] == process.pid
    assert "left-behind" in left["command"]
    assert left["folder"] == str(tmp_path)
    assert left["memory"] > 0
    assert left["user"]
    assert left["age_s"] < 120


def test_as_many_as_allowed_may_be_left(tmp_path: Path, spawn: Spawn) -> None:
    before = snapshot(tmp_path)
    spawn()
    assert judged(tmp_path, before, processes={**QUICK, "max": 1}).status == "pass"


def test_what_ran_before_the_flow_is_not_its_doing(tmp_path: Path, spawn: Spawn) -> None:
    spawn()
    assert judged(tmp_path, snapshot(tmp_path)).status == "pass"


def test_a_process_elsewhere_is_not_counted(tmp_path: Path, spawn: Spawn) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "project-2"
    project.mkdir()
    elsewhere.mkdir()
    before = snapshot(project)
    spawn("", "browser", cwd=elsewhere)
    assert judged(project, before).status == "pass"


@pytest.mark.parametrize("argument", ["{}/worker.py", "--data={}/orders", "{}"])
def test_a_process_elsewhere_that_works_on_the_project_is_counted(
    tmp_path: Path, spawn: Spawn, argument: str
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    before = snapshot(project)
    spawn("", argument.format(project))
    assert judged(project, before).status == "fail"


def test_a_process_in_a_folder_that_is_gone_is_still_found(tmp_path: Path, spawn: Spawn) -> None:
    before = snapshot(tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    spawn(cwd=work)
    work.rmdir()
    assert judged(tmp_path, before).status == "fail"


def test_a_pattern_finds_processes_wherever_they_are(tmp_path: Path, spawn: Spawn) -> None:
    project = tmp_path / "project"
    project.mkdir()
    rule = {**QUICK, "command": [f"orders-worker-{os.getpid()}"]}
    before = snapshot(project, processes=rule)
    spawn("", f"orders-worker-{os.getpid()}")
    assert judged(project, before, processes=rule).status == "fail"
    assert judged(project, before, processes={**rule, "ignore": ["orders-worker"]}).status == "pass"
    assert judged(project, before, processes={**rule, "user": "nobody-of-this-name"}).status == "pass"
    assert judged(project, before, processes={**rule, "user": "*"}).status == "fail"


def test_the_service_preset_lets_the_deployed_service_run(tmp_path: Path, spawn: Spawn) -> None:
    before = snapshot(tmp_path)
    spawn()
    service = {**QUICK, **cleanup.presets["service"]["processes"]}
    found = judged(tmp_path, before, processes=service)
    assert found.status == "skip"
    assert "command = " in found.reason


def test_a_detached_grandchild_is_found(tmp_path: Path, spawn: Spawn) -> None:
    before = snapshot(tmp_path)
    code = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "c = subprocess.Popen(command, start_new_session=True)\n"
        "open('pid', 'w').write(str(c.pid))"
    )
    parent = spawn(code)
    parent.kill()
    parent.wait()
    pid = int((tmp_path / "pid").read_text())
    try:
        found = judged(tmp_path, before)
        assert [left["pid"] for left in found.finding("processes").evidence["left"]] == [pid]
    finally:
        os.kill(pid, 9)


def test_a_zombie_is_not_a_process_that_was_left(tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    process = subprocess.Popen(["true"], cwd=tmp_path)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert judged(tmp_path, before).status == "pass"
    process.wait()


def test_a_process_that_is_just_ending_was_not_left(tmp_path: Path, spawn: Spawn) -> None:
    before = snapshot(tmp_path)
    process = spawn("import threading, os; threading.Timer(0.2, os._exit, [0]).start()")
    assert judged(tmp_path, before, processes={"settle": "5s"}).status == "pass"
    assert process.wait() == 0


def test_gatekeeper_itself_is_not_counted(tmp_path: Path, spawn: Spawn) -> None:
    before = snapshot(tmp_path)
    program = tmp_path / "gatekeeper"
    program.symlink_to(sys.executable)
    spawn(program=str(program))
    assert judged(tmp_path, before).status == "pass"


def test_many_left_processes_are_all_counted(tmp_path: Path, spawn: Spawn) -> None:
    before = snapshot(tmp_path)
    for _ in range(7):
        spawn()
    found = judged(tmp_path, before)
    assert found.finding("processes").observed == 7
    assert "and 2 more" in found.reason


# -- ports ---------------------------------------------------------------------------------------------------


def test_a_port_of_a_left_process_is_named(tmp_path: Path, spawn: Spawn) -> None:
    before = snapshot(tmp_path)
    process = spawn(f"{LISTEN}; open('port', 'w').write(str(p))")
    port = (tmp_path / "port").read_text()
    found = judged(tmp_path, before, processes={**QUICK, "max": 1})
    assert found.status == "fail"
    finding = found.finding("ports")
    assert finding.evidence["left"] == [{"address": f"127.0.0.1:{port}", "pid": process.pid}]
    assert f"127.0.0.1:{port} held by pid {process.pid}" in found.reason
    assert "ss -ltnp" in finding.hint


def test_a_watched_port_counts_whoever_opened_it(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        watch = {"watch": [port]}
        assert judged(project, snapshot(project, ports=watch), ports=watch).status == "pass"
    before = snapshot(project, ports=watch)
    assert judged(project, before, ports=watch).status == "pass"
    with socket.create_server(("127.0.0.1", port)):
        found = judged(project, before, ports={"watch": [f"{port}-{port}"]})
    assert found.status == "fail"
    assert f"127.0.0.1:{port} held by pid {os.getpid()}" in found.reason


@given(first=st.integers(1, 65535), size=st.integers(0, 100))
def test_port_ranges_hold_both_ends(first: int, size: int) -> None:
    last = min(65535, first + size)
    assert [*processes.port_range(f"{first}-{last}")] == [*range(first, last + 1)]
    assert [*processes.port_range(first)] == [first]


@pytest.mark.parametrize("item", [0, 65536, -1, "80-70", "a", "", "1-", "-2", "1-2-3", "²"])
def test_what_is_no_port_is_refused(item: Any) -> None:
    with pytest.raises(ValueError, match="expected a port"):
        processes.port_range(item)


# -- files and disk ------------------------------------------------------------------------------------------


def test_left_files_are_named_with_size_and_age(tmp_path: Path) -> None:
    rule = {"files": [{"path": "tmp/orders-*"}]}
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "orders-old").touch()
    before = snapshot(tmp_path, **rule)
    assert judged(tmp_path, before, **rule).status == "pass"
    left = tmp_path / "tmp" / "orders-new one"
    left.write_bytes(b"x" * 1234)
    found = judged(tmp_path, before, **rule)
    assert found.status == "fail"
    finding = found.finding("files tmp/orders-*")
    assert finding.hint == f"rm -- '{left}'"
    [evidence] = finding.evidence["left"]
    assert (evidence["path"], evidence["size"]) == (str(left), 1234)
    assert evidence["age_s"] < 60


def test_a_left_folder_counts_once_with_all_that_is_in_it(tmp_path: Path) -> None:
    rule = {"files": [{"path": "work-*"}]}
    before = snapshot(tmp_path, **rule)
    (tmp_path / "work-1" / "deep").mkdir(parents=True)
    (tmp_path / "work-1" / "deep" / "data").write_bytes(b"x" * 100_000)
    finding = judged(tmp_path, before, **rule).finding("files work-*")
    assert finding.observed == 1
    assert finding.evidence["left"][0]["size"] >= 100_000
    assert finding.hint.startswith("rm -r -- ")


def test_the_temporary_folder_is_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    rule = {"files": [{"path": "{temp}/orders-*"}]}
    before = snapshot(tmp_path, **rule)
    (tmp_path / "temp" / "orders-1").touch()
    assert judged(tmp_path, before, **rule).status == "fail"


def test_a_dangling_link_is_a_left_file(tmp_path: Path) -> None:
    rule = {"files": [{"path": "lock"}]}
    before = snapshot(tmp_path, **rule)
    (tmp_path / "lock").symlink_to("nowhere")
    assert judged(tmp_path, before, **rule).status == "fail"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to others")
def test_other_users_files_count_only_when_told(tmp_path: Path) -> None:
    rule = {"path": "orders-*"}
    before = snapshot(tmp_path, files=[rule])
    (tmp_path / "orders-1").touch()
    os.chown(tmp_path / "orders-1", 12345, 12345)
    assert judged(tmp_path, before, files=[rule]).status == "pass"
    assert judged(tmp_path, before, files=[{**rule, "any_user": True}]).status == "fail"


def test_a_rule_added_after_the_pre_run_is_unknown(tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    for rule in ({"files": [{"path": "x"}]}, {"disk": [{"path": "x"}]}, {"memory": {"warn": "1GB"}}):
        found = judged(tmp_path, before, **rule)
        assert found.status == "unknown"
        assert "not configured when the pre run was made" in found.reason


def test_a_pattern_that_matches_a_whole_disk_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = {"files": [{"path": "*"}], "disk": [{"path": "."}]}
    before = snapshot(tmp_path, **rule)
    monkeypatch.setattr(places, "MAX_PATHS", 2)
    monkeypatch.setattr(places, "MAX_ENTRIES", 2)
    for name in "abcd":
        (tmp_path / name).touch()
    assert judged(tmp_path, before, files=rule["files"]).status == "error"
    assert judged(tmp_path, before, disk=rule["disk"]).status == "error"


def test_disk_growth_is_held_against_its_budget(tmp_path: Path) -> None:
    rule = {"disk": [{"path": "build", "growth": {"warn": "50kB", "fail": "500kB"}}]}
    before = snapshot(tmp_path, **rule)
    (tmp_path / "build" / "sub").mkdir(parents=True)
    for size, status in ((10_000, "pass"), (100_000, "warn"), (1_000_000, "fail")):
        (tmp_path / "build" / "sub" / "data").write_bytes(os.urandom(size))
        found = judged(tmp_path, before, **rule)
        assert found.status == status
    finding = found.finding("disk build")
    assert finding.unit == "B"
    assert finding.observed >= 1_000_000
    assert "du -xh" in finding.hint
    shutil.rmtree(tmp_path / "build")
    assert judged(tmp_path, before, **rule).status == "pass"


# -- services and memory -------------------------------------------------------------------------------------

OPENER = """
import os, signal
kept = []
def grow(*_):
    kept.extend(open("leaked") for _ in range(30))
    kept.append(bytearray(20_000_000))
    os.mkdir("grown")
open("leaked", "w").close()
signal.signal(signal.SIGUSR1, grow)
open("pid", "w").write(str(os.getpid()) + "\\n")
"""


def test_a_service_that_keeps_descriptors_and_memory_is_found(tmp_path: Path, spawn: Spawn) -> None:
    service = {"pidfile": "pid", "name": "worker", "descriptors": {"fail": 10}, "memory": {"warn": "10MB"}}
    process = spawn(OPENER)
    before = snapshot(tmp_path, services=[service])
    assert judged(tmp_path, before, services=[service]).status == "pass"
    process.send_signal(10)
    _wait_for(tmp_path / "grown")
    found = judged(tmp_path, before, services=[service])
    descriptors = found.finding("service worker descriptors")
    assert (descriptors.status, descriptors.observed, descriptors.limit) == ("fail", 30, 10)
    assert descriptors.evidence["opened"] == {str(tmp_path / "leaked"): 30}
    assert descriptors.evidence["pid"] == process.pid
    assert found.finding("service worker memory").status == "warn"


def _wait_for(path: Path) -> None:
    import time

    for _ in range(200):
        if path.exists():
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} did not appear")


def test_a_service_that_was_restarted_is_unknown(tmp_path: Path, spawn: Spawn) -> None:
    service = {"services": [{"pidfile": "pid"}]}
    first = spawn(OPENER)
    before = snapshot(tmp_path, **service)
    first.kill()
    first.wait()
    second = spawn(OPENER)
    found = judged(tmp_path, before, processes={**QUICK, "max": 1}, **service)
    assert found.status == "unknown"
    assert f"pid {first.pid} is now pid {second.pid}" in found.reason


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), ("", "no process id"), ("abc", "no process id"), ("4194999", "not running")],
)
def test_a_service_that_is_not_there_fails(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "pid").write_text(content)
    service = {"services": [{"pidfile": "pid"}]}
    found = judged(tmp_path, snapshot(tmp_path, **service), **service)
    assert found.status == "fail"
    assert words in found.reason


def test_less_available_memory_warns_or_fails_as_told(tmp_path: Path) -> None:
    before = snapshot(tmp_path, memory={"warn": "100TB"})
    assert judged(tmp_path, before, memory={"warn": "100TB"}).status == "pass"
    before["post.cleanup"]["memory"] += 10**15
    found = judged(tmp_path, before, memory={"warn": "100TB"})
    assert found.status == "warn"
    assert "less memory is available" in found.reason
    assert judged(tmp_path, before, memory="100TB").status == "fail"


# -- settings ------------------------------------------------------------------------------------------------


def test_the_documented_example_is_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "gates" / "post.cleanup.md").read_text("utf-8")
    example = tomllib.loads(page.partition("```toml\n")[2].partition("```")[0])
    assert run_gate(cleanup, example["gates"]["cleanup"], root=tmp_path).status in ("unknown", "fail")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"processes": {"command": ["("]}}, "not a regular expression"),
        ({"processes": {"scope": "everything"}}, "everything"),
        ({"ports": {"watch": ["http"]}}, "expected a port"),
        ({"files": [{"glob": "x"}]}, 'unknown key "glob"'),
        ({"disk": [{"path": "x", "growth": "5s"}]}, "growth takes a size"),
        ({"services": [{"pidfile": "x", "descriptors": "5MB"}]}, "descriptors takes a bare number"),
        ({"memory": "80%"}, "memory takes a size"),
    ],
)
def test_wrong_settings_are_refused_with_what_is_wrong(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as raised:
        run_gate(cleanup, settings)
    assert words in str(raised.value)


# -- as users run it -----------------------------------------------------------------------------------------

BUSY_GATE = '''
import subprocess, sys, time
from gatekeeper import post

@post
def busy(ctx):
    """Works in the project with processes of its own, while cleanup looks."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.4)"]) as process:
        ctx.check(process.wait() == 0)
'''


def test_gatekeepers_own_processes_and_a_pager_are_not_left_by_the_flow(tmp_path: Path) -> None:
    project = Project(tmp_path).write(
        {"gatekeeper.toml": '[gates.cleanup.processes]\nsettle = "0s"\n', "gates/gate_busy.py": BUSY_GATE}
    )
    assert project.run("pre").exit_code == 0
    command = f"{sys.executable} -m gatekeeper run post post.cleanup post.busy | cat"
    shown = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "VERDICT  PROCEED" in shown.stdout, shown.stdout


@given(start=st.integers(0, 5), pid=st.integers(2, 9))
def test_within_a_tick_of_the_clock_pids_tell_who_came_first(start: int, pid: int) -> None:
    around = processes.Surroundings(lineage={1}, until=(3, 5), parents=set(), terminals=set())
    assert around.hides(pid, start) is (start > 3 or (start == 3 and pid > 5))
    assert around.hides(1, start)


def test_in_one_run_of_both_phases_gates_are_not_taken_for_a_flow(tmp_path: Path) -> None:
    project = Project(tmp_path).write(
        {"gatekeeper.toml": '[gates.cleanup.processes]\nsettle = "0s"\n', "gates/gate_busy.py": BUSY_GATE}
    )
    assert project.run("pre").exit_code == 0
    outcome = project.run("all", "post.cleanup", "post.busy", "--isolation", "spawn")
    assert outcome["post.busy"].status == "pass"
    assert outcome["post.cleanup"].status == "pass", outcome["post.cleanup"].reason


def test_without_any_configuration_a_left_process_blocks(tmp_path: Path, spawn: Spawn) -> None:
    project = Project(tmp_path)
    assert project.run("pre").exit_code == 0
    clean = project.run("post", "post.cleanup")
    assert (clean.exit_code, clean["post.cleanup"].status) == (0, "pass")
    process = spawn()
    outcome = project.run("post", "post.cleanup")
    assert outcome.exit_code == 1
    assert f"pid {process.pid}" in outcome.verdict.reasons[0].text
    assert outcome.verdict.reasons[0].hint == f"kill {process.pid}"


def test_what_someone_does_in_another_terminal_is_not_counted(
    tmp_path: Path, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(tmp_path)
    editor = spawn("", "editor")
    monkeypatch.setattr(processes, "_terminal", lambda p: "pts/2" if p.pid == editor.pid else "pts/1")
    assert judged(tmp_path, before).status == "pass"
    monkeypatch.setattr(processes, "_terminal", lambda p: None if p.pid == editor.pid else "pts/1")
    assert judged(tmp_path, before).status == "fail"


# -- of a flow that gatekeeper ran ---------------------------------------------------------------------------


def ran(*left: "subprocess.Popen[str]", **fields: Any) -> FlowData:
    return FlowData(
        kind="command", left=tuple((p.pid, processes.began(p.pid) or 0.0) for p in left), **fields
    )


def of_flow(root: Path, flow: FlowData, **settings: Any) -> GateResult:
    settings.setdefault("processes", QUICK)
    return run_gate(cleanup, settings, root=root, before=snapshot(root, **settings), flow=flow)


def test_only_what_the_flow_is_known_to_have_left_counts_and_wherever_it_is(
    tmp_path: Path, spawn: Spawn
) -> None:
    (tmp_path / "project").mkdir()
    before = snapshot(tmp_path / "project")
    mine, other = spawn(cwd=tmp_path), spawn(cwd=tmp_path / "project")
    found = run_gate(cleanup, {"processes": QUICK}, root=tmp_path / "project", before=before, flow=ran(mine))
    assert [left["pid"] for left in found.finding("processes").evidence["left"]] == [mine.pid]
    assert other.poll() is None


def test_where_nobody_can_tell_it_is_judged_by_place_as_ever(tmp_path: Path, spawn: Spawn) -> None:
    before = snapshot(tmp_path)
    process = spawn()
    flow = FlowData(kind="python", left=None)
    found = run_gate(cleanup, {"processes": QUICK}, root=tmp_path, before=before, flow=flow)
    assert [left["pid"] for left in found.finding("processes").evidence["left"]] == [process.pid]


def test_a_pid_that_was_given_to_another_is_not_what_was_left(tmp_path: Path, spawn: Spawn) -> None:
    process = spawn()
    flow = FlowData(kind="command", left=((process.pid, (processes.began(process.pid) or 0) - 1),))
    assert of_flow(tmp_path, flow).status == "pass"


def test_patterns_and_scope_hold_for_what_a_flow_left_too(tmp_path: Path, spawn: Spawn) -> None:
    flow = ran(spawn("", "helper-one"), spawn("", "helper-two"))
    assert of_flow(tmp_path, flow).finding("processes").observed == 2
    assert (
        of_flow(tmp_path, flow, processes={**QUICK, "ignore": ["helper-one"]}).finding("processes").observed
        == 1
    )
    matching = {**QUICK, "scope": "matching", "command": ["helper-two"]}
    assert of_flow(tmp_path, flow, processes=matching).finding("processes").observed == 1
    assert of_flow(tmp_path, flow, processes={**QUICK, "user": "nobody-of-this-name"}).status == "pass"


def test_below_its_keeper_gatekeepers_own_processes_are_not_the_flows(tmp_path: Path, spawn: Spawn) -> None:
    gone = spawn()
    flow = ran(gone, keeper=os.getpid())
    gone.kill()
    gone.wait()
    program = tmp_path / "gatekeeper"
    program.symlink_to(sys.executable)
    spawn(program=str(program))
    stray = spawn()
    found = of_flow(tmp_path, flow)
    assert [left["pid"] for left in found.finding("processes").evidence["left"]] == [stray.pid]


def test_helpers_that_python_keeps_while_a_program_runs_are_not_left(tmp_path: Path) -> None:
    code = "from multiprocessing import resource_tracker as t; t.ensure_running(); print(t._resource_tracker._pid, flush=True); input()"
    host = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with host:
        assert host.stdout is not None
        tracker = int(host.stdout.readline())
        flow = FlowData(kind="python", left=((tracker, processes.began(tracker) or 0.0),))
        found = of_flow(tmp_path, flow, processes={"settle": "10s"})  # it may be just starting
        host.communicate("\n", timeout=30)
    assert found.status == "pass", found.reason


def test_a_zombie_whose_parent_lives_was_not_left_and_is_not_waited_for(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "60"], text=True)
    flow = ran(process)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert of_flow(tmp_path, flow, processes={"settle": "100s"}).status == "pass"
    process.wait()


def test_a_flows_own_temporary_folder_is_looked_at_whatever_else_is(tmp_path: Path) -> None:
    (tmp_path / "temp").mkdir()
    flow = ran(temp=str(tmp_path / "temp"))
    service = {**QUICK, "scope": "matching"}
    assert of_flow(tmp_path, flow, processes=service).finding("temporary files").status == "pass"
    (tmp_path / "temp" / "left").write_bytes(b"12345")
    found = of_flow(tmp_path, flow, processes=service)
    assert (found.status, found.finding("temporary files").evidence["left"][0]["size"]) == ("fail", 5)
    assert of_flow(tmp_path, flow, processes=service, temporary={"max": 1}).status == "pass"


def test_a_file_counts_by_when_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    now = os.lstat(tmp_path / "file").st_ctime

    def counts(began: float, ended: float) -> bool:
        flow = FlowData(kind="command", began=began, ended=ended)
        return places.came_with(flow, str(tmp_path / "file"))

    assert counts(now - 1, now + 1)
    assert not counts(now + 1, now + 2)
    if places._born(str(tmp_path / "file")) is not None:
        assert not counts(now - 2, now - 1)
        os.utime(tmp_path / "file", (0, 0))
        assert counts(now - 1, now + 1)  # whatever times a program gives it
    monkeypatch.setattr(places, "_born", lambda path: None)  # a file system that doesn't tell
    assert counts(now + 1, now + 2)
    assert not counts(now + 3, now + 4)
    assert not places.came_with(FlowData(kind="command"), str(tmp_path / "gone"))
