"""Operations that wait for a map: who is served next, and what handlers do meanwhile.

Uses operations that stop half-way: see stalled.py.
"""

from __future__ import annotations

import builtins
import functools
import gc
import importlib
import importlib.util
import itertools
import os
import signal
import sys
import tempfile
import threading
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ironmap
import stalled
from stalled import (
    LENGTH,
    MIDDLE,
    WORK,
    Pause,
    Stall,
    address_of,
    check_waits,
    in_thread,
)
from support import outcome

if TYPE_CHECKING:
    from collections.abc import Callable

HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
ASLEEP = 0.12  # seconds: a thread that waits looks again after less


def advise(m: Any) -> None:
    """A store that waits in a Pause."""
    m.madvise(ironmap.MADV_RANDOM)


class Line:
    """Threads that wait for a map, in the order in which they were added."""

    def __init__(self) -> None:
        # A thread that has the GIL keeps it until it waits.
        sys.setswitchinterval(1000)
        self.log: list[str] = []
        self.threads: list[threading.Thread] = []
        self.results: dict[str, Any] = {}

    def add(self, name: str, use: Callable[[], object]) -> None:
        def work() -> None:
            self.results[name] = outcome(use)
            self.log.append(name)

        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()
        if not HAS_GIL:
            time.sleep(ASLEEP)  # until it waits

    def check_order(self, *names: str) -> None:
        """These have ended in this order. Without a GIL, a thread may say so after a later one."""
        found = self.log[: len(names)] if HAS_GIL else sorted({*self.log} & {*names})
        assert found == (list(names) if HAS_GIL else sorted(names)), self.log

    def join(self) -> None:
        for thread in self.threads:
            thread.join()
        errors = {name: result.error for name, result in self.results.items()}
        assert set(errors.values()) <= {None}, errors


def order() -> None:
    """Those that wait are served in order. A look overtakes reads and stores alone."""
    stall = Stall()
    m = stall.map
    stall.start(lambda: m.find(b"absent"))
    line = Line()
    line.add("store", lambda: m.__setitem__(0, 1))
    line.add("read", lambda: m[:])
    assert line.log == []
    m.flush()
    line.add("resize", lambda: m.resize(LENGTH // 2))
    line.add("flush", m.flush)
    line.add("second store", lambda: m.__setitem__(0, 2))
    time.sleep(ASLEEP)
    assert line.log == []
    assert len(m) == LENGTH
    assert stall.finish() == -1
    line.join()
    line.check_order("store", "read", "resize")
    assert (line.results["read"].value[0], m[0]) == (1, 2)
    m.close()


def short_work_first() -> None:
    """A thread that was woken needs the GIL to begin. Short work of the thread that has the GIL
    does not wait for it."""
    stall = Stall()
    m = stall.map
    line = Line()

    def work() -> object:
        found = m.find(b"absent")
        m[0] = 7
        line.log.append("short work")
        return found

    stall.start(work)
    line.add("store", lambda: m.__setitem__(slice(None), bytes(LENGTH)))
    assert stall.finish() == -1
    line.join()
    assert line.log == ["short work", "store"]
    assert m[0] == 0
    m.close()


def served_together() -> None:
    """After a resize a read begins, and a look that waits behind a store. A read that waits there
    goes on waiting."""
    stall = Stall()
    m = stall.map
    resizing = Pause(lambda: m.resize(LENGTH - 4096))
    line = Line()
    line.add("read", lambda: m.readinto(bytearray(LENGTH // 4 * 3)))
    line.add("store", lambda: m.write(b"\1"))
    line.add("look", m.flush)
    line.add("second read", lambda: m[:])
    time.sleep(ASLEEP)
    assert line.log == []
    resizing.finish()
    stall.wait()
    line.threads[2].join()
    time.sleep(ASLEEP)
    assert line.log == ["look"], line.log
    assert m[0] == 0
    os.close(stall.descriptor)
    line.join()
    line.check_order("look", "read", "store", "second read")
    m.close()


def reads_together() -> None:
    """The end of one read does not end another."""
    stall = Stall()
    m = stall.map
    stall.start(lambda: m.find(b"absent"))
    assert m.find(b"absent", MIDDLE + LENGTH // 4) == -1
    check_end = check_waits({"store": lambda: m.__setitem__(0, 1)})
    assert stall.finish() == -1
    check_end()
    m.close()


def stores_beside_looks() -> None:
    """The end of a look does not end a store."""
    with ironmap.mmap(-1, LENGTH) as m:
        storing = Pause(lambda: advise(m))
        m.flush()
        check_end = check_waits({"read": lambda: m[0], "long read": lambda: m[:]})
        storing.finish()
        check_end()


def matches_of_two_threads() -> None:
    """Two threads wait for the map to find the next matches of one iterator. No match is lost."""
    with ironmap.mmap(-1, LENGTH) as m:
        m[:9] = b"x" * 9
        found = m.find_all(b"x")
        storing = Pause(lambda: advise(m))
        line = Line()
        line.add("first", lambda: next(found))
        line.add("second", lambda: next(found))
        storing.finish()
        line.join()
        taken = [result.value for result in line.results.values()]
        assert sorted(taken) + list(found) == list(range(9))


def wait_for(m: Any) -> None:
    """A thread waits for the bytes of the map."""
    pause = Pause(lambda: advise(m))
    line = Line()
    line.add("store", lambda: m.__setitem__(0, 1))
    pause.finish()
    line.join()


def contend(m: Any) -> None:
    wait_for(m)
    assert len(m[: LENGTH // 2]) == LENGTH // 2


def contended(times: int = 1) -> Stall:
    """A map for which a thread has waited, and on which quick work was done since."""
    stall = Stall(times)
    m = stall.map
    contend(m)
    return stall


class Other:
    """A thread that waits for the GIL, again and again."""

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.done: list[object] = []
        self.seen = 0
        self.ended = False
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self) -> None:
        while not self.ended:
            self.gate.acquire()
            self.seen = len(self.done)

    def runs_beside(self, use: Callable[..., object], arguments: list[Any]) -> bool:
        """True if the thread gets the GIL while this is done with each argument. No Python code
        runs in between, so only what is done releases the GIL. As soon as the thread waits for it,
        a release is a switch."""
        sys.setswitchinterval(1e-6)
        self.seen = 0
        self.done = []
        begin = itertools.starmap(self.gate.release, [()])
        self.done.extend(itertools.chain(begin, map(use, arguments)))
        while self.seen == 0:
            time.sleep(0.001)
        return self.seen < len(self.done)

    def end(self) -> None:
        self.ended = True
        self.gate.release()
        self.thread.join()


def keeps_the_gil() -> None:
    """Long work on a map for which threads wait keeps the GIL at first. Not always, since work that
    was slow, as on a busy machine, releases it the next time."""
    stall = contended(8)
    m = stall.map
    other = Other()
    part = slice(0, LENGTH // 4)
    read = (m.__getitem__, [part] * 30)
    write = (functools.partial(m.__setitem__, part), [bytes(LENGTH // 4)] * 30)
    long_read = (m.__getitem__, [slice(0, 3 * LENGTH)] * 10)

    def keeps(work: Any) -> bool:
        contend(m)
        return not any(other.runs_beside(*work) for _ in range(2))

    def until_it_runs(work: Any) -> None:
        contend(m)
        while not other.runs_beside(*work):
            pass

    for work in (read, write):
        while not keeps(work):
            pass
    # Work that is long releases it in the middle.
    until_it_runs(long_read)
    # Without a thread that waits it releases the GIL, and so it does after a while.
    with ironmap.mmap(-1, LENGTH) as free:
        while not other.runs_beside(free.__getitem__, [part] * 100):
            pass
    until_it_runs(read)
    other.end()
    os.close(stall.descriptor)
    m.close()


def quick_on_two_maps() -> None:
    """After quick work on two maps, work on each of them comes before all waiters."""
    half = slice(0, LENGTH // 2)

    def overtakes(m: Any, other: Any) -> bool:
        wait_for(m)
        slow = Pause(lambda: advise(m))
        time.sleep(0.01)
        slow.finish()
        m[half] = memoryview(other)[half]
        flushing = Pause(m.flush)
        line = Line()
        line.add("resize", lambda: m.resize(LENGTH))
        line.add("read", lambda: m[half])
        flushing.finish()
        line.join()
        return line.log == ["read", "resize"]

    maps = [file_map(), file_map()]
    for pair in (maps, maps[::-1]):
        while not overtakes(*pair):  # the work was not quick
            pass


def releases_the_gil_in_the_middle() -> None:
    """Work that turns out to be long does not keep the GIL, and what comes later waits in the
    queue."""
    stall = contended(8)
    m = stall.map
    stall.start(lambda: m.find(b"absent"))
    line = Line()
    line.add("store", lambda: m.__setitem__(slice(0, LENGTH // 2), bytes(LENGTH // 2)))
    line.add("read", lambda: m[: LENGTH // 2])
    assert line.log == []
    assert stall.finish() == -1
    line.join()
    line.check_order("store", "read")
    m.close()


# What work that has waited for a resize to 5 bytes results in.
AFTER_RESIZE: dict[str, tuple[Callable[[Any], object], object]] = {
    **{
        name: (WORK[name][0], result)
        for name, result in {
            "m[:]": bytes(5),
            "m[::2]": bytes(3),
            "m[::-8192]": b"\0",
            "m[:] = bytes": IndexError,
            "m[::4096] = bytes": IndexError,
            "find": -1,
            "rfind": -1,
            "count": 0,
            "find_all": [],
            "read": bytes(5),
            "readinto": (5, LENGTH),
            "readline": bytes(5),
            "readlines": [bytes(5)],
            "lines": bytes(5),
            "lines without ends": bytes(5),
            "write": ValueError,
            "move": ValueError,
            "madvise": None,
        }.items()
    },
    "find from the middle": (lambda m: m.find(b"absent", MIDDLE), -1),
    "lines from the middle": (lambda m: list(m.lines(MIDDLE)), []),
    "count zeros": (lambda m: m.count(b"\0"), 5),
    "madvise the end": (lambda m: m.madvise(ironmap.MADV_NORMAL, LENGTH - 4096), ValueError),
    "flush": (lambda m: m.flush(), None),
    "flush the end": (lambda m: m.flush(LENGTH - 4096), ValueError),
    "size": (lambda m: m.size(), 5),
    "clear_damage": (lambda m: m.clear_damage(), None),
    "store it": (
        lambda m: ironmap.mmap(-1, LENGTH).__setitem__(slice(None), m),
        IndexError,
    ),
    "store it in less": (lambda m: ironmap.mmap(-1, 5).__setitem__(slice(None), m), None),
    "store it backwards": (
        lambda m: ironmap.mmap(-1, LENGTH).__setitem__(slice(None, None, -1), m),
        IndexError,
    ),
    "write it": (lambda m: ironmap.mmap(-1, LENGTH).write(m), 5),
    "find it": (lambda m: ironmap.mmap(-1, 10).find(m), 0),
    "find_all of it": (lambda m: list(ironmap.mmap(-1, 6).find_all(m, overlapping=True)), [0, 1]),
    "resize": (lambda m: m.resize(7), None),
    "close": (lambda m: m.close(), None),
}


def file_map() -> Any:
    with tempfile.TemporaryFile() as file:
        file.truncate(LENGTH)
        m = ironmap.mmap(file.fileno(), 0)
    # A map that was exported maps something at a fixed address when it is resized.
    memoryview(m).release()
    return m


def after_resize(length: int, use: Callable[[Any], object], expected: object) -> None:
    """Work that has waited sees the map as it is after that."""
    m = file_map()
    flushing = Pause(m.flush)
    line = Line()
    line.add("resize", lambda: m.resize(length))
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(outcome(use, m)))
    thread.start()
    assert (results, line.log) == ([], [])
    flushing.finish()
    line.join()
    thread.join()
    assert (results[0].error or results[0].value) == expected, results
    gc.collect()
    m.close()


# What long work that has waited for a resize to twice the length results in.
AFTER_LONG_GROWTH: dict[str, tuple[Callable[[Any], object], object]] = {
    "m[:]": (lambda m: m[:], bytes(2 * LENGTH)),
    "m[:] = bytes": (lambda m: m.__setitem__(slice(None), bytes(LENGTH)), IndexError),
    "m[:] = more bytes": (lambda m: m.__setitem__(slice(None), bytes(2 * LENGTH)), None),
    "read": (lambda m: m.read(), bytes(2 * LENGTH)),
    "count": (lambda m: m.count(b"\0"), 2 * LENGTH),
    "rfind": (lambda m: m.rfind(b"absent"), -1),
    "write it": (lambda m: ironmap.mmap(-1, 2 * LENGTH).write(m), 2 * LENGTH),
}

# What all work that has waited for it results in.
AFTER_GROWTH: dict[str, tuple[Callable[[Any], object], object]] = {
    "madvise": (lambda m: m.madvise(ironmap.MADV_NORMAL, LENGTH + 4096), None),
    "flush": (lambda m: m.flush(LENGTH + 4096), None),
    "m[i]": (lambda m: m[LENGTH + 1], 0),
    "m[i] =": (lambda m: m.__setitem__(LENGTH + 1, 0), None),
    "move": (lambda m: m.move(LENGTH, LENGTH + 5, 5), None),
    "lines": (lambda m: list(m.lines(2 * LENGTH - 5)), [bytes(5)]),
    "find_all": (
        lambda m: list(m.find_all(b"\0", 2 * LENGTH - 2)),
        [2 * LENGTH - 2, 2 * LENGTH - 1],
    ),
    "find": (lambda m: m.find(b"\0", LENGTH + 1), LENGTH + 1),
    "seek": (lambda m: m.seek(LENGTH + 1), LENGTH + 1),
    "export": (lambda m: memoryview(m).nbytes, 2 * LENGTH),
    "len": (len, 2 * LENGTH),
    "size": (lambda m: m.size(), 2 * LENGTH),
}


def after_growth(name: str) -> None:
    """Other threads wait until the map has its new length."""
    use, expected = AFTER_GROWTH[name]
    m = file_map()
    growing = Pause(lambda: m.resize(2 * LENGTH))
    line = Line()
    line.add(name, lambda: use(m))
    growing.finish()
    line.join()
    assert line.results[name].value == expected
    line.results.clear()
    m.close()


def loaded_before_a_resize() -> None:
    """Bytes of another map that were copied stay as they were."""
    stall = Stall()
    stall.start(lambda: stall.map.find(b"absent"))
    line = Line()
    with ironmap.mmap(-1, LENGTH) as source:
        source[0] = 7
        line.add("store", lambda: stall.map.__setitem__(slice(None, None, -1), source))
        source.resize(5)
        stall.finish()
        line.join()
    assert stall.map[-1] == 7
    stall.map.close()


def after_close(name: str) -> None:
    """What comes after a waiting close() sees a closed map, and that it is closed is no error of
    close()."""
    use = AFTER_RESIZE[name][0]
    m = file_map()
    flushing = Pause(m.flush)
    line = Line()
    line.add("close", m.close)
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(outcome(use, m)))
    thread.start()
    # Nor does it keep others waiting.
    line.add("store", lambda: outcome(m.clear_damage))
    line.add("read", lambda: outcome(m.readinto, bytearray(LENGTH)))
    assert (results, line.log) == ([], [])
    flushing.finish()
    line.join()
    thread.join()
    assert results[0].error is (None if name == "close" else ValueError), results
    assert line.results["store"].value.error is ValueError
    assert line.results["read"].value.error is ValueError


# What a read results in before which a store of one byte at the start and at the end has come.
AFTER_STORE: dict[str, tuple[Callable[[Any], object], bytes, object]] = {
    "find": (lambda m: m.find(b"X"), b"X", 0),
    "rfind": (lambda m: m.rfind(b"X"), b"X", LENGTH - 1),
    "count": (lambda m: m.count(b"X"), b"X", 2),
    "find_all": (lambda m: next(m.find_all(b"X")), b"X", 0),
    "readline": (lambda m: m.readline(), b"\n", b"\n"),
    "readlines": (lambda m: len(m.readlines()), b"\n", 2),
    "lines": (lambda m: next(m.lines()), b"\n", b"\n"),
}


def after_store(name: str) -> None:
    """A search that has waited begins anew, also where it has searched before it waited."""
    use, letter, expected = AFTER_STORE[name]
    stall = Stall()
    m = stall.map
    stall.start(lambda: m.find(b"absent"))
    line = Line()
    line.add("store", lambda: m.__setitem__(slice(None, None, LENGTH - 1), letter * 2))
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(outcome(use, m)))
    thread.start()
    assert (results, line.log) == ([], [])
    stall.finish()
    line.join()
    thread.join()
    assert results[0].value == expected, results
    m.close()


def export_while_resize_waits() -> None:
    """Then the resize is a BufferError, and so is a close()."""
    stall = Stall()
    m = stall.map
    stall.start(lambda: m.find(b"absent"))
    results: list[Any] = []
    threads = [in_thread(use, results) for use in (lambda: m.resize(5), m.close)]
    time.sleep(0.01)
    with memoryview(m):
        assert results == []
        stall.finish()
        for thread in threads:
            thread.join()
    assert [result.error for result in results] == [BufferError, BufferError]
    m[0] = 1
    m.resize(5)
    m.close()


# ---- handlers --------------------------------------------------------------------------------


class Handler:
    """Runs `action` in the main thread 0.05 seconds after it is made, or when it is sent."""

    def __init__(self, action: Callable[[], object], *, by_timer: bool = True) -> None:
        self.ran = False
        self.action = action
        signal.signal(signal.SIGUSR1, self.handle)
        signal.signal(signal.SIGALRM, self.handle)
        if by_timer:
            signal.setitimer(signal.ITIMER_REAL, 0.05)

    def handle(self, number: int, frame: object) -> None:
        self.ran = True
        self.action()


def fail() -> None:
    raise KeyError


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


# ---- two maps --------------------------------------------------------------------------------


def private_map() -> Any:
    return ironmap.mmap(-1, LENGTH, flags=ironmap.MAP_PRIVATE)


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


# ---- work that goes on ------------------------------------------------------------------------


def suspend(
    use: Callable[[Any], object],
    action: Callable[[Any], object],
    before: Callable[[Any], object] = bool,
) -> tuple[Any, Stall]:
    """The outcome of work in the main thread on a stalled map, in whose middle the action runs.
    Another function runs before, in another thread."""
    stall = Stall(8)
    handler = Handler(lambda: action(stall.map), by_timer=False)

    def send() -> None:
        stall.wait()
        before(stall.map)
        time.sleep(0.1)  # the work looks for signals after half of this time
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        os.close(stall.descriptor)

    sender = threading.Thread(target=send)
    sender.start()
    result = outcome(use, stall.map)
    sender.join()
    assert handler.ran
    return result, stall


def later(use: Callable[[], object]) -> threading.Thread:
    """A thread that does this a while later."""
    thread = threading.Timer(ASLEEP, use)
    thread.start()
    return thread


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


def is_mapped(address: int) -> bool:
    """True as long as private memory is there, and not what keeps the addresses after that."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        limits, permissions = line.split()[:2]
        begin, end = (int(limit, 16) for limit in limits.split("-"))
        if begin <= address < end:
            return permissions == "rw-p"
    return False


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


# ---- fork ------------------------------------------------------------------------------------


def end_in_time() -> None:
    """Ends a child that hangs."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(30)


def in_a_child(use: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            end_in_time()
            use()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


FIRST_IN_A_CHILD: dict[str, tuple[Callable[[Any], object], object]] = {
    "find": (lambda m: m.find(b"\0"), 0),
    "rfind": (lambda m: m.rfind(b"\0"), LENGTH - 1),
    "count": (lambda m: m.count(b"\0"), LENGTH),
    "find_all": (lambda m: next(m.find_all(b"\0")), 0),
    "m[:5]": (lambda m: m[:5], bytes(5)),
    "m[:5] =": (lambda m: m.__setitem__(slice(5), bytes(5)), None),
    "read": (lambda m: m.read(5), bytes(5)),
    "write": (lambda m: m.write(bytes(5)), 5),
    "readline": (lambda m: len(m.readline()), LENGTH),
}


def first_in_a_child(name: str) -> None:
    """In the child no thread stores."""
    use, expected = FIRST_IN_A_CHILD[name]
    stall = Stall()
    stall.start(lambda: stall.map.move(0, 1, LENGTH - 1))

    def check() -> None:
        assert use(stall.map) == expected
        stall.map.close()

    in_a_child(check)
    stall.finish()
    stall.map.close()


def forked_in_the_middle(change: str) -> None:
    """A handler forks, and goes on in the child, where no other thread uses the map."""
    parent = os.getpid()
    seen: list[int] = []
    other = private_map()
    at = address_of(other)

    def act(m: Any) -> None:
        # A thread that is not in the child stores.
        pause = Pause(lambda: advise(m))
        child = os.fork()
        if child != 0:
            pause.finish()
            seen.append(os.waitpid(child, 0)[1])
            return
        end_in_time()
        seen.append(address_of(m))
        other.close()
        assert not is_mapped(at)
        if change == "close":
            m.close()
            assert is_mapped(seen[0])

    result, stall = suspend(lambda m: m.count(b"\0"), act)
    if os.getpid() != parent:
        if change == "close":
            good = result.error is ValueError and not is_mapped(seen[0])
        else:
            stall.map[0] = 1
            stall.map.close()
            good = result.value == 8 * LENGTH and not is_mapped(seen[0])
        os._exit(not good)
    assert seen == [0]
    assert result.value == 8 * LENGTH
    stall.map.close()


def forked_by_a_thread() -> None:
    """A thread forks while a handler has closed the map. In the child, which has only that thread,
    close() unmaps it."""
    seen: list[int] = []

    def fork(m: Any) -> None:
        child = os.fork()
        if child == 0:
            end_in_time()
            good = is_mapped(seen[0])
            m.close()
            os._exit(not good or is_mapped(seen[0]))
        seen.append(os.waitpid(child, 0)[1])

    def act(m: Any) -> None:
        seen.append(address_of(m))
        m.close()
        thread = threading.Thread(target=fork, args=(m,))
        thread.start()
        thread.join()

    result, _ = suspend(lambda m: m.count(b"\0"), act)
    assert result.error is ValueError
    assert seen[1:] == [0]
    assert not is_mapped(seen[0])


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


def forked_while_it_waits(use: Callable[[Any], object]) -> None:
    """A handler forks while an operation waits. In the child it waits for no thread any more."""
    parent = os.getpid()
    stall = Stall()
    m = stall.map
    seen: list[int] = []

    def act() -> None:
        child = os.fork()
        if child == 0:
            end_in_time()
            m[1] = 1
        else:
            seen.append(os.waitpid(child, 0)[1])
            stall.finish()

    stall.start(lambda: m.move(0, 1, LENGTH - 1))
    handler = Handler(act)
    result = outcome(use, m)
    assert handler.ran
    if os.getpid() != parent:
        # The lock is free.
        m.close()
        os._exit(result.error is not None)
    assert (seen, result.error) == ([0], None)
    m.close()


# ---- the end of the interpreter ----------------------------------------------------------------


def at_the_end(uses: list[Callable[[], object]], pause: Pause) -> None:
    """Has the interpreter do this when it has forgotten everything else, and print the results."""

    def result(use: Callable[[], object], error: type[Exception] = RuntimeError) -> bytes:
        try:
            return b"%r " % (use(),)
        except error:
            return b"in use "

    class Last:
        # Names of modules are gone by then.
        def __del__(self, write: Callable[[int, bytes], int] = os.write) -> None:
            for use in uses:
                write(1, result(use))
            pause.results.clear()

    builtins.last = Last()  # type: ignore[attr-defined]


def leave() -> None:
    """While the interpreter shuts down, nothing waits for a daemon thread that has the lock. But
    what it uses is not closed."""
    m = file_map()
    pause = Pause(m.flush, daemon=True)
    store = functools.partial(m.__setitem__, 0, 7)
    read = functools.partial(m.__getitem__, slice(0, 2))
    at_the_end([store, read, m.flush, m.close], pause)


def leave_during_a_resize() -> None:
    """Nothing uses a map that a daemon thread was resizing."""
    m = file_map()
    pause = Pause(lambda: m.resize(5), daemon=True)
    at_the_end([functools.partial(m.__getitem__, 0), m.__len__, m.close], pause)


CASES: dict[str, Callable[[], None]] = {
    "order": order,
    "short work first": short_work_first,
    "keeps the GIL": keeps_the_gil,
    "quick on two maps": quick_on_two_maps,
    "releases the GIL in the middle": releases_the_gil_in_the_middle,
    "served together": served_together,
    "reads together": reads_together,
    "stores beside looks": stores_beside_looks,
    "matches of two threads": matches_of_two_threads,
    **{
        f"{name} after a resize": lambda case=case: after_resize(5, *case)
        for name, case in AFTER_RESIZE.items()
    },
    **{
        f"{name} after a long growth": lambda case=case: after_resize(2 * LENGTH, *case)
        for name, case in AFTER_LONG_GROWTH.items()
    },
    "loaded before a resize": loaded_before_a_resize,
    **{
        f"{name} after a close": lambda name=name: after_close(name)
        for name in AFTER_RESIZE
        if name != "find_all"
    },
    **{f"{name} after a growth": lambda name=name: after_growth(name) for name in AFTER_GROWTH},
    **{f"{name} after a store": lambda name=name: after_store(name) for name in AFTER_STORE},
    "export while resize waits": export_while_resize_waits,
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
    "in a child: reads": lambda: in_a_child(reads_together),
    "in a child: close": lambda: in_a_child(stalled.close_waits),
    "in a child: order": lambda: in_a_child(order),
    **{
        f"{name} first in a child": lambda name=name: first_in_a_child(name)
        for name in FIRST_IN_A_CHILD
    },
    "forked in the middle": lambda: forked_in_the_middle("fork"),
    "forked in the middle and closed": lambda: forked_in_the_middle("close"),
    "forked by a thread": forked_by_a_thread,
    "close() that waits is forked": lambda: forked_while_it_waits(lambda m: m.close()),
    "a read that waits is forked": lambda: forked_while_it_waits(lambda m: m[:]),
    "a store that waits is forked": lambda: forked_while_it_waits(lambda m: m.write(bytes(9))),
}
if not HAS_GIL:
    del CASES["keeps the GIL"], CASES["short work first"]


if importlib.util.find_spec("greenlet") is not None:
    CASES["greenlets"] = greenlets


def run(name: str) -> None:
    stalled.run(name, CASES)
