"""The sources `junit` and `pytest-benchmark`, on files that pytest itself writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatekeeper import DataError, Readings
from gatekeeper_sources import junit, pytest_benchmark

TESTS = """
import time, pytest

def test_fine(): time.sleep(0.01)
def test_wrong(): assert 0, "x < y & z"
@pytest.mark.skip(reason="later")
def test_later(): pass
@pytest.fixture
def broken(): raise OSError("no disk")
def test_no_disk(broken): pass
@pytest.mark.parametrize("text", ["<a>", "é"])
def test_text(text): pass
"""
BENCHMARKS = """
import pytest

@pytest.mark.parametrize("n", [10, 100])
def test_sum(benchmark, n):
    benchmark.pedantic(sum, args=(range(n),), rounds=25)
"""


def run_pytest(folder: Path, content: str, *options: str) -> None:
    (folder / "test_it.py").write_text(content)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-p",
        "no:xdist",
    ]
    done = subprocess.run(
        [*command, *options, "test_it.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr


def test_junit_of_pytest_itself(tmp_path: Path) -> None:
    run_pytest(tmp_path, TESTS, "--junitxml=junit.xml")
    readings = junit.read(tmp_path / "junit.xml")
    events = readings.counted("tests")
    assert events is not None
    assert (events.total, events.errors) == (5, {"failure": 1, "error": 1})
    (fine,) = readings.select('duration{name="test_fine"}')
    assert fine.unit == "s"
    assert fine.values[0] >= 0.01
    assert len(readings.select("duration")) == 5, "the skipped test did not run"


def test_benchmarks_with_every_round(tmp_path: Path) -> None:
    pytest.importorskip("pytest_benchmark")
    run_pytest(tmp_path, BENCHMARKS, "--benchmark-json=b.json", "--benchmark-quiet")
    (series,) = pytest_benchmark.read(tmp_path / "b.json").select("test_sum[100]")
    assert (series.unit, series.n, len(series.values)) == ("s", 25, 25)
    assert series.labels == {"file": "test_it.py"}
    assert min(series.values) == series.stats["min"]


def test_benchmarks_with_statistics_only(tmp_path: Path) -> None:
    pytest.importorskip("pytest_benchmark")
    run_pytest(tmp_path, BENCHMARKS, "--benchmark-save=it", "--benchmark-storage=saved", "--benchmark-quiet")
    (saved,) = tmp_path.glob("saved/*/*.json")
    (series,) = pytest_benchmark.read(saved).select("test_sum[10]")
    assert (series.values, series.n) == ((), 25)
    assert series.stats["min"] <= series.stats["p50"] <= series.stats["max"]
    assert series.statistic("p95") is None


def read(tmp_path: Path, content: str) -> Readings:
    file = tmp_path / "j.xml"
    file.write_text(content)
    return junit.read(file)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n<testsuite name="&b;"/>'
EXTERNAL = '<!DOCTYPE x SYSTEM "file:///etc/passwd">\n<testsuite/>'


@pytest.mark.parametrize("content", [BOMB, EXTERNAL], ids=["bomb", "external"])
def test_a_document_type_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match=r"j.xml:1: has a document type declaration"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html></html>", r"j.xml:1: is not JUnit XML: the root is <html>"),
        ("<testsuite>\n<testcase>\n", r"j.xml:3: is not XML"),
        ("nothing", r"j.xml:1: is not XML"),
        (
            '<testsuite>\n<testcase time="fast"/></testsuite>',
            r"j.xml:2: time is a number of seconds, got 'fast'",
        ),
        ('<testsuite>\n<testcase time="nan"/></testsuite>', r"j.xml:2: duration is nan"),
        ('<testsuite tests="many"/>', r"tests is a whole number, got 'many'"),
        ("<testsuite>&undefined;</testsuite>", r"j.xml:1: is not XML"),
    ],
)
def test_broken_junit_is_refused_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


def test_an_empty_file_and_one_without_tests_count_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "").events == ()
    assert read(tmp_path, '<testsuites><testsuite name="x" tests="0"/></testsuites>').events == ()


def test_totals_of_a_suite_count_only_where_it_lists_no_cases(tmp_path: Path) -> None:
    summary = '<testsuite name="s" tests="10" failures="2" errors="1" skipped="3"/>'
    listed = '<testsuite tests="9"><testcase name="a" time="1,234.5"/></testsuite>'
    readings = read(tmp_path, f"<testsuites>{summary}{listed}</testsuites>")
    events = readings.counted("tests")
    assert events is not None
    assert (events.total, events.errors) == (8, {"failure": 2, "error": 1})
    assert "lists no test cases" in readings.notes[0]
    assert readings.select("duration")[0].values == (1234.5,)


def test_a_case_that_both_failed_and_broke_is_one_event(tmp_path: Path) -> None:
    events = read(tmp_path, "<testsuite><testcase><failure/><error/></testcase></testsuite>").counted("tests")
    assert events is not None
    assert (events.total, events.failed) == (1, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", 'no list "benchmarks"'),
        ('{"benchmarks": {}}', 'no list "benchmarks"'),
        ('{"benchmarks": [3]}', r"benchmarks\[0\] has no"),
        ('{"benchmarks": [{"name": "a", "stats": {"data": ["x"]}}]}', r'"data" of benchmarks\[0\] \(a\)'),
        ('{"benchmarks": \n}', r"b.json:2"),
    ],
)
def test_what_is_no_benchmark_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "b.json").write_text(content)
    with pytest.raises(DataError, match=message):
        pytest_benchmark.read(tmp_path / "b.json")
