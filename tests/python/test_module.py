"""The module: its names and constants, and that it replaces the standard one."""

from __future__ import annotations

import importlib
import mmap as standard
import operator
import sys

import pytest

import ironmap
from support import run_python

CONSTANTS = sorted(name for name in vars(standard) if name.isupper())
# Constants of newer interpreters on Linux.
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
    assert getattr(ironmap, name) == getattr(standard, name)


@pytest.mark.skipif(sys.platform != "linux", reason="the values are those of Linux")
@pytest.mark.parametrize("name", sorted(NEWER))
def test_newer_constant_exists_on_every_interpreter(name: str) -> None:
    assert getattr(ironmap, name) == NEWER[name]


def test_every_name_of_the_standard_module_exists() -> None:
    public = {name for name in dir(standard) if not name.startswith("_")}
    assert public <= set(dir(ironmap))


def test_every_method_of_the_standard_class_exists() -> None:
    assert set(dir(standard.mmap)) - set(dir(ironmap.mmap)) == set()


def test_error_is_oserror() -> None:
    assert ironmap.error is OSError


def test_class_lives_in_the_module() -> None:
    assert ironmap.mmap.__name__ == ironmap.mmap.__qualname__ == "mmap"
    assert ironmap.mmap.__module__ == "ironmap"


@pytest.mark.parametrize("name", ["lines", "find_all", "guarded", "__enter__"])
def test_names_of_classes_are_there(name: str) -> None:
    with ironmap.mmap(-1, 10) as m:
        kind = type(m.find_all(b"a") if name == "find_all" else getattr(m, name)())
    assert getattr(importlib.import_module(kind.__module__), kind.__qualname__) is kind
    assert repr(kind) == f"<class '{kind.__module__}.{kind.__qualname__}'>"


def test_number_of_items_is_told_only_where_it_is_known() -> None:
    with ironmap.mmap(-1, 10) as m:
        assert operator.length_hint(iter(m)) == 10
        assert not hasattr(m.lines(), "__length_hint__")
        assert not hasattr(m.find_all(b"a"), "__length_hint__")


def test_module_that_is_deleted_leaves_no_class() -> None:
    code = """
import gc, sys
import ironmap
def classes():
    gc.collect()
    gc.collect()  # FaultError outlives the module
    names = [kind.__name__ for kind in gc.get_objects() if isinstance(kind, type)]
    return sorted({"FaultError", "FindAll", "Guarded", "Lines"}.intersection(names))
m = ironmap.mmap(-1, 10)
list(m.lines()), list(m.find_all(b"a")), m.guarded()
print(classes())
del m
for name in [name for name in sys.modules if name.startswith("ironmap")]:
    del sys.modules[name]
del ironmap
print(classes())
"""
    assert run_python(code) == "['FaultError', 'FindAll', 'Guarded', 'Lines']\n[]\n"


def test_module_replaces_the_standard_module() -> None:
    program = "import ironmap as mmap\nwith mmap.mmap(-1, 5) as m:\n    m[:] = b'hello'"
    names: dict[str, object] = {}
    exec(program, names)
    assert names["mmap"] is ironmap


def test_standard_module_is_unchanged() -> None:
    assert standard.mmap is not ironmap.mmap
    assert not issubclass(ironmap.mmap, standard.mmap)


def test_everything_public_is_documented() -> None:
    public = [name for name in vars(ironmap.mmap) if not name.startswith("_")]
    undocumented = [name for name in public if not getattr(ironmap.mmap, name).__doc__]
    assert undocumented == []
    assert ironmap.__doc__
    assert ironmap.mmap.__doc__


def test_star_import_takes_the_names_of_the_standard_module_and_one_more() -> None:
    """It overwrites nothing else of the importer: not `open`, and not its `__version__`."""
    names: dict[str, object] = {"__version__": "1.0", "open": open}
    before = dict(names)
    exec("from ironmap import *", names)
    taken = set(names) - {"__builtins__", *before}
    assert {name: names[name] for name in before} == before
    assert {name for name in taken if not name.isupper()} == {"FaultError", "error", "mmap"}
    assert taken >= {name for name in vars(standard) if not name.startswith("_")}
