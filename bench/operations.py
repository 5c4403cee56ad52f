"""Every operation and every rare path on one map, for the stalls that they cause in other threads.

The map is of a sparse file. What stores does so in its first part, and results are as long as that,
64 MiB at most: CPython frees a bytes object under the GIL, which takes 4 ms for so many.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import TYPE_CHECKING

import ironmap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = 64 << 20
ABSENT = b"an absent needle"
PAGE = mmap.PAGESIZE


class Subject:
    """A map of a sparse file of `size` bytes. What stores, and results, take `part` bytes."""

    def __init__(self, path: Path, size: int, part: int) -> None:
        path.touch()
        os.truncate(path, size)
        self.path = path
        self.size = size
        self.part = part
        self.buffer = bytearray(self.part)
        self.map = self.open()

    def open(self) -> ironmap.mmap:
        with self.path.open("r+b") as file:
            return ironmap.mmap(file.fileno(), self.size)

    @contextlib.contextmanager
    def truncated(self, length: int) -> Iterator[None]:
        os.truncate(self.path, length)
        try:
            yield
        finally:
            os.truncate(self.path, self.size)

    def close(self) -> None:
        self.map.close()
        self.path.unlink()


# ---- what a map does ----


def open_and_close(subject: Subject) -> None:
    subject.open().close()


def open_with_blocks(subject: Subject) -> None:
    """Gives the file's first part blocks on the disk."""
    with subject.path.open("r+b") as file:
        ironmap.mmap(file.fileno(), subject.part, preallocate=True).close()


def make_tag(subject: Subject) -> None:
    """Memory that processes share: all of it is there when the map is open."""
    ironmap.mmap(-1, subject.part, tagname=f"bench-{os.getpid()}").close()


def export(subject: Subject) -> None:
    memoryview(subject.map).release()


def store_slice(subject: Subject) -> None:
    subject.map[: subject.part] = subject.buffer


def store_from_another_map(subject: Subject) -> None:
    with subject.open() as other, memoryview(other) as view:
        subject.map[: subject.part] = view[-subject.part :]


def write(subject: Subject) -> None:
    subject.map.seek(0)
    subject.map.write(subject.buffer)


def read(subject: Subject) -> None:
    subject.map.seek(subject.size - subject.part)
    subject.map.read(subject.part)


def readinto(subject: Subject) -> None:
    subject.map.seek(0)
    subject.map.readinto(subject.buffer)


def readline(subject: Subject) -> None:
    subject.map.seek(subject.size - subject.part)
    subject.map.readline()


def lines(subject: Subject) -> None:
    for _ in subject.map.lines(subject.size - subject.part):
        pass


def find_all(subject: Subject) -> None:
    for _ in subject.map.find_all(ABSENT):
        pass


def resize(subject: Subject) -> None:
    subject.map.resize(subject.size - subject.part)
    subject.map.resize(subject.size)


def guarded(subject: Subject) -> None:
    with subject.map.guarded():
        pass


def fork(_: Subject) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


# ---- what happens rarely ----


def must_fail(call: Callable[[], object]) -> None:
    with contextlib.suppress(ironmap.FaultError):
        call()
        raise AssertionError("a lost page was read without an error")


def lose_last_page(subject: Subject) -> None:
    with subject.truncated(subject.size - PAGE):
        must_fail(lambda: subject.map[-1])
    assert subject.map[-1] == 0


def lose_all_pages(subject: Subject) -> None:
    with subject.truncated(0):
        must_fail(lambda: subject.map[0])
    assert subject.map[-1] == 0


def lose_pages_one_by_one(subject: Subject) -> None:
    """From the end on, so that each time only one more is behind the end of the file."""
    for pages in range(1, 64):
        with subject.truncated(subject.size - pages * PAGE):
            must_fail(lambda: subject.map[-pages * PAGE])  # noqa: B023
    assert subject.map[-1] == 0


def search_behind_the_end(subject: Subject) -> None:
    with subject.truncated(subject.size - subject.part):
        must_fail(lambda: subject.map.rfind(ABSENT))


def damage_and_clear(subject: Subject) -> None:
    with memoryview(subject.map) as view, subject.truncated(subject.size // 2):
        view[-1]
        assert subject.map.damaged
    subject.map.clear_damage()


def close_with_damage(subject: Subject) -> None:
    other = subject.open()
    with memoryview(other) as view, subject.truncated(subject.size // 2):
        view[-1]
    must_fail(other.close)


OPERATIONS: dict[str, Callable[[Subject], object]] = {
    "open and close": open_and_close,
    "open with blocks on the disk": open_with_blocks,
    "make a tag": make_tag,
    "export": export,
    "an item": lambda s: s.map[s.size - 1],
    "a slice": lambda s: s.map[s.size - s.part :],
    "a slice with a step": lambda s: s.map[:: s.size // 4096],
    "store a slice": store_slice,
    "store from another map": store_from_another_map,
    "read": read,
    "readinto": readinto,
    "readline": readline,
    "lines": lines,
    "write": write,
    "move": lambda s: s.map.move(s.part // 2, 0, s.part),
    "find": lambda s: s.map.find(ABSENT),
    "rfind": lambda s: s.map.rfind(ABSENT),
    "count": lambda s: s.map.count(ABSENT),
    "find_all": find_all,
    "flush": lambda s: s.map.flush(),
    "madvise": lambda s: s.map.madvise(mmap.MADV_DONTNEED),
    "size": lambda s: s.map.size(),
    "resize": resize,
    "guarded": guarded,
    "fork": fork,
}

RARE_PATHS: dict[str, Callable[[Subject], object]] = {
    "lose the last page": lose_last_page,
    "lose all pages": lose_all_pages,
    "lose 63 pages, one by one": lose_pages_one_by_one,
    "search behind the file's end": search_behind_the_end,
    "damage, and clear it": damage_and_clear,
    "close with damage": close_with_damage,
}


def read_a_byte(subject: Subject) -> None:
    """What another thread does meanwhile. It may find the page lost, and the map in use."""
    with contextlib.suppress(ironmap.FaultError, BufferError):
        subject.map[0]


@contextlib.contextmanager
def subject(path: Path, size: int, part: int) -> Iterator[Subject]:
    made = Subject(path, size, part)
    try:
        yield made
    finally:
        made.close()
