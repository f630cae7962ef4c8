"""Taking a policy out of git: which commit a name means, what is copied of it, and that nothing of the repository runs."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from changes import ALONE, FIVE_WITHOUT_ID, POLICY, Change, commit, git, write
from gatekeeper.errors import UsageError
from gatekeeper.policy import copies, imports, located, named, taken

pytestmark = pytest.mark.heavy


@pytest.fixture
def change(tmp_path: Path) -> Change:
    return Change(tmp_path, POLICY)


def problem(change: Change, ref: str, cwd: Path | None = None) -> str:
    """Why a policy can't be taken from a ref, or from what it holds as `gates`."""
    with pytest.raises(UsageError) as caught, taken(ref, cwd or change.tree) as trusted:
        located(trusted, Path(trusted.top, "gates"))
    (text,) = caught.value.problems
    assert text.startswith(f"--policy-from {ref}: ")
    return text


# -- which commit ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ref",
    [
        "origin/main",
        "refs/remotes/origin/main",
        "origin",
        "v1",
        "light",
        "HEAD~0",
        "{commit}",
        "{short}",
    ],
)
def test_whatever_names_a_commit_is_a_ref(change, ref):
    git(change.tree, "tag", "--annotate", "v1", "origin/main", "--message", "one")
    git(change.tree, "tag", "light", "origin/main")
    with taken(ref.format(commit=change.commit, short=change.commit[:9]), change.tree) as trusted:
        assert trusted.commit == change.commit


@pytest.mark.parametrize(
    "ref", ["origin/mian", "nope", "-x", "--help", "--output=x", "a..b", "^HEAD", "HEAD:gates", " ", "@{99}"]
)
def test_what_names_none_is_refused(change, ref):
    assert problem(change, ref)
    assert not (change.tree / "x").exists()


def test_a_missing_ref_is_told_with_what_fetches_it(change, tmp_path):
    """The clone of a CI job: one commit of the change's branch, and nothing of main."""
    git(change.tree, "push", "--quiet", "origin", "change")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=change", f"file://{change.main}", str(shallow))
    told = problem(change, "origin/main", shallow)
    assert "no such commit here; this clone is shallow." in told
    command = re.search(r"Fetch it first: git (.*)", told)[1]
    git(shallow, *command.split())
    with taken("origin/main", shallow) as trusted:
        assert trusted.commit == change.commit


def test_the_nearest_name_is_suggested(change):
    assert "Did you mean 'origin/main'?" in problem(change, "origin/mian")


@pytest.mark.parametrize("kind", ["tag", "branch"])
def test_a_tag_or_branch_that_is_named_like_main_is_not_taken_for_it(change, kind):
    """Whoever may push a tag, or name the branch of a change, could put `origin/main` before the remote's main."""
    evil = commit(change.tree, "evil")
    git(change.tree, kind, "origin/main", evil)
    assert "write it in full, such as refs/remotes/origin/main" in problem(change, "origin/main")
    with taken("refs/remotes/origin/main", change.tree) as trusted:
        assert trusted.commit == change.commit


def test_a_replaced_commit_is_read_as_it_was(change):
    """git-replace(1) puts one object in another's place for whatever reads it."""
    write(change.tree, {"gates/gate_sizes.py": "evil"})
    git(change.tree, "replace", change.commit, commit(change.tree))
    with taken("origin/main", change.tree) as trusted:
        copied = located(trusted, change.tree / "gates") / "gate_sizes.py"
        assert copied.read_bytes() == (change.main / "gates" / "gate_sizes.py").read_bytes()


def test_variables_of_git_lead_to_no_other_repository(change, monkeypatch, tmp_path):
    write(tmp_path / "config", {"c": "[core]\n\tworktree = /nowhere\n[alias]\n\trev-parse = !false\n"})
    for name, value in {
        "GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/", "GIT_OBJECT_DIRECTORY": "/nowhere", "GIT_INDEX_FILE": "/x",
        "GIT_CONFIG_GLOBAL": str(tmp_path / "config" / "c"), "GIT_CONFIG_COUNT": "x", "GIT_NAMESPACE": "evil",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with taken("origin/main", change.tree) as trusted:
        assert trusted.commit == change.commit


# -- where there is no repository, or another one ----------------------------------------------------------------------


def test_a_folder_without_a_repository_is_refused(change, tmp_path):
    (tmp_path / "plain").mkdir()
    assert "is in no git work tree" in problem(change, "main", tmp_path / "plain")


def test_a_folder_that_looks_like_a_repository_is_none(change):
    """A bare repository can be committed as files. git itself would take it for one (safe.bareRepository)."""
    inner = change.tree / "services"
    git(change.tree, "clone", "--quiet", "--bare", str(change.main), str(inner))
    evil = commit(change.tree, "evil")
    git(inner, "fetch", "--quiet", str(change.tree), "change")
    git(inner, "update-ref", "refs/remotes/origin/main", evil)
    with taken("origin/main", inner) as trusted:
        assert (trusted.top, trusted.commit) == (str(change.tree), change.commit)


def test_git_that_is_not_there_is_told(change, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git, which isn't installed here" in problem(change, "origin/main")


@pytest.mark.parametrize(
    ("content", "why"), [("gitdir: /nowhere", "names a folder that isn't there"), ("", "git says: ")]
)
def test_a_broken_repository_is_told(tmp_path, content, why):
    (tmp_path / ".git").write_text(content)
    if not content:
        (tmp_path / ".git").unlink()
        (tmp_path / ".git").mkdir()
    with pytest.raises(UsageError, match=why), taken("main", tmp_path):
        pass


@pytest.fixture
def submodule(change: Change, tmp_path: Path) -> Path:
    """The clone's folder `inner`, a submodule of another repository."""
    other = Change(tmp_path / "other", POLICY) if (tmp_path / "other").mkdir() is None else None
    assert other is not None
    git(change.tree, "submodule", "--quiet", "add", str(other.main), "inner")
    return change.tree / "inner"


def test_a_submodule_says_itself_what_its_main_is_and_is_refused(change, submodule):
    assert "is a submodule" in problem(change, "origin/main", submodule)
    own = git(submodule, "rev-parse", "HEAD")
    with taken(own, submodule) as trusted:
        assert (trusted.top, trusted.commit) == (str(submodule), own)


@pytest.mark.parametrize("place", ["gates", "gates/common", "gates/deep/common"])
def test_gates_that_the_ref_has_as_a_submodule_are_refused(change, tmp_path, place):
    """Their files aren't in this repository; without them the policy would have fewer gates, and nobody would see."""
    if place == "gates":
        shutil.rmtree(change.main / "gates")
        commit(change.main)
    (tmp_path / "other").mkdir()
    other = Change(tmp_path / "other", POLICY)
    git(change.main, "submodule", "--quiet", "add", str(other.main), place)
    change.merge({})
    assert f"{place} is" in (told := problem(change, "origin/main"))
    assert "submodule there" in told


def test_a_partial_clone_without_the_files_is_told_and_nothing_is_fetched(change, tmp_path):
    git(change.main, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    git(
        tmp_path,
        "clone",
        "--quiet",
        "--no-checkout",
        "--filter=blob:none",
        f"file://{change.main}",
        str(partial),
    )
    before = git(partial, "count-objects", "--verbose")
    assert "it is a partial one" in problem(change, "origin/main", partial)
    assert git(partial, "count-objects", "--verbose") == before


# -- what is copied ----------------------------------------------------------------------------------------------------

NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=12
).filter(
    lambda name: (
        name not in (".", "..")
        and not name.casefold().startswith((".git", "git~"))
        and len(name.encode()) < 100
    )
)


@examples(max_examples=25)
@given(files=st.dictionaries(NAMES, st.binary(max_size=200), min_size=1, max_size=6), folder=NAMES)
def test_what_is_copied_is_what_was_committed(tmp_path_factory, files, folder):
    root = tmp_path_factory.mktemp("names")
    git(root, "init", "--quiet")
    (root / "gates" / folder).mkdir(parents=True)
    for name, content in files.items():
        (root / "gates" / folder / name).write_bytes(content)
    commit(root)
    with taken("HEAD", root) as trusted:
        copied = located(trusted, root / "gates") / folder
        assert {path.name: path.read_bytes() for path in copied.iterdir()} == files
    assert not Path(trusted.folder).exists()


def test_names_that_are_not_text_are_copied(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "gates").mkdir()
    name = os.fsdecode(b"\xff\xfe.txt")
    (tmp_path / "gates" / name).write_text("x")
    commit(tmp_path)
    with taken("HEAD", tmp_path) as trusted:
        assert (located(trusted, tmp_path / "gates") / name).read_text() == "x"


def test_links_within_the_commit_are_followed_and_none_is_left(change):
    main = change.main
    write(
        main,
        {
            "shared/helper.py": "ONE = 1\n",
            "shared/more/two.py": "TWO = 2\n",
            "lib/deep/three.py": "THREE = 3\n",
        },
    )
    (main / "gates" / "one.py").symlink_to("../shared/helper.py")
    (main / "gates" / "more").symlink_to("../shared/more")
    (main / "shared" / "more" / "three.py").symlink_to("../../lib/deep/three.py")
    (main / "gates" / "nowhere.py").symlink_to("missing.py")
    (main / "gates" / "loop").symlink_to("../gates")
    (main / "gates" / "again").symlink_to("../gates")
    (main / "shared" / "more" / "up").symlink_to("..")
    (main / "config.toml").symlink_to("gatekeeper.toml")
    change.merge({})
    with taken("origin/main", change.tree) as trusted:
        gates = located(trusted, change.tree / "gates")
        assert (gates / "one.py").read_text() == "ONE = 1\n"
        assert (gates / "more" / "two.py").read_text() == "TWO = 2\n"
        assert (gates / "more" / "three.py").read_text() == "THREE = 3\n"
        assert not any((gates / name).exists() for name in ("nowhere.py", "loop", "again", "more/up/more/up"))
        assert "most = 3" in located(trusted, change.tree / "config.toml").read_text()
        assert [path for path in Path(trusted.folder).rglob("*") if path.is_symlink()] == []


@pytest.mark.parametrize("target", ["/etc/hostname", "../../secret"])
@pytest.mark.parametrize("name", ["gates/helper.py", "gates"])
def test_links_out_of_the_repository_are_refused(change, name, target):
    path = change.main / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(target if name == "gates" else target.replace("../..", "../../.."))
    change.merge({})
    assert "is a symbolic link out of the repository" in problem(change, "origin/main")


@pytest.mark.parametrize("name", ["..", "../../evil", ".", "/evil"])
def test_names_that_lead_out_of_the_copies_are_refused(tmp_path, name):
    """Git itself makes no such tree, but an object database can hold one."""
    git(tmp_path, "init", "--quiet")

    def stored(kind: str, content: bytes) -> bytes:
        command = ["git", "hash-object", "-t", kind, "-w", "--stdin", "--literally"]
        done = subprocess.run(
            command, cwd=tmp_path, env=ALONE, input=content, capture_output=True, check=True
        )
        return bytes.fromhex(done.stdout.decode())

    tree = stored("tree", b"100644 led_out_of_the_copies.py\0" + stored("blob", b"evil"))
    for entry in (name, "gates"):
        tree = stored("tree", f"40000 {entry}".encode() + b"\0" + tree)
    made = git(tmp_path, "commit-tree", tree.hex(), "-m", "crafted")
    with taken(made, tmp_path) as trusted, pytest.raises(UsageError, match="is no path that a file may have"):
        located(trusted, tmp_path / "gates")
    assert not list(tmp_path.parent.glob("**/led_out_of_the_copies.py"))


def test_programs_stay_programs_and_nobody_else_can_read_a_copy(change):
    write(change.main, {"gates/check.sh": "#!/bin/sh\n"})
    (change.main / "gates" / "check.sh").chmod(0o755)
    change.merge({})
    with taken("origin/main", change.tree) as trusted:
        gates = located(trusted, change.tree / "gates")
        assert stat.S_IMODE((gates / "check.sh").stat().st_mode) == 0o700
        assert stat.S_IMODE((gates / "helper.py").stat().st_mode) == 0o600
        assert stat.S_IMODE(Path(trusted.folder).stat().st_mode) == 0o700


@pytest.mark.parametrize("limit", ["MOST_FILES", "MOST_BYTES"])
def test_a_folder_of_gates_that_is_the_whole_repository_is_too_much(change, monkeypatch, limit):
    monkeypatch.setattr(copies, limit, 1)
    assert "more than a policy may have" in problem(change, "origin/main")


def test_compiled_files_are_not_copied(change):
    change.merge({"gates/__pycache__/helper.pyc": "evil", "gates/deep/__pycache__/x": "evil"})
    with taken("origin/main", change.tree) as trusted:
        assert [*located(trusted, change.tree / "gates").rglob("__pycache__")] == []


def test_a_path_outside_of_the_repository_is_itself(change, tmp_path):
    with taken("origin/main", change.tree) as trusted:
        for path in (tmp_path / "other", change.tree / ".." / "beside", Path("/etc/passwd")):
            assert located(trusted, path) == path
        own = located(trusted, change.tree / "gates")
        assert located(trusted, own / "helper.py") == own / "helper.py"
        assert named(trusted, change.tree / "gates") == "origin/main:gates"
        assert named(trusted, tmp_path / "other") == str(tmp_path / "other")


def test_a_temporary_folder_within_the_working_tree_does_no_harm(change):
    (change.tree / "tmp").mkdir()
    write(change.tree, {"orders.jsonl": FIVE_WITHOUT_ID})
    change.temp = change.tree / "tmp"
    for isolation in ("fork", "spawn"):
        outcome = change.run("pre", "--isolation", isolation)
        assert outcome["pre.sizes"].decisive.limit == 3
        assert outcome.run.header.policy.altered == ()


def test_a_path_within_the_copies_is_itself_wherever_they_lie(change, monkeypatch):
    monkeypatch.setattr(copies.tempfile, "tempdir", str(change.tree))
    with taken("origin/main", change.tree) as trusted:
        gates = located(trusted, change.tree / "gates")
        assert gates.is_relative_to(change.tree)
        assert located(trusted, gates / "helper.py") == gates / "helper.py"


def test_names_with_a_meaning_to_git_are_names(change):
    with taken("origin/main", change.tree) as trusted:
        for name in (":(top)gates", ":!gates", "*", "gates/*", "-r", "a b", "HEAD"):
            assert not located(trusted, change.tree / name).exists()
        with pytest.raises(UsageError, match="line break"):
            located(trusted, change.tree / "a\nb")


def test_a_copy_of_the_process_does_not_remove_what_the_process_needs(change):
    code = f"""
import os
from pathlib import Path
from gatekeeper.policy import taken, located
with taken("origin/main", Path({str(change.tree)!r})) as trusted:
    gates = located(trusted, Path(trusted.top, "gates"))
    if os.fork() == 0:
        raise SystemExit(0)
    os.wait()
    assert (gates / "helper.py").exists()
assert not gates.exists()
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60)


# -- nothing of the repository runs ------------------------------------------------------------------------------------


def test_no_program_that_the_repository_names_is_run(change, tmp_path):
    """Hooks, filters, the file system monitor, difference and text conversion programs, aliases."""
    marker, program = tmp_path / "ran", tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    program.chmod(0o755)
    hooks = change.tree / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in (
        "post-checkout",
        "reference-transaction",
        "post-index-change",
        "fsmonitor-watchman",
        "pre-auto-gc",
    ):
        shutil.copy(program, hooks / hook)
    write(change.tree, {
        ".gitattributes": "* filter=evil diff=evil merge=evil\n", ".git/info/attributes": "* filter=evil diff=evil\n",
        "orders.jsonl": FIVE_WITHOUT_ID,
    })  # fmt: skip
    for name, value in {
        "core.fsmonitor": str(program), "core.hooksPath": str(hooks), "core.pager": str(program),
        "core.editor": str(program), "core.sshCommand": str(program), "core.askPass": str(program),
        "core.gitProxy": str(program), "credential.helper": str(program), "diff.external": str(program),
        "diff.evil.textconv": str(program), "diff.evil.command": str(program), "filter.evil.smudge": str(program),
        "filter.evil.clean": str(program), "filter.evil.process": str(program), "filter.evil.required": "true",
        "alias.cat-file": f"!{program}", "alias.rev-parse": f"!{program}", "remote.origin.uploadpack": str(program),
        "tar.umask": "user", "uploadpack.packObjectsHook": str(program), "gpg.program": str(program),
    }.items():  # fmt: skip
        git(change.tree, "config", name, value)
    assert not marker.exists()
    assert change.run()["pre.sizes"].decisive.limit == 3
    assert not marker.exists()


# -- the import path ---------------------------------------------------------------------------------------------------


def test_an_environment_within_the_working_tree_is_no_part_of_it(change, monkeypatch):
    tree = change.tree
    with taken("origin/main", tree) as trusted:
        packages, source = str(tree / ".venv" / "lib" / "site-packages"), str(tree / "src")
        monkeypatch.setattr(sys, "path", [packages, *sys.path, source])
        monkeypatch.setattr(sys, "prefix", str(tree / ".venv"))
        imports.refuse_shadowing(trusted)
        assert packages in imports.import_path(trusted)
        assert source not in imports.import_path(trusted)
        monkeypatch.setattr(sys, "path", [source, *sys.path])
        with pytest.raises(UsageError, match="imports from the working tree"):
            imports.refuse_shadowing(trusted)


@pytest.mark.parametrize("prefix", ["/", "{tree}", "{tree}/.."])
def test_a_working_tree_within_an_environment_is_still_judged(change, monkeypatch, prefix):
    """Images keep sources under /usr/src, which is below the prefix /usr."""
    monkeypatch.setattr(sys, "path", [str(change.tree), *sys.path])
    monkeypatch.setattr(sys, "prefix", prefix.format(tree=change.tree))
    with taken("origin/main", change.tree) as trusted, pytest.raises(UsageError, match="without PYTHONPATH"):
        imports.refuse_shadowing(trusted)


def test_the_working_directory_on_the_path_is_told(change, monkeypatch):
    monkeypatch.chdir(change.tree)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    with taken("origin/main", change.tree) as trusted, pytest.raises(UsageError, match=r"\(\.\)"):
        imports.refuse_shadowing(trusted)
