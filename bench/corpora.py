"""The corpora: files of known content, and the answers, found by naive code.

A corpus is one block repeated. So counts in a block, and across the border of two, give the counts
in a file of any length.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pathlib import Path

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]

BLOCK = 8 << 20
SEED = 20240229
TRIES = 8

COMMON = (
    b"the of and to in a is that for it as was with be by on not he his but at are this have from "
    b"or had an they which one you were all her she there would their we him been has when who "
    b"will no more if out so up said what its about than into them can only other time new could"
).split()
LETTERS = b"etaoinshrdlcumwfgypbvkjxqz"


class Hits(NamedTuple):
    """Occurrences without overlaps: their number, and the sum of their offsets."""

    number: int
    total: int


def naive_offsets(content: bytes, needle: bytes) -> Offsets:
    """Every offset of the needle, by comparing byte for byte."""
    array = np.frombuffer(content, np.uint8)
    places = max(len(content) - len(needle) + 1, 0)
    found = np.flatnonzero(array[:places] == needle[0])
    for index, byte in enumerate(needle[1:], 1):
        if found.size == 0:
            break
        found = found[array[found + index] == byte]
    return found


def without_overlaps(offsets: Offsets, length: int) -> Offsets:
    """The offsets without overlaps, from the left, as in count()."""
    if offsets.size < 2 or int(np.diff(offsets).min()) >= length:
        return offsets
    kept: list[int] = []
    for offset in offsets.tolist():
        if not kept or offset >= kept[-1] + length:
            kept.append(offset)
    return np.array(kept, np.int64)


class Corpus:
    """A file's content: `block` repeated up to `size` bytes. `unused` is a byte that it lacks."""

    def __init__(self, name: str, block: bytes, size: int, unused: bytes) -> None:
        self.name = name
        self.block = block
        self.repeats = max(size // len(block), 1)
        self.size = self.repeats * len(block)
        self.unused = unused
        self.random = np.random.default_rng(SEED)

    def write(self, path: Path) -> None:
        with path.open("wb") as file:
            for _ in range(self.repeats):
                file.write(self.block)

    def start(self, length: int) -> bytes:
        """The first bytes of the file."""
        return (self.block * (length // len(self.block) + 1))[:length]

    @functools.cached_property
    def word_sum(self) -> int:
        """The sum that the read limit computes."""
        words = np.frombuffer(self.block, np.uint64)
        return int(words.sum(dtype=np.uint64)) * self.repeats % (1 << 64)

    def blocks(self, size: int) -> int:
        """The number of whole blocks in `size` bytes of the file, at least one."""
        return min(max(size // len(self.block), 1), self.repeats)

    @functools.cache  # noqa: B019 - a corpus lives as long as the run
    def hits_in_block(self, needle: bytes) -> Hits:
        around = len(needle) - 1
        if around and naive_offsets(self.block[-around:] + self.block[:around], needle).size:
            raise ValueError(f"{needle!r} lies across the seam of {self.name}")
        offsets = without_overlaps(naive_offsets(self.block, needle), len(needle))
        return Hits(offsets.size, int(offsets.sum()))

    def hits(self, needle: bytes, size: int) -> Hits:
        """The occurrences in the first `size` bytes, which are whole blocks."""
        number, total = self.hits_in_block(needle)
        blocks = self.blocks(size)
        shifts = len(self.block) * (blocks * (blocks - 1) // 2)
        return Hits(number * blocks, total * blocks + number * shifts)

    def first_and_last(self, needle: bytes) -> tuple[int, int]:
        """The answers of find and rfind."""
        offsets = naive_offsets(self.block, needle)
        if self.hits_in_block(needle).number == 0:
            return -1, -1
        return int(offsets[0]), int(offsets[-1]) + self.size - len(self.block)

    def lacks(self, needle: bytes) -> bool:
        seam = self.block + self.block[: len(needle) - 1]
        return naive_offsets(seam, needle).size == 0

    def absent(self, length: int, first: bytes = b"") -> bytes:
        """A needle that resembles the corpus but is not in it: a part of a line with one byte
        changed. If every such part occurs, one that ends with the unused byte."""
        piece = bytearray(length)
        for _ in range(TRIES):
            at, change, other = self.random.integers(len(self.block) - length, size=3)
            piece = bytearray(first + self.block[at : at + length])[:length]
            piece[len(first) + change % (length - len(first))] = self.block[other]
            if b"\n" not in piece and self.lacks(bytes(piece)):
                return bytes(piece)
        return bytes(piece[:-1]) + self.unused

    @functools.cached_property
    def commonest(self) -> bytes:
        counts = np.bincount(np.frombuffer(self.block, np.uint8), minlength=256)
        return bytes([int(counts.argmax())])


def ended(lines: bytes, length: int) -> bytes:
    """`length` bytes that end with a whole line."""
    return lines[: length - 1] + b"\n"


def text_block(length: int) -> bytes:
    """Words with the frequencies of a language, 7 to 15 in a line."""
    random = np.random.default_rng(SEED)
    weights = 1 / np.arange(1, len(LETTERS) + 1) ** 0.6
    letters = random.choice(list(LETTERS), size=9 * 4000, p=weights / weights.sum())
    lengths = random.integers(3, 10, size=4000)
    tail = [bytes(letters[9 * i : 9 * i + n].tolist()) for i, n in enumerate(lengths.tolist())]
    words = [*COMMON, *tail]
    ranks = 1 / np.arange(2.7, len(words) + 2)
    chosen = random.choice(len(words), size=length // 4, p=ranks / ranks.sum()).tolist()
    lines = []
    at = 0
    for count in random.integers(7, 16, size=length // 40).tolist():
        lines.append(b" ".join([words[i] for i in chosen[at : at + count]]))
        at += count
    return ended(b"\n".join(lines), length)


def log_block(length: int) -> bytes:
    """Lines of about 100 bytes with the same words at the same offsets."""
    random = np.random.default_rng(SEED + 1)
    count = length // 80
    numbers = random.integers(0, 1 << 40, size=(count, 4)).tolist()
    verbs = ("GET", "GET", "GET", "POST", "PUT")
    lines = [
        f"2024-02-29T12:{a % 60:02}:{b % 60:02}.{c % 1000:03}Z app[{d % 10000}]: {verbs[a % 5]}"
        f" /api/v1/items/{b:x} status={200 if c % 4000 else 503} took {d % 300} ms"
        for a, b, c, d in numbers
    ]
    return ended("\n".join(lines).encode(), length)


def binary_block(length: int) -> bytes:
    """Random bytes without 0xf7."""
    content = np.random.default_rng(SEED + 2).integers(0, 256, size=length, dtype=np.uint8)
    content[content == 0xF7] = 0
    return content.tobytes()


def dna_block(length: int) -> bytes:
    letters = np.frombuffer(b"ACGT", np.uint8)
    return letters[np.random.default_rng(SEED + 3).integers(0, 4, size=length)].tobytes()


def block_length(size: int) -> int:
    """The size of blocks that the read limit can sum: a power of two, several in a file."""
    return 1 << (max(min(BLOCK, size // 4), 1 << 16).bit_length() - 1)


def make_text(size: int) -> Corpus:
    return Corpus("text", text_block(block_length(size)), size, b"\x07")


def make_others(size: int) -> list[Corpus]:
    length = block_length(size)
    return [
        make_text(size),
        Corpus("log", log_block(length), size, b"\x07"),
        Corpus("binary", binary_block(length), size, b"\xf7"),
        Corpus("dna", dna_block(length), size, b"N"),
    ]


def make_repetitive(size: int) -> list[Corpus]:
    """Content for which false candidates take longest."""
    length = block_length(size)
    return [
        Corpus("aaaa", b"a" * length, size, b"z"),
        Corpus("abcdefgh", b"abcdefgh" * (length // 8), size, b"z"),
    ]
