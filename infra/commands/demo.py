"""`headwater demo`: the stack, a mixed fleet with faults, and where to look."""

import signal
import subprocess
import sys
import time

import click
from rich.console import Console

from infra.demo.beside import Beside, first_services
from infra.demo.figures import Watch
from infra.demo.showing import Showing
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater demo                          until Ctrl-C
  headwater demo --for 60 --rate 1000     ends by itself and leaves the stack up
  headwater demo --light                  no Kafka, no Trino, under 2 GiB
"""


@click.command(epilog=EXAMPLES)
@click.option("--light", is_flag=True, help="The small stack: spool instead of Kafka, no Trino.")
@click.option("--devices", type=click.IntRange(min=1), default=200, show_default=True,
              help="Devices of the fleet.")  # fmt: skip
@click.option("--rate", type=click.IntRange(min=1), default=200, show_default=True,
              help="Messages a second.")  # fmt: skip
@click.option("--for", "for_s", type=click.FloatRange(min=0),
              help="End after so many seconds; default: Ctrl-C.")  # fmt: skip
def demo(light: bool, devices: int, rate: int, for_s: float | None) -> None:
    """Start the stack, run a mixed fleet with faults, and show the tables fill."""
    settings = Settings()
    console = Console(stderr=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _headwater("up", *(["--light"] if light else ["--only", first_services(settings)]))
    folder = settings.home / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    ledger = folder / f"ledger-{int(time.time())}.ndjson"
    beside = Beside(settings, folder)
    try:
        beside.start_fleet(devices, rate, ledger)
        if not light:
            beside.start_rest()
        Showing(settings, console, Watch(settings, ledger), beside).run(for_s)
    except KeyboardInterrupt:
        console.print("stopping: the fleet first, then the stack; the tables stay")
    finally:
        beside.end()
    if for_s is None:
        _headwater("down")


def _headwater(*arguments: str) -> None:
    """Run a command of ours; leave with its exit code if it fails."""
    done = subprocess.run([sys.executable, "-m", "infra.cli", *arguments])
    if done.returncode:
        raise click.exceptions.Exit(done.returncode)
