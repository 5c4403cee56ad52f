"""Runs bench/kernels.c, which times the search kernels alone."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from record import Kernel

if TYPE_CHECKING:
    from pathlib import Path


def run(program: Path, rounds: int) -> list[Kernel]:
    done = subprocess.run([str(program), str(rounds)], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    return [
        Kernel(name, operation, int(n), int(m), float(median), float(minimum))
        for name, operation, n, m, median, minimum in lines
    ]
