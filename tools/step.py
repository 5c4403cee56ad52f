"""Runs a command that prints nothing useful for a long time, and shows that it runs.

    step.py TITLE COMMAND...

Prints the title, and every 20 seconds how long the command has run. Its output is shown only if it
fails, and its exit status is that of this program.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECONDS = 20


def run(title: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    print(title, flush=True)
    start = time.monotonic()
    with tempfile.TemporaryFile() as output:
        with subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as process:
            while True:
                try:
                    status = process.wait(SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    print(f"  {title}: {time.monotonic() - start:.0f} s", flush=True)
        if status != 0:
            output.seek(0)
            sys.stdout.flush()
            os.write(1, output.read())
            print(f"failed with status {status}: {shlex.join(command)}", flush=True)
    return status


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(run(sys.argv[1], sys.argv[2:]))
