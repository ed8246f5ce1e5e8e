"""`simulate`: a seeded fleet with faults, sent into the running stack."""

import gc
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import click

from edge.device_outbox import DeviceOutbox
from edge.open_files import allow_open_files
from edge.outbox import Outbox, OutboxError
from edge.outboxes import open_device_outbox, open_outbox
from edge.registry_files import RegistryFiles
from simulator.faults import FAULTS
from simulator.fleet import build_fleet, enrol
from simulator.groups import Groups
from simulator.ledger_file import LedgerFile
from simulator.measurements import Run
from simulator.options import Options, RateType, SecondsType
from simulator.progress import Progress, summary
from simulator.scenarios import SINGLE_FAULT_RATE, load_scenario, scenario_names
from simulator.sending import Hooks, Sending, Totals
from simulator.timeline import check_labels, past_of, since_monday_us
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

COLLECT_AFTER = 5_000_000
"""Objects: the collector would else go through all messages underway again and again."""
EPILOG = """\b
Examples:
  headwater simulate list
  headwater simulate mixed --devices 100 --rate 200 --for 5min --ledger ledger.ndjson
  headwater simulate schema-change --devices 50 --rate 100 --for 2min --seed 7
  headwater simulate clock_1970 --devices 20 --rate 20 --for 30s
  headwater simulate mixed --first 1000 --ledger b.ndjson      beside another fleet
  headwater simulate mixed --devices 10000 --rate 2000 --for 5min --via mqtt
  headwater verify ledger.ndjson
  headwater simulate theft --devices 100000 --rate 6667 --for 1h --ledger theft.ndjson
  headwater simulate theft --devices 100 --rate 4000 --for 51s --over 42d --ledger theft.ndjson

Same scenario, devices, rate, length and seed: same messages, but for their times and the boot,
which is made of the start's time. Every message's fate is in the ledger before it is sent.
Scenarios with truth (theft, wear, traffic, quality) also say there what truly goes wrong, follow
the hours of the calendar, and can tell of weeks in a minute: --over.
"""


@click.command(epilog=EPILOG)
@click.argument("scenario")
@click.option("--devices", default=100, show_default=True, type=click.IntRange(1, 10_000_000))
@click.option(
    "--first",
    default=0,
    show_default=True,
    type=click.IntRange(0, 10_000_000),
    help="number of the first devices: fleets side by side need devices of their own",
)
@click.option("--rate", default="100", show_default=True, type=RateType(), help="messages a second")
@click.option("--for", "seconds", default="1min", show_default=True, type=SecondsType())
@click.option(
    "--messages",
    type=click.IntRange(0),
    help="stop after so many, not after a time; 0: enrol the fleet alone",
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--ledger", type=click.Path(path_type=Path), help="append what is sent and acked")
@click.option(
    "--via",
    type=click.Choice(["mqtt", "http", "coap"]),
    help="as devices through the gateway, each by its own connection or requests",
)
@click.option(
    "--over",
    type=SecondsType(),
    help="tell of so much of the past, spread over the messages",
)
@click.option("--quiet", is_flag=True, help="no progress on stderr")
def simulate(scenario: str, **options: object) -> None:
    """Send a fleet's messages; SCENARIO is a name, or `list` to see them all.

    Prints one JSON object when done. Exit code 1 if a message was not acknowledged.
    """
    if scenario == "list":
        click.echo(listing())
        return
    chosen = Options(scenario=load_scenario(scenario), **options)  # type: ignore[arg-type]
    progress = Progress(scenario, quiet=chosen.quiet)
    totals, failure = execute(chosen, Settings(), progress)
    result = {
        "scenario": scenario,
        "seed": chosen.seed,
        "devices": chosen.devices,
        **summary(totals, progress),
        "ledger": str(chosen.ledger) if chosen.ledger else None,
    }
    click.echo(json.dumps(result))
    if failure is not None:
        raise failure


def listing() -> str:
    """Return the scenarios with their descriptions, then the faults that are scenarios too."""
    named = {name: load_scenario(name).description for name in scenario_names()}
    from_faults = {name: fault.meaning for name, fault in FAULTS.items()}
    lines = [f"{name:18} {text}" for name, text in named.items()]
    lines += ["", f"One kind of fault alone, in {SINGLE_FAULT_RATE:.0%} of the messages:"]
    lines += [f"{name:18} {text}" for name, text in from_faults.items()]
    return "\n".join(lines)


def execute(
    options: Options, settings: Settings, progress: Progress
) -> tuple[Totals, HeadwaterError | None]:
    """Enrol the fleet and run it to its end; return the totals and what stopped it."""
    totals, failure = Totals(), None
    gc.set_threshold(COLLECT_AFTER)
    is_stopped = _stop_on_signals()
    try:
        with LedgerFile(options.ledger) as ledger, _opened(options, settings) as outbox:
            run, prepare = _run(options, settings)
            if not run.total:
                return totals, None
            if isinstance(outbox, DeviceOutbox):
                totals.connections = outbox.connections
                names = [device.device_full for device in run.fleet.devices]
                outbox.connect(names, progress.connecting(len(names)), is_stopped)
            sending = Sending(Groups(run), outbox, ledger, totals)
            sending.run(options.pace, Hooks(prepare, progress.show, is_stopped))
            if totals.timed_out:
                raise OutboxError(f"{totals.timed_out:,} messages had no answer in two minutes")
    except HeadwaterError as error:
        failure = error
    progress.end()
    return totals, failure


def _opened(options: Options, settings: Settings) -> Outbox:
    if options.via is None:
        return open_outbox(settings)
    allow_open_files(options.devices)
    return open_device_outbox(settings, options.via)


def _run(options: Options, settings: Settings) -> tuple[Run, Callable[[int], None]]:
    fleet = build_fleet(options.scenario, options.devices, options.seed, options.first)
    registry = RegistryFiles(settings.registry_dir)
    upgrade = options.scenario.upgrade
    check_labels(options)
    products = enrol(fleet, registry, upgraded=upgrade is None)
    now = time.time_ns() // 1000
    past = past_of(options, products.values(), now)
    is_live = options.scenario.truth is not None and past is None
    run = Run(
        scenario=options.scenario,
        fleet=fleet,
        products=products,
        boot=f"b{now // 1000:x}",
        seed=options.seed,
        rate=options.nominal_rate,
        total=options.total,
        tolerance=round(settings.clock_tolerance_s * 1_000_000),
        past=past,
        week_s=since_monday_us(now) / 1_000_000 if is_live else 0.0,
    )
    changes = [] if upgrade is None else [int(upgrade[0] * options.total)]

    def prepare(due: int) -> None:
        if changes and due > changes[0]:
            changes.clear()
            enrol(fleet, registry, upgraded=True)

    return run, prepare


def _stop_on_signals() -> Callable[[], bool]:
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    return lambda: bool(received)
