"""Prints every CPython from 3.10 up that is found on this machine: "NAME PATH", one a line.

Looks at pyenv's versions, /usr/bin and the PATH. Each real executable comes once; NAME is its
version, fit for a folder name and different for each.
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
    print(*sys.version_info[:3], platform.python_version(), os.path.realpath(sys.executable))
"""


def candidates() -> list[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = sorted(pyenv.glob("versions/*/bin"))
    folders += [Path("/usr/bin"), *map(Path, os.environ.get("PATH", "").split(os.pathsep))]
    name = re.compile(r"python3\.\d+")
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


def interpreters() -> list[tuple[str, str]]:
    found = {real: rest for *rest, real in filter(None, map(probe, candidates()))}
    result: dict[str, str] = {}
    for real, (_, version) in sorted(found.items(), key=lambda item: item[1]):
        name, copy = str(version), 2
        while name in result:
            name, copy = f"{version}-{copy}", copy + 1
        result[name] = real
    return list(result.items())


if __name__ == "__main__":
    lines = [f"{name} {path}\n" for name, path in interpreters()]
    sys.stdout.writelines(lines)
