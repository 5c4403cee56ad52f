"""The cost of the fault guard: the same accesses with and without it, in interleaved rounds.

python guard.py FOLDER    FOLDER has the programs built from bench/guard.c
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 9
KINDS = {
    "called": "the library as installed: each access is a call",
    "inlined": "the library built into the program: the compiler may inline the access",
}


def run(program: Path, file: Path) -> dict[str, float]:
    done = subprocess.run([program, file], capture_output=True, text=True, check=True)
    return {name: float(time) for name, time in map(str.split, done.stdout.splitlines())}


def compare(folder: Path, kind: str, file: Path) -> None:
    programs = [folder / f"guard-{kind}-{half}" for half in ("guarded", "unguarded")]
    rounds = [[run(program, file) for program in programs] for _ in range(ROUNDS)]
    print(f"\n{KINDS[kind]}")
    print(f"{'access':<14}{'without':>16}{'with':>16}{'difference':>16}")
    for name in rounds[0][0]:
        guarded, unguarded = (statistics.median(r[i][name] for r in rounds) for i in (0, 1))
        difference = guarded - unguarded
        print(
            f"{name:<14}{unguarded:>13,.2f} ns{guarded:>13,.2f} ns{difference:>+13,.2f} ns"
            f"{difference / unguarded:>+9.1%}"
        )


def main() -> None:
    folder = Path(sys.argv[1])
    print(f"the fault guard; medians of {ROUNDS} rounds")
    with tempfile.TemporaryDirectory() as scratch:
        for kind in KINDS:
            compare(folder, kind, Path(scratch, "file"))


if __name__ == "__main__":
    main()
