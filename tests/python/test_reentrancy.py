"""An argument that closes or resizes the map in the middle of a call never crashes it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import ironmap
import reentrancy_cases as cases
from support import BUFFER_METHODS, PAGE, run_python
from system import needs_lost_pages

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def run_apart() -> subprocess.CompletedProcess[str]:
    """All calls, in their own process, so that a crash does not end the tests."""
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", cases.__file__],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def survived(run_apart: subprocess.CompletedProcess[str]) -> None:
    if run_apart.returncode != 0:
        pytest.fail("not run here, because it crashes: see test_no_call_crashes")


def test_no_call_crashes(run_apart: subprocess.CompletedProcess[str]) -> None:
    assert run_apart.returncode == 0, run_apart.stdout[-100:] + run_apart.stderr
    assert run_apart.stdout.endswith("is through\n")


@pytest.mark.usefixtures("survived")
@pytest.mark.parametrize("name", cases.CALLS)
def test_closing_in_the_middle_has_the_outcome_of_a_closed_map(name: str) -> None:
    assert cases.closing(name).error is ValueError


@pytest.mark.usefixtures("survived")
@pytest.mark.parametrize("length", [cases.SHORT, 1, 100 * PAGE])
@pytest.mark.parametrize("name", [name for name in cases.CALLS if name != cases.FROM_THE_END])
def test_resizing_in_the_middle_has_the_outcome_of_resizing_before(name: str, length: int) -> None:
    assert cases.resizing(name, length) == cases.resized_before(name, length)


@pytest.mark.usefixtures("survived")
@pytest.mark.parametrize("length", [cases.SHORT, 1, 100 * PAGE])
def test_resizing_in_the_middle_changes_at_most_the_item_meant(length: int) -> None:
    """Interpreters differ in whether an index of -1 counts from the old or the new end."""
    result, content, _ = cases.resizing(cases.FROM_THE_END, length)
    _, untouched, _ = cases.resized_before("tell", length)
    changed = [
        i for i, pair in enumerate(zip(content, untouched, strict=True)) if len(set(pair)) > 1
    ]
    assert (result.error, changed) in (
        (IndexError, []),
        (None, [length - 1]),
        (None, [cases.LONG - 1]),
    )


@pytest.mark.usefixtures("survived")
def test_closing_while_items_are_compared_is_an_error() -> None:
    assert cases.searching_items(lambda m: m.close()).error is ValueError


@pytest.mark.usefixtures("survived")
def test_resizing_while_items_are_compared_ends_the_search() -> None:
    assert cases.searching_items(lambda m: m.resize(1)) == (None, False)


def test_closing_while_iterating_is_an_error() -> None:
    m = cases.make()
    steps = iter(m)
    next(steps)
    m.close()
    with pytest.raises(ValueError, match="^mmap closed or invalid$"):
        next(steps)


@pytest.mark.skipif(not BUFFER_METHODS, reason="classes have no __buffer__ before CPython 3.12")
def test_calls_with_buffers_are_tested() -> None:
    assert sum(name.endswith("a buffer") for name in cases.CALLS) == len(cases.BUFFER_CALLS)


def test_own_memory_as_argument_cannot_be_closed_in_the_middle() -> None:
    with cases.make() as m:
        with memoryview(m) as view:
            call = cases.Index(0, lambda: m.close())
            with pytest.raises(BufferError):
                m.find(view[:5], call)
        assert not m.closed


def test_collector_may_close_in_the_middle() -> None:
    code = """
import gc, ironmap, sys
m = ironmap.mmap(-1, 1 << 16)
class Cycle:
    def __init__(self):
        self.cycle = self
    def __del__(self):
        m.close()
gc.collect()
Cycle()
# Without a GIL, the collector counts the objects that stay, and only 0 makes it run at once.
gc.set_threshold(1, 10 if getattr(sys, "_is_gil_enabled", lambda: True)() else 0)
kept = []
try:
    while True:
        m[0:1000], list(m.read(5)), [memoryview(m[5:])]
        kept.append([])
except ValueError as error:
    print(error)
"""
    assert run_python(code) == "mmap closed or invalid\n"


CLOSED_WHILE_DAMAGE_IS_LISTED = """
import gc, ironmap, tempfile

def list_damage(ranges, number):
    with tempfile.TemporaryFile() as file:
        file.truncate(2 * ranges * ironmap.PAGESIZE)
        m = ironmap.mmap(file.fileno(), 0, trackfd=False)
        file.truncate(0)
    with memoryview(m) as view:
        lost = [view[2 * i * ironmap.PAGESIZE] for i in range(ranges)]
    runs = []
    def close(phase, info):
        runs.append(phase)
        if len(runs) == 2 * number + 1:
            try:
                m.close()
            except ironmap.FaultError:
                pass
    gc.collect()
    no_free_lists = [[] for _ in range(1000)], [(n, n) for n in range(3000)]
    gc.callbacks.append(close)
    gc.set_threshold(1)
    damaged = m.damaged
    closed = m.closed
    gc.set_threshold(0)
    gc.callbacks.remove(close)
    assert len(damaged) == (0 if closed else ranges), (ranges, number)

for ranges in range(1, 7):
    for number in range(9):
        list_damage(ranges, number)
"""


@needs_lost_pages
@pytest.mark.skipif(BUFFER_METHODS, reason="the collector runs between calls from CPython 3.12 on")
def test_collector_may_close_while_damage_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With glibc, what the closed map had is overwritten."""
    monkeypatch.setenv("MALLOC_PERTURB_", "85")
    run_python(CLOSED_WHILE_DAMAGE_IS_LISTED)


@pytest.mark.skipif(BUFFER_METHODS, reason="the collector runs between calls from CPython 3.12 on")
@pytest.mark.parametrize("use", ["readlines()", "damaged"])
def test_collector_may_close_while_the_result_is_allocated(use: str) -> None:
    """The first allocation of the call starts the garbage collector."""
    code = f"""
import gc, ironmap
class Cycle:
    def __init__(self, m):
        self.cycle, self.m = self, m
    def __del__(self):
        self.m.close()
gc.disable()
m = ironmap.mmap(-1, 5000)
readlines = m.readlines
Cycle(m)
no_free_lists = [[] for _ in range(1000)]
gc.set_threshold(1)
gc.enable()
try:
    print({"m.damaged" if use == "damaged" else "readlines()"})
except ValueError as error:
    print(error)
"""
    assert run_python(code) == ("()\n" if use == "damaged" else "mmap closed or invalid\n")


@needs_lost_pages
def test_exception_may_close_the_map_while_it_is_made(tmp_path: Path) -> None:
    code = """
import ironmap, sys
file = open(sys.argv[1], "w+b")
file.truncate(8192)
m = ironmap.mmap(file.fileno(), 0)
file.truncate(0)
def closing(self, *arguments):
    m.close()
    OSError.__init__(self, *arguments)
ironmap.FaultError.__init__ = closing
try:
    m[5000]
except ironmap.FaultError as error:
    print(m.closed, error.filename, error.offset)
"""
    path = tmp_path / "file"
    assert run_python(code, path) == f"True {path} 5000\n"


def test_allocation_may_resize_in_the_middle() -> None:
    """The result has the bytes of the map after the resize."""
    m = ironmap.mmap(-1, 2 * PAGE)
    with m:
        m[:] = b"x" * 2 * PAGE
        assert m[cases.Index(0, lambda: m.resize(PAGE)) : 2 * PAGE] == b"x" * PAGE
