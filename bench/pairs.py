"""Threads that use one map by turns: the throughput of ironmap beside that of the standard module.

Half of the threads do one operation in a loop, and the other half another one. What they do is
counted in the time that each operation takes the standard module in one thread. Both modules are
measured in interleaved rounds. Columns: the time that ironmap takes for as much work as the
standard module does in 1, the median of the rounds; and the same for each half alone.
"""

from __future__ import annotations

import argparse
import mmap
import statistics
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import ironmap

if TYPE_CHECKING:
    from collections.abc import Callable

MODULES = {"mmap": mmap, "ironmap": ironmap}
SIZES = {
    "1 B": 1,
    "8 KiB": 8 << 10,
    "70 kB": 70_000,
    "256 KiB": 256 << 10,
    "1 MiB": 1 << 20,
    "16 MiB": 16 << 20,
}
THREADS = (2, 4, 8)
LENGTH = 16 << 20


def stores(m: Any, size: int) -> Callable[[], object]:
    data = bytes(size)

    def store() -> None:
        m[:size] = data

    return store


def reads(m: Any, size: int) -> Callable[[], object]:
    return lambda: m[:size]


def reads_a_byte(m: Any, size: int) -> Callable[[], object]:
    return lambda: m[0]


def stores_a_byte(m: Any, size: int) -> Callable[[], object]:
    return lambda: m.__setitem__(0, size & 1)


class Pair(NamedTuple):
    """What the two halves of the threads do with a map, on so many bytes."""

    name: str
    halves: tuple[Callable[[Any, int], Callable[[], object]], ...]


PAIRS = (
    Pair("stores beside m[0]", (stores, reads_a_byte)),
    Pair("reads beside m[0] =", (reads, stores_a_byte)),
    Pair("stores beside reads", (stores, reads)),
    Pair("stores beside stores", (stores, stores)),
    Pair("reads beside reads", (reads, reads)),
)


def work_of(pair: Pair, module: Any, size: int, threads: int, seconds: float) -> list[float]:
    """How often each half did its operation in a second."""
    counts = [0.0] * threads
    ended = False
    go = threading.Barrier(threads + 1)

    def work(index: int, operation: Callable[[], object]) -> None:
        done = 0
        go.wait()
        while not ended:
            operation()
            done += 1
        counts[index] = done

    with module.mmap(-1, LENGTH) as m:
        m[:] = bytes(LENGTH)
        operations = [pair.halves[i % len(pair.halves)](m, size) for i in range(threads)]
        workers = [threading.Thread(target=work, args=job) for job in enumerate(operations)]
        for worker in workers:
            worker.start()
        go.wait()
        begin = time.perf_counter()
        time.sleep(seconds)
        ended = True
        for worker in workers:
            worker.join()
        elapsed = time.perf_counter() - begin
    return [sum(counts[half::2]) / elapsed for half in range(2)]


def alone(operation: Callable[[], object]) -> float:
    """Seconds that it takes in one thread."""
    best = float("inf")
    for _ in range(20):
        begin = time.perf_counter()
        operation()
        best = min(best, time.perf_counter() - begin)
    return best


def times(pair: Pair, size: int, threads: int, rounds: int, seconds: float) -> list[float]:
    """The times of both halves together and of each, in those of the standard module."""
    with mmap.mmap(-1, LENGTH) as m:
        m[:] = bytes(LENGTH)
        costs = [alone(half(m, size)) for half in pair.halves]
    ratios: list[list[float]] = [[], [], []]
    for _ in range(rounds):
        done = {
            name: work_of(pair, module, size, threads, seconds) for name, module in MODULES.items()
        }
        theirs, ours = (
            [count * cost for count, cost in zip(done[name], costs, strict=True)]
            for name in MODULES
        )
        each = zip([sum(theirs), *theirs], [sum(ours), *ours], ratios, strict=True)
        for there, here, ratio in each:
            ratio.append(there / max(here, 1e-9))
    return [statistics.median(ratio) for ratio in ratios]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each run (default 0.2)")
    parser.add_argument("--threads", type=int, nargs="*", default=THREADS)
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES))
    options = parser.parse_args()
    print("| threads | work | bytes | both | first half | second half |")
    print("| --- | --- | --- | --- | --- | --- |")
    for threads in options.threads:
        for pair in PAIRS:
            for size in options.sizes:
                found = times(pair, SIZES[size], threads, options.rounds, options.seconds)
                cells = " | ".join(f"{ratio:.2f}" for ratio in found)
                print(f"| {threads} | {pair.name} | {size} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
