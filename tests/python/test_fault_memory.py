"""Lost pages under exported memory read as zeros, are damage, and make guarded() raise."""

from __future__ import annotations

import array
import ctypes
import errno
import gc
import hashlib
import io
import os
import re
import socket
import struct
import threading
import zlib
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from fault_cases import (
    CONTENT,
    LENGTH,
    OtherProcess,
    assert_fault,
    assert_next_raises,
    assert_undamaged,
    map_file,
    truncated_content,
)
from support import PAGE, Outcome, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

LOST = 20 * PAGE  # the first lost byte
CUT = LOST
DAMAGE = ((LOST, LENGTH),)
PATTERN = re.compile(rb"\n|\0{8}")


@pytest.fixture
def lossy(other: OtherProcess) -> Iterator[ironmap.mmap]:
    """A map of a file at full length. Failed tests may leave buffers, so collect garbage."""
    m = map_file(other.path)
    yield m
    outcome(m.close)


def lose(view: Any) -> int:
    """Accesses a lost page."""
    with memoryview(view) as bytes_of_it:
        return int(bytes_of_it[LOST + 3])


def guard(guarded: AbstractContextManager[Any], *steps: Callable[[], object]) -> None:
    """Does the steps inside the block."""
    with guarded:
        for step in steps:
            step()


def damage(other: OtherProcess, m: ironmap.mmap) -> None:
    other.cut(CUT)
    assert lose(m) == 0
    assert m.damaged == DAMAGE


# ---- reading ---------------------------------------------------------------------------------


def sum_with_numpy(buffer: Any) -> int:
    numpy = pytest.importorskip("numpy")
    return int(numpy.frombuffer(buffer, dtype=numpy.uint8).sum())


def join_chunks(buffer: Any) -> bytes:
    with memoryview(buffer) as view:
        return b"".join(view[start : start + 1000] for start in range(0, LENGTH, 1000))


def array_of(buffer: Any) -> bytes:
    m = array.array("B")
    m.frombytes(buffer)
    return m.tobytes()


# Reads of a whole buffer, whose results must be those for zeros.
READERS: dict[str, Callable[[Any], object]] = {
    "re.search": lambda buffer: span(re.search(rb"\n", buffer)),
    "re.search of zeros": lambda buffer: span(PATTERN.search(buffer)),
    "re.finditer": lambda buffer: [found.span() for found in PATTERN.finditer(buffer)],
    "re.finditer on a view": lambda buffer: [
        found.span() for found in PATTERN.finditer(memoryview(buffer))
    ],
    "re.findall": lambda buffer: re.findall(rb"[\0-\n]", buffer),
    "bytes": bytes,
    "bytes of a view": lambda buffer: bytes(memoryview(buffer)),
    "bytearray": bytearray,
    "tolist": lambda buffer: memoryview(buffer).tolist(),
    "comparison": lambda buffer: memoryview(buffer) == CONTENT,
    "join": join_chunks,
    "a strided view": lambda buffer: bytes(memoryview(buffer)[::7]),
    "struct.unpack_from": lambda buffer: struct.unpack_from("<Q20s", buffer, LOST - 5),
    "int.from_bytes": lambda buffer: int.from_bytes(buffer, "little"),
    "hashlib.update": lambda buffer: hashlib.sha256(buffer).digest(),
    "zlib.crc32": zlib.crc32,
    "zlib.compress": lambda buffer: zlib.decompress(zlib.compress(buffer, 1)),
    "numpy": sum_with_numpy,
    "array": array_of,
    "io.BytesIO": lambda buffer: io.BytesIO(buffer).getvalue(),
}


def span(found: re.Match[bytes] | None) -> tuple[int, int] | None:
    return None if found is None else found.span()


@pytest.mark.parametrize("access", [ironmap.ACCESS_READ, ironmap.ACCESS_WRITE, ironmap.ACCESS_COPY])
@pytest.mark.parametrize("name", READERS)
def test_lost_page_reads_as_zeros(other: OtherProcess, name: str, access: int) -> None:
    read = READERS[name]
    with map_file(other.path, access=access) as m:
        other.cut(CUT)
        assert read(m) == read(truncated_content(CUT))
        assert m.damaged == DAMAGE
        assert_next_raises(m, LOST)
        other.write()
        assert_next_raises(m, LOST)
        m.clear_damage()
        assert_undamaged(m)
        assert read(m) == read(CONTENT)
        assert m.damaged == ()


@pytest.mark.parametrize("name", READERS)
def test_guarded_lets_no_result_over_zeros_pass(
    other: OtherProcess, lossy: ironmap.mmap, name: str
) -> None:
    other.cut(CUT)
    with pytest.raises(ironmap.FaultError) as raised, lossy.guarded():
        READERS[name](lossy)
    assert_fault(raised.value, LOST, LOST + 1)
    assert raised.value.filename == str(other.path)


@pytest.mark.parametrize("name", READERS)
def test_guarded_passes_a_result_without_loss(
    other: OtherProcess, lossy: ironmap.mmap, name: str
) -> None:
    with lossy.guarded():
        result = READERS[name](lossy)
    assert result == READERS[name](CONTENT)


# ---- writing ---------------------------------------------------------------------------------


def store_with_numpy(view: memoryview) -> None:
    numpy = pytest.importorskip("numpy")
    numpy.frombuffer(view, dtype=numpy.uint8)[:] = 5


def fill_with_ctypes(view: memoryview) -> None:
    target = (ctypes.c_char * len(view)).from_buffer(view)
    ctypes.memset(target, 5, len(view))


def read_into(view: memoryview) -> None:
    """Copies in the process, without a system call."""
    assert io.BytesIO(b"\5" * len(view)).readinto(view) == len(view)


WRITERS: dict[str, Callable[[memoryview], object]] = {
    "items": lambda view: view.__setitem__(0, 5),
    "slices": lambda view: view.__setitem__(slice(None), b"\5" * len(view)),
    "struct.pack_into": lambda view: struct.pack_into("<Q", view, 5, 1),
    "readinto": read_into,
    "numpy": store_with_numpy,
    "ctypes": fill_with_ctypes,
}


@pytest.mark.parametrize("name", WRITERS)
def test_stores_into_a_lost_page_go_nowhere(
    other: OtherProcess, lossy: ironmap.mmap, name: str
) -> None:
    other.cut(CUT)
    with memoryview(lossy) as whole, whole[LOST:] as view:
        WRITERS[name](view)
        gc.collect()
    assert lossy.damaged == DAMAGE
    assert_next_raises(lossy, LOST)
    assert other.path.read_bytes() == CONTENT[:CUT]
    other.write()
    lossy.clear_damage()
    assert_undamaged(lossy)
    assert other.path.read_bytes() == CONTENT


@pytest.mark.parametrize("name", WRITERS)
def test_guarded_sees_stores_into_a_lost_page(
    other: OtherProcess, lossy: ironmap.mmap, name: str
) -> None:
    other.cut(CUT)

    def store() -> None:
        with memoryview(lossy) as view:
            WRITERS[name](view[LOST:])
            gc.collect()

    with pytest.raises(ironmap.FaultError):
        guard(lossy.guarded(), store)


# ---- system calls ----------------------------------------------------------------------------


def call_pipe(view: memoryview) -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, view)
    finally:
        os.close(reading)
        os.close(writing)


def call_socket(view: memoryview) -> None:
    one, two = socket.socketpair()
    with one, two:
        one.send(view)


def call_read(view: memoryview) -> None:
    with open("/dev/zero", "rb", buffering=0) as zeros:  # noqa: PTH123 - as any file is
        zeros.readinto(view)


def call_receive(view: memoryview) -> None:
    one, two = socket.socketpair()
    with one, two:
        two.send(b"abcde")
        one.recv_into(view)


SYSTEM_CALLS = {
    "os.write": call_pipe,
    "socket.send": call_socket,
    "file.readinto": call_read,
    "socket.recv_into": call_receive,
}


@pytest.mark.parametrize("name", SYSTEM_CALLS)
def test_system_call_on_a_lost_page_is_an_error(
    other: OtherProcess, lossy: ironmap.mmap, name: str
) -> None:
    other.cut(CUT)
    with memoryview(lossy) as whole, whole[LOST : LOST + PAGE] as view:
        with pytest.raises(OSError, match="Bad address") as raised:
            SYSTEM_CALLS[name](view)
        assert raised.value.errno == errno.EFAULT
        assert lossy.damaged == ()
        other.write()
        outcome(SYSTEM_CALLS[name], view)
    assert lossy[:LOST] == CONTENT[:LOST]


@pytest.mark.parametrize("offset", [0, PAGE + 99])
@pytest.mark.parametrize("name", SYSTEM_CALLS)
def test_system_call_on_a_lost_page_is_a_fault_when_guarded(
    other: OtherProcess, name: str, offset: int
) -> None:
    lost = LOST - offset
    with map_file(other.path, offset=offset) as m:
        other.cut(CUT - 5)
        with memoryview(m) as whole, whole[lost : lost + PAGE] as view:
            with pytest.raises(ironmap.FaultError, match="now ends at byte") as raised:
                guard(m.guarded(), lambda: SYSTEM_CALLS[name](view))
            assert_fault(raised.value, lost, lost + 1)
            assert raised.value.filename == str(other.path)
            cause = raised.value.__cause__
            assert isinstance(cause, OSError)
            assert (type(cause), cause.errno) == (OSError, errno.EFAULT)
        assert m.damaged == ()


def leave_guarded(m: ironmap.mmap, error: BaseException) -> object:
    with m.guarded():
        raise error


def with_errno(error: Exception) -> Exception:
    """An exception of another class that has the errno of a bad address."""
    error.errno = errno.EFAULT  # type: ignore[attr-defined]
    return error


def bad_address() -> OSError:
    return OSError(errno.EFAULT, "Bad address")


@pytest.mark.parametrize("length", [LENGTH, LENGTH + PAGE, LENGTH - PAGE + 1])
def test_bad_address_of_a_whole_map_is_not_replaced(other: OtherProcess, length: int) -> None:
    """A file that ends inside the last page has all pages."""
    error = bad_address()
    with map_file(other.path) as m:
        other.cut(length)
        with pytest.raises(OSError, match="Bad address") as raised:
            leave_guarded(m, error)
        assert raised.value is error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "other"),
        OSError("no errno"),
        ValueError(errno.EFAULT),
        with_errno(ValueError("with errno")),
        KeyboardInterrupt,
    ],
    ids=str,
)
def test_other_exceptions_are_not_replaced(
    other: OtherProcess, lossy: ironmap.mmap, error: BaseException
) -> None:
    other.cut(CUT)
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - of any type
        leave_guarded(lossy, error)
    assert raised.value is error or raised.type is error


def test_bad_address_stays_where_the_file_is_not_known(other: OtherProcess) -> None:
    with map_file(other.path, trackfd=False) as m, ironmap.mmap(-1, PAGE) as memory:
        other.cut(0)
        for without_file in (m, memory):
            with pytest.raises(OSError, match="Bad address") as raised:
                leave_guarded(without_file, bad_address())
            assert type(raised.value) is OSError


def test_bad_address_that_closes_the_map_is_not_replaced(
    other: OtherProcess, lossy: ironmap.mmap
) -> None:
    class ClosingError(OSError):
        @property
        def errno(self) -> int:  # type: ignore[override]
            lossy.close()
            return errno.EFAULT

    other.cut(0)
    with pytest.raises(ClosingError):
        leave_guarded(lossy, ClosingError())
    assert lossy.closed


# ---- damage ----------------------------------------------------------------------------------


def test_new_map_is_not_damaged(lossy: ironmap.mmap) -> None:
    assert lossy.damaged == ()
    assert lossy.clear_damage() is None
    assert_undamaged(lossy)


def test_damaged_cannot_be_set(lossy: ironmap.mmap) -> None:
    with pytest.raises(AttributeError):
        lossy.damaged = ()


def test_view_shows_the_file_again_when_the_damage_is_cleared(
    other: OtherProcess, lossy: ironmap.mmap
) -> None:
    with memoryview(lossy) as view:
        damage(other, lossy)
        other.write()
        assert view[LOST] == 0
        lossy.clear_damage()
        assert view == CONTENT


def test_cleared_pages_that_are_still_unavailable_are_lost_again(
    other: OtherProcess, lossy: ironmap.mmap
) -> None:
    for _ in range(3):
        damage(other, lossy)
        lossy.clear_damage()
        assert lossy.damaged == ()
        assert lossy[:LOST] == truncated_content(CUT)[:LOST]
        with pytest.raises(ironmap.FaultError):
            lossy[LOST]
        assert lossy.damaged == ()


def test_operations_without_bytes_work_on_a_damaged_map(
    other: OtherProcess, lossy: ironmap.mmap
) -> None:
    damage(other, lossy)
    lossy.seek(5)
    assert (lossy.tell(), len(lossy), lossy.size()) == (5, LENGTH, CUT)
    assert "closed=False" in repr(lossy)
    lossy.close()
    assert lossy.closed


def test_closed_map_has_no_damage(other: OtherProcess, lossy: ironmap.mmap) -> None:
    damage(other, lossy)
    lossy.close()
    assert lossy.damaged == ()
    for use in (lossy.clear_damage, lossy.guarded):
        with pytest.raises(ValueError, match="mmap closed or invalid"):
            use()


@pytest.mark.parametrize("offset", [PAGE, PAGE + 99])
def test_damage_counts_from_the_first_mapped_byte(other: OtherProcess, offset: int) -> None:
    with map_file(other.path, offset=offset) as m:
        other.cut(CUT)
        assert bytes(memoryview(m)) == truncated_content(CUT)[offset:]
        assert m.damaged == ((LOST - offset, LENGTH - offset),)


def test_damage_without_the_descriptor_stays(other: OtherProcess) -> None:
    with map_file(other.path, trackfd=False) as m:
        other.cut(CUT)
        lose(m)
        ((start, end),) = m.damaged
        assert start == LOST
        assert LOST < end <= LENGTH
        for _ in range(2):
            with pytest.raises(io.UnsupportedOperation):
                m.clear_damage()
            assert m.damaged == ((start, end),)
            with pytest.raises(ironmap.FaultError):
                m[0]


def test_every_damaged_range_is_listed(other: OtherProcess) -> None:
    """Without the descriptor, pages are lost one by one."""
    with map_file(other.path, trackfd=False) as m:
        other.cut(0)
        with memoryview(m) as view:
            assert [view[page * PAGE] for page in (30, 20, 10)] == [0, 0, 0]
        assert m.damaged == tuple((page * PAGE, (page + 1) * PAGE) for page in (10, 20, 30))


def list_while_collecting(m: ironmap.mmap, number: int) -> tuple[Outcome, list[object]]:
    """The outcome of `damaged`, and of close() in the run of the collector with this number."""
    closings: list[object] = []

    def close(phase: str, info: object) -> None:
        if phase == "start":
            closings.append(outcome(m.close).error if len(closings) == number else None)

    gc.collect()
    no_free_lists = [[] for _ in range(1000)], [(n, n) for n in range(3000)]
    thresholds = gc.get_threshold()
    gc.callbacks.append(close)
    gc.set_threshold(1)
    try:
        return outcome(m.__getattribute__, "damaged"), closings
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(close)
        del no_free_lists


@pytest.mark.parametrize("number", range(8))
def test_collector_cannot_close_while_damage_is_listed(other: OtherProcess, number: int) -> None:
    """Before CPython 3.12 it runs at the allocation of a range, and so does Python code."""
    with map_file(other.path, trackfd=False) as m:
        other.cut(0)
        with memoryview(m) as view:
            assert [view[page * PAGE] for page in range(10)[::2]] == [0] * 5
        listed, closings = list_while_collecting(m, number)
        if ironmap.FaultError in closings:  # the damage was not told before
            assert listed == Outcome(None, ())
        else:
            assert len(listed.value) == 5


def test_resize_of_a_damaged_map_shows_no_zeros(other: OtherProcess, lossy: ironmap.mmap) -> None:
    """The resize is an error or ends the damage. Zeros never pass for data."""
    damage(other, lossy)
    error = outcome(lossy.resize, 2 * LENGTH).error
    assert error in (None, ironmap.FaultError)
    if error is None:
        assert lossy.damaged == () or outcome(lossy.read).error is ironmap.FaultError
    else:
        assert (len(lossy), lossy.damaged) == (LENGTH, DAMAGE)


def test_write_to_itself_from_a_lost_page_is_an_error(
    other: OtherProcess, lossy: ironmap.mmap
) -> None:
    """The source is a buffer of the same map. The write must fail."""
    with memoryview(lossy) as whole, whole[LOST : LOST + 50] as view:
        other.cut(CUT)
        with pytest.raises(ironmap.FaultError):
            lossy[:50] = view


def test_needle_in_a_lost_page_is_an_error(other: OtherProcess, lossy: ironmap.mmap) -> None:
    with memoryview(lossy) as whole, whole[LOST : LOST + 8] as view:
        other.cut(CUT)
        with pytest.raises(ironmap.FaultError):
            lossy.find(view, 0, 100)


def test_source_in_a_lost_page_damages_the_source_map(other: OtherProcess, tmp_path: Path) -> None:
    """The map of the source is damaged, and not the target."""
    path = tmp_path / "target"
    path.write_bytes(CONTENT)
    with map_file(path) as target, map_file(other.path) as m:
        other.cut(CUT)
        with memoryview(m) as whole, whole[LOST:] as view:
            outcome(target.write, view)
        assert m.damaged == DAMAGE
        assert target.damaged == ()
        assert target[-1] == CONTENT[-1]


# ---- guarded() -------------------------------------------------------------------------------


def test_guarded_returns_the_map(lossy: ironmap.mmap) -> None:
    with lossy.guarded() as given:
        assert given is lossy


def test_guarded_refuses_a_damaged_map(other: OtherProcess, lossy: ironmap.mmap) -> None:
    damage(other, lossy)
    guarded = lossy.guarded()
    with pytest.raises(ironmap.FaultError) as raised, guarded:
        pytest.fail("entered")
    assert_fault(raised.value, LOST, LOST + 1)


def test_guarded_of_a_closed_map_is_an_error(lossy: ironmap.mmap) -> None:
    guarded = lossy.guarded()
    lossy.close()
    for use in (lossy.guarded, guarded.__enter__):
        with pytest.raises(ValueError, match="mmap closed or invalid"):
            use()


def test_guarded_keeps_the_exception_of_the_block(other: OtherProcess, lossy: ironmap.mmap) -> None:
    other.cut(CUT)
    with pytest.raises(ironmap.FaultError) as raised:
        guard(lossy.guarded(), lambda: lose(lossy), {}.popitem)
    assert type(raised.value.__context__) is KeyError


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_guarded_lets_exceptions_through(lossy: ironmap.mmap, error: type[BaseException]) -> None:
    with pytest.raises(error), lossy.guarded():
        raise error


def test_guarded_may_be_nested(other: OtherProcess, lossy: ironmap.mmap) -> None:
    other.cut(CUT)
    with pytest.raises(ironmap.FaultError) as outer, lossy.guarded(), lossy.guarded():
        lose(lossy)
    assert type(outer.value.__context__) is ironmap.FaultError


def test_outer_guarded_reports_what_the_inner_one_did(
    other: OtherProcess, lossy: ironmap.mmap
) -> None:
    def inner() -> None:
        with pytest.raises(ironmap.FaultError), lossy.guarded():
            lose(lossy)

    other.cut(CUT)
    with pytest.raises(ironmap.FaultError):
        guard(lossy.guarded(), inner, lossy.clear_damage)


def test_guarded_may_be_entered_again(other: OtherProcess, lossy: ironmap.mmap) -> None:
    guarded = lossy.guarded()
    for _ in range(2):
        with guarded, guarded:
            assert lossy[:] == CONTENT
        other.cut(CUT)
        with pytest.raises(ironmap.FaultError), guarded:
            lose(lossy)
        other.write()
        lossy.clear_damage()


def test_loss_is_seen_by_the_outer_block_of_one_guarded(
    other: OtherProcess, lossy: ironmap.mmap
) -> None:
    """The inner block of the same object must not hide an earlier loss."""
    guarded = lossy.guarded()
    other.cut(CUT)
    with pytest.raises(ironmap.FaultError):
        guard(guarded, lambda: lose(lossy), lossy.clear_damage, lambda: guard(guarded))


def test_inner_block_of_one_guarded_does_not_end_the_outer_one(
    other: OtherProcess, lossy: ironmap.mmap
) -> None:
    """After an inner block another one still does not hide an earlier loss."""
    guarded = lossy.guarded()
    inner = lambda: outcome(guard, guarded)  # noqa: E731
    other.cut(CUT)
    with pytest.raises(ironmap.FaultError):
        guard(guarded, inner, lambda: lose(lossy), lossy.clear_damage, inner)


def test_clearing_inside_does_not_hide_the_loss(other: OtherProcess, lossy: ironmap.mmap) -> None:
    other.cut(CUT)
    with pytest.raises(ironmap.FaultError):
        guard(lossy.guarded(), lambda: lose(lossy), lossy.clear_damage)


def test_error_that_was_raised_inside_is_enough(other: OtherProcess, lossy: ironmap.mmap) -> None:
    other.cut(CUT)
    with lossy.guarded(), pytest.raises(ironmap.FaultError):
        lossy[LOST]


def test_guarded_allows_closing_inside(other: OtherProcess, lossy: ironmap.mmap) -> None:
    with lossy.guarded():
        lossy.close()
    assert lossy.closed


def test_guarded_keeps_the_map(other: OtherProcess) -> None:
    other.cut(CUT + PAGE)
    guarded = map_file(other.path).guarded()
    gc.collect()
    with guarded as m:
        assert m[0] == CONTENT[0]
    m.close()


def test_guarded_exit_without_enter_does_nothing(other: OtherProcess, lossy: ironmap.mmap) -> None:
    damage(other, lossy)
    guarded = lossy.guarded()
    for clear in (lambda: None, lossy.clear_damage):
        clear()
        assert guarded.__exit__(None, None, None) is False
    with guarded:  # earlier damage is none of this block
        assert lossy.damaged == ()


def test_guarded_of_a_damaged_map_begins_no_block(other: OtherProcess, lossy: ironmap.mmap) -> None:
    damage(other, lossy)
    guarded = lossy.guarded()
    assert outcome(guarded.__enter__).error is ironmap.FaultError
    lossy.clear_damage()
    guard(guarded)


def test_guarded_cannot_be_made_by_hand(lossy: ironmap.mmap) -> None:
    with pytest.raises(TypeError, match="cannot create"):
        type(lossy.guarded())()


def test_guarded_sees_the_losses_of_other_threads(other: OtherProcess, lossy: ironmap.mmap) -> None:
    other.cut(CUT)
    thread = threading.Thread(target=lose, args=(lossy,))
    with pytest.raises(ironmap.FaultError):
        guard(lossy.guarded(), thread.start, thread.join)


def test_guarded_may_end_in_another_thread(other: OtherProcess, lossy: ironmap.mmap) -> None:
    """One thread enters the block, another one exits it."""
    guarded = lossy.guarded()
    guarded.__enter__()
    other.cut(CUT)
    lose(lossy)
    results: list[object] = []
    thread = threading.Thread(
        target=lambda: results.append(outcome(guarded.__exit__, None, None, None).error)
    )
    thread.start()
    thread.join()
    assert results == [ironmap.FaultError]


def test_each_map_has_its_own_damage(other: OtherProcess, lossy: ironmap.mmap) -> None:
    with map_file(other.path) as second:
        with second.guarded():
            damage(other, lossy)
        assert second.damaged == ()
        assert second[:PAGE] == CONTENT[:PAGE]


def test_context_manager_of_a_damaged_map_closes(other: OtherProcess) -> None:
    with map_file(other.path) as m:
        damage(other, m)
    assert m.closed


def test_loss_by_an_operation_while_a_buffer_exists_is_damage(
    other: OtherProcess, lossy: ironmap.mmap
) -> None:
    """A user of the buffer may have read the same zeros as the operation."""
    with memoryview(lossy):
        other.cut(CUT)
        with pytest.raises(ironmap.FaultError):
            lossy[LOST]
        assert lossy.damaged == DAMAGE
    lossy.clear_damage()
    assert lossy.damaged == ()
