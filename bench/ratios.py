"""Prints the ratios of single calls, a column for each file that calls.py wrote.

    ratios.py FILE...

The last line has the largest of each column, exports left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from record import EXPORT


def row(name: str, form: str, ratios: list[float]) -> str:
    return f"{name:<26}{form:<8}" + "".join(f"{ratio:>9.2f}" for ratio in ratios)


def main(paths: list[Path]) -> None:
    runs = [json.loads(path.read_text()) for path in paths]
    runs.sort(key=lambda run: [int(part) for part in run["python"].split(".")[:2]])
    ratios = [
        {(call["call"], call["form"]): call["ratio"] for call in run["calls"]} for run in runs
    ]
    print(f"{'call':<26}{'form':<8}" + "".join(f"{run['python']:>9}" for run in runs))
    for name, form in ratios[0]:
        print(row(name, form, [column[name, form] for column in ratios]))
    goals = [[ratio for (_, form), ratio in c.items() if form != EXPORT] for c in ratios]
    print(row("the largest", "", [max(column) for column in goals]))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
