"""`python -m infra.drills.apart NAME FOLDER`: a drill on a stack of its own, on a small disk.

The disk is in memory, and mounted in a namespace of this process: it is gone with it, whatever
happens.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from infra.drills.course import hold
from infra.drills.drills import DRILLS
from infra.drills.ending import ignore, orderly
from infra.drills.ground import RATE, Ground
from infra.probes import free_port_base
from infra.stack import Mode
from telemetry.settings import Settings

DISK_MB = 768
UP: dict[Mode, tuple[str, ...]] = {"light": ("--light",), "full": ("--only", "kafka,streams")}


def main() -> int:
    """Mount, start, drill, stop; the outcome is the last line of stdout."""
    given = _options()
    home = given.folder / "home"
    disk = home / given.on
    disk.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={DISK_MB}m", "headwater-drill", str(disk)]
    subprocess.run(["mount", *options], check=True)
    os.environ |= {"HEADWATER_HOME": str(home), "HEADWATER_PORT_BASE": str(free_port_base())}
    try:
        with orderly():
            _headwater("up", *UP[given.stack])
            ground = Ground(Settings(), given.stack, given.folder, _say, disk=disk, rate=given.rate)
            sys.stdout.write(json.dumps(hold(DRILLS[given.name], ground).as_dict()) + "\n")
    finally:
        ignore()
        _headwater("down")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[name for name, drill in DRILLS.items() if drill.is_apart])
    parser.add_argument("folder", type=Path, help="for the home, ledgers and logs")
    parser.add_argument("--stack", choices=list(UP), default="light")
    parser.add_argument("--rate", type=int, default=RATE, help="messages a second")
    parser.add_argument("--on", default="", help="the part of the home that the disk holds")
    return parser.parse_args()


def _headwater(*arguments: str) -> None:
    command = [sys.executable, "-m", "infra.cli", *arguments]
    subprocess.run(command, stdout=sys.stderr, check=True)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
