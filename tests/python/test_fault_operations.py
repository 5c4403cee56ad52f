"""Every operation on a map whose file another process truncated before, or truncates meanwhile."""

from __future__ import annotations

import errno
import os
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from fault_cases import (
    CONTENT,
    CYCLE,
    FAULT_TEXT,
    LENGTH,
    PAGES,
    POSITION,
    READS,
    SEARCHES,
    STORED,
    STORES,
    OtherProcess,
    Store,
    assert_fault,
    assert_undamaged,
    bounding_range,
    bytes_at,
    map_file,
    page_up,
    truncated_content,
    with_bytes_at,
)
from support import PAGE, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Repetitions of each operation while the file is truncated. 2000 is a thorough run.
ROUNDS = int(os.environ.get("IRONMAP_FAULT_ROUNDS", "40"))
CUTS = {
    "to nothing": 0,
    "in the first page": 100,
    "between pages": 5 * PAGE,
    "in the middle": PAGES // 2 * PAGE + 1234,
}
ONLY_READ = {"access": ironmap.ACCESS_READ}


@pytest.fixture
def lossy(other: OtherProcess) -> Iterator[ironmap.mmap]:
    with map_file(other.path) as m:
        yield m


def attempt(m: ironmap.mmap, run: Callable[..., Any], *arguments: object) -> Outcome:
    """Runs the operation at POSITION. For FaultError the value of the outcome is the exception."""
    m.seek(POSITION)
    try:
        return Outcome(None, run(m, *arguments))
    except ironmap.FaultError as error:
        assert m.tell() == POSITION
        return Outcome(ironmap.FaultError, error)


def check_loss(m: ironmap.mmap, result: Outcome, cut: int, *ranges: range) -> bool:
    """True if the operation failed, which it must if it accessed a lost page."""
    first, end = bounding_range(*ranges)
    lost = page_up(cut)
    if end <= lost:
        assert result.error is None
        return False
    assert result.error is ironmap.FaultError
    assert_fault(result.value, max(first, lost), end)
    assert result.value.filename is not None
    assert m.damaged == ()
    if lost > 0:
        assert m[0] in (CONTENT[0], STORED[0])
    return True


# ---- truncated before ------------------------------------------------------------------------


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("options", [{}, ONLY_READ, {"access": ironmap.ACCESS_COPY}], ids=str)
@pytest.mark.parametrize("name", READS)
def test_read_of_a_lost_page_is_a_fault(
    other: OtherProcess, name: str, cut: int, options: dict[str, int]
) -> None:
    run, where = READS[name]
    with map_file(other.path, **options) as m:
        other.cut(cut)
        result = attempt(m, run)
        if not check_loss(m, result, cut, where):
            assert result.value == bytes_at(truncated_content(cut), where)
        other.write()
        assert attempt(m, run).value == bytes_at(CONTENT, where)
        assert_undamaged(m)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("name", SEARCHES)
def test_search_in_a_lost_page_is_a_fault(
    other: OtherProcess, lossy: ironmap.mmap, name: str, cut: int
) -> None:
    run, where, answer = SEARCHES[name]
    other.cut(cut)
    result = attempt(lossy, run)
    if not check_loss(lossy, result, cut, where):
        assert result.value == answer
    other.write()
    assert attempt(lossy, run).value == answer
    assert_undamaged(lossy)


def data_for(store: Store) -> bytes:
    """The data to store, which differs from the content."""
    return (STORED * (len(store.where) // len(STORED) + 1))[: len(store.where)]


def stored(store: Store, content: bytes) -> bytes:
    data = bytes_at(content, store.source) if store.source else data_for(store)
    return with_bytes_at(content, store.where, data)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("name", STORES)
def test_store_into_a_lost_page_is_a_fault(
    other: OtherProcess, lossy: ironmap.mmap, name: str, cut: int
) -> None:
    store = STORES[name]
    other.cut(cut)
    result = attempt(lossy, store.run, data_for(store))
    if not check_loss(lossy, result, cut, store.where, store.source):
        end = page_up(cut)
        assert lossy[:end] == stored(store, truncated_content(cut))[:end]
    assert other.path.stat().st_size == cut
    other.write()
    assert_undamaged(lossy)
    assert attempt(lossy, store.run, data_for(store)).error is None
    assert lossy[:] == other.path.read_bytes() == stored(store, CONTENT)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("name", STORES)
def test_store_into_a_lost_page_of_a_copy_is_a_fault(
    other: OtherProcess, name: str, cut: int
) -> None:
    store = STORES[name]
    with map_file(other.path, access=ironmap.ACCESS_COPY) as m:
        other.cut(cut)
        result = attempt(m, store.run, data_for(store))
        check_loss(m, result, cut, store.where, store.source)
        other.write()
        assert attempt(m, store.run, data_for(store)).error is None
        assert other.path.read_bytes() == CONTENT
        if cut == 0:
            assert m[:] == stored(store, CONTENT)


def test_copy_keeps_what_was_stored_in_other_pages(other: OtherProcess) -> None:
    with map_file(other.path, access=ironmap.ACCESS_COPY) as m:
        m[0] = m[-1] = 1
        other.cut(PAGE)
        with pytest.raises(ironmap.FaultError):
            m.find(b"\0")
        other.write()
        assert m[0] == 1
        assert m[PAGE:-PAGE] == CONTENT[PAGE:-PAGE]


def test_fault_names_the_file(other: OtherProcess, lossy: ironmap.mmap) -> None:
    other.cut(PAGE)
    with pytest.raises(ironmap.FaultError, match=FAULT_TEXT) as raised:
        lossy[PAGE]
    assert raised.value.filename == str(other.path)
    assert raised.value.offset == PAGE
    assert raised.value.errno == errno.EIO


@pytest.mark.parametrize("offset", [PAGE, 3 * PAGE + 77])
def test_offset_counts_from_the_first_mapped_byte(other: OtherProcess, offset: int) -> None:
    with map_file(other.path, offset=offset) as m:
        other.cut(6 * PAGE)
        with pytest.raises(ironmap.FaultError) as raised:
            m[:]
        assert raised.value.offset == 6 * PAGE - offset
        assert m[0] == CONTENT[offset]
        other.write()
        assert m[:] == CONTENT[offset:]


def test_without_the_descriptor_lost_pages_stay_lost(other: OtherProcess) -> None:
    with map_file(other.path, trackfd=False) as m:
        other.cut(PAGE)
        for _ in range(2):
            with pytest.raises(ironmap.FaultError) as raised:
                m[2 * PAGE]
            assert_fault(raised.value, 2 * PAGE, 2 * PAGE + 1)
            assert raised.value.filename is None
            assert m[:PAGE] == CONTENT[:PAGE]
            other.write()
            assert m[0:PAGE:9] == CONTENT[0:PAGE:9]
            m[0:PAGE:9] = CONTENT[0:PAGE:9]
            m.move(0, CYCLE, CYCLE)
        assert m[5 * PAGE :] == CONTENT[5 * PAGE :]


# ---- operations on whole pages ---------------------------------------------------------------

ABOUT_PAGES: dict[str, Callable[[Any], object]] = {
    "flush": lambda m: m.flush(),
    "flush a range": lambda m: m.flush(LENGTH - PAGE, PAGE),
    "flush later": lambda m: m.flush(flags=ironmap.MS_ASYNC),
    "resize up": lambda m: m.resize(LENGTH + PAGE),
    "resize down": lambda m: m.resize(LENGTH - PAGE),
    "size": lambda m: m.size(),
    **{
        name: lambda m, name=name: m.madvise(getattr(ironmap, name))
        for name in sorted(vars(ironmap))
        if name.startswith("MADV_") and name not in ("MADV_HWPOISON", "MADV_REMOVE")
    },
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("name", ABOUT_PAGES)
@pytest.mark.parametrize("touch", [False, True], ids=["untouched", "touched"])
def test_work_on_lost_pages_shows_no_zeros(
    other: OtherProcess, name: str, cut: int, *, touch: bool
) -> None:
    with map_file(other.path) as m:
        other.cut(cut)
        if touch:
            assert attempt(m, READS["m[:]"].run).error is ironmap.FaultError
        with suppress(OSError):
            ABOUT_PAGES[name](m)
        end = min(page_up(cut), len(m))
        assert m[:end] == truncated_content(cut)[:end]
        other.write()
        assert m[: LENGTH - PAGE] == CONTENT[: LENGTH - PAGE]
        assert m.damaged == ()


def test_resize_extends_a_truncated_file(other: OtherProcess, lossy: ironmap.mmap) -> None:
    other.cut(PAGE + 5)
    with pytest.raises(ironmap.FaultError):
        lossy[-1]
    lossy.resize(2 * LENGTH)
    assert lossy[:] == CONTENT[: PAGE + 5] + bytes(2 * LENGTH - PAGE - 5)
    assert other.path.stat().st_size == 2 * LENGTH


# ---- truncated meanwhile ---------------------------------------------------------------------


class Loop:
    """The other process truncates and rewrites the file in a loop, at random offsets."""

    def __init__(self, other: OtherProcess) -> None:
        self.seed = random.randrange(2**32)
        print(f"seed {self.seed}")
        chance = random.Random(self.seed)
        late = range(PAGES // 2, PAGES)
        self.cuts = [
            0,
            chance.randrange(1, PAGE),
            chance.choice(late) * PAGE,
            *(chance.choice(late) * PAGE + chance.randrange(1, PAGE) for _ in range(2)),
        ]
        self.other = other

    def __enter__(self) -> None:
        self.other.begin_loop(self.seed, self.cuts)

    def __exit__(self, *_: object) -> None:
        self.other.end_loop()

    def is_right(self, at: int, byte: int) -> bool:
        """True if that byte is possible. Zeros are, between the end of the file and of its page."""
        after_a_cut = any(cut <= at < page_up(cut) for cut in self.cuts)
        return byte == CONTENT[at] or (byte == 0 and after_a_cut)

    def assert_right(self, where: range, data: bytes) -> None:
        assert len(data) == len(where)
        if data != bytes_at(CONTENT, where):
            wrong = [at for at, b in zip(where, data, strict=True) if not self.is_right(at, b)]
            assert wrong == []


def try_often(m: ironmap.mmap, ranges: tuple[range, ...], run: Callable[..., Any]) -> Iterator[Any]:
    """The values of the rounds that did not fail."""
    first, end = bounding_range(*ranges)
    for _ in range(ROUNDS):
        result = attempt(m, run)
        if result.error is None:
            yield result.value
        else:
            assert_fault(result.value, first, end)
        assert m.damaged == ()


@pytest.mark.parametrize("name", READS)
def test_read_while_the_file_is_truncated_is_right_or_a_fault(
    other: OtherProcess, lossy: ironmap.mmap, name: str
) -> None:
    run, where = READS[name]
    loop = Loop(other)
    with loop:
        for data in try_often(lossy, (where,), run):
            loop.assert_right(where, data)
    assert_undamaged(lossy)


@pytest.mark.parametrize("name", SEARCHES)
def test_search_while_the_file_is_truncated_is_right_or_a_fault(
    other: OtherProcess, lossy: ironmap.mmap, name: str
) -> None:
    run, where, answer = SEARCHES[name]
    with Loop(other):
        for found in try_often(lossy, (where,), run):
            assert found == answer
    assert_undamaged(lossy)


@pytest.mark.parametrize("name", [name for name, store in STORES.items() if not store.source])
def test_store_while_the_file_is_truncated_is_right_or_a_fault(
    other: OtherProcess, lossy: ironmap.mmap, name: str
) -> None:
    store = STORES[name]
    same = bytes_at(CONTENT, store.where)
    with Loop(other):
        for _ in try_often(lossy, (store.where,), lambda m: store.run(m, same)):
            pass
    assert_undamaged(lossy)
    assert other.path.read_bytes() == CONTENT


def test_move_while_the_file_is_truncated_is_right_or_a_fault(
    other: OtherProcess, lossy: ironmap.mmap
) -> None:
    """Moves by a multiple of the cycle, so that the content does not change."""
    source = range(2 * PAGE, 3 * PAGE)
    target = range(*(at + CYCLE * (LENGTH // 2 // CYCLE) for at in (source.start, source.stop)))
    with Loop(other):
        run = lambda m: m.move(target.start, source.start, PAGE)  # noqa: E731
        for _ in try_often(lossy, (source, target), run):
            pass
    assert_undamaged(lossy)
    assert other.path.read_bytes() == CONTENT


@pytest.mark.parametrize("name", ABOUT_PAGES)
def test_work_on_pages_while_the_file_is_truncated_shows_no_zeros(
    other: OtherProcess, name: str
) -> None:
    with map_file(other.path) as m:
        with Loop(other):
            for _ in range(min(ROUNDS, 200)):
                with suppress(OSError):
                    ABOUT_PAGES[name](m)
                attempt(m, lambda m: m[:])
        assert m.damaged == ()
        assert m[: LENGTH - PAGE] == CONTENT[: LENGTH - PAGE]


def test_all_operations_are_tried() -> None:
    names = " ".join([*READS, *SEARCHES, *STORES, *ABOUT_PAGES, "madvise"])
    methods = {name for name in vars(ironmap.mmap) if not name.startswith("_")}
    no_bytes = {"close", "closed", "seek", "seekable", "tell", "set_name", "tagname"}
    about_damage = {"damaged", "clear_damage", "guarded"}
    assert {name for name in methods - no_bytes - about_damage if name not in names} == set()
