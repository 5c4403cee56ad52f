"""What mapio does with the signal that is not its own, and without any map. Each in a process."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import run_python, under_sanitizer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    under_sanitizer(), reason="the address sanitizer has a handler for SIGBUS of its own"
)

# A file of ours and one of somebody else's, both cut under their maps.
PREPARE = """
import faulthandler, mapio, mmap, os, signal, sys
faulthandler.disable()
folder = sys.argv[1]

def cut(module, name):
    path = os.path.join(folder, name)
    with open(path, "wb+") as file:
        file.write(b"a" * 4 * mmap.PAGESIZE)
        file.flush()
        made = module.mmap(file.fileno(), 0)
        os.truncate(path, 10)
    return made

def ours_is_an_error(made):
    try:
        made[-1]
    except mapio.FaultError:
        return
    raise AssertionError("no error")
"""


def fate(code: str, folder: Path) -> tuple[int, str]:
    """How a process ended that ran the code, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", PREPARE + code, str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_foreign_fault_still_kills(tmp_path: Path) -> None:
    code = """
ours = cut(mapio, "ours")
ours_is_an_error(ours)
print("alive", flush=True)
cut(mmap, "theirs")[-1]
"""
    status, said = fate(code, tmp_path)
    assert status == -signal.SIGBUS
    assert said == "alive\n"


@pytest.mark.parametrize("order", ["before", "after"])
def test_faulthandler_speaks_of_foreign_faults_only(tmp_path: Path, order: str) -> None:
    """Where it is enabled after the first map, the next map takes the signal back."""
    code = f"""
if {order!r} == "before":
    faulthandler.enable()
ours = cut(mapio, "ours")
if {order!r} == "after":
    faulthandler.enable()
another = cut(mapio, "another")
for _ in range(3):
    ours_is_an_error(ours)
    ours_is_an_error(another)
print("alive", flush=True)
theirs = cut(mmap, "theirs")
theirs[-1]
"""
    status, said = fate(code, tmp_path)
    assert status == -signal.SIGBUS
    assert said.startswith("alive\nFatal Python error: Bus error")
    assert said.count("Fatal Python error") == 1


@pytest.mark.parametrize("order", ["before", "after"])
def test_signal_that_is_sent_reaches_the_program(tmp_path: Path, order: str) -> None:
    code = f"""
calls = []
if {order!r} == "before":
    signal.signal(signal.SIGBUS, lambda *_: calls.append(1))
ours = cut(mapio, "ours")
if {order!r} == "after":
    signal.signal(signal.SIGBUS, lambda *_: calls.append(1))
another = cut(mapio, "another")
ours_is_an_error(ours)
assert not calls
os.kill(os.getpid(), signal.SIGBUS)
assert calls == [1], calls
ours_is_an_error(another)
"""
    assert fate(code, tmp_path) == (0, "")


def test_signal_that_is_sent_kills_by_default(tmp_path: Path) -> None:
    code = 'ours = cut(mapio, "ours")\nos.kill(os.getpid(), signal.SIGBUS)\nprint("alive")'
    assert fate(code, tmp_path) == (-signal.SIGBUS, "")


def test_without_a_map_of_a_file_there_is_no_handler(tmp_path: Path) -> None:
    code = """
def caught():
    with open("/proc/self/status") as status:
        mask = next(line for line in status if line.startswith("SigCgt"))
    return bool(int(mask.split()[1], 16) >> (signal.SIGBUS - 1) & 1)
assert not caught()
made = mapio.mmap(-1, 100)
made[5] = 1
assert not caught()
cut(mapio, "ours")
assert caught()
"""
    assert fate(code, tmp_path) == (0, "")


def test_threads_on_maps_of_their_own(tmp_path: Path) -> None:
    code = """
import threading
wrong = []

def work(number):
    path = os.path.join(folder, f"thread{number}")
    length = 32 * mmap.PAGESIZE
    with open(path, "wb+") as file:
        file.write(b"a" * length)
        file.flush()
        made = mapio.mmap(file.fileno(), 0)
        for round in range(100):
            if number % 2:
                file.truncate(length // 2)
                ours_is_an_error(made)
                file.seek(length // 2)
                file.write(b"a" * (length // 2))
                file.flush()
            if made[:] != b"a" * length or made.find(b"b", 0) != -1:
                wrong.append(number)
        made.close()

threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong, wrong
"""
    assert fate(code, tmp_path) == (0, "")


def test_child_of_fork_has_the_same_protection(tmp_path: Path) -> None:
    code = """
ours = cut(mapio, "ours")
ours_is_an_error(ours)
child = os.fork()
ours_is_an_error(ours)
if child == 0:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    assert fate(code, tmp_path) == (0, "")


def test_program_that_is_run_with_faulthandler(tmp_path: Path) -> None:
    """As the tests run theirs: enabled before everything."""
    code = PREPARE.replace("faulthandler.disable()", "") + 'ours_is_an_error(cut(mapio, "ours"))'
    assert run_python(code, tmp_path) == ""
