"""Runs a command on several file systems.

    file_systems.py COMMAND ARGUMENT...

For each of ext4, XFS, btrfs, tmpfs and hugetlbfs it makes a file system of its own, and runs the
command with TMPDIR set to a folder in it. What this machine cannot mount is skipped in one line,
and all of them if this is not root. File systems and images are removed at the end, also after a
signal. Exits with 1 if a command fails.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HUGE_PAGES = Path("/proc/sys/vm/nr_hugepages")
HUGE_PAGES_NEEDED = 32


class FileSystem(NamedTuple):
    """A file system: what makes one in an image, or nothing if it is in memory."""

    name: str
    make: list[str]
    size: int = 0


FILE_SYSTEMS = [
    FileSystem("ext4", ["mkfs.ext4", "-q", "-F"], 128 << 20),
    FileSystem("xfs", ["mkfs.xfs", "-q", "-f"], 320 << 20),
    FileSystem("btrfs", ["mkfs.btrfs", "-q", "-f"], 256 << 20),
    FileSystem("tmpfs", []),
    FileSystem("hugetlbfs", []),
]


class UnavailableError(Exception):
    """This machine has no such file system. The reason is the text."""


def run(*command: str | Path) -> None:
    """Runs a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnavailableError(done.stderr.strip() or f"{command[0]} exits with {done.returncode}")


@contextmanager
def huge_pages() -> Iterator[None]:
    """Huge pages for a while, beside those that there are."""
    if not HUGE_PAGES.exists():
        raise UnavailableError("this system has no huge pages")
    before = int(HUGE_PAGES.read_text())
    HUGE_PAGES.write_text(str(before + HUGE_PAGES_NEEDED))
    try:
        if int(HUGE_PAGES.read_text()) < before + HUGE_PAGES_NEEDED:
            raise UnavailableError("no memory for huge pages")
        yield
    finally:
        HUGE_PAGES.write_text(str(before))


@contextmanager
def mounted(system: FileSystem, folder: Path) -> Iterator[Path]:
    """A new file system of this kind, mounted in `folder`."""
    point = folder / "mounted"
    image = folder / "image"
    point.mkdir()
    with ExitStack() as stack:
        if system.name == "hugetlbfs":
            stack.enter_context(huge_pages())
        if system.make:
            if not shutil.which(system.make[0]):
                raise UnavailableError(f"there is no {system.make[0]}")
            with image.open("wb") as file:
                file.truncate(system.size)
            run(*system.make, image)
            # The loop device goes with the mount.
            run("mount", "-t", system.name, "-o", "loop", image, point)
        else:
            run("mount", "-t", system.name, "ironmap-test", point)
        try:
            yield point
        finally:
            # What is in use goes as soon as it is not.
            if subprocess.run(["umount", point], check=False).returncode != 0:
                subprocess.run(["umount", "--lazy", point], check=True)


def succeeds(command: list[str], folder: Path) -> bool:
    """Runs the command. Its whole group of processes ends if this one is interrupted."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, env=environment, start_new_session=True) as process:
        try:
            return process.wait() == 0
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def run_on(system: FileSystem, command: list[str]) -> bool:
    """Runs the command on a new file system. True if it succeeds or cannot run."""
    with tempfile.TemporaryDirectory(prefix="ironmap-file-system-") as folder:
        try:
            with mounted(system, Path(folder)) as point:
                print(f"== {system.name}", flush=True)
                return succeeds(command, point)
        except UnavailableError as error:
            print(f"skipped: {system.name}: {error}", flush=True)
            return True


def main(command: list[str]) -> int:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        print("skipped: other file systems, which need root")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = [system.name for system in FILE_SYSTEMS if not run_on(system, command)]
    if failed:
        print(f"failed on {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
