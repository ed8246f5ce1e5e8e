"""Other processes of ours, in this terminal: signals reach them, exit codes come back."""

import os
import subprocess
import sys
from typing import NoReturn


def run_module(module: str, *arguments: str) -> NoReturn:
    """Become `python -m module arguments…`: its signals and its exit code are ours."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606


def wait(process: subprocess.Popen[bytes]) -> int:
    """Return a process's exit code; Ctrl-C reaches it as well, and it decides how to end."""
    while True:
        try:
            code = process.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            continue
