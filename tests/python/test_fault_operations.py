"""Every operation on a map whose file another process cut short before it, or cuts meanwhile."""

from __future__ import annotations

import errno
import os
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from fault_cases import (
    AT,
    CONTENT,
    CYCLE,
    LENGTH,
    PAGES,
    PIECE,
    READS,
    SEARCHES,
    STORES,
    OtherProcess,
    Store,
    assert_fault,
    assert_whole,
    cut_content,
    map_file,
    page_up,
    pick,
    put,
    touched,
)
from support import PAGE, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How often each operation is done while the file is being cut: 2000 is a thorough run.
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
    with map_file(other.path) as made:
        yield made


def attempt(made: ironmap.mmap, run: Callable[..., Any], *arguments: object) -> Outcome:
    """Runs it from AT on. FaultError is an outcome whose value is the exception."""
    made.seek(AT)
    try:
        return Outcome(None, run(made, *arguments))
    except ironmap.FaultError as error:
        assert made.tell() == AT
        return Outcome(ironmap.FaultError, error)


def check_loss(made: ironmap.mmap, result: Outcome, cut: int, *places: range) -> bool:
    """Whether the operation was lost, which it must be if it touched what is behind the cut."""
    first, behind = touched(*places)
    lost = page_up(cut)
    if behind <= lost:
        assert result.error is None
        return False
    assert result.error is ironmap.FaultError
    assert_fault(result.value, max(first, lost), behind)
    assert result.value.filename is not None
    assert made.damaged == ()
    if lost > 0:
        assert made[0] in (CONTENT[0], PIECE[0])
    return True


# ---- cut before ------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("options", [{}, ONLY_READ, {"access": ironmap.ACCESS_COPY}], ids=str)
@pytest.mark.parametrize("name", READS)
def test_read(other: OtherProcess, name: str, cut: int, options: dict[str, int]) -> None:
    run, where = READS[name]
    with map_file(other.path, **options) as made:
        other.cut(cut)
        result = attempt(made, run)
        if not check_loss(made, result, cut, where):
            assert result.value == pick(cut_content(cut), where)
        other.write()
        assert attempt(made, run).value == pick(CONTENT, where)
        assert_whole(made)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("name", SEARCHES)
def test_search(other: OtherProcess, lossy: ironmap.mmap, name: str, cut: int) -> None:
    run, where, answer = SEARCHES[name]
    other.cut(cut)
    result = attempt(lossy, run)
    if not check_loss(lossy, result, cut, where):
        assert result.value == answer
    other.write()
    assert attempt(lossy, run).value == answer
    assert_whole(lossy)


def data_for(store: Store) -> bytes:
    """What is to be stored; never what is there."""
    return (PIECE * (len(store.where) // len(PIECE) + 1))[: len(store.where)]


def stored(store: Store, content: bytes) -> bytes:
    data = pick(content, store.source) if store.source else data_for(store)
    return put(content, store.where, data)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("name", STORES)
def test_store(other: OtherProcess, lossy: ironmap.mmap, name: str, cut: int) -> None:
    store = STORES[name]
    other.cut(cut)
    result = attempt(lossy, store.run, data_for(store))
    if not check_loss(lossy, result, cut, store.where, store.source):
        end = page_up(cut)
        assert lossy[:end] == stored(store, cut_content(cut))[:end]
    assert other.path.stat().st_size == cut
    other.write()
    assert_whole(lossy)
    assert attempt(lossy, store.run, data_for(store)).error is None
    assert lossy[:] == other.path.read_bytes() == stored(store, CONTENT)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("name", STORES)
def test_store_into_a_copy(other: OtherProcess, name: str, cut: int) -> None:
    store = STORES[name]
    with map_file(other.path, access=ironmap.ACCESS_COPY) as made:
        other.cut(cut)
        result = attempt(made, store.run, data_for(store))
        check_loss(made, result, cut, store.where, store.source)
        other.write()
        assert attempt(made, store.run, data_for(store)).error is None
        assert other.path.read_bytes() == CONTENT
        if cut == 0:
            assert made[:] == stored(store, CONTENT)


def test_copy_keeps_what_was_stored_in_other_pages(other: OtherProcess) -> None:
    with map_file(other.path, access=ironmap.ACCESS_COPY) as made:
        made[0] = made[-1] = 1
        other.cut(PAGE)
        with pytest.raises(ironmap.FaultError):
            made.find(b"\0")
        other.write()
        assert made[0] == 1
        assert made[PAGE:-PAGE] == CONTENT[PAGE:-PAGE]


def test_fault_names_the_file(other: OtherProcess, lossy: ironmap.mmap) -> None:
    other.cut(PAGE)
    with pytest.raises(ironmap.FaultError, match="cannot be had") as raised:
        lossy[PAGE]
    assert raised.value.filename == str(other.path)
    assert raised.value.offset == PAGE
    assert raised.value.errno == errno.EIO


@pytest.mark.parametrize("offset", [PAGE, 3 * PAGE + 77])
def test_offset_counts_from_the_first_mapped_byte(other: OtherProcess, offset: int) -> None:
    with map_file(other.path, offset=offset) as made:
        other.cut(6 * PAGE)
        with pytest.raises(ironmap.FaultError) as raised:
            made[:]
        assert raised.value.offset == 6 * PAGE - offset
        assert made[0] == CONTENT[offset]
        other.write()
        assert made[:] == CONTENT[offset:]


def test_without_the_descriptor_lost_pages_stay_lost(other: OtherProcess) -> None:
    with map_file(other.path, trackfd=False) as made:
        other.cut(PAGE)
        for _ in range(2):
            with pytest.raises(ironmap.FaultError) as raised:
                made[2 * PAGE]
            assert_fault(raised.value, 2 * PAGE, 2 * PAGE + 1)
            assert raised.value.filename is None
            assert made[:PAGE] == CONTENT[:PAGE]
            other.write()
            assert made[0:PAGE:9] == CONTENT[0:PAGE:9]
            made[0:PAGE:9] = CONTENT[0:PAGE:9]
            made.move(0, CYCLE, CYCLE)
        assert made[5 * PAGE :] == CONTENT[5 * PAGE :]


# ---- what changes or asks about whole pages ------------------------------------------------------

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
def test_work_on_pages(other: OtherProcess, name: str, cut: int, *, touch: bool) -> None:
    with map_file(other.path) as made:
        other.cut(cut)
        if touch:
            assert attempt(made, READS["m[:]"].run).error is ironmap.FaultError
        with suppress(OSError):
            ABOUT_PAGES[name](made)
        end = min(page_up(cut), len(made))
        assert made[:end] == cut_content(cut)[:end]
        other.write()
        assert made[: LENGTH - PAGE] == CONTENT[: LENGTH - PAGE]
        assert made.damaged == ()


def test_resize_makes_a_cut_file_long(other: OtherProcess, lossy: ironmap.mmap) -> None:
    other.cut(PAGE + 5)
    with pytest.raises(ironmap.FaultError):
        lossy[-1]
    lossy.resize(2 * LENGTH)
    assert lossy[:] == CONTENT[: PAGE + 5] + bytes(2 * LENGTH - PAGE - 5)
    assert other.path.stat().st_size == 2 * LENGTH


# ---- cut in the middle -----------------------------------------------------------------------


class Loop:
    """The other process cutting the file over and over, at random places."""

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
        """Whether that byte can be there: zeros only between a cut and the end of its page."""
        behind_a_cut = any(cut <= at < page_up(cut) for cut in self.cuts)
        return byte == CONTENT[at] or (byte == 0 and behind_a_cut)

    def assert_right(self, where: range, data: bytes) -> None:
        assert len(data) == len(where)
        if data != pick(CONTENT, where):
            wrong = [at for at, b in zip(where, data, strict=True) if not self.is_right(at, b)]
            assert wrong == []


def try_often(
    made: ironmap.mmap, places: tuple[range, ...], run: Callable[..., Any]
) -> Iterator[Any]:
    """The values of the rounds that were not lost."""
    first, behind = touched(*places)
    for _ in range(ROUNDS):
        result = attempt(made, run)
        if result.error is None:
            yield result.value
        else:
            assert_fault(result.value, first, behind)
        assert made.damaged == ()


@pytest.mark.parametrize("name", READS)
def test_read_while_the_file_is_cut(other: OtherProcess, lossy: ironmap.mmap, name: str) -> None:
    run, where = READS[name]
    loop = Loop(other)
    with loop:
        for data in try_often(lossy, (where,), run):
            loop.assert_right(where, data)
    assert_whole(lossy)


@pytest.mark.parametrize("name", SEARCHES)
def test_search_while_the_file_is_cut(other: OtherProcess, lossy: ironmap.mmap, name: str) -> None:
    run, where, answer = SEARCHES[name]
    with Loop(other):
        for found in try_often(lossy, (where,), run):
            assert found == answer
    assert_whole(lossy)


@pytest.mark.parametrize("name", [name for name, store in STORES.items() if not store.source])
def test_store_while_the_file_is_cut(other: OtherProcess, lossy: ironmap.mmap, name: str) -> None:
    store = STORES[name]
    same = pick(CONTENT, store.where)
    with Loop(other):
        for _ in try_often(lossy, (store.where,), lambda made: store.run(made, same)):
            pass
    assert_whole(lossy)
    assert other.path.read_bytes() == CONTENT


def test_move_while_the_file_is_cut(other: OtherProcess, lossy: ironmap.mmap) -> None:
    """By a multiple of the cycle, from a page without holes, so that it changes nothing."""
    source = range(2 * PAGE, 3 * PAGE)
    target = range(*(at + CYCLE * (LENGTH // 2 // CYCLE) for at in (source.start, source.stop)))
    with Loop(other):
        run = lambda made: made.move(target.start, source.start, PAGE)  # noqa: E731
        for _ in try_often(lossy, (source, target), run):
            pass
    assert_whole(lossy)
    assert other.path.read_bytes() == CONTENT


@pytest.mark.parametrize("name", ABOUT_PAGES)
def test_work_on_pages_while_the_file_is_cut(other: OtherProcess, name: str) -> None:
    with map_file(other.path) as made:
        with Loop(other):
            for _ in range(min(ROUNDS, 200)):
                with suppress(OSError):
                    ABOUT_PAGES[name](made)
                attempt(made, lambda made: made[:])
        assert made.damaged == ()
        assert made[: LENGTH - PAGE] == CONTENT[: LENGTH - PAGE]


def test_all_operations_are_tried() -> None:
    names = " ".join([*READS, *SEARCHES, *STORES, *ABOUT_PAGES, "madvise"])
    methods = {name for name in vars(ironmap.mmap) if not name.startswith("_")}
    no_bytes = {"close", "closed", "seek", "seekable", "tell", "set_name", "tagname"}
    about_damage = {"damaged", "clear_damage", "guarded"}
    assert {name for name in methods - no_bytes - about_damage if name not in names} == set()
