"""`headwater publish`: anybody's CSV and NDJSON become messages."""

import codecs
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack, cast, get_args

import click

from edge.kafka import KafkaOutbox
from edge.outbox import Outbox
from edge.outboxes import Via, open_device_outbox
from infra.publish.cells import number
from infra.publish.counts import Counts
from infra.publish.options import (
    FileForm,
    MetricOptions,
    PublishOptions,
    TableOptions,
    TimeOptions,
    TimeUnit,
)
from infra.publish.publishing import publish_files
from telemetry.devices import check_name
from telemetry.errors import DeviceError
from telemetry.products import NAME, MetricType
from telemetry.settings import Settings

EPILOG = """\b
Examples:
  headwater publish households.csv.gz --product meter --device-column customer_id \\
      --unit general_supply_kwh=kWh
  headwater publish air.csv --product air --device rome --sentinel -200
  headwater publish engines.txt --product engine --columns unit,cycle,s1,s2 \\
      --device-column unit --time-column cycle --time-unit min --time-start 2000-01-01
  headwater publish --raw --device d1 rubbish.bin
  generate | headwater publish - --device d1 --rate 100 --ledger sent.ndjson

What no option says is guessed from the first 10,000 lines and shown first. The result is one
JSON object on stdout; exit code 1 if a line could not be read, the rest is published.
"""


_SIGNS = b'",;|\t{}[]:+-.0123456789\n'


class Given(TypedDict):
    """The command line."""

    files: tuple[str, ...]
    product: str | None
    device: str | None
    raw: bool
    via: str | None
    rate: float | None
    ledger: Path | None
    device_column: str | None
    time_column: tuple[str, ...]
    no_time: bool
    time_unit: TimeUnit | None
    time_start: str | None
    time_format: str | None
    time_zone: str
    metric_column: tuple[str, ...]
    types: tuple[tuple[str, str], ...]
    units: tuple[tuple[str, str], ...]
    sentinel: tuple[str, ...]
    missing: tuple[str, ...]
    form: FileForm | None
    delimiter: str | None
    columns: tuple[str, ...]
    header: bool | None
    encoding: str


class Pairs(click.ParamType[tuple[str, str]]):
    """`COLUMN=VALUE`; a column's name may hold `=`, a value may not."""

    name = "column=value"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split at the last `=`."""
        column, equals, text = str(value).rpartition("=")
        if not equals or not column or not text:
            self.fail(f"{value!r}: write COLUMN=VALUE", param, ctx)
        return column, text


class Names(click.ParamType[tuple[str, ...]]):
    """Names with commas between them."""

    name = "a,b,…"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split at the commas; a default is split already."""
        if isinstance(value, tuple):
            return value
        return tuple(name.strip() for name in str(value).split(","))


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(
    exists=True, dir_okay=False, readable=True, allow_dash=True))  # fmt: skip
@click.option("--product", help="Product of the devices; a new one is enrolled as history.")
@click.option("--device", help="Device of all lines; with a dot it is a full name.")
@click.option("--raw", is_flag=True, help="Each line's bytes are one record, untouched.")
@click.option("--via", type=click.Choice(["kafka", "http", "mqtt", "coap"]),
              help="Where to send; default Kafka or the spool, by how the stack runs.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Messages a second.")
@click.option("--ledger", type=click.Path(path_type=Path, dir_okay=False),
              help="Append what was sent and acknowledged, for `verify`.")  # fmt: skip
@click.option("--device-column", help="Column of the device's name.")
@click.option("--time-column", type=Names(), default=(), help="Column of the time, or Date,Time.")
@click.option("--no-time", is_flag=True, help="Take no column as time.")
@click.option("--time-unit", type=click.Choice(get_args(TimeUnit)), help="Unit of numeric times.")
@click.option("--time-start", help="ISO time that counts start from; default 1970-01-01.")
@click.option("--time-format", help="strptime format, such as %d.%m.%Y %H:%M.")
@click.option("--time-zone", default="UTC", show_default=True, help="Zone of times without one.")
@click.option("--metric-column", multiple=True, help="A metric; without any, all other columns.")
@click.option("--type", "types", type=Pairs(), multiple=True,
              help="A metric's type: double, int, string or bool.")  # fmt: skip
@click.option("--unit", "units", type=Pairs(), multiple=True, help="A metric's unit.")
@click.option("--sentinel", multiple=True, help="A value that means no reading, such as -200.")
@click.option("--missing", multiple=True, help="A cell that means empty, such as NA.")
@click.option("--form", type=click.Choice(get_args(FileForm)), help="The form of the files.")
@click.option("--delimiter", help="One character, tab, or space for any white space.")
@click.option("--columns", type=Names(), default=(), help="Names for a file without a header.")
@click.option("--header/--no-header", default=None, help="Whether the first line has the names.")
@click.option("--encoding", default="utf-8", show_default=True, help="Encoding of CSV.")
def publish(**given: Unpack[Given]) -> None:
    """Publish FILE… (CSV or NDJSON, .gz too, - for stdin) as messages; wait until all are safe."""
    options = publish_options(given)
    settings = Settings()
    counts = Counts()
    opened = _way(given["via"], settings)
    try:
        publish_files(given["files"], options, settings, counts, opened)
    finally:
        if counts.has_begun:
            click.echo(json.dumps(counts.result()))
    if counts.bad_lines:
        click.get_current_context().exit(1)


def _way(via: str | None, settings: Settings) -> Callable[[], Outbox] | None:
    """Return what opens the way that `--via` names; None for the one that the stack runs by."""
    if via is None:
        return None
    if via == "kafka":
        return partial(KafkaOutbox, settings.kafka_bootstrap)
    return partial(open_device_outbox, settings, cast(Via, via))


def publish_options(given: Given) -> PublishOptions:
    """Return the options of the command line; raise `UsageError` where they contradict."""
    _check(given)
    return PublishOptions(
        product=given["product"],
        device=given["device"],
        device_column=given["device_column"],
        raw=given["raw"],
        rate=given["rate"],
        ledger=given["ledger"],
        time=_time_options(given),
        table=TableOptions(
            form=given["form"],
            delimiter=given["delimiter"],
            columns=given["columns"],
            has_header=given["header"],
            encoding=_encoding(given["encoding"]),
        ),
        metric=_metric_options(given),
    )


def _check(given: Given) -> None:
    product, device = given["product"], given["device"]
    if product is not None and not NAME.fullmatch(product):
        raise click.UsageError(f"--product {product!r}: use letters, digits, _ - :")
    if device is not None:
        _check_device(device, product)
    if given["raw"] and not device:
        raise click.UsageError("--raw needs --device: the lines are not looked into")
    if given["raw"] and (given["device_column"] or given["time_column"] or given["metric_column"]):
        raise click.UsageError("--raw sends lines untouched: it takes no columns")
    if given["rate"] and not math.isfinite(given["rate"]):
        raise click.UsageError("--rate: so many a second; without it, as many as will go")
    if given["no_time"] and given["time_column"]:
        raise click.UsageError("--no-time and --time-column contradict")
    if given["time_unit"] and len(given["time_column"]) != 1:
        raise click.UsageError("--time-unit needs --time-column, and one column")
    if (given["sentinel"] or given["units"]) and not (product or "." in (device or "")):
        raise click.UsageError("--sentinel and --unit are of a product: name it with --product")


def _check_device(device: str, product: str | None) -> None:
    named = device.partition(".")[0] if "." in device else None
    if named and product and named != product:
        raise click.UsageError(f"--device {device} is of product {named}, not of {product}")
    try:
        check_name(device)
    except DeviceError as error:
        raise click.UsageError(f"--device: {error}") from error


def _time_options(given: Given) -> TimeOptions:
    start = given["time_start"]
    try:
        since = datetime.fromisoformat(start) if start else None
    except ValueError as error:
        raise click.UsageError(f"--time-start {start!r} is no ISO time: 2000-01-01") from error
    return TimeOptions(
        columns=given["time_column"],
        unit=given["time_unit"],
        start=since.replace(tzinfo=since.tzinfo or UTC) if since else None,
        format=given["time_format"],
        zone=given["time_zone"],
        is_left_out=given["no_time"],
    )


def _metric_options(given: Given) -> MetricOptions:
    known = get_args(MetricType)
    for column, kind in given["types"]:
        if kind not in known:
            raise click.UsageError(f"--type {column}={kind}: write {', '.join(known)}")
    return MetricOptions(
        columns=given["metric_column"],
        types={column: cast(MetricType, kind) for column, kind in given["types"]},
        units=dict(given["units"]),
        sentinels=tuple(_sentinel(text) for text in given["sentinel"]),
        missing=given["missing"],
    )


def _sentinel(text: str) -> float | str:
    found = number(text)
    return text if found is None else found


def _encoding(name: str) -> str:
    """Return an encoding in which lines and cells are parted by the bytes that part ASCII's."""
    try:
        found = codecs.lookup(name).name
    except LookupError as error:
        raise click.UsageError(f"--encoding {name!r} is not known: utf-8, latin-1 …") from error
    try:
        is_fitting = _SIGNS.decode(found) == _SIGNS.decode("ascii")
    except (LookupError, ValueError):
        is_fitting = False
    if not is_fitting:
        fix = f"iconv -f {name} -t utf-8 FILE | headwater publish -"
        raise click.UsageError(f"--encoding {name!r} has no lines to be read one by one: {fix}")
    return found
