"""What the tests of consumers share: commands that must succeed, programs that run, skipping."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SKIPPED = 77  # the exit status that Meson knows


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Runs a command that must succeed, and returns its output."""
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


def skip(reason: str) -> None:
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def working(name: str) -> str | None:
    """The first program of this name in the PATH that runs: a wrapper may have none behind it."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = shutil.which(name, path=folder)
        if (
            path
            and subprocess.run([path, "--version"], capture_output=True, check=False).returncode
            == 0
        ):
            return path
    return None


def meson() -> str:
    """The first Meson in the PATH that runs."""
    return working("meson") or "meson"


def install(build: str, root: Path) -> None:
    """Installs a build into the folder `root`."""
    run(meson(), "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", root)


def the_only(root: Path, pattern: str) -> Path:
    [path] = root.rglob(pattern)
    return path
