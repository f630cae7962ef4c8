"""`--policy-from`: a change is judged by the policy of a ref that it can't alter, whatever it does to its own."""

import importlib.util
import json
import marshal
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from changes import ALONE, FIVE_WITHOUT_ID, POLICY, Change, commit, git, remove, write

PASSES = "from gatekeeper import pre\n\n\n@pre\ndef sizes(ctx):\n    ctx.check(True)\n"
ENDS_WELL = "import os\n\nos._exit(0)\n"
PROCEEDS = """
    from gatekeeper import Verdict


    def gatekeeper_decide(run):
        return Verdict("proceed")
    """


@pytest.fixture
def change(tmp_path: Path) -> Change:
    return Change(tmp_path, POLICY)


def refused(outcome: object) -> bool:
    """Whether both gates of the policy were asked, with the policy's own limits, and both said no."""
    sizes, inputs = outcome["pre.sizes"], outcome["pre.inputs"]  # type: ignore[index]
    return (
        outcome.exit_code == 1  # type: ignore[attr-defined]
        and sizes.status == inputs.status == "fail"
        and (sizes.decisive.observed, sizes.decisive.limit) == (5, 3)
        and (inputs.decisive.observed, inputs.decisive.name) == (5, "orders.jsonl schema")
    )


# -- what a change may try ---------------------------------------------------------------------------------------------


def deletes_the_gate(tree: Path) -> None:
    remove(tree / "gates" / "gate_sizes.py")


def deletes_all_of_the_policy(tree: Path) -> None:
    for name in ("gates", "schemas", "gatekeeper.toml"):
        remove(tree / name)


def switches_gates_off(tree: Path) -> None:
    write(tree, {"gatekeeper.toml": "[gates.sizes]\nenabled = false\n[gates.inputs]\nenabled = false\n"})


def weakens_a_limit_and_lets_failures_warn(tree: Path) -> None:
    text = (tree / "gatekeeper.toml").read_text().replace("most = 3", 'most = 300\nrequirement = "observe"')
    write(tree, {"gatekeeper.toml": text})


def leaves_gates_out_of_the_schema(tree: Path) -> None:
    write(tree, {"schemas/order.json": "{}\n"})


def replaces_a_gate(tree: Path) -> None:
    write(tree, {"gates/gate_sizes.py": PASSES})


def replaces_a_helper(tree: Path) -> None:
    write(tree, {"gates/helper.py": "def count(path):\n    return 0\n"})


def ends_the_process_in_gateconf(tree: Path) -> None:
    write(tree, {"gates/gateconf.py": ENDS_WELL})


def decides_in_gateconf(tree: Path) -> None:
    write(tree, {"gates/gateconf.py": PROCEEDS})


def shadows_modules(tree: Path) -> None:
    for name in (
        "json",
        "helper",
        "msgspec",
        "pluggy",
        "sitecustomize",
        "usercustomize",
        "gatekeeper",
        "conftest",
    ):
        write(tree, {f"{name}.py": ENDS_WELL, f"gates/{name}.py": ENDS_WELL})


def names_a_plugin_in_a_distribution(tree: Path) -> None:
    write(tree, {"evil-1.dist-info/entry_points.txt": "[gatekeeper]\nevil = evil\n", "evil.py": ENDS_WELL})


def replaces_gates_by_a_link(tree: Path) -> None:
    remove(tree / "gates")
    write(tree, {"other/gate_sizes.py": PASSES})
    (tree / "gates").symlink_to("other")


def replaces_gates_by_a_link_to_everything(tree: Path) -> None:
    remove(tree / "gates")
    (tree / "gates").symlink_to("/")


def replaces_files_by_endless_ones(tree: Path) -> None:
    for name in ("gatekeeper.toml", "gates/gate_sizes.py", "gates/helper.py", "schemas/order.json"):
        remove(tree / name)
        (tree / name).symlink_to("/dev/zero")


def replaces_files_by_folders(tree: Path) -> None:
    for name in ("gatekeeper.toml", "gates/gate_sizes.py", "schemas/order.json"):
        remove(tree / name)
        write(tree, {f"{name}/file": "x"})


def brings_compiled_files(tree: Path) -> None:
    cache = tree / "gates" / "__pycache__"
    cache.mkdir()
    code = compile("def count(path): return 0", "helper.py", "exec")
    header = (
        importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
    )  # PEP 552: not checked against its source
    tag = sys.implementation.cache_tag
    (cache / f"helper.{tag}.pyc").write_bytes(header + marshal.dumps(code))
    (tree / "helper.pyc").write_bytes(header + marshal.dumps(code))


def has_git_change_files(tree: Path) -> None:
    """Attributes that `git archive` and a checkout would obey."""
    attributes = "* export-ignore export-subst filter=evil eol=crlf ident\n"
    write(tree, {".gitattributes": attributes, "gates/.gitattributes": attributes})


def breaks_the_configuration(tree: Path) -> None:
    write(tree, {"gatekeeper.toml": "[gates.sizes\n", "gates/gate_broken.py": "def (:\n"})


HOSTILE = [
    deletes_the_gate, deletes_all_of_the_policy, switches_gates_off, weakens_a_limit_and_lets_failures_warn,
    leaves_gates_out_of_the_schema, replaces_a_gate, replaces_a_helper, ends_the_process_in_gateconf,
    decides_in_gateconf, shadows_modules, names_a_plugin_in_a_distribution, replaces_gates_by_a_link,
    replaces_gates_by_a_link_to_everything, replaces_files_by_endless_ones, replaces_files_by_folders,
    brings_compiled_files, has_git_change_files, breaks_the_configuration,
]  # fmt: skip


@pytest.mark.parametrize("attempt", HOSTILE, ids=lambda attempt: attempt.__name__)
def test_a_change_is_judged_by_the_policy_of_main_whatever_it_does_to_its_own(change, attempt):
    write(change.tree, {"orders.jsonl": FIVE_WITHOUT_ID})
    attempt(change.tree)
    commit(change.tree)
    assert refused(change.run())


@pytest.mark.parametrize("isolation", ["fork", "spawn", "none"])
def test_every_isolation_takes_the_same_policy(change, isolation):
    write(change.tree, {"orders.jsonl": FIVE_WITHOUT_ID})
    deletes_all_of_the_policy(change.tree)
    shadows_modules(change.tree)
    decides_in_gateconf(change.tree)
    switches_gates_off(change.tree)
    commit(change.tree)
    outcome = change.run("pre", "--isolation", isolation)
    assert refused(outcome)
    assert outcome.run.header.policy.commit == change.commit


def test_without_the_option_the_change_brings_its_own_policy(change):
    write(change.tree, {"orders.jsonl": FIVE_WITHOUT_ID})
    switches_gates_off(change.tree)
    report = change.temp.parent / "own.json"
    outcome = change.command("run", "pre", "--format", f"json={report}", report=report)
    assert outcome.run.result("pre.sizes") is None
    assert outcome.run.header.policy is None


def test_what_is_not_committed_is_judged_too_but_is_no_policy(change):
    write(
        change.tree, {"orders.jsonl": FIVE_WITHOUT_ID, "gates/helper.py": "def count(path):\n    return 0\n"}
    )
    outcome = change.run()
    assert refused(outcome)
    assert outcome.run.header.policy.altered == ("gates/helper.py",)


def test_the_working_tree_stays_what_is_judged(change):
    """Data, outputs, samples, the artifact, the state folder: all of the working tree; rules alone are main's."""
    change.merge({
        "gatekeeper.toml": """
            subject = { name = "orders", artifact = "dist/*.whl" }
            [[gates.outputs.files]]
            path = "out.jsonl"
            schema = "schemas/order.json"
            [gates]
            flow.enabled = false
            cleanup.enabled = false
            """,
        "gates/gate_sizes.py": """
            from pathlib import Path

            from gatekeeper import post


            @post
            def tree(ctx):
                assert ctx.outputs["given"] == {"of": "the change"}
                assert Path("own.txt").read_text() == ctx.path("own.txt").read_text() == "own"
                assert ctx.samples.select("duration")[0].values == (1.0,)
            """,
        "out.jsonl": "{}\n",
        "given.json": '{"of": "main"}',
    })  # fmt: skip
    write(change.tree, {
        "own.txt": "own", "out.jsonl": '{"id": 1}\n', "given.json": '{"of": "the change"}', "dist/a.whl": "wheel",
        "times.jsonl": '{"duration": 1}\n',
    })  # fmt: skip
    outcome = change.run("post", "--output", "given=given.json", "--samples", "jsonl:times.jsonl")
    assert (outcome["post.tree"].status, outcome["post.outputs"].status) == ("pass", "pass"), outcome.stdout
    assert outcome.run.subject.digest is not None
    assert (change.tree / ".gatekeeper" / "history.db").exists()


def test_a_gate_reads_its_golden_files_from_the_ref(change):
    change.merge({
        "golden/a.txt": "main", "golden/deep/b.txt": "main",
        "gates/golden.txt": "main",
        "gates/gate_golden.py": """
            from pathlib import Path

            from gatekeeper import pre


            @pre
            def golden(ctx):
                folder = ctx.policy_path("golden")
                assert (folder / "a.txt").read_text() == (folder / "deep/b.txt").read_text() == "main"
                assert ctx.policy_path("golden/a.txt").read_text() == "main"
                assert (Path(__file__).parent / "golden.txt").read_text() == "main"
                assert ctx.policy_path("/etc/hostname") == Path("/etc/hostname")
                assert not ctx.policy_path("golden/new.txt").exists()
                assert ctx.path("golden/a.txt").read_text() == "change"
            """,
    })  # fmt: skip
    evil = dict.fromkeys(
        ("golden/a.txt", "golden/deep/b.txt", "golden/new.txt", "gates/golden.txt"), "change"
    )
    change.propose(evil)
    for isolation in ("fork", "spawn", "none"):
        assert change.run("pre", "golden", "--isolation", isolation)["pre.golden"].status == "pass"


def test_authorities_and_response_schemas_are_taken_from_the_ref(change):
    """Of the other gates that ship: what `ca_file` and an HTTP component's `schema` name."""
    change.merge({
        "gatekeeper.toml": """
            [[gates.components.tls]]
            host = "127.0.0.1"
            port = 1
            ca_file = "ca.pem"
            [[gates.components.http]]
            url = "http://127.0.0.1:1"
            schema = "response.json"
            [[gates.network.tls]]
            host = "localhost"
            ca_file = "net.pem"
            """,
        "ca.pem": "main", "response.json": "{}", "net.pem": "main",
    })  # fmt: skip
    change.propose({"ca.pem": "change", "response.json": "true", "net.pem": "change"})
    outcome = change.run("pre", "components", "network")
    assert {"ca.pem", "response.json", "net.pem"} <= set(outcome.run.header.policy.altered)


# -- how a process that judges is started ------------------------------------------------------------------------------


def test_python_with_the_working_tree_first_on_its_path_is_refused(change):
    done = subprocess.run(
        [sys.executable, "-m", "gatekeeper", "run", "pre", "--policy-from", "origin/main"],
        cwd=change.tree, env=ALONE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "imports from the working tree" in done.stderr


@pytest.mark.parametrize("inside", [".", "src", "gates"])
def test_a_pythonpath_within_the_working_tree_is_refused(change, inside):
    outcome = change.run(PYTHONPATH=str(change.tree / inside))
    assert outcome.exit_code == 4
    assert "without PYTHONPATH" in outcome.stderr


def test_a_pythonpath_beside_the_working_tree_is_none_of_its_business(change, tmp_path):
    write(tmp_path, {"lib/orders_lib.py": "LIMIT = 1\n"})
    change.merge(
        {
            "gates/gate_lib.py": "from gatekeeper import pre\nimport orders_lib\n\n\n@pre\ndef lib(ctx):\n    assert orders_lib.LIMIT == 1\n"
        }
    )
    assert change.run("pre", "lib", PYTHONPATH=str(tmp_path / "lib"))["pre.lib"].status == "pass"


def test_code_of_the_working_tree_that_the_judge_loads_is_named(change, tmp_path):
    """A package that is installed from the working tree (`pip install -e .`) comes last on the path, and is told."""
    change.merge(
        {
            "gates/gate_own.py": "from gatekeeper import pre\nimport orders\n\n\n@pre\ndef own(ctx):\n    assert orders.ONE == 1\n"
        }
    )
    change.propose(
        {
            "src/orders.py": "ONE = 1\n",
            "src/json.py": ENDS_WELL,
            "src/evil.py": ENDS_WELL,
            "src/evil-1.dist-info/entry_points.txt": "[gatekeeper]\nevil = evil\n",
        }
    )
    starter = tmp_path / "start.py"  # what a .pth file of an editable installation does
    starter.write_text(
        f"import sys\nsys.path.append({str(change.tree / 'src')!r})\nfrom gatekeeper.cli import main\nmain()\n"
    )
    report = tmp_path / "r.json"
    subprocess.run(
        [sys.executable, "-P", starter, "run", "pre", "own", "--policy-from", "origin/main", "--format", f"json={report}"],
        cwd=change.tree, env={**ALONE, "TMPDIR": str(change.temp)}, check=False, capture_output=True,
    )  # fmt: skip
    found = json.loads(report.read_bytes())
    assert found["verdict"]["decision"] == "proceed"
    assert found["run"]["policy"]["imported"] == ["src/orders.py"]
    assert any("src/orders.py" in note for note in found["notes"])


def test_a_gate_that_imports_late_gets_the_refs_helper(change):
    write(change.tree, {"orders.jsonl": FIVE_WITHOUT_ID, "helper.py": ENDS_WELL, "late.py": ENDS_WELL})
    change.merge({
        "gates/gate_late.py": "from gatekeeper import pre\n\n\n@pre\ndef late(ctx):\n    import late\n    import json\n    assert late.ONE == 1 and json.loads('1') == 1\n",
        "gates/late.py": "ONE = 1\n",
    })  # fmt: skip
    write(change.tree, {"json.py": ENDS_WELL, "gates/late.py": ENDS_WELL})
    for isolation in ("fork", "spawn", "none"):
        assert change.run("pre", "late", "--isolation", isolation)["pre.late"].status == "pass"


# -- who may override --------------------------------------------------------------------------------------------------


def test_what_the_environment_and_flags_set_counts_and_is_named(change):
    write(change.tree, {"orders.jsonl": '{"id": 1}\n' * 5})
    outcome = change.run("pre", "--timeout", "9s", GATEKEEPER_GATES__SIZES__MOST="9")
    assert outcome["pre.sizes"].status == "pass"
    assert outcome.run.header.policy.overridden == ("--timeout", "GATEKEEPER_GATES__SIZES__MOST")
    assert any("GATEKEEPER_GATES__SIZES__MOST" in note for note in outcome.run.notes)
    assert not any("--timeout" in note for note in outcome.run.notes)


def test_a_profile_is_the_refs(change):
    text = POLICY["gatekeeper.toml"] + "        [profiles.ci.gates.sizes]\n        most = 4\n"
    change.merge({"gatekeeper.toml": text})
    change.propose(
        {"gatekeeper.toml": text.replace("most = 4", "most = 400"), "orders.jsonl": FIVE_WITHOUT_ID}
    )
    assert change.run("pre", "--profile", "ci")["pre.sizes"].decisive.limit == 4


def test_an_environment_variable_stands_for_the_option(change):
    write(change.tree, {"orders.jsonl": FIVE_WITHOUT_ID})
    switches_gates_off(change.tree)
    outcome = change.command("run", "pre", GATEKEEPER_POLICY_FROM="origin/main")
    assert outcome.exit_code == 1
    assert "pre.sizes failed" in outcome.stdout
    assert change.command("list", GATEKEEPER_POLICY_FROM="origin/none").exit_code == 4


def test_the_option_comes_before_its_environment_variable(change):
    outcome = change.run(GATEKEEPER_POLICY_FROM="origin/none")
    assert outcome.run.header.policy.ref == "origin/main"


def test_an_empty_option_is_no_way_back_to_the_own_policy(change):
    outcome = change.run(ref="")
    assert outcome.exit_code == 4
    assert "it is empty" in outcome.stderr


def test_code_that_loads_a_project_itself_does_not_pass_over_the_variable(change):
    code = f"from gatekeeper.project import Project, ProjectRequest; Project(ProjectRequest(cwd={str(change.tree)!r}))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env={**ALONE, "GATEKEEPER_POLICY_FROM": "origin/main"},
        cwd=change.tree, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "UsageError: GATEKEEPER_POLICY_FROM=origin/main" in done.stderr


# -- where the policy is -----------------------------------------------------------------------------------------------


def test_a_project_in_a_subfolder_is_found_as_in_the_working_tree(tmp_path):
    change = Change(tmp_path, {f"services/a/{name}": text for name, text in POLICY.items()})
    project = change.tree / "services" / "a"
    change.propose({
        "services/a/orders.jsonl": FIVE_WITHOUT_ID, "services/a/gates/gate_sizes.py": PASSES,
        "gatekeeper.toml": "", "services/gatekeeper.toml": "", "services/a/deep/gatekeeper.toml": "",
    })  # fmt: skip
    for cwd, more in [
        (project, ()),
        (project / "deep", ()),
        (change.tree, ("--config", "services/a/gatekeeper.toml")),
        (change.tree / "services", ("--config", str(project / "gatekeeper.toml"))),
    ]:
        outcome = change.run("pre", *more, cwd=cwd)
        assert refused(outcome)
        assert outcome["pre.sizes"].source.file == "gates/gate_sizes.py"
        assert "services/a/gates/gate_sizes.py" in outcome.run.header.policy.altered
    assert "services/a/deep/gatekeeper.toml" in change.run(cwd=project / "deep").run.header.policy.altered


def test_a_linked_work_tree_has_the_same_refs(change, tmp_path):
    other = tmp_path / "linked"
    git(change.tree, "worktree", "add", "--quiet", "-b", "other", str(other))
    write(other, {"orders.jsonl": FIVE_WITHOUT_ID})
    replaces_a_gate(other)
    assert refused(change.run(cwd=other))


def test_a_table_of_pyproject_is_a_policy_and_the_rest_of_the_file_is_not(tmp_path):
    project = '[project]\nname = "orders"\nversion = "1"\n'
    policy = f"{project}[tool.gatekeeper.gates.sizes]\nmost = 3\n"
    files = {name: text for name, text in POLICY.items() if name != "gatekeeper.toml"}
    change = Change(tmp_path, files | {"pyproject.toml": policy})
    change.propose(
        {"pyproject.toml": policy.replace('version = "1"', 'version = "2"'), "orders.jsonl": "1\n"}
    )
    assert change.run("pre", "sizes").run.header.policy.altered == ()
    change.propose({"pyproject.toml": policy.replace("most = 3", "most = 300"), "orders.jsonl": "1\n" * 5})
    outcome = change.run("pre", "sizes")
    assert (outcome.exit_code, outcome["pre.sizes"].decisive.limit) == (1, 3)
    assert outcome.run.header.policy.altered == ("pyproject.toml",)


def test_a_pyproject_of_others_is_no_part_of_the_policy(change):
    change.merge({"pyproject.toml": '[project]\nname = "gatekeeper-user"\n', "services/pyproject.toml": ""})
    change.propose(
        {"pyproject.toml": "[tool.gatekeeper]\n", "services/pyproject.toml": "[tool.gatekeeper]\n"}
    )
    outcome = change.run("pre", "inputs", cwd=change.tree / "services")
    assert outcome.run.header.config == "../gatekeeper.toml"
    assert outcome.run.header.policy.altered == ("services/pyproject.toml",)


def test_gates_without_a_configuration_are_a_policy(tmp_path):
    change = Change(
        tmp_path,
        {
            "gates/gate_one.py": "from gatekeeper import pre\n\n\n@pre\ndef one(ctx):\n    ctx.check(False, 'no')\n"
        },
    )
    change.propose({"gates/gate_one.py": PASSES, "gatekeeper.toml": "[gates.one]\nenabled = false\n"})
    outcome = change.run("pre", "one")
    assert outcome["pre.one"].status == "fail"
    assert outcome.run.header.policy.altered == ("gatekeeper.toml", "gates/gate_one.py")


def test_a_ref_without_any_policy_is_refused(tmp_path):
    """The change that brings the first gates can't be judged by gates that aren't there: nothing is no pass."""
    change = Change(tmp_path, {"README": ""})
    change.propose(POLICY)
    outcome = change.run()
    assert outcome.exit_code == 4
    assert "neither a configuration nor a folder of gates" in outcome.stderr


def test_folders_of_gates_may_lie_elsewhere_in_the_repository(tmp_path):
    policy = {f"services/a/{name}": text for name, text in POLICY.items()}
    policy["services/a/gatekeeper.toml"] = '[project]\ngates = ["../../shared", "gates"]\n'
    policy["shared/gate_shared.py"] = (
        "from gatekeeper import pre\n\n\n@pre\ndef shared(ctx):\n    ctx.check(False, 'no')\n"
    )
    change = Change(tmp_path, policy)
    change.propose({"shared/gate_shared.py": PASSES})
    outcome = change.run("pre", "shared", cwd=change.tree / "services" / "a")
    assert outcome["pre.shared"].status == "fail"
    git(change.main, "rm", "-r", "--quiet", "shared")
    change.merge({})
    outcome = change.run("pre", "shared", cwd=change.tree / "services" / "a")
    assert outcome.exit_code == 4
    assert "[project] gates: no folder '../../shared' in origin/main" in outcome.stderr


def test_only_what_is_needed_is_copied(change):
    """A repository may hold gigabytes; and a file that isn't part of the policy can't be read by mistake either."""
    change.merge({
        "data/large.bin": "x" * 100_000, "services/b/gates/gate_b.py": PASSES,
        "gates/gate_look.py": """
            from pathlib import Path

            from gatekeeper import pre


            @pre
            def look(ctx):
                copies = Path(__file__).parents[1]
                found = [p.relative_to(copies).as_posix() for p in copies.rglob("*") if p.is_file()]
                names = {name for name in found if "__pycache__" not in name}
                gates = {"gates/gate_look.py", "gates/gate_sizes.py", "gates/helper.py"}
                ctx.check(names == {"gatekeeper.toml", "schemas/order.json", *gates}, str(names))
            """,
    })  # fmt: skip
    assert change.run("pre", "look")["pre.look"].reason == ""


# -- what can't be told apart is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("brought", [".gatekeeper/history.db", ".gatekeeper", "kept/runs.db"])
def test_a_change_that_brings_its_own_history_is_refused(change, brought):
    if brought.startswith("kept"):
        change.merge({"gatekeeper.toml": '[store]\nurl = "kept/runs.db"\n'})
    write(change.tree, {brought: "forged"})
    git(change.tree, "add", "--force", brought)
    commit(change.tree)
    outcome = change.run()
    assert outcome.exit_code == 4
    assert f"git rm -r --cached {brought if brought.startswith('kept') else '.gatekeeper'}" in outcome.stderr


def test_history_that_main_has_too_is_not_the_changes(change):
    write(change.main, {".gatekeeper/note.txt": "kept"})
    git(change.main, "add", "--force", ".gatekeeper")
    change.merge({})
    git(change.tree, "merge", "--quiet", "origin/main")
    assert change.run().exit_code == 0


def test_a_project_that_is_reached_through_a_link_of_the_change_is_refused(tmp_path):
    weak = POLICY | {"gatekeeper.toml": "[gates.sizes]\nmost = 300\n"}
    change = Change(
        tmp_path, {f"a/{n}": t for n, t in POLICY.items()} | {f"b/{n}": t for n, t in weak.items()}
    )
    remove(change.tree / "a")
    (change.tree / "a").symlink_to("b")
    write(change.tree, {"b/orders.jsonl": FIVE_WITHOUT_ID})
    commit(change.tree)
    by_shell = change.run(cwd=change.tree / "a", PWD=str(change.tree / "a"))
    by_config = change.run("pre", "--config", "a/gatekeeper.toml")
    for outcome in (by_shell, by_config):
        assert outcome.exit_code == 4
        assert "through a symbolic link in the working tree" in outcome.stderr.replace(
            "work tree", "working tree"
        )


def test_a_configuration_outside_of_the_repository_is_refused(change, tmp_path):
    write(tmp_path, {"own.toml": ""})
    outcome = change.run("pre", "--config", str(tmp_path / "own.toml"))
    assert outcome.exit_code == 4
    assert "lies outside of the repository" in outcome.stderr


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("new.toml", "origin/main:new.toml: no such configuration file"),
        ("folder", "origin/main:folder: is a folder"),
        ("old/gatekeeper.toml", "configures a folder that the working tree does not have"),
        ("pyproject.toml", "origin/main:pyproject.toml: has no table [tool.gatekeeper]"),
    ],
)
def test_a_named_configuration_must_be_the_refs(change, asked, problem):
    change.merge({"old/gatekeeper.toml": "", "folder/file": "", "pyproject.toml": ""})
    write(change.tree, {"new.toml": ""})
    outcome = change.run("pre", "--config", asked)
    assert outcome.exit_code == 4
    assert problem in outcome.stderr


def test_mistakes_in_the_refs_policy_are_told_as_the_refs(change):
    change.merge({"gatekeeper.toml": "[gates.sizes]\nmost = 'many'\n", "gates/gate_odd.py": "def odd(:\n"})
    write(change.tree, {"gatekeeper.toml": ""})
    outcome = change.run()
    assert outcome.exit_code == 4
    assert "origin/main:gates/gate_odd.py:1" in outcome.stderr
    change.merge({"gates/gate_odd.py": PASSES.replace("sizes", "odd")})
    assert "origin/main:gatekeeper.toml:2" in change.run().stderr


# -- the record --------------------------------------------------------------------------------------------------------


def test_the_report_says_which_policy_was_used_with_digests(change):
    change.propose({
        "gates/gate_new.py": PASSES, "gates/helper.py": "x = 1\n", "README": "", "orders.jsonl": '{"id": 2}\n',
    })  # fmt: skip
    policy = change.run().run.header.policy
    assert (policy.ref, policy.commit) == ("origin/main", change.commit)
    assert policy.altered == ("gates/gate_new.py", "gates/helper.py")
    names = ["gatekeeper.toml", "gates/gate_sizes.py", "gates/helper.py", "schemas/order.json"]
    sums = subprocess.run(["sha256sum", *names], cwd=change.main, capture_output=True, check=True).stdout
    whole = subprocess.run(["sha256sum"], input=sums, capture_output=True, check=True, text=False).stdout
    assert policy.digest == f"sha256:{whole.split()[0].decode()}"


def test_the_digest_is_of_the_policy_alone(change):
    first = change.run().run.header.policy
    change.merge({"README": "other"})
    second = change.run().run.header.policy
    change.merge({"schemas/order.json": '{"type": "object"}\n'})
    third = change.run().run.header.policy
    assert first.commit != second.commit
    assert first.digest == second.digest != third.digest


def test_a_change_that_leaves_the_policy_alone_hears_nothing_of_it(change):
    change.propose({"orders.jsonl": '{"id": 2}\n', "src/new.py": ""})
    outcome = change.run()
    assert outcome.exit_code == 0
    assert outcome.run.notes == ()
    assert outcome.run.header.policy.altered == outcome.run.header.policy.overridden == ()


def test_a_link_in_place_of_the_gates_leads_the_record_nowhere(change):
    write(change.tree, {"orders.jsonl": FIVE_WITHOUT_ID})
    replaces_gates_by_a_link_to_everything(change.tree)
    altered = change.run().run.header.policy.altered
    assert altered == ("gates/gate_sizes.py", "gates/helper.py")


def test_line_ends_of_a_checkout_make_no_difference(change):
    for name in ("gates/gate_sizes.py", "schemas/order.json", "gatekeeper.toml"):
        path = change.tree / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert change.run().run.header.policy.altered == ()


def test_the_terminal_shows_the_policy_in_one_line_and_notes_what_was_not_used(change):
    change.propose({"gatekeeper.toml": "", "gates/gate_a\x1b[31m.py": PASSES.replace("sizes", "a")})
    shown = change.run().stdout
    assert f"policy   origin/main at {change.commit[:12]}\n" in shown
    assert (
        "note     gatekeeper.toml, gates/gate_a\\x1b[31m.py: not as in origin/main, whose version counts\n"
        in shown
    )


def test_the_report_is_valid_and_the_way_to_repeat_it_names_the_ref(change):
    jsonschema = pytest.importorskip("jsonschema")
    write(change.tree, {"orders.jsonl": FIVE_WITHOUT_ID})
    outcome = change.run()
    schema = json.loads(
        Path(importlib.util.find_spec("gatekeeper").origin)
        .with_name("schemas")
        .joinpath("report-1.json")
        .read_bytes()
    )
    jsonschema.Draft202012Validator(schema).validate(json.loads(outcome.report.read_bytes()))
    assert "again    gatekeeper run pre --last-failed --policy-from origin/main\n" in outcome.stdout


def test_other_commands_take_the_refs_policy_too(change):
    change.propose({
        "gatekeeper.toml": "[gates.sizes]\nmost = 300\n", "gates/gate_new.py": PASSES.replace("sizes", "new"),
        "gates/gateconf.py": ENDS_WELL,
    })  # fmt: skip
    option = ("--policy-from", "origin/main")
    listed = change.command("list", *option).stdout
    assert "pre.sizes" in listed
    assert "pre.new" not in listed
    explained = change.command("explain", "sizes", *option).stdout
    assert "gates/gate_sizes.py:" in explained
    assert "origin/main:gatekeeper.toml:2" in explained
    assert (
        "gates.sizes.most         3 " in change.command("config", "show", "sizes", "--origin", *option).stdout
    )
    for command in (("config", "check"), ("doctor",)):
        assert f"origin/main at {change.commit[:12]}" in change.command(*command, *option).stdout
    assert change.command("history", "list", *option).exit_code == 0


def test_a_gate_is_selected_by_the_file_that_people_know(change):
    write(change.tree, {"orders.jsonl": FIVE_WITHOUT_ID})
    deletes_the_gate(change.tree)
    outcome = change.run("pre", "gates/gate_sizes.py")
    assert [result.id for result in outcome.run.results] == ["pre.sizes"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_copy_behind(change, how):
    change.merge(
        {
            "gates/gate_slow.py": "import time\nfrom gatekeeper import pre\n\n\n@pre\ndef slow(ctx):\n    ctx.path('started').touch()\n    time.sleep(60)\n"
        }
    )
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "gatekeeper", "run", "pre", "slow", "--policy-from", "origin/main"],
        cwd=change.tree, env={**ALONE, "TMPDIR": str(change.temp)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not (change.tree / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(how)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 2, output
    assert [*change.temp.iterdir()] == []


def test_a_run_without_the_option_loads_nothing_of_this(change):
    code = (
        "import sys\nfrom gatekeeper.cli import command_line\ncommand_line(['run', 'pre'])\n"
        "print([n for n in sys.modules if n.startswith('gatekeeper.policy') or n == 'gatekeeper.settings.rules'])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=change.tree,
        env=ALONE,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
