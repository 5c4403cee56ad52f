"""Signal handlers while an operation waits for a map, and in the middle of one.

Uses operations that stop half-way: see stalled.py.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import signal
import sys
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import ironmap
from stalled import LENGTH, Pause, Stall, address_of
from support import outcome
from waiting import (
    ASLEEP,
    Handler,
    Line,
    advise,
    contend,
    fail,
    file_map,
    is_mapped,
    later,
    private_map,
    suspend,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_while(stall: Stall, use: Callable[[], object], action: Callable[[], object]) -> Any:
    """The outcome of work that waits for a search in the main thread, in which the action runs."""
    stall.start(lambda: stall.map.find(b"absent"))
    handler = Handler(action)
    result = outcome(use)
    assert handler.ran
    return result


def interrupted_between_others() -> None:
    """A handler raises while close() waits. Those before and behind it go on waiting."""
    stall = Stall()
    m = stall.map
    stall.start(lambda: m.find(b"absent"))
    line = Line()
    line.add("store", lambda: m.__setitem__(0, 1))

    def act() -> None:
        line.add("read", lambda: m[:])
        assert line.log == []
        raise KeyError

    handler = Handler(act)
    assert outcome(m.close).error is KeyError
    assert handler.ran
    assert line.log == []
    assert stall.finish() == -1
    line.join()
    line.check_order("store", "read")
    m.close()


def granted_while_a_handler_raises() -> None:
    """The handler may use the map, and no thread has the lock after that."""
    stall = Stall()
    m = stall.map

    def act() -> None:
        stall.finish()
        time.sleep(ASLEEP)
        m[1] = 1
        raise KeyError

    assert wait_while(stall, m.close, act).error is KeyError
    assert m.closed is False
    m[0] = 1
    m.close()


def value_error_while_it_waits() -> None:
    """It does not mean that the map is closed."""
    stall = Stall()

    def act() -> None:
        raise ValueError

    assert wait_while(stall, stall.map.close, act).error is ValueError
    assert stall.map.closed is False
    stall.finish()
    stall.map.close()


def closed_while_it_waits(error: str) -> None:
    """A handler that lets another thread close the map, and raises, is not ignored."""
    m = file_map()
    line = Line()
    block = m.guarded()
    block.__enter__()
    uses = {
        "close": m.close,
        "repr": lambda: repr(m),
        "end of a block": lambda: block.__exit__(None, None, None),
    }
    pause = Pause(lambda: m.resize(LENGTH - 4096))
    line.add("close", m.close)

    def act() -> None:
        pause.finish()
        line.threads[0].join()
        raise KeyError

    handler = Handler(act)
    assert outcome(uses[error]).error is KeyError
    assert handler.ran
    assert m.closed
    line.join()


def look_after_close(name: str) -> None:
    """What asks if the map is open has no error if it was closed meanwhile."""
    m = file_map()
    block = m.guarded()
    block.__enter__()
    uses: dict[str, tuple[Callable[[], object], object]] = {
        "repr": (lambda: repr(m), "<mmap.mmap closed=True>"),
        "sizeof": (lambda: sys.getsizeof(m) > 0, True),
        "end of a block": (lambda: block.__exit__(None, None, None), False),
        "close": (m.close, None),
    }
    pause = Pause(lambda: m.resize(LENGTH - 4096))
    line = Line()
    line.add("close", m.close)
    line.add(name, uses[name][0])
    pause.finish()
    line.join()
    assert line.results[name].value == uses[name][1]


def raised_while_it_waits(name: str) -> None:
    """What a handler raises while an operation waits for a resize leaves it."""
    m = file_map()
    block = m.guarded()
    block.__enter__()
    uses = {
        "repr": lambda: repr(m),
        "sizeof": lambda: sys.getsizeof(m),
        "len": lambda: len(m),
        "end of a block": lambda: block.__exit__(None, None, None),
        "resize": lambda: m.resize(7),
    }
    pause = Pause(lambda: m.resize(LENGTH - 4096))
    handler = Handler(fail)
    assert outcome(uses[name]).error is KeyError
    assert handler.ran
    pause.finish()
    assert len(m) == LENGTH - 4096
    m.close()


def signal_to_another_thread() -> None:
    """The handler runs in time all the same."""
    stall = Stall()
    m = stall.map
    stall.start(lambda: m.find(b"absent"))
    Handler(fail, by_timer=False)
    target = threading.Thread(target=time.sleep, args=(1,))
    target.start()
    timer = threading.Timer(0.1, signal.pthread_kill, (target.ident, signal.SIGUSR1))

    def close() -> None:
        timer.start()
        m.close()

    # Python runs the handler in the main thread, in which no system call was interrupted.
    assert outcome(close).error is KeyError
    target.join()
    stall.finish()
    m.close()


# ---- two maps ----------------------------------------------------------------------------------


def stall_above() -> tuple[Any, Stall]:
    """A map and a stalled one, the lock of which is taken after that of the first."""
    keep = []
    for _ in range(1000):
        maps = sorted((private_map() for _ in range(2)), key=id)
        keep.append(maps[0])
        del maps[1]
        stall = Stall()
        if id(maps[0]) < id(stall.map):
            return maps[0], stall
        os.close(stall.descriptor)
        keep.append(stall.map)
    raise AssertionError("no map lies behind another one")


def first_map_changed(change: str) -> None:
    """A handler changes the first of two maps while the work waits for the second one."""
    m, stall = stall_above()
    s = stall.map
    at = address_of(m)
    assert is_mapped(at)
    stall.start(lambda: s.__setitem__(slice(None), bytes(LENGTH)))

    def act() -> None:
        # The lock of the first map is given back.
        m[5] = 1
        if change == "close":
            m.close()
        elif change == "resize":
            m.resize(2 * LENGTH)
        elif change == "raise":
            raise KeyError
        releasing.start()

    def finish() -> None:
        time.sleep(0.02)
        stall.finish()

    releasing = threading.Thread(target=finish)
    handler = Handler(act)
    result = outcome(lambda: m.write(s))
    assert handler.ran
    expected = {"close": ValueError, "raise": KeyError}.get(change)
    assert result.error is expected, result
    if change == "raise":
        releasing.start()
    releasing.join()
    if expected is None:
        assert result.value == LENGTH
        assert m[:] == bytes(len(m))
    # All locks were given back.
    s.resize(5)
    s.close()
    m.close()
    assert not is_mapped(at)


def handler_releases_the_gil() -> None:
    """A handler that runs while work waits for the second of two maps releases the GIL, also if the
    work keeps it."""
    m, stall = stall_above()
    s = stall.map
    contend(m)
    stall.start(lambda: s.__setitem__(slice(None), bytes(LENGTH)))
    used = Stall()

    def let_go_on() -> None:
        used.wait()
        os.close(used.descriptor)

    def act() -> None:
        releasing.start()
        assert used.map.find(b"absent") == -1
        finishing.start()

    releasing = threading.Thread(target=let_go_on)
    finishing = threading.Thread(target=stall.finish)
    handler = Handler(act)
    assert m.write(s) == LENGTH
    assert handler.ran
    releasing.join()
    finishing.join()


# ---- work that goes on -------------------------------------------------------------------------


def goes_on_first() -> None:
    """Work in whose middle a handler ran waits for another thread, but for none that waits."""
    line = Line()

    def act(m: Any) -> None:
        pause = Pause(lambda: advise(m))
        line.add("store", lambda: m.__setitem__(0, 1))
        assert line.log == []

        def finish() -> None:
            line.log.append("advice")
            pause.finish()

        line.threads.append(later(finish))

    def count(m: Any) -> int:
        found: int = m.count(b"\0")
        line.log.append("count")
        return found

    result, stall = suspend(count, act)
    assert result.value == 8 * LENGTH
    line.join()
    line.check_order("advice", "count", "store")
    stall.map.close()


# Work on a map of 8 * LENGTH that gets another length in the middle: that, and the result.
RESIZED: dict[str, tuple[Callable[[Any], object], int, object]] = {
    "m[:]": (lambda m: len(m[:]), LENGTH, LENGTH),
    "m[::2]": (lambda m: len(m[::2]), LENGTH, LENGTH // 2),
    "m[:] = bytes": (lambda m: m.__setitem__(slice(None), bytes(8 * LENGTH)), LENGTH, IndexError),
    "m[::2] = bytes": (
        lambda m: m.__setitem__(slice(None, None, 2), bytes(4 * LENGTH)),
        LENGTH,
        IndexError,
    ),
    "count": (lambda m: m.count(b"\0"), LENGTH, LENGTH),
    "find": (lambda m: m.find(b"absent"), LENGTH, -1),
    "rfind": (lambda m: m.rfind(b"absent"), LENGTH, -1),
    "read": (lambda m: len(m.read()), LENGTH, LENGTH),
    "readinto": (lambda m: m.readinto(bytearray(8 * LENGTH)), LENGTH, LENGTH),
    "readinto a map": (lambda m: m.readinto(ironmap.mmap(-1, 8 * LENGTH)), LENGTH, LENGTH),
    "readline": (lambda m: len(m.readline()), LENGTH, LENGTH),
    "lines": (lambda m: len(next(m.lines())), LENGTH, LENGTH),
    "write": (lambda m: m.write(bytes(8 * LENGTH)), 9 * LENGTH, 8 * LENGTH),
    "write too much": (lambda m: m.write(bytes(8 * LENGTH)), LENGTH, ValueError),
    "write a map": (lambda m: ironmap.mmap(-1, 8 * LENGTH).write(m), LENGTH, LENGTH),
    "store a map": (
        lambda m: ironmap.mmap(-1, 8 * LENGTH).__setitem__(slice(None), m),
        LENGTH,
        IndexError,
    ),
    "store a map backwards": (
        lambda m: ironmap.mmap(-1, LENGTH).__setitem__(slice(None, None, -1), m),
        LENGTH,
        None,
    ),
    "find a map": (lambda m: ironmap.mmap(-1, LENGTH).find(m), LENGTH, 0),
    "find_all of a map": (lambda m: list(ironmap.mmap(-1, LENGTH).find_all(m)), LENGTH, [0]),
    "move": (lambda m: m.move(0, LENGTH, 7 * LENGTH), LENGTH, ValueError),
}


def resized_in_the_middle(name: str) -> None:
    """The work begins anew, and keeps nothing of the first time."""
    use, length, expected = RESIZED[name]
    tracemalloc.start()
    result, stall = suspend(use, lambda m: m.resize(length))
    assert (result.error or result.value) == expected, result
    assert len(stall.map) == length
    gc.collect()
    assert tracemalloc.get_traced_memory()[0] < LENGTH
    stall.map.close()


def found_in_what_is_left() -> None:
    """A search begins anew where it began, and not where it was."""

    def act(m: Any) -> None:
        m.resize(LENGTH)
        m[5] = ord("X")

    result, stall = suspend(lambda m: m.find(b"X"), act)
    assert result.value == len(b"12345")
    stall.map.close()


def both_go_on(which: int) -> None:
    """Work on two maps has both again after a handler."""
    m = ironmap.mmap(-1, 8 * LENGTH)
    log: list[str] = []

    def act(s: Any) -> None:
        pause = Pause(lambda: advise((m, s)[which]))

        def finish() -> None:
            log.append("advice")
            pause.finish()

        later(finish)

    def write(s: Any) -> object:
        written = m.write(s)
        log.append("write")
        return written

    result, stall = suspend(write, act)
    assert (result.value, log) == (8 * LENGTH, ["advice", "write"])
    stall.map.close()
    m.close()


def waits_for_those_who_waited() -> None:
    """A handler waits for a thread that had to wait for the work in whose middle it runs."""
    line = Line()
    result, stall = suspend(
        lambda m: m.count(b"\0"),
        lambda _: line.join(),
        lambda m: line.add("store", lambda: m.__setitem__(0, 1)),
    )
    assert result.value == 8 * LENGTH
    assert line.log == ["store"]
    stall.map.close()


def resized_while_it_waits() -> None:
    """Work that waits for its lock again notices that the map has another length then."""
    threads: list[threading.Thread] = []

    def act(m: Any) -> None:
        pause = Pause(lambda: m.resize(LENGTH))
        threads.append(later(pause.finish))

    result, stall = suspend(lambda m: m.count(b"\0"), act)
    assert result.value == LENGTH
    threads[0].join()
    stall.map.close()


def closed_before_it_begins_anew() -> None:
    """Another thread closes the map while work waits to begin anew. Later work on another map looks
    for signals."""
    line = Line()
    other = Stall(8)

    def act(m: Any) -> None:
        m.resize(LENGTH)
        pause = Pause(lambda: advise(m))
        line.add("close", m.close)
        line.threads.append(later(pause.finish))

    def send() -> None:
        other.wait()
        time.sleep(0.1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        os.close(other.descriptor)

    result, stall = suspend(lambda m: m.find(b"absent"), act)
    assert result.error is ValueError
    assert stall.map.closed
    handler = Handler(other.map.close, by_timer=False)
    sender = threading.Thread(target=send)
    sender.start()
    result = outcome(other.map.find, b"absent")
    assert handler.ran
    assert result.error is ValueError, result
    sender.join()
    line.join()


def stored_in_the_middle() -> None:
    """A handler sees the map free, and work that stores goes on as such."""

    def act(m: Any) -> None:
        m[0] = 5
        assert m[0] == 5
        thread = threading.Thread(target=lambda: m.__setitem__(1, 6))
        thread.start()
        thread.join()

    result, stall = suspend(lambda m: m.write(bytes(8 * LENGTH)), act)
    m = stall.map
    assert (result.value, m[0], m[1]) == (8 * LENGTH, 5, 6)
    # All locks were given back.
    m.resize(5)
    m.close()


def closed_in_the_middle(*, by_thread: bool) -> None:
    """The map is unmapped when the work has ended, and not before."""
    seen: list[Any] = []

    def act(m: Any) -> None:
        seen.append(address_of(m))
        if by_thread:
            thread = threading.Thread(target=m.close)
            thread.start()
            thread.join()
        else:
            m.close()
        assert m.closed
        m.close()
        seen.append(is_mapped(seen[0]))

    result, stall = suspend(lambda m: m.read(), act)
    assert result.error is ValueError
    assert seen[1]
    assert not is_mapped(seen[0])
    assert stall.map.closed


def greenlets() -> None:
    """A handler switches to a greenlet that works on the same map, whose handler switches back."""
    greenlet = importlib.import_module("greenlet")
    m = ironmap.mmap(-1, 1 << 30, flags=ironmap.MAP_PRIVATE)
    main = greenlet.getcurrent()
    log: list[object] = []

    def begin(action: Callable[[], object]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: action())
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    def work() -> None:
        begin(main.switch)
        log.append(m.find(b"absent"))

    other = greenlet.greenlet(work)
    begin(other.switch)
    assert m.count(b"absent") == 0
    # A map is not unmapped while another greenlet works on it.
    m.close()
    while not other.dead:
        assert outcome(other.switch).error in {None, ValueError}
    assert log in ([], [-1])


CASES: dict[str, Callable[[], None]] = {
    "interrupted between others": interrupted_between_others,
    "ValueError while close() waits": value_error_while_it_waits,
    "granted while a handler raises": granted_while_a_handler_raises,
    **{
        f"a handler raises while the map is closed: {name}": lambda name=name: (
            closed_while_it_waits(name)
        )
        for name in ("close", "repr", "end of a block")
    },
    **{
        f"{name} behind close()": lambda name=name: look_after_close(name)
        for name in ("repr", "sizeof", "end of a block", "close")
    },
    **{
        f"a handler raises while it waits: {name}": lambda name=name: raised_while_it_waits(name)
        for name in ("repr", "sizeof", "len", "end of a block", "resize")
    },
    "signal to another thread": signal_to_another_thread,
    **{
        f"the first of two maps: {change}": lambda change=change: first_map_changed(change)
        for change in ("close", "resize", "raise", "store")
    },
    "a handler releases the GIL": handler_releases_the_gil,
    "goes on first": goes_on_first,
    **{f"{name} begins anew": lambda name=name: resized_in_the_middle(name) for name in RESIZED},
    "found in what is left": found_in_what_is_left,
    "the first of both goes on": lambda: both_go_on(0),
    "the second of both goes on": lambda: both_go_on(1),
    "waits for those who waited": waits_for_those_who_waited,
    "resized while it waits": resized_while_it_waits,
    "closed before it begins anew": closed_before_it_begins_anew,
    "stored in the middle": stored_in_the_middle,
    "closed in the middle": lambda: closed_in_the_middle(by_thread=False),
    "closed in the middle by a thread": lambda: closed_in_the_middle(by_thread=True),
}
if importlib.util.find_spec("greenlet") is not None:
    CASES["greenlets"] = greenlets
