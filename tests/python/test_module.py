"""The module itself: its names, its constants, and that it stands in for the standard one."""

from __future__ import annotations

import mmap as standard
import sys

import pytest

import mapio

CONSTANTS = sorted(name for name in vars(standard) if name.isupper())
# What newer interpreters have on Linux, with the values of its interface.
NEWER = {
    "ACCESS_DEFAULT": 0,
    "ACCESS_READ": 1,
    "ACCESS_WRITE": 2,
    "ACCESS_COPY": 3,
    "MAP_NORESERVE": 0x4000,
    "MAP_POPULATE": 0x8000,
    "MAP_STACK": 0x20000,
    "MS_ASYNC": 1,
    "MS_INVALIDATE": 2,
    "MS_SYNC": 4,
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constant_has_the_value_of_the_running_interpreter(name: str) -> None:
    assert getattr(mapio, name) == getattr(standard, name)


@pytest.mark.skipif(sys.platform != "linux", reason="the values are those of Linux")
@pytest.mark.parametrize("name", sorted(NEWER))
def test_newer_constant_is_there_on_every_interpreter(name: str) -> None:
    assert getattr(mapio, name) == NEWER[name]


def test_every_name_of_the_standard_module_is_there() -> None:
    public = {name for name in dir(standard) if not name.startswith("_")}
    assert public <= set(dir(mapio))


def test_every_method_of_the_standard_class_is_there() -> None:
    assert set(dir(standard.mmap)) - set(dir(mapio.mmap)) == set()


def test_error_is_oserror() -> None:
    assert mapio.error is OSError


def test_class_lives_in_the_module() -> None:
    assert mapio.mmap.__name__ == mapio.mmap.__qualname__ == "mmap"
    assert mapio.mmap.__module__ == "mapio"


def test_stands_in_for_the_standard_module() -> None:
    program = "import mapio as mmap\nwith mmap.mmap(-1, 5) as m:\n    m[:] = b'hello'"
    names: dict[str, object] = {}
    exec(program, names)
    assert names["mmap"] is mapio


def test_standard_module_stays_what_it_was() -> None:
    assert standard.mmap is not mapio.mmap
    assert not issubclass(mapio.mmap, standard.mmap)


def test_documentation_is_there() -> None:
    public = [name for name in vars(mapio.mmap) if not name.startswith("_")]
    undocumented = [name for name in public if not getattr(mapio.mmap, name).__doc__]
    assert undocumented == []
    assert mapio.__doc__
    assert mapio.mmap.__doc__
