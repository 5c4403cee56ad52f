"""The plot of a record as SVG: speeds compared to the standard module.

It must be readable on light and dark pages. So it has no background, and its colours are of medium
brightness.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from record import OURS, STANDARD
from record import READ_LIMIT as LIMIT

if TYPE_CHECKING:
    from record import Record, Row

COLOURS = {
    "ironmap": "#2f81f7",
    "mmap": "#8b949e",
    "StringZilla": "#e0872e",
    "fmmap": "#c05bb0",
    "bytes": "#2fa36b",
    "C library": "#a38a2f",
    "ripgrep": "#d6544b",
}
TEXT = "#7d8590"
GRID = "#7d8590"
LEFT, TOP, ROW, PLOT, RIGHT = 190, 70, 34, 560, 30
TICKS = tuple(2.0**power for power in range(-10, 16))


class Axis:
    """A logarithmic axis from one tick to another."""

    def __init__(self, ratios: list[float]) -> None:
        self.lowest = max(tick for tick in TICKS if tick <= min(ratios))
        self.highest = min(tick for tick in TICKS if tick >= max(ratios))
        self.ticks = [tick for tick in TICKS if self.lowest <= tick <= self.highest]

    def x(self, ratio: float) -> float:
        span = math.log(self.highest / self.lowest) or 1
        return LEFT + PLOT * math.log(ratio / self.lowest) / span


def ratios(row: Row) -> dict[str, float]:
    """Speeds compared to the standard module, of contestants with a colour."""
    base = row.figures[STANDARD].rate
    shown = {name: row.figures[name].rate / base for name in COLOURS if name in row.figures}
    limits = [figure.rate / base for name, figure in row.figures.items() if name.startswith(LIMIT)]
    return {**shown, **({LIMIT: max(limits)} if limits else {})}


def text(x: float, y: float, content: str, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{TEXT}">{escape(content)}</text>'
    )


def times(tick: float) -> str:
    return f"{tick:g}\u00d7" if tick >= 1 else f"1/{1 / tick:g}\u00d7"


def mark(name: str, x: float, y: float) -> str:
    """A dot, a bigger one for ironmap, and a vertical line for the limit."""
    if name == LIMIT:
        return f'<path d="M{x:.1f} {y - 11:.1f}v22" stroke="{TEXT}" stroke-width="2.5"/>'
    radius = 7 if name == OURS else 5
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{COLOURS[name]}"/>'


def legend(names: list[str]) -> list[str]:
    parts = []
    x = 20.0
    for name in names:
        parts += [mark(name, x, 20), text(x + 12, 24.5, name)]
        x += 40 + 7.6 * len(name)
    return parts


def grid(axis: Axis, bottom: float) -> list[str]:
    parts = []
    for tick in axis.ticks:
        x = axis.x(tick)
        width = 1.5 if tick == 1 else 0.5
        parts.append(
            f'<path d="M{x:.1f} {TOP - 12}V{bottom:.1f}" stroke="{GRID}" '
            f'stroke-width="{width}" stroke-opacity="0.6"/>'
        )
        parts.append(text(x, TOP - 18, times(tick), "middle"))
    return parts


def drawn_row(name: str, of_row: dict[str, float], axis: Axis, y: float) -> list[str]:
    """The marks of all contestants, with that of ironmap on top."""
    last = sorted(of_row, key=lambda each: each == OURS)
    marks = [mark(each, axis.x(of_row[each]), y) for each in last]
    return [text(LEFT - 14, y + 4.5, name, "end"), *marks]


def plot(record: Record) -> str:
    rows = [row for row in record.rows if row.headline and STANDARD in row.figures]
    of_rows = [ratios(row) for row in rows]
    axis = Axis([ratio for each in of_rows for ratio in each.values()] or [1])
    bottom = TOP + ROW * len(rows)
    names = [name for name in (*COLOURS, LIMIT) if any(name in each for each in of_rows)]
    parts = legend(names) + grid(axis, bottom)
    for index, (row, each) in enumerate(zip(rows, of_rows, strict=True)):
        parts += drawn_row(row.name, each, axis, TOP + ROW * (index + 0.5))
    where = f"{record.environment['processor']}, {record.environment['date']}"
    parts.append(text(LEFT, bottom + 24, f"times the speed of the standard mmap; {where}"))
    width, height = LEFT + PLOT + RIGHT, bottom + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="13" role="img">\n'
        "<title>Speed of ironmap and others beside the standard mmap module</title>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )
