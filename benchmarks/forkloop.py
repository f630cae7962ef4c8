"""The least that isolation can cost: fork, a pipe, an answer, reap. `python forkloop.py COUNT MEGABYTES [SIDE]`.

As a process of its own, which holds that many megabytes in Python objects, as a program with that much
loaded does; SIDE children run side by side. Prints seconds for all.
"""

import gc
import os
import sys
from collections import deque
from time import perf_counter

MESSAGE = b'{"status":"pass"}'


def hold(megabytes: float) -> list[str]:
    """That much memory in many small objects, as modules are."""
    return [str(number) * 8 for number in range(int(megabytes * 1e6 / 110))]


def loop(count: int, side: int) -> float:
    began = perf_counter()
    running: deque[tuple[int, int]] = deque()
    for _ in range(count):
        if len(running) >= side:
            reap(*running.popleft())
        running.append(start())
    while running:
        reap(*running.popleft())
    return perf_counter() - began


def start() -> tuple[int, int]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, MESSAGE)
        os._exit(0)
    os.close(writer)
    return pid, reader


def reap(pid: int, reader: int) -> None:
    answer = os.read(reader, 100)
    os.close(reader)
    os.waitpid(pid, 0)
    if answer != MESSAGE:
        raise SystemExit(f"a child answered {answer!r}")


def main() -> None:
    count, megabytes, side = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    held = hold(megabytes)
    gc.freeze()
    print(loop(count, side))
    del held


if __name__ == "__main__":
    main()
