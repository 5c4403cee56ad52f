"""Features of the system that the tests run on, and marks for tests that need them.

The systems are Unix, and Windows as far as Wine implements it.
"""

from __future__ import annotations

import os
import signal

import pytest

import ironmap

HAS_FLAGS = hasattr(ironmap, "MAP_SHARED")  # and prot; without them the third argument is a tagname
HAS_ADVICE = hasattr(ironmap, "MADV_NORMAL")
HAS_SYNC_FLAGS = hasattr(ironmap, "MS_SYNC")
HAS_FORK = hasattr(os, "fork")
# True if directories and sockets have descriptors, and a map keeps one.
ALL_IS_A_DESCRIPTOR = os.name == "posix"
# True if tags are files, with a length in bytes and an owner.
TAGS_ARE_FILES = os.name == "posix"
# True if a length beyond the file is an error; otherwise the file is extended.
KEEPS_SHORT_FILES = HAS_FLAGS
MOUNTS = os.name == "posix"  # small file systems
# True if another process can truncate and remove a mapped file.
FREES_MAPPED_FILES = os.name == "posix"
CANNOT_LOSE = "a mapped file cannot be truncated here; the C tests lose pages in another way"


def needs(what: str, *, has: bool) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not has, reason=f"this system has no {what}")


needs_flags = needs("flags and prot", has=HAS_FLAGS)
needs_advice = needs("MADV_*", has=HAS_ADVICE)
needs_sync_flags = needs("MS_*", has=HAS_SYNC_FLAGS)
needs_fork = needs("fork", has=HAS_FORK)
needs_timer = needs("timer that sends a signal", has=hasattr(signal, "setitimer"))
needs_descriptors = needs("descriptor in each map", has=ALL_IS_A_DESCRIPTOR)
needs_tag_files = needs("files that are tags", has=TAGS_ARE_FILES)
needs_short_files = needs("error for lengths beyond the file", has=KEEPS_SHORT_FILES)
needs_lost_pages = pytest.mark.skipif(not FREES_MAPPED_FILES, reason=CANNOT_LOSE)
needs_free_names = needs("way to remove the name of a mapped file", has=FREES_MAPPED_FILES)

# Options for private memory.
PRIVATE: dict[str, int] = (
    {"flags": ironmap.MAP_PRIVATE} if HAS_FLAGS else {"access": ironmap.ACCESS_COPY}
)
