"""Downloads Debian's packages and sources with a separate apt, and installs nothing.

The separate apt uses the system's sources and keys, and nothing else of the system. The system gets
no foreign architecture and no sources of source code.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

SYSTEM = Path("/etc/apt")
TOOLS = ["apt-get", "dpkg-deb"]
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def present() -> bool:
    return all(shutil.which(tool) for tool in TOOLS)


def configuration(folder: Path, architecture: str | None) -> str:
    """Configures an apt with its state in `folder`, for `architecture` or for the system's own."""
    other = f"""
        APT::Architecture "{architecture}";
        #clear APT::Architectures;
        APT::Architectures {{ "{architecture}"; }};
        """
    return f"""
        Dir::State "{folder}";
        Dir::State::lists "{folder}/lists";
        Dir::State::status "{folder}/status";
        Dir::Cache "{folder}/cache";
        APT::Sandbox::User "root";
        Acquire::Languages "none";
        {other if architecture else ""}"""


def sources_of_sources(folder: Path) -> str:
    """Configures each of the system's sources to give source code instead of packages."""
    parts = folder / "parts"
    parts.mkdir()
    files = [SYSTEM / "sources.list", *sorted((SYSTEM / "sources.list.d").glob("*.*"))]
    for file in files:
        if file.is_file():
            text = re.sub(r"(?m)^deb\s", "deb-src ", file.read_text())
            text = re.sub(r"(?mi)^Types:.*$", "Types: deb-src", text)
            (parts / file.name).write_text(text)
    return f"""
        Dir::Etc::sourcelist "{os.devnull}";
        Dir::Etc::sourceparts "{parts}";
        """


def fetch(folder: Path, text: str, command: list[str]) -> None:
    """Runs apt-get's `command` in the new `folder`, with this configuration."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    file = folder / "apt.conf"
    file.write_text(text)
    environment = {**os.environ, "APT_CONFIG": str(file)}
    apt = ["apt-get", "-qq"]
    # One source may fail without being needed.
    subprocess.run([*apt, "update"], env=environment, stderr=subprocess.DEVNULL, check=False)
    subprocess.run([*apt, *command], env=environment, cwd=folder, check=True)


def packages(folder: Path, architecture: str, names: list[str]) -> list[Path]:
    """Downloads the binary packages of these names into the new `folder`."""
    fetch(folder, configuration(folder, architecture), ["download", *names])
    return sorted(folder.glob("*.deb"))


def mirror() -> str:
    """The address of Debian's archive that the system uses."""
    files = [SYSTEM / "sources.list", *sorted((SYSTEM / "sources.list.d").glob("*.*"))]
    text = "\n".join(file.read_text() for file in files if file.is_file())
    found = re.findall(r"(?m)^(?:URIs:|deb\s(?:.*\s)??)\s*(https?://\S*/debian)/?(?:\s|$)", text)
    return found[0] if found else "http://deb.debian.org/debian"


def sources_of_suite(folder: Path, suite: str) -> str:
    """Configures the source code of another suite of Debian than the system's."""
    file = folder / "suite.list"
    file.write_text(f"deb-src [signed-by={KEYS}] {mirror()} {suite} main\n")
    return f"""
        Dir::Etc::sourcelist "{file}";
        Dir::Etc::sourceparts "{os.devnull}";
        """


def originals(folder: Path, names: list[str], suite: str | None = None) -> list[Path]:
    """Downloads the upstream source archives of the source packages of these names, of the system's
    suite of Debian or of another one."""
    folder.mkdir()
    sources = sources_of_suite(folder, suite) if suite else sources_of_sources(folder)
    text = configuration(folder, None) + sources
    fetch(folder, text, ["source", "--download-only", "--tar-only", *names])
    return sorted(folder.glob("*.orig.tar.?z"))
