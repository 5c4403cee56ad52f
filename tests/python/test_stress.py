"""Every method from several threads at once, for a short time: see stress.py."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import stress

PROGRAM = Path(__file__).with_name("stress.py")


@pytest.mark.parametrize("kind", stress.KINDS)
def test_threads_use_every_method(kind: str) -> None:
    command = [sys.executable, str(PROGRAM), "--seconds", "2", "--only", kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    print(done.stdout)
    assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}"


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="only free-threaded builds"
)
def test_module_needs_no_gil() -> None:
    """A free-threaded build enables the GIL when it imports a module that does not declare this."""
    code = "import ironmap, sys; assert not sys._is_gil_enabled()"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    command = [sys.executable, "-W", "error", "-c", code]
    subprocess.run(command, env=environment, check=True)
