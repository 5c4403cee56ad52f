"""The tables in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goals import goals

if TYPE_CHECKING:
    from record import Figure, Kernel, Record, Row, Short, Stall

WIDTH = 34
CELL = 13


def line(first: str, cells: list[str]) -> str:
    return f"{first:<{WIDTH}}" + "".join(f"{cell:>{CELL}}" for cell in cells)


def speed(figure: Figure | None, unit: str) -> str:
    """Bytes in GB/s, hits and lines in nanoseconds each."""
    if figure is None:
        return "-"
    if unit == "bytes":
        return f"{figure.rate / 1e9:.2f} GB/s"
    return f"{1e9 / figure.rate:.1f} ns"


def names_in(rows: list[Row]) -> list[str]:
    """All contestants with a figure in one of the rows, in the order of appearance."""
    return list(dict.fromkeys(name for row in rows for name in row.figures))


def heading(name: str) -> str:
    return name if len(name) < CELL else name.replace("read limit, ", "")


def rows_table(title: str, rows: list[Row]) -> list[str]:
    names = names_in(rows)
    lines = ["", line(title, [heading(name) for name in names])]
    for row in rows:
        label = row.name if row.unit == "bytes" else f"{row.name} (each)"
        lines.append(line(label, [speed(row.figures.get(name), row.unit) for name in names]))
    return lines


def cold_table(cold: dict[str, Figure]) -> list[str]:
    cells = [speed(figure, "bytes") for figure in cold.values()]
    return ["", line("cold file", list(cold)), line("", cells)] if cold else []


def stalls_table(stalls: list[Stall]) -> list[str]:
    if not stalls:
        return []
    title = "another thread is held up"
    lines = ["", line(title, ["longest", "1 in 1000", "if it maps", "same map"])]
    for stall in stalls:
        times = (stall.longest_ms, stall.rare_ms, stall.mapping_ms, stall.same_map_ms)
        cells = [f"{time:.1f} ms" if time else "" for time in times]
        lines.append(line(f"{stall.what} {stall.contestant}", cells))
    return lines


def shorts_table(shorts: list[Short]) -> list[str]:
    if not shorts:
        return []
    names = list(shorts[0].median_ns)
    lines = ["", line("absent needles in few bytes", names)]
    for short in shorts:
        label = f"{short.kind} {short.needle} in {short.haystack}"
        lines.append(line(label, [f"{short.median_ns[name]:.0f} ns" for name in names]))
    return lines


def kernels_table(kernels: list[Kernel]) -> list[str]:
    """A row for each haystack and needle, a column for each kernel."""
    if not kernels:
        return []
    names = list(dict.fromkeys(kernel.kernel for kernel in kernels))
    times = {(k.kernel, *k[1:4]): k.median_ns for k in kernels}
    lines = ["", line("kernels in C, absent needles", names)]
    for operation, haystack, needle in dict.fromkeys(k[1:4] for k in kernels):
        cells = [f"{times[name, operation, haystack, needle]:.0f} ns" for name in names]
        lines.append(line(f"{operation} {needle} in {haystack}", cells))
    return lines


def calls_table(record: Record) -> list[str]:
    if not record.calls:
        return []
    lines = ["", line("calls", ["ironmap", "mmap", "ratio"])]
    for call in record.calls:
        cells = [f"{call.ironmap_ns:.1f} ns", f"{call.standard_ns:.1f} ns", f"{call.ratio:.2f}"]
        lines.append(line(f"{call.call}, {call.form}", cells))
    return lines


def goals_table(record: Record) -> list[str]:
    lines = ["", f"{'goals':<52}{'limit':>16}{'figure':>12}"]
    for goal in goals(record):
        side = "at least" if goal.at_least else "at most"
        limit = f"{side} {goal.limit:g} {goal.unit}"
        figure = "-" if goal.figure is None else f"{goal.figure:.2f} {goal.unit}"
        lines.append(
            f"{goal.what:<52}{limit:>16}{figure:>12}  {goal.verdict:<13}{goal.note}".rstrip()
        )
    return lines


def about(record: Record) -> list[str]:
    where = record.environment
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    return [
        f"{where['date']}, {where['processor']} ({where['instructions']}, {where['cores']} cores), "
        f"{where['system']}",
        versions,
        f"files of {record.size >> 20} MiB; medians of {record.rounds} rounds at most",
    ]


def report(record: Record) -> str:
    groups = list(dict.fromkeys(row.group for row in record.rows))
    lines = about(record)
    for group in groups:
        lines += rows_table(group, [row for row in record.rows if row.group == group])
    lines += cold_table(record.cold) + stalls_table(record.stalls)
    lines += stalls_table(record.operations) + shorts_table(record.shorts)
    lines += kernels_table(record.kernels) + calls_table(record) + goals_table(record)
    return "\n".join(lines)
