"""Files that lose pages, the process that truncates them, and all operations on a map.

The content has no zero and no newline. A zero in a result is therefore a lost page, except in the
rest of the page in which the file ends, which reads as zeros on every system.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import ironmap
from support import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGES = 32
LENGTH = PAGES * PAGE
CYCLE = 241  # bytes after which the content repeats
CONTENT = (bytes(range(11, 11 + CYCLE)) * (LENGTH // CYCLE + 1))[:LENGTH]
FAULT_TEXT = "page unavailable at offset"
ABSENT = b"\n"  # a needle that is not in the content
POSITION = 3 * PAGE + 5  # before an operation
SOURCE = 2 * PAGE  # of moves: a page that is lost only if those around it are
STORED = bytes(range(1, 10)) * (PAGE // 3)  # 3 pages

# Runs commands from standard input. "loop" truncates and rewrites the file until the next command.
OTHER_PROCESS = """
import os, random, select, sys, time

path, cycle, length = sys.argv[1], bytes.fromhex(sys.argv[2]), int(sys.argv[3])
content = (cycle * (length // len(cycle) + 1))[:length]
file = os.open(path, os.O_RDWR | os.O_CREAT)

def write(start=0):
    # Appends only, so that the file never has a hole.
    while start < length:
        start += os.pwrite(file, content[start:], start)
    os.ftruncate(file, length)

def loop(seed, *cuts):
    chance = random.Random(seed)
    while not select.select([sys.stdin], [], [], 0)[0]:
        cut = int(chance.choice(cuts))
        os.ftruncate(file, cut)
        time.sleep(chance.choice((0, chance.random() / 3000)))
        write(cut)
        time.sleep(chance.choice((0, chance.random() / 3000)))

for line in sys.stdin:
    command, *arguments = line.split()
    print("begun", flush=True)
    if command == "cut":
        os.ftruncate(file, int(arguments[0]))
    elif command == "write":
        write()
    else:
        loop(*arguments)
    print("done", flush=True)
"""


class OtherProcess:
    """Another process that has the file open and truncates it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        arguments = (path, CONTENT[:CYCLE].hex(), str(LENGTH))
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER_PROCESS, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.write()

    def _tell(self, *words: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self._hear("begun")

    def _hear(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{word}\n"

    def cut(self, length: int) -> None:
        self._tell("cut", length)
        self._hear("done")

    def write(self) -> None:
        """Restores the length and the content of the file."""
        self._tell("write")
        self._hear("done")

    def begin_loop(self, seed: int, cuts: list[int]) -> None:
        self._tell("loop", seed, *cuts)

    def end_loop(self) -> None:
        """Ends the loop by another command, which then runs."""
        assert self.process.stdin is not None
        self.process.stdin.write("write\n")
        for word in ("done", "begun", "done"):
            self._hear(word)

    def end(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0


def map_file(path: Path, **options: Any) -> ironmap.mmap:
    with path.open("r+b") as file:
        return ironmap.mmap(file.fileno(), 0, **options)


def page_up(offset: int) -> int:
    """The first lost byte of a map whose file ends at `offset`."""
    return -(-offset // PAGE) * PAGE


def truncated_content(cut: int) -> bytes:
    """What a buffer of the map shows of a file that was truncated to `cut` bytes."""
    return CONTENT[:cut] + bytes(LENGTH - cut)


def assert_fault(error: BaseException, first: int, end: int, code: int = errno.EIO) -> None:
    """Checks the attributes of the exception. Its offset must lie in [first, end)."""
    assert type(error) is ironmap.FaultError
    assert error.errno == code
    assert type(error.offset) is int
    assert first <= error.offset < end
    assert str(error.offset) in str(error)


def assert_next_raises(m: ironmap.mmap, offset: int = 0) -> None:
    """Checks that every use of the bytes of a damaged map fails, and that others work."""
    for use in (lambda: m[0], lambda: m.find(b"a"), m.read_byte, lambda: memoryview(m)):
        with pytest.raises(ironmap.FaultError) as raised:
            use()
        assert_fault(raised.value, offset, LENGTH)
    assert (len(m), m.closed) == (LENGTH, False)


def assert_undamaged(m: ironmap.mmap) -> None:
    assert m.damaged == ()
    assert m[:] == CONTENT


# ---- operations ------------------------------------------------------------------------------


class Read(NamedTuple):
    """An operation that returns the bytes at `where`, in that order."""

    run: Callable[[Any], bytes]
    where: range


class Search(NamedTuple):
    """An operation that reads all bytes at `where` and returns `answer`."""

    run: Callable[[Any], object]
    where: range
    answer: object = -1


class Store(NamedTuple):
    """An operation that stores the given bytes, or those at `source`, at `where`."""

    run: Callable[[Any, bytes], object]
    where: range
    source: range = range(0)


def offsets(start: int, stop: int, step: int = 1) -> range:
    return range(LENGTH)[start:stop:step]


ALL = offsets(0, LENGTH)
LAST = offsets(-1, LENGTH)
TAIL = offsets(-3 * PAGE - 50, LENGTH - 50)
NEAR = offsets(5, 90)  # remains in every truncated file but the empty one
FAR_STEPS = offsets(7, LENGTH, PAGE // 2 + 1)
BACKWARDS = range(LENGTH)[::-3]


def read_into(m: Any) -> bytes:
    buffer = bytearray(LENGTH)
    return bytes(buffer[: m.readinto(buffer)])


READS: dict[str, Read] = {
    "m[i]": Read(lambda m: bytes([m[LENGTH - 1]]), LAST),
    "m[-i]": Read(lambda m: bytes([m[-1]]), LAST),
    "m[near]": Read(lambda m: bytes([m[5]]), offsets(5, 6)),
    "m[a:b]": Read(lambda m: m[TAIL.start : TAIL.stop], TAIL),
    "m[-a:-b]": Read(lambda m: m[-3 * PAGE - 50 : -50], TAIL),
    "m[near:b]": Read(lambda m: m[5:90], NEAR),
    "m[:]": Read(lambda m: m[:], ALL),
    "m[::n]": Read(lambda m: m[7 :: PAGE // 2 + 1], FAR_STEPS),
    "m[::3]": Read(lambda m: m[::3], offsets(0, LENGTH, 3)),
    "m[::-3]": Read(lambda m: m[::-3], BACKWARDS),
    "read": Read(lambda m: m.read(), offsets(POSITION, LENGTH)),
    "read(n)": Read(lambda m: m.read(PAGE * 25), offsets(POSITION, POSITION + PAGE * 25)),
    "read(few)": Read(lambda m: m.read(9), offsets(POSITION, POSITION + 9)),
    "readline": Read(lambda m: m.readline(), offsets(POSITION, LENGTH)),
    "read_byte": Read(lambda m: bytes([m.read_byte()]), offsets(POSITION, POSITION + 1)),
    "readinto": Read(read_into, offsets(POSITION, LENGTH)),
    "readlines": Read(lambda m: b"".join(m.readlines()), offsets(POSITION, LENGTH)),
    "lines": Read(lambda m: b"".join(m.lines()), ALL),
    "lines(a, b)": Read(lambda m: b"".join(m.lines(5, 90)), NEAR),
    "iteration": Read(lambda m: b"".join(m), ALL),
}
SEARCHES: dict[str, Search] = {
    "find": Search(lambda m: m.find(ABSENT), offsets(POSITION, LENGTH)),
    "find far": Search(lambda m: m.find(ABSENT, LENGTH - 9), offsets(-9, LENGTH)),
    "find near": Search(lambda m: m.find(ABSENT * 2, 0, 90), offsets(0, 90)),
    "find a page of zeros": Search(lambda m: m.find(bytes(PAGE), 0), ALL),
    "rfind": Search(lambda m: m.rfind(ABSENT, 0), ALL),
    "rfind a page of zeros": Search(lambda m: m.rfind(bytes(PAGE), 0), ALL),
    "rfind near": Search(lambda m: m.rfind(ABSENT, 0, 90), offsets(0, 90)),
    "count": Search(lambda m: m.count(ABSENT), ALL, answer=0),
    "count near": Search(lambda m: m.count(ABSENT, 5, 90), NEAR, answer=0),
    "find_all": Search(lambda m: list(m.find_all(ABSENT * 3)), ALL, answer=[]),
    "in": Search(lambda m: ABSENT in m, ALL, answer=False),
}
STORES: dict[str, Store] = {
    "m[i] = n": Store(lambda m, data: m.__setitem__(LENGTH - 1, data[0]), LAST),
    "m[-i] = byte": Store(lambda m, data: m.__setitem__(-1, data), LAST),
    "m[near] = n": Store(lambda m, data: m.__setitem__(5, data[0]), offsets(5, 6)),
    "m[a:b] = bytes": Store(
        lambda m, data: m.__setitem__(slice(TAIL.start, TAIL.stop), data), TAIL
    ),
    "m[near:b] = bytes": Store(lambda m, data: m.__setitem__(slice(5, 90), data), NEAR),
    "m[:] = bytes": Store(lambda m, data: m.__setitem__(slice(None), data), ALL),
    "m[::n] = bytes": Store(
        lambda m, data: m.__setitem__(slice(7, None, PAGE // 2 + 1), data), FAR_STEPS
    ),
    "m[::-3] = bytes": Store(lambda m, data: m.__setitem__(slice(None, None, -3), data), BACKWARDS),
    "write": Store(lambda m, data: m.write(data), offsets(POSITION, LENGTH)),
    "write near": Store(lambda m, data: m.write(data), offsets(POSITION, POSITION + 9)),
    "write_byte": Store(lambda m, data: m.write_byte(data[0]), offsets(POSITION, POSITION + 1)),
    "move there": Store(
        lambda m, _: m.move(LENGTH - PAGE, SOURCE, PAGE),
        offsets(-PAGE, LENGTH),
        offsets(SOURCE, SOURCE + PAGE),
    ),
    "move from there": Store(
        lambda m, _: m.move(SOURCE, LENGTH - PAGE, PAGE),
        offsets(SOURCE, SOURCE + PAGE),
        offsets(-PAGE, LENGTH),
    ),
}


def bytes_at(content: bytes, where: range) -> bytes:
    """The bytes at these offsets."""
    if where.step == 1:
        return content[where.start : where.stop]
    return bytes(content[at] for at in where)


def with_bytes_at(content: bytes, where: range, data: bytes) -> bytes:
    """The content with the data at these offsets."""
    changed = bytearray(content)
    if where.step == 1:
        changed[where.start : where.stop] = data
    else:
        for at, byte in zip(where, data, strict=True):
            changed[at] = byte
    return bytes(changed)


def bounding_range(*ranges: range) -> tuple[int, int]:
    """The lowest of these offsets, and the one after the highest."""
    ends = [end for where in ranges if where for end in (where[0], where[-1])]
    return min(ends), max(ends) + 1


# ---- child processes -------------------------------------------------------------------------


class End(NamedTuple):
    """How a child process ended."""

    status: int
    output: str
    errors: str


NO_CORE = "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"


def end_of(code: str, *arguments: str | Path) -> End:
    """Runs code in a new interpreter without other handlers. It may be killed."""
    environment = dict(os.environ)
    environment.pop("PYTHONFAULTHANDLER", None)
    done = subprocess.run(
        [sys.executable, "-c", NO_CORE + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )
    return End(done.returncode, done.stdout, done.stderr)


def assert_lived(end: End, output: str = "") -> None:
    assert end.status == 0, end
    assert end.output == output, end


def assert_killed(end: End, *, traceback: bool) -> None:
    """Checks that the process was killed by SIGBUS, with or without output of faulthandler."""
    assert end.status == -signal.SIGBUS, end
    printed = re.findall(r"Fatal Python error: Bus error(?s:.*?)File \"<string>\"", end.errors)
    assert len(printed) == int(traceback), end
