"""The calls: methods with right and wrong arguments, operators, and functions that take a map."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import hashlib
import inspect
import io
import itertools
import mmap as standard
import operator
import os
import pickle
import pprint
import re
import struct
import sys
import weakref
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from values import Chooser, Index, Number, Side, Value, plain

if TYPE_CHECKING:
    from collections.abc import Callable

# The methods, and what their arguments should be.
METHODS = {
    "close": "",
    "find": "content bound bound",
    "rfind": "content bound bound",
    "flush": "page index",
    "move": "index index index",
    "read": "bound",
    "read_byte": "",
    "readline": "",
    "resize": "index",
    "seek": "index whence",
    "seekable": "",
    "set_name": "name",
    "size": "",
    "tell": "",
    "write": "content",
    "write_byte": "single",
    "madvise": "advice page bound",
    "__len__": "",
    "__repr__": "",
    "__str__": "",
    "__enter__": "",
    "__exit__": "wrong wrong wrong",
    "__getitem__": "key",
    "__setitem__": "key single",
    "__delitem__": "key",
    "__contains__": "single",
    "__iter__": "",
    "__reduce__": "",
    "__reduce_ex__": "index",
    "__getstate__": "",
    "__copy__": "",
    "__format__": "name",
    "__init__": "index index",
    "__eq__": "content",
    "__lt__": "content",
    "__buffer__": "index",
    "__release_buffer__": "content",
}
REQUIRED = {"find": 1, "rfind": 1, "seek": 1, "madvise": 1}
KEYWORDS = """
    sub view start end offset size flags n num pos whence newsize dest src count byte bytes data
    option length name flags key value buffer self trackfd access
""".split()  # noqa: SIM905
# None that breaks memory or takes long.
ADVICE = [
    "NORMAL",
    "RANDOM",
    "SEQUENTIAL",
    "WILLNEED",
    "DONTNEED",
    "DONTFORK",
    "MERGEABLE",
    "DODUMP",
]


class Call(NamedTuple):
    name: str
    arguments: tuple[Value, ...]
    keywords: dict[str, Value]
    use: Callable[..., Any]  # of the side, then the arguments

    def __str__(self) -> str:
        texts = [value.text for value in self.arguments]
        texts += [f"{name}={value.text}" for name, value in self.keywords.items()]
        return f"{self.name}({', '.join(texts)})"

    @property
    def values(self) -> tuple[Value, ...]:
        return (*self.arguments, *self.keywords.values())

    @property
    def acts(self) -> list[str]:
        return [act for value in self.values for act in value.acts]

    def run(self, side: Side) -> Any:
        arguments = [value.make(side) for value in self.arguments]
        keywords = {name: value.make(side) for name, value in self.keywords.items()}
        return self.use(side, *arguments, **keywords)


class CallChooser(Chooser):
    """Chooses calls."""

    def whence(self) -> Value:
        return plain(self.chance.choice([0, 0, 1, 2, 3, -1]))

    def name(self) -> Value:
        return plain(self.chance.choice(["", "a", "x" * 66, "x" * 67, "a\0b", "é"]))

    def advice(self) -> Value:
        values = [getattr(standard, f"MADV_{name}", 0) for name in ADVICE]
        return plain(self.chance.choice([*values, 999, 2**31, -1]))

    def method(self) -> Call:
        """A method with the right arguments, one that is wrong, or any number of any."""
        name = self.chance.choice(list(METHODS))
        kinds = METHODS[name].split()
        least = REQUIRED.get(name, 0 if name in ("flush", "read") else len(kinds))
        how = self.chance.random()
        if how < 0.85:
            kinds = kinds[: self.chance.randint(least, len(kinds))]
        else:
            kinds = self.chance.choices(["anything", "wrong"], k=self.chance.randint(0, 4))
        arguments = [self.of(kind) for kind in kinds]
        if arguments and self.chance.random() < 0.1:
            arguments[self.chance.randrange(len(arguments))] = self.wrong()
        keywords = {}
        if self.chance.random() < 0.06 or (name == "flush" and self.chance.random() < 0.3):
            keyword = self.chance.choice(["flags"] * 3 + KEYWORDS)
            keywords[keyword] = self.of("whence") if keyword == "flags" else self.anything()
            arguments = arguments[: self.chance.randint(0, len(arguments))]
        return Call(f"m.{name}", tuple(arguments), keywords, by_name(name))

    def operation(self) -> Call:
        name = self.chance.choice(list(OPERATIONS))
        kinds, use = OPERATIONS[name]
        arguments = tuple(
            self.anything() if self.chance.random() < 0.1 else self.of(kind)
            for kind in kinds.split()
        )
        return Call(name, arguments, {}, use)

    def opening(self) -> Call:
        """The constructor, for a map that is closed at once."""
        names = ["fileno", "length", "flags", "prot", "access", "offset", "trackfd"]
        given = names[: self.chance.choice([0, 1, 2, 2, 2, 3, 4, 5, 6])]
        arguments = [self.constructor_argument(name) for name in given]
        keywords = {}
        rest = [*names[len(given) :], "no_such", "fileno"]
        for name in self.chance.sample(rest, self.chance.choice([0, 1, 1, 2])):
            keywords[name] = self.constructor_argument(name)
        return Call("mmap", tuple(arguments), keywords, construct)

    def descriptor(self) -> Value:
        """That of the side's file, none, or one that is not open: others are of both sides."""
        file = Value("fd", lambda side: side.fd)
        part = self.chance.choice(["O_RDONLY", "O_WRONLY"])
        partly = Value(f"fd of {part}", lambda side: side.fds[getattr(os, part)])
        act = self.act()
        acting = Value(
            f"Index(-1, {act!r})", lambda side: Index(side, -1, act), "index", (act,), -1
        )
        wrong = plain(self.chance.choice([-2, 9999, 2**31, -(2**70), Number(-1)]))
        return self.chance.choice([file, file, partly, plain(-1), plain(-1), acting, wrong])

    def constructor_argument(self, name: str) -> Value:
        chance = self.chance
        if chance.random() < 0.08:
            return self.wrong()
        if name == "fileno":
            return self.descriptor()
        if name == "length":
            return chance.choice([plain(0), plain(1), plain(self.length), self.index()])
        # No memory without permission to read: the standard module dies of it.
        numbers = {
            "flags": [0, 1, 2, 3, 0x22, 0x21],
            "prot": [1, 1, 3, 3, 7],
            "access": range(-1, 5),
        }
        if name in numbers:
            return plain(chance.choice(list(numbers[name])))
        if name == "offset":
            return chance.choice([self.page(), plain(0), self.index()])
        return plain(chance.choice([True, False, 0, 1, None]))

    def call(self) -> Call:
        kind = self.chance.random()
        return self.method() if kind < 0.6 else self.operation() if kind < 0.95 else self.opening()


def by_name(name: str) -> Callable[..., Any]:
    def use(side: Side, *arguments: Any, **keywords: Any) -> Any:
        return getattr(side.map, name)(*arguments, **keywords)

    return use


def construct(side: Side, *arguments: Any, **keywords: Any) -> Any:
    m = side.module.mmap(*arguments, **keywords)
    seen = repr(m), m[:100]
    m.close()
    return seen


# ---- operators and functions ---------------------------------------------------------------------


def export(side: Side) -> Any:
    side.views.append(memoryview(side.map))
    return side.views[-1]


def release(side: Side) -> Any:
    return side.views.pop().release() if side.views else None


def with_view(use: Callable[..., Any]) -> Callable[..., Any]:
    def on_last_view(side: Side, *arguments: Any) -> Any:
        return use(side.views[-1], *arguments) if side.views else None

    return on_last_view


def with_steps(use: Callable[..., Any]) -> Callable[..., Any]:
    def on_last_steps(side: Side, *arguments: Any) -> Any:
        return use(side.steps[-1], *arguments) if side.steps else None

    return on_last_steps


def begin(make: Callable[[Any], Any]) -> Callable[..., Any]:
    def keep(side: Side) -> Any:
        side.steps.append(make(side.map))
        return type(side.steps[-1]).__name__

    return keep


def block(side: Side, *arguments: Any) -> Any:
    with side.map as entered:
        return entered is side.map, [entered[key] for key in arguments]


def raising_block(side: Side) -> Any:
    with contextlib.suppress(LookupError), side.map:
        raise LookupError
    return side.map.closed


def read_by_file(side: Side) -> Any:
    return io.BytesIO(b"0123456789" * 3).readinto(side.map)


def raw_bytes(side: Side) -> Any:
    first = ctypes.c_char.from_buffer(side.map)
    result = first.value
    del first
    return result


def members(side: Side) -> Any:
    """The names, as far as both have them, of what inspect finds."""
    names = set(dir(standard.mmap))
    return sorted(name for name, _ in inspect.getmembers(side.map) if name in names)


def subclass(side: Side) -> Any:
    kind = type(side.map)
    new = type("New", (kind,), {"__slots__": ()})
    m = new(-1, 10)
    m.attribute = 5 if hasattr(m, "__dict__") else 0
    return m.attribute, repr(m)


def on_map(use: Callable[..., Any]) -> Callable[..., Any]:
    def run(side: Side, *arguments: Any) -> Any:
        return use(side.map, *arguments)

    return run


def set_item(m: Any, key: Any, value: Any) -> None:
    m[key] = value


def delete_item(m: Any, key: Any) -> None:
    del m[key]


def set_attribute(m: Any, value: Any) -> None:
    m.attribute = value


def augmented(m: Any, value: Any) -> Any:
    m += value
    return m


def next_item(steps: Any) -> Any:
    return next(steps, "none")


OF_MAP: dict[str, tuple[str, Callable[..., Any]]] = {
    "m[]": ("key", operator.getitem),
    "m[i]": ("index", operator.getitem),
    "m[s]": ("slice", operator.getitem),
    "m[i]=": ("index single", set_item),
    "m[s]=": ("slice content", set_item),
    "m[]=": ("key content", set_item),
    "m[s]=m[s]": ("slice", lambda m, key: set_item(m, key, m[key])),
    "del m[]": ("key", delete_item),
    "in m": ("single", operator.contains),
    "not in m": ("anything", lambda m, value: value not in m),
    "len": ("", len),
    "bool": ("", bool),
    "hash": ("", lambda m: hash(m) == m.__hash__() == object.__hash__(m)),
    "repr": ("", repr),
    "str": ("", str),
    "format": ("name", format),
    "bytes": ("", bytes),
    "bytearray": ("", bytearray),
    "list": ("", lambda m: list(itertools.islice(m, 20))),
    "reversed": ("", lambda m: list(itertools.islice(reversed(m), 20))),
    "unpack": ("", lambda m: [*m][:3]),
    "max": ("", max),
    "sum": ("", sum),
    "==": ("content", operator.eq),
    "!=": ("anything", operator.ne),
    "<": ("content", operator.lt),
    "is": ("", lambda m: m == m),
    "+": ("content", operator.add),
    "reflected +": ("content", lambda m, value: value + m),
    "*": ("index", operator.mul),
    "+=": ("content", augmented),
    "int": ("", int),
    "index": ("", operator.index),
    "call": ("", lambda m: m()),
    "next": ("", next),
    "vars": ("", lambda m: sorted(vars(m))),
    "dir": ("", lambda m: sorted(set(dir(standard.mmap)) - set(dir(m)))),
    "m.attribute": ("", lambda m: m.attribute),
    "m.attribute=": ("anything", set_attribute),
    "m.closed=": ("anything", lambda m, value: setattr(m, "closed", value)),
    "del m.closed": ("", lambda m: delattr(m, "closed")),
    "m.closed": ("", lambda m: m.closed),
    "hasattr": ("name", hasattr),
    "isinstance": ("anything", isinstance),
    "class of": ("", lambda m: (type(m).__name__, type(m).__qualname__, m.__class__ is type(m))),
    "pickle": ("index", lambda m, protocol: pickle.dumps(m, protocol)),
    "copy": ("", copy.copy),
    "deepcopy": ("", copy.deepcopy),
    "weakref": ("", lambda m: weakref.ref(m)() is m),
    "proxy": ("key", lambda m, key: weakref.proxy(m)[key]),
    "weak keys": ("", lambda m: weakref.WeakKeyDictionary({m: 1})[m]),
    "pprint": ("", pprint.pformat),
    "crc": ("", zlib.crc32),
    "sha": ("", lambda m: hashlib.sha256(m).hexdigest()),
    "join": ("", lambda m: b",".join([m, b"a", m])),
    "from_bytes": ("", lambda m: int.from_bytes(m, "big") % 1000003),
    "struct": ("index", lambda m, at: struct.unpack_from("<I", m, at)),
    "pack_into": ("index", lambda m, at: struct.pack_into("<I", m, at, 0x61626364)),
    "re": ("", lambda m: [match.span() for match in re.finditer(rb"ab+", m)][:20]),
    "BytesIO": ("", lambda m: io.BytesIO(m).read(20)),
    "memoryview": ("", lambda m: memoryview(m).nbytes),
    "subscript of view": ("key", lambda m, key: memoryview(m)[key]),
    "bytes.find": ("bound", lambda m, start: b"xx".find(m, start)),
    "bytes.startswith": ("", lambda m: b"".startswith(m)),
    "bytearray.extend": ("", lambda m: len(bytearray(b"a") + m)),
}
OPERATIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    **{name: (kinds, on_map(use)) for name, (kinds, use) in OF_MAP.items()},
    "export": ("", export),
    "release": ("", release),
    "view[]": ("key", with_view(operator.getitem)),
    "view[]=": ("key single", with_view(set_item)),
    "view==": ("content", with_view(operator.eq)),
    "view.cast": ("", with_view(lambda view: view.cast("H")[:3].tolist())),
    "view.hash": ("", with_view(hash)),
    "view.obj": ("", lambda side: side.views[-1].obj is side.map if side.views else None),
    "view.toreadonly": ("", with_view(lambda view: view.toreadonly().readonly)),
    "iter": ("", begin(iter)),
    "begin reversed": ("", begin(reversed)),
    "enumerate": ("", begin(enumerate)),
    "step": ("", with_steps(next_item)),
    "length hint": ("", with_steps(operator.length_hint)),
    "pickle steps": ("", with_steps(pickle.dumps)),
    "with": ("", block),
    "with, items": ("key key", block),
    "with, raising": ("", raising_block),
    "readinto": ("", read_by_file),
    "ctypes": ("", raw_bytes),
    "getmembers": ("", members),
    "subclass": ("", subclass),
    "other in": ("single", lambda side, value: value in side.other),
    "getsizeof": ("", lambda side: sys.getsizeof(side.map) > 0),
}
