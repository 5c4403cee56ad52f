"""What both modules are given: equal files and maps, and arguments that are made for each side."""

from __future__ import annotations

import array
import contextlib
import fractions
import mmap as standard
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

PAGE = standard.PAGESIZE
LARGEST = 20 * PAGE  # long enough for work that lets other threads run
LETTERS = b"ab\n\0xyz"
BUFFER_METHODS = sys.version_info >= (3, 12)  # a class can define __buffer__
EXTREMES = [s * n + d for s in (-1, 1) for n in (2**31, 2**32, 2**63, 2**70) for d in (-1, 0)]


class Side:
    """One module with its file, its map, another map, and what was made of these."""

    def __init__(self, module: Any, path: Path, content: bytes) -> None:
        self.module = module
        path.write_bytes(content)
        self.fd = os.open(path, os.O_RDWR)
        self.fds = {mode: os.open(path, mode) for mode in (os.O_RDONLY, os.O_WRONLY)}
        self.map: Any = None
        self.shared_memory = False  # the map is of memory that a child of fork shares
        self.advised = False  # advice was given for a part of the map
        self.private = False  # the map was made with MAP_PRIVATE
        self.other: Any = module.mmap(-1, 100)
        self.other[:5] = b"ab\nxy"
        self.views: list[memoryview] = []
        self.steps: list[Any] = []  # iterators

    def file(self) -> bytes:
        return os.pread(self.fd, 10 * LARGEST, 0)

    def drop(self) -> None:
        self.steps.clear()
        for view in self.views:
            with contextlib.suppress(BufferError):
                view.release()
        for m in (self.map, self.other):
            with contextlib.suppress(BufferError):
                if m is not None:
                    m.close()
        for fd in (self.fd, *self.fds.values()):
            os.close(fd)


class Value(NamedTuple):
    """An argument: how a report shows it, and how it is made for a side."""

    text: str
    make: Callable[[Side], Any]
    kind: str = "plain"
    acts: tuple[str, ...] = ()  # what its conversion does to the map
    answer: Any = None  # the object, or what its conversion answers


def plain(value: object) -> Value:
    return Value(ascii(value), lambda _: value, answer=value)


# ---- objects whose conversion runs code ----------------------------------------------------------


class OwnError(Exception):
    """What a conversion raises."""


def act_on(side: Side, act: str) -> None:
    """What `act` says, to the map in the middle of a call."""
    m, word, number = side.map, *act.partition(" ")[::2]
    if word == "close":
        m.close()
    elif word == "resize":
        m.resize(int(number))
    elif word == "store":
        m[0] = 120
    elif word == "read":
        m.read(3)
    elif word == "seek":
        m.seek(int(number))
    elif word == "export":
        side.views.append(memoryview(m))
    elif word == "raise":
        raise OwnError(number)


class Index:
    """An integer whose conversion acts on the map, or answers something else."""

    def __init__(self, side: Side, answer: Any, act: str) -> None:
        self.side, self.answer, self.act = side, answer, act

    def __index__(self) -> Any:
        act_on(self.side, self.act)
        return self.answer


class Buffer:
    """A buffer whose export acts on the map (3.12 and newer)."""

    def __init__(self, side: Side, answer: Any, act: str) -> None:
        self.side, self.answer, self.act = side, answer, act

    def __buffer__(self, flags: int) -> memoryview:
        act_on(self.side, self.act)
        return memoryview(self.answer)


class Equal:
    """Compares equal to nothing, and acts on the map when it is compared."""

    def __init__(self, side: Side, act: str) -> None:
        self.side, self.act = side, act

    def __eq__(self, other: object) -> bool:
        act_on(self.side, self.act)
        return False

    __hash__ = None  # type: ignore[assignment]


class Number(int):
    """A class of integers of its own."""

    def __repr__(self) -> str:
        return f"Number({int(self)})"


# ---- choosing ------------------------------------------------------------------------------------


class Chooser:
    """Chooses arguments that fit a map of some length, and such that do not."""

    def __init__(self, chance: random.Random, length: int) -> None:
        self.chance = chance
        self.length = length

    def number(self) -> int:
        chance, length = self.chance, self.length
        kind = chance.randrange(10)
        if kind < 4:
            return chance.randint(-8, 20)
        if kind < 6:
            return chance.randint(-length - 2, length + 2)
        if kind < 8:
            return length + chance.randint(-2, 2) if kind == 6 else chance.randint(-4, 4) * PAGE
        return chance.choice(EXTREMES) if chance.random() < 0.5 else chance.randint(-1, LARGEST)

    def act(self) -> str:
        choices = ["none", "close", "store", "read", "seek 1", "export", "raise 5"]
        sizes = (1, 5, PAGE + 1, self.length + PAGE)
        return self.chance.choice([*choices, f"resize {self.chance.choice(sizes)}"])

    def index(self) -> Value:
        """An integer in one of its forms."""
        number, kind = self.number(), self.chance.randrange(20)
        if kind < 14:
            return plain(number)
        if kind == 14:
            return plain(Number(number))
        if kind == 15:
            return plain(number > 5)
        act = self.act()
        answer = self.chance.choice([number, number, number, "a", None, True, 2**64])
        return Value(
            f"Index({answer!r}, {act!r})",
            lambda side: Index(side, answer, act),
            "index",
            (act,),
            answer,
        )

    def bound(self) -> Value:
        return plain(None) if self.chance.random() < 0.15 else self.index()

    def word(self, most: int = 6) -> bytes:
        return bytes(self.chance.choices(LETTERS, k=self.chance.randint(0, most)))

    def content(self) -> Value:
        """Something that is like bytes."""
        chance, word = self.chance, self.word()
        if chance.random() < 0.05:
            word = word * chance.choice([100, PAGE, 20000])
        kinds: list[tuple[str, Callable[[Side], Any]]] = [
            ("bytes", lambda _: word),
            ("bytes", lambda _: word),
            ("bytearray", lambda _: bytearray(word)),
            ("memoryview", lambda _: memoryview(word)),
            ("every second of", lambda _: memoryview(word * 2)[::2]),
            ("shorts of", lambda _: memoryview(word * 2).cast("H")),
            ("array of", lambda _: array.array("i", word)),
            ("other map", lambda side: side.other),
            ("the map", lambda side: side.map),
            (
                "rows of",
                lambda _: memoryview(word * 4 or b"abcd").cast("B", (2, 2 * len(word) or 2)),
            ),
            ("own bytes", lambda side: memoryview(side.map)[len(word) :][:5]),
            ("other's bytes", lambda side: memoryview(side.other)[len(word) :][:5]),
        ]
        name, make = chance.choice(kinds)
        if BUFFER_METHODS and chance.random() < 0.1:
            act = self.act()
            return Value(
                f"Buffer({word!r:.40}, {act!r})",
                lambda side: Buffer(side, word, act),
                "buffer",
                (act,),
            )
        return Value(f"{name} {word!r:.40} ({len(word)})", make, name)

    def byte(self) -> Value:
        number = self.chance.randint(-3, 260)
        return plain(number) if number % 4 else self.index()

    def single(self) -> Value:
        """A byte as an object of length 1, or nearly so."""
        word = self.word(2)
        return self.chance.choice([plain(word), plain(bytearray(word)), self.byte(), self.byte()])

    def slice(self) -> Value:
        parts = [self.bound() if self.chance.random() < 0.7 else plain(None) for _ in range(2)]
        steps = [plain(None)] * 3 + [plain(2), plain(-1), plain(0), self.index()]
        parts.append(self.chance.choice(steps))
        return Value(
            f"slice({', '.join(part.text for part in parts)})",
            lambda side: slice(*(part.make(side) for part in parts)),
            "slice",
            tuple(act for part in parts for act in part.acts),
        )

    def key(self) -> Value:
        return self.slice() if self.chance.random() < 0.5 else self.index()

    def page(self) -> Value:
        whole = plain(self.chance.choice([0, 0, 1, 2, 3, -1]) * PAGE)
        return whole if self.chance.random() < 0.8 else self.index()

    def wrong(self) -> Value:
        """Something that hardly any call takes."""
        choices = [None, 1.5, "a", "", b"", b"ab", [1], (), {}, 1j, Ellipsis, fractions.Fraction(1)]
        kind = self.chance.randrange(len(choices) + 3)
        if kind < len(choices):
            return plain(choices[kind])
        if kind == len(choices):
            return Value("object()", lambda _: object(), "wrong")
        if kind == len(choices) + 1:
            return Value("the class", lambda side: type(side.map), "wrong")
        act = self.act()
        return Value(f"Equal({act!r})", lambda side: Equal(side, act), "equal", (act,))

    def anything(self) -> Value:
        kinds = [self.index, self.content, self.wrong, self.slice, self.bound]
        return self.chance.choice(kinds)()

    def of(self, kind: str) -> Value:
        made: Value = getattr(self, kind)()
        return made
