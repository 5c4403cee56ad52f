"""Finds what this checkout needs and does not have, and gets it.

    setup.py system FEATURE...   system packages: installed with apt-get where that is possible,
                                 otherwise named in one line
    setup.py venv DIR NAME...    a virtual environment in DIR with requirements/NAME.txt installed

Both are quick where nothing is missing. `system` changes nothing but through apt-get, and `venv`
nothing but DIR. The interpreter that runs this file is the one that is set up.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 10)


class Need(NamedTuple):
    """Something of the system: what it is, whether it is here, Debian's packages that have it."""

    what: str
    present: Callable[[], bool]
    packages: list[str]


def debian_python() -> str | None:
    """The name of Debian's package of this interpreter, None where it is not Debian's."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    owned = os.path.realpath(sys.executable) == f"/usr/bin/{name}" and shutil.which("dpkg")
    return name if owned else None


def has_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def has_command(variable: str, default: str) -> bool:
    command = shlex.split(os.environ.get(variable) or default)
    return shutil.which(command[0]) is not None


def has_headers() -> bool:
    return Path(sysconfig.get_path("include"), "Python.h").is_file()


def has_library(name: str) -> bool:
    return subprocess.run(["pkg-config", "--exists", name], check=False).returncode == 0


def has_fuzzer() -> bool:
    """Whether clang is here and its libFuzzer, which Debian has in a package of its own."""
    if shutil.which("clang") is None:
        return False
    asked = ["clang", "-print-resource-dir"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return any(Path(done.stdout.strip(), "lib").rglob("libclang_rt.fuzzer*.a"))


def needs(features: list[str]) -> list[Need]:
    debian = debian_python()

    def python(suffix: str, prefix: str = "") -> list[str]:
        return [f"{prefix}{debian}{suffix}"] if debian else []

    pkg_config = Need("pkg-config", lambda: has_command("PKG_CONFIG", "pkg-config"), ["pkgconf"])
    table = {
        "build": [
            Need("a C compiler", lambda: has_command("CC", "cc"), ["gcc", "libc6-dev"]),
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
        "bench": [
            Need("ripgrep", lambda: shutil.which("rg") is not None, ["ripgrep"]),
        ],
        "valgrind": [
            Need("valgrind", lambda: has_command("VALGRIND", "valgrind"), ["valgrind"]),
        ],
    }
    return [need for feature in features for need in table[feature]]


def apt_install(packages: list[str]) -> None:
    print("installing with apt-get:", *packages, file=sys.stderr, flush=True)
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*apt, "update"], check=True, env=quiet)
    install = [*apt, "install", "-y", "--no-install-recommends", *packages]
    subprocess.run(install, check=True, env=quiet, stdout=subprocess.DEVNULL)


def advice(missing: list[Need]) -> str:
    packages = [package for need in missing for package in need.packages]
    line = "missing: " + ", ".join(need.what for need in missing)
    if shutil.which("apt-get") and packages:
        return f"{line}; install with: sudo apt-get install {' '.join(packages)}"
    return f"{line}; install with your system's package manager"


def get(wanted: list[Need]) -> None:
    """Installs what is missing, or exits and says what it is."""
    missing = [need for need in wanted if not need.present()]
    packages = [package for need in missing for package in need.packages]
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        apt_install(packages)
        missing = [need for need in missing if not need.present()]
    if missing:
        sys.exit(advice(missing))


def identity(directory: Path) -> str:
    """What a virtual environment cannot outlive: another interpreter, another place."""
    return f"# {directory} {os.path.realpath(sys.executable)} {sys.version.split()[0]}\n"


def recreate(directory: Path) -> None:
    if directory.exists():
        if not (directory / "pyvenv.cfg").is_file():
            sys.exit(f"{directory} exists and is no virtual environment")
        shutil.rmtree(directory)
    print(f"making a virtual environment in {directory.name} ({sys.executable})", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)


def venv(directory: Path, names: list[str]) -> None:
    """Installs each requirements file once; DIR/.ready-NAME keeps what was installed."""
    first = identity(directory)
    python = directory / "bin" / "python"
    ready = sorted(directory.glob(".ready-*"))
    if not ready or not python.exists() or not ready[0].read_text().startswith(first):
        recreate(directory)
    for name in names:
        source = ROOT / "requirements" / f"{name}.txt"
        wanted = first + source.read_text()
        stamp = directory / f".ready-{name}"
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"installing requirements/{name}.txt", flush=True)
            pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
            subprocess.run([*pip, "install", "-r", str(source)], check=True)
            stamp.write_text(wanted)


def main(arguments: list[str]) -> None:
    if sys.version_info < OLDEST:
        sys.exit(f"ironmap needs Python 3.10 or newer; this is {sys.version.split()[0]}")
    if len(arguments) > 1 and arguments[0] == "system":
        get(needs(arguments[1:]))
    elif len(arguments) > 2 and arguments[0] == "venv":
        venv(Path(arguments[1]).absolute(), arguments[2:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed: {shlex.join(error.cmd)}")
