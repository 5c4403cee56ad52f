#!/usr/bin/env python3
"""Compiles the library from its amalgamation, without options, and runs a program with it.

check_amalgamation.py SOURCE PROGRAM.c COMPILER...

clang, and the compilers for Windows and for 64-bit ARM, compile it too if they are installed. They
do not optimize, which takes most of the time.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from consumer import run

OTHERS = ["clang", "x86_64-w64-mingw32-gcc", "aarch64-linux-gnu-gcc"]


def main() -> None:
    source, program, *compiler = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, Path(source, "tools", "amalgamate.py"), folder)
        text = Path(program).read_text().replace("<ironmap/ironmap.h>", '"ironmap.h"')
        (folder / "program.c").write_text(text)
        run(*compiler, "-O2", "-c", "ironmap.c", cwd=folder)
        run(*compiler, "-pthread", "program.c", "ironmap.o", "-o", "program", cwd=folder)
        output = run(folder / "program", cwd=folder)
        for other in filter(shutil.which, OTHERS):
            run(other, "-O0", "-Werror", "-c", "ironmap.c", "-o", "other.o", cwd=folder)
    print(output, end="")


if __name__ == "__main__":
    main()
