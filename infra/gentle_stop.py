"""Runs a Spark application so that SIGTERM reaches its Python driver alone.

A JVM that gets the signal as well tears down Spark under the batch that the driver wants to end.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
DRIVER = "main.py"


def command(application: Sequence[str]) -> list[str]:
    """Return the command that runs an application of ours this way."""
    return [sys.executable, "-m", "infra.gentle_stop", *application]


def run(application: Sequence[str]) -> int:
    """Run it to its end and return its exit code; it dies when this process is killed."""
    process = subprocess.Popen(application, preexec_fn=_die_with_parent)
    signal.signal(signal.SIGTERM, lambda *_: _stop(process))
    code = process.wait()
    return code if code >= 0 else 128 - code


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Tell the driver to stop, or the whole where it has not begun."""
    from infra.processes import words_below

    drivers = [pid for pid, words in words_below(process.pid).items() if _is_driver(words)]
    for pid in drivers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    if not drivers:
        process.terminate()


def _is_driver(words: Sequence[str]) -> bool:
    return len(words) > 1 and "python" in words[0] and words[1].endswith(DRIVER)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
