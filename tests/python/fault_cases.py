"""Files that lose pages, the process that takes them away, and all that can be done with a map.

The content has no zero and no newline, so that a zero in a result is a page that was lost, but for
the rest of the page in which the file was cut: that one reads as zeros by right.
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
CYCLE = 241  # bytes after which the content begins anew
CONTENT = (bytes(range(11, 11 + CYCLE)) * (LENGTH // CYCLE + 1))[:LENGTH]
ABSENT = b"\n"  # a needle that is not there
AT = 3 * PAGE + 5  # the position before an operation
SOURCE = 2 * PAGE  # of moves: a page that is lost only where all around it is
PIECE = bytes(range(1, 10)) * (PAGE // 3)  # what is stored, 3 pages
ONE = 77  # the one byte that is stored

# Does what its standard input says. "loop": cuts the file and writes it anew until the next line.
OTHER_PROCESS = """
import os, random, select, sys, time

path, cycle, length = sys.argv[1], bytes.fromhex(sys.argv[2]), int(sys.argv[3])
content = (cycle * (length // len(cycle) + 1))[:length]
file = os.open(path, os.O_RDWR | os.O_CREAT)

def write(start=0):
    # From the old end on: at no moment has the file a hole.
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
    """Another process that has the file open, and cuts it."""

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
        """The file is long and has its content again."""
        self._tell("write")
        self._hear("done")

    def begin_loop(self, seed: int, cuts: list[int]) -> None:
        self._tell("loop", seed, *cuts)

    def end_loop(self) -> None:
        """The loop ends when there is something to read, which is then done."""
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


def cut_content(cut: int) -> bytes:
    """What a buffer of the map shows of a file that was cut there."""
    return CONTENT[:cut] + bytes(LENGTH - cut)


def assert_fault(error: BaseException, first: int, behind: int, code: int = errno.EIO) -> None:
    """The exception says what it must, and its offset lies in [first, behind)."""
    assert type(error) is ironmap.FaultError
    assert error.errno == code
    assert type(error.offset) is int
    assert first <= error.offset < behind
    assert str(error.offset) in str(error)


def assert_next_raises(made: ironmap.mmap, offset: int = 0) -> None:
    """Each use of a damaged map's bytes is refused, new buffers as well; what needs none is not."""
    for use in (lambda: made[0], lambda: made.find(b"a"), made.read_byte, lambda: memoryview(made)):
        with pytest.raises(ironmap.FaultError) as raised:
            use()
        assert_fault(raised.value, offset, LENGTH)
    assert (len(made), made.closed) == (LENGTH, False)


def assert_whole(made: ironmap.mmap) -> None:
    assert made.damaged == ()
    assert made[:] == CONTENT


# ---- operations ------------------------------------------------------------------------------


class Read(NamedTuple):
    """An operation that takes the bytes at `where`, in that order."""

    run: Callable[[Any], bytes]
    where: range


class Search(NamedTuple):
    """An operation that looks at all the bytes at `where` and answers `answer`."""

    run: Callable[[Any], object]
    where: range
    answer: object = -1


class Store(NamedTuple):
    """An operation that takes the bytes at `source` and those given, and stores them at `where`."""

    run: Callable[[Any, bytes], object]
    where: range
    source: range = range(0)


def place(start: int, stop: int, step: int = 1) -> range:
    return range(LENGTH)[start:stop:step]


ALL = place(0, LENGTH)
LAST = place(-1, LENGTH)
TAIL = place(-3 * PAGE - 50, LENGTH - 50)
NEAR = place(5, 90)  # before every cut but that at 0
FAR_STEPS = place(7, LENGTH, PAGE // 2 + 1)
BACKWARDS = range(LENGTH)[::-3]


def read_into(made: Any) -> bytes:
    buffer = bytearray(LENGTH)
    return bytes(buffer[: made.readinto(buffer)])


READS: dict[str, Read] = {
    "m[i]": Read(lambda m: bytes([m[LENGTH - 1]]), LAST),
    "m[-i]": Read(lambda m: bytes([m[-1]]), LAST),
    "m[near]": Read(lambda m: bytes([m[5]]), place(5, 6)),
    "m[a:b]": Read(lambda m: m[TAIL.start : TAIL.stop], TAIL),
    "m[-a:-b]": Read(lambda m: m[-3 * PAGE - 50 : -50], TAIL),
    "m[near:b]": Read(lambda m: m[5:90], NEAR),
    "m[:]": Read(lambda m: m[:], ALL),
    "m[::n]": Read(lambda m: m[7 :: PAGE // 2 + 1], FAR_STEPS),
    "m[::3]": Read(lambda m: m[::3], place(0, LENGTH, 3)),
    "m[::-3]": Read(lambda m: m[::-3], BACKWARDS),
    "read": Read(lambda m: m.read(), place(AT, LENGTH)),
    "read(n)": Read(lambda m: m.read(PAGE * 25), place(AT, AT + PAGE * 25)),
    "read(few)": Read(lambda m: m.read(9), place(AT, AT + 9)),
    "readline": Read(lambda m: m.readline(), place(AT, LENGTH)),
    "read_byte": Read(lambda m: bytes([m.read_byte()]), place(AT, AT + 1)),
    "readinto": Read(read_into, place(AT, LENGTH)),
    "readlines": Read(lambda m: b"".join(m.readlines()), place(AT, LENGTH)),
    "lines": Read(lambda m: b"".join(m.lines()), ALL),
    "lines(a, b)": Read(lambda m: b"".join(m.lines(5, 90)), NEAR),
    "iteration": Read(lambda m: b"".join(m), ALL),
}
SEARCHES: dict[str, Search] = {
    "find": Search(lambda m: m.find(ABSENT), place(AT, LENGTH)),
    "find far": Search(lambda m: m.find(ABSENT, LENGTH - 9), place(-9, LENGTH)),
    "find near": Search(lambda m: m.find(ABSENT * 2, 0, 90), place(0, 90)),
    "find a page of zeros": Search(lambda m: m.find(bytes(PAGE), 0), ALL),
    "rfind": Search(lambda m: m.rfind(ABSENT, 0), ALL),
    "rfind a page of zeros": Search(lambda m: m.rfind(bytes(PAGE), 0), ALL),
    "rfind near": Search(lambda m: m.rfind(ABSENT, 0, 90), place(0, 90)),
    "count": Search(lambda m: m.count(ABSENT), ALL, answer=0),
    "count near": Search(lambda m: m.count(ABSENT, 5, 90), NEAR, answer=0),
    "find_all": Search(lambda m: list(m.find_all(ABSENT * 3)), ALL, answer=[]),
    "in": Search(lambda m: ABSENT in m, ALL, answer=False),
}
STORES: dict[str, Store] = {
    "m[i] = n": Store(lambda m, data: m.__setitem__(LENGTH - 1, data[0]), LAST),
    "m[-i] = byte": Store(lambda m, data: m.__setitem__(-1, data), LAST),
    "m[near] = n": Store(lambda m, data: m.__setitem__(5, data[0]), place(5, 6)),
    "m[a:b] = bytes": Store(
        lambda m, data: m.__setitem__(slice(TAIL.start, TAIL.stop), data), TAIL
    ),
    "m[near:b] = bytes": Store(lambda m, data: m.__setitem__(slice(5, 90), data), NEAR),
    "m[:] = bytes": Store(lambda m, data: m.__setitem__(slice(None), data), ALL),
    "m[::n] = bytes": Store(
        lambda m, data: m.__setitem__(slice(7, None, PAGE // 2 + 1), data), FAR_STEPS
    ),
    "m[::-3] = bytes": Store(lambda m, data: m.__setitem__(slice(None, None, -3), data), BACKWARDS),
    "write": Store(lambda m, data: m.write(data), place(AT, LENGTH)),
    "write near": Store(lambda m, data: m.write(data), place(AT, AT + 9)),
    "write_byte": Store(lambda m, data: m.write_byte(data[0]), place(AT, AT + 1)),
    "move there": Store(
        lambda m, _: m.move(LENGTH - PAGE, SOURCE, PAGE),
        place(-PAGE, LENGTH),
        place(SOURCE, SOURCE + PAGE),
    ),
    "move from there": Store(
        lambda m, _: m.move(SOURCE, LENGTH - PAGE, PAGE),
        place(SOURCE, SOURCE + PAGE),
        place(-PAGE, LENGTH),
    ),
}


def pick(content: bytes, where: range) -> bytes:
    """The bytes at these places."""
    if where.step == 1:
        return content[where.start : where.stop]
    return bytes(content[at] for at in where)


def put(content: bytes, where: range, data: bytes) -> bytes:
    """The content with the data at these places."""
    changed = bytearray(content)
    if where.step == 1:
        changed[where.start : where.stop] = data
    else:
        for at, byte in zip(where, data, strict=True):
            changed[at] = byte
    return bytes(changed)


def touched(*places: range) -> tuple[int, int]:
    """The lowest of the bytes at these places, and the one behind the highest."""
    ends = [end for where in places if where for end in (where[0], where[-1])]
    return min(ends), max(ends) + 1


# ---- children --------------------------------------------------------------------------------


class End(NamedTuple):
    """How a child process ended."""

    status: int
    output: str
    errors: str


NO_CORE = "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"


def end_of(code: str, *arguments: str | Path) -> End:
    """Run code in a fresh interpreter, which may die and has no handler but what the code sets."""
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
    """Killed by SIGBUS, with or without what faulthandler prints."""
    assert end.status == -signal.SIGBUS, end
    printed = re.findall(r"Fatal Python error: Bus error(?s:.*?)File \"<string>\"", end.errors)
    assert len(printed) == int(traceback), end
