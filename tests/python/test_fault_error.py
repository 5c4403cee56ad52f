"""The class FaultError, and that nothing is left behind where pages are lost and come back."""

from __future__ import annotations

import copy
import errno
import gc
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ironmap
from fault_cases import AT, CONTENT, LENGTH, READS, SEARCHES, STORES, OtherProcess, map_file
from support import PAGE, open_descriptors, outcome
from system import needs_lost_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 100
LATE_FIRST = range(0, LENGTH, 2 * PAGE)[::-1]


@pytest.fixture
def lossy(shared: OtherProcess) -> Iterator[ironmap.mmap]:
    """A map that has lost all of its pages but the first three."""
    shared.write()
    with map_file(shared.path) as made:
        shared.cut(3 * PAGE)
        yield made


@pytest.fixture
def fault(lossy: ironmap.mmap) -> ironmap.FaultError:
    with pytest.raises(ironmap.FaultError) as raised:
        lossy[5 * PAGE]
    return raised.value


# ---- the class -------------------------------------------------------------------------------


def test_class() -> None:
    assert ironmap.FaultError.__bases__ == (OSError,)
    assert ironmap.FaultError.__module__ == "ironmap"
    assert ironmap.FaultError.__qualname__ == "FaultError"
    assert ironmap.FaultError.__doc__
    assert "FaultError" in ironmap.__all__


def test_what_it_says(fault: ironmap.FaultError, shared: OtherProcess) -> None:
    assert fault.args[0] == fault.errno == errno.EIO
    assert fault.filename == str(shared.path)
    assert fault.offset == 5 * PAGE
    assert str(5 * PAGE) in fault.strerror
    assert str(shared.path) in str(fault)


def facts(error: ironmap.FaultError) -> tuple[object, ...]:
    return (
        type(error),
        error.args,
        error.errno,
        error.strerror,
        error.filename,
        error.offset,
        str(error),
    )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_everything(fault: ironmap.FaultError, protocol: int) -> None:
    assert facts(pickle.loads(pickle.dumps(fault, protocol))) == facts(fault)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copying_keeps_everything(
    fault: ironmap.FaultError, duplicate: Callable[[ironmap.FaultError], ironmap.FaultError]
) -> None:
    assert facts(duplicate(fault)) == facts(fault)


def test_it_is_caught_as_an_oserror(lossy: ironmap.mmap) -> None:
    with pytest.raises(OSError, match="cannot be had"):
        lossy.find(b"\0")


@needs_lost_pages
def test_file_that_has_been_removed(tmp_path: Path) -> None:
    """The name is the system's for it, or none."""
    path = tmp_path / "removed"
    path.write_bytes(CONTENT)
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as made:
        path.unlink()
        file.truncate(0)
        with pytest.raises(ironmap.FaultError) as raised:
            made[0]
    assert raised.value.filename is None or str(path) in raised.value.filename


@needs_lost_pages
def test_name_that_is_no_text(tmp_path: Path) -> None:
    path = Path(bytes(tmp_path).decode(), b"\xff\xfe".decode(errors="surrogateescape"))
    path.write_bytes(CONTENT)
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as made:
        file.truncate(0)
        with pytest.raises(ironmap.FaultError) as raised:
            made[0]
    assert raised.value.filename == str(path)


# ---- nothing is left behind ------------------------------------------------------------------


def memory_maps() -> int:
    """The number of pieces of memory that this process has mapped."""
    return len(Path("/proc/self/maps").read_text().splitlines())


def counts(made: ironmap.mmap) -> dict[str, int]:
    gc.collect()
    return {
        "references": sys.getrefcount(made),
        "classes": sys.getrefcount(ironmap.FaultError),
        "descriptors": len(open_descriptors()),
        "maps": memory_maps(),
        "blocks": sys.getallocatedblocks(),
    }


def grown(use: Callable[[], object], made: ironmap.mmap) -> dict[str, int]:
    """What there is more of after each round, by far; the interpreter keeps some of its own."""
    for _ in range(ROUNDS // 2):
        use()
    before = counts(made)
    for _ in range(ROUNDS):
        use()
    after = counts(made)
    return {name: after[name] - before[name] for name in before if after[name] - before[name] > 40}


def assert_no_growth(use: Callable[[], object], made: ironmap.mmap) -> None:
    """A little memory that the process maps meanwhile is not a growth of each time."""
    leaked = [grown(use, made) for _ in range(2)]
    assert {} in leaked


USES: dict[str, Callable[[ironmap.mmap], object]] = {
    **{name: case.run for name, case in (READS | SEARCHES).items()},
    **{
        name: lambda made, store=store: store.run(made, b"\1" * len(store.where))
        for name, store in STORES.items()
    },
}


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no /proc/self/maps")
@pytest.mark.parametrize("name", [name for name in USES if name != "iteration"])
def test_losing_pages_leaks_nothing(lossy: ironmap.mmap, name: str) -> None:
    def use() -> None:
        lossy.seek(AT)
        outcome(USES[name], lossy)

    assert_no_growth(use, lossy)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no /proc/self/maps")
def test_damage_and_its_repair_leak_nothing(lossy: ironmap.mmap) -> None:
    def use() -> None:
        with pytest.raises(ironmap.FaultError) as raised, lossy.guarded():
            bytes(memoryview(lossy))
        assert lossy.damaged == ((3 * PAGE, LENGTH),)
        assert raised.value.offset == 3 * PAGE
        for refused in (lossy.read, lossy.guarded().__enter__, lambda: memoryview(lossy)):
            assert outcome(refused).error is ironmap.FaultError
        lossy.clear_damage()

    assert_no_growth(use, lossy)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no /proc/self/maps")
def test_pages_that_are_back_are_one_piece_of_memory_again(shared: OtherProcess) -> None:
    """Lost one after the other, thousands of times, and all of them back."""
    shared.write()
    with map_file(shared.path) as made:
        before = memory_maps()
        for _ in range(100):
            shared.write()
            with memoryview(made) as view:
                shared.cut(0)
                for at in LATE_FIRST:
                    assert view[at] == 0
            made.clear_damage()
            for at in LATE_FIRST:
                assert outcome(made.__getitem__, at).error is ironmap.FaultError
        shared.write()
        assert made[:] == CONTENT
        assert memory_maps() - before < 5


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no /proc/self/maps")
def test_maps_that_are_closed_with_lost_pages_leak_nothing(
    shared: OtherProcess, lossy: ironmap.mmap
) -> None:
    def use() -> None:
        made = map_file(shared.path)
        assert made[: 3 * PAGE] == CONTENT[: 3 * PAGE]
        made.close()

    def use_damaged() -> None:
        with path.open("r+b") as file:
            file.truncate(LENGTH)
            made = ironmap.mmap(file.fileno(), 0)
            file.truncate(0)
        assert outcome(made.__getitem__, -1).error is ironmap.FaultError
        bytes(memoryview(made))
        made.close()

    path = shared.path.with_name("another")
    path.touch()
    assert_no_growth(use, lossy)
    assert_no_growth(use_damaged, lossy)
