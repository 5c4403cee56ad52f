"""No leaks of references, memory, address space or descriptors.

Each operation and each error path runs many times; what has grown after the first rounds, which
fill caches, has leaked.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from reentrancy_cases import CALLS, make
from support import PAGE, open_descriptors, outcome, same_in_every_process
from system import HAS_FLAGS, HAS_SYNC_FLAGS, PRIVATE, needs_lost_pages
from test_bad_input import BAD_CALLS, STORES
from test_lifecycle import USES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = int(os.environ.get("IRONMAP_LEAK_ROUNDS", "100"))
# The fields of struct mallinfo2 of the GNU C library.
MALLINFO = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
MEBIBYTE = 1 << 20


class Argument:
    """An object whose references are counted."""

    def __init__(self) -> None:
        self.value = object()

    def __index__(self) -> int:
        return 5


@pytest.fixture(scope="module", autouse=True)
def only_what_is_new_is_collected() -> Iterator[None]:
    """Excludes older objects from garbage collection, which makes it fast."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


class HeapOfC(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in MALLINFO.split()]


def heap_of_c() -> int:
    """Bytes that are allocated with malloc; 0 if the C library does not report them."""
    ask = getattr(ctypes.CDLL(None), "mallinfo2", None) if HAS_FLAGS else None
    if ask is None:
        return 0
    ask.restype = HeapOfC
    return int(ask().uordblks)


def all_references() -> int:
    """Of all objects, in a debug build of Python; else 0."""
    count: Callable[[], int] = getattr(sys, "gettotalrefcount", int)
    return count()


def grown(use: Callable[[], object], times: int) -> dict[str, int]:
    """Growth of memory in use with the rounds: in references, in blocks of Python, and in bytes of
    Python and of C."""

    def rounds() -> None:
        for _ in range(times):
            outcome(use)
        gc.collect()

    rounds()
    before = all_references(), sys.getallocatedblocks(), heap_of_c()
    rounds()
    after = all_references(), sys.getallocatedblocks(), heap_of_c()
    tracemalloc.start()
    try:
        rounds()
        traced = tracemalloc.get_traced_memory()[0]
        rounds()
        traced = tracemalloc.get_traced_memory()[0] - traced
    finally:
        tracemalloc.stop()
    references, blocks, heap = (now - then for now, then in zip(after, before, strict=True))
    return {"references": references, "blocks": blocks, "heap": heap, "bytes": traced}


def has_grown(use: Callable[[], object], times: int = ROUNDS) -> dict[str, int] | None:
    """Checks for less than one object in two rounds, since the interpreter keeps some itself."""
    leaked = {}
    for _ in range(3):
        leaked = grown(use, times)
        if (
            leaked["references"] < times // 2
            and leaked["blocks"] < times // 2
            and leaked["bytes"] < 8 * times
            and leaked["heap"] < 16 * times
        ):
            return None
    return leaked


def assert_no_growth(use: Callable[[], object], times: int = ROUNDS) -> None:
    descriptors = open_descriptors()
    assert has_grown(use, times) is None
    assert open_descriptors() == descriptors


def test_leak_of_references_is_found() -> None:
    kept: list[object] = []
    assert has_grown(lambda: kept.append(object())) is not None


def test_leak_in_c_is_found() -> None:
    if heap_of_c() == 0:
        pytest.skip("this C library does not tell how much is allocated (mallinfo2)")
    c = ctypes.CDLL(None)
    c.malloc.restype = ctypes.c_void_p
    kept: list[int] = []
    assert has_grown(lambda: kept.append(c.malloc(100))) is not None
    for address in kept:
        c.free(ctypes.c_void_p(address))


OTHER = ironmap.mmap(-1, 50)
GOOD_CALLS: dict[str, Callable[[Any], object]] = {
    **{name: use for name, use in USES.items() if name != "enter"},
    "find something": lambda m: m.find(b"\5\6", 0, None),
    "find all of more": lambda m: m.find_all(b"ab"),
    "find another map": lambda m: m.find(OTHER),
    "find any bytes-like": lambda m: m.find(bytearray(b"\5")),
    "flags": lambda m: m.flush(0, 5, flags=ironmap.MS_ASYNC if HAS_SYNC_FLAGS else 0),
    "repr": repr,
    "large slice": lambda m: m[:],
    "backwards": lambda m: m[::-1],
    "set by itself": lambda m: m.__setitem__(slice(None), m),
    "set by a byte": lambda m: m.__setitem__(0, b"a"),
    "write a byte": lambda m: m.write_byte(b"a"),
    "write any bytes-like": lambda m: m.write(memoryview(b"abc")),
    "resize up and down": lambda m: (m.resize(9 * PAGE), m.resize(3 * PAGE)),
    "integer-likes": lambda m: (m.seek(Argument()), m[Argument()], m.read(Argument())),
    "export": lambda m: [memoryview(m), memoryview(m)[3:5]],
    "sizeof": sys.getsizeof,
}


@pytest.mark.parametrize("name", GOOD_CALLS)
def test_call_leaks_nothing(name: str) -> None:
    with make() as m:

        def use() -> None:
            m.seek(7)
            GOOD_CALLS[name](m)

        assert outcome(use).error in (None, TypeError, ValueError)
        assert_no_growth(use)


@pytest.mark.parametrize(("name", "arguments"), BAD_CALLS, ids=same_in_every_process)
def test_bad_call_leaks_nothing(name: str, arguments: tuple[object, ...]) -> None:
    with make() as m:
        assert_no_growth(lambda: getattr(m, name)(*arguments))


@pytest.mark.parametrize(("name", "arguments"), STORES, ids=str)
def test_store_into_a_read_only_map_leaks_nothing(name: str, arguments: tuple[object, ...]) -> None:
    with make(access=ironmap.ACCESS_READ) as m:
        assert_no_growth(lambda: getattr(m, name)(*arguments))


@pytest.mark.parametrize("name", USES)
def test_use_of_a_closed_map_leaks_nothing(name: str) -> None:
    m = make()
    m.close()
    assert_no_growth(lambda: USES[name](m))


@pytest.mark.parametrize("name", CALLS)
def test_closing_in_the_middle_leaks_nothing(name: str) -> None:
    def use() -> None:
        m = make()
        outcome(CALLS[name], m, m.close)

    assert_no_growth(use)


def with_exports(m: Any) -> None:
    """What cannot be done while a buffer is exported."""
    with memoryview(m) as view:
        outcome(m.close)
        outcome(m.resize, PAGE)
        outcome(m.__exit__, None, None, None)
        outcome(m.__exit__, ValueError, ValueError(), None)
        view[0] = view[1]


def guarded_blocks(m: Any) -> None:
    with m.guarded():
        m[0] = 1
    outcome(m.guarded().__exit__, None, None, None)
    with contextlib.suppress(KeyError), m.guarded(), m.guarded():
        raise KeyError


def iterators(m: Any) -> None:
    """To their end, and left in the middle."""
    for made in (m.lines(), m.lines(3, 50, keepends=False), m.find_all(b"\5"), iter(m)):
        next(made)
        next(made, None)
    list(m.lines())
    list(m.find_all(b"\5\6", overlapping=True))
    found = m.find_all(bytearray(b"\5"))
    next(found)
    m.resize(PAGE)
    outcome(list, found)
    m.resize(3 * PAGE)


LONGER = {"exports": with_exports, "blocks": guarded_blocks, "iterators": iterators}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", LONGER)
def test_longer_use_leaks_nothing(name: str) -> None:
    with make() as m:
        assert_no_growth(lambda: LONGER[name](m))


LOST: dict[str, Callable[[Any], object]] = {
    "m[i]": lambda m: m[2 * PAGE],
    "m[i] =": lambda m: m.__setitem__(2 * PAGE, 1),
    "m[:]": lambda m: m[:],
    "m[::2]": lambda m: m[::2],
    "m[:] =": lambda m: m.__setitem__(slice(None), bytes(3 * PAGE)),
    "read": lambda m: m.read(),
    "readinto": lambda m: m.readinto(bytearray(3 * PAGE)),
    "readline": lambda m: m.readline(),
    "readlines": lambda m: m.readlines(),
    "write": lambda m: m.write(bytes(3 * PAGE)),
    "find": lambda m: m.find(b"absent"),
    "rfind": lambda m: m.rfind(b"absent"),
    "count": lambda m: m.count(b"absent"),
    "find_all": lambda m: list(m.find_all(b"absent")),
    "lines": lambda m: list(m.lines()),
    "move": lambda m: m.move(0, PAGE, 2 * PAGE),
    "to another map": lambda m: ironmap.mmap(-1, 3 * PAGE).__setitem__(slice(None), m),
    "from another map": lambda m: m.write(ironmap.mmap(-1, 3 * PAGE)),
    "its bytes elsewhere": lambda m: ironmap.mmap(-1, 3 * PAGE).find(m),
}


def lost_under_an_export(m: Any) -> object:
    with memoryview(m) as view:
        view[2 * PAGE]
    outcome(m.tell)
    damaged = m.damaged
    m.clear_damage()
    return damaged


def lost_in_a_guarded_block(m: Any) -> None:
    with m.guarded():
        memoryview(m)[2 * PAGE]


LOST |= {"export": lost_under_an_export, "guarded block": lost_in_a_guarded_block}


@needs_lost_pages
@pytest.mark.parametrize("name", LOST)
def test_lost_page_leaks_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "lost"
    path.write_bytes(bytes(3 * PAGE))
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as m:

        def lose() -> None:
            os.truncate(path, 3 * PAGE)
            m.seek(0)
            os.truncate(path, PAGE)
            outcome(LOST[name], m)
            outcome(m.clear_damage)

        assert_no_growth(lose)


HANDLERS: dict[str, Callable[[Any], object]] = {
    "raises": lambda _: {}["absent"],
    "closes": lambda m: m.close(),
    "resizes": lambda m: m.resize(PAGE),
    "uses and raises": lambda m: (m.find(b"absent", 0, MEBIBYTE), m.__setitem__(0, "")),
}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers")
@pytest.mark.parametrize("name", HANDLERS)
def test_handler_in_the_middle_leaks_nothing(name: str) -> None:
    ran: list[str] = []

    def use() -> None:
        # Work looks for signals after 50 ms. Much of it is not accessed, and so needs no memory.
        with ironmap.mmap(-1, 1 << 30, **PRIVATE) as m:

            def handle(*_: object) -> None:
                ran[:] = [name]
                HANDLERS[name](m)

            signal.signal(signal.SIGALRM, handle)
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            m.find(b"absent")

    old = signal.getsignal(signal.SIGALRM)
    try:
        # Without a GIL, the interpreter frees a few objects later.
        assert_no_growth(use, 10 if getattr(sys, "_is_gil_enabled", lambda: True)() else 40)
    finally:
        signal.signal(signal.SIGALRM, old)
    assert ran == [name]


MAKING: dict[str, Callable[[], object]] = {
    "a file": lambda: make().close(),
    "a file left to the collector": make,
    "at an offset": lambda: make(offset=PAGE + 1),
    "a copy": lambda: make(access=ironmap.ACCESS_COPY),
    "without a descriptor": lambda: make(trackfd=False),
    "the size of one without": lambda: make(trackfd=False).size(),
    "a new size of one without": lambda: make(trackfd=False).resize(5),
    "anonymous": lambda: ironmap.mmap(-1, PAGE),
    "more anonymous memory": lambda: ironmap.mmap(-1, PAGE).resize(2 * PAGE),
    "a tag": lambda: ironmap.mmap(-1, PAGE, tagname=f"leaks-{os.getpid()}").close(),
    "a tag without a map": lambda: ironmap.mmap(-1, 0, tagname=f"leaks-{os.getpid()}"),
    "a tag with a bad name": lambda: ironmap.mmap(-1, 1, tagname="/"),
    "a name that is too long": lambda: ironmap.mmap(-1, PAGE).set_name("x" * 100),
    "what cannot be read": lambda: ironmap.mmap(-1, PAGE, prot=0)[0:5],
    "what cannot be exported": lambda: memoryview(ironmap.mmap(-1, PAGE, prot=0)),
    "a context": lambda: make().__enter__().__exit__(None, None, None),
    "too long": lambda: make(offset=5 * PAGE),
    "both access and flags": lambda: make(access=1, flags=2),
    "an unknown keyword": lambda: make(no_such=1),
    "no such descriptor": lambda: ironmap.mmap(99999, 5),
    "nothing": lambda: ironmap.mmap(-1, 0),
    "too much memory": lambda: ironmap.mmap(-1, 1 << 62),
    "wrong types": lambda: ironmap.mmap("a", 5),
    "a subclass": lambda: type("Sub", (ironmap.mmap,), {})(-1, 5),
}


@pytest.mark.parametrize("name", MAKING)
def test_opening_leaks_nothing(name: str) -> None:
    assert_no_growth(MAKING[name])


def test_arguments_keep_their_references() -> None:
    watched: list[Any] = [bytearray(b"abcde"), Argument(), b"needle", "text", None, True]
    uses = [
        lambda m, a: m.find(a),
        lambda m, a: m.rfind(b"a", a),
        lambda m, a: m.find(b"a", 0, a),
        lambda m, a: m.write(a),
        lambda m, a: m.write_byte(a),
        lambda m, a: m.seek(a),
        lambda m, a: m.seek(0, a),
        lambda m, a: m.read(a),
        lambda m, a: m[a],
        lambda m, a: m.__setitem__(0, a),
        lambda m, a: m.__setitem__(a, 0),
        lambda m, a: m.__setitem__(slice(0, 5), a),
        lambda m, a: m.move(a, a, a),
        lambda m, a: m.flush(a, a),
        lambda m, a: m.flush(flags=a),
        lambda m, a: m.madvise(0, a, a),
        lambda m, a: m.resize(a),
        lambda m, a: m.set_name(a),
        lambda m, a: m.__exit__(a, a, a),
        lambda m, a: a in m,
    ]
    for argument in watched:
        for position, use in enumerate(uses):
            with make() as m, make(access=ironmap.ACCESS_READ) as read_only:
                before = sys.getrefcount(argument)
                for _ in range(ROUNDS):
                    outcome(use, m, argument)
                    outcome(use, read_only, argument)
                change = sys.getrefcount(argument) - before
                assert abs(change) < ROUNDS // 2, (position, argument)


def test_maps_and_the_class_keep_their_references() -> None:
    with make() as m:
        before = sys.getrefcount(m), sys.getrefcount(ironmap.mmap)
        for use in GOOD_CALLS.values():
            outcome(use, m)
        for _ in range(ROUNDS):
            make()
            ironmap.mmap(-1, 5).close()
        gc.collect()
        after = sys.getrefcount(m), sys.getrefcount(ironmap.mmap)
        assert abs(after[0] - before[0]) < 2
        assert abs(after[1] - before[1]) < ROUNDS // 2


def memory_of_this_process() -> tuple[int, int]:
    """Bytes of address space and of memory in use."""
    pages = Path("/proc/self/statm").read_text().split()
    return int(pages[0]) * PAGE, int(pages[1]) * PAGE


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc/self/statm")
@pytest.mark.parametrize("kind", ["file", "unaligned", "anonymous", "resized", "copied", "failed"])
def test_address_space_and_memory_are_freed(kind: str, tmp_path: Path) -> None:
    size = 16 * MEBIBYTE
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(size)

    def use() -> None:
        with path.open("r+b") as file:
            if kind == "failed":
                outcome(ironmap.mmap, file.fileno(), size + 1)
                return
            m = use_map(file.fileno())
        m[0] = m[-1] = 1
        m.close()

    def use_map(descriptor: int) -> ironmap.mmap:
        if kind == "anonymous":
            return ironmap.mmap(-1, size)
        if kind == "resized":
            m = ironmap.mmap(descriptor, PAGE)
            m.resize(size)
            return m
        access = ironmap.ACCESS_COPY if kind == "copied" else ironmap.ACCESS_WRITE
        return ironmap.mmap(descriptor, 0, access=access, offset=int(kind == "unaligned"))

    use()
    before = memory_of_this_process()
    for _ in range(50):
        use()
    after = memory_of_this_process()
    assert after[0] - before[0] < 2 * size
    assert after[1] - before[1] < 2 * size


@pytest.mark.skipif(not hasattr(sys, "gettotalrefcount"), reason="not a debug build of Python")
def test_total_reference_count_stays() -> None:
    with make() as m:

        def use() -> None:
            for call in GOOD_CALLS.values():
                outcome(call, m)

        use()
        before = sys.gettotalrefcount()
        for _ in range(ROUNDS):
            use()
        assert sys.gettotalrefcount() - before < ROUNDS
