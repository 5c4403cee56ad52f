"""Every method of the map, from many threads at once, in random order.

    stress.py [--seconds N] [--seed N] [--threads N] [--only KIND] [--no-races]

The kinds of rounds come by turns. Most of them check what must hold whatever the order was: see
their functions. A thread that fails ends the program with its traceback, a round that does not end
with those of all threads. The seed is printed.

Bytes that are read through a buffer are not guarded by the map. The thread sanitizer reports that
as a race, so --no-races leaves it out.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import faulthandler
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
import weakref
from typing import TYPE_CHECKING, Any

import ironmap

if TYPE_CHECKING:
    from collections.abc import Callable

# A round that takes so long hangs: rounds last a fraction of a second.
HANGS_AFTER = 240
LONG = 200_000  # bytes: work on them runs without the GIL
GIL_CHECK = getattr(sys, "_is_gil_enabled", lambda: True)


class Round:
    """Threads that work until the time is up, and what they found wrong."""

    def __init__(self, chance: random.Random, threads: int, seconds: float, *, races: bool) -> None:
        self.chance = chance
        self.races = races
        self.threads = threads
        self.seconds = seconds
        self.end = 0.0
        self.failed = False

    def goes_on(self) -> bool:
        return not self.failed and time.monotonic() < self.end

    def guard(
        self, work: Callable[[random.Random], None], seed: int, ready: threading.Barrier
    ) -> None:
        try:
            ready.wait()
            work(random.Random(seed))
        except BaseException:  # noqa: BLE001
            self.failed = True
            traceback.print_exc()

    def run(self, *kinds: Callable[[random.Random], None]) -> None:
        """Runs the kinds of work by turns, each thread one of them. The main thread is one."""
        ready = threading.Barrier(self.threads)
        jobs = [
            (kinds[i % len(kinds)], self.chance.getrandbits(64), ready) for i in range(self.threads)
        ]
        threads = [threading.Thread(target=self.guard, args=job) for job in jobs[1:]]
        self.end = time.monotonic() + self.seconds
        for thread in threads:
            thread.start()
        self.guard(*jobs[0])
        for thread in threads:
            thread.join()
        if self.failed:
            sys.exit(1)


def memory(length: int) -> ironmap.mmap:
    return ironmap.mmap(-1, length)


# ---- what must hold ------------------------------------------------------------------------------


class OwnBytes:
    """The part of a map that one thread uses, and what it must have."""

    def __init__(self, m: ironmap.mmap, start: int, width: int, chance: random.Random) -> None:
        self.m = m
        self.start = start
        self.width = width
        self.chance = chance
        self.model = bytearray(width)
        self.uses = [getattr(self, name) for name in dir(self) if name.startswith("use_")]

    def use(self) -> None:
        a, b = sorted(self.chance.randrange(self.width + 1) for _ in range(2))
        self.chance.choice(self.uses)(a, b)

    def use_set_item(self, a: int, b: int) -> None:
        i = min(a, self.width - 1)
        self.model[i] = self.m[self.start + i] = b % 256

    def use_set_slice(self, a: int, b: int) -> None:
        data = self.chance.randbytes(b - a)
        self.m[self.start + a : self.start + b] = self.model[a:b] = data

    def use_set_extended_slice(self, a: int, b: int) -> None:
        step = self.chance.randrange(2, 5)
        data = self.chance.randbytes(len(range(a, b, step)))
        self.m[self.start + a : self.start + b : step] = self.model[a:b:step] = data

    def use_move(self, a: int, b: int) -> None:
        count = self.width - b
        self.model[a : a + count] = self.model[b : b + count]
        self.m.move(self.start + a, self.start + b, count)

    def use_item(self, a: int, b: int) -> None:
        i = (a + b) % self.width
        assert self.m[self.start + i] == self.model[i]

    def use_slice(self, a: int, b: int) -> None:
        step = self.chance.choice((1, 1, 3))
        assert self.m[self.start + a : self.start + b : step] == self.model[a:b:step]

    def use_find(self, a: int, b: int) -> None:
        needle = bytes(self.model[a : min(b, a + 20)])
        found = self.m.find(needle, self.start, self.start + self.width)
        assert found == self.start + self.model.find(needle)

    def use_count(self, a: int, b: int) -> None:
        byte = bytes([a % 256])
        found = self.m.count(byte, self.start + a, self.start + b)
        assert found == self.model.count(byte, a, b)

    def use_buffer(self, a: int, b: int) -> None:
        with memoryview(self.m) as view:
            assert view[self.start + a : self.start + b] == self.model[a:b]


def own_bytes(this: Round) -> None:
    """Each thread stores into bytes of its own, and reads what it stored."""
    width = this.chance.choice((10, 1000, LONG))
    m = memory(width * this.threads)
    starts = [i * width for i in range(this.threads)]

    def work(chance: random.Random) -> None:
        mine = OwnBytes(m, starts.pop(), width, chance)
        while this.goes_on():
            mine.use()

    this.run(work)
    m.close()


def whole_slices(this: Round) -> None:
    """All bytes of a map have one value, however they are stored and read."""
    length = this.chance.choice((1000, 60_000, LONG))
    m, other = memory(length), memory(length)
    everything = slice(None)
    values = [bytes([i]) * length for i in range(5)]

    def store_view(value: bytes) -> None:
        del value
        with memoryview(other) as view:
            m[:] = view

    stores: list[Callable[[bytes], None]] = [
        lambda value: m.__setitem__(everything, value),
        lambda value: m.__setitem__(slice(None, None, -1), value),
        lambda value: other.__setitem__(everything, value),
        lambda _: m.__setitem__(everything, other),
        lambda _: other.__setitem__(everything, m),
        store_view,
    ]
    loads: list[Callable[[], bytes]] = [
        lambda: m[:],
        lambda: m[::-1],
        lambda: other[:],
    ]

    def store(chance: random.Random) -> None:
        while this.goes_on():
            chance.choice(stores)(chance.choice(values))

    def load(chance: random.Random) -> None:
        while this.goes_on():
            data = chance.choice(loads)()
            assert data == data[:1] * length, f"torn at {len(data.rstrip(data[-1:]))}"
            assert m.count(chance.choice(values)[:1]) in (0, length)
            assert m.find(chance.choice(values)[:1], 0) in (-1, 0)

    this.run(store, load)
    m.close()
    other.close()


def one_position(this: Round) -> None:
    """Reads and writes of all threads share one position: no byte is read or written twice."""
    size = this.chance.choice((8, 8, 1000, LONG // 2))
    total = {8: 8000, 1000: 500_000}.get(size, 10_000_000)
    records = [f"{i:07}\n".encode().rjust(size, b".") for i in range(total // size)]
    everything = sorted(records)
    got: list[list[bytes]] = []
    m = memory(size * len(records))

    def write(chance: random.Random) -> None:
        del chance
        with contextlib.suppress(IndexError):
            while True:
                assert m.write(records.pop()) == size

    def read_into() -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: m.readinto(buffer)])

    def read(chance: random.Random) -> None:
        mine: list[bytes] = []
        got.append(mine)
        reads = (lambda: m.read(size), m.readline, read_into)
        while record := chance.choice(reads)():
            assert len(record) == size, record
            mine.append(record)

    this.run(write)
    assert m.tell() == len(m)
    m.seek(0)
    this.run(read)
    assert sorted(sum(got, [])) == everything  # noqa: RUF017
    m.close()


def one_position_of_bytes(this: Round) -> None:
    """read_byte() and write_byte() of all threads share one position."""
    m = memory(200 * this.threads)

    def write(chance: random.Random) -> None:
        value = chance.randrange(1, 256)
        for _ in range(200):
            m.write_byte(value)

    def read(chance: random.Random) -> None:
        del chance
        for _ in range(200):
            assert m.read_byte() > 0

    for work in (write, read):
        m.seek(0)
        this.run(work)
        assert m.tell() == len(m)
    m.close()


def one_iterator(this: Round) -> None:
    """Threads that share an iterator get each item once."""
    lines = [b"%d" % i + b"." * (100_000 if i % 500 == 7 else i % 90) + b"\n" for i in range(1500)]
    text = b"".join(lines)
    m = memory(len(text))
    m[:] = text
    got: list[list[Any]] = []
    ends = [i for i, byte in enumerate(text) if byte == ord("\n")]
    iterator: Any
    iterator, expected = this.chance.choice(
        (
            (m.lines(), sorted(lines)),
            (m.find_all(b"\n"), ends),
            (m.find_all(b"..", overlapping=True), list(m.find_all(b"..", overlapping=True))),
        )
    )

    def work(chance: random.Random) -> None:
        mine: list[Any] = []
        got.append(mine)
        if chance.random() < 0.5:
            mine.extend(iterator)
        else:
            mine += [item for item in iterator]  # noqa: C416
        assert mine == sorted(mine) or isinstance(mine[0], bytes)

    this.run(work)
    assert sorted(sum(got, [])) == expected  # noqa: RUF017
    m.close()


def exports(this: Round) -> None:
    """A map is closed and resized only without a buffer of it, and a buffer stays valid."""
    length = this.chance.choice((5000, LONG))

    def new_map() -> ironmap.mmap:
        m = memory(length)
        m[:] = b"x" * length
        return m

    maps = [new_map()]

    def use(m: ironmap.mmap, *, closes: bool) -> None:
        with memoryview(m) as view:
            assert bytes(view[:10]) == b"x" * 10
            assert view.nbytes >= length // 2
            if closes:
                with contextlib.suppress(BufferError):
                    m.close()
                    raise AssertionError("closed under a buffer")
            assert view[-1] in b"x\0"

    def export(chance: random.Random) -> None:
        while this.goes_on():
            with contextlib.suppress(ValueError):  # closed
                use(maps[-1], closes=chance.random() < 0.5)

    def change(chance: random.Random) -> None:
        while this.goes_on():
            m = maps[-1]
            with contextlib.suppress(BufferError, ValueError):  # exported, or closed
                if chance.random() < 0.5:
                    m.resize(chance.randrange(length // 2, length * 2))
                else:
                    m.close()
                    maps.append(new_map())

    this.run(export, export, change)
    for m in maps:
        m.close()


# ---- everything ----------------------------------------------------------------------------------


class Chaos:
    """Calls of random methods with random arguments, on maps that are closed and replaced."""

    def __init__(self, this: Round) -> None:
        self.this = this
        self.allowed: tuple[type[BaseException], ...] = (ValueError, IndexError, BufferError)
        self.size = this.chance.choice((100, 5000, 70_000, 600_000))
        self.files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        for file in self.files:
            file.truncate(self.size * 2)
        self.maps = [self.new_map(this.chance) for _ in range(this.chance.randrange(1, 4))]
        self.iterators = [iter(self.maps[0].lines())]
        self.guards = [self.maps[0].guarded()]
        self.references: list[weakref.ref[ironmap.mmap]] = []
        self.calls = [name for name in dir(self) if name.startswith("call_")]

    def new_map(self, chance: random.Random) -> ironmap.mmap:
        length = chance.randrange(1, self.size * 2)
        if chance.random() < 0.4:
            return memory(length)
        access = chance.choice(
            (ironmap.ACCESS_WRITE, ironmap.ACCESS_WRITE, ironmap.ACCESS_COPY, ironmap.ACCESS_READ)
        )
        file = chance.choice(self.files)
        try:
            return ironmap.mmap(file.fileno(), 0, access=access)
        except ValueError:  # the file is empty now
            return memory(length)

    def work(self, chance: random.Random) -> None:
        while self.this.goes_on():
            call = getattr(self, chance.choice(self.calls))
            try:
                call(chance, chance.choice(self.maps))
            except self.allowed:
                pass
            except TypeError as error:
                if not any(word in str(error) for word in ("readonly", "read-write")):
                    raise
            except OSError as error:
                if error.errno not in (errno.EIO, errno.EINVAL):
                    raise

    def index(self, chance: random.Random) -> int:
        return chance.randrange(-self.size, self.size * 2)

    def slice(self, chance: random.Random) -> slice:
        step = chance.choice((None, None, None, 2, -1, 5000))
        start, stop = (chance.choice((None, self.index(chance))) for _ in range(2))
        return slice(start, stop, step)

    def needle(self, chance: random.Random) -> bytes | ironmap.mmap | memoryview:
        match chance.randrange(6):
            case 0:
                return chance.choice(self.maps)
            case 1:
                return memoryview(chance.choice(self.maps))[: chance.randrange(1, 40)]
            case _:
                return chance.randbytes(chance.randrange(4))

    # The methods. Each takes the generator and a map.

    def call_item(self, chance: random.Random, m: ironmap.mmap) -> None:
        assert 0 <= m[self.index(chance)] < 256

    def call_set_item(self, chance: random.Random, m: ironmap.mmap) -> None:
        m[self.index(chance)] = chance.randrange(256)

    def call_slice(self, chance: random.Random, m: ironmap.mmap) -> None:
        assert isinstance(m[self.slice(chance)], bytes)

    def call_set_slice(self, chance: random.Random, m: ironmap.mmap) -> None:
        where = self.slice(chance)
        m[where] = chance.randbytes(len(range(*where.indices(len(m)))))

    def call_copy(self, chance: random.Random, m: ironmap.mmap) -> None:
        other = chance.choice(self.maps)
        length = chance.randrange(1 + min(len(m), len(other)))
        with memoryview(other) as view:
            m[:length] = view[:length]

    def call_copy_all(self, chance: random.Random, m: ironmap.mmap) -> None:
        m[:] = chance.choice(self.maps)

    def call_read(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.read(chance.choice((None, -1, 10, self.size)))

    def call_read_byte(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.read_byte()

    def call_readinto(self, chance: random.Random, m: ironmap.mmap) -> None:
        target: Any = chance.choice((bytearray(chance.randrange(self.size)), *self.maps))
        m.readinto(target)

    def call_readline(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.readline()

    def call_readlines(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.readlines(chance.choice((10, self.size)))

    def call_write(self, chance: random.Random, m: ironmap.mmap) -> None:
        source: Any = chance.choice((chance.randbytes(chance.randrange(self.size)), *self.maps))
        m.write(source)

    def call_write_byte(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.write_byte(chance.randrange(256))

    def call_seek(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.seek(chance.choice((0, self.index(chance))), chance.randrange(3))

    def call_tell(self, chance: random.Random, m: ironmap.mmap) -> None:
        assert m.tell() >= 0

    def call_len(self, chance: random.Random, m: ironmap.mmap) -> None:
        assert len(m) > 0

    def call_find(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.find(self.needle(chance), self.index(chance))

    def call_rfind(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.rfind(self.needle(chance), 0, self.index(chance))

    def call_count(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.count(self.needle(chance))

    def call_iterate(self, chance: random.Random, m: ironmap.mmap) -> None:
        for _, byte in zip(range(chance.randrange(100)), m, strict=False):
            assert len(byte) == 1

    def call_find_all(self, chance: random.Random, m: ironmap.mmap) -> None:
        self.keep(
            self.iterators,
            m.find_all(self.needle(chance), overlapping=chance.random() < 0.5),
            chance,
        )

    def call_lines(self, chance: random.Random, m: ironmap.mmap) -> None:
        self.keep(
            self.iterators, m.lines(0, self.index(chance), keepends=chance.random() < 0.5), chance
        )

    def call_next(self, chance: random.Random, m: ironmap.mmap) -> None:
        iterator = chance.choice(self.iterators)
        for _ in range(chance.randrange(20)):
            next(iterator, None)

    def call_guarded(self, chance: random.Random, m: ironmap.mmap) -> None:
        self.keep(self.guards, m.guarded(), chance)

    def call_with_guard(self, chance: random.Random, m: ironmap.mmap) -> None:
        with chance.choice(self.guards) as guarded, memoryview(guarded) as view:
            self.load(view[:: max(1, len(view) // 20)])

    def call_move(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.move(*(chance.randrange(self.size) for _ in range(3)))

    def call_flush(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.flush(0, chance.choice((0, 1, 4096)))

    def call_advise(self, chance: random.Random, m: ironmap.mmap) -> None:
        if hasattr(m, "madvise"):
            m.madvise(chance.choice((ironmap.MADV_WILLNEED, ironmap.MADV_DONTNEED)))

    def call_look(self, chance: random.Random, m: ironmap.mmap) -> None:
        assert "mmap" in repr(m)
        assert sys.getsizeof(m) > 0
        assert m.closed in (True, False)
        assert m.tagname is None

    def call_size(self, chance: random.Random, m: ironmap.mmap) -> None:
        assert m.size() >= 0

    def call_damage(self, chance: random.Random, m: ironmap.mmap) -> None:
        for start, end in m.damaged:
            assert start < end
        if chance.random() < 0.3:
            m.clear_damage()

    def call_name(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.set_name(chance.choice(("", "stress", "é" * 20)))

    def call_export(self, chance: random.Random, m: ironmap.mmap) -> None:
        with memoryview(m) as view, view[chance.randrange(1 + len(view)) :] as rest:
            self.load(rest[:100])
            if self.this.races and not rest.readonly:
                rest[:1] = b"\n"[: len(rest)]

    def call_weak(self, chance: random.Random, m: ironmap.mmap) -> None:
        self.keep(self.references, weakref.ref(m), chance)
        other = chance.choice(self.references)()
        assert other is None or other.closed in (True, False)

    def call_resize(self, chance: random.Random, m: ironmap.mmap) -> None:
        m.resize(chance.randrange(1, self.size * 2))

    def call_close(self, chance: random.Random, m: ironmap.mmap) -> None:
        if chance.random() < 0.3:
            self.replace(chance, m)
            m.close()

    def call_with(self, chance: random.Random, m: ironmap.mmap) -> None:
        if chance.random() < 0.3:
            self.replace(chance, m)
            with m:
                m.seek(0)

    def call_drop(self, chance: random.Random, m: ironmap.mmap) -> None:
        """The last reference may be in any thread."""
        if chance.random() < 0.3:
            self.replace(chance, m)

    def call_truncate(self, chance: random.Random, m: ironmap.mmap) -> None:
        if chance.random() < 0.2:
            os.ftruncate(chance.choice(self.files).fileno(), chance.randrange(1, self.size * 2))

    def call_grow(self, chance: random.Random, m: ironmap.mmap) -> None:
        os.ftruncate(chance.choice(self.files).fileno(), self.size * 2)

    def load(self, view: memoryview) -> None:
        if self.this.races:
            bytes(view)

    def replace(self, chance: random.Random, m: ironmap.mmap) -> None:
        with contextlib.suppress(ValueError):  # replaced by another thread
            self.maps[self.maps.index(m)] = self.new_map(chance)

    def keep(self, where: list[Any], item: object, chance: random.Random) -> None:
        """Puts the item where all threads find it."""
        if len(where) < 5:
            where.append(item)
        else:
            where[chance.randrange(5)] = item


def chaos(this: Round) -> None:
    """No call crashes, hangs, or raises what it may not raise."""
    sys.unraisablehook = lambda unraisable: None  # collected maps tell of damage
    all_of_it = Chaos(this)
    uses = threading.local()

    def handle(number: int, frame: object) -> None:
        """A handler that uses a map in the middle of the main thread's work."""
        del number, frame
        if getattr(uses, "busy", False):
            return
        uses.busy = True
        chance = random.Random(time.monotonic_ns())
        with contextlib.suppress(*all_of_it.allowed, TypeError, OSError):
            getattr(all_of_it, chance.choice(all_of_it.calls))(
                chance, chance.choice(all_of_it.maps)
            )
        uses.busy = False

    alarms = hasattr(signal, "setitimer") and this.chance.random() < 0.5
    if alarms:
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
    try:
        this.run(all_of_it.work)
    finally:
        if alarms:
            signal.setitimer(signal.ITIMER_REAL, 0)
    for file in all_of_it.files:
        file.close()


KINDS = {
    kind.__name__: kind
    for kind in (
        own_bytes,
        whole_slices,
        one_position,
        one_position_of_bytes,
        one_iterator,
        exports,
        chaos,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--no-races", action="store_true")
    given = parser.parse_args()
    print(f"stress: seed {given.seed}, {given.threads} threads, GIL {GIL_CHECK()}", flush=True)
    sys.setswitchinterval(1e-4)
    chance = random.Random(given.seed)
    kinds = [KINDS[given.only]] if given.only else list(KINDS.values())
    length = min(1, given.seconds / 10)
    end = time.monotonic() + given.seconds
    rounds = 0
    while rounds < len(kinds) or time.monotonic() < end:
        faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
        kind = kinds[rounds % len(kinds)]
        seed = chance.getrandbits(64)
        this = Round(random.Random(seed), given.threads, length, races=not given.no_races)
        try:
            kind(this)
        except BaseException:
            print(f"stress: {kind.__name__} failed in round {rounds}", flush=True)
            raise
        rounds += 1
    faulthandler.cancel_dump_traceback_later()
    print(f"stress: {rounds} rounds")


if __name__ == "__main__":
    main()
