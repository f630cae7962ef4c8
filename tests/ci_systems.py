"""What CI systems do with their files, as far as this repository's files use it, in real processes.

GitHub: a composite action's steps as `actions/runner` runs them (CompositeActionHandler, ScriptHandler,
FileCommandManager, ActionCommandManager). GitLab: a job's script, and what its exit code means. Azure: `bash` steps and
the logging commands in what they print. Jenkins is in jenkins.groovy.
"""

import os
import re
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / "gatekeeper" / "scaffold" / "ci"
HIDDEN = ("GATEKEEPER_", "GITHUB_", "GITLAB_", "INPUT_", "PYTEST_", "FORCE_COLOR", "CI")


def document(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def plain_environment(project: Path, *front: Path) -> dict[str, str]:
    """This environment without what a CI system around the tests says; `gatekeeper` and `front` are on the PATH."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
    folders = [*map(str, front), sysconfig.get_path("scripts"), found.get("PATH", os.defpath)]
    return found | {"PATH": os.pathsep.join(folders), "HOME": str(project), "CI": "true"}


def stand_in(folder: Path, name: str) -> Path:
    """A folder with a command of this name that writes down how it was called in `folder/NAME.calls`, and succeeds."""
    script = folder / "bin" / name
    script.parent.mkdir(exist_ok=True)
    script.write_text(f'#!/bin/sh\necho "$*" >> {folder / name}.calls\n')
    script.chmod(0o755)
    return script.parent


def with_flow(text: str) -> str:
    """A template as its reader completes it: the comments with the flow and the gates after it are no comments any more."""
    comment = r"[ ]*(?:#|//) ?"
    block = re.search(
        rf"(?m)(?:^{comment}.*\n)*^{comment}.*the flow, or the deployment.*\n(?:^{comment}.*\n?)*", text
    )
    assert block is not None
    completed = re.sub(r"(?m)^([ ]*)(?:# |// )", r"\1", block[0])
    return text.replace(block[0], completed.replace("the flow, or the deployment", "./flow.sh"))


def extended(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    """GitLab's jobs with what they extend laid under them. (Its schema checks no job whose name begins with a dot.)"""

    def laid(over: Mapping[str, Any], under: Mapping[str, Any]) -> dict[str, Any]:
        both = {
            key: laid(over[key], under[key])
            for key in over.keys() & under.keys()
            if isinstance(under[key], dict)
        }
        return {**under, **over, **both}

    jobs = {name: job for name, job in pipeline.items() if not name.startswith(".")}
    return {
        name: laid(job, pipeline[job["extends"]]) if "extends" in job else job for name, job in jobs.items()
    }


# -- GitHub ------------------------------------------------------------------------------------------------------------


class Command(NamedTuple):
    """A workflow command that the runner obeyed."""

    name: str
    properties: dict[str, str]
    text: str


class Job(NamedTuple):
    """What became of an action: whether its steps succeeded, its outputs, the step's summary, and the log."""

    exit_code: int
    outputs: dict[str, str]
    summary: str
    log: str

    @property
    def commands(self) -> list[Command]:
        return list(obeyed(self.log))


def run_action(
    project: Path, inputs: Mapping[str, str], environment: Mapping[str, str], path: Path = ROOT
) -> Job:
    """Run a composite action as a step of a job: its inputs with their defaults, and each step until one fails."""
    action = document(path / "action.yml")
    unknown = inputs.keys() - action["inputs"].keys()
    assert not unknown, f"the action has no inputs {unknown}"
    given = {name: str(declared.get("default", "")) for name, declared in action["inputs"].items()} | inputs
    context: dict[str, Any] = {"inputs": given, "steps": {}}
    runner = Runner(project, environment, path)
    code, log = 0, ""
    for step in action["runs"]["steps"]:
        code, printed, outputs = runner.run(step, context)
        log += printed
        if "id" in step:
            context["steps"][step["id"]] = {"outputs": outputs}
        if code:
            break
    outputs = {name: filled(declared["value"], context) for name, declared in action["outputs"].items()}
    return Job(code, outputs, runner.summary, log)


class Runner:
    """Steps of one action, each with files of its own for what it hands to the runner."""

    def __init__(self, project: Path, environment: Mapping[str, str], action: Path) -> None:
        self._project, self._environment, self._action = project, environment, action
        self._temp = project.parent / "runner"
        self._temp.mkdir(exist_ok=True)
        self.summary = ""

    def start(self, step: Mapping[str, Any], context: Mapping[str, Any]) -> "subprocess.Popen[str]":
        script = self._temp / "script.sh"
        script.write_text(filled(step["run"], context))
        for name in ("output", "summary"):
            (self._temp / name).write_text("")
        environment = {
            **self._environment,
            **{name: filled(value, context) for name, value in step.get("env", {}).items()},
            "GITHUB_ACTIONS": "true", "GITHUB_ACTION_PATH": str(self._action), "GITHUB_WORKSPACE": str(self._project),
            "GITHUB_OUTPUT": str(self._temp / "output"), "GITHUB_STEP_SUMMARY": str(self._temp / "summary"),
            "RUNNER_TEMP": str(self._temp),
        }  # fmt: skip
        cwd = self._project / filled(step.get("working-directory", "."), context)
        assert step["shell"] == "bash"
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]
        return subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", errors="backslashreplace",
        )  # fmt: skip

    def run(self, step: Mapping[str, Any], context: Mapping[str, Any]) -> tuple[int, str, dict[str, str]]:
        with self.start(step, context) as process:
            printed, _ = process.communicate(timeout=100)
        return process.returncode, printed, self.outputs()

    def outputs(self) -> dict[str, str]:
        """The outputs of the step that ran last; its summary is kept."""
        self.summary += (self._temp / "summary").read_text("utf-8")
        return dict(_outputs((self._temp / "output").read_text("utf-8")))


def filled(text: str, context: Mapping[str, Any]) -> str:
    """Expressions such as `${{ inputs.phase }}` replaced; what isn't there is empty."""

    def value(match: re.Match[str]) -> str:
        found: Any = context
        for part in match[1].split("."):
            found = found.get(part, {})
        return found if isinstance(found, str) else ""

    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", value, text)


def _outputs(text: str) -> Iterator[tuple[str, str]]:
    """`NAME=VALUE` and `NAME<<DELIMITER`, as the runner reads its files; a value without an end is an error there too."""
    lines = iter(text.split("\n"))
    for line in lines:
        name, mark, rest = re.fullmatch(r"(.*?)(<<|=)(.*)", line).groups() if line else ("", "", "")  # type: ignore[union-attr]
        if mark == "=":
            yield name, rest
        elif mark:
            value = []
            while (inner := next(lines)) != rest:
                value.append(inner)
            yield name, "\n".join(value)


_V2 = re.compile(r"\s*::([\w-]+)(?: ([^\n]*?))?::(.*)")
_V1 = re.compile(r".*?##\[([\w-]+)[^\]]*\](.*)")
KNOWN = {
    "add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice", "save-state", "set-env",
    "set-output", "stop-commands", "warning",
}  # fmt: skip


def obeyed(log: str) -> Iterator[Command]:
    """The commands in a log that the runner obeys, in both of its syntaxes; none between stop-commands and its token."""
    token = None
    for line in log.split("\n"):
        command = _command(line, KNOWN | ({token} if token else set()))
        if command is None:
            continue
        if token is not None:
            token = None if command.name == token else token
        elif command.name == "stop-commands":
            token = command.text
        else:
            yield command
    assert token is None, "workflow commands stay switched off"


def _command(line: str, known: set[str]) -> Command | None:
    if (found := _V2.fullmatch(line)) and found[1] in known:
        pairs = (pair.partition("=") for pair in (found[2] or "").split(",") if pair)
        return Command(found[1], {name: _unescaped(value) for name, _, value in pairs}, _unescaped(found[3]))
    if (found := _V1.fullmatch(line)) and found[1] in known:
        return Command(found[1], {}, found[2])
    return None


def _unescaped(text: str) -> str:
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


# -- GitLab ------------------------------------------------------------------------------------------------------------


def run_gitlab(job: Mapping[str, Any], project: Path, environment: Mapping[str, str]) -> str:
    """Run a job's script until a line fails: `success`, `failed`, or `warning` where its exit code is allowed to be."""
    script = "\n".join([*job["before_script"], *job["script"]])
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script], cwd=project, env=dict(environment), check=False,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=100,
    )  # fmt: skip
    if done.returncode == 0:
        return "success"
    return "warning" if done.returncode in job["allow_failure"]["exit_codes"] else "failed"


# -- Azure -------------------------------------------------------------------------------------------------------------


class Steps(NamedTuple):
    """What became of a job: its result, the names of the steps that ran, and all that was printed."""

    result: str
    ran: list[str]
    log: str


def run_azure(pipeline: Mapping[str, Any], project: Path, environment: Mapping[str, str]) -> Steps:
    """Run the `bash` steps of a pipeline. A condition is none, or that something has not been held."""
    variables: dict[str, str] = {}
    result, ran, log = "Succeeded", [], ""
    for step in pipeline["steps"]:
        condition = step.get("condition", "succeeded()")
        if "bash" not in step or result == "Failed" or not _holds(condition, variables):
            continue
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-c", step["bash"]], cwd=project, env=dict(environment), check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=100,
        )  # fmt: skip
        ran.append(step["displayName"])
        log += done.stdout
        for name, properties, value in re.findall(r"##vso\[(\S+) ([^\]]*)\](.*)", done.stdout):
            key = properties.partition("=")[2]
            if name == "task.setvariable":
                variables[key] = value
            elif result == "Succeeded":
                result = key
        result = "Failed" if done.returncode else result
    return Steps(result, ran, log)


def _holds(condition: str, variables: Mapping[str, str]) -> bool:
    if condition == "succeeded()":
        return True
    found = re.fullmatch(r"and\(succeeded\(\), ne\(variables\.(\w+), '(\w+)'\)\)", condition)
    assert found is not None, f"a condition that isn't understood here: {condition}"
    return variables.get(found[1]) != found[2]
