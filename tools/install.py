"""Installs the C library, or removes it again.

    install.py install PREFIX DESTDIR VENV
    install.py uninstall PREFIX DESTDIR VENV

Uses the system's Meson and ninja. If it has none, they are installed into the virtual environment
VENV. DESTDIR may be empty.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import setup
import step

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "install"
MACHINE = ROOT / "machines" / "install.ini"


def find_meson(directory: Path) -> tuple[str, dict[str, str]]:
    """Meson's path, and the environment that it runs in."""
    found = setup.system_meson()
    if found is None:
        setup.ready(directory, ["build"])
        path = f"{directory / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        return str(directory / "bin" / "meson"), {**os.environ, "PATH": path}
    meson, ninja = found
    return str(meson), {**os.environ, "NINJA": str(ninja)}


def run(title: str, command: list[str], environment: dict[str, str]) -> None:
    if step.run(title, command, environment):
        sys.exit(1)


def configure(meson: str, environment: dict[str, str], prefix: str) -> None:
    """Configures build/install, anew if Meson or the prefix is another one."""
    stamp = BUILD / ".configured"
    wanted = f"{meson} {prefix}\n{MACHINE.read_text()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(BUILD, ignore_errors=True)
    command = [meson, "setup", str(BUILD), str(ROOT), f"--native-file={MACHINE}"]
    run("configuring build/install", [*command, f"--prefix={prefix}"], environment)
    stamp.write_text(wanted)


def build(prefix: str, directory: Path) -> tuple[str, dict[str, str]]:
    meson, environment = find_meson(directory)
    configure(meson, environment, prefix)
    run("compiling the library", [meson, "compile", "-C", str(BUILD)], environment)
    return meson, environment


def copy(meson: str, environment: dict[str, str], destdir: str) -> None:
    command = [meson, "install", "-C", str(BUILD), "--no-rebuild"]
    options = ["--destdir", destdir] if destdir else []
    run("copying the files", [*command, *options], environment)


def staged_files(meson: str, environment: dict[str, str]) -> list[Path]:
    """Every file that is installed, links too, as relative to the root of the system."""
    with tempfile.TemporaryDirectory() as folder:
        copy(meson, environment, folder)
        root = Path(folder)
        return sorted(p.relative_to(root) for p in root.rglob("*") if p.is_symlink() or p.is_file())


def next_steps(prefix: str, files: list[Path]) -> str:
    pkgconfig = next(Path("/", file).parent for file in files if file.suffix == ".pc")
    return f"""
installed into {prefix}. Next:
  sudo ldconfig                             so that programs find the shared library
  cc program.c $(pkg-config --cflags --libs ironmap)
If pkg-config does not find it:
  export PKG_CONFIG_PATH={pkgconfig}"""


def install(prefix: str, destdir: str, directory: Path) -> None:
    meson, environment = build(prefix, directory)
    copy(meson, environment, destdir)
    print(
        f"installed below {destdir}"
        if destdir
        else next_steps(prefix, staged_files(meson, environment))
    )


def uninstall(prefix: str, destdir: str, directory: Path) -> None:
    meson, environment = build(prefix, directory)
    root = Path(destdir or "/")
    files = [root / file for file in staged_files(meson, environment)]
    removed = [file for file in files if file.is_symlink() or file.exists()]
    for file in removed:
        print(f"removing {file}")
        file.unlink()
    # The folders that are ours alone.
    for folder in sorted({file.parent for file in removed if file.parent.name == "ironmap"}):
        if not any(folder.iterdir()):
            folder.rmdir()
    if not removed:
        print(f"nothing is installed in {root / prefix.lstrip('/')}")


def main(arguments: list[str]) -> None:
    if len(arguments) != 4 or arguments[0] not in ("install", "uninstall"):
        sys.exit(__doc__)
    command, prefix, destdir, directory = arguments
    work = install if command == "install" else uninstall
    work(prefix, destdir and str(Path(destdir).absolute()), Path(directory).absolute())


if __name__ == "__main__":
    main(sys.argv[1:])
