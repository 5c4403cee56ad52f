"""A walk through a real file: map it, search it, read it, and edit a copy of it in place.

python walk.py [FILE]

Without FILE it takes a big file that every machine has: the running Python itself or its library,
or where these are small, a library of the system or the C compiler. The file is only read; what
is edited is a copy.
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
    """Python's own program or library; where these are small, the biggest that the system has."""
    folder = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
    library = folder / str(sysconfig.get_config_var("LDLIBRARY"))
    own = biggest([Path(sys.executable).resolve(), library])
    if own.stat().st_size >= BIG:
        return own
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    libraries = Path("/usr/lib", multiarch).glob("*.so*")
    return biggest([own, *libraries, *Path("/usr/lib/gcc").glob("*/*/cc1")])


def occurrences(map: ironmap.mmap, needle: bytes) -> Iterator[int]:
    """Every place of `needle`, from front to back."""
    place = map.find(needle)
    while place >= 0:
        yield place
        place = map.find(needle, place + len(needle))


def look_at_slices(map: ironmap.mmap) -> None:
    with step("A map is like bytes: take slices and single bytes from anywhere."):
        print(f"  len(map)      {len(map):,}")
        print(f"  map[:4]       {map[:4]!r}")
        print(f"  map[-8:]      {map[-8:]!r}")
        print(f"  map[1000]     {map[1000]}")
        print(f"  every millionth byte: {map[::1_000_000]!r}")


def search_with_find(map: ironmap.mmap, needle: bytes) -> None:
    with step(f"Search for {needle!r} with find and rfind."):
        places = list(occurrences(map, needle))
        print(f"  it occurs {len(places):,} times")
        if places:
            print(f"  first at {places[0]:,}: {map[places[0] - 8 : places[0] + 24]!r}")
            print(f"  last at {map.rfind(needle):,}")


def search_with_re(map: ironmap.mmap) -> None:
    with step("A map is a buffer: regular expressions search it without reading it in."):
        pattern = re.compile(rb"[A-Za-z][ -~]{23,}")
        texts = [match.span() for match in pattern.finditer(map)]
        print(f"  {len(texts):,} pieces of text of 24 characters and more; the first three:")
        for start, end in texts[:3]:
            print(f"    at {start:,}: {map[start : min(end, start + 48)]!r}")


def read_lines(map: ironmap.mmap) -> None:
    with step("A map is like a file: it has a position, and reads lines from there."):
        map.seek(0)
        lengths = [len(line) for line in iter(map.readline, b"")]
        print(f"  {len(lengths):,} lines, for a binary has newlines, too")
        print(f"  the longest has {max(lengths):,} bytes")
        print(f"  after the last one, tell() is {map.tell():,}: the end")
        map.seek(-16, 2)
        print(f"  seek(-16, 2), then read(16): {map.read(16)!r}")


def edit_in_place(path: Path, needle: bytes, replacement: bytes) -> int:
    """Replaces every `needle`, which is as long as `replacement`, in the file itself."""
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as map:
        places = list(occurrences(map, needle))
        for place in places:
            map[place : place + len(needle)] = replacement
        map.flush()
    return len(places)


def edit_a_copy(original: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        shutil.copyfile(original, copy)
        with step(f"Edit a copy in place: every {WORD!r} becomes {REPLACEMENT!r}."):
            edited = edit_in_place(copy, WORD, REPLACEMENT)
            print(f"  stored {edited:,} words in the map, and flushed it")
        with step("Read the copy as a plain file: the edit is in it."):
            before, after = original.read_bytes(), copy.read_bytes()
            print(f"  the original has {before.count(WORD):,} {WORD!r}")
            print(f"  the copy has {after.count(WORD):,} {WORD!r}")
            print(f"  {REPLACEMENT!r} went from {before.count(REPLACEMENT):,} ", end="")
            print(f"to {after.count(REPLACEMENT):,}")
            print(f"  the length is still {len(after):,}")
            if after != before.replace(WORD, REPLACEMENT):
                sys.exit("the copy is not what it should be")


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else big_binary()
    print(f"The file is {path}, {path.stat().st_size / 1e6:.1f} MB.")
    with path.open("rb") as file:
        with step("Map the whole of it, to read only. Nothing is read in yet."):
            map = ironmap.mmap(file.fileno(), 0, access=ironmap.ACCESS_READ)
            print(f"  {map!r}")
        with map:
            look_at_slices(map)
            search_with_find(map, WORD)
            search_with_re(map)
            read_lines(map)
    edit_a_copy(path)


if __name__ == "__main__":
    main()
