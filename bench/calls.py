"""Times single calls of ironmap and the same calls of the standard mmap module.

Both map equal files in one process. A round times every call once with each module, in alternating
order. The table shows the median of the rounds, and the ratio of the minima, which load on the
machine disturbs least. Calls go through bound methods, many in a row without a loop, so that little
but the call is timed.
"""

from __future__ import annotations

import argparse
import json
import mmap
import platform
import statistics
import tempfile
import timeit
from pathlib import Path
from typing import NamedTuple

from environment import processor

import ironmap

LINE = b"the quick brown fox jumps over the lazy dog; again and again\n"
LINES = 100_000
UNROLL = 20
LOOPS = 2_000


class Call(NamedTuple):
    """A call to time: its name in the table, the statement, and the setup before each timing."""

    name: str
    statement: str
    setup: str = ""


CALLS = [
    Call("m[i]", "m[i]"),
    Call("m[i] = v", "m[i] = 113"),
    Call("m[a:b] (8 bytes)", "m[a:b]"),
    Call("len(m)", "len(m)"),
    Call("tell()", "f()", "f = m.tell"),
    Call("seek(i)", "f(i)", "f = m.seek"),
    Call("read_byte()", "f()", "m.seek(0); f = m.read_byte"),
    Call("write_byte(v)", "f(113)", "m.seek(0); f = m.write_byte"),
    Call("readline()", "f()", "m.seek(0); f = m.readline"),
    Call("find(b'lazy', i)", "f(b'lazy', i)", "f = m.find"),
]


class Result(NamedTuple):
    """Median nanoseconds of one call, and the ratio of the minima."""

    call: str
    standard_ns: float
    ironmap_ns: float
    ratio: float


def unrolled(statement: str, setup: str, names: dict[str, object]) -> timeit.Timer:
    """A timer of many repetitions of the statement, which can use these names."""
    return timeit.Timer("; ".join([statement] * UNROLL), setup or "pass", globals=names)


def timer(call: Call, view: mmap.mmap | ironmap.mmap) -> timeit.Timer:
    start = 1000 * len(LINE)
    names: dict[str, object] = {"m": view, "i": start, "a": start, "b": start + 8}
    return unrolled(call.statement, call.setup, names)


def nanoseconds(timing: timeit.Timer) -> float:
    return timing.timeit(LOOPS) / (LOOPS * UNROLL) * 1e9


def measure(call: Call, standard: mmap.mmap, ours: ironmap.mmap, rounds: int) -> Result:
    timers = (timer(call, standard), timer(call, ours))
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for which in (0, 1) if turn % 2 else (1, 0):
            times[which].append(nanoseconds(timers[which]))
    # The first round warms up.
    standard_ns, ironmap_ns = (statistics.median(each[1:]) for each in times)
    ratio = min(times[1][1:]) / min(times[0][1:])
    return Result(call.name, standard_ns, ironmap_ns, ratio)


def measure_all(rounds: int) -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("standard", "ironmap")]
        for path in paths:
            path.write_bytes(LINE * LINES)
        with (
            paths[0].open("r+b") as first,
            paths[1].open("r+b") as second,
            mmap.mmap(first.fileno(), 0) as standard,
            ironmap.mmap(second.fileno(), 0) as ours,
        ):
            return [measure(call, standard, ours, rounds) for call in CALLS]


def print_table(results: list[Result]) -> None:
    print(f"{'call':<20}{'mmap':>10}{'ironmap':>10}{'ratio':>8}")
    for result in results:
        times = f"{result.standard_ns:>7.1f} ns{result.ironmap_ns:>7.1f} ns"
        print(f"{result.call:<20}{times}{result.ratio:>8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=51, help="timings of each call (default 51)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, too")
    options = parser.parse_args()

    machine = {"python": platform.python_version(), "processor": processor()}
    print(f"CPython {machine['python']} on {machine['processor']}; medians of {options.rounds}\n")
    results = measure_all(options.rounds)
    print_table(results)
    if options.json:
        calls = [result._asdict() for result in results]
        options.json.write_text(json.dumps({**machine, "calls": calls}, indent=2) + "\n")


if __name__ == "__main__":
    main()
