"""Runs the standard library's own tests of mmap, unmodified, with ironmap instead of mmap.

    python tests/compat/run.py [--json] [--module ironmap|mmap] [--suite standard|threads]

There are two suites. "standard" is the interpreter's own test_mmap.py. "threads" is
test_free_threading/test_mmap.py, which came with CPython 3.15 and also runs with the GIL and on
older versions. It is taken from the interpreter's own package `test` if that has it, else from a
folder in IRONMAP_SUITES, else from another CPython of this machine.

Without --module it runs each suite twice, with ironmap and with the interpreter's own module, and
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
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable

# Where they are in a package `test`.
SUITES = {"standard": Path("test_mmap.py"), "threads": Path("test_free_threading", "test_mmap.py")}
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


def folders() -> list[Path]:
    """The package `test` of this interpreter, those of IRONMAP_SUITES, and those of others here."""
    spec = importlib.util.find_spec("test")
    own = list(spec.submodule_search_locations or []) if spec else []
    given = [folder for folder in os.environ.get("IRONMAP_SUITES", "").split(os.pathsep) if folder]
    roots = [Path("/usr"), Path("/usr/local"), *sorted(Path(sys.base_prefix).parent.glob("*"))]
    others = [path for root in roots for path in sorted(root.glob("lib/python3.*/test"))]
    return [*map(Path, own), *map(Path, given), *others]


def path_of(suite: str) -> Path | None:
    """The file of the suite. "standard" is the interpreter's own alone."""
    places = folders()[:1] if suite == "standard" else folders()
    paths = (folder / SUITES[suite] for folder in places)
    return next((path for path in paths if path.is_file()), None)


def missing_suite(suite: str) -> str | None:
    """What to do if there is no such suite, else None."""
    if path_of(suite) is not None:
        return None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if suite == "standard":
        return f"this Python has no test_mmap.py: apt-get install libpython{version}-testsuite"
    return (
        "no test_free_threading/test_mmap.py: set IRONMAP_SUITES to the folder test of CPython 3.15"
    )


def run_concurrently(
    worker_func: Callable[..., object],
    nthreads: int,
    args: tuple[object, ...] = (),
    kwargs: dict[str, object] | None = None,
) -> None:
    """Runs a function in several threads at once, and raises what the first of them raised."""
    errors: list[BaseException] = []
    begin = threading.Barrier(nthreads)

    def work() -> None:
        begin.wait()
        try:
            worker_func(*args, **(kwargs or {}))
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(nthreads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def complete_helper() -> None:
    """Adds what the suite of threads needs to an older test.support.threading_helper."""
    helper: Any = importlib.import_module("test.support.threading_helper")
    missing = {
        "run_concurrently": run_concurrently,
        "requires_working_threading": lambda: lambda test: test,
    }
    for name, value in missing.items():
        if not hasattr(helper, name):
            setattr(helper, name, value)


def load(suite: str) -> Any:
    """The suite as a module. Its package may refuse to be imported on a build with the GIL."""
    path = path_of(suite)
    assert path is not None
    if suite == "threads":
        complete_helper()
    spec = importlib.util.spec_from_file_location(f"suite_{suite}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run_suite(module: str, suite: str) -> Result:
    """Runs the suite in this process, whose `mmap` is replaced from then on."""
    under_test = __import__(module)
    sys.modules["mmap"] = under_test
    tested = load(suite)
    assert tested.mmap is under_test
    started: list[str] = []
    sys.addaudithook(lambda event, _: started.append(event) if event in PROCESS_EVENTS else None)
    tests = unittest.defaultTestLoader.loadTestsFromModule(tested)
    result = unittest.TextTestRunner(io.StringIO()).run(tests)
    return {
        "module": module,
        "suite": str(tested.__file__),
        "ran": result.testsRun,
        "failures": {str(test): text for test, text in result.failures},
        "errors": {str(test): text for test, text in result.errors},
        "skipped": {str(test): reason for test, reason in result.skipped},
        "processes": len(started),
    }


def run_in_child(module: str, suite: str) -> Result:
    """Runs the suite in a new process, in a temporary directory."""
    here = str(Path(__file__).resolve())
    command = [sys.executable, here, "--json", "--module", module, "--suite", suite]
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
    return f"{result['module']:7} on Python {version}: {result['ran']} ran, {', '.join(counts)}"


def compare(suite: str) -> int:
    """Runs both modules, prints a report, and returns the exit status."""
    ours, theirs = (run_in_child(module, suite) for module in MODULES)
    print(ours["suite"])
    print(summary(ours), summary(theirs), sep="\n")
    for test, reason in ours["skipped"].items():
        print(f"skipped {test}: {reason}")
    found = problems(ours, theirs)
    print(*found, sep="\n")
    return 1 if found else 0


def run(suite: str, module: str | None, *, as_json: bool) -> int:
    if missing := missing_suite(suite):
        print(missing)
        return 0
    if module is None:
        return compare(suite)
    result = run_suite(module, suite)
    print(json.dumps(result) if as_json else summary(result))
    return 1 if result["failures"] or result["errors"] else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Run tests of mmap with ironmap instead.")
    parser.add_argument("--module", choices=MODULES, help="run with this module only")
    parser.add_argument("--suite", choices=SUITES, help="run this suite only")
    parser.add_argument("--json", action="store_true", help="print the result of --module as JSON")
    arguments = parser.parse_args()
    suites = [arguments.suite] if arguments.suite else list(SUITES)
    return max(run(suite, arguments.module, as_json=arguments.json) for suite in suites)


if __name__ == "__main__":
    sys.exit(main())
