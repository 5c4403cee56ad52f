#!/usr/bin/env python3
"""Builds a program with CMake's find_package(ironmap), and an installed copy.

check_cmake.py BUILD PROGRAM.c

The installed copy is moved first, which it must survive. The program must run with the shared and
with the static library.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from consumer import install, run, skip, the_only, working

PROJECT = """
cmake_minimum_required(VERSION 3.16)
project(consumer LANGUAGES C)
find_package(ironmap {version} REQUIRED CONFIG)
foreach(kind ironmap shared static)
  add_executable(${{kind}} "{program}")
  target_link_libraries(${{kind}} PRIVATE ironmap::${{kind}})
endforeach()
"""


def main() -> None:
    build, program = sys.argv[1:]
    cmake = working("cmake")
    if cmake is None:
        skip("CMake is not installed")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install(build, folder / "root")
        (folder / "root").rename(folder / "moved")
        config = the_only(folder / "moved", "ironmap-config.cmake")
        (folder / "CMakeLists.txt").write_text(PROJECT.format(version="0.1", program=program))
        run(cmake, "-S", folder, "-B", folder / "build", f"-Dironmap_DIR={config.parent}")
        run(cmake, "--build", folder / "build")
        outputs = {
            run(folder / "build" / kind, cwd=folder) for kind in ("ironmap", "shared", "static")
        }
        assert len(outputs) == 1, outputs

        (folder / "CMakeLists.txt").write_text(PROJECT.format(version="0.2", program=program))
        wrong = [
            cmake,
            "-S",
            str(folder),
            "-B",
            str(folder / "other"),
            f"-Dironmap_DIR={config.parent}",
        ]
        run("sh", "-c", '! "$@"', "sh", *wrong)
    print(*outputs, end="")


if __name__ == "__main__":
    main()
