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
import threading
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


def run(name: str, cases: dict[str, Callable[[], None]]) -> None:
    """Runs a case. An operation that kept the GIL would wait until the alarm ends the process.

    If the case fails, a thread that still waits must not keep the process.
    """
    signal.alarm(60)
    try:
        cases[name]()
    except BaseException:  # noqa: BLE001 - whatever failed
        traceback.print_exc()
        os._exit(1)
