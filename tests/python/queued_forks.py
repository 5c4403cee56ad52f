"""Forks, and the end of the interpreter, while threads wait for a map.

Uses operations that stop half-way: see stalled.py.
"""

from __future__ import annotations

import builtins
import functools
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

from queued import order, reads_together
from stalled import LENGTH, Pause, Stall, address_of
from stalled_cases import close_waits
from support import outcome
from waiting import Handler, advise, file_map, is_mapped, private_map, suspend

if TYPE_CHECKING:
    from collections.abc import Callable


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
    "in a child: reads": lambda: in_a_child(reads_together),
    "in a child: close": lambda: in_a_child(close_waits),
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
