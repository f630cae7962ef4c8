"""Gates around a flow: two phases, one run, whoever runs the flow in the middle."""

import os
import time

import pytest

from gatekeeper import Events, FlowData, Readings, Series, UsageError
from gatekeeper.app import RunRequest
from gatekeeper.around import Around, may_start
from gatekeeper.execute.run import Observer
from gatekeeper.model import Reason, Verdict
from gatekeeper.project import Project, ProjectRequest
from gatekeeper.select import Selection

GATES = """
    from pathlib import Path
    from gatekeeper import post, pre

    @pre
    def switch(ctx):
        \"\"\"Passes unless the file `off` exists.\"\"\"
        ctx.check(not Path("off").exists(), "it is off")

    @pre(requirement="advisory")
    def soft(ctx):
        ctx.check(not Path("rough").exists(), "it is rough")

    def stock(ctx):
        return len(list(Path(".").glob("*.item")))

    @post(before=stock, needs=["pre.soft"])
    def fewer(ctx):
        ctx.measure("items", stock(ctx), fail=ctx.before["post.fewer"])

    @post(flow=True)
    def quick(ctx):
        ctx.measure("tokens", ctx.samples.select("tokens")[0].statistic("sum"), fail=10)
        ctx.check(ctx.flow.kind == "python")
"""
ENDED = FlowData(kind="python", name="f")
QUIET = {
    "gatekeeper.toml": "".join(f"[gates.{gate}]\nenabled = false\n" for gate in ("resources", "storage"))
}


@pytest.fixture
def files(tmp_path, gatekeeper_project):
    gatekeeper_project.write({"gates/gate_around.py": GATES, **QUIET})
    return tmp_path


def around(folder, **request):
    project = ProjectRequest(cwd=str(folder))
    return Around(Project(project), RunRequest(project=project, phase="exec", **request))


def tokens(*values):
    return Readings((Series(name="tokens", values=values),))


def statuses(run):
    return {result.id.removeprefix("pre.").removeprefix("post."): result.status for result in run.results}


def test_both_phases_make_one_run_with_one_verdict(files):
    middle = around(files)
    early = middle.before(Observer(), "spawn")
    assert {result.phase for result in early.results} == {"pre"}
    whole = middle.after(ENDED, tokens(4.0, 5.0), {}, Observer(), "spawn").run
    assert (whole.header.id, whole.header.phase) == (early.header.id, "exec")
    assert [result.phase for result in whole.results] == sorted(
        (r.phase for r in whole.results), reverse=True
    )
    assert whole.verdict.decision == "proceed"
    assert {
        name: statuses(whole)[name] for name in ("switch", "soft", "fewer", "quick", "flow")
    } == dict.fromkeys(("switch", "soft", "fewer", "quick", "flow"), "pass")


def test_a_snapshot_is_taken_before_the_flow_and_compared_after_it(files):
    middle = around(files)
    middle.before(Observer(), "spawn")
    (files / "left.item").touch()
    whole = middle.after(ENDED, tokens(1.0), {}, Observer(), "spawn").run
    assert statuses(whole)["fewer"] == "fail"
    assert whole.verdict.decision == "block"


def test_a_post_gate_that_needs_a_failed_pre_gate_is_not_run(files):
    (files / "rough").touch()
    middle = around(files)
    assert may_start(middle.before(Observer(), "spawn").verdict)
    whole = middle.after(ENDED, tokens(1.0), {}, Observer(), "spawn").run
    assert whole.result("post.fewer").blocked_by == "pre.soft"
    assert whole.verdict.decision == "hold"


def test_a_block_before_the_flow_leaves_every_post_gate_with_a_result(files):
    (files / "off").touch()
    middle = around(files)
    early = middle.before(Observer(), "spawn")
    assert not may_start(early.verdict)
    whole = middle.stop("the pre gates blocked", Observer()).run
    assert whole.verdict.decision == "block"
    assert {r.reason for r in whole.results if r.phase == "post"} == {"the pre gates blocked"}
    assert {r.status for r in whole.results if r.phase == "post"} == {"skip"}


def test_a_flow_that_raised_blocks(files):
    middle = around(files)
    middle.before(Observer(), "spawn")
    raised = FlowData(kind="python", name="f", error="ValueError", message="no")
    whole = middle.after(raised, tokens(1.0), {}, Observer(), "spawn").run
    assert whole.verdict.reasons[0].text == "`f` raised ValueError: no"


def test_outputs_of_the_flow_reach_the_post_gates(files, gatekeeper_project):
    gate = "from gatekeeper import post\n\n@post\ndef out(ctx):\n    assert ctx.outputs['n'] == 3\n"
    gatekeeper_project.write({"gates/gate_out.py": gate})
    middle = around(files, selection=Selection(("post.out",)))
    middle.before(Observer(), "spawn")
    assert statuses(middle.after(ENDED, Readings(), {"n": "3"}, Observer(), "spawn").run) == {"out": "pass"}


@pytest.mark.parametrize(("phases", "there"), [(("pre",), {"pre"}), (("post",), {"post"})])
def test_a_run_may_have_one_of_the_phases_only(files, phases, there):
    middle = around(files, phases=phases)
    middle.before(Observer(), "spawn")
    whole = middle.after(ENDED, tokens(1.0), {}, Observer(), "spawn").run
    assert {result.phase for result in whole.results} == there
    assert not whole.header.partial


def test_a_gate_of_flows_takes_no_part_in_a_run_without_one(gatekeeper_project, files):
    run = gatekeeper_project.run("post").run
    assert {"post.quick", "post.flow"}.isdisjoint(result.id for result in run.results)
    refused = gatekeeper_project.command("run", "post", "post.quick")
    assert (refused.exit_code, "takes part only where gatekeeper runs the flow" in refused.stderr) == (
        4,
        True,
    )


def test_a_pre_gate_can_t_come_after_the_flow(gatekeeper_project):
    gatekeeper_project.write(
        {"gates/gate_x.py": "from gatekeeper import pre\n\n@pre(flow=True)\ndef x(ctx): ...\n"}
    )
    refused = gatekeeper_project.command("run", "pre")
    assert (refused.exit_code, "only a post gate comes after the flow" in refused.stderr) == (4, True)


def test_samples_that_the_flow_did_not_write_say_nothing_about_it(files):
    (files / "old.jsonl").write_text('{"name": "tokens", "value": 1}\n')
    os.utime(files / "old.jsonl", (time.time() - 60,) * 2)
    middle = around(files, samples=(("jsonl", "old.jsonl"),))
    middle.before(Observer(), "spawn")
    ended = FlowData(kind="python", name="f", began=time.time())
    quick = middle.after(ended, tokens(1.0), {}, Observer(), "spawn").run.result("post.quick")
    assert (quick.status, "before the flow began" in quick.reason) == ("unknown", True)


def test_what_is_wrong_is_said_before_anything_runs(files):
    with pytest.raises(UsageError, match="no gate or gate file"):
        around(files, selection=Selection(("pre.nothing",)))


@pytest.mark.parametrize(
    ("decision", "reason", "may"),
    [
        ("proceed", "fail", True), ("hold", "unknown", False), ("block", "fail", False),
        ("none", "empty", True), ("none", "incomplete", False), ("block", "empty", False),
    ],
)  # fmt: skip
def test_only_what_nothing_stands_against_may_start(decision, reason, may):
    assert may_start(Verdict(decision, (Reason(status=reason),))) is may


def test_of_a_quantity_that_both_measured_the_flows_own_is_used_and_a_note_says_so():
    own = Readings((Series(name="duration", unit="s", values=(1.0,)),), (Events(name="tests", total=1),))
    ours = Readings(
        (Series(name="duration", unit="s", values=(1.2,)), Series(name="cpu", unit="s", values=(0.5,))),
        (Events(name="tests", total=2), Events(name="steps", total=3)),
    )
    both = own.over(ours)
    assert [(s.name, s.values) for s in both.series] == [("duration", (1.0,)), ("cpu", (0.5,))]
    assert [(e.name, e.total) for e in both.events] == [("tests", 1), ("steps", 3)]
    assert both.notes == tuple(
        f"{name}: the flow's own measurement is used, not gatekeeper's" for name in ("duration", "tests")
    )
    assert ours.over(Readings()) == ours
    assert Readings().over(ours) == ours


def test_a_freeze_window_holds_a_flow_without_pre_gates(files, gatekeeper_project):
    freeze = '[[freeze]]\nfrom = "2020-01-01T00:00:00Z"\nuntil = "2100-01-01T00:00:00Z"\nreason = "audit"\n'
    gatekeeper_project.write({"gatekeeper.toml": QUIET["gatekeeper.toml"] + freeze})
    early = around(files, phases=("post",)).before(Observer(), "spawn")
    assert not may_start(early.verdict)
    assert "audit" in early.verdict.reasons[-1].text


def test_data_errors_of_samples_are_the_gates_errors(files):
    (files / "bad.jsonl").write_text("{")
    middle = around(files, samples=(("jsonl", "bad.jsonl"),))
    middle.before(Observer(), "spawn")
    quick = middle.after(ENDED, tokens(1.0), {}, Observer(), "spawn").run.result("post.quick")
    assert quick.status == "error"
