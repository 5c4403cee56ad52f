"""Writes a compilation database in which each file stands once.

    tidy_commands.py BUILD FOLDER    reads BUILD/compile_commands.json, writes it into FOLDER

Meson compiles a source once for each library that it is a part of. clang-tidy would check it as
often, with the same result. Options that only gcc knows are left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

GCC_ONLY = " -fno-canonical-system-headers"


def main() -> None:
    build, folder = map(Path, sys.argv[1:])
    commands = json.loads((build / "compile_commands.json").read_text())
    once = {command["file"]: command for command in reversed(commands)}
    for command in once.values():
        command["command"] = command["command"].replace(GCC_ONLY, "")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "compile_commands.json").write_text(json.dumps(list(once.values()), indent=1))


if __name__ == "__main__":
    main()
