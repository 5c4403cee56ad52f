"""README's programs run, and print and raise what their comments say."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support import under_sanitizer
from system import needs_lost_pages

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WHERE_PIP_BUILDS = Path(sys.prefix) / "build-extension"


def programs(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def promised(lines: list[str], word: str) -> str | None:
    """What a comment such as `# prints 6` says of these lines."""
    found = re.findall(rf"(?:#|/\*) {word} (.*?)(?: \*/)?$", "\n".join(lines), re.MULTILINE)
    return found[0] if found else None


def run_statement(node: ast.stmt, variables: dict[str, Any]) -> tuple[str, str | None]:
    """What the statement prints, and the name of the exception that it raises."""
    printed = io.StringIO()
    raised = None
    code = compile(ast.Module([node], []), "README.md", "exec")
    with contextlib.redirect_stdout(printed):
        try:
            exec(code, variables)
        except Exception as error:  # noqa: BLE001 - whatever it is, its name is compared
            raised = type(error).__name__
    return printed.getvalue().rstrip("\n"), raised


@needs_lost_pages
def test_python_programs_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    variables: dict[str, Any] = {}
    promises = 0
    for program in programs("python"):
        lines = program.splitlines()
        for node in ast.parse(program).body:
            own = lines[node.lineno - 1 : node.end_lineno]
            printed, raised = run_statement(node, variables)
            assert printed == (promised(own, "prints") or ""), own
            assert raised == promised(own, "raises"), own
            promises += any(promised(own, word) for word in ("prints", "raises"))
    variables["m"].close()
    assert promises >= 2


def test_first_example_is_short() -> None:
    assert len(programs("python")[0].splitlines()) == 8


def compiler() -> list[str]:
    found = shutil.which(os.environ.get("CC", "cc"))
    library = next(WHERE_PIP_BUILDS.rglob("libironmap.a"), None)
    if found is None or library is None or under_sanitizer():
        pytest.skip("there is no compiler here, or no library that it could link")
    include = ROOT / "include"
    return [found, "-std=c17", "-Wall", "-Wextra", "-Werror", f"-I{include}", "-DIRONMAP_STATIC",
            "hello.c", str(library), "-lpthread", "-o", "hello"]  # fmt: skip


def test_c_program_does_what_it_says(tmp_path: Path) -> None:
    [program] = programs("c")
    command = compiler()
    (tmp_path / "hello.c").write_text(program, encoding="utf-8")
    (tmp_path / "hello.txt").write_bytes(b"HELLO world!\n")
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "hello"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{promised(program.splitlines(), 'prints')}\n"
    assert (tmp_path / "hello.txt").read_bytes() == b"HELLO World!\n"
