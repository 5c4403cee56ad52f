"""Searches of a file that is not in memory, and a loop that only reads it.

The file must not be mapped by any process while it is evicted, so each call opens and closes it.
Rounds are interleaved, because the speed of a disk changes from minute to minute.
"""

from __future__ import annotations

import importlib
import importlib.util
import mmap
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from helper import address
from measure import Contestant
from record import READ_LOOP

import ironmap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cases import Case
    from helper import Helper

BUFFER = 1 << 20
# The file is not cold if more of its pages than this are in memory after eviction.
STILL_RESIDENT = 0.02


def evict(path: Path) -> None:
    """Evicts the file's pages from memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def stays_in_memory(path: Path, helper: Helper | None) -> bool:
    """True if eviction has no effect, as on a file system in memory."""
    evict(path)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        if helper is None:
            return False
        resident: int = helper.resident(address(view), len(view))
        return resident > STILL_RESIDENT * len(view) / mmap.PAGESIZE


def read_loop(path: Path) -> int:
    """Reads the whole file in chunks of 1 MiB, and returns its length."""
    buffer = bytearray(BUFFER)
    total = 0
    with path.open("rb", buffering=0) as file:
        while length := file.readinto(buffer):
            total += length
    return total


def with_map(module: Any, path: Path, use: Callable[[Any], int]) -> int:
    with path.open("rb") as file, module.mmap(file.fileno(), 0, access=module.ACCESS_READ) as view:
        return use(view)


def with_stringzilla(path: Path, needle: bytes) -> int:
    stringzilla = importlib.import_module("stringzilla")

    def find(view: mmap.mmap) -> int:
        with memoryview(view) as memory:
            found: int = stringzilla.Str(memory).find(needle)
            return found

    return with_map(mmap, path, find)


def contestants(path: Path, find: Case, count: Case) -> list[Contestant]:
    """All search for the absent needle of `find`. ironmap also counts."""
    prepare = partial(evict, path)
    size = find.corpus.size

    def contestant(name: str, call: Callable[[], int], expected: object) -> Contestant:
        return Contestant(name, call, expected, size, prepare)

    def finding(name: str, module: Any) -> Contestant:
        call = partial(with_map, module, path, lambda view: view.find(find.needle, 0))
        return contestant(name, call, find.expected(size))

    found = [
        contestant(READ_LOOP, partial(read_loop, path), size),
        finding("ironmap", ironmap),
        finding("mmap", mmap),
    ]
    if hasattr(ironmap.mmap, "count"):
        counting = partial(with_map, ironmap, path, lambda view: view.count(count.needle))
        found.append(contestant("ironmap count", counting, count.expected(size)))
    if importlib.util.find_spec("fmmap"):
        found.append(finding("fmmap", importlib.import_module("fmmap")))
    if importlib.util.find_spec("stringzilla"):
        call = partial(with_stringzilla, path, find.needle)
        found.append(contestant("StringZilla", call, find.expected(size)))
    return found
