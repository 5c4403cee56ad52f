"""Opening maps: descriptors, lengths, access, flags and protection, offsets."""

from __future__ import annotations

import mmap as standard
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import PAGE, is_open, outcome, run_python
from system import needs_descriptors, needs_flags, needs_fork, needs_free_names, needs_short_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import MapMaker

TWO_PAGES = b"a" * PAGE + b"b" * PAGE


def test_hello_world_of_the_reference(tmp_path: Path) -> None:
    path = tmp_path / "hello.txt"
    path.write_bytes(b"Hello Python!\n")
    with path.open("r+b") as file:
        m = ironmap.mmap(file.fileno(), 0)
        assert m.readline() == b"Hello Python!\n"
        assert m[:5] == b"Hello"
        m[6:] = b" world!\n"
        m.seek(0)
        assert m.readline() == b"Hello  world!\n"
        m.close()
    assert path.read_bytes() == b"Hello  world!\n"


@needs_fork
def test_anonymous_map_of_the_reference_is_shared_with_a_forked_child() -> None:
    code = """
import ironmap, os
m = ironmap.mmap(-1, 13)
m.write(b"Hello world!")
if (child := os.fork()) == 0:
    m.seek(0)
    m[:5] = m.readline()[6:11]
    m.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(m[:12].decode())
"""
    assert run_python(code) == "world world!\n"


@needs_fork
def test_private_anonymous_map_is_not_shared_with_a_forked_child() -> None:
    code = """
import ironmap, os
m = ironmap.mmap(-1, 5, flags=ironmap.MAP_PRIVATE | ironmap.MAP_ANONYMOUS)
m[:] = b"ours."
if (child := os.fork()) == 0:
    m[:] = b"child"
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(m[:].decode())
"""
    assert run_python(code) == "ours.\n"


def test_anonymous_map_is_zero_and_writable() -> None:
    with ironmap.mmap(-1, PAGE + 1) as m:
        assert m[:] == bytes(PAGE + 1)
        m[PAGE] = 7
        assert m[PAGE] == 7


def test_descriptor_stays_the_callers(path: Path, keeps_descriptors: None) -> None:
    descriptor = os.open(path, os.O_RDWR)
    m = ironmap.mmap(descriptor, 0)
    m.close()
    assert is_open(descriptor)
    os.close(descriptor)


def test_map_outlives_the_closing_of_the_descriptor(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    m = ironmap.mmap(descriptor, 0)
    os.close(descriptor)
    m[0:3] = b"ONE"
    assert m.size() == path.stat().st_size
    m.close()
    assert path.read_bytes().startswith(b"ONE two")


@needs_free_names
def test_map_outlives_the_name_of_the_file(path: Path, text: ironmap.mmap) -> None:
    path.unlink()
    assert text[:3] == b"one"
    assert text.size() == len(text)


@needs_descriptors
def test_duplicate_is_not_inherited_by_programs(path: Path) -> None:
    code = """
import ironmap, os, sys
m = ironmap.mmap(os.open(sys.argv[1], os.O_RDWR), 0)
file = os.stat(sys.argv[1])
for descriptor in map(int, os.listdir("/dev/fd")):
    try:
        if os.path.samestat(os.fstat(descriptor), file):
            print(os.get_inheritable(descriptor))
    except OSError:
        pass
"""
    assert run_python(code, path) == "False\nFalse\n"


def test_length_zero_is_the_size_when_called(path: Path, map_path: MapMaker) -> None:
    size = path.stat().st_size
    m = map_path(path, 0)
    with path.open("ab") as file:
        file.write(b"more")
    assert len(m) == size
    assert m.size() == size + 4


def test_length_zero_with_an_offset_maps_the_rest(map_bytes: MapMaker) -> None:
    m = map_bytes(TWO_PAGES, offset=PAGE)
    assert m[:] == b"b" * PAGE


def test_length_may_be_less_than_the_file(map_bytes: MapMaker) -> None:
    m = map_bytes(TWO_PAGES, length=10)
    assert len(m) == 10
    assert m.size() == 2 * PAGE


@needs_short_files
@pytest.mark.parametrize("length", [0, 1, PAGE])
def test_length_beyond_the_file_is_an_error(path: Path, length: int) -> None:
    with path.open("r+b") as file, pytest.raises(ValueError, match="greater than file size"):
        ironmap.mmap(file.fileno(), path.stat().st_size + 1 + length)


def test_empty_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with path.open("r+b") as file, pytest.raises(ValueError, match="cannot mmap an empty file"):
        ironmap.mmap(file.fileno(), 0)


@pytest.mark.parametrize("offset", [len(TWO_PAGES), len(TWO_PAGES) + PAGE])
def test_length_zero_at_or_beyond_the_end_is_an_error(map_bytes: MapMaker, offset: int) -> None:
    with pytest.raises(ValueError, match="mmap offset is greater than file size"):
        map_bytes(TWO_PAGES, offset=offset)


@pytest.mark.parametrize("offset", [1, 7, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE - 1])
@pytest.mark.parametrize("access", ["ACCESS_READ", "ACCESS_WRITE", "ACCESS_COPY"])
def test_offset_may_be_any_byte(map_bytes: MapMaker, offset: int, access: str) -> None:
    content = bytes(i * 7 % 251 for i in range(2 * PAGE))
    m = map_bytes(content, offset=offset, access=getattr(ironmap, access))
    assert m[:] == content[offset:]
    assert m.find(content[offset + 1 :]) == (1 if offset < 2 * PAGE - 1 else 0)
    assert f"offset={offset}>" in repr(m)


def test_stores_through_an_unaligned_offset_reach_the_right_bytes(
    tmp_path: Path, map_path: MapMaker
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * PAGE))
    m = map_path(path, 10, offset=PAGE + 5)
    m[:] = b"0123456789"
    m.flush()
    m.close()
    content = path.read_bytes()
    assert content[PAGE + 5 : PAGE + 15] == b"0123456789"
    assert content.count(0) == 3 * PAGE - 10


def test_access_read_refuses_every_store(path: Path, map_path: MapMaker) -> None:
    m = map_path(path, access=ironmap.ACCESS_READ)
    before = path.read_bytes()
    stores: list[Callable[[], Any]] = [
        lambda: m.__setitem__(0, 1),
        lambda: m.__setitem__(slice(0, 2), b"xx"),
        lambda: m.__setitem__(slice(0, 4, 2), b"xx"),
        lambda: m.write(b"xx"),
        lambda: m.write_byte(1),
        lambda: m.move(0, 1, 1),
    ]
    for store in stores:
        with pytest.raises(TypeError, match=r"^mmap can't modify a readonly memory map\.$"):
            store()
    assert m[:] == path.read_bytes() == before


def test_access_read_needs_a_readable_descriptor_only(path: Path) -> None:
    with (
        path.open("rb") as file,
        ironmap.mmap(file.fileno(), 0, access=ironmap.ACCESS_READ) as m,
    ):
        assert m[:3] == b"one"
        assert memoryview(m).readonly


def test_access_write_changes_memory_and_file(path: Path, map_path: MapMaker) -> None:
    m = map_path(path, access=ironmap.ACCESS_WRITE)
    m[0:3] = b"ONE"
    assert m[:3] == b"ONE"
    assert path.read_bytes()[:3] == b"ONE"


def test_access_copy_changes_memory_and_not_the_file(path: Path, map_path: MapMaker) -> None:
    before = path.read_bytes()
    m = map_path(path, access=ironmap.ACCESS_COPY)
    assert m[:] == before
    m[0:3] = b"ONE"
    m.flush()
    assert m[:3] == b"ONE"
    assert path.read_bytes() == before


def test_access_copy_needs_a_readable_descriptor_only(path: Path) -> None:
    with (
        path.open("rb") as file,
        ironmap.mmap(file.fileno(), 0, access=ironmap.ACCESS_COPY) as m,
    ):
        m[0] = 0
        assert not memoryview(m).readonly


@needs_flags
def test_flags_shared_is_the_default_and_seen_by_other_maps(path: Path, map_path: MapMaker) -> None:
    first, second = map_path(path), map_path(path, flags=ironmap.MAP_SHARED)
    first[0] = ord("X")
    assert second[0] == ord("X")
    second[1] = ord("Y")
    assert first[1] == ord("Y")


@needs_flags
def test_flags_private_is_not_seen_by_other_maps(path: Path, map_path: MapMaker) -> None:
    before = path.read_bytes()
    private, shared = map_path(path, flags=ironmap.MAP_PRIVATE), map_path(path)
    private[0:3] = b"ONE"
    assert shared[:] == path.read_bytes() == before


def test_flags_shared_is_seen_by_another_process(path: Path, text: ironmap.mmap) -> None:
    code = """
import ironmap, sys
with open(sys.argv[1], "r+b") as file, ironmap.mmap(file.fileno(), 0) as m:
    m[0:3] = m[4:7]
"""
    run_python(code, path)
    assert text[:7] == b"two two"


@needs_flags
def test_prot_read_makes_a_read_only_map(path: Path) -> None:
    with path.open("rb") as file, ironmap.mmap(file.fileno(), 0, prot=ironmap.PROT_READ) as m:
        assert "access=ACCESS_READ" in repr(m)
        with pytest.raises(TypeError):
            m[0] = 1


def test_prot_defaults_to_read_and_write(path: Path) -> None:
    with path.open("rb") as file, pytest.raises(PermissionError):
        ironmap.mmap(file.fileno(), 0)


@needs_flags
@pytest.mark.parametrize("prot", ["PROT_READ", "PROT_WRITE", "PROT_EXEC"])
@pytest.mark.parametrize("access", ["ACCESS_READ", "ACCESS_WRITE", "ACCESS_COPY"])
def test_prot_and_access_together_are_an_error(path: Path, prot: str, access: str) -> None:
    options = {"prot": getattr(ironmap, prot), "access": getattr(ironmap, access)}
    with (
        path.open("r+b") as file,
        pytest.raises(ValueError, match="both access and flags"),
    ):
        ironmap.mmap(file.fileno(), 0, **options)


@needs_flags
def test_flags_and_access_together_are_an_error(path: Path) -> None:
    options = {"flags": ironmap.MAP_PRIVATE, "access": ironmap.ACCESS_WRITE}
    with (
        path.open("r+b") as file,
        pytest.raises(ValueError, match="both access and flags"),
    ):
        ironmap.mmap(file.fileno(), 0, **options)


@pytest.mark.parametrize("access", [-1, 4, 100])
def test_unknown_access_is_an_error(access: int) -> None:
    with pytest.raises(ValueError, match="mmap invalid access parameter"):
        ironmap.mmap(-1, 1, access=access)


@needs_flags
def test_every_argument_has_its_name() -> None:
    options = {
        "fileno": -1,
        "length": 3,
        "flags": ironmap.MAP_SHARED,
        "prot": ironmap.PROT_READ,
        "access": ironmap.ACCESS_DEFAULT,
        "offset": 0,
        "trackfd": True,
    }
    with ironmap.mmap(**options) as m:
        assert len(m) == 3


@needs_flags
def test_arguments_by_position_in_the_order_of_the_reference(path: Path) -> None:
    with path.open("r+b") as file:
        m = ironmap.mmap(file.fileno(), 5, ironmap.MAP_PRIVATE, ironmap.PROT_READ, 0, 4)
    assert m[:] == b"two o"
    m.close()
    with pytest.raises(TypeError, match="at most 6"):
        ironmap.mmap(-1, 1, ironmap.MAP_SHARED, ironmap.PROT_READ, 0, 0, False)  # noqa: FBT003


def test_re_searches_a_map(text: ironmap.mmap) -> None:
    assert re.findall(rb"\bo\w+", text) == [b"one", b"ones"]
    match = re.search(rb"second (\w+)", text)
    assert match is not None
    assert match.span(1) == (20, 24)


@needs_flags
def test_anonymous_flag_ignores_the_descriptor(path: Path) -> None:
    """As mmap(2) does, so that the map can grow without a file."""
    path.write_bytes(b"a file" * PAGE)
    with path.open("r+b") as file:
        flags = ironmap.MAP_SHARED | ironmap.MAP_ANONYMOUS
        with ironmap.mmap(file.fileno(), PAGE, flags=flags) as m:
            assert m[:] == bytes(PAGE)
            assert m.size() == PAGE
            with pytest.raises(ValueError, match="shared anonymous"):
                m.resize(4 * PAGE)
    assert path.read_bytes() == b"a file" * PAGE


@needs_flags
@pytest.mark.parametrize("offset", [0, PAGE, 2 * PAGE])
@pytest.mark.parametrize("length", [0, PAGE, 2 * PAGE])
def test_anonymous_flag_takes_length_zero_from_the_file(
    path: Path, length: int, offset: int
) -> None:
    """As the standard module does, although the memory is not the file's."""

    def use(module: Any) -> object:
        flags = module.MAP_PRIVATE | module.MAP_ANONYMOUS
        with (
            path.open("rb") as file,
            module.mmap(file.fileno(), 0, flags=flags, offset=offset) as m,
        ):
            return m[:]

    path.write_bytes(b"a" * length)
    assert outcome(use, ironmap) == outcome(use, standard)


@needs_flags
def test_anonymous_flag_takes_no_length_from_a_closed_descriptor() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        ironmap.mmap(-2, 0, flags=ironmap.MAP_PRIVATE | ironmap.MAP_ANONYMOUS)
