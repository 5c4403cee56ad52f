"""Operations of several threads on one map wait for each other, in order.

Each case stops an operation half-way in its own process: see queued.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import queued
import stalled
from support import run_python

RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import queued
queued.run(sys.argv[2])
"""


@pytest.fixture(scope="module")
def stalls() -> None:
    if not stalled.can_stall() or not stalled.can_listen():
        pytest.skip("this system has no userfaultfd(2) or seccomp(2), or does not permit it")


@pytest.mark.usefixtures("stalls")
def test_nothing_waits_for_a_daemon_thread_at_the_end() -> None:
    code = "import sys\nsys.path.insert(0, sys.argv[1])\nimport queued\nqueued."
    folder = Path(queued.__file__).parent
    assert run_python(code + "leave()", folder) == r"None b'\x07\x00' None in use "
    assert run_python(code + "leave_during_a_resize()", folder) == "in use " * 3


@pytest.mark.usefixtures("stalls")
@pytest.mark.parametrize("name", queued.CASES)
def test_operations_come_one_after_the_other(name: str) -> None:
    run_python(RUN, Path(queued.__file__).parent, name)
