"""Threads that use one map at the same time: as if one after the other."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import outcome, run_python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = 1 << 18
TURNS = 100


@pytest.fixture(autouse=True)
def _quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def m() -> Iterator[ironmap.mmap]:
    with tempfile.TemporaryFile() as file:
        file.truncate(SIZE)
        with ironmap.mmap(file.fileno(), 0) as m:
            m[:] = b"A" * SIZE
            yield m


@contextlib.contextmanager
def beside(*uses: Callable[[], object]) -> Iterator[None]:
    """Threads that do this over and over while a block runs, in which none may fail."""
    stop = threading.Event()
    results: list[Any] = []

    def work(use: Callable[[], object]) -> None:
        while not stop.is_set():
            results.append(outcome(use).error)

    threads = [threading.Thread(target=work, args=(use,)) for use in uses]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(results) <= {None}


def fill(m: ironmap.mmap, letter: bytes) -> None:
    m[:] = letter * len(m)


READS: dict[str, Callable[[ironmap.mmap], Any]] = {
    "m[:]": lambda m: m[:],
    "m[::-1]": lambda m: m[::-1],
    "count": lambda m: b"A" * m.count(b"A") or b"B",
    "read": lambda m: (m.seek(0), m.read())[1],
    "lines": lambda m: next(m.lines()),
    "to another map": lambda m: copy_of(m),
}


def copy_of(m: ironmap.mmap) -> bytes:
    with ironmap.mmap(-1, len(m)) as other:
        other[:] = m
        return other[:]


@pytest.mark.parametrize("name", READS)
def test_no_store_shows_in_the_middle_of_a_read(m: ironmap.mmap, name: str) -> None:
    with beside(lambda: (fill(m, b"A"), fill(m, b"B"))):
        for _ in range(TURNS):
            found = READS[name](m)
            assert len(found) in {1, SIZE}
            assert found.count(found[:1]) == len(found)


WRITES: dict[str, Callable[[ironmap.mmap], object]] = {
    "m[:] =": lambda m: fill(m, b"B"),
    "write": lambda m: (m.seek(0), m.write(b"B" * SIZE)),
    "move": lambda m: (fill(m, b"C"), m.move(0, SIZE // 2, SIZE // 2)),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_is_whole(m: ironmap.mmap, name: str) -> None:
    with beside(lambda: WRITES[name](m), lambda: fill(m, b"A")):
        for _ in range(TURNS):
            found = m[:]
            assert found.count(found[:1]) == SIZE


LOOPS: dict[str, Callable[[ironmap.mmap], object]] = {
    "m[0]": lambda m: m[0],
    "m[0] =": lambda m: m.__setitem__(0, 65),
    "m[:16]": lambda m: m[:16],
    "m[:100000]": lambda m: m[:100000],
    "size": lambda m: m.size(),
    "flush": lambda m: m.flush(),
    "find": lambda m: m.find(b"absent"),
    "tell": lambda m: m.tell(),
    "len": len,
    "repr": repr,
    "readline": lambda m: (m.seek(0), m.readline()),
    "store": lambda m: m.__setitem__(slice(0, 1 << 17), b"A" * (1 << 17)),
}


@pytest.mark.parametrize("name", LOOPS)
def test_nothing_starves_a_resize(m: ironmap.mmap, name: str) -> None:
    """And neither side sees an exception."""
    with beside(*[lambda: LOOPS[name](m)] * 3):
        for i in range(TURNS):
            m.resize(SIZE + 4096 * (i % 2))


def test_close_waits_for_a_search() -> None:
    """And what comes later sees a closed map."""
    for _ in range(20):
        m = ironmap.mmap(-1, 1 << 22)
        results: list[object] = []

        def search(m: ironmap.mmap = m, results: list[object] = results) -> None:
            try:
                while True:
                    results.append(m.find(b"absent"))
            except ValueError as error:
                results.append(str(error))

        thread = threading.Thread(target=search)
        thread.start()
        while not results:
            pass
        m.close()
        thread.join()
        assert set(results) == {-1, "mmap closed or invalid"}


def test_two_maps_that_are_copied_into_each_other(m: ironmap.mmap) -> None:
    """No two threads wait for each other, and every copy is whole."""
    with ironmap.mmap(-1, SIZE) as other:
        fill(other, b"B")

        def copy_back() -> None:
            m[:] = other

        def copy_with_memoryview() -> None:
            with memoryview(other) as view:
                m[:] = view

        def read_into() -> None:
            m.seek(0)
            m.readinto(other)

        with beside(copy_back, copy_with_memoryview, read_into, lambda: fill(m, b"C")):
            for _ in range(TURNS):
                other[:] = m
                for found in (m[:], other[:]):
                    assert found.count(found[:1]) == SIZE


AT_EXIT = """
import builtins, ironmap, os, threading, time

class Last:
    def __init__(self):
        self.m = ironmap.mmap(-1, 1 << 30)
        self.m[0] = 7

    def __del__(self, write=os.write):
        self.m[1] = 8
        write(1, repr((self.m[:2], self.m.find(b"absent", 0, 1 << 20))).encode())
        try:
            self.m.close()
        except RuntimeError as error:
            write(1, str(error).encode())

def search(m):
    while True:
        m.find(b"absent", 0)

def move(m):
    time.sleep(0.05)
    m.move(0, 1, 100_000)

# The frames of the threads keep this module's names.
builtins.last = Last()
for work in (search, search, search, move):
    threading.Thread(target=work, args=(builtins.last.m,), daemon=True).start()
time.sleep(0.1)
"""


def test_daemon_threads_do_not_hold_up_the_end_of_the_program() -> None:
    assert run_python(AT_EXIT).startswith(r"(b'\x07\x08', -1)")


def test_readinto_exports_no_map_while_it_waits(m: ironmap.mmap) -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(SIZE)
        other = ironmap.mmap(file.fileno(), 0)

        def read_into() -> None:
            m.seek(0)
            m.readinto(other)

        with beside(read_into, lambda: fill(m, b"B")):
            for i in range(TURNS):
                other.resize(SIZE - 4096 * (i % 2))
        other.close()
