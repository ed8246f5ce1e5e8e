"""`verify`: hold the lake against the ledger of what was sent."""

import json
from datetime import timedelta
from pathlib import Path

import click

from edge.registry_files import RegistryFiles
from simulator.options import SecondsType
from simulator.scoring.idle import wait_until_idle
from simulator.scoring.lake import LakeFiles
from simulator.scoring.score import registered_sentinels, score
from simulator.scoring.verdict import table
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
Of ledgers with labels (simulate theft, wear, traffic, quality) also how well detection did: an
alarm of the device within [from, to + grace] finds a label, several of one label count once.
"""


LAST = ("gold",)
"""The stream that has something to do when all others are done."""


@click.command(epilog=EPILOG)
@click.argument("ledgers", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@click.option("--timeout", default=120.0, show_default=True, help="seconds to wait; 0: do not")
@click.option(
    "--grace",
    default="1h",
    show_default=True,
    type=SecondsType(),
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
    """Wait until the streams are idle, then compare every message and reading.

    Exit code 1 if a promise is broken. The lake is only read.
    """
    settings = Settings()
    if timeout > 0:
        wait_until_idle(settings.progress_dir, timeout, needs=LAST)
    sentinels = registered_sentinels(RegistryFiles(settings.registry_dir))
    found = score(LakeFiles(settings.lake_root), list(ledgers), sentinels, timedelta(seconds=grace))
    click.echo(json.dumps(found.as_dict()) if as_json else table(found))
    context.exit(0 if found.ok else 1)
