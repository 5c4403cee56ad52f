"""Stalls of other threads: a thread wakes every millisecond and records how late it was, while
another thread works on a map."""

from __future__ import annotations

import argparse
import functools
import mmap
import signal
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import operations
import report
from goals import STALL_MS
from record import OURS, Stall

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from measure import Contestant

PERIOD = 0.001
SIZES = {"1 GiB": 1 << 30, "4 TiB": 4 << 40}


class Ticker(threading.Thread):
    """Sleeps for a millisecond repeatedly, then does `action`, and records how much longer both
    together took."""

    def __init__(self, action: Callable[[], object] = int) -> None:
        super().__init__(daemon=True)
        self.action = action
        self.delays: list[float] = []
        self.ended = False

    def run(self) -> None:
        before = time.perf_counter()
        while not self.ended:
            time.sleep(PERIOD)
            self.action()
            now = time.perf_counter()
            self.delays.append(max(now - before - PERIOD, 0.0))
            before = now

    def end(self) -> None:
        self.ended = True
        self.join()


def rare(delays: list[float]) -> float:
    """The 99.9th percentile."""
    if len(delays) < 2:
        return max(delays)
    return statistics.quantiles(delays, n=1000, method="inclusive")[-1]


def map_a_page() -> None:
    """As an allocation of memory does it: needs the lock of the process's mappings."""
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        page[0] = 1


class EnoughError(Exception):
    """The time for the work is over."""


def end_work(*_: object) -> None:
    raise EnoughError


def repeat(operation: Callable[[], object], seconds: float) -> None:
    """Repeats the operation for this time. An alarm ends it in the middle, or even before the first
    operation."""
    before = signal.signal(signal.SIGALRM, end_work)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        while True:
            operation()
    except EnoughError:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def delays_beside(
    work: Callable[[], object], seconds: float, action: Callable[[], object] = int
) -> list[float]:
    """The delays of a thread that repeats `action`, while the work is done for this many seconds,
    and at least once. One thread at a time: several would wait for each other."""
    ticker = Ticker(action)
    ticker.start()
    try:
        end = time.perf_counter() + seconds
        work()
        while time.perf_counter() < end:
            work()
    finally:
        ticker.end()
    # A sleeper that a call kept from waking has recorded the whole call as its delay.
    return ticker.delays


def while_running(what: str, contestant: str, work: Callable[[], object], seconds: float) -> Stall:
    delays = delays_beside(work, seconds)
    return Stall(what, contestant, max(delays) * 1e3, rare(delays) * 1e3, len(delays))


def idle(seconds: float) -> Stall:
    """The delays of the machine itself, while nothing else runs in this process."""
    return while_running("nothing", "", lambda: time.sleep(seconds), seconds)


def busy(seconds: float) -> Stall:
    """The delays while another thread runs Python code, which gives up the GIL every 5 ms."""
    return while_running("Python code", "", lambda: repeat(int, seconds), seconds)


def of(what: str, contestant: Contestant, seconds: float) -> Stall:
    """The delays while the contestant works. Answers were checked before, since that takes time."""
    contestant.prepare()
    return while_running(what, contestant.name, contestant.call, seconds)


def of_operation(name: str, size: str, path: Path, part: int, seconds: float) -> Stall:
    """The delays while ironmap repeats an operation on a new map of this size. It is interrupted at
    the end, a rare path is not."""
    with operations.subject(path, SIZES[size], part) as subject:
        work: Callable[[], object]
        if name in operations.RARE_PATHS:
            work = functools.partial(operations.RARE_PATHS[name], subject)
        else:
            operation = functools.partial(operations.OPERATIONS[name], subject)
            work = functools.partial(repeat, operation, seconds)
        read = functools.partial(operations.read_a_byte, subject)
        return while_running(f"{name}, {size}", OURS, work, seconds)._replace(
            mapping_ms=max(delays_beside(work, seconds, map_a_page)) * 1e3,
            same_map_ms=max(delays_beside(work, seconds, read)) * 1e3,
        )


def calmer(first: Stall, second: Stall) -> Stall:
    """The better of two runs of the same work. Delays that the work always causes are in both,
    delays by other processes seldom. Delays that the work rarely causes may be missed."""
    longest, rare_ms, wakes = min(first[2:5], second[2:5])
    return Stall(*first[:2], longest, rare_ms, wakes, *map(min, first[5:], second[5:]))


def measure_all(works: Sequence[Callable[[float], Stall]], seconds: float) -> list[Stall]:
    """Measures no work, Python code, then each kind of work, twice in interleaved rounds."""

    def once() -> list[Stall]:
        return [idle(seconds), busy(seconds), *(work(seconds) for work in works)]

    return list(map(calmer, once(), once()))


def all_operations(path: Path, part: int) -> list[Callable[[float], Stall]]:
    """The works of every operation at every size, on a file of this name. Stores and results take
    `part` bytes."""
    return [
        functools.partial(of_operation, name, size, path, part)
        for size in SIZES
        for name in (*operations.OPERATIONS, *operations.RARE_PATHS)
    ]


def main() -> int:
    """Prints the stalls by every operation; 1 if one is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each (default 0.3)")
    parser.add_argument("--folder", type=Path, help="of the sparse file (default: temporary)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-") as folder:
        works = all_operations(Path(folder) / "operations", operations.LONG)
        measured = measure_all(works, options.seconds)
    print(*report.stalls_table(measured), sep="\n")
    over = [stall.what for stall in measured if stall.contestant and stall.longest_ms > STALL_MS]
    print(f"above {STALL_MS} ms: {', '.join(over) or 'none'}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
