"""Threads whose maps change shape at once, and threads that look at all of these maps.

Each file has an owner, a thread that closes, opens, grows and shrinks its map, and truncates the
file and makes it as long as before. The bytes of a file are its own and never zero, so that a byte
of another map and a zero that passes for data are recognised.

IRONMAP_MODEL_SECONDS sets the time in whole seconds, IRONMAP_TEST_SEED the seed.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import ironmap
from support import GRANULE, PAGE
from system import FREES_MAPPED_FILES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS = 2
OWNERS = 6
LOOKERS = 2
PAGES = 16
LONGEST = PAGES * PAGE


class Subject:
    """A file with bytes of its own, and its map. Pages of every second file may be lost."""

    def __init__(self, path: Path, number: int, seed: int) -> None:
        source = random.Random(seed)
        self.marks = bytes(source.choices(range(1, 256), k=GRANULE + LONGEST))
        self.loses = FREES_MAPPED_FILES and number % 2 == 0
        self.file = path.open("w+b", buffering=0)
        self.offset = 0
        self.map: ironmap.mmap | None = None

    def size(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    def extend(self, size: int) -> None:
        """Makes the file longer, with its bytes."""
        if self.size() < size:
            self.file.seek(self.size())
            self.file.write(self.marks[self.file.tell() : size])

    def is_right(self, start: int, found: bytes) -> bool:
        start += self.offset
        return found == self.marks[start : start + len(found)]


class Race:
    """The threads, what they count, and the first thing that was wrong."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self.end = time.monotonic() + int(os.environ.get("IRONMAP_MODEL_SECONDS", SECONDS))
        self.subjects = [Subject(folder / str(i), i, seed + i) for i in range(OWNERS)]
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def goes_on(self) -> bool:
        return not self.wrong and time.monotonic() < self.end

    def run(self) -> None:
        threads = [
            threading.Thread(target=self.guarded, args=(work, i))
            for work, count in ((self.own, OWNERS), (self.look, LOOKERS))
            for i in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for subject in self.subjects:
            if subject.map is not None:
                subject.map.clear_damage()
                subject.map.close()
            subject.file.close()

    def guarded(self, work: Callable[[int, random.Random, Counter[str]], None], i: int) -> None:
        counts: Counter[str] = Counter()
        try:
            work(i, random.Random(f"{self.seed} {work.__name__} {i}"), counts)
        except Exception as error:  # noqa: BLE001 - every other exception is wrong
            self.wrong.append(f"{work.__name__}: {error!r}")
        self.counts += counts

    # ---- owners ----------------------------------------------------------------------------------

    def own(self, i: int, source: random.Random, counts: Counter[str]) -> None:
        subject = self.subjects[i]
        self.open(subject, source, counts)
        acts = [self.open_again, self.resize, self.lose]
        while self.goes_on():
            source.choice(acts)(subject, source, counts)

    def retry(self, act: Callable[[], None], counts: Counter[str]) -> bool:
        """Does it, as soon as no thread that looks is in the way. False if time is over."""
        while self.goes_on():
            with suppress(BufferError):
                act()
                return True
            counts["BufferError"] += 1
            time.sleep(0)
        return False

    def open(self, subject: Subject, source: random.Random, counts: Counter[str]) -> None:
        offset = source.choice([0, 0, 0, GRANULE])
        length = source.randrange(1, LONGEST)
        subject.extend(offset + length)
        m = ironmap.mmap(subject.file.fileno(), length, offset=offset)
        subject.offset = offset
        subject.map = m
        counts["opens"] += 1
        self.check(subject, m, 0, length)

    def open_again(self, subject: Subject, source: random.Random, counts: Counter[str]) -> None:
        m = subject.map
        assert m is not None
        subject.map = None
        if self.retry(m.close, counts):
            self.open(subject, source, counts)
        else:
            subject.map = m

    def resize(self, subject: Subject, source: random.Random, counts: Counter[str]) -> None:
        m = subject.map
        assert m is not None
        length = source.randrange(1, LONGEST)
        subject.extend(subject.offset + length)
        if self.retry(lambda: m.resize(length), counts):
            counts["resizes"] += 1
            self.check(subject, m, 0, length)

    def lose(self, subject: Subject, source: random.Random, counts: Counter[str]) -> None:
        m = subject.map
        assert m is not None
        if not subject.loses:
            return
        size = subject.size()
        left = source.randrange(size // PAGE + 1) * PAGE
        os.truncate(subject.file.fileno(), left)
        lost = max(left - subject.offset, 0)
        if lost < len(m):
            try:
                m.find(b"\0")
            except ironmap.FaultError as error:
                assert error.offset == lost, (error.offset, lost)  # noqa: PT017
                counts["faults"] += 1
            else:
                self.wrong.append("no error for a lost page")
        subject.extend(size)
        self.check(subject, m, 0, len(m))

    def check(self, subject: Subject, m: ironmap.mmap, start: int, length: int) -> None:
        found = m[start : start + length]
        if len(found) != length or not subject.is_right(start, found):
            self.wrong.append("the owner found wrong bytes")

    # ---- looks -----------------------------------------------------------------------------------

    def look(self, i: int, source: random.Random, counts: Counter[str]) -> None:
        del i
        looks = [self.look_at_range, self.look_for_zero, self.look_at_buffer]
        while self.goes_on():
            subject = source.choice(self.subjects)
            m = subject.map
            if m is None or m.closed:
                continue
            start = source.randrange(LONGEST)
            end = source.randrange(LONGEST)
            right = True
            try:
                right = source.choice(looks)(subject, m, start, end)
            except ironmap.FaultError:
                right = subject.loses
                counts["faults of others"] += 1
            except (ValueError, BufferError):
                counts["closed or in change"] += 1
            else:
                counts["looks"] += 1
            # Another map of another offset may have come meanwhile.
            if not right and subject.map is m:
                self.wrong.append("a thread that looks found wrong bytes")

    def look_at_range(self, subject: Subject, m: ironmap.mmap, start: int, end: int) -> bool:
        return subject.is_right(start, m[start:end])

    def look_for_zero(self, subject: Subject, m: ironmap.mmap, start: int, end: int) -> bool:
        del subject
        return m.find(b"\0", start, end) == -1

    def look_at_buffer(self, subject: Subject, m: ironmap.mmap, start: int, end: int) -> bool:
        if subject.loses:
            return True
        with memoryview(m) as view:
            return subject.is_right(start, bytes(view[start:end]))


def test_maps_that_change_shape_at_once_show_their_own_bytes(tmp_path: Path) -> None:
    seed = int(os.environ.get("IRONMAP_TEST_SEED") or time.time_ns())
    print(f"IRONMAP_TEST_SEED={seed}")
    race = Race(tmp_path, seed)
    race.run()
    print(dict(race.counts))
    assert not race.wrong
    assert race.counts["resizes"] > 0
