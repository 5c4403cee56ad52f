"""A signal handler runs in the middle of a long search or copy, and can end it."""

from __future__ import annotations

import collections
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ironmap
from support import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# More than any machine searches before the timer expires. The memory is never allocated.
LENGTH = 1 << 42

pytestmark = [
    pytest.mark.skipif(sys.maxsize < LENGTH, reason="the address space is too small"),
    pytest.mark.skipif(
        not hasattr(ironmap, "MAP_NORESERVE"), reason="the system has no MAP_NORESERVE"
    ),
]

SEARCHES: dict[str, Callable[[ironmap.mmap], object]] = {
    "find": lambda m: m.find(b"needle"),
    "rfind": lambda m: m.rfind(b"needle"),
    "count": lambda m: m.count(b"needle"),
    "find_all": lambda m: list(m.find_all(b"needle")),
    "readline": lambda m: m.readline(),
    "extended slice": lambda m: m[:: 1 << 16],
}


# What they give in 100,000 bytes that end with the needle.
SEARCHES_OF_LESS: dict[str, object] = {
    "find": 99_994,
    "rfind": 99_994,
    "count": 1,
    "find_all": [99_994],
    "readline": bytes(99_994) + b"needle",
    "extended slice": bytes(2),
}


class StoppedError(Exception):
    """The exception that the handler raises."""


@pytest.fixture
def endless() -> Iterator[ironmap.mmap]:
    try:
        m = ironmap.mmap(-1, LENGTH, flags=ironmap.MAP_PRIVATE | ironmap.MAP_NORESERVE)
    except OSError as error:
        pytest.skip(f"no map of {LENGTH} bytes: {error}")
    with m:
        yield m


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], None]], None]]:
    """A function that sets the action of a signal handler that runs in 0.1 seconds."""
    before = signal.getsignal(signal.SIGALRM)

    def at_alarm(action: Callable[[], None]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: action())
        signal.setitimer(signal.ITIMER_REAL, 0.1)

    yield at_alarm
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def stop() -> None:
    raise StoppedError


@pytest.mark.parametrize("name", SEARCHES)
def test_handler_that_raises_ends_the_search(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None], name: str
) -> None:
    alarm(stop)
    with pytest.raises(StoppedError):
        SEARCHES[name](endless)
    # The map is not held any more.
    assert endless[:2] == b"\0\0"


def test_handler_may_use_maps(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None]
) -> None:
    seen = []

    def look() -> None:
        with ironmap.mmap(-1, 10_000_000) as other:
            seen.append(other.find(b"needle"))
            seen.append(endless.find(b"\0", 5))
        endless[0] = 7
        raise StoppedError

    alarm(look)
    with pytest.raises(StoppedError):
        endless.find(b"needle")
    assert seen == [-1, 5]
    assert endless[0] == 7


def test_handler_that_raises_ends_a_move(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None]
) -> None:
    """What was moved stays moved. (The pages that the move makes are those of 0.1 seconds.)"""
    endless[LENGTH // 2] = 7
    alarm(stop)
    with pytest.raises(StoppedError):
        endless.move(0, LENGTH // 2, LENGTH // 2)
    assert endless[:2] == b"\7\0"


def test_move_cannot_go_on_in_a_map_of_another_length(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None]
) -> None:
    alarm(lambda: endless.resize(100_000))
    with pytest.raises(ValueError, match="a signal handler has resized the map during move"):
        endless.move(0, LENGTH // 2, LENGTH // 2)


def test_move_cannot_go_on_in_a_closed_map(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None]
) -> None:
    alarm(endless.close)
    with pytest.raises(ValueError, match="closed"):
        endless.move(0, LENGTH // 2, LENGTH // 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_handler_may_fork(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None]
) -> None:
    """In the child the search goes on, although a thread that is not there was storing."""
    stop_storing = threading.Event()

    def store() -> None:
        while not stop_storing.is_set():
            endless[: 1 << 24] = bytes(1 << 24)

    def fork() -> None:
        writer = threading.Thread(target=store)
        writer.start()
        children = []
        for _ in range(10):
            time.sleep(0.003)
            child = os.fork()
            if child == 0:
                # Only the search looks for signals.
                alarm(lambda: os._exit(0))
                return
            children.append(child)
        stop_storing.set()
        writer.join()
        late = time.monotonic() + 20
        ends = [ends_before(late, child) for child in children]
        assert all(ends)
        raise StoppedError

    alarm(fork)
    with pytest.raises(StoppedError):
        endless.find(b"needle")


def ends_before(late: float, child: int) -> bool:
    while time.monotonic() < late:
        if os.waitpid(child, os.WNOHANG)[0] == child:
            return True
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


@pytest.mark.parametrize("name", SEARCHES)
def test_handler_may_close_the_map(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None], name: str
) -> None:
    alarm(endless.close)
    with pytest.raises(ValueError, match="closed"):
        SEARCHES[name](endless)
    assert endless.closed


def address_space() -> int:
    """Of this process, in bytes."""
    sizes = Path("/proc/self/statm").read_text().split()
    return int(sizes[0]) * PAGE


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="the size is not known")
def test_closed_map_is_unmapped_when_no_work_uses_it(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None]
) -> None:
    """It is closed in the middle of a search, which is in the middle of another one."""
    before = address_space()
    assert before > LENGTH

    def search() -> None:
        alarm(endless.close)
        with pytest.raises(ValueError, match="closed"):
            endless.find(b"needle")
        assert endless.closed
        assert address_space() > LENGTH

    alarm(search)
    with pytest.raises(ValueError, match="closed"):
        endless.count(b"needle")
    assert address_space() <= before - LENGTH


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="the size is not known")
def test_map_is_unmapped_after_work_with_many_handlers(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None]
) -> None:
    before = address_space()
    alarm(lambda: alarm(lambda: alarm(stop)))
    with pytest.raises(StoppedError):
        endless.find(b"needle")
    endless.close()
    assert address_space() <= before - LENGTH


def test_work_that_begins_anew_ends(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None]
) -> None:
    """However often a handler changes the shape: the second time none runs in the middle."""
    lengths = iter(range(1 << 20, 1 << 24, 4096))
    endless.resize(1 << 29)
    alarm(lambda: endless.resize((1 << 29) + next(lengths)))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    assert endless.count(b"needle") == 0


def test_a_line_that_is_read_anew_ends_at_its_newline(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None]
) -> None:
    def shrink() -> None:
        endless.resize(1 << 20)
        endless[5] = ord("\n")

    alarm(shrink)
    assert endless.readline() == bytes(5) + b"\n"
    assert endless.tell() == 6


@pytest.mark.parametrize("name", SEARCHES)
def test_handler_may_resize_the_map(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None], name: str
) -> None:
    """The search begins anew."""

    def resize() -> None:
        endless.resize(100_000)
        endless[-6:] = b"needle"

    alarm(resize)
    assert SEARCHES[name](endless) == SEARCHES_OF_LESS[name]
    assert len(endless) == 100_000


def test_handler_may_wait_for_a_thread_that_stores(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None]
) -> None:
    def store() -> None:
        thread = threading.Thread(target=lambda: endless.__setitem__(0, 7))
        thread.start()
        thread.join()
        raise StoppedError

    alarm(store)
    with pytest.raises(StoppedError):
        endless.find(b"needle")
    assert endless[0] == 7


@pytest.mark.parametrize("iterate", [lambda m: m.lines(), lambda m: m.find_all(b"\n")])
def test_an_iterator_in_c_yields_the_gil(
    iterate: Callable[[ironmap.mmap], Iterator[object]],
) -> None:
    """The consumer is C code that never releases the GIL, so the iterator must."""
    m = ironmap.mmap(-1, 1 << 26)
    m[:] = b"\n" * len(m)
    waiting = threading.Timer(0.01, m.close)
    waiting.start()
    with pytest.raises(ValueError, match="closed"):
        collections.deque(iterate(m), maxlen=0)
    waiting.join()
