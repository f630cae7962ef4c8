"""The container image, built from the Dockerfile by a real builder and run as its page says.

No registry is asked: the base image is made here, of Debian's packages, under the name that the Dockerfile has.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ci_systems import ROOT

pytestmark = [pytest.mark.real, pytest.mark.heavy, pytest.mark.timeout(900)]

BASE = "docker.io/library/python:3.12-slim"
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
GATE = '''
import os

from gatekeeper import pre


@pre
def inside(ctx):
    """As the image promises."""
    ctx.check(os.getuid() == 10001, "another user", name="user", observed=os.getuid())
    ctx.check(os.getcwd() == "/project", "another folder", name="folder", observed=os.getcwd())
    ctx.check(not os.access("/project", os.W_OK), "the project can be written", name="read-only")
    ctx.check(os.environ.get("PLANTED") is None, "planted", name="planted")
'''


class Builder:
    """buildah, with a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self._command = ["buildah", "--root", str(folder / "storage"), "--runroot", str(folder / "run")]

    def __call__(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self._command, *words], capture_output=True, text=True, timeout=800, check=False
        )
        assert done.returncode == 0 or not check, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Builder, str]]:
    """A container of the built image."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for debootstrap and buildah")
    for program in ("buildah", "debootstrap"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}: apt-get install {program}")
    folder = tmp_path_factory.mktemp("image")
    builder, system = Builder(folder), folder / "system"
    debootstrap(system)
    base = builder("from", "scratch").stdout.strip()
    builder("add", "--quiet", base, str(system), "/")
    builder("commit", "--quiet", base, BASE)
    builder(
        "bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "--tag", "gatekeeper", str(ROOT)
    )
    container = builder("from", "--pull-never", "localhost/gatekeeper").stdout.strip()
    yield builder, container
    builder("rm", "--all")
    builder("rmi", "--all", "--force")


def debootstrap(system: Path) -> None:
    """A small Debian whose Python has the name that Docker's has, and this machine's certificates and pip settings."""
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(system)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        pytest.skip(f"debootstrap: {done.stdout[-500:]}")
    (system / "usr" / "bin" / "python").symlink_to("python3")
    for name in ("etc/ssl/certs/ca-certificates.crt", "etc/pip.conf"):
        if Path("/", name).exists():
            shutil.copy(Path("/", name), system / name)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / "gates").mkdir(parents=True)
    (tmp_path / "project" / "gates" / "gate_inside.py").write_text(GATE)
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)  # the container's user comes through
    return tmp_path


def run(image: tuple[Builder, str], project: Path, words: Sequence[str], *options: str) -> tuple[int, str]:
    builder, container = image
    mounts = ["--volume", f"{project}/project:/project:ro", "--volume", f"{project}/state:/state"]
    command = ["run", "--isolation", "chroot", *mounts, *options, container, "--", "gatekeeper", *words]
    done = builder(*command, check=False)
    return done.returncode, done.stdout + done.stderr


STATE = ("--env", "GATEKEEPER_STORE=/state/history.db")


def test_a_project_that_is_mounted_read_only_is_judged_and_the_run_is_recorded(
    image: tuple[Builder, str], project: Path
) -> None:
    code, said = run(image, project, ["run", "pre", "inside", "--report-dir", "/state/reports"], *STATE)
    assert (code, "VERDICT  PROCEED" in said, "NOT recorded" in said) == (0, True, False), said
    assert (project / "state" / "history.db").stat().st_uid == 10001
    assert (project / "state" / "reports" / "junit.xml").exists()
    code, said = run(image, project, ["history", "list"], *STATE)
    assert (code, "PROCEED" in said) == (0, True), said


def test_the_verdict_is_the_containers_exit_code(image: tuple[Builder, str], project: Path) -> None:
    code, said = run(image, project, ["run", "pre", "inside"], *STATE, "--env", "PLANTED=1")
    assert (code, "VERDICT  BLOCK" in said) == (1, True), said


def test_without_a_place_for_the_record_the_verdict_stands_and_a_note_says_so(
    image: tuple[Builder, str], project: Path
) -> None:
    code, said = run(image, project, ["run", "pre", "inside"])
    assert (code, "NOT recorded" in said) == (0, True), said


def test_the_image_says_how_it_is_started_and_holds_neither_tests_nor_caches(
    image: tuple[Builder, str],
) -> None:
    builder, container = image
    shown = builder(
        "inspect",
        "--type",
        "image",
        "--format",
        "{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}}",
        "localhost/gatekeeper",
    )
    assert shown.stdout.split() == ["10001", "[gatekeeper]"]
    place = Path(builder("mount", container).stdout.strip())
    assert not (place / "source").exists()
    assert not [*place.glob("root/.cache/pip/*")]
    assert sum(path.lstat().st_size for path in (place / "opt" / "gatekeeper").rglob("*")) < 80e6
