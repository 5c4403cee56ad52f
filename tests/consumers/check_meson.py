#!/usr/bin/env python3
"""Builds the library with another Meson than that of the tests, or as a part of another project.

check_meson.py subproject SOURCE PROGRAM.c    dependency('ironmap') of a project with a subproject
check_meson.py system SOURCE PROGRAM.c        the system's Meson, which may be as old as 1.0
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from consumer import meson, run, skip

PROJECT = """
project('consumer', 'c')
executable('hello', '{program}', dependencies: dependency('ironmap'))
"""
WRAP = """
[wrap-file]
directory = ironmap

[provide]
dependency_names = ironmap
"""
SYSTEM = "/usr/bin/meson"


def check_subproject(source: str, program: str, folder: Path) -> str:
    subprojects = folder / "subprojects"
    subprojects.mkdir()
    (subprojects / "ironmap").symlink_to(source)
    (subprojects / "ironmap.wrap").write_text(WRAP)
    (folder / "meson.build").write_text(PROJECT.format(program=program))
    build = folder / "build"
    options = ["--wrap-mode=forcefallback", "--default-library=static", "-Doptimization=0"]
    run(meson(), "setup", *options, build, folder)
    run(meson(), "compile", "-C", build)
    return run(build / "hello", cwd=folder)


def check_system(source: str, folder: Path) -> str:
    """Everything is configured, and the library and the examples are built."""
    if not os.access(SYSTEM, os.X_OK):
        skip(f"there is no {SYSTEM}")
    path = "/usr/bin:/bin"
    options = ["-Dtests=enabled", "-Dexamples=enabled", "-Doptimization=0"]
    run(SYSTEM, "setup", *options, folder / "build", source, PATH=path)
    targets = ["ironmap:shared_library", "ironmap:static_library", "hello"]
    run(SYSTEM, "compile", "-C", folder / "build", *targets, PATH=path)
    return run(folder / "build" / "examples" / "hello", cwd=folder)


def main() -> None:
    kind, source, program = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if kind == "subproject":
            print(check_subproject(source, program, folder), end="")
        else:
            print(check_system(source, folder), end="")


if __name__ == "__main__":
    main()
