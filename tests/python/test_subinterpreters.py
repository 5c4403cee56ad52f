"""ironmap in subinterpreters."""

from __future__ import annotations

import importlib
import sys

import pytest

from support import outcome, run_python
from system import needs_lost_pages

USE = """
import ironmap
with ironmap.mmap(-1, 10) as m:
    m[:] = b"0123456789"
    assert m.find(b"5") == 5
    assert repr(m).startswith("<mmap.mmap closed=False, ")
    try:
        m[10]
    except IndexError:
        pass
    with memoryview(m) as view:
        try:
            m.close()
        except BufferError:
            pass
        view[0] = 120
    assert m.read(3) == b"x12"
    assert m.size() == 10
"""
# Code that runs code in a new interpreter, by module of the standard library.
WAYS = {
    "concurrent.interpreters": """
from concurrent import interpreters
def run(code):
    interpreter = interpreters.create()
    interpreter.exec(code)
    interpreter.close()
""",
    "_interpreters": """
import _interpreters
def run(code):
    interpreter = _interpreters.create()
    problem = _interpreters.exec(interpreter, code)
    assert problem is None, problem
    _interpreters.destroy(interpreter)
""",
    "_xxsubinterpreters": """
import _xxsubinterpreters
def run(code):
    interpreter = _xxsubinterpreters.create()
    _xxsubinterpreters.run_string(interpreter, code)
    _xxsubinterpreters.destroy(interpreter)
""",
}


IN_THREADS = """
import threading
problems = []
def guarded(code):
    try:
        run(code)
    except BaseException as problem:
        problems.append(problem)
all_threads = [threading.Thread(target=guarded, args=(CODE,)) for _ in range(4)]
for thread in all_threads:
    thread.start()
for thread in all_threads:
    thread.join()
assert not problems, problems
"""


def way() -> str:
    for module, code in WAYS.items():
        if outcome(importlib.import_module, module).error is None:
            return code
    pytest.skip("this Python has no module for subinterpreters")


def test_subinterpreter_imports_and_uses_ironmap() -> None:
    run_python(way() + f"run({USE!r})")


def test_subinterpreters_run_before_and_after_the_main_one() -> None:
    code = way() + f"run({USE!r})\nimport ironmap\nkept = ironmap.mmap(-1, 5)\n"
    run_python(code + f"for _ in range(3):\n    run({USE!r})\nkept[:] = b'still'\n" + USE)


def test_each_interpreter_has_a_class_of_its_own() -> None:
    check = "import ironmap; assert id(ironmap.mmap) != {}"
    code = way() + f"import ironmap\nrun({check!r}.format(id(ironmap.mmap)))"
    run_python(code)


def test_interpreter_may_leave_a_map_open() -> None:
    leave = "import ironmap\nleft = ironmap.mmap(-1, 10)\nview = memoryview(left)"
    run_python(way() + f"for _ in range(3):\n    run({leave!r})")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="an own GIL comes with CPython 3.12")
def test_interpreters_run_at_the_same_time() -> None:
    many = f"for _ in range(200):\n    exec({USE!r})"
    run_python(way() + f"CODE = {many!r}\n" + IN_THREADS)


# ---- lost pages ------------------------------------------------------------------------------

LOSE = """
import os, tempfile, ironmap
def truncated():
    with tempfile.TemporaryFile() as file:
        file.write(b"a" * ironmap.PAGESIZE)
        file.flush()
        m = ironmap.mmap(file.fileno(), 0)
        os.ftruncate(file.fileno(), 0)
    return m
m = truncated()
for use in (lambda: m[0], lambda: list(m.lines()), lambda: list(m.find_all(b"x"))):
    try:
        use()
    except ironmap.FaultError as error:
        assert type(error) is ironmap.FaultError
    else:
        raise AssertionError("no error")
"""
LEAVE_DAMAGE = """
left = truncated()
memoryview(left)[0]
itself = [truncated()]
memoryview(itself[0])[0]
itself.append(itself)
"""


@needs_lost_pages
def test_each_interpreter_has_an_error_of_its_own() -> None:
    other = LOSE + "assert id(ironmap.FaultError) != {}"
    code = way() + LOSE + f"run({other!r}.format(id(ironmap.FaultError)))\n"
    run_python(code + LOSE)


@needs_lost_pages
def test_interpreter_that_ends_tells_of_damage() -> None:
    code = f"import os\nos.dup2(1, 2)\nrun({LOSE + LEAVE_DAMAGE!r})"
    assert run_python(way() + code).count("\nironmap.FaultError: [Errno ") == 2


@needs_lost_pages
@pytest.mark.skipif(sys.version_info < (3, 12), reason="an own GIL comes with CPython 3.12")
def test_interpreters_lose_pages_at_the_same_time() -> None:
    many = f"for _ in range(50):\n    exec({LOSE!r}, {{}})"
    run_python(way() + f"CODE = {many!r}\n" + IN_THREADS)
