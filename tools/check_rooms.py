"""Checks that the C code keeps to its rooms, and exits with 1 where it does not.

- What system it is is asked in src/platform/ and for the export macro of ironmap.h, nowhere else.
- A file includes only what its room may know: see ROOMS, which is the architecture as a table.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
CONDITION = re.compile(r"\s*#\s*(?:if|ifdef|ifndef|elif|elifdef|elifndef)\b(?P<text>.*)")
SYSTEM = re.compile(
    r"\b(?:_?WIN(?:32|64|DOWS)|__(?:linux|unix|APPLE|MACH|FreeBSD|NetBSD|OpenBSD|DragonFly|sun|"
    r"ANDROID|CYGWIN|MINGW32|MINGW64)(?:__)?|MS_WIN\w*|IRONMAP_NO_MREMAP)\b"
)
INCLUDE = re.compile(r'\s*#\s*include\s*(?:<(?P<system>[^>]+)>|"(?P<own>[^"]+)")')
EXPORT_MACRO = "#define IRONMAP_API"

C_LIBRARY = (
    r"(?:assert|ctype|errno|float|inttypes|limits|math|stdalign|stdarg|stdatomic|stdbool|"
    r"stddef|stdint|stdio|stdlib|string)\.h"
)
PUBLIC = r"ironmap/ironmap\.h"


class Room(NamedTuple):
    """A folder, what its files may include with <> and which files of the tree with ""."""

    folder: str
    system: str
    own: str


# The first room that a file lies in is its own.
ROOMS = [
    Room("include/", r"(?:stdbool|stddef|stdint)\.h", r"(?!)"),
    Room("src/base/", rf"{C_LIBRARY}|{PUBLIC}", r"src/base/.*"),
    Room("src/search/", rf"{C_LIBRARY}|\w*intrin\.h|arm_neon\.h", r"src/search/.*"),
    Room("src/platform/", r".*", r"src/(?:platform|base)/.*"),
    Room(
        "src/",
        rf"{C_LIBRARY}|{PUBLIC}",
        r"src/(?:map|fault|base)/.*|src/(?:platform/platform|search/search)\.h",
    ),
    Room(
        "python/ext/",
        rf"{C_LIBRARY}|{PUBLIC}|(?:Python|structmember|frameobject)\.h",
        r"python/ext/.*",
    ),
]


def system_conditions(lines: list[str], *, header: bool) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        condition = CONDITION.match(line)
        if not condition or not SYSTEM.search(condition["text"]):
            continue
        if header and number < len(lines) and lines[number].startswith(EXPORT_MACRO):
            continue
        yield number, f"asks for the system outside src/platform/: {line.strip()}"


def own_path(file: Path, name: str) -> str:
    """The path in the tree of what `file` includes as "name": beside it, or in an include path."""
    for folder in (file.parent, ROOT / "src", ROOT / "python/ext"):
        path = (folder / name).resolve()
        if path.is_file() and path.is_relative_to(ROOT):
            return path.relative_to(ROOT).as_posix()
    return name


def wrong_includes(file: Path, lines: list[str], room: Room) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        include = INCLUDE.match(line)
        if not include:
            continue
        if include["system"]:
            allowed = re.fullmatch(room.system, include["system"])
        else:
            allowed = re.fullmatch(room.own, own_path(file, include["own"]))
        if not allowed:
            yield number, f"{room.folder} must not know {line.strip()}"


def problems(file: Path) -> Iterator[tuple[int, str]]:
    name = file.relative_to(ROOT).as_posix()
    room = next(room for room in ROOMS if name.startswith(room.folder))
    lines = file.read_text().splitlines()
    if room.folder != "src/platform/":
        yield from system_conditions(lines, header=room.folder == "include/")
    yield from wrong_includes(file, lines, room)


def main() -> int:
    folders = sorted({room.folder for room in ROOMS})
    files = sorted({file for folder in folders for file in (ROOT / folder).rglob("*.[ch]")})
    found = [
        f"{file.relative_to(ROOT)}:{number}: {text}"
        for file in files
        for number, text in problems(file)
    ]
    for line in found:
        print(line)
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
