"""The documentation is true: what it shows is run, what it links to is there, what is generated is current."""

import importlib.util
import json
import os
import re
import subprocess
import sysconfig
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from docpages import GENERATED, PAGES, ROOT, Block, Fresh, Workspace, anchors, items, matches, prose
from gatekeeper.cli import COMMANDS
from gatekeeper.model import EXIT_CODES
from gatekeeper.plugins import Plugins

VERDICTS = {*EXIT_CODES.values()}


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_a_page_shows_is_true(page: Path, tmp_path: Path) -> None:
    if page.read_text("utf-8").startswith(GENERATED):
        return  # compared with its source below
    workspace, problems = Workspace(tmp_path), []
    for item in items(page):
        if isinstance(item, Fresh):
            workspace.begin(item.source)
        else:
            problems += [f"{item.place}: {problem}" for problem in check(item, workspace)]
    assert not problems, "\n\n".join(problems)


def check(block: Block, workspace: Workspace) -> Iterator[str]:
    """What is wrong with a block; every one is run, parsed or excused."""
    if block.excuse:
        if len(block.excuse.split()) < 3:
            yield f"this is no reason not to run it: {block.excuse!r}"
        return
    if block.shown_by:
        _, output = workspace.run(block.shown_by)
        if not matches(block.text, output, within=True):
            yield f"`{block.shown_by}` does not show this, but\n{output}"
        return
    checks = {
        "console": _console,
        "toml": _toml,
        "python": _python,
        "json": _json,
        "yaml": _yaml,
        "sh": _shell,
    }
    if block.title:
        workspace.write(block.title, block.text)
    if block.language in checks:
        yield from checks[block.language](block, workspace)
    elif not block.title:
        yield f"a block of {block.language or 'nothing in particular'} is neither run, parsed nor excused"


def _console(block: Block, workspace: Workspace) -> Iterator[str]:
    for command, expected, is_asked in _commands(block.text):
        code, output = workspace.run(command)
        if code not in VERDICTS and not is_asked:
            yield f"`{command}` exits with {code}:\n{output}"
        elif expected.strip() and not matches(expected, output):
            yield f"`{command}` prints\n{output}\nand not\n{expected}"


def _commands(text: str) -> list[tuple[str, str, bool]]:
    """Each `$ command` (lines that end in a backslash go on), its output, and whether `$?` is asked for after it."""
    parts = re.split(r"(?m)^\$ ", re.sub(r"\\\n>? *", "", text))[1:]
    split = [part.partition("\n") for part in parts]
    following = [*(command for command, _, _ in split[1:]), ""]
    return [
        (command, output, "$?" in after) for (command, _, output), after in zip(split, following, strict=True)
    ]


def _toml(block: Block, workspace: Workspace) -> Iterator[str]:
    """A configuration is checked by gatekeeper, whole or in parts; another file is parsed."""
    name = block.title or ".part.toml"
    if name not in ("gatekeeper.toml", ".part.toml"):
        yield from _parsed(tomllib.loads, block.text)
        return
    workspace.write(name, block.text)
    code, output = workspace.run(f"gatekeeper config check --config {name}")
    if code:
        yield output


def _python(block: Block, workspace: Workspace) -> Iterator[str]:
    if block.title:  # commands of the page use it
        yield from _parsed(lambda text: compile(text, block.title, "exec"), block.text)
        return
    workspace.write(".part.py", block.text)
    code, output = workspace.run("python .part.py")
    if code:
        yield output


def _json(block: Block, workspace: Workspace) -> Iterator[str]:
    lines = block.text.splitlines()
    if len(lines) > 1 and all(line.startswith("{") and line.endswith("}") for line in lines):
        for line in lines:
            yield from _parsed(json.loads, line)
    else:
        yield from _parsed(json.loads, block.text)


def _yaml(block: Block, workspace: Workspace) -> Iterator[str]:
    yield from _parsed(yaml.safe_load, block.text)


def _shell(block: Block, workspace: Workspace) -> Iterator[str]:
    done = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
    if done.returncode:
        yield done.stderr


def _parsed(parse: Callable[[str], object], text: str) -> Iterator[str]:
    try:
        parse(text)
    except (ValueError, SyntaxError, yaml.YAMLError) as error:
        yield f"can't be parsed: {error}"


# -- links ---------------------------------------------------------------------------------------------------

LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    problems = []
    for link in LINK.findall(prose(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            problems.append(f"{link}: there is no {target}")
        elif anchor and anchor not in anchors(target):
            problems.append(f"{link}: no heading of that name")
    assert not problems, "\n".join(problems)


def test_every_page_is_on_the_map() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(index))}
    assert {page for page in PAGES[1:] if page != index} - linked == set()


# -- completeness --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", [gate.id for gate in Plugins.shipped().gates()])
def test_every_gate_that_ships_has_a_page_and_a_line_in_the_readme(gate: str) -> None:
    assert (ROOT / "docs" / "gates" / f"{gate}.md").is_file()
    assert f"[`{gate}`](docs/gates/{gate}.md)" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_reference(command: str) -> None:
    assert f"`gatekeeper {command}" in (ROOT / "docs" / "cli.md").read_text("utf-8")


def test_generated_pages_are_current() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert [named(page) for page in generate.outdated()] == [], "run: python docs/generate.py"


def test_the_readme_has_the_two_commands_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for mark in ("main job", "tests"):
        [block] = re.findall(rf"<!-- {mark} -->\n(.*?)<!-- /{mark} -->", readme, re.DOTALL)
        [command] = re.findall(r"(?m)^\$ (.+)$", block)
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install --quiet -e ")
    for path in re.findall(r"(?<!@)\bexamples/[\w./-]+", readme):
        assert (ROOT / path).exists(), path


def test_the_main_job_is_three_steps_that_proceed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.begin("examples/countries")
    code, output = workspace.run("./demo.sh")
    assert code == 0, output
    assert output.count("VERDICT  PROCEED") == 2, output
    assert "5046 subdivisions of 249 countries" in output


# -- the test itself -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("```\nany\n```\n", "neither run, parsed nor excused"),
        ("```toml\n[gates.resources]\nmemry = 1\n```\n", "Did you mean 'memory'"),
        ("```console\n$ gatekeeper rum\n```\n", "exits with 4"),
        ("```console\n$ echo one\ntwo\n```\n", "prints"),
        ("```python\nimport nothing_of_this_name\n```\n", "ModuleNotFoundError"),
        ("```json\n{1}\n```\n", "can't be parsed"),
        ("<!-- not run: no -->\n```console\n$ false\n```\n", "no reason"),
        ("<!-- shown by: echo one -->\n```text\ntwo\n```\n", "does not show this"),
    ],
)
def test_a_page_that_is_wrong_is_noticed(text: str, problem: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    [block] = items(page)
    assert isinstance(block, Block)
    assert problem in "\n".join(check(block, Workspace(tmp_path / "work")))


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("took 0.31s", "took 12.02s", True),
        ("run 20261121-071154-23f6b175", "run 20271231-235959-00000000", True),
        ("a … c", "a b c", True),
        ("first\n…\nlast", "first\nany\nmore\nlast", True),
        ("✓ PASS pre.a 1\n✗ FAIL pre.b 2", "✗ FAIL pre.b 2\n✓ PASS pre.a 1", True),
        ("exit code 1", "exit code 6", False),
        ("first\nlast", "first\nany\nlast", False),
    ],
)
def test_output_is_compared_but_for_what_varies(expected: str, actual: str, same: bool) -> None:
    assert matches(expected, actual) is same


def test_gatekeeper_is_the_one_that_is_tested() -> None:
    assert os.path.exists(os.path.join(sysconfig.get_path("scripts"), "gatekeeper"))
