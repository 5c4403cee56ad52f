"""Runs random programs on a map of ironmap and on a standard one, in lock-step.

    run.py [--calls N] [--seed N] [--program N]

After each call both must have the same result, or the same exception with the same text, and the
maps the same content, position, length and file. Known differences are rules in rules.py, each with
its row in docs/differences.md. Any other difference is a failure: the program is printed, with the
arguments that repeat it. The calls run in a child, so that a crash is reported too.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import mmap as standard
import os
import random
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calls import CallChooser
from rules import CRASHES, RULES, Difference, Outcome
from values import LARGEST, LETTERS, PAGE, Side

import ironmap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from calls import Call

CALLS_A_PROGRAM = 60


# ---- outcomes ------------------------------------------------------------------------------------


def plain_text(text: str) -> str:
    """Without addresses, and with one name for the two classes."""
    return re.sub(r"0x[0-9a-f]+", "0x", text).replace("ironmap.mmap", "mmap.mmap")


def shown(value: Any, side: Side) -> Any:
    """A value that can be compared between the sides."""
    if value is side.map:
        return "the map"
    if isinstance(value, memoryview):
        return "view", value.format, value.shape, value.readonly, value.tobytes()
    if isinstance(value, tuple | list):
        return type(value).__name__, [shown(item, side) for item in value]
    if isinstance(value, str):
        return plain_text(value)
    if value is None or isinstance(value, bool | int | float | bytes | bytearray):
        return type(value).__name__, value
    return plain_text(type(value).__name__)


audited: list[tuple[Any, ...]] = []  # by the call that runs


def audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith("mmap."):
        audited.append((event, *arguments))


def ended(call: Call, side: Side) -> Outcome:
    try:
        return Outcome(None, "", shown(call.run(side), side))
    except Exception as error:  # noqa: BLE001 - every exception is an outcome
        text = plain_text(str(error))
        code = (error.errno, error.filename) if isinstance(error, OSError) else None
        return Outcome(type(error).__name__, text, code)


def outcome(call: Call, side: Side) -> Outcome:
    """How the call ends, and what was audited, without the numbers of the side's descriptors."""
    audited.clear()
    found = ended(call, side)
    own = (side.fd, *side.fds.values())
    events = [
        (event, fd if fd not in own else own.index(fd), *rest) for event, fd, *rest in audited
    ]
    return found._replace(audited=tuple(events))


def state(side: Side) -> Any:
    """All that can be seen of the map, its file and its views."""
    m = side.map
    views = [len(view) for view in side.views]
    if m.closed:
        return plain_text(repr(m)), side.file(), views
    return plain_text(repr(m)), len(m), m.tell(), m[:], side.file(), views


# ---- programs ------------------------------------------------------------------------------------


def openings(length: int, chance: random.Random) -> tuple[bool, int, dict[str, int]]:
    """Whether the map is of the file, its length, and options."""
    kind = chance.randrange(12)
    some = chance.randint(1, length)
    of_file: list[dict[str, int]] = [
        {},
        {},
        {"access": standard.ACCESS_READ},
        {"access": standard.ACCESS_WRITE},
        {"access": standard.ACCESS_COPY},
        {"flags": standard.MAP_PRIVATE},
        {"prot": standard.PROT_READ},
        {"offset": PAGE} if length > PAGE else {},
        {"trackfd": False} if sys.version_info >= (3, 13) else {},
    ]
    if kind < len(of_file):
        options = of_file[kind]
        return True, 0 if chance.random() < 0.6 or "offset" in options else some, options
    return False, some, {"flags": standard.MAP_PRIVATE} if kind == 9 else {}


class Program:
    """One program: two sides, and calls until one ends what can be compared."""

    def __init__(self, seed: int, number: int, folder: Path) -> None:
        self.chance = random.Random(f"{seed} {number}")
        length = self.chance.choice([1, 10, 100, PAGE, 2 * PAGE + 5, 5 * PAGE, LARGEST])
        content = bytes(self.chance.choices(LETTERS, k=length))
        modules = (standard, ironmap)
        self.theirs, self.ours = (Side(m, folder / m.__name__, content) for m in modules)
        self.lines: list[str] = []
        self.used: collections.Counter[str] = collections.Counter()
        self.open(length)

    def open(self, length: int) -> None:
        """Opens both maps, of the module's class or of a subclass."""
        of_file, mapped, options = openings(length, self.chance)
        own_class = self.chance.random() < 0.2
        for side in (self.theirs, self.ours):
            kind = side.module.mmap
            kind = type("mmap", (kind,), {"__module__": "mmap"}) if own_class else kind
            side.map = kind(side.fd if of_file else -1, mapped, **options)
            side.private = options.get("flags") == standard.MAP_PRIVATE
            side.shared_memory = not of_file and not side.private
        what = f"a file of {length} bytes" if of_file else "memory"
        self.opened = f"{'subclass' if own_class else 'mmap'} of {what}, {mapped}, {options}"

    def choose(self) -> Call | None:
        """A call that the standard module survives, or None."""
        m = self.theirs.map
        call = CallChooser(self.chance, 0 if m.closed else len(m)).call()
        for crash in CRASHES:
            if sys.version_info < crash.before and crash.matches(call, self.theirs):
                self.used[f"left out: {crash.reason}"] += 1
                return None
        self.theirs.advised |= call.name == "m.madvise" and len(call.arguments) > 1
        return call

    def step(self, call: Call) -> str | None:
        """Runs one call. What differs and is not known, "" if the program ends, or None."""
        self.used["calls on open maps"] += not self.theirs.map.closed
        ours, theirs = outcome(call, self.ours), outcome(call, self.theirs)
        states = state(self.theirs), state(self.ours)
        equal = states[0] == states[1]
        if equal and ours == theirs:
            return None
        found = Difference(call, theirs, ours, self.theirs)
        for rule in RULES:
            if (equal or rule.changes) and rule.explains(found):
                self.used[f"known: {rule.row}"] += 1
                return None if equal else ""
        return f"{call}\n  theirs {theirs}\n  ours   {ours}\n{apart(*states)}"

    def run(self, log: Callable[[str], None]) -> str:
        """What differs and is not known, or "". Before each call `log` gets the program so far."""
        try:
            for _ in range(CALLS_A_PROGRAM):
                if self.theirs.map.closed and self.chance.random() < 0.3:
                    break
                call = self.choose()
                if call is not None:
                    self.lines.append(str(call))
                    log("\n".join([self.opened, *self.lines]))
                    found = self.step(call)
                    if found is not None:
                        return found
            return ""
        finally:
            self.theirs.drop()
            self.ours.drop()


def apart(theirs: Any, ours: Any) -> str:
    """Where two states differ."""
    lines = []
    for their, our in zip(theirs, ours, strict=False):
        if their != our:
            at = ""
            if isinstance(their, bytes) and isinstance(our, bytes):
                same = (one == other for one, other in zip(their, our, strict=False))
                at = f", from byte {sum(itertools.takewhile(bool, same))}"
            lines.append(f"  then theirs {their!r:.100}, ours {our!r:.100}{at}")
    return "\n".join(lines)


# ---- many programs -------------------------------------------------------------------------------


def run_programs(seed: int, calls: int, numbers: Iterable[int], folder: Path) -> int:
    """Runs programs until there were enough calls, or one fails. The exit status."""
    log = os.open(folder / "log", os.O_RDWR | os.O_CREAT, 0o600)
    used: collections.Counter[str] = collections.Counter()
    made = programs = 0
    found = ""
    for number in numbers:

        def write(text: str, number: int = number) -> None:
            data = f"program {number}: {text}".encode(errors="replace")
            os.pwrite(log, len(data).to_bytes(4, "little") + data, 0)

        program = Program(seed, number, folder)
        found = program.run(write)
        used += program.used
        made += len(program.lines)
        programs += 1
        if found:
            print(f"--seed {seed} --program {number}: {program.opened}", *program.lines, sep="\n")
            print(f"differs in {found}")
        if found or made >= calls:
            break
    for name, count in sorted(used.items()):
        print(f"{count:8} {name}")
    print(f"{made} calls in {programs} programs, {'one' if found else 'no'} unknown difference")
    return 1 if found else 0


def last_program(folder: Path) -> str:
    data = (folder / "log").read_bytes()
    return data[4 : 4 + int.from_bytes(data[:4], "little")].decode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--program", type=int, help="only the program of this number")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", DeprecationWarning)
        sys.addaudithook(audit)
        sys.unraisablehook = lambda _: None
        numbers = itertools.count() if options.program is None else [options.program]
        return run_programs(options.seed, options.calls, numbers, options.child)
    print(f"CPython {sys.version.split()[0]}, --seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-X", "faulthandler", *sys.argv]
        command += ["--seed", str(options.seed), "--child", folder]
        status = subprocess.run(command, check=False).returncode
        if status not in (0, 1):
            print(f"ended with {status} in the last call of {last_program(Path(folder))}")
    return status


if __name__ == "__main__":
    sys.exit(main())
