"""Addresses that were exported outlive their map: zeros, told at the end, and nothing else there.

numpy gives a buffer back at once in `ndarray(buffer=m)` and goes on to use its address.
"""

from __future__ import annotations

import ctypes
import gc
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import PAGE, open_descriptors, outcome
from system import HAS_FLAGS, needs, needs_fork
from test_damage_told import Reports, reports

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["reports"]

LENGTH = 5 * PAGE
needs_parts_of_views = needs("way to unmap a part of a view", has=os.name == "posix")
CYCLES = int(os.environ.get("IRONMAP_ADDRESS_CYCLES", "2000"))


class Buffer(ctypes.Structure):
    """Py_buffer of the C API."""

    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("rest", ctypes.c_void_p * 5),
    ]


class Stale:
    """Uses the address of a map that it has exported once, as an array of numpy does."""

    def __init__(self, m: ironmap.mmap) -> None:
        buffer = Buffer()
        api = ctypes.pythonapi
        assert api.PyObject_GetBuffer(ctypes.py_object(m), ctypes.byref(buffer), 0) == 0
        assert buffer.buf is not None
        self.map: ironmap.mmap | None = m
        self.address: int = buffer.buf
        self.length = buffer.len
        api.PyBuffer_Release(ctypes.byref(buffer))

    def __getitem__(self, at: int) -> int:
        return ctypes.c_ubyte.from_address(self.address + at).value

    def __setitem__(self, at: int, byte: int) -> None:
        ctypes.c_ubyte.from_address(self.address + at).value = byte

    def __bytes__(self) -> bytes:
        return ctypes.string_at(self.address, self.length)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mapped"
    path.write_bytes(b"A" * LENGTH)
    return path


def of_file(path: Path, **options: Any) -> ironmap.mmap:
    with path.open("r+b") as opened:
        return ironmap.mmap(opened.fileno(), 0, **options)


def of_memory(_: Path, **options: Any) -> ironmap.mmap:
    m = ironmap.mmap(-1, LENGTH, **options)
    m[:] = b"A" * LENGTH
    return m


KINDS: dict[str, Callable[[Path], ironmap.mmap]] = {
    "file": of_file,
    "file to read": lambda path: of_file(path, access=ironmap.ACCESS_READ),
    "file to copy": lambda path: of_file(path, access=ironmap.ACCESS_COPY),
    "file without a descriptor": lambda path: of_file(path, trackfd=False),
    "memory": of_memory,
    "tag": lambda path: of_memory(path, tagname=f"addresses-{os.getpid()}"),
}
if HAS_FLAGS:
    KINDS["private memory"] = lambda path: of_memory(path, flags=ironmap.MAP_PRIVATE)


def collect(stale: Stale) -> None:
    stale.map = None
    gc.collect()


@pytest.mark.parametrize("kind", KINDS)
def test_address_reads_zeros_after_close(file: Path, reports: Reports, kind: str) -> None:
    m = KINDS[kind](file)
    stale = Stale(m)
    assert bytes(stale) == b"A" * LENGTH
    m.close()
    assert m.closed
    assert stale[PAGE + 7] == 0
    assert bytes(stale) == bytes(LENGTH)
    assert outcome(m.__getitem__, 0).error is ValueError
    assert m.close() is None
    del m
    assert reports.take() == []
    collect(stale)
    (error,) = reports.errors
    assert isinstance(error, ironmap.FaultError)
    assert error.offset == PAGE + 7
    assert "used after the map was closed" in str(error)
    named = kind in ("file", "file to read", "file to copy")
    assert error.filename == (str(file) if named else None)
    assert reports.objects == [ironmap.mmap]


def test_end_of_with_keeps_the_addresses(file: Path, reports: Reports) -> None:
    with of_file(file) as m:
        stale = Stale(m)
    assert bytes(stale) == bytes(LENGTH)
    del m
    collect(stale)
    assert reports.take() == [ironmap.FaultError]


def test_address_that_is_not_used_tells_nothing(file: Path, reports: Reports) -> None:
    m = of_file(file)
    stale = Stale(m)
    assert stale[5] == ord("A")
    m.close()
    del m
    collect(stale)
    assert reports.take() == []


def test_stores_after_close_reach_no_file(file: Path, reports: Reports) -> None:
    m = of_file(file)
    stale = Stale(m)
    m.close()
    stale[3] = 7
    assert stale[3] == 7
    del m
    collect(stale)
    assert reports.take() == [ironmap.FaultError]
    assert file.read_bytes() == b"A" * LENGTH


@pytest.mark.usefixtures("reports")
def test_closed_map_holds_nothing_of_its_file(file: Path) -> None:
    before = open_descriptors()
    m = of_file(file)
    stale = Stale(m)
    m.close()
    assert open_descriptors() == before
    maps = Path("/proc/self/maps")
    if maps.is_file():
        assert str(file) not in maps.read_text()
    file.unlink()
    assert stale[0] == 0
    assert not file.exists()
    del m
    collect(stale)


def test_array_of_numpy_outlives_the_map(file: Path, reports: Reports) -> None:
    numpy = pytest.importorskip("numpy")
    m = of_file(file)
    array = numpy.ndarray(LENGTH, "u1", buffer=m)
    assert array.sum() == LENGTH * ord("A")
    m.close()
    assert array[0] == 0
    assert array.sum() == 0
    del m, array
    gc.collect()
    assert reports.take() == [ironmap.FaultError]


def test_other_maps_never_show_at_the_address(file: Path, tmp_path: Path, reports: Reports) -> None:
    """Threads read what is left of maps while others open maps of the same length."""
    strange = tmp_path / "strange"
    strange.write_bytes(b"B" * LENGTH)
    done = threading.Event()
    wrong: list[bytes] = []

    def read() -> None:
        while not done.is_set():
            m = of_file(file)
            stale = Stale(m)
            m.close()
            for _ in range(20):
                seen = bytes(stale)
                if seen != bytes(LENGTH):
                    wrong.append(seen)

    def open_maps() -> None:
        for _ in range(100):
            maps = [of_file(strange) for _ in range(10)]
            assert all(m[0] == ord("B") for m in maps)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    open_maps()
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    reports.take()  # tracebacks, with frames that use maps
    gc.collect()


def test_collected_maps_leave_nothing(file: Path) -> None:
    def cycle() -> None:
        m = of_file(file)
        stale = Stale(m)
        m.close()
        assert stale.length == LENGTH

    def mapped() -> int:
        maps = Path("/proc/self/maps")
        return len(maps.read_text().splitlines()) if maps.is_file() else 0

    for _ in range(10):
        cycle()
    regions = mapped()
    descriptors = open_descriptors()
    for _ in range(CYCLES):
        cycle()
    gc.collect()
    assert mapped() <= regions + 5
    assert open_descriptors() == descriptors


STORES: dict[str, Callable[[ironmap.mmap, Any], object]] = {
    "m[0] = old": lambda m, old: m.__setitem__(0, old[:1]),
    "write_byte": lambda m, old: m.write_byte(old[:1]),
    "m[:16] = old": lambda m, old: m.__setitem__(slice(16), old[:16]),
    "m[:] = old": lambda m, old: m.__setitem__(slice(None), old),
    "m[::-1] = old": lambda m, old: m.__setitem__(slice(None, None, -1), old),
    "write": lambda m, old: m.write(old),
    "find": lambda m, old: m.find(old[:3]),
    "count": lambda m, old: m.count(old[:3]),
    "find_all": lambda m, old: list(m.find_all(old[:3])),
}


@pytest.mark.parametrize("store", STORES)
def test_array_of_a_closed_map_is_no_source(file: Path, reports: Reports, store: str) -> None:
    """It would pass zeros for data. The error tells of it, so that nothing else does later."""
    numpy = pytest.importorskip("numpy")
    m = of_file(file)
    array = memoryview(numpy.ndarray(LENGTH, "u1", buffer=m))
    m.close()
    with ironmap.mmap(-1, LENGTH) as target:
        target[:] = b"t" * LENGTH
        with pytest.raises(ironmap.FaultError) as raised:
            STORES[store](target, array)
        assert raised.value.offset == 0
        assert raised.value.filename is None
        assert "used after the map was closed" in str(raised.value)
        assert target[:] == b"t" * LENGTH
        assert target.tell() == 0
    del m, array, raised
    gc.collect()
    assert reports.take() == []


@needs_parts_of_views
def test_array_from_before_a_resize_is_no_source(file: Path) -> None:
    numpy = pytest.importorskip("numpy")
    with of_file(file) as m:
        array = memoryview(numpy.ndarray(LENGTH, "u1", buffer=m))
        m.resize(2 * PAGE)
        m[:4] = array[PAGE : PAGE + 4]
        for store in (
            lambda: m.__setitem__(slice(None), array[PAGE : 3 * PAGE]),
            lambda: m.__setitem__(0, array[2 * PAGE : 2 * PAGE + 1]),
        ):
            with pytest.raises(ironmap.FaultError) as raised:
                store()
            assert raised.value.offset == 2 * PAGE
            assert "used at an address from before a resize" in str(raised.value)
            assert m[:] == b"A" * (2 * PAGE)


# ---- resize() --------------------------------------------------------------------------------


def assert_use_is_told(m: ironmap.mmap, offset: int) -> None:
    assert m.damaged == ((offset, offset + 1),)
    with pytest.raises(ironmap.FaultError) as raised:
        m.find(b"A")
    assert raised.value.offset == offset
    assert "used at an address from before a resize" in str(raised.value)
    m.clear_damage()
    assert m.damaged == ()
    assert m.find(b"A") == 0


@needs_parts_of_views
def test_address_behind_the_new_end_reads_zeros(file: Path) -> None:
    with of_file(file) as m:
        stale = Stale(m)
        m.resize(2 * PAGE)
        for _ in range(2):
            assert stale[3 * PAGE] == 0
            assert stale[PAGE] == ord("A")
            assert_use_is_told(m, 3 * PAGE)


def test_address_of_a_map_that_moves_reads_zeros(file: Path) -> None:
    """It moves at the latest when it is longer than what lies behind it can be."""
    with of_file(file) as m:
        stale = Stale(m)
        behind = [of_file(file) for _ in range(50)]
        length = LENGTH
        while Stale(m).address == stale.address and length < 4000 * LENGTH:
            length *= 2
            m.resize(length)
        if Stale(m).address == stale.address:
            pytest.skip("the system has moved nothing")
        assert stale[PAGE + 1] == 0
        assert bytes(stale) == bytes(LENGTH)
        assert_use_is_told(m, PAGE + 1)
        assert m[:LENGTH] == b"A" * LENGTH
        for other in behind:
            other.close()


@needs_parts_of_views
def test_use_of_a_left_address_is_told_at_close(file: Path) -> None:
    m = of_file(file)
    stale = Stale(m)
    m.resize(PAGE)
    m.resize(40 * LENGTH)
    m.resize(2 * PAGE)
    assert stale[4 * PAGE] == 0
    with pytest.raises(ironmap.FaultError):
        m.close()
    assert m.closed


@needs_parts_of_views
def test_threads_may_use_an_array_while_the_map_is_resized(file: Path, reports: Reports) -> None:
    m = of_file(file)
    stale = Stale(m)
    done = threading.Event()
    strange: list[int] = []

    def read() -> None:
        while not done.is_set():
            strange.extend(byte for byte in bytes(stale) if byte not in b"A\0")

    reader = threading.Thread(target=read)
    reader.start()
    for length in (2, 5, 1, 300, 4) * 40:
        m.clear_damage()
        outcome(m.resize, length * PAGE)
    done.set()
    reader.join()
    assert strange == []
    outcome(m.close)
    del m
    collect(stale)
    reports.take()


@needs_fork
@pytest.mark.usefixtures("reports")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_child_of_fork_has_the_addresses_too(file: Path) -> None:
    m = of_file(file)
    stale = Stale(m)
    m.close()
    child = os.fork()
    if child == 0:
        os._exit(0 if bytes(stale) == bytes(LENGTH) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert bytes(stale) == bytes(LENGTH)
    del m
    collect(stale)
