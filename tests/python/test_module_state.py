"""The classes that the module's functions use are its own, whatever becomes of their names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import ironmap
from ironmap import _ironmap
from support import run_python
from system import needs_lost_pages

# Makes maps of truncated files, and tells which class an error has.
MAPS = """
import gc, os, sys, tempfile
import ironmap

def truncated():
    with tempfile.TemporaryFile() as file:
        file.write(b"a" * (8 * ironmap.PAGESIZE))
        file.flush()
        m = ironmap.mmap(file.fileno(), 0)
        os.ftruncate(file.fileno(), 0)
    return m

def damaged():
    m = truncated()
    with memoryview(m) as view:
        view[0]
    return m

USES = (lambda m: m[0], lambda m: list(m.lines()), lambda m: list(m.find_all(b"x")), len)
def errors(m):
    for use in USES:
        try:
            use(m)
        except BaseException as error:
            yield type(error)
"""
FORGET = """
for name in [name for name in sys.modules if name.startswith("ironmap")]:
    del sys.modules[name]
"""


@pytest.mark.parametrize("name", ["FaultError", "FindAll", "Guarded", "Lines", "error", "mmap"])
@pytest.mark.parametrize("value", ["5", "object", "None"])
def test_names_of_the_module_can_be_replaced(name: str, value: str) -> None:
    code = f"""
import ironmap
from ironmap import _ironmap
m = ironmap.mmap(-1, 100)
_ironmap.{name} = {value}
for _ in range(100):
    assert len(list(m.find_all(bytes(1)))) == 100
    assert list(m.lines()) == [bytes(100)]
    with m.guarded() as guarded:
        assert guarded is m
"""
    run_python(code)


def test_exception_of_another_module_is_the_first_one() -> None:
    code = """
import io, ironmap
first = io.UnsupportedOperation
io.UnsupportedOperation = None
try:
    ironmap.mmap(-1, 10, trackfd=False).size()
except first as error:
    print(type(error) is first)
"""
    assert run_python(code) == "True\n"


@needs_lost_pages
def test_error_has_the_class_that_was_imported() -> None:
    code = "FaultError = ironmap.FaultError\nm = truncated()\n" + FORGET
    check = "assert list(errors(m)) == [FaultError] * 3\n"
    again = "import ironmap as another\nassert another.FaultError is not FaultError\n"
    assert run_python(MAPS + code + check + again + check + "print('done')") == "done\n"


@needs_lost_pages
def test_each_import_has_an_error_of_its_own() -> None:
    code = """
first = truncated()
ours = ironmap.FaultError
del sys.modules["ironmap"], sys.modules["ironmap._ironmap"]
import ironmap
second = truncated()
assert ironmap.FaultError is not ours
assert type(second.lines()) is not type(first.lines())
assert list(errors(first)) == [ours] * 3
assert list(errors(second)) == [ironmap.FaultError] * 3
writable = ironmap.mmap(-1, len(first))
for use in (lambda: writable.write(first), lambda: writable.find(first),
            lambda: list(writable.find_all(first)), lambda: first.readinto(writable)):
    try:
        use()
    except BaseException as error:
        print(type(error) is ours, type(error) is ironmap.FaultError)
"""
    method_decides = "False True\n" * 3 + "True False\n"
    assert run_python(MAPS + code) == method_decides


@needs_lost_pages
def test_error_is_there_at_the_end_of_the_interpreter() -> None:
    code = """
class Last:
    def __del__(self, print=print, errors=errors, FaultError=ironmap.FaultError):
        print([error is FaultError for error in errors(self.m)])
last = Last()
last.m = truncated()
last.itself = last
"""
    assert run_python(MAPS + code) == "[True, True, True]\n"


@needs_lost_pages
def test_damage_is_told_at_the_end_of_the_interpreter() -> None:
    code = """
os.dup2(1, 2)
kept = damaged()
itself = [damaged()]
itself.append(itself)
"""
    assert run_python(MAPS + code).count("\nironmap.FaultError: [Errno ") == 2


@needs_lost_pages
def test_map_that_is_collected_with_its_module_tells_of_damage() -> None:
    code = """
sys.unraisablehook = lambda report: print(report.exc_type, report.exc_type.__mro__[1])
gc.collect()
itself = [damaged()]
itself.append(itself)
del itself, ironmap
"""
    told = "<class 'ironmap.FaultError'> <class 'OSError'>\n"
    assert run_python(MAPS + code + FORGET + "gc.collect()\nprint('end')") == told + "end\n"


def test_class_without_its_base_in_the_mro_can_be_made() -> None:
    code = """
import ironmap
class Meta(type):
    def mro(cls):
        return [cls, object]
class Odd(ironmap.mmap, metaclass=Meta):
    pass
print(type(Odd(-1, 100)).__name__)
"""
    assert run_python(code) == "Odd\n"


# ---- copies in other packages ----------------------------------------------------------------

COPIES = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
import ironmap
from vendored import ironmap as copy
import vendored.deeper.ironmap as deeper
for module in (ironmap, copy, deeper):
    for kind in (module.mmap, module.FaultError):
        assert kind.__module__ == module.__name__
    assert type(module.mmap(-1, 5).lines()).__module__ == module.__name__ + "._ironmap"
    error = module.FaultError(5, "text", "name")
    assert type(pickle.loads(pickle.dumps(error))) is module.FaultError
"""


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """A folder with the packages vendored.ironmap and vendored.deeper.ironmap."""
    package = Path(ironmap.__file__).parent
    for folder in (tmp_path / "vendored", tmp_path / "vendored" / "deeper"):
        folder.mkdir()
        (folder / "__init__.py").touch()
        shutil.copytree(package, folder / "ironmap")
        extension = Path(_ironmap.__file__)
        if not (folder / "ironmap" / extension.name).exists():
            shutil.copy(extension, folder / "ironmap")
    return tmp_path


def test_copy_in_another_package_has_names_of_its_own(copies: Path) -> None:
    run_python(COPIES, copies)


@needs_lost_pages
def test_copies_lose_pages_side_by_side(copies: Path) -> None:
    code = """
maps = []
for ironmap in (ironmap, copy, deeper) * 2:
    maps.append((ironmap.FaultError, truncated()))
for error, m in maps + maps[::-1]:
    assert list(errors(m)) == [error] * 3
"""
    maps = MAPS.replace("import ironmap\n", "")
    run_python(COPIES + maps + code, copies)
