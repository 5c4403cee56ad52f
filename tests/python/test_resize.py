"""resize and size."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

import ironmap
from support import PAGE, outcome
from system import HAS_FLAGS, needs_flags

if TYPE_CHECKING:
    from pathlib import Path

    from support import MapMaker

SIZES = [1, 512, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 512, 100 * PAGE]
# Anonymous memory that can grow, and all kinds.
GROWS: dict[str, int] = {"flags": ironmap.MAP_PRIVATE} if HAS_FLAGS else {}
ALL_KINDS = [{"flags": ironmap.MAP_SHARED}, GROWS] if HAS_FLAGS else [GROWS]


def pattern(length: int) -> bytes:
    return bytes(i * 7 % 251 for i in range(length))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two pages and a bit."""
    path = tmp_path / "file"
    path.write_bytes(pattern(2 * PAGE + 100))
    return path


@pytest.mark.parametrize("new", SIZES)
def test_resize_changes_map_and_file(file: Path, map_path: MapMaker, new: int) -> None:
    before = file.read_bytes()
    made = map_path(file)
    assert made.resize(new) is None
    assert len(made) == made.size() == file.stat().st_size == new
    expected = before[:new].ljust(new, b"\0")
    assert made[:] == file.read_bytes() == expected
    made[new - 1] = 255
    assert file.read_bytes() == expected[:-1] + b"\xff"


@pytest.mark.parametrize("offset", [PAGE, 1, PAGE + 7])
@pytest.mark.parametrize("new", [1, 500, PAGE + 90, 5 * PAGE])
def test_resize_counts_from_the_offset(
    file: Path, map_path: MapMaker, offset: int, new: int
) -> None:
    before = file.read_bytes()
    made = map_path(file, offset=offset)
    made.resize(new)
    assert file.stat().st_size == made.size() == offset + new
    assert file.read_bytes() == before[: offset + new].ljust(offset + new, b"\0")
    assert made[:] == file.read_bytes()[offset:]


def test_resize_of_a_map_shorter_than_its_file_sets_the_file(
    file: Path, map_path: MapMaker
) -> None:
    made = map_path(file, 10)
    made.resize(20)
    assert file.stat().st_size == len(made) == 20


def test_bytes_cut_off_come_back_as_zeros(file: Path, map_path: MapMaker) -> None:
    made = map_path(file)
    made.resize(10)
    made.resize(2 * PAGE)
    assert made[:] == pattern(10) + bytes(2 * PAGE - 10)


@needs_flags
@pytest.mark.parametrize("kind", ["anonymous", "file"])
def test_private_bytes_cut_off_come_back_as_zeros(
    file: Path, map_path: MapMaker, kind: str
) -> None:
    flags = ironmap.MAP_PRIVATE
    made = map_path(file, flags=flags) if kind == "file" else ironmap.mmap(-1, PAGE, flags=flags)
    made[:] = b"x" * len(made)
    made.resize(10)
    made.resize(2 * PAGE)
    assert made[:] == b"x" * 10 + bytes(2 * PAGE - 10)
    made.close()


def test_resize_again_and_again(file: Path, map_path: MapMaker) -> None:
    made = map_path(file)
    for new in [*SIZES, *reversed(SIZES)] * 5:
        made.resize(new)
        made[new - 1] = 1
        assert (len(made), file.stat().st_size) == (new, new)
    assert made[0] == 1


@needs_flags
def test_resize_of_a_map_by_flags_private_keeps_its_own_bytes(
    file: Path, map_path: MapMaker
) -> None:
    made = map_path(file, flags=ironmap.MAP_PRIVATE)
    made[0:3] = b"own"
    made.resize(4 * PAGE)
    assert made[0:3] == b"own"
    assert file.read_bytes()[:3] == pattern(3)
    assert file.stat().st_size == 4 * PAGE


def test_resize_leaves_the_position_which_may_lie_beyond_the_end(
    file: Path, map_path: MapMaker
) -> None:
    made = map_path(file)
    made.seek(5000)
    made.resize(PAGE)
    assert made.tell() == 5000
    assert made.read(14) == b""
    assert made.readline() == b""
    assert made.find(b"") in (-1, PAGE)
    for use in (made.read_byte, lambda: made.write_byte(42), lambda: made.write(b"abc")):
        with pytest.raises(ValueError, match="out of range"):
            use()
    assert made.tell() == 5000
    assert made.seek(0, os.SEEK_END) == PAGE


@pytest.mark.parametrize("access", ["ACCESS_READ", "ACCESS_COPY"])
def test_resize_needs_a_map_that_writes_to_its_file(
    file: Path, map_path: MapMaker, access: str
) -> None:
    made = map_path(file, access=getattr(ironmap, access))
    for new in (10, 10 * PAGE, 0, -1):
        with pytest.raises(TypeError, match="can't resize a readonly or copy-on-write memory map"):
            made.resize(new)
    assert len(made) == file.stat().st_size == 2 * PAGE + 100


def test_resize_to_nothing_leaves_everything_as_it_was(file: Path, map_path: MapMaker) -> None:
    made = map_path(file)
    with pytest.raises(OSError, match="Invalid argument") as raised:
        made.resize(0)
    assert raised.value.errno == errno.EINVAL
    assert made[:] == file.read_bytes() == pattern(2 * PAGE + 100)


@pytest.mark.parametrize("new", [2**62, 2**63 - 1])
def test_resize_that_fails_leaves_everything_as_it_was(
    file: Path, map_path: MapMaker, new: int
) -> None:
    made = map_path(file)
    with pytest.raises(OSError, match=r"\[(Errno|WinError) "):
        made.resize(new)
    assert made[:] == file.read_bytes() == pattern(2 * PAGE + 100)
    made.resize(PAGE)
    assert made[:] == pattern(PAGE)


@pytest.mark.parametrize("new", [-1, -PAGE, -(2**63)])
def test_resize_to_less_than_nothing_is_an_error(file: Path, map_path: MapMaker, new: int) -> None:
    made = map_path(file)
    with pytest.raises(ValueError, match="^new size out of range$"):
        made.resize(new)
    assert len(made) == file.stat().st_size


def test_resize_and_offset_must_not_overflow(file: Path, map_path: MapMaker) -> None:
    made = map_path(file, offset=PAGE)
    with pytest.raises(ValueError, match="^new size out of range$"):
        made.resize(2**63 - 1)
    assert file.stat().st_size == 2 * PAGE + 100


@pytest.mark.parametrize("new", ["a", None, 1.5, b"a"])
def test_resize_takes_an_integer(digits: ironmap.mmap, new: object) -> None:
    assert outcome(digits.resize, new).error is TypeError
    assert outcome(digits.resize).error is TypeError
    assert outcome(digits.resize, 2**70).error is OverflowError
    assert len(digits) == 10


@pytest.mark.parametrize("new", [5, 10, 20])
def test_resize_with_exported_buffers_is_an_error(digits: ironmap.mmap, new: int) -> None:
    with (
        memoryview(digits) as view,
        pytest.raises(BufferError, match="mmap can't resize with extant buffers exported."),
    ):
        digits.resize(new)
    assert len(digits) == digits.size() == 10
    del view
    digits.resize(new)
    assert len(digits) == digits.size() == new


@needs_flags
def test_resize_of_a_file_that_cannot_be_written(file: Path) -> None:
    with file.open("rb") as opened:
        made = ironmap.mmap(opened.fileno(), 0, flags=ironmap.MAP_PRIVATE)
    with pytest.raises(OSError, match=r"\[(Errno|WinError) "):
        made.resize(10)
    assert made[:] == file.read_bytes() == pattern(2 * PAGE + 100)
    made.close()


@needs_flags
@pytest.mark.parametrize("new", [PAGE + 1, 2 * PAGE, 100 * PAGE])
def test_shared_anonymous_memory_does_not_grow(new: int) -> None:
    with ironmap.mmap(-1, PAGE) as made:
        made[:] = pattern(PAGE)
        with pytest.raises(ValueError, match="can't expand a shared anonymous mapping"):
            made.resize(new)
        assert made[:] == pattern(PAGE)


@needs_flags
def test_shared_anonymous_memory_does_not_grow_back() -> None:
    with ironmap.mmap(-1, 2 * PAGE) as made:
        made.resize(PAGE)
        with pytest.raises(ValueError, match="can't expand a shared anonymous mapping"):
            made.resize(2 * PAGE)
        assert len(made) == PAGE


@pytest.mark.parametrize("options", ALL_KINDS)
@pytest.mark.parametrize("new", [1, 512, PAGE, PAGE + 5, 2 * PAGE])
def test_anonymous_memory_shrinks(options: dict[str, int], new: int) -> None:
    with ironmap.mmap(-1, 2 * PAGE, **options) as made:
        made[:] = pattern(2 * PAGE)
        made.resize(new)
        assert made[:] == pattern(2 * PAGE)[:new]


@pytest.mark.parametrize("new", [PAGE + 1, 2 * PAGE, 100 * PAGE])
def test_anonymous_memory_grows(new: int) -> None:
    with ironmap.mmap(-1, PAGE, **GROWS) as made:
        made[:] = pattern(PAGE)
        made.resize(new)
        assert made[:] == pattern(PAGE) + bytes(new - PAGE)


def test_size_is_of_the_file(file: Path, map_path: MapMaker) -> None:
    made = map_path(file, 10)
    assert made.size() == 2 * PAGE + 100
    os.truncate(file, 10 * PAGE)
    assert made.size() == 10 * PAGE
    assert len(made) == 10


def test_size_of_an_anonymous_map_is_its_length() -> None:
    for options in ALL_KINDS:
        with ironmap.mmap(-1, PAGE + 1, **options) as made:
            assert made.size() == PAGE + 1
            made.resize(10)
            assert made.size() == 10
