"""A page that cannot be had is a FaultError from the operation that needs it, whatever it is.

The file is cut by another process, before an operation and in the middle of it.
"""

from __future__ import annotations

import copy
import errno
import os
import pickle
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import mapio
from support import PAGE, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support import MapMaker

PAGES = 64
LENGTH = PAGES * PAGE
LOST = 2 * PAGE  # the file is cut here
ROUNDS = int(os.environ.get("MAPIO_FAULT_ROUNDS", "300"))

OPERATIONS: dict[str, Callable[[mapio.mmap], object]] = {
    "item": lambda m: m[LOST],
    "last item": lambda m: m[-1],
    "slice": lambda m: m[LOST - 10 : LOST + 10],
    "large slice": lambda m: m[:],
    "strided slice": lambda m: m[::PAGE],
    "backward slice": lambda m: m[::-3],
    "set item": lambda m: m.__setitem__(LOST, 1),
    "set slice": lambda m: m.__setitem__(slice(LOST, LOST + 5), b"12345"),
    "set large slice": lambda m: m.__setitem__(slice(0, LENGTH), bytes(LENGTH)),
    "set strided slice": lambda m: m.__setitem__(slice(LOST, LOST + 10, 2), b"12345"),
    "find": lambda m: m.find(b"nowhere", 0),
    "rfind": lambda m: m.rfind(b"nowhere", 0),
    "find a byte": lambda m: m.find(b"\xff", 0),
    "read": lambda m: m.read(),
    "read some": lambda m: (m.seek(LOST), m.read(10)),
    "read_byte": lambda m: (m.seek(LOST), m.read_byte()),
    "readline": lambda m: (m.seek(LOST), m.readline()),
    "write": lambda m: (m.seek(LOST), m.write(b"12345")),
    "write much": lambda m: (m.seek(0), m.write(bytes(LENGTH))),
    "write_byte": lambda m: (m.seek(LOST), m.write_byte(1)),
    "move from": lambda m: m.move(0, LOST, 10),
    "move to": lambda m: m.move(LOST, 0, 10),
    "iterate": lambda m: sum(1 for _ in m),
    "contains": lambda m: b"\xff" in m,
}


@pytest.fixture
def big(tmp_path: Path) -> Path:
    file = tmp_path / "big"
    file.write_bytes(b"a" * LENGTH)
    return file


@pytest.fixture
def made(big: Path, map_path: MapMaker) -> mapio.mmap:
    return map_path(big)


def truncate_elsewhere(path: Path, length: int) -> None:
    """Another process does it."""
    code = "import os, sys; os.truncate(sys.argv[1], int(sys.argv[2]))"
    subprocess.run([sys.executable, "-S", "-c", code, str(path), str(length)], check=True)


@pytest.mark.parametrize("name", OPERATIONS)
def test_cut_before(made: mapio.mmap, big: Path, name: str) -> None:
    truncate_elsewhere(big, LOST)
    with pytest.raises(mapio.FaultError) as caught:
        OPERATIONS[name](made)
    assert LOST <= caught.value.offset < LENGTH
    assert caught.value.errno == errno.EIO
    assert caught.value.filename == str(big)
    assert made.damaged == ()
    assert made[:LOST] == b"a" * LOST or name in ("write much", "set large slice")

    os.truncate(big, LENGTH)
    OPERATIONS[name](made)


def test_move_from_a_lost_page_stores_nothing(made: mapio.mmap, big: Path) -> None:
    os.truncate(big, LOST)
    with pytest.raises(mapio.FaultError):
        made.move(0, LOST, 100)
    assert made[:200] == b"a" * 200


def test_position_stays_after_a_failure(made: mapio.mmap, big: Path) -> None:
    os.truncate(big, LOST)
    made.seek(10)
    for use in (made.read, made.readline, lambda: made.write(bytes(LENGTH - 20))):
        with pytest.raises(mapio.FaultError):
            use()
        assert made.tell() == 10


def test_search_that_ends_before_the_lost_page(made: mapio.mmap, big: Path) -> None:
    os.truncate(big, LOST)
    assert made.find(b"aaa", 0) == 0
    assert made.find(b"nowhere", 0, LOST) == -1


def test_resize_after_a_loss(made: mapio.mmap, big: Path) -> None:
    os.truncate(big, LOST)
    with pytest.raises(mapio.FaultError):
        made[-1]
    made.resize(2 * LENGTH)
    assert made[LOST : LOST + 5] == bytes(5)
    assert made[:LOST] == b"a" * LOST
    assert big.stat().st_size == 2 * LENGTH


def test_file_cut_to_nothing(made: mapio.mmap, big: Path) -> None:
    os.truncate(big, 0)
    for index in (0, LENGTH - 1):
        with pytest.raises(mapio.FaultError) as caught:
            made[index]
        assert caught.value.offset == index


def test_untracked_map(big: Path, map_path: MapMaker) -> None:
    """It cannot put its pages back; but it says so, and serves the others."""
    made = map_path(big, trackfd=False)
    os.truncate(big, LOST)
    with pytest.raises(mapio.FaultError) as caught:
        made[LOST]
    assert caught.value.filename is None
    os.truncate(big, LENGTH)
    with pytest.raises(mapio.FaultError):
        made[LOST]
    assert made[LOST - 1] == ord("a")


def test_error_is_an_error_like_others(made: mapio.mmap, big: Path) -> None:
    os.truncate(big, LOST)
    with pytest.raises(OSError, match=f"at byte {LOST} of the map") as caught:
        made[LOST]
    for error in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert type(error) is mapio.FaultError
        assert (error.offset, error.errno, error.filename) == (LOST, errno.EIO, str(big))


# ---- in the middle ---------------------------------------------------------------------------

# Cuts the file and makes it whole again, over and over; a whole file is all b"a".
CUTTER = """
import os, random, sys
path, length, page, seed = sys.argv[1], *map(int, sys.argv[2:])
chance = random.Random(seed)
file = os.open(path, os.O_RDWR)
while True:
    kind = chance.randrange(4)
    cut = (0, chance.randrange(1, page), page * chance.randrange(length // page),
           chance.randrange(length))[kind]
    os.ftruncate(file, cut)
    for _ in range(chance.randrange(2000)):
        pass
    os.pwrite(file, b"a" * (length - cut), cut)
"""


@pytest.fixture
def cutter(big: Path) -> Iterator[int]:
    seed = int(os.environ.get("MAPIO_TEST_SEED", random.randrange(2**32)))
    print(f"MAPIO_TEST_SEED={seed} repeats this run's sizes")
    command = [sys.executable, "-S", "-c", CUTTER, str(big), str(LENGTH), str(PAGE), str(seed)]
    process = subprocess.Popen(command)
    yield seed
    process.kill()
    process.wait()


def test_cut_in_the_middle(made: mapio.mmap, cutter: int) -> None:
    """Thousands of operations meet the cuts wherever they come: each is done, or a FaultError."""
    chance = random.Random(cutter)
    losses = 0
    for _ in range(ROUNDS):
        name = chance.choice(list(OPERATIONS))
        if name in ("iterate", "contains"):
            continue
        lost = outcome(OPERATIONS[name], made).error
        assert lost in (None, mapio.FaultError)
        losses += lost is not None
    assert made.damaged == ()
    assert len(made) == LENGTH
    print(f"{losses} losses in {ROUNDS} rounds")


def test_no_zeros_pass_for_data(made: mapio.mmap, cutter: int) -> None:
    """What is read is b"a", or zeros behind the end of a file that is cut inside their page, or an
    error; a page that is wholly gone is never zeros."""
    chance = random.Random(cutter)
    for _ in range(ROUNDS):
        page = chance.randrange(PAGES)
        try:
            content = made[page * PAGE : (page + 1) * PAGE]
        except mapio.FaultError:
            continue
        assert content.strip(b"\0") == content.rstrip(b"\0")
        assert set(content) <= set(b"a\0")
