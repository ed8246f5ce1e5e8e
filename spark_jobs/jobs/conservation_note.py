"""What conservation was checked of, hours that wait or are empty, and what people were told of."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

from spark_jobs.jobs.changed_files import OVERLAP
from spark_jobs.jobs.changed_hours import changed_hours
from spark_jobs.jobs.conservation_alerts import broken
from spark_jobs.jobs.conservation_hour import BalancedHour
from spark_jobs.jobs.landed_tables import LandedTables
from spark_jobs.jobs.looked_at import Note
from spark_jobs.lake import Lake
from spark_jobs.transforms.conservation_alerts import Place
from telemetry.tables import CONSERVATION

_WAITING, _EMPTY, _TOLD = "waiting", "empty", "told of"


class ConservationNote:
    """One file; who loses it checks hours by the age of files once, as an earlier release did."""

    def __init__(self, path: Path) -> None:
        self._note = Note(path)

    def changed(self, lake: Lake, tables: LandedTables) -> set[datetime]:
        """Return the hours of which something changed since they were checked."""
        if not self._note.tables:
            return _written_since(lake, tables)
        return changed_hours(lake, tables, self._note.tables) | self._hours(_WAITING)

    @property
    def empty(self) -> set[datetime]:
        """Hours between records of one file in which none came: no row says that of them."""
        return self._hours(_EMPTY)

    def told_of(self, lake: Lake, now: datetime) -> Collection[Place]:
        """Return what was told of as broken and not as over."""
        told = self._note.words.get(_TOLD)
        return broken(lake, now) if told is None else [_place(text) for text in told]

    def keep(
        self,
        tables: LandedTables,
        changed: set[datetime],
        checked: Sequence[BalancedHour],
        told: Iterable[Place],
    ) -> None:
        """Note that of all that changed only what was not checked, or is open, is waiting."""
        looked = {table.name: one for table, one in tables.looked.items()}
        found = {hour.hour: hour.is_closed for hour in checked}
        waiting = sorted(hour for hour in changed | found.keys() if not found.get(hour))
        empty = {hour.hour for hour in checked if hour.is_closed and not hour.balances}
        empty |= (self.empty - found.keys()) & {*tables.hours()["hour"]}
        words = {
            _WAITING: [hour.isoformat() for hour in waiting],
            _EMPTY: [hour.isoformat() for hour in sorted(empty)],
            _TOLD: [f"{hour.isoformat()} {name}" for name, hour in told],
        }
        self._note.keep(looked, words)

    def _hours(self, word: str) -> set[datetime]:
        return {datetime.fromisoformat(hour) for hour in self._note.words.get(word, [])}


def _place(text: str) -> Place:
    hour, _, name = text.partition(" ")
    return name, datetime.fromisoformat(hour)


def _written_since(lake: Lake, tables: LandedTables) -> set[datetime]:
    by_hour = lake.scan(CONSERVATION).group_by("hour").agg(pl.col("checked_at").min()).collect()
    hours = tables.hours().join(by_hour, on="hour", how="inner")
    return set(hours.filter(pl.col("written") > pl.col("checked_at") - OVERLAP)["hour"])
