"""Replays a range: silver and gold beside, the list of differences, and rows put in place."""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from spark_jobs.jobs.corrections import corrected
from spark_jobs.jobs.judging import Judge, judge_by_spark, judge_here, received_messages
from spark_jobs.jobs.known import known
from spark_jobs.jobs.replay_comparison import Comparison, Sides, comparison
from spark_jobs.jobs.replay_expired import Expired
from spark_jobs.jobs.replay_gold import (
    PinnedGold,
    caught_up_gold,
    gold_beside,
)
from spark_jobs.jobs.replay_in_place import InPlace
from spark_jobs.jobs.replay_orphans import orphans, refuse_orphans
from spark_jobs.jobs.replay_range import RangeReplay
from spark_jobs.jobs.restating import restate, runs_of_days, silver_versions
from spark_jobs.jobs.silver_pause import SilverPause
from spark_jobs.lake import Lake
from spark_jobs.pins import Pins
from spark_jobs.transforms.offsets import Offsets
from spark_jobs.transforms.routes import SILVER
from spark_jobs.transforms.spans import Span
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import LATE, MESSAGES, READINGS, REJECTED, Table

FEW = 50_000
MARKER = "replay.txt"
Result = dict[str, object]


@dataclass(frozen=True, slots=True)
class Asked:
    """What to replay, and where the rows go: beside, by default below the home, or in place."""

    received: Span
    beside: Path | None = None
    in_place: bool = False
    drop_orphans: bool = False
    """Whether rows in place may be removed though bronze has lost their records."""

    @property
    def name(self) -> str:
        """Return the range as a file's name."""
        start, end = self.received.start, self.received.end
        if all(time.minute == time.second == 0 for time in (start, end)):
            return f"{start:%Y%m%dT%H}-{end - timedelta(hours=1):%Y%m%dT%H}"
        return f"{start:%Y%m%dT%H%M%S}-{end - timedelta(seconds=1):%Y%m%dT%H%M%S}"


@dataclass(frozen=True, slots=True)
class Run:
    """One replay: both lakes, and the versions of silver that it is held against."""

    settings: Settings
    main: Lake
    beside: Lake
    received: Span
    versions: dict[str, int]
    expired: Expired

    def sides(self, table: Table) -> Sides:
        """Return a table of silver as it is and as it was judged anew."""
        held = self.main.scan_at(table, self.versions[table.name])
        inside = held.filter(self.received.holds("received_at"))
        if table == REJECTED:
            inside = inside.filter(pl.col("replayed_at").is_null())
        made = self.expired.kept(table, self.beside.scan(table), self.beside)
        return Sides(table, self.expired.kept(table, inside, self.main), made)

    def left_out(self) -> dict[str, int]:
        """Return how many rows were made that retention has dropped, by table."""
        rows = {table.name: self.expired.rows(table, self.beside) for table in SILVER}
        return {name: count for name, count in rows.items() if count}

    def orphans(self) -> pl.DataFrame:
        """Return the records that silver has rows of in the range and bronze lacks."""
        bronze = received_messages(self.main, self.versions[MESSAGES.name], self.received)
        return orphans(bronze, [self.sides(table).before for table in SILVER])


def replay(settings: Settings, lake: Lake, asked: Asked, now: datetime) -> Result:
    """Replay a range and say what differs; a run that was killed is simply run again."""
    folder = (asked.beside or settings.home / "replay" / asked.name).resolve()
    beside = _empty_lake(folder, lake)
    with ExitStack() as until_done:
        with SilverPause(settings).still():
            tables = (MESSAGES, *(table for table in SILVER))
            versions = {table.name: lake.table(table).version() for table in tables}
            gold = caught_up_gold(settings, lake, versions, asked.received)
            # Landing and gold go on meanwhile, and delete what they do not need.
            until_done.enter_context(Pins(settings).held(_read(versions, gold)))
            gold = gold.open(lake) if gold else None
        run = Run(settings, lake, beside, asked.received, versions, Expired(lake, now.date()))
        return _replayed(run, asked, gold, now)


def _read(versions: dict[str, int], gold: PinnedGold | None) -> dict[str, int]:
    """Return the oldest version of each table that is read; gold may have been behind silver."""
    if gold is None:
        return versions
    state = gold.state
    of_gold = {READINGS.name: state.readings.version - 1, LATE.name: state.late.version - 1}
    behind = {name: min(at, versions[name]) for name, at in of_gold.items()}
    return {**versions, **gold.versions, **behind}


def _replayed(run: Run, asked: Asked, gold: PinnedGold | None, now: datetime) -> Result:
    settings, lake, beside = run.settings, run.main, run.beside
    file = settings.home / "replay" / f"{asked.name}.differences.ndjson"
    lost = run.orphans()
    if asked.in_place and not asked.drop_orphans:
        refuse_orphans(lost)
    judged_by = known(settings, lake, now)
    replayed = RangeReplay(lake, beside, judged_by, received=asked.received)
    replayed.run(_judge(run), run.versions[MESSAGES.name])
    with comparison(file) as compared:
        partitions = {table.name: compared.compare(run.sides(table)) for table in SILVER}
        if gold is not None:
            _compare_gold(run, gold, compared)
    result: Result = {
        "from": asked.received.start,
        "to": asked.received.end,
        "messages": replayed.messages,
        "beside": beside.root,
        "compared": dict(compared.compared),
        "expired": run.left_out(),
        "orphans": lost["records"].sum(),
        "gold": _gold_said(gold),
        "differences": dict(+compared.rows),
        "first": compared.first,
        "file": str(file),
        "ok": not compared.rows.total(),
    }
    if asked.in_place and compared.rows.total():
        place = InPlace(run.main, beside, asked.received, _newest(run, replayed.offsets))
        with SilverPause(settings).change():
            put = place.put(partitions, now)
            corrected(lake, judged_by.fleet(), silver_versions(lake))
        result |= {"put": dict(put), "restated": _restated(run, compared.days, now), "ok": True}
    elif asked.in_place:
        # A replay that was killed may have put the rows, and not got so far.
        corrected(lake, judged_by.fleet(), silver_versions(lake))
    return result


def _empty_lake(folder: Path, main: Lake) -> Lake:
    """Return a new lake; what an earlier replay left there is removed."""
    if folder.is_relative_to(Path(main.root).resolve()):
        raise HeadwaterError(f"--beside {folder} is in the lake itself: name an empty folder")
    if folder.exists() and not folder.is_dir():
        raise HeadwaterError(f"--beside {folder} is a file: name an empty folder")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            raise HeadwaterError(f"--beside {folder} holds something else: name an empty folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("A lake that `headwater job replay` made, and makes anew.\n")
    lake = Lake(str(folder))
    lake.create_all()
    return lake


def _judge(run: Run) -> Judge:
    rows = received_messages(run.main, run.versions[MESSAGES.name], run.received)
    tolerance_us = round(run.settings.clock_tolerance_s * 1_000_000)
    if rows.select(pl.len()).collect().item() <= FEW:
        return judge_here(run.main, tolerance_us=tolerance_us)
    return judge_by_spark(run.settings, run.main, tolerance_us=tolerance_us)


def _compare_gold(run: Run, gold: PinnedGold, compared: Comparison) -> None:
    made = gold_beside(run.settings, run.main, run.beside, gold)
    has_expired = bool(run.left_out())
    for sides in made.make(run.received, _event_days(run)):
        if "window_start" in sides.table.key:
            compared.compare(sides.within(run.expired.kept_windows))
        elif not has_expired:  # Delays are of all that was received on a day.
            compared.compare(sides)


def _event_days(run: Run) -> set[date]:
    """Return the days of events, on either side."""
    days: set[date] = set()
    for table in (READINGS, LATE):
        sides = run.sides(table)
        for side in (sides.before, sides.after):
            days |= set(side.select("event_date").unique().collect().to_series())
    return days


def _gold_said(gold: PinnedGold | None) -> str:
    if gold is None:
        return "never made"
    return "compared, is_final left out: gold is moving" if gold.is_moving else "compared"


def _newest(run: Run, judged: Offsets) -> dict[tuple[str, int], int]:
    """Return how far each partition was judged, or held by silver: what is later stays."""
    newest = {at: last for at, (_, last) in judged.items()}
    for table in SILVER:
        held = run.sides(table).before.group_by("topic", "partition").agg(pl.col("offset").max())
        for topic, partition, offset in held.collect().iter_rows():
            at = topic, partition
            newest[at] = max(offset, newest.get(at, offset))
    return newest


def _restated(run: Run, days: set[date], now: datetime) -> str:
    if not days:
        return "nothing to do"
    return restate(run.settings, run.main, runs_of_days(days), "replay", now)
