"""The files that `gatekeeper init` writes."""

from collections.abc import Sequence

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

GITHUB = """\
name: gates
on: [push, pull_request]
permissions:
  contents: read
jobs:
  gates:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install gatekeeper-gates
      - run: gatekeeper run pre --report-dir reports/pre
      # - run: the flow, or the deployment
      # - run: gatekeeper run post --report-dir reports/post
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: gates
          path: reports/
"""

GITLAB = """\
gates:
  image: python:3.12
  script:
    - pip install gatekeeper-gates
    - gatekeeper run pre --report-dir reports/pre
    # - the flow, or the deployment
    # - gatekeeper run post --report-dir reports/post
  allow_failure:
    exit_codes: [6]   # hold: needs a person, shown in amber
  artifacts:
    when: always
    paths: [reports/]
    reports:
      junit: reports/*/junit.xml
"""

JENKINS = """\
pipeline {
    agent any
    stages {
        stage('gates') {
            steps {
                sh 'python3 -m venv .venv && .venv/bin/pip install gatekeeper-gates'
                sh '.venv/bin/gatekeeper run pre --report-dir reports/pre'
                // sh 'the flow, or the deployment'
                // sh '.venv/bin/gatekeeper run post --report-dir reports/post'
            }
        }
    }
    post {
        always {
            junit 'reports/*/junit.xml'
            archiveArtifacts 'reports/**'
        }
    }
}
"""

AZURE = """\
steps:
  - task: UsePythonVersion@0
    inputs:
      versionSpec: "3.12"
  - script: pip install gatekeeper-gates
  - script: gatekeeper run pre --report-dir reports/pre
  # - script: the flow, or the deployment
  # - script: gatekeeper run post --report-dir reports/post
  - task: PublishTestResults@2
    condition: always()
    inputs:
      testResultsFiles: reports/*/junit.xml
"""

CI = {
    "github": ((".github/workflows/gates.yml",), GITHUB),
    "gitlab": ((".gitlab-ci.yml", ".gitlab/gates.yml"), GITLAB),
    "jenkins": (("Jenkinsfile", "Jenkinsfile.gates"), JENKINS),
    "azure": (("azure-pipelines.yml", "azure-pipelines.gates.yml"), AZURE),
}
"""Host → the file that it reads, the one to write where that exists and is about other things, and the text."""
