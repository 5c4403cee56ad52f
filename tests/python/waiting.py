"""Tools of queued.py, queued_handlers.py and queued_forks.py: threads that wait for a map, and
handlers that run meanwhile.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ironmap
from stalled import LENGTH, Pause, Stall
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


def file_map() -> Any:
    with tempfile.TemporaryFile() as file:
        file.truncate(LENGTH)
        m = ironmap.mmap(file.fileno(), 0)
    # A map that was exported maps something at a fixed address when it is resized.
    memoryview(m).release()
    return m


def private_map() -> Any:
    return ironmap.mmap(-1, LENGTH, flags=ironmap.MAP_PRIVATE)


def is_mapped(address: int) -> bool:
    """True as long as private memory is there, and not what keeps the addresses after that."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        limits, permissions = line.split()[:2]
        begin, end = (int(limit, 16) for limit in limits.split("-"))
        if begin <= address < end:
            return permissions == "rw-p"
    return False


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
