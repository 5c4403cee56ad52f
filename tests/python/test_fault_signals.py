"""SIGBUS is shared with the whole program. Each test runs in its own process."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from fault_cases import assert_killed, assert_lived, end_of
from support import under_sanitizer

if not hasattr(signal, "SIGBUS"):
    pytest.skip("this system has no SIGBUS", allow_module_level=True)
pytestmark = pytest.mark.skipif(
    under_sanitizer(), reason="the address sanitizer has a handler for SIGBUS of its own"
)
BUS = int(signal.SIGBUS)

# Functions of the programs. lose() makes a fault in a map of ironmap, foreign() in one of the
# standard module.
PRELUDE = """
import faulthandler, os, signal, sys, threading
path = sys.argv[1]
PAGES = 8

def write(name=path):
    import ironmap
    with open(name, "wb") as file:
        file.write(b"x" * PAGES * ironmap.PAGESIZE)

def map_file(name=path, module="ironmap"):
    write(name)
    with open(name, "r+b") as file:
        return __import__(module).mmap(file.fileno(), 0)

def lose(m, name=path):
    import ironmap
    os.truncate(name, ironmap.PAGESIZE)
    for lost in range(1, PAGES):
        try:
            m[lost * ironmap.PAGESIZE]
        except ironmap.FaultError as error:
            assert error.offset == lost * ironmap.PAGESIZE
        else:
            raise AssertionError("no FaultError")
    assert memoryview(m)[2 * ironmap.PAGESIZE] == 0
    assert m.damaged == ((2 * ironmap.PAGESIZE, PAGES * ironmap.PAGESIZE),)
    write(name)
    m.clear_damage()
    assert m[:] == b"x" * len(m)

def foreign():
    m = map_file(path + ".foreign", "mmap")
    os.truncate(path + ".foreign", 0)
    m[0]

def caught():
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("SigCgt"))
    return bool(int(line.split()[1], 16) >> (signal.SIGBUS - 1) & 1)
"""
MAP = "m = map_file()\nlose(m)\n"
ENABLE = "faulthandler.enable()\n"
HANDLER = """
calls = []
signal.signal(signal.SIGBUS, lambda number, frame: calls.append(number))
"""
# The handler of the program gets signals that are sent, and none for lost pages.
SENT = """
lose(m)
os.kill(os.getpid(), signal.SIGBUS)
signal.raise_signal(signal.SIGBUS)
assert calls == 2 * [signal.SIGBUS], calls
lose(m)
assert len(calls) == 2
print("ok")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def prints_ok(code: str, file: Path) -> None:
    assert_lived(end_of(PRELUDE + code, file), "ok\n")


# ---- installing the handler ------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc/self/status")
@pytest.mark.parametrize(
    ("use", "installed"),
    [
        ("import ironmap", False),
        ("import ironmap\nmade = ironmap.mmap(-1, 100)\nmade.close()", True),
        ("import ironmap\ntry:\n    ironmap.mmap(9999, 1)\nexcept OSError:\n    pass", False),
        ("m = map_file()", True),
    ],
    ids=["an import", "an anonymous map", "an error", "a map of a file"],
)
def test_handler_is_installed_by_the_first_map(file: Path, use: str, *, installed: bool) -> None:
    prints_ok(
        f"""
assert not caught()
{use}
assert caught() is {installed}
assert signal.getsignal(signal.SIGBUS) is signal.SIG_DFL
print("ok")
""",
        file,
    )


# ---- faults that are not ours ----------------------------------------------------------------


@pytest.mark.parametrize(
    "before", ["", "import ironmap\n", MAP], ids=["alone", "imported", "mapped"]
)
def test_foreign_fault_kills(file: Path, before: str) -> None:
    assert_killed(end_of(PRELUDE + before + "foreign()", file), traceback=False)


@pytest.mark.parametrize(
    "before",
    [ENABLE, ENABLE + MAP, MAP + ENABLE, MAP + ENABLE + MAP, ENABLE + MAP + ENABLE + MAP],
    ids=["alone", "before", "after", "between", "twice"],
)
def test_foreign_fault_kills_with_a_traceback(file: Path, before: str) -> None:
    end = end_of(PRELUDE + before + "foreign()", file)
    assert_killed(end, traceback=True)
    assert "in foreign" in end.errors


def test_foreign_fault_in_a_thread_kills(file: Path) -> None:
    code = PRELUDE + ENABLE + MAP + "threading.Thread(target=foreign).start()\n"
    assert_killed(end_of(code, file), traceback=True)


@pytest.mark.parametrize("before", ["", MAP])
@pytest.mark.parametrize("send", ["os.kill(os.getpid(), ", "signal.raise_signal("])
def test_signal_that_is_sent_kills(file: Path, before: str, send: str) -> None:
    assert_killed(end_of(f"{PRELUDE}{before}{send}signal.SIGBUS)", file), traceback=False)


def test_signal_that_is_sent_kills_with_a_traceback(file: Path) -> None:
    code = PRELUDE + ENABLE + MAP + "signal.raise_signal(signal.SIGBUS)"
    assert_killed(end_of(code, file), traceback=True)


# ---- faulthandler and our handler ------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [ENABLE, MAP + ENABLE + "another = map_file(path + '.another')\n", 2 * (MAP + ENABLE) + MAP],
    ids=["before", "after, and one more map", "twice"],
)
def test_faulthandler_prints_nothing_of_our_faults(file: Path, before: str) -> None:
    end = end_of(PRELUDE + before + MAP + "print('ok')", file)
    assert_lived(end, "ok\n")
    assert end.errors == ""


def test_resize_reinstalls_our_handler_after_faulthandler(file: Path) -> None:
    prints_ok(MAP + ENABLE + "m.resize(len(m))\nlose(m)\nprint('ok')", file)


def test_next_map_reinstalls_our_handler_after_faulthandler_is_disabled(file: Path) -> None:
    """It restores the handler that it found, perhaps the default. The next map reinstalls ours."""
    prints_ok(ENABLE + MAP + "faulthandler.disable()\n" + MAP + "print('ok')", file)


def test_faulthandler_without_another_map_after_it_prints_and_the_process_lives(file: Path) -> None:
    """It was installed after our handler. It prints once, and forwards the signal to ours."""
    end = end_of(PRELUDE + MAP + ENABLE + "lose(m)\nlose(m)\nprint('ok')", file)
    assert_lived(end, "ok\n")
    assert end.errors.count("Fatal Python error: Bus error") == 1


def test_buffer_reinstalls_our_handler_after_faulthandler(file: Path) -> None:
    end = end_of(
        PRELUDE
        + MAP
        + ENABLE
        + "view = memoryview(m)\nos.truncate(path, 0)\nassert view[-1] == 0\n"
        + "assert m.damaged\nprint('ok')",
        file,
    )
    assert_lived(end, "ok\n")
    assert end.errors == ""


@pytest.mark.parametrize(
    "later",
    [ENABLE, "signal.signal(signal.SIGBUS, signal.SIG_DFL)\n"],
    ids=["faulthandler", "none"],
)
def test_guarded_block_reinstalls_our_handler(file: Path, later: str) -> None:
    end = end_of(
        PRELUDE
        + MAP
        + "view = memoryview(m)\n"
        + later
        + """
os.truncate(path, 0)
import ironmap
try:
    with m.guarded():
        view[-1]
except ironmap.FaultError:
    print("ok")
""",
        file,
    )
    assert_lived(end, "ok\n")
    assert end.errors == ""


# ---- handlers of the program -----------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [HANDLER + MAP, MAP + HANDLER + MAP, HANDLER + ENABLE + MAP + "faulthandler.disable()\n" + MAP],
    ids=["before", "after, and one more map", "with faulthandler"],
)
def test_handler_of_the_program_gets_what_is_sent(file: Path, before: str) -> None:
    prints_ok(before + SENT, file)


def test_handler_of_the_program_after_the_last_map_gets_what_is_sent(file: Path) -> None:
    prints_ok(
        MAP + HANDLER + "os.kill(os.getpid(), signal.SIGBUS)\nassert len(calls) == 1\nprint('ok')",
        file,
    )


def test_handler_of_the_program_may_raise(file: Path) -> None:
    code = """
def refuse(number, frame):
    raise KeyError(number)
signal.signal(signal.SIGBUS, refuse)
m = map_file()
for _ in range(3):
    try:
        os.kill(os.getpid(), signal.SIGBUS)
    except KeyError as error:
        assert error.args == (signal.SIGBUS,)
    lose(m)
print("ok")
"""
    prints_ok(code, file)


def test_next_map_keeps_a_default_that_was_set_since(file: Path) -> None:
    code = MAP + "signal.signal(signal.SIGBUS, signal.SIG_DFL)\n" + MAP + "foreign()"
    assert_killed(end_of(PRELUDE + code, file), traceback=False)


def test_ignored_signal_stays_ignored_where_it_is_sent(file: Path) -> None:
    prints_ok(
        "signal.signal(signal.SIGBUS, signal.SIG_IGN)\n"
        + MAP
        + "os.kill(os.getpid(), signal.SIGBUS)\nlose(m)\nprint('ok')",
        file,
    )


def test_no_signal_is_left_blocked(file: Path) -> None:
    prints_ok(
        MAP + "assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()\nprint('ok')", file
    )


# ---- threads, fork, other processes ----------------------------------------------------------

# Threads that lose pages until `stop`, each on its own map.
WORKERS = """
import ironmap
stop = threading.Event()
begun = threading.Barrier(COUNT + 1)
wrong = []

def work(name):
    try:
        with map_file(name) as m:
            lose(m, name)
            begun.wait()
            while not stop.is_set():
                lose(m, name)
    except BaseException as error:
        wrong.append(repr(error))
        begun.abort()

threads = [threading.Thread(target=work, args=(f"{path}{n}",)) for n in range(COUNT)]
for thread in threads:
    thread.start()
begun.wait()
"""
END = """
stop.set()
for thread in threads:
    thread.join()
assert wrong == [], wrong
print("ok")
"""


def with_workers(count: int, code: str) -> str:
    return f"COUNT = {count}\n{WORKERS}{code}{END}"


def test_threads_on_their_own_maps_do_not_disturb_others(file: Path) -> None:
    """Four threads lose pages. The main thread opens, reads and closes maps without losses."""
    code = """
for n in range(200):
    maps = [map_file(f"{path}.whole{n % 2}") for _ in range(4)]
    for m in maps:
        assert m.find(b"y") == -1
        assert m[::7] == b"x" * len(range(0, len(m), 7))
        assert m.damaged == ()
        m.close()
"""
    prints_ok(with_workers(4, code), file)


def test_eight_threads_lose_pages_of_eight_maps(file: Path) -> None:
    prints_ok(with_workers(8, "lose(map_file())\n" * 50), file)


def test_threads_on_one_map_see_no_zeros(file: Path) -> None:
    """Each thread gets FaultError or the bytes, never zeros."""
    code = """
import ironmap
m = map_file()
size = len(m)
wrong = []
def read():
    for _ in range(300):
        try:
            data = m[ironmap.PAGESIZE:]
        except ironmap.FaultError as error:
            if not ironmap.PAGESIZE <= error.offset < size:
                wrong.append(error.offset)
        else:
            if data.strip(b"x"):
                wrong.append("zeros")
        if m[0] != ord("x"):
            wrong.append("the first byte")
threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads:
    thread.start()
with open(path, "r+b", buffering=0) as file:
    while any(thread.is_alive() for thread in threads):
        file.truncate(ironmap.PAGESIZE)
        file.seek(ironmap.PAGESIZE)
        file.write(b"x" * (size - ironmap.PAGESIZE))
for thread in threads:
    thread.join()
assert wrong == [], wrong
print("ok")
"""
    prints_ok(code, file)


@pytest.mark.parametrize(
    "use",
    [
        "m[5]",
        "m[:half]",
        "m[:half] = b'x' * half",
        "m[:half:3]",
        "m[:half:half // 8] = b'12345678'",
        "m.find(b'y', 0, half)",
        "m.move(0, half // 2, half // 2)",
        "m.move(0, 100, half // 2)",
    ],
)
def test_losses_elsewhere_do_not_change_a_result(file: Path, use: str) -> None:
    """If the loss log overflows, an operation that accessed no lost page may fail, but only with an
    offset that it accessed."""
    code = """
import ironmap
PAGES = 64
m = map_file()
half = len(m) // 2
os.truncate(path, half)
stop = threading.Event()
def lose_on():
    while not stop.is_set():
        try:
            m.find(b"y")  # without the GIL
        except ironmap.FaultError:
            pass
sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=lose_on) for _ in range(2)]
for thread in threads:
    thread.start()
try:
    for _ in range(300):
        try:
            USE
        except ironmap.FaultError as error:
            assert error.offset < half, error
finally:
    stop.set()
for thread in threads:
    thread.join()
print("ok")
"""
    prints_ok(code.replace("USE", use), file)


def test_children_forked_while_pages_are_lost_survive_losses(file: Path) -> None:
    code = """
import warnings
warnings.simplefilter("ignore")
m = map_file()
for _ in range(30):
    child = os.fork()
    if child == 0:
        lose(m)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
    prints_ok(with_workers(2, code), file)


def test_child_inherits_damage_and_clears_only_its_own(file: Path) -> None:
    code = """
import ironmap
m = map_file()
os.truncate(path, ironmap.PAGESIZE)
assert memoryview(m)[-1] == 0
damage = m.damaged
assert damage
child = os.fork()
if child == 0:
    assert m.damaged == damage
    write()
    m.clear_damage()
    assert m[-1] == ord("x")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert m.damaged == damage
m.clear_damage()
assert m[-1] == ord("x")
print("ok")
"""
    prints_ok(code, file)


def test_programs_started_while_pages_are_lost_have_the_default_action(file: Path) -> None:
    """They start with the default action for the signal."""
    code = """
import subprocess
program = "with open('/proc/self/status') as f: print([l for l in f if l.startswith('SigCgt')][0])"
for _ in range(3):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done
    assert not int(done.stdout.split()[1], 16) >> (signal.SIGBUS - 1) & 1
"""
    prints_ok(with_workers(2, code), file)


def test_interpreter_works_after_faults(file: Path) -> None:
    """After work that released the GIL the thread has it, and other threads can get it."""
    code = """
import ctypes, gc, ironmap
PAGES = 64
m = map_file()
for _ in range(20):
    lose(m)
    os.truncate(path, 0)
    for use in (m.read, m.readline, lambda: m[:], lambda: m.find(b"y")):
        try:
            use()
        except ironmap.FaultError:
            assert ctypes.pythonapi.PyGILState_Check() == 1
        else:
            raise AssertionError("no FaultError")
    write()
done = []
threads = [threading.Thread(target=lambda: done.append(sum(range(1000)))) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
gc.collect()
assert done == 4 * [499500]
print("ok")
"""
    prints_ok(code, file)


def test_interpreter_exits_with_damaged_maps(file: Path) -> None:
    code = """
import ironmap
m = map_file()
view = memoryview(m)
guarded = m.guarded()
guarded.__enter__()
os.truncate(path, 0)
assert view[-1] == 0
print("ok")
"""
    prints_ok(code, file)
