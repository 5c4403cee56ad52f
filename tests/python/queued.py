"""Operations that wait for a map: who is served next, and what it sees then.

Uses operations that stop half-way: see stalled.py.
"""

from __future__ import annotations

import functools
import gc
import itertools
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import ironmap
from stalled import LENGTH, MIDDLE, WORK, Pause, Stall, in_thread
from stalled_cases import check_waits
from support import outcome
from waiting import ASLEEP, HAS_GIL, Line, advise, contend, file_map, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable


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
}
if not HAS_GIL:
    del CASES["keeps the GIL"], CASES["short work first"]
