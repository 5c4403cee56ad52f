"""A signal in the middle of a long search or copy: its handler runs, and may end it."""

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

# As much as no machine searches before the timer goes off, in memory that is not there.
LENGTH = 1 << 42

pytestmark = [
    pytest.mark.skipif(sys.maxsize < LENGTH, reason="the address space is too small"),
    pytest.mark.skipif(
        not hasattr(ironmap, "MAP_NORESERVE"), reason="memory must be reserved here"
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
    """What the handler raises."""


@pytest.fixture
def endless() -> Iterator[ironmap.mmap]:
    try:
        made = ironmap.mmap(-1, LENGTH, flags=ironmap.MAP_PRIVATE | ironmap.MAP_NORESERVE)
    except OSError as error:
        pytest.skip(f"no map of {LENGTH} bytes: {error}")
    with made:
        yield made


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], None]], None]]:
    """A function that sets what is to happen in a moment."""
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
def test_a_handler_that_raises_ends_the_search(
    endless: ironmap.mmap, alarm: Callable[[Callable[[], None]], None], name: str
) -> None:
    alarm(stop)
    with pytest.raises(StoppedError):
        SEARCHES[name](endless)
    # and the map is free again
    assert endless[:2] == b"\0\0"


def test_a_handler_may_use_maps(
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
def test_an_iterator_in_c_lets_others_run(
    iterate: Callable[[ironmap.mmap], Iterator[object]],
) -> None:
    """What consumes it is C code that never lets go of the GIL, so only the iterator can."""
    made = ironmap.mmap(-1, 1 << 26)
    made[:] = b"\n" * len(made)
    waiting = threading.Timer(0.01, made.close)
    waiting.start()
    with pytest.raises(ValueError, match="closed"):
        collections.deque(iterate(made), maxlen=0)
    waiting.join()
