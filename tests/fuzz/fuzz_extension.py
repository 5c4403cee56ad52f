"""Fuzzes the extension. The input is a program: a map to open, then calls with their arguments.

    fuzz_extension.py FOLDER [--seconds N] [--runs N]

Runs the programs of FOLDER, then changed ones. One that does something new is added to FOLDER: a
method that ends in a new way for such arguments. Before each run the program is written to
FOLDER.last, for the case that the process dies. Run it with the sanitizers, as `make fuzz` does.

A call may raise what its manual says, and no SystemError. What is read from a shared map is what
the file has. Arguments may close, resize or truncate the map while they are converted.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import os
import random
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ironmap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = 4096
CALLS_MAX = 60
EXPECTED = (ValueError, TypeError, IndexError, OverflowError, BufferError, OSError, MemoryError)
INTS = (0, 1, -1, 2, 255, 256, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, 70000, -PAGE, 2**31, 2**62)
INTS += (2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1, 200000)
# No option that breaks memory (MADV_HWPOISON), and no size that takes all of it.
OPTIONS = (0, 1, 2, 3, 4, -1, 2**31)
NAMES = """
    close damaged closed find rfind count find_all flush guarded lines move read read_byte
    readinto readline readlines seek seekable set_name size tell write write_byte clear_damage
    __len__ __repr__ __getitem__ __setitem__ __delitem__ __enter__ __exit__ madvise resize truncate
    touch export check collect other tagname __sizeof__
""".split()  # noqa: SIM905


class Program:
    """What is left of an input. One that is over goes on with zeros."""

    def __init__(self, source: bytes) -> None:
        self.left = iter(source)
        self.over = False

    def byte(self) -> int:
        value = next(self.left, None)
        self.over = self.over or value is None
        return value or 0

    def choose(self, values: Any) -> Any:
        return values[self.byte() % len(values)]


class Machine:
    """The state of one run."""

    def __init__(self, source: bytes) -> None:
        self.program = Program(source)
        self.fd = os.memfd_create("fuzz")
        os.write(self.fd, bytes(i % 7 + i // PAGE + 8 for i in range(40 * PAGE // 8)))
        self.exports: list[Any] = []
        self.maps: list[ironmap.mmap] = []
        self.of_file: ironmap.mmap | None = None
        self.seen: set[tuple[str, str, str]] = set()

    # ---- values ----

    def integer(self) -> int:
        kind = self.program.byte()
        return self.program.choose(INTS) if kind % 2 else kind // 2 * 37 % 9000

    def evil(self, m: ironmap.mmap) -> object:
        """An integer whose conversion uses the map."""
        acts = (m.close, lambda: m.resize(PAGE), self.cut, lambda: memoryview(m))
        act = self.program.choose(acts)
        value = self.integer()

        class Index:
            def __index__(self) -> int:
                with contextlib.suppress(*EXPECTED):
                    act()
                return value

        return Index()

    def value(self, m: ironmap.mmap) -> Any:
        kind = self.program.byte() % 16
        if kind < 6:
            return self.integer()
        if kind == 6:
            return None
        if kind == 7:
            return self.evil(m)
        if kind < 10:
            return slice(*(self.program.choose((None, self.integer())) for _ in range(3)))
        return self.buffer(m)

    def buffer(self, m: ironmap.mmap) -> Any:
        kind = self.program.byte() % 10
        size = self.program.choose((0, 1, 2, 8, 100, PAGE, 70000))
        if kind < 3:
            return bytes([self.program.byte()]) * size
        if kind == 3:
            return bytearray(size)
        if kind == 4:
            return self.program.choose(("text", 1.5, object(), True, "a\0b"))
        if kind == 5:
            return m
        if kind == 6 and self.maps:
            return self.maps[0]
        with contextlib.suppress(*EXPECTED):
            view = memoryview(self.maps[0] if kind == 7 and self.maps else m)
            return view[self.integer() :: self.program.choose((1, 2, -1))]
        return b""

    # ---- calls ----

    def cut(self) -> None:
        os.ftruncate(self.fd, self.program.byte() * 300)

    def export(self, m: ironmap.mmap) -> None:
        if self.program.byte() % 2:
            self.exports.append(memoryview(m))
        elif self.exports:
            self.exports.pop()

    def touch(self, m: ironmap.mmap) -> None:
        for view in self.exports:
            index = self.integer()
            if 0 <= index < len(view):
                view[index] = view[index] if not view.readonly else None

    def check(self, m: ironmap.mmap) -> None:
        """What is read is what the file has."""
        start = self.integer() % 9000
        data = m[start : start + 600]
        if "ACCESS_COPY" in repr(m) or m is not self.of_file:
            return
        offset = int(repr(m).rpartition("offset=")[2].rstrip(">"))
        found = os.pread(self.fd, len(data), offset + start)
        # Behind the file's end, in its last page, is what was stored there.
        assert data.startswith(found), (start, data[:50], found[:50])

    def call(self, m: ironmap.mmap, name: str) -> None:
        if name == "truncate":
            self.cut()
        elif name in {"export", "touch", "check"}:
            getattr(self, name)(m)
        elif name == "collect":
            gc.collect(0)
        elif name == "other":
            self.open_other()
        elif name == "madvise":
            m.madvise(self.program.choose(OPTIONS), *self.arguments(m, 2))
        elif name == "resize":
            size = self.value(m)
            m.resize(size if not isinstance(size, int) or size > 2**61 else size % 300000)
        else:
            attribute = getattr(m, name)
            if callable(attribute):
                self.use(attribute(*self.arguments(m, 3)))

    def arguments(self, m: ironmap.mmap, most: int) -> list[Any]:
        return [self.value(m) for _ in range(self.program.byte() % (most + 1))]

    def use(self, result: Any) -> None:
        """Takes the first items of an iterator, and leaves a block."""
        if type(result).__name__ in {"FindAll", "Lines"}:
            for _ in range(self.program.byte() % 5):
                next(result, None)
        elif type(result).__name__ == "Guarded":
            with result:
                self.touch(self.maps[0])

    # ---- maps ----

    def open(self) -> ironmap.mmap:
        program = self.program
        length = program.choose((0, 1, PAGE, 3 * PAGE, 2 * PAGE + 7, 5 * PAGE))
        access = program.choose((0, 1, 2, 3))
        if program.byte() % 4 == 0:
            return ironmap.mmap(-1, length or PAGE)
        self.of_file = ironmap.mmap(
            self.fd,
            length,
            access=access,
            offset=program.choose((0, 0, PAGE, 100)),
            trackfd=program.byte() % 8 != 0,
        )
        return self.of_file

    def open_other(self) -> None:
        self.maps.append(ironmap.mmap(-1, 3 * PAGE))

    def attempt(self, m: ironmap.mmap, name: str) -> None:
        try:
            self.call(m, name)
            how = "done"
        except EXPECTED as error:
            how = type(error).__name__
        self.seen.add((name, how, repr(m).split("length")[0]))

    def run(self) -> set[tuple[str, str, str]]:
        """What the program does."""
        try:
            self.maps.append(self.open())
            for _ in range(CALLS_MAX):
                if self.program.over:
                    break
                m = self.maps[0] if self.program.byte() % 8 else self.maps[-1]
                self.attempt(m, self.program.choose(NAMES))
        except EXPECTED:
            pass
        finally:
            self.exports.clear()
            for m in self.maps:
                with contextlib.suppress(BufferError, ironmap.FaultError):
                    m.close()
            os.close(self.fd)
        return self.seen


# ---- changing programs ---------------------------------------------------------------------------


def changed(source: bytes, other: bytes, chance: random.Random) -> bytes:
    """A program like `source`: a few bytes differ, or a part of `other` is put in."""
    made = bytearray(source)
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(made))
        act = chance.randrange(4)
        if act == 0:
            made[at:at] = chance.randbytes(chance.randint(1, 8))
        elif act == 1:
            del made[at : at + chance.randint(1, 8)]
        elif act == 2 and other:
            begin = chance.randrange(len(other))
            made[at:at] = other[begin : begin + chance.randint(1, 40)]
        else:
            made[at : at + 1] = chance.randbytes(1)
    return bytes(made[:400])


def programs(corpus: list[bytes], chance: random.Random) -> Iterator[bytes]:
    yield from list(corpus)
    while True:
        if not corpus or chance.random() < 0.1:
            yield chance.randbytes(chance.randint(10, 300))
        else:
            yield changed(chance.choice(corpus), chance.choice(corpus), chance)


def fuzz(folder: Path, is_over: Callable[[int], bool], seed: int) -> tuple[int, int, int]:
    """How many programs ran, how many the folder has, and how many ways to end were seen."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus = [path.read_bytes() for path in sorted(folder.iterdir())]
    chance = random.Random(seed)
    seen: set[tuple[str, str, str]] = set()
    last = os.open(f"{folder}.last", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    runs = 0
    for source in programs(corpus, chance):
        if is_over(runs):
            break
        os.pwrite(last, len(source).to_bytes(2, "little") + source, 0)
        found = Machine(source).run()
        runs += 1
        if not found <= seen:
            seen |= found
            name = hashlib.sha1(source, usedforsecurity=False).hexdigest()[:16]
            if source not in corpus:
                (folder / name).write_bytes(source)
                corpus.append(source)
    os.close(last)
    return runs, len(corpus), len(seen)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--runs", type=int, default=sys.maxsize)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda _: None
    runs, kept, ways = fuzz(
        options.folder,
        lambda runs: runs >= options.runs or time.monotonic() > end,
        options.seed,
    )
    print(f"{runs} programs, {kept} kept, {ways} ways to end")
    return 0


if __name__ == "__main__":
    sys.exit(main())
