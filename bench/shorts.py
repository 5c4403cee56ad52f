"""The cost of searches in few bytes, where the call takes most of the time."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from calls import nanoseconds, unrolled
from measure import WrongAnswerError
from record import Short

if TYPE_CHECKING:
    import timeit

    from corpora import Corpus
    from peers import Peer

LENGTHS = (1, 8, 31, 64, 100, 1000)
NEEDLES = (1, 4, 16)


def searchers(peers: list[Peer]) -> dict[str, Any]:
    """Objects whose find and rfind take a start and an end, by the name of the peer."""
    fields = ("map", "text", "bytes")
    found = {
        peer.name: getattr(peer, f, None) for peer in peers for f in fields if hasattr(peer, f)
    }
    return {name: searcher for name, searcher in found.items() if searcher is not None}


def timers(kind: str, where: dict[str, Any], needle: bytes, end: int) -> dict[str, timeit.Timer]:
    made = {}
    for name, searcher in where.items():
        method = getattr(searcher, kind)
        if method(needle, 0, end) != -1:
            raise WrongAnswerError(f"{kind} in {end} bytes: {name} finds {needle!r}")
        made[name] = unrolled("f(n, 0, e)", "", {"f": method, "n": needle, "e": end})
    return made


def times_of(
    kind: str, where: dict[str, Any], needle: bytes, end: int, rounds: int
) -> dict[str, list[float]]:
    made = timers(kind, where, needle, end)
    times: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(rounds + 1):
        for name, timer in made.items():
            times[name].append(nanoseconds(timer))
    # The first round warms up.
    return {name: each[1:] for name, each in times.items()}


def measure_shorts(corpus: Corpus, peers: list[Peer], rounds: int) -> list[Short]:
    where = searchers(peers)
    needles = {length: corpus.absent(length) for length in NEEDLES}

    def measured(kind: str, end: int, needle: bytes) -> Short:
        times = times_of(kind, where, needle, end, rounds)
        medians = {name: statistics.median(each) for name, each in times.items()}
        minima = {name: min(each) for name, each in times.items()}
        return Short(kind, end, len(needle), medians, minima)

    return [
        measured(kind, end, needle)
        for kind in ("find", "rfind")
        for end in LENGTHS
        for length, needle in needles.items()
        if length <= end
    ]
