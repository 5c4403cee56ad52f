"""How much more several threads do than one: scans of one map, and reads of single bytes.

    scaling.py [--threads 2] [--rounds 15] [--mib 256]

Rounds with one thread and with several come by turns, and the best of each counts, so that other
programs on the machine matter little. The factor is the work of all threads in a second, by that of
one thread.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import ironmap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

READS = 100_000


def seconds(works: Sequence[Callable[[], object]]) -> float:
    """From the first start to the last end of the works, each in a thread of its own."""
    ready = threading.Barrier(len(works))
    starts: list[float] = []
    ends: list[float] = []

    def run(work: Callable[[], object]) -> None:
        ready.wait()
        starts.append(time.perf_counter())
        work()
        ends.append(time.perf_counter())

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(ends) - min(starts)


def read_items(m: ironmap.mmap) -> None:
    for _ in range(READS):
        m[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--mib", type=int, default=256)
    given = parser.parse_args()
    maps = [ironmap.mmap(-1, given.mib << 20) for _ in range(given.threads)]
    for m in maps:
        m[:] = bytes(len(m))
    one = maps[0]
    rows: list[tuple[str, Callable[[ironmap.mmap], object], list[ironmap.mmap]]] = [
        ("find() in one map", lambda m: m.find(b"absent", 0), [one] * given.threads),
        ("count() in one map", lambda m: m.count(b"\1"), [one] * given.threads),
        ("m[i] of one map", read_items, [one] * given.threads),
        ("m[i] of a map each", read_items, maps),
    ]
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    print(f"Python {sys.version.split()[0]}, GIL {gil}, {given.threads} threads beside one")
    for name, use, used in rows:
        works = [partial(use, m) for m in used]
        singles: list[float] = []
        several: list[float] = []
        for _ in range(given.rounds):
            singles.append(seconds(works[:1]))
            several.append(seconds(works))
        factor = min(singles) * given.threads / min(several)
        print(
            f"{name:20} {min(singles) * 1e3:8.1f} ms  {min(several) * 1e3:8.1f} ms  x {factor:.2f}"
        )


if __name__ == "__main__":
    main()
