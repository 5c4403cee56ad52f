"""What the fault guard costs: the same accesses with it and without it, in interleaved rounds.

python guard.py GUARDED UNGUARDED    the two programs that the build made of bench/guard.c
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 9


def run(program: str, file: Path) -> dict[str, float]:
    done = subprocess.run([program, str(file)], capture_output=True, text=True, check=True)
    return {name: float(time) for name, time in map(str.split, done.stdout.splitlines())}


def main() -> None:
    programs = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "file")
        rounds = [[run(program, file) for program in programs] for _ in range(ROUNDS)]
    print(f"the fault guard; medians of {ROUNDS} rounds\n")
    print(f"{'access':<14}{'without':>16}{'with':>16}{'difference':>14}")
    for name in rounds[0][0]:
        guarded, unguarded = (statistics.median(r[i][name] for r in rounds) for i in (0, 1))
        difference = guarded - unguarded
        print(f"{name:<14}{unguarded:>13,.2f} ns{guarded:>13,.2f} ns{difference:>+11,.2f} ns")


if __name__ == "__main__":
    main()
