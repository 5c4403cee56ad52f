"""docs/differences.md has every difference from the standard module, with a reason and a test."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ironmap
from support import outcome, under_sanitizer
from system import HAS_FLAGS
from test_conformance import functions_that_test

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "differences.md"
LOCKSTEP = ROOT / "tests" / "fuzz" / "lockstep"
COLUMNS = ["name", "ironmap", "the standard module", "why", "test"]
needs_flags = pytest.mark.skipif(not HAS_FLAGS, reason="the programs use flags of Unix")


def rows() -> dict[str, list[str]]:
    """The cells of every row, by its name."""
    found: dict[str, list[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and cells[0] != "---" and cells != COLUMNS:
            assert cells[0] not in found, f"{cells[0]} is there twice"
            found[cells[0]] = cells
    return found


ROWS = rows()


@pytest.mark.parametrize("name", ROWS)
def test_row_has_a_reason_and_tests_that_exist(name: str) -> None:
    assert len(ROWS[name]) == len(COLUMNS)
    assert all(ROWS[name])
    tests = re.findall(r"`([^`]+)`", ROWS[name][-1])
    assert tests
    for test in tests:
        file, function = test.split("::")
        assert function in functions_that_test(file), test


@pytest.fixture
def lockstep(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The fuzzer's main module. All of its modules are gone again after the test."""
    for name in ("calls", "rules", "run", "values"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(LOCKSTEP)
    import run

    yield run
    for name in ("calls", "rules", "run", "values"):
        del sys.modules[name]


@needs_flags
def test_every_rule_of_the_fuzzer_has_a_row(lockstep: Any) -> None:
    assert {rule.row for rule in lockstep.RULES} - set(ROWS) == set()


@needs_flags
@pytest.mark.skipif(under_sanitizer(), reason="the standard module copies bytes that overlap")
def test_both_modules_do_the_same_in_lock_step() -> None:
    calls = os.environ.get("IRONMAP_CALLS", "3000")
    seed = os.environ.get("IRONMAP_SEED", str(random.randrange(2**32)))
    command = [sys.executable, str(LOCKSTEP / "run.py"), "--calls", calls, "--seed", seed]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"--seed {seed}" in done.stdout
    assert "no unknown difference" in done.stdout


CHANGES = {
    "result": {"error": None, "value": ("int", -5)},
    "error": {"error": "LookupError"},
    "text": {"error": "ValueError", "text": "another text"},
}


# Maps that stay open in a block, and conversions that are deprecated.
runs_programs = pytest.mark.filterwarnings("ignore")


@needs_flags
@runs_programs
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["m.read_byte", "m.rfind", "m[i]", "in m"])
def test_unknown_difference_is_found(
    lockstep: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, change: str
) -> None:
    """One that is made up, in a call that ends well."""

    def changed(call: Any, side: Any) -> Any:
        found = outcome_of(call, side)
        wrong = side.module is ironmap and call.name == name and found.error is None
        return found._replace(**CHANGES[change]) if wrong else found

    outcome_of = lockstep.outcome
    assert lockstep.run_programs(1, 100, range(1000), tmp_path) == 0
    monkeypatch.setattr(lockstep, "outcome", changed)
    assert lockstep.run_programs(1, 20000, range(1000), tmp_path) == 1


@needs_flags
@runs_programs
def test_unknown_difference_of_the_maps_is_found(
    lockstep: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A call that moves the position and should not."""

    def moving(call: Any, side: Any) -> Any:
        found = outcome_of(call, side)
        if side.module is ironmap and call.name == "bool" and not side.map.closed:
            side.map.seek(1)
        return found

    outcome_of = lockstep.outcome
    monkeypatch.setattr(lockstep, "outcome", moving)
    assert lockstep.run_programs(1, 20000, range(1000), tmp_path) == 1
    assert "differs in bool()" in capsys.readouterr().out


@needs_flags
def test_crash_names_the_program(lockstep: Any, tmp_path: Path) -> None:
    """It is run again by its seed and number."""
    code = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import run
steps = run.Program.step
def dying(self, call):
    if len(self.lines) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return steps(self, call)
run.Program.step = dying
run.run_programs(1, 100, range(7, 9), run.Path(sys.argv[2]))
"""
    command = [sys.executable, "-c", code, str(LOCKSTEP), str(tmp_path)]
    assert subprocess.run(command, check=False).returncode != 0
    assert lockstep.last_program(tmp_path).startswith("program 7: ")


def test_of_two_errors_one_is_reported() -> None:
    """Which one depends on the version of the standard module."""
    with ironmap.mmap(-1, 10) as m:
        m.close()
        for use in (lambda: m.write(b"a", 2), lambda: m.move(0, "a", 1), lambda: m.seek("a")):  # type: ignore[call-arg, arg-type]
            assert outcome(use).error in (ValueError, TypeError)
