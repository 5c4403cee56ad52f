"""Writes the library as one source, with its headers beside it.

    amalgamate.py FOLDER    writes ironmap.c, ironmap.h and the other public headers into FOLDER

ironmap.c is all of src/ with its includes resolved. The operating system and the processor are
chosen by conditions in it. It compiles without any option of the compiler. IRONMAP_NO_MREMAP may be
defined, as in the ordinary build.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
PUBLIC = ROOT / "include" / "ironmap"
OWN = re.compile(r'\s*#\s*include\s*"(?P<name>[^"]+)"')
API = re.compile(r"(\s*#\s*include\s*)<ironmap/(\w+\.h)>")
GUARD = re.compile(r"#ifndef (\w+_H)\n#define \1\n")


class Branch(NamedTuple):
    """Sources that are compiled on some machines: the condition, or None for all others."""

    condition: str | None
    files: list[str]


SYSTEMS = [
    Branch("defined(_WIN32)", ["platform/windows/*.c"]),
    Branch(None, ["platform/posix/*.c"]),
]
PROCESSORS = [
    Branch(
        "defined(__x86_64__)", ["search/avx2.c", "search/avx512.c", "search/sse2.c", "search/x86.c"]
    ),
    Branch(
        "defined(__aarch64__) && !defined(__AARCH64EB__)", ["search/neon.c", "search/aarch64.c"]
    ),
    Branch(None, ["search/any.c"]),
]
EVERYWHERE = ["base/*.c", "search/*.c", "fault/*.c", "map/*.c", "journal/*.c"]
# Asks for the interface of the system, so it comes before every header of it.
FEATURES = [
    Branch("defined(_WIN32)", ["platform/windows/features.h"]),
    Branch(None, ["platform/posix/features.h"]),
]

START = """/* ironmap {version}: memory-mapped files, in one source file.
 *
 * Generated. Compile it into a program and include "ironmap.h", which is beside it:
 *
 *     cc -O2 -pthread program.c ironmap.c
 *
{license}
 */
"""


def version() -> str:
    found = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())
    assert found
    return found[1]


def matching(patterns: list[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in SRC.glob(pattern)})


def is_guarded(file: Path) -> bool:
    """False for a header that is a template, which each of its users gets a copy of."""
    return GUARD.search(file.read_text()) is not None


class Writer:
    """Collects the text, each guarded header once."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.seen = {path for branch in FEATURES for path in matching(branch.files)}

    def find(self, file: Path, name: str) -> Path:
        for folder in (file.parent, SRC):
            if (path := (folder / name).resolve()).is_file():
                return path
        raise SystemExit(f'{file}: no file for #include "{name}"')

    def add(self, file: Path) -> None:
        if file in self.seen:
            return
        if file.suffix == ".h" and is_guarded(file):
            self.seen.add(file)
        self.text.append(f"\n/* ==== {file.relative_to(ROOT)} ==== */\n")
        for line in file.read_text().splitlines():
            if own := OWN.match(line):
                self.add(self.find(file, own["name"]))
            else:
                self.text.append(API.sub(r'\1"\2"', line))

    def add_branches(self, branches: list[Branch]) -> None:
        """Adds the sources of each branch. A header of one branch may be needed in another."""
        before = self.seen
        for number, branch in enumerate(branches):
            word = "elif" if number else "if"
            self.text.append(f"\n#{word} {branch.condition}" if branch.condition else "\n#else")
            self.seen = set(before)
            for file in matching(branch.files):
                self.add(file)
        self.text.append("\n#endif")
        self.seen = before

    def add_features(self) -> None:
        ours, self.seen = self.seen, set()
        self.add_branches(FEATURES)
        self.seen = ours


def common_headers() -> list[Path]:
    """Headers that are not of one system alone. In a branch they would be missing in the others."""
    folders = ("posix", "windows")
    return [h for h in matching(["**/*.h"]) if h.parent.name not in folders and is_guarded(h)]


def source() -> str:
    writer = Writer()
    license_text = (ROOT / "LICENSE").read_text().strip()
    quoted = "\n".join(f" * {line}".rstrip() for line in license_text.splitlines())
    writer.text.append(START.format(version=version(), license=quoted))
    writer.add_features()
    for header in common_headers():
        writer.add(header)
    writer.add_branches(SYSTEMS)
    writer.add_branches(PROCESSORS)
    chosen = {path for branch in PROCESSORS for path in matching(branch.files)}
    for file in matching(EVERYWHERE):
        if file not in chosen:
            writer.add(file)
    return "\n".join(writer.text) + "\n"


def header(file: Path) -> str:
    """A public header for programs that contain the library: nothing is imported from a DLL."""
    text = API.sub(r'\1"\2"', file.read_text())
    static = "#ifndef IRONMAP_STATIC\n#define IRONMAP_STATIC\n#endif\n"
    return GUARD.sub(lambda guard: guard[0] + "\n" + static, text, count=1)


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        sys.exit(__doc__)
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    written = {"ironmap.c": source(), **{h.name: header(h) for h in sorted(PUBLIC.glob("*.h"))}}
    for name, text in written.items():
        (folder / name).write_text(text)
        print(folder / name)


if __name__ == "__main__":
    main(sys.argv[1:])
