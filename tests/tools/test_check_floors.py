"""The check of the floors: it finds nothing in the tree, and finds what a copy of it breaks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def check(root: Path) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "tools" / "check_floors.py"), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("include", "src", "python/ext"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_tree_breaks_no_rule() -> None:
    assert check(ROOT) == (0, "")


@pytest.mark.parametrize("folder", ["src/map", "python/ext"])
def test_a_circle_of_files_is_refused(copy: Path, folder: str) -> None:
    (copy / folder / "one.h").write_text('#include "two.h"\n')
    (copy / folder / "two.h").write_text('#include "three.h"\n')
    (copy / folder / "three.c").write_text('#include "three.h"\n#include "one.h"\n')
    (copy / folder / "three.h").write_text("")
    status, output = check(copy)
    assert status == 1
    assert f"{folder}/one -> {folder}/two -> {folder}/three -> {folder}/one" in output


def test_an_include_of_a_higher_floor_is_refused(copy: Path) -> None:
    (copy / "src/map/new.h").write_text("")
    (copy / "src/fault/new.c").write_text('#include "map/new.h"\n')
    status, output = check(copy)
    assert status == 1
    assert 'src/fault/new.c:1: src/fault/ must not include this: #include "map/new.h"' in output


def test_a_public_name_below_the_map_is_refused(copy: Path) -> None:
    (copy / "src/fault/new.c").write_text(
        "/* An ironmap_map in a comment is no problem. */\n"
        "static ironmap_status status;\nstatic ironmap_map *one;\n"
    )
    status, output = check(copy)
    assert status == 1
    assert "src/fault/new.c:3: names ironmap_map" in output
    assert "new.c:1" not in output


def test_a_question_for_the_system_outside_the_platform_is_refused(copy: Path) -> None:
    (copy / "src/map/new.c").write_text("#ifdef _WIN32\n#endif\n")
    status, output = check(copy)
    assert status == 1
    assert "src/map/new.c:1: asks for the system outside src/platform/" in output
