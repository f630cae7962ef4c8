"""Discovery: one mechanism for all plugins, and never '0 gates, fine'."""

import json
import os
import sys

import pytest

from gatekeeper.entrypoints import entry_points

GOOD = "from gatekeeper import pre\n\n@pre\ndef good(ctx):\n    ctx.check(True)\n"


@pytest.mark.parametrize(
    ("files", "messages"),
    [
        ({"gate_a.py": "import nowhere_to_be_found\n"}, ["plugin gate_a (gates/gate_a.py)", "ModuleNotFoundError", "gate_a.py:1"]),
        ({"gate_a.py": "def broken(:\n"}, ["gate_a.py:1", "invalid syntax"]),
        ({"gate_a.py": "import sys\nsys.exit(0)\n"}, ["plugin gate_a", "SystemExit"]),
        ({"gate_a.py": b"\xff\xfe\x00".decode("latin-1") + "\n"}, ["plugin gate_a"]),
        ({"gate_a.py": "def gatekeeper_reslut(result):\n    pass\n"}, ["unknown hook 'gatekeeper_reslut'", "'gatekeeper_result'"]),
        ({"gate_a.py": "def gatekeeper_result(reslut):\n    pass\n"}, ["plugin gate_a", "reslut"]),
        ({"gate_a.py": "def gatekeeper_reports():\n    return [1]\n"}, ["gatekeeper_reports contributed int", "expected Report"]),
        ({"gate_a.py": "def gatekeeper_gates(settings):\n    return 7\n"}, ["gatekeeper_gates returned int"]),
        ({"gate_a.py": "def gatekeeper_gates(settings):\n    1 / 0\n"}, ["gatekeeper_gates raised ZeroDivisionError"]),
        ({"gate_a.py": "import os\nos._exit(0)\n"}, ["plugin gate_a", "os._exit(0)"]),
        ({"gate_a.py": "def forgot_the_decorator(ctx): ...\n"}, ["gate_a", "holds no gate and no hook", "@pre or @post"]),
        ({"gate_a.py": GOOD, "gate_b.py": GOOD}, ["pre.good is defined twice", "gate_a.py:3", "gate_b.py:3"]),
        ({"a/gate_a.py": GOOD, "b/gate_a.py": ""}, ["two plugins are named 'gate_a'", "a/gate_a.py", "b/gate_a.py"]),
        ({"gate_a.py": "from gatekeeper import pre\n@pre(needs='x')\ndef g(ctx): ...\n"}, ['needs takes a list, write needs=["x"]']),
        ({"gate_a.py": "from gatekeeper import pre\n@pre(timeout='fast')\ndef g(ctx): ...\n"}, ["expected a duration", "gate_a.py:2"]),
        ({"gate_a.py": "from gatekeeper import pre\n@pre(needs=['god'])\ndef g(ctx): ...\n"}, ["gates/gate_a.py:2: pre.g needs 'god', which is no gate"]),
        ({"gate_a.py": "from gatekeeper import pre\n@pre(needs=['h'])\ndef g(ctx): ...\n@pre(needs=['g'])\ndef h(ctx): ...\n"},
         ["need each other in a circle: pre.g -> pre.h"]),
        ({"gate_a.py": "def gatekeeper_modify_plan(plan):\n    plan.gates = [1]\n"}, ["left 1 in the plan"]),
        ({"gate_a.py": "def gatekeeper_modify_plan(plan):\n    1 / 0\n"}, ["gatekeeper_modify_plan raised ZeroDivisionError"]),
    ],
)  # fmt: skip
def test_a_wrong_plugin_is_exit_4_with_names_and_place(gatekeeper_project, files, messages):
    gatekeeper_project.write({f"gates/{name}": content for name, content in files.items()})
    outcome = gatekeeper_project.command("run", "pre")
    assert outcome.exit_code == 4, outcome.stdout
    assert "Traceback" not in outcome.stderr
    for message in messages:
        assert message in outcome.stderr


def test_all_broken_plugins_are_named_at_once(gatekeeper_project):
    gatekeeper_project.write({"gates/gate_a.py": "1/0\n", "gates/gate_b.py": "1/0\n"})
    outcome = gatekeeper_project.command("run", "pre")
    assert "gate_a" in outcome.stderr
    assert "gate_b" in outcome.stderr


def test_gateconf_comes_first_and_helpers_beside_a_gate_file_can_be_imported(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gateconf.py": "import helping\nhelping.READY.append('conf')\n",
            "gates/helping.py": "READY = []\n",
            "gates/gate_a.py": """
                from gatekeeper import pre
                from helping import READY

                @pre
                def ready(ctx):
                    assert READY == ["conf"]
            """,
        }
    )
    assert gatekeeper_project.run("pre", "ready").exit_code == 0


def test_a_gate_that_two_plugins_import_counts_once(gatekeeper_project):
    gatekeeper_project.write(
        {"gates/gate_a.py": GOOD, "gates/gate_b.py": "from gatekeeper_project.gate_a import good\n"}
    )
    outcome = gatekeeper_project.run("pre", "good")
    assert [result.id for result in outcome.run.results] == ["pre.good"]


def distribution(folder, name, entry_point):
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[console_scripts]\nx = y:z\n\n[gatekeeper]\n{entry_point}\n")


def test_installed_plugins_of_the_same_name_are_refused_with_both_distributions(gatekeeper_project, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "first_gates.py").write_text(GOOD)
    distribution(site, "first", "thing = first_gates")
    distribution(site, "second", "thing = first_gates")
    gatekeeper_project.environment["PYTHONPATH"] = os.pathsep.join(
        [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    outcome = gatekeeper_project.command("run", "pre")
    assert outcome.exit_code == 4
    assert "two plugins are named 'thing': entry point of first and entry point of second" in outcome.stderr


def test_entry_points_are_those_that_importlib_finds(tmp_path):
    from importlib.metadata import entry_points as reference

    distribution(tmp_path, "one", "a = mod_a\nb = mod_b : attr [extra]\n# c = comment")
    expected = {(e.name, e.module) for e in reference(group="gatekeeper", name="resources")}
    found = {(e.name, e.value) for e in entry_points(sys.path)}
    assert expected <= found
    assert [
        (e.name, e.value, e.distribution) for e in entry_points([str(tmp_path), str(tmp_path / "none")])
    ] == [
        ("a", "mod_a", "one"),
        ("b", "mod_b : attr", "one"),
    ]


def test_a_disabled_plugin_is_not_loaded_and_an_unknown_one_is_refused(gatekeeper_project):
    gatekeeper_project.write({"gatekeeper.toml": '[plugins]\ndisable = ["resources"]\n'})
    assert "pre.resources" not in gatekeeper_project.command("list").stdout
    gatekeeper_project.write({"gatekeeper.toml": '[plugins]\ndisable = ["resorces"]\n'})
    outcome = gatekeeper_project.command("list")
    assert outcome.exit_code == 4
    assert "Did you mean 'resources'?" in outcome.stderr


@pytest.mark.parametrize("second", ["@pre\ndef orders(ctx):", "@post\ndef orders(ctx):", "def orders(ctx):"])
def test_a_gate_whose_name_is_defined_again_is_refused_rather_than_lost(gatekeeper_project, second):
    lines = f"from gatekeeper import post, pre\n@pre\ndef orders(ctx):\n    assert 1 == 2\n{second}\n    assert 1 == 1\n"
    gatekeeper_project.write({"gates/gate_orders.py": lines})
    outcome = gatekeeper_project.command("run", "pre")
    assert outcome.exit_code == 4
    # where the function isn't a gate at all, the file holds none any more: that is said first
    expected = ["holds no gate"] if second.startswith("def") else ["gate pre.orders", "gate_orders.py:2"]
    assert all(words in outcome.stderr for words in expected)


def test_gates_of_one_name_that_a_hook_contributes_are_all_there(gatekeeper_project):
    gatekeeper_project.write(
        {
            "gates/gate_many.py": """
            from gatekeeper import pre
            GATES = []
            for number in range(3):
                @pre(name=f"many{number}")
                def many(ctx):
                    ctx.check(True)
                GATES.append(many)

            def gatekeeper_gates(settings):
                return [gate for gate in GATES if gate.name != "many2"]
            """
        }
    )
    outcome = gatekeeper_project.run("pre", "many*")
    assert [result.id for result in outcome.run.results] == ["pre.many2", "pre.many0", "pre.many1"]


@pytest.mark.parametrize(
    "hook", ["gatekeeper_gates(settings)", "gatekeeper_reports()", "gatekeeper_modify_plan(plan)"]
)
def test_a_hook_that_ends_the_program_is_a_usage_error(gatekeeper_project, hook):
    gatekeeper_project.write({"gates/gateconf.py": f"import sys\ndef {hook}:\n    sys.exit(0)\n"})
    outcome = gatekeeper_project.command("run", "pre")
    assert outcome.exit_code == 4
    assert "gateconf" in outcome.stderr
    assert "SystemExit" in outcome.stderr


@pytest.mark.parametrize("hook", ["gatekeeper_result(result)", "gatekeeper_decide(run)"])
def test_an_observer_that_ends_the_program_does_not_let_the_run_through(gatekeeper_project, hook):
    gate = "from gatekeeper import pre\n@pre\ndef bad(ctx):\n    assert 1 == 2\n"
    conf = f"import sys\ndef {hook}:\n    sys.exit(0)\n"
    gatekeeper_project.write({"gates/gateconf.py": conf, "gates/gate_bad.py": gate})
    outcome = gatekeeper_project.command("run", "pre", "bad")
    assert outcome.exit_code == 3
    assert "sys.exit(0)" in outcome.stderr


def test_what_plugins_print_does_not_get_into_the_report(gatekeeper_project):
    conf = """
    print("imported")
    def gatekeeper_modify_plan(plan):
        print("planning")
    def gatekeeper_result(result):
        print("observing")
    def gatekeeper_decide(run):
        print("deciding")
    """
    gate = "from gatekeeper import pre\n@pre\ndef good(ctx):\n    assert 1 == 1\n"
    gatekeeper_project.write({"gates/gateconf.py": conf, "gates/gate_good.py": gate})
    outcome = gatekeeper_project.command("run", "pre", "good", "--format", "json")
    assert json.loads(outcome.stdout)["verdict"]["exit_code"] == 0
    for word in ("imported", "planning", "observing", "deciding"):
        assert word in outcome.stderr


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("plan.gates = None", "NoneType as the plan's gates"),
        ("plan.gates.append(7)", "which is no PlannedGate"),
        ("plan.gates = [replace(g, timeout='x') for g in plan.gates]", "no positive numbers"),
        ("plan.gates = [replace(g, requirement='requird') for g in plan.gates]", "Did you mean 'required'?"),
    ],
)
def test_a_plan_that_a_plugin_broke_is_that_plugins_fault(gatekeeper_project, change, problem):
    conf = f"from msgspec.structs import replace\ndef gatekeeper_modify_plan(plan):\n    {change}\n"
    gatekeeper_project.write({"gates/gateconf.py": conf})
    outcome = gatekeeper_project.command("run", "pre")
    assert outcome.exit_code == 4
    assert "plugin gateconf" in outcome.stderr
    assert problem in outcome.stderr
