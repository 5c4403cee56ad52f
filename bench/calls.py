"""Times single calls of ironmap and the same calls of the standard mmap module.

Each call comes in two forms, since CPython specialises them in different ways:

- as written: the statement of a program, in a function with the map in a local variable. Method
  and map are looked up each time: `m.tell()`.
- bound: through a method that was looked up before: `f = m.tell`, then `f()`.
- export: as written, and it gets the map's memory. That is no goal: ironmap looks each time if
  its fault handler is still there, and its signal not blocked, which are two system calls.

Both modules map equal files in one process. A round times every call once with each module, in
alternating order. The table shows the median of the rounds, and the ratio of the minima, which load
on the machine disturbs least. Many calls follow in a row without a loop, so that little but the
call is timed.
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
from record import BOUND, EXPORT, WRITTEN

import ironmap

LINE = b"the quick brown fox jumps over the lazy dog; again and again\n"
LINES = 100_000
UNROLL = 20
LOOPS = 250

# Where items and slices lie, and where the calls write: behind all that the others read.
START = 1000 * len(LINE)
NAMES = {
    "i": START,
    "j": START + len(LINE),
    "a": START,
    "b": START + 8,
    "k": START + 4096,
    "w": LINES // 2 * len(LINE),
    "eight": b"12345678",
}


class Call(NamedTuple):
    """A call to time: its name in the table, its form, the statement, and the setup before each
    timing."""

    name: str
    form: str
    statement: str
    setup: str


def statement(name: str, written: str = "", setup: str = "pass", form: str = WRITTEN) -> list[Call]:
    """An operator or a builtin function, which has no bound form."""
    return [Call(name, form, written or name, setup)]


def method(written: str, setup: str = "pass", name: str = "") -> list[Call]:
    """`m.name(arguments)` in both forms."""
    what, _, arguments = written.removeprefix("m.").partition("(")
    name = name or f"{what}({arguments}"
    return [
        Call(name, WRITTEN, written, setup),
        Call(name, BOUND, f"f({arguments}", f"{setup}; f = m.{what}"),
    ]


UNPACK = "from struct import Struct; unpack_from = Struct('<I').unpack_from"
CALLS = [
    *statement("m[i]"),
    *statement("m[i] = v", "m[w] = 113"),
    *statement("m[a:b] (8 bytes)", "m[a:b]"),
    *statement("m[a:k] (4 KiB)", "m[a:k]"),
    *statement("m[a:b] = v", "m[w:e] = eight", "e = w + 8"),
    *statement("len(m)"),
    *statement("next(iter(m))", "next(items)", "items = iter(m)"),
    *statement("b'q' in m", "b'q' in m"),
    *statement("memoryview(m)", form=EXPORT),
    *statement("unpack_from(m, i)", setup=UNPACK, form=EXPORT),
    *statement("m.closed"),
    *method("m.tell()", "m.seek(i)"),
    *method("m.seek(i)"),
    *method("m.seek(0, 2)"),
    *method("m.size()"),
    *method("m.read_byte()", "m.seek(0)"),
    *method("m.read(8)", "m.seek(0)"),
    *method("m.readline()", "m.seek(0)"),
    *method("m.write_byte(113)", "m.seek(w)", "write_byte(v)"),
    *method("m.write(eight)", "m.seek(w)", "write(8 bytes)"),
    *method("m.move(w, i, 8)"),
    *method("m.find(b'lazy', i)"),
    *method("m.find(b'lazy', i, j)"),
    *method("m.rfind(b'lazy', i, j)"),
]


class Result(NamedTuple):
    """Median nanoseconds of one call, and the ratio of the minima."""

    call: str
    standard_ns: float
    ironmap_ns: float
    ratio: float
    form: str


def unrolled(statement: str, setup: str, names: dict[str, object]) -> timeit.Timer:
    """A timer of many repetitions of the statement, which can use these names."""
    return timeit.Timer("; ".join([statement] * UNROLL), setup or "pass", globals=names)


def timer(call: Call, view: mmap.mmap | ironmap.mmap) -> timeit.Timer:
    """Setup and statement are in one function, so the names of the setup are its local ones."""
    names: dict[str, object] = {f"the_{name}": value for name, value in NAMES.items()}
    names["view"] = view
    local = f"m, {', '.join(NAMES)} = view, {', '.join(f'the_{name}' for name in NAMES)}"
    return unrolled(call.statement, f"{local}; {call.setup}", names)


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
    return Result(call.name, standard_ns, ironmap_ns, ratio, call.form)


def measure_all(rounds: int, calls: list[Call] = CALLS) -> list[Result]:
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
            return [measure(call, standard, ours, rounds) for call in calls]


def print_table(results: list[Result]) -> None:
    print(f"{'call':<26}{'form':<8}{'mmap':>10}{'ironmap':>10}{'ratio':>8}")
    for result in results:
        times = f"{result.standard_ns:>7.1f} ns{result.ironmap_ns:>7.1f} ns"
        print(f"{result.call:<26}{result.form:<8}{times}{result.ratio:>8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=201, help="timings of each call (default 201)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, too")
    parser.add_argument("--only", default="", metavar="TEXT", help="calls whose name has this text")
    options = parser.parse_args()
    machine = {"python": platform.python_version(), "processor": processor()}
    print(f"CPython {machine['python']} on {machine['processor']}; medians of {options.rounds}\n")
    results = measure_all(options.rounds, [call for call in CALLS if options.only in call.name])
    print_table(results)
    if options.json:
        calls = [result._asdict() for result in results]
        options.json.write_text(json.dumps({**machine, "calls": calls}, indent=2) + "\n")


if __name__ == "__main__":
    main()
