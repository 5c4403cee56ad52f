"""A map of ironmap and a standard one behave alike under the same random operations.

Each step runs one operation on both and compares the result or the type of the exception; after
each step the two maps, and at the end of each map's life the two files, must be equal. What ironmap
does on purpose beyond the standard module is left out here and has tests of its own: single bytes
as items, offsets that are not whole pages, the additions of newer interpreters, shared anonymous
memory that would grow, private memory that grows after it shrank, and resizes that fail.

IRONMAP_STEPS sets the number of steps, IRONMAP_SEED repeats a run.
"""

from __future__ import annotations

import copy
import io
import itertools
import mmap as standard
import os
import pickle
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import ironmap
from support import BUFFER_METHODS, GRANULE, PAGE, Buffer, Index, outcome
from system import HAS_ADVICE, HAS_FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import Outcome

STEPS_A_RUN = 50
LARGEST = 20 * PAGE  # long enough for calls that let other threads run


def accepts(name: str, *arguments: object) -> bool:
    """True if the running interpreter's own module accepts these arguments."""
    with standard.mmap(-1, PAGE) as m:
        return hasattr(m, name) and outcome(getattr(m, name), *arguments).error is None


SEEKABLE = accepts("seekable")
NONE_AS_BOUND = accepts("find", b"", None)
NONE_AS_LENGTH = HAS_ADVICE and accepts("madvise", standard.MADV_NORMAL, 0, None)
FLUSH_TO_END = accepts("flush", 0, -1)
ANONYMOUS_SIZE = accepts("size")
with standard.mmap(-1, PAGE) as probe:
    # Early releases of CPython 3.11 and before find nothing between a start and an earlier end.
    NOTHING_IN_NO_RANGE = probe.find(b"", 1, 0) == -1

# ---- arguments -------------------------------------------------------------------------------

extremes = st.sampled_from(
    [s * n + d for s in (-1, 1) for n in (2**31, 2**32, 2**63, 2**70) for d in (-1, 0)]
)
near_pages = st.builds(lambda n, d: n * PAGE + d, st.integers(-4, 4), st.integers(-1, 1))
integers = st.one_of(st.integers(-20, 20), st.integers(-LARGEST, LARGEST), near_pages, extremes)
indices = st.one_of(integers, integers.map(Index), st.booleans())
whole_pages = st.integers(-1, 4).map(lambda n: n * PAGE)
granules = st.integers(-1, 4).map(lambda n: n * GRANULE)
wrong = st.sampled_from(["a", 1.5, [1], {}, object(), "", b"ab", b"", ()])
not_integers = st.one_of(wrong, st.none())
words = st.lists(st.sampled_from([b"a", b"b", b"\n", b"\0"]), max_size=6).map(b"".join)
BYTES_LIKE: list[Callable[[bytes], Any]] = [
    bytes,
    bytearray,
    memoryview,
    lambda content: memoryview(content)[::2],  # not contiguous
    *([Buffer] if BUFFER_METHODS else []),
]
bytes_like = st.builds(lambda kind, content: kind(content), st.sampled_from(BYTES_LIKE), words)
# The standard module ignores an end after a start of None; ironmap heeds it.
no_bound = st.none() if NONE_AS_BOUND else indices
ranges = st.one_of(
    st.sampled_from([(), ("a",), (1.5,), (0, "a"), (0, 1.5)]),
    st.tuples(no_bound | indices),
    st.tuples(indices, no_bound | indices),
    st.tuples(no_bound, no_bound),
)
slices = st.builds(
    slice,
    st.none() | integers,
    st.none() | integers,
    st.none() | st.integers(-5, 5) | extremes,
)
HINTS = ["MADV_NORMAL", "MADV_RANDOM", "MADV_SEQUENTIAL", "MADV_WILLNEED", "MADV_DONTNEED"]
hints = st.sampled_from([getattr(standard, name, 0) for name in HINTS] + [999, 2**31])
PRIVATE_AND_SHARED = [standard.MAP_PRIVATE, standard.MAP_SHARED] if HAS_FLAGS else [0]
# If a length beyond the file extends the file, only lengths that are impossible.
lengths = extremes if HAS_FLAGS else extremes.filter(lambda n: not 0 < n < 2**62)
REFUSED: list[Callable[[Any], object]] = [
    lambda m: m + m,
    lambda m: m + b"a",
    lambda m: m * 2,
    lambda m: m.__delitem__(0),
    lambda m: m.__delitem__(slice(0, 2)),
    lambda m: m.__delitem__("a"),
    lambda m: m.no_such_attribute,
    lambda m: setattr(m, "attribute", 1),
    lambda m: setattr(m, "closed", True),
    copy.copy,
    copy.deepcopy,
    pickle.dumps,
    hash,
    lambda m: m == m.__class__,
]


def content_of(length: int, chance: int) -> bytes:
    """Random content in which short needles sometimes occur."""
    return bytes(random.Random(chance).choices(b"ab\n\0xyz", k=length))


# ---- the machine -----------------------------------------------------------------------------


class Side:
    """One of the two modules with its file, its map, and the exported views."""

    def __init__(self, module: Any, path: Path) -> None:
        self.module = module
        self.path = path
        self.views: list[memoryview] = []
        self.map: Any = module.mmap(-1, 1)
        self.map.close()

    def open_file(self, mode: str, length: int, **options: int) -> None:
        with self.path.open(mode) as file:
            self.map = self.module.mmap(file.fileno(), length, **options)

    def open_anonymous(self, length: int, **options: int) -> None:
        self.map = self.module.mmap(-1, length, **options)

    def export(self) -> tuple[bool, int]:
        self.views.append(memoryview(self.map))
        return self.views[-1].readonly, self.views[-1].nbytes

    # Methods that the standard module lacks, made from those that it has.

    def read_into(self, length: int) -> tuple[int, bytes]:
        buffer = bytearray(b"#" * length)
        if self.module is ironmap:
            return self.map.readinto(buffer), bytes(buffer)
        data = self.map.read(length)
        buffer[: len(data)] = data
        return len(data), bytes(buffer)

    def read_lines(self, hint: int | None) -> list[bytes]:
        if self.module is ironmap:
            return self.map.readlines(hint)
        position = self.map.tell()
        lines = io.BytesIO(self.map[position:]).readlines()
        if hint is not None and hint > 0:
            ends = list(itertools.accumulate(map(len, lines)))
            lines = lines[: sum(end <= hint for end in ends) + 1]
        if lines:
            self.map.seek(position + sum(map(len, lines)))
        return lines

    def lines(self, start: int | None, end: int | None, *, keepends: bool) -> list[bytes]:
        if self.module is ironmap:
            return list(self.map.lines(start, end, keepends=keepends))
        lines = io.BytesIO(self.map[start:end]).readlines()
        return lines if keepends else [line.removesuffix(b"\n") for line in lines]

    def drop(self) -> None:
        for view in self.views:
            view.release()
        self.views.clear()
        self.map.close()

    def state(self) -> object:
        if self.map.closed:
            return repr(self.map)
        return repr(self.map), len(self.map), self.map.tell(), self.map[:]


class Maps(RuleBasedStateMachine):
    steps = 0
    steps_on_open_maps = 0

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        base = Path(self.directory.name)
        self.ours = Side(ironmap, base / "ours")
        self.theirs = Side(standard, base / "theirs")
        self.private = False
        self.grows = True
        self.has_size = True

    def both(self, use: Callable[[Side], object]) -> Outcome:
        """Runs the action on both sides, and checks that the outcomes are equal."""
        Maps.steps += 1
        Maps.steps_on_open_maps += not self.theirs.map.closed
        theirs, ours = outcome(use, self.theirs), outcome(use, self.ours)
        assert ours == theirs
        return ours

    def call(self, name: str, *arguments: object) -> Outcome:
        return self.both(lambda side: getattr(side.map, name)(*arguments))

    def reopen(self, use: Callable[[Side], None]) -> None:
        self.drop_both()
        self.both(use)
        self.private = False
        self.grows = self.has_size = True

    def drop_both(self) -> None:
        for side in (self.ours, self.theirs):
            side.drop()
        assert self.ours.path.read_bytes() == self.theirs.path.read_bytes()

    # -- opening and closing

    @initialize(length=st.integers(1, LARGEST), chance=st.integers(0, 2**32))
    def make_files(self, length: int, chance: int) -> None:
        for side in (self.ours, self.theirs):
            side.path.write_bytes(content_of(length, chance))
        self.open_whole_file()

    @rule()
    def open_whole_file(self) -> None:
        self.reopen(lambda side: side.open_file("r+b", 0))

    @rule(
        access=st.integers(-1, 4),
        mode=st.sampled_from(["rb", "r+b"]),
        length=st.just(0) | st.integers(-1, LARGEST) | lengths,
        offset=st.just(0) | granules,
    )
    def open_by_access(self, access: int, mode: str, length: int, offset: int) -> None:
        options = {"access": access, "offset": offset}
        writes = mode == "r+b" and access in (ironmap.ACCESS_DEFAULT, ironmap.ACCESS_WRITE)
        if not HAS_FLAGS and not writes:
            length = min(length, 0)  # not extendable: ironmap has another error on purpose
        self.reopen(lambda side: side.open_file(mode, length, **options))

    @precondition(lambda _: HAS_FLAGS)
    @rule(
        flags=st.sampled_from(PRIVATE_AND_SHARED),
        prot=st.sampled_from([1, 3, 3, 3]),
        access=st.sampled_from([0, 0, 0, 1, 2, 3]),
        length=st.just(0) | st.integers(0, LARGEST),
    )
    def open_by_flags(self, flags: int, prot: int, access: int, length: int) -> None:
        options = {"flags": flags, "prot": prot, "access": access}
        self.reopen(lambda side: side.open_file("r+b", length, **options))
        self.private = flags == standard.MAP_PRIVATE

    @rule(
        length=st.integers(-1, LARGEST),
        flags=st.sampled_from(PRIVATE_AND_SHARED),
        chance=st.integers(0, 2**32),
    )
    def open_anonymous(self, length: int, flags: int, chance: int) -> None:
        options = {"flags": flags} if HAS_FLAGS else {}
        self.reopen(lambda side: side.open_anonymous(length, **options))
        self.private = HAS_FLAGS and flags == standard.MAP_PRIVATE
        self.grows = self.private or not HAS_FLAGS
        self.has_size = ANONYMOUS_SIZE
        self.call("__setitem__", slice(None), content_of(max(length, 0), chance))

    @rule()
    def close(self) -> None:
        self.call("close")

    @rule()
    def use_as_context_manager(self) -> None:
        def use(side: Side) -> bool:
            with side.map as entered:
                return entered is side.map

        self.both(use)

    # -- items and slices

    @rule(index=indices)
    def get_item(self, index: object) -> None:
        self.call("__getitem__", index)

    @rule(index=indices, value=st.one_of(st.integers(-1, 256), indices))
    def set_item(self, index: object, value: object) -> None:
        self.call("__setitem__", index, value)

    @rule(index=not_integers, value=st.integers(0, 255))
    def use_wrong_index(self, index: object, value: int) -> None:
        self.call("__getitem__", index)
        self.call("__setitem__", index, value)

    @rule(index=indices, value=not_integers)
    def set_item_to_something_else(self, index: object, value: object) -> None:
        self.call("__setitem__", index, value)

    @rule(where=slices)
    def get_slice(self, where: slice) -> None:
        self.call("__getitem__", where)

    @rule(where=slices, chance=st.integers(0, 2**32), kind=st.sampled_from(BYTES_LIKE))
    def set_slice(self, where: slice, chance: int, kind: Callable[[bytes], object]) -> None:
        length = outcome(lambda: len(self.theirs.map[where])).value or 0
        self.call("__setitem__", where, kind(content_of(length, chance)))

    @rule(where=slices, value=bytes_like | wrong)
    def set_slice_to_something_else(self, where: slice, value: object) -> None:
        self.call("__setitem__", where, value)

    @rule(value=st.sampled_from([b"a", b"\0", b"\xff", b"ab", b"", 97, "a", None]))
    def look_for_item(self, value: object) -> None:
        self.both(lambda side: value in side.map)

    @rule()
    def iterate(self) -> None:
        self.both(lambda side: list(side.map))
        self.both(lambda side: list(reversed(side.map)))

    @rule()
    def measure(self) -> None:
        self.both(lambda side: (len(side.map), bool(side.map)))

    @rule()
    def convert(self) -> None:
        self.both(lambda side: (bytes(side.map), bytearray(side.map)))

    # -- the position

    @rule(arguments=st.just(()) | st.tuples(st.none() | indices | wrong))
    def read(self, arguments: tuple[object, ...]) -> None:
        self.call("read", *arguments)

    @rule(name=st.sampled_from(["read_byte", "readline", "tell"]))
    def use_position(self, name: str) -> None:
        self.call(name)

    @rule(length=st.integers(0, 20) | st.integers(0, LARGEST))
    def readinto(self, length: int) -> None:
        self.both(lambda side: side.read_into(length))

    @rule(hint=st.none() | st.integers(-1, 20) | st.integers(-1, LARGEST))
    def readlines(self, hint: int | None) -> None:
        self.both(lambda side: side.read_lines(hint))

    @rule(
        start=st.none() | st.integers(-LARGEST, LARGEST),
        end=st.none() | st.integers(-LARGEST, LARGEST),
        keepends=st.booleans(),
    )
    def lines(self, start: int | None, end: int | None, *, keepends: bool) -> None:
        self.both(lambda side: side.lines(start, end, keepends=keepends))

    @rule(data=bytes_like | wrong | st.none())
    def write(self, data: object) -> None:
        self.call("write", data)

    @rule(value=st.integers(-1, 256) | indices | not_integers)
    def write_byte(self, value: object) -> None:
        self.call("write_byte", value)

    @rule(to=indices | not_integers, rest=st.just(()) | st.tuples(st.integers(-1, 3) | wrong))
    def seek(self, to: object, rest: tuple[object, ...]) -> None:
        """Before CPython 3.13 the standard seek() returns None."""
        self.both(lambda side: [side.map.seek(to, *rest)][1:])

    @rule()
    def seekable(self) -> None:
        if SEEKABLE:
            self.call("seekable")

    # -- searching

    @rule(name=st.sampled_from(["find", "rfind"]), sub=bytes_like | wrong, where=ranges)
    def search(self, name: str, sub: object, where: tuple[object, ...]) -> None:
        if sub or NOTHING_IN_NO_RANGE:
            self.call(name, sub, *where)

    @rule(name=st.sampled_from(["find", "rfind"]), where=slices, within=ranges)
    def search_for_own_bytes(self, name: str, where: slice, within: tuple[object, ...]) -> None:
        sub = outcome(lambda: self.theirs.map[where]).value
        if sub or NOTHING_IN_NO_RANGE:
            self.call(name, sub, *within)

    # -- memory and file

    @rule(offset=whole_pages | extremes, size=integers)
    def flush(self, offset: int, size: int) -> None:
        if size != -1 or FLUSH_TO_END:
            self.call("flush", offset, size)

    @rule(arguments=st.sampled_from([(), ("a", 1), (0, "a"), (0, 1, 2)]))
    def flush_all_or_nothing(self, arguments: tuple[object, ...]) -> None:
        self.call("flush", *arguments)

    @precondition(lambda _: HAS_ADVICE)
    @rule(
        option=hints | not_integers,
        where=st.one_of(
            st.just(()),
            st.tuples(whole_pages | extremes | wrong),
            st.tuples(whole_pages, integers | (st.none() if NONE_AS_LENGTH else wrong)),
        ),
    )
    def madvise(self, option: object, where: tuple[object, ...]) -> None:
        self.call("madvise", option, *where)

    @rule(arguments=st.tuples(indices, indices, indices))
    def move(self, arguments: tuple[object, ...]) -> None:
        self.call("move", *arguments)

    @rule(data=st.data())
    def move_inside(self, data: st.DataObject) -> None:
        length = outcome(lambda: len(self.theirs.map)).value or 0
        target, source = (data.draw(st.integers(0, length)) for _ in range(2))
        self.call("move", target, source, data.draw(st.integers(0, length - max(target, source))))

    @rule(arguments=st.lists(st.integers(0, 3) | not_integers, max_size=4))
    def move_something_else(self, arguments: list[object]) -> None:
        self.call("move", *arguments)

    @rule(length=st.integers(1, LARGEST) | near_pages.filter(bool), negative=st.booleans())
    def resize(self, length: int, *, negative: bool) -> None:
        length = -abs(length) if negative else abs(length)
        own_length = outcome(lambda: len(self.theirs.map)).value or LARGEST
        self.call("resize", length if self.grows else min(length, own_length))
        self.grows &= not (self.private and length < own_length)

    @rule(length=not_integers | st.sampled_from([2**63, 2**70, -(2**70)]))
    def resize_to_something_else(self, length: object) -> None:
        self.call("resize", length)

    @rule()
    def size(self) -> None:
        if self.has_size or self.theirs.map.closed:
            self.call("size")

    # -- the buffer

    @rule()
    def export(self) -> None:
        self.both(Side.export)

    @rule()
    def release(self) -> None:
        if self.ours.views:
            self.both(lambda side: side.views.pop().release())

    @rule(index=integers, value=st.integers(0, 255))
    def write_through_view(self, index: int, value: int) -> None:
        if self.ours.views:
            self.both(lambda side: side.views[-1].__setitem__(index, value))

    @rule(use=st.sampled_from(REFUSED))
    def use_refused(self, use: Callable[[Any], object]) -> None:
        self.both(lambda side: [use(side.map)][1:])

    # -- invariants

    @invariant()
    def maps_are_equal(self) -> None:
        assert self.ours.state() == self.theirs.state()

    def teardown(self) -> None:
        if self.ours.path.exists():
            self.drop_both()
        self.directory.cleanup()


def run(steps: int, chance: int) -> None:
    """Runs about this many steps."""
    profile = settings(
        max_examples=steps // STEPS_A_RUN + 1,
        stateful_step_count=STEPS_A_RUN,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(chance)(Maps), settings=profile)


def test_both_do_the_same_under_random_operations() -> None:
    steps = int(os.environ.get("IRONMAP_STEPS", "3000"))
    chance = int(os.environ.get("IRONMAP_SEED", "0")) or random.randrange(1, 2**32)
    print(f"IRONMAP_SEED={chance} repeats this run")
    Maps.steps = Maps.steps_on_open_maps = 0
    while Maps.steps < steps:
        run(steps - Maps.steps, chance + Maps.steps)
    print(f"{Maps.steps} steps, {Maps.steps_on_open_maps} of them on open maps")
