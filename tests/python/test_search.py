"""find() and rfind()."""

from __future__ import annotations

import itertools
import mmap as standard
import random
import sys
from typing import TYPE_CHECKING

import pytest

import ironmap
from support import PAGE, Index, outcome
from system import needs_flags

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import MapMaker

BOTH = pytest.mark.parametrize("method", ["find", "rfind"])
WORDS = b"one two ones"
HUGE = 1 << 42
BOUNDS = [*range(-len(WORDS) - 2, len(WORDS) + 1), 2**62, -(2**62)]


@BOTH
@pytest.mark.parametrize(
    "sub", [b"o", b"on", b"two", b"ones", b"s", b"x", WORDS, WORDS + b"!", b""]
)
def test_every_range_has_the_result_of_bytes(map_bytes: MapMaker, method: str, sub: bytes) -> None:
    m = map_bytes(WORDS)
    for start, end in itertools.product(BOUNDS, BOUNDS):
        if start == 2**62 and not sub:
            continue  # an empty string beyond the end has its own test
        expected = getattr(WORDS, method)(sub, start, end)
        assert getattr(m, method)(sub, start, end) == expected, (start, end)


@BOTH
@pytest.mark.parametrize("start", [len(WORDS) + 1, 2**62])
def test_needle_beyond_the_end_is_as_in_the_running_interpreter(
    map_bytes: MapMaker, method: str, start: int
) -> None:
    m = map_bytes(WORDS)
    with standard.mmap(-1, len(WORDS)) as theirs:
        assert getattr(m, method)(b"", start) == getattr(theirs, method)(b"", start)


@BOTH
def test_search_begins_at_the_position_by_default(map_bytes: MapMaker, method: str) -> None:
    m = map_bytes(WORDS)
    m.seek(1)
    assert getattr(m, method)(b"one") == 8
    m.seek(9)
    assert getattr(m, method)(b"one") == -1
    assert getattr(m, method)(b"one", 0, 5) == 0
    assert m.tell() == 9


@BOTH
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_sub_may_be_any_bytes_like(
    map_bytes: MapMaker, method: str, kind: Callable[[bytes], object]
) -> None:
    assert getattr(map_bytes(WORDS), method)(kind(b"two")) == 4


@BOTH
def test_sub_may_be_the_map_itself(map_bytes: MapMaker, method: str) -> None:
    m = map_bytes(WORDS)
    assert getattr(m, method)(m) == 0


@pytest.mark.skipif(sys.maxsize < HUGE, reason="the address space is too small")
@pytest.mark.skipif(not hasattr(ironmap, "MAP_NORESERVE"), reason="it needs MAP_NORESERVE")
@pytest.mark.parametrize("method", ["find", "rfind", "count"])
def test_sub_of_the_map_itself_is_not_copied(method: str) -> None:
    """A copy of it would not fit into memory."""
    try:
        m = ironmap.mmap(-1, HUGE, flags=ironmap.MAP_PRIVATE | ironmap.MAP_NORESERVE)
    except OSError as error:
        pytest.skip(f"no map of {HUGE} bytes: {error}")
    with m, memoryview(m) as view:
        assert getattr(m, method)(view, 1) == (0 if method == "count" else -1)


@BOTH
def test_zero_bytes_are_bytes_like_others(map_bytes: MapMaker, method: str) -> None:
    content = b"aabaac\x00deef\x00\x00aa\x00"
    m = map_bytes(content)
    for start, end in itertools.combinations(range(len(content) + 1), 2):
        sub = content[start:end]
        assert getattr(m, method)(sub) == getattr(content, method)(sub)
        assert getattr(m, method)(sub + b"x") == -1


@BOTH
def test_random_content_has_the_result_of_bytes(map_bytes: MapMaker, method: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    content = bytes(chance.choices(b"ab", k=3 * PAGE + 17))
    m = map_bytes(content)
    for _ in range(2000):
        start, end = chance.randrange(len(content)), chance.randrange(len(content))
        at = chance.randrange(len(content))
        sub = content[at : at + chance.choice((1, 2, 8, 15, 16, 17, 40, 200))]
        expected = getattr(content, method)(sub, start, end)
        assert getattr(m, method)(sub, start, end) == expected, (sub, start, end)


@BOTH
def test_worst_cases_of_repeated_bytes_are_linear(map_bytes: MapMaker, method: str) -> None:
    content = b"a" * (1 << 20)
    m = map_bytes(content)
    half = len(content) // 2
    assert getattr(m, method)(b"b" + b"a" * half) == -1
    assert getattr(m, method)(b"a" * half + b"b") == -1
    assert getattr(m, method)(b"a" * half + b"b" + b"a" * 1000) == -1
    assert getattr(m, method)(content) == 0


@BOTH
def test_long_search_finds_a_match_at_any_offset(map_bytes: MapMaker, method: str) -> None:
    content = bytearray(8 << 20)
    m = map_bytes(bytes(content))
    for place in (
        0,
        1,
        PAGE - 2,
        len(content) // 2,
        (1 << 20) - 2,
        (7 << 20) - 2,
        len(content) - 5,
    ):
        m[place : place + 5] = b"place"
        assert getattr(m, method)(b"place", 0) == place
        m[place : place + 5] = bytes(5)


@needs_flags
@BOTH
def test_search_reads_no_byte_beyond_the_map(method: str) -> None:
    """An inaccessible page follows most of these maps."""
    private = ironmap.MAP_PRIVATE | ironmap.MAP_ANONYMOUS
    for pages in range(1, 200):
        with (
            ironmap.mmap(-1, PAGE * pages, flags=private, prot=0),
            ironmap.mmap(-1, PAGE * (pages + 200), flags=private, prot=ironmap.PROT_READ) as m,
        ):
            assert getattr(m, method)(b"fo", -2) == -1


@BOTH
@pytest.mark.parametrize("arguments", [(), ("a",), (1,), (None,), (b"a", "a"), (b"a", 0, 1.5)])
def test_other_kinds_are_an_error(
    digits: ironmap.mmap, method: str, arguments: tuple[object, ...]
) -> None:
    assert outcome(getattr(digits, method), *arguments).error is TypeError


@BOTH
def test_too_many_arguments_are_an_error(digits: ironmap.mmap, method: str) -> None:
    assert outcome(getattr(digits, method), b"a", 1, 2, 3).error is TypeError


@BOTH
@pytest.mark.parametrize("bound", [2**64, -(2**64)])
def test_bounds_beyond_the_machine_are_as_in_the_running_interpreter(
    digits: ironmap.mmap, method: str, bound: int
) -> None:
    with standard.mmap(-1, 10) as theirs:
        theirs[:] = digits[:]
        for arguments in ((b"5", bound), (b"5", 0, bound)):
            expected = outcome(getattr(theirs, method), *arguments)
            assert outcome(getattr(digits, method), *arguments) == expected


SEAM = 64 * 1024  # bytes that are searched with the GIL


@BOTH
@pytest.mark.parametrize("size", [1, 2, 8, 70_000])
@pytest.mark.parametrize("seam", [SEAM, 3 * SEAM], ids=["from the start", "from the end"])
def test_needle_is_found_where_the_gil_is_released(
    map_bytes: MapMaker, method: str, size: int, seam: int
) -> None:
    """A search that releases the GIL misses no match at the point where it does."""
    length = 4 * SEAM
    m = map_bytes(bytes(length))
    needle = b"\1" + bytes(size - 2) + b"\2" if size > 1 else b"\1"
    for near in range(-size, size + 3) if size < 10 else (-size, -size + 1, -1, 0, 1, 2):
        place = seam + near
        if not 0 <= place <= length - size:
            continue
        m[place : place + size] = needle
        assert getattr(m, method)(needle, 0) == place
        assert getattr(m, method)(needle, place + 1) == -1
        assert getattr(m, method)(needle, 0, place + size - 1) == -1
        m[place : place + size] = bytes(size)


@pytest.mark.parametrize("name", ["find", "rfind", "count"])
def test_needle_is_exported_until_the_bounds_are_known(text: ironmap.mmap, name: str) -> None:
    with ironmap.mmap(-1, 1) as needle:
        with pytest.raises(BufferError):
            getattr(text, name)(needle, Index(0, needle.close))
        assert not needle.closed
    letters = bytearray(b"o")
    with pytest.raises(TypeError):
        getattr(text, name)(letters, "start")
    letters.append(1)
