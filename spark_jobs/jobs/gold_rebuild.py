"""Makes days of gold again from silver, as silver was when gold last read it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import polars as pl

from spark_jobs.gold_state import GoldState
from spark_jobs.jobs.gold_sessions import made_again
from spark_jobs.jobs.gold_tables import TABLES
from spark_jobs.lake import Lake
from spark_jobs.table_files import Change
from spark_jobs.transforms import delays, windows
from spark_jobs.transforms.held import Held
from spark_jobs.transforms.partials import READING_COLUMNS, SERIES, merged
from spark_jobs.transforms.rules import watermarks
from spark_jobs.transforms.spans import DAY, Span, days, earlier, later, midnight
from telemetry.tables import (
    DELIVERY_DELAY,
    DEVICE_MINUTE,
    DEVICE_SLIDING,
    DEVICE_WINDOWS,
    LATE,
    READINGS,
    SESSIONS,
    ZONE_WINDOWS,
    Table,
)

_DAY_TABLES = (DEVICE_WINDOWS["day"], ZONE_WINDOWS["day"])
_FINER_TABLES = tuple(
    table
    for table in (*DEVICE_WINDOWS.values(), *ZONE_WINDOWS.values())
    if table not in _DAY_TABLES
)
MOST_ROWS = 2_000_000


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Gold made again from pinned versions of silver; each step replaces all it names.

    `instead` are readings and late readings to take in place of those versions. Windows of which
    silver does not hold all (`held`) stay as they are.
    """

    lake: Lake
    rules: pl.DataFrame
    state: GoldState
    most_rows: int = MOST_ROWS
    instead: tuple[pl.LazyFrame, ...] = ()
    held: Held = field(default_factory=Held)

    def run(self, span: Span) -> Counter[str]:
        """Make every table again over whole days; return the rows written by table."""
        written: Counter[str] = Counter()
        for block in self.blocks(span):
            written.update(self._tumbling(block))
        written.update(self._sliding(span))
        written.update(self._sessions(span))
        written.update(self.delays(span))
        return written

    def everything(self) -> GoldState:
        """Make all of gold again from all of silver; return the state with its watermarks."""
        for table in TABLES:
            if self.lake.scan(table).head(1).collect().height:
                nothing = self.lake.scan(table).clear().collect()
                of_hours = table == DELIVERY_DELAY
                whole = self.held.hours() if of_hours else self.held.windows()
                self.lake.replace(table, nothing, " and ".join(whole) or None, None)
        ends = self._ends()
        state = replace(self.state, watermarks=watermarks([ends], self.rules))
        if ends.height:
            times = pl.concat([ends["oldest"], ends["highest"], ends["newest"]]).sort()
            first, last = times.dt.date().gather([0, -1]).to_list()
            replace(self, state=state).run(days(first, last))
        return state

    def _ends(self) -> pl.DataFrame:
        """Return the oldest time, the newest one and the highest `received_at` by product."""
        received, event = pl.col("received_at"), pl.col("event_time")
        return (
            pl.concat(self._pinned())
            .group_by("tenant", "product")
            .agg(
                oldest=pl.min_horizontal(received.min(), event.min()),
                newest=event.max(),
                highest=received.max(),
            )
            .collect(engine="streaming")
        )

    def silver(self, span: Span, column: str = "event_time") -> pl.LazyFrame:
        """Return readings and late readings, as gold has read them, with a time in the span."""
        return pl.concat(frame.filter(span.holds(column)) for frame in self._pinned())

    def _pinned(self) -> list[pl.LazyFrame]:
        if self.instead:
            return [frame.select(*READING_COLUMNS) for frame in self.instead]
        sources = ((READINGS, self.state.readings), (LATE, self.state.late))
        return [
            self.lake.scan_at(table, max(position.version - 1, 0)).select(*READING_COLUMNS)
            for table, position in sources
        ]

    def readings(self, span: Span, keys: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield the readings of some keys within a span, a bearable number at a time."""
        for part in self._parts_of(span) or [span]:
            rows = self.silver(part).join(keys.lazy(), on=keys.columns, how="semi")
            yield rows.collect()

    def _parts_of(self, span: Span, column: str = "event_time") -> list[Span]:
        return [part for block in self.blocks(span, column) for part in block]

    def blocks(self, span: Span, column: str = "event_time") -> Iterator[list[Span]]:
        """Yield days in spans of bearable size by one of their times: many days, or parts of one.

        The span may begin within a day.
        """
        dated = self.silver(span, column).group_by(pl.col(column).dt.date()).len()
        rows = dict(dated.collect(engine="streaming").iter_rows())
        start, held = span.start, 0
        day = span.start
        while day < span.end:
            count = rows.get(day.date(), 0)
            if held and held + count > self.most_rows:
                yield [Span(start, day)]
                start, held = day, 0
            held += count
            day = min(later(day, DAY), span.end)
            if held > self.most_rows:
                yield _parts(Span(start, day), -(-held // self.most_rows))
                start, held = day, 0
        if start < span.end:
            yield [Span(start, span.end)]

    def _tumbling(self, parts: list[Span]) -> Counter[str]:
        written: Counter[str] = Counter()
        by_day: dict[str, list[pl.DataFrame]] = {table.name: [] for table in _DAY_TABLES}
        for part in parts:
            gained = windows.cascade(windows.minutes(self.silver(part).collect()))
            for table in _FINER_TABLES:
                written[table.name] += self._replace(table, gained[table.name], part)
            for table in _DAY_TABLES:
                by_day[table.name].append(gained[table.name])
        whole = Span(parts[0].start, parts[-1].end)
        for table in _DAY_TABLES:
            key = [*SERIES, table.key[2], "window_start"]
            rows = merged(pl.concat(by_day[table.name]), key)
            written[table.name] += self._replace(table, rows, whole)
        return written

    def _replace(self, table: Table, partials: pl.DataFrame, span: Span) -> int:
        ended = windows.in_one_class(windows.ended(partials, table), table)
        made = windows.completed(ended, table, self.state.watermarks)
        rows = made.filter(self.held.whole)
        named = " and ".join([_named(span, table), *self.held.windows()])
        self.lake.replace(table, rows, named, None)
        return len(rows)

    def _sliding(self, span: Span) -> Counter[str]:
        widest = self.rules["width"].max() or timedelta()
        assert isinstance(widest, timedelta)
        reach = Span(earlier(span.start, widest), span.end)
        written: Counter[str] = Counter()
        for day in self._sliding_days(reach, widest):
            part = Span(max(day.start, reach.start), min(day.end, reach.end))
            seen = Span(part.start, part.end + widest).holds("window_start")
            minutes = self.lake.scan(DEVICE_MINUTE).filter(seen).collect()
            spread = windows.sliding(minutes, self.rules).filter(part.holds("window_start"))
            written[DEVICE_SLIDING.name] += self._replace(DEVICE_SLIDING, spread, part)
        return written

    def _sliding_days(self, reach: Span, widest: timedelta) -> list[Span]:
        """Return the days on which a sliding window starts, or one is stored."""
        keys = ["tenant", "product"]
        asking = self.rules.filter(pl.col("width").is_not_null()).select(keys).lazy()
        inside = reach.holds("window_start")
        minutes = self.lake.scan(DEVICE_MINUTE).filter(inside).join(asking, on=keys, how="semi")
        stored = self.lake.scan(DEVICE_SLIDING).filter(inside)
        dated = [frame.select("window_period").unique() for frame in (minutes, stored)]
        days_with_rows = pl.concat(dated).collect()["window_period"].to_list()
        before = range(-(-widest // DAY) + 1)
        starts = {earlier(midnight(day), DAY * n) for day in days_with_rows for n in before}
        return [Span(start, start + DAY) for start in sorted(starts) if start + DAY > reach.start]

    def _sessions(self, span: Span) -> Counter[str]:
        asked = self.rules.filter(pl.col("gap").is_not_null()).select("tenant", "product")
        readings = partial(self.readings, keys=asked)

        def change(stored: pl.LazyFrame) -> Change | None:
            made = made_again(stored, readings, span, self.rules, self.held)
            if made is None:
                return None
            done = windows.completed(made.rows, SESSIONS, self.state.watermarks)
            return Change((done,), made.replaced, made.files)

        return Counter({SESSIONS.name: self.lake.update(SESSIONS, change, None) or 0})

    def delays(self, span: Span) -> Counter[str]:
        """Make the delays of messages that were received within whole days again."""
        received = (
            self.silver(part, "received_at").collect()
            for part in self._parts_of(span, "received_at")
        )
        made = delays.merged(*(delays.sketched(delays.messages(some)) for some in received))
        rows = made.filter(self.held.whole_hours)
        first, last = span.start.date(), (span.end - DAY).date()
        within = f"hour_date >= date'{first}' and hour_date <= date'{last}'"
        named = " and ".join([within, *self.held.hours()])
        self.lake.replace(DELIVERY_DELAY, rows, named, None)
        return Counter({DELIVERY_DELAY.name: len(rows)})


def _named(span: Span, table: Table) -> str:
    """Return the SQL that names the windows that start in the span, partitions first."""
    ends = pl.DataFrame({"window_start": [span.start, span.end]})
    first, last = ends.select(windows.period(table))["window_period"]
    return (
        f"window_period >= date'{first}' and window_period <= date'{last}'"
        f" and window_start >= '{span.start.isoformat()}'"
        f" and window_start < '{span.end.isoformat()}'"
    )


def _parts(span: Span, wanted: int) -> list[Span]:
    """Cut a day into about as many parts as wanted, of whole hours."""
    step = timedelta(hours=max(1, 24 // wanted))
    starts = [span.start + step * n for n in range(-(-(span.end - span.start) // step))]
    return [Span(start, min(later(start, step), span.end)) for start in starts]
