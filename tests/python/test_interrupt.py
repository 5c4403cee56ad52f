"""A signal handler runs in the middle of a long search or copy, and can end it."""

from __future__ import annotations

import collections
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import ironmap

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
        with pytest.raises(BufferError):
            endless.close()
        raise StoppedError

    alarm(look)
    with pytest.raises(StoppedError):
        endless.find(b"needle")
    assert seen == [-1, 5]


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
