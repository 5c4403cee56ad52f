#!/usr/bin/env python3
"""Installs a build into a folder of its own and builds a program with it, outside the tree.

check_install.py BUILD PROGRAM.c VERSION NM COMPILER...

The program must build through pkg-config and run with the shared and with the static library; what
is for another processor, in the wrapper that MAPIO_EXE_WRAPPER names. The shared library must have
its soname, and export the public names and nothing else.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    result = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        sys.exit(f"{shlex.join(map(str, command))}\n{result.stdout}")
    return result.stdout


def public_names(header: Path) -> set[str]:
    declarations = re.findall(r"MAPIO_API[^;{]*?\b(mapio_\w+)\(", header.read_text())
    return set(declarations)


def exported_names(nm: str, library: Path) -> set[str]:
    table = run(nm, "--dynamic", "--defined-only", "--format=posix", library)
    return {line.split()[0] for line in table.splitlines()}


def pkg_config(pc: Path, root: Path, *options: str) -> list[str]:
    output = run(
        os.environ.get("PKG_CONFIG", "pkg-config"),
        *options,
        "mapio",
        PKG_CONFIG_LIBDIR=str(pc.parent),
        PKG_CONFIG_SYSROOT_DIR=str(root),
    )
    return shlex.split(output)


def the_only(root: Path, pattern: str) -> Path:
    [path] = root.rglob(pattern)
    return path


def check_library(root: Path, version: str, nm: str) -> Path:
    shared = the_only(root, f"libmapio.so.{version}")
    soname = run("readelf", "--dynamic", shared)
    assert "soname: [libmapio.so.0]" in soname, soname
    names, exported = public_names(the_only(root, "mapio.h")), exported_names(nm, shared)
    assert exported == names, f"exported or declared, and not both: {sorted(exported ^ names)}"
    return shared.parent


def main() -> None:
    build, program, version, nm, *compiler = sys.argv[1:]
    wrapper = shlex.split(os.environ.get("MAPIO_EXE_WRAPPER", ""))
    with tempfile.TemporaryDirectory() as folder:
        root, work = Path(folder, "root"), Path(folder, "work")
        work.mkdir()
        meson = shutil.which("meson") or "meson"
        run(meson, "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", root)
        libraries = check_library(root, version, nm)
        pc = the_only(root, "mapio.pc")
        assert pkg_config(pc, root, "--modversion") == [version]

        flags = pkg_config(pc, root, "--cflags", "--libs")
        run(*compiler, program, *flags, "-o", work / "shared")
        shared = run(*wrapper, work / "shared", cwd=work, LD_LIBRARY_PATH=str(libraries))

        flags = pkg_config(pc, root, "--cflags")
        run(*compiler, program, *flags, libraries / "libmapio.a", "-o", work / "static")
        static = run(*wrapper, work / "static", cwd=work)
        assert shared == static, (shared, static)
    print(shared, end="")


if __name__ == "__main__":
    main()
