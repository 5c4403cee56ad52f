"""The cases of the benchmark: an operation on a corpus, and its correct answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from corpora import Corpus

NEEDLES = (1, 2, 4, 16, 64, 1024)
BOTH = ("find", "rfind")
WORST = "worst cases"
COPY = 256 << 20
# Python loops with a call for each hit run on a part of the file, with about this many hits.
LOOP_HITS = 1_000_000


class Case(NamedTuple):
    """One row of the tables. `kind` names the method of the peers (peers.py), and how the answer
    follows from the corpus. `unit` is the unit of work: bytes, hits or lines."""

    group: str
    name: str
    kind: str
    corpus: Corpus
    needle: bytes = b""
    length: int = 0
    unit: str = "bytes"
    headline: bool = False

    def per_hit(self) -> bool:
        """True if a loop in Python has many hits."""
        return self.kind in ("count", "find_all") and self.hits() > LOOP_HITS

    def hits(self) -> int:
        return self.corpus.hits(self.needle, self.corpus.size).number

    def part(self) -> int:
        """Bytes of the file for a loop in Python: whole blocks with about LOOP_HITS hits."""
        in_block = max(self.corpus.hits_in_block(self.needle).number, 1)
        return self.corpus.blocks(LOOP_HITS // in_block * len(self.corpus.block)) * len(
            self.corpus.block
        )

    def expected(self, size: int) -> object:
        """The answer for the first `size` bytes of the corpus."""
        corpus = self.corpus
        if self.kind in ("find", "rfind"):
            return corpus.first_and_last(self.needle)[self.kind == "rfind"]
        if self.kind in ("count", "find_all"):
            return corpus.hits(self.needle, size)[self.kind == "find_all"]
        if self.kind == "lines":
            return corpus.size
        return corpus.start(self.length) if self.kind != "readinto" else self.length

    def work(self, size: int) -> int:
        """The units of work in the first `size` bytes."""
        if self.unit == "hits":
            return self.corpus.hits(self.needle, size).number
        if self.unit == "lines":
            return self.corpus.hits(b"\n", self.corpus.size).number
        return self.length or size


def searches(corpus: Corpus, lengths: tuple[int, ...], kinds: tuple[str, ...]) -> list[Case]:
    """An absent needle of each length."""
    group = f"absent needles in {corpus.name}"
    needles = {length: corpus.absent(length) for length in lengths}
    return [
        Case(group, f"{kind} {length}", kind, corpus, needle)
        for kind in kinds
        for length, needle in needles.items()
    ]


def headlines(text: Corpus) -> list[Case]:
    """Cases in README or with a goal, on the biggest file."""
    absent = text.absent(16)
    copy = min(COPY, text.size // 4)

    def case(
        label: str, kind: str, needle: bytes = b"", length: int = 0, unit: str = "bytes"
    ) -> Case:
        return Case("headlines", label, kind, text, needle, length, unit, headline=True)

    return [
        case("find 16 absent bytes", "find", absent),
        case("rfind 16 absent bytes", "rfind", absent),
        case("count a byte", "count", b"e"),
        case("count a word", "count", b" the "),
        case("find_all, a hit a line", "find_all", b"\n", unit="hits"),
        case("lines", "lines", unit="lines"),
        case(f"slice of {copy >> 20} MiB", "slice", length=copy),
        case(f"read of {copy >> 20} MiB", "read", length=copy),
        case(f"readinto of {copy >> 20} MiB", "readinto", length=copy),
    ]


def rare_and_frequent(corpus: Corpus, rare: bytes, frequent: bytes) -> list[Case]:
    """Hits to count and to list."""
    group = f"hits in {corpus.name}"
    return [
        Case(group, f"{kind} {name} {needle.decode()!r}", kind, corpus, needle)
        for kind in ("count", "find_all")
        for name, needle in (("rare", rare), ("frequent", frequent))
    ]


def worst_of_run(run: Corpus) -> list[Case]:
    """One letter repeated, and needles with one other letter."""
    cases = []
    for length in (2, 4, 16, 64, 256, 1024):
        for place in sorted({0, length // 3, length // 2, length - 1}):
            needle = b"a" * place + b"b" + b"a" * (length - place - 1)
            name = f"{length} a, b at {place}"
            cases += [Case(WORST, f"{kind} {name}", kind, run, needle) for kind in BOTH]
    return cases


def worst_of_period(periodic: Corpus) -> list[Case]:
    """A period repeated, and needles that are the period with one letter changed."""
    cases = []
    for length in (16, 64, 256, 1024):
        period = (periodic.block * 2)[:length]
        for place in (0, length // 2, length - 1):
            needle = period[:place] + b"x" + period[place + 1 :]
            name = f"{length} periodic, x at {place}"
            cases += [Case(WORST, f"{kind} {name}", kind, periodic, needle) for kind in BOTH]
    return cases


def commonest_first(corpus: Corpus) -> list[Case]:
    """Absent needles that begin with the commonest byte."""
    needles = [corpus.absent(length, corpus.commonest) for length in (2, 16, 64)]
    needles.append((corpus.commonest + b"e") * 8)
    return [
        Case(
            WORST, f"{kind} {len(needle)} {needle[:2]!r}... in {corpus.name}", kind, corpus, needle
        )
        for needle in needles
        for kind in BOTH
    ]


def of_repetitive(corpus: Corpus) -> list[Case]:
    return worst_of_run(corpus) if corpus.name == "aaaa" else worst_of_period(corpus)


def of_other(corpus: Corpus) -> list[Case]:
    cases = searches(corpus, NEEDLES, BOTH)
    if corpus.name == "text":
        cases += commonest_first(corpus)
    if corpus.name in ("log", "dna"):
        cases += searches(corpus, (16, 64), ("count",))
    if corpus.name == "log":
        cases += rare_and_frequent(corpus, b"status=503", b" status=")
    if corpus.name == "binary":
        cases += [Case("hits in binary", "count frequent byte", "count", corpus, b"\x00")]
    if corpus.name == "dna":
        cases += [Case("hits in dna", "count frequent 'GATTACA'", "count", corpus, b"GATTACA")]
    return cases
