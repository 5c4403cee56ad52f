"""The object: closing, exported buffers, references, subclasses, text, pickling, size, audit."""

from __future__ import annotations

import copy
import gc
import mmap as standard
import pickle
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import GRANULE, PAGE, open_descriptors, run_python
from system import HAS_ADVICE, needs_descriptors, needs_fork

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import MapMaker

# Every use of a closed map that must raise, also with arguments that are fine otherwise.
USES: dict[str, Callable[[Any], object]] = {
    "len": len,
    "bool": bool,
    "iteration": list,
    "bytes": bytes,
    "memoryview": memoryview,
    "in": lambda made: b"a" in made,
    "get item": lambda made: made[0],
    "get slice": lambda made: made[0:2],
    "get extended slice": lambda made: made[::2],
    "set item": lambda made: made.__setitem__(0, 1),
    "set slice": lambda made: made.__setitem__(slice(0, 2), b"ab"),
    "enter": lambda made: made.__enter__(),
    "find": lambda made: made.find(b"a"),
    "rfind": lambda made: made.rfind(b"a", 0, 5),
    "count": lambda made: made.count(b"a"),
    "find_all": lambda made: made.find_all(b"a"),
    "flush": lambda made: made.flush(),
    "flush a range": lambda made: made.flush(0, 1),
    **({"madvise": lambda made: made.madvise(ironmap.MADV_NORMAL)} if HAS_ADVICE else {}),
    "move": lambda made: made.move(0, 1, 2),
    "read": lambda made: made.read(),
    "read some": lambda made: made.read(3),
    "read_byte": lambda made: made.read_byte(),
    "readinto": lambda made: made.readinto(bytearray(3)),
    "readline": lambda made: made.readline(),
    "readlines": lambda made: made.readlines(),
    "lines": lambda made: made.lines(),
    "resize": lambda made: made.resize(5),
    "seek": lambda made: made.seek(0),
    "set_name": lambda made: made.set_name("name"),
    "size": lambda made: made.size(),
    "tell": lambda made: made.tell(),
    "write": lambda made: made.write(b"ab"),
    "write_byte": lambda made: made.write_byte(1),
    "damaged": lambda made: made.damaged,
    "tagname": lambda made: made.tagname,
    "clear_damage": lambda made: made.clear_damage(),
    "guarded": lambda made: made.guarded(),
}


class Named(ironmap.mmap):
    """A subclass as programs write them."""

    name: object = None

    @classmethod
    def make(cls, length: int, name: object) -> Named:
        made = cls(-1, length)
        made.name = name
        return made


# ---- closing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("use", USES)
def test_closed_map_raises(digits: ironmap.mmap, use: str) -> None:
    digits.close()
    with pytest.raises(ValueError, match="^mmap closed or invalid$"):
        USES[use](digits)


def test_deleting_from_a_closed_map_is_an_error(digits: ironmap.mmap) -> None:
    """Which of the two errors is told differs between versions."""
    digits.close()
    with pytest.raises((TypeError, ValueError)):
        del digits[0]


def test_every_method_of_a_closed_map_is_tried() -> None:
    tried = {use.split()[0] for use in USES}
    methods = {name for name in vars(ironmap.mmap) if not name.startswith("_")}
    assert methods - tried == {"close", "closed", "seekable"}


def test_close_may_be_called_again(digits: ironmap.mmap) -> None:
    assert not digits.closed
    for _ in range(3):
        assert digits.close() is None
        assert digits.closed


def test_closed_cannot_be_set(digits: ironmap.mmap) -> None:
    with pytest.raises(AttributeError):
        digits.closed = True
    assert not digits.closed


@needs_descriptors
def test_close_gives_the_memory_and_the_descriptor_back(map_bytes: MapMaker) -> None:
    before = open_descriptors()
    made = map_bytes(bytes(PAGE))
    assert len(open_descriptors() - before) == 1
    made.close()
    assert open_descriptors() == before


def test_the_end_of_the_object_closes_it(map_path: MapMaker, path: Path) -> None:
    before = open_descriptors()
    with path.open("r+b") as file:
        made = ironmap.mmap(file.fileno(), 0)
    del made
    gc.collect()
    assert open_descriptors() == before


def test_context_manager_closes(path: Path) -> None:
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as made:
        assert isinstance(made, ironmap.mmap)
        assert not made.closed
    assert made.closed


def test_context_manager_lets_exceptions_through(anonymous: ironmap.mmap) -> None:
    with pytest.raises(KeyError), anonymous as made:
        raise KeyError
    assert made.closed


def test_context_manager_allows_closing_inside(anonymous: ironmap.mmap) -> None:
    with anonymous as made:
        made.close()
    assert made.closed


def test_context_manager_with_exported_buffers_is_an_error(digits: ironmap.mmap) -> None:
    def use() -> memoryview:
        with digits as made:
            return memoryview(made)

    view = None
    with pytest.raises(BufferError):
        view = use()
    assert view is None
    gc.collect()
    digits.close()


# ---- exported buffers ------------------------------------------------------------------------


def test_close_waits_for_the_last_exported_buffer(digits: ironmap.mmap) -> None:
    first, second = memoryview(digits), memoryview(digits)
    third = second[2:5]
    for view in (first, second, third):
        with pytest.raises(BufferError, match="^cannot close exported pointers exist$"):
            digits.close()
        assert third[0] == digits[2]
        view.release()
    digits.close()
    assert digits.closed


def test_exported_buffer_keeps_the_map() -> None:
    made = ironmap.mmap(-1, PAGE)
    made[:3] = b"abc"
    kept = weakref.ref(made)
    view = memoryview(made)
    del made
    gc.collect()
    assert kept() is not None
    assert view[:3] == b"abc"
    view.release()
    gc.collect()
    assert kept() is None


def test_closing_an_old_view_twice_counts_once(digits: ironmap.mmap) -> None:
    first, second = memoryview(digits), memoryview(digits)
    first.release()
    first.release()
    with pytest.raises(BufferError):
        digits.close()
    second.release()
    digits.close()


def test_buffer_of_a_read_only_map_refuses_writing(map_bytes: MapMaker) -> None:
    made = map_bytes(b"0123456789", access=ironmap.ACCESS_READ)
    with memoryview(made) as view, pytest.raises(TypeError):
        view[0] = 1


def test_methods_for_buffers_are_there_from_python_3_12(digits: ironmap.mmap) -> None:
    if not hasattr(standard.mmap, "__buffer__"):
        pytest.skip("classes have no __buffer__ before CPython 3.12")
    view = digits.__buffer__(0)
    assert isinstance(view, memoryview)
    with pytest.raises(BufferError):
        digits.close()
    digits.__release_buffer__(view)
    digits.close()


# ---- references, subclasses ------------------------------------------------------------------


def test_weak_reference(anonymous: ironmap.mmap) -> None:
    made = ironmap.mmap(-1, 16)
    dead: list[object] = []
    reference = weakref.ref(made, dead.append)
    assert reference() is made
    del made
    gc.collect()
    assert reference() is None
    assert dead == [reference]


def test_subclass_has_attributes_and_everything_else() -> None:
    with Named.make(10, "ten") as made:
        made[:3] = b"abc"
        assert (made.name, len(made), made.find(b"c")) == ("ten", 10, 2)
        assert isinstance(made, ironmap.mmap)
        assert weakref.ref(made)() is made


def test_subclass_may_override() -> None:
    class Loud(ironmap.mmap):
        def readline(self) -> bytes:
            return super().readline().upper()

    with Loud(-1, 4) as made:
        made[:] = b"abc\n"
        assert made.readline() == b"ABC\n"


def test_subclass_in_a_cycle_is_collected() -> None:
    made = Named.make(10, "cycle")
    made.name = made
    reference = weakref.ref(made)
    del made
    gc.collect()
    assert reference() is None


def test_class_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="immutable type"):
        ironmap.mmap.attribute = 1
    with pytest.raises(TypeError, match="immutable type"):
        del ironmap.mmap.read


def test_object_has_no_attributes_of_its_own(anonymous: ironmap.mmap) -> None:
    assert not hasattr(anonymous, "__dict__")
    with pytest.raises(AttributeError):
        anonymous.attribute = 1


def test_equality_and_hash_are_of_identity(anonymous: ironmap.mmap) -> None:
    with ironmap.mmap(-1, 10) as other:
        other[:] = anonymous[:]
        assert anonymous != other
        assert len({anonymous, other, anonymous}) == 2


# ---- text, pickling, size, audit -------------------------------------------------------------


@pytest.mark.parametrize("access", ["DEFAULT", "READ", "WRITE", "COPY"])
@pytest.mark.parametrize("offset", [0, GRANULE])
def test_repr_is_that_of_the_standard_module(tmp_path: Path, access: str, offset: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(GRANULE + 100))
    with path.open("r+b") as file:
        options = {"access": getattr(ironmap, f"ACCESS_{access}"), "offset": offset}
        made = ironmap.mmap(file.fileno(), 50, **options)
        theirs = standard.mmap(file.fileno(), 50, **options)
    for either in (made, theirs):
        either.seek(7)
    expected = f"access=ACCESS_{access}, length=50, pos=7, offset={offset}"
    assert repr(made) == repr(theirs) == f"<mmap.mmap closed=False, {expected}>"
    for either in (made, theirs):
        either.close()
    assert repr(made) == repr(theirs) == "<mmap.mmap closed=True>"


def test_repr_of_a_subclass_is_that_of_the_standard_module() -> None:
    class Ours(ironmap.mmap):
        pass

    class Theirs(standard.mmap):
        pass

    ours, theirs = Ours(-1, 3), Theirs(-1, 3)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    for either in (ours, theirs):
        either.close()
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_is_refused(anonymous: ironmap.mmap, protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(anonymous, protocol)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copying_is_refused(anonymous: ironmap.mmap, duplicate: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        duplicate(anonymous)


def test_sizeof_is_of_the_object_and_not_of_its_pages(anonymous: ironmap.mmap) -> None:
    with ironmap.mmap(-1, 1000 * PAGE) as large:
        assert sys.getsizeof(large) == sys.getsizeof(anonymous)
        open_size = large.__sizeof__()
    assert ironmap.mmap.__basicsize__ <= open_size < PAGE
    assert ironmap.mmap.__basicsize__ <= large.__sizeof__() <= open_size


def test_making_a_map_is_audited(path: Path) -> None:
    code = """
import os, sys, ironmap
seen = []
sys.addaudithook(lambda event, arguments: event.startswith("mmap") and seen.append(arguments))
descriptor = os.open(sys.argv[1], os.O_RDWR)
ironmap.mmap(descriptor, 3, access=ironmap.ACCESS_READ)
ironmap.mmap(-1, 10)
try:
    ironmap.mmap(descriptor, 0, offset=1 << 40)
except ValueError:
    pass
expected = [(descriptor, 3, 1, 0), (-1, 10, 0, 0), (descriptor, 0, 0, 1 << 40)]
assert seen == expected, seen
"""
    run_python(code, path)


def test_audit_hook_may_refuse(path: Path) -> None:
    code = """
import sys, ironmap
def refuse(event, arguments):
    if event == "mmap.__new__":
        raise PermissionError("refused")
sys.addaudithook(refuse)
try:
    ironmap.mmap(-1, 10)
except PermissionError as error:
    print(error)
"""
    assert run_python(code) == "refused\n"


def test_maps_at_the_end_of_the_interpreter() -> None:
    code = """
import ironmap, sys
kept = ironmap.mmap(-1, 10)
view = memoryview(kept)
class Late:
    def __init__(self):
        self.map = ironmap.mmap(-1, 10)
    def __del__(self):
        assert self.map[0] == 0
sys.late = Late()
cycle = [kept]
cycle.append(cycle)
"""
    assert run_python(code) == ""


@needs_fork
def test_forked_child_closes_its_own() -> None:
    code = """
import ironmap, os
made = ironmap.mmap(-1, 10)
if (child := os.fork()) == 0:
    made.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
made[0] = 1
"""
    run_python(code)


def test_module_is_made_anew_for_each_import() -> None:
    code = """
import sys, ironmap, importlib
old, extension = ironmap.mmap, [name for name in sys.modules if name.startswith("ironmap")]
for name in extension:
    del sys.modules[name]
new = importlib.import_module("ironmap").mmap
for cls in (old, new):
    with cls(-1, 3) as made:
        made[:] = b"abc"
        assert made[:] == b"abc"
        assert repr(made).startswith("<mmap.mmap ")
"""
    run_python(code)
