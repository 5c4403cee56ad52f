"""The benchmark: ironmap and its peers in one run. See docs/performance.md.

Every answer is checked. A wrong one ends the run with 1. Peers that are not installed are skipped,
with a line for each.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import calls
import cases
import cold
import corpora
import environment
import kernels
import operations
import peers
import shorts
import stalls
from goals import goals
from helper import Helper
from measure import Effort, WrongAnswerError, measure
from plot import plot
from record import OURS, STANDARD, Call, Record, Row, save
from report import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from cases import Case
    from corpora import Corpus
    from peers import Peer

SUFFIXES = {"K": 10, "M": 20, "G": 30}
WORST_SHARE = 256  # repetitive files are this much smaller, since some peers are quadratic
OTHER_SHARE = 4


class Run:
    """The files, the measurements on them, and the record."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.size: int = options.size
        # The headlines get most of the time. No disk is as fast twice.
        self.effort = Effort(options.rounds, options.seconds, least=3)
        self.little = Effort((options.rounds + 1) // 2, options.seconds / 3)
        self.cold = Effort(options.rounds, options.seconds, least=7)
        self.helper = Helper(options.helper) if options.helper else None
        self.record = Record(environment.environment(), options.size, options.rounds)
        self.record.skipped += peers.missing(self.helper)
        self.text = corpora.make_text(options.size)
        self.headlines = cases.headlines(self.text)

    def file_of(self, corpus: Corpus) -> Path:
        path = self.folder / corpus.name
        if not path.exists():
            corpus.write(path)
        return path

    def measure_case(self, case: Case, there: list[Peer], effort: Effort) -> None:
        contestants = [peer.contestant(case) for peer in there if peer.takes(case)]
        figures = measure(f"{case.group}: {case.name}", contestants, effort)
        self.record.rows.append(
            Row(
                case.group,
                case.name,
                case.kind,
                case.corpus.name,
                len(case.needle),
                case.unit,
                case.headline,
                figures,
            )
        )

    def measure_corpus(self, corpus: Corpus, of_corpus: list[Case]) -> None:
        there = peers.open_peers(self.file_of(corpus), self.helper)
        try:
            for case in of_corpus:
                self.measure_case(case, there, self.little)
        finally:
            peers.close_peers(there)
        self.file_of(corpus).unlink()

    def measure_text(self) -> None:
        """Measures the biggest file, while the maps of all peers are open."""
        there = peers.open_peers(self.file_of(self.text), self.helper)
        try:
            for case in self.headlines:
                self.measure_case(case, there, self.effort)
            self.measure_stalls(there)
            rounds = 2 * self.effort.rounds
            self.record.shorts = shorts.measure_shorts(self.text, there, rounds)
        finally:
            peers.close_peers(there)
        self.file_of(self.text).unlink()

    def measure_cold(self) -> None:
        path = self.file_of(self.text)
        if cold.stays_in_memory(path, self.helper):
            self.record.skipped.append("skipped: a cold file; this file system keeps it in memory")
            return
        find, count = self.headlines[0], self.headlines[2]
        self.record.cold = measure("cold file", cold.contestants(path, find, count), self.cold)

    def measure_stalls(self, there: list[Peer]) -> None:
        works = [
            partial(stalls.of, case.name, peer.contestant(case))
            for case in self.headlines
            for peer in there
            if peer.name in (OURS, STANDARD) and peer.takes(case)
        ]
        self.record.stalls = stalls.measure_all(works, self.effort.seconds)

    def measure_operations(self) -> None:
        part = min(operations.LONG, self.size // 16)
        works = stalls.all_operations(self.folder / "operations", part)
        self.record.operations = stalls.measure_all(works, self.effort.seconds / 4)

    def measure_others(self) -> None:
        for corpus in corpora.make_others(self.size // OTHER_SHARE):
            self.measure_corpus(corpus, cases.of_other(corpus))
        for corpus in corpora.make_repetitive(self.size // WORST_SHARE):
            self.measure_corpus(corpus, cases.of_repetitive(corpus))

    def measure_calls(self, program: Path | None) -> None:
        rounds = self.effort.rounds
        self.record.calls = [Call(*result) for result in calls.measure_all(4 * rounds + 1)]
        if program:
            self.record.kernels = kernels.run(program, 4 * rounds + 1)
        else:
            self.record.skipped.append("skipped: the kernels by themselves (no --kernels)")


def size_of(text: str) -> int:
    """1G, 64M, 512K or a number of bytes."""
    shift = SUFFIXES.get(text[-1:].upper())
    return int(text) if shift is None else int(text[:-1]) << shift


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=size_of, default=1 << 30, help="of the text (default 1G)")
    parser.add_argument("--rounds", type=int, default=9, help="at most (default 9)")
    parser.add_argument(
        "--seconds", type=float, default=1, help="enough for one contestant in one case (default 1)"
    )
    parser.add_argument("--helper", type=Path, help="the library made of bench/helper.c")
    parser.add_argument("--kernels", type=Path, help="the program made of bench/kernels.c")
    parser.add_argument("--folder", type=Path, help="where the files are made (default: temporary)")
    parser.add_argument("--json", type=Path, help="write the record there")
    parser.add_argument("--svg", type=Path, help="write the plot there")
    return parser.parse_args()


def measure_everything(run: Run, program: Path | None) -> None:
    steps: dict[str, Callable[[], None]] = {
        "a cold file": run.measure_cold,
        "the headlines": run.measure_text,
        "other contents and worst cases": run.measure_others,
        "stalls by every operation": run.measure_operations,
        "calls": partial(run.measure_calls, program),
    }
    for name, step in steps.items():
        start = time.perf_counter()
        print(f"measuring {name} ...", end="", file=sys.stderr, flush=True)
        step()
        print(f" {time.perf_counter() - start:.0f} s", file=sys.stderr)


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-") as folder:
        run = Run(Path(folder), options)
        try:
            measure_everything(run, options.kernels)
        except WrongAnswerError as error:
            print(f"\nwrong: {error}", file=sys.stderr)
            return 1
    print(report(run.record))
    print(*run.record.skipped, sep="\n")
    if options.json:
        save(run.record, options.json, [goal.as_json() for goal in goals(run.record)])
    if options.svg:
        options.svg.write_text(plot(run.record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
