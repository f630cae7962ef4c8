"""File systems: room for bytes and for files, as the user that asks would get it.

Sources: statvfs(3) (`f_bavail` is what a user without privileges may still take; `f_blocks - f_bfree` is in
use), and `/proc/self/mountinfo` in proc(5).
"""

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from msgspec import Struct

from gatekeeper.cgroups import unescaped
from gatekeeper.sourced import Tree

# asked about without being named: local, writable by nature, and never waiting for a network
LOCAL = frozenset(
    {"apfs", "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfs", "jfs", "msdos", "ntfs",
     "ntfs3", "overlay", "reiserfs", "ufs", "vfat", "xfs", "zfs"}
)  # fmt: skip
MOST = 32


class Disk(Struct, frozen=True):
    """One file system. Sizes are bytes; `free` is what this user may still write, `total` that and what is in
    use.

    `inodes` is 0 where there is no fixed number of them (btrfs, vfat) or none is told (some network ones).
    """

    path: str
    mount: str
    filesystem: str
    total: int
    free: int
    inodes: int
    inodes_free: int
    read_only: bool
    source: str = "statvfs"

    @property
    def free_share(self) -> float:
        """0..1; 0 for a file system without any space."""
        return self.free / self.total if self.total else 0.0

    @property
    def inodes_free_share(self) -> float:
        return self.inodes_free / self.inodes if self.inodes else 0.0


class Mount(Struct, frozen=True):
    """A line of the mount table; `device` tells file systems apart."""

    point: str
    filesystem: str
    device: str


def disk(path: str | os.PathLike[str], mounts: "tuple[Mount, ...] | None" = None) -> Disk:
    """The file system that holds `path`.

    Raises:
        OSError: `path` is missing, or may not be asked about.
    """
    real = os.path.realpath(path)
    found = os.statvfs(real)
    mount = _holding(real, mount_table() if mounts is None else mounts)
    unit = found.f_frsize or found.f_bsize
    return Disk(
        path=os.fspath(path),
        mount=mount.point,
        filesystem=mount.filesystem,
        total=(found.f_blocks - found.f_bfree + found.f_bavail) * unit,
        free=found.f_bavail * unit,
        inodes=found.f_files,
        inodes_free=found.f_favail,
        read_only=bool(found.f_flag & os.ST_RDONLY),
    )


def local_disks(tree: Tree) -> tuple[Disk, ...]:
    """The machine's own file systems, each once; not those over a network, which can hang."""
    mounts = mount_table(tree)
    found: dict[str, Disk] = {}
    for mount in mounts:
        if mount.filesystem not in LOCAL or mount.device in found or len(found) >= MOST:
            continue
        try:
            found[mount.device] = disk(mount.point, mounts)
        except OSError:  # mounted elsewhere, or not ours to see
            continue
    return tuple(found.values())


def mount_table(tree: Tree | None = None) -> tuple[Mount, ...]:
    tree = tree or Tree()
    content = tree.text("/proc/self/mountinfo")
    return tuple(_linux(content)) if content else tuple(_elsewhere())


def _linux(mountinfo: str) -> Iterator[Mount]:
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) >= 5 and after:
            yield Mount(unescaped(fields[4]), after.split(" ")[0], fields[2])


def _elsewhere() -> Iterator[Mount]:
    import psutil

    for part in psutil.disk_partitions(all=False):
        yield Mount(part.mountpoint, part.fstype, part.device)


def _holding(real: str, mounts: tuple[Mount, ...]) -> Mount:
    """The mount that `real` lies on: the deepest, and of several in one place the last, which covers them."""
    path = PurePath(real)
    best = Mount(path.anchor or "/", "", "")
    for mount in mounts:
        if path.is_relative_to(mount.point) and len(mount.point) >= len(best.point):
            best = mount
    return best


def size_of(path: Path) -> int:
    """Bytes in a file, or in all files below a folder. What vanishes meanwhile counts nothing."""
    try:
        if path.is_dir():
            return sum(size_of(Path(entry.path)) for entry in os.scandir(path) if not entry.is_symlink())
        return path.stat().st_size
    except FileNotFoundError:
        return 0
