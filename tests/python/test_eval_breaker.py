"""Work in small items lets the interpreter run other threads and signal handlers now and then.

No Python code runs between the start of the work and such a check: what sends the signal, or lets
the other thread begin, is written in C. So a test sees what a check does, and not what the
interpreter does before and after the work.
"""

from __future__ import annotations

import collections
import ctypes
import functools
import itertools
import operator
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ITEMS = 200_000
MANY = 1 << 24
ARGUMENTS: dict[str, tuple[Any, ...]] = {"lines": (), "find_all": (b"\n",)}
needs_signals = pytest.mark.skipif(os.name != "posix", reason="raise() is not that of this process")


def begin_with(start: Callable[[], Any], done: object, items: Iterable[Any]) -> Iterator[Any]:
    """The items, after a call of `start`, which returns `done`. No Python code."""
    return itertools.chain(iter(start, done), items)


class Hint:
    """The argument of readlines(): calls `start`, which returns `done`. No Python code."""

    def __init_subclass__(cls, **start_and_done: Any) -> None:
        calls = iter(start_and_done["start"], start_and_done["done"])
        index = functools.partial(operator.countOf, calls, 0)
        cls.__index__ = staticmethod(index)  # type: ignore[attr-defined]


def consume(items: Iterable[Any]) -> None:
    collections.deque(items, maxlen=0)


def read_lines(m: ironmap.mmap, start: Callable[[], Any], done: object) -> None:
    class Now(Hint, start=start, done=done):
        pass

    m.readlines(Now())  # type: ignore[arg-type]


# Each begins with a call of `start`, which returns `done`.
WORK: dict[str, Callable[[ironmap.mmap, Callable[[], Any], object], None]] = {
    "lines": lambda m, start, done: consume(begin_with(start, done, m.lines())),
    "find_all": lambda m, start, done: consume(begin_with(start, done, m.find_all(b"\n"))),
    "readlines": read_lines,
}
every_work = pytest.mark.parametrize("name", WORK)


@pytest.fixture
def newlines() -> Iterator[ironmap.mmap]:
    with ironmap.mmap(-1, ITEMS) as m:
        m[:] = b"\n" * ITEMS
        yield m


@pytest.fixture
def handler() -> Iterator[Callable[[Callable[[], object]], Callable[[], int]]]:
    """A function that sets what a signal does, and returns a C function that sends it: the handler
    runs at the next check."""

    def at_signal(action: Callable[[], object]) -> Callable[[], int]:
        signal.signal(signal.SIGUSR1, lambda *_: action())
        send = ctypes.CDLL(None)["raise"]
        return functools.partial(send, int(signal.SIGUSR1))

    before = signal.getsignal(signal.SIGUSR1) if os.name == "posix" else None
    yield at_signal
    if os.name == "posix":
        signal.signal(signal.SIGUSR1, before)


# ---- signals and pending calls ---------------------------------------------------------------


@needs_signals
@pytest.mark.parametrize("name", ["lines", "find_all"])
def test_checks_are_not_far_apart(newlines: ironmap.mmap, handler: Any, name: str) -> None:
    counter = itertools.count()
    seen: list[int] = []
    send = handler(lambda: seen.append(next(counter)))
    items = getattr(newlines, name)(*ARGUMENTS[name])
    counted = map(operator.itemgetter(0), zip(items, counter, strict=False))
    first = begin_with(send, 0, itertools.islice(counted, ITEMS // 2))
    consume(itertools.chain(first, begin_with(send, 0, counted)))
    assert len(seen) == 2
    assert 1000 < seen[0] < ITEMS // 4
    assert ITEMS // 2 + 1000 < seen[1] < ITEMS // 4 * 3  # the signal comes after half of them


@needs_signals
@every_work
def test_checks_are_few(newlines: ironmap.mmap, name: str) -> None:
    """The handler, in C, sends the signal again: it runs at each check, and a byte tells so."""
    send = ctypes.CDLL(None)["raise"]
    send.argtypes = (ctypes.c_int, ctypes.py_object)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    handler = signal.signal(signal.SIGUSR1, send)
    descriptor = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        WORK[name](newlines, functools.partial(send, signal.SIGUSR1, None), 0)
    finally:
        signal.signal(signal.SIGUSR1, operator.is_)  # which does nothing
        signal.set_wakeup_fd(descriptor)
        signal.signal(signal.SIGUSR1, handler)
        checks = len(os.read(reader, ITEMS))
        os.close(reader)
        os.close(writer)
    assert checks < ITEMS // 200  # those of the interpreter itself count as well


@needs_signals
def test_readlines_runs_handlers(newlines: ironmap.mmap, handler: Any) -> None:
    seen: list[int] = []
    WORK["readlines"](newlines, handler(lambda: seen.append(newlines.tell())), 0)
    assert len(seen) == 1
    assert 1000 < seen[0] < ITEMS // 4


@needs_signals
@every_work
def test_handler_that_raises_ends_the_work(newlines: ironmap.mmap, handler: Any, name: str) -> None:
    assert outcome(WORK[name], newlines, handler({}.popitem), 0).error is KeyError
    assert newlines.tell() == 0


@needs_signals
def test_readlines_leaves_a_position_that_was_moved_meanwhile(
    newlines: ironmap.mmap, handler: Any
) -> None:
    def move_and_raise() -> None:
        newlines.seek(7)
        raise KeyError

    assert outcome(WORK["readlines"], newlines, handler(move_and_raise), 0).error is KeyError
    assert newlines.tell() == 7


@needs_signals
@every_work
def test_map_can_be_closed_between_two_items(
    newlines: ironmap.mmap, handler: Any, name: str
) -> None:
    assert outcome(WORK[name], newlines, handler(newlines.close), 0).error is ValueError
    assert newlines.closed


@every_work
def test_pending_calls_run(newlines: ironmap.mmap, name: str) -> None:
    call = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda _: newlines.close() or 0)
    add = functools.partial(ctypes.pythonapi.Py_AddPendingCall, call, None)
    assert outcome(WORK[name], newlines, add, 0).error is ValueError
    assert newlines.closed


# ---- other threads ---------------------------------------------------------------------------


def close_after(begun: threading.Lock, m: ironmap.mmap) -> threading.Thread:
    """A thread that closes the map once it has the lock."""

    def close() -> None:
        with begun:
            m.close()

    begun.acquire()
    thread = threading.Thread(target=close)
    thread.start()
    return thread


@pytest.mark.parametrize("name", ["lines", "find_all"])
def test_iterator_lets_other_threads_run(newlines: ironmap.mmap, name: str) -> None:
    begun = threading.Lock()
    thread = close_after(begun, newlines)
    iterators = map(operator.methodcaller(name, *ARGUMENTS[name]), itertools.repeat(newlines))
    endless = begin_with(begun.release, None, itertools.chain.from_iterable(iterators))
    assert outcome(consume, endless).error is ValueError
    thread.join()


def test_readlines_lets_other_threads_run() -> None:
    begun = threading.Lock()
    with ironmap.mmap(-1, MANY) as m:
        m[:] = b"\n" * MANY
        thread = close_after(begun, m)
        assert outcome(WORK["readlines"], m, begun.release, None).error is ValueError
        thread.join()


# ---- no Python code --------------------------------------------------------------------------


@every_work
def test_debuggers_and_profilers_see_no_other_code(newlines: ironmap.mmap, name: str) -> None:
    seen: set[str] = set()

    def note(frame: Any, *_: object) -> Any:
        seen.add(frame.f_code.co_filename)
        return note

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(note)
    sys.setprofile(note)
    try:
        WORK[name](newlines, int, 0)
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    assert seen == {__file__}


def test_readlines_works_at_the_limit_of_recursion(newlines: ironmap.mmap) -> None:
    tries: list[None] = []

    def deepest() -> list[bytes]:
        try:
            return deepest()
        except RecursionError:
            newlines.tell()  # fails, and goes up, until a call can be made
            tries.append(None)
            return newlines.readlines()

    assert len(deepest()) == ITEMS
    assert len(tries) == 1
