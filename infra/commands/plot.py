"""`headwater plot`: a series as a picture."""

import re
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import click

from infra.plotting.answers import SERVED, Answers
from infra.plotting.chart import Chart, Line, Panel
from infra.plotting.coverage import drawn_span, undrawn
from infra.plotting.picture import saved
from infra.plotting.series import RAW, WINDOWS, Asked, Extent, Series
from infra.plotting.terminal import drawn
from infra.service_client import open_queries
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

Source = Series | Answers
KINDS = {RAW: "readings", SERVED: "extremes kept"}
BETWEEN = re.compile(r"(?<!\\),")
"""A comma between names; one within a name stands behind a backslash."""
EXAMPLES = """\b
Examples:
  headwater plot air.city "C6H6(GT)" --window day
  headwater plot meter.10006414 general_supply_kwh --from 2012-03-01 --to 2012-03-08
  headwater plot pump.p1,pump.p2 pressure,temperature --png pumps.png
  headwater plot pump.p1,pump.p2 pressure --service
  headwater plot pump.p1 pressure --service=http://queries.example:18009
  headwater plot pump.p1 'pressure\\, inlet'

A line is broken where there are no readings. Windows show the mean; the picture shades from the
least to the greatest value. Several devices share a panel, each unit has its own. The tables are
read where they lie, in the light stack too, and what gold has no windows of yet is named: --window
raw draws it. --service asks the query service instead, which thins what is long and keeps every
extreme. Its key is HEADWATER_REGISTRY_KEY, or the one of this home. A comma within a name stands
behind a backslash.
"""


@click.command(epilog=EXAMPLES)
@click.argument("device")
@click.argument("metric")
@click.option("--from", "since", help="First event time, ISO; UTC unless it names a zone.")
@click.option("--to", "until", help="Event time before which to end.")
@click.option("--window", type=click.Choice(WINDOWS), help="Default: what suits the span.")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Save a picture.")
@click.option(
    "--service",
    is_flag=False,
    flag_value="",
    metavar="[URL]",
    help="Ask the query service of this home, or the one at URL, not the tables.",
)
@click.option("--tenant", default="default", show_default=True, help="Whose devices.")
def plot(device: str, metric: str, *, tenant: str, png: Path | None, **given: str | None) -> None:
    """Plot METRIC of DEVICE, or several of each with commas between."""
    since, until = _moment("--from", given["since"]), _moment("--to", given["until"])
    if since and until and since >= until:
        raise click.UsageError("--from must be before --to")
    asked = [
        Asked(one, name, since, until, tenant)
        for name, one in product(_names(metric), _names(device))
    ]
    chart = _chart(*_source(given["service"], given["window"]), asked)
    if png is None:
        click.echo(drawn(chart))
        return
    saved(chart, png)
    click.echo(png)


def _source(service: str | None, window: str | None) -> tuple[Source, str | None]:
    """Return where series are read, and in which windows; None: what the source chooses."""
    settings = Settings()
    if service is None:
        return Series(settings.lake_root), window
    if window:
        raise click.UsageError("--service chooses the windows itself: leave out --window")
    return Answers(open_queries(settings, service or None)), None


def _names(text: str) -> list[str]:
    parts = [part.replace("\\,", ",") for part in BETWEEN.split(text)]
    names = [name.strip() for name in parts if name.strip()]
    if not names:
        raise click.UsageError(f"{text!r} names nothing")
    return list(dict.fromkeys(names))


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"{option} {text!r} is no ISO time: 2026-11-21T08:00") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _chart(series: Source, window: str | None, asked: list[Asked]) -> Chart:
    extents = _extents(series, asked)
    width = window or series.window_for(extents)
    lines = {one: series.line(one, width, _label(one, asked)) for one in extents}
    panels = _panels(lines, extents, width)
    for one, line in lines.items():
        for part in undrawn(line, extents[one], width):
            click.echo(f"left out: {one.metric} of {one.device} {part}", err=True)
    first, last = drawn_span([(line, extents[one]) for one, line in lines.items()], width)
    subjects = (
        dict.fromkeys(one.device for one in extents),
        dict.fromkeys(one.metric for one in extents),
    )
    names = " of ".join(", ".join(subject) for subject in reversed(subjects))
    kind = KINDS.get(width) or f"mean by {width.replace('_', ' ')}"
    title = f"{names}, {kind}, {_span(first, last)} UTC"
    return Chart(title, panels)


def _panels(
    lines: dict[Asked, Line], extents: dict[Asked, Extent], width: str
) -> tuple[Panel, ...]:
    """Return a panel for each unit; a line with nothing at this width is left out with a word."""
    found: dict[str, list[Line]] = {}
    for one, line in lines.items():
        if line.times:
            found.setdefault(_axis(one, extents[one], list(lines)), []).append(line)
    if not found and width == RAW:
        raise HeadwaterError("no readings of that are kept any more: leave out --window raw")
    if not found:
        raise HeadwaterError(f"gold has no {width} windows of that yet: wait, or --window raw")
    lacks = f"{width} windows with numbers: --window raw" if width != RAW else "readings any more"
    for one in (one for one, line in lines.items() if not line.times):
        click.echo(f"left out: {one.metric} of {one.device} has no {lacks}", err=True)
    return tuple(Panel(axis, tuple(lines)) for axis, lines in found.items())


def _extents(series: Source, asked: list[Asked]) -> dict[Asked, Extent]:
    """Return the extent of each series; a few that have nothing are left out with a word."""
    extents: dict[Asked, Extent] = {}
    errors: list[HeadwaterError] = []
    for one in asked:
        try:
            extents[one] = series.extent(one)
        except HeadwaterError as problem:
            errors.append(problem)
    if not extents:
        raise errors[0]
    for error in errors:
        click.echo(f"left out: {error}", err=True)
    for one in (one for one, extent in extents.items() if extent.is_part):
        click.echo(
            f"left out: a part of {one.metric} of {one.device}, which is too much for one answer,"
            " no more there or of another type: ask for less of it with --from and --to",
            err=True,
        )
    for one, extent in extents.items():
        if extent.texts:
            told = f"{extent.texts:,} readings of {one.metric} of {one.device} that are text"
            click.echo(f"left out: {told}", err=True)
    return extents


def _label(one: Asked, asked: list[Asked]) -> str:
    metrics = {other.metric for other in asked}
    return one.device if len(metrics) == 1 else f"{one.device} {one.metric}"


def _axis(one: Asked, extent: Extent, asked: list[Asked]) -> str:
    """Return the name of the axis: metrics with one unit share it, those without are alone."""
    if len({other.metric for other in asked}) > 1 and extent.unit:
        return extent.unit
    return f"{one.metric} in {extent.unit}" if extent.unit else one.metric


def _span(first: datetime, last: datetime) -> str:
    if first.date() == last.date():
        return f"{first:%Y-%m-%d %H:%M} to {last:%H:%M}"
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
