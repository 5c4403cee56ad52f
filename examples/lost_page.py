"""Cut a file short under its map: the standard module's process dies, ironmap's goes on living."""

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

# The same program for both modules: map the file, cut it short, read what is no longer there.
READ_LOST_PAGE = """
import os, sys
module = __import__(sys.argv[1])
with open("log.txt", "r+b") as file:
    map = module.mmap(file.fileno(), 0)
    os.truncate("log.txt", 100)
    try:
        map[-1]
    except OSError as error:
        print(error)
"""


def make_file() -> None:
    PATH.write_bytes(b"a line of the log\n" * (LENGTH // 18 + 1))
    os.truncate(PATH, LENGTH)


def run_with(module: str) -> str:
    """What becomes of the program when it uses `module`."""
    make_file()
    command = [sys.executable, "-c", READ_LOST_PAGE, module]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode < 0:
        return f"killed by {signal.Signals(-done.returncode).name}"
    if done.returncode > 0:
        return f"ended with status {done.returncode}"
    return f"lives, and was told: {done.stdout.strip()}"


print("A file is cut short while a program has it mapped, and the program reads on.")
print("  with mmap: ", run_with("mmap"))
print("  with ironmap:", run_with("ironmap"))

make_file()
with PATH.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as map:
    print("\nThe map serves the pages that are left, and the lost ones once they are back.")
    os.truncate(PATH, 100)
    try:
        map.find(b"not in the log")
    except ironmap.FaultError as error:
        print(f"  find: FaultError at byte {error.offset}")
    print("  the first line:", map.readline())
    os.truncate(PATH, LENGTH)
    print("  the last byte, now that the file is long again:", map[-1])

    print("\nA regular expression sees zeros in a lost page; guarded() does not let that pass.")
    os.truncate(PATH, 100)
    try:
        with map.guarded():
            print("  search:", re.search(rb"not in the log", map))
    except ironmap.FaultError as error:
        print(f"  guarded: FaultError at byte {error.offset}")
    print("  damaged:", map.damaged)
    map.clear_damage()
    print("  cleared; the first byte:", map[0])
