"""Tests the Python package with CPython built without the GIL.

    free_threading.py [--version 3.13] [--seconds N] [--only tests|stress|races] [PYTEST_ARGS...]

Debian has no such build, so this builds one of Debian's own source package: 3.13 is that of trixie,
newer versions are those of sid. A second one has the thread sanitizer. Both take some 10 minutes on
two cores, and stay in build/free-threading/.

    tests     all Python tests and CPython's own, as far as what they need can be installed
    stress    tests/python/stress.py for N seconds, from eight threads
    races     the same with the thread sanitizer
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import debian
import step

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "free-threading"
STRESS = ROOT / "tests" / "python" / "stress.py"
SUPPRESSIONS = ROOT / "tests" / "python" / "tsan.supp"
SUITES = {"3.13": "trixie"}
PARTS = ("tests", "stress", "races")
NEEDED = ["pytest", "pytest-xdist"]


class Kind(NamedTuple):
    """A way to build: of the interpreter, and of the extension."""

    name: str
    configure: list[str]
    flags: str
    meson: list[str]


PLAIN = Kind("plain", [], "-O2", ["-Dbuildtype=release", "-Db_ndebug=true", "-Db_lto=true"])
TSAN = Kind(
    "tsan",
    ["--with-thread-sanitizer"],
    "-O1 -g",
    ["-Dbuildtype=debugoptimized", "-Db_sanitize=thread", "-Db_lundef=false", "-Dc_args=-Wno-tsan"],
)


def fixed_addresses() -> list[str]:
    """Older thread sanitizers need more of the address space than its random layout leaves."""
    return ["setarch", "-R"] if shutil.which("setarch") else []


def words(command: Sequence[str | Path]) -> list[str]:
    return [str(word) for word in command]


def do(title: str, command: Sequence[str | Path], **environment: str) -> None:
    if step.run(title, [*fixed_addresses(), *words(command)], {**os.environ, **environment}):
        sys.exit(1)


# ---- the interpreter -----------------------------------------------------------------------------


def source(version: str) -> Path:
    """The source archive of this version."""
    folder = BUILD / "source" / version
    found = sorted(folder.glob("*.orig.tar.xz"))
    if not found:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        print(f"downloading Debian's source of python{version}", flush=True)
        found = debian.originals(folder, [f"python{version}"], SUITES.get(version, "sid"))
    return found[-1]


def python(version: str, kind: Kind) -> Path:
    """The interpreter, which is built if it is not there."""
    prefix = BUILD / f"python{version}-{kind.name}"
    program = prefix / "bin" / f"python{version}t"
    if (prefix / "complete").exists():
        return program
    archive = source(version)
    with tempfile.TemporaryDirectory(dir=BUILD) as made:
        folder = Path(made)
        subprocess.run(["tar", "-xf", archive, "--strip-components=1", "-C", made], check=True)
        options = ["--disable-gil", "--without-ensurepip", f"--prefix={prefix}", *kind.configure]
        # The interpreter itself has races, which its build would stop for.
        quiet = {"TSAN_OPTIONS": "report_bugs=0"}
        title = f"building CPython {version} without the GIL ({kind.name})"
        make: list[str | Path] = ["make", "-C", folder, f"-j{os.cpu_count()}"]
        do(
            f"configuring CPython {version}",
            ["env", "-C", folder, "./configure", "-q", *options, f"OPT={kind.flags} -DNDEBUG"],
            **quiet,
        )
        do(title, make, **quiet)
        # -l: what the tests do not import is not compiled.
        do("installing it", [*make, "altinstall", "COMPILEALL_OPTS=-l"], **quiet)
        known = folder / "Tools" / "tsan" / "suppressions_free_threading.txt"
        shutil.copy(known, prefix) if known.exists() else (prefix / known.name).touch()
    (prefix / "complete").touch()
    return program


# ---- the package ---------------------------------------------------------------------------------


def requirements() -> list[str]:
    """What the tests need, in the versions of requirements/. mypy checks nothing that differs."""
    lines = (ROOT / "requirements" / "test.txt").read_text().splitlines()
    return [line for line in lines if "==" in line and not line.startswith("mypy")]


def environment(version: str, program: Path) -> Path:
    """The interpreter in a virtual environment with what the tests need and can be installed."""
    folder = BUILD / f"venv-{version}"
    result = folder / "bin" / "python"
    if (folder / "complete").exists():
        return result
    shutil.rmtree(folder, ignore_errors=True)
    do("creating a virtual environment", [program, "-m", "venv", folder])
    for requirement in requirements():
        pip = [str(result), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        command = [*pip, "--only-binary", ":all:", requirement]
        print(f"installing {requirement}", flush=True)
        failed = subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode
        if failed and requirement.partition("==")[0] in NEEDED:
            sys.exit(f"{requirement} cannot be installed")
        if failed:
            print(f"skipped: the tests with {requirement}")
    (folder / "complete").touch()
    return result


def package(version: str, kind: Kind, program: Path) -> Path:
    """Builds the package for this interpreter. Returns the folder to import it from."""
    folder = BUILD / f"extension-{version}-{kind.name}"
    quiet = {"TSAN_OPTIONS": "report_bugs=0"}
    if not (folder / "build.ninja").exists():
        shutil.rmtree(folder, ignore_errors=True)
        machine = BUILD / f"{kind.name}-{version}.ini"
        machine.write_text(
            f"[binaries]\npython = '{program}'\n"
            "[built-in options]\npython.platlibdir = '/packages'\npython.purelibdir = '/packages'\n"
        )
        options = ["-Dpython=enabled", "-Dtests=disabled", "-Dexamples=disabled", *kind.meson]
        meson: list[str | Path] = [
            "meson",
            "setup",
            folder,
            ROOT,
            f"--native-file={machine}",
            *options,
        ]
        do(f"configuring the extension ({kind.name})", meson, **quiet)
    do(f"building the extension ({kind.name})", ["ninja", "-C", folder], **quiet)
    install: list[str | Path] = [
        "meson",
        "install",
        "-C",
        folder,
        "--quiet",
        "--tags",
        "python-runtime",
    ]
    do("installing it", [*install, "--destdir", folder / "root"], **quiet)
    return folder / "root" / "packages"


# ---- the tests -----------------------------------------------------------------------------------


def run(command: Sequence[str | Path], packages: Path, **more: str) -> bool:
    """Runs Python without the GIL, also if a module does not declare that it needs none."""
    variables = {**os.environ, "PYTHON_GIL": "0", "PYTHONPATH": str(packages), **more}
    return subprocess.run(words(command), env=variables, cwd=ROOT, check=False).returncode == 0


def test(version: str, arguments: list[str]) -> bool:
    program = environment(version, python(version, PLAIN))
    packages = package(version, PLAIN, program)
    check = "import ironmap, sys; assert not sys._is_gil_enabled(), 'the GIL is enabled'"
    left_out = [] if has(program, "hypothesis") else ["--ignore=tests/python/test_state_machine.py"]
    pytest: list[str | Path] = [
        program,
        "-m",
        "pytest",
        "-q",
        "-n",
        "auto",
        "tests/python",
        "tests/compat",
    ]
    return run([program, "-c", check], packages) and run([*pytest, *left_out, *arguments], packages)


def has(program: Path, module: str) -> bool:
    command = [str(program), "-c", f"import {module}"]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def stress(version: str, seconds: float) -> bool:
    program = python(version, PLAIN)
    return run([program, STRESS, "--seconds", str(seconds)], package(version, PLAIN, program))


def races(version: str, seconds: float) -> bool:
    program = python(version, TSAN)
    known = program.parents[1] / "suppressions_free_threading.txt"
    both = BUILD / f"tsan-{version}.supp"
    both.write_text(known.read_text() + SUPPRESSIONS.read_text())
    command: list[str | Path] = [
        *fixed_addresses(),
        program,
        STRESS,
        "--no-races",
        "--seconds",
        str(seconds),
    ]
    options = f"suppressions={both} halt_on_error=1 history_size=7"
    return run(command, package(version, TSAN, program), TSAN_OPTIONS=options)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", default="3.13")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--only", choices=PARTS)
    given, arguments = parser.parse_known_args()
    if not debian.present():
        print("skipped: the tests without the GIL, which need a system with apt-get")
        return
    work = {
        "tests": lambda: test(given.version, arguments),
        "stress": lambda: stress(given.version, given.seconds),
        "races": lambda: races(given.version, given.seconds),
    }
    failed = []
    for part in [given.only] if given.only else PARTS:
        print(f"== CPython {given.version} without the GIL: {part}", flush=True)
        if not work[part]():
            failed.append(part)
    if failed:
        sys.exit(f"failed: {' '.join(failed)}")


if __name__ == "__main__":
    main()
