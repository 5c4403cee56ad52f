"""Runs a command in a copy of this checkout as the user nobody.

    as_user.py COMMAND...

The superuser passes checks of permissions and limits that tests provoke. A user other than root
needs no copy: then nothing is run.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
USER = "nobody"


def copy_checkout(target: Path) -> None:
    """Copies every file that Git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


def give(folder: Path) -> None:
    """Makes the folder and everything in it the user's."""
    entry = pwd.getpwnam(USER)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def run(command: list[str], folder: Path, environment: dict[str, str]) -> int:
    group = pwd.getpwnam(USER).pw_gid
    return subprocess.run(
        command, cwd=folder, env=environment, user=USER, group=group, extra_groups=[], check=False
    ).returncode


def python_for_user(folder: Path) -> str:
    """This interpreter, or the system's if the user may not run this one."""
    try:
        run([sys.executable, "-c", ""], folder, {})
    except PermissionError:
        return "/usr/bin/python3"
    return sys.executable


def main(command: list[str]) -> int:
    if not command:
        sys.exit(__doc__)
    if os.geteuid() != 0:
        print("skipped: this is an ordinary user already")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkout = folder / "checkout"
        copy_checkout(checkout)
        give(folder)
        python = python_for_user(folder)
        # The user cannot install packages of the system.
        needs = [python, str(ROOT / "tools" / "setup.py"), "system", "build", "test"]
        subprocess.run(needs, check=True)
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("MAKE")},
            "HOME": name,
            "TMPDIR": name,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHON": python,
        }
        return run(command, checkout, environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
