"""Operations that stop half-way until the test lets them continue, by two means of Linux.

userfaultfd(2): a thread that accesses, unmaps or moves the middle of a map waits.
seccomp(2): a thread waits in a system call.
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
import tempfile
import threading
import time
import traceback
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


def can_stall() -> bool:
    result = outcome(open_userfaultfd)
    if result.error is None:
        os.close(result.value)
    return result.error is None


def address_of(m: ironmap.mmap) -> int:
    with memoryview(m) as view:
        return ctypes.addressof(ctypes.c_char.from_buffer(view))


def wait_for_input(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll()


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
        wait_for_input(self.descriptor)

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


# ---- system calls ----------------------------------------------------------------------------

SECCOMP = {"x86_64": 317, "aarch64": 277, "riscv64": 277}
MMAP = {"x86_64": 9, "aarch64": 222, "riscv64": 222}
MSYNC = {"x86_64": 26, "aarch64": 227, "riscv64": 227}
FTRUNCATE = {"x86_64": 77, "aarch64": 46, "riscv64": 46}
MADVISE = {"x86_64": 28, "aarch64": 233, "riscv64": 233}
# Where the arguments are, and which ones: those that the interpreter does not use.
FLAGS, MAP_FIXED = 40, 0x10
ADVICE, MADV_RANDOM = 32, 1
NO_NEW_PRIVILEGES = 38
NEW_LISTENER = 1 << 3
LOAD, JUMP_EQUAL, JUMP_SET, RETURN = 0x20, 0x15, 0x45, 0x06
ASK_LISTENER, ALLOW = 0x7FC00000, 0x7FFF0000
RECEIVE, SEND = 0xC0502100, 0xC0182101
NOTIFICATION = 80  # bytes
CONTINUE = 1


def listen() -> int:
    """From now on, this thread waits when it flushes a map, truncates a file, maps something at a
    fixed address or advises MADV_RANDOM. A descriptor for those who let it continue; OSError if
    there is none."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in SECCOMP:
        raise OSError("seccomp is not known here")
    code = [
        (LOAD, 0, 0, 0),
        (JUMP_EQUAL, 7, 0, MSYNC[machine]),
        (JUMP_EQUAL, 6, 0, FTRUNCATE[machine]),
        (JUMP_EQUAL, 3, 0, MMAP[machine]),
        (JUMP_EQUAL, 0, 5, MADVISE[machine]),
        (LOAD, 0, 0, ADVICE),
        (JUMP_EQUAL, 2, 3, MADV_RANDOM),
        (LOAD, 0, 0, FLAGS),
        (JUMP_SET, 0, 1, MAP_FIXED),
        (RETURN, 0, 0, ASK_LISTENER),
        (RETURN, 0, 0, ALLOW),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    whole = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(code), ctypes.addressof(program))
    )
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    descriptor: int = library.syscall(SECCOMP[machine], 1, NEW_LISTENER, whole)
    if descriptor == -1:
        code_of_error = ctypes.get_errno()
        raise OSError(code_of_error, os.strerror(code_of_error))
    return descriptor


def can_listen() -> bool:
    """Tries it in a thread that ends. The address sanitizer itself maps at fixed addresses when a
    thread ends, and does not survive that this fails."""
    if "asan" in os.environ.get("LD_PRELOAD", ""):
        return False
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(outcome(listen)))
    thread.start()
    thread.join()
    if results[0].error is None:
        os.close(results[0].value)
    return results[0].error is None


class Pause:
    """A thread that waits in a system call."""

    def __init__(self, use: Callable[[], Any], *, daemon: bool = False) -> None:
        """Runs `use` in a thread until it waits."""
        self.results: list[Any] = []
        self.descriptor = -1
        ready = threading.Event()

        def work() -> None:
            self.descriptor = listen()
            ready.set()
            self.results.append(outcome(use))

        self.thread = threading.Thread(target=work, daemon=daemon)
        self.thread.start()
        ready.wait()
        wait_for_input(self.descriptor)
        assert self.results == []

    def finish(self) -> Any:
        """Lets the thread continue to its end, and returns its result."""
        import fcntl

        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        while self.thread.is_alive():
            if poll.poll(10) != [(self.descriptor, select.POLLIN)]:
                continue
            notification = bytearray(NOTIFICATION)
            fcntl.ioctl(self.descriptor, RECEIVE, notification)
            number = struct.unpack_from("Q", notification)[0]
            fcntl.ioctl(
                self.descriptor, SEND, bytearray(struct.pack("QqiI", number, 0, 0, CONTINUE))
            )
        self.thread.join()
        os.close(self.descriptor)
        assert self.results[0].error is None, self.results
        return self.results[0].value


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
        "in": lambda: b"\0" in m,
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


def in_thread(use: Callable[[], object], results: list[Any]) -> threading.Thread:
    thread = threading.Thread(target=lambda: results.append(outcome(use)))
    thread.start()
    return thread


# ---- cases -----------------------------------------------------------------------------------

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


def run(name: str, cases: dict[str, Callable[[], None]] = CASES | PAUSED_CASES) -> None:
    """Runs a case. An operation that kept the GIL would wait until the alarm ends the process.

    If the case fails, a thread that still waits must not keep the process.
    """
    signal.alarm(60)
    try:
        cases[name]()
    except BaseException:  # noqa: BLE001 - whatever failed
        traceback.print_exc()
        os._exit(1)
