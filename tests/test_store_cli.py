"""History on a server, as a user has it: every command works, and its password is nowhere."""

import json
from urllib.parse import quote

import pytest

from loopback import free_port
from postgres_server import PASSWORD

FORMS = (PASSWORD, quote(PASSWORD, safe=""))

GATES = """
    import os
    from gatekeeper import post, pre

    def state(ctx):
        return {"key": 7}

    @pre
    def switch(ctx):
        \"\"\"Passes when the file `on` exists.\"\"\"
        earlier = ctx.history.statuses(ctx.gate)
        ctx.measure("earlier", len(earlier), unit="runs")
        print("history:", earlier, ctx.history.problem)
        ctx.check(os.path.exists("on"), "the switch is off")

    @pre
    def tells(ctx):
        \"\"\"Says what it should not.\"\"\"
        print("the store is", ctx.data.store)
        ctx.check(True, f"{ctx.data.store} is used", evidence={"store": ctx.data.store})

    @post(before=state)
    def after(ctx):
        \"\"\"Has what the pre run saved.\"\"\"
        ctx.check(ctx.before["post.after"] == {"key": 7})
"""


@pytest.fixture
def project(gatekeeper_project):
    """A project whose history is on a server, or on none."""
    toml = "subject = { name = 'checkout' }\n[store]\nurl = 'env:GATES_DATABASE'\n"
    return gatekeeper_project.write({"gatekeeper.toml": toml, "gates/gate_it.py": GATES})


@pytest.fixture
def served(project, postgresql_url):
    project.environment["GATES_DATABASE"] = postgresql_url
    return project


@pytest.fixture
def down(project):
    pytest.importorskip("psycopg", reason="needs the extra: gatekeeper-gates[postgres]")
    url = f"postgresql://me:{quote(PASSWORD, safe='')}@127.0.0.1:{free_port()}/gates"
    project.environment["GATES_DATABASE"] = url
    return project


def quiet(project, *outcomes):
    """No password in what was printed, or lies in the project."""
    texts = [text for outcome in outcomes for text in (outcome.stdout, outcome.stderr)]
    texts += [path.read_text("utf-8", "replace") for path in project.root.rglob("*") if path.is_file()]
    for text in texts:
        assert not [form for form in FORMS if form in text], text


@pytest.mark.real
def test_every_command_that_looks_back_works(served):
    first = served.run("pre", "switch")
    second = served.run("pre", "switch", "--isolation", "spawn")
    assert (second["pre.switch"].since.runs, second["pre.switch"].findings[0].observed) == (2, 1)
    assert "history: ['fail']" in second["pre.switch"].output.stdout
    (served.root / "on").touch()
    third = served.run("pre", "--last-failed", "switch", "tells")
    assert [each.id for each in third.run.results] == ["pre.switch"]
    whole = served.run("pre", "--report-dir", "reports")
    post = served.run("post", "after", "--pre", whole.run.id)
    assert post["post.after"].status == "pass"
    assert served.run("post", "after")["post.after"].status == "pass"

    listed = served.command("history", "list", "--format", "json")
    ids = [row["id"] for row in json.loads(listed.stdout)["runs"]]
    assert ids[2:] == [whole.run.id, third.run.id, second.run.id, first.run.id]
    shown = served.command("history", "show", first.run.id)
    assert "the switch is off" in shown.stdout
    compared = served.command("diff", first.run.id, third.run.id)
    assert "FAIL → PASS" in compared.stdout
    report = served.command("report", "html", whole.run.id, "-o", "report.html")
    assert report.exit_code == 0
    told = served.command("explain", "switch")
    assert told.exit_code == 0
    pruned = served.command("history", "prune", "--older-than", "0s", "--keep", "1")
    assert pruned.stdout.startswith("Removed 4 runs")
    doctor = served.command("doctor")
    assert "postgresql://postgres@localhost" in doctor.stdout
    assert not (served.root / ".gatekeeper" / "history.db").exists()
    quiet(served, first, second, third, whole, post, listed, shown, compared, report, told, pruned, doctor)


@pytest.mark.real
def test_what_a_gate_tells_of_the_url_is_recorded_without_the_password(served):
    outcome = served.run("pre", "tells")
    assert "the store is postgresql://postgres:***@localhost" in outcome["pre.tells"].output.stdout
    quiet(served, outcome, served.command("history", "show", "latest", "-vv"))


def test_the_configuration_shows_the_reference_or_the_url_without_its_password(project):
    secret = f"postgresql://me:{quote(PASSWORD, safe='')}@db.example/gates"
    project.environment["GATES_DATABASE"] = secret
    shown = project.command("config", "show", "--origin")
    assert 'store.url "env:GATES_DATABASE" gatekeeper.toml:3' in " ".join(shown.stdout.split())
    project.environment = {"GATEKEEPER_STORE": secret}
    direct = project.command("config", "show", "--origin")
    assert "postgresql://me:***@db.example/gates" in direct.stdout
    project.environment = {"GATEKEEPER_STORE": "sqlite:///mine.db"}
    assert '"sqlite:///mine.db"' in project.command("config", "show").stdout
    quiet(
        project,
        shown,
        direct,
        project.command("config", "check"),
        project.command("config", "show", "--format", "json"),
    )


def test_a_variable_that_is_not_set_is_said_before_anything_runs(project):
    refused = project.command("run", "pre")
    assert refused.exit_code == 4
    assert "[store] url: environment variable GATES_DATABASE is not set" in refused.stderr
    checked = project.command("config", "check")
    assert checked.exit_code == 0
    assert "not here  [store] url: environment variable GATES_DATABASE is not set" in checked.stdout
    assert project.command("list").exit_code == 0


def test_a_url_in_a_file_lies_beside_the_configuration(project):
    project.write({
        "gatekeeper.toml": "[store]\nurl = 'file:secrets/url'\n",
        "secrets/url": "sqlite:///mine.db\n",
        "deeper/readme": "",
    })  # fmt: skip
    assert project.run("pre", "tells").exit_code == 0
    assert (project.root / "mine.db").is_file()
    (project.root / "secrets" / "url").unlink()
    assert "secret file" in project.command("run", "pre").stderr


def test_a_wrong_url_is_refused_before_anything_runs(project):
    project.environment["GATES_DATABASE"] = f"postgresql://me:{PASSWORD}@@db/gates"
    for refused in (project.command("run", "pre"), project.command("config", "check")):
        assert refused.exit_code == 4
        assert "write @" in refused.stderr
        quiet(project, refused)


def test_a_server_that_is_down_changes_no_verdict_and_loses_no_run(down):
    outcome = down.run("pre", "tells")
    assert outcome.exit_code == 0
    [note] = [note for note in outcome.run.notes if "not in the history yet" in note]
    assert "can't be reached" in note
    assert len(list((down.root / ".gatekeeper" / "pending").glob("*.json"))) == 1
    listed = down.command("history", "list")
    assert (listed.exit_code, "can't be reached" in listed.stderr) == (3, True)
    quiet(down, outcome, listed)


@pytest.mark.real
def test_what_is_pending_is_taken_in_when_the_server_is_up(down, postgresql_url):
    first = down.run("pre", "tells")
    down.environment["GATES_DATABASE"] = postgresql_url
    second = down.run("pre", "tells")
    rows = json.loads(down.command("history", "list", "--format", "json").stdout)["runs"]
    assert [row["id"] for row in rows] == [second.run.id, first.run.id]
    assert not list((down.root / ".gatekeeper" / "pending").iterdir())


def test_a_gate_that_looks_back_is_told_why_it_can_not(down):
    outcome = down.run("pre", "switch")
    assert "can't be reached" in outcome["pre.switch"].output.stdout
