"""The programs of the extension's fuzzer, and some changed ones, end as they may."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parents[1] / "fuzz"


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs memfd_create")
def test_programs_of_the_fuzzer_end_as_they_may(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(FUZZ / "corpus" / "extension", corpus)
    command = [sys.executable, str(FUZZ / "fuzz_extension.py"), str(corpus)]
    command += ["--runs", "200", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.startswith("200 programs")
