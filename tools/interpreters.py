"""Prints every CPython from 3.10 on that this machine has: "NAME PART PATH", one a line.

Looks at pyenv's versions, /usr/bin and the PATH. Each real executable comes once. NAME is its
version, fit for a folder name and different for each. PART is "end" for the oldest and the newest
version, "debug" for debug builds (Debian's python3-dbg), and "middle" for all others.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PROBE = """
import os, platform, sys, sysconfig
supported = sys.version_info >= (3, 10) and sys.implementation.name == "cpython"
if supported and not sysconfig.get_config_var("Py_GIL_DISABLED"):
    debug = "-debug" if hasattr(sys, "gettotalrefcount") else ""
    version = platform.python_version() + debug
    print(*sys.version_info[:3], version, os.path.realpath(sys.executable))
"""


def candidates() -> list[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = sorted(pyenv.glob("versions/*/bin"))
    folders += [Path("/usr/bin"), *map(Path, os.environ.get("PATH", "").split(os.pathsep))]
    name = re.compile(r"python3\.\d+(-dbg)?")
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if name.fullmatch(path.name) and os.access(path, os.X_OK)
    ]


def probe(path: Path) -> tuple[tuple[int, ...], str, str] | None:
    """Version numbers, version text and real path of a supported interpreter."""
    command = [str(path), "-I", "-c", PROBE]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    words = result.stdout.split(maxsplit=4)
    if result.returncode != 0 or len(words) != 5:
        return None
    return tuple(map(int, words[:3])), words[3], words[4].strip()


def is_debug(version: object) -> bool:
    return str(version).endswith("-debug")


def interpreters() -> list[tuple[str, str, str]]:
    """Name, part and real path of each, from the oldest to the newest."""
    found = {real: rest for *rest, real in filter(None, map(probe, candidates()))}
    ordered = sorted(found.items(), key=lambda item: item[1])
    usual = [version for _, (_, version) in ordered if not is_debug(version)]
    ends = set(usual[:1] + usual[-1:])
    result: dict[str, tuple[str, str]] = {}
    for real, (_, version) in ordered:
        name, copy = str(version), 2
        part = "end" if name in ends and name not in result else "middle"
        part = "debug" if is_debug(version) else part
        while name in result:
            name, copy = f"{version}-{copy}", copy + 1
        result[name] = part, real
    return [(name, part, real) for name, (part, real) in result.items()]


if __name__ == "__main__":
    sys.stdout.writelines(f"{' '.join(line)}\n" for line in interpreters())
