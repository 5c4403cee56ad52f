"""Operations of several threads on one map wait for each other, in order.

Each case stops an operation half-way in its own process: see queued.py, queued_handlers.py and
queued_forks.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import queued
import queued_forks
import queued_handlers
import stalled
from support import run_python

FOLDER = Path(queued.__file__).parent
RUN = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
import stalled
stalled.run(sys.argv[3], importlib.import_module(sys.argv[2]).CASES)
"""
CASES = {
    name: module.__name__
    for module in (queued, queued_handlers, queued_forks)
    for name in module.CASES
}


@pytest.fixture(scope="module")
def stalls() -> None:
    if not stalled.can_stall() or not stalled.can_listen():
        pytest.skip("this system has no userfaultfd(2) or seccomp(2), or does not permit it")


@pytest.mark.usefixtures("stalls")
def test_nothing_waits_for_a_daemon_thread_at_the_end() -> None:
    code = "import sys\nsys.path.insert(0, sys.argv[1])\nimport queued_forks\nqueued_forks."
    assert run_python(code + "leave()", FOLDER) == r"None b'\x07\x00' None in use "
    assert run_python(code + "leave_during_a_resize()", FOLDER) == "in use " * 3


@pytest.mark.usefixtures("stalls")
@pytest.mark.parametrize("name", CASES)
def test_operations_come_one_after_the_other(name: str) -> None:
    run_python(RUN, FOLDER, CASES[name], name)
