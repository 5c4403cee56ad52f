"""How long other threads stand still: a thread that wakes every millisecond notes by how much it
was late, while another thread works on a map."""

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
    """Sleeps for a millisecond again and again, and notes how long each took beyond that."""

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


def while_running(what: str, who: str, work: Callable[[], object], seconds: float) -> Stall:
    """Does the work again and again for so many seconds, once at least."""
    ticker = Ticker()
    ticker.start()
    try:
        end = time.perf_counter() + seconds
        work()
        while time.perf_counter() < end:
            work()
    finally:
        ticker.end()
    # Who was not woken during a call noted at its end that it has waited for all of it.
    longest = max(ticker.delays)
    return Stall(what, who, longest * 1e3, rare(ticker.delays) * 1e3, len(ticker.delays))


def idle(seconds: float) -> Stall:
    """What the machine does by itself: nothing else runs in this process."""
    return while_running("nothing", "", lambda: time.sleep(seconds), seconds)


def of(what: str, contestant: Contestant, seconds: float) -> Stall:
    """While the contestant works. Its answers were checked before; comparing them takes time."""
    contestant.prepare()
    return while_running(what, contestant.name, contestant.call, seconds)


def calmer(first: Stall, second: Stall) -> Stall:
    """Of two runs of the same work: what it always holds up shows in both, what other users of the
    machine hold up seldom does. What the work holds up now and then may be missed."""
    return min(first, second, key=lambda stall: stall.longest_ms)


def measure_all(works: list[tuple[str, Contestant]], seconds: float) -> list[Stall]:
    """First no work at all, then each of the works, twice in interleaved rounds."""

    def once() -> list[Stall]:
        return [idle(seconds), *(of(what, contestant, seconds) for what, contestant in works)]

    return list(map(calmer, once(), once()))
