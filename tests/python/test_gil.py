"""Other threads run while an operation waits for memory.

Each case stops an operation half-way in its own process: see stalled_cases.py.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import stalled
from stalled_cases import CASES, PAUSED_CASES
from support import run_python

FOLDER = Path(stalled.__file__).parent
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import stalled, stalled_cases
stalled.run(sys.argv[2], stalled_cases.CASES | stalled_cases.PAUSED_CASES)
"""


@pytest.fixture(scope="module")
def userfaultfd() -> None:
    if not stalled.can_stall():
        pytest.skip("this system has no userfaultfd(2), or does not permit it")


@pytest.mark.usefixtures("userfaultfd")
@pytest.mark.parametrize("name", CASES)
def test_other_threads_run_meanwhile(name: str) -> None:
    run_python(RUN, FOLDER, name)


@pytest.fixture(scope="module")
def seccomp() -> None:
    if not stalled.can_listen():
        pytest.skip("this system has no seccomp(2) with a listener, or does not permit it")


@pytest.mark.usefixtures("userfaultfd", "seccomp")
@pytest.mark.parametrize("name", PAUSED_CASES)
def test_other_threads_run_during_a_system_call(name: str) -> None:
    run_python(RUN, FOLDER, name)


# Four threads run random operations on one map.
MELEE = """
import ironmap, random, sys, tempfile, threading

SIZE = 1 << 18
sys.setswitchinterval(1e-5)
anonymous = sys.argv[2] == "anonymous"
on_unix = hasattr(ironmap, "MAP_PRIVATE")

def new_map():
    if anonymous:
        # Memory that can grow, as all anonymous memory on Windows.
        return ironmap.mmap(-1, SIZE, **({"flags": ironmap.MAP_PRIVATE} if on_unix else {}))
    with tempfile.TemporaryFile() as file:
        file.write(b"some words in a line\\n" * (SIZE // 21 + 1))
        file.truncate(SIZE)
        return ironmap.mmap(file.fileno(), 0)

def step_lines(m, iterators=[]):
    if len(iterators) < 4:
        iterators.append(m.lines())
    try:
        return next(random.choice(iterators), None)
    except ValueError:
        iterators.clear()
        raise

def export(m):
    with memoryview(m) as view:
        return bytes(view[:100])

def renew(m):
    global shared
    m.close()
    shared = new_map()

USES = [
    len, repr, export, renew, renew, step_lines, step_lines,
    lambda m: m.resize(random.randrange(1, SIZE)),
    lambda m: m.resize(SIZE),
    lambda m: m.find(b"needle", 0),
    lambda m: m.rfind(b"line", 0),
    lambda m: m[:],
    lambda m: m[::3],
    lambda m: m[random.randrange(SIZE)],
    lambda m: m.__setitem__(slice(0, 70000), bytes(70000)),
    lambda m: m.__setitem__(slice(0, 280000, 4), bytes(70000)),
    lambda m: m.move(0, 1, 70000),
    lambda m: m.write(bytes(70000)),
    lambda m: m.readinto(bytearray(100000)),
    lambda m: m.readinto(m),
    lambda m: m.readline(),
    lambda m: m.readlines(100000),
    lambda m: m.seek(random.randrange(SIZE)),
    lambda m: m.flush(0, 4096, flags=ironmap.MS_ASYNC if on_unix else 0),
    lambda m: m.madvise(ironmap.MADV_WILLNEED) if on_unix else None,
    lambda m: m.size(),
    lambda m: m.guarded().__enter__(),
    lambda m: m.damaged,
]

def work():
    for _ in range(3000):
        try:
            random.choice(USES)(shared)
        except (ValueError, IndexError, BufferError):
            pass
        except BaseException as error:
            unexpected.append(repr(error))

random.seed(int(sys.argv[1]))
unexpected = []
shared = new_map()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not unexpected, unexpected
shared.resize(5)
shared.close()
"""


@pytest.mark.parametrize("kind", ["file", "anonymous"])
def test_threads_do_everything_with_one_map(kind: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    run_python(MELEE, str(seed), kind)
