"""Stalls of other threads: a thread wakes every millisecond and records how late it was, while
another thread works on a map."""

from __future__ import annotations

import statistics
import threading
import time
from typing import TYPE_CHECKING

from record import Stall

if TYPE_CHECKING:
    from collections.abc import Callable

    from measure import Contestant

PERIOD = 0.001


class Ticker(threading.Thread):
    """Sleeps for a millisecond repeatedly, and records how much longer each sleep took."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.delays: list[float] = []
        self.ended = False

    def run(self) -> None:
        before = time.perf_counter()
        while not self.ended:
            time.sleep(PERIOD)
            now = time.perf_counter()
            self.delays.append(max(now - before - PERIOD, 0.0))
            before = now

    def end(self) -> None:
        self.ended = True
        self.join()


def rare(delays: list[float]) -> float:
    """The 99.9th percentile."""
    if len(delays) < 2:
        return max(delays)
    return statistics.quantiles(delays, n=1000, method="inclusive")[-1]


def while_running(what: str, contestant: str, work: Callable[[], object], seconds: float) -> Stall:
    """Repeats the work for this many seconds, at least once."""
    ticker = Ticker()
    ticker.start()
    try:
        end = time.perf_counter() + seconds
        work()
        while time.perf_counter() < end:
            work()
    finally:
        ticker.end()
    # A sleeper that a call kept from waking has recorded the whole call as its delay.
    longest = max(ticker.delays)
    return Stall(what, contestant, longest * 1e3, rare(ticker.delays) * 1e3, len(ticker.delays))


def idle(seconds: float) -> Stall:
    """The delays of the machine itself, while nothing else runs in this process."""
    return while_running("nothing", "", lambda: time.sleep(seconds), seconds)


def of(what: str, contestant: Contestant, seconds: float) -> Stall:
    """The delays while the contestant works. Answers were checked before, since that takes time."""
    contestant.prepare()
    return while_running(what, contestant.name, contestant.call, seconds)


def calmer(first: Stall, second: Stall) -> Stall:
    """The better of two runs of the same work. Delays that the work always causes are in both,
    delays by other processes seldom. Delays that the work rarely causes may be missed."""
    return min(first, second, key=lambda stall: stall.longest_ms)


def measure_all(works: list[tuple[str, Contestant]], seconds: float) -> list[Stall]:
    """Measures no work, then each kind of work, twice in interleaved rounds."""

    def once() -> list[Stall]:
        return [idle(seconds), *(of(what, contestant, seconds) for what, contestant in works)]

    return list(map(calmer, once(), once()))
