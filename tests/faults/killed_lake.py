"""A lake for jobs to be killed on: closed days in many files, and what its tables must hold."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import polars as pl

from edge.registry_files import RegistryFiles
from spark_jobs.gold_state import GoldFiles, GoldState, Position
from spark_jobs.jobs.gold import NAME, SOURCES
from spark_jobs.jobs.gold_rebuild import Rebuild
from spark_jobs.lake import Lake
from spark_jobs.transforms.rules import rules
from telemetry.settings import Settings
from telemetry.tables import DEVICES, READINGS, Table
from tests.spark_jobs.gold_fleet import NOON, PRODUCTS, fleet, grouped
from tests.spark_jobs.silver_rows import silver

DAYS = (2, 3, 4)
"""How long ago; all are closed."""
MESSAGES = 40
FILES = 4
COPIED = 7
"""Messages of a day that come twice."""
KEY = list(READINGS.key)


class KilledLake:
    """The tables of one stack, and the readings that they were made of."""

    def __init__(self, settings: Settings) -> None:
        self.lake = Lake(settings.lake_root)
        self.truth = pl.concat([_day(days) for days in DAYS])
        self._settings = settings
        self._copies = 0

    def fill(self) -> None:
        """Append all days, each in several files, and make gold of them."""
        self.lake.create_all()
        for product in PRODUCTS:
            RegistryFiles(self._settings.registry_dir).put_product(product)
        self.lake.append(DEVICES, self._devices(), None)
        for part in range(FILES):
            self.lake.append(READINGS, self.truth.filter(pl.col("seq") % FILES == part), None)
        self._make_gold()

    def _devices(self) -> pl.DataFrame:
        """Return each device where its readings say that it stands: summaries count them there."""
        found = self.truth.select("tenant", "device_full", "device", "product", "zone").unique()
        known = found.with_columns(valid_from=datetime(1900, 1, 1, tzinfo=UTC)).to_dicts()
        schema = self.lake.scan(DEVICES).collect_schema()
        return pl.DataFrame([{n: row.get(n) for n in schema} for row in known], schema=schema)

    def _make_gold(self) -> None:
        """Make gold of all there is, and keep that it has read so far."""
        behind = [Position(self.lake.table(table).version() + 1) for table in SOURCES]
        state = GoldState("gold/killed", readings=behind[0], late=behind[1])
        made = Rebuild(self.lake, rules(PRODUCTS), state).everything()
        GoldFiles(self._settings.checkpoint_dir / NAME).save(made)

    def append_copies(self) -> int:
        """Append some messages of each day once more, as other records; return how many."""
        self._copies += 1
        later = self.truth.filter(pl.col("seq") < COPIED).with_columns(
            pl.col("offset") + 1_000_000 * self._copies
        )
        self.lake.append(READINGS, later, None)
        return COPIED * len(DAYS)

    def rows(self, table: Table) -> pl.DataFrame:
        """Return a table's rows as a newcomer reads them."""
        return Lake(self.lake.root).scan(table).collect()

    def statistics(self, subject: str, width: str) -> pd.DataFrame:
        """Return the windows of the truth as pandas groups them, indexed by their key."""
        return grouped(self.truth, subject, width)


def _day(days: int) -> pl.DataFrame:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    moved = midnight - timedelta(days=days) + timedelta(hours=6) - NOON
    readings = fleet(seed=days, messages=MESSAGES).with_columns(
        pl.col("event_time") + moved,
        pl.col("received_at") + moved,
        boot=pl.lit(f"{days} days ago"),
    )
    is_told = pl.any_horizontal(pl.col("value", "value_text", "value_bool").is_not_null())
    return silver(readings, READINGS).with_columns(
        pl.col("offset") + 10_000 * days,
        device_time="event_time",
        clock=pl.lit("ok"),
        quality=pl.when(is_told).then(pl.lit("ok")).otherwise(pl.lit("sentinel")),
        schema_version=pl.lit(1, pl.Int32),
    )
