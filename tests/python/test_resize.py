"""resize() and size()."""

from __future__ import annotations

import errno
import mmap as standard
import os
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import PAGE, outcome
from system import HAS_FLAGS, needs_advice, needs_flags

if TYPE_CHECKING:
    from pathlib import Path

    from support import MapMaker

SIZES = [1, 512, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 512, 100 * PAGE]
# Anonymous memory that can grow, and all kinds of it.
GROWS: dict[str, int] = {"flags": ironmap.MAP_PRIVATE} if HAS_FLAGS else {}
ALL_KINDS = [{"flags": ironmap.MAP_SHARED}, GROWS] if HAS_FLAGS else [GROWS]


def pattern(length: int) -> bytes:
    return bytes(i * 7 % 251 for i in range(length))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of a little more than two pages."""
    path = tmp_path / "file"
    path.write_bytes(pattern(2 * PAGE + 100))
    return path


@pytest.mark.parametrize("new", SIZES)
def test_resize_changes_map_and_file(file: Path, map_path: MapMaker, new: int) -> None:
    before = file.read_bytes()
    m = map_path(file)
    assert m.resize(new) is None
    assert len(m) == m.size() == file.stat().st_size == new
    expected = before[:new].ljust(new, b"\0")
    assert m[:] == file.read_bytes() == expected
    m[new - 1] = 255
    assert file.read_bytes() == expected[:-1] + b"\xff"


@pytest.mark.parametrize("offset", [PAGE, 1, PAGE + 7])
@pytest.mark.parametrize("new", [1, 500, PAGE + 90, 5 * PAGE])
def test_resize_counts_from_the_offset(
    file: Path, map_path: MapMaker, offset: int, new: int
) -> None:
    before = file.read_bytes()
    m = map_path(file, offset=offset)
    m.resize(new)
    assert file.stat().st_size == m.size() == offset + new
    assert file.read_bytes() == before[: offset + new].ljust(offset + new, b"\0")
    assert m[:] == file.read_bytes()[offset:]


def test_resize_of_a_map_shorter_than_its_file_sets_the_file(
    file: Path, map_path: MapMaker
) -> None:
    m = map_path(file, 10)
    m.resize(20)
    assert file.stat().st_size == len(m) == 20


def test_cut_bytes_are_zero_when_grown_again(file: Path, map_path: MapMaker) -> None:
    m = map_path(file)
    m.resize(10)
    m.resize(2 * PAGE)
    assert m[:] == pattern(10) + bytes(2 * PAGE - 10)


@needs_flags
@pytest.mark.parametrize("kind", ["anonymous", "file"])
def test_private_cut_bytes_are_zero_when_grown_again(
    file: Path, map_path: MapMaker, kind: str
) -> None:
    flags = ironmap.MAP_PRIVATE
    m = map_path(file, flags=flags) if kind == "file" else ironmap.mmap(-1, PAGE, flags=flags)
    m[:] = b"x" * len(m)
    m.resize(10)
    m.resize(2 * PAGE)
    assert m[:] == b"x" * 10 + bytes(2 * PAGE - 10)
    m.close()


def test_resize_can_be_repeated(file: Path, map_path: MapMaker) -> None:
    m = map_path(file)
    for new in [*SIZES, *reversed(SIZES)] * 5:
        m.resize(new)
        m[new - 1] = 1
        assert (len(m), file.stat().st_size) == (new, new)
    assert m[0] == 1


@needs_flags
def test_resize_of_a_map_by_flags_private_keeps_its_own_bytes(
    file: Path, map_path: MapMaker
) -> None:
    m = map_path(file, flags=ironmap.MAP_PRIVATE)
    m[0:3] = b"own"
    m.resize(4 * PAGE)
    assert m[0:3] == b"own"
    assert file.read_bytes()[:3] == pattern(3)
    assert file.stat().st_size == 4 * PAGE


def test_resize_leaves_the_position_which_may_lie_beyond_the_end(
    file: Path, map_path: MapMaker
) -> None:
    m = map_path(file)
    m.seek(5000)
    m.resize(PAGE)
    assert m.tell() == 5000
    assert m.read(14) == b""
    assert m.readline() == b""
    assert m.find(b"") in (-1, PAGE)
    for use in (m.read_byte, lambda: m.write_byte(42), lambda: m.write(b"abc")):
        with pytest.raises(ValueError, match="out of range"):
            use()
    assert m.tell() == 5000
    assert m.seek(0, os.SEEK_END) == PAGE


@pytest.mark.parametrize("access", ["ACCESS_READ", "ACCESS_COPY"])
def test_resize_needs_a_map_that_writes_to_its_file(
    file: Path, map_path: MapMaker, access: str
) -> None:
    m = map_path(file, access=getattr(ironmap, access))
    for new in (10, 10 * PAGE, 0, -1):
        with pytest.raises(TypeError, match="can't resize a readonly or copy-on-write memory map"):
            m.resize(new)
    assert len(m) == file.stat().st_size == 2 * PAGE + 100


def test_resize_to_zero_is_an_error_and_changes_nothing(file: Path, map_path: MapMaker) -> None:
    m = map_path(file)
    with pytest.raises(OSError, match="Invalid argument") as raised:
        m.resize(0)
    assert raised.value.errno == errno.EINVAL
    assert m[:] == file.read_bytes() == pattern(2 * PAGE + 100)


@pytest.mark.parametrize("new", [2**62, 2**63 - 1])
def test_resize_that_fails_changes_nothing(file: Path, map_path: MapMaker, new: int) -> None:
    m = map_path(file)
    with pytest.raises(OSError, match=r"\[(Errno|WinError) "):
        m.resize(new)
    assert m[:] == file.read_bytes() == pattern(2 * PAGE + 100)
    m.resize(PAGE)
    assert m[:] == pattern(PAGE)


@needs_advice
@pytest.mark.parametrize("new", [PAGE + 5, 5 * PAGE])
def test_resize_works_after_advice_for_a_part(file: Path, map_path: MapMaker, new: int) -> None:
    """The system has split the mapping."""
    m = map_path(file)
    m.madvise(ironmap.MADV_RANDOM, PAGE, PAGE)
    m.resize(new)
    assert m[:] == file.read_bytes() == pattern(2 * PAGE + 100)[:new].ljust(new, b"\0")


@pytest.mark.parametrize("new", [-1, -PAGE, -(2**63)])
def test_resize_to_a_negative_length_is_an_error(file: Path, map_path: MapMaker, new: int) -> None:
    m = map_path(file)
    with pytest.raises(ValueError, match="^new size out of range$"):
        m.resize(new)
    assert len(m) == file.stat().st_size


def test_resize_and_offset_must_not_overflow(file: Path, map_path: MapMaker) -> None:
    m = map_path(file, offset=PAGE)
    with pytest.raises(ValueError, match="^new size out of range$"):
        m.resize(2**63 - 1)
    assert file.stat().st_size == 2 * PAGE + 100


@pytest.mark.parametrize("module", [ironmap, standard])
@pytest.mark.parametrize("access", [ironmap.ACCESS_READ, ironmap.ACCESS_COPY])
def test_exported_buffers_are_told_before_the_access(module: Any, access: int) -> None:
    with module.mmap(-1, 10, access=access) as m:
        with memoryview(m):
            assert outcome(m.resize, 5).error is BufferError
        assert outcome(m.resize, 5).error is TypeError


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
def test_resize_of_a_file_that_cannot_be_written_is_an_error(file: Path) -> None:
    with file.open("rb") as opened:
        m = ironmap.mmap(opened.fileno(), 0, flags=ironmap.MAP_PRIVATE)
    with pytest.raises(OSError, match=r"\[(Errno|WinError) "):
        m.resize(10)
    assert m[:] == file.read_bytes() == pattern(2 * PAGE + 100)
    m.close()


@needs_flags
@pytest.mark.parametrize("new", [PAGE + 1, 2 * PAGE, 100 * PAGE])
def test_shared_anonymous_memory_does_not_grow(new: int) -> None:
    with ironmap.mmap(-1, PAGE) as m:
        m[:] = pattern(PAGE)
        with pytest.raises(ValueError, match="can't expand a shared anonymous mapping"):
            m.resize(new)
        assert m[:] == pattern(PAGE)


@needs_flags
def test_shared_anonymous_memory_does_not_grow_back() -> None:
    with ironmap.mmap(-1, 2 * PAGE) as m:
        m.resize(PAGE)
        with pytest.raises(ValueError, match="can't expand a shared anonymous mapping"):
            m.resize(2 * PAGE)
        assert len(m) == PAGE


@pytest.mark.parametrize("options", ALL_KINDS)
@pytest.mark.parametrize("new", [1, 512, PAGE, PAGE + 5, 2 * PAGE])
def test_anonymous_memory_shrinks(options: dict[str, int], new: int) -> None:
    with ironmap.mmap(-1, 2 * PAGE, **options) as m:
        m[:] = pattern(2 * PAGE)
        m.resize(new)
        assert m[:] == pattern(2 * PAGE)[:new]


@pytest.mark.parametrize("new", [PAGE + 1, 2 * PAGE, 100 * PAGE])
def test_anonymous_memory_grows(new: int) -> None:
    with ironmap.mmap(-1, PAGE, **GROWS) as m:
        m[:] = pattern(PAGE)
        m.resize(new)
        assert m[:] == pattern(PAGE) + bytes(new - PAGE)


def test_size_is_the_length_of_the_file(file: Path, map_path: MapMaker) -> None:
    m = map_path(file, 10)
    assert m.size() == 2 * PAGE + 100
    os.truncate(file, 10 * PAGE)
    assert m.size() == 10 * PAGE
    assert len(m) == 10


def test_size_of_an_anonymous_map_is_its_length() -> None:
    for options in ALL_KINDS:
        with ironmap.mmap(-1, PAGE + 1, **options) as m:
            assert m.size() == PAGE + 1
            m.resize(10)
            assert m.size() == 10
