"""`headwater drill`: rehearses a fault on the running stack."""

import json

import click
from rich.table import Table
from rich.text import Text

from infra.console import table_console
from infra.drills.course import ground_of, hold, wait_until_well
from infra.drills.disks import run_apart
from infra.drills.drill import Drill
from infra.drills.drills import ALL, DRILLS
from infra.drills.ending import orderly
from infra.drills.fault import Fault, noted, under_way, undo_faults
from infra.drills.ground import RATE
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

DOES = "\n\n".join(f"{each.name}: {each.does}." for each in ALL)
HELP = f"""\b
Examples:
  headwater drill                      list the drills
  headwater drill driver-crash         hold one
  headwater drill poison --json
  headwater drill broker-crash --rate 1000

\b
A drill sends messages of a product of its own, `drill`, makes its fault, waits until all is well,
then compares every message with its ledger. Its rows stay under that product; nothing else is
touched. It needs a quiet stack: what others send is lag to it as well. disk-full alone
has a stack of its own, since a full disk would harm yours. Broken off, a drill undoes its fault;
killed by SIGKILL, the next drill or `headwater up` does, and `headwater status` says so.
What to do when it is no drill: docs/runbooks/.

What each does:

{DOES}
"""


@click.command(epilog=HELP)
@click.argument("name", required=False)
@click.option(
    "--rate",
    type=click.IntRange(min=1),
    default=RATE,
    show_default=True,
    help="Messages a second that its fleet sends.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def drill(ctx: click.Context, name: str | None, rate: int, as_json: bool) -> None:
    """Hold drill NAME on the running stack, or list them; exit 1 if it is not passed."""
    if name is None:
        click.echo(_listing(as_json=as_json))
        return
    if name not in DRILLS:
        raise click.UsageError(f"no drill {name!r}; there are {', '.join(DRILLS)}")
    found = _held(DRILLS[name], rate)
    click.echo(json.dumps(found, indent=2)) if as_json else table_console().print(_table(found))
    ctx.exit(0 if found["passed"] else 1)


def _listing(*, as_json: bool) -> str:
    if as_json:
        listed = [{"name": each.name, "line": each.line, "does": each.does} for each in ALL]
        return json.dumps(listed, indent=2)
    return "\n".join(f"{each.name:16} {each.line}" for each in ALL)


def _held(drill: Drill, rate: int) -> dict[str, object]:
    def say(text: str) -> None:
        click.echo(f"{drill.name}: {text}", err=True)

    settings = Settings()
    if other := under_way(settings.home):
        raise HeadwaterError(
            f"the drill {other} is held in {settings.home}, and two at once would take each other's"
            " faults for their own: wait until it has ended"
        )
    if undo_faults(settings.home, say):
        wait_until_well(settings)
    ground = ground_of(settings, drill, say, rate=rate)
    fault = Fault(drill.name, drill.does, drill.stops, ground.folder)
    with orderly(), noted(fault):
        if drill.is_apart:
            return run_apart(drill.name, ground.folder, "--rate", str(rate))
        return hold(drill, ground).as_dict()


def _table(found: dict[str, object]) -> Table:
    verdict = found["verdict"]
    counts = verdict if isinstance(verdict, dict) else {}
    table = Table("figure", "value", title="passed" if found["passed"] else "NOT PASSED")
    healed = "not healed" if found["heal_s"] is None else found["heal_s"]
    table.add_row("seconds to heal", f"{healed} (at most {found['heal_within_s']})")
    for name in ("sent", "acked", "lost", "duplicate", "phantom", "altered", "misplaced", "gold"):
        table.add_row(name, str(counts.get(name, "-")))
    complaints = found["complaints"]
    for complaint in complaints if isinstance(complaints, list) else []:
        table.add_row(Text("wrong", "red"), str(complaint))
    return table
