"""Lost pages under memory that was handed out: zeros, and never without an error."""

from __future__ import annotations

import array
import ctypes
import errno
import hashlib
import os
import re
import socket
import struct
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import mapio
from support import PAGE, open_descriptors

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import MapMaker

PAGES = 16
LENGTH = PAGES * PAGE
LOST = 2 * PAGE
DAMAGE = ((LOST, LENGTH),)

READERS: dict[str, Callable[[mapio.mmap], object]] = {
    "re.search": lambda m: re.search(b"nowhere", m),
    "re.findall on a memoryview": lambda m: re.findall(b"nowhere", memoryview(m)),
    "bytes of a memoryview": lambda m: bytes(memoryview(m)),
    "memoryview item": lambda m: memoryview(m)[LOST],
    "struct": lambda m: struct.unpack_from("<Q", m, LOST),
    "hashlib": lambda m: hashlib.sha256(m).digest(),
    "crc32": zlib.crc32,
    "numpy sum": lambda m: int(np.frombuffer(m, np.uint8).sum()),
    "join": lambda m: b"x".join([memoryview(m)]),
    "array": lambda m: array.array("B").frombytes(m),
    "int.from_bytes": lambda m: int.from_bytes(memoryview(m)[LOST : LOST + 8], "little"),
}
WRITERS: dict[str, Callable[[mapio.mmap], object]] = {
    "struct": lambda m: struct.pack_into("<Q", m, LOST, 7),
    "memoryview": lambda m: memoryview(m).__setitem__(slice(LOST, LOST + 3), b"abc"),
    "numpy": lambda m: np.frombuffer(m, np.uint8).__iadd__(1) is None,
    "ctypes": lambda m: ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(m, LOST)), 1, 9),
}


@pytest.fixture
def big(tmp_path: Path) -> Path:
    file = tmp_path / "big"
    file.write_bytes(b"a" * LENGTH)
    return file


@pytest.fixture
def made(big: Path, map_path: MapMaker) -> mapio.mmap:
    return map_path(big)


def damage(made: mapio.mmap, path: Path) -> None:
    os.truncate(path, LOST)
    assert bytes(memoryview(made)[LOST : LOST + 10]) == bytes(10)
    assert made.damaged == DAMAGE


@pytest.mark.parametrize("name", [*READERS, *(f"write: {name}" for name in WRITERS)])
def test_process_lives_and_the_map_is_damaged(made: mapio.mmap, big: Path, name: str) -> None:
    os.truncate(big, LOST)
    use = WRITERS[name[7:]] if name.startswith("write: ") else READERS[name]
    use(made)
    assert made.damaged == DAMAGE
    made.clear_damage()
    assert made.damaged == ()
    assert made[:LOST] in (b"a" * LOST, b"b" * LOST)


@pytest.mark.parametrize(
    "use",
    [
        lambda m: m[0],
        lambda m: m.__setitem__(0, 1),
        lambda m: m[:5],
        lambda m: m.read(1),
        lambda m: m.readline(),
        lambda m: m.find(b"a", 0),
        lambda m: m.move(0, 1, 1),
        lambda m: m.flush(),
        lambda m: m.resize(LENGTH * 2),
        memoryview,
        lambda m: m.guarded().__enter__(),
    ],
)
def test_next_operation_raises(
    made: mapio.mmap, big: Path, use: Callable[[mapio.mmap], object]
) -> None:
    damage(made, big)
    for _ in range(2):
        with pytest.raises(mapio.FaultError) as caught:
            use(made)
        assert caught.value.offset == LOST
        assert caught.value.errno == errno.EIO
    made.clear_damage()
    made[0] = ord("a")
    assert made[0] == ord("a")


def test_what_is_not_about_bytes_goes_on(made: mapio.mmap, big: Path) -> None:
    damage(made, big)
    assert len(made) == LENGTH
    assert made.tell() == 0
    assert made.seek(5) == 5
    assert made.size() == LOST
    assert "closed=False" in repr(made)
    made.close()


def test_stores_go_nowhere(made: mapio.mmap, big: Path) -> None:
    os.truncate(big, LOST)
    with memoryview(made) as view:
        view[LOST] = 7
        assert view[LOST] == 7
    os.truncate(big, LENGTH)
    made.clear_damage()
    assert made[LOST] == 0


def test_page_is_back_under_a_living_view(made: mapio.mmap, big: Path) -> None:
    with memoryview(made) as view:
        damage(made, big)
        big.write_bytes(b"b" * LENGTH)
        made.clear_damage()
        assert view[LOST] == ord("b")
        assert made.damaged == ()


def test_copy_keeps_what_it_stored_elsewhere(big: Path, map_path: MapMaker) -> None:
    made = map_path(big, access=mapio.ACCESS_COPY)
    made[0] = ord("x")
    damage(made, big)
    made.clear_damage()
    assert made[:2] == b"xa"


def test_untracked_map_stays_damaged(big: Path, map_path: MapMaker) -> None:
    made = map_path(big, trackfd=False)
    os.truncate(big, LOST)
    assert memoryview(made)[LOST] == 0
    with pytest.raises(OSError, match="Bad file|trackfd"):
        made.clear_damage()
    assert made.damaged
    with pytest.raises(mapio.FaultError):
        made[0]


def test_loss_while_a_buffer_is_out_is_damage(made: mapio.mmap, big: Path) -> None:
    """The holder of the buffer may have seen the zeros that an operation met."""
    with memoryview(made):
        os.truncate(big, LOST)
        with pytest.raises(mapio.FaultError):
            made[LOST]
        assert made.damaged == DAMAGE
    made.clear_damage()


# ---- guarded ---------------------------------------------------------------------------------


def test_guarded_raises_at_its_end(made: mapio.mmap, big: Path) -> None:
    found: list[object] = []
    os.truncate(big, LOST)
    with pytest.raises(mapio.FaultError) as caught, made.guarded():
        found.append(re.search(b"nowhere", made))
    assert found == [None]
    assert caught.value.offset == LOST
    made.clear_damage()
    with made.guarded():
        assert re.search(b"a+", memoryview(made)[:LOST])


def test_guarded_says_nothing_where_nothing_is_lost(made: mapio.mmap) -> None:
    with made.guarded() as outer, made.guarded() as inner:
        assert outer is inner is made
        assert re.search(b"b", made) is None


def test_guarded_goes_before_an_error_inside(made: mapio.mmap, big: Path) -> None:
    os.truncate(big, LOST)
    with pytest.raises(mapio.FaultError) as caught, made.guarded():
        raise ZeroDivisionError(memoryview(made)[LOST])
    assert isinstance(caught.value.__context__, ZeroDivisionError)


def test_guarded_lets_an_error_inside_pass(made: mapio.mmap) -> None:
    with pytest.raises(ZeroDivisionError), made.guarded():
        raise ZeroDivisionError


def test_guarded_sees_what_other_threads_lose(made: mapio.mmap, big: Path) -> None:
    os.truncate(big, LOST)
    thread = threading.Thread(target=lambda: memoryview(made)[LOST])
    guarded = made.guarded()
    guarded.__enter__()
    thread.start()
    thread.join()
    with pytest.raises(mapio.FaultError):
        guarded.__exit__(None, None, None)


def test_guarded_map_may_be_closed_inside(made: mapio.mmap) -> None:
    with made.guarded():
        made.close()


# ---- system calls ----------------------------------------------------------------------------


def test_system_calls_on_a_lost_page(made: mapio.mmap, big: Path, tmp_path: Path) -> None:
    """The system looks at the page itself, and says EFAULT."""
    os.truncate(big, LOST)
    lost = memoryview(made)[LOST : LOST + 100]
    ours, theirs = socket.socketpair()
    other = (tmp_path / "other").open("wb+", buffering=0)
    with ours, theirs, other:
        other.write(b"x" * 100)
        for use in (
            lambda: ours.send(lost),
            lambda: os.write(other.fileno(), lost),
            lambda: os.preadv(other.fileno(), [lost], 0),
        ):
            with pytest.raises(OSError, match=os.strerror(errno.EFAULT)):
                use()
    lost.release()
    assert made[:5] == b"aaaaa"


# ---- leaks -----------------------------------------------------------------------------------


def memory_regions() -> int:
    return len(Path("/proc/self/maps").read_bytes().splitlines())


def lose_often(made: mapio.mmap, path: Path, rounds: int) -> None:
    for _ in range(rounds):
        os.truncate(path, LOST)
        with pytest.raises(mapio.FaultError):
            made[LOST + PAGE]
        assert memoryview(made)[LOST] == 0
        os.truncate(path, LENGTH)
        made.clear_damage()
        assert made[-1] == 0


def test_losing_and_mending_leaks_nothing(made: mapio.mmap, big: Path) -> None:
    lose_often(made, big, 10)
    before = memory_regions(), open_descriptors()
    lose_often(made, big, 300)
    regions, descriptors = memory_regions(), open_descriptors()
    assert regions <= before[0] + 2
    assert descriptors == before[1]
