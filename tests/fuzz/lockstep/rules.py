"""The known differences, each with its row in docs/differences.md, and the calls that are left out.

A difference that no rule explains is a failure.
"""

from __future__ import annotations

import itertools
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from values import LARGEST, PAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from calls import Call
    from values import Side

CLOSED = "mmap closed or invalid"
INVALID = "[Errno 22] Invalid argument"


class Outcome(NamedTuple):
    """How a call ended: the name of the exception, its text, the result."""

    error: str | None
    text: str
    value: Any
    audited: tuple[Any, ...] = ()  # the events of the standard module


class Difference(NamedTuple):
    call: Call
    theirs: Outcome
    ours: Outcome
    side: Side  # the standard module's, before the call has changed it: what was opened


class Rule(NamedTuple):
    row: str  # its name in docs/differences.md
    explains: Callable[[Difference], bool]
    changes: bool = False  # the maps may differ afterwards, which ends the program


def answers_of(call: Call, name: str, place: int) -> list[Any]:
    """The argument that has this name or place, or what its conversion answers: one, or none."""
    values = [*call.arguments[place : place + 1], *filter(None, [call.keywords.get(name)])]
    return [value.answer for value in values]


def new_sizes(call: Call) -> list[int]:
    """The lengths that the call may give to the map, one after the other."""
    sizes: list[Any] = [int(act.split()[1]) for act in call.acts if act.startswith("resize")]
    sizes += [value.answer for value in call.arguments if call.name == "m.resize"]
    return [size for size in sizes if isinstance(size, int)]


# ---- what newer standard modules have ------------------------------------------------------------


def has_newer_method(d: Difference) -> bool:
    return d.theirs.error == "AttributeError" and d.call.name in ("m.seekable", "m.set_name")


def takes_trackfd(d: Difference) -> bool:
    old = d.call.name == "mmap" and "trackfd" in d.call.keywords and sys.version_info < (3, 13)
    refused = ("'trackfd' is an invalid keyword", "takes at most 6 arguments")
    return old and any(text in d.theirs.text for text in refused)


def takes_none(d: Difference) -> bool:
    """None as a bound of find() and rfind(), and as the length of madvise() and flush()."""
    takes = d.call.name in ("m.find", "m.rfind", "m.madvise", "m.flush")
    return takes and d.theirs.error == "TypeError" and "'NoneType' object" in d.theirs.text


def seek_returns_position(d: Difference) -> bool:
    old = d.call.name == "m.seek" and d.theirs.value == ("NoneType", None)
    return old and d.ours.error is None and d.ours.value[0] == "int"


def flushes_more(d: Difference) -> bool:
    """flush(offset), flush(offset, -1), flush(offset, None) and flush(flags=)."""
    old = d.call.name == "m.flush" and sys.version_info < (3, 15)
    more = len(d.call.arguments) == 1 or answers_of(d.call, "size", 1)[:1] in ([-1], [None])
    return old and d.theirs.error in ("TypeError", "ValueError") and (more or bool(d.call.keywords))


def sizes_memory(d: Difference) -> bool:
    return d.call.name == "m.size" and d.theirs.value == (9, None) and d.ours.error is None


# ---- what differs on every interpreter -----------------------------------------------------------


def takes_single_bytes(d: Difference) -> bool:
    stores = d.call.name in ("m.write_byte", "m[i]=", "m[]=", "m.__setitem__", "m[s]=")
    texts = ("cannot be interpreted as an integer", "mmap item value must be an int")
    return stores and d.theirs.error == "TypeError" and d.theirs.text.endswith(texts)


TEXTS = re.compile(
    r"takes (exactly|at least|at most|no|from) |expected (exactly|at least|at most|\d) |"
    r"missing required|keyword argument|multiple values|must be integer|given by name|"
    r"positional argument|cannot be interpreted as an integer|too large to convert|"
    r"argument must be str"
)


def words_arguments(d: Difference) -> bool:
    """What is wrong with the number, the names or the types of the arguments, in other words."""
    same = d.theirs.error == d.ours.error and d.theirs.error in ("TypeError", "OverflowError")
    return same and bool(TEXTS.search(d.theirs.text))


def names_argument(d: Difference) -> bool:
    made = d.call.name == "mmap" and d.theirs.value == d.ours.value == (22, None)
    return made and d.ours.text.startswith(d.theirs.text + ": ")


def reports_another(d: Difference) -> bool:
    """Of two things that are wrong, of which one may be that the map is closed, the other one."""
    if d.theirs.error is None or d.ours.error is None:
        return False
    if d.call.name == "mmap":
        counted = "takes at most" in d.theirs.text or bool(TEXTS.search(d.ours.text))
        return counted or d.ours.text.startswith(INVALID)
    if d.call.keywords:  # a name that is wrong, and a value
        return bool(TEXTS.search(d.theirs.text))
    closing = d.ours.text == CLOSED and ("close" in d.call.acts or d.call.name == "m.set_name")
    return closing or (d.theirs.text == CLOSED and bool(TEXTS.search(d.ours.text)))


def has_other_code(d: Difference) -> bool:
    """The errno of a length that cannot be."""
    huge = any(size >= 2**62 for size in new_sizes(d.call))
    return huge and d.theirs.error == d.ours.error == "OSError"


def refuses_closed(d: Difference) -> bool:
    """The map is closed, or an argument closes it, and the standard module goes on."""
    goes_on = d.ours.text == CLOSED and d.theirs.error is None
    return goes_on and ("close" in d.call.acts or d.call.name == "m.set_name")


def finds_nothing_nowhere(d: Difference) -> bool:
    """Early releases of 3.10 and 3.11 find an empty needle between a start and an earlier end."""
    finds = d.call.name in ("m.find", "m.rfind") and sys.version_info < (3, 12)
    return finds and d.theirs.error is None and d.ours.value == ("int", -1)


def searches_later(d: Difference) -> bool:
    """The position and the length are those that the map has once the arguments are converted."""
    finds = d.call.name in ("m.find", "m.rfind") and len(d.call.arguments) < 3
    return finds and any(act.split()[0] in ("read", "seek", "resize") for act in d.call.acts)


def ends_after_none(d: Difference) -> bool:
    """find(sub, None, end) heeds the end."""
    finds = d.call.name in ("m.find", "m.rfind") and len(d.call.arguments) == 3
    return finds and d.call.arguments[1].answer is None


def lacks_file(d: Difference) -> bool:
    """An OSError, as in 3.13, and a ValueError, as in 3.15."""
    ours = d.call.name == "m.size" and d.ours.error == "UnsupportedOperation"
    return ours and d.theirs.error in ("OSError", "ValueError")


def leaves_block(d: Difference) -> bool:
    """An exception that leaves a block is not replaced by that of exported buffers."""
    return d.call.name.startswith(("with", "m.__exit__")) and d.theirs.error == "BufferError"


def exits_with_less(d: Difference) -> bool:
    """__exit__() takes any number of arguments, as before 3.14."""
    wrong = d.call.name == "m.__exit__" and len(d.call.arguments) != 3
    return wrong and d.theirs.error == "TypeError" and d.ours.error in (None, "BufferError")


def copies_own_bytes(d: Difference) -> bool:
    """m[::2] = memoryview(m)[:n] and the like: as if the bytes were copied first."""
    own = any(value.kind in ("the map", "own bytes") for value in d.call.arguments)
    return own and d.ours == d.theirs


def clears_what_grows(d: Difference) -> bool:
    """Private memory that shrank and grows again is zero."""
    return d.side.private and d.ours.error == d.theirs.error and bool(new_sizes(d.call))


def flushes_anywhere(d: Difference) -> bool:
    """A range of a file may begin inside a page."""
    return d.call.name == "m.flush" and d.theirs.value == (22, None) and d.ours.error is None


def advises_anywhere(d: Difference) -> bool:
    """Advice may begin inside a page."""
    advice = d.call.name == "m.madvise" and len(d.call.arguments) > 1
    return advice and d.theirs.value == (22, None) and d.ours.error is None


def begins_anywhere(d: Difference) -> bool:
    """An offset need not be a multiple of the granularity."""
    offsets = answers_of(d.call, "offset", 5)
    inside = d.call.name == "mmap" and any(isinstance(n, int) and n % PAGE for n in offsets)
    return inside and d.theirs.text == INVALID


def ignores_descriptor(d: Difference) -> bool:
    """With MAP_ANONYMOUS a descriptor need not be open, and its file not be long enough."""
    anonymous = [flags for flags in answers_of(d.call, "flags", 2) if flags in (0x21, 0x22)]
    refused = d.theirs.error in ("OSError", "ValueError") and d.ours.error in (None, "OSError")
    return d.call.name == "mmap" and bool(anonymous) and refused


RULES = [
    Rule("newer versions", has_newer_method, changes=True),
    Rule("newer versions", takes_trackfd, changes=True),
    Rule("newer versions", takes_none, changes=True),
    Rule("newer versions", seek_returns_position),
    Rule("newer versions", flushes_more, changes=True),
    Rule("newer versions", sizes_memory),
    Rule("single bytes", takes_single_bytes, changes=True),
    Rule("texts of arguments", words_arguments),
    Rule("texts of arguments", names_argument),
    Rule("several errors", reports_another, changes=True),
    Rule("failed resizes", has_other_code),
    Rule("closed maps", refuses_closed, changes=True),
    Rule("empty needles", finds_nothing_nowhere),
    Rule("arguments that act", searches_later),
    Rule("end after None", ends_after_none, changes=True),
    Rule("size without trackfd", lacks_file),
    Rule("with", leaves_block),
    Rule("with", exits_with_less, changes=True),
    Rule("own bytes", copies_own_bytes, changes=True),
    Rule("zeros behind an old end", clears_what_grows, changes=True),
    Rule("any byte of a page", flushes_anywhere, changes=True),
    Rule("any byte of a page", advises_anywhere, changes=True),
    Rule("any byte of a page", begins_anywhere),
    Rule("MAP_ANONYMOUS", ignores_descriptor),
]

# ---- calls that are left out ---------------------------------------------------------------------


class Crash(NamedTuple):
    """A call that ends the process of the standard module, or whose result is of chance."""

    reason: str
    matches: Callable[[Call, Side], bool]
    before: tuple[int, ...] = (99,)  # the first version that is right


def resizes_badly(call: Call, _: Side) -> bool:
    sizes = [value.answer for value in call.arguments if call.name == "m.resize"]
    return any(isinstance(n, int) and (n == 0 or 2 * LARGEST < n < 2**62) for n in sizes)


def grows_shared_memory(call: Call, side: Side) -> bool:
    if side.map.closed or not side.shared_memory:
        return False
    sizes = [len(side.map), *new_sizes(call)]
    return any(after > before for before, after in itertools.pairwise(sizes))


def resizes_after_advice(call: Call, side: Side) -> bool:
    return side.advised and bool(new_sizes(call))


def closes_in_the_middle(call: Call, _: Side) -> bool:
    """Early releases of 3.11 and before do not look again after the arguments."""
    resizes = sys.version_info < (3, 10, 13) or (3, 11) <= sys.version_info < (3, 11, 4)
    acts = ("close", "resize") if resizes else ("close",)
    return any(act.startswith(acts) for act in call.acts)


def breaks_memory(call: Call, _: Side) -> bool:
    """MADV_HWPOISON, MADV_SOFT_OFFLINE, MADV_GUARD_INSTALL, and MADV_FREE, which is of chance."""
    return call.name == "m.madvise" and answers_of(call, "", 0) in ([8], [100], [101], [102])


def searches_whole_pages(call: Call, side: Side) -> bool:
    """find() of 3.11.0 to 3.11.4 reads the byte behind its range (CPython issue 105235)."""
    if sys.version_info < (3, 11) or side.map.closed or call.name != "m.find":
        return False
    return any(size % PAGE == 0 for size in [len(side.map), *new_sizes(call)])


CRASHES = [
    Crash(
        "a resize() that fails has truncated the file, and others take all memory", resizes_badly
    ),
    Crash("shared memory that grows has no memory behind its old end", grows_shared_memory),
    Crash("a resize() after advice for a part fails, see above", resizes_after_advice),
    Crash("advice that breaks memory", breaks_memory),
    Crash(
        "an argument closes the map, which is used all the same", closes_in_the_middle, (3, 11, 4)
    ),
    Crash("find() reads the byte behind a map of whole pages", searches_whole_pages, (3, 11, 5)),
]
