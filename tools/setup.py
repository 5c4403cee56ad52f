"""Finds what this checkout needs and does not have, and installs it.

    setup.py ready DIR NAME...   system packages for each NAME with apt-get, and a virtual
                                 environment in DIR with requirements/NAME.txt
    setup.py system NAME...      the system packages alone

What will be installed is printed first. With SETUP=no in the environment nothing is installed. What
is missing is named instead, and the exit status is 1. Every command is quick if nothing is missing.
`system` changes nothing but through apt-get, and `ready` nothing else but DIR. The virtual
environment has the interpreter that runs this file.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import step

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 10)


class Need(NamedTuple):
    """Something of the system: what it is, whether it is present, Debian's packages of it."""

    what: str
    present: Callable[[], bool]
    packages: list[str]


def debian_python() -> str | None:
    """The name of Debian's package of this interpreter, or None if it is not Debian's."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = {f"/usr/bin/{name}", f"/usr/bin/{name}d"}  # the second is a debug build
    owned = os.path.realpath(sys.executable) in places and shutil.which("dpkg")
    return name if owned else None


def has_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def has_command(variable: str, default: str) -> bool:
    command = shlex.split(os.environ.get(variable) or default)
    return shutil.which(command[0]) is not None


def has_debug_build() -> bool:
    return any(Path("/usr/bin").glob("python3.*-dbg"))


def has_headers() -> bool:
    return Path(sysconfig.get_path("include"), "Python.h").is_file()


def has_library(name: str) -> bool:
    return subprocess.run(["pkg-config", "--exists", name], check=False).returncode == 0


def has_fuzzer() -> bool:
    """True if clang and its libFuzzer are present. Debian has them in two packages."""
    if shutil.which("clang") is None:
        return False
    asked = ["clang", "-print-resource-dir"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return any(Path(done.stdout.strip(), "lib").rglob("libclang_rt.fuzzer*.a"))


def needs(features: list[str]) -> list[Need]:
    debian = debian_python()

    def python(suffix: str, prefix: str = "") -> list[str]:
        return [f"{prefix}{debian}{suffix}"] if debian else []

    compiler = Need("a C compiler", lambda: has_command("CC", "cc"), ["gcc", "libc6-dev"])
    pkg_config = Need("pkg-config", lambda: has_command("PKG_CONFIG", "pkg-config"), ["pkgconf"])
    table = {
        "compiler": [compiler],
        "build": [
            compiler,
            Need("Python's venv", lambda: has_module("ensurepip"), python("-venv")),
            Need("Python's headers", has_headers, python("-dev")),
        ],
        "test": [
            Need("a C++ compiler", lambda: has_command("CXX", "c++"), ["g++"]),
            pkg_config,
            Need(
                "cmocka", lambda: pkg_config.present() and has_library("cmocka"), ["libcmocka-dev"]
            ),
            Need(
                "Python's own tests",
                lambda: debian is None or has_module("test.test_mmap"),
                python("-testsuite", "lib"),
            ),
        ],
        "consumers": [
            Need("CMake", lambda: Path("/usr/bin/cmake").exists(), ["cmake"]),
            Need("Debian's Meson", lambda: Path("/usr/bin/meson").exists(), ["meson"]),
        ],
        "fault": [
            pkg_config,
            Need(
                "libfuse3",
                lambda: pkg_config.present() and has_library("fuse3"),
                ["libfuse3-dev", "fuse3"],
            ),
        ],
        "fuzz": [
            Need("clang with libFuzzer", has_fuzzer, ["clang", "libclang-rt-dev"]),
        ],
        "interpreters": [
            Need("a debug build of Python", has_debug_build, ["python3-dbg"]),
        ],
        "bench": [
            Need("ripgrep", lambda: shutil.which("rg") is not None, ["ripgrep"]),
        ],
        "file-systems": [
            Need(name, partial(has_command, "", f"mkfs.{name}"), [package])
            for name, package in {
                "ext4": "e2fsprogs",
                "xfs": "xfsprogs",
                "btrfs": "btrfs-progs",
            }.items()
        ],
        "valgrind": [
            Need("valgrind", lambda: has_command("VALGRIND", "valgrind"), ["valgrind"]),
        ],
    }
    return [need for feature in features for need in table.get(feature, [])]


def may_install() -> bool:
    return os.environ.get("SETUP") != "no"


def apt_install(packages: list[str]) -> None:
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = [*apt, "install", "-y", "--no-install-recommends", *packages]
    title = f"installing with apt-get: {' '.join(packages)}"
    if step.run("apt-get update", [*apt, "update"], quiet) or step.run(title, install, quiet):
        sys.exit(1)


def advice(missing: list[Need]) -> str:
    packages = [package for need in missing for package in need.packages]
    line = "missing: " + ", ".join(need.what for need in missing)
    if shutil.which("apt-get") and packages:
        return f"{line}; install with: sudo apt-get install {' '.join(packages)}"
    return f"{line}; install with your system's package manager"


def installable(missing: list[Need]) -> list[str]:
    """The packages of `missing` that this process may install."""
    if not may_install() or os.geteuid() != 0 or not shutil.which("apt-get"):
        return []
    return [package for need in missing for package in need.packages]


def get(wanted: list[Need]) -> None:
    """Installs what is missing, or names it and exits."""
    missing = [need for need in wanted if not need.present()]
    packages = installable(missing)
    if packages:
        apt_install(packages)
        missing = [need for need in missing if not need.present()]
    if missing:
        sys.exit(advice(missing))


def identity(directory: Path) -> str:
    """What a virtual environment depends on: its place and its interpreter."""
    return f"# {directory} {os.path.realpath(sys.executable)} {sys.version.split()[0]}\n"


def is_current(directory: Path) -> bool:
    """True if the virtual environment has this interpreter and was not moved."""
    ready = sorted(directory.glob(".ready-*"))
    first = identity(directory)
    python = directory / "bin" / "python"
    return bool(ready) and python.exists() and ready[0].read_text().startswith(first)


def requirements(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


def stamp_of(directory: Path, name: str) -> tuple[Path, str]:
    """The file DIR/.ready-NAME and what it contains if its requirements are installed."""
    return directory / f".ready-{name}", identity(directory) + requirements(name).read_text()


def is_installed(directory: Path, name: str) -> bool:
    stamp, wanted = stamp_of(directory, name)
    return is_current(directory) and stamp.exists() and stamp.read_text() == wanted


def create(directory: Path) -> None:
    if directory.exists():
        if not (directory / "pyvenv.cfg").is_file():
            sys.exit(f"{directory} exists and is not a virtual environment")
        shutil.rmtree(directory)
    title = f"creating a virtual environment in {directory.name} ({sys.executable})"
    if step.run(title, [sys.executable, "-m", "venv", str(directory)]):
        sys.exit(1)


def install(directory: Path, name: str) -> None:
    source = requirements(name)
    pip = [str(directory / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    if step.run(f"installing {source.relative_to(ROOT)}", [*pip, "install", "-r", str(source)]):
        sys.exit(1)
    stamp, wanted = stamp_of(directory, name)
    stamp.write_text(wanted)


def ready(directory: Path, names: list[str]) -> None:
    """Installs the system packages and the requirements of each name."""
    wanted = needs(names)
    files = [name for name in names if requirements(name).exists()]
    outdated = [name for name in files if not is_installed(directory, name)]
    packages = installable([need for need in wanted if not need.present()])
    if packages:
        print("to install with apt-get:", *packages, flush=True)
    if outdated:
        listed = ", ".join(str(requirements(name).relative_to(ROOT)) for name in outdated)
        print(f"to install with pip into {directory.name}: {listed}", flush=True)
    if outdated and not may_install():
        missing = [need for need in wanted if not need.present()]
        sys.exit(advice(missing) if missing else "missing: see above")
    get(wanted)
    if outdated and not is_current(directory):
        create(directory)
        outdated = files
    for name in outdated:
        install(directory, name)


def candidates(name: str) -> list[Path]:
    """Every program of this name in the PATH. Some may be wrappers that do not run."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return [path for folder in folders if os.access(path := Path(folder, name), os.X_OK)]


def runs(program: Path) -> str:
    """What the program says is its version, or an empty string if it does not run."""
    done = subprocess.run(
        [str(program), "--version"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def system_meson() -> tuple[Path, Path] | None:
    """The system's Meson and its ninja, or None if Meson is older than 1.0 or missing."""
    ninja = next((path for path in candidates("ninja") if runs(path)), None)
    for path in candidates("meson"):
        number = re.match(r"(\d+)\.", runs(path))
        if ninja and number and int(number[1]) >= 1:
            return path, ninja
    return None


def main(arguments: list[str]) -> None:
    if sys.version_info < OLDEST:
        sys.exit(f"ironmap needs Python 3.10 or newer; this is {sys.version.split()[0]}")
    if len(arguments) > 1 and arguments[0] == "system":
        get(needs(arguments[1:]))
    elif len(arguments) > 2 and arguments[0] == "ready":
        ready(Path(arguments[1]).absolute(), arguments[2:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
