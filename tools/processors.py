"""Installs what building and testing for another processor needs.

    processors.py NAME    installs it, and prints the names of the files of machines/ that configure
                          a build for NAME

The compiler and qemu-user are packages of the system. cmocka is Debian's package for the processor,
unpacked into build/sysroot/ by a separate apt, so that the system gets no foreign architecture.
If something is unavailable, prints one line and exits with 1.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import debian
import setup

ROOT = Path(__file__).resolve().parent.parent
SYSROOTS = ROOT / "build" / "sysroot"
MACHINES = ROOT / "machines"
PACKAGES = ["libcmocka0", "libcmocka-dev"]


class Processor(NamedTuple):
    """A processor: Debian's name of it, its compiler, and its emulator."""

    debian: str
    compiler: list[str]
    packages: list[str]
    qemu: str


def cross(debian: str, triplet: str, qemu: str) -> Processor:
    packages = [f"gcc-{triplet}", f"libc6-dev-{debian}-cross"]
    return Processor(debian, [f"{triplet}-gcc"], packages, qemu)


PROCESSORS = {
    # gcc-12-multilib: gcc-multilib does not go beside the cross compilers.
    "i386": Processor("i386", ["gcc", "-m32"], ["gcc-12-multilib", "libc6-dev-i386"], "qemu-i386"),
    "aarch64": cross("arm64", "aarch64-linux-gnu", "qemu-aarch64"),
    "armhf": cross("armhf", "arm-linux-gnueabihf", "qemu-arm"),
    "s390x": cross("s390x", "s390x-linux-gnu", "qemu-s390x"),
}


def links(processor: Processor, output: str = os.devnull) -> bool:
    """True if a program can be built. It is left in `output`."""
    command = [*processor.compiler, "-x", "c", "-", "-o", output]
    if not shutil.which(command[0]):
        return False
    source = "#include <errno.h>\nint main(void) { return errno; }"
    if "-m32" in command:
        command[1:1] = ["-idirafter", "/usr/include/x86_64-linux-gnu"]
    result = subprocess.run(
        command, input=source, text=True, stderr=subprocess.DEVNULL, check=False
    )
    return result.returncode == 0


def runs_here(processor: Processor) -> bool:
    """True if this machine has a compiler for the processor and runs its programs without qemu."""
    if processor.compiler[0] != "gcc":
        return False
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder, "program"))
        return links(processor, program) and subprocess.run([program], check=False).returncode == 0


# ---- cmocka for another processor --------------------------------------------------------------


def sysroot(architecture: str) -> None:
    """Unpacks the packages into build/sysroot/ARCHITECTURE, atomically."""
    target = SYSROOTS / architecture
    if target.exists():
        return
    if not debian.present():
        sys.exit("missing: cmocka for another processor, which is taken from Debian's packages")
    print(f"unpacking cmocka for {architecture}", file=sys.stderr)
    SYSROOTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SYSROOTS, prefix=".new-") as folder:
        root = Path(folder, "root")
        for package in debian.packages(Path(folder, "apt").absolute(), architecture, PACKAGES):
            subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
        root.rename(target)


# ---- everything --------------------------------------------------------------------------------


def prepare(name: str) -> list[str]:
    processor = PROCESSORS[name]
    compiler = setup.Need(f"a C compiler for {name}", lambda: links(processor), processor.packages)
    emulator = setup.Need("qemu-user", lambda: bool(shutil.which(processor.qemu)), ["qemu-user"])
    setup.get([compiler])
    files = [name]
    if not runs_here(processor):
        setup.get([emulator])
        files += [qemu for qemu in [f"{name}-qemu"] if (MACHINES / f"{qemu}.ini").exists()]
    sysroot(processor.debian)
    return files


def main(arguments: list[str]) -> None:
    if len(arguments) != 1 or arguments[0] not in PROCESSORS:
        sys.exit(__doc__)
    try:
        # The output is the files alone. What is being installed is told on the other stream.
        with contextlib.redirect_stdout(sys.stderr):
            files = prepare(arguments[0])
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed: {shlex.join(error.cmd)}")
    print(*files)


if __name__ == "__main__":
    main(sys.argv[1:])
