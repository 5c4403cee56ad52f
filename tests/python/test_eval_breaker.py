"""Work in small items lets the interpreter run other threads and signal handlers now and then.

The tests replace the function that the module calls for that.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

import pytest

import ironmap
from ironmap import _ironmap
from support import outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ITEMS = 200_000
WORK: dict[str, Callable[[ironmap.mmap], object]] = {
    "lines": lambda m: collections.deque(m.lines(), maxlen=0),
    "find_all": lambda m: collections.deque(m.find_all(b"\n"), maxlen=0),
    "readlines": lambda m: m.readlines(),
}
every_work = pytest.mark.parametrize("name", WORK)


@pytest.fixture
def newlines() -> Iterator[ironmap.mmap]:
    with ironmap.mmap(-1, ITEMS) as m:
        m[:] = b"\n" * ITEMS
        yield m


@pytest.fixture
def at_check(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """A function that sets what runs at each check."""
    return lambda action: monkeypatch.setattr(_ironmap, "_check_eval_breaker", action)


@every_work
def test_checks_are_few_and_not_far_apart(newlines: ironmap.mmap, at_check: Any, name: str) -> None:
    checks: list[None] = []
    at_check(lambda: checks.append(None))
    WORK[name](newlines)
    assert 4 < len(checks) < 50


@every_work
def test_check_that_raises_ends_the_work(newlines: ironmap.mmap, at_check: Any, name: str) -> None:
    at_check({}.popitem)
    assert outcome(WORK[name], newlines).error is KeyError
    assert newlines.tell() == 0


def test_readlines_leaves_a_position_that_was_moved_meanwhile(
    newlines: ironmap.mmap, at_check: Any
) -> None:
    def move_and_raise() -> None:
        newlines.seek(7)
        raise KeyError

    at_check(move_and_raise)
    assert outcome(newlines.readlines).error is KeyError
    assert newlines.tell() == 7


@pytest.mark.parametrize("name", ["lines", "find_all", "readlines"])
def test_map_can_be_closed_between_two_lines(
    newlines: ironmap.mmap, at_check: Any, name: str
) -> None:
    at_check(newlines.close)
    assert outcome(WORK[name], newlines).error is ValueError
    assert newlines.closed
