"""Damage that nothing has told is told at the end of the map, and replaces no other exception."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from fault_cases import LENGTH, OtherProcess, assert_fault, end_of, map_file
from support import PAGE, outcome
from system import needs_lost_pages
from test_subinterpreters import way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOST = 20 * PAGE


class Reports:
    """What sys.unraisablehook was given."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.objects: list[object] = []

    def __call__(self, report: Any) -> None:
        self.errors.append(report.exc_value)
        self.objects.append(report.object)

    def take(self) -> list[type[BaseException]]:
        taken = [type(error) for error in self.errors]
        self.errors.clear()
        self.objects.clear()
        return taken


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Reports:
    gc.collect()
    collected = Reports()
    monkeypatch.setattr(sys, "unraisablehook", collected)
    return collected


def lose(m: Any, at: int = LOST) -> None:
    """Accesses a lost page through a buffer."""
    with memoryview(m) as view:
        assert view[at] == 0


def damaged_map(
    other: OtherProcess, kind: Callable[..., ironmap.mmap] = ironmap.mmap, **options: Any
) -> ironmap.mmap:
    """A map with damage that nothing has told."""
    other.write()
    with other.path.open("r+b") as file:
        m = kind(file.fileno(), 0, **options)
    other.cut(LOST)
    lose(m)
    return m


def assert_closing_tells(m: ironmap.mmap) -> None:
    with pytest.raises(ironmap.FaultError) as raised:
        m.close()
    assert_fault(raised.value, LOST, LOST + 1)
    assert m.closed
    assert m.close() is None


def leave(m: ironmap.mmap, error: BaseException) -> None:
    with m:
        raise error


# ---- close() and the end of `with` -----------------------------------------------------------

OPTIONS: list[dict[str, Any]] = [
    {},
    {"access": ironmap.ACCESS_READ},
    {"access": ironmap.ACCESS_WRITE},
    {"access": ironmap.ACCESS_COPY},
    {"trackfd": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_close_tells_of_damage_and_closes(other: OtherProcess, options: dict[str, Any]) -> None:
    m = damaged_map(other, **options)
    assert_closing_tells(m)


def test_error_of_close_says_what_happened(other: OtherProcess) -> None:
    m = damaged_map(other)
    with pytest.raises(ironmap.FaultError) as raised:
        m.close()
    assert raised.value.filename == str(other.path)
    assert raised.value.strerror is not None
    assert f"the file now ends at byte {LOST}" in raised.value.strerror


def test_end_of_with_tells_of_damage_and_closes(other: OtherProcess) -> None:
    m = map_file(other.path)
    other.cut(LOST)
    with pytest.raises(ironmap.FaultError) as raised, m:
        lose(m)
    assert_fault(raised.value, LOST, LOST + 1)
    assert m.closed


def test_exit_without_arguments_is_the_end_of_a_block(other: OtherProcess) -> None:
    m = damaged_map(other)
    with pytest.raises(ironmap.FaultError):
        m.__exit__()  # type: ignore[call-arg]
    assert m.closed


def test_exported_buffer_is_an_error_first_and_tells_nothing(other: OtherProcess) -> None:
    m = damaged_map(other)
    m.clear_damage()
    with memoryview(m) as view:
        assert view[LOST] == 0
        with pytest.raises(BufferError):
            m.close()
        with pytest.raises(BufferError):
            m.__exit__(None, None, None)
        assert not m.closed
    assert_closing_tells(m)


def test_loss_that_an_operation_met_is_not_told_again(other: OtherProcess) -> None:
    """Without buffers every loss is the error of an operation."""
    with map_file(other.path) as m:
        other.cut(LOST)
        for use in (lambda: m[LOST], m.read, lambda: m.find(b"\n")):
            assert outcome(use).error is ironmap.FaultError
    assert m.closed


def test_maps_without_damage_end_in_silence(other: OtherProcess, reports: Reports) -> None:
    for make in (lambda: map_file(other.path), lambda: ironmap.mmap(-1, PAGE)):
        with make() as m, memoryview(m) as view:
            assert len(bytes(view)) == len(m)
        del m, view
        bytes(memoryview(make()))
        with pytest.raises(KeyError):
            leave(make(), KeyError())
    gc.collect()
    assert reports.take() == []


# ---- what tells ------------------------------------------------------------------------------


def guard(m: ironmap.mmap) -> None:
    m.clear_damage()
    with m.guarded():
        lose(m)


TELLING: dict[str, Callable[[ironmap.mmap], object]] = {
    "m[i]": lambda m: m[0],
    "m[i] = n": lambda m: m.__setitem__(0, 1),
    "m[a:b]": lambda m: m[5:9],
    "m[::n]": lambda m: m[::PAGE],
    "read": lambda m: m.read(),
    "readline": lambda m: m.readline(),
    "write": lambda m: m.write(b"ab"),
    "find": lambda m: m.find(b"ab", 0, 9),
    "find_all": lambda m: list(m.find_all(b"ab")),
    "lines": lambda m: list(m.lines()),
    "move": lambda m: m.move(0, 1, 2),
    "flush": lambda m: m.flush(),
    "resize": lambda m: m.resize(LENGTH + PAGE),
    "memoryview": memoryview,
    "guarded": guard,
    "entering guarded": lambda m: m.guarded().__enter__(),
}


@pytest.mark.parametrize("name", TELLING)
def test_error_of_an_operation_tells(other: OtherProcess, name: str) -> None:
    m = damaged_map(other)
    assert outcome(TELLING[name], m).error is ironmap.FaultError
    m.close()


def test_looking_at_damaged_tells(other: OtherProcess) -> None:
    m = damaged_map(other)
    assert m.damaged == ((LOST, LENGTH),)
    m.close()


def test_clearing_tells(other: OtherProcess) -> None:
    m = damaged_map(other)
    m.clear_damage()
    m.close()


def test_clearing_that_fails_does_not_tell(other: OtherProcess) -> None:
    m = damaged_map(other, trackfd=False)
    assert issubclass(outcome(m.clear_damage).error or object, OSError)
    assert_closing_tells(m)


@pytest.mark.parametrize(
    "use", [lambda m: m.tell(), lambda m: m.size(), repr, len, lambda m: m.closed]
)
def test_operation_without_an_error_does_not_tell(
    other: OtherProcess, use: Callable[[ironmap.mmap], object]
) -> None:
    m = damaged_map(other)
    use(m)
    assert_closing_tells(m)


def test_error_that_is_not_a_fault_does_not_tell(other: OtherProcess) -> None:
    m = damaged_map(other)
    for use in (lambda: m[LENGTH], lambda: m.seek(-1), lambda: m.find(5)):  # type: ignore[arg-type]
        assert outcome(use).error not in (None, ironmap.FaultError)
    assert_closing_tells(m)


@needs_lost_pages
def test_error_about_an_earlier_page_does_not_tell(tmp_path: Path) -> None:
    """A thread waits for the GIL with its error, while this one loses a later page in a buffer."""
    path = tmp_path / "long"
    length = 1 << 25
    too_late = 0
    interval = sys.getswitchinterval()
    for patience in range(10):  # the thread may be too early or too late
        path.touch()
        os.truncate(path, length)
        m = map_file(path)
        os.truncate(path, length // 2)
        errors: list[object] = []
        search = lambda m=m, errors=errors: errors.append(outcome(m.find, b"x").error)  # noqa: E731
        thread = threading.Thread(target=search)
        sys.setswitchinterval(1000)
        try:
            thread.start()  # this thread goes on when the search releases the GIL
            end = time.monotonic() + 0.02 * 2**patience
            while time.monotonic() < end:
                pass
            too_late = len(errors)
            lose(m, length - 1)
        finally:
            sys.setswitchinterval(interval)
        thread.join()
        assert errors == [ironmap.FaultError]
        if outcome(m.close).error is ironmap.FaultError and not too_late:
            return
    if too_late:
        pytest.skip("this thread was never in time")
    pytest.fail("the damage was never told")


def test_looking_before_the_loss_does_not_tell(other: OtherProcess) -> None:
    m = map_file(other.path)
    assert m.damaged == ()
    other.cut(LOST)
    lose(m)
    assert_closing_tells(m)


def test_damage_after_the_telling_is_told_too(other: OtherProcess) -> None:
    m = map_file(other.path)
    other.cut(LOST + 2 * PAGE)
    with memoryview(m) as view:
        assert view[LOST + 2 * PAGE] == 0
        assert m.damaged == ((LOST + 2 * PAGE, LENGTH),)
        other.cut(LOST)
        assert view[LOST] == 0
    assert_closing_tells(m)


def test_damage_after_the_clearing_is_told_too(other: OtherProcess) -> None:
    m = damaged_map(other)
    assert m.damaged != ()
    m.clear_damage()
    lose(m)
    assert_closing_tells(m)


# ---- an exception that leaves the block ------------------------------------------------------


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, GeneratorExit, ironmap.FaultError])
def test_exception_that_leaves_is_kept_and_damage_reported(
    other: OtherProcess, reports: Reports, error: type[BaseException]
) -> None:
    m = damaged_map(other)
    leaving = error()
    with pytest.raises(error) as raised:
        leave(m, leaving)
    assert raised.value is leaving
    assert m.closed
    assert reports.objects == [m]
    assert_fault(reports.errors[0], LOST, LOST + 1)
    assert reports.errors[0].__context__ is leaving
    assert reports.take() == [ironmap.FaultError]


def test_exception_about_the_damage_is_enough(other: OtherProcess, reports: Reports) -> None:
    m = damaged_map(other)
    with pytest.raises(ironmap.FaultError), m:
        m.find(b"ab")
    assert m.closed
    assert reports.take() == []


def test_exception_is_kept_while_buffers_exist(other: OtherProcess, reports: Reports) -> None:
    m = map_file(other.path)
    view = memoryview(m)
    with pytest.warns(ResourceWarning, match=r"<mmap\.mmap .* stays open") as warned:
        assert outcome(leave, m, KeyError()).error is KeyError
    assert [warning.filename for warning in warned] == [__file__]
    assert not m.closed
    assert reports.take() == []
    other.cut(LOST)
    assert view[LOST] == 0
    view.release()
    assert_closing_tells(m)


def test_damage_stays_untold_while_buffers_exist(other: OtherProcess, reports: Reports) -> None:
    m = map_file(other.path)
    other.cut(LOST)
    with memoryview(m) as view:
        assert view[LOST] == 0
        with pytest.warns(ResourceWarning):
            assert outcome(leave, m, KeyError()).error is KeyError
    assert reports.take() == []
    assert_closing_tells(m)


def test_warning_that_is_an_error_replaces_no_exception(
    anonymous: ironmap.mmap, reports: Reports
) -> None:
    with memoryview(anonymous), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert outcome(leave, anonymous, KeyError()).error is KeyError
    assert not anonymous.closed
    assert reports.take() == [ResourceWarning]


def test_buffer_without_an_exception_is_still_an_error(anonymous: ironmap.mmap) -> None:
    """As in the standard module."""
    with memoryview(anonymous), pytest.raises(BufferError):
        anonymous.__exit__(None, None, None)
    assert not anonymous.closed


def test_generator_that_is_closed_reports(other: OtherProcess, reports: Reports) -> None:
    def use(m: ironmap.mmap) -> Iterator[int]:
        with m:
            lose(m)
            yield 1

    m = map_file(other.path)
    other.cut(LOST)
    generator = use(m)
    assert next(generator) == 1
    generator.close()
    assert m.closed
    assert reports.take() == [ironmap.FaultError]


# ---- collection ------------------------------------------------------------------------------


def test_collected_map_reports(other: OtherProcess, reports: Reports) -> None:
    m = damaged_map(other)
    gone = weakref.ref(m)
    del m
    assert gone() is None
    assert reports.objects == [ironmap.mmap]
    assert_fault(reports.errors[0], LOST, LOST + 1)
    assert isinstance(reports.errors[0], ironmap.FaultError)
    assert reports.errors[0].filename == str(other.path)
    assert len(reports.take()) == 1


def test_collected_map_whose_damage_was_told_is_silent(
    other: OtherProcess, reports: Reports
) -> None:
    assert damaged_map(other).damaged != ()
    assert outcome(damaged_map(other).read).error is ironmap.FaultError
    assert outcome(damaged_map(other).close).error is ironmap.FaultError
    gc.collect()
    assert reports.take() == []


def test_collection_keeps_the_exception_that_is_set(other: OtherProcess, reports: Reports) -> None:
    """The map is on the stack of the interpreter when the exception is raised."""
    with pytest.raises(ZeroDivisionError):
        (damaged_map(other), 1 // 0)
    assert reports.take() == [ironmap.FaultError]


class Cyclic(ironmap.mmap):
    cycle: object = None


class Closing(ironmap.mmap):
    def __del__(self) -> None:
        self.close()


class Keeping(ironmap.mmap):
    kept: list[ironmap.mmap] = []  # noqa: RUF012 - of the class

    def __del__(self) -> None:
        self.kept.append(self)


def test_map_in_a_cycle_reports(other: OtherProcess, reports: Reports) -> None:
    m = damaged_map(other, Cyclic)
    m.cycle = m  # type: ignore[attr-defined]
    del m
    gc.collect()
    assert reports.objects == [Cyclic]
    assert reports.take() == [ironmap.FaultError]


def test_subclass_that_closes_in_del_reports_once(other: OtherProcess, reports: Reports) -> None:
    assert not damaged_map(other, Closing).closed
    assert reports.take() == [ironmap.FaultError]


def test_subclass_that_lives_on_after_del_reports_at_its_end(
    other: OtherProcess, reports: Reports
) -> None:
    assert not damaged_map(other, Keeping).closed
    assert reports.take() == []
    assert outcome(Keeping.kept.pop().close).error is ironmap.FaultError


def test_last_buffer_that_keeps_the_map_reports(other: OtherProcess, reports: Reports) -> None:
    m = map_file(other.path)
    view = memoryview(m)
    del m
    other.cut(LOST)
    assert view[LOST] == 0
    assert reports.take() == []
    del view
    assert reports.take() == [ironmap.FaultError]


# ---- the end of an interpreter ---------------------------------------------------------------

DAMAGED = """
import ironmap, os, sys
path = sys.argv[1] if len(sys.argv) > 1 else PATH
with open(path, "wb") as made:
    made.write(bytes(16 * ironmap.PAGESIZE))
with open(path, "r+b") as file:
    m = ironmap.mmap(file.fileno(), 0)
os.truncate(path, ironmap.PAGESIZE)
assert sum(memoryview(m)) == 0
"""
REPORT = "ironmap.FaultError: [Errno 5] page unavailable at offset"
LEFT = {
    "in a module": "",
    "in a cycle": "class C(ironmap.mmap): pass\nc = C(-1, 5)\nc.c, c.m = c, m\ndel m, c\n",
    "in an object that looks": (
        "class Late:\n"
        "    def __init__(self, m): self.m = m\n"
        "    def __del__(self): assert not self.m.closed\n"
        "late = Late(m)\ndel m\n"
    ),
}


@pytest.mark.parametrize("name", LEFT)
def test_map_that_is_left_at_exit_reports(other: OtherProcess, name: str) -> None:
    end = end_of(DAMAGED + LEFT[name], other.path.with_name("left"))
    assert (end.status, end.output) == (0, ""), end
    assert end.errors.count(REPORT) == 1, end


@pytest.mark.parametrize("left", ["m", "lambda m=m: m"])
def test_map_that_outlives_standard_error_ends_in_peace(other: OtherProcess, left: str) -> None:
    code = f"sys.left = {left}\ndel m\n"
    end = end_of(DAMAGED + code, other.path.with_name("left"))
    assert (end.status, end.output) == (0, ""), end


def test_map_that_is_left_in_a_subinterpreter_reports(other: OtherProcess) -> None:
    code = f"PATH = {str(other.path.with_name('left'))!r}\nimport sys\nsys.argv = []\n{DAMAGED}"
    end = end_of(way() + f"run({code!r})\n")
    assert (end.status, end.output) == (0, ""), end
    assert end.errors.count(REPORT) == 1, end


# ---- what the error says ---------------------------------------------------------------------


def test_damage_of_a_page_that_is_available_again_names_no_cause(other: OtherProcess) -> None:
    m = damaged_map(other)
    other.write()
    with pytest.raises(ironmap.FaultError) as raised:
        m.close()
    length = f"the file now ends at byte {LENGTH}"
    assert raised.value.strerror == (
        f"page unavailable at offset {LOST} (lost earlier under exported memory; {length})"
    )


def test_damage_that_was_cleared_has_no_offset(other: OtherProcess) -> None:
    def lose_and_clear() -> None:
        with m.guarded():
            lose(m)
            m.clear_damage()

    m = map_file(other.path)
    other.cut(LOST)
    with pytest.raises(ironmap.FaultError) as raised:
        lose_and_clear()
    assert raised.value.offset is None
    assert raised.value.strerror == "page unavailable (the damage was cleared since)"
    m.close()
