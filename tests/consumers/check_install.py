#!/usr/bin/env python3
"""Installs a build into a folder, and builds a program with the installed copy and pkg-config.

check_install.py BUILD PROGRAM.c VERSION NM OBJDUMP COMPILER...

The program must run with the shared and with the static library, and on Linux as a static program.
IRONMAP_EXE_WRAPPER names the emulator for other processors and for Windows. The shared library must
have its soname, and export the public names and nothing else.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from consumer import install, run, the_only


def public_names(header: Path) -> set[str]:
    declarations = re.findall(r"IRONMAP_API[^;{]*?\b(ironmap_\w+)\(", header.read_text())
    return set(declarations)


def pkg_config(pc: Path, root: Path, *options: str) -> list[str]:
    output = run(
        os.environ.get("PKG_CONFIG", "pkg-config"),
        *options,
        "ironmap",
        PKG_CONFIG_LIBDIR=str(pc.parent),
        PKG_CONFIG_SYSROOT_DIR=str(root),
    )
    return shlex.split(output)


def check_exported(root: Path, exported: set[str]) -> None:
    names = public_names(the_only(root, "ironmap.h")) | public_names(the_only(root, "extra.h"))
    assert exported == names, f"exported or declared, and not both: {sorted(exported ^ names)}"


def check_shared_object(root: Path, version: str, nm: str) -> Path:
    shared = the_only(root, f"libironmap.so.{version}")
    soname = run("readelf", "--dynamic", shared)
    assert "soname: [libironmap.so.0]" in soname, soname
    table = run(nm, "--dynamic", "--defined-only", "--format=posix", shared)
    check_exported(root, {line.split()[0] for line in table.splitlines()})
    return shared


def check_dll(root: Path, objdump: str) -> Path:
    """Its name has the version that an ABI has; a link names the import library."""
    shared = the_only(root, "libironmap-0.dll")
    assert the_only(root, "libironmap.dll.a").is_file()
    table = run(objdump, "--private-headers", shared)
    _, _, exports = table.partition("[Ordinal/Name Pointer] Table")
    exports, _, _ = exports.partition("\n\n")
    check_exported(root, set(re.findall(r"\[\s*\d+\] (\w+)", exports)))
    return shared


def main() -> None:
    build, program, version, nm, objdump, *compiler = sys.argv[1:]
    wrapper = shlex.split(os.environ.get("IRONMAP_EXE_WRAPPER", ""))
    with tempfile.TemporaryDirectory() as folder:
        root, work = Path(folder, "root"), Path(folder, "work")
        work.mkdir()
        install(build, root)
        is_dll = any(root.rglob("*.dll"))
        library = check_dll(root, objdump) if is_dll else check_shared_object(root, version, nm)
        pc = the_only(root, "ironmap.pc")
        assert pkg_config(pc, root, "--modversion") == [version]

        # Windows looks for a DLL beside the program.
        if is_dll:
            shutil.copy(library, work)
        flags = pkg_config(pc, root, "--cflags", "--libs")
        run(*compiler, program, *flags, "-o", work / "shared.exe")
        shared = run(*wrapper, work / "shared.exe", cwd=work, LD_LIBRARY_PATH=str(library.parent))

        archive = the_only(root, "libironmap.a")
        flags = [*pkg_config(pc, root, "--cflags"), "-DIRONMAP_STATIC"]
        needed = pkg_config(pc, root, "--static", "--libs-only-l")
        libraries = [flag for flag in needed if flag != "-lironmap"]
        run(*compiler, program, *flags, archive, *libraries, "-o", work / "static.exe")
        static = run(*wrapper, work / "static.exe", cwd=work)
        assert shared == static, (shared, static)

        if not is_dll:
            flags = pkg_config(pc, root, "--static", "--cflags", "--libs")
            run(*compiler, "-static", program, *flags, "-o", work / "alone.exe")
            assert run(*wrapper, work / "alone.exe", cwd=work) == shared
    print(shared, end="")


if __name__ == "__main__":
    main()
