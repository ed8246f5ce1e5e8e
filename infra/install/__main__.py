"""`python3 -m infra.install [main|dev]`: make this checkout ready to run; quick when it is."""

import sys
import time
from pathlib import Path

from infra.install.environment import Environment, install_packages
from infra.install.java import install_java
from infra.install.system import InstallError, say

CHECKOUT = Path(__file__).parents[2]


def main(lock: str) -> int:
    """Install what is missing; return the exit code."""
    started = time.monotonic()
    environment = Environment(CHECKOUT, CHECKOUT / ".venv")
    try:
        is_changed = install_packages(environment, lock)
        is_changed |= install_java(environment)
    except InstallError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("stopped; run the same command again to go on")
        return 130
    if is_changed:
        say(f"installed in {time.monotonic() - started:.0f} s: .venv/bin/headwater is ready")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "main"))
