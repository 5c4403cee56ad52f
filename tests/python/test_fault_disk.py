"""Full disks: said early with preallocate=True, and a FaultError of the store otherwise."""

from __future__ import annotations

import errno
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

import mapio
from support import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCKS = 16  # pages that the small disk has


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory that is soon full."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    options = f"size={BLOCKS * PAGE}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(tmp_path)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_store_into_a_hole_of_a_full_disk(disk: Path) -> None:
    with (disk / "holes").open("wb+") as file:
        file.truncate(4 * BLOCKS * PAGE)
        with mapio.mmap(file.fileno(), 0) as made:
            with pytest.raises(mapio.FaultError) as caught:
                made[:] = b"x" * len(made)
            assert caught.value.errno == errno.ENOSPC
            assert caught.value.offset < 4 * BLOCKS * PAGE
            assert made[0] == ord("x")


def test_preallocated_map_is_refused_early(disk: Path) -> None:
    path = disk / "file"
    path.write_bytes(b"content")
    with path.open("rb+") as file, pytest.raises(OSError, match="No space") as caught:
        mapio.mmap(file.fileno(), 2 * BLOCKS * PAGE, preallocate=True)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"content"


def test_preallocated_resize_is_refused_early(disk: Path) -> None:
    path = disk / "file"
    path.write_bytes(b"content")
    with path.open("rb+") as file, mapio.mmap(file.fileno(), 0, preallocate=True) as made:
        made.resize(2 * PAGE)
        with pytest.raises(OSError, match="No space"):
            made.resize(2 * BLOCKS * PAGE)
        assert len(made) == 2 * PAGE
        assert made[:7] == b"content"
        assert path.stat().st_size == 2 * PAGE


def test_preallocated_map_has_its_blocks(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with path.open("rb+") as file, mapio.mmap(file.fileno(), 100 * PAGE, preallocate=True) as made:
        assert made.size() == 100 * PAGE
        assert path.stat().st_blocks * 512 >= 100 * PAGE


@pytest.mark.parametrize("access", [mapio.ACCESS_READ, mapio.ACCESS_COPY])
def test_preallocating_needs_a_map_that_writes(tmp_path: Path, access: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with path.open("rb+") as file, pytest.raises(OSError, match="Invalid"):
        mapio.mmap(file.fileno(), 0, access=access, preallocate=True)
