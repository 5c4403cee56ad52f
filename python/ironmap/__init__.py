"""Memory-mapped files: a drop-in for the standard `mmap` module that does more.

    import ironmap as mmap

    with open("hello.txt", "r+b") as file, mmap.mmap(file.fileno(), 0) as m:
        print(m.readline())
        m[0:5] = b"Hello"
        m.flush()

`mmap` is the class, with all that the standard module of the newest Python has, on every Python
that is supported. ACCESS_* say what may be done with a map; MAP_*, PROT_*, MADV_* and MS_* are
those that the system has. PAGESIZE and ALLOCATIONGRANULARITY are in bytes. `error` is OSError.

A page that cannot be had is never the end of the process: it is a FaultError.
"""

from ironmap import _ironmap
from ironmap._ironmap import (
    ACCESS_COPY,
    ACCESS_DEFAULT,
    ACCESS_READ,
    ACCESS_WRITE,
    ALLOCATIONGRANULARITY,
    PAGESIZE,
    FaultError,
    __version__,
    error,
    mmap,
)

__all__ = [
    "ACCESS_COPY",
    "ACCESS_DEFAULT",
    "ACCESS_READ",
    "ACCESS_WRITE",
    "ALLOCATIONGRANULARITY",
    "PAGESIZE",
    "FaultError",
    "__version__",
    "error",
    "mmap",
]

# Each system has its own set of these.
_system = {
    name: value
    for name, value in vars(_ironmap).items()
    if name.startswith(("MADV_", "MAP_", "MS_", "PROT_"))
}
globals().update(_system)
__all__ += sorted(_system)
del _system
