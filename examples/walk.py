"""A walk through a real file: map it, search it, read it, and edit a copy of it in place.

python walk.py [FILE]

Without FILE it uses a big file that every machine has: the running Python or its library, or if
these are small, a library of the system or the C compiler. The file is only read, and a copy is
edited.
"""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import ironmap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BIG = 10_000_000
WORD = b"error"
REPLACEMENT = b"ERROR"


@contextmanager
def step(title: str) -> Iterator[None]:
    """Prints a title, then what the step prints, then how long it took."""
    print(f"\n{title}")
    start = time.perf_counter()
    yield
    print(f"  ({(time.perf_counter() - start) * 1000:.1f} ms)")


def biggest(paths: Iterable[Path]) -> Path:
    return max((path for path in paths if path.is_file()), key=lambda path: path.stat().st_size)


def big_binary() -> Path:
    """Python's own program or library, or if these are small, the biggest file of the system."""
    folder = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
    library = folder / str(sysconfig.get_config_var("LDLIBRARY"))
    own = biggest([Path(sys.executable).resolve(), library])
    if own.stat().st_size >= BIG:
        return own
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    libraries = Path("/usr/lib", multiarch).glob("*.so*")
    return biggest([own, *libraries, *Path("/usr/lib/gcc").glob("*/*/cc1")])


def occurrences(m: ironmap.mmap, needle: bytes) -> Iterator[int]:
    """Every index of `needle`, ascending."""
    index = m.find(needle, 0)
    while index >= 0:
        yield index
        index = m.find(needle, index + len(needle))


def read_slices(m: ironmap.mmap) -> None:
    with step("A map is like bytes: read slices and single bytes."):
        print(f"  len(m)        {len(m):,}")
        print(f"  m[:4]         {m[:4]!r}")
        print(f"  m[-8:]        {m[-8:]!r}")
        print(f"  m[1000]       {m[1000]}")
        print(f"  every millionth byte: {m[::1_000_000]!r}")


def search_with_find(m: ironmap.mmap, needle: bytes) -> None:
    with step(f"Search for {needle!r} with find and rfind."):
        indexes = list(occurrences(m, needle))
        print(f"  it occurs {len(indexes):,} times")
        if indexes:
            print(f"  first at {indexes[0]:,}: {m[indexes[0] - 8 : indexes[0] + 24]!r}")
            print(f"  last at {m.rfind(needle):,}")


def search_with_re(m: ironmap.mmap) -> None:
    with step("A map is a buffer: regular expressions search it without a copy."):
        pattern = re.compile(rb"[A-Za-z][ -~]{23,}")
        texts = [match.span() for match in pattern.finditer(m)]
        print(f"  {len(texts):,} texts of 24 characters and more. The first three:")
        for start, end in texts[:3]:
            print(f"    at {start:,}: {m[start : min(end, start + 48)]!r}")


def read_lines(m: ironmap.mmap) -> None:
    with step("A map is like a file: it has a position, from which it reads lines."):
        m.seek(0)
        lengths = [len(line) for line in iter(m.readline, b"")]
        print(f"  {len(lengths):,} lines, since a binary has newlines too")
        print(f"  the longest has {max(lengths):,} bytes")
        print(f"  after the last one, tell() is at the end, {m.tell():,}")
        m.seek(-16, 2)
        print(f"  seek(-16, 2), then read(16): {m.read(16)!r}")


def edit_in_place(path: Path, needle: bytes, replacement: bytes) -> int:
    """Replaces every `needle`, which is as long as `replacement`, in the file itself."""
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as m:
        indexes = list(occurrences(m, needle))
        for index in indexes:
            m[index : index + len(needle)] = replacement
        m.flush()
    return len(indexes)


def edit_a_copy(original: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        shutil.copyfile(original, copy)
        with step(f"Edit a copy in place: every {WORD!r} becomes {REPLACEMENT!r}."):
            edited = edit_in_place(copy, WORD, REPLACEMENT)
            print(f"  changed {edited:,} words in the map, and flushed it")
        with step("Read the copy as a plain file: it has the edit."):
            before, after = original.read_bytes(), copy.read_bytes()
            print(f"  the original has {before.count(WORD):,} {WORD!r}")
            print(f"  the copy has {after.count(WORD):,} {WORD!r}")
            print(f"  {REPLACEMENT!r} went from {before.count(REPLACEMENT):,} ", end="")
            print(f"to {after.count(REPLACEMENT):,}")
            print(f"  the length is still {len(after):,}")
            if after != before.replace(WORD, REPLACEMENT):
                sys.exit("the copy is wrong")


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else big_binary()
    print(f"The file is {path}, {path.stat().st_size / 1e6:.1f} MB.")
    with path.open("rb") as file:
        with step("Map the whole file, read-only. Nothing is read yet."):
            m = ironmap.mmap(file.fileno(), 0, access=ironmap.ACCESS_READ)
            print(f"  {m!r}")
        with m:
            read_slices(m)
            search_with_find(m, WORD)
            search_with_re(m)
            read_lines(m)
    edit_a_copy(path)


if __name__ == "__main__":
    main()
