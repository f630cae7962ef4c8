"""Facts of the host and its container, on laid-out file trees and on the machine that runs the tests."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatekeeper import cgroups, facts
from gatekeeper.cgroups import Cgroups
from gatekeeper.disks import Mount, mount_table
from gatekeeper.sourced import UNLIMITED, Fact, Room, Tree, lowest, tightest

GB = 10**9
V2 = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_UNLIMITED = "9223372036854771712"

Lay = Callable[[Mapping[str, str]], Tree]


def write(root: Path, files: Mapping[str, str]) -> Tree:
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return Tree(root)


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    return lambda files: write(tmp_path, files)


def v1(controllers: str, root: str = "/", point: str | None = None) -> str:
    return (
        f"33 32 0:29 {root} {point or f'/sys/fs/cgroup/{controllers}'} rw - cgroup cgroup rw,{controllers}\n"
    )


def v2_tree(path: str, files: Mapping[str, str]) -> dict[str, str]:
    """A v2 host whose process is in the group `path`; `files` lie under /sys/fs/cgroup."""
    laid = {f"/sys/fs/cgroup/{name}": content for name, content in files.items()}
    return {"/proc/self/cgroup": f"0::{path}\n", "/proc/self/mountinfo": V2, **laid}


# -- cgroup v2 -----------------------------------------------------------------------------------------------


def test_limits_of_a_v2_group_come_with_the_file_that_sets_them(lay: Lay) -> None:
    files = {
        "app/memory.max": "1000000000",
        "app/memory.high": "max",
        "app/memory.current": "700000000",
        "app/memory.stat": "inactive_file 150000000\nactive_file 50000000\nslab_reclaimable 10\n",
        "app/cpu.max": "150000 100000",
        "app/pids.max": "100",
        "app/pids.current": "40",
        "app/memory.swap.max": "0",
        "app/memory.swap.current": "0",
        "app/cpuset.cpus.effective": "0-2,7",
    }
    found = cgroups.read(tree := lay(v2_tree("/app", files)))
    room = Room(1 * GB, 499_999_990, "cgroup v2 /sys/fs/cgroup/app/memory.max", 200_000_010)
    assert found.memory == (room,)
    assert found.quota == Fact(1.5, "cgroup v2 /sys/fs/cgroup/app/cpu.max")
    assert found.pids == (Room(100, 40, "cgroup v2 /sys/fs/cgroup/app/pids.max"),)
    assert found.swap == (Room(0, 0, "cgroup v2 /sys/fs/cgroup/app/memory.swap.max"),)
    assert found.cpuset == Fact(4, "cgroup v2 /sys/fs/cgroup/app/cpuset.cpus.effective")
    assert {limit.what for limit in found.limits} == {"memory", "swap", "pids", "cpu", "cpuset"}
    assert tree.problems == {}


def test_memory_high_below_memory_max_is_the_limit(lay: Lay) -> None:
    files = {"app/memory.max": "900", "app/memory.high": "800", "app/memory.current": "1"}
    (room,) = cgroups.read(lay(v2_tree("/app", files))).memory
    assert room == Room(800, 1, "cgroup v2 /sys/fs/cgroup/app/memory.high")


def test_page_cache_is_not_memory_in_use_even_when_it_fills_the_limit(lay: Lay) -> None:
    files = {
        "app/memory.max": "1000",
        "app/memory.current": "1000",
        "app/memory.stat": "active_file 700\ninactive_file 200",
    }
    (room,) = cgroups.read(lay(v2_tree("/app", files))).memory
    assert (room.used, room.cache, room.available) == (100, 900, 900)


def test_the_level_with_least_left_decides_and_not_the_one_with_the_smallest_limit(lay: Lay) -> None:
    files = {
        "slice/memory.max": "10000",
        "slice/memory.current": "9990",
        "slice/app/memory.max": "1000",
        "slice/app/memory.current": "10",
        "slice/app/worker/memory.max": "max",
        "slice/app/worker/memory.current": "10",
        "slice/cpu.max": "50000 100000",
        "slice/app/cpu.max": "400000 100000",
        "slice/pids.max": "10",
        "slice/pids.current": "2",
        "slice/app/worker/pids.max": "9",
        "slice/app/worker/pids.current": "2",
    }
    found = cgroups.read(lay(v2_tree("/slice/app/worker", files)))
    assert tightest(found.memory) == Room(10000, 9990, "cgroup v2 /sys/fs/cgroup/slice/memory.max")
    assert found.quota == Fact(0.5, "cgroup v2 /sys/fs/cgroup/slice/cpu.max")
    assert found.usage == "/sys/fs/cgroup/slice/cpu.stat"
    assert (best := tightest(found.pids)) is not None
    assert best.source.endswith("worker/pids.max")


def test_a_namespaced_container_reads_its_limits_at_the_mount_point(lay: Lay) -> None:
    found = cgroups.read(
        lay(v2_tree("/", {"memory.max": "500", "memory.current": "20", "cpu.max": "max 100000"}))
    )
    assert found.memory == (Room(500, 20, "cgroup v2 /sys/fs/cgroup/memory.max"),)
    assert found.quota is None


def test_a_path_outside_of_the_namespace_ends_at_the_mount_point_and_never_above(lay: Lay) -> None:
    tree = lay({**v2_tree("/../../other", {"memory.max": "500", "memory.current": "20"}), "/memory.max": "1"})
    assert [room.limit for room in cgroups.read(tree).memory] == [500]


def test_a_group_that_is_gone_is_read_at_its_nearest_parent(lay: Lay) -> None:
    found = cgroups.read(lay(v2_tree("/a/gone/x", {"a/memory.max": "5", "a/memory.current": "1"})))
    assert [room.source for room in found.memory] == ["cgroup v2 /sys/fs/cgroup/a/memory.max"]


def test_max_everywhere_is_no_limit(lay: Lay) -> None:
    files = {
        "memory.max": "max", "memory.high": "max", "memory.current": "5", "cpu.max": "max 100000",
        "pids.max": "max", "pids.current": "5", "memory.swap.max": "max", "memory.swap.current": "0",
    }  # fmt: skip
    assert cgroups.read(lay(v2_tree("/", files))) == Cgroups()


def test_mount_points_with_spaces_are_found(lay: Lay) -> None:
    mountinfo = "35 24 0:30 / /mnt/control\\040groups rw - cgroup2 none rw\n"
    files = {"/proc/self/cgroup": "0::/", "/proc/self/mountinfo": mountinfo}
    tree = lay({**files, "/mnt/control groups/pids.max": "7", "/mnt/control groups/pids.current": "1"})
    assert [room.limit for room in cgroups.read(tree).pids] == [7]


def test_colons_in_a_group_s_name_belong_to_it(lay: Lay) -> None:
    found = cgroups.read(lay(v2_tree("/a:b:c", {"a:b:c/pids.max": "7", "a:b:c/pids.current": "1"})))
    assert [room.limit for room in found.pids] == [7]


# -- cgroup v1 and hybrid ------------------------------------------------------------------------------------


def test_limits_of_v1_controllers_come_from_their_own_hierarchies(lay: Lay) -> None:
    tree = lay({
        "/proc/self/cgroup": "5:pids:/app\n4:memory:/app\n3:cpu,cpuacct:/app\n2:cpuset:/\n",
        "/proc/self/mountinfo": v1("memory") + v1("pids") + v1("cpu,cpuacct") + v1("cpuset"),
        "/sys/fs/cgroup/memory/app/memory.limit_in_bytes": "1000",
        "/sys/fs/cgroup/memory/app/memory.usage_in_bytes": "900",
        "/sys/fs/cgroup/memory/app/memory.stat": "total_inactive_file 300\ntotal_active_file 200\nother 7",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": V1_UNLIMITED,
        "/sys/fs/cgroup/memory/memory.usage_in_bytes": "5000",
        "/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us": "200000",
        "/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us": "100000",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        "/sys/fs/cgroup/cpu,cpuacct/app/cpuacct.usage": "2500000000",
        "/sys/fs/cgroup/pids/app/pids.max": "64",
        "/sys/fs/cgroup/pids/app/pids.current": "3",
        "/sys/fs/cgroup/cpuset/cpuset.effective_cpus": "0-1",
    })  # fmt: skip
    found = cgroups.read(tree)
    source = "cgroup v1 /sys/fs/cgroup/memory/app/memory.limit_in_bytes"
    assert found.memory == (Room(1000, 400, source, 500),)
    assert found.quota == Fact(2, "cgroup v1 /sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us")
    assert found.usage is not None
    assert cgroups.cpu_seconds(tree, found.usage) == 2.5
    assert found.pids == (Room(64, 3, "cgroup v1 /sys/fs/cgroup/pids/app/pids.max"),)
    assert found.cpuset == Fact(2, "cgroup v1 /sys/fs/cgroup/cpuset/cpuset.effective_cpus")


def test_a_v1_container_without_namespace_sees_its_own_group_mounted(lay: Lay) -> None:
    tree = lay({
        "/proc/self/cgroup": "4:memory:/docker/abc\n",
        "/proc/self/mountinfo": v1("memory", root="/docker/abc", point="/sys/fs/cgroup/memory"),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1000",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes": "10",
    })  # fmt: skip
    assert [room.limit for room in cgroups.read(tree).memory] == [1000]


def test_a_v1_limit_above_what_the_container_sees_still_counts(lay: Lay) -> None:
    tree = lay({
        "/proc/self/cgroup": "4:memory:/\n",
        "/proc/self/mountinfo": v1("memory"),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": V1_UNLIMITED,
        "/sys/fs/cgroup/memory/memory.usage_in_bytes": "10",
        "/sys/fs/cgroup/memory/memory.stat": "hierarchical_memory_limit 2000\n",
    })  # fmt: skip
    (room,) = cgroups.read(tree).memory
    assert room.limit == 2000
    assert room.source.endswith("memory.stat hierarchical_memory_limit")


def test_hybrid_reads_each_controller_where_the_process_has_it(lay: Lay) -> None:
    tree = lay({
        "/proc/self/cgroup": "4:memory:/app\n0::/user/app\n",
        "/proc/self/mountinfo": v1("memory") + V2.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified "),
        "/sys/fs/cgroup/memory/app/memory.limit_in_bytes": "1000",
        "/sys/fs/cgroup/memory/app/memory.usage_in_bytes": "10",
        "/sys/fs/cgroup/unified/user/app/memory.max": "1",
        "/sys/fs/cgroup/unified/user/app/memory.current": "1",
        "/sys/fs/cgroup/unified/user/pids.max": "50",
        "/sys/fs/cgroup/unified/user/pids.current": "5",
        "/sys/fs/cgroup/unified/user/app/cpu.pressure": "some avg10=50.00 avg60=25.00 avg300=1.00 total=9\n",
        "/proc/pressure/cpu": "some avg10=1.00 avg60=1.00 avg300=1.00 total=9\n",
        "/proc/pressure/memory": "some avg10=2.00 avg60=3.00 avg300=4.00 total=9\nfull avg10=9 avg60=9\n",
    })  # fmt: skip
    found = cgroups.read(tree)
    assert [room.limit for room in found.memory] == [1000]
    assert [room.limit for room in found.pids] == [50]
    own = found.pressure["cpu"]
    assert (own.avg10, own.avg60, own.source) == (
        0.5,
        0.25,
        "cgroup v2 /sys/fs/cgroup/unified/user/app/cpu.pressure",
    )
    assert found.pressure["memory"].avg60 == 0.03
    assert found.pressure["memory"].source == "/proc/pressure/memory"


# -- what can't be read --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    ["", "lots", "12 x", "-", "1e9", "0x10", "١٢٣", "\x00\xff", "9" * 5000, "max max", "\n\n", "nan"],
)
def test_garbage_is_never_a_limit_and_is_said(lay: Lay, garbage: str) -> None:
    names = ["memory.max", "memory.high", "memory.current", "pids.max", "cpu.max", "memory.swap.max",
             "cpuset.cpus.effective", "cpu.pressure", "memory.stat", "cpu.stat"]  # fmt: skip
    found = cgroups.read(tree := lay(v2_tree("/", dict.fromkeys(names, garbage))))
    assert (found.memory, found.pids, found.quota, found.cpuset, found.limits) == ((), (), None, None, ())
    if garbage.strip() and garbage != "max max":
        assert "number" in tree.problems["/sys/fs/cgroup/memory.max"]


def test_a_limit_without_its_usage_is_said_and_not_guessed(lay: Lay) -> None:
    found = cgroups.read(tree := lay(v2_tree("/", {"memory.max": "100"})))
    assert found.memory == ()
    assert "missing" in tree.problems["/sys/fs/cgroup/memory.current"]


def test_a_file_that_cannot_be_read_is_a_problem_and_a_missing_one_is_not(lay: Lay, tmp_path: Path) -> None:
    tree = lay(v2_tree("/", {"pids.max": "max"}))
    (tmp_path / "sys/fs/cgroup/memory.max").mkdir()  # reading a folder fails for root too
    assert cgroups.read(tree).memory == ()
    assert tree.problems == {"/sys/fs/cgroup/memory.max": "Is a directory"}


@pytest.mark.parametrize("files", [{}, {"/proc/self/cgroup": "0::/x"}, {"/proc/self/mountinfo": V2}])
def test_a_system_without_cgroups_has_no_limits_of_them(lay: Lay, files: dict[str, str]) -> None:
    assert cgroups.read(lay(files)) == Cgroups()


@pytest.mark.parametrize(
    ("cpus", "count"),
    [("0", 1), ("0-3", 4), ("0-1,4-5,9", 5), ("", 0), ("3-1", 0), ("a", 0), ("0-", 0), ("0,,1", 0)],
)
def test_lists_of_cpus_are_counted(cpus: str, count: int) -> None:
    assert cgroups.cpu_count(cpus) == count


KERNEL_FILES = [
    "/proc/self/cgroup", "/proc/self/mountinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg",
    "/proc/sys/fs/file-nr", "/proc/sys/kernel/pid_max", "/proc/pressure/cpu", "/proc/spl/kstat/zfs/arcstats",
    "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
]  # fmt: skip
LINES = st.sampled_from([V2, v1("memory"), "0::/", "4:memory:/a", "cpu0 1 2 3 4", "MemTotal: 1 kB", "1 0 5",
                         "some avg10=x", "size 4 12", "", "max 0", "50000 0", "0 100000"])  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.dictionaries(
        st.sampled_from(KERNEL_FILES),
        st.lists(st.one_of(LINES, st.text(max_size=30)), max_size=4).map("\n".join),
    )
)
def test_gathering_never_raises_and_always_travels_as_json(
    content: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("any")
    for name, text in content.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
    host = facts.gather(root=root, sample=0)
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(host)), facts.Host) == host


@given(rooms=st.lists(st.builds(Room, st.integers(0, 99), st.integers(0, 200), st.just("x")), max_size=5))
def test_the_tightest_room_has_no_more_left_than_any_other(rooms: list[Room]) -> None:
    found = tightest(tuple(rooms))
    assert (found is None) == (not rooms)
    assert all(found.available <= room.available for room in rooms if found)


def test_the_lowest_of_facts_leaves_out_what_is_not_known() -> None:
    assert lowest([None, Fact(4, "a"), Fact(2, "b"), Fact(2, "c"), None]) == Fact(2, "b")
    assert lowest([None]) is None


# -- the machine ---------------------------------------------------------------------------------------------

MEMINFO = "MemTotal: 8000 kB\nMemFree: 1000 kB\nMemAvailable: 6000 kB\nSwapTotal: 100 kB\nSwapFree: 75 kB\n"


def test_a_container_with_less_left_than_the_machine_speaks_for_memory(lay: Lay, tmp_path: Path) -> None:
    lay({"/proc/meminfo": MEMINFO, **v2_tree("/", {"memory.max": "2048000", "memory.current": "2000000"})})
    memory = facts.gather(root=tmp_path, sample=0).memory
    assert memory.ram == Room(2048000, 2000000, "cgroup v2 /sys/fs/cgroup/memory.max")
    assert [room.limit for room in memory.places] == [2048000, 8000 * 1024]


def test_a_machine_with_less_left_than_the_container_speaks_for_memory(lay: Lay, tmp_path: Path) -> None:
    lay({"/proc/meminfo": MEMINFO, **v2_tree("/", {"memory.max": "99999999", "memory.current": "5"})})
    memory = facts.gather(root=tmp_path, sample=0).memory
    assert memory.ram == Room(8000 * 1024, 2000 * 1024, "/proc/meminfo MemAvailable", 5000 * 1024)
    assert memory.swap == Room(100 * 1024, 25 * 1024, "/proc/meminfo SwapFree")


def test_the_cache_of_zfs_counts_as_available(lay: Lay, tmp_path: Path) -> None:
    rows = "9 1 0x01\nname type data\nsize 4 1024000\nc_min 4 512000\n"
    lay({"/proc/meminfo": MEMINFO, "/proc/spl/kstat/zfs/arcstats": rows})
    ram = facts.gather(root=tmp_path, sample=0).memory.ram
    assert ram is not None
    assert (ram.used, ram.source) == (1500 * 1024, "/proc/meminfo MemAvailable + ZFS cache")


def test_without_proc_psutil_says_what_it_knows_and_the_rest_is_not_known(tmp_path: Path) -> None:
    host = facts.gather(root=tmp_path, sample=0.02)
    assert host.memory.ram is not None
    assert host.memory.ram.source == "psutil.virtual_memory"
    assert host.cpu.utilisation is None or host.cpu.utilisation.source == "psutil.cpu_times"
    assert host.cpu.load_1m is not None
    assert (host.cpu.pressure, host.open_files, host.processes) == (None, None, None)
    assert host.limits == ()


def cpu_times(user: int, idle: int) -> str:
    """A /proc/stat whose usable CPUs were busy for `user` ticks; one that may not be used idled."""
    allowed = "".join(f"cpu{cpu} {user} 0 0 {idle} 0 0 0 0 0 0\n" for cpu in sorted(os.sched_getaffinity(0)))
    return f"{allowed}cpu9999 0 0 0 {user + idle} 0 0 0 0 0 0\n"


def test_cpus_in_use_are_measured_over_the_sample(
    lay: Lay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay({"/proc/stat": cpu_times(100, 100)})
    monkeypatch.setattr(time, "sleep", lambda seconds: lay({"/proc/stat": cpu_times(130, 110)}))
    assert facts.utilisation(0.1, root=tmp_path) == Fact(0.75, "/proc/stat")


def test_a_container_at_its_quota_is_busy_on_an_idle_machine(
    lay: Lay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {"cpu.max": "10000 100000", "cpu.stat": "usage_usec 1000000\n"}
    lay({**v2_tree("/", before), "/proc/stat": cpu_times(100, 100)})
    after = {"/sys/fs/cgroup/cpu.stat": "usage_usec 9000000\n", "/proc/stat": cpu_times(101, 150)}
    monkeypatch.setattr(time, "sleep", lambda seconds: lay(after))
    found = facts.utilisation(0.1, root=tmp_path)
    assert found == Fact(1.0, "/sys/fs/cgroup/cpu.stat of cgroup v2 /sys/fs/cgroup/cpu.max")


def test_the_quota_of_a_container_is_what_is_usable(lay: Lay, tmp_path: Path) -> None:
    lay(v2_tree("/", {"cpu.max": "25000 100000"}))
    assert facts.gather(root=tmp_path, sample=0).cpu.usable == Fact(0.25, "cgroup v2 /sys/fs/cgroup/cpu.max")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity (Linux)")
def test_cpu_affinity_limits_what_is_usable() -> None:
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("needs two CPUs")
    try:
        os.sched_setaffinity(0, {min(before)})
        usable = facts.gather(sample=0).cpu.usable
    finally:
        os.sched_setaffinity(0, before)
    assert usable is not None
    assert usable.value <= 1


def test_the_facts_of_this_machine_are_gathered_quickly_with_their_sources() -> None:
    begun = time.monotonic()
    host = facts.gather()
    assert time.monotonic() - begun < 5
    known = [host.cpu.logical, host.cpu.usable, host.cpu.load_5m, host.memory.ram, host.open_files_process]
    assert all(fact is not None and fact.source for fact in known)
    assert host.disks
    assert all(0 <= disk.free <= disk.total for disk in host.disks)


def test_processes_of_the_machine_are_held_against_its_tightest_limit(lay: Lay, tmp_path: Path) -> None:
    lay({
        "/proc/loadavg": "0.1 0.2 0.3 1/900 77",
        "/proc/sys/kernel/pid_max": "1000",
        "/proc/sys/kernel/threads-max": "50000",
        "/proc/sys/fs/file-nr": f"500 100 {UNLIMITED}",
    })  # fmt: skip
    host = facts.gather(root=tmp_path, sample=0)
    assert host.processes is not None
    assert host.processes.source in ("/proc/sys/kernel/pid_max", "RLIMIT_NPROC")
    assert host.open_files == Room(UNLIMITED, 400, "/proc/sys/fs/file-nr")


# -- disks ---------------------------------------------------------------------------------------------------


def test_a_disk_is_told_with_the_mount_that_holds_the_path(tmp_path: Path) -> None:
    mounts = (
        Mount("/", "ext4", "8:1"),
        Mount(str(tmp_path), "xfs", "8:2"),
        Mount(str(tmp_path), "btrfs", "8:3"),
        Mount(f"{tmp_path}-other", "zfs", "8:4"),
    )
    (tmp_path / "a").mkdir()
    found = facts.disk(tmp_path / "a", mounts)
    assert (found.mount, found.filesystem) == (str(tmp_path), "btrfs")
    assert found.total >= found.free


def test_a_missing_path_has_no_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        facts.disk(tmp_path / "missing")


def test_the_mount_table_survives_odd_lines(lay: Lay) -> None:
    tree = lay({"/proc/self/mountinfo": "\n- -\n1 2\n26 25 8:1 / /a\\040b rw - ext4 /dev/sda rw\n"})
    assert mount_table(tree) == (Mount("/a b", "ext4", "8:1"),)


def test_the_size_of_a_folder_is_that_of_all_its_files_and_links_count_nothing(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/x").write_bytes(b"12345")
    (tmp_path / "a/b/y").write_bytes(b"123")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    assert facts.size_of(tmp_path / "a") == 8
    assert facts.size_of(tmp_path / "missing") == 0
