"""Calls bench/helper.c, built as a shared library, on the memory of maps."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

MEMORY = (ctypes.c_void_p, ctypes.c_size_t)
NEEDLE = (ctypes.c_char_p, ctypes.c_size_t)


class Helper:
    """The functions of bench/helper.c, which run without the GIL."""

    def __init__(self, library: Path) -> None:
        functions = ctypes.CDLL(str(library))
        self.sum = functions.bench_sum
        self.sum_streams = functions.bench_sum_streams
        self.find = functions.bench_find
        self.rfind = functions.bench_rfind
        self.count = functions.bench_count
        self.resident = functions.bench_resident
        for sums in (self.sum, self.sum_streams):
            sums.argtypes, sums.restype = MEMORY, ctypes.c_uint64
        for search in (self.find, self.rfind, self.count):
            search.argtypes, search.restype = MEMORY + NEEDLE, ctypes.c_int64
        self.resident.argtypes, self.resident.restype = MEMORY, ctypes.c_int64


def address(memory: Any) -> int:
    """The address of `memory`, which the caller must keep alive."""
    return int(np.frombuffer(memory, np.uint8).ctypes.data)
