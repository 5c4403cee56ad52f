"""Prints a table of coverage: lines and branches of each file, from the JSON of gcovr.

coverage_table.py FILE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def share(counts: list[int]) -> str:
    return f"{100 * sum(count > 0 for count in counts) / len(counts):.1f} %" if counts else ""


def main() -> None:
    report = json.loads(Path(sys.argv[1]).read_text())
    print("| file | lines | branches |\n| --- | --- | --- |")
    for file in report["files"]:
        lines = [line for line in file["lines"] if not line.get("gcovr/noncode")]
        branches = [branch["count"] for line in lines for branch in line["branches"]]
        reached = share([line["count"] for line in lines])
        print(f"| {file['file']} | {reached} | {share(branches)} |")


if __name__ == "__main__":
    main()
