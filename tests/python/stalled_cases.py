"""Other threads run beside operations that stop half-way, and wait for them where they have to."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

import ironmap
from stalled import (
    INTERRUPTED,
    LENGTH,
    MESSAGE,
    MIDDLE,
    MIDDLE_LENGTH,
    WORK,
    Pause,
    Stall,
    all_uses,
    in_thread,
    kinds,
)
from support import outcome

if TYPE_CHECKING:
    from collections.abc import Callable

STORES = {"m[:] = bytes", "m[::4096] = bytes", "write", "move", "madvise"}

LOOKS: dict[str, Callable[[Any], object]] = {
    "len": len,
    "bool": bool,
    "tell": lambda m: m.tell(),
    "seek": lambda m: m.seek(0, os.SEEK_CUR),
    "repr": repr,
    "sizeof": sys.getsizeof,
    "closed": lambda m: m.closed,
    "tagname": lambda m: m.tagname,
    "damaged": lambda m: m.damaged,
    "export": lambda m: memoryview(m).release(),
    "lines": lambda m: m.lines(),
    "find_all": lambda m: m.find_all(b"\0"),
    "flush": lambda m: m.flush(),
    "size": lambda m: outcome(m.size),
    "set_name": lambda m: outcome(m.set_name, "name"),
    "guarded": lambda m: m.guarded().__enter__(),
}


def short_reads(m: Any) -> dict[str, Callable[[], object]]:
    found = m.find_all(b"\0")
    lines = m.lines(m.tell(), m.tell() + 5)
    other = ironmap.mmap(-1, 10)
    view = memoryview(m)[5:6]
    return {
        "m[i]": lambda: m[5],
        "iter": lambda: next(iter(m)),
        "m[a:b]": lambda: m[5:10],
        "find": lambda: m.find(b"\0", 5, 10),
        "rfind": lambda: m.rfind(b"\0", 5, 10),
        "count": lambda: m.count(b"\0", 5, 10),
        "next(find_all)": lambda: next(found),
        "next(lines)": lambda: next(lines),
        "read": lambda: m.read(0),
        "readinto": lambda: m.readinto(bytearray()),
        "read_byte": lambda: outcome(m.read_byte),
        "readline": lambda: (m.seek(len(m) - 3), m.readline()),
        "readlines": lambda: (m.seek(len(m) - 3), m.readlines()),
        "a byte of it": lambda: other.__setitem__(0, view),
        "as a source": lambda: other.__setitem__(slice(0, 1), view),
        "as a needle": lambda: other.find(view),
        "as a needle of find_all": lambda: other.find_all(view),
    }


def short_stores(m: Any) -> dict[str, Callable[[], object]]:
    return {
        "m[i] =": lambda: m.__setitem__(5, 0),
        "m[a:b] =": lambda: m.__setitem__(slice(5, 7), b"\0\0"),
        "m[a:b] = map": lambda: m.__setitem__(slice(5, 7), ironmap.mmap(-1, 2)),
        "write": lambda: (m.seek(0), m.write(b"\0")),
        "write_byte": lambda: (m.seek(0), m.write_byte(0)),
        "move": lambda: m.move(0, 1, 1),
        "madvise": lambda: m.madvise(ironmap.MADV_NORMAL),
        "clear_damage": lambda: m.clear_damage(),
        "readinto it": lambda: ironmap.mmap(-1, len(m)).readinto(memoryview(m)[:2]),
    }


def check_waits(uses: dict[str, Callable[[], object]]) -> Callable[[], None]:
    """All of them wait. Returns a function that waits for their end, without an exception."""
    results: dict[str, Any] = {}

    def work(name: str) -> None:
        results[name] = outcome(uses[name]).error

    threads = [threading.Thread(target=work, args=(name,)) for name in uses]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    assert results == {}

    def check_end() -> None:
        for thread in threads:
            thread.join()
        assert set(results.values()) <= {None}, results

    return check_end


def check_kind(m: Any, kind: str) -> Callable[[], None]:
    """Long work on the map lets looks pass, reads beside reads, and stores beside looks. Returns a
    function that waits for those that do not pass."""
    for use in LOOKS.values():
        use(m)
    waiting: dict[str, Callable[[], object]] = {}
    if kind == "store":
        waiting["read"] = lambda: m[5]
    else:
        assert m[5] == 0
    if kind:
        waiting["store"] = lambda: m.__setitem__(5, 0)
    else:
        m[5] = 0
    return check_waits(waiting)


def work(name: str) -> None:
    """Other threads run. A look waits for nothing, a read for stores, a store for reads as well,
    and what changes the shape for everything."""
    use, result = WORK[name]
    stall = Stall()
    m = stall.map
    stall.start(lambda: use(m))
    check_end = check_kind(m, "store" if name in STORES else "read")
    changing = check_waits({"resize": lambda: m.resize(5)})
    # Short work only waits for long work.
    assert (len(m), m.closed) == (LENGTH, False)
    if name not in STORES:
        assert m[0] == 0
    assert stall.finish() == result
    check_end()
    changing()
    assert len(m) == 5
    m.close()


def short_work(kind: str) -> None:
    """All short stores wait for a read, and all short reads for a store."""
    stall = Stall()
    m = stall.map
    uses = short_reads(m) if kind == "reads" else short_stores(m)
    name = "m[:] = bytes" if kind == "reads" else "m[:]"
    use, result = WORK[name]
    stall.start(lambda: use(m))
    check_end = check_waits(uses)
    assert stall.finish() == result
    check_end()


# What each of two maps is used for. The second one stalls.
COPIES: dict[str, tuple[Callable[[Any, Any], object], str, str]] = {
    "m[:] = map": (lambda m, s: m.__setitem__(slice(None), s), "store", "read"),
    "stalled[:] = map": (lambda m, s: s.__setitem__(slice(None), m), "read", "store"),
    "m[::-1] = map": (lambda m, s: m.__setitem__(slice(None, None, -1), s), "", "read"),
    "write a map": (lambda m, s: m.write(s), "store", "read"),
    "write to the stalled map": (lambda m, s: s.write(m), "read", "store"),
    "readinto a map": (lambda m, s: s.readinto(m), "store", "read"),
    "readinto the stalled map": (lambda m, s: m.readinto(s), "read", "store"),
    "find a map": (lambda m, s: m.find(s), "", "read"),
    "find_all of a map": (lambda m, s: m.find_all(s), "", "read"),
    "readinto itself": (lambda m, s: s.readinto(s), "", "store"),
    "m[:] = itself": (lambda m, s: s.__setitem__(slice(None), memoryview(s)), "", "store"),
    "m[:] = a view": (lambda m, s: m.__setitem__(slice(None), memoryview(s)), "store", "read"),
}


def copy(name: str) -> None:
    """Work on two maps has both, and no more of them than it needs."""
    use, kind, stalled_kind = COPIES[name]
    stall = Stall()
    with ironmap.mmap(-1, LENGTH) as m:
        stall.start(lambda: use(m, stall.map))
        ends = [check_kind(m, kind), check_kind(stall.map, stalled_kind)]
        stall.finish()
        for check_end in ends:
            check_end()
    stall.map.close()


def flush() -> None:
    """While a thread flushes, others read and store. What changes the shape waits."""
    with tempfile.TemporaryFile() as file:
        file.truncate(LENGTH)
        m: Any = ironmap.mmap(file.fileno(), 0)
    pause = Pause(m.flush)
    for use in [*LOOKS.values()]:
        if use is not LOOKS["flush"]:
            use(m)
    for reads_or_stores in (short_reads(m), short_stores(m)):
        for short in reads_or_stores.values():
            short()
    del reads_or_stores, short
    gc.collect()
    assert m[:] == bytes(LENGTH)
    m[:] = bytes(LENGTH)
    ends = [check_waits({"resize": lambda: m.resize(5)}), check_waits({"close": m.close})]
    m[0] = 0
    assert (m[0], len(m)) == (0, LENGTH)
    pause.finish()
    for check_end in ends:
        check_end()
    assert m.closed


def clear_damage() -> None:
    """clear_damage() is a store."""
    with tempfile.TemporaryFile() as file:
        file.truncate(LENGTH)
        m: Any = ironmap.mmap(file.fileno(), 0)
        file.truncate(LENGTH // 2)
        with memoryview(m) as view:
            assert view[-1] == 0
        assert m.damaged
        file.truncate(LENGTH)
        pause = Pause(m.clear_damage)
        uses = dict(LOOKS)
        for name in ("flush", "export", "guarded", "damaged"):  # refused, or waits
            del uses[name]
        for use in uses.values():
            use(m)
        check_end = check_waits({"read": lambda: m[5], "store": lambda: m.__setitem__(5, 0)})
        pause.finish()
        check_end()
        assert m.damaged == ()
        m.close()


def readers() -> None:
    """A long read does not wait for another one."""
    stall = Stall()
    stall.start(lambda: stall.map.find(b"absent"))
    rest = stall.map[MIDDLE + MIDDLE_LENGTH :]
    assert len(rest) == LENGTH // 4
    assert stall.results == []
    assert stall.finish() == -1
    stall.map.close()


def close_waits() -> None:
    """close() waits for a search, and the thread that closes lets others run meanwhile."""
    stall = Stall()
    stall.start(lambda: stall.map.find(b"absent"))
    results: list[Any] = []
    closing = in_thread(stall.map.close, results)
    assert stall.map.closed is False
    time.sleep(0.01)
    assert results == []
    assert stall.finish() == -1
    closing.join()
    assert (results[0].error, stall.map.closed) == (None, True)


def move_position() -> None:
    """A line is read again from where another thread moved the position."""
    stall = Stall()
    stall.start(stall.map.readline)
    stall.map.seek(LENGTH - 100)
    assert stall.finish() == bytes(100)
    assert stall.map.tell() == LENGTH
    stall.map.close()


def share(iterate: Callable[[Any], Any], expected: list[Any]) -> None:
    """Two threads that wait in the same step of an iterator have different results."""
    stall = Stall()
    stall.map[-100] = stall.map[-50] = ord("\n")
    iterator = iterate(stall.map)
    stall.start(lambda: next(iterator))
    os.read(stall.descriptor, MESSAGE)
    first = stall.thread
    stall.start(lambda: next(iterator))
    stall.finish()
    first.join()
    assert sorted(stall.results) == sorted(expected)
    stall.map.close()


def interrupt(use: Callable[[Any], object], *, moves: bool) -> None:
    """A signal handler that raises ends long work in the main thread. The position is that of
    before, or the one that the handler has set."""
    stall = Stall(8)
    m = stall.map
    m.seek(3)

    def handle(number: int, frame: object) -> None:
        if moves:
            m.seek(7)
        raise KeyError

    def send() -> None:
        stall.wait()
        time.sleep(0.1)  # the work looks for signals after half of this time
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        os.close(stall.descriptor)

    signal.signal(signal.SIGUSR1, handle)
    sender = threading.Thread(target=send)
    sender.start()
    assert kinds({"use": lambda: use(m)}) == {"use": "KeyError"}
    sender.join()
    assert m.tell() == (7 if moves else 3)
    m.close()


def resize(length: int) -> None:
    """Other threads run, and wait until the map has its new length."""
    stall = Stall()
    m = stall.map
    uses = all_uses(m)
    del uses["resize"]
    m.seek(7)
    stall.start(lambda: m.resize(length))
    uses |= {"repr": lambda: repr(m), "sizeof": lambda: sys.getsizeof(m)}
    results: dict[str, Any] = {}

    def work(name: str) -> None:
        results[name] = outcome(uses[name])

    waiting = [threading.Thread(target=work, args=(name,)) for name in uses]
    for thread in waiting:
        thread.start()
    assert m.closed is False
    time.sleep(0.01)
    # What makes an object that will look at the map does not wait.
    assert set(results) <= {"guarded", "with", "del m[i]"}, results
    assert stall.finish() is None
    for thread in waiting:
        thread.join()
    # One that comes after readline() is at the end.
    at_the_end = {"read_byte", "write", "write_byte"}
    errors = {
        (name if result.error is ValueError and name not in at_the_end else "", result.error)
        for name, result in results.items()
    }
    allowed = {None, TypeError, StopIteration, ValueError}
    assert errors <= {("", error) for error in allowed}, errors
    assert len(m) == length
    results.clear()  # with a memoryview
    m.close()
    found = kinds(all_closed(uses))
    assert set(found.values()) <= {"ValueError", "TypeError", "StopIteration"}, found


def all_closed(uses: dict[str, Callable[[], object]]) -> dict[str, Callable[[], object]]:
    """Those that need an open map."""
    return {name: use for name, use in uses.items() if name not in {"damaged", "repr", "sizeof"}}


def guarded() -> None:
    """A guarded block that ends during a resize waits for it."""
    stall = Stall()
    block = stall.map.guarded()
    block.__enter__()
    block.__enter__()
    stall.start(lambda: stall.map.resize(5))
    results: list[Any] = []
    leaving = in_thread(lambda: block.__exit__(None, None, None), results)
    time.sleep(0.01)
    assert results == []
    stall.finish()
    leaving.join()
    assert results[0].value is False
    assert block.__exit__(None, None, None) is False


def close() -> None:
    """Other threads see the map as closed from the beginning of close()."""
    stall = Stall()
    uses = all_uses(stall.map)
    stall.start(stall.map.close)
    assert stall.map.closed is True
    assert repr(stall.map) == "<mmap.mmap closed=True>"
    assert set(kinds(all_closed(uses)).values()) <= {"ValueError", "TypeError"}
    assert kinds({"close": stall.map.close}) == {"close": ""}
    assert stall.finish() is None


def deallocation() -> None:
    stall = Stall()
    holder = [stall.map]
    stall.map = None
    stall.start(holder.clear)
    assert sum(range(1000)) == 499500
    assert stall.finish() is None


def fork() -> None:
    """In the child no thread finishes the resize: there the map is closed."""
    stall = Stall()
    stall.start(lambda: stall.map.resize(5))
    child = os.fork()
    if child == 0:
        found = kinds({"item": lambda: stall.map[0], "close": stall.map.close})
        os._exit(found != {"item": "ValueError", "close": ""})
    assert os.waitpid(child, 0)[1] == 0
    assert stall.finish() is None
    assert len(stall.map) == 5


def fork_beside_a_reader() -> None:
    """In the child no thread reads, so a store and a close do not wait."""
    stall = Stall()
    stall.start(lambda: stall.map.find(b"absent"))
    child = os.fork()
    if child == 0:
        stall.map[0] = 1
        stall.map.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert stall.finish() == -1
    stall.map.close()


def interrupt_a_wait() -> None:
    """A signal handler runs while close() waits, and may raise. The map then stays open."""
    stall = Stall()
    stall.start(lambda: stall.map.find(b"absent"))

    def handle(number: int, frame: object) -> None:
        assert stall.map[0] == 0
        raise KeyError

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    assert kinds({"close": stall.map.close}) == {"close": "KeyError"}
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert stall.map.closed is False
    assert stall.finish() == -1
    stall.map.close()


def use_in_a_wait(name: str) -> None:
    """A handler that runs while its thread waits for the map may use the map."""
    stall = Stall()
    m = stall.map
    waits: dict[str, Callable[[], Any]] = {
        "close": m.close,
        "store": lambda: m.__setitem__(slice(0, 100_000), b"1" * 100_000),
    }
    stall.start(lambda: m.find(b"absent"))
    handled: list[int] = []

    def handle(number: int, frame: object) -> None:
        handled.append(m.size() + len(m[:100_000]) + m[0])
        if len(handled) == 3:
            raise KeyError

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    found = kinds({name: waits[name]})
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert found == {name: "KeyError"}
    assert handled == [LENGTH + 100_000] * 3
    assert stall.finish() == -1
    m.close()


def interrupt_the_end_of_with() -> None:
    """An exception of a handler is told, also if the block was left by another one."""
    stall = Stall()
    stall.start(lambda: stall.map.find(b"absent"))

    def handle(number: int, frame: object) -> None:
        raise KeyError

    def block() -> None:
        with stall.map:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            raise IndexError

    signal.signal(signal.SIGALRM, handle)
    assert kinds({"with": block}) == {"with": "KeyError"}
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert stall.map.closed is False
    assert stall.finish() == -1
    stall.map.close()


CASES: dict[str, Callable[[], None]] = {
    **{name: lambda name=name: work(name) for name in WORK},
    "short reads": lambda: short_work("reads"),
    "short stores": lambda: short_work("stores"),
    **{name: lambda name=name: copy(name) for name in COPIES},
    "readline while the position moves": move_position,
    "two threads in lines": lambda: share(
        lambda m: m.lines(), [bytes(49) + b"\n", bytes(LENGTH - 100) + b"\n"]
    ),
    "two threads in find_all": lambda: share(
        lambda m: m.find_all(b"\n"), [LENGTH - 100, LENGTH - 50]
    ),
    **{
        f"{name} is interrupted{' and moved' * moves}": lambda use=use, moves=moves: interrupt(
            use, moves=moves
        )
        for name, use in INTERRUPTED.items()
        for moves in (False, True)
    },
    "resize to less": lambda: resize(MIDDLE),
    "resize to more": lambda: resize(64 * LENGTH),
    "guarded": guarded,
    "close": close,
    "deallocation": deallocation,
    "readers run together": readers,
    "close waits": close_waits,
    "fork": fork,
    "fork beside a reader": fork_beside_a_reader,
    "interrupted wait": interrupt_a_wait,
    "interrupted end of with": interrupt_the_end_of_with,
    "handler while close waits": lambda: use_in_a_wait("close"),
    "handler while a store waits": lambda: use_in_a_wait("store"),
}
if not getattr(sys, "_is_gil_enabled", lambda: True)():
    del CASES["deallocation"]  # the thread that made the object frees it


# With system calls that wait, and for some of them with memory that stalls.
PAUSED_CASES: dict[str, Callable[[], None]] = {
    "flush": flush,
    "clear_damage": clear_damage,
}
