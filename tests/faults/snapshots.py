"""What a reader of the lake may never see, as plain functions of a snapshot's rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
from deltalake import DeltaTable

RECORD = ("topic", "partition", "offset")
Ranges = dict[tuple[str, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Bronze:
    """Records with their number of messages, and the offsets whose batch may not be settled."""

    records: pl.DataFrame
    unsettled: Ranges

    @property
    def settled(self) -> pl.DataFrame:
        """Records of batches that a later batch has followed."""
        newest = [
            (pl.col("topic") == topic)
            & (pl.col("partition") == partition)
            & pl.col("offset").is_between(first, last)
            for (topic, partition), (first, last) in self.unsettled.items()
        ]
        return self.records.filter(~pl.any_horizontal(newest)) if newest else self.records


def newest_ranges(bronze: DeltaTable) -> Ranges:
    """Return the offsets of the newest batch, as its commit says."""
    for commit in bronze.history(20):
        if "offsets" in commit:
            spans = json.loads(commit["offsets"])
            places = {place.rpartition("/"): span for place, span in spans.items()}
            return {(topic, int(part)): (a, b) for (topic, _, part), (a, b) in places.items()}
    return {}


def doubled(accepted: pl.DataFrame) -> str | None:
    """Look for a key that readings and late hold more than once."""
    return _complaint(accepted.filter(pl.col("key").is_duplicated()), "doubled keys")


def ahead_of_bronze(silver: pl.DataFrame, bronze: Bronze) -> str | None:
    """Look for messages in silver whose record bronze does not hold."""
    missing = silver.select(RECORD).unique().join(bronze.records, on=RECORD, how="anti")
    return _complaint(missing, "in silver before bronze")


def not_conserved(silver: pl.DataFrame, before: Bronze) -> str | None:
    """Look for settled records whose messages are not all in silver, or too often."""
    found = silver.unique([*RECORD, "item"]).group_by(RECORD).agg(found=pl.len())
    both = before.settled.join(found, on=RECORD, how="left")
    wrong = both.filter(pl.col("items") != pl.col("found").fill_null(0))
    return _complaint(wrong, "not conserved")


def _complaint(rows: pl.DataFrame, what: str) -> str | None:
    if rows.is_empty():
        return None
    return f"{rows.height} {what}, such as {rows.head(3).rows(named=True)}"


def complaints(
    silver: Mapping[str, pl.DataFrame], bronze: Bronze, before: Bronze | None
) -> list[str]:
    """Return all that is wrong with a snapshot of silver that was taken between two of bronze."""
    accepted = pl.concat([silver["silver.readings"], silver["silver.late"]])
    everything = pl.concat([frame.select(*RECORD, "item") for frame in silver.values()])
    found = [doubled(accepted), ahead_of_bronze(everything, bronze)]
    if before is not None:
        found.append(not_conserved(everything, before))
    return [complaint for complaint in found if complaint]
