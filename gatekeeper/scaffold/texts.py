"""The files that `gatekeeper init` writes."""

from collections.abc import Sequence
from pathlib import Path

from gatekeeper.scaffold.guides import Endpoint, Imported, Setting
from gatekeeper.settings.writing import toml_text

HEAD = """\
# What gatekeeper checks before a run (gatekeeper run pre) and after it (gatekeeper run post).
# All settings and where they come from: gatekeeper config show --origin
# One gate and its settings:             gatekeeper explain pre.storage
"""

PRESET = """\
# Limits that suit what is gated: "service" (answers requests), "batch" (data pipelines), "ai-flow" (LLM flows).
{preset}
"""

RUN = """\
[run]
deadline = "5m"             # longest time for all gates together
# max_warnings = 10         # more warnings than this hold the verdict
"""

EXAMPLES = {
    "gates.components": """\
# Components that the flow needs.
# [[gates.components.http]]
# name = "backend"
# url = "http://localhost:8000/health"
# within = "2s"
""",
    "gates.inputs": """\
# Files that must be there before the flow starts, and what they must look like.
# [[gates.inputs.files]]
# path = "data/orders.jsonl"
# schema = "schemas/order.json"
""",
    "gates.storage": """\
# Folders that the flow writes to.
[[gates.storage.paths]]
path = "."
""",
    "gates.outputs": """\
# Files that must be there after it.
# [[gates.outputs.files]]
# path = "build/summary.json"
""",
    "gates.performance": """\
# Limits of what was measured: gatekeeper run post --samples k6:summary.json
# [gates.performance.budgets]
# "http_req_duration.p95" = { warn = "200ms", fail = "500ms" }
""",
}

TAIL = """\
# What is different elsewhere: gatekeeper run pre --profile ci
# [profiles.ci.run]
# deadline = "2m"
"""

GATE = '''\
"""Gates of this project. A function with @pre runs before the flow, one with @post after it."""

import sys

from gatekeeper import Context, pre


@pre
def python_version(ctx: Context) -> None:
    """The Python that runs here is one that this project supports."""
    ctx.check(
        sys.version_info >= (3, 11),
        "this Python is too old",
        name="python",
        observed=".".join(map(str, sys.version_info[:3])),
        operator=">=",
        limit="3.11",
        hint="python3 --version",
    )


# from gatekeeper import post
#
# @post
# def no_order_lost(ctx: Context) -> None:
#     """Every order that went in came out: gatekeeper run post --input orders=… --output orders=…"""
#     assert len(ctx.outputs["orders"]) == len(ctx.inputs["orders"])
'''

IGNORED = ".gatekeeper/"


def configuration(subject: str, imports: Sequence[Imported]) -> str:
    """The text of `gatekeeper.toml`: what was imported, and an example of the rest."""
    endpoints = [endpoint for imported in imports for endpoint in imported.endpoints]
    settings = [setting for imported in imports for setting in imported.settings]
    preset = 'preset = "service"' if any(e.kind == "http" for e in endpoints) else '# preset = "service"'
    parts = [HEAD, PRESET.format(preset=preset), f"[subject]\nname = {toml_text(subject)}\n", RUN]
    tables = _tables(settings)
    if "gates.storage.paths" in tables:
        tables["gates.storage.paths"] = ['path = "."', *tables["gates.storage.paths"]]
    parts += [_endpoint(endpoint) for endpoint in endpoints]
    parts += [_table(name, lines) for name, lines in tables.items()]
    written = {".".join(name.split(".")[:2]) for name in tables} | (
        {"gates.components"} if endpoints else set()
    )
    parts += [text for name, text in EXAMPLES.items() if name not in written]
    return "\n".join([*parts, TAIL])


def _tables(settings: Sequence[Setting]) -> dict[str, list[str]]:
    tables: dict[str, dict[str, str]] = {}
    for setting in settings:
        line = f"{setting.key} = {setting.value}"
        tables.setdefault(setting.table, {})[setting.key] = f"{line:<40}  # {setting.source}"
    return {name: [*lines.values()] for name, lines in tables.items()}


def _table(name: str, lines: Sequence[str]) -> str:
    header = f"[[{name}]]" if name == "gates.storage.paths" else f"[{name}]"
    return "\n".join([header, *lines, ""])


def _endpoint(endpoint: Endpoint) -> str:
    lines = [f"{key} = {value}" for key, value in endpoint.keys.items()]
    return "\n".join([f"[[gates.components.{endpoint.kind}]]", *lines, ""])


# -- CI

PLACES = {
    "github": (".github/workflows/gates.yml",),
    "gitlab": (".gitlab-ci.yml", ".gitlab/gates.yml"),
    "jenkins": ("Jenkinsfile", "Jenkinsfile.gates"),
    "azure": ("azure-pipelines.yml", "azure-pipelines.gates.yml"),
}
"""Host → the file that it reads, and the one to write where that exists and is about other things."""
_TEMPLATES = {"github": "github.yml", "gitlab": "gitlab.yml", "jenkins": "Jenkinsfile", "azure": "azure.yml"}


def ci(host: str) -> str:
    """The text of a host's CI file."""
    return (Path(__file__).parent / "ci" / _TEMPLATES[host]).read_text("utf-8")
