"""The machine and the versions of a benchmark."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

import ironmap

PACKAGES = ("numpy", "stringzilla", "fmmap")
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def widest_instructions() -> str:
    """The widest instruction set that search kernels use."""
    info = Path("/proc/cpuinfo")
    words = set(info.read_text().split()) if info.exists() else set()
    known = {"avx512bw": "AVX-512", "avx2": "AVX2", "asimd": "NEON", "sse2": "SSE2"}
    return next((name for flag, name in known.items() if flag in words), "unknown")


def memory_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


def package_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def ripgrep_version() -> str | None:
    if not shutil.which("rg"):
        return None
    done = subprocess.run(["rg", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[1]


def versions() -> dict[str, str]:
    found = {
        "ironmap": ironmap.__version__,
        "python": platform.python_version(),
        "c library": " ".join(platform.libc_ver()).strip(),
        "ripgrep": ripgrep_version(),
        **{name: package_version(name) for name in PACKAGES},
    }
    return {name: version for name, version in found.items() if version}


def environment() -> dict[str, object]:
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "processor": processor(),
        "instructions": widest_instructions(),
        "cores": os.cpu_count(),
        "memory_mib": memory_mib(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "huge_pages": HUGE_PAGES.read_text().strip() if HUGE_PAGES.exists() else "unknown",
        "load": [round(load, 2) for load in os.getloadavg()],
        "versions": versions(),
    }
