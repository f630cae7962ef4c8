"""The commands around a run: list, explain, doctor, completion, help."""

import json
import os
import subprocess
import sys
from importlib import metadata

import click
import pytest

from gatekeeper.cli import COMMANDS, cli, doctor

SHIPPED = [
    "pre.resources", "pre.inputs", "pre.components", "pre.storage", "pre.network",
    "post.outputs", "post.performance", "post.errors", "post.state", "post.cleanup", "post.flow",
]  # fmt: skip


def test_list_names_the_eleven_gates_that_ship(gatekeeper_project):
    document = json.loads(gatekeeper_project.command("list", "--format", "json").stdout)
    assert sorted(row["id"] for row in document["gates"]) == sorted(SHIPPED)
    assert all(row["title"] for row in document["gates"])


def test_list_says_what_is_disabled_advisory_and_parametrized(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_l.py": "from gatekeeper import pre\n@pre(params=['a', 'b'], tags=['t'])\ndef each(ctx): ...\n",
            "gatekeeper.toml": '[gates.network]\nenabled = false\n[gates.storage]\nrequirement = "advisory"\n',
        }
    )
    listed = gatekeeper_project.command("list", "--phase", "pre").stdout
    assert "(disabled" in listed
    assert "(advisory" in listed
    assert "[a, b] #t" in listed
    assert "post." not in listed


def test_explain_shows_each_setting_with_its_origin_and_the_last_runs(gatekeeper_project):
    gatekeeper_project.write(
        {"gatekeeper.toml": '[gates.resources]\nmemory = { warn = "50%", fail = "99%" }\n'}
    )
    gatekeeper_project.run("pre", "resources")
    said = gatekeeper_project.command("explain", "resources").stdout
    assert "pre.resources" in said
    assert "gatekeeper.toml:2" in said
    assert "last 1 run" in said
    assert 'requirement = "advisory"' in said


@pytest.mark.parametrize(("name", "nearest"), [("resorces", "resources"), ("pre.storge", "pre.storage")])
def test_explain_names_the_nearest_gate(gatekeeper_project, name, nearest):
    outcome = gatekeeper_project.command("explain", name)
    assert (outcome.exit_code, f"Did you mean '{nearest}'?" in outcome.stderr) == (4, True)


def test_explain_of_a_name_in_both_phases_asks_which(gatekeeper_project):
    gatekeeper_project.write(
        {"gates/gate_b.py": "from gatekeeper import post\n@post\ndef storage(ctx):\n    ctx.check(True)\n"}
    )
    outcome = gatekeeper_project.command("explain", "storage")
    assert outcome.exit_code == 4
    assert "pre.storage and post.storage" in outcome.stderr


def test_doctor_finds_nothing_wrong_in_an_empty_folder(gatekeeper_project):
    outcome = gatekeeper_project.command("doctor")
    assert (outcome.exit_code, "Nothing is wrong." in outcome.stdout) == (0, True), outcome.stdout


def test_doctor_says_which_extras_are_there(monkeypatch):
    installed = {"duckdb", "gatekeeper-gates-pytest"}

    def distribution(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", distribution)
    told = {finding.what: (finding.kind, finding.text) for finding in doctor._extras()}
    assert told["extra data"] == told["extra pytest"] == ("ok", "installed")
    assert told["extra postgres"] == (
        "note", "not installed: pip install 'gatekeeper-gates[postgres]' where it is needed",
    )  # fmt: skip


def test_doctor_shows_a_broken_configuration_and_a_broken_plugin(gatekeeper_project):
    gatekeeper_project.write({"gatekeeper.toml": "[rnu]\n"})
    outcome = gatekeeper_project.command("doctor")
    assert (outcome.exit_code, "Did you mean 'run'?" in outcome.stdout) == (4, True)
    gatekeeper_project.write({"gatekeeper.toml": "", "gates/gate_x.py": "1 / 0\n"})
    assert "ZeroDivisionError" in gatekeeper_project.command("doctor").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(gatekeeper_project, shell):
    assert "_GATEKEEPER_COMPLETE" in gatekeeper_project.command("completion", shell).stdout


@pytest.mark.parametrize(
    ("words", "number", "expected"),
    [
        ("gatekeeper ru", 1, "run"),
        ("gatekeeper run p", 2, "pre"),
        ("gatekeeper run pre --las", 3, "--last-failed"),
    ],
)
def test_completion_completes(tmp_path, words, number, expected):
    environment = os.environ | {
        "COMP_WORDS": words,
        "COMP_CWORD": str(number),
        "_GATEKEEPER_COMPLETE": "bash_complete",
    }
    done = subprocess.run(
        [sys.executable, "-m", "gatekeeper"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert expected in done.stdout


def commands(group, path=()):
    context = click.Context(cli)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", list(commands(cli)), ids=" ".join)
def test_every_command_has_help_with_examples(path):
    from click.testing import CliRunner

    result = CliRunner().invoke(cli, [*path, "--help"])
    assert result.exit_code == 0
    assert result.output.count("gatekeeper") >= 2, "no example"


def test_the_overview_imports_no_command():
    code = "import sys\nfrom gatekeeper.cli import command_line\ncommand_line(['--version'])\nprint([m for m in sys.modules if m == 'gatekeeper.app'])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.endswith("[]\n")


def test_all_commands_that_the_overview_names_exist():
    context = click.Context(cli)
    assert all(isinstance(cli.get_command(context, name), click.Command) for name in COMMANDS)


def test_a_misspelt_command_gets_the_nearest(gatekeeper_project):
    outcome = gatekeeper_project.command("hisotry")
    assert (outcome.exit_code, "Did you mean 'history'?" in outcome.stderr) == (4, True)


def test_a_ctrl_c_while_gatekeeper_is_still_loading_is_no_traceback():
    code = """if True:
        import sys

        class CtrlC:
            def find_spec(self, name, *_):
                if name == "click":
                    raise KeyboardInterrupt

        sys.meta_path.insert(0, CtrlC())
        from gatekeeper.__main__ import main
        main()
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "gatekeeper: interrupted\n")
