"""Ranges of offsets: what a batch holds of each partition."""

import json

import polars as pl

Offsets = dict[tuple[str, int], tuple[int, int]]
"""(topic, partition) → (first, last), both inclusive"""


def ranges(records: pl.DataFrame) -> Offsets:
    """Return the range of each partition among the records."""
    ends = {"first": pl.col("offset").min(), "last": pl.col("offset").max()}
    found = records.lazy().group_by("topic", "partition").agg(**ends).sort("topic", "partition")
    ordered = found.collect().iter_rows()
    return {(topic, partition): (first, last) for topic, partition, first, last in ordered}


def offsets_text(offsets: Offsets) -> str:
    """Return the ranges as JSON: {"telemetry/0": [first, last]}."""
    return json.dumps({f"{topic}/{part}": span for (topic, part), span in offsets.items()})


def offsets_from_text(text: str) -> Offsets:
    """Read the ranges that `offsets_text` wrote."""
    found: Offsets = {}
    for place, (first, last) in json.loads(text).items():
        topic, _, partition = place.rpartition("/")
        found[topic, int(partition)] = first, last
    return found


def within(offsets: Offsets) -> pl.Expr:
    """Return the condition that a row's coordinates are within the ranges."""
    conditions = [
        (pl.col("topic") == topic)
        & (pl.col("partition") == partition)
        & pl.col("offset").is_between(first, last)
        for (topic, partition), (first, last) in offsets.items()
    ]
    return pl.any_horizontal(*conditions)
