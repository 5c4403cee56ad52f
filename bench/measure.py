"""Measures contestants in interleaved rounds, and checks every answer."""

from __future__ import annotations

import gc
import statistics
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from record import Figure

if TYPE_CHECKING:
    from collections.abc import Callable


class WrongAnswerError(Exception):
    """The answer of a contestant is wrong."""


class Contestant(NamedTuple):
    """A name, the call to time, its correct answer, and its units of work. `prepare` runs before
    each call and is not timed."""

    name: str
    call: Callable[[], Any]
    expected: object
    work: int
    prepare: Callable[[], object] = int


class Effort(NamedTuple):
    """The limits of a measurement: the number of rounds, and the seconds after which a contestant
    ends early, but not before `least` rounds."""

    rounds: int
    seconds: float
    least: int = 1


def figure(seconds: list[float], work: int) -> Figure:
    return Figure(work, len(seconds), statistics.median(seconds), min(seconds))


def short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:40]}... ({len(text)} characters)"


def time_once(what: str, contestant: Contestant) -> float:
    contestant.prepare()
    start = time.perf_counter()
    answer = contestant.call()
    seconds = time.perf_counter() - start
    if answer != contestant.expected:
        wrong = f"{short(answer)} instead of {short(contestant.expected)}"
        raise WrongAnswerError(f"{what}: {contestant.name} answers {wrong}")
    return seconds


def measure(what: str, contestants: list[Contestant], effort: Effort) -> dict[str, Figure]:
    """Each round runs every contestant once, in another order than the previous round."""
    times: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    gc.collect()
    gc.disable()
    try:
        for turn in range(effort.rounds):
            shift = turn % max(len(contestants), 1)
            for contestant in contestants[shift:] + contestants[:shift]:
                mine = times[contestant.name]
                if len(mine) < effort.least or sum(mine) < effort.seconds:
                    mine.append(time_once(what, contestant))
    finally:
        gc.enable()
    return {c.name: figure(times[c.name], c.work) for c in contestants}
