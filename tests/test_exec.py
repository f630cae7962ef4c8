"""`gatekeeper exec`: what starts, what is passed on, and what the process exits with."""

import hashlib
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from execs import Execs
from gatekeeper.cli import command_line

GATES = """
    import os
    from pathlib import Path
    from gatekeeper import post, pre

    @pre
    def switch(ctx):
        ctx.check(not Path("off").exists(), "it is off")
        if Path("unsure").exists():
            ctx.unknown("nobody knows")

    @post
    def good(ctx):
        ctx.check(not Path("bad").exists(), "it is bad")
"""


@pytest.fixture
def gated(execs: Execs) -> Execs:
    execs.write({"gates/gate_it.py": GATES})
    return execs


# -- whether it starts -------------------------------------------------------------------------------------------------


def test_a_good_command_between_good_gates_proceeds_with_one_report_of_both_phases(gated):
    done = gated("--", "sh", "-c", "echo out; echo err >&2")
    assert (done.code, done.out) == (0, b"out\n")
    run = done.run
    assert (run.header.phase, run.verdict.decision, run.header.complete) == ("exec", "proceed", True)
    assert [result.phase for result in run.results] == sorted((r.phase for r in run.results), reverse=True)
    assert {"pre.switch", "post.good", "post.flow", "post.cleanup"} <= {result.id for result in run.results}
    before, _, after = done.err.partition("\nerr\n")
    assert "pre.switch" in before
    assert "post.good" not in before
    assert "post.good" in after
    assert "VERDICT  PROCEED" in after


def test_a_block_of_the_pre_gates_keeps_the_command_from_starting(gated):
    (gated.root / "off").touch()
    done = gated("--", "touch", "started")
    assert (done.code, (gated.root / "started").exists()) == (1, False)
    assert done.run.verdict.decision == "block"
    assert done["post.flow"].status == "skip"
    assert "not started" in done["post.good"].reason


def test_a_hold_of_the_pre_gates_stops_it_unless_told_otherwise(gated):
    (gated.root / "unsure").touch()
    held = gated("--", "touch", "started")
    assert (held.code, (gated.root / "started").exists()) == (6, False)
    assert "--on-hold run" in held["post.flow"].reason
    run = gated("--on-hold", "run", "--", "touch", "started")
    assert (run.code, (gated.root / "started").exists()) == (6, True)
    assert run["post.flow"].status == "pass"


def test_a_block_is_no_hold_and_on_hold_run_does_not_start_it(gated):
    (gated.root / "off").touch()
    assert gated("--on-hold", "run", "--", "touch", "started").code == 1
    assert not (gated.root / "started").exists()


def test_one_phase_alone_can_be_asked_for(gated):
    (gated.root / "off").touch()
    done = gated("--phase", "post", "true")
    assert (done.code, {result.phase for result in done.run.results}) == (0, {"post"})
    (gated.root / "off").unlink()
    (gated.root / "bad").touch()
    assert gated("--phase", "pre", "true").code == 0


# -- exit codes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1, 2, 3, 6, 77, 127, 255])
def test_the_commands_own_exit_code_is_passed_on_and_blocks(gated, code):
    done = gated("--", "sh", "-c", f"exit {code}")
    assert done.code == code
    assert done.run.verdict.exit_code == 1
    assert done.finding("post.flow", "exit code").observed == code


@pytest.mark.parametrize(
    ("number", "name"), [(9, "SIGKILL"), (15, "SIGTERM"), (11, "SIGSEGV"), (2, "SIGINT")]
)
def test_a_command_that_a_signal_ended_is_told_as_shells_do(gated, number, name):
    done = gated("--", "sh", "-c", f"ulimit -c 0; kill -{number} $$")
    assert done.code == 128 + number
    assert done.finding("post.flow", "end").observed == name


def test_post_gates_that_fail_make_a_good_command_fail(gated):
    (gated.root / "bad").touch()
    done = gated("true")
    assert (done.code, done["post.flow"].status) == (1, "pass")
    assert done.err.endswith("exit code 1\n")


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_where_the_exit_code_comes_from_is_the_last_line_when_both_differ(gated, quiet):
    (gated.root / "bad").touch()
    done = gated(*quiet, "sh", "-c", "exit 3")
    assert (done.code, done.run.verdict.exit_code) == (3, 1)
    assert done.err.splitlines()[-1] == "exit code 3: the command's own; the verdict's is 1"


def test_an_exit_code_can_be_declared_good_and_is_still_passed_on(gated):
    gated.write(
        {
            "gatekeeper.toml": (gated.root / "gatekeeper.toml").read_text()
            + "[gates.flow]\nexit_codes = [0, 3]\n"
        }
    )
    done = gated("sh", "-c", "exit 3")
    assert (done.code, done.run.verdict.decision) == (3, "proceed")


def test_a_command_that_is_not_there_is_127_and_a_fail(gated):
    done = gated("--", "no-such-command", "x")
    assert (done.code, done.run.verdict.decision) == (127, "block")
    assert "gatekeeper: no-such-command: was not found" in done.err
    assert "was not found" in done["post.flow"].reason
    assert done.err.splitlines()[-1].startswith("exit code 127: the command was not found")


def test_a_file_that_is_not_executable_is_126(gated):
    (gated.root / "data").write_text("x")
    done = gated("./data")
    assert (done.code, done["post.flow"].status) == (126, "fail")
    assert "Permission denied" in done["post.flow"].reason


def test_a_whole_shell_line_as_one_word_is_told_how_to_run_it(gated):
    done = gated("echo one | cat")
    assert done.code == 127
    assert "gatekeeper exec -- sh -c 'echo one | cat'" in done.err


def test_a_script_without_an_interpreter_line_is_the_shells_as_in_any_shell(gated):
    script = gated.root / "script"
    script.write_text("echo from $0 with $1\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    done = gated("./script", "it")
    assert (done.code, done.out) == (0, b"from ./script with it\n")


def test_an_interrupted_exec_is_2_only_where_the_command_was_good(gated):
    slow = "import time\nfrom gatekeeper import post\n@post\ndef slow(ctx):\n    print('x')\n    time.sleep(30)\n"
    gated.write({"gates/gate_slow.py": slow})
    for command, code in (("true", 2), ("false", 1)):
        process = gated.start("-v", command)
        for line in process.stderr:
            if line.startswith("✓ PASS    post.good".encode()):
                break
        process.terminate()
        done = gated.end(process)
        assert (done.code, done.run.header.complete) == (code, False)
        assert done["post.slow"].status == "error"


def test_an_interrupt_while_pre_gates_run_starts_no_command(gated):
    slow = "import time\nfrom gatekeeper import pre\n@pre\ndef slow(ctx):\n    open('slow', 'w').close()\n    time.sleep(30)\n"
    gated.write({"gates/gate_slow.py": slow})
    process = gated.start("touch", "started")
    while not (gated.root / "slow").exists():
        time.sleep(0.01)
    process.terminate()
    done = gated.end(process)
    assert (done.code, (gated.root / "started").exists()) == (2, False)
    assert len(done.run.results) == len({result.id for result in done.run.results}) > 8


# -- the time limit ----------------------------------------------------------------------------------------------------


def test_at_its_time_limit_a_command_and_its_children_are_ended_with_124(gated):
    began = time.monotonic()
    done = gated("--time-limit", "0.5s", "--", "sh", "-c", "sleep 50 & sleep 51; echo late")
    assert (done.code, done.out) == (124, b"")
    assert time.monotonic() - began < 40
    assert "time limit of 500 ms" in done["post.flow"].reason
    assert done.finding("post.cleanup", "processes").observed == 0
    assert done.err.splitlines()[-1] == "exit code 124: the command's time limit; the verdict's is 1"


def test_one_that_does_not_end_when_told_is_killed(gated):
    deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(50)"
    done = gated.python(deaf, "--time-limit", "1.5s", "--kill-after", "0.2s")
    assert (done.code, done.out) == (124, b"deaf\n")
    assert done.finding("post.flow", "end").observed == "SIGKILL"


def test_a_stopped_command_ends_at_its_limit_too(gated):
    done = gated(
        "--time-limit", "0.5s", "--", "sh", "-c", "kill -STOP $$; echo went on", start_new_session=True
    )
    assert (done.code, done.out) == (124, b"")


def test_one_that_ends_well_after_being_told_is_still_too_late(gated):
    polite = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\ntime.sleep(50)"
    done = gated.python(polite, "--time-limit", "1.5s")
    assert (done.code, done["post.flow"].status) == (124, "fail")


@pytest.mark.parametrize("limit", ["soon", "-5s", "5MB", "", "0"])
def test_what_is_no_time_is_refused(gated, limit):
    done = gated(f"--time-limit={limit}", "touch", "started")
    assert (done.code, "--time-limit" in done.err, (gated.root / "started").exists()) == (4, True, False)


# -- descriptors, arguments, environment -------------------------------------------------------------------------------


def test_stdin_is_the_commands(gated):
    given = os.urandom(300_000)
    assert gated("cat", stdin=given).out == given


def test_binary_output_is_untouched(gated):
    code = "import os, sys; [os.write(1, bytes(range(256)) * 1000) for _ in range(20)]; os.write(2, b'\\xff\\x00raw')"
    done = gated.python(code)
    assert hashlib.sha256(done.out).digest() == hashlib.sha256(bytes(range(256)) * 20_000).digest()


def test_gates_neither_read_the_commands_stdin_nor_write_to_its_stdout(gated):
    noisy = "import sys\nfrom gatekeeper import post, pre\nprint('loaded')\n@pre\ndef noisy(ctx):\n    print('NOISE')\n    ctx.check(sys.stdin.read() == '')\n"
    gated.write({"gates/gate_noisy.py": noisy})
    done = gated("cat", stdin=b"all of it")
    assert (done.code, done.out) == (0, b"all of it")


def test_descriptors_of_the_caller_reach_the_command_and_none_of_gatekeepers(gated):
    reader, writer = os.pipe()
    code = f"import os; os.write({writer}, b'here'); print(sorted(map(int, os.listdir('/proc/self/fd'))))"
    done = gated.python(code, pass_fds=[writer])
    os.close(writer)
    assert os.read(reader, 10) == b"here"
    os.close(reader)
    opened = eval(done.out)
    assert [fd for fd in opened if fd not in (0, 1, 2, writer)][1:] == []  # one is that of the listing


def test_the_environment_is_unchanged(gated):
    given = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "EMPTY": "", "ODD": "a=b\nc"}
    done = gated(sys.executable, "-c", "import os; print(sorted(os.environb.items()))", env=given)
    assert dict(eval(done.out)) == {key.encode(): value.encode() for key, value in given.items()}


def test_not_even_the_locale_that_python_adds_is_seen(gated):
    given = {"PATH": os.environ["PATH"]}
    assert gated("env", env=given).out == f"PATH={os.environ['PATH']}\n".encode()


def test_arguments_reach_the_command_as_they_are(gated):
    odd = ["-q", "--format", "--", "a b", "", "ä", b"\xff\xfe".decode("utf-8", "surrogateescape")]
    code = "import os, sys; print([os.fsencode(word) for word in sys.argv[1:]])"
    done = gated(sys.executable, "-c", code, *odd)
    assert eval(done.out) == [os.fsencode(word) for word in odd]


def test_it_runs_in_the_callers_group_session_and_folder(gated):
    code = "import os; print([os.getpgrp(), os.getsid(0), os.getcwd(), oct(os.umask(0)), os.nice(0)])"
    process = gated.start("--", sys.executable, "-c", code, process_group=0, umask=0o027)
    group = process.pid
    done = gated.end(process)
    assert eval(done.out) == [group, os.getsid(0), str(gated.root), "0o27", os.nice(0)]


def test_signals_that_the_caller_ignores_or_blocks_are_so_for_the_command(gated):
    shell = f"trap '' INT USR1 CHLD; exec {' '.join(gated.line())} -- cat /proc/self/status"
    done = subprocess.run(
        ["bash", "-c", shell],
        cwd=gated.root,
        capture_output=True,
        timeout=60,
        check=False,
        env=gated.environment,
    )
    assert done.returncode == 0, done.stderr
    shown = dict(line.split(":\t") for line in done.stdout.decode().splitlines() if line.startswith("Sig"))
    assert int(shown["SigIgn"], 16) == 1 << 1 | 1 << 9 | 1 << 16
    assert int(shown["SigBlk"], 16) == 0


def test_a_closed_stderr_pipe_neither_stops_the_command_nor_changes_its_code(gated):
    reader, writer = os.pipe()
    os.close(reader)
    process = gated.start("sh", "-c", "touch started; exit 5", stderr=writer)
    os.close(writer)
    assert gated.end(process).code == 5
    assert (gated.root / "started").exists()


def test_what_stderr_is_to_the_command_stays_what_it_was(gated):
    reader, writer = os.pipe()
    os.close(reader)
    process = gated.start("sh", "-c", "stat -L -c %F /dev/stderr", stderr=writer)
    os.close(writer)
    assert gated.end(process).out == b"fifo\n"


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["json", "junit=-", "jsonl"])
def test_a_format_on_stdout_is_refused(gated, format):
    done = gated("--format", format, "touch", "started")
    assert (done.code, (gated.root / "started").exists()) == (4, False)
    assert "stdout is the command's" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        (["--"], "Missing argument"),
        (["--on-hold", "ask", "true"], "--on-hold"),
        (["--pre", "x", "true"], "No such option"),
        (["-k", "(", "true"], "-k"),
        (["--input", "x", "true"], "expected NAME=FILE"),
        (["--config", "none.toml", "touch", "started"], "none.toml"),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_is_a_usage_error_and_nothing_runs(gated, arguments, words):
    done = gated(*arguments)
    assert (done.code, words in done.err, (gated.root / "started").exists()) == (4, True, False), done.err


def test_reports_go_to_files_and_inputs_outputs_and_samples_reach_the_gates(gated):
    gate = """
        from gatekeeper import post
        @post
        def given(ctx):
            assert ctx.inputs["n"] == 3
            assert ctx.outputs["made"] == {"a": 1}
            assert ctx.samples.select("items")[0].values == (7.0,)
            assert ctx.subject.name == "orders"
    """
    gated.write({"gates/gate_given.py": gate})
    done = gated(
        "--input", "n=3", "--output", "made=made.json", "--samples", "jsonl:s.jsonl", "--subject", "orders",
        "--report-dir", "reports", "--", "sh", "-c",
        """echo '{"a": 1}' > made.json; echo '{"name": "items", "value": 7}' > s.jsonl""",
    )  # fmt: skip
    assert done["post.given"].status == "pass", done["post.given"].reason
    assert {path.name for path in (gated.root / "reports").iterdir()} >= {"junit.xml", "report.json"}


def test_samples_that_are_older_than_the_command_say_nothing_about_it(gated):
    budgets = '[[samples]]\nsource = "jsonl"\npath = "s.jsonl"\n[gates.performance.budgets]\nitems = 5\n'
    gated.write({"gatekeeper.toml": (gated.root / "gatekeeper.toml").read_text() + budgets})
    line = '{"name": "items", "value": 4}\n'
    gated.write({"s.jsonl": line})
    os.utime(gated.root / "s.jsonl", (time.time() - 100,) * 2)
    stale = gated("true")
    assert (stale.code, stale["post.performance"].status) == (6, "unknown")
    assert "before the flow began" in stale["post.performance"].reason
    assert gated("touch", "s.jsonl").code == 0


def test_history_knows_the_subject_and_the_hint_runs_it_again(gated):
    (gated.root / "bad").touch()
    first = gated("--subject", "orders", "--private-tmp", "--", "sh", "-c", "exit 0")
    [line] = [line for line in first.err.splitlines() if line.startswith("again")]
    assert line.split(None, 1)[1] == "gatekeeper exec --private-tmp --subject orders -- sh -c 'exit 0'"
    assert gated("--subject", "orders", "true")["post.good"].since.runs == 2
    assert gated("--subject", "orders", "--no-history", "true")["post.good"].since is None


def test_a_broken_report_does_not_hide_the_commands_exit_code(gated):
    (gated.root / "file").touch()
    assert gated("--format", "junit=file/x.xml", "true").code == 3
    assert gated("--format", "junit=file/x.xml", "sh", "-c", "exit 9").code == 9


def test_a_plugin_that_exits_does_not_pass_for_the_command(gated):
    gated.write({"gates/gateconf.py": "import sys\ndef gatekeeper_result(result):\n    sys.exit(0)\n"})
    done = gated("true")
    assert (done.code, "a plugin ended the run" in done.err) == (3, True), done.err


def test_the_help_says_what_it_exits_with(capsys):
    assert command_line(["exec", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "the command's own if that is not 0" in shown
    assert "124 at the time limit" in shown


@pytest.mark.parametrize("isolation", ["spawn", "none"])
def test_other_isolations_work_as_well(gated, isolation):
    done = gated("--isolation", isolation, "--", "sh", "-c", "exit 4")
    assert (done.code, done["post.good"].status, done["pre.switch"].status) == (4, "pass", "pass")


# -- a folder for temporary files --------------------------------------------------------------------------------------


def test_a_private_folder_is_gone_afterwards_and_what_was_left_in_it_is_told(gated):
    code = """
        import os, tempfile
        kept, path = tempfile.mkstemp(prefix="orders-")
        os.write(kept, b"x" * 1000)
        os.makedirs(os.environ["TMPDIR"] + "/deep/er")
        print(os.environ["TMPDIR"])
    """
    done = gated.python(code, "--private-tmp")
    folder = Path(done.out.decode().strip())
    assert not folder.exists()
    finding = done.finding("post.cleanup", "temporary files")
    assert (done.code, finding.status, finding.observed) == (1, "fail", 2)
    assert [Path(left["path"]).parent for left in finding.evidence["left"]] == [folder] * 2
    assert any(left["size"] == 1000 for left in finding.evidence["left"])


def test_a_private_folder_that_is_left_empty_passes_and_some_may_be_allowed(gated):
    assert gated("--private-tmp", "true").finding("post.cleanup", "temporary files").observed == 0
    allowed = (gated.root / "gatekeeper.toml").read_text() + "[gates.cleanup.temporary]\nmax = 1\n"
    gated.write({"gatekeeper.toml": allowed})
    assert gated("--private-tmp", "--", "sh", "-c", "touch $TMPDIR/one").code == 0
    assert gated("--private-tmp", "--", "sh", "-c", "touch $TMPDIR/one $TMPDIR/two").code == 1


def test_without_asking_the_folder_for_temporary_files_is_the_systems(gated, tmp_path):
    done = gated("sh", "-c", "echo ${TMPDIR-none}", env=gated.environment | {"TMPDIR": str(tmp_path)})
    assert done.out == f"{tmp_path}\n".encode()
