"""A full disk beneath each part of a stack in turn: broker's log, tables, checkpoints, spool.

`make test-faults-full` runs it; it needs Linux, and root or user namespaces.
"""

import sys
import tempfile
from pathlib import Path

from infra.drills.disks import run_apart
from infra.drills.ending import orderly

PARTS = {
    "kafka/data": ("--stack", "full"),
    "lake": ("--stack", "full"),
    "checkpoints": ("--stack", "full"),
    "spool": ("--stack", "light"),
}


def main() -> int:
    """Fill one after another; each must heal, with every promise kept."""
    parts = sys.argv[1:] or list(PARTS)
    with orderly():
        failed = [part for part in parts if not _is_passed(part)]
    return 1 if failed else 0


def _is_passed(part: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="headwater-disk-") as folder:
        found = run_apart("disk-full", Path(folder), *PARTS[part], "--on", part)
    said = f"healed after {found['heal_s']} s" if found["passed"] else found["complaints"]
    sys.stderr.write(f"full disk beneath {part}: {said}\n")
    return bool(found["passed"])


if __name__ == "__main__":
    sys.exit(main())
