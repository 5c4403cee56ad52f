import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Literal, SupportsIndex, overload

from typing_extensions import Buffer, Never, Self, disjoint_base

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
if sys.platform != "win32":
    __all__ += [
        "MADV_DONTNEED",
        "MADV_FREE",
        "MADV_NORMAL",
        "MADV_RANDOM",
        "MADV_SEQUENTIAL",
        "MADV_WILLNEED",
        "MAP_ANON",
        "MAP_ANONYMOUS",
        "MAP_PRIVATE",
        "MAP_SHARED",
        "MS_ASYNC",
        "MS_INVALIDATE",
        "MS_SYNC",
        "PROT_EXEC",
        "PROT_NONE",
        "PROT_READ",
        "PROT_WRITE",
    ]
if sys.platform == "linux":
    __all__ += [
        "MADV_COLD",
        "MADV_COLLAPSE",
        "MADV_DODUMP",
        "MADV_DOFORK",
        "MADV_DONTDUMP",
        "MADV_DONTFORK",
        "MADV_HUGEPAGE",
        "MADV_HWPOISON",
        "MADV_MERGEABLE",
        "MADV_NOHUGEPAGE",
        "MADV_PAGEOUT",
        "MADV_POPULATE_READ",
        "MADV_POPULATE_WRITE",
        "MADV_REMOVE",
        "MADV_UNMERGEABLE",
        "MAP_32BIT",
        "MAP_DENYWRITE",
        "MAP_EXECUTABLE",
        "MAP_LOCKED",
        "MAP_NONBLOCK",
        "MAP_NORESERVE",
        "MAP_POPULATE",
        "MAP_SHARED_VALIDATE",
        "MAP_STACK",
        "MAP_SYNC",
    ]
if sys.platform == "darwin":
    __all__ += [
        "MADV_FREE_REUSABLE",
        "MADV_FREE_REUSE",
        "MAP_HASSEMAPHORE",
        "MAP_JIT",
        "MAP_NOCACHE",
        "MAP_NOEXTEND",
        "MAP_NORESERVE",
        "MAP_RESILIENT_CODESIGN",
        "MAP_RESILIENT_MEDIA",
        "MAP_TRANSLATED_ALLOW_EXECUTE",
        "MAP_UNIX03",
    ]

__version__: Final[str]

ACCESS_DEFAULT: Final = 0
ACCESS_READ: Final = 1
ACCESS_WRITE: Final = 2
ACCESS_COPY: Final = 3

# In bytes.
ALLOCATIONGRANULARITY: Final[int]
PAGESIZE: Final[int]

if sys.platform != "win32":
    MAP_ANON: Final[int]
    MAP_ANONYMOUS: Final[int]
    MAP_PRIVATE: Final[int]
    MAP_SHARED: Final[int]

    PROT_EXEC: Final[int]
    PROT_NONE: Final[int]
    PROT_READ: Final[int]
    PROT_WRITE: Final[int]

    MADV_DONTNEED: Final[int]
    MADV_FREE: Final[int]
    MADV_NORMAL: Final[int]
    MADV_RANDOM: Final[int]
    MADV_SEQUENTIAL: Final[int]
    MADV_WILLNEED: Final[int]

    MS_ASYNC: Final[int]
    MS_INVALIDATE: Final[int]
    MS_SYNC: Final[int]

# Every build has these. Only MAP_32BIT is of x86 alone, which a stub cannot say.
if sys.platform == "linux":
    MAP_32BIT: Final[int]
    MAP_DENYWRITE: Final[int]
    MAP_EXECUTABLE: Final[int]
    MAP_LOCKED: Final[int]
    MAP_NONBLOCK: Final[int]
    MAP_NORESERVE: Final[int]
    MAP_POPULATE: Final[int]
    MAP_SHARED_VALIDATE: Final[int]
    MAP_STACK: Final[int]
    MAP_SYNC: Final[int]

    MADV_COLD: Final[int]
    MADV_COLLAPSE: Final[int]
    MADV_DODUMP: Final[int]
    MADV_DOFORK: Final[int]
    MADV_DONTDUMP: Final[int]
    MADV_DONTFORK: Final[int]
    MADV_HUGEPAGE: Final[int]
    MADV_HWPOISON: Final[int]
    MADV_MERGEABLE: Final[int]
    MADV_NOHUGEPAGE: Final[int]
    MADV_PAGEOUT: Final[int]
    MADV_POPULATE_READ: Final[int]
    MADV_POPULATE_WRITE: Final[int]
    MADV_REMOVE: Final[int]
    MADV_UNMERGEABLE: Final[int]

if sys.platform == "darwin":
    MAP_HASSEMAPHORE: Final[int]
    MAP_JIT: Final[int]
    MAP_NOCACHE: Final[int]
    MAP_NOEXTEND: Final[int]
    MAP_NORESERVE: Final[int]
    MAP_RESILIENT_CODESIGN: Final[int]
    MAP_RESILIENT_MEDIA: Final[int]
    MAP_TRANSLATED_ALLOW_EXECUTE: Final[int]
    MAP_UNIX03: Final[int]

    MADV_FREE_REUSABLE: Final[int]
    MADV_FREE_REUSE: Final[int]

error = OSError

# A page is unavailable. `errno` is EIO or ENOSPC, `filename` is None if there is none or it is
# not known.
class FaultError(OSError):
    # The byte of the map, counted from its start. None if it is not known any more, and in errors
    # that are made by hand.
    offset: int | None

# Lengths, offsets and positions are in bytes; offsets count from the start of the map.
@disjoint_base
class mmap:  # noqa: N801
    if sys.platform == "win32":
        def __new__(
            cls,
            fileno: int,
            length: int,
            tagname: str | None = None,
            access: int = 0,
            offset: int = 0,
            *,
            trackfd: bool = True,
            preallocate: bool = False,
        ) -> Self: ...
    else:
        def __new__(
            cls,
            fileno: int,
            length: int,
            flags: int = ...,
            prot: int = ...,
            access: int = 0,
            offset: int = 0,
            *,
            trackfd: bool = True,
            preallocate: bool = False,
            tagname: str | None = None,
        ) -> Self: ...

    @property
    def closed(self) -> bool: ...
    # FaultError for damage that nothing has told. The map is closed all the same. An address that
    # was exported, as to an array of numpy, reads zeros from then on, as long as this object lives.
    # Its use is told when the object is collected: FaultError goes to sys.unraisablehook. After a
    # resize, the use of an address that the map has left is damage.
    def close(self) -> None: ...
    # Ranges (start, end) of bytes that read as zeros because their pages were lost. Empty once the
    # map is closed.
    @property
    def damaged(self) -> tuple[tuple[int, int], ...]: ...
    def clear_damage(self) -> None: ...
    # None once the map is closed.
    @property
    def tagname(self) -> str | None: ...
    def guarded(self) -> AbstractContextManager[Self, Literal[False]]: ...
    def find(
        self, view: Buffer, start: SupportsIndex | None = None, end: SupportsIndex | None = None, /
    ) -> int: ...
    def rfind(
        self, view: Buffer, start: SupportsIndex | None = None, end: SupportsIndex | None = None, /
    ) -> int: ...
    def count(
        self, view: Buffer, start: SupportsIndex | None = None, end: SupportsIndex | None = None, /
    ) -> int: ...
    def find_all(
        self,
        view: Buffer,
        start: SupportsIndex | None = None,
        end: SupportsIndex | None = None,
        /,
        *,
        overlapping: bool = False,
    ) -> Iterator[int]: ...
    def flush(
        self, offset: SupportsIndex = 0, size: SupportsIndex | None = -1, /, *, flags: int = 0
    ) -> None: ...
    def lines(
        self,
        start: SupportsIndex | None = 0,
        end: SupportsIndex | None = None,
        /,
        *,
        keepends: bool = True,
    ) -> Iterator[bytes]: ...

    if sys.platform != "win32":
        def madvise(
            self, option: int, start: SupportsIndex = 0, length: SupportsIndex | None = None, /
        ) -> None: ...

    def move(self, dest: SupportsIndex, src: SupportsIndex, count: SupportsIndex, /) -> None: ...
    def read(self, n: SupportsIndex | None = None, /) -> bytes: ...
    def read_byte(self) -> int: ...
    def readinto(self, buffer: Buffer, /) -> int: ...
    def readline(self) -> bytes: ...
    def readlines(self, hint: SupportsIndex | None = -1, /) -> list[bytes]: ...
    def resize(self, newsize: SupportsIndex, /) -> None: ...
    def seek(self, pos: SupportsIndex, whence: int = 0, /) -> int: ...
    def seekable(self) -> Literal[True]: ...
    def set_name(self, name: str, /) -> None: ...
    def size(self) -> int: ...
    def tell(self) -> int: ...
    def write(self, bytes: Buffer, /) -> int: ...
    def write_byte(self, byte: SupportsIndex | Buffer, /) -> None: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> bytes: ...
    @overload
    def __setitem__(self, key: SupportsIndex, value: SupportsIndex | Buffer, /) -> None: ...
    @overload
    def __setitem__(self, key: slice, value: Buffer, /) -> None: ...
    def __delitem__(self, key: SupportsIndex | slice, /) -> Never: ...
    # `in` and iteration use the items, each of type bytes and length 1.
    def __contains__(self, item: object, /) -> bool: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
    def __sizeof__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __release_buffer__(self, buffer: memoryview, /) -> None: ...
