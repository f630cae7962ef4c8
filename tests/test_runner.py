"""The process that runs a host's gates, whatever the host does: it ends, what it saw is recorded, nothing hangs."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import gatekeeper
from flowprojects import Place, saw
from gatekeeper import Blocked, GatekeeperError, Readings, UsageError
from gatekeeper.app import RunRequest
from gatekeeper.project import ProjectRequest
from gatekeeper.rundata import FlowData
from gatekeeper.runner import client
from gatekeeper.runner.client import Runner
from gatekeeper.runner.messages import Begin, Ended, Started
from gatekeeper.runner.pipes import Inlet, Outlet
from gatekeeper.select import Selection

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith("GATEKEEPER_"):
            monkeypatch.delenv(name)
    yield Place(tmp_path)
    _nobody_is_left_in(tmp_path)


def _nobody_is_left_in(folder, patience=20):
    """No process works in this folder any more."""
    until = time.monotonic() + patience
    while left := [process for process in psutil.process_iter() if _works_in(process, folder)]:
        if time.monotonic() > until:
            commands = [process.cmdline() for process in left]
            for process in left:
                process.kill()
            pytest.fail(f"left running: {commands}")
        time.sleep(0.1)


def _works_in(process, folder):
    with suppress(psutil.Error):
        return process.pid != os.getpid() and process.cwd() == str(folder) and process.status() != "zombie"
    return False


def begin(folder, **request):
    project = ProjectRequest(cwd=str(folder))
    return Begin(request=RunRequest(project=project, phase="exec", **request), host=os.getpid())


ENDED = FlowData(kind="python", name="f")

# -- the host's side -----------------------------------------------------------------------------------------


def test_a_runner_serves_one_run_and_says_how_it_goes(place, tmp_path):
    heard = []
    with Runner(heard.append) as runner:
        before = runner.before(begin(tmp_path, subject="f"))
        whole = runner.after(ENDED, Readings(), {"n": "3"})
    assert before.gates == tuple(result.id for result in whole.run.results)
    assert saw(whole.run)["outputs"] == {"n": 3}
    assert {message.gate for message in heard if isinstance(message, Started)} == {*before.gates}
    assert {message.result.id for message in heard if isinstance(message, Ended)} == {*before.gates}
    assert place.records() == [whole.run]


def test_a_runner_that_is_left_without_a_word_records_a_flow_whose_end_nobody_saw(place, tmp_path):
    with pytest.raises(ZeroDivisionError), Runner() as runner:  # noqa: PT012 - it raises at its end
        runner.before(begin(tmp_path))
        raise ZeroDivisionError
    (record,) = place.records(1)
    assert record.verdict.decision == "block"
    assert "nobody saw its end" in record.result("post.flow").reason


def test_a_runner_that_still_works_when_it_is_left_goes_on_by_itself(place, tmp_path, monkeypatch):
    monkeypatch.setattr(client, "END_GRACE", 0.1)
    place.switch("post.wait")
    with Runner() as runner:
        runner.before(begin(tmp_path))
    place.until("post.waits")
    place.switch("post.go")
    (record,) = place.records(1)
    assert record.result("post.seen").status == "pass"


def test_inputs_and_outputs_are_exactly_what_was_given(place, tmp_path):
    """Not a file that happens to have the name of a number."""
    (tmp_path / "3").write_text("a file")
    asked = begin(tmp_path)
    with Runner() as runner:
        runner.before(Begin(request=asked.request, inputs={"n": "3", "file": f"@{tmp_path}/3"}))
        whole = runner.after(ENDED, Readings(), {"n": "3", "why": "!it was too large"})
    assert whole.run.result("post.seen").reason == "the output 'why' is not there: it was too large"


def test_a_wrong_project_is_a_usage_error(place, tmp_path):
    (tmp_path / "gatekeeper.toml").write_text("[run]\nnope = 1\n[gates.nope]\n")
    with pytest.raises(UsageError) as caught, Runner() as runner:
        runner.before(begin(tmp_path))
    assert len(caught.value.problems) == 2


def test_text_that_is_no_unicode_is_said_all_the_same(place, tmp_path):
    with pytest.raises(UsageError, match="no gate or gate file"), Runner() as runner:
        runner.before(begin(tmp_path, selection=Selection(("\udc80",))))


def test_a_plugin_that_breaks_the_runner_is_said(place, tmp_path):
    place.write({"gates/gate_bad.py": "import os\n\ndef gatekeeper_gates(settings):\n    os._exit(7)\n"})
    with pytest.raises(GatekeeperError, match=r"ended \(exit code 7\) without a verdict"), Runner() as runner:
        runner.before(begin(tmp_path))


def test_a_plugin_that_cuts_the_runner_off_is_said(place, tmp_path, monkeypatch):
    monkeypatch.setattr(client, "END_GRACE", 0.5)
    place.write(
        {
            "gates/gate_bad.py": "import os, time\n\ndef gatekeeper_gates(settings):\n    os.closerange(3, 100)\n    time.sleep(600)\n"
        }
    )
    with pytest.raises(GatekeeperError, match="stopped answering without a verdict"), Runner() as runner:
        runner.before(begin(tmp_path))


def test_what_plugins_print_is_no_answer(place, tmp_path, capfd):
    place.write(
        {
            "gates/gate_loud.py": "import os\nfrom gatekeeper import pre\nprint('{}')\nos.write(1, b'hello\\n')\n\n@pre\ndef fine(ctx):\n    assert 1\n"
        }
    )
    with Runner() as runner:
        runner.before(begin(tmp_path))
        whole = runner.after(ENDED, Readings(), {})
    assert whole.run.verdict.decision == "proceed"
    out, err = capfd.readouterr()
    assert out == ""
    assert "{}\n" in err
    assert "hello\n" in err


# -- pipes ---------------------------------------------------------------------------------------------------


def _ends():
    inlet, writer = Inlet.pipe()
    return inlet, Outlet(writer)


def _yes():
    return True


def test_messages_come_out_as_they_went_in_whatever_their_size():
    import threading

    inlet, outlet = _ends()
    messages = ["", "a\nb", "x" * 3_000_000, "\udc80"]
    sender = threading.Thread(target=lambda: [outlet.send(message) for message in messages])
    sender.start()
    assert [inlet.line(_yes) for _ in messages] == [
        b'""',
        b'"a\\nb"',
        b'"' + b"x" * 3_000_000 + b'"',
        b'"\\\\udc80"',
    ]
    sender.join()
    outlet.close()
    assert inlet.line(_yes) == b""
    inlet.close()


def test_a_message_that_was_cut_off_is_none():
    inlet, writer = Inlet.pipe()
    os.write(writer, b'{"type":')
    os.close(writer)
    assert inlet.line(_yes) == b""
    inlet.close()


def test_what_was_said_before_the_end_is_heard_though_a_copy_holds_the_pipe():
    inlet, outlet = _ends()
    outlet.send("last")
    assert inlet.line(lambda: False) == b'"last"'
    assert inlet.line(lambda: False) == b""
    outlet.close()
    inlet.close()


def test_a_descriptor_that_became_another_file_is_left_alone(tmp_path):
    inlet, outlet = _ends()
    file = os.open(tmp_path / "mine", os.O_RDWR | os.O_CREAT)
    for end in (inlet, outlet):
        os.dup2(file, end._fd)
        number = end._fd
        if end is outlet:
            outlet.send("never")
        else:
            assert inlet.line(_yes) == b""
        end.close()
        os.close(number)  # still open: it was not theirs
    os.close(file)
    assert (tmp_path / "mine").read_bytes() == b""


# -- hosts that end without a word ---------------------------------------------------------------------------

FLOW = """
    import os, signal, subprocess, sys, time
    import gatekeeper

    def main():
        with gatekeeper.flow("writing") as run:
            run.outputs = 1
            open("in-flow", "w").close()
            BODY

    if __name__ == "__main__":
        main()
"""


def flow(body):
    return FLOW.replace("BODY", body.replace("\n", "\n" + " " * 12))


@pytest.mark.parametrize(
    "body",
    [
        "os._exit(0)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os.abort()",
        "os.execv('/bin/true', ['true'])",
    ],
    ids=["os._exit", "SIGKILL", "SIGTERM", "abort", "exec"],
)
def test_a_host_that_dies_in_its_flow_is_a_block_on_record(place, body):
    done = place.script(flow(body))
    done.communicate(timeout=60)
    (record,) = place.records(1)
    assert record.verdict.decision == "block"
    assert "nobody saw its end" in record.result("post.flow").reason


@pytest.mark.parametrize("phase", ["pre", "post"])
def test_a_host_that_dies_while_gates_run_leaves_a_record(place, phase):
    place.switch(f"{phase}.wait")
    done = place.script(flow("pass"))
    place.until(f"{phase}.waits")
    done.kill()
    done.wait()
    place.switch(f"{phase}.go")
    done.communicate()
    (record,) = place.records(1)
    assert record.verdict.decision == ("proceed" if phase == "post" else "block")


def test_what_the_flow_forked_may_live_on_and_hold_the_pipes(place):
    """The daemon has the pipes to the runner: no end of file tells that the host is gone."""
    body = "if os.fork() == 0:\n    os.setsid()\n    [os.close(n) for n in (0, 1, 2)]\n    time.sleep(600)\nos._exit(0)"
    done = place.script(flow(body))
    done.communicate(timeout=60)
    (record,) = place.records(1)
    assert "nobody saw its end" in record.result("post.flow").reason
    for process in psutil.process_iter():
        if _works_in(process, place.root):
            process.kill()


@pytest.mark.parametrize("close_fds", [True, False])
def test_a_program_that_the_flow_leaves_does_not_keep_the_runner(place, close_fds):
    body = f"left = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds={close_fds})\nos._exit(0)"
    done = place.script(flow(body))
    done.communicate(timeout=60)
    place.records(1)
    for process in psutil.process_iter():
        if _works_in(process, place.root):
            process.kill()


def test_an_interpreter_that_ends_inside_a_flow_says_nothing_and_leaves_a_record(place):
    code = """
        import gatekeeper

        @gatekeeper.gated("counting")
        def count():
            yield from range(10)

        items = count()
        next(items)
    """
    done = place.script(code, "-W", "error")
    assert (*done.communicate(timeout=60), done.returncode) == ("", "", 0)
    (record,) = place.records(1)
    assert record.verdict.decision == "block"


def test_a_flow_that_calls_exit_is_judged_and_exits_as_it_said(place):
    done = place.script(flow("sys.exit('enough')"), "-W", "error")
    assert (*done.communicate(timeout=60), done.returncode) == ("", "enough\n", 1)
    assert place.records()[0].result("post.flow").findings[0].observed == "SystemExit"


# -- Ctrl-C --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["pre", "post"])
def test_ctrl_c_while_gates_run_ends_them_and_is_recorded(place, phase):
    place.switch(f"{phase}.wait")
    done = place.script(flow("pass"), "-W", "error")
    place.until(f"{phase}.waits")
    done.send_signal(signal.SIGINT)
    _, err = done.communicate(timeout=60)
    assert done.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")
    (record,) = place.records(1)
    assert (record.verdict.decision, record.header.complete) == ("none", False)
    assert record.result(f"{'post.seen' if phase == 'post' else 'pre.start'}").reason == "interrupted"


def test_ctrl_c_in_the_flow_is_judged(place):
    done = place.script(flow("os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)"))
    done.communicate(timeout=60)
    assert done.returncode == -signal.SIGINT
    assert place.records()[0].result("post.flow").findings[0].observed == "KeyboardInterrupt"


def test_a_terminal_s_ctrl_c_does_not_reach_the_runner(place):
    """It goes to the whole group of processes; the flow here survives it."""
    body = "signal.signal(signal.SIGINT, signal.SIG_IGN)\nos.killpg(0, signal.SIGINT)"
    (place.root / "program.py").write_text("")
    done = place.script(flow(f"os.setpgid(0, 0)\n{body}"))
    _, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (0, "")
    assert place.records()[0].verdict.decision == "proceed"


# -- hosts that do odd things --------------------------------------------------------------------------------


def test_a_copy_that_comes_back_from_a_fork_is_not_the_flow(place):
    body = "pid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\nelse:\n    run.outputs = 'the copy'"
    done = place.script(flow(body), "-W", "error")
    out, err = done.communicate(timeout=60)
    assert (done.returncode, out, err) == (0, "", "")
    (record,) = place.records()
    assert saw(record)["outputs"] == {"result": 1}
    assert record.verdict.decision == "proceed"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_flows_use_multiprocessing_of_any_kind(place, method):
    code = f"""
        import multiprocessing, os
        import gatekeeper

        def double(n):
            gatekeeper.current().record("n", n)
            return 2 * n

        if __name__ == "__main__":
            with gatekeeper.flow("numbers") as run:
                with multiprocessing.get_context({method!r}).Pool(2) as pool:
                    run.outputs = pool.map(double, range(4))
    """
    done = place.script(code)
    out, err = done.communicate(timeout=100)
    assert (done.returncode, out, err) == (0, "", "")
    assert saw(place.records()[0])["outputs"] == {"result": [0, 2, 4, 6]}


def test_a_flow_that_closes_all_descriptors_is_not_passed_and_its_new_files_are_its_own(place, tmp_path):
    body = "os.closerange(3, 4096)\nfor n in range(40):\n    os.open(f'file-{n}', os.O_RDWR | os.O_CREAT)"
    code = flow(body).replace(
        "        main()\n",
        "        try:\n            main()\n        except gatekeeper.Blocked as blocked:\n            print(blocked, blocked.outputs)\n",
    )
    done = place.script(code, "-W", "error")
    out, _ = done.communicate(timeout=60)
    assert done.returncode == 0
    assert "NONE after the flow\n  the flow closed the descriptors to the runner of its gates" in out
    assert out.endswith(" 1\n")
    assert {(tmp_path / f"file-{n}").read_bytes() for n in range(40)} == {b""}
    (record,) = place.records(1)
    assert record.verdict.decision == "block"


@pytest.mark.parametrize("closed", [(0,), (0, 1), (0, 1, 2)])
def test_a_host_without_standard_streams_is_served(place, tmp_path, closed):
    code = f"""
        import os
        for n in {closed!r}:
            os.close(n)
        import gatekeeper
        with gatekeeper.flow("writing") as run:
            pass
        with open("verdict", "w") as file:
            file.write(run.verdict.decision)
    """
    place.script(code).communicate(timeout=60)
    assert (tmp_path / "verdict").read_text() == "proceed"


def test_a_host_that_ignores_the_end_of_its_children_is_served(place):
    done = place.script(
        "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n" + _dedented(flow("pass")),
        "-W",
        "error",
    )
    assert (*done.communicate(timeout=60), done.returncode) == ("", "", 0)
    assert place.records()[0].verdict.decision == "proceed"


def test_a_host_with_a_thousand_open_files_is_served(place):
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1200:
        pytest.skip("this machine allows fewer than 1,200 open files")
    code = "import os\nkept = [os.open('/dev/null', os.O_RDONLY) for _ in range(1100)]\n" + _dedented(
        flow("pass")
    )
    done = place.script(code, "-W", "error")
    assert (*done.communicate(timeout=60), done.returncode) == ("", "", 0)


def _dedented(code):
    from textwrap import dedent

    return dedent(code)


def test_modules_of_the_hosts_folder_don_t_replace_the_runners(place):
    place.write(
        {"json.py": "raise SystemExit('wrong json')", "psutil.py": "raise SystemExit('wrong psutil')"}
    )
    code = "import sys\nsys.path.remove(sys.path[0])\n" + _dedented(flow("pass"))
    done = place.script(code)
    assert (*done.communicate(timeout=60), done.returncode) == ("", "", 0)


def test_a_host_with_threads_at_work_is_served(place):
    code = (
        "import threading\nthreading.Thread(target=lambda: sum(range(10**7)), daemon=True).start()\n"
        + _dedented(flow("pass"))
    )
    done = place.script(code, "-W", "error")
    assert (*done.communicate(timeout=60), done.returncode) == ("", "", 0)
    assert place.records()[0].verdict.decision == "proceed"


def test_two_flows_at_once_don_t_take_each_others_runner_for_something_left(place):
    place.write(
        {
            "gatekeeper.toml": (place.root / "gatekeeper.toml")
            .read_text()
            .replace("[gates.cleanup]\nenabled = false", "")
        }
    )
    with gatekeeper.flow("outer") as outer, gatekeeper.flow("inner") as inner:
        pass
    for run in (outer, inner):
        assert run.run.result("post.cleanup").status == "pass", run.run.result("post.cleanup").reason


def test_a_process_that_the_flow_leaves_is_found(place):
    place.write(
        {
            "gatekeeper.toml": (place.root / "gatekeeper.toml")
            .read_text()
            .replace("[gates.cleanup]\nenabled = false", "")
        }
    )
    left = None
    try:
        with pytest.raises(Blocked, match="1 process left"), gatekeeper.flow("writing"):
            left = subprocess.Popen(["sleep", "600"])
    finally:
        if left is not None:
            left.kill()
            left.wait()


def test_the_runner_is_not_taken_for_a_part_of_the_flow(place):
    with gatekeeper.flow("writing") as run:
        mine = Path(f"/proc/{run._runner._process.pid}/cmdline").read_text()
        assert "gatekeeper.runner" in mine
        assert os.getsid(run._runner._process.pid) != os.getsid(0)
