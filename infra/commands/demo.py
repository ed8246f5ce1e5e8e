"""`headwater demo`: the stack, a mixed fleet with faults, and where to look."""

import subprocess
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from infra.demo.answers import show_answers
from infra.demo.figures import GOLD, Watch
from infra.demo.screen import screen
from infra.services import service_names
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater demo                          until Ctrl-C
  headwater demo --for 60 --rate 1000     ends by itself and leaves the stack up
  headwater demo --light                  no Kafka, no Trino, under 2 GiB
"""
SETTLE_S = 30
FIRST = "kafka,streams"
LAST = "superset"


@click.command(epilog=EXAMPLES)
@click.option("--light", is_flag=True, help="The small stack: spool instead of Kafka, no Trino.")
@click.option("--devices", default=200, show_default=True, help="Devices of the fleet.")
@click.option("--rate", default=200, show_default=True, help="Messages a second.")
@click.option("--for", "for_s", type=float, help="End after so many seconds; default: Ctrl-C.")
def demo(light: bool, devices: int, rate: int, for_s: float | None) -> None:
    """Start the stack, run a mixed fleet with faults, and show the tables fill."""
    settings = Settings()
    console = Console(stderr=True)
    _headwater("up", *(["--light"] if light else ["--only", FIRST]))
    folder = settings.home / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    ledger = folder / f"ledger-{int(time.time())}.ndjson"
    fleet = _fleet(devices, rate, ledger)
    rest = None if light else _rest(settings, folder)
    try:
        _watch(settings, console, ledger, for_s, rest)
    except KeyboardInterrupt:
        console.print("stopping: the fleet first, then the stack; the tables stay")
    finally:
        for process in (fleet, rest):
            _stop(process)
    if for_s is None:
        _headwater("down")


def _rest(settings: Settings, folder: Path) -> subprocess.Popen[bytes]:
    """Start what the first rows can do without, while they flow."""
    names = [name for name in service_names(settings, "full") if name != LAST]
    with (folder / "up.log").open("wb") as log:
        command = [sys.executable, "-m", "infra.cli", "up", "--only", ",".join(names)]
        return subprocess.Popen(command, stdout=log, stderr=log)


def _dashboards(settings: Settings, console: Console) -> subprocess.Popen[bytes] | None:
    """Start Superset once the answers are shown: nobody waits for it."""
    if LAST not in service_names(settings, "full"):
        return None
    console.print(
        "\nDashboards follow: `headwater status` says when, `headwater dashboards logins`"
        " with which password",
        highlight=False,
    )
    nothing = subprocess.DEVNULL
    command = [sys.executable, "-m", "infra.cli", "up"]
    return subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing)


def _headwater(*arguments: str) -> None:
    """Run a command of ours; leave with its exit code if it fails."""
    done = subprocess.run([sys.executable, "-m", "infra.cli", *arguments])
    if done.returncode:
        raise click.exceptions.Exit(done.returncode)


def _fleet(devices: int, rate: int, ledger: Path) -> subprocess.Popen[bytes]:
    """Start the simulator in a session of its own, so that Ctrl-C reaches us first."""
    fleet = [sys.executable, "-m", "simulator", "simulate", "mixed", "--for", "24h"]
    fleet += ["--devices", str(devices), "--rate", str(rate), "--seed", "7"]
    log = (ledger.parent / "simulator.log").open("wb")
    return subprocess.Popen(
        [*fleet, "--ledger", str(ledger)], stdout=log, stderr=log, start_new_session=True
    )


def _stop(process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()


def _watch(
    settings: Settings,
    console: Console,
    ledger: Path,
    for_s: float | None,
    rest: subprocess.Popen[bytes] | None,
) -> None:
    """Show the flow; once it has settled, answer the questions; then go on until the end."""
    watch, started = Watch(settings, ledger), time.monotonic()
    _live(watch, console, started, SETTLE_S, rest)
    _expect_up(rest, ledger.parent)
    show_answers(settings, console)
    last = _dashboards(settings, console) if rest is not None else None
    try:
        while for_s is None or time.monotonic() - started < for_s:
            _live(watch, console, started, for_s, rest)
    finally:
        _stop(last)


def _expect_up(rest: subprocess.Popen[bytes] | None, folder: Path) -> None:
    """Leave with what `up` said if the rest of the stack did not start."""
    if rest is not None and rest.returncode:
        click.echo((folder / "up.log").read_text(), err=True)
        raise click.exceptions.Exit(rest.returncode)


def _live(
    watch: Watch,
    console: Console,
    started: float,
    until_s: float | None,
    rest: subprocess.Popen[bytes] | None,
) -> None:
    """Redraw every second until `until_s` after the start, gold has rows, and the rest is up."""
    with Live(console=console, auto_refresh=False) as live:
        while True:
            figures = watch.look()
            elapsed_s = time.monotonic() - started
            starting = rest is not None and rest.poll() is None
            live.update(screen(figures, elapsed_s=elapsed_s, starting=starting), refresh=True)
            shown = not starting and any(figures.rows[name] for name in GOLD)
            if until_s is not None and elapsed_s >= until_s and shown:
                return
            time.sleep(1)
