"""Memory-mapped files: a drop-in for the standard `mmap` module that does more.

    import ironmap as mmap

    with open("hello.txt", "r+b") as file, mmap.mmap(file.fileno(), 0) as m:
        print(m.readline())
        m[0:5] = b"Hello"
        m.flush()

The class `mmap` has all features of the standard module's newest version, on every supported
Python. ACCESS_* say what writes to a map do. MAP_*, PROT_*, MADV_* and MS_* are the constants that
the system has. PAGESIZE and ALLOCATIONGRANULARITY are in bytes. `error` is OSError.

An unavailable page (file truncated, disk full or failing) raises FaultError. It never ends the
process.
"""

from . import _ironmap
from ._ironmap import (
    ACCESS_COPY,
    ACCESS_DEFAULT,
    ACCESS_READ,
    ACCESS_WRITE,
    ALLOCATIONGRANULARITY,
    PAGESIZE,
    FaultError,
    __version__,  # noqa: F401
    error,
    mmap,
)

# What the standard module has, and FaultError: `from ironmap import *` takes no other name.
__all__ = [
    "ACCESS_COPY",
    "ACCESS_DEFAULT",
    "ACCESS_READ",
    "ACCESS_WRITE",
    "ALLOCATIONGRANULARITY",
    "PAGESIZE",
    "FaultError",
    "error",
    "mmap",
]

# Each system has its own set of these constants.
_system = {
    name: value
    for name, value in vars(_ironmap).items()
    if name.startswith(("MADV_", "MAP_", "MS_", "PROT_"))
}
globals().update(_system)
__all__ += sorted(_system)
del _system
