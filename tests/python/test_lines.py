"""lines(), readlines() and readinto()."""

from __future__ import annotations

import array
import gc
import io
import pickle
import random
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from conftest import DATA
from support import PAGE, Index, outcome
from system import PRIVATE, needs_timer

if TYPE_CHECKING:
    from support import MapMaker

LONG = 70_000  # longer lines are read without the GIL
CONTENTS = {
    "lines": DATA,
    "an end": b"one\ntwo\n",
    "one": b"no end",
    "a newline": b"\n",
    "newlines": b"\n\n\n",
    "zeros": bytes(10),
    "carriage returns": b"a\r\nb\r\rc\n",
    "near 512": b"".join(b"x" * n + b"\n" for n in range(508, 516)),
    "long": b"x" * LONG + b"\n" + b"y" * LONG,
    "longer": b"a\n" + b"x" * (3 * LONG) + b"\nb\n",
    "random": bytes(random.Random(5).choices(b"ab\n", k=5000)),
}


def split(content: bytes, *, keepends: bool) -> list[bytes]:
    """The lines of the content. Only b"\\n" ends a line."""
    lines = io.BytesIO(content).readlines()
    return lines if keepends else [line.removesuffix(b"\n") for line in lines]


# ---- lines -----------------------------------------------------------------------------------


@pytest.mark.parametrize("keepends", [True, False])
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_lines_are_those_of_the_content(
    map_bytes: MapMaker, content: bytes, *, keepends: bool
) -> None:
    m = map_bytes(content)
    m.seek(1)
    assert list(m.lines(keepends=keepends)) == split(content, keepends=keepends)
    assert m.tell() == 1


@pytest.mark.parametrize("keepends", [True, False])
def test_lines_of_every_range_are_those_of_its_bytes(text: ironmap.mmap, *, keepends: bool) -> None:
    bounds = [*range(-len(DATA) - 2, len(DATA) + 3), None, sys.maxsize, -sys.maxsize]
    for start in bounds:
        for end in bounds:
            expected = split(DATA[slice(start, end)], keepends=keepends)
            assert list(text.lines(start, end, keepends=keepends)) == expected
        assert list(text.lines(start)) == split(DATA[slice(start, None)], keepends=True)


@pytest.mark.parametrize("end", [511, 512, 513, LONG, LONG + 1])
def test_lines_end_where_the_range_ends(map_bytes: MapMaker, end: int) -> None:
    m = map_bytes(b"x" * 2 * LONG)
    for keepends in (True, False):
        assert list(m.lines(0, end, keepends=keepends)) == [b"x" * end]
    m[end - 1] = ord("\n")
    assert list(m.lines(0, end, keepends=False)) == [b"x" * (end - 1)]
    assert [len(line) for line in m.lines()] == [end, 2 * LONG - end]


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        (("a",), {}),
        ((0, 1.5), {}),
        ((0, 1, 2), {}),
        ((), {"start": 0}),
        ((), {"keepends": 1, "x": 1}),
    ],
)
def test_lines_takes_two_bounds_and_keepends(
    text: ironmap.mmap, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        text.lines(*arguments, **keywords)


def test_lines_bounds_are_as_those_of_find(text: ironmap.mmap) -> None:
    assert list(text.lines(Index(4), Index(7))) == [b"two"]
    for bound in (2**70, -(2**70)):
        assert outcome(text.lines, bound).error is outcome(text.find, b"", bound).error


def test_lines_takes_any_truth_value_as_keepends(text: ironmap.mmap) -> None:
    assert next(text.lines(keepends=[])) == b"one two ones"  # type: ignore[arg-type]

    class Unclear:
        def __bool__(self) -> bool:
            raise KeyError("who knows")

    with pytest.raises(KeyError):
        text.lines(keepends=Unclear())  # type: ignore[arg-type]


def test_lines_checks_the_map_after_the_arguments(map_bytes: MapMaker) -> None:
    m = map_bytes(DATA)
    assert list(m.lines(Index(0, lambda: m.resize(7)))) == [b"one two"]
    with pytest.raises(ValueError, match="closed"):
        m.lines(0, Index(5, m.close))


def test_iterator_is_its_own_and_lazy(text: ironmap.mmap) -> None:
    lines = text.lines()
    assert iter(lines) is lines
    assert next(lines) == b"one two ones\n"
    text[13:19] = b"SECOND"
    assert next(lines) == b"SECOND line\n"
    assert list(lines) == [b"\n", b"last, without an end"]
    assert list(lines) == []


def test_two_iterators_are_independent(text: ironmap.mmap) -> None:
    assert all(a == b for a, b in zip(text.lines(), text.lines(), strict=True))


def test_iterator_of_a_closed_map_is_an_error(map_bytes: MapMaker) -> None:
    m = map_bytes(DATA)
    lines, done = m.lines(), m.lines(0, 0)
    next(lines)
    m.close()
    for _ in range(2):
        with pytest.raises(ValueError, match="closed"):
            next(lines)
    assert list(done) == []


@pytest.mark.parametrize("length", [1, 13, 14, 20])
def test_iteration_ends_with_a_map_that_became_shorter(map_bytes: MapMaker, length: int) -> None:
    m = map_bytes(DATA)
    lines = m.lines()
    next(lines)
    m.resize(length)
    assert list(lines) == split(DATA[13:length], keepends=True)
    m.resize(1000)
    assert list(lines) == []


def test_long_line_ends_with_a_map_that_became_shorter(map_bytes: MapMaker) -> None:
    m = map_bytes(b"x" * LONG)
    lines = m.lines()
    m.resize(2000)
    assert list(lines) == [b"x" * 2000]


def test_iteration_ends_where_the_map_ended_before_it_grew(map_bytes: MapMaker) -> None:
    m = map_bytes(b"a\nb")
    lines = m.lines()
    m.resize(5)
    assert list(lines) == [b"a\n", b"b"]


def test_iterator_does_not_pin_the_map(map_bytes: MapMaker) -> None:
    m = map_bytes(DATA)
    lines = m.lines()
    m.resize(2 * PAGE)
    m.close()
    with pytest.raises(ValueError, match="closed"):
        next(lines)


def test_iterator_keeps_the_object_alive() -> None:
    m = ironmap.mmap(-1, 10)
    m[:] = b"a\nb\nc\nd\ne\n"
    gone = weakref.ref(m)
    lines = m.lines()
    del m
    gc.collect()
    assert gone() is not None
    assert list(lines) == [b"a\n", b"b\n", b"c\n", b"d\n", b"e\n"]
    del lines
    assert gone() is None


def test_cycle_through_an_iterator_is_collected() -> None:
    class Map(ironmap.mmap):
        lines_of_mine: object

    m = Map(-1, 10)
    m.lines_of_mine = m.lines()
    gone = weakref.ref(m)
    del m
    gc.collect()
    assert gone() is None


def test_iterator_cannot_be_created_or_pickled(text: ironmap.mmap) -> None:
    lines = text.lines()
    with pytest.raises(TypeError, match="cannot create"):
        type(lines)()
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(lines)


def test_threads_share_an_iterator(map_bytes: MapMaker) -> None:
    """Each line is returned to one thread."""
    import threading

    m = map_bytes(b"".join(b"%d" % i * LONG + b"\n" for i in range(10)))
    lines, found = m.lines(), []
    threads = [threading.Thread(target=lambda: found.extend(lines)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(m.lines())


# ---- readlines -------------------------------------------------------------------------------


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_readlines_reads_the_rest(map_bytes: MapMaker, content: bytes) -> None:
    m = map_bytes(content)
    assert m.readlines() == split(content, keepends=True)
    assert m.tell() == len(content)
    assert m.readlines() == []
    m.seek(1)
    assert m.readlines() == split(content[1:], keepends=True)


@pytest.mark.parametrize("hint", [*range(-2, len(DATA) + 2), None, sys.maxsize, -sys.maxsize])
def test_readlines_stops_where_a_file_does(path: Any, text: ironmap.mmap, hint: int | None) -> None:
    with path.open("rb") as file:
        while lines := file.readlines(hint):
            assert text.readlines(hint) == lines
            assert text.tell() == file.tell()
    assert text.readlines(hint) == []


def test_readlines_takes_an_integer_or_none(text: ironmap.mmap) -> None:
    assert text.readlines(Index(1)) == [b"one two ones\n"]
    for wrong in ("a", 1.5, b"a"):
        with pytest.raises(TypeError):
            text.readlines(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        text.readlines(1, 2)  # type: ignore[call-arg]


def test_readlines_is_empty_if_the_position_lies_beyond_the_end(map_bytes: MapMaker) -> None:
    m = map_bytes(DATA)
    m.seek(20)
    m.resize(5)
    assert m.readlines() == []
    assert m.readline() == b""
    assert m.readinto(bytearray(3)) == 0
    assert m.tell() == 20


@needs_timer
def test_readlines_is_interrupted_by_a_signal() -> None:
    """readlines() raises the handler's exception, and the position does not change."""
    import signal

    m = ironmap.mmap(-1, 1 << 24, **PRIVATE)
    m[:] = b"\n" * len(m)
    m.seek(5)

    def stop(number: int, frame: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(InterruptedError):
            m.readlines()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert m.tell() == 5
    m.close()


# ---- readinto --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 3, 10, 20])
@pytest.mark.parametrize("kind", [bytearray, lambda n: array.array("b", bytes(n))])
def test_readinto_fills_the_buffer_to_the_end_of_the_map(
    digits: ironmap.mmap, kind: Any, size: int
) -> None:
    digits.seek(2)
    buffer = kind(size)
    file = io.BytesIO(b"0123456789")
    file.seek(2)
    expected = kind(size)
    assert digits.readinto(buffer) == file.readinto(expected)
    assert buffer == expected
    assert digits.tell() == file.tell()
    assert digits.readinto(bytearray(size)) == file.readinto(bytearray(size))


def test_readinto_reads_much_at_once(map_bytes: MapMaker) -> None:
    content = random.Random(1).randbytes(5 * LONG)
    m = map_bytes(content)
    buffer = bytearray(3 * LONG)
    assert m.readinto(buffer) == 3 * LONG
    assert buffer == content[: 3 * LONG]
    assert m.readinto(buffer) == 2 * LONG
    assert buffer == content[3 * LONG :] + content[2 * LONG : 3 * LONG]
    assert m.tell() == len(content)


@pytest.mark.parametrize("access", [ironmap.ACCESS_WRITE, ironmap.ACCESS_COPY])
@pytest.mark.parametrize("length", [10, 3 * PAGE, 5 * LONG])
@pytest.mark.parametrize("shift", [-7, 0, 7])
def test_readinto_may_write_to_the_map_itself(
    map_bytes: MapMaker, access: int, length: int, shift: int
) -> None:
    content = random.Random(2).randbytes(length + 20)
    m = map_bytes(content, access=access)
    m.seek(10)
    with memoryview(m) as view, view[10 + shift : 10 + shift + length] as target:
        assert m.readinto(target) == length
    expected = bytearray(content)
    expected[10 + shift : 10 + shift + length] = content[10 : 10 + length]
    assert m[:] == expected


def test_readinto_may_write_to_another_map(digits: ironmap.mmap) -> None:
    with ironmap.mmap(-1, 5) as other:
        assert digits.readinto(other) == 5
        assert other[:] == b"01234"


@pytest.mark.parametrize("target", [b"bytes", "text", 5, None, memoryview(bytearray(10))[::2]])
def test_readinto_needs_a_writable_buffer(digits: ironmap.mmap, target: Any) -> None:
    with pytest.raises(TypeError, match="readinto\\(\\) argument must be read-write bytes-like"):
        digits.readinto(target)
    with pytest.raises(TypeError):
        io.BytesIO(b"a").readinto(target)
    assert digits.tell() == 0


def test_readinto_a_read_only_map_is_an_error(
    digits: ironmap.mmap, path: Any, map_path: MapMaker
) -> None:
    with pytest.raises(TypeError, match="read-write"):
        digits.readinto(map_path(path, access=ironmap.ACCESS_READ))


def test_readinto_a_closed_map_is_an_error(digits: ironmap.mmap) -> None:
    closed = ironmap.mmap(-1, 5)
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        digits.readinto(closed)
    with pytest.raises(ValueError, match="closed"):
        closed.readinto(bytearray(5))
