#!/usr/bin/env python3
"""Builds README's C program with the static library, and compares what it does with its comment.

check_readme.py README.md INCLUDE LIBRARY COMPILER...
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from consumer import run

BEFORE = b"HELLO world!\n"  # what README's first example leaves
AFTER = b"HELLO World!\n"


def main() -> None:
    readme, include, library, *compiler = sys.argv[1:]
    [program] = re.findall(r"^```c\n(.*?)^```", Path(readme).read_text(), re.DOTALL | re.MULTILINE)
    [promised] = re.findall(r"/\* prints (.*?) \*/", program)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hello.c").write_text(program)
        (folder / "hello.txt").write_bytes(BEFORE)
        flags = ["-std=c17", "-Wall", "-Wextra", "-Werror", "-DIRONMAP_STATIC", "-pthread"]
        archive = Path(library).resolve()
        run(*compiler, *flags, f"-I{include}", "hello.c", archive, "-o", "hello", cwd=folder)
        printed = run(folder / "hello", cwd=folder)
        if printed != f"{promised}\n":
            sys.exit(f"README's program prints {printed!r}")
        if (folder / "hello.txt").read_bytes() != AFTER:
            sys.exit("README's program has not changed the file")


if __name__ == "__main__":
    main()
