"""The map as a file: read, readline, write, seek and tell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from conftest import DATA
from support import outcome

if TYPE_CHECKING:
    import ironmap
    from support import MapMaker


def test_read_moves_the_position_on(digits: ironmap.mmap) -> None:
    assert digits.read(4) == b"0123"
    assert digits.tell() == 4
    assert digits.read(0) == b""
    assert digits.read(100) == b"456789"
    assert digits.tell() == 10
    assert digits.read(1) == b""


@pytest.mark.parametrize("arguments", [(), (None,), (-1,), (-42,), (2**62,)])
def test_read_returns_the_rest(digits: ironmap.mmap, arguments: tuple[int | None, ...]) -> None:
    digits.seek(3)
    assert digits.read(*arguments) == b"3456789"
    assert digits.tell() == 10


@pytest.mark.parametrize("argument", ["a", 5.5, [1], b"a"])
def test_read_takes_an_integer_or_none(digits: ironmap.mmap, argument: object) -> None:
    with pytest.raises(TypeError, match="argument should be integer or None, not"):
        digits.read(argument)
    assert digits.tell() == 0


def test_read_byte_is_an_integer(digits: ironmap.mmap) -> None:
    assert [digits.read_byte() for _ in range(10)] == list(b"0123456789")
    with pytest.raises(ValueError, match="^read byte out of range$"):
        digits.read_byte()
    assert digits.tell() == 10


def test_readline_reads_every_line(text: ironmap.mmap) -> None:
    lines = [text.readline() for _ in range(5)]
    assert lines == [*DATA.splitlines(keepends=True), b""]
    assert text.tell() == len(DATA)


def test_readline_begins_at_the_position(text: ironmap.mmap) -> None:
    text.seek(4)
    assert text.readline() == b"two ones\n"


@pytest.mark.parametrize("content", [b"\n", b"\n\n", b"a\nb", b"a", b"\r\n\n", b"x" * 9000 + b"\n"])
def test_readline_returns_the_lines_of_splitlines(map_bytes: MapMaker, content: bytes) -> None:
    m = map_bytes(content)
    assert list(iter(m.readline, b"")) == list(content.splitlines(keepends=True))


def test_write_moves_the_position_on_and_returns_the_count(digits: ironmap.mmap) -> None:
    digits.seek(2)
    assert digits.write(b"abc") == 3
    assert digits.write(b"") == 0
    assert digits.tell() == 5
    assert digits[:] == b"01abc56789"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_write_takes_any_bytes_like(digits: ironmap.mmap, kind: type) -> None:
    assert digits.write(kind(b"abc")) == 3
    assert digits[:] == b"abc3456789"


def test_write_of_the_map_itself(digits: ironmap.mmap) -> None:
    digits.seek(2)
    with memoryview(digits) as view:
        assert digits.write(view[:8]) == 8
    assert digits[:] == b"0101234567"


@pytest.mark.parametrize("position", [0, 8, 10])
def test_write_beyond_the_end_writes_nothing(digits: ironmap.mmap, position: int) -> None:
    digits.seek(position)
    with pytest.raises(ValueError, match="^data out of range$"):
        digits.write(b"x" * (11 - position))
    assert digits.tell() == position
    assert digits[:] == b"0123456789"


@pytest.mark.parametrize("value", [0, 200, 255, b"a", b"\xff"])
def test_write_byte_takes_an_integer_or_a_single_byte(
    digits: ironmap.mmap, value: int | bytes
) -> None:
    digits.seek(9)
    assert digits.write_byte(value) is None
    assert digits.tell() == 10
    assert digits[9:] == (value if isinstance(value, bytes) else bytes([value]))


def test_write_byte_at_the_end_is_an_error(digits: ironmap.mmap) -> None:
    digits.seek(10)
    with pytest.raises(ValueError, match="^write byte out of range$"):
        digits.write_byte(1)
    assert digits.tell() == 10
    assert digits[:] == b"0123456789"


@pytest.mark.parametrize("value", [-1, 256, 2**70])
def test_write_byte_outside_a_byte_is_an_error(digits: ironmap.mmap, value: int) -> None:
    with pytest.raises(OverflowError):
        digits.write_byte(value)
    assert digits.tell() == 0


@pytest.mark.parametrize("value", [b"", b"ab", "a", 1.0, None])
def test_write_byte_of_another_kind_is_an_error(digits: ironmap.mmap, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        digits.write_byte(value)
    assert digits.tell() == 0
    assert digits[:] == b"0123456789"


@pytest.mark.parametrize(
    ("arguments", "position"),
    [
        ((0,), 0),
        ((10,), 10),
        ((3, os.SEEK_SET), 3),
        ((2, os.SEEK_CUR), 6),
        ((-4, os.SEEK_CUR), 0),
        ((6, os.SEEK_CUR), 10),
        ((0, os.SEEK_END), 10),
        ((-10, os.SEEK_END), 0),
    ],
)
def test_seek_goes_there_and_returns_it(
    digits: ironmap.mmap, arguments: tuple[int, ...], position: int
) -> None:
    digits.seek(4)
    assert digits.seek(*arguments) == position
    assert digits.tell() == position


@pytest.mark.parametrize(
    "arguments",
    [
        (-1,),
        (11,),
        (2**63 - 1,),
        (-(2**63),),
        (7, os.SEEK_CUR),
        (-5, os.SEEK_CUR),
        (2**63 - 1, os.SEEK_CUR),
        (-(2**63), os.SEEK_CUR),
        (1, os.SEEK_END),
        (-11, os.SEEK_END),
        (2**63 - 1, os.SEEK_END),
    ],
)
def test_seek_outside_is_an_error(digits: ironmap.mmap, arguments: tuple[int, ...]) -> None:
    digits.seek(4)
    with pytest.raises(ValueError, match="^seek out of range$"):
        digits.seek(*arguments)
    assert digits.tell() == 4


@pytest.mark.parametrize("whence", [-1, 3, 4, 100])
def test_seek_from_elsewhere_is_an_error(digits: ironmap.mmap, whence: int) -> None:
    with pytest.raises(ValueError, match="^unknown seek type$"):
        digits.seek(0, whence)


def test_map_is_seekable(digits: ironmap.mmap) -> None:
    assert digits.seekable() is True


def test_read_returns_what_items_stored(digits: ironmap.mmap) -> None:
    digits[0] = ord("x")
    assert digits.read_byte() == ord("x")
    digits.write_byte(ord("y"))
    assert digits[:3] == b"xy2"


def test_each_map_has_its_own_position(digits: ironmap.mmap, text: ironmap.mmap) -> None:
    digits.seek(5)
    assert (digits.tell(), text.tell()) == (5, 0)


@pytest.mark.parametrize("name", ["tell", "readline", "read_byte", "seekable", "size", "close"])
def test_methods_without_arguments_take_none(digits: ironmap.mmap, name: str) -> None:
    assert outcome(getattr(digits, name), 1).error is TypeError
    assert not digits.closed
