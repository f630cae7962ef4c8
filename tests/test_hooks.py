"""Each hook, in a real project: what it is called with, and what its answer does."""

import json

PASSING = """
    from gatekeeper import pre

    @pre
    def good(ctx):
        ctx.check(True)
"""


def test_gates_that_a_hook_makes_are_run(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gateconf.py": """
                from gatekeeper import pre

                def gatekeeper_gates(settings):
                    for name in ("orders", "users"):
                        def table(ctx, name=name):
                            ctx.check(settings.subject_name == "shop", observed=name)
                        yield pre(name=name, tags=["made"])(table)
            """,
            "gatekeeper.toml": '[subject]\nname = "shop"\n',
        }
    )
    outcome = gatekeeper_project.run("pre", "--tag", "made")
    assert [(r.id, r.status) for r in outcome.run.results] == [("pre.orders", "pass"), ("pre.users", "pass")]


FACTS = """
    import os
    from gatekeeper import pre

    def gather():
        with open("gathered", "a") as file:
            file.write("x")
        return {"devices": 2}

    def broken():
        raise RuntimeError("no driver")

    def gatekeeper_facts():
        return {"gpu": gather, "broken": broken}

    @pre(facts=["gpu"], params=["a", "b", "c"], tags=["f"])
    def declared(ctx):
        assert ctx.facts["gpu"]["devices"] == 2

    @pre(facts=["broken"], tags=["f"])
    def needs_broken(ctx):
        ctx.check(True)

    @pre(tags=["undeclared"])
    def undeclared(ctx):
        assert ctx.facts["gpu"]["devices"] == 2
"""


def test_a_declared_fact_is_gathered_once_and_a_broken_one_is_an_error(gatekeeper_project):
    gatekeeper_project.write({"gates/gate_facts.py": FACTS})
    outcome = gatekeeper_project.run("pre", "--tag", "f")
    assert (gatekeeper_project.root / "gathered").read_text() == "x"
    assert outcome["pre.declared[b]"].status == "pass"
    assert outcome["pre.needs_broken"].status == "error"
    assert (
        outcome["pre.needs_broken"].reason == "fact 'broken' could not be gathered: RuntimeError: no driver"
    )


def test_an_undeclared_fact_is_gathered_by_the_gate_that_asks(gatekeeper_project):
    gatekeeper_project.write({"gates/gate_facts.py": FACTS})
    assert gatekeeper_project.run("pre", "undeclared").exit_code == 0


def test_a_source_reads_samples(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_source.py": """
                from gatekeeper import Readings, SampleSource, Series, post

                def read(path):
                    return Readings((Series(name="size", values=(float(path.read_text()),), n=1),))

                def gatekeeper_sources():
                    return [SampleSource("plain", "One number.", read)]

                @post
                def sized(ctx):
                    assert ctx.samples.series[0].values[0] == 42
            """,
            "number.txt": "42",
        }
    )
    assert gatekeeper_project.run("post", "sized", "--samples", "plain:number.txt").exit_code == 0
    wrong = gatekeeper_project.command("run", "post", "sized", "--samples", "plian:number.txt")
    assert (wrong.exit_code, "Did you mean 'plain'?" in wrong.stderr) == (4, True)


def test_a_channel_is_given_what_is_told(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_channel.py": """
                from msgspec import Struct

                from gatekeeper import pre
                from gatekeeper.channels import ChannelType, Delivered

                class Settings(Struct):
                    path: str

                class Note:
                    def __init__(self, settings, context):
                        self.path = context.root / settings.path

                    def send(self, notification):
                        kinds = [f"{event.kind} {event.alert.gate}" for event in notification.events]
                        self.path.write_text(" ".join(kinds))
                        return Delivered()

                def gatekeeper_channels():
                    return [ChannelType(name="note", summary="A note.", settings=Settings, open=Note)]

                @pre
                def fails(ctx):
                    ctx.check(False, "it is down")
            """,
            "gatekeeper.toml": "[[alerts.channels]]\ntype = 'note'\npath = 'note.txt'\n",
        }
    )
    done = gatekeeper_project.run("pre", "fails")
    assert (done.exit_code, "alerts sent: note" in done.stderr) == (1, True)
    assert (gatekeeper_project.root / "note.txt").read_text() == "firing pre.fails"


def test_a_plan_that_loses_gates_to_a_hook_is_partial(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_plan.py": PASSING
            + """
    @pre
    def other(ctx):
        ctx.check(True)

    def gatekeeper_modify_plan(plan):
        plan.gates = [planned for planned in plan.gates if planned.id == "pre.good"]
"""
        }
    )
    run = gatekeeper_project.run("pre").run
    assert ([r.id for r in run.results], run.header.partial) == (["pre.good"], True)


def test_a_wrapper_surrounds_a_gate_and_a_plain_one_replaces_it(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_wrapped.py": PASSING
            + """
    @pre
    def replaced(ctx):
        1 / 0

    from gatekeeper import hookimpl

    @hookimpl(wrapper=True)
    def gatekeeper_run_gate(gate, ctx):
        print("before", gate.id)
        result = yield
        print("after", gate.id)
        return result
""",
            "gates/gate_replacing.py": """
                def gatekeeper_run_gate(gate, ctx):
                    if gate.id == "pre.replaced":
                        ctx.check(True, name="replaced")
                        return True
            """,
        }
    )
    outcome = gatekeeper_project.run("pre", "good", "replaced")
    assert outcome["pre.good"].output.stdout == "before pre.good\nafter pre.good\n"
    assert [f.name for f in outcome["pre.replaced"].findings] == ["replaced"]


def test_results_are_observed_as_they_come_and_a_broken_observer_changes_nothing(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_seen.py": PASSING
            + """
    def gatekeeper_result(result):
        with open("seen", "a") as file:
            file.write(result.id + " " + result.status)
        raise RuntimeError("observer broke")
"""
        }
    )
    outcome = gatekeeper_project.run("pre", "good")
    assert (gatekeeper_project.root / "seen").read_text() == "pre.good pass"
    assert outcome.exit_code == 0
    assert "gatekeeper_result raised RuntimeError: observer broke" in outcome.stderr


def test_a_plugin_decides_and_the_original_verdict_stays_beside_it(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_decide.py": PASSING
            + """
    from gatekeeper import Reason, Verdict

    def gatekeeper_decide(run):
        assert run.verdict.decision == "proceed"
        return Verdict("hold", (Reason(text="moon phase"),), decided_by="astrology")
"""
        }
    )
    outcome = gatekeeper_project.run("pre", "good")
    verdict = outcome.verdict
    assert (outcome.exit_code, verdict.decision, verdict.decided_by) == (6, "hold", "astrology")
    assert verdict.original is not None
    assert verdict.original.decision == "proceed"


def test_a_report_of_a_plugin_is_a_format_like_any_other(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_report.py": PASSING
            + """
    from gatekeeper import Report

    def gatekeeper_reports():
        return [Report(name="count", summary="How many.", extension=".txt", render=lambda run, view: f"{len(run.results)}\\n")]
"""
        }
    )
    assert gatekeeper_project.command("run", "pre", "good", "--format", "count").stdout == "1\n"
    names = [
        r["name"]
        for r in json.loads(gatekeeper_project.command("list", "--format", "json").stdout)["reports"]
    ]
    assert "count" in names


def test_a_command_of_a_plugin_is_a_command_like_any_other(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gateconf.py": """
                import click

                def gatekeeper_commands(cli):
                    @cli.command("hello", short_help="Say hello.")
                    def hello():
                        click.echo("hello from a plugin")
            """
        }
    )
    assert gatekeeper_project.command("hello").stdout == "hello from a plugin\n"
    assert "Say hello." in gatekeeper_project.command("--help").stdout


def test_a_command_that_bears_the_name_of_another_is_refused(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gateconf.py": """
                import click

                def gatekeeper_commands(cli):
                    cli.add_command(click.Command("run"))
            """
        }
    )
    outcome = gatekeeper_project.command("--help")
    assert (outcome.exit_code, "a command 'run' exists already" in outcome.stderr) == (4, True)
