"""Features of the standard module on Windows: its constructor, and named memory."""

from __future__ import annotations

import mmap as standard
import uuid
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import GRANULE, PAGE, outcome, run_python
from system import HAS_FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(HAS_FLAGS, reason="this system is not Windows")

MODULES = pytest.mark.parametrize("module", [ironmap, standard], ids=["ironmap", "standard"])


@pytest.fixture
def tag() -> str:
    return f"Test.{uuid.uuid4().hex}"


# ---- the constructor -------------------------------------------------------------------------


@MODULES
def test_every_argument_has_its_name(module: Any) -> None:
    options = {"fileno": -1, "length": 3, "tagname": None, "access": 0, "offset": 0}
    with module.mmap(**options) as m:
        assert len(m) == 3


@MODULES
def test_arguments_by_position(module: Any, path: Path, tag: str) -> None:
    content = path.read_bytes() + bytes(GRANULE)
    path.write_bytes(content)
    with path.open("r+b") as file:
        m = module.mmap(file.fileno(), 5, None, module.ACCESS_READ, GRANULE)
        named = module.mmap(file.fileno(), 0, tag)
    assert m[:] == content[GRANULE : GRANULE + 5]
    assert named[:] == content
    assert "ACCESS_READ" in repr(m)
    m.close()
    named.close()


@pytest.mark.parametrize("name", ["flags", "prot"])
def test_module_has_no_flags(name: str) -> None:
    for module in (ironmap, standard):
        assert outcome(lambda m=module: m.mmap(-1, 1, **{name: 1})).error is TypeError
    assert not hasattr(ironmap, "MAP_SHARED")


def test_too_many_arguments_are_an_error() -> None:
    for module in (ironmap, standard):
        assert outcome(module.mmap, -1, 1, None, 0, 0, 0).error is TypeError


@MODULES
def test_descriptor_zero_means_no_file(module: Any) -> None:
    """On Windows 0 has meant memory without a file since Python 2."""
    with module.mmap(0, PAGE) as m:
        assert m[:] == bytes(PAGE)
        assert m.size() == PAGE


# ---- a length beyond the file ----------------------------------------------------------------


@MODULES
@pytest.mark.parametrize("access", ["ACCESS_DEFAULT", "ACCESS_WRITE"])
@pytest.mark.parametrize("length", [100, PAGE, 3 * PAGE + 5])
def test_length_beyond_the_file_extends_the_file(
    path: Path, module: Any, access: str, length: int
) -> None:
    before = path.read_bytes()
    with path.open("r+b") as file:
        m = module.mmap(file.fileno(), length, access=getattr(module, access))
    expected = before.ljust(length, b"\0")
    assert m[:] == expected
    assert m.size() == length
    m.close()
    assert path.read_bytes() == expected


@MODULES
def test_offset_counts_for_the_length_of_the_file(path: Path, module: Any) -> None:
    before = path.read_bytes()
    with path.open("r+b") as file:
        module.mmap(file.fileno(), 10, offset=GRANULE).close()
    assert path.read_bytes() == before.ljust(GRANULE + 10, b"\0")


@MODULES
def test_range_that_wraps_is_the_systems_error(path: Path, module: Any) -> None:
    before = path.read_bytes()
    with path.open("r+b") as file:
        result = outcome(lambda: module.mmap(file.fileno(), 2**63 - 1, offset=GRANULE))
    assert result.error is OSError
    assert path.read_bytes() == before


@MODULES
def test_empty_file_is_extended(tmp_path: Path, module: Any) -> None:
    path = tmp_path / "empty"
    path.touch()
    with path.open("r+b") as file:
        assert outcome(module.mmap, file.fileno(), 0).error is ValueError
        module.mmap(file.fileno(), 5).close()
    assert path.read_bytes() == bytes(5)


@MODULES
@pytest.mark.parametrize("access", ["ACCESS_READ", "ACCESS_COPY"])
def test_read_only_map_does_not_extend_the_file(path: Path, module: Any, access: str) -> None:
    before = path.read_bytes()
    with path.open("r+b") as file:
        use = outcome(lambda: module.mmap(file.fileno(), PAGE, access=getattr(module, access)))
        if use.error is None:
            use.value.close()
    assert path.read_bytes() == before
    assert module is standard or use.error is not None


# ---- named memory ----------------------------------------------------------------------------


@pytest.mark.parametrize("first", [ironmap, standard], ids=["ironmap", "standard"])
def test_both_modules_share_a_name(first: Any, tag: str) -> None:
    second = standard if first is ironmap else ironmap
    with first.mmap(-1, PAGE, tag) as one, second.mmap(0, PAGE, tag) as two:
        one[:5] = b"hello"
        assert two[:5] == b"hello"
        two[0] = ord("H")
        assert one[:5] == b"Hello"


@pytest.mark.parametrize("pattern", ["{}", "Local\\{}", "{} é", "a/{}", "x" * 200 + "{}", "a\\{}"])
def test_both_modules_take_the_same_names(pattern: str, tag: str) -> None:
    name = pattern.format(tag)
    expected = outcome(standard.mmap, -1, 100, name)
    result = outcome(ironmap.mmap, -1, 100, name)
    assert result.error is expected.error
    if expected.error is None:
        expected.value[0] = 7
        assert result.value[0] == 7
        result.value.close()
        expected.value.close()


@MODULES
def test_size_of_named_memory_is_that_of_the_map(module: Any, tag: str) -> None:
    with module.mmap(-1, 100, tag) as one, module.mmap(-1, 5, tag) as two:
        assert (one.size(), two.size()) == (100, 5)
        assert (len(one), len(two)) == (100, 5)


@MODULES
def test_empty_name_means_no_name(module: Any) -> None:
    with module.mmap(-1, 10, "") as one, module.mmap(-1, 10, "") as two:
        one[0] = 1
        assert two[0] == 0


@MODULES
@pytest.mark.parametrize("name", ["a\0b", 1, b"a", ["a"]])
def test_bad_name_is_an_error(module: Any, name: object) -> None:
    assert outcome(module.mmap, -1, 1, name).error in (TypeError, ValueError)


@pytest.mark.parametrize("module", ["ironmap", "mmap"])
def test_another_process_has_the_same_memory(module: str, tag: str) -> None:
    code = """
import sys
m = __import__(sys.argv[1]).mmap(0, 100, sys.argv[2])
print(m.readline())
m[50:56] = b"answer"
"""
    with ironmap.mmap(-1, 100, tag) as m:
        m.write(b"a line\n")
        assert run_python(code, module, tag) == "b'a line\\n'\n"
        assert m[50:56] == b"answer"


# ---- errors ----------------------------------------------------------------------------------

REFUSED: dict[str, Callable[[Any, int], object]] = {
    "nothing": lambda module, _: module.mmap(-1, 0),
    "no descriptor": lambda module, _: module.mmap(99999, 1),
    "a negative length": lambda module, _: module.mmap(-1, -1),
    "a negative offset": lambda module, _: module.mmap(-1, 1, offset=-1),
    "an unknown access": lambda module, _: module.mmap(-1, 1, access=9),
    "that and a negative length": lambda module, _: module.mmap(-1, -1, access=9),
    "an offset beyond the file": lambda module, file: module.mmap(file, 0, offset=GRANULE),
    "memory that wraps": lambda module, _: module.mmap(-1, 2**63 - 1, offset=GRANULE),
    "a file for reading": lambda module, file: module.mmap(file, 0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_error_is_that_of_the_standard_module(path: Path, name: str) -> None:
    def refusal(module: Any) -> tuple[object, ...]:
        with path.open("rb") as file, pytest.raises(Exception) as raised:  # noqa: PT011
            REFUSED[name](module, file.fileno())
        text = None if isinstance(raised.value, OSError) else str(raised.value)
        return raised.type, getattr(raised.value, "errno", None), text

    assert refusal(ironmap) == refusal(standard)


def test_error_has_all_attributes_of_the_standard_module(path: Path) -> None:
    def arguments(module: Any) -> tuple[object, ...]:
        with path.open("rb") as file, pytest.raises(PermissionError) as raised:
            module.mmap(file.fileno(), 0)
        return raised.value.args, raised.value.winerror, str(raised.value)  # type: ignore[attr-defined]

    assert arguments(ironmap) == arguments(standard)


def test_class_has_no_madvise() -> None:
    for module in (ironmap, standard):
        assert not hasattr(module.mmap, "madvise")
        assert not hasattr(module, "MADV_NORMAL")
