"""Truncate a mapped file: with the standard module the process dies, with ironmap it survives."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import ironmap

PATH = Path("log.txt")
LENGTH = 64 * ironmap.PAGESIZE

# The same program for both modules: map the file, truncate it, read a byte that it lost.
READ_LOST_PAGE = """
import os, sys
module = __import__(sys.argv[1])
with open("log.txt", "r+b") as file:
    m = module.mmap(file.fileno(), 0)
    os.truncate("log.txt", 100)
    try:
        m[-1]
    except OSError as error:
        print(error)
"""


def make_file() -> None:
    PATH.write_bytes(b"a line of the log\n" * (LENGTH // 18 + 1))
    os.truncate(PATH, LENGTH)


def run_with(module: str) -> str:
    """Runs the program with `module`, and returns how it ended."""
    make_file()
    command = [sys.executable, "-c", READ_LOST_PAGE, module]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode < 0:
        return f"killed by {signal.Signals(-done.returncode).name}"
    if done.returncode > 0:
        return f"ended with status {done.returncode}"
    return f"survives: {done.stdout.strip()}"


print("A file is truncated while a program has it mapped, and the program reads a lost byte.")
print("  with mmap: ", run_with("mmap"))
print("  with ironmap:", run_with("ironmap"))

make_file()
with PATH.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as m:
    print("\nThe map still has the pages that the file has, and gets lost ones back from the file.")
    os.truncate(PATH, 100)
    try:
        m.find(b"not in the log")
    except ironmap.FaultError as error:
        print(f"  find: FaultError at offset {error.offset}")
    print("  the first line:", m.readline())
    os.truncate(PATH, LENGTH)
    print("  the last byte, after the file is extended again:", m[-1])

    print("\nA regular expression reads a lost page as zeros. guarded() makes that an error.")
    os.truncate(PATH, 100)
    try:
        with m.guarded():
            print("  search:", re.search(rb"not in the log", m))
    except ironmap.FaultError as error:
        print(f"  guarded: FaultError at offset {error.offset}")
    print("  damaged:", m.damaged)
    m.clear_damage()
    print("  cleared; the first byte:", m[0])
