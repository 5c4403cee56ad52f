"""Runs the standard library's own test_mmap.py, unmodified, with ironmap instead of mmap.

    python tests/compat/run.py [--json] [--module ironmap|mmap]

Without --module it runs the suite twice, with ironmap and with the interpreter's own module, and
prints the counts. It exits with 0 if ironmap has no failure and skips the same tests. It uses only
the standard library, so any interpreter that can import ironmap can run it.

Each run has its own process and directory, in which `sys.modules["mmap"]` is ironmap before the
suite is imported. The suites of CPython 3.10 to 3.15 start no process on Unix, so this is enough.
(Only test_access_violations starts some, on Windows.) Started processes are counted; a count above
zero means that this has changed.

Tests that fail with both modules are not reported.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import TypedDict

SUITE = "test.test_mmap"
MODULES = ("ironmap", "mmap")
PROCESS_EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}

# Intended differences: on Windows, the standard module resizes named memory.
KNOWN = {"test_resize_succeeds_with_error_for_second_named_mapping"}


class Result(TypedDict):
    module: str  # the module under test
    suite: str  # the file that its tests come from
    ran: int
    failures: dict[str, str]
    errors: dict[str, str]
    skipped: dict[str, str]
    processes: int  # started by the tests


def missing_suite() -> str | None:
    """The package to install if the interpreter has no suite, else None."""
    try:
        found = importlib.util.find_spec(SUITE)
    except ModuleNotFoundError:
        found = None
    if found is not None:
        return None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"this Python has no test_mmap.py: apt-get install libpython{version}-testsuite"


def run_suite(module: str) -> Result:
    """Runs the suite in this process, whose `mmap` is replaced from then on."""
    under_test = __import__(module)
    sys.modules["mmap"] = under_test
    suite = importlib.import_module(SUITE)
    assert suite.mmap is under_test
    started: list[str] = []
    sys.addaudithook(lambda event, _: started.append(event) if event in PROCESS_EVENTS else None)
    tests = unittest.defaultTestLoader.loadTestsFromModule(suite)
    result = unittest.TextTestRunner(io.StringIO()).run(tests)
    return {
        "module": module,
        "suite": str(suite.__file__),
        "ran": result.testsRun,
        "failures": {str(test): text for test, text in result.failures},
        "errors": {str(test): text for test, text in result.errors},
        "skipped": {str(test): reason for test, reason in result.skipped},
        "processes": len(started),
    }


def run_in_child(module: str) -> Result:
    """Runs the suite in a new process, in a temporary directory."""
    command = [sys.executable, str(Path(__file__).resolve()), "--json", "--module", module]
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=300, check=False
        )
    if done.returncode < 0 or not done.stdout:
        crash = f"ended with {done.returncode}\n{done.stderr}"
        return {
            "module": module,
            "suite": "",
            "ran": 0,
            "failures": {},
            "errors": {"the whole run": crash},
            "skipped": {},
            "processes": 0,
        }
    result: Result = json.loads(done.stdout)
    return result


def problems(ours: Result, theirs: Result) -> list[str]:
    """Problems of the run with ironmap that the interpreter's own module does not have."""
    found = [
        f"{kind}: {test}\n{text}"
        for kind in ("failures", "errors")
        for test, text in ours[kind].items()
        if test not in theirs[kind] and test.split()[0] not in KNOWN
    ]
    if ours["ran"] != theirs["ran"]:
        found.append(f"ironmap ran {ours['ran']} tests, mmap {theirs['ran']}")
    if ours["skipped"] != theirs["skipped"]:
        found.append(f"ironmap skipped {ours['skipped']}, mmap {theirs['skipped']}")
    if ours["processes"]:
        found.append(f"the tests started {ours['processes']} processes, which use mmap itself")
    return found


def summary(result: Result) -> str:
    counts = [f"{len(result[kind])} {kind}" for kind in ("failures", "errors", "skipped")]
    version = sys.version.split()[0]
    return f"{result['module']:5} on Python {version}: {result['ran']} ran, {', '.join(counts)}"


def compare() -> int:
    """Runs both, prints a report, and returns the exit status."""
    ours, theirs = (run_in_child(module) for module in MODULES)
    print(summary(ours), summary(theirs), sep="\n")
    for test, reason in ours["skipped"].items():
        print(f"skipped {test}: {reason}")
    found = problems(ours, theirs)
    print(*found, sep="\n")
    return 1 if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Run test_mmap.py with ironmap instead of mmap.")
    parser.add_argument("--module", choices=MODULES, help="run with this module only")
    parser.add_argument("--json", action="store_true", help="print the result of --module as JSON")
    arguments = parser.parse_args()
    if missing := missing_suite():
        print(missing)
        return 0
    if arguments.module is None:
        return compare()
    result = run_suite(arguments.module)
    print(json.dumps(result) if arguments.json else summary(result))
    return 1 if result["failures"] or result["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
