"""A PostgreSQL server of Debian's package, on a free loopback port, for as long as a test needs it."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loopback import free_port

PASSWORD = "s3cret:pass"


class Cluster:
    """A running server; `url` connects as its owner, `url_of(…)` as somebody else or elsewhere."""

    def __init__(self, port: int, control: Callable[..., None]) -> None:
        self.port = port
        self.control = control
        """`pg_ctl` with this server's data: `control("stop", "-m", "immediate")` is a crash, `control("start")` after it."""

    def url_of(self, user: str = "postgres", password: str = PASSWORD, database: str = "postgres") -> str:
        return f"postgresql://{user}:{password.replace(':', '%3A')}@localhost:{self.port}/{database}"

    @property
    def url(self) -> str:
        return self.url_of()


def programs() -> Path:
    """The folder of the server's programs, or skip the test."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL's server is not installed: Debian package postgresql")
    return found[-1].parent


@contextmanager
def postgres() -> Iterator[Cluster]:
    """Start a server that asks for a password over TCP; it refuses to run as root, so root hands over."""
    bin_folder = programs()
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    become = ["runuser", "-u", "postgres", "--"] if owner else []
    # not below pytest's folder, which only its owner may enter; and short, as a socket's path must be
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data, port = folder / "data", free_port()
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if owner:
        for path in (folder, secret):
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def run(*command: str) -> None:
        subprocess.run([*become, *command], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60)

    try:
        initdb = [str(bin_folder / "initdb"), "-D", str(data), "-U", "postgres", "-A", "scram-sha-256"]
        run(*initdb, f"--pwfile={secret}", "--no-sync")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"

        def control(action: str, *more: str) -> None:
            started = ["-o", options, "-l", str(folder / "log")] if action == "start" else []
            run(str(bin_folder / "pg_ctl"), "-D", str(data), "-w", *started, *more, action)

        control("start")
        try:
            yield Cluster(port, control)
        finally:
            control("stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
