"""What a map takes, and as many maps in one process as Linux allows."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import ironmap
from support import PAGE, open_descriptors, run_python
from system import PRIVATE, needs_descriptors, needs_flags, needs_lost_pages

KIBIBYTE = 1024
SETTING = Path("/proc/sys/vm/max_map_count")
USUAL = 60_000
MORE = 100_000

# Wine shows the folder of the system below it.
needs_setting = pytest.mark.skipif(
    sys.platform == "win32" or not SETTING.exists(), reason="this system has no such limit"
)

# ---- what a map takes ----------------------------------------------------------------------------


def test_a_map_takes_at_most_a_kibibyte(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(1000 * PAGE))
    sizes = set()
    for length in (1, 64 * PAGE, 0):
        with path.open("r+b") as file, ironmap.mmap(file.fileno(), length) as m:
            sizes.add(sys.getsizeof(m))
    with ironmap.mmap(-1, 1, **PRIVATE) as m:
        sizes.add(sys.getsizeof(m))
    assert len(sizes) == 1
    assert ironmap.mmap.__basicsize__ < sizes.pop() <= KIBIBYTE


@needs_flags  # there are files with holes as well
@pytest.mark.skipif(sys.maxsize < 2**32, reason="such a map needs a 64-bit system")
def test_a_map_of_a_tebibyte_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("w+b") as file:
        file.truncate(2**40)
        with ironmap.mmap(file.fileno(), 0) as large, ironmap.mmap(-1, 1) as small:
            assert sys.getsizeof(large) == sys.getsizeof(small)


def test_a_map_with_a_tag_takes_at_most_a_kibibyte() -> None:
    name = f"ironmap-many-{os.getpid()}"
    with ironmap.mmap(-1, PAGE, tagname=name) as tagged, ironmap.mmap(-1, PAGE) as plain:
        assert sys.getsizeof(plain) + len(name) < sys.getsizeof(tagged) <= KIBIBYTE


@needs_lost_pages
def test_a_map_of_a_truncated_file_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(1000 * PAGE))
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as m:
        before = sys.getsizeof(m)
        os.truncate(path, PAGE)
        for offset in (999 * PAGE, 500 * PAGE, PAGE):
            with pytest.raises(ironmap.FaultError):
                m[offset]
        with memoryview(m) as view:
            assert view[500 * PAGE] == 0
        assert m.damaged
        assert sys.getsizeof(m) == before
        os.truncate(path, 1000 * PAGE)
        m.clear_damage()


@needs_descriptors
@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({}, 1),
        ({"trackfd": False}, 0),
        ({"tagname": f"ironmap-many-{os.getpid()}", "trackfd": False}, 1),
        # That of the map, and that of the tag.
        ({"tagname": f"ironmap-many-{os.getpid()}"}, 2),
    ],
)
def test_descriptors_of_a_map(tmp_path: Path, options: dict[str, object], taken: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(PAGE))
    with path.open("r+b") as file:
        before = open_descriptors()
        with ironmap.mmap(file.fileno(), 0, **options):  # type: ignore[arg-type]
            assert len(open_descriptors() - before) == taken
        assert open_descriptors() == before


@needs_descriptors
def test_memory_with_a_tag_takes_one_descriptor() -> None:
    before = open_descriptors()
    with ironmap.mmap(-1, PAGE), ironmap.mmap(-1, PAGE, tagname=f"ironmap-many-{os.getpid()}"):
        assert len(open_descriptors() - before) == 1
    assert open_descriptors() == before


# ---- many of them --------------------------------------------------------------------------------

USE_MANY = """
import gc, os, sys
import ironmap

path, count = sys.argv[1], int(sys.argv[2])
PAGE = ironmap.PAGESIZE
descriptor = os.open(path, os.O_RDWR)
before = len(os.listdir("/proc/self/fd"))


def new():
    return ironmap.mmap(descriptor, 0, trackfd=False)


maps = [new() for _ in range(count)]
assert len(os.listdir("/proc/self/fd")) == before
maps[count // 2][0] = 7
assert all(m[0] == 7 for m in maps)
# One of them is damaged, and another one has lost a page.
view = memoryview(maps[10])
os.truncate(path, PAGE)
assert view[PAGE] == 0
for number in (20, count - 1):
    try:
        maps[number][PAGE]
    except ironmap.FaultError as fault:
        assert fault.offset == PAGE
    else:
        raise AssertionError
os.truncate(path, 2 * PAGE)
assert [number for number, m in enumerate(maps) if m.damaged] == [10]
assert maps[count // 2][PAGE] == 0
view.release()
assert max(map(sys.getsizeof, maps)) <= 1024
try:
    maps[10].close()
except ironmap.FaultError:
    pass
# Every third one is another map now.
maps[10] = new()
for number in range(0, count, 3):
    maps[number].close()
    maps[number] = new()
gc.collect()
assert all(m[0] == 7 for m in maps)
process = os.fork()
if process == 0:
    os._exit(0 if all(m[0] == 7 for m in maps) else 1)
assert os.waitpid(process, 0)[1] == 0
while len(maps) > count // 2:
    maps.pop().close()
del maps
gc.collect()
print(new()[0])
"""


def use_many(path: Path, count: int) -> None:
    path.write_bytes(bytes(2 * PAGE))
    assert run_python(USE_MANY, path, str(count)) == "7\n"


@needs_setting
def test_sixty_thousand_maps_are_as_one(tmp_path: Path) -> None:
    use_many(tmp_path / "file", USUAL)


@needs_setting
def test_a_hundred_thousand_maps_are_as_one(tmp_path: Path) -> None:
    """The setting is the system's: locked, so that another test does not put it back meanwhile."""
    fcntl = pytest.importorskip("fcntl")
    try:
        setting = SETTING.open("r+b", buffering=0)
    except OSError:
        pytest.skip("vm.max_map_count cannot be raised")
    with setting:
        fcntl.flock(setting, fcntl.LOCK_EX)
        before = setting.read()
        try:
            os.pwrite(setting.fileno(), b"%d\n" % (2 * MORE), 0)
        except OSError:
            pytest.skip("vm.max_map_count cannot be raised")
        try:
            use_many(tmp_path / "file", MORE)
        finally:
            os.pwrite(setting.fileno(), before, 0)
