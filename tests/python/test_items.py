"""Items, slices and the buffer protocol."""

from __future__ import annotations

import ctypes
import itertools
import mmap as standard
import sys
from array import array
from typing import TYPE_CHECKING, Any

import pytest

import ironmap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import MapMaker

BOUNDS = (None, 0, 1, 3, 19, 300, sys.maxsize, 2**70, -1, -2, -31, -300, -(2**70))
STEPS = (None, 1, 2, 3, 300, sys.maxsize, 2**70, -1, -2, -31, -(2**70))
CONTENT = bytes(reversed(range(256)))
MIB = 1 << 20


def test_item_is_an_integer(digits: ironmap.mmap) -> None:
    assert digits[0] == ord("0")
    assert digits[9] == digits[-1] == ord("9")
    assert digits[-10] == ord("0")


def test_sequence_functions_of_c_store_items(digits: ironmap.mmap) -> None:
    """They add the length to a negative index, once."""
    store = ctypes.pythonapi.PySequence_SetItem
    store.argtypes = [ctypes.py_object, ctypes.c_ssize_t, ctypes.py_object]
    delete = ctypes.pythonapi.PySequence_DelItem
    delete.argtypes = [ctypes.py_object, ctypes.c_ssize_t]
    store(digits, 0, ord("a"))
    store(digits, -1, b"z")
    assert digits[:] == b"a12345678z"
    for index in (10, -11, -20):
        with pytest.raises(IndexError, match="mmap index out of range"):
            store(digits, index, 1)
    with pytest.raises(TypeError, match="mmap object doesn't support item deletion"):
        delete(digits, 0)
    with pytest.raises(ValueError, match="range"):
        store(digits, 0, 256)
    assert digits[:] == b"a12345678z"


@pytest.mark.parametrize("index", [10, -11, 2**40, -(2**40), 2**70, -(2**70)])
def test_item_outside_is_an_error(digits: ironmap.mmap, index: int) -> None:
    with pytest.raises(IndexError):
        digits[index]
    with pytest.raises(IndexError):
        digits[index] = 1
    assert digits[:] == b"0123456789"


def test_item_outside_has_the_standard_message(digits: ironmap.mmap) -> None:
    with pytest.raises(IndexError, match=r"^mmap index out of range$"):
        digits[10]
    with pytest.raises(IndexError, match=r"^mmap index out of range$"):
        digits[10] = 1


@pytest.mark.parametrize("value", [0, 97, 255, True])
def test_item_is_set_by_an_integer(digits: ironmap.mmap, value: int) -> None:
    digits[3] = value
    assert digits[:] == b"012" + bytes([value]) + b"456789"


@pytest.mark.parametrize("value", [b"a", b"\x00", b"\xff"])
def test_item_is_set_by_a_single_byte(digits: ironmap.mmap, value: bytes) -> None:
    digits[-1] = value
    assert digits[:] == b"012345678" + value


@pytest.mark.parametrize("value", [-1, 256, 1000])
def test_item_value_outside_a_byte_is_an_error(digits: ironmap.mmap, value: int) -> None:
    with pytest.raises(ValueError, match=r"^mmap item value must be in range\(0, 256\)$"):
        digits[0] = value
    assert digits[:] == b"0123456789"


@pytest.mark.parametrize("value", [b"", b"ab", "a", 1.0, None, [1], memoryview(b"abcd")[::2]])
def test_item_value_of_another_kind_is_an_error(digits: ironmap.mmap, value: object) -> None:
    with pytest.raises(TypeError):
        digits[0] = value
    assert digits[:] == b"0123456789"


@pytest.mark.parametrize("index", ["a", 1.0, None, b"a", (0, 1)])
def test_index_of_another_kind_is_an_error(digits: ironmap.mmap, index: object) -> None:
    with pytest.raises(TypeError, match="mmap indices must be integer"):
        digits[index]
    with pytest.raises(TypeError, match="mmap indices must be integer"):
        digits[index] = 1


def test_every_slice_reads_as_of_bytes(map_bytes: MapMaker) -> None:
    m = map_bytes(CONTENT)
    for parts in itertools.product(BOUNDS, BOUNDS, STEPS):
        assert m[slice(*parts)] == CONTENT[slice(*parts)], parts


def test_every_slice_is_set_as_of_a_bytearray(map_bytes: MapMaker) -> None:
    m = map_bytes(CONTENT)
    for parts in itertools.product(BOUNDS, BOUNDS, STEPS):
        m[:] = CONTENT
        expected = bytearray(CONTENT)
        value = bytes(reversed(CONTENT[slice(*parts)]))
        expected[slice(*parts)] = value
        m[slice(*parts)] = value
        assert m[:] == expected, parts


@pytest.mark.parametrize("where", [slice(0, 2), slice(0, 4, 2), slice(3, 1), slice(9, 0, -3)])
@pytest.mark.parametrize("more", [-1, 1, 5])
def test_slice_of_another_size_is_an_error(digits: ironmap.mmap, where: slice, more: int) -> None:
    value = b"x" * max(len(digits[where]) + more, 0)
    if len(value) == len(digits[where]):
        value += b"x"
    with pytest.raises(IndexError, match=r"^mmap slice assignment is wrong size$"):
        digits[where] = value
    assert digits[:] == b"0123456789"


@pytest.mark.parametrize("value", ["ab", 1, None, [1, 2], 2.0])
@pytest.mark.parametrize("where", [slice(0, 2), slice(0, 4, 2)])
def test_slice_value_of_another_kind_is_an_error(
    digits: ironmap.mmap, where: slice, value: object
) -> None:
    with pytest.raises(TypeError):
        digits[where] = value
    assert digits[:] == b"0123456789"


def test_step_zero_is_an_error(digits: ironmap.mmap) -> None:
    with pytest.raises(ValueError, match="step cannot be zero"):
        digits[::0]
    with pytest.raises(ValueError, match="step cannot be zero"):
        digits[::0] = b""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda b: array("B", b)])
@pytest.mark.parametrize("where", [slice(2, 6), slice(1, 9, 2), slice(8, None, -2)])
def test_slice_is_set_by_any_bytes_like(
    digits: ironmap.mmap, kind: Callable[[bytes], object], where: slice
) -> None:
    value = b"abcd" if where.step != -2 else b"abcde"
    expected = bytearray(b"0123456789")
    expected[where] = value
    digits[where] = kind(value)
    assert digits[:] == expected


def test_slice_is_set_by_the_map_itself(digits: ironmap.mmap) -> None:
    with memoryview(digits) as view:
        digits[2:] = view[:-2]
        assert digits[:] == b"0101234567"
        digits[:-3] = view[3:]
        assert digits[:] == b"1234567567"
    digits[:] = digits
    assert digits[:] == b"1234567567"


def test_extended_slice_is_set_by_the_map_itself(digits: ironmap.mmap) -> None:
    with memoryview(digits) as view:
        digits[::-1] = bytes(view)
        assert digits[:] == b"9876543210"
        digits[::2] = view[:5]
    assert digits[1::2] == b"86420"


@pytest.mark.parametrize("length", [4 * MIB - 1, 4 * MIB, 9 * MIB + 3])
def test_long_slices_and_reads_have_all_bytes(map_bytes: MapMaker, length: int) -> None:
    """Lengths around the one from which the result's memory is prepared."""
    content = bytes(itertools.islice(itertools.cycle(range(251)), length + 5))
    m = map_bytes(content)
    assert m[3 : length + 3] == content[3 : length + 3]
    assert m[length::-1] == content[length::-1]
    assert m[::4097] == content[::4097]
    m.seek(5)
    assert m.read() == content[5:]
    m[5:] = content[:-5]
    m[:5:-1] = content[:5:-1]
    assert m[6:] == content[6:]


def test_empty_slices_are_empty_bytes(digits: ironmap.mmap) -> None:
    digits[4:4] = b""
    digits[8:2] = b""
    digits[8:2:3] = b""
    assert digits[4:4] == digits[100:] == digits[8:2:3] == b""
    assert digits[:] == b"0123456789"


def test_deleting_is_refused(digits: ironmap.mmap) -> None:
    for where in (0, slice(0, 2), slice(0, 4, 2)):
        with pytest.raises(TypeError, match="doesn't support"):
            del digits[where]
    assert digits[:] == b"0123456789"


def test_adding_and_repeating_are_refused(digits: ironmap.mmap) -> None:
    for use in (lambda: digits + digits, lambda: digits + b"a", lambda: digits * 2):
        with pytest.raises(TypeError):
            use()


def test_length_and_truth_are_as_of_bytes(digits: ironmap.mmap) -> None:
    assert len(digits) == 10
    assert digits


def test_iteration_gives_single_bytes(digits: ironmap.mmap) -> None:
    assert list(digits) == [b"%d" % i for i in range(10)]
    assert list(reversed(digits)) == [b"%d" % i for i in range(9, -1, -1)]


def test_membership_is_of_single_bytes(digits: ironmap.mmap) -> None:
    assert b"3" in digits
    assert b"x" not in digits
    assert b"34" not in digits
    assert ord("3") not in digits


def test_bytes_and_bytearray_copy_a_map(digits: ironmap.mmap) -> None:
    assert bytes(digits) == bytearray(digits) == b"0123456789"


def test_memoryview_reads_and_writes(digits: ironmap.mmap) -> None:
    with memoryview(digits) as view:
        assert (view.format, view.itemsize, view.ndim, view.shape) == ("B", 1, 1, (10,))
        assert view.contiguous
        assert not view.readonly
        view[0] = ord("x")
        digits[1] = ord("y")
        assert view[:3].tobytes() == digits[:3] == b"xy2"


def test_file_can_read_into_a_map(digits: ironmap.mmap, path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        assert file.readinto(digits) == 10
    assert digits[:] == b"one two on"


def test_numpy_works_on_a_map(map_bytes: MapMaker) -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed: pip install numpy")
    m = map_bytes(bytes(8 * 100))
    values = numpy.frombuffer(m, dtype="<u8")
    values[:] = range(100)
    assert m[8:16] == (1).to_bytes(8, "little")
    assert int(values.sum()) == 4950
    del values


def test_index_may_be_any_integer_like(digits: ironmap.mmap) -> None:
    class Three:
        def __index__(self) -> int:
            return 3

    assert digits[Three()] == ord("3")
    assert digits[Three() :] == b"3456789"
    digits[Three()] = Three()
    assert digits[3] == 3


def test_move_is_as_of_a_bytearray(map_bytes: MapMaker) -> None:
    m = map_bytes(b"0123456789")
    for target, source in itertools.product(range(11), repeat=2):
        for count in range(11 - max(target, source)):
            m[:] = expected = bytearray(b"0123456789")
            expected[target : target + count] = expected[source : source + count]
            assert m.move(target, source, count) is None
            assert m[:] == expected, (target, source, count)


@pytest.mark.parametrize("module", [standard, ironmap])
@pytest.mark.parametrize("where", [(-1, 0, 1), (0, -1, 1), (0, 0, -1), (0, 0, 11), (10, 0, 1)])
def test_move_outside_has_the_standard_message(module: Any, where: tuple[int, int, int]) -> None:
    with (
        module.mmap(-1, 10) as m,
        pytest.raises(ValueError, match=r"^source, destination, or count out of range$"),
    ):
        m.move(*where)
