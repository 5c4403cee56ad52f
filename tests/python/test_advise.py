"""madvise()."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import PAGE, Index, assert_same_error, outcome
from system import needs_advice

if TYPE_CHECKING:
    from support import MapMaker

HINTS = ["MADV_NORMAL", "MADV_RANDOM", "MADV_SEQUENTIAL", "MADV_WILLNEED"]
SIZE = 3 * PAGE + 10

pytestmark = needs_advice


@pytest.fixture
def pages(map_bytes: MapMaker) -> ironmap.mmap:
    return map_bytes(b"x" * SIZE)


@pytest.mark.parametrize("name", HINTS)
@pytest.mark.parametrize(
    "where",
    [(), (0,), (PAGE,), (0, SIZE), (0, 2), (PAGE, SIZE), (PAGE, 0), (0, None), (PAGE, None)],
)
def test_advice_does_not_change_bytes(
    pages: ironmap.mmap, name: str, where: tuple[int, ...]
) -> None:
    assert pages.madvise(getattr(ironmap, name), *where) is None
    assert pages[:] == b"x" * SIZE


@pytest.mark.parametrize("start", [1, PAGE - 1, PAGE + 1, SIZE - 1])
def test_start_may_be_any_byte(pages: ironmap.mmap, start: int) -> None:
    assert pages.madvise(ironmap.MADV_WILLNEED, start) is None
    assert pages.madvise(ironmap.MADV_NORMAL, start, 1) is None


def test_length_may_be_integer_like(pages: ironmap.mmap) -> None:
    assert pages.madvise(ironmap.MADV_NORMAL, 0, Index(2)) is None


@pytest.mark.parametrize("start", [-1, -SIZE, SIZE, SIZE + 1, 2**62])
def test_start_outside_is_an_error(pages: ironmap.mmap, start: int) -> None:
    with pytest.raises(ValueError, match="^madvise start out of bounds$"):
        pages.madvise(ironmap.MADV_NORMAL, start)
    with pytest.raises(ValueError, match="^madvise start out of bounds$"):
        pages.madvise(ironmap.MADV_NORMAL, start, 1)


@pytest.mark.parametrize("length", [-1, -PAGE])
def test_negative_length_is_an_error(pages: ironmap.mmap, length: int) -> None:
    with pytest.raises(ValueError, match="^madvise length invalid$"):
        pages.madvise(ironmap.MADV_NORMAL, 0, length)


def test_length_that_overflows_is_an_error(pages: ironmap.mmap) -> None:
    with pytest.raises(OverflowError, match="^madvise length too large$"):
        pages.madvise(ironmap.MADV_NORMAL, PAGE, 2**63 - 1)


@pytest.mark.parametrize("option", [999, -1, 0x10000, 0x10004, 2**31 - 1])
def test_option_that_the_system_does_not_know_is_an_error(pages: ironmap.mmap, option: int) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        pages.madvise(option)


@pytest.mark.parametrize(
    "arguments", [(), ("a",), (None,), (0, "a"), (0, None), (0, 0, "a"), (0, 0, 0, 0)]
)
def test_arguments_of_other_types_are_an_error(
    pages: ironmap.mmap, arguments: tuple[object, ...]
) -> None:
    assert outcome(pages.madvise, *arguments).error is TypeError


def test_start_that_closes_the_map_is_as_in_the_standard_module() -> None:
    """The type of the error depends on the Python version, if the length is wrong as well."""

    def use(module: Any) -> object:
        m = module.mmap(-1, PAGE)
        return m.madvise(module.MADV_NORMAL, Index(0, m.close), "a")

    assert_same_error(use)


def test_dontneed_drops_the_pages_of_a_private_map(map_bytes: MapMaker) -> None:
    m = map_bytes(b"x" * SIZE, access=ironmap.ACCESS_COPY)
    m[:] = b"y" * SIZE
    m.madvise(ironmap.MADV_DONTNEED, PAGE, PAGE)
    assert m[:] == b"y" * PAGE + b"x" * PAGE + b"y" * (SIZE - 2 * PAGE)


def test_dontneed_from_any_byte_drops_nothing_in_front_of_it() -> None:
    with ironmap.mmap(-1, 3 * PAGE, flags=ironmap.MAP_PRIVATE) as m:
        m[:] = b"y" * 3 * PAGE
        m.madvise(ironmap.MADV_DONTNEED, PAGE + 1)
        assert m[:] == b"y" * 2 * PAGE + bytes(PAGE)


def test_read_only_map_accepts_advice(map_bytes: MapMaker) -> None:
    m = map_bytes(b"x" * SIZE, access=ironmap.ACCESS_READ)
    assert m.madvise(ironmap.MADV_SEQUENTIAL) is None


def test_advice_about_fork_is_accepted(anonymous: ironmap.mmap) -> None:
    assert anonymous.madvise(ironmap.MADV_DONTFORK) is None
    assert anonymous.madvise(ironmap.MADV_DOFORK) is None
