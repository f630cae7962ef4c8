"""`gatekeeper run`: inputs and outputs, secrets, parameters, needs and retries."""

import subprocess
import sys

import pytest

from switchgates import GATES


@pytest.fixture
def project(gatekeeper_project):
    return gatekeeper_project.write({"gates/gate_run.py": GATES})


@pytest.mark.parametrize("artifact", ["/abs/*.whl", "", "**x"])
def test_an_artifact_that_is_no_pattern_is_a_usage_error(project, artifact):
    project.write({"gatekeeper.toml": f'[subject]\nartifact = "{artifact}"\n'})
    outcome = project.command("run", "pre", "good")
    assert (outcome.exit_code, "[subject] artifact = " in outcome.stderr) == (4, True)


@pytest.mark.parametrize("given", ["7" * 5000, "~nosuchuser-here/file.json"])
def test_an_input_that_cannot_be_a_file_name_here_breaks_nothing(project, given):
    outcome = project.run("pre", "good", "--input", f"x={given}")
    assert (outcome.exit_code, outcome.stderr) == (0, "")


def test_the_home_of_nobody_is_a_path_that_is_not_there(project):
    outcome = project.command("run", "pre", "good", "--subject", "a@~nosuchuser-here")
    assert (outcome.exit_code, "~nosuchuser-here: No such file" in outcome.stderr) == (4, True)


def test_inputs_and_outputs_are_values_or_files(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_data.py": """
                from gatekeeper import post

                @post
                def complete(ctx):
                    assert len(ctx.outputs["orders"]) == ctx.inputs["expected"]
            """,
            "data/orders.jsonl": '{"id": 1}\n{"id": 2}\n',
        }
    )
    given = ["--output", "orders=data/orders.jsonl"]
    assert gatekeeper_project.run("post", "complete", *given, "--input", "expected=2").exit_code == 0
    assert gatekeeper_project.run("post", "complete", *given, "--input", "expected=3").exit_code == 1
    missing = gatekeeper_project.run("post", "complete", *given)
    assert "--input expected=FILE" in missing["post.complete"].reason
    broken = gatekeeper_project.run(
        "post", "complete", "--output", "orders=data/none.jsonl", "--input", "expected=2"
    )
    assert (broken.exit_code, broken["post.complete"].status) == (1, "error")
    assert "none.jsonl" in broken["post.complete"].reason


@pytest.mark.parametrize("isolation", ["fork", "spawn", "none"])
def test_a_secret_is_redacted_wherever_a_gate_puts_it(gatekeeper_project, isolation):
    gatekeeper_project.environment["TOKEN"] = 'hunter2"secret'
    gatekeeper_project.write(
        {
            "gates/gate_secret.py": """
                import sys
                from msgspec import Struct
                from gatekeeper import Secret, pre

                class Settings(Struct, frozen=True, forbid_unknown_fields=True):
                    token: Secret = Secret("")

                @pre(settings=Settings)
                def leaks(ctx, settings):
                    print("out", settings.token)
                    print("err", settings.token, file=sys.stderr)
                    ctx.save("kept", settings.token + "!")
                    ctx.check(False, f"message {settings.token}", evidence={"deep": [str(settings.token)]})
            """,
            "gatekeeper.toml": '[gates.leaks]\ntoken = "env:TOKEN"\n',
        }
    )
    outcome = gatekeeper_project.run("pre", "leaks", "-vv", "--isolation", isolation, "--save", "saved.json")
    everything = (
        outcome.stdout + outcome.report.read_text() + (gatekeeper_project.root / "saved.json").read_text()
    )
    if isolation != "none":  # there a gate prints straight to stderr
        everything += outcome.stderr
    assert "message ***" in everything
    assert "hunter2" not in everything


def test_a_gate_settles_within_retry_for_and_every_attempt_is_kept(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_settle.py": """
                import os
                from gatekeeper import pre

                @pre(retry_for="10s")
                def settles(ctx):
                    open(f"try{ctx.attempt}", "w").close()
                    ctx.check(ctx.attempt >= 3, f"attempt {ctx.attempt}")

                @pre(retries=2)
                def never(ctx):
                    ctx.check(False, "no")
            """,
            "gatekeeper.toml": '[run]\nretry_delay = "20ms"\n',
        }
    )
    outcome = gatekeeper_project.run("pre", "settles", "never")
    settles, never = outcome["pre.settles"], outcome["pre.never"]
    assert (settles.status, settles.flaky, [a.status for a in settles.attempts]) == (
        "pass",
        True,
        ["fail", "fail", "pass"],
    )
    assert (never.status, len(never.attempts)) == ("fail", 3)
    assert "flaky" in outcome.stdout


def test_exit_first_leaves_the_rest_as_skips_with_the_reason(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_x.py": """
                from gatekeeper import pre

                @pre(params=[1, 2, 3])
                def fails(ctx):
                    ctx.check(False, "no")
            """
        }
    )
    outcome = gatekeeper_project.run("pre", "fails", "-x", "-j", "1")
    assert [r.status for r in outcome.run.results] == ["fail", "skip", "skip"]
    assert outcome["pre.fails[3]"].reason == "not run: stopped after pre.fails[1] (-x)"
    assert outcome.exit_code == 1


def test_a_blocked_gate_names_its_parent(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_chain.py": """
                from gatekeeper import pre

                @pre(requirement="advisory")
                def parent(ctx):
                    ctx.check(False, "down")

                @pre(needs=["parent"])
                def child(ctx):
                    ctx.check(True)

                @pre(needs=["child"])
                def grandchild(ctx):
                    ctx.check(True)
            """
        }
    )
    outcome = gatekeeper_project.run("pre", "parent", "child", "grandchild")
    assert outcome["pre.child"].reason == "blocked by pre.parent, which failed"
    assert outcome["pre.grandchild"].blocked_by == "pre.child"
    assert outcome.exit_code == 6


def test_a_gate_that_runs_without_a_disabled_one_that_it_needs_says_so(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_n.py": """
                from gatekeeper import pre

                @pre
                def parent(ctx):
                    ctx.check(False)

                @pre(needs=["parent"])
                def child(ctx):
                    ctx.check(True)
            """,
            "gatekeeper.toml": "[gates.parent]\nenabled = false\n",
        }
    )
    outcome = gatekeeper_project.run("pre", "child")
    assert outcome.exit_code == 0
    assert "pre.child needs pre.parent, which is disabled" in outcome.stdout


def test_the_subjects_artifact_is_named_by_its_digest(project):
    project.write(
        {"dist/app.whl": "content", "gatekeeper.toml": '[subject]\nname = "app"\nartifact = "dist/*.whl"\n'}
    )
    subject = project.run("pre", "good").run.subject
    assert subject.name == "app"
    assert subject.digest == "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    project.write({"dist/two.whl": ""})
    assert "means 2 files" in project.command("run", "pre", "good").stderr


def test_gates_run_in_the_project_wherever_they_are_called_from(project):
    (project.root / "on").touch()
    (project.root / "deep" / "down").mkdir(parents=True)
    project.write({"gatekeeper.toml": ""})
    done = subprocess.run(
        [sys.executable, "-m", "gatekeeper", "run", "pre", "switch"],
        cwd=project.root / "deep" / "down", capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_a_gate_with_empty_params_does_not_vanish(gatekeeper_project):
    gates = "from gatekeeper import pre\n@pre(params=[])\ndef each(ctx):\n    ctx.check(False)\n"
    gatekeeper_project.write({"gates/gate_each.py": gates})
    outcome = gatekeeper_project.run("pre", "each")
    assert (outcome.exit_code, outcome["pre.each"].status) == (6, "unknown")
    assert "params are empty" in outcome["pre.each"].reason


def test_ids_that_collide_with_their_parameters_are_refused_with_both_places(gatekeeper_project):
    gates = """
    from gatekeeper import pre
    @pre(params={"x": 1})
    def each(ctx): ctx.check(True)
    @pre(name="each[x]")
    def other(ctx): ctx.check(True)
    """
    gatekeeper_project.write({"gates/gate_each.py": gates})
    outcome = gatekeeper_project.command("run", "pre", "each")
    assert outcome.exit_code == 4
    assert "pre.each[x] is there twice: gates/gate_each.py:3 and gates/gate_each.py:5" in outcome.stderr


def test_parameters_of_any_text_make_ids_that_can_be_shown_and_recorded(gatekeeper_project):
    gates = 'from gatekeeper import pre\n@pre(params=["\\ud800", "\\n", "x" * 5000])\ndef each(ctx): ctx.check(True)\n'
    gatekeeper_project.write({"gates/gate_each.py": gates})
    assert gatekeeper_project.run("pre", "each").exit_code == 0
    assert gatekeeper_project.command("list").exit_code == 0
    assert gatekeeper_project.command("list", "--format", "json").exit_code == 0


@pytest.mark.parametrize("secret", ["pass", "error", "pre.tells", "1234", "null", "0.00", '":"x'])
def test_a_secret_that_looks_like_a_part_of_the_record_breaks_nothing(gatekeeper_project, secret):
    gatekeeper_project.write(
        {
            "gates/gate_tells.py": """
            import msgspec
            from gatekeeper import Secret, pre

            class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
                key: Secret = Secret("")

            @pre(settings=Key)
            def tells(ctx, settings):
                print("key", settings.key)
                ctx.check(True, name=f"<{settings.key}>", observed=1234, evidence={str(settings.key): [str(settings.key)]})
            """,
            "gatekeeper.toml": '[gates.tells]\nkey = "env:SOME_KEY"\n',
        }
    )
    gatekeeper_project.environment["SOME_KEY"] = secret
    outcome = gatekeeper_project.run("pre", "tells")
    assert outcome.exit_code == 0
    result = outcome["pre.tells"]
    assert (result.status, result.findings[0].name, result.findings[0].evidence) == (
        "pass",
        "<***>",
        {"***": ["***"]},
    )
    assert result.findings[0].observed == ("***" if secret == "1234" else 1234)
    assert secret not in result.output.stdout
