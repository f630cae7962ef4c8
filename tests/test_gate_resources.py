"""`pre.resources`: what it says about hosts that are fine, short of something, or silent about it."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import UsageError, facts
from gatekeeper.facts import Cpu, Fact, Host, Limit, Memory, Pressure, Room
from gatekeeper.testing import GateResult, run_gate
from gatekeeper_gates.resources import PRESETS, READ, Resources, resources

GB = 10**9
CONTAINER = "cgroup v2 /sys/fs/cgroup/app/memory.max"


def pressure(share: float) -> Pressure:
    return Pressure(share, share, share, "/proc/pressure/x")


def host(**changes: Any) -> Host:
    """A host at ease."""
    usual: dict[str, Any] = {
        "system": "Linux 6.1",
        "cpu": cpu(),
        "memory": memory(4 * GB, 16 * GB),
        "open_files": Room(10**6, 5000, "/proc/sys/fs/file-nr"),
        "open_files_process": Room(1024, 5, "RLIMIT_NOFILE"),
        "processes": Room(30_000, 500, "/proc/sys/kernel/pid_max"),
    }
    return Host(**{**usual, **changes})


def cpu(**changes: Any) -> Cpu:
    usual: dict[str, Any] = {
        "logical": Fact(4, "os.cpu_count"),
        "usable": Fact(4, "os.cpu_count"),
        "load_1m": Fact(0.5, "/proc/loadavg"),
        "load_5m": Fact(0.4, "/proc/loadavg"),
        "load_15m": Fact(0.3, "/proc/loadavg"),
        "utilisation": Fact(0.1, "/proc/stat"),
        "pressure": pressure(0.01),
    }
    return Cpu(**{**usual, **changes})


def memory(used: int, limit: int, source: str = "/proc/meminfo MemAvailable", **changes: Any) -> Memory:
    room = Room(limit, used, source)
    usual: dict[str, Any] = {"swap": Room(2 * GB, 0, "/proc/meminfo SwapFree"), "pressure": pressure(0.0)}
    return Memory(room, (room,), **{**usual, **changes})


def check(about: Host, settings: Mapping[str, Any] | None = None) -> GateResult:
    """The gate on this host, which travels as JSON as it does in a run."""
    given_facts = {"host": json.loads(msgspec.json.encode(about))}
    return run_gate(resources, settings, facts=given_facts)


@pytest.fixture
def second_look(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What a longer look at the CPU finds; without anything in it, that it is as busy as before."""
    found: list[float] = []

    def look(seconds: float) -> Fact | None:
        return Fact(found[0], "/proc/stat") if found else None

    monkeypatch.setattr(facts, "utilisation", look)
    return found


def statuses(result: GateResult) -> dict[str, str]:
    return {finding.name: finding.status for finding in result.result.findings if finding.status != "pass"}


def test_a_host_at_ease_passes_and_every_number_has_its_source() -> None:
    result = check(host())
    assert result.status == "pass"
    assert {finding.name for finding in result.result.findings} == set(READ)
    assert all(finding.evidence["source"] for finding in result.result.findings)
    assert all(finding.hint == "" and finding.message == "" for finding in result.result.findings)


def test_the_machine_that_runs_the_tests_proceeds() -> None:
    assert run_gate(resources).status in ("pass", "warn")


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_settings_and_pass_on_a_host_at_ease(preset: str) -> None:
    assert check(host(), PRESETS[preset]).status == "pass"


@pytest.mark.parametrize(
    "busy",
    [
        cpu(utilisation=Fact(1.0, "/proc/stat")),
        cpu(load_5m=Fact(400.0, "/proc/loadavg")),
        cpu(pressure=pressure(1.0)),
        cpu(utilisation=Fact(1.0, "/proc/stat"), load_5m=Fact(99.0, "l"), pressure=pressure(1.0)),
    ],
)
@pytest.mark.parametrize("preset", ["", *PRESETS])
def test_a_busy_cpu_alone_warns_and_never_fails(busy: Cpu, preset: str, second_look: list[float]) -> None:
    assert check(host(cpu=busy), PRESETS.get(preset)).status == "warn"


def test_a_busy_cpu_fails_where_that_is_asked_for(second_look: list[float]) -> None:
    result = check(host(cpu=cpu(utilisation=Fact(0.97, "/proc/stat"))), {"cpu": {"fail": "90%"}})
    assert result.status == "fail"
    assert result.reason == "cpu 97 % > 90 %: of 4 CPUs, by /proc/stat"


def test_a_cpu_that_was_busy_for_a_moment_is_looked_at_again(second_look: list[float]) -> None:
    second_look.append(0.3)
    finding = check(host(cpu=cpu(utilisation=Fact(1.0, "/proc/stat")))).finding("cpu")
    assert (finding.status, finding.observed, finding.evidence["first_look"]) == ("pass", 0.3, 1.0)


@pytest.mark.parametrize(
    ("share", "status"), [(0.90, "pass"), (0.91, "warn"), (0.97, "warn"), (0.98, "fail")]
)
def test_memory_in_use_is_held_against_what_the_container_may_use(share: float, status: str) -> None:
    result = check(host(memory=memory(round(GB * share), GB, CONTAINER)))
    finding = result.finding("memory")
    assert (result.status, finding.status, finding.evidence["source"]) == (status, status, CONTAINER)


def test_a_memory_finding_names_amounts_source_and_the_largest_processes() -> None:
    finding = check(host(memory=memory(990_000_000, GB, CONTAINER))).finding("memory")
    assert finding.message == f"memory 99 % > 97 %: 990 MB of 1 GB, by {CONTAINER}"
    assert "ps " in finding.hint
    largest = finding.evidence["largest_processes"]
    assert 1 <= len(largest) <= 3
    assert largest == sorted(largest, key=lambda process: -process["rss"])


def test_processes_are_not_listed_while_memory_is_fine() -> None:
    assert "largest_processes" not in check(host()).finding("memory").evidence


def test_memory_takes_sizes_and_shares() -> None:
    assert check(host(), {"memory": {"warn": "3GB", "fail": "5GB"}}).status == "warn"
    assert check(host(), {"memory": "3GB"}).finding("memory").observed == 4 * GB
    assert check(host(), {"memory": "20%"}).status == "fail"


def test_less_memory_available_is_worse() -> None:
    assert check(host(), {"memory_available": {"warn": "13GB", "fail": "400MB"}}).status == "warn"
    assert check(host(), {"memory_available": "13GB"}).status == "fail"
    assert check(host(), {"memory_available": "12GB"}).status == "pass"
    result = check(host(), {"memory_available": {"fail": "80%"}})
    source = "/proc/meminfo MemAvailable"
    assert result.reason == f"memory_available 75 % < 80 %: 12 GB left of 16 GB, by {source}"


def test_a_host_that_is_too_small_fails_where_a_size_is_asked_for() -> None:
    small = host(cpu=cpu(usable=Fact(0.5, "cgroup v2 /sys/fs/cgroup/cpu.max")))
    result = check(small, {"cpus": 2, "memory_total": "32GB"})
    assert statuses(result) == {"cpus": "fail", "memory_total": "fail"}
    assert "cpu.max" in result.finding("cpus").message


def test_swap_without_limits_is_recorded_and_nothing_is_asked_of_it() -> None:
    full = memory(4 * GB, 16 * GB, swap=Room(GB, GB, "/proc/meminfo SwapFree"))
    assert check(host(memory=full)).finding("swap").observed == 1.0
    assert check(host(memory=full)).status == "pass"
    assert check(host(memory=full), {"swap": "50%"}).status == "fail"
    assert check(host(memory=full), {"swap": "500MB"}).status == "fail"


def test_no_swap_is_none_of_it_in_use() -> None:
    none = memory(4 * GB, 16 * GB, swap=Room(0, 0, "/proc/meminfo SwapFree"))
    assert check(host(memory=none), {"swap": "50%"}).status == "pass"


def test_files_and_processes_are_held_against_limits_and_take_counts_too() -> None:
    crowded = host(
        processes=Room(100, 99, "cgroup v2 /sys/fs/cgroup/pids.max"), open_files=Room(100, 90, "f")
    )
    assert statuses(check(crowded)) == {"processes": "fail", "open_files": "warn"}
    assert statuses(check(host(), {"processes": 400, "open_files": 4000})) == {
        "processes": "fail",
        "open_files": "fail",
    }
    assert check(host(), {"processes": 400}).reason.startswith("processes 500 processes > 400 processes")


def test_a_low_limit_of_open_files_warns() -> None:
    assert check(host(open_files_process=Room(128, 5, "RLIMIT_NOFILE"))).status == "warn"


def test_what_cannot_be_known_is_left_out_unless_a_limit_asks_for_it() -> None:
    silent = host(cpu=cpu(pressure=None, utilisation=None), processes=None, system="Darwin 23")
    result = check(silent)
    names = {finding.name for finding in result.result.findings}
    assert result.status == "pass"
    assert names.isdisjoint({"cpu", "cpu_pressure", "processes"})
    asked = check(silent, {"cpu_pressure": {"fail": "50%"}})
    assert asked.status == "unknown"
    assert "cpu_pressure has a limit, but can't be known on this host (Darwin 23)" in asked.reason


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_never_ask_for_what_only_some_systems_know(preset: str) -> None:
    mac = host(
        cpu=cpu(pressure=None), memory=memory(GB, 8 * GB, pressure=None), processes=None, open_files=None
    )
    assert check(mac, PRESETS[preset]).status == "pass"


def test_a_host_about_which_nothing_is_known_is_unknown_and_never_a_pass() -> None:
    assert check(Host()).status == "unknown"


def test_the_limits_of_the_container_are_evidence() -> None:
    limit = Limit("memory", GB, CONTAINER)
    finding = check(host(limits=(limit,))).finding("container")
    assert finding.evidence["limits"] == [{"what": "memory", "value": GB, "source": CONTAINER}]


def test_a_limit_that_could_not_be_read_warns_with_its_file() -> None:
    result = check(host(problems={"/sys/fs/cgroup/app/memory.max": "Permission denied"}))
    assert result.status == "warn"
    assert "/sys/fs/cgroup/app/memory.max: Permission denied" in result.reason


def test_a_file_that_is_no_limit_and_could_not_be_read_is_no_warning() -> None:
    problems = {"/sys/fs/cgroup/cpu.pressure": "Permission denied", "/proc/pressure/io": "Permission denied"}
    assert check(host(problems=problems)).status == "pass"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"memory": {"fail": 0.9}}, "memory takes a percentage or a size, got a bare number"),
        ({"cpu": "5s"}, "cpu takes a percentage"),
        ({"load": "80%"}, "load takes a bare number"),
        ({"memory_total": "50%"}, "memory_total takes a size"),
        ({"memory_available": {"warn": "1GB", "fail": "2GB"}}, "impossible pair"),
        ({"memory_available": {"worse": "higher"}}, "worse"),
        ({"memroy": "90%"}, "memory"),
        ({"top": 500}, "top takes 0 to 20"),
        ({"memory": {"warn": "99%"}}, "impossible pair"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_their_name(
    settings: dict[str, Any], expected: str
) -> None:
    with pytest.raises(UsageError, match=expected):
        check(host(), settings)


@given(used=st.integers(0, 2 * GB), limit=st.integers(1, GB))
def test_more_memory_in_use_is_never_better(used: int, limit: int) -> None:
    rank = ["pass", "warn", "fail"]
    less = check(host(memory=memory(used, limit)), {"top": 0}).status
    more = check(host(memory=memory(used + limit // 10, limit)), {"top": 0}).status
    assert rank.index(more) >= rank.index(less)


def test_every_limit_has_a_number_and_every_number_a_limit() -> None:
    assert {name for name in Resources.__struct_fields__ if name != "top"} == set(READ)
