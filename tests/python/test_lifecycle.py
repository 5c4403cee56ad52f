"""The life of a map: closing, exported buffers, references, subclasses, repr, pickling, audit."""

from __future__ import annotations

import copy
import gc
import inspect
import mmap as standard
import os
import pickle
import pprint
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from support import GRANULE, PAGE, assert_same_error, open_descriptors, outcome, run_python
from system import HAS_ADVICE, needs_descriptors, needs_flags, needs_fork

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import MapMaker

# Every use that must raise on a closed map, even with valid arguments.
USES: dict[str, Callable[[Any], object]] = {
    "len": len,
    "bool": bool,
    "iteration": list,
    "bytes": bytes,
    "memoryview": memoryview,
    "in": lambda m: b"a" in m,
    "get item": lambda m: m[0],
    "get slice": lambda m: m[0:2],
    "get extended slice": lambda m: m[::2],
    "set item": lambda m: m.__setitem__(0, 1),
    "set slice": lambda m: m.__setitem__(slice(0, 2), b"ab"),
    "enter": lambda m: m.__enter__(),
    "find": lambda m: m.find(b"a"),
    "rfind": lambda m: m.rfind(b"a", 0, 5),
    "count": lambda m: m.count(b"a"),
    "find_all": lambda m: m.find_all(b"a"),
    "flush": lambda m: m.flush(),
    "flush a range": lambda m: m.flush(0, 1),
    **({"madvise": lambda m: m.madvise(ironmap.MADV_NORMAL)} if HAS_ADVICE else {}),
    "move": lambda m: m.move(0, 1, 2),
    "read": lambda m: m.read(),
    "read some": lambda m: m.read(3),
    "read_byte": lambda m: m.read_byte(),
    "readinto": lambda m: m.readinto(bytearray(3)),
    "readline": lambda m: m.readline(),
    "readlines": lambda m: m.readlines(),
    "lines": lambda m: m.lines(),
    "resize": lambda m: m.resize(5),
    "seek": lambda m: m.seek(0),
    "set_name": lambda m: m.set_name("name"),
    "size": lambda m: m.size(),
    "tell": lambda m: m.tell(),
    "write": lambda m: m.write(b"ab"),
    "write_byte": lambda m: m.write_byte(1),
    "clear_damage": lambda m: m.clear_damage(),
    "guarded": lambda m: m.guarded(),
}


class Named(ironmap.mmap):
    """A subclass like those of programs."""

    name: object = None

    @classmethod
    def make(cls, length: int, name: object) -> Named:
        m = cls(-1, length)
        m.name = name
        return m


# ---- closing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("use", USES)
def test_closed_map_raises(digits: ironmap.mmap, use: str) -> None:
    digits.close()
    with pytest.raises(ValueError, match="^mmap closed or invalid$"):
        USES[use](digits)


def test_deleting_from_a_closed_map_is_an_error(digits: ironmap.mmap) -> None:
    """The order of the two checks depends on the Python version."""
    digits.close()
    with pytest.raises((TypeError, ValueError)):
        del digits[0]


def test_every_method_of_a_closed_map_is_tried() -> None:
    tried = {use.split()[0] for use in USES}
    methods = {name for name in vars(ironmap.mmap) if not name.startswith("_")}
    assert methods - tried == {"close", "closed", "damaged", "seekable", "tagname"}


@pytest.mark.parametrize("own_class", [False, True])
@pytest.mark.parametrize("closed", [False, True])
def test_every_attribute_can_be_looked_up(*, closed: bool, own_class: bool) -> None:
    """Debuggers, pprint and mock look at all of them, and expect no error but AttributeError."""
    with Named(-1, 10) if own_class else ironmap.mmap(-1, 10) as m:
        if closed:
            m.close()
        assert all(hasattr(m, name) for name in dir(m))
        assert not hasattr(m, "no_such_attribute")
        members = dict(inspect.getmembers(m))
        assert members.keys() >= set(dir(ironmap.mmap)) - {"__abstractmethods__"}
        assert (members["closed"], members["damaged"], members["tagname"]) == (closed, (), None)
        assert pprint.pformat([m]) == f"[{m!r}]"
        for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot pickle"):
                duplicate(m)


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
def test_close_frees_the_memory_and_the_descriptor(map_bytes: MapMaker) -> None:
    before = open_descriptors()
    m = map_bytes(bytes(PAGE))
    assert len(open_descriptors() - before) == 1
    m.close()
    assert open_descriptors() == before


@needs_descriptors
@pytest.mark.parametrize("module", [standard, ironmap])
def test_close_ignores_errors_of_the_system(module: Any, path: Path) -> None:
    path.write_bytes(bytes(PAGE))
    with path.open("r+b") as file:
        before = open_descriptors()
        m = module.mmap(file.fileno(), 0)
        (descriptor,) = open_descriptors() - before
        os.close(descriptor)
        m.close()
    assert m.closed


def test_deallocation_closes_the_map(map_path: MapMaker, path: Path) -> None:
    before = open_descriptors()
    with path.open("r+b") as file:
        m = ironmap.mmap(file.fileno(), 0)
    del m
    gc.collect()
    assert open_descriptors() == before


def test_context_manager_closes(path: Path) -> None:
    with path.open("r+b") as file, ironmap.mmap(file.fileno(), 0) as m:
        assert isinstance(m, ironmap.mmap)
        assert not m.closed
    assert m.closed


def test_context_manager_lets_exceptions_through(anonymous: ironmap.mmap) -> None:
    with pytest.raises(KeyError), anonymous as m:
        raise KeyError
    assert m.closed


def test_context_manager_allows_closing_inside(anonymous: ironmap.mmap) -> None:
    with anonymous as m:
        m.close()
    assert m.closed


def test_context_manager_with_exported_buffers_is_an_error(digits: ironmap.mmap) -> None:
    def use() -> memoryview:
        with digits as m:
            return memoryview(m)

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
    m = ironmap.mmap(-1, PAGE)
    m[:3] = b"abc"
    kept = weakref.ref(m)
    view = memoryview(m)
    del m
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


BUFFER_USES: dict[str, Callable[[Any, Any], object]] = {
    "m[i] = buffer": lambda m, buffer: m.__setitem__(0, buffer),
    "m[a:b] = buffer": lambda m, buffer: m.__setitem__(slice(0, 1), buffer),
    "m[a:b] = buffer of a wrong size": lambda m, buffer: m.__setitem__(slice(0, 2), buffer),
    "m[::n] = buffer": lambda m, buffer: m.__setitem__(slice(None, None, 10), buffer),
    "write": lambda m, buffer: m.write(buffer),
    "write_byte": lambda m, buffer: m.write_byte(buffer),
    "readinto": lambda m, buffer: m.readinto(buffer),
    "find": lambda m, buffer: m.find(buffer),
    "rfind": lambda m, buffer: m.rfind(buffer),
    "count": lambda m, buffer: m.count(buffer),
    "find_all": lambda m, buffer: m.find_all(buffer),
}


@pytest.mark.parametrize("name", BUFFER_USES)
def test_call_releases_the_buffer_of_its_argument(digits: ironmap.mmap, name: str) -> None:
    buffer = bytearray(b"x")
    outcome(BUFFER_USES[name], digits, buffer)
    buffer.append(0)  # an error while the buffer is exported


def test_buffer_of_a_read_only_map_refuses_writing(map_bytes: MapMaker) -> None:
    m = map_bytes(b"0123456789", access=ironmap.ACCESS_READ)
    with memoryview(m) as view, pytest.raises(TypeError):
        view[0] = 1


def test_buffer_methods_exist_since_python_3_12(digits: ironmap.mmap) -> None:
    if not hasattr(standard.mmap, "__buffer__"):
        pytest.skip("classes have no __buffer__ before CPython 3.12")
    view = digits.__buffer__(0)
    assert isinstance(view, memoryview)
    with pytest.raises(BufferError):
        digits.close()
    digits.__release_buffer__(view)
    digits.close()


# ---- references, subclasses ------------------------------------------------------------------


def test_map_can_be_weakly_referenced(anonymous: ironmap.mmap) -> None:
    m = ironmap.mmap(-1, 16)
    dead: list[object] = []
    reference = weakref.ref(m, dead.append)
    assert reference() is m
    del m
    gc.collect()
    assert reference() is None
    assert dead == [reference]


def test_subclass_has_attributes_and_all_methods() -> None:
    with Named.make(10, "ten") as m:
        m[:3] = b"abc"
        assert (m.name, len(m), m.find(b"c")) == ("ten", 10, 2)
        assert isinstance(m, ironmap.mmap)
        assert weakref.ref(m)() is m


def test_subclass_may_override() -> None:
    class Loud(ironmap.mmap):
        def readline(self) -> bytes:
            return super().readline().upper()

    with Loud(-1, 4) as m:
        m[:] = b"abc\n"
        assert m.readline() == b"ABC\n"


def test_subclass_in_a_cycle_is_collected() -> None:
    m = Named.make(10, "cycle")
    m.name = m
    reference = weakref.ref(m)
    del m
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("name", ["lines", "find_all", "guarded"])
def test_cycle_with_an_object_that_keeps_the_map_is_collected(name: str) -> None:
    m = Named.make(10, "cycle")
    m.name = m.find_all(b"a") if name == "find_all" else getattr(m, name)()
    reference = weakref.ref(m)
    del m
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
        m = ironmap.mmap(file.fileno(), 50, **options)
        theirs = standard.mmap(file.fileno(), 50, **options)
    for either in (m, theirs):
        either.seek(7)
    expected = f"access=ACCESS_{access}, length=50, pos=7, offset={offset}"
    assert repr(m) == repr(theirs) == f"<mmap.mmap closed=False, {expected}>"
    for either in (m, theirs):
        either.close()
    assert repr(m) == repr(theirs) == "<mmap.mmap closed=True>"


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


def test_sizeof_of_a_closed_map_is_of_what_it_keeps(path: Path) -> None:
    """The addresses that were exported stay reserved. They are no memory; what notes them is."""
    path.write_bytes(bytes(1000 * PAGE))
    with path.open("r+b") as file:
        m = ironmap.mmap(file.fileno(), 0)
    memoryview(m).release()
    open_size = m.__sizeof__()
    m.close()
    assert open_size < m.__sizeof__() < 2 * PAGE  # the file's name is kept as well
    with path.open("r+b") as file:
        never_exported = ironmap.mmap(file.fileno(), 0)
    never_exported.close()
    assert never_exported.__sizeof__() == ironmap.mmap.__basicsize__


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


@needs_flags
@pytest.mark.parametrize("prot", range(8))
def test_event_has_the_access_that_the_protection_means(prot: int) -> None:
    code = """
import mmap, sys, ironmap
seen = []
sys.addaudithook(lambda event, arguments: event == "mmap.__new__" and seen.append(arguments))
for module in (mmap, ironmap):
    module.mmap(-1, 10, prot=int(sys.argv[1])).close()
assert seen[0] == seen[1], seen
"""
    run_python(code, str(prot))


def test_taking_a_tagname_is_audited() -> None:
    """After the event of the standard module, which does not have the name."""
    code = """
import os, sys, ironmap
tag = f"audited-{os.getpid()}"
seen = []
sys.addaudithook(lambda *event: event[0].startswith(("mmap", "ironmap")) and seen.append(event))
ironmap.mmap(-1, 10, tagname=tag).close()
ironmap.mmap(-1, 10, tagname=None).close()
made = "mmap.__new__", (-1, 10, 0, 0)
assert seen == [made, ("ironmap.tagname", (tag, -1)), made], seen
"""
    run_python(code)


@pytest.mark.parametrize("event", ["mmap.__new__", "ironmap.tagname"])
def test_audit_hook_may_refuse(event: str) -> None:
    code = """
import os, sys, ironmap
def refuse(event, arguments):
    if event == sys.argv[1]:
        raise PermissionError("refused")
sys.addaudithook(refuse)
try:
    ironmap.mmap(-1, 10, tagname=f"refused-{os.getpid()}")
except PermissionError as error:
    print(error)
"""
    assert run_python(code, event) == "refused\n"


def test_interpreter_exits_with_open_maps() -> None:
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
m = ironmap.mmap(-1, 10)
if (child := os.fork()) == 0:
    m.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
m[0] = 1
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
    with cls(-1, 3) as m:
        m[:] = b"abc"
        assert m[:] == b"abc"
        assert repr(m).startswith("<mmap.mmap ")
"""
    run_python(code)


@pytest.mark.parametrize("key", [0, slice(0, 1)])
def test_closed_read_only_map_is_closed_before_it_is_read_only(path: Path, key: object) -> None:
    """Or the other way round, as in the standard module of that version."""

    def store(module: Any) -> None:
        with path.open("rb") as file:
            m = module.mmap(file.fileno(), 0, access=module.ACCESS_READ)
        m.close()
        m[key] = b"0"

    assert_same_error(store)
