"""Calls on a map whose arguments run code that closes or resizes the map in the middle.

Run as a program it goes through all of them, so that a crash shows as its exit status.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ironmap
from support import BUFFER_METHODS, PAGE, Buffer, Index, Outcome, outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    Action = Callable[[], Any]
    Call = Callable[[Any, Action], Any]

LONG = 3 * PAGE
SHORT = PAGE + 1
CONTENT = bytes(i % 251 for i in range(LONG))
FROM_THE_END = "m[-1] = V"
FAR = LONG - 10  # inside the long map, outside the short one

# Each takes the map, and the action to run while its argument is converted.
INDEX_CALLS: dict[str, Call] = {
    "m[V]": lambda m, a: m[Index(FAR, a)],
    "m[-V]": lambda m, a: m[Index(-FAR, a)],
    "m[V:]": lambda m, a: m[Index(FAR, a) :],
    "m[:V]": lambda m, a: m[: Index(FAR, a)],
    "m[V:b:2]": lambda m, a: m[Index(5, a) : LONG : 2],
    "m[b:V:-1]": lambda m, a: m[FAR : Index(5, a) : -1],
    "m[::V]": lambda m, a: m[:: Index(3, a)],
    "m[V] = 1": lambda m, a: m.__setitem__(Index(FAR, a), 1),
    "m[V near] = 1": lambda m, a: m.__setitem__(Index(5, a), 1),
    "m[i] = V": lambda m, a: m.__setitem__(FAR, Index(1, a)),
    "m[near] = V": lambda m, a: m.__setitem__(5, Index(1, a)),
    FROM_THE_END: lambda m, a: m.__setitem__(-1, Index(1, a)),
    "m[V:b] = bytes": lambda m, a: m.__setitem__(slice(Index(FAR, a), LONG), b"0123456789"),
    "m[a:V] = bytes": lambda m, a: m.__setitem__(slice(0, Index(LONG, a)), bytes(LONG)),
    "m[::V] = bytes": lambda m, a: m.__setitem__(slice(None, None, Index(3, a)), bytes(PAGE)),
    "find(sub, V)": lambda m, a: m.find(b"x", Index(FAR, a)),
    "find(sub, a, V)": lambda m, a: m.find(b"x", 0, Index(FAR, a)),
    "find(sub, -V)": lambda m, a: m.find(b"x", Index(-5, a)),
    "rfind(sub, V)": lambda m, a: m.rfind(b"x", Index(FAR, a)),
    "rfind(sub, a, V)": lambda m, a: m.rfind(b"x", 0, Index(FAR, a)),
    "rfind(sub, V, V)": lambda m, a: m.rfind(b"x", Index(0, a), Index(LONG)),
    "count(sub, V)": lambda m, a: m.count(b"x", Index(FAR, a)),
    "count(sub, a, V)": lambda m, a: m.count(b"x", 0, Index(FAR, a)),
    "find_all(sub, V)": lambda m, a: list(m.find_all(b"x", Index(FAR, a))),
    "find_all(sub, a, V)": lambda m, a: list(m.find_all(b"x", 0, Index(FAR, a))),
    "read(V)": lambda m, a: m.read(Index(LONG, a)),
    "readlines(V)": lambda m, a: m.readlines(Index(LONG, a)),
    "lines(V)": lambda m, a: list(m.lines(Index(5, a))),
    "lines(V far)": lambda m, a: list(m.lines(Index(FAR, a))),
    "lines(a, V)": lambda m, a: list(m.lines(0, Index(-5, a))),
    "write_byte(V)": lambda m, a: m.write_byte(Index(1, a)),
    "seek(V)": lambda m, a: m.seek(Index(FAR, a)),
    "seek(V, 2)": lambda m, a: m.seek(Index(-SHORT - 1, a), 2),
    "seek(n, V)": lambda m, a: m.seek(FAR, Index(0, a)),
    "move(V, s, n)": lambda m, a: m.move(Index(FAR, a), 0, 10),
    "move(t, V, n)": lambda m, a: m.move(0, Index(FAR, a), 10),
    "move(t, s, V)": lambda m, a: m.move(0, 10, Index(FAR - 20, a)),
    "flush(V, n)": lambda m, a: m.flush(Index(2 * PAGE, a), 5),
    "flush(o, V)": lambda m, a: m.flush(0, Index(FAR, a)),
    "flush(flags=V)": lambda m, a: m.flush(2 * PAGE, flags=Index(0, a)),
    "tell": lambda m, a: (a(), m.tell())[1],
    "resize(V)": lambda m, a: m.resize(Index(2 * PAGE, a)),
}
BUFFER_CALLS: dict[str, Call] = {
    "m[a:b] = V": lambda m, a: m.__setitem__(slice(0, LONG), Buffer(bytes(LONG), a)),
    "m[near] = V": lambda m, a: m.__setitem__(slice(0, 5), Buffer(b"01234", a)),
    "m[a:b:2] = V": lambda m, a: m.__setitem__(slice(0, 20, 2), Buffer(b"0123456789", a)),
    "m[-5:] = V": lambda m, a: m.__setitem__(slice(-5, None), Buffer(b"01234", a)),
    "m[i] = V": lambda m, a: m.__setitem__(FAR, Buffer(b"a", a)),
    "write_byte(V)": lambda m, a: m.write_byte(Buffer(b"a", a)),
    "write(V)": lambda m, a: m.write(Buffer(b"0123456789", a)),
    "readinto(V)": lambda m, a: m.readinto(Buffer(bytearray(LONG), a)),  # type: ignore[arg-type]
    "find(V)": lambda m, a: m.find(Buffer(b"x", a)),
    "find(V, s, e)": lambda m, a: m.find(Buffer(b"x", a), 5, LONG),
    "rfind(V)": lambda m, a: m.rfind(Buffer(b"x", a)),
    "rfind(V, s)": lambda m, a: m.rfind(Buffer(b"x", a), FAR),
}
ADVICE_CALLS: dict[str, Call] = {
    "madvise(V)": lambda m, a: m.madvise(Index(0, a), 2 * PAGE),
    "madvise(o, V)": lambda m, a: m.madvise(0, Index(2 * PAGE, a)),
    "madvise(o, s, V)": lambda m, a: m.madvise(0, 2 * PAGE, Index(5, a)),
}
CALLS = {
    **INDEX_CALLS,
    **(ADVICE_CALLS if hasattr(ironmap.mmap, "madvise") else {}),
    **(
        {f"{name}, a buffer": call for name, call in BUFFER_CALLS.items()} if BUFFER_METHODS else {}
    ),
}


class Equal:
    """Compares equal to nothing, and runs some code when it is compared."""

    def __init__(self, action: Action) -> None:
        self.action = action

    def __eq__(self, other: object) -> bool:
        self.action()
        return False

    __hash__ = None


def make(**options: int) -> ironmap.mmap:
    """A map of a file without a name, with the position at 7."""
    with tempfile.TemporaryFile() as file:
        file.write(CONTENT)
        file.flush()
        m = ironmap.mmap(file.fileno(), 0, **options)
    m.seek(7)
    return m


def nothing() -> None:
    """An action that does nothing."""


def closing(name: str) -> Outcome:
    """The outcome of the call if the map is closed in the middle."""
    m = make()
    try:
        return outcome(CALLS[name], m, m.close)
    finally:
        m.close()


def resizing(name: str, length: int) -> tuple[Outcome, bytes, int]:
    """The outcome, the content and the position if the map is resized in the middle of the call."""
    m = make()
    with m:
        return outcome(CALLS[name], m, lambda: m.resize(length)), m[:], m.tell()


def resized_before(name: str, length: int) -> tuple[Outcome, bytes, int]:
    """The same if the map was resized before the call."""
    m = make()
    with m:
        m.resize(length)
        return outcome(CALLS[name], m, nothing), m[:], m.tell()


def searching_items(action: Callable[[ironmap.mmap], Any]) -> Outcome:
    """`x in m` for a map that changes at the first comparison."""
    m = make()
    with m:
        return outcome(lambda: Equal(lambda: action(m)) in m)


def main() -> None:
    for name in CALLS:
        print(name, flush=True)  # the last line names the call that crashed
        closing(name)
        for length in (SHORT, 1, 100 * PAGE):
            resizing(name, length)
    print("in", flush=True)
    searching_items(lambda m: m.close())
    searching_items(lambda m: m.resize(1))
    print(Path(__file__).name, "is through", flush=True)


if __name__ == "__main__":
    main()
