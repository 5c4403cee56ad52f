"""Good manners, each in a process of its own: the signal belongs to the whole program."""

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

# What the programs share. lose() is a fault of ironmap's, foreign() one of the standard module's.
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

def lose(made, name=path):
    import ironmap
    os.truncate(name, ironmap.PAGESIZE)
    for lost in range(1, PAGES):
        try:
            made[lost * ironmap.PAGESIZE]
        except ironmap.FaultError as error:
            assert error.offset == lost * ironmap.PAGESIZE
        else:
            raise AssertionError("no FaultError")
    assert memoryview(made)[2 * ironmap.PAGESIZE] == 0
    assert made.damaged == ((2 * ironmap.PAGESIZE, PAGES * ironmap.PAGESIZE),)
    write(name)
    made.clear_damage()
    assert made[:] == b"x" * len(made)

def foreign():
    made = map_file(path + ".foreign", "mmap")
    os.truncate(path + ".foreign", 0)
    made[0]

def caught():
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("SigCgt"))
    return bool(int(line.split()[1], 16) >> (signal.SIGBUS - 1) & 1)
"""
MAP = "made = map_file()\nlose(made)\n"
ENABLE = "faulthandler.enable()\n"
HANDLER = """
calls = []
signal.signal(signal.SIGBUS, lambda number, frame: calls.append(number))
"""
# The handler of the program gets what is sent, and nothing of what the maps lose.
SENT = """
lose(made)
os.kill(os.getpid(), signal.SIGBUS)
signal.raise_signal(signal.SIGBUS)
assert calls == 2 * [signal.SIGBUS], calls
lose(made)
assert len(calls) == 2
print("ok")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def prints_ok(code: str, file: Path) -> None:
    assert_lived(end_of(PRELUDE + code, file), "ok\n")


# ---- who has no handler ----------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc/self/status")
@pytest.mark.parametrize(
    ("use", "installed"),
    [
        ("import ironmap", False),
        ("import ironmap\nmade = ironmap.mmap(-1, 100)\nmade[:] = bytes(100)\nmade.close()", False),
        ("import ironmap\ntry:\n    ironmap.mmap(9999, 1)\nexcept OSError:\n    pass", False),
        ("made = map_file()", True),
    ],
    ids=["an import", "an anonymous map", "an error", "a map of a file"],
)
def test_handler_is_installed_by_the_first_map_of_a_file(
    file: Path, use: str, *, installed: bool
) -> None:
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


# ---- faulthandler and ours -------------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [ENABLE, MAP + ENABLE + "another = map_file(path + '.another')\n", 2 * (MAP + ENABLE) + MAP],
    ids=["before", "after, and one more map", "twice"],
)
def test_faulthandler_prints_nothing_of_our_faults(file: Path, before: str) -> None:
    end = end_of(PRELUDE + before + MAP + "print('ok')", file)
    assert_lived(end, "ok\n")
    assert end.errors == ""


def test_resize_takes_the_signal_back_from_faulthandler(file: Path) -> None:
    prints_ok(MAP + ENABLE + "made.resize(len(made))\nlose(made)\nprint('ok')", file)


def test_faulthandler_that_is_disabled_may_take_our_handler_with_it(file: Path) -> None:
    """It puts back what it found, which may be the default; the next map mends that."""
    prints_ok(ENABLE + MAP + "faulthandler.disable()\n" + MAP + "print('ok')", file)


def test_faulthandler_without_another_map_after_it_prints_and_the_process_lives(file: Path) -> None:
    """It was asked to, later than we were. It then hands on, and is out of the way."""
    end = end_of(PRELUDE + MAP + ENABLE + "lose(made)\nlose(made)\nprint('ok')", file)
    assert_lived(end, "ok\n")
    assert end.errors.count("Fatal Python error: Bus error") == 1


def test_buffer_takes_the_signal_back_from_faulthandler(file: Path) -> None:
    end = end_of(
        PRELUDE
        + MAP
        + ENABLE
        + "view = memoryview(made)\nos.truncate(path, 0)\nassert view[-1] == 0\n"
        + "assert made.damaged\nprint('ok')",
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
made = map_file()
for _ in range(3):
    try:
        os.kill(os.getpid(), signal.SIGBUS)
    except KeyError as error:
        assert error.args == (signal.SIGBUS,)
    lose(made)
print("ok")
"""
    prints_ok(code, file)


def test_default_that_is_set_after_the_map_is_taken_over_by_the_next_map(file: Path) -> None:
    code = MAP + "signal.signal(signal.SIGBUS, signal.SIG_DFL)\n" + MAP + "foreign()"
    assert_killed(end_of(PRELUDE + code, file), traceback=False)


def test_ignored_signal_stays_ignored_where_it_is_sent(file: Path) -> None:
    prints_ok(
        "signal.signal(signal.SIGBUS, signal.SIG_IGN)\n"
        + MAP
        + "os.kill(os.getpid(), signal.SIGBUS)\nlose(made)\nprint('ok')",
        file,
    )


def test_no_signal_is_left_blocked(file: Path) -> None:
    prints_ok(
        MAP + "assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()\nprint('ok')", file
    )


# ---- threads, fork, other processes ----------------------------------------------------------

# Threads that lose pages over and over until `stop`, each on a map of its own.
WORKERS = """
import ironmap
stop = threading.Event()
begun = threading.Barrier(COUNT + 1)
wrong = []

def work(name):
    try:
        with map_file(name) as made:
            lose(made, name)
            begun.wait()
            while not stop.is_set():
                lose(made, name)
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


def test_threads_on_maps_of_their_own(file: Path) -> None:
    """Four lose pages; on four others, that this thread opens and closes, nothing is lost."""
    code = """
for n in range(200):
    maps = [map_file(f"{path}.whole{n % 2}") for _ in range(4)]
    for made in maps:
        assert made.find(b"y") == -1
        assert made[::7] == b"x" * len(range(0, len(made), 7))
        assert made.damaged == ()
        made.close()
"""
    prints_ok(with_workers(4, code), file)


def test_eight_threads_on_eight_maps(file: Path) -> None:
    prints_ok(with_workers(8, "lose(map_file())\n" * 50), file)


def test_threads_on_one_map(file: Path) -> None:
    """Each sees a FaultError or the bytes, never zeros."""
    code = """
import ironmap
made = map_file()
size = len(made)
wrong = []
def read():
    for _ in range(300):
        try:
            data = made[ironmap.PAGESIZE:]
        except ironmap.FaultError as error:
            if not ironmap.PAGESIZE <= error.offset < size:
                wrong.append(error.offset)
        else:
            if data.strip(b"x"):
                wrong.append("zeros")
        if made[0] != ord("x"):
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
        "made[5]",
        "made[:half]",
        "made[:half] = b'x' * half",
        "made[:half:3]",
        "made[:half:half // 8] = b'12345678'",
        "made.find(b'y', 0, half)",
        "made.move(0, half // 2, half // 2)",
        "made.move(0, 100, half // 2)",
    ],
)
def test_losses_elsewhere_disturb_nobody(file: Path, use: str) -> None:
    """Where more is lost by others than is kept account of, an operation may have to fail that
    touched no lost page itself; but never with an offset that it did not touch."""
    code = """
import ironmap
PAGES = 64
made = map_file()
half = len(made) // 2
os.truncate(path, half)
stop = threading.Event()
def lose_on():
    while not stop.is_set():
        try:
            made.find(b"y")  # without the GIL
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


def test_fork_while_pages_are_lost(file: Path) -> None:
    code = """
import warnings
warnings.simplefilter("ignore")
made = map_file()
for _ in range(30):
    child = os.fork()
    if child == 0:
        lose(made)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
    prints_ok(with_workers(2, code), file)


def test_damage_is_inherited_and_then_ones_own(file: Path) -> None:
    code = """
import ironmap
made = map_file()
os.truncate(path, ironmap.PAGESIZE)
assert memoryview(made)[-1] == 0
damage = made.damaged
assert damage
child = os.fork()
if child == 0:
    assert made.damaged == damage
    write()
    made.clear_damage()
    assert made[-1] == ord("x")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert made.damaged == damage
made.clear_damage()
assert made[-1] == ord("x")
print("ok")
"""
    prints_ok(code, file)


def test_other_programs_start_while_pages_are_lost(file: Path) -> None:
    """With the default action, as every program finds it."""
    code = """
import subprocess
program = "with open('/proc/self/status') as f: print([l for l in f if l.startswith('SigCgt')][0])"
for _ in range(3):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done
    assert not int(done.stdout.split()[1], 16) >> (signal.SIGBUS - 1) & 1
"""
    prints_ok(with_workers(2, code), file)


def test_interpreter_is_well_after_faults(file: Path) -> None:
    """The thread holds the GIL once, with work that gave it up, and others get it."""
    code = """
import ctypes, gc, ironmap
PAGES = 64
made = map_file()
for _ in range(20):
    lose(made)
    os.truncate(path, 0)
    for use in (made.read, made.readline, lambda: made[:], lambda: made.find(b"y")):
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


def test_maps_with_damage_at_the_end_of_the_interpreter(file: Path) -> None:
    code = """
import ironmap
made = map_file()
view = memoryview(made)
guarded = made.guarded()
guarded.__enter__()
os.truncate(path, 0)
assert view[-1] == 0
print("ok")
"""
    prints_ok(code, file)
