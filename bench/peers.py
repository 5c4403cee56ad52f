"""The peers that are measured. A peer opens the file of a corpus, and has a method for each kind of
case that it supports:

- find, rfind, count and find_all of a needle. find_all returns the sum of all offsets. count and
  find_all get the number of bytes to search.
- lines, which returns the sum of the lengths.
- slice, read and readinto of a number of bytes.

Each uses the fastest way that the peer's users have. The caller checks what they return.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import io
import itertools
import mmap
import re
import shutil
import struct
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from cases import WORST
from helper import address
from measure import Contestant
from record import OBJECTS_ALONE, OURS, READ_LIMIT, STANDARD

import ironmap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cases import Case
    from helper import Helper

CHUNK = 256 << 10
# Kinds whose result is new memory of the length in the case.
COPIES = ("slice", "read")
AT_ONCE = 64
# find() of these versions reads the byte behind a map of whole pages (CPython issue 105235).
FIND_READS_BEHIND = (3, 11) <= sys.version_info < (3, 11, 5)


def have_memory(length: int) -> None:
    """Allocates and frees this much memory, in large pages. A virtual machine may return free
    memory to its host. Getting it back can take longer than the call that is measured.
    """
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            memory.madvise(mmap.MADV_HUGEPAGE)
            np.frombuffer(memory, np.uint8)[:: mmap.PAGESIZE] = 1


def map_page_behind(view: mmap.mmap) -> bool:
    """Maps a page behind the map for the rest of the process. False if something else is there.
    Then the system chooses another address, which does no harm."""
    library = ctypes.CDLL(None)
    arguments = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    map_memory = ctypes.CFUNCTYPE(ctypes.c_void_p, *arguments)(("mmap", library))
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    wanted = address(view) + len(view)
    return bool(map_memory(wanted, mmap.PAGESIZE, mmap.PROT_READ, flags, -1, 0) == wanted)


def has_memory_behind(view: mmap.mmap, others: list[mmap.mmap]) -> bool:
    """True if the byte behind the map stays as long as the maps do. It is in the map's last page,
    in another map, or in a page that is mapped now."""
    end = address(view) + len(view)
    inside = any(address(other) <= end < address(other) + len(other) for other in others)
    return end % mmap.PAGESIZE != 0 or inside or map_page_behind(view)


def offsets_by_find(
    find: Callable[[bytes, int, int], int], needle: bytes, end: int
) -> Iterator[int]:
    """Every offset, with one call for each."""
    step = len(needle)
    place = find(needle, 0, end)
    while place >= 0:
        yield place
        place = find(needle, place + step, end)


def count_by_find(find: Callable[[bytes, int, int], int], needle: bytes, end: int) -> int:
    """The number of hits, with one call for each."""
    step, count = len(needle), 0
    place = find(needle, 0, end)
    while place >= 0:
        count += 1
        place = find(needle, place + step, end)
    return count


class Peer:
    """A contestant on a file. `loops` are the kinds that run Python code for each hit."""

    name: str
    loops: tuple[str, ...] = ()

    def close(self) -> None:
        """Closes the file."""

    def takes(self, case: Case) -> bool:
        return hasattr(self, case.kind)

    def contestant(self, case: Case) -> Contestant:
        size = case.part() if case.kind in self.loops and case.per_hit() else case.corpus.size
        method = getattr(self, case.kind)
        arguments: dict[str, list[Any]] = {
            "find": [case.needle],
            "rfind": [case.needle],
            "count": [case.needle, size],
            "find_all": [case.needle, size],
            "lines": [],
        }
        call = partial(method, *arguments.get(case.kind, [case.length]))
        prepare = partial(have_memory, case.length) if case.kind in COPIES else int
        return Contestant(self.name, call, case.expected(size), case.work(size), prepare)


class Map(Peer):
    """The methods that maps of all modules have."""

    def __init__(self, name: str, module: Any, path: Path) -> None:
        self.name = name
        with path.open("rb") as file:
            self.map = module.mmap(file.fileno(), 0, access=module.ACCESS_READ)
        np.add.reduce(np.frombuffer(self.map, np.uint8)[:: ironmap.PAGESIZE])  # loads every page

    def close(self) -> None:
        self.map.close()

    def find(self, needle: bytes) -> Any:
        return self.map.find(needle, 0)

    def rfind(self, needle: bytes) -> Any:
        return self.map.rfind(needle, 0)

    def slice(self, length: int) -> Any:
        return self.map[:length]

    def read(self, length: int) -> Any:
        self.map.seek(0)
        return self.map.read(length)


class Ironmap(Map):
    def __init__(self, path: Path) -> None:
        super().__init__(OURS, ironmap, path)
        self.buffer = bytearray()

    def takes(self, case: Case) -> bool:
        return case.kind == "slice" or hasattr(self.map, case.kind)

    def count(self, needle: bytes, end: int) -> Any:
        return self.map.count(needle, 0, end)

    def find_all(self, needle: bytes, end: int) -> Any:
        return sum(self.map.find_all(needle, 0, end))

    def lines(self) -> Any:
        return sum(map(len, self.map.lines()))

    def readinto(self, length: int) -> Any:
        if len(self.buffer) != length:
            self.buffer = bytearray(length)
        self.map.seek(0)
        return self.map.readinto(self.buffer)


class Standard(Map):
    loops = ("count", "find_all")

    def __init__(self, path: Path) -> None:
        super().__init__(STANDARD, mmap, path)
        self.buffer = bytearray()
        self.others: list[mmap.mmap] = []
        while FIND_READS_BEHIND and not has_memory_behind(self.map, self.others):
            self.others.append(self.map)
            super().__init__(STANDARD, mmap, path)

    def close(self) -> None:
        super().close()
        for other in self.others:
            other.close()

    def count(self, needle: bytes, end: int) -> Any:
        return count_by_find(self.map.find, needle, end)

    def find_all(self, needle: bytes, end: int) -> Any:
        return sum(offsets_by_find(self.map.find, needle, end))

    def lines(self) -> Any:
        self.map.seek(0)
        return sum(map(len, iter(self.map.readline, b"")))

    def readinto(self, length: int) -> Any:
        if len(self.buffer) != length:
            self.buffer = bytearray(length)
        with memoryview(self.map) as view, view[:length] as part:
            self.buffer[:] = part
        return length


class Fmmap(Map):
    """fmmap, which has its own find and rfind. The rest is the standard module's."""

    loops = ("count", "find_all")

    def __init__(self, path: Path) -> None:
        super().__init__("fmmap", importlib.import_module("fmmap"), path)

    def takes(self, case: Case) -> bool:
        return case.kind in ("find", "rfind", "count", "find_all")

    def count(self, needle: bytes, end: int) -> Any:
        return count_by_find(self.map.find, needle, end)

    def find_all(self, needle: bytes, end: int) -> Any:
        return sum(offsets_by_find(self.map.find, needle, end))


class StringZilla(Peer):
    name = "StringZilla"
    loops = ("find_all",)

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.text = importlib.import_module("stringzilla").Str(view)

    def find(self, needle: bytes) -> Any:
        return self.text.find(needle)

    def rfind(self, needle: bytes) -> Any:
        return self.text.rfind(needle)

    def count(self, needle: bytes, end: int) -> Any:
        return self.text.count(needle, 0, end)

    def find_all(self, needle: bytes, end: int) -> Any:
        return sum(offsets_by_find(self.text.find, needle, end))

    def lines(self) -> Any:
        return sum(map(len, self.text.split_iter("\n", keepseparator=True)))

    def close(self) -> None:
        del self.text
        self.view.release()


class Bytes(Peer):
    """The whole file read into a bytes object."""

    name = "bytes"
    loops = ("find_all",)

    def __init__(self, path: Path) -> None:
        self.bytes = path.read_bytes()

    def find(self, needle: bytes) -> Any:
        return self.bytes.find(needle)

    def rfind(self, needle: bytes) -> Any:
        return self.bytes.rfind(needle)

    def count(self, needle: bytes, end: int) -> Any:
        return self.bytes.count(needle, 0, end)

    def find_all(self, needle: bytes, end: int) -> Any:
        return sum(offsets_by_find(self.bytes.find, needle, end))

    def lines(self) -> Any:
        return sum(map(len, io.BytesIO(self.bytes)))

    def slice(self, length: int) -> Any:
        return self.bytes[:length]


class Regex(Peer):
    """The standard re module on the standard module's map."""

    name = "re"
    loops = ("find_all", "count")

    def __init__(self, view: mmap.mmap) -> None:
        self.view = view

    def takes(self, case: Case) -> bool:
        return super().takes(case) and case.group == "headlines"

    def find(self, needle: bytes) -> Any:
        found = re.search(re.escape(needle), self.view)
        return found.start() if found else -1

    def count(self, needle: bytes, end: int) -> Any:
        return sum(1 for _ in re.compile(re.escape(needle)).finditer(self.view, 0, end))

    def find_all(self, needle: bytes, end: int) -> Any:
        matches = re.compile(re.escape(needle)).finditer(self.view, 0, end)
        return sum(match.start() for match in matches)


class Numpy(Peer):
    """Counts single bytes only, in chunks that fit into the cache."""

    name = "numpy"

    def __init__(self, view: mmap.mmap) -> None:
        self.array = np.frombuffer(view, np.uint8)

    def takes(self, case: Case) -> bool:
        return case.kind == "count" and len(case.needle) == 1

    def count(self, needle: bytes, end: int) -> Any:
        byte = needle[0]
        pieces = (self.array[at : min(at + CHUNK, end)] for at in range(0, end, CHUNK))
        return sum(int(np.count_nonzero(piece == byte)) for piece in pieces)

    def close(self) -> None:
        del self.array


class Objects(Peer):
    """Slices of the average length of a line, as many as there are lines, by the module that makes
    bytes objects fastest. This part of the time of lines is not the search."""

    name = OBJECTS_ALONE

    def __init__(self, view: mmap.mmap) -> None:
        self.view = memoryview(view)

    def takes(self, case: Case) -> bool:
        return case.kind == "lines"

    def contestant(self, case: Case) -> Contestant:
        size = case.corpus.size
        lines = case.work(size)
        return Contestant(self.name, partial(self.slices, -(-size // lines)), size, lines)

    def slices(self, length: int) -> int:
        pieces = struct.Struct(f"{length}s" * AT_ONCE)
        whole = len(self.view) // pieces.size * pieces.size
        with self.view[:whole] as part:
            total = sum(map(len, itertools.chain.from_iterable(pieces.iter_unpack(part))))
        return total + len(self.view) - whole

    def close(self) -> None:
        self.view.release()


class File(Peer):
    """The file itself, buffered by Python, without a map."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.buffer = bytearray()

    def lines(self) -> Any:
        with self.path.open("rb") as file:
            return sum(map(len, file))

    def read(self, length: int) -> Any:
        with self.path.open("rb", buffering=0) as file:
            return file.read(length)

    def readinto(self, length: int) -> Any:
        if len(self.buffer) != length:
            self.buffer = bytearray(length)
        with self.path.open("rb", buffering=0) as file:
            return file.readinto(self.buffer)


class CLibrary(Peer):
    """The C library's memchr, memmem and memrchr, on the standard module's mapping."""

    name = "C library"

    def __init__(self, view: mmap.mmap, helper: Helper) -> None:
        self.address, self.size, self.helper = address(view), len(view), helper

    def find(self, needle: bytes) -> Any:
        return self.helper.find(self.address, self.size, needle, len(needle))

    def rfind(self, needle: bytes) -> Any:
        return self.helper.rfind(self.address, self.size, needle, len(needle))

    def count(self, needle: bytes, end: int) -> Any:
        return self.helper.count(self.address, end, needle, len(needle))


class ReadLimit(Peer):
    """Sums the bytes of the standard module's mapping, as fast as the machine can read memory."""

    def __init__(self, view: mmap.mmap, helper: Helper, *, streams: bool) -> None:
        self.address, self.size = address(view), len(view)
        self.sum = helper.sum_streams if streams else helper.sum
        self.name = f"{READ_LIMIT}, 4 streams" if streams else READ_LIMIT

    def takes(self, case: Case) -> bool:
        return case.unit == "bytes" and not case.length and case.group != WORST

    def contestant(self, case: Case) -> Contestant:
        call = partial(self.sum, self.address, self.size)
        return Contestant(self.name, call, case.corpus.word_sum, self.size)


class Ripgrep(Peer):
    """ripgrep, with a process for each search, whose start is in the figures."""

    name = "ripgrep"

    def __init__(self, path: Path) -> None:
        self.path = path

    def takes(self, case: Case) -> bool:
        return case.group == "headlines" and case.kind in ("find", "count") and len(case.needle) > 1

    def run(self, *arguments: str | bytes) -> subprocess.CompletedProcess[bytes]:
        options = [
            "--no-config",
            "--no-ignore",
            "--text",
            "--mmap",
            "--threads=1",
            "--fixed-strings",
        ]
        done = subprocess.run(
            ["rg", *options, *arguments, "--", self.path],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode > 1:  # 1: nothing was found
            done.check_returncode()
        return done

    def find(self, needle: bytes) -> Any:
        done = self.run("--byte-offset", "--only-matching", "--max-count=1", "-e", needle)
        return int(done.stdout.split(b":")[0]) if done.stdout else -1

    def count(self, needle: bytes, end: int) -> Any:
        return int(self.run("--count-matches", "-e", needle).stdout or 0)


def open_peers(path: Path, helper: Helper | None) -> list[Peer]:
    """All peers that are installed, ironmap first."""
    standard = Standard(path)
    view = standard.map
    peers: list[Peer] = [Ironmap(path), standard]
    if importlib.util.find_spec("fmmap"):
        peers.append(Fmmap(path))
    if importlib.util.find_spec("stringzilla"):
        peers.append(StringZilla(memoryview(view)))
    peers += [Bytes(path), File(path), Regex(view), Numpy(view), Objects(view)]
    if shutil.which("rg"):
        peers.append(Ripgrep(path))
    if helper:
        peers.append(CLibrary(view, helper))
        peers += [ReadLimit(view, helper, streams=streams) for streams in (False, True)]
    return peers


def close_peers(peers: list[Peer]) -> None:
    """Closes the last opened first, since some use the maps of others."""
    for peer in reversed(peers):
        peer.close()


def missing(helper: Helper | None) -> list[str]:
    """A line for each peer that is not installed."""
    lines = [
        f"skipped: {name} is not installed (requirements/bench.txt)"
        for name in ("fmmap", "stringzilla")
        if not importlib.util.find_spec(name)
    ]
    if not shutil.which("rg"):
        lines.append("skipped: ripgrep is not installed")
    if not helper:
        lines.append("skipped: the read limit and the C library's searches (no --helper)")
    absent = [
        name
        for name in ("count", "find_all", "lines", "readinto")
        if not hasattr(ironmap.mmap, name)
    ]
    lines += [f"skipped: ironmap has no {name}" for name in absent]
    return lines
