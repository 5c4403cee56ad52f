"""Bad input raises the exception of the standard module, changes nothing and leaks nothing."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import (
    GRANULE,
    PAGE,
    Index,
    assert_same_error,
    open_descriptors,
    outcome,
    run_python,
    same_in_every_process,
)
from system import (
    ALL_IS_A_DESCRIPTOR,
    HAS_ADVICE,
    HAS_FLAGS,
    needs_descriptors,
    needs_flags,
    needs_short_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("keeps_descriptors")


# ---- descriptors that cannot be mapped -------------------------------------------------------


def closed() -> Iterator[int]:
    descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)
    yield descriptor


def directory() -> Iterator[int]:
    descriptor = os.open("/", os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def pipe_end(which: int) -> Callable[[], Iterator[int]]:
    def make() -> Iterator[int]:
        ends = os.pipe()
        yield ends[which]
        for end in ends:
            os.close(end)

    return make


def connection() -> Iterator[int]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as m:
        yield m.fileno()


def null_device() -> Iterator[int]:
    descriptor = os.open(os.devnull, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


DESCRIPTORS = {
    "closed": closed,
    "reading end of a pipe": pipe_end(0),
    "writing end of a pipe": pipe_end(1),
    **(
        {"directory": directory, "socket": connection, "null device": null_device}
        if ALL_IS_A_DESCRIPTOR
        else {}
    ),
}
SYSTEMS_ERROR = r"\[(Errno|WinError) "
THIRD = "a" if HAS_FLAGS else 1  # flags are not text, and tagnames not numbers
PROTECTED = [{"flags": ironmap.MAP_SHARED, "prot": ironmap.PROT_WRITE}] if HAS_FLAGS else []
OPTIONS: list[dict[str, int]] = [
    {},
    {"access": ironmap.ACCESS_READ},
    {"access": ironmap.ACCESS_WRITE},
    {"access": ironmap.ACCESS_COPY},
    {"offset": GRANULE},
    *([{"flags": ironmap.MAP_PRIVATE}, {"prot": ironmap.PROT_READ}] if HAS_FLAGS else []),
]


@pytest.mark.parametrize("kind", DESCRIPTORS)
@pytest.mark.parametrize("length", [0, 1, PAGE])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_descriptor_that_cannot_be_mapped_is_an_error(
    kind: str, length: int, options: dict[str, int]
) -> None:
    with contextlib.contextmanager(DESCRIPTORS[kind])() as descriptor:
        assert_same_error(lambda module: module.mmap(descriptor, length, **options))


@pytest.mark.parametrize("descriptor", [-2, -100, 99999, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("length", [0, 1])
def test_number_that_is_not_a_descriptor_is_an_error(descriptor: int, length: int) -> None:
    assert_same_error(lambda module: module.mmap(descriptor, length))
    with pytest.raises(OSError, match=SYSTEMS_ERROR) as raised:
        ironmap.mmap(descriptor, length)
    assert raised.value.errno == errno.EBADF


@pytest.mark.parametrize("descriptor", [2**31, 2**63, -(2**70), "a", None, 1.0, b"0", [0]])
def test_descriptor_of_another_type_is_an_error(descriptor: object) -> None:
    assert_same_error(lambda module: module.mmap(descriptor, 1))


def test_file_object_is_not_a_descriptor(path: Path) -> None:
    with path.open("r+b") as file:
        assert_same_error(lambda module: module.mmap(file, 0))


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        (os.O_RDONLY, {}),
        (os.O_RDONLY, {"access": ironmap.ACCESS_WRITE}),
        (os.O_WRONLY, {}),
        (os.O_WRONLY, {"access": ironmap.ACCESS_READ}),
        (os.O_WRONLY, {"access": ironmap.ACCESS_COPY}),
        *((os.O_RDONLY, options) for options in PROTECTED),
    ],
)
def test_descriptor_without_permission_is_an_error(
    path: Path, mode: int, options: dict[str, int]
) -> None:
    descriptor = os.open(path, mode)
    try:
        assert_same_error(lambda module: module.mmap(descriptor, 0, **options))
        with pytest.raises(PermissionError):
            ironmap.mmap(descriptor, 0, **options)
    finally:
        os.close(descriptor)


# ---- lengths, offsets and the rest of the constructor ----------------------------------------


@pytest.mark.parametrize("anonymous", [True, False])
@pytest.mark.parametrize("length", [-1, -PAGE, -(2**63), -(2**70), 2**62, 2**63 - 1, 2**63, 2**70])
def test_impossible_length_is_an_error(path: Path, length: int, *, anonymous: bool) -> None:
    with path.open("r+b") as file:
        descriptor = -1 if anonymous else file.fileno()
        assert_same_error(lambda module: module.mmap(descriptor, length))


@pytest.mark.parametrize("offset", [-1, -PAGE, -(2**63), -(2**70), 2**63, 2**64])
def test_impossible_offset_is_an_error(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        for descriptor, length in ((-1, 1), (file.fileno(), 0), (file.fileno(), 1)):
            assert_same_error(
                lambda module, d=descriptor, n=length: module.mmap(d, n, offset=offset)
            )


@needs_short_files
@pytest.mark.parametrize("offset", [GRANULE, 2**40, 2**62, 2**63 - GRANULE])
@pytest.mark.parametrize("length", [0, 1, PAGE, 2**62, 2**63 - 1])
def test_range_beyond_the_file_is_an_error(path: Path, offset: int, length: int) -> None:
    before = path.read_bytes()
    with path.open("r+b") as file:
        assert_same_error(lambda module: module.mmap(file.fileno(), length, offset=offset))
        message = f"mmap {'length' if length else 'offset'} is greater than file size"
        with pytest.raises(ValueError, match=f"^{message}$"):
            ironmap.mmap(file.fileno(), length, offset=offset)
    assert path.read_bytes() == before


def test_anonymous_map_of_no_bytes_is_an_error() -> None:
    assert_same_error(lambda module: module.mmap(-1, 0))
    assert_same_error(lambda module: module.mmap(-1, 0, access=module.ACCESS_READ))


@pytest.mark.parametrize(
    ("length", "options", "wrong"),
    [
        (0, {}, "length 0 needs a file or a tagname"),
        (0, {"preallocate": True}, "length 0 needs a file or a tagname"),
        (10, {"preallocate": True}, "preallocate needs a file"),
        (10, {"preallocate": True, "tagname": "name"}, "preallocate needs a file"),
        (0, {"preallocate": True, "tagname": "name"}, "preallocate needs a file"),
    ],
    ids=str,
)
def test_error_says_what_new_memory_cannot_have(
    length: int, options: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(OSError, match=rf"^\[Errno 22\] {os.strerror(errno.EINVAL)}: {wrong}$"):
        ironmap.mmap(-1, length, **options)


@pytest.mark.parametrize(
    "arguments", [(), (-1,), (-1, "a"), (-1, None), (-1, 1.5), (-1, 1, THIRD), (-1, 1, 1, None)]
)
def test_wrong_types_are_errors_of_the_constructor(arguments: tuple[object, ...]) -> None:
    assert_same_error(lambda module: module.mmap(*arguments))


@pytest.mark.parametrize("name", ["flags", "prot", "access", "offset", "length", "fileno"])
@pytest.mark.parametrize("value", ["a", None, 1.5, b"a", 2**70])
def test_keywords_of_wrong_types_are_errors(name: str, value: object) -> None:
    assert_same_error(lambda module: module.mmap(**{"fileno": -1, "length": 1, name: value}))


@pytest.mark.parametrize(
    "options",
    [{"tagname": 1}, {"no_such": 1}, {"access": 9}, {"access": -1}, {"flags": 0}, {"flags": 3}],
    ids=str,
)
def test_unknown_and_repeated_keywords_are_errors(options: dict[str, Any]) -> None:
    assert_same_error(lambda module: module.mmap(-1, 1, **options))


def test_more_memory_than_exists_is_an_error(path: Path) -> None:
    with pytest.raises(OSError, match=SYSTEMS_ERROR) as raised:
        ironmap.mmap(-1, 2**62)
    assert raised.value.errno == errno.ENOMEM


# ---- methods ---------------------------------------------------------------------------------

BAD_CALLS: list[tuple[str, tuple[object, ...]]] = [
    ("read", ("a",)),
    ("read", (2**70,)),
    ("read", (1, 2)),
    ("seek", ()),
    ("seek", ("a",)),
    ("seek", (None,)),
    ("seek", (0, "a")),
    ("seek", (0, 3)),
    ("seek", (-1,)),
    ("seek", (11,)),
    ("seek", (2**70,)),
    ("seek", (Index(2**70),)),
    ("seek", (0, 2**40)),
    ("write", ()),
    ("write", ("a",)),
    ("write", (5,)),
    ("write", (None,)),
    ("write", (memoryview(b"abcd")[::2],)),
    ("write", (b"x" * 11,)),
    ("write_byte", ()),
    ("write_byte", ("a",)),
    ("write_byte", (None,)),
    ("write_byte", (256,)),
    ("write_byte", (-1,)),
    ("move", ()),
    ("move", (0, 1)),
    ("move", (0, 1, "a")),
    ("move", (-1, 0, 1)),
    ("move", (0, -1, 1)),
    ("move", (0, 0, -1)),
    ("move", (0, 0, 11)),
    ("move", (10, 0, 1)),
    ("move", (0, 10, 1)),
    ("move", (0, 2**62, 2**62)),
    ("move", (2**63 - 1, 2**63 - 1, 2**63 - 1)),
    ("move", (0, 0, 2**70)),
    ("flush", (-1, 1)),
    ("flush", (0, 11)),
    ("flush", (11, 0)),
    ("flush", (0, 2**62)),
    ("flush", (2**62, 2**62)),
    ("flush", (0, 2**70)),
    ("flush", ("a", 1)),
    ("flush", (0, 1, 2)),
    ("resize", ()),
    ("resize", ("a",)),
    ("resize", (None,)),
    ("resize", (-1,)),
    ("resize", (2**70,)),
    ("find", ()),
    ("find", ("a",)),
    ("find", (memoryview(b"abcd")[::2],)),
    ("find", (b"a", "a")),
    ("find", (b"a", 0, 1, 2)),
    ("rfind", (b"a", 1.5)),
    ("__getitem__", (10,)),
    ("__getitem__", ("a",)),
    ("__getitem__", (slice(None, None, 0),)),
    ("__getitem__", (slice("a", 1),)),
    ("__setitem__", (10, 1)),
    ("__setitem__", (0, 256)),
    ("__setitem__", (0, "a")),
    ("__setitem__", (0, 2**70)),
    ("__setitem__", (slice(0, 2), b"abc")),
    ("__setitem__", (slice(0, 2), "ab")),
    ("__setitem__", (slice(0, 2), memoryview(b"abcd")[::2])),
    ("__delitem__", (0,)),
    ("__delitem__", (slice(0, 2),)),
    ("__enter__", (1,)),
    ("close", (1,)),
    ("tell", (1,)),
    ("size", (1,)),
    ("readline", (1,)),
    ("read_byte", (1,)),
]
if HAS_ADVICE:
    BAD_CALLS += [
        ("madvise", ()),
        ("madvise", (0, -1)),
        ("madvise", (0, 10)),
        ("madvise", (0, 0, -1)),
        ("madvise", (0, 2**70)),
        ("madvise", (0, 0, 2**70)),
        ("madvise", (999,)),
        ("madvise", ("a",)),
    ]


@pytest.mark.parametrize(("name", "arguments"), BAD_CALLS, ids=same_in_every_process)
def test_bad_call_raises_and_changes_nothing(
    path: Path, name: str, arguments: tuple[object, ...]
) -> None:
    def use(module: Any) -> object:
        with path.open("r+b") as file, module.mmap(file.fileno(), 10) as m:
            m.seek(4)
            before = repr(m), m[:]
            try:
                return getattr(m, name)(*arguments)
            finally:
                assert (repr(m), m[:]) == before

    content = path.read_bytes()
    assert_same_error(use)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("move", (), "move() takes exactly 3 arguments (0 given)"),
        ("find", (), "find() takes at least 1 argument (0 given)"),
        ("find", (b"a", 0, 1, 2), "find() takes at most 3 arguments (4 given)"),
        ("read", (1, 2), "read() takes at most 1 argument (2 given)"),
        ("tell", (1,), "mmap.tell() takes no arguments (1 given)"),
    ],
)
def test_wrong_number_of_arguments_is_told(
    digits: ironmap.mmap, name: str, arguments: tuple[object, ...], message: str
) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        getattr(digits, name)(*arguments)
    digits.close()


STORES: list[tuple[str, tuple[object, ...]]] = [
    ("__setitem__", (0, 1)),
    ("__setitem__", (100, 1)),
    ("__setitem__", ("a", 1)),
    ("__setitem__", (slice(0, 2), b"ab")),
    ("__setitem__", (slice(0, 0), b"")),
    ("__delitem__", (0,)),
    ("write", (b"ab",)),
    ("write", (b"",)),
    ("write", (b"x" * 100,)),
    ("write", ("a",)),
    ("write_byte", (1,)),
    ("write_byte", ("a",)),
    ("move", (0, 1, 1)),
    ("move", (100, 1, 1)),
    ("resize", (5,)),
    ("resize", (20,)),
    ("resize", ("a",)),
]


@pytest.mark.parametrize(("name", "arguments"), STORES, ids=str)
@pytest.mark.parametrize("options", [{"access": 1}, *([{"prot": 1}] * HAS_FLAGS)], ids=str)
def test_store_into_a_read_only_map_is_an_error(
    path: Path, name: str, arguments: tuple[object, ...], options: dict[str, int]
) -> None:
    def use(module: Any) -> object:
        with path.open("rb") as file, module.mmap(file.fileno(), 0, **options) as m:
            return getattr(m, name)(*arguments)

    before = path.read_bytes()
    assert_same_error(use)
    assert path.read_bytes() == before


def test_two_bytes_are_not_one_byte(digits: ironmap.mmap) -> None:
    for value in (b"", b"ab"):
        assert outcome(digits.__setitem__, 0, value).error is TypeError
        assert outcome(digits.write_byte, value).error is TypeError
    assert digits[:] == b"0123456789"
    digits.close()


@needs_flags
def test_inaccessible_map_raises() -> None:
    """With the standard module this kills the process."""
    m = ironmap.mmap(-1, PAGE, prot=0)
    uses: list[Callable[[], object]] = [
        lambda: m[0],
        lambda: m[0:5],
        lambda: m[::2],
        lambda: m.find(b"a"),
        lambda: m.rfind(b"a"),
        lambda: m.read(1),
        m.read_byte,
        m.readline,
        lambda: m.write(b"a"),
    ]
    for use in uses:
        assert outcome(use).error is TypeError
    assert outcome(memoryview, m).error is BufferError
    assert m[0:0] == b""
    m.close()


def test_failures_leave_no_descriptor_behind(path: Path) -> None:
    before = open_descriptors()
    with path.open("r+b") as file, path.open("rb") as read_only:
        inside = open_descriptors()
        for _ in range(100):
            for use in (
                lambda: ironmap.mmap(file.fileno(), 10**6, access=ironmap.ACCESS_READ),
                lambda: ironmap.mmap(file.fileno(), 0, offset=10**6),
                lambda: ironmap.mmap(read_only.fileno(), 0),
                lambda: ironmap.mmap(file.fileno(), 0, access=9),
                lambda: ironmap.mmap(file.fileno(), 1, flags=0),
            ):
                assert outcome(use).error is not None
        assert open_descriptors() == inside
    assert open_descriptors() == before


@needs_descriptors
def test_missing_descriptor_for_the_duplicate_is_an_error(path: Path) -> None:
    code = """
import ironmap, os, resource, sys
descriptor = os.open(sys.argv[1], os.O_RDWR)
resource.setrlimit(resource.RLIMIT_NOFILE, (descriptor + 1,) * 2)
try:
    ironmap.mmap(descriptor, 0)
except OSError as error:
    print(error)
with ironmap.mmap(descriptor, 0, trackfd=False) as m:
    print(m[:3])
"""
    assert run_python(code, path) == "[Errno 24] Too many open files\nb'one'\n"
