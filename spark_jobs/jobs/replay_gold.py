"""Gold of a replayed range, made beside from its silver and from the rest of the lake's."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import polars as pl
from deltalake import DeltaTable

from edge.registry_files import RegistryFiles
from spark_jobs.gold_state import GoldFiles, GoldState, OwnedError
from spark_jobs.jobs.gold import NAME, SOURCES, behind_rewrites
from spark_jobs.jobs.gold_rebuild import Rebuild
from spark_jobs.jobs.gold_tables import TABLES, WINDOW_TABLES
from spark_jobs.jobs.older_lake import gold_has_lost_its_place, gold_is_ahead, refuse_older_lake
from spark_jobs.jobs.replay_comparison import Sides
from spark_jobs.jobs.restating import runs_of_days
from spark_jobs.lake import Lake
from spark_jobs.refusal import refuse_damaged
from spark_jobs.transforms.rules import rules
from spark_jobs.transforms.spans import DAY, Span, days
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import DELIVERY_DELAY, LATE, READINGS, SESSIONS, Table

WAIT_S = 60.0
PATIENCE_S = 20.0
"""How long landing is held for gold to catch up."""
STEP_S = 0.2


@dataclass(frozen=True, slots=True)
class PinnedGold:
    """Gold between two batches: its state, and the versions of its tables."""

    state: GoldState
    versions: dict[str, int]
    is_moving: bool
    opened: Mapping[str, DeltaTable] = field(default_factory=dict)
    """The tables at these versions: while gold goes on its logs forget them within an hour."""

    def open(self, lake: Lake) -> "PinnedGold":
        """Return the same with its tables opened."""
        at = {
            table.name: DeltaTable(lake.uri(table), version=self.versions[table.name])
            for table in TABLES
        }
        return replace(self, opened=at)


def pinned_gold(settings: Settings, lake: Lake) -> PinnedGold | None:
    """Return gold between two batches; None if it was never made."""
    files = GoldFiles(settings.checkpoint_dir / NAME)
    if files.state() is None:
        return None
    try:
        with files.owned():
            return _pinned(files, lake, is_moving=False) or _cut_short()
    except OwnedError:
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            if found := _pinned(files, lake, is_moving=True):
                return found
            time.sleep(STEP_S)
    return _cut_short()


def _pinned(files: GoldFiles, lake: Lake, *, is_moving: bool) -> PinnedGold | None:
    state = files.state()
    if state is None or files.is_planned(state):
        return None
    if not all(position.is_between_versions for position in (state.readings, state.late)):
        return None
    versions = {table.name: lake.table(table).version() for table in TABLES}
    after = files.state()
    is_still = after is not None and after.batch_id == state.batch_id
    passed = replace(
        state,
        readings=behind_rewrites(lake, READINGS, state.readings),
        late=behind_rewrites(lake, LATE, state.late),
    )
    return (
        PinnedGold(passed, versions, is_moving)
        if is_still and not files.is_planned(state)
        else None
    )


def _cut_short() -> PinnedGold:
    raise HeadwaterError(
        "gold is in the middle of a batch: start the streams, wait until `headwater status` shows"
        " no lag, and replay again"
    )


def caught_up_gold(
    settings: Settings, lake: Lake, versions: dict[str, int], received: Span
) -> PinnedGold | None:
    """Return gold that has read all that versions of silver hold of a range; raise if it has not.

    While streams append, gold is always a moment behind: hold silver still, and it gets there.
    """
    refuse_older_lake(NAME, gold_is_ahead(settings, lake))
    refuse_damaged(NAME, gold_has_lost_its_place(settings, lake))
    until = time.monotonic() + PATIENCE_S
    while (gold := pinned_gold(settings, lake)) is not None:
        behind = _behind(lake, gold, versions, received)
        if behind is None:
            return gold
        if not gold.is_moving or time.monotonic() > until:
            raise HeadwaterError(
                f"gold has not read all of {behind.name} in this range: wait until `headwater"
                " status` shows no lag of gold, and replay again"
            )
        time.sleep(STEP_S)
    return None


def _behind(lake: Lake, gold: PinnedGold, versions: dict[str, int], received: Span) -> Table | None:
    """Return a table of which gold has not read what it holds of a range."""
    for table, position in zip(SOURCES, (gold.state.readings, gold.state.late), strict=True):
        read = max(position.version - 1, 0)
        mine, all_ = (
            lake.scan_at(table, version).filter(received.holds("received_at")).select(pl.len())
            for version in (read, versions[table.name])
        )
        if mine.collect().item() != all_.collect().item():
            return table
    return None


@dataclass(frozen=True, slots=True)
class GoldBeside:
    """Makes the windows that a range touches, and shows both sides of each table."""

    main: Lake
    beside: Lake
    gold: PinnedGold
    rules: pl.DataFrame

    def make(self, received: Span, event_days: set[date]) -> Iterator[Sides]:
        """Make gold of whole days beside, and yield the tables to compare."""
        rebuild = Rebuild(self.beside, self.rules, self.gold.state, instead=self._silver(received))
        near = self._reach()
        around = {day + DAY * n for day in event_days for n in range(-near, near + 1)}
        for run in runs_of_days(around):
            rebuild.run(days(run.first, run.last))
        received_days = received.start.date(), (received.end - timedelta.resolution).date()
        rebuild.delays(days(*received_days))
        yield from self._windows(event_days)
        yield self._sides(DELIVERY_DELAY, pl.col("hour_date").is_between(*received_days))

    def _silver(self, received: Span) -> tuple[pl.LazyFrame, ...]:
        """Return silver as gold has read it, with what was made beside in place of the range."""
        state = self.gold.state
        return tuple(
            pl.concat(
                [
                    self.main.scan_at(table, max(position.version - 1, 0)).filter(
                        ~received.holds("received_at")
                    ),
                    self.beside.scan(table),
                ]
            )
            for table, position in zip(SOURCES, (state.readings, state.late), strict=True)
        )

    def _reach(self) -> int:
        """Return how many days before a reading a window that holds it may begin."""
        widest = self.rules["width"].max() or timedelta()
        assert isinstance(widest, timedelta)
        return -(-widest // DAY)

    def _windows(self, event_days: set[date]) -> Iterator[Sides]:
        reach = range(self._reach() + 1)
        starts = {day - DAY * n for day in event_days for n in reach}
        for table in WINDOW_TABLES:
            if table == SESSIONS:
                yield self._sides(table, _touches(event_days))
            else:
                yield self._sides(table, pl.col("window_start").dt.date().is_in(sorted(starts)))

    def _sides(self, table: Table, touched: pl.Expr) -> Sides:
        before = pl.scan_delta(self.gold.opened[table.name])
        leave_out = ("is_final",) if self.gold.is_moving else ()
        after = self.beside.scan(table)
        return Sides(table, before.filter(touched), after.filter(touched), leave_out)


def gold_beside(settings: Settings, main: Lake, beside: Lake, gold: PinnedGold) -> GoldBeside:
    """Return what makes gold beside by the products' rules of now."""
    products = RegistryFiles(settings.registry_dir).products()
    return GoldBeside(main, beside, gold, rules(products.values()))


def _touches(event_days: set[date]) -> pl.Expr:
    spans = [days(run.first, run.last) for run in runs_of_days(event_days)]
    return pl.any_horizontal(
        pl.lit(value=False),
        *(
            (pl.col("window_start") < span.end) & (pl.col("window_end") > span.start)
            for span in spans
        ),
    )
