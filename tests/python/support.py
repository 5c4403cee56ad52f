"""Functions and classes that the Python tests share."""

from __future__ import annotations

import mmap as standard
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import ironmap

if TYPE_CHECKING:
    from collections.abc import Callable

    MapMaker = Callable[..., ironmap.mmap]

PAGE = ironmap.PAGESIZE
GRANULE = ironmap.ALLOCATIONGRANULARITY  # offsets of maps of the standard module are multiples
GIB = 1 << 30
BUFFER_METHODS = sys.version_info >= (3, 12)  # a class can define __buffer__


class Outcome(NamedTuple):
    """The result of a call: the type of its exception, or its value."""

    error: type[BaseException] | None
    value: Any


def outcome(call: Callable[..., Any], *arguments: object) -> Outcome:
    try:
        return Outcome(None, call(*arguments))
    except Exception as error:  # noqa: BLE001 - every exception is an outcome
        return Outcome(type(error), None)


def same_in_every_process(value: object) -> str:
    """The name of a parameter in a test's name, the same in all processes that share the tests."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", str(value))


def under_sanitizer() -> bool:
    """True if this process runs with the address sanitizer, which handles SIGBUS itself."""
    return "libasan" in os.environ.get("LD_PRELOAD", "")


def assert_same_error(use: Callable[[Any], Any]) -> None:
    """Checks that `use(module)` raises the same type of exception with both modules."""
    theirs = outcome(use, standard)
    assert theirs.error is not None, "the standard module did not raise"
    assert outcome(use, ironmap).error is theirs.error


def open_descriptors() -> set[int]:
    """The open descriptors of this process, or those below 256 if the system lists none."""
    folder = Path("/dev/fd")
    listed = [int(entry.name) for entry in folder.iterdir()] if folder.is_dir() else range(256)
    return {descriptor for descriptor in listed if is_open(descriptor)}


def is_open(descriptor: int) -> bool:
    return outcome(os.fstat, descriptor).error is None


def run_python(code: str, *arguments: str | Path) -> str:
    """Runs code in a new interpreter, which must exit with 0. Returns its output."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Index:
    """An integer that runs some code when its value is converted."""

    def __init__(self, value: int, action: Callable[[], Any] = int) -> None:
        self.value = value
        self.action = action

    def __index__(self) -> int:
        self.action()
        return self.value


class Buffer:
    """A buffer that runs some code when it is exported (3.12 and newer)."""

    def __init__(self, value: bytes, action: Callable[[], Any] = int) -> None:
        self.value = value
        self.action = action

    def __buffer__(self, flags: int) -> memoryview:
        self.action()
        return memoryview(self.value)
