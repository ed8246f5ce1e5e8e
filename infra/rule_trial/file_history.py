"""The history of files that people have: CSV as `headwater detect` reads it, with a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from detection.rules.columns import COLUMNS
from detection.tables import Form, all_rows, batches, form_of, numbers
from infra.publish.layout import DEVICE_NAMES, TIME_NAMES
from infra.publish.options import TimeOptions
from infra.publish.times import ReadTime, guess_time_form, time_reader
from telemetry.errors import HeadwaterError
from telemetry.rules.rule import Rule

AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class FileColumns:
    """Which columns hold what; None is guessed."""

    time: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class FileHistory:
    """What a rule watches in files, one after another in time, whatever its product and zone."""

    files: Sequence[Path]
    rule: Rule
    columns: FileColumns = FileColumns()

    def pieces(self) -> Iterator[pl.DataFrame]:
        """Yield rows as silver would hold them; a row whose time cannot be read is an error.

        Where a device's times step back, all are put into the order of their times first.
        """
        if not self._steps_back():
            yield from self._in_file_order()
            return
        whole = pl.concat(list(self._in_file_order())).sort("event_time", "offset")
        # A row's metrics are one message, and stay together.
        yield from whole.iter_slices(AT_ONCE * max(1, len(self.rule.metrics)))

    def _steps_back(self) -> bool:
        newest: dict[str, datetime] = {}
        for piece in self._in_file_order():
            for name, time in zip(piece["device_full"], piece["event_time"], strict=True):
                if time < newest.get(name, time):
                    return True
                newest[name] = time
        return False

    def _in_file_order(self) -> Iterator[pl.DataFrame]:
        form = form_of(self.files[0])
        for other in self.files[1:]:
            if form_of(other).columns != form.columns:
                raise HeadwaterError(f"{other} has other columns than {self.files[0]}")
        for name in self.rule.metrics:
            if name not in form.columns:
                raise HeadwaterError(
                    f"there is no column {name!r}; the columns are {_one_of(form)}"
                )
        time = self._column(form, self.columns.time, TIME_NAMES, "time")
        if time is None:
            raise HeadwaterError(f"which column is the time? --time-column {_one_of(form)}")
        device = self._column(form, self.columns.device, DEVICE_NAMES, "device")
        first = 0
        read: ReadTime | None = None
        for rows in batches((row for row in all_rows(self.files, form) if row), AT_ONCE):
            read = read or _reader(form, rows, time)
            yield self._piece(form, rows, read, device, first)
            first += len(rows)

    def _column(self, form: Form, named: str | None, usual: Sequence[str], kind: str) -> str | None:
        if named is not None and named not in form.columns:
            raise HeadwaterError(f"there is no {kind} column {named!r}: {_one_of(form)}")
        plain = {"".join(filter(str.isalnum, name.lower())): name for name in form.columns}
        found = ("".join(filter(str.isalnum, name)) for name in usual)
        return named or next((plain[name] for name in found if name in plain), None)

    def _piece(
        self, form: Form, rows: list[list[str]], read: ReadTime, device: str | None, first: int
    ) -> pl.DataFrame:
        times = [_time(form, row, read, first + place) for place, row in enumerate(rows)]
        place = None if device is None else form.columns.index(device)
        names = [self._device(row, place) for row in rows]
        metrics = self.rule.metrics or (next(c for c in form.columns if c != device),)
        parts = [
            self._frame(names, times, metric, numbers(rows, form.columns.index(metric)), first)
            for metric in metrics
        ]
        return pl.concat(parts).sort("offset", maintain_order=True)

    def _device(self, row: list[str], place: int | None) -> str:
        name = row[place].strip() if place is not None and place < len(row) else "device"
        product = self.rule.scope.product
        return name if product in (None, "default") or "." in name else f"{product}.{name}"

    def _frame(
        self,
        names: list[str],
        times: list[datetime],
        metric: str,
        values: np.ndarray,
        first: int,
    ) -> pl.DataFrame:
        scope = self.rule.scope
        return (
            pl.DataFrame({"device_full": names, "event_time": times, "value": values})
            .select(
                pl.lit(self.rule.tenant).alias("tenant"),
                "device_full",
                pl.lit(metric).alias("metric"),
                pl.lit(scope.product or "default").alias("product"),
                pl.lit(scope.zone, pl.String).alias("zone"),
                pl.lit(None, pl.String).alias("customer"),
                "event_time",
                pl.col("event_time").alias("received_at"),
                "value",
                pl.lit("file").alias("topic"),
                pl.lit(0).alias("partition"),
                pl.int_range(first, first + len(names)).alias("offset"),
                pl.lit(0).alias("item"),
            )
            .select(COLUMNS)
        )


def _reader(form: Form, rows: list[list[str]], time: str) -> ReadTime:
    place = form.columns.index(time)
    sample = [row[place] for row in rows[:1000] if place < len(row)]
    try:
        return time_reader(guess_time_form(TimeOptions(columns=(time,)), sample))
    except HeadwaterError as error:
        raise HeadwaterError(
            f"{time} counts from no known start: a rule is tried on dates and times, or seconds"
            " since 1970; --time-column names another column"
        ) from error


def _time(form: Form, row: list[str], read: ReadTime, number: int) -> datetime:
    cells: Mapping[str, str] = dict(zip(form.columns, row, strict=False))
    try:
        return datetime.fromisoformat(read(cells))
    except ValueError as error:
        raise HeadwaterError(f"row {number + 1} below the header: {error}") from error


def _one_of(form: Form) -> str:
    return ", ".join(form.columns)
