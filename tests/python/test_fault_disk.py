"""Full disks: stores into holes, and blocks reserved in advance."""

from __future__ import annotations

import errno
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from fault_cases import FAULT_TEXT, assert_fault
from support import PAGE, open_descriptors, outcome
from system import MOUNTS, needs_flags, needs_short_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DISK_BYTES = 64 * PAGE
WORDS = b"what the file holds"


def mount(kind: str, place: Path, *options: str) -> None:
    """Mounts a file system, or skips the test."""
    place.mkdir()
    if not MOUNTS:
        pytest.skip("this system has no small disks to mount")
    if os.geteuid() != 0:
        pytest.skip(f"only root can mount a {kind}")
    command = ["mount", "-t", kind, *options, "none", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a {kind} here: {done.stderr.strip()}")


def unmount(place: Path) -> None:
    """Unmounts now, or when the last file is closed."""
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 pages."""
    place = tmp_path / "disk"
    mount("tmpfs", place, "-o", f"size={DISK_BYTES}")
    yield place
    unmount(place)


@pytest.fixture
def bare_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that cannot reserve blocks."""
    place = tmp_path / "bare"
    mount("ramfs", place)
    yield place
    unmount(place)


def make_file(disk: Path, length: int = 0) -> Path:
    path = disk / "file"
    path.write_bytes(WORDS)
    if length:
        os.truncate(path, length)
    return path


def open_map(path: Path, length: int = 0, **options: Any) -> ironmap.mmap:
    with path.open("r+b") as file:
        return ironmap.mmap(file.fileno(), length, **options)


def blocks_of(path: Path) -> int:
    """The bytes on the disk."""
    return path.stat().st_blocks * 512


def open_reserved(path: Path, length: int) -> ironmap.mmap:
    """Skips the test where the file system cannot reserve blocks."""
    try:
        return open_map(path, length, preallocate=True)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOTSUP):
            raise
        pytest.skip("the file system of the temporary directory cannot reserve blocks")


# ---- stores into holes -----------------------------------------------------------------------

LONG = 2 * DISK_BYTES
STORES: dict[str, Callable[[ironmap.mmap], object]] = {
    "m[:] = bytes": lambda m: m.__setitem__(slice(None), b"x" * LONG),
    "m[a:b] = bytes": lambda m: m.__setitem__(slice(PAGE, None), b"x" * (LONG - PAGE)),
    "m[::n] = bytes": lambda m: m.__setitem__(slice(None, None, 64), b"x" * (LONG // 64)),
    "write": lambda m: m.write(b"x" * LONG),
    "items": lambda m: [m.__setitem__(at, 1) for at in range(0, LONG, PAGE)],
    "write_byte": lambda m: [(m.seek(at), m.write_byte(1)) for at in range(0, LONG, PAGE)],
    "move": lambda m: [m.move(at, 0, PAGE) for at in range(PAGE, LONG, PAGE)],
}


@pytest.mark.parametrize("name", STORES)
def test_store_into_a_hole_of_a_full_disk_is_a_fault(disk: Path, name: str) -> None:
    path = make_file(disk, LONG)
    with open_map(path) as m:
        with pytest.raises(ironmap.FaultError, match=FAULT_TEXT) as raised:
            STORES[name](m)
        assert_fault(raised.value, PAGE, LONG, errno.ENOSPC)
        assert raised.value.filename == str(path)
        assert m.damaged == ()
        m[0:5] = b"there"
        assert m[0:5] == b"there"
        # A copy may go backward: any hole can be the one that is left.
        with pytest.raises(ironmap.FaultError):
            STORES["items"](m)


LOADS: dict[str, Callable[[ironmap.mmap], object]] = {
    "m[:]": lambda m: m[:],
    "m[::n]": lambda m: m[::64],
    "read": lambda m: m.read(),
    "items": lambda m: [m[at] for at in range(0, LONG, PAGE)],
    "find": lambda m: m.find(b"x"),
}


@pytest.mark.parametrize("access", [ironmap.ACCESS_READ, ironmap.ACCESS_WRITE, ironmap.ACCESS_COPY])
@pytest.mark.parametrize("name", LOADS)
def test_load_from_a_hole_of_a_full_tmpfs_is_a_fault(disk: Path, name: str, access: int) -> None:
    """On a tmpfs a load allocates a block too."""
    path = make_file(disk, LONG)
    with open_map(path, access=access) as m:
        with pytest.raises(ironmap.FaultError, match=FAULT_TEXT) as raised:
            LOADS[name](m)
        assert_fault(raised.value, PAGE, LONG, errno.ENOSPC)
        assert m[: len(WORDS)] == WORDS


def test_store_works_when_there_is_room_again(disk: Path) -> None:
    other = disk / "other"
    other.write_bytes(bytes(DISK_BYTES - 2 * PAGE))
    with open_map(make_file(disk, LONG)) as m:
        m[PAGE] = 1
        with pytest.raises(ironmap.FaultError):
            m[5 * PAGE] = 1
        other.unlink()
        m[5 * PAGE] = 1
        assert m[5 * PAGE] == 1


def test_store_through_a_buffer_damages(disk: Path) -> None:
    with open_map(make_file(disk, LONG)) as m:
        with pytest.raises(ironmap.FaultError), m.guarded(), memoryview(m) as view:
            view[:] = b"x" * LONG
        ((start, end), *_) = m.damaged
        assert PAGE <= start < end <= LONG
        m.clear_damage()
        assert m[:PAGE] == b"x" * PAGE


# ---- preallocate -----------------------------------------------------------------------------


def assert_full(path: Path, use: Callable[[], object]) -> None:
    """Checks that a full disk is an OSError and not a lost page, and that the file is unchanged."""
    before = path.read_bytes(), path.stat().st_size, blocks_of(path)
    descriptors = open_descriptors()
    with pytest.raises(OSError, match="No space left") as raised:
        use()
    assert raised.value.errno == errno.ENOSPC
    assert type(raised.value) is OSError
    assert (path.read_bytes(), path.stat().st_size, blocks_of(path)) == before
    assert open_descriptors() == descriptors


@pytest.mark.parametrize("length", [DISK_BYTES + 1, LONG, 100 * DISK_BYTES])
def test_opening_a_file_that_does_not_fit_is_an_error(disk: Path, length: int) -> None:
    path = make_file(disk)
    assert_full(path, lambda: open_map(path, length, preallocate=True))


def test_opening_a_file_with_holes_that_do_not_fit_is_an_error(disk: Path) -> None:
    path = make_file(disk, LONG)
    assert_full(path, lambda: open_map(path, preallocate=True))


def test_resizing_beyond_the_disk_is_an_error(disk: Path) -> None:
    path = make_file(disk)
    with open_map(path, 3 * PAGE, preallocate=True) as m:
        m[-1] = 1
        assert_full(path, lambda: m.resize(LONG))
        assert len(m) == 3 * PAGE
        assert m[:] == path.read_bytes()
        m.resize(DISK_BYTES)
        m[:] = b"x" * DISK_BYTES
        m.resize(PAGE)
        assert path.read_bytes() == b"x" * PAGE


def test_reserved_blocks_are_allocated(disk: Path) -> None:
    path = make_file(disk)
    with open_map(path, DISK_BYTES // 2, preallocate=True) as m:
        assert blocks_of(path) >= path.stat().st_size == DISK_BYTES // 2
        assert m[:] == WORDS + bytes(DISK_BYTES // 2 - len(WORDS))
        m.resize(DISK_BYTES)
        assert blocks_of(path) == path.stat().st_size == DISK_BYTES
        m[:] = b"x" * DISK_BYTES
    assert path.read_bytes() == b"x" * DISK_BYTES


def test_resizing_without_preallocate_reserves_nothing(disk: Path) -> None:
    path = make_file(disk)
    with open_map(path) as m:
        m.resize(LONG)
        assert (len(m), path.stat().st_size) == (LONG, LONG)
        assert blocks_of(path) <= PAGE
        assert m[: len(WORDS)] == WORDS


@pytest.mark.parametrize("options", [{"offset": 3 * PAGE + 5}, {"access": ironmap.ACCESS_WRITE}])
def test_range_to_reserve_may_begin_at_any_byte(disk: Path, options: dict[str, int]) -> None:
    path = make_file(disk)
    with open_map(path, 5 * PAGE, preallocate=True, **options) as m:
        assert path.stat().st_size == options.get("offset", 0) + 5 * PAGE
        assert blocks_of(path) >= 5 * PAGE
        m[-1] = 1


@pytest.mark.parametrize("use", ["open", "open with holes"])
def test_disk_that_cannot_reserve_is_an_error(bare_disk: Path, use: str) -> None:
    path = make_file(bare_disk, LONG if use == "open with holes" else 0)
    before = path.read_bytes()
    with pytest.raises(OSError, match="not supported") as raised:
        open_map(path, LONG, preallocate=True)
    assert raised.value.errno in (errno.EOPNOTSUPP, errno.ENOTSUP)
    assert path.read_bytes() == before


# ---- without a small disk --------------------------------------------------------------------


def test_preallocate_extends_the_file(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    with open_reserved(path, 5 * PAGE) as m:
        assert m[:] == WORDS + bytes(5 * PAGE - len(WORDS))
        assert path.stat().st_size == 5 * PAGE
        m.resize(7 * PAGE)
        assert path.stat().st_size == 7 * PAGE


@needs_short_files
def test_preallocate_false_is_the_default(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    with pytest.raises(ValueError, match="length is greater than file size"):
        open_map(path, PAGE, preallocate=False)
    with open_map(path, preallocate=False) as m:
        assert m[:] == WORDS


def test_preallocate_of_an_existing_range_changes_nothing(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    with open_reserved(path, 5) as m:
        assert m[:] == WORDS[:5]
    assert path.read_bytes() == WORDS


@pytest.mark.parametrize("access", [ironmap.ACCESS_READ, ironmap.ACCESS_COPY])
def test_preallocate_needs_a_map_that_writes_to_the_file(tmp_path: Path, access: int) -> None:
    path = make_file(tmp_path)
    error = outcome(lambda: open_map(path, PAGE, access=access, preallocate=True)).error
    assert error in (OSError, ValueError, TypeError)
    assert path.read_bytes() == WORDS


def test_preallocate_needs_a_writable_descriptor(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    refusals = "Permission denied|Bad file descriptor|Invalid argument|WinError"
    with path.open("rb") as file, pytest.raises(OSError, match=refusals):
        ironmap.mmap(file.fileno(), PAGE, preallocate=True)
    assert path.read_bytes() == WORDS


@needs_flags
def test_preallocate_is_a_keyword(tmp_path: Path) -> None:
    path = make_file(tmp_path)
    with path.open("r+b") as file, pytest.raises(TypeError):
        ironmap.mmap(file.fileno(), 0, ironmap.MAP_SHARED, ironmap.PROT_READ, 0, 0, True, True)  # noqa: FBT003


def test_preallocate_of_anonymous_memory_is_ignored_or_refused() -> None:
    """Anonymous memory has no disk."""
    try:
        m = ironmap.mmap(-1, PAGE, preallocate=True)
    except (OSError, ValueError):
        return
    with m:
        assert m[:] == bytes(PAGE)
