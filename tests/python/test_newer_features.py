"""Features of every version of the standard module work on every interpreter.

Each test names the version of CPython that brought the feature.
"""

from __future__ import annotations

import ctypes
import errno
import inspect
import io
import mmap as standard
import os
import sys
from typing import TYPE_CHECKING

import pytest

import ironmap
from support import PAGE, is_open, open_descriptors, run_python
from system import HAS_FLAGS, needs_advice, needs_flags, needs_sync_flags

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import MapMaker

LONGEST_NAME = 66


def test_3_2_closed_and_context_manager(path: Path) -> None:
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as m:
        assert m.closed is False
    assert m.closed is True


def test_3_3_read_without_argument_or_with_none(digits: ironmap.mmap) -> None:
    assert digits.read() == b"0123456789"
    digits.seek(5)
    assert digits.read(None) == b"56789"


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_3_5_any_bytes_like_is_searched_for(
    digits: ironmap.mmap, kind: Callable[[bytes], bytes]
) -> None:
    assert digits.find(kind(b"34")) == digits.rfind(kind(b"34")) == 3


def test_3_6_write_returns_the_count(digits: ironmap.mmap) -> None:
    assert digits.write(b"abc") == 3


@needs_flags
def test_3_7_access_default(digits: ironmap.mmap, path: Path) -> None:
    assert ironmap.ACCESS_DEFAULT == 0
    with path.open("r+b") as file:
        options = {"access": ironmap.ACCESS_DEFAULT, "flags": ironmap.MAP_PRIVATE}
        with ironmap.mmap(file.fileno(), 0, **options) as m:
            m[0] = 0
    assert path.read_bytes()[:1] == b"o"


@needs_advice
def test_3_8_madvise_and_flush_without_result(digits: ironmap.mmap) -> None:
    assert digits.madvise(ironmap.MADV_WILLNEED) is None
    assert digits.flush() is None


def test_3_9_informative_repr(digits: ironmap.mmap) -> None:
    assert repr(digits) == (
        "<mmap.mmap closed=False, access=ACCESS_DEFAULT, length=10, pos=0, offset=0>"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="these flags are of Linux")
@pytest.mark.parametrize("name", ["MAP_POPULATE", "MAP_STACK", "MAP_NORESERVE"])
def test_3_10_3_11_3_13_more_flags(name: str) -> None:
    with ironmap.mmap(-1, PAGE, flags=ironmap.MAP_PRIVATE | getattr(ironmap, name)) as m:
        m[:] = b"x" * PAGE
        assert m[:] == b"x" * PAGE


def test_3_12_buffer_methods_as_the_running_interpreter(digits: ironmap.mmap) -> None:
    for name in ("__buffer__", "__release_buffer__"):
        assert hasattr(ironmap.mmap, name) == hasattr(standard.mmap, name)


def test_3_13_trackfd_keeps_no_descriptor(path: Path) -> None:
    before = open_descriptors()
    with path.open("r+b") as file:
        m = ironmap.mmap(file.fileno(), 0, trackfd=False)
    assert open_descriptors() == before
    assert m[:3] == b"one"
    m[:3] = b"ONE"
    if HAS_FLAGS:
        m.flush()
    else:  # waiting for the disk needs the file
        with pytest.raises(io.UnsupportedOperation, match="can't reach the file with trackfd"):
            m.flush()
    m.close()
    assert path.read_bytes()[:3] == b"ONE"


def test_3_13_trackfd_leaves_the_callers_descriptor(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    ironmap.mmap(descriptor, 0, trackfd=False).close()
    assert is_open(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("anonymous", [True, False])
def test_3_13_without_trackfd_size_is_an_error_of_both_kinds(
    path: Path, *, anonymous: bool
) -> None:
    """An OSError, as in 3.13, and a ValueError, as in 3.15."""
    with path.open("r+b") as file:
        m = ironmap.mmap(-1 if anonymous else file.fileno(), 10, trackfd=False)
    for kind in (OSError, ValueError, io.UnsupportedOperation):
        with pytest.raises(kind, match="can't get size with trackfd=False") as raised:
            m.size()
    assert raised.value.errno == errno.EBADF
    assert len(m) == 10
    m.close()


@pytest.mark.parametrize("new", [5, 10, 20])
def test_3_13_without_trackfd_resize_is_an_error(path: Path, new: int) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 10, trackfd=False) as m:
        with pytest.raises(ValueError, match="^mmap can't resize with trackfd=False.$"):
            m.resize(new)
        assert len(m) == 10
    assert path.stat().st_size == size


def test_3_13_trackfd_with_trackfd_true_is_the_default(path: Path) -> None:
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0, trackfd=True) as m:
        assert m.size() == path.stat().st_size


def test_3_13_seekable_and_seek_returns_the_position(digits: ironmap.mmap) -> None:
    assert digits.seekable() is True
    assert digits.seek(3) == 3
    assert digits.seek(-1, os.SEEK_END) == 9
    digits.close()
    assert digits.seekable() is True


@pytest.mark.skipif(sys.platform != "linux", reason="this flag is of Linux")
def test_3_13_map_32bit_as_the_running_interpreter() -> None:
    if hasattr(standard, "MAP_32BIT"):
        assert ironmap.MAP_32BIT == standard.MAP_32BIT


@pytest.mark.parametrize("method", ["find", "rfind"])
def test_3_14_none_as_bound(text: ironmap.mmap, method: str) -> None:
    content = text[:]
    use, expected = getattr(text, method), getattr(content, method)
    for bounds in ((None,), (None, None), (5, None), (None, 5), (None, -1), (-20, None), (0, 0)):
        assert use(b"ne", *bounds) == expected(b"ne", *bounds), bounds


@pytest.mark.parametrize("method", ["find", "rfind"])
def test_3_14_none_as_start_is_the_position(text: ironmap.mmap, method: str) -> None:
    text.seek(5)
    use, expected = getattr(text, method), getattr(text[:], method)
    for end in (None, 7, 12, 20):
        assert use(b"ne", None, end) == expected(b"ne", 5, end)


def test_3_15_flush_of_an_offset_alone(map_bytes: MapMaker) -> None:
    m = map_bytes(bytes(3 * PAGE))
    assert m.flush(PAGE) is None
    assert m.flush(PAGE, -1) is None
    with pytest.raises(ValueError, match="^flush values out of range$"):
        m.flush(3 * PAGE + 1)


@needs_sync_flags
def test_3_15_flush_with_flags(map_bytes: MapMaker) -> None:
    m = map_bytes(bytes(3 * PAGE))
    for flags in (ironmap.MS_SYNC, ironmap.MS_ASYNC, ironmap.MS_INVALIDATE | ironmap.MS_SYNC):
        assert m.flush(flags=flags) is None
        assert m.flush(PAGE, PAGE, flags=flags) is None


def test_3_15_size_of_an_anonymous_map() -> None:
    with ironmap.mmap(-1, PAGE + 5) as m:
        assert m.size() == PAGE + 5


@needs_advice
def test_3_14_madvise_with_none_as_length(digits: ironmap.mmap) -> None:
    assert digits.madvise(ironmap.MADV_NORMAL, 0, None) is None


def kernel_names_memory() -> bool:
    """True if the kernel can name memory (Linux 5.17 and newer, if so configured)."""
    if not HAS_FLAGS:
        return False
    set_vma, anonymous_name = 0x53564D41, 0  # PR_SET_VMA, PR_SET_VMA_ANON_NAME
    with standard.mmap(-1, PAGE) as m:
        first = ctypes.c_char.from_buffer(m)
        address = ctypes.addressof(first)
        prctl = getattr(ctypes.CDLL(None), "prctl", None)
        arguments = (anonymous_name, ctypes.c_void_p(address), ctypes.c_ulong(PAGE), b"probe")
        named = prctl is not None and prctl(set_vma, *arguments) == 0
        del first
        return named


@pytest.mark.skipif(not kernel_names_memory(), reason="this kernel has no CONFIG_ANON_VMA_NAME")
@pytest.mark.parametrize("flags", ["MAP_PRIVATE", "MAP_SHARED"])
@pytest.mark.parametrize("name", ["a", "x" * LONGEST_NAME])
def test_3_15_set_name_is_seen_by_the_system(flags: str, name: str) -> None:
    code = """
import ironmap, sys
m = ironmap.mmap(-1, ironmap.PAGESIZE, flags=getattr(ironmap, sys.argv[1]))
m.set_name(sys.argv[2])
with open("/proc/self/maps") as maps:
    print(sum(f"cpython:mmap:{sys.argv[2]}]" in line for line in maps))
"""
    assert run_python(code, flags, name) == "1\n"


@pytest.mark.parametrize("name", ["", "name", "x" * LONGEST_NAME, "caf\xe9", "[name]"])
def test_3_15_set_name_returns_none(anonymous: ironmap.mmap, name: str) -> None:
    """Also if the system has no names, or does not take this one."""
    assert anonymous.set_name(name) is None


@pytest.mark.parametrize("name", ["x" * (LONGEST_NAME + 1), "x" * 1000, "a\0b"])
def test_3_15_set_name_that_cannot_be(anonymous: ironmap.mmap, name: str) -> None:
    with pytest.raises(ValueError, match="name is too long|null character"):
        anonymous.set_name(name)


def test_3_15_set_name_of_a_file_is_an_error(digits: ironmap.mmap) -> None:
    with pytest.raises(ValueError, match="non-anonymous"):
        digits.set_name("name")


@pytest.mark.parametrize("name", [None, 1, b"name"])
def test_3_15_set_name_takes_a_string(anonymous: ironmap.mmap, name: object) -> None:
    with pytest.raises(TypeError, match=r"^set_name\(\) argument must be str, not "):
        anonymous.set_name(name)


def test_methods_show_their_signature() -> None:
    assert str(inspect.signature(ironmap.mmap.find)).startswith("(self, ")
    assert "flags" in inspect.signature(ironmap.mmap.flush).parameters
