"""What the Python tests share beside the fixtures of conftest.py."""

from __future__ import annotations

import mmap as standard
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import ironmap

if TYPE_CHECKING:
    from collections.abc import Callable

    MapMaker = Callable[..., ironmap.mmap]

PAGE = ironmap.PAGESIZE
GRANULE = ironmap.ALLOCATIONGRANULARITY  # where maps of the standard module begin
GIB = 1 << 30
BUFFER_METHODS = sys.version_info >= (3, 12)  # a class can define __buffer__


class Outcome(NamedTuple):
    """What a call came to: the type of its exception, or its value."""

    error: type[BaseException] | None
    value: Any


def outcome(call: Callable[..., Any], *arguments: object) -> Outcome:
    try:
        return Outcome(None, call(*arguments))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the outcome
        return Outcome(type(error), None)


def under_sanitizer() -> bool:
    """Whether this process runs with the address sanitizer, which handles SIGBUS itself."""
    return "libasan" in os.environ.get("LD_PRELOAD", "")


def assert_same_error(use: Callable[[Any], Any]) -> None:
    """`use(module)` must raise with both modules, and the same type of exception."""
    theirs = outcome(use, standard)
    assert theirs.error is not None, "the standard module did not raise"
    assert outcome(use, ironmap).error is theirs.error


def open_descriptors() -> set[int]:
    """The descriptors that are open in this process; of the first, where nothing lists them."""
    folder = Path("/dev/fd")
    listed = [int(entry.name) for entry in folder.iterdir()] if folder.is_dir() else range(256)
    return {descriptor for descriptor in listed if is_open(descriptor)}


def is_open(descriptor: int) -> bool:
    return outcome(os.fstat, descriptor).error is None


def run_python(code: str, *arguments: str | Path) -> str:
    """Run code in a fresh interpreter that must end well; what it printed."""
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
    """An integer that runs some code when it is asked for its value."""

    def __init__(self, value: int, action: Callable[[], Any] = int) -> None:
        self.value = value
        self.action = action

    def __index__(self) -> int:
        self.action()
        return self.value


class Buffer:
    """Bytes that run some code when they are asked for their memory (3.12 and newer)."""

    def __init__(self, value: bytes, action: Callable[[], Any] = int) -> None:
        self.value = value
        self.action = action

    def __buffer__(self, flags: int) -> memoryview:
        self.action()
        return memoryview(self.value)
