"""From one map into another: a lost page of the source is a FaultError, and stores no zeros."""

from __future__ import annotations

import ctypes
import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import PAGE, Index
from system import needs_short_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = needs_short_files

PAGES = 8
LENGTH = PAGES * PAGE
GOOD = 2 * PAGE  # what the source keeps
MIB = 1 << 20


@pytest.fixture
def target(tmp_path: Path) -> Iterator[ironmap.mmap]:
    path = tmp_path / "target"
    path.write_bytes(b"t" * LENGTH)
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as m:
        yield m


def open_lost(path: Path, length: int, good: int) -> ironmap.mmap:
    """A map of `length` bytes whose file has only the first `good` of them."""
    path.write_bytes(b"s" * length)
    with path.open("r+b") as file:
        m = ironmap.mmap(file.fileno(), 0)
    os.truncate(path, good)
    return m


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[ironmap.mmap]:
    m = open_lost(tmp_path / "lost", LENGTH, GOOD)
    yield m
    m.clear_damage()
    m.close()


SOURCES: dict[str, Callable[[ironmap.mmap], AbstractContextManager[Any]]] = {
    "map": nullcontext,
    "memoryview": memoryview,
}
STORES: dict[str, Callable[[ironmap.mmap, Any], object]] = {
    "m[:] = other": lambda m, other: m.__setitem__(slice(None), other),
    "m[::-1] = other": lambda m, other: m.__setitem__(slice(None, None, -1), other),
    "write": lambda m, other: m.write(other),
}
SEARCHES: dict[str, Callable[[ironmap.mmap, Any], object]] = {
    "find": lambda m, other: m.find(other, 0),
    "rfind": lambda m, other: m.rfind(other, 0),
    "count": lambda m, other: m.count(other),
    "find_all": lambda m, other: list(m.find_all(other)),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", STORES)
def test_store_from_a_lost_page_is_a_fault_and_stores_nothing(
    target: ironmap.mmap, lost: ironmap.mmap, name: str, source: str
) -> None:
    with SOURCES[source](lost) as value, pytest.raises(ironmap.FaultError) as raised:
        STORES[name](target, value)
    assert raised.value.offset == GOOD
    assert str(raised.value.filename).endswith("lost")
    assert target[:] == b"t" * LENGTH
    assert target.tell() == 0


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", SEARCHES)
def test_lost_needle_is_a_fault(
    target: ironmap.mmap, lost: ironmap.mmap, name: str, source: str
) -> None:
    with SOURCES[source](lost) as value, pytest.raises(ironmap.FaultError) as raised:
        SEARCHES[name](target, value)
    assert raised.value.offset == GOOD
    assert str(raised.value.filename).endswith("lost")


def test_lost_needle_of_the_map_itself_is_a_fault(lost: ironmap.mmap) -> None:
    for search in SEARCHES.values():
        with pytest.raises(ironmap.FaultError):
            search(lost, lost)
        lost.clear_damage()


def test_source_that_is_a_map_is_not_damaged(target: ironmap.mmap, lost: ironmap.mmap) -> None:
    for use in (*STORES.values(), *SEARCHES.values()):
        with pytest.raises(ironmap.FaultError):
            use(target, lost)
        assert lost.damaged == ()
        assert lost[:GOOD] == b"s" * GOOD


def test_long_store_keeps_the_pieces_before_the_loss(tmp_path: Path) -> None:
    m = open_lost(tmp_path / "lost", 4 * MIB, 2 * MIB + MIB // 2)
    with m, ironmap.mmap(-1, 4 * MIB) as target:
        with pytest.raises(ironmap.FaultError):
            target[:] = m
        assert target[:] == b"s" * (2 * MIB) + bytes(2 * MIB)


def test_readinto_of_a_lost_page_stores_nothing_into_the_other_map(
    target: ironmap.mmap, lost: ironmap.mmap
) -> None:
    with pytest.raises(ironmap.FaultError) as raised:
        lost.readinto(target)
    assert raised.value.offset == GOOD
    assert lost.tell() == 0
    assert target[:] == b"t" * LENGTH


def test_readinto_a_lost_page_is_a_fault_of_the_target(
    target: ironmap.mmap, lost: ironmap.mmap
) -> None:
    with pytest.raises(ironmap.FaultError) as raised:
        target.readinto(lost)
    assert raised.value.offset == GOOD
    assert str(raised.value.filename).endswith("lost")
    assert target.tell() == 0


def test_lost_page_of_the_target_has_the_name_of_the_target(
    target: ironmap.mmap, lost: ironmap.mmap
) -> None:
    for store in STORES.values():
        with pytest.raises(ironmap.FaultError) as raised:
            store(lost, target)
        assert str(raised.value.filename).endswith("lost")


@pytest.mark.parametrize("source", SOURCES)
def test_bytes_of_another_map_arrive(target: ironmap.mmap, source: str) -> None:
    content = bytes(range(256)) * (LENGTH // 256)
    with ironmap.mmap(-1, LENGTH) as other:
        other[:] = content
        with SOURCES[source](other) as value:
            target[:] = value
            assert target[:] == content
            target[::-1] = value
            assert target[:] == content[::-1]
            assert target.write(value) == LENGTH
            assert target[:] == content
            target.seek(0)
            assert other.readinto(target) == LENGTH
            assert target.find(value) == 0
            assert list(target.find_all(value)) == [0]


def test_part_of_another_map_arrives(target: ironmap.mmap) -> None:
    with ironmap.mmap(-1, LENGTH) as other:
        other[:] = bytes(range(256)) * (LENGTH // 256)
        with memoryview(other) as whole, whole[300:700] as part:
            target[100:500] = part
            assert target[99:501] == b"t" + bytes(part) + b"t"
            assert target.rfind(part) == 100


def test_source_can_be_closed_after_use(target: ironmap.mmap) -> None:
    with ironmap.mmap(-1, LENGTH) as other:
        target[:] = other
        target.find(other)
        other.resize(PAGE)


@pytest.mark.parametrize("name", ["find", "rfind", "count"])
def test_needle_cannot_be_closed_meanwhile(target: ironmap.mmap, name: str) -> None:
    with ironmap.mmap(-1, 5) as other, pytest.raises(BufferError):
        getattr(target, name)(other, Index(0, other.close))


def test_strided_store_of_own_memory_is_that_of_a_bytearray() -> None:
    content = bytes(range(200))
    expected = bytearray(content)
    expected[::2] = expected[:100]
    with ironmap.mmap(-1, 200) as m:
        m[:] = content
        with memoryview(m) as view:
            m[::2] = view[:100]
        assert m[:] == bytes(expected)


def test_item_from_a_lost_page_is_a_fault_error(target: ironmap.mmap, lost: ironmap.mmap) -> None:
    with memoryview(lost) as view:
        target[0] = view[:1]
        assert target[0] == ord("s")
        for store in (
            lambda: target.__setitem__(1, view[GOOD : GOOD + 1]),
            lambda: target.write_byte(view[GOOD : GOOD + 1]),
        ):
            with pytest.raises(ironmap.FaultError) as caught:
                store()
            assert caught.value.offset == GOOD
            assert target[:2] == b"st"
            lost.clear_damage()


def fault_of(call: Callable[[], object]) -> tuple[int | None, object]:
    with pytest.raises(ironmap.FaultError) as caught:
        call()
    return caught.value.offset, caught.value.filename


def test_item_behind_another_buffer_is_guarded_as_well(
    target: ironmap.mmap, lost: ironmap.mmap
) -> None:
    array = (ctypes.c_char * LENGTH).from_buffer(lost)
    with memoryview(array) as whole, whole.cast("B") as view:
        target[0] = view[:1]
        assert target[0] == ord("s")
        for store in (
            lambda: target.__setitem__(1, view[GOOD : GOOD + 1]),
            lambda: target.write_byte(view[GOOD : GOOD + 1]),
            lambda: lost.__setitem__(0, view[GOOD : GOOD + 1]),
        ):
            assert fault_of(store) == (GOOD, None)
            assert target[:2] == b"st"
            lost.clear_damage()
            assert lost[0] == ord("s")
    del array


@pytest.mark.parametrize("count", [4, 2 * PAGE])
def test_bytes_behind_another_buffer_are_guarded_as_well(
    target: ironmap.mmap, lost: ironmap.mmap, count: int
) -> None:
    array = (ctypes.c_char * LENGTH).from_buffer(lost)
    with memoryview(array) as whole, whole.cast("B") as view:
        inner = view[GOOD - 2 : GOOD - 2 + count]
        for store in (
            lambda: target.__setitem__(slice(count), inner),
            lambda: target.write(inner),
            lambda: target.__setitem__(slice(0, 2 * count, 2), inner),
            lambda: target.find(inner),
            lambda: target.count(inner),
            lambda: target.find_all(inner),
        ):
            offset, name = fault_of(store)
            assert offset in (GOOD - 2, GOOD)
            assert name is None
            assert target[:] == b"t" * LENGTH
        inner.release()
    del array
