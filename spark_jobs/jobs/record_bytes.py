"""Bytes of messages by their coordinates, as their records in bronze hold them."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from spark_jobs.lake import Lake
from spark_jobs.pieces import holding
from telemetry.encodings import message_bytes
from telemetry.records import content_type
from telemetry.tables import MESSAGES

RECORD = ("topic", "partition", "offset")
Place = tuple[str, int, int]


class Content(NamedTuple):
    """A record's value, and in which form it is."""

    value: bytes
    content_type: str


def contents(lake: Lake, wanted: pl.DataFrame) -> dict[Place, Content]:
    """Return what the records at some coordinates hold; those that bronze lacks are left out."""
    # Some may be of today and some of long ago: what lies between has all the bytes of bronze.
    offsets = wanted["offset"].unique()
    form = pl.col("headers").map.get("content_type").alias("form")
    near = holding(lake, MESSAGES, "offset", offsets.to_numpy())
    rows = near.filter(pl.col("offset").is_in(offsets.to_list())).select(*RECORD, "value", form)
    found = rows.join(wanted.lazy(), on=RECORD, how="semi").collect(engine="streaming")
    return {
        (topic, part, offset): Content(value, content_type(form))
        for topic, part, offset, value, form in found.iter_rows()
    }


def bytes_at(found: Mapping[Place, Content], place: Place, item: int) -> bytes | None:
    """Return the bytes of one message, None where its record is gone."""
    content = found.get(place)
    return None if content is None else message_bytes(*content, item)
