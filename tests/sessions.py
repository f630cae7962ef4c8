"""A folder of tests and gates, and pytest run in it as a process: for tests of the plugin."""

from textwrap import dedent

import pytest

QUIET = ("-p", "no:randomly", "-p", "no:cacheprovider")
"""Other plugins that would make sessions differ from each other."""


class Sessions:
    """Sessions of pytest in one folder."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester = pytester
        self.path = pytester.path
        for name in ("GATEKEEPER_CONFIG", "GATEKEEPER_PROFILE", "CI", "BUILD_NUMBER"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("COLUMNS", "200")  # summaries are cut to the width of the terminal

    def write(self, files: dict[str, str]) -> "Sessions":
        """Write files (path → content, dedented)."""
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return self

    def run(self, *args: str, quiet: tuple[str, ...] = QUIET) -> pytest.RunResult:
        return self._pytester.runpytest_subprocess(*quiet, *args, timeout=60)

    def ids(self, *args: str) -> list[str]:
        """What is collected."""
        return [line for line in self.run("--collect-only", "-q", *args).outlines if "::" in line]


FLOWS = """
    import time
    from pathlib import Path

    import gatekeeper as gk

    def writing(topic="otters"):
        if topic == "bad":
            raise ValueError("no such topic")
        Path("ran").touch()
        time.sleep(0.05)
        gk.current().record("tokens", 812)
        return {"text": f"All about {topic}", "words": 3}
"""
GATES = """
    from gatekeeper import post, pre

    @pre
    def paper(ctx):
        ctx.check(ctx.inputs.get("topic") != "forbidden", "nobody may write about that", hint="choose another")

    @post
    def text(ctx):
        \"\"\"The text is about its topic.\"\"\"
        ctx.check(ctx.inputs["topic"] in ctx.outputs["text"], "the text is about something else")

    @post
    def words(ctx):
        ctx.measure("words", ctx.outputs["words"], warn=5, fail=4, worse="lower", hint="write more")

    @post
    def dark(ctx):
        ctx.unknown("nobody can tell")
"""


class FlowSessions(Sessions):
    """Sessions of tests of the flow `writing`, and its gates."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(pytester, monkeypatch)
        self.write(
            {
                "pytest.ini": "[pytest]\npythonpath = .\n",
                "gatekeeper.toml": "",
                "flows.py": FLOWS,
                "gates/gate_writing.py": GATES,
            }
        )

    def test(self, text: str, *args: str) -> pytest.RunResult:
        """Run a module of tests that know the flow."""
        head = "import pytest\nimport gatekeeper as gk\nfrom flows import *\n"
        self.write({"test_it.py": head + dedent(text)})
        return self.run(*args)
