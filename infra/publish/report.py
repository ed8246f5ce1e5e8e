"""What publish tells a person on stderr: its guesses, bad lines, progress, the summary."""

import sys
import time
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from infra.publish.counts import Counts
from infra.publish.lines import BadLine
from infra.publish.options import PublishOptions
from infra.publish.plan import FilePlan
from infra.publish.table_form import DELIMITER_NAMES

SHOWN_BAD_LINES = 20
SHOWN_METRICS = 8


def say(text: str) -> None:
    """Print a line on stderr."""
    click.echo(text, err=True)


def show_plan(plan: FilePlan, options: PublishOptions) -> None:
    """Show how a file is going to be read."""
    say(f"{plan.source.name}: {_form(plan)}")
    layout = plan.layout
    device = options.device or f"{plan.source.device} (the file's name)"
    if layout is None:
        if plan.form:
            device = f"each message's own, else {device}"
        say(f"  device   {device}")
        return
    say(f"  device   {f'column {layout.device_column}' if layout.device_column else device}")
    if layout.time:
        say(f"  time     {_names(layout.time.options.columns)} ({layout.time.shown})")
    else:
        say("  time     none: the time of receipt stands for it")
    for role in ("boot", "seq", "lat", "lng"):
        if column := getattr(layout, f"{role}_column"):
            say(f"  {role:<8} {column}")
    metrics = [f"{name} ({kind})" for name, kind in layout.metrics.items()]
    more = f", and {len(metrics) - SHOWN_METRICS} more" if len(metrics) > SHOWN_METRICS else ""
    say(f"  metrics  {', '.join(metrics[:SHOWN_METRICS]) or 'none'}{more}")
    if layout.left_out:
        say(f"  left out {', '.join(layout.left_out)}")


def _names(columns: Sequence[str]) -> str:
    return " + ".join(name or "(no name)" for name in columns)


def _form(plan: FilePlan) -> str:
    if plan.form is None:
        return "raw lines, each a record"
    packed = ", gzip" if plan.source.is_gzip else ""
    if plan.table is None:
        return f"NDJSON{packed}{' of messages' if plan.layout is None else ''}"
    names = {sign: name for name, sign in DELIMITER_NAMES.items() if name.isalpha()}
    delimiter = names.get(plan.table.delimiter, plan.table.delimiter)
    header = "with a header" if plan.table.has_header else "without a header"
    comma = ", decimal comma" if plan.table.decimal_comma else ""
    return f"CSV{packed}, delimiter {delimiter}, {header}{comma}"


class Report:
    """Counts and shows what happens; a bar where stderr is a terminal, else a line at times."""

    def __init__(self, plans: Sequence[FilePlan], counts: Counts) -> None:
        self.counts = counts
        total = sum(plan.source.path.stat().st_size for plan in plans)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[shown]}"),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True, emoji=False)
        self._bar = Progress(*columns, console=console, disable=not sys.stderr.isatty())
        self._task = self._bar.add_task("publishing", total=total or None, shown="")
        self._started = time.monotonic()

    def bad(self, name: str, line: BadLine) -> None:
        """Count a line that could not be read, and report the first ones in full."""
        self.counts.bad_lines += 1
        count = self.counts.bad_lines
        if count <= SHOWN_BAD_LINES:
            self._bar.console.print(
                f"{name}, line {line.number}: {line.reason}", markup=False, soft_wrap=True
            )
        elif count == SHOWN_BAD_LINES + 1:
            self._bar.console.print("further bad lines are only counted")

    def progress(self, position: int) -> None:
        """Show how far the files are read."""
        read = self.counts.read
        rate = read / max(1e-6, time.monotonic() - self._started)
        self._bar.update(self._task, completed=position, shown=f"{read:,} lines, {rate:,.0f}/s")

    def summary(self) -> None:
        """Show what came of it."""
        counts = self.counts
        seconds = max(1e-6, time.monotonic() - self._started)
        say(
            f"{counts.published:,} of {counts.read:,} lines published and acknowledged"
            f" in {seconds:.1f} s ({counts.published / seconds:,.0f}/s),"
            f" {counts.bad_lines:,} bad lines"
        )

    def __enter__(self) -> "Report":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
