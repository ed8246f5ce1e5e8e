"""What the tables hold already of a batch that comes again, after a crash or a lost checkpoint."""

from typing import NamedTuple

import polars as pl

from spark_jobs.dedup.names import Key
from spark_jobs.dedup.recent import Copies, copies
from spark_jobs.lake import Lake
from spark_jobs.transforms.offsets import Offsets, offsets_text, within
from telemetry.errors import HeadwaterError
from telemetry.tables import CONFLICTS, DUPLICATES, LATE, MESSAGES, READINGS, REJECTED

_ITEM = ("topic", "partition", "offset", "item")
_RECORD = ("topic", "partition", "offset")
_KEY = ("tenant", "device_full", "boot", "seq")


class SettledMessages(NamedTuple):
    """Messages that are in silver: all their coordinates, and the first copies among them."""

    items: pl.DataFrame
    keys: list[Key]
    copies: Copies


class Settled:
    """Looks the rows of a range of offsets up."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def new_records(self, messages: pl.DataFrame, offsets: Offsets) -> pl.DataFrame:
        """Return the records that bronze lacks; raise if it holds others at their place."""
        held = self._lake.scan(MESSAGES).filter(within(offsets))
        there = held.select(*_RECORD, held_time="kafka_time").collect()
        both = messages.join(there, on=_RECORD, how="inner")
        if not both.filter(pl.col("kafka_time") != pl.col("held_time")).is_empty():
            raise HeadwaterError(
                f"bronze holds other records at offsets {offsets_text(offsets)}: the topic or the"
                " spool was made anew beside an old lake; `headwater down --wipe` starts both anew"
            )
        return messages.join(there, on=_RECORD, how="anti")

    def messages(self, offsets: Offsets) -> SettledMessages:
        """Return the messages of a range that silver holds in any of its tables."""
        aside = [
            self._lake.scan(table).filter(within(offsets)).select(_ITEM)
            for table in (REJECTED, DUPLICATES, CONFLICTS)
        ]
        accepted = [
            self._lake.scan(table).filter(within(offsets)).select(*_ITEM, *_KEY)
            for table in (READINGS, LATE)
        ]
        firsts = pl.concat(accepted).unique(_ITEM).sort(_ITEM).collect()
        items = pl.concat([*(frame.collect() for frame in aside), firsts.select(_ITEM)])
        return SettledMessages(items.unique(), firsts.select(_KEY).rows(), copies(firsts))
