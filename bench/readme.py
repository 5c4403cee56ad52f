"""Keeps a record, and updates the figures in README.

readme.py RECORD.json    copies the record to bench/record/DATE.json, draws its plot beside it and
                         puts its figures between the markers in README.md
readme.py --check        exits with 1 if README.md does not have the figures of the newest record
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from plot import plot
from record import READ_LIMIT, Figure, Record, Row, load
from report import speed

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
MADE = "made by bench/readme.py"
PROOF = ("find 16 absent bytes", "count a word", "slice of 256 MiB")
PROOF_COLUMNS = {"ironmap": "", "mmap": "mmap ", READ_LIMIT: "reading it at all "}
COLUMNS = ("ironmap", "mmap", "fmmap", "StringZilla", "bytes", "C library", "ripgrep", READ_LIMIT)


def cell(figure: Figure | None, unit: str) -> str:
    return "" if figure is None else speed(figure, unit)


def table_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def label(row: Row) -> str:
    return row.name if row.unit == "bytes" else f"{row.name} (time for one)"


def table(record: Record) -> list[str]:
    rows = [row for row in record.rows if row.headline]
    columns = [name for name in COLUMNS if any(name in row.figures for row in rows)]
    lines = [table_line(["", *columns]), table_line(["---", *("---:" for _ in columns)])]
    for row in rows:
        cells = [cell(row.figures.get(name), row.unit) for name in columns]
        lines.append(table_line([label(row), *cells]))
    return lines


def block(record: Record, name: str) -> str:
    """The content between the markers: the plot, the table, and their origin."""
    where = record.environment
    versions = where["versions"]
    peers = ", ".join(
        f"{shown} {versions[package]}"
        for shown, package in (
            ("CPython", "python"),
            ("StringZilla", "stringzilla"),
            ("fmmap", "fmmap"),
            ("ripgrep", "ripgrep"),
        )
        if package in versions
    )
    origin = (
        f"Measured on {where['date']}: {where['processor']} with {where['instructions']}, "
        f"{where['system']}, {versions['c library']}, {peers}; one core, {record.size >> 20} MiB "
        f"of text in the page cache, medians of up to {record.rounds} rounds "
        f"([record](bench/record/{name}.json))."
    )
    image = f"![Times the speed of the standard mmap](bench/record/{name}.svg)"
    return "\n".join([image, "", *table(record), "", origin]) + "\n"


def proof(record: Record) -> str:
    """The three lines that README has near its top."""
    rows = {row.name: row for row in record.rows if row.headline}
    lines = []
    for row in (rows[name] for name in PROOF if name in rows):
        cells = [
            f"{prefix}{cell(row.figures[name], row.unit):>10}"
            for name, prefix in PROOF_COLUMNS.items()
            if name in row.figures
        ]
        lines.append("   ".join([f"{row.name:<22}", *cells]))
    return "\n".join(["```text", *lines, "```"])


def with_part(readme: str, name: str, content: str) -> str:
    """README with `content` between the markers of that name."""
    begin = f"<!-- {name}: {MADE} -->\n"
    end = f"<!-- end of {name} -->\n"
    before, found_begin, rest = readme.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        sys.exit(f"README.md has no markers for: {name}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def with_figures(readme: str, record: Record, name: str) -> str:
    readme = with_part(readme, "proof", proof(record) + "\n")
    return with_part(readme, "benchmark", block(record, name))


def keep(source: Path, root: Path) -> None:
    record = load(source)
    name = record.environment["date"]
    folder = root / "bench" / "record"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(source.read_text())
    (folder / f"{name}.svg").write_text(plot(record))
    readme = root / "README.md"
    readme.write_text(with_figures(readme.read_text(), record, name))


def check(root: Path) -> list[str]:
    """The differences from the newest record, if there is one."""
    records = sorted((root / "bench" / "record").glob("*.json"))
    if not records:
        return []
    newest = records[-1]
    record = load(newest)
    readme = (root / "README.md").read_text()
    wrong = []
    if readme != with_figures(readme, record, newest.stem):
        wrong.append("README.md")
    if newest.with_suffix(".svg").read_text() != plot(record):
        wrong.append(f"bench/record/{newest.stem}.svg")
    return wrong


def main(arguments: list[str]) -> int:
    root = Path(arguments[2]) if len(arguments) == 3 else ROOT
    if arguments[1:2] == ["--check"]:
        wrong = check(root)
        for name in wrong:
            print(f"{name} does not agree with the newest record in bench/record/")
        return 1 if wrong else 0
    if len(arguments) < 2:
        sys.exit(__doc__)
    keep(Path(arguments[1]), root)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
