"""`python -m infra.superset.inside.serve`: prepare what is new, then serve."""

import os
import subprocess
import sys
from typing import NoReturn

from infra.superset.inside.home import told

THREADS = 16
"""More than a dashboard has panels: while each of them is renewed, what is kept goes out beside."""
KEEP_ALIVE_S = 75
"""Longer than clients keep a connection: who closes first takes an answer from the other."""
GENTLE = 10
"""What prepares is nicer to the machine than what serves."""


def main() -> NoReturn:
    """Prepare in a process of its own, whose memory goes with it; then become the server."""
    prepare = [sys.executable, "-m", "infra.superset.inside.prepare"]
    done = subprocess.run(["nice", "-n", str(GENTLE), *prepare], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    options = ["--bind", f"127.0.0.1:{told()['port']}", "--workers", "1", "--timeout", "120"]
    options += ["--worker-class", "gthread", "--threads", str(THREADS), "--log-level", "warning"]
    options += ["--keep-alive", str(KEEP_ALIVE_S)]
    server = [sys.executable, "-m", "gunicorn", *options, "superset.app:create_app()"]
    os.execv(sys.executable, server)  # noqa: S606 - there is no shell to start


if __name__ == "__main__":
    main()
