"""Fixtures that the Python tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ironmap
from fault_cases import OtherProcess
from support import open_descriptors
from system import CANNOT_LOSE, FREES_MAPPED_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import MapMaker

DATA = b"one two ones\nsecond line\n\nlast, without an end"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of a few short lines."""
    file = tmp_path / "data"
    file.write_bytes(DATA)
    return file


@pytest.fixture
def map_path(tmp_path: Path) -> Iterator[MapMaker]:
    """A function that maps a file with the given options. The fixture closes the maps."""
    maps: list[ironmap.mmap] = []

    def make(path: Path, length: int = 0, **options: int) -> ironmap.mmap:
        with path.open("r+b") as file:
            maps.append(ironmap.mmap(file.fileno(), length, **options))
        return maps[-1]

    yield make
    for m in maps:
        m.close()


@pytest.fixture
def map_bytes(tmp_path: Path, map_path: MapMaker) -> MapMaker:
    """A function that maps a new file of the given content."""

    def make(content: bytes, **options: int) -> ironmap.mmap:
        file = tmp_path / f"content{len(list(tmp_path.iterdir()))}"
        file.write_bytes(content)
        return map_path(file, **options)

    return make


@pytest.fixture
def text(path: Path, map_path: MapMaker) -> ironmap.mmap:
    """A writable map of the file of a few short lines."""
    return map_path(path)


@pytest.fixture
def digits(map_bytes: MapMaker) -> ironmap.mmap:
    """A writable map of a file that holds the ten digits."""
    return map_bytes(b"0123456789")


@pytest.fixture
def anonymous() -> Iterator[ironmap.mmap]:
    """An anonymous map that holds the ten digits."""
    with ironmap.mmap(-1, 10) as m:
        m[:] = b"0123456789"
        yield m


@pytest.fixture
def keeps_descriptors() -> Iterator[None]:
    """Checks that the test leaves the same descriptors open as before."""
    before = open_descriptors()
    yield
    assert open_descriptors() == before


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherProcess]:
    """Another process that truncates a file on command, for all tests of a module."""
    if not FREES_MAPPED_FILES:
        pytest.skip(CANNOT_LOSE)
    process = OtherProcess(tmp_path_factory.mktemp("lost") / "file")
    yield process
    process.end()


@pytest.fixture
def other(shared: OtherProcess) -> OtherProcess:
    """The other process, with its file at full length."""
    shared.write()
    return shared
