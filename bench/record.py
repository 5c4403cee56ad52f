"""The record of a run: all measurements, as in the JSON file. Tables, plot and goals are made from
a record alone, so they can be made again at any time."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


# Names of contestants that other files use.
OURS = "ironmap"
STANDARD = "mmap"
READ_LIMIT = "read limit"
READ_LOOP = "read loop"
OBJECTS_ALONE = "no search"

# Forms of a call: see calls.py.
WRITTEN = "written"
BOUND = "bound"
EXPORT = "export"


class Figure(NamedTuple):
    """The result of a contestant in a case: units of work in a round, and the times of rounds."""

    work: int
    rounds: int
    median_s: float
    minimum_s: float

    @property
    def rate(self) -> float:
        """Units of work per second."""
        return self.work / self.median_s


class Row(NamedTuple):
    """A case and its results."""

    group: str
    name: str
    kind: str
    corpus: str
    needle: int
    unit: str
    headline: bool
    figures: dict[str, Figure]


class Stall(NamedTuple):
    """Milliseconds by which another thread woke late, while `contestant` did `what`. The thread
    does nothing else, but for `mapping_ms`: that one maps and unmaps a page each time, and for
    `same_map_ms`: that one reads a byte of the same map. 0: not measured."""

    what: str
    contestant: str
    longest_ms: float
    rare_ms: float  # the 99.9th percentile
    wakes: int
    mapping_ms: float = 0.0  # the longest
    same_map_ms: float = 0.0  # the longest


class Short(NamedTuple):
    """A search for an absent needle: nanoseconds of a call by contestant."""

    kind: str
    haystack: int
    needle: int
    median_ns: dict[str, float]
    minimum_ns: dict[str, float]


class Kernel(NamedTuple):
    """A search kernel in C: nanoseconds of a call."""

    kernel: str
    operation: str
    haystack: int
    needle: int
    median_ns: float
    minimum_ns: float


class Call(NamedTuple):
    """A single call from Python, with the standard module and with ironmap: medians, and the ratio
    of the minima."""

    call: str
    standard_ns: float
    ironmap_ns: float
    ratio: float
    form: str = BOUND


@dataclasses.dataclass
class Record:
    environment: dict[str, Any]
    size: int
    rounds: int
    skipped: list[str] = dataclasses.field(default_factory=list)
    rows: list[Row] = dataclasses.field(default_factory=list)
    cold: dict[str, Figure] = dataclasses.field(default_factory=dict)
    stalls: list[Stall] = dataclasses.field(default_factory=list)
    operations: list[Stall] = dataclasses.field(default_factory=list)
    shorts: list[Short] = dataclasses.field(default_factory=list)
    calls: list[Call] = dataclasses.field(default_factory=list)
    kernels: list[Kernel] = dataclasses.field(default_factory=list)


def plain(value: Any) -> Any:
    """The value for JSON: named tuples become objects, and times are rounded."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def save(record: Record, path: Path, goals: list[Any]) -> None:
    content = {name: plain(value) for name, value in vars(record).items()}
    path.write_text(json.dumps({**content, "goals": plain(goals)}, indent=1) + "\n")


def figures(content: dict[str, Any]) -> dict[str, Figure]:
    return {name: Figure(**each) for name, each in content.items()}


def load(path: Path) -> Record:
    content = json.loads(path.read_text())
    return Record(
        environment=content["environment"],
        size=content["size"],
        rounds=content["rounds"],
        skipped=content["skipped"],
        rows=[Row(**{**row, "figures": figures(row["figures"])}) for row in content["rows"]],
        cold=figures(content["cold"]),
        stalls=[Stall(**each) for each in content["stalls"]],
        operations=[Stall(**each) for each in content.get("operations", [])],
        shorts=[Short(**each) for each in content["shorts"]],
        calls=[Call(**each) for each in content["calls"]],
        kernels=[Kernel(**each) for each in content["kernels"]],
    )
