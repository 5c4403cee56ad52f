"""README's Python programs run, and print and raise what their comments say.

tests/consumers/check_readme.py runs the one in C.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from system import needs_lost_pages

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS: list[str] = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def promised(lines: list[str], word: str) -> str | None:
    """What a comment such as `# prints 6` says of these lines."""
    found = re.findall(rf"# {word} (.*)$", "\n".join(lines), re.MULTILINE)
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
    for program in PROGRAMS:
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
    assert len(PROGRAMS[0].splitlines()) == 8
