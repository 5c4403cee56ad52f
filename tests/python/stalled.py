"""A map whose memory stalls: a thread that accesses, unmaps or moves its middle waits for the test.

Uses userfaultfd(2) of Linux, for tests that must stop an operation half-way.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import select
import signal
import struct
import sys
import threading
import time
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import ironmap
from support import outcome

if TYPE_CHECKING:
    from collections.abc import Callable

SYSTEM_CALLS = {"x86_64": 323, "aarch64": 282, "riscv64": 282}
USER_MODE_ONLY = 1
API, REGISTER = 0xC018AA3F, 0xC020AA00
VERSION = 0xAA
EVENTS = 1 << 2 | 1 << 3 | 1 << 6  # moved, emptied, unmapped
MISSING = 1
PAGE_FAULT = 0x12
MESSAGE = 32  # bytes

LENGTH = 1 << 20
# An operation accesses the bytes at both ends while it has the GIL, as it may for so few.
MIDDLE, MIDDLE_LENGTH = LENGTH // 2, LENGTH // 4


def open_userfaultfd() -> int:
    """A descriptor; OSError if there is none."""
    number = SYSTEM_CALLS.get(platform.machine())
    if sys.platform != "linux" or number is None:
        raise OSError("userfaultfd is not known here")
    import fcntl

    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.syscall(number, os.O_CLOEXEC | os.O_NONBLOCK | USER_MODE_ONLY)
    if descriptor == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    fcntl.ioctl(descriptor, API, bytearray(struct.pack("QQQ", VERSION, EVENTS, 0)))
    return descriptor


def address_of(m: ironmap.mmap) -> int:
    with memoryview(m) as view:
        return ctypes.addressof(ctypes.c_char.from_buffer(view))


class Stall:
    """A map of new memory whose middle has not been accessed."""

    def __init__(self, times: int = 1) -> None:
        import fcntl

        self.descriptor = open_userfaultfd()
        self.map: Any = ironmap.mmap(-1, LENGTH * times, flags=ironmap.MAP_PRIVATE)
        self.begin = address_of(self.map) + MIDDLE * times
        gc.collect()
        arguments = struct.pack("QQQQ", self.begin, MIDDLE_LENGTH * times, MISSING, 0)
        fcntl.ioctl(self.descriptor, REGISTER, bytearray(arguments))
        self.results: list[Any] = []

    def wait(self) -> None:
        """Waits until a thread waits."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        poll.poll()

    def start(self, use: Callable[[], Any]) -> None:
        """Runs `use` in a thread until it waits."""
        self.thread = threading.Thread(target=lambda: self.results.append(use()))
        self.thread.start()
        self.wait()
        assert self.results == []

    def finish(self) -> Any:
        """Lets the thread continue to its end, and returns its result."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        while self.thread.is_alive():
            if poll.poll(10) and os.read(self.descriptor, MESSAGE)[0] == PAGE_FAULT:
                break
        # Without the descriptor nothing waits any more.
        os.close(self.descriptor)
        self.thread.join()
        return self.results[0]


# ---- operations ------------------------------------------------------------------------------


def read_into(m: Any) -> object:
    buffer = bytearray(LENGTH)
    return m.readinto(buffer), buffer.count(0)


WORK: dict[str, tuple[Callable[[Any], object], object]] = {
    "m[:]": (lambda m: m[:], bytes(LENGTH)),
    "m[::2]": (lambda m: m[::2], bytes(LENGTH // 2)),
    "m[::-8192]": (lambda m: m[::-8192], bytes(LENGTH // 8192)),
    "m[:] = bytes": (lambda m: m.__setitem__(slice(None), bytes(LENGTH)), None),
    "m[::4096] = bytes": (lambda m: m.__setitem__(slice(None, None, 4096), bytes(256)), None),
    "find": (lambda m: m.find(b"absent"), -1),
    "rfind": (lambda m: m.rfind(b"absent"), -1),
    "count": (lambda m: m.count(b"absent"), 0),
    "find_all": (lambda m: list(m.find_all(b"absent")), []),
    "read": (lambda m: m.read(), bytes(LENGTH)),
    "readinto": (read_into, (LENGTH, LENGTH)),
    "readline": (lambda m: m.readline(), bytes(LENGTH)),
    "readlines": (lambda m: m.readlines(), [bytes(LENGTH)]),
    "lines": (lambda m: next(m.lines()), bytes(LENGTH)),
    "lines without ends": (lambda m: next(m.lines(keepends=False)), bytes(LENGTH)),
    "write": (lambda m: m.write(bytes(LENGTH)), LENGTH),
    "move": (lambda m: m.move(0, LENGTH // 4, LENGTH // 2), None),
    "madvise": (lambda m: m.madvise(ironmap.MADV_DONTNEED), None),
}


INTERRUPTED: dict[str, Callable[[Any], object]] = {
    "read": lambda m: m.read(),
    "readinto": lambda m: m.readinto(bytearray(len(m))),
    "readinto another map": lambda m: m.readinto(ironmap.mmap(-1, len(m))),
    "write": lambda m: m.write(bytes(len(m) - 3)),
}


def kinds(uses: dict[str, Callable[[], object]]) -> dict[str, str]:
    """The name of the exception that each raises, or "" if none."""
    errors = {name: outcome(use).error for name, use in uses.items()}
    return {name: error.__name__ if error else "" for name, error in errors.items()}


def all_uses(m: Any) -> dict[str, Callable[[], object]]:
    """All operations that fail on a closed map."""
    lines = m.lines()
    found = m.find_all(b"\0")
    guarded = m.guarded()
    return {
        "len": lambda: len(m),
        "bool": lambda: bool(m),
        "m[i]": lambda: m[0],
        "m[a:b]": lambda: m[0:5],
        "m[i] = n": lambda: m.__setitem__(0, 0),
        "m[a:b] = bytes": lambda: m.__setitem__(slice(0, 2), b"\0\0"),
        "del m[i]": lambda: m.__delitem__(0),
        "in": lambda: b"a" in m,
        "iter": lambda: next(iter(m)),
        "memoryview": lambda: memoryview(m),
        "bytes": lambda: bytes(m),
        "find": lambda: m.find(b"\0"),
        "rfind": lambda: m.rfind(b"\0"),
        "count": lambda: m.count(b"\0"),
        "find_all": lambda: m.find_all(b"\0"),
        "next(find_all)": lambda: next(found),
        "read": lambda: m.read(1),
        "readinto": lambda: m.readinto(bytearray(1)),
        "into it": lambda: ironmap.mmap(-1, 1).readinto(m),
        "read_byte": m.read_byte,
        "readline": m.readline,
        "readlines": m.readlines,
        "lines": m.lines,
        "next(lines)": lambda: next(lines),
        "write": lambda: m.write(b"\0"),
        "write_byte": lambda: m.write_byte(0),
        "seek": lambda: m.seek(0),
        "tell": m.tell,
        "size": m.size,
        "flush": m.flush,
        "move": lambda: m.move(0, 1, 1),
        "madvise": lambda: m.madvise(ironmap.MADV_NORMAL),
        "set_name": lambda: m.set_name("name"),
        "resize": lambda: m.resize(LENGTH),
        "damaged": lambda: m.damaged,
        "clear_damage": m.clear_damage,
        "guarded": m.guarded,
        "guarded enter": guarded.__enter__,
        "with": m.__enter__,
    }


def leave_with_an_exception(m: ironmap.mmap) -> None:
    """The end of a block that an exception leaves is no error, and the map in use stays open."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        m.__exit__(KeyError, KeyError(), None)
    assert [warning.category for warning in warned] == [ResourceWarning]
    assert not m.closed


# ---- cases -----------------------------------------------------------------------------------


def work(name: str) -> None:
    """Other threads run and use the map, but cannot close or resize it."""
    use, result = WORK[name]
    stall = Stall()
    stall.start(lambda: use(stall.map))
    refused = kinds({"close": stall.map.close, "resize": lambda: stall.map.resize(LENGTH - 1)})
    assert refused == {"close": "BufferError", "resize": "BufferError"}
    leave_with_an_exception(stall.map)
    assert (stall.map[0], len(stall.map), stall.map.closed) == (0, LENGTH, False)
    assert stall.finish() == result
    stall.map.resize(5)
    stall.map.close()


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
    """Other threads run, but cannot use the map until it has its new length."""
    stall = Stall()
    m = stall.map
    uses = all_uses(m)
    m.seek(7)
    stall.start(lambda: m.resize(length))
    refused = kinds({**uses, "close": m.close, "exit": lambda: m.__exit__(None, None, None)})
    assert set(refused.values()) == {"BufferError"}, refused
    leave_with_an_exception(m)
    assert m.closed is False
    assert repr(m) == "<mmap.mmap closed=False, resizing>"
    assert sys.getsizeof(m) > 0
    assert stall.finish() is None
    assert (len(m), m.tell()) == (length, 7)
    assert m.read(1) == b"\0"
    m.close()
    assert set(kinds(uses).values()) <= {"ValueError", "TypeError"}


def guarded() -> None:
    """A guarded block that ends during a resize raises BufferError, but replaces no exception."""
    stall = Stall()
    block = stall.map.guarded()
    block.__enter__()
    block.__enter__()
    stall.start(lambda: stall.map.resize(5))
    assert kinds({"exit": lambda: block.__exit__(None, None, None)}) == {"exit": "BufferError"}
    assert block.__exit__(KeyError, KeyError(), None) is False
    stall.finish()
    assert block.__exit__(None, None, None) is False


def close() -> None:
    """Other threads see the map as closed from the beginning of close()."""
    stall = Stall()
    uses = all_uses(stall.map)
    stall.start(stall.map.close)
    assert stall.map.closed is True
    assert repr(stall.map) == "<mmap.mmap closed=True>"
    assert set(kinds(uses).values()) <= {"ValueError", "TypeError"}
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
    """In the child no thread finishes the resize, so the map stays unusable there."""
    stall = Stall()
    stall.start(lambda: stall.map.resize(5))
    child = os.fork()
    if child == 0:
        found = kinds({"item": lambda: stall.map[0], "close": stall.map.close})
        os._exit(found != {"item": "BufferError", "close": "BufferError"})
    assert os.waitpid(child, 0)[1] == 0
    assert stall.finish() is None
    assert len(stall.map) == 5


CASES: dict[str, Callable[[], None]] = {
    **{name: lambda name=name: work(name) for name in WORK},
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
    "fork": fork,
}


def run(name: str) -> None:
    """Runs a case. An operation that kept the GIL would wait until the alarm ends the process.

    If the case fails, a thread that still waits must not keep the process.
    """
    signal.alarm(60)
    try:
        CASES[name]()
    except BaseException:  # noqa: BLE001 - whatever failed
        traceback.print_exc()
        os._exit(1)
