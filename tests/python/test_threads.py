"""Several threads use one map. Each call is complete or raises, and none crashes."""

from __future__ import annotations

import random

import pytest

from support import run_python
from system import HAS_ADVICE, HAS_SYNC_FLAGS

USES = """
    m.find(b"needle")
    m.rfind(b"needle", 0)
    m.count(b"needle")
    list(m.find_all(bytes(1000)))
    m[0:SIZE]
    m[SIZE // 2]
    m[::4]
    m.__setitem__(slice(0, 70000), bytes(70000))
    m.__setitem__(slice(0, 280000, 4), bytes(70000))
    m.move(0, 1, 70000)
    m.write(bytes(70000))
    m.read(100000)
    m.readline()
    m.seek(0)
    m.flush(0, 4096)
    m.size()
    bytes(memoryview(m)[:5])
"""
if HAS_SYNC_FLAGS:
    USES += "    m.flush(0, 4096, flags=ironmap.MS_ASYNC)\n"
if HAS_ADVICE:
    USES += "    m.madvise(ironmap.MADV_WILLNEED)\n"
# Two threads use the map in a loop, while a third one tries to change it.
CONTEST = """
import ironmap, random, sys, tempfile, threading

use = compile(sys.argv[1], "use", "eval")
chance = random.Random(int(sys.argv[2]))
sys.setswitchinterval(1e-5)
SIZE = 1 << 19
stop = threading.Event()
ready = threading.Barrier(3)
unexpected = []

def new_map():
    with tempfile.TemporaryFile() as file:
        file.truncate(SIZE)
        return ironmap.mmap(file.fileno(), 0)

def work():
    ready.wait()
    while not stop.is_set():
        try:
            eval(use)
        except (ValueError, IndexError, BufferError):
            pass
        except BaseException as error:
            unexpected.append(repr(error))

def close():
    global m
    m.close()
    m = new_map()

def resize():
    m.resize(chance.randrange(1, SIZE))

m = new_map()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
ready.wait()
for _ in range(100):
    try:
        chance.choice((close, resize))()
    except BufferError:
        pass  # a thread works on the map
stop.set()
for thread in threads:
    thread.join()
assert not unexpected, unexpected
resize()
close()
"""


@pytest.mark.parametrize("use", USES.split("\n    ")[1:], ids=str.strip)
def test_map_is_closed_and_resized_while_threads_use_it(use: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    run_python(CONTEST, use.strip(), str(seed))


def test_long_search_lets_other_threads_run() -> None:
    """With this switch interval, other threads run only when a call releases the GIL."""
    code = """
import ironmap, sys, threading
m = ironmap.mmap(-1, 1 << 27, access=ironmap.ACCESS_COPY)
started, acted = threading.Event(), []
def act():
    started.wait()
    acted.append(m.tell())
thread = threading.Thread(target=act)
thread.start()
sys.setswitchinterval(1000)
started.set()
for _ in range(100):
    assert m.find(b"\\1") == -1
    if acted:
        break
assert acted
thread.join()
"""
    run_python(code)


def test_close_during_a_long_search_is_refused_or_comes_first() -> None:
    code = """
import ironmap, threading
m = ironmap.mmap(-1, 1 << 27, access=ironmap.ACCESS_COPY)
results = []
def search():
    try:
        results.append(m.find(b"\\1"))
    except ValueError as error:
        results.append(str(error))
thread = threading.Thread(target=search)
thread.start()
while not m.closed:
    try:
        m.close()
    except BufferError:
        pass
thread.join()
assert results in ([-1], ["mmap closed or invalid"]), results
"""
    run_python(code)


MOVED = """
import ironmap, threading

m = ironmap.mmap(-1, 1 << 24)
stop = threading.Event()

def move():
    while not stop.is_set():
        m.seek((m.tell() + 1) % 1000)

thread = threading.Thread(target=move)
thread.start()
for _ in range(3):
    m.seek(0)
    assert len(m) - 1000 < len(m.readline()) <= len(m)
stop.set()
thread.join()
"""


def test_a_long_line_ends_beside_a_thread_that_moves_the_position() -> None:
    """Without an end, the run is stopped as too long."""
    run_python(MOVED)
