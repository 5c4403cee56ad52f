"""The class FaultError, and no leaks when pages are lost and restored."""

from __future__ import annotations

import copy
import errno
import gc
import os
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ironmap
from fault_cases import (
    CONTENT,
    FAULT_TEXT,
    LENGTH,
    POSITION,
    READS,
    SEARCHES,
    STORES,
    OtherProcess,
    map_file,
)
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
    with map_file(shared.path) as m:
        shared.cut(3 * PAGE)
        yield m


@pytest.fixture
def fault(lossy: ironmap.mmap) -> ironmap.FaultError:
    with pytest.raises(ironmap.FaultError) as raised:
        lossy[5 * PAGE]
    return raised.value


# ---- the class -------------------------------------------------------------------------------


def test_class_is_an_oserror_of_the_module() -> None:
    assert ironmap.FaultError.__bases__ == (OSError,)
    assert ironmap.FaultError.__module__ == "ironmap"
    assert ironmap.FaultError.__qualname__ == "FaultError"
    assert ironmap.FaultError.__doc__
    assert "FaultError" in ironmap.__all__


def test_error_has_the_code_the_file_and_the_offset(
    fault: ironmap.FaultError, shared: OtherProcess
) -> None:
    assert fault.args[0] == fault.errno == errno.EIO
    assert fault.filename == str(shared.path)
    assert fault.offset == 5 * PAGE
    cause = f"file truncated; the file now ends at byte {3 * PAGE}"
    text = f"page unavailable at offset {5 * PAGE} ({cause})"
    assert fault.strerror == text
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
    with pytest.raises(OSError, match=FAULT_TEXT):
        lossy.find(b"\0")


def test_error_made_by_hand_has_no_offset() -> None:
    error = ironmap.FaultError(errno.EIO, "by hand")
    assert (error.offset, error.filename) == (None, None)
    assert facts(pickle.loads(pickle.dumps(error))) == facts(error)
    assert repr(error) == "FaultError(5, 'by hand')"
    assert ironmap.FaultError().offset is None


class OwnFault(ironmap.FaultError):
    """A subclass like those of programs."""


@pytest.mark.parametrize("kind", [ironmap.FaultError, OwnFault])
def test_offset_of_an_error_made_by_hand_can_be_set(kind: type[ironmap.FaultError]) -> None:
    error = kind(errno.EIO, "by hand", "name")
    assert error.offset is None
    error.offset = 5
    for duplicate in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert facts(duplicate) == facts(error)
        assert duplicate.offset == 5
    assert kind(errno.EIO, "another").offset is None


def name_in_error(m: ironmap.mmap) -> object:
    with pytest.raises(ironmap.FaultError) as raised:
        m[0]
    return raised.value.filename


@needs_lost_pages
@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.replace(f"{path} (deleted)")])
def test_filename_is_the_name_that_the_file_has(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    """A removed file has none. A file that was renamed has the new one."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as m:
        change(path)
        file.truncate(0)
        renamed = list(map(str, tmp_path.iterdir()))
        name = name_in_error(m)
    assert [name] == (renamed or [None])


@needs_lost_pages
def test_filename_of_another_file_is_not_taken(tmp_path: Path) -> None:
    """The name that the system tells of a removed file can be that of another file."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as m:
        path.unlink()
        Path(f"{path} (deleted)").touch()
        file.truncate(0)
        assert name_in_error(m) is None


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="there are no files without a name")
def test_file_without_a_name_has_no_filename() -> None:
    with os.fdopen(os.memfd_create("name"), "r+b") as file:
        file.write(CONTENT)
        file.flush()
        with ironmap.mmap(file.fileno(), 0) as m:
            file.truncate(0)
            assert name_in_error(m) is None


@needs_lost_pages
def test_filename_may_be_any_bytes(tmp_path: Path) -> None:
    path = Path(bytes(tmp_path).decode(), b"\xff\xfe".decode(errors="surrogateescape"))
    path.write_bytes(CONTENT)
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as m:
        file.truncate(0)
        with pytest.raises(ironmap.FaultError) as raised:
            m[0]
    assert raised.value.filename == str(path)


# ---- no leaks --------------------------------------------------------------------------------


def memory_maps() -> int:
    """The number of mappings of this process."""
    return len(Path("/proc/self/maps").read_text().splitlines())


def counts(m: ironmap.mmap) -> dict[str, int]:
    gc.collect()
    return {
        "references": sys.getrefcount(m),
        "classes": sys.getrefcount(ironmap.FaultError),
        "descriptors": len(open_descriptors()),
        "maps": memory_maps(),
        "blocks": sys.getallocatedblocks(),
    }


def grown(use: Callable[[], object], m: ironmap.mmap) -> dict[str, int]:
    """Counts that grow with the rounds. Growth of the interpreter itself is far slower."""
    for _ in range(ROUNDS // 2):
        use()
    before = counts(m)
    for _ in range(ROUNDS):
        use()
    after = counts(m)
    return {name: after[name] - before[name] for name in before if after[name] - before[name] > 40}


def assert_no_growth(use: Callable[[], object], m: ironmap.mmap) -> None:
    """Tries twice, since the process may map some memory of its own meanwhile."""
    leaked = [grown(use, m) for _ in range(2)]
    assert {} in leaked


USES: dict[str, Callable[[ironmap.mmap], object]] = {
    **{name: case.run for name, case in (READS | SEARCHES).items()},
    **{
        name: lambda m, store=store: store.run(m, b"\1" * len(store.where))
        for name, store in STORES.items()
    },
}


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no /proc/self/maps")
@pytest.mark.parametrize("name", [name for name in USES if name != "iteration"])
def test_losing_pages_leaks_nothing(lossy: ironmap.mmap, name: str) -> None:
    def use() -> None:
        lossy.seek(POSITION)
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
def test_restored_pages_are_one_mapping_again(shared: OtherProcess) -> None:
    """Single pages are lost thousands of times, and all are restored."""
    shared.write()
    with map_file(shared.path) as m:
        before = memory_maps()
        for _ in range(100):
            shared.write()
            with memoryview(m) as view:
                shared.cut(0)
                for at in LATE_FIRST:
                    assert view[at] == 0
            m.clear_damage()
            for at in LATE_FIRST:
                assert outcome(m.__getitem__, at).error is ironmap.FaultError
        shared.write()
        assert m[:] == CONTENT
        assert memory_maps() - before < 5


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there is no /proc/self/maps")
def test_maps_that_are_closed_with_lost_pages_leak_nothing(
    shared: OtherProcess, lossy: ironmap.mmap
) -> None:
    def use() -> None:
        m = map_file(shared.path)
        assert m[: 3 * PAGE] == CONTENT[: 3 * PAGE]
        m.close()

    def use_damaged() -> None:
        with path.open("r+b") as file:
            file.truncate(LENGTH)
            m = ironmap.mmap(file.fileno(), 0)
            file.truncate(0)
        assert outcome(m.__getitem__, -1).error is ironmap.FaultError
        bytes(memoryview(m))
        assert outcome(m.close).error is ironmap.FaultError

    path = shared.path.with_name("another")
    path.touch()
    assert_no_growth(use, lossy)
    assert_no_growth(use_damaged, lossy)
