"""Runs each Python example as its reader would, and checks its output."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import ironmap
from support import under_sanitizer
from system import HAS_FORK, needs_lost_pages

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
EXPECTED = {
    "hello.py": [
        r"readline: b'Hello Python!\n'",
        "m[:5]: b'Hello'",
        r"readline: b'Hello  world!\n'",
        r"the file now holds: b'Hello  world!\n'",
    ],
    "anonymous.py": [
        r"child reads: b'Hello world!\x00'",
        "parent reads: b'Hello parent'",
    ],
    "tag.py": [
        r"the other process reads: b'Hello world!\n'",
        "this process reads: b'Hello parent'",
        r"[Errno 2] no map has this tag: 'example-\d+'",
    ],
}


def run(name: str, *arguments: str, cwd: Path) -> list[str]:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize("name", [n for n in EXPECTED if HAS_FORK or n != "anonymous.py"])
def test_example_prints(name: str, tmp_path: Path) -> None:
    lines = [re.sub(r"example-\d+", r"example-\\d+", line) for line in run(name, cwd=tmp_path)]
    assert lines == EXPECTED[name]


def test_walk_prints_what_it_did(tmp_path: Path) -> None:
    file = tmp_path / "file"
    content = b"one error\n" * 100_000 + b"A piece of text that is long enough to be found.\n"
    file.write_bytes(content)

    lines = [line.strip() for line in run("walk.py", str(file), cwd=tmp_path)]

    assert "it occurs 100,000 times" in lines
    assert "changed 100,000 words in the map, and flushed it" in lines
    assert "the copy has 0 b'error'" in lines
    assert "b'ERROR' went from 0 to 100,000" in lines
    assert file.read_bytes() == content


def test_walk_finds_a_file_of_its_own(tmp_path: Path) -> None:
    told = run("walk.py", cwd=tmp_path)[0].removeprefix("The file is ")
    assert Path(told.split(" ")[0].rstrip(",:.")).is_absolute()


@needs_lost_pages
def test_lost_page_is_survived(tmp_path: Path) -> None:
    lines = [line.strip() for line in run("lost_page.py", cwd=tmp_path)]

    if not under_sanitizer():  # the sanitizer has its own handler
        assert "with mmap:  killed by SIGBUS" in lines
    assert any(line.startswith("with ironmap: survives:") for line in lines)
    assert f"find: FaultError at offset {ironmap.PAGESIZE}" in lines
    assert "the last byte, after the file is extended again: 0" in lines
    assert f"guarded: FaultError at offset {ironmap.PAGESIZE}" in lines
    assert "cleared; the first byte: 97" in lines


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*EXPECTED, "lost_page.py", "walk.py"}
