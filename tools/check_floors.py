"""Checks the floors of the architecture, and exits with 1 if a file breaks a rule.

- A file includes only its own floor and those that FLOORS allows it.
- Files do not depend on each other in a circle. A source and its header of the same name are one
  file here: x.c needs what x.h needs, and a file that includes x.h needs x.c.
- Only src/platform/ and the export macro of ironmap.h ask which system it is.
- Below src/map/, only the status and the error of the public interface are named.

    check_floors.py [ROOT]    checks this checkout, or the copy of it in ROOT
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

CONDITION = re.compile(r"\s*#\s*(?:if|ifdef|ifndef|elif|elifdef|elifndef)\b(?P<text>.*)")
SYSTEM = re.compile(
    r"\b(?:_?WIN(?:32|64|DOWS)|__(?:linux|unix|APPLE|MACH|FreeBSD|NetBSD|OpenBSD|DragonFly|sun|"
    r"ANDROID|CYGWIN|MINGW32|MINGW64)(?:__)?|__GLIBC__|MS_WIN\w*|IRONMAP_NO_MREMAP)\b"
)
INCLUDE = re.compile(r'\s*#\s*include\s*(?:<(?P<system>[^>]+)>|"(?P<own>[^"]+)")')
EXPORT_MACRO = "#define IRONMAP_API"

C_LIBRARY = (
    r"(?:assert|ctype|errno|float|inttypes|limits|math|stdalign|stdarg|stdatomic|stdbool|"
    r"stddef|stdint|stdio|stdlib|string)\.h"
)
PUBLIC = r"ironmap/(?:ironmap|extra)\.h"
NOTHING = r"(?!)"


class Floor(NamedTuple):
    """A folder, what its files may include with <> and which files of the tree with ""."""

    folder: str
    system: str
    own: str


# The first floor that a file is in is its own. What is below comes first.
FLOORS = [
    Floor("include/", rf"(?:stdbool|stddef|stdint)\.h|{PUBLIC}", NOTHING),
    Floor("src/base/", rf"{C_LIBRARY}|{PUBLIC}", r"src/base/.*"),
    Floor("src/search/", rf"{C_LIBRARY}|\w*intrin\.h|arm_neon\.h", r"src/(?:search|base)/.*"),
    Floor("src/platform/", r".*", r"src/(?:platform|base)/.*"),
    Floor("src/fault/", C_LIBRARY, r"src/(?:fault|base)/.*|src/platform/[^/]+\.h"),
    Floor(
        "src/map/",
        rf"{C_LIBRARY}|{PUBLIC}",
        r"src/(?:map|fault|base)/.*|src/platform/[^/]+\.h|src/search/search\.h",
    ),
    Floor("src/journal/", rf"{C_LIBRARY}|{PUBLIC}", r"src/(?:journal|map|fault|base)/.*"),
    Floor(
        "python/ext/",
        rf"{C_LIBRARY}|{PUBLIC}|(?:Python|structmember|frameobject)\.h",
        r"python/ext/.*",
    ),
]
ASKS_FOR_SYSTEM = "src/platform/"

# Of the public interface, what every floor may name. base/ defines the whole status table.
BELOW_MAP = ("src/search/", "src/platform/", "src/fault/")
PUBLIC_NAME = re.compile(r"\b(?:ironmap_(?!_)|IRONMAP_(?!_))\w+")
NAMES_BELOW = re.compile(
    r"ironmap_(?:error|status|guard_frame)|IRONMAP_(?:OK|E_\w+|UNKNOWN|STATIC|NO_MREMAP|BUILDING_SHARED)|IRONMAP_\w+_H"
)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)


class Tree:
    """The C files of a checkout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        folders = {floor.folder for floor in FLOORS}
        self.files = sorted({file for name in folders for file in (root / name).rglob("*.[ch]")})

    def name(self, file: Path) -> str:
        return file.relative_to(self.root).as_posix()

    def included(self, file: Path, line: re.Match[str]) -> str:
        """The path in the tree of what a line includes, or the name itself if it is not there."""
        name = line["own"] or line["system"]
        below = [self.root / "include"] if line["system"] else [file.parent, self.root / "src"]
        below.append(self.root / "python" / "ext")
        for folder in below:
            path = (folder / name).resolve()
            if path.is_file() and path.is_relative_to(self.root):
                return self.name(path)
        return str(name)


def floor_of(name: str) -> Floor | None:
    return next((floor for floor in FLOORS if name.startswith(floor.folder)), None)


def system_conditions(lines: list[str], *, header: bool) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        condition = CONDITION.match(line)
        if not condition or not SYSTEM.search(condition["text"]):
            continue
        if header and number < len(lines) and lines[number].startswith(EXPORT_MACRO):
            continue
        yield number, f"asks for the system outside {ASKS_FOR_SYSTEM}: {line.strip()}"


def wrong_includes(
    tree: Tree, file: Path, lines: list[str], floor: Floor
) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        include = INCLUDE.match(line)
        if not include:
            continue
        if include["system"]:
            allowed = re.fullmatch(floor.system, include["system"])
        else:
            allowed = re.fullmatch(floor.own, tree.included(file, include))
        if not allowed:
            yield number, f"{floor.folder} must not include this: {line.strip()}"


def names_from_above(text: str) -> Iterator[tuple[int, str]]:
    """Names of the public interface in a file below the map. Comments and strings may have any."""
    code = COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for number, line in enumerate(code.splitlines(), 1):
        if INCLUDE.match(line):
            continue
        for name in PUBLIC_NAME.findall(line):
            if not NAMES_BELOW.fullmatch(name):
                yield number, f"names {name}, which is known from src/map/ on"


def problems(tree: Tree, file: Path) -> Iterator[tuple[int, str]]:
    name = tree.name(file)
    floor = floor_of(name)
    assert floor
    text = file.read_text()
    lines = text.splitlines()
    if floor.folder != ASKS_FOR_SYSTEM:
        yield from system_conditions(lines, header=floor.folder == "include/")
    yield from wrong_includes(tree, file, lines, floor)
    if name.startswith(BELOW_MAP):
        yield from names_from_above(text)


# ---- circles -----------------------------------------------------------------------------------


def unit(name: str) -> str:
    """The name that x.c and x.h share. platform.h has no source of its own: posix/ and windows/
    implement it."""
    return str(Path(name).with_suffix(""))


def dependencies(tree: Tree) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for file in tree.files:
        this = unit(tree.name(file))
        needed = graph.setdefault(this, set())
        for include in filter(None, map(INCLUDE.match, file.read_text().splitlines())):
            other = tree.included(file, include)
            if floor_of(other) and unit(other) != this:
                needed.add(unit(other))
    return graph


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """One circle of the graph, its first node again at the end, or an empty list."""
    done: set[str] = set()
    path: list[str] = []

    def visit(node: str) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        path.append(node)
        for other in sorted(graph.get(node, ())):
            if circle := visit(other):
                return circle
        path.pop()
        done.add(node)
        return []

    for node in sorted(graph):
        if circle := visit(node):
            return circle
    return []


def main(arguments: list[str]) -> int:
    default = Path(__file__).resolve().parent.parent
    tree = Tree(Path(arguments[0]).resolve() if arguments else default)
    found = [
        f"{tree.name(file)}:{number}: {text}"
        for file in tree.files
        for number, text in problems(tree, file)
    ]
    if circle := find_circle(dependencies(tree)):
        found.append(f"a circle of files: {' -> '.join(circle)}")
    for line in found:
        print(line)
    return 1 if found or not tree.files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
