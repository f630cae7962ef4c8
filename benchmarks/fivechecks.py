"""Five small checks of a host, written once and run by everybody who is compared.

The files that each runner is given hold the same functions, each in its own idiom: a gate with `ctx`, a test
function, a method of a `TestCase`, a line of shell.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent

SHIPPED = ("resources", "inputs", "components", "storage", "network")
RECORDING = ("cleanup", "state")
"""Gates of the post phase that record the state before, in the pre phase."""


def settings(disabled: Sequence[str]) -> str:
    """A configuration without these gates that ship; their modules are loaded all the same."""
    tables = "".join(f"[gates.{name}]\nenabled = false\n" for name in disabled)
    return 'subject = { name = "benchmark" }\n' + tables


ALONE = settings(SHIPPED + RECORDING)
"""Only the project's own gates run, and nothing else."""

CHECKS = {
    "disk_free": """\
usage = shutil.disk_usage(".")
assert usage.free / usage.total >= 0.005, "the disk is full"
""",
    "load": """\
load = os.getloadavg()[0]
assert load <= 1000, "the machine is busy"
""",
    "orders": """\
found = os.stat("orders.csv")
assert found.st_size >= 10, "orders.csv is empty"
assert time.time() - found.st_mtime <= 86400, "orders.csv is old"
""",
    "write": """\
with tempfile.NamedTemporaryFile(dir=".") as file:
    file.write(b"gate")
    file.flush()
    os.fsync(file.fileno())
    file.seek(0)
    assert file.read() == b"gate", "what was written can't be read"
""",
    "names": """\
assert socket.getaddrinfo("localhost", 80), "localhost has no address"
""",
}

IMPORTS = "import os\nimport shutil\nimport socket\nimport tempfile\nimport time\n"

SHELL = """\
#!/bin/sh
# each check's exit code counts: the worst is the script's
worst=0
check() { "$@" || worst=2; }
written() {
  file=$(mktemp ./written.XXXXXX) && printf gate >"$file" && sync "$file" && [ "$(cat "$file")" = gate ]
  state=$?
  rm -f "$file"
  return $state
}
PLUGINS=$1
check "$PLUGINS/check_disk" -w 0.5% -c 0.5% -p .
check "$PLUGINS/check_load" -w 1000,1000,1000 -c 1000,1000,1000
check "$PLUGINS/check_file_age" -w 86400 -c 86400 -W 10 -C 10 -f orders.csv
check written
check getent hosts localhost
exit $worst
"""


def write_project(folder: Path) -> None:
    """A project of gatekeeper with five gates, and the same checks for pytest, unittest and a shell."""
    (folder / "gates").mkdir(parents=True, exist_ok=True)
    files = {
        "orders.csv": "id,price\n1,9.90\n2,19.90\n",
        "gatekeeper.toml": ALONE,
        "recording.toml": settings(SHIPPED),
        "gates/gate_five.py": IMPORTS + "\nfrom gatekeeper import pre\n" + "".join(_gates()),
        "test_five.py": IMPORTS + "".join(_functions()),
        "unit_five.py": IMPORTS + "import unittest\n\n\nclass Five(unittest.TestCase):\n" + _methods(),
        "five.sh": SHELL,
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    os.chmod(folder / "five.sh", 0o755)


def _gates() -> list[str]:
    return [
        f'\n\n@pre\ndef {name}(ctx):\n    """Check {name}."""\n{indent(body, "    ")}'
        for name, body in CHECKS.items()
    ]


def _functions() -> list[str]:
    return [f"\n\ndef test_{name}():\n{indent(body, '    ')}" for name, body in CHECKS.items()]


def _methods() -> str:
    return "\n".join(f"    def test_{name}(self):\n{indent(body, ' ' * 8)}" for name, body in CHECKS.items())
