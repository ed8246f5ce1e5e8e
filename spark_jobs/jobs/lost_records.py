"""The table of records that Kafka dropped unread: gaps found, and gaps accepted."""

from collections.abc import Iterable
from datetime import datetime

import polars as pl

from spark_jobs.lake import Lake
from spark_jobs.lost_offsets import Lost
from telemetry.tables import LOST_OFFSETS


def write_down(
    lake: Lake, topic: str, found: Iterable[Lost], now: datetime, *, is_accepted: bool = False
) -> None:
    """Keep each gap once; one that has grown since it was found is kept as it is now."""
    for gap in found:
        known = _known(lake, topic).filter(partition=gap.partition, first_offset=gap.first)
        before = (
            known.row(0, named=True) if known.height else {"found_at": now, "accepted_at": None}
        )
        row = {
            "topic": topic,
            "partition": gap.partition,
            "first_offset": gap.first,
            "last_offset": gap.last,
            "reason": gap.reason,
            "found_at": before["found_at"],
            "accepted_at": now if is_accepted else before["accepted_at"],
        }
        if known.height and row == before:
            continue
        frame = pl.DataFrame([row], schema=known.schema)
        lake.replace(LOST_OFFSETS, frame, _place(topic, gap), None)


def accepted(lake: Lake, topic: str) -> set[tuple[int, int]]:
    """Return the gaps that somebody has accepted, by partition and first offset."""
    found = _known(lake, topic).filter(pl.col("accepted_at").is_not_null())
    return set(found.select("partition", "first_offset").iter_rows())


def _known(lake: Lake, topic: str) -> pl.DataFrame:
    return lake.scan(LOST_OFFSETS).filter(pl.col("topic") == topic).collect()


def _place(topic: str, gap: Lost) -> str:
    return f"topic = '{topic}' and partition = {gap.partition} and first_offset = {gap.first}"
