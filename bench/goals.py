"""The goals of the project, checked against a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from record import EXPORT, OBJECTS_ALONE, OURS, READ_LIMIT, READ_LOOP, STANDARD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from record import Figure, Record, Row

LIMITS = (READ_LIMIT, f"{READ_LIMIT}, 4 streams")
# Alternatives in Python programs. The C library, numpy and ripgrep are only shown.
PYTHON_PEERS = ("mmap", "fmmap", "StringZilla", "bytes", "re", "file")
PLAIN = "scalar"
STALL_MS = 20
LONGER = 16  # bytes of a needle
# The difference of two equal times in a run.
NOISE = 1.05


class Goal(NamedTuple):
    """A figure and its limit. `at_least` says on which side of it the figure should be."""

    what: str
    figure: float | None
    limit: float
    unit: str
    at_least: bool
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.figure is None:
            return "not measured"
        reached = self.figure >= self.limit if self.at_least else self.figure <= self.limit
        return "reached" if reached else "MISSED"

    def as_json(self) -> dict[str, object]:
        return {**self._asdict(), "verdict": self.verdict}


def headline(record: Record, kind: str, name: str = "") -> Row | None:
    rows = [row for row in record.rows if row.headline and row.kind == kind and name in row.name]
    return rows[0] if rows else None


def best(figures: dict[str, Figure], names: tuple[str, ...]) -> str | None:
    """The fastest of these."""
    return max((n for n in names if n in figures), key=lambda n: figures[n].rate, default=None)


def beside(row: Row | None, names: tuple[str, ...], what: str, limit: float) -> Goal:
    """The speed of ironmap divided by that of the fastest of these."""
    other = best(row.figures, names) if row else None
    if row is None or other is None or OURS not in row.figures:
        return Goal(what, None, limit, "x", at_least=True)
    ratio = row.figures[OURS].rate / row.figures[other].rate
    return Goal(what, ratio, limit, "x", at_least=True, note=f"beside {other}")


def searching(record: Record) -> Iterator[Goal]:
    for kind in ("find", "rfind"):
        row = headline(record, kind)
        what = f"{kind} of 16 absent bytes"
        yield beside(row, LIMITS, f"{what}, of the read limit", 0.85)
        yield beside(row, (STANDARD,), f"{what}, of mmap's speed", 5)
        yield beside(row, ("StringZilla",), f"{what}, of StringZilla's speed", 0.95)


def alike(record: Record) -> Iterator[Goal]:
    """If most pairs of bytes are frequent, the slowest of the longer needles."""
    for corpus in ("log", "dna"):
        what = f"absent needles in {corpus}, of StringZilla's speed"
        goals = [
            beside(row, ("StringZilla",), what, 0.95)._replace(note=row.name)
            for row in record.rows
            if row.group == f"absent needles in {corpus}" and row.needle >= LONGER
        ]
        measured = [(goal.figure, goal) for goal in goals if goal.figure is not None]
        missing = Goal(what, None, 0.95, "x", at_least=True)
        yield min(measured, default=(0, missing))[1]


def hits(record: Record) -> Iterator[Goal]:
    for kind, name in (("count", "a byte"), ("count", "a word"), ("find_all", "")):
        row = headline(record, kind, name)
        label = row.name if row else f"{kind} {name}"
        yield beside(row, PYTHON_PEERS, f"{label}, of the best peer's speed", 2)


def lines(record: Record) -> Goal:
    row = headline(record, "lines")
    goal = beside(row, (STANDARD,), "lines(), of the speed of mmap's readline", 2)
    limit = beside(row, (OBJECTS_ALONE,), "", 1)
    if goal.figure is None or limit.figure is None:
        return goal
    most = goal.figure / limit.figure
    return goal._replace(note=f"{goal.note}; {most:.2f} x without any search")


def bulk(record: Record) -> Iterator[Goal]:
    for kind, what in (
        ("slice", "a big slice, of mmap's speed"),
        ("read", "a big read, of mmap's speed"),
    ):
        yield beside(headline(record, kind), (STANDARD,), what, 2)


def cold(record: Record) -> Iterator[Goal]:
    loop = record.cold.get(READ_LOOP)
    for name, what in ((OURS, "find"), ("ironmap count", "count")):
        ours = record.cold.get(name)
        ratio = ours.rate / loop.rate if ours and loop else None
        yield Goal(f"cold file, {what}, of a read loop's speed", ratio, 0.95, "x", at_least=True)


def others(record: Record) -> Goal:
    all_stalls = record.stalls + record.operations
    stalls = [(stall.longest_ms, stall.what) for stall in all_stalls if stall.contestant == OURS]
    longest, what = max(stalls, default=(None, ""))
    beside = ", ".join(
        f"{s.longest_ms:.1f} ms beside {s.what}" for s in all_stalls if not s.contestant
    )
    note = f"in {what}; {beside}" if what else ""
    return Goal(
        "another thread is held up at most", longest, STALL_MS, "ms", at_least=False, note=note
    )


def kernels(record: Record) -> Goal:
    """Compares the minima, which load on the machine disturbs least."""
    plain = {k[1:4]: k.minimum_ns for k in record.kernels if k.kernel == PLAIN}
    slow = [(k.minimum_ns / plain[k[1:4]], k) for k in record.kernels if k.kernel != PLAIN]
    what = "slowest kernel, of plain C's time"
    if not slow:
        return Goal(what, None, NOISE, "x", at_least=False, note="there is only plain C")
    ratio, kernel = max(slow)
    note = f"{kernel.kernel} {kernel.operation}, {kernel.needle} in {kernel.haystack} bytes"
    return Goal(what, ratio, NOISE, "x", at_least=False, note=note)


def worst_cases(record: Record) -> Goal:
    rows = [row for row in record.rows if row.group == "worst cases" and OURS in row.figures]
    rates = [(row.figures[OURS].rate / 1e9, row.name) for row in rows]
    rate, name = min(rates, default=(None, ""))
    return Goal("worst case", rate, 1, "GB/s", at_least=True, note=name)


def calls(record: Record) -> Iterator[Goal]:
    measured = [
        (call.ratio, f"{call.call}, {call.form}") for call in record.calls if call.form != EXPORT
    ]
    ratio, name = max(measured, default=(None, ""))
    yield Goal("slowest call, of mmap's time", ratio, NOISE, "x", at_least=False, note=name)
    shorts = [
        (
            short.minimum_ns[OURS] / short.minimum_ns[STANDARD],
            f"{short.kind}, {short.needle} in {short.haystack}",
        )
        for short in record.shorts
    ]
    ratio, name = max(shorts, default=(None, ""))
    what = "slowest search of few bytes, of mmap's time"
    yield Goal(what, ratio, NOISE, "x", at_least=False, note=name)


def goals(record: Record) -> list[Goal]:
    return [
        *searching(record),
        *alike(record),
        *hits(record),
        lines(record),
        *bulk(record),
        *cold(record),
        others(record),
        kernels(record),
        worst_cases(record),
        *calls(record),
    ]
