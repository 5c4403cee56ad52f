"""count and find_all."""

from __future__ import annotations

import gc
import itertools
import random
import re
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import Index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support import MapMaker

WORDS = b"one two ones"
BOUNDS = [None, *range(-len(WORDS) - 2, len(WORDS) + 3), 2**62, -(2**62)]
SUBS = [b"o", b"on", b"two", b"ones", b"s", b"x", WORDS, WORDS + b"!", b""]


def offsets_of(content: bytes, sub: bytes, *, overlapping: bool = False) -> list[int]:
    """What find_all finds, by the regular expressions of the standard library."""
    pattern = re.escape(sub)
    if overlapping:
        pattern = b"(?=" + pattern + b")"
    return [match.start() for match in re.finditer(pattern, content, re.DOTALL)]


# ---- what they find ----


@pytest.mark.parametrize("sub", SUBS)
def test_count_in_every_range_as_of_bytes(map_bytes: MapMaker, sub: bytes) -> None:
    made = map_bytes(WORDS)
    for start, end in itertools.product(BOUNDS, BOUNDS):
        if start == 2**62 and not sub:
            continue  # bytes find an empty string nowhere there, and so do we
        assert made.count(sub, start, end) == WORDS.count(sub, start, end), (start, end)


@pytest.mark.parametrize("sub", SUBS)
def test_find_all_in_every_range(map_bytes: MapMaker, sub: bytes) -> None:
    made = map_bytes(WORDS)
    for start, end in itertools.product(BOUNDS, BOUNDS):
        low, high, _ = slice(start, end).indices(len(WORDS))
        expected = [low + i for i in offsets_of(WORDS[low:high], sub)] if low <= high else []
        if not sub and start is not None and start > len(WORDS):
            expected = []
        assert list(made.find_all(sub, start, end)) == expected, (start, end)


def test_overlapping(map_bytes: MapMaker) -> None:
    made = map_bytes(b"aaaa abababa")
    assert list(made.find_all(b"aa")) == [0, 2]
    assert list(made.find_all(b"aa", overlapping=True)) == [0, 1, 2]
    assert list(made.find_all(b"aba", 5)) == [5, 9]
    assert list(made.find_all(b"aba", 5, overlapping=True)) == [5, 7, 9]
    assert made.count(b"aa") == 2


def test_the_whole_map_wherever_the_position_is(map_bytes: MapMaker) -> None:
    made = map_bytes(WORDS)
    made.seek(5)
    assert made.count(b"one") == 2
    assert list(made.find_all(b"one")) == [0, 8]
    assert made.tell() == 5


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_needle_is_bytes_like(map_bytes: MapMaker, kind: type[Any]) -> None:
    made = map_bytes(WORDS)
    assert made.count(kind(b"one")) == 2
    assert list(made.find_all(kind(b"one"))) == [0, 8]


def test_many_matches_of_a_long_map() -> None:
    """Matches in every density, so that batches end at matches and between them."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    length = 3_000_000
    for density in (1, 7, 500, 70_000, 1_000_000):
        content = bytearray(length)
        for _ in range(length // density // 4 + 1):
            at = chance.randrange(length - 4)
            content[at : at + 4] = b"abab"
        with ironmap.mmap(-1, length) as made:
            made[:] = content
            for sub, overlapping in ((b"a", False), (b"abab", False), (b"abab", True)):
                expected = offsets_of(bytes(content), sub, overlapping=overlapping)
                assert list(made.find_all(sub, overlapping=overlapping)) == expected
            assert made.count(b"abab") == content.count(b"abab")


def test_count_of_what_overlaps_itself() -> None:
    """Everywhere, and where the library goes from one MiB to the next."""
    length = 2_500_001
    random_letters = bytes(random.Random(9).choices(b"ab", k=length))
    with ironmap.mmap(-1, length) as made:
        for content in (b"a" * length, b"ab" * length, b"aab" * length, random_letters):
            made[:] = content[:length]
            for size in range(1, 10):
                assert made.count(content[:size]) == made[:].count(content[:size]), size


def test_wrong_arguments(map_bytes: MapMaker) -> None:
    made: Any = map_bytes(WORDS)
    for call in (made.count, made.find_all):
        for arguments in ((), ("one",), (1,), (b"o", "a"), (b"o", 0, 1, 2), (b"o", 1.5)):
            with pytest.raises(TypeError):
                call(*arguments)
    with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
        made.find_all(b"o", other=True)
    with pytest.raises(TypeError):
        made.count(b"o", overlapping=True)


# ---- the iterator and its map ----


def test_matches_are_found_as_they_are_asked_for(map_bytes: MapMaker) -> None:
    made = map_bytes(bytes(1_000_000) + b"x")
    found = made.find_all(b"x")
    made[999_999] = ord("x")
    assert list(found) == [999_999, 1_000_000]
    assert next(found, None) is None


def test_the_needle_is_copied(map_bytes: MapMaker) -> None:
    made = map_bytes(WORDS)
    needle = bytearray(b"one")
    found = made.find_all(needle)
    needle[:] = b"two and more"
    assert list(found) == [0, 8]


def test_going_on_after_close_is_an_error(map_bytes: MapMaker) -> None:
    made = map_bytes(WORDS)
    found = made.find_all(b"one")
    assert next(found) == 0
    made.close()
    with pytest.raises(ValueError, match="closed"):
        next(found)
    for call in (made.count, made.find_all):
        with pytest.raises(ValueError, match="closed"):
            call(b"one")


def test_an_iterator_does_not_pin_the_map(map_bytes: MapMaker) -> None:
    made = map_bytes(bytes(300_000) + b"x")
    found = made.find_all(b"x")
    made.resize(100_000)
    assert list(found) == []


def test_an_iterator_keeps_the_object_alive() -> None:
    made = ironmap.mmap(-1, 10)
    alive = weakref.ref(made)
    found = made.find_all(b"\0")
    del made
    gc.collect()
    assert alive() is not None
    assert list(found) == list(range(10))
    del found
    gc.collect()
    assert alive() is None


def test_the_bounds_may_close_the_map(map_bytes: MapMaker) -> None:
    for name in ("count", "find_all"):
        made = map_bytes(WORDS)
        with pytest.raises(ValueError, match="closed"):
            getattr(made, name)(b"one", Index(0, made.close))


def test_the_bounds_may_resize_the_map(map_bytes: MapMaker) -> None:
    made = map_bytes(WORDS)
    assert made.count(b"o", Index(0, lambda: made.resize(5))) == 1
    assert list(made.find_all(b"o", 0, Index(99, lambda: made.resize(1)))) == [0]


def take_one_by_one(into: list[int], found: Iterator[int]) -> None:
    for offset in found:  # where another thread may come in between
        into.append(offset)  # noqa: PERF402


@pytest.mark.parametrize(
    ("length", "step", "rounds"),
    [
        pytest.param(1 << 22, 1, 1, id="near"),  # the turn that others get between two batches
        pytest.param(1 << 24, 400_000, 100, id="far"),  # the search without the GIL
    ],
)
def test_threads_share_the_matches_of_an_iterator(length: int, step: int, rounds: int) -> None:
    """Each match goes to one of them."""
    with ironmap.mmap(-1, length) as made:
        made[::step] = b"x" * len(range(0, length, step))
        for _ in range(rounds):
            found = made.find_all(b"x")
            first: list[int] = []
            second: list[int] = []
            thread = threading.Thread(target=take_one_by_one, args=(first, found))
            thread.start()
            second.extend(found)
            thread.join()
            assert sorted(first + second) == list(range(0, length, step))


def test_an_iterator_cannot_be_made_by_hand(map_bytes: MapMaker) -> None:
    kind = type(map_bytes(WORDS).find_all(b"x"))
    with pytest.raises(TypeError):
        kind()
