"""Times opening, using and closing a map beside many others in the same process.

A process for each number of maps holds them, all of one file and without descriptors, and does the
same work with maps of another file: the system looks at all maps of a file that it truncates. They
take turns, so that a busy machine disturbs all of them. The table has the median of all rounds, and
the ratio of the minima to those of the process with the fewest maps.

    open    ironmap.mmap(descriptor, 0, trackfd=False)
    close   m.close()
    fault   m[i] of a page behind the end of the file: FaultError
    store   m[:8] = data, which looks if `data` lies in another map
    collect gc.collect(), for comparison: it looks at every object of the process
    fork    os.fork() and os.waitpid() of a child that ends at once: the system copies all mappings
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from environment import processor

import ironmap

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = ironmap.PAGESIZE
LIMIT = Path("/proc/sys/vm/max_map_count")
NUMBERS = [10, 1_000, 10_000, 60_000]
WORKS = ["open", "close", "fault", "store", "collect", "fork"]
OF_A_ROUND = 200

Times = dict[str, list[float]]


class Worker:
    """The work of a process that holds many maps."""

    def __init__(self, path: str, count: int) -> None:
        others = os.open(path, os.O_RDWR)
        self.others = [ironmap.mmap(others, 0, trackfd=False) for _ in range(count)]
        self.descriptor = os.open(path + ".own", os.O_RDWR | os.O_CREAT)
        os.ftruncate(self.descriptor, 2 * PAGE)
        self.one = self.new()

    def new(self) -> ironmap.mmap:
        return ironmap.mmap(self.descriptor, 0, trackfd=False)

    def open_and_close(self, times: Times) -> None:
        clock = time.perf_counter
        start = clock()
        m = self.new()
        opened = clock()
        m.close()
        times["close"].append(clock() - opened)
        times["open"].append(opened - start)

    def fault(self, times: Times) -> None:
        clock = time.perf_counter
        with self.new() as m:
            os.ftruncate(self.descriptor, PAGE)
            start = clock()
            try:
                m[PAGE]
            except ironmap.FaultError:
                times["fault"].append(clock() - start)
            os.ftruncate(self.descriptor, 2 * PAGE)

    def timed(self, name: str, work: Callable[[], object], times: Times) -> None:
        start = time.perf_counter()
        work()
        times[name].append(time.perf_counter() - start)

    def store(self) -> None:
        self.one[:8] = b"8 bytes."

    def fork(self) -> None:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)

    def round(self) -> Times:
        times: Times = {name: [] for name in WORKS}
        self.timed("collect", gc.collect, times)
        self.timed("fork", self.fork, times)
        for _ in range(OF_A_ROUND):
            self.open_and_close(times)
            self.fault(times)
            self.timed("store", self.store, times)
        return times


def work(path: str, count: int) -> None:
    """Does a round for each line of the input, and prints its times."""
    worker = Worker(path, count)
    print(flush=True)
    for _ in sys.stdin:
        print(json.dumps(worker.round()), flush=True)


def start(path: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--work", path, str(count)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(process: subprocess.Popen[str]) -> Times:
    if process.stdin is None or process.stdout is None:
        raise ValueError
    process.stdin.write("\n")
    process.stdin.flush()
    answer: Times = json.loads(process.stdout.readline())
    return answer


def measure(numbers: list[int], rounds: int) -> dict[int, Times]:
    times: dict[int, Times] = {number: {name: [] for name in WORKS} for number in numbers}
    with tempfile.TemporaryDirectory() as folder:
        processes = {}
        for number in numbers:
            path = Path(folder, str(number))
            path.write_bytes(bytes(2 * PAGE))
            processes[number] = start(str(path), number)
        for process in processes.values():
            if process.stdout is not None:
                process.stdout.readline()
        for _ in range(rounds):
            for number, process in processes.items():
                for name, some in ask(process).items():
                    times[number][name] += some
        for process in processes.values():
            process.communicate()
    return times


def report(times: dict[int, Times]) -> None:
    fewest = times[min(times)]
    print(f"{processor()}, {platform.release()}, CPython {platform.python_version()}")
    print(f"\n{'median, us (ratio)':20}" + "".join(f"{number:>18,}" for number in times))
    for name in WORKS:
        least = min(fewest[name])
        columns = [
            f"{statistics.median(some[name]) * 1e6:10.1f} ({min(some[name]) / least:.2f})"
            for some in times.values()
        ]
        print(f"{name:20}" + "".join(f"{column:>18}" for column in columns))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--maps", type=int, nargs="+", default=NUMBERS, help="in each process")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work[0], int(options.work[1]))
        return
    most = int(LIMIT.read_text()) - 1000 if LIMIT.exists() else max(options.maps)
    report(measure([number for number in options.maps if number <= most], options.rounds))


if __name__ == "__main__":
    main()
