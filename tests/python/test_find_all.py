"""count() and find_all()."""

from __future__ import annotations

import array
import gc
import itertools
import random
import re
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import Index, outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support import MapMaker

WORDS = b"one two ones"
BOUNDS = [None, *range(-len(WORDS) - 2, len(WORDS) + 3), 2**62, -(2**62)]
SUBS = [b"o", b"on", b"two", b"ones", b"s", b"x", WORDS, WORDS + b"!", b""]


def offsets_of(content: bytes, sub: bytes, *, overlapping: bool = False) -> list[int]:
    """The expected matches, from the standard module re."""
    pattern = re.escape(sub)
    if overlapping:
        pattern = b"(?=" + pattern + b")"
    return [match.start() for match in re.finditer(pattern, content, re.DOTALL)]


# ---- what they find ----


@pytest.mark.parametrize("sub", SUBS)
def test_count_in_every_range_as_of_bytes(map_bytes: MapMaker, sub: bytes) -> None:
    m = map_bytes(WORDS)
    for start, end in itertools.product(BOUNDS, BOUNDS):
        if start == 2**62 and not sub:
            continue  # bytes do not find an empty string there either
        assert m.count(sub, start, end) == WORDS.count(sub, start, end), (start, end)


@pytest.mark.parametrize("sub", SUBS)
def test_find_all_in_every_range(map_bytes: MapMaker, sub: bytes) -> None:
    m = map_bytes(WORDS)
    for start, end in itertools.product(BOUNDS, BOUNDS):
        low, high, _ = slice(start, end).indices(len(WORDS))
        expected = [low + i for i in offsets_of(WORDS[low:high], sub)] if low <= high else []
        if not sub and start is not None and start > len(WORDS):
            expected = []
        assert list(m.find_all(sub, start, end)) == expected, (start, end)


def test_truth_that_raises_is_an_error(map_bytes: MapMaker) -> None:
    class Undecided:
        def __bool__(self) -> bool:
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        map_bytes(b"aaaa").find_all(b"aa", overlapping=Undecided())  # type: ignore[arg-type]


def test_overlapping_matches_are_found_on_request(map_bytes: MapMaker) -> None:
    m = map_bytes(b"aaaa abababa")
    assert list(m.find_all(b"aa")) == [0, 2]
    assert list(m.find_all(b"aa", overlapping=True)) == [0, 1, 2]
    assert list(m.find_all(b"aba", 5)) == [5, 9]
    assert list(m.find_all(b"aba", 5, overlapping=True)) == [5, 7, 9]
    assert m.count(b"aa") == 2


def test_default_range_is_the_whole_map(map_bytes: MapMaker) -> None:
    m = map_bytes(WORDS)
    m.seek(5)
    assert m.count(b"one") == 2
    assert list(m.find_all(b"one")) == [0, 8]
    assert m.tell() == 5


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_needle_is_bytes_like(map_bytes: MapMaker, kind: type[Any]) -> None:
    m = map_bytes(WORDS)
    assert m.count(kind(b"one")) == 2
    assert list(m.find_all(kind(b"one"))) == [0, 8]


def test_many_matches_of_a_long_map_are_all_found() -> None:
    """Matches of every density, so that batches end at matches and between them."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    length = 3_000_000
    for density in (1, 7, 500, 70_000, 1_000_000):
        content = bytearray(length)
        for _ in range(length // density // 4 + 1):
            at = chance.randrange(length - 4)
            content[at : at + 4] = b"abab"
        with ironmap.mmap(-1, length) as m:
            m[:] = content
            for sub, overlapping in ((b"a", False), (b"abab", False), (b"abab", True)):
                expected = offsets_of(bytes(content), sub, overlapping=overlapping)
                assert list(m.find_all(sub, overlapping=overlapping)) == expected
            assert m.count(b"abab") == content.count(b"abab")


NEAR_BYTES = 64 * 1024  # positions that are searched at once


@pytest.mark.parametrize("place", range(NEAR_BYTES - 4, NEAR_BYTES + 2))
def test_match_at_the_end_of_the_near_positions_is_found(place: int) -> None:
    with ironmap.mmap(-1, 3 * NEAR_BYTES) as m:
        m[place : place + 3] = b"xyz"
        assert list(m.find_all(b"xyz")) == [place]


@pytest.mark.parametrize("size", [999, 1000, NEAR_BYTES - 1, NEAR_BYTES, NEAR_BYTES + 1])
def test_match_across_the_end_of_the_near_positions_hides_overlaps(size: int) -> None:
    """The next search begins behind it."""
    with ironmap.mmap(-1, 3 * NEAR_BYTES) as m:
        expected = range(0, len(m) - size + 1, size)
        assert list(m.find_all(bytes(size))) == list(expected)


def test_count_leaves_out_overlaps() -> None:
    """Matches overlap everywhere, also between two MiB that the library searches one by one."""
    length = 2_500_001
    random_letters = bytes(random.Random(9).choices(b"ab", k=length))
    with ironmap.mmap(-1, length) as m:
        for content in (b"a" * length, b"ab" * length, b"aab" * length, random_letters):
            m[:] = content[:length]
            for size in range(1, 10):
                assert m.count(content[:size]) == m[:].count(content[:size]), size


def test_wrong_arguments_are_errors(map_bytes: MapMaker) -> None:
    m: Any = map_bytes(WORDS)
    for call in (m.count, m.find_all):
        for arguments in ((), ("one",), (1,), (b"o", "a"), (b"o", 0, 1, 2), (b"o", 1.5)):
            with pytest.raises(TypeError):
                call(*arguments)
    with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
        m.find_all(b"o", other=True)
    with pytest.raises(TypeError):
        m.count(b"o", overlapping=True)


# ---- the iterator and its map ----


def test_matches_are_found_when_they_are_needed(map_bytes: MapMaker) -> None:
    m = map_bytes(bytes(1_000_000) + b"x")
    found = m.find_all(b"x")
    m[999_999] = ord("x")
    assert list(found) == [999_999, 1_000_000]
    assert next(found, None) is None


def test_the_needle_is_copied(map_bytes: MapMaker) -> None:
    m = map_bytes(WORDS)
    needle = bytearray(b"one")
    found = m.find_all(needle)
    needle[:] = b"two and more"
    assert list(found) == [0, 8]


def test_next_match_after_close_is_an_error(map_bytes: MapMaker) -> None:
    m = map_bytes(WORDS)
    found = m.find_all(b"one")
    assert next(found) == 0
    m.close()
    with pytest.raises(ValueError, match="closed"):
        next(found)
    for call in (m.count, m.find_all):
        with pytest.raises(ValueError, match="closed"):
            call(b"one")


def test_an_iterator_does_not_pin_the_map(map_bytes: MapMaker) -> None:
    m = map_bytes(bytes(300_000) + b"x")
    found = m.find_all(b"x")
    m.resize(100_000)
    assert list(found) == []


def test_iteration_ends_where_the_map_ended_before_it_grew(map_bytes: MapMaker) -> None:
    m = map_bytes(b"aa")
    found = m.find_all(b"a")
    m.resize(5)
    m[:] = b"aaaaa"
    assert list(found) == [0, 1]


def test_an_iterator_keeps_the_object_alive() -> None:
    m = ironmap.mmap(-1, 10)
    alive = weakref.ref(m)
    found = m.find_all(b"\0")
    del m
    gc.collect()
    assert alive() is not None
    assert list(found) == list(range(10))
    del found
    gc.collect()
    assert alive() is None


def test_the_bounds_may_close_the_map(map_bytes: MapMaker) -> None:
    for name in ("count", "find_all"):
        m = map_bytes(WORDS)
        with pytest.raises(ValueError, match="closed"):
            getattr(m, name)(b"one", Index(0, m.close))


def test_the_bounds_may_resize_the_map(map_bytes: MapMaker) -> None:
    m = map_bytes(WORDS)
    assert m.count(b"o", Index(0, lambda: m.resize(5))) == 1
    assert list(m.find_all(b"o", 0, Index(99, lambda: m.resize(1)))) == [0]


def take_one_by_one(into: list[int], found: Iterator[int]) -> None:
    for offset in found:  # another thread may run between two matches
        into.append(offset)  # noqa: PERF402


@pytest.mark.parametrize(
    ("length", "step", "rounds"),
    [
        pytest.param(1 << 22, 1, 1, id="near"),  # other threads run between two batches
        pytest.param(1 << 24, 400_000, 100, id="far"),  # the search without the GIL
    ],
)
def test_threads_share_the_matches_of_an_iterator(length: int, step: int, rounds: int) -> None:
    """Each match is returned to one thread."""
    with ironmap.mmap(-1, length) as m:
        m[::step] = b"x" * len(range(0, length, step))
        for _ in range(rounds):
            found = m.find_all(b"x")
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


# ---- what they take ----

ODD = ["abc", [1, 2], (1,), 5, None, 1.5, range(3), iter(b"ab"), memoryview(b"abcd")[::2], object()]


@pytest.mark.parametrize(
    "needle", [*ODD, bytearray(b"o"), memoryview(b"on"), array.array("B", b"o")]
)
def test_needles_are_those_of_find(map_bytes: MapMaker, needle: Any) -> None:
    m = map_bytes(WORDS)
    found = outcome(m.find, needle)
    assert outcome(lambda: next(m.find_all(needle))) == found
    assert outcome(m.count, needle).error is found.error


WRONG = [("a",), (1.5,), (0, "a"), (0, b""), (2**70,), (0, 2**70), (0, 1, 2), (Index(2**64),)]


@pytest.mark.parametrize("bounds", [*WRONG, (), (0,), (Index(3),), (None, Index(-1)), (True, None)])
def test_bounds_are_those_of_find(map_bytes: MapMaker, bounds: tuple[Any, ...]) -> None:
    m = map_bytes(WORDS)
    found = outcome(m.find, b"o", *bounds)
    assert outcome(lambda: next(m.find_all(b"o", *bounds))) == found
    assert outcome(m.count, b"o", *bounds).error is found.error


def test_start_of_none_is_the_start_of_the_map(map_bytes: MapMaker) -> None:
    """As in slices, and not the position, where find() begins."""
    m = map_bytes(WORDS)
    m.seek(5)
    assert list(m.find_all(b"o", None)) == list(m.find_all(b"o")) == offsets_of(WORDS, b"o")
    assert m.count(b"o", None) == m.count(b"o") == 3
