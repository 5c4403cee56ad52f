"""flush() of the whole map, of a range, and with flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ironmap
from support import PAGE, outcome
from system import HAS_SYNC_FLAGS, needs_sync_flags

if TYPE_CHECKING:
    from pathlib import Path

    from support import MapMaker

SIZE = 3 * PAGE + 10
SYNC_FLAGS = (1, 2, 4, 3) if HAS_SYNC_FLAGS else ()


@pytest.fixture
def pages(map_bytes: MapMaker) -> ironmap.mmap:
    return map_bytes(bytes(SIZE))


def test_flush_returns_none_and_the_file_has_all_changes(
    tmp_path: Path, map_path: MapMaker
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(SIZE))
    m = map_path(path)
    m[:] = b"x" * SIZE
    assert m.flush() is None
    assert path.read_bytes() == b"x" * SIZE


@pytest.mark.parametrize(
    ("offset", "size"),
    [(0, 0), (0, 1), (0, SIZE), (PAGE, PAGE), (PAGE, 1), (3 * PAGE, 10), (3 * PAGE, 0), (PAGE, 3)],
)
def test_flush_writes_a_range(pages: ironmap.mmap, offset: int, size: int) -> None:
    assert pages.flush(offset, size) is None


@pytest.mark.parametrize("offset", [0, PAGE, 3 * PAGE, 1, SIZE])
def test_flush_of_an_offset_goes_to_the_end(pages: ironmap.mmap, offset: int) -> None:
    assert pages.flush(offset) is None
    assert pages.flush(offset, None) is None


@pytest.mark.parametrize(("offset", "size"), [(1, 6), (PAGE - 1, 2), (PAGE + 5, PAGE), (SIZE, 0)])
def test_flush_of_a_file_may_begin_at_any_byte(pages: ironmap.mmap, offset: int, size: int) -> None:
    assert pages.flush(offset, size) is None


@pytest.mark.parametrize(
    ("offset", "size"),
    [
        (-1, 1),
        (-PAGE, PAGE),
        (0, SIZE + 1),
        (PAGE, SIZE - PAGE + 1),
        (SIZE + 1, 0),
        (SIZE + PAGE, PAGE),
        (2**62, 2**62),
        (2**63 - 1, 2**63 - 1),
        (0, -2),
    ],
)
@pytest.mark.parametrize("access", ["ACCESS_READ", "ACCESS_WRITE", "ACCESS_COPY"])
def test_flush_out_of_range_is_an_error(
    map_bytes: MapMaker, access: str, offset: int, size: int
) -> None:
    m = map_bytes(bytes(SIZE), access=getattr(ironmap, access))
    with pytest.raises(ValueError, match="^flush values out of range$"):
        m.flush(offset, size)


@pytest.mark.parametrize("access", ["ACCESS_READ", "ACCESS_COPY"])
def test_flush_of_private_changes_does_nothing(map_bytes: MapMaker, access: str) -> None:
    m = map_bytes(bytes(SIZE), access=getattr(ironmap, access))
    assert m.flush() is None
    assert m.flush(1, 5) is None


@pytest.mark.parametrize("flags", [{}, {"flags": 0}, *({"flags": f} for f in SYNC_FLAGS)])
def test_flush_with_flags_of_the_system(pages: ironmap.mmap, flags: dict[str, int]) -> None:
    pages[:] = b"y" * SIZE
    assert pages.flush(**flags) is None
    assert pages.flush(PAGE, **flags) is None
    assert pages.flush(PAGE, PAGE, **flags) is None


@needs_sync_flags
def test_flush_takes_the_named_flags(pages: ironmap.mmap) -> None:
    for flags in (ironmap.MS_SYNC, ironmap.MS_ASYNC, ironmap.MS_ASYNC | ironmap.MS_INVALIDATE):
        pages.flush(0, PAGE, flags=flags)


@needs_sync_flags
@pytest.mark.parametrize("flags", [8, 1 | 4, 0x10000, 0x20000, -1, 2**31 - 1])
def test_flush_with_flags_that_the_system_refuses_is_an_error(
    pages: ironmap.mmap, flags: int
) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        pages.flush(flags=flags)


@needs_sync_flags
@pytest.mark.parametrize("access", [ironmap.ACCESS_READ, ironmap.ACCESS_COPY])
@pytest.mark.parametrize("flags", [8, 1 | 4, -1, 2**31 - 1])
def test_flush_of_a_map_without_stores_ignores_its_flags(
    map_bytes: MapMaker, access: int, flags: int
) -> None:
    assert map_bytes(bytes(PAGE), access=access).flush(flags=flags) is None


def test_flush_takes_its_flags_by_name_only(pages: ironmap.mmap) -> None:
    assert outcome(pages.flush, 0, PAGE, 0).error is TypeError
    with pytest.raises(TypeError):
        pages.flush(size=1)
    with pytest.raises(TypeError):
        pages.flush(flags="a")


def test_flush_of_an_anonymous_map_needs_a_page_offset(anonymous: ironmap.mmap) -> None:
    assert anonymous.flush() is None
    for offset, size in ((1, 5), (len(anonymous), 0)):
        with pytest.raises(OSError, match="Invalid argument"):
            anonymous.flush(offset, size)


def test_flush_of_an_anonymous_map_behind_its_end_is_out_of_range(anonymous: ironmap.mmap) -> None:
    for offset, size in ((1, len(anonymous)), (len(anonymous), 1), (len(anonymous) + 1, 0)):
        with pytest.raises(ValueError, match="^flush values out of range$"):
            anonymous.flush(offset, size)


@needs_sync_flags
def test_range_behind_the_end_comes_before_flags_that_are_wrong(pages: ironmap.mmap) -> None:
    with pytest.raises(ValueError, match="^flush values out of range$"):
        pages.flush(SIZE + 1, 1, flags=-1)
