"""Several threads on one map: each call does all or raises, and the process lives."""

from __future__ import annotations

import random

import pytest

from support import run_python
from system import HAS_ADVICE, HAS_SYNC_FLAGS

USES = """
    made.find(b"needle")
    made.rfind(b"needle", 0)
    made.count(b"needle")
    list(made.find_all(bytes(1000)))
    made[0:SIZE]
    made[SIZE // 2]
    made[::4]
    made.__setitem__(slice(0, 70000), bytes(70000))
    made.__setitem__(slice(0, 280000, 4), bytes(70000))
    made.move(0, 1, 70000)
    made.write(bytes(70000))
    made.read(100000)
    made.readline()
    made.seek(0)
    made.flush(0, 4096)
    made.size()
    bytes(memoryview(made)[:5])
"""
if HAS_SYNC_FLAGS:
    USES += "    made.flush(0, 4096, flags=ironmap.MS_ASYNC)\n"
if HAS_ADVICE:
    USES += "    made.madvise(ironmap.MADV_WILLNEED)\n"
# Two threads use the map over and over, while a third one tries to change it.
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
    global made
    made.close()
    made = new_map()

def resize():
    made.resize(chance.randrange(1, SIZE))

made = new_map()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
ready.wait()
for _ in range(100):
    try:
        chance.choice((close, resize))()
    except BufferError:
        pass  # a thread is in the middle of something
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
    """With such a switch interval they run only where a call gives the interpreter up."""
    code = """
import ironmap, sys, threading
made = ironmap.mmap(-1, 1 << 27, access=ironmap.ACCESS_COPY)
started, acted = threading.Event(), []
def act():
    started.wait()
    acted.append(made.tell())
thread = threading.Thread(target=act)
thread.start()
sys.setswitchinterval(1000)
started.set()
for _ in range(100):
    assert made.find(b"\\1") == -1
    if acted:
        break
assert acted
thread.join()
"""
    run_python(code)


def test_close_during_a_long_search_is_refused_or_comes_first() -> None:
    code = """
import ironmap, threading
made = ironmap.mmap(-1, 1 << 27, access=ironmap.ACCESS_COPY)
results = []
def search():
    try:
        results.append(made.find(b"\\1"))
    except ValueError as error:
        results.append(str(error))
thread = threading.Thread(target=search)
thread.start()
while not made.closed:
    try:
        made.close()
    except BufferError:
        pass
thread.join()
assert results in ([-1], ["mmap closed or invalid"]), results
"""
    run_python(code)
