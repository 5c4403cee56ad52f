"""docs/conformance.md has every statement of the reference, and everything that it names exists."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

import ironmap
from system import HAS_FLAGS

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "conformance.md"
HEADERS = [ROOT / "include" / "ironmap" / name for name in ("ironmap.h", "extra.h")]
NUMBERS = [
    *(f"S{i}" for i in range(1, 10)),
    *(f"W{i}" for i in range(1, 5)),
    *(f"U{i}" for i in range(1, 6)),
    *("E1", "E2"),
    *(f"M{i}" for i in range(1, 15)),
    "C1",
    *(f"N3.{i}" for i in (2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)),
]
# Not on Windows, or not in C: classes and context managers, fork, flags, protection.
NOT_ON_WINDOWS = {"S9", "U2", "U3", "E2", "N3.2", "N3.10", "N3.11"}
COLUMNS = ["number", "statement", "C", "Python", "tests", "on Windows"]


def rows() -> dict[str, dict[str, str]]:
    """The lines of all tables, by number."""
    found: dict[str, dict[str, str]] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and cells[0] not in ("number", "---"):
            assert len(cells) == len(COLUMNS), line
            assert cells[0] not in found, f"{cells[0]} is there twice"
            found[cells[0]] = dict(zip(COLUMNS, cells, strict=True))
    return found


ROWS = rows()
TESTS = sorted({test for row in ROWS.values() for test in re.findall(r"`([^`]+)`", row["tests"])})


@lru_cache
def functions_that_test(file: str) -> set[str]:
    """The names of the tests in a file, of Python or of C."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if file.endswith(".c"):
        defined = set(re.findall(r"^static void (\w+)\(void \*\*", text, re.MULTILINE))
        _, _, listed = text.partition("const struct CMUnitTest")
        return defined & set(re.findall(r"\w+\(\s*(\w+)\b", listed))
    tree = ast.parse(text)
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_number_is_in_the_table_in_order() -> None:
    assert list(ROWS) == NUMBERS


@pytest.mark.parametrize("number", NUMBERS)
def test_every_number_has_a_test(number: str) -> None:
    row = ROWS[number]
    assert row["statement"]
    assert "::" in row["tests"]


@lru_cache
def programs_on_windows() -> set[str]:
    """The programs of tests/api that are built for Windows, and the example."""
    text = (ROOT / "tests" / "api" / "meson.build").read_text(encoding="utf-8")
    lists = re.findall(r"(?:^|else\n    )unit_tests \+?= \[(.*?)\]", text, re.DOTALL | re.MULTILINE)
    assert len(lists) == 2
    return {"hello", *re.findall(r"'(\w+)'", "".join(lists))}


@pytest.mark.parametrize("number", NUMBERS)
def test_windows_runs_what_the_table_says(number: str) -> None:
    row = ROWS[number]
    told = re.findall(r"`(\w+)`", row["on Windows"])
    named = re.findall(r"tests/api/test_(\w+)\.c::", row["tests"])
    named += re.findall(r"examples/(\w+)\.c", row["C"])
    assert told == [name for name in dict.fromkeys(named) if name in programs_on_windows()]
    assert bool(told) == (number not in NOT_ON_WINDOWS)


@pytest.mark.parametrize("test", TESTS)
def test_every_test_of_the_table_exists(test: str) -> None:
    file, name = test.split("::")
    assert name in functions_that_test(file)


def is_there(name: str) -> bool:
    """True if the name is in the module, the class or the language, or only Unix has it."""
    of_unix = name.startswith("MAP_") or name == "madvise"
    return (
        hasattr(ironmap, name)
        or hasattr(ironmap.mmap, name)
        or name in ("with", "repr")
        or (of_unix and not HAS_FLAGS)
    )


@pytest.mark.parametrize("number", NUMBERS)
def test_every_name_of_the_table_exists(number: str) -> None:
    header = "".join(header.read_text(encoding="utf-8") for header in HEADERS)
    for name in re.findall(r"`((?:ironmap|IRONMAP)_\w+)`", ROWS[number]["C"]):
        assert re.search(rf"\b{name}\b", header), name
    for name in re.findall(r"`([a-zA-Z]\w+)(?:\([^`]*)?`", ROWS[number]["Python"]):
        assert is_there(name), name
    for file in re.findall(r"`(examples/[^`]+)`", ROWS[number]["C"] + ROWS[number]["Python"]):
        assert (ROOT / file).is_file()
