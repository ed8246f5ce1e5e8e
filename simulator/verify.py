"""`verify`: hold the lake against the ledger of what was sent."""

import json
import time
from datetime import timedelta
from pathlib import Path

import click

from edge.registry_files import RegistryFiles
from simulator.options import SecondsType
from simulator.scoring.idle import wait_until_taken_up
from simulator.scoring.lake import LakeFiles
from simulator.scoring.ledgers import check_readable
from simulator.scoring.score import registered_sentinels, score
from simulator.scoring.verdict import Verdict, table
from telemetry.settings import Settings

EPILOG = """\b
Examples:
  headwater verify ledger.ndjson
  headwater verify monday.ndjson tuesday.ndjson --json
  headwater verify ledger.ndjson --timeout 0        do not wait for the streams

\b
lost        acknowledged, but in no table of silver, or a reading of it is missing
duplicate   one key twice in silver.readings and silver.late
phantom     from the ledger's devices, in the ledger's time, but never sent
altered     other bytes, other values or another event time than was sent
misplaced   in another table, or for another reason, than the ledger expects
gold wrong  a window that is not what its rows in silver make

\b
No broken promise is what a gateway stored twice (as Kafka had it, and said so too late): both
copies in bronze are of one arrival, by the headers received_at and gateway, and silver has one.

\b
Of ledgers with labels (simulate theft, wear, traffic, quality) also how well detection did: an
alarm of the device within [from, to + grace] finds a label, several of one label count once.
"""


LAST = ("gold",)
"""The stream that has something to do when all others are done."""
AGAIN_S = 15.0
"""Left of the timeout, so that looking again is worth it."""
BUSY = (
    "note: others still send, so what is missing may only be on its way: ask again when they have"
    " stopped, or give it longer: --timeout"
)
OTHERS = (
    "note: phantoms are another fleet's where it has the same devices: give its ledger too, or let"
    " it begin at other ones: simulate --first 1000"
)


@click.command(epilog=EPILOG)
@click.argument("ledgers", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@click.option("--timeout", default=120.0, show_default=True, help="seconds to wait; 0: do not")
@click.option(
    "--grace",
    default="1h",
    show_default=True,
    type=SecondsType(may_be_zero=True),
    help="an alarm so long after a label's end still finds it",
)
@click.pass_context
def verify(
    context: click.Context,
    ledgers: tuple[Path, ...],
    as_json: bool,
    timeout: float,
    grace: float,
) -> None:
    """Wait until the streams have taken up what is there, then compare every message and reading.

    Exit code 1 if a promise is broken. The lake is only read.
    """
    check_readable(list(ledgers))
    found, is_still = _judged(Settings(), list(ledgers), timeout, timedelta(seconds=grace))
    click.echo(json.dumps(found.as_dict()) if as_json else table(found))
    if not found.ok and not is_still:
        click.echo(BUSY, err=True)
    if found.phantom:
        click.echo(OTHERS, err=True)
    context.exit(0 if found.ok else 1)


def _judged(
    settings: Settings, ledgers: list[Path], timeout: float, grace: timedelta
) -> tuple[Verdict, bool]:
    """Return the verdict, and whether the streams were idle; a bad one of busy ones is retried."""
    give_up = time.monotonic() + timeout
    spools = [home / "spool" / "segments" for home in (settings.gateway_dir, settings.bridge_dir)]
    sentinels = registered_sentinels(RegistryFiles(settings.registry_dir))
    while True:
        left = give_up - time.monotonic()
        is_still = timeout <= 0 or wait_until_taken_up(
            settings.progress_dir, left, needs=LAST, spools=spools
        )
        found = score(LakeFiles(settings.lake_root), ledgers, sentinels, grace)
        if found.ok or is_still or give_up - time.monotonic() < AGAIN_S:
            return found, is_still
