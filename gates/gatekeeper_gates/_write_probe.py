"""A file written, flushed to its device, read back and compared."""

import os
import time
from pathlib import Path


def written_and_read(folder: Path, size: int) -> tuple[dict[str, float], bool]:
    """Write `size` bytes, flush them to the device and read them back: the seconds of each, and whether
    they are the same.

    The file's name is removed before anything is written: what is left is open here alone, and goes when this
    process does, however it ends.

    Raises:
        OSError: where the system refuses any of it.
    """
    import tempfile

    block = os.urandom(min(size, 1 << 20) or 1)
    descriptor, name = tempfile.mkstemp(prefix=".gatekeeper-", suffix=".probe", dir=folder)
    try:
        os.unlink(name)
        begun = time.perf_counter()
        _write_all(descriptor, block, size)
        os.fsync(descriptor)
        flushed = time.perf_counter()
        same = _same(descriptor, block, size)
        return {"write_s": flushed - begun, "read_s": time.perf_counter() - flushed}, same
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, block: bytes, size: int) -> None:
    left = size
    while left:
        part = block[: min(left, len(block))]
        while part:  # a disk that fills up takes a part first, and refuses the rest
            part = part[os.write(descriptor, part) :]
        left -= min(left, len(block))


def _same(descriptor: int, block: bytes, size: int) -> bool:
    if hasattr(os, "posix_fadvise"):  # from the device rather than from memory, where this advice is taken
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.lseek(descriptor, 0, os.SEEK_SET)
    left = size
    while left:
        expected = block[: min(left, len(block))]
        found = b""
        while len(found) < len(expected) and (part := os.read(descriptor, len(expected) - len(found))):
            found += part
        if found != expected:
            return False
        left -= len(expected)
    return True
