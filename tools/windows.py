"""Installs what building for Windows needs, and runs the tests under Wine.

    windows.py prepare            installs it
    windows.py pytest ARGUMENT... runs the Python tests with the extension of build/windows

The compiler (mingw-w64) and Wine are packages of the system. cmocka is built from Debian's source
of it. CPython's headers and its own test of mmap come from Debian's source of CPython. All of these
are in build/sysroot/windows. Wine's drive C: and registry are in build/wine. CPython itself comes
with pip (see requirements/windows.txt) into build/sysroot/windows-python. If something is
unavailable, prints one line and exits with 1, except that `pytest` skips the tests without CPython.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import debian
import setup

ROOT = Path(__file__).resolve().parent.parent
SYSROOT = ROOT / "build" / "sysroot" / "windows"
CPYTHON = ROOT / "build" / "sysroot" / "windows-python"
BUILD = ROOT / "build" / "windows"
WINE = ROOT / "build" / "wine"
HERE = ROOT / "machines"
IN_WINE = str(HERE / "in-wine.sh")

TRIPLET = "x86_64-w64-mingw32"
COMPILER = [f"{TRIPLET}-gcc", f"-specs={HERE / 'ucrt.specs'}"]
NEEDS = [
    setup.Need(
        "mingw-w64", lambda: bool(shutil.which(COMPILER[0])), ["gcc-mingw-w64-x86-64-win32"]
    ),
    setup.Need("Wine", lambda: bool(shutil.which("wine")), ["wine", "wine64"]),
]

# ---- cmocka and CPython's headers ----------------------------------------------------------------

SOURCES = ["cmocka", "python3.11"]
# The results of cmocka's configure checks on mingw-w64, as far as its one file uses them.
CMOCKA_HAS = [
    "-DHAVE_GCC_THREAD_LOCAL_STORAGE",
    "-DHAVE_INTTYPES_H",
    "-DHAVE_MALLOC_H",
    "-DHAVE_SIGNAL_H",
    "-DHAVE_STRINGS_H",
]


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks an archive that contains one folder, and returns the folder."""
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
    (inside,) = folder.iterdir()
    return inside


def build_cmocka(source: Path, root: Path) -> None:
    (root / "include").mkdir()
    for header in ("cmocka.h", "cmocka_pbc.h"):
        shutil.copy(source / "include" / header, root / "include" / header)
    pkgconfig = root / "lib" / "pkgconfig"
    pkgconfig.mkdir(parents=True)
    compiled = str(root / "cmocka.o")
    options = ["-O2", "-g", "-w", f"-I{source / 'include'}", *CMOCKA_HAS]
    code = str(source / "src" / "cmocka.c")
    subprocess.run([*COMPILER, *options, "-c", code, "-o", compiled], check=True)
    archive = str(root / "lib" / "libcmocka.a")
    subprocess.run([f"{TRIPLET}-ar", "rcs", archive, compiled], check=True)
    _, version = source.name.split("-")
    (pkgconfig / "cmocka.pc").write_text(
        "Name: cmocka\nDescription: C unit testing\n"
        f"Version: {version}\nLibs: -L/lib -lcmocka\nCflags: -I/include\n"
    )


def take_headers(source: Path, root: Path) -> None:
    """CPython's headers as they are installed on Windows, in one folder."""
    headers = root / "python"
    shutil.copytree(source / "Include", headers)
    shutil.copy(source / "PC" / "pyconfig.h", headers)


def take_suite(source: Path, root: Path) -> None:
    """CPython's own test of mmap, and what it imports."""
    suite = root / "suite" / "test"
    suite.mkdir(parents=True)
    for name in ("__init__.py", "test_mmap.py"):
        shutil.copy(source / "Lib" / "test" / name, suite)
    shutil.copytree(source / "Lib" / "test" / "support", suite / "support")


def make_import_library(headers: Path, library: Path) -> None:
    """Makes the import library of python3XX.dll, with every name that the headers declare to be the
    DLL's. An extension imports all of them as addresses, functions too."""
    text = "\n".join(file.read_text() for file in headers.rglob("*.h"))
    version = re.search(r"define PY_MAJOR_VERSION\s+(\d+)\n#define PY_MINOR_VERSION\s+(\d+)", text)
    assert version
    names = set(re.findall(r"\bPyAPI_(?:FUNC|DATA)\([^)]*\)\s*(\w+)", text))
    # PY_SSIZE_T_CLEAN renames some of them.
    names |= set(re.findall(r"#define \w+\s+(_Py\w+_SizeT)\b", text))
    definition = library.with_suffix(".def")
    lines = [f"LIBRARY python{version[1]}{version[2]}.dll", "EXPORTS"]
    definition.write_text("\n".join([*lines, *(f"    {name} DATA" for name in sorted(names)), ""]))
    tool = [f"{TRIPLET}-dlltool", "--input-def", str(definition), "--output-lib", str(library)]
    subprocess.run(tool, check=True)


def sysroot() -> None:
    """Makes build/sysroot/windows, atomically."""
    if (SYSROOT / "suite").is_dir():
        return
    if not debian.present():
        sys.exit("missing: cmocka for Windows, which is built from Debian's source of it")
    print("building cmocka for Windows", file=sys.stderr)
    SYSROOT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SYSROOT.parent, prefix=".new-") as name:
        folder = Path(name)
        root = folder / "root"
        root.mkdir()
        cmocka, python = debian.originals(folder / "apt", SOURCES)
        build_cmocka(unpack(cmocka, folder / "cmocka"), root)
        source = unpack(python, folder / "python")
        take_headers(source, root)
        take_suite(source, root)
        make_import_library(root / "python", root / "lib" / "libpython.a")
        shutil.rmtree(SYSROOT, ignore_errors=True)
        root.rename(SYSROOT)


# ---- Wine ----------------------------------------------------------------------------------------


def wine() -> None:
    """Sets up Wine in build/wine, once, as Windows 10."""
    ready = WINE / ".ready"
    if ready.exists():
        return
    print("setting up Wine in build/wine", file=sys.stderr)
    shutil.rmtree(WINE, ignore_errors=True)
    WINE.mkdir(parents=True)
    try:
        for command in (["wineboot", "-i"], ["wine", "winecfg", "-v", "win10"]):
            subprocess.run(
                [IN_WINE, *command],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=300,
            )
    finally:
        subprocess.run([IN_WINE, "wineserver", "-k"], check=False)
    ready.touch()


# ---- CPython -------------------------------------------------------------------------------------

REQUIREMENTS = ROOT / "requirements" / "windows.txt"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
# The machine's own CPython is not consulted: every package is listed with its hash.
FOR_WINDOWS = ["--no-deps", "--require-hashes", "--platform=win_amd64", "--python-version=3.11"]


def cpython() -> None:
    """Makes build/sysroot/windows-python, atomically, again if requirements/windows.txt changed."""
    wanted = REQUIREMENTS.read_text()
    stamp = CPYTHON / ".ready"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("installing requirements/windows.txt", flush=True)
    shutil.rmtree(CPYTHON, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=CPYTHON.parent, prefix=".new-") as name:
        folder = Path(name) / "root"
        install = [*PIP, "install", *FOR_WINDOWS, f"--target={folder}", f"-r{REQUIREMENTS}"]
        subprocess.run(install, check=True)
        # This file would restrict imports to CPython's own archive.
        (folder / "python311._pth").unlink(missing_ok=True)
        shutil.copytree(SYSROOT / "suite", folder / "Lib")
        (folder / ".ready").write_text(wanted)
        folder.rename(CPYTHON)


def assemble() -> Path:
    """Puts the package together as it is installed, and returns its folder."""
    packages = BUILD / "packages"
    shutil.rmtree(packages, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "python" / "ironmap", packages / "ironmap", ignore=ignore)
    shutil.copy(BUILD / "python" / "_ironmap.pyd", packages / "ironmap")
    return packages


# Under Wine, opening a file is several times slower than on Linux.
FEWER = {"IRONMAP_STEPS": "1000", "IRONMAP_LEAK_ROUNDS": "30"}


def pytest(arguments: list[str]) -> int:
    """Runs the Python tests under Wine and returns the exit status. Programs under Wine need a pipe
    to write to."""
    try:
        cpython()
    except subprocess.CalledProcessError:
        print("skipped: the Python tests on Windows, for which there is no CPython")
        return 0
    environment = {
        **os.environ,
        "PYTHONPATH": f"Z:{assemble()}",
        "PYTHONDONTWRITEBYTECODE": "1",
        **FEWER,
    }
    command = [IN_WINE, "wine", str(CPYTHON / "python.exe"), "-m", "pytest", "-q"]
    tests = ["-p", "no:cacheprovider", "tests/python", "tests/compat", *arguments]
    with subprocess.Popen(
        [*command, *tests],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
    return process.returncode


# ---- everything ----------------------------------------------------------------------------------


def prepare() -> None:
    setup.get(NEEDS)
    sysroot()
    wine()


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["pytest"]:
        return pytest(arguments[1:])
    if arguments != ["prepare"]:
        sys.exit(__doc__)
    prepare()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        sys.exit(f"failed: {shlex.join(error.cmd)}")
