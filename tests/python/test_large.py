"""Files, offsets and maps beyond 4 GiB, in files that are mostly holes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

import ironmap
from support import GIB, PAGE
from system import needs_advice, needs_flags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import MapMaker

FOUR = 4 * GIB
SIZE = 5 * GIB + 123
MARKS = {FOUR - 3: b"across", FOUR + PAGE + 7: b"beyond\n", SIZE - 5: b"final"}

pytestmark = pytest.mark.skipif(sys.maxsize < SIZE, reason="such maps need a 64-bit system")


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(SIZE)
        for place, mark in MARKS.items():
            file.seek(place)
            file.write(mark)
    yield path
    path.unlink()


@pytest.fixture
def whole(large: Path, map_path: MapMaker) -> ironmap.mmap:
    return map_path(large)


@pytest.mark.parametrize("offset", [FOUR, FOUR + PAGE, FOUR + PAGE + 7, FOUR + 1, SIZE - 5])
def test_offset_may_lie_beyond_4_gib(large: Path, map_path: MapMaker, offset: int) -> None:
    m = map_path(large, offset=offset, access=ironmap.ACCESS_READ)
    assert len(m) == SIZE - offset
    assert m[-5:] == b"final"
    assert m.size() == SIZE
    assert f"offset={offset}>" in repr(m)


def test_store_at_an_offset_beyond_4_gib_reaches_the_file(large: Path, map_path: MapMaker) -> None:
    map_path(large, 6, offset=FOUR + PAGE + 7)[:] = b"behind"
    with large.open("rb") as file:
        file.seek(FOUR + PAGE + 7)
        assert file.read(7) == b"behind\n"


def test_items_and_slices_work_beyond_4_gib(whole: ironmap.mmap) -> None:
    assert len(whole) == SIZE
    assert whole[SIZE - 1] == whole[-1] == ord("l")
    assert whole[FOUR - 3 : FOUR + 3] == b"across"
    assert whole[FOUR + 2 : FOUR - 4 : -1] == b"ssorca"
    whole[FOUR] = ord("O")
    whole[FOUR + 1 : FOUR + 3] = b"SS"
    assert whole[FOUR - 3 : FOUR + 3] == b"acrOSS"
    with pytest.raises(IndexError):
        whole[SIZE]


def test_search_works_beyond_4_gib(whole: ironmap.mmap) -> None:
    near = FOUR - 3 * PAGE
    assert whole.find(b"across", near) == FOUR - 3
    assert whole.find(b"beyond", near) == FOUR + PAGE + 7
    assert whole.rfind(b"final") == SIZE - 5
    assert whole.rfind(b"across", near, FOUR + 3) == FOUR - 3
    assert whole.rfind(b"across", near, FOUR + 2) == -1


def test_position_works_beyond_4_gib(whole: ironmap.mmap) -> None:
    assert whole.seek(FOUR - 3) == FOUR - 3
    assert whole.read(6) == b"across"
    assert whole.tell() == FOUR + 3
    assert whole.seek(PAGE + 4, os.SEEK_CUR) == FOUR + PAGE + 7
    assert whole.readline() == b"beyond\n"
    assert whole.seek(-5, os.SEEK_END) == SIZE - 5
    assert whole.write(b"FIN") == 3
    whole.write_byte(ord("A"))
    assert whole.read_byte() == ord("l")
    assert whole[-5:] == b"FINAl"


def test_move_works_across_4_gib(whole: ironmap.mmap) -> None:
    whole.move(10, FOUR - 3, 6)
    whole.move(FOUR + GIB, 8, 10)
    assert whole[FOUR + GIB : FOUR + GIB + 10] == b"\0\0across\0\0"


def test_flush_works_beyond_4_gib(whole: ironmap.mmap) -> None:
    whole[FOUR + 5] = 1
    assert whole.flush(FOUR, PAGE) is None


@needs_advice
def test_madvise_works_beyond_4_gib(whole: ironmap.mmap) -> None:
    assert whole.madvise(ironmap.MADV_RANDOM, FOUR, PAGE) is None


def test_resize_works_beyond_4_gib(large: Path, whole: ironmap.mmap) -> None:
    for new in (FOUR + 3, 6 * GIB + 1, FOUR, SIZE):
        whole.resize(new)
        assert len(whole) == whole.size() == large.stat().st_size == new
    assert whole[FOUR - 3 : FOUR + 3] == b"acr\0\0\0"


def test_resize_counts_from_an_offset_beyond_4_gib(large: Path, map_path: MapMaker) -> None:
    m = map_path(large, offset=FOUR + 5)
    m.resize(10)
    assert large.stat().st_size == FOUR + 15


def test_exported_buffer_may_exceed_4_gib(whole: ironmap.mmap) -> None:
    with memoryview(whole) as view:
        assert view.nbytes == SIZE
        assert view[FOUR - 3 : FOUR + 3] == b"across"


@needs_flags
def test_anonymous_memory_may_exceed_4_gib() -> None:
    flags = ironmap.MAP_PRIVATE | ironmap.MAP_NORESERVE
    with ironmap.mmap(-1, SIZE, flags=flags) as m:
        m[-1] = 1
        assert m.find(b"\1", FOUR + GIB - 5) == SIZE - 1
